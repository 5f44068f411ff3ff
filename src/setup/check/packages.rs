//! The packages: each has its project and branches in dist-git, and GitLab reads the CI file that includes the bot's
//! template.

use crate::setup::check::result::{CheckResult, Verdict, join_names, summarize};
use crate::setup::ci_file::SOURCE_GIT_PATH;
use crate::setup::instance_facts::{InstanceFacts, PackageOverview, Sample, Unseen};

pub(super) fn judge(facts: &InstanceFacts) -> Vec<CheckResult> {
    const CHECK: &str = "packages.listed";
    const WHO: &str = "members of the group see them";
    let packages = match &facts.packages {
        Ok(packages) => packages,
        Err(why) => return vec![CheckResult::unseen(CHECK, "packages", why, WHO)],
    };
    let mut results: Vec<_> =
        packages.unlisted.iter().map(|(of, why)| CheckResult::unseen(CHECK, of, why, WHO)).collect();
    let Sample { looked_at, total } = packages.branch_sample;
    if packages.all.is_empty() && packages.unlisted.is_empty() {
        results.push(CheckResult::wrong(
            CHECK,
            "packages",
            format!("none of {total} source-git projects has a branch that `targets` of the instance names"),
            "correct `targets`, or run `source-git-bot onboard PACKAGE`",
        ));
        return results;
    }
    if !packages.all.is_empty() {
        let says =
            format!("{} of {total} projects are handled; the branches of {looked_at} were listed", packages.all.len());
        results.push(CheckResult::right(CHECK, "packages", says));
    }
    results.extend(dist_git(&packages.all, packages.dist_git_unseen.as_ref()));
    results.extend(branches(&packages.all, packages.dist_git_unseen.as_ref()));
    results.extend(ci_file(&packages.all));
    results
}

fn dist_git(packages: &[PackageOverview], unseen: Option<&Unseen>) -> Vec<CheckResult> {
    let verdict = |package: &PackageOverview| match unseen {
        Some(why) => Verdict::Unseen(why.clone(), "members of the dist-git group see it".to_owned()),
        None => Verdict::of(
            package.has_dist_git,
            "has no dist-git project, or the bot does not see it",
            "make it, `source-git-bot onboard PACKAGE` does where packages are copies; or leave it out of `targets`",
        ),
    };
    let all = packages.iter().map(|package| (package.source_git.clone(), verdict(package)));
    summarize("packages.dist-git", "packages", "the dist-git project is there", all)
}

fn branches(packages: &[PackageOverview], unseen: Option<&Unseen>) -> Vec<CheckResult> {
    let verdict = |package: &PackageOverview| match unseen {
        Some(why) => Verdict::Unseen(why.clone(), "members of the dist-git group see it".to_owned()),
        None => Verdict::of(
            package.missing_branches.is_empty(),
            &format!("dist-git has no branch `{}`", join_names(&package.missing_branches)),
            "make it in dist-git, or leave it out of `targets`",
        ),
    };
    let all = packages.iter().filter(|package| package.has_dist_git);
    let all = all.map(|package| (package.source_git.clone(), verdict(package)));
    summarize("packages.branches", "packages", "dist-git has each branch that is handled", all)
}

fn ci_file(packages: &[PackageOverview]) -> Vec<CheckResult> {
    let verdict = |package: &PackageOverview| match (&package.source_git_settings, &package.has_template) {
        (_, Err(Unseen::NotAsked)) => None,
        (_, Ok(false)) => None,
        (Err(why), _) | (_, Err(why)) => {
            Some(Verdict::Unseen(why.clone(), "its Maintainers see it: Settings, CI/CD, General pipelines".to_owned()))
        }
        (Ok(settings), Ok(true)) => Some(Verdict::of(
            settings.ci_config_path.as_deref() == Some(SOURCE_GIT_PATH),
            &format!(
                "its CI file includes the bot's template, and GitLab does not read it: it is at {SOURCE_GIT_PATH}"
            ),
            &format!("Settings, CI/CD, General pipelines, `CI/CD configuration file`: {SOURCE_GIT_PATH}"),
        )),
    };
    let all = packages.iter().filter_map(|package| Some((package.source_git.clone(), verdict(package)?)));
    summarize("packages.ci-file", "packages looked at", &format!("GitLab reads {SOURCE_GIT_PATH}"), all)
}
