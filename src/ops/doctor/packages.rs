//! What is to be seen of the packages and the bot's forks of them: all of them held against dist-git by lists, some of them
//! one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::ci::{Template, template_uses};
use crate::config;
use crate::forge::ProjectSettings;
use crate::ops::doctor::bot_project::{job_tokens, variables};
use crate::ops::doctor::observer::Observer;
use crate::setup::ci_file::SOURCE_GIT_PATH;
use crate::setup::instance_facts::{ForkOverview, PackageOverview, PackagesOverview, Sample, Unseen, Visible};
use crate::types::error::Result;
use crate::types::{BranchName, ProjectPath};

/// The most branch names that are looked for in all packages. A distribution has one for each release.
const NAMES: usize = 12;

/// A source-git project, and its branches that are handled.
struct Candidate {
    shown: ProjectSettings,
    dist_git: ProjectPath,
    branches: BTreeSet<BranchName>,
}

/// Looks at them all.
pub(crate) fn observe(observer: &Observer<'_>) -> Result<(Visible<PackagesOverview>, Visible<Vec<ForkOverview>>)> {
    let mut packages = PackagesOverview::default();
    let mut candidates = candidates(observer, &mut packages)?;
    packages.branch_sample.total = candidates.len();
    let unseen_names = branches(observer, &mut candidates, &mut packages.branch_sample)?;
    candidates.retain(|candidate| !candidate.branches.is_empty());
    candidates.sort_by(|one, other| one.shown.path.as_str().cmp(other.shown.path.as_str()));
    if let Some(test_package) = &observer.session.instance.test_package {
        // What an operator tries things on is looked into in any case.
        candidates.sort_by_key(|candidate| candidate.shown.path.name() != test_package);
    }
    let dist_git = dist_git(observer, &candidates)?;
    packages.dist_git_unseen = dist_git.as_ref().err().cloned().or(unseen_names);
    let mut forks = Vec::new();
    for (place, candidate) in candidates.iter().enumerate() {
        let has = dist_git.as_ref().ok().and_then(|found| found.get(&candidate.dist_git));
        let mut package = PackageOverview {
            source_git: candidate.shown.path.to_string(),
            dist_git: candidate.dist_git.to_string(),
            has_dist_git: has.is_some(),
            missing_branches: match has {
                Some(has) => candidate.branches.difference(has).map(ToString::to_string).collect(),
                None => Vec::new(),
            },
            source_git_settings: Err(Unseen::NotAsked),
            has_template: Err(Unseen::NotAsked),
            source_git_role: Err(Unseen::NotAsked),
            dist_git_role: Err(Unseen::NotAsked),
            dist_git_settings: Err(Unseen::NotAsked),
        };
        if place < observer.max_packages {
            observer.progress(&package.source_git);
            look_into(observer, candidate, &mut package)?;
            forks.extend(fork(observer, candidate)?);
        }
        packages.all.push(package);
    }
    Ok((Ok(packages), Ok(forks)))
}

/// The projects of the source-git namespaces that take changes.
fn candidates(observer: &Observer<'_>, packages: &mut PackagesOverview) -> Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    let namespaces = &observer.session.instance.namespaces;
    for pair in namespaces.pairs() {
        let group = pair.source_git.as_str();
        observer.progress(group);
        match observer.visible_list(observer.session.forge.projects_of_group(group))? {
            Err(why) => packages.unlisted.push((group.to_owned(), why)),
            Ok(all) => {
                for shown in all.into_iter().filter(|shown| shown.archived != Some(true)) {
                    let dist_git = namespaces.dist_git_of(shown.path.as_str()).and_then(|path| path.parse().ok());
                    let Some(dist_git) = dist_git else { continue };
                    candidates.push(Candidate { shown, dist_git, branches: BTreeSet::new() });
                }
            }
        }
    }
    Ok(candidates)
}

/// Finds the branches that are handled: those of some projects are listed, and looked for in all of them. Returns why that
/// was not possible.
fn branches(observer: &Observer<'_>, candidates: &mut [Candidate], sample: &mut Sample) -> Result<Option<Unseen>> {
    let targets = &observer.session.instance.targets;
    let mut names = BTreeSet::new();
    for candidate in candidates.iter_mut() {
        let default = candidate.shown.default_branch.as_ref().and_then(|name| name.parse::<BranchName>().ok());
        let path = candidate.shown.path.as_str();
        let Some(default) = default.filter(|name| targets.handle(path, name.as_str())) else { continue };
        names.insert(default.clone());
        candidate.branches.insert(default);
    }
    for candidate in candidates.iter().filter(|one| one.shown.default_branch.is_some()).take(observer.max_packages) {
        observer.progress(candidate.shown.path.as_str());
        let path = candidate.shown.path.as_str();
        if is_for_any_branch(observer, path) {
            continue;
        }
        if let Ok(listed) = observer.visible_list(observer.session.forge.branch_names(candidate.shown.id))? {
            sample.looked_at = sample.looked_at.saturating_add(1);
            names.extend(listed.into_iter().filter(|name| targets.handle(path, name.as_str())));
        }
    }
    for name in names.into_iter().take(NAMES) {
        observer.progress(&format!("branches {name} in source-git"));
        let is_asked = |one: &Candidate| {
            let path = one.shown.path.as_str();
            let is_new = one.shown.default_branch.is_some() && !one.branches.contains(&name);
            is_new && !is_for_any_branch(observer, path) && targets.handle(path, name.as_str())
        };
        let paths: Vec<_> = candidates.iter().filter(|one| is_asked(one)).map(|one| one.shown.path.clone()).collect();
        let tips = match observer.visible(observer.session.forge.branch_tips(&paths, &name))? {
            Ok(tips) => tips,
            Err(why) => return Ok(Some(why)),
        };
        let have: BTreeSet<_> = tips.into_iter().filter(|(_, tip)| tip.is_some()).map(|(path, _)| path).collect();
        for candidate in candidates.iter_mut().filter(|one| have.contains(&one.shown.path)) {
            candidate.branches.insert(name.clone());
        }
    }
    Ok(None)
}

