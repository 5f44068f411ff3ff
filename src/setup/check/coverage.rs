//! The packages: each has its place in dist-git, and source-git's CI is read from where the bot's template is.

use crate::setup::check::finding::{CheckResult, Verdict, listed, summed};
use crate::setup::instance_facts::{InstanceFacts, Looked, PackageOverview, Unseen, Visible};

/// Where a source-git project's CI file is, for the rest of the tree is upstream's.
pub const CI_FILE: &str = ".distro/.gitlab-ci.yml";

pub(super) fn judge(facts: &InstanceFacts) -> Vec<CheckResult> {
    const CHECK: &str = "packages.listed";
    const WHO: &str = "members of the group see them";
    let packages = match &facts.packages {
        Ok(packages) => packages,
        Err(why) => return vec![CheckResult::unseen(CHECK, "packages", why, WHO)],
    };
    let mut findings: Vec<_> =
        packages.unlisted.iter().map(|(of, why)| CheckResult::unseen(CHECK, of, why, WHO)).collect();
    let Looked { at, of } = packages.branches;
    if packages.all.is_empty() && packages.unlisted.is_empty() {
        findings.push(CheckResult::wrong(
            CHECK,
            "packages",
            format!("none of {of} source-git projects has a branch that `targets` of the instance names"),
            "correct `targets`, or run `source-git-bot onboard PACKAGE`",
        ));
        return findings;
    }
    if !packages.all.is_empty() {
        let says = format!("{} of {of} projects are handled; the branches of {at} were listed", packages.all.len());
        findings.push(CheckResult::right(CHECK, "packages", says));
    }
    findings.extend(dist_git(&packages.all, packages.dist_git.as_ref()));
    findings.extend(branches(&packages.all, packages.dist_git.as_ref()));
    findings.extend(ci_file(&packages.all));
    findings
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
    summed("packages.dist-git", "packages", "the dist-git project is there", all)
}

fn branches(packages: &[PackageOverview], unseen: Option<&Unseen>) -> Vec<CheckResult> {
    let verdict = |package: &PackageOverview| match unseen {
        Some(why) => Verdict::Unseen(why.clone(), "members of the dist-git group see it".to_owned()),
        None => Verdict::of(
            package.missing_branches.is_empty(),
            &format!("dist-git has no branch `{}`", listed(&package.missing_branches)),
            "make it in dist-git, or leave it out of `targets`",
        ),
    };
    let all = packages.iter().filter(|package| package.has_dist_git);
    let all = all.map(|package| (package.source_git.clone(), verdict(package)));
    summed("packages.branches", "packages", "dist-git has each branch that is handled", all)
}

fn ci_file(packages: &[PackageOverview]) -> Vec<CheckResult> {
    let verdict = |file: &Visible<String>, has_template: &Visible<bool>| match (file, has_template) {
        (_, Err(Unseen::NotAsked)) => None,
        (_, Ok(false)) => None,
        (Err(why), _) | (_, Err(why)) => {
            Some(Verdict::Unseen(why.clone(), "its Maintainers see it: Settings, CI/CD, General pipelines".to_owned()))
        }
        (Ok(file), Ok(true)) => Some(Verdict::of(
            file == CI_FILE,
            &format!("its CI file includes the bot's template, and GitLab does not read it: it is at {CI_FILE}"),
            &format!("Settings, CI/CD, General pipelines, `CI/CD configuration file`: {CI_FILE}"),
        )),
    };
    let all = packages.iter().filter_map(|p| Some((p.source_git.clone(), verdict(&p.ci_file, &p.has_template)?)));
    summed("packages.ci-file", "packages looked at", &format!("GitLab reads {CI_FILE}"), all)
}
