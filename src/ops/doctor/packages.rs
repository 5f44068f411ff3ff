//! Observes the packages and the bot's forks of them. Compares all packages with dist-git by lists, and examines some
//! packages one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::ci::{Template, template_uses};
use crate::config;
use crate::forge::{ProjectRef, ProjectSettings};
use crate::ops::doctor::bot_project::{job_tokens, runners, settings, variables};
use crate::ops::doctor::observer::Observer;
use crate::setup::check::CI_FILE;
use crate::setup::instance_facts::{
    ForkOverview, ForksOverview, Looked, PackageOverview, PackagesOverview, Unseen, Visible,
};
use crate::types::error::Result;
use crate::types::{BranchName, ProjectPath};

/// The most branch names that are searched for in all packages. A distribution has one for each release.
const MAX_BRANCH_NAMES: usize = 12;

/// A source-git project, with those of its branches that the instance handles.
struct Candidate {
    project: ProjectSettings,
    dist_git: ProjectPath,
    branches: BTreeSet<BranchName>,
}

pub(crate) fn observe(observer: &Observer<'_>) -> Result<(Visible<PackagesOverview>, Visible<ForksOverview>)> {
    let mut packages = PackagesOverview::default();
    let mut candidates = candidates(observer, &mut packages)?;
    packages.branches.of = candidates.len();
    let unseen_names = find_branches(observer, &mut candidates, &mut packages.branches)?;
    candidates.retain(|candidate| !candidate.branches.is_empty());
    candidates.sort_by(|a, b| a.project.path.as_str().cmp(b.project.path.as_str()));
    if let Some(test_package) = &observer.session.instance.test_package {
        // The package that operators try things on comes first, so it is always examined.
        candidates.sort_by_key(|candidate| candidate.project.path.name() != test_package);
    }
    let dist_git = dist_git_branches(observer, &candidates)?;
    packages.dist_git = dist_git.as_ref().err().cloned().or(unseen_names);
    let mut forks = ForksOverview::default();
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
            ci_file: Err(Unseen::NotAsked),
            has_template: Err(Unseen::NotAsked),
            source_role: Err(Unseen::NotAsked),
            dist_role: Err(Unseen::NotAsked),
            dist_settings: Err(Unseen::NotAsked),
        };
        if position < observer.max_packages {
            observer.progress(&package.source_git);
            examine(observer, candidate, &mut package)?;
            forks.all.extend(fork(observer, candidate)?);
        }
        packages.all.push(package);
    }
    Ok((Ok(packages), Ok(forks)))
}

/// Returns the projects of the source-git namespaces that are not archived.
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

/// Finds the branches that the instance handles. Lists the branches of some projects, and searches for these names in
/// all projects. Returns the reason if that was not possible.
fn find_branches(
    observer: &Observer<'_>,
    candidates: &mut [Candidate],
    coverage: &mut Looked,
) -> Result<Option<Unseen>> {
    let targets = &observer.session.instance.targets;
    let mut names = BTreeSet::new();
    for candidate in candidates.iter_mut() {
        let default = candidate.project.default_branch.as_ref().and_then(|name| name.parse::<BranchName>().ok());
        let path = candidate.project.path.as_str();
        let Some(default) = default.filter(|name| targets.handle(path, name.as_str())) else { continue };
        names.insert(default.clone());
        candidate.branches.insert(default);
    }
    for candidate in
        candidates.iter().filter(|candidate| candidate.project.default_branch.is_some()).take(observer.max_packages)
    {
        observer.progress(candidate.project.path.as_str());
        let path = candidate.project.path.as_str();
        if is_for_any_branch(observer, path) {
            continue;
        }
        if let Ok(listed) = observer.visible_list(observer.session.forge.branch_names(candidate.project.id))? {
            coverage.at = coverage.at.saturating_add(1);
            names.extend(listed.into_iter().filter(|name| targets.handle(path, name.as_str())));
        }
    }
    for name in names.into_iter().take(MAX_BRANCH_NAMES) {
        observer.progress(&format!("branches {name} in source-git"));
        let is_asked = |candidate: &Candidate| {
            let path = candidate.project.path.as_str();
            let is_new = candidate.project.default_branch.is_some() && !candidate.branches.contains(&name);
            is_new && !is_for_any_branch(observer, path) && targets.handle(path, name.as_str())
        };
        let paths: Vec<_> = candidates
            .iter()
            .filter(|candidate| is_asked(candidate))
            .map(|candidate| candidate.project.path.clone())
            .collect();
        let tips = match observer.visible(observer.session.forge.branch_tips(&paths, &name))? {
            Ok(tips) => tips,
            Err(why) => return Ok(Some(why)),
        };
        let with_branch: BTreeSet<_> =
            tips.into_iter().filter(|(_, tip)| tip.is_some()).map(|(path, _)| path).collect();
        for candidate in candidates.iter_mut().filter(|candidate| with_branch.contains(&candidate.project.path)) {
            candidate.branches.insert(name.clone());
        }
    }
    Ok(None)
}

/// Whether the instance handles every branch of a project. Then many branches are upstream's, and only the default
/// branch must exist in dist-git. Only a pattern for any name matches the empty name.
fn is_for_any_branch(observer: &Observer<'_>, project: &str) -> bool {
    observer.session.instance.targets.handle(project, "")
}

/// Returns the existing dist-git projects, each with the handled branches that it has.
fn dist_git_branches<'a>(
    observer: &Observer<'_>,
    candidates: &'a [Candidate],
) -> Result<Visible<BTreeMap<&'a ProjectPath, BTreeSet<BranchName>>>> {
    let mut found: BTreeMap<&ProjectPath, BTreeSet<BranchName>> = BTreeMap::new();
    let by_path: BTreeMap<_, _> =
        candidates.iter().map(|candidate| (candidate.dist_git.as_str(), &candidate.dist_git)).collect();
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
    let details = observer.visible(forge.project_settings(candidate.project.id))?;
    package.source_role = observer.role(candidate.project.id, details.as_ref().ok())?;
    package.ci_file = details.map(|details| details.ci_config_path.unwrap_or_default());
    let branch = candidate.project.default_branch.as_ref().and_then(|name| name.parse().ok());
    if let Some(branch) =
        branch.filter(|branch| candidate.branches.contains(branch)).or(candidate.branches.first().cloned())
    {
        let text = observer.visible(forge.raw_file(candidate.project.id, &branch, CI_FILE))?;
        package.has_template = text.map(|text| {
            let uses = text.and_then(|text| template_uses(&text).ok()).unwrap_or_default();
            uses.iter().any(|used| used.template == Template::SourceGit)
        });
    }
    if package.has_dist_git {
        let details = observer.visible(forge.project_settings(&candidate.dist_git))?;
        package.dist_role = match &details {
            Ok(details) => observer.role(details.id, Some(details))?,
            Err(why) => Err(why.clone()),
        };
        package.dist_settings = details.map(|details| settings(&details));
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
    let Ok(details) = observer.visible(observer.session.forge.project_settings(&path))? else { return Ok(None) };
    Ok(Some(ForkOverview {
        path: details.path.to_string(),
        settings: settings(&details),
        variables: variables(observer, &details.path)?,
        job_tokens: job_tokens(observer, &details)?,
        runners: runners(observer, ProjectRef::Id(details.id))?,
    }))
}
