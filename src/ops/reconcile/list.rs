//! Every merge request that an instance is about: open source-git merge requests of its targets, and the bot's own open
//! dist-git merge requests.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::ci::LogSection;
use crate::config::Instance;
use crate::forge::{ForgeError, MergeRequest, MergeRequestQuery, StateFilter};
use crate::ops::reconcile::scope::Bounds;
use crate::ops::reconcile::summary::Tally;
use crate::ops::session::Bot;
use crate::pair::branch;
use crate::pair::cache::CacheKey as Name;
use crate::types::{BranchName, MergeRequestIid, ProjectPath};

/// The most merge requests of one list.
const LISTED: usize = 20_000;

/// A source-git merge request with the dist-git merge request that was made from it, or one of the two.
pub(crate) struct Found {
    pub(crate) source_path: ProjectPath,
    pub(crate) source: Option<MergeRequest>,
    pub(crate) dist_path: ProjectPath,
    pub(crate) dist: Option<MergeRequest>,
}

impl Found {
    /// Returns what people call it.
    pub(crate) fn name(&self) -> String {
        match (&self.source, &self.dist) {
            (Some(source), _) => format!("{}!{}", self.source_path, source.iid),
            (None, Some(dist)) => format!("{}!{}", self.dist_path, dist.iid),
            (None, None) => self.source_path.to_string(),
        }
    }

    /// Returns what the pair is found by. For whatever branch somebody has a dist-git merge request to be: by the branch that
    /// it is from it is the pair's.
    pub(crate) fn names(&self) -> Option<PairKey> {
        if let Some(source) = &self.source {
            return Some((self.source_path.clone(), source.iid, source.target_branch.parse().ok()?));
        }
        let (target, iid) = branch::parse(&self.dist.as_ref()?.source_branch.parse().ok()?)?;
        Some((self.source_path.clone(), iid, target))
    }

    /// Returns the bot's branch for it.
    pub(crate) fn branch(&self) -> Option<BranchName> {
        let (_, iid, target) = self.names()?;
        branch::name(&target, iid).ok()
    }

    /// Returns what it goes by from run to run.
    pub(crate) fn key(&self) -> Name {
        let target = self.source.as_ref().or(self.dist.as_ref()).map(|request| request.target_branch.as_str());
        Name::of([self.name().as_str(), target.unwrap_or_default()])
    }
}

/// What a pair is found by: the source-git project, the merge request there and its target branch.
pub(crate) type PairKey = (ProjectPath, MergeRequestIid, BranchName);

/// What was listed.
pub(crate) struct Listed {
    pub(crate) found: Vec<Found>,
    pub(crate) unlisted: Unlisted,
}

/// The source-git groups and projects whose merge requests could not be listed. Nothing of theirs is looked at: what a list
/// leaves out would look closed.
#[derive(Default)]
pub(crate) struct Unlisted(Vec<String>);

impl Unlisted {
    /// Whether there are none.
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether no namespace of the instance could be listed.
    pub(crate) fn are_all(&self, instance: &Instance) -> bool {
        instance.namespaces.pairs().iter().all(|pair| self.hold(pair.source_git.as_str()))
    }