/// Whether every branch of a project is handled. Then many are upstream's, and only the default branch is one that
/// dist-git has to have. No branch is called nothing, so only a pattern for any name takes that.
fn is_for_any_branch(observer: &Observer<'_>, project: &str) -> bool {
    observer.session.instance.targets.handle(project, "")
}

/// Returns the dist-git projects that there are, with those of the branches that they have.
fn dist_git<'a>(
    observer: &Observer<'_>,
    candidates: &'a [Candidate],
) -> Result<Visible<BTreeMap<&'a ProjectPath, BTreeSet<BranchName>>>> {
    let mut found: BTreeMap<&ProjectPath, BTreeSet<BranchName>> = BTreeMap::new();
    let by_path: BTreeMap<_, _> = candidates.iter().map(|one| (one.dist_git.as_str(), &one.dist_git)).collect();
    let names: BTreeSet<_> = candidates.iter().flat_map(|candidate| &candidate.branches).collect();
    for name in names {
        observer.progress(&format!("branches {name} in dist-git"));
        let of_it = candidates.iter().filter(|candidate| candidate.branches.contains(name));
        let paths: Vec<_> = of_it.map(|candidate| candidate.dist_git.clone()).collect();
        let tips = match observer.visible(observer.session.forge.branch_tips(&paths, name))? {
            Ok(tips) => tips,
            Err(why) => return Ok(Err(why)),
        };
        for (path, tip) in tips {
            let Some(path) = by_path.get(path.as_str()) else { continue };
            let branches = found.entry(path).or_default();
            branches.extend(tip.map(|_| name.clone()));
        }
    }
    Ok(Ok(found))
}

/// What takes requests for this package alone.
fn look_into(observer: &Observer<'_>, candidate: &Candidate, package: &mut PackageOverview) -> Result<()> {
    let forge = &observer.session.forge;
    package.source_git_settings = observer.visible(forge.project_settings(candidate.shown.id))?;
    package.source_git_role = observer.role(candidate.shown.id, package.source_git_settings.as_ref().ok())?;
    let branch = candidate.shown.default_branch.as_ref().and_then(|name| name.parse().ok());
    if let Some(branch) =
        branch.filter(|branch| candidate.branches.contains(branch)).or(candidate.branches.first().cloned())
    {
        let text = observer.visible(forge.raw_file(candidate.shown.id, &branch, SOURCE_GIT_PATH))?;
        package.has_template = text.map(|text| {
            let uses = text.and_then(|text| template_uses(&text).ok()).unwrap_or_default();
            uses.iter().any(|used| used.template == Template::SourceGit)
        });
    }
    if package.has_dist_git {
        package.dist_git_settings = observer.visible(forge.project_settings(&candidate.dist_git))?;
        package.dist_git_role = match &package.dist_git_settings {
            Ok(shown) => observer.role(shown.id, Some(shown))?,
            Err(why) => Err(why.clone()),
        };
    }
    Ok(())
}

/// The bot's fork for a package; nothing where there is none yet: it is made with the first merge request.
fn fork(observer: &Observer<'_>, candidate: &Candidate) -> Result<Option<ForkOverview>> {
    let name = candidate.dist_git.name();
    let path: ProjectPath = match &observer.session.instance.forks {
        config::Forks::DistGit => return Ok(None),
        config::Forks::BotUser => format!("{}/{name}", observer.bot_name).parse()?,
        config::Forks::Group(group) => format!("{group}/{name}").parse()?,
    };
    let Ok(shown) = observer.visible(observer.session.forge.project_settings(&path))? else { return Ok(None) };
    Ok(Some(ForkOverview {
        variables: variables(observer, &shown.path)?,
        job_tokens: job_tokens(observer, &shown)?,
        runners: observer.visible_list(observer.session.forge.runners_of_project(shown.id))?,
        settings: shown,
    }))
}
