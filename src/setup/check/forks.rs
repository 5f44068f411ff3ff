//! The bot's forks of dist-git. The pipelines of its merge requests run code of contributors there. So the forks may
//! hold no secret, and their jobs may reach nothing else.

use crate::config::Forks;
use crate::forge::Runner;
use crate::setup::check::bot_project::{JOB_TOKENS, job_token_verdict, pipeline_variables};
use crate::setup::check::result::{CheckResult, Verdict, join_names, summarize};
use crate::setup::instance_facts::{
    ForkOverview, InstanceFacts, PackageOverview, Unseen, VariableFlags, Visible, is_online,
};
use crate::types::AccessLevel;

/// The variables that everybody whose code runs there may know.
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
    if facts.instance.forks == Forks::DistGit {
        return Vec::new();
    }
    let forks = match &facts.forks {
        Ok(forks) => forks,
        Err(why) => return vec![CheckResult::unseen("forks.settings", "forks", why, "the bot's user sees them")],
    };
    let mut results = Vec::new();
    let each = |check: &'static str, right: &str, verdict: &dyn Fn(&ForkOverview) -> Verdict| {
        summarize(check, "forks looked at", right, forks.iter().map(|fork| (fork.path().to_owned(), verdict(fork))))
    };
    results.extend(each("forks.job-token-push", "job tokens cannot push", &job_token_push));
    results.extend(each("forks.job-tokens", "closed to the job tokens of other projects", &|fork| {
        job_token_verdict(&fork.job_tokens)
    }));
    results.extend(each("forks.variables", "no secret among the variables", &|fork| variables(&fork.variables)));
    let settings = forks.iter().map(|fork| &fork.settings);
    results.extend(pipeline_variables("forks.pipeline-variables", "forks looked at", settings));
    results.extend(runners(facts, forks));
    results
}

fn job_token_push(fork: &ForkOverview) -> Verdict {
    let remedy = format!("{JOB_TOKENS}: switch `Allow Git push requests to the repository` off");
    match fork.settings.ci_push_repository_for_job_token_allowed {
        None => Verdict::Unseen(Unseen::NotReported, format!("{MAINTAINERS}: {JOB_TOKENS}")),
        Some(pushes) => Verdict::of(!pushes, "the job tokens of its pipelines can push to it", &remedy),
    }
}

fn variables(variables: &Visible<Vec<VariableFlags>>) -> Verdict {
    const WHERE: &str = "Settings, CI/CD, Variables";
    let variables = match variables {
        Ok(variables) => variables,
        Err(why) => return Verdict::Unseen(why.clone(), format!("{MAINTAINERS}: {WHERE}")),
    };
    let keys = variables.iter().map(|variable| variable.key.clone());
    let readable: Vec<_> = keys.filter(|key| !HARMLESS.contains(&key.as_str())).collect();
    Verdict::of(
        readable.is_empty(),
        &format!("holds variables that contributors could read: {}", join_names(&readable)),
        &format!("{WHERE}: delete them"),
    )
}

/// Whether the pipelines of the bot's merge requests run in dist-git and not in the fork. They do if the bot may start
/// them there and dist-git runs pipelines of forks.
fn runs_in_dist_git(package: &PackageOverview) -> bool {
    let bot_may = package.dist_git_role.as_ref().is_ok_and(|role| *role >= AccessLevel::DEVELOPER);
    let runs_forks = package
        .dist_git_settings
        .as_ref()
        .is_ok_and(|settings| settings.ci_allow_fork_pipelines_to_run_in_parent_project != Some(false));
    bot_may && runs_forks
}

fn runners(facts: &InstanceFacts, forks: &[ForkOverview]) -> Vec<CheckResult> {
    const WHERE: &str = "Settings, CI/CD, Runners";
    let in_dist_git = |fork: &ForkOverview| {
        let name = fork.settings.path.name();
        let packages = facts.packages.iter().flat_map(|packages| &packages.all);
        let mut of_fork = packages.filter(|package| package.dist_git.rsplit('/').next() == Some(name));
        of_fork.any(runs_in_dist_git)
    };
    let verdict = |runners: &Visible<Vec<Runner>>| match runners {
        Err(why) => Verdict::Unseen(why.clone(), format!("{MAINTAINERS}: {WHERE}")),
        Ok(runners) => Verdict::of(
            runners.iter().any(is_online),
            "the pipelines of the bot's merge requests run here, and no runner takes their jobs",
            &format!("{WHERE}: switch instance runners on, or give the forks' group a runner"),
        ),
    };
    let in_forks = forks.iter().filter(|fork| !in_dist_git(fork));
    let verdicts = in_forks.map(|fork| (fork.path().to_owned(), verdict(&fork.runners)));
    let mut results =
        summarize("forks.runners", "forks looked at", "pipelines run there, and runners take the jobs", verdicts);
    if results.is_empty() && !forks.is_empty() {
        results.push(CheckResult::right("forks.runners", "pipelines", "run in dist-git"));
    }
    results
}
