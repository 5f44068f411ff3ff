//! The bot's forks of dist-git, where the pipelines of its merge requests run what contributors wrote: they hold no secret,
//! and no door out of them is open.

use crate::setup::check::bot_project::{JOB_TOKENS, allowed, variables_from};
use crate::setup::check::finding::{CheckResult, Verdict, listed, summed};
use crate::setup::instance_facts::{
    ForkOverview, InstanceFacts, PackageOverview, Role, Runner, Unseen, Variable, Visible,
};

/// What may be known to everybody whose code runs.
const HARMLESS: [&str; 8] = [
    "SGB_TRIGGER_URL",
    "SGB_TRIGGER_TOKEN",
    "SGB_WEBHOOK_TOKEN",
    "SGB_INSTANCE",
    "SGB_GITLAB_URL",
    "SGB_CA_FILE",
    "SGB_PROXY",
    "FAKE_CI",
];

const MAINTAINERS: &str = "its Maintainers see it";

pub(super) fn judge(facts: &InstanceFacts) -> Vec<CheckResult> {
    if facts.instance.forks == crate::config::Forks::DistGit {
        return Vec::new();
    }
    let forks = match &facts.forks {
        Ok(forks) => &forks.all,
        Err(why) => return vec![CheckResult::unseen("forks.settings", "forks", why, "the bot's user sees them")],
    };
    let mut findings = Vec::new();
    let each = |check: &'static str, right: &str, verdict: &dyn Fn(&ForkOverview) -> Verdict| {
        summed(check, "forks looked at", right, forks.iter().map(|fork| (fork.path.clone(), verdict(fork))))
    };
    findings.extend(each("forks.job-token-push", "job tokens cannot push", &job_token_push));
    findings
        .extend(each("forks.job-tokens", "closed to the job tokens of other projects", &|f| allowed(&f.job_tokens)));
    findings.extend(each("forks.variables", "no secret among the variables", &|fork| variables(&fork.variables)));
    let settings = forks.iter().map(|fork| (&fork.path, &fork.settings));
    findings.extend(variables_from("forks.pipeline-variables", "forks looked at", settings));
    findings.extend(runners(facts, forks));
    findings
}

fn job_token_push(fork: &ForkOverview) -> Verdict {
    let remedy = format!("{JOB_TOKENS}: switch `Allow Git push requests to the repository` off");
    match fork.settings.job_token_push {
        None => Verdict::Unseen(Unseen::NotSaid, format!("{MAINTAINERS}: {JOB_TOKENS}")),
        Some(pushes) => Verdict::of(!pushes, "the job tokens of its pipelines can push to it", &remedy),
    }
}

fn variables(variables: &Visible<Vec<Variable>>) -> Verdict {
    const WHERE: &str = "Settings, CI/CD, Variables";
    let variables = match variables {
        Ok(variables) => variables,
        Err(why) => return Verdict::Unseen(why.clone(), format!("{MAINTAINERS}: {WHERE}")),
    };
    let more = variables.iter().map(|variable| variable.key.clone());
    let more: Vec<_> = more.filter(|key| !HARMLESS.contains(&key.as_str())).collect();
    Verdict::of(
        more.is_empty(),
        &format!("holds variables that contributors could read: {}", listed(&more)),
        &format!("{WHERE}: delete them"),
    )
}

/// Where the pipelines of the bot's merge requests run: in dist-git where the bot may start them there and it lets forks.
fn runs_in_dist_git(package: &PackageOverview) -> bool {
    let may = package.dist_role.as_ref().is_ok_and(|role| *role >= Role::DEVELOPER);
    let lets = package.dist_settings.as_ref().is_ok_and(|settings| settings.fork_pipelines != Some(false));
    may && lets
}

fn runners(facts: &InstanceFacts, forks: &[ForkOverview]) -> Vec<CheckResult> {
    const WHERE: &str = "Settings, CI/CD, Runners";
    let in_dist_git = |fork: &ForkOverview| {
        let name = fork.path.rsplit('/').next();
        let packages = facts.packages.iter().flat_map(|packages| &packages.all);
        let mut of_it = packages.filter(|package| package.dist_git.rsplit('/').next() == name);
        of_it.any(runs_in_dist_git)
    };
    let verdict = |runners: &Visible<Vec<Runner>>| match runners {
        Err(why) => Verdict::Unseen(why.clone(), format!("{MAINTAINERS}: {WHERE}")),
        Ok(runners) => Verdict::of(
            runners.iter().any(|runner| runner.is_online),
            "the pipelines of the bot's merge requests run here, and no runner takes their jobs",
            &format!("{WHERE}: switch instance runners on, or give the forks' group a runner"),
        ),
    };
    let here = forks.iter().filter(|fork| !in_dist_git(fork)).map(|fork| (fork.path.clone(), verdict(&fork.runners)));
    let mut findings =
        summed("forks.runners", "forks looked at", "pipelines run there, and runners take the jobs", here);
    if findings.is_empty() && !forks.is_empty() {
        findings.push(CheckResult::right("forks.runners", "pipelines", "run in dist-git"));
    }
    findings
}
