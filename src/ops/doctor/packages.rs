//! What is to be seen of the packages and the bot's forks of them: all of them held against dist-git by lists, some of them
//! one by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::ci::{Template, template_uses};
use crate::config;
use crate::forge::{ProjectRef, ProjectSettings};
use crate::ops::doctor::bot_project::{job_tokens, runners, settings, variables};
use crate::ops::doctor::look::Look;
use crate::setup::check::CI_FILE;
use crate::setup::instance_facts::{
    ForkOverview, ForksOverview, Looked, PackageOverview, PackagesOverview, Unseen, Visible,
};
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
pub(crate) fn observe(look: &Look<'_>) -> Result<(Visible<PackagesOverview>, Visible<ForksOverview>)> {
    let mut packages = PackagesOverview::default();
    let mut candidates = candidates(look, &mut packages)?;
    packages.branches.of = candidates.len();
    let unseen_names = branches(look, &mut candidates, &mut packages.branches)?;
    candidates.retain(|candidate| !candidate.branches.is_empty());
    candidates.sort_by(|one, other| one.shown.path.as_str().cmp(other.shown.path.as_str()));
    if let Some(test_package) = &look.bot.instance.test_package {
        // What an operator tries things on is looked into in any case.
        candidates.sort_by_key(|candidate| candidate.shown.path.name() != test_package);
    }
    let dist_git = dist_git(look, &candidates)?;
    packages.dist_git = dist_git.as_ref().err().cloned().or(unseen_names);
    let mut forks = ForksOverview::default();
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
            ci_file: Err(Unseen::NotAsked),
            has_template: Err(Unseen::NotAsked),
            source_role: Err(Unseen::NotAsked),
            dist_role: Err(Unseen::NotAsked),
            dist_settings: Err(Unseen::NotAsked),
        };
        if place < look.packages {
            look.at(&package.source_git);
            look_into(look, candidate, &mut package)?;
            forks.all.extend(fork(look, candidate)?);
        }
        packages.all.push(package);
    }
    Ok((Ok(packages), Ok(forks)))
}

/// The projects of the source-git namespaces that take changes.
fn candidates(look: &Look<'_>, packages: &mut PackagesOverview) -> Result<Vec<Candidate>> {
    let mut candidates = Vec::new();
    let namespaces = &look.bot.instance.namespaces;
    for pair in namespaces.pairs() {
        let group = pair.source_git.as_str();
        look.at(group);
        match look.listed(look.bot.forge.projects_of_group(group))? {
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
fn branches(look: &Look<'_>, candidates: &mut [Candidate], looked: &mut Looked) -> Result<Option<Unseen>> {
    let targets = &look.bot.instance.targets;
    let mut names = BTreeSet::new();
    for candidate in candidates.iter_mut() {
        let default = candidate.shown.default_branch.as_ref().and_then(|name| name.parse::<BranchName>().ok());
        let path = candidate.shown.path.as_str();
        let Some(default) = default.filter(|name| targets.handle(path, name.as_str())) else { continue };
        names.insert(default.clone());
        candidate.branches.insert(default);
    }
    for candidate in candidates.iter().filter(|one| one.shown.default_branch.is_some()).take(look.packages) {
        look.at(candidate.shown.path.as_str());
        let path = candidate.shown.path.as_str();
        if is_for_any_branch(look, path) {
            continue;
        }
        if let Ok(listed) = look.listed(look.bot.forge.branch_names(candidate.shown.id))? {
            looked.at = looked.at.saturating_add(1);
            names.extend(listed.into_iter().filter(|name| targets.handle(path, name.as_str())));
        }
    }
    for name in names.into_iter().take(NAMES) {
        look.at(&format!("branches {name} in source-git"));
        let is_asked = |one: &Candidate| {
            let path = one.shown.path.as_str();
            let is_new = one.shown.default_branch.is_some() && !one.branches.contains(&name);
            is_new && !is_for_any_branch(look, path) && targets.handle(path, name.as_str())
        };
        let paths: Vec<_> = candidates.iter().filter(|one| is_asked(one)).map(|one| one.shown.path.clone()).collect();
        let tips = match look.seen(look.bot.forge.branch_tips(&paths, &name))? {
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
fn is_for_any_branch(look: &Look<'_>, project: &str) -> bool {
    look.bot.instance.targets.handle(project, "")
}

/// Returns the dist-git projects that there are, with those of the branches that they have.
fn dist_git<'a>(
    look: &Look<'_>,
    candidates: &'a [Candidate],
) -> Result<Visible<BTreeMap<&'a ProjectPath, BTreeSet<BranchName>>>> {
    let mut found: BTreeMap<&ProjectPath, BTreeSet<BranchName>> = BTreeMap::new();
    let by_path: BTreeMap<_, _> = candidates.iter().map(|one| (one.dist_git.as_str(), &one.dist_git)).collect();
    let names: BTreeSet<_> = candidates.iter().flat_map(|candidate| &candidate.branches).collect();
    for name in names {
        look.at(&format!("branches {name} in dist-git"));
        let of_it = candidates.iter().filter(|candidate| candidate.branches.contains(name));
        let paths: Vec<_> = of_it.map(|candidate| candidate.dist_git.clone()).collect();
        let tips = match look.seen(look.bot.forge.branch_tips(&paths, name))? {
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
fn look_into(look: &Look<'_>, candidate: &Candidate, package: &mut PackageOverview) -> Result<()> {
    let forge = &look.bot.forge;
    let shown = look.seen(forge.project_settings(candidate.shown.id))?;
    package.source_role = look.role(candidate.shown.id, shown.as_ref().ok())?;
    package.ci_file = shown.map(|shown| shown.ci_config_path.unwrap_or_default());
    let branch = candidate.shown.default_branch.as_ref().and_then(|name| name.parse().ok());
    if let Some(branch) =
        branch.filter(|branch| candidate.branches.contains(branch)).or(candidate.branches.first().cloned())
    {
        let text = look.seen(forge.raw_file(candidate.shown.id, &branch, CI_FILE))?;
        package.has_template = text.map(|text| {
            let uses = text.and_then(|text| template_uses(&text).ok()).unwrap_or_default();
            uses.iter().any(|used| used.template == Template::SourceGit)
        });
    }
    if package.has_dist_git {
        let shown = look.seen(forge.project_settings(&candidate.dist_git))?;
        package.dist_role = match &shown {
            Ok(shown) => look.role(shown.id, Some(shown))?,
            Err(why) => Err(why.clone()),
        };
        package.dist_settings = shown.map(|shown| settings(&shown));
    }
    Ok(())
}

/// The bot's fork for a package; nothing where there is none yet: it is made with the first merge request.
fn fork(look: &Look<'_>, candidate: &Candidate) -> Result<Option<ForkOverview>> {
    let name = candidate.dist_git.name();
    let path: ProjectPath = match &look.bot.instance.forks {
        config::Forks::DistGit => return Ok(None),
        config::Forks::BotUser => format!("{}/{name}", look.bot_name).parse()?,
        config::Forks::Group(group) => format!("{group}/{name}").parse()?,
    };
    let Ok(shown) = look.seen(look.bot.forge.project_settings(&path))? else { return Ok(None) };
    Ok(Some(ForkOverview {
        path: shown.path.to_string(),
        settings: settings(&shown),
        variables: variables(look, &shown.path)?,
        job_tokens: job_tokens(look, &shown)?,
        runners: runners(look, ProjectRef::Id(shown.id))?,
    }))
}
