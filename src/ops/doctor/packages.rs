//! Observes the packages and the bot's forks of them. Lists compare all packages with dist-git; some packages are
//! examined one by one.

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

/// The most branch names that are searched for in all packages. A distribution has one for each release.
const MAX_NAMES: usize = 12;

/// A source-git project, and those of its branches that the instance handles.
struct Candidate {
    project: ProjectSettings,
    dist_git: ProjectPath,
    branches: BTreeSet<BranchName>,
}

pub(crate) fn observe(observer: &Observer<'_>) -> Result<(Visible<PackagesOverview>, Visible<Vec<ForkOverview>>)> {
    let mut packages = PackagesOverview::default();
    let mut candidates = candidates(observer, &mut packages)?;
    packages.branch_sample.total = candidates.len();
    let unseen_names = find_branches(observer, &mut candidates, &mut packages.branch_sample)?;
    candidates.retain(|candidate| !candidate.branches.is_empty());
    candidates.sort_by(|one, other| one.project.path.as_str().cmp(other.project.path.as_str()));
    if let Some(test_package) = &observer.session.instance.test_package {
        // The package that operators try things on comes first, so it is always examined.
        candidates.sort_by_key(|candidate| candidate.project.path.name() != test_package);
    }
    let dist_git = dist_git_branches(observer, &candidates)?;
    packages.dist_git_unseen = dist_git.as_ref().err().cloned().or(unseen_names);
    let mut forks = Vec::new();
    for (position, candidate) in candidates.iter().enumerate() {
        let existing = dist_git.as_ref().ok().and_then(|found| found.get(&candidate.dist_git));
        let mut package = PackageOverview {
            source_git: candidate.project.path.to_string(),
            dist_git: candidate.dist_git.to_string(),
            has_dist_git: existing.is_some(),
            missing_branches: match existing {
                Some(existing) => candidate.branches.difference(existing).map(ToString::to_string).collect(),
                None => Vec::new(),
            },
            source_git_settings: Err(Unseen::NotAsked),
            has_template: Err(Unseen::NotAsked),
            source_git_role: Err(Unseen::NotAsked),
            dist_git_role: Err(Unseen::NotAsked),
            dist_git_settings: Err(Unseen::NotAsked),
        };
        if position < observer.max_packages {
            observer.progress(&package.source_git);
            examine(observer, candidate, &mut package)?;
            forks.extend(fork(observer, candidate)?);
        }
        packages.all.push(package);
    }
    Ok((Ok(packages), Ok(forks)))
}

/// Returns the projects of the source-git namespaces, without those that are archived.
fn candidates(observer: &Observer<'_>, packages: &mut PackagesOverview) -> Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    let namespaces = &observer.session.instance.namespaces;
    for pair in namespaces.pairs() {
        let group = pair.source_git.as_str();
        observer.progress(group);
        match observer.visible_list(observer.session.forge.projects_of_group(group))? {
            Err(why) => packages.unlisted.push((group.to_owned(), why)),
            Ok(all) => {
                for project in all.into_iter().filter(|project| project.archived != Some(true)) {
                    let dist_git = namespaces.dist_git_of(project.path.as_str()).and_then(|path| path.parse().ok());
                    let Some(dist_git) = dist_git else { continue };
                    candidates.push(Candidate { project, dist_git, branches: BTreeSet::new() });
                }
            }
        }
    }
    Ok(candidates)
}