    /// Whether a source-git path is among them.
    pub(crate) fn hold(&self, path: &str) -> bool {
        let is_within =
            |of: &String| path.strip_prefix(of.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/'));
        self.0.iter().any(is_within)
    }

    /// Whether a merge request of either side is of theirs, by the name that people call it.
    pub(crate) fn hold_named(&self, instance: &Instance, name: &str) -> bool {
        let Some((path, _)) = name.rsplit_once('!') else { return false };
        let source = instance.namespaces.source_git_of(path);
        self.hold(source.as_deref().unwrap_or(path))
    }
}

/// Lists them all within the bounds, those of the same project beside each other. A namespace that cannot be listed is one
/// that failed.
///
/// What changed since some time is for the caller to pick out: a merge request that a list leaves out would look closed.
pub(crate) fn all(bot: &Bot, bounds: &Bounds, tally: &mut Tally) -> Result<Listed> {
    let _section = LogSection::begin(bot.log, "list", "listing merge requests");
    let mut found: BTreeMap<PairKey, Found> = BTreeMap::new();
    let lists: Vec<_> = if bounds.only.is_empty() {
        bot.instance.namespaces.pairs().iter().map(|pair| List::Group(pair.source_git.as_str())).collect()
    } else {
        bounds.only.iter().map(List::Project).collect()
    };
    let mut unlisted = Unlisted::default();
    for list in &lists {
        match sources(bot, list, &mut found) {
            Ok(()) => {}
            Err(error) if error.concerns_every_request() => {
                return Err(anyhow::Error::from(error).context(list.what()));
            }
            Err(error) => {
                unlisted.0.push(list.name());
                tally.all_failed(&list.name(), list.what(), error.into());
            }
        }
    }
    let is_any_listed = unlisted.0.len() < lists.len();
    for list in lists.iter().filter(|_| is_any_listed) {
        match pairs(bot, list, &mut found) {
            Ok(()) => {}
            Err(error) if error.downcast_ref().is_some_and(ForgeError::concerns_every_request) => return Err(error),
            Err(error) => {
                let what = "listing the bot's open merge requests in dist-git".to_owned();
                match list {
                    List::Group(_) => {
                        unlisted.0 = lists.iter().map(List::name).collect();
                        tally.all_failed("dist-git", what, error);
                    }
                    List::Project(project) => {
                        unlisted.0.push(project.to_string());
                        tally.all_failed(project.as_str(), what, error);
                    }
                }
            }
        }
        // The bot's merge requests of all groups are in the same list.
        if matches!(list, List::Group(_)) {
            break;
        }
    }
    let is_wanted = |found: &Found| bounds.include(&found.source_path) && !unlisted.hold(found.source_path.as_str());
    Ok(Listed { found: found.into_values().filter(is_wanted).collect(), unlisted })
}

/// Where to list.
enum List<'a> {
    Group(&'a str),
    Project(&'a ProjectPath),
}

impl List<'_> {
    fn name(&self) -> String {
        match self {
            Self::Group(group) => (*group).to_owned(),
            Self::Project(project) => project.to_string(),
        }
    }

    fn what(&self) -> String {
        match self {
            Self::Group(group) => {
                format!("listing the merge requests of the group {group}, which the instance's `namespaces` name")
            }
            Self::Project(project) => format!("listing the merge requests of {project}"),
        }
    }
}

fn sources(bot: &Bot, list: &List<'_>, found: &mut BTreeMap<PairKey, Found>) -> Result<(), ForgeError> {
    let open: &mut dyn Iterator<Item = _> = match list {
        List::Group(group) => &mut bot.forge.open_merge_requests_of_group(group),
        List::Project(project) => {
            // The list of a group leaves these out.
            if bot.forge.project(*project)?.is_archived {
                tracing::info!("{project} is archived: its merge requests are left alone");
                return Ok(());
            }
            let query = MergeRequestQuery { state: StateFilter::Opened, ..MergeRequestQuery::default() };
            &mut bot.forge.merge_requests(*project, query)
        }
    };
    for source in open.take(LISTED) {
        let Some(alone) = of_source_git(bot, source?) else { continue };
        let Some(key) = alone.names() else { continue };
        found.insert(key, alone);
    }
    Ok(())
}

/// Returns a source-git merge request alone, where the instance handles its target.
pub(crate) fn of_source_git(bot: &Bot, source: MergeRequest) -> Option<Found> {
    let source_path = source.project_path()?;
    let dist_path = bot.instance.namespaces.dist_git_of(source_path.as_str())?.parse().ok()?;
    let is_handled = bot.instance.targets.handle(source_path.as_str(), &source.target_branch);
    let found = Found { source_path, source: Some(source), dist_path, dist: None };
    (is_handled && found.names().is_some()).then_some(found)
}

/// Adds the bot's dist-git merge requests.
fn pairs(bot: &Bot, list: &List<'_>, found: &mut BTreeMap<PairKey, Found>) -> Result<()> {
    let myself = bot.myself()?.user.id;
    let dist_git;
    let open: &mut dyn Iterator<Item = _> = match list {
        List::Group(_) => &mut bot.forge.open_merge_requests_by(myself),
        List::Project(project) => {
            let Some(path) = bot.instance.namespaces.dist_git_of(project.as_str()) else { return Ok(()) };
            dist_git = path.parse::<ProjectPath>()?;
            let query =
                MergeRequestQuery { author: Some(myself), state: StateFilter::Opened, ..MergeRequestQuery::default() };
            &mut bot.forge.merge_requests(&dist_git, query)
        }
    };
    for dist in open.take(LISTED) {
        let dist = match dist {
            // Without a dist-git project there is no pair.
            Err(ForgeError::NotFoundOrNoAccess(_)) if matches!(list, List::Project(_)) => return Ok(()),
            dist => dist?,
        };
        let Some(alone) = of_dist_git(bot, dist) else { continue };
        let Some(key) = alone.names() else { continue };
        match found.get_mut(&key) {
            Some(pair) => pair.dist = alone.dist,
            None => _ = found.insert(key, alone),
        }
    }
    Ok(())
}

/// Returns a dist-git merge request alone, where its branch has a name that the bot gives.
pub(crate) fn of_dist_git(bot: &Bot, dist: MergeRequest) -> Option<Found> {
    let dist_path = dist.project_path()?;
    let source_path = bot.instance.namespaces.source_git_of(dist_path.as_str())?.parse().ok()?;
    let found = Found { source_path, source: None, dist_path, dist: Some(dist) };
    found.names().is_some().then_some(found)
}