/// Finds the branches that the instance handles. Lists the branches of some projects, and searches for these names in all
/// projects. Returns the reason if that was not possible.
fn find_branches(observer: &Observer<'_>, candidates: &mut [Candidate], sample: &mut Sample) -> Result<Option<Unseen>> {
    let targets = &observer.session.instance.targets;
    let mut names = BTreeSet::new();
    for candidate in candidates.iter_mut() {
        let default = candidate.project.default_branch.as_ref().and_then(|name| name.parse::<BranchName>().ok());
        let path = candidate.project.path.as_str();
        let Some(default) = default.filter(|name| targets.handle(path, name.as_str())) else { continue };
        names.insert(default.clone());
        candidate.branches.insert(default);
    }
    for candidate in candidates.iter().filter(|one| one.project.default_branch.is_some()).take(observer.max_packages) {
        observer.progress(candidate.project.path.as_str());
        let path = candidate.project.path.as_str();
        if is_for_any_branch(observer, path) {
            continue;
        }
        if let Ok(listed) = observer.visible_list(observer.session.forge.branch_names(candidate.project.id))? {
            sample.looked_at = sample.looked_at.saturating_add(1);
            names.extend(listed.into_iter().filter(|name| targets.handle(path, name.as_str())));
        }
    }
    for name in names.into_iter().take(MAX_NAMES) {
        observer.progress(&format!("branches {name} in source-git"));
        let is_asked = |one: &Candidate| {
            let path = one.project.path.as_str();
            let is_new = one.project.default_branch.is_some() && !one.branches.contains(&name);
            is_new && !is_for_any_branch(observer, path) && targets.handle(path, name.as_str())
        };
        let paths: Vec<_> = candidates.iter().filter(|one| is_asked(one)).map(|one| one.project.path.clone()).collect();
        let tips = match observer.visible(observer.session.forge.branch_tips(&paths, &name))? {
            Ok(tips) => tips,
            Err(why) => return Ok(Some(why)),
        };
        let have: BTreeSet<_> = tips.into_iter().filter(|(_, tip)| tip.is_some()).map(|(path, _)| path).collect();
        for candidate in candidates.iter_mut().filter(|one| have.contains(&one.project.path)) {
            candidate.branches.insert(name.clone());
        }
    }
    Ok(None)
}

/// Whether the instance handles every branch of a project. Then many of them are upstream's, and dist-git needs only the
/// default branch. No branch has an empty name, so only a pattern for any name matches it.
fn is_for_any_branch(observer: &Observer<'_>, project: &str) -> bool {
    observer.session.instance.targets.handle(project, "")
}

/// Returns the dist-git projects that exist, each with those of the handled branches that it has.
fn dist_git_branches<'a>(
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

/// Observes what takes requests for this package alone.
fn examine(observer: &Observer<'_>, candidate: &Candidate, package: &mut PackageOverview) -> Result<()> {
    let forge = &observer.session.forge;
    package.source_git_settings = observer.visible(forge.project_settings(candidate.project.id))?;
    package.source_git_role = observer.role(candidate.project.id, package.source_git_settings.as_ref().ok())?;
    let branch = candidate.project.default_branch.as_ref().and_then(|name| name.parse().ok());
    if let Some(branch) =
        branch.filter(|branch| candidate.branches.contains(branch)).or(candidate.branches.first().cloned())
    {
        let text = observer.visible(forge.raw_file(candidate.project.id, &branch, SOURCE_GIT_PATH))?;
        package.has_template = text.map(|text| {
            let uses = text.and_then(|text| template_uses(&text).ok()).unwrap_or_default();
            uses.iter().any(|used| used.template == Template::SourceGit)
        });
    }
    if package.has_dist_git {
        package.dist_git_settings = observer.visible(forge.project_settings(&candidate.dist_git))?;
        package.dist_git_role = match &package.dist_git_settings {
            Ok(settings) => observer.role(settings.id, Some(settings))?,
            Err(why) => Err(why.clone()),
        };
    }
    Ok(())
}

/// Returns the bot's fork for a package; `None` if it does not exist yet. The first merge request creates it.
fn fork(observer: &Observer<'_>, candidate: &Candidate) -> Result<Option<ForkOverview>> {
    let name = candidate.dist_git.name();
    let path: ProjectPath = match &observer.session.instance.forks {
        config::Forks::DistGit => return Ok(None),
        config::Forks::BotUser => format!("{}/{name}", observer.bot_name).parse()?,
        config::Forks::Group(group) => format!("{group}/{name}").parse()?,
    };
    let Ok(settings) = observer.visible(observer.session.forge.project_settings(&path))? else { return Ok(None) };
    Ok(Some(ForkOverview {
        variables: variables(observer, &settings.path)?,
        job_tokens: job_tokens(observer, &settings)?,
        runners: observer.visible_list(observer.session.forge.runners_of_project(settings.id))?,
        settings,
    }))
}
