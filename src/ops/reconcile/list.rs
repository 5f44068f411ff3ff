//! Every merge request that an instance is about: open source-git merge requests of its targets, and the bot's own open
//! dist-git merge requests.

use std::collections::BTreeMap;

use crate::ci::LogSection;
use crate::config::Instance;
use crate::forge::{MergeRequest, MergeRequestQuery, StateFilter};
use crate::ops::reconcile::found::{Found, PairName};
use crate::ops::reconcile::scope::ReconcileScope;
use crate::ops::reconcile::summary::Tally;
use crate::ops::session::Session;
use crate::types::ProjectPath;
use crate::types::error::{Error, ForgeError, Result};

/// The most merge requests of one list.
const LISTED: usize = 20_000;

/// What was listed.
pub(crate) struct Listed {
    pub(crate) found: Vec<Found>,
    pub(crate) failed_lists: FailedLists,
}

/// The source-git groups and projects whose merge requests could not be listed. Nothing of theirs is looked at: what a list
/// leaves out would look closed.
#[derive(Default)]
pub(crate) struct FailedLists(Vec<String>);

impl FailedLists {
    /// Whether there are none.
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether no namespace of the instance could be listed.
    pub(crate) fn are_all(&self, instance: &Instance) -> bool {
        instance.namespaces.pairs().iter().all(|pair| self.cover(pair.source_git.as_str()))
    }

    /// Whether a source-git path is among them.
    pub(crate) fn cover(&self, path: &str) -> bool {
        let is_within =
            |of: &String| path.strip_prefix(of.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/'));
        self.0.iter().any(is_within)
    }

    /// Whether a merge request of either side is of theirs, by the name that people call it.
    pub(crate) fn cover_named(&self, instance: &Instance, name: &str) -> bool {
        let Some((path, _)) = name.rsplit_once('!') else { return false };
        let source = instance.namespaces.source_git_of(path);
        self.cover(source.as_deref().unwrap_or(path))
    }
}

/// Lists them all within the scope, those of the same project beside each other. A namespace that cannot be listed is one
/// that failed.
///
/// What changed since some time is for the caller to pick out: a merge request that a list leaves out would look closed.
pub(crate) fn all(session: &Session, scope: &ReconcileScope, tally: &mut Tally) -> Result<Listed> {
    let _section = LogSection::begin(session.log, "list", "listing merge requests");
    let mut found: BTreeMap<PairName, Found> = BTreeMap::new();
    let lists: Vec<_> = if scope.only.is_empty() {
        session.instance.namespaces.pairs().iter().map(|pair| List::Group(pair.source_git.as_str())).collect()
    } else {
        scope.only.iter().map(List::Project).collect()
    };
    let mut failed_lists = FailedLists::default();
    for list in &lists {
        match sources(session, list, &mut found) {
            Ok(()) => {}
            Err(error) if error.concerns_every_request() => {
                return Err(Error::from(error).context(list.what()));
            }
            Err(error) => {
                failed_lists.0.push(list.name());
                tally.all_failed(&list.name(), list.what(), error.into());
            }
        }
    }
    let is_any_listed = failed_lists.0.len() < lists.len();
    for list in lists.iter().filter(|_| is_any_listed) {
        match pairs(session, list, &mut found) {
            Ok(()) => {}
            Err(error) if error.gitlab().is_some_and(ForgeError::concerns_every_request) => return Err(error),
            Err(error) => {
                let what = "listing the bot's open merge requests in dist-git".to_owned();
                match list {
                    List::Group(_) => {
                        failed_lists.0 = lists.iter().map(List::name).collect();
                        tally.all_failed("dist-git", what, error);
                    }
                    List::Project(project) => {
                        failed_lists.0.push(project.to_string());
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
    let is_wanted =
        |found: &Found| scope.include(&found.source_path) && !failed_lists.cover(found.source_path.as_str());
    Ok(Listed { found: found.into_values().filter(is_wanted).collect(), failed_lists })
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

fn sources(session: &Session, list: &List<'_>, found: &mut BTreeMap<PairName, Found>) -> Result<(), ForgeError> {
    let open: &mut dyn Iterator<Item = _> = match list {
        List::Group(group) => &mut session.forge.open_merge_requests_of_group(group),
        List::Project(project) => {
            // The list of a group leaves these out.
            if session.forge.project(*project)?.is_archived {
                tracing::info!("{project} is archived: its merge requests are left alone");
                return Ok(());
            }
            let query = MergeRequestQuery { state: StateFilter::Opened, ..MergeRequestQuery::default() };
            &mut session.forge.merge_requests(*project, query)
        }
    };
    for source in open.take(LISTED) {
        let Some(alone) = of_source_git(session, source?) else { continue };
        let Some(key) = alone.pair_name() else { continue };
        found.insert(key, alone);
    }
    Ok(())
}

/// Returns a source-git merge request alone, where the instance handles its target.
pub(crate) fn of_source_git(session: &Session, source: MergeRequest) -> Option<Found> {
    let source_path = source.project_path()?;
    let dist_path = session.instance.namespaces.dist_git_of(source_path.as_str())?.parse().ok()?;
    let is_handled = session.instance.targets.handle(source_path.as_str(), &source.target_branch);
    let found = Found { source_path, source: Some(source), dist_path, dist: None };
    (is_handled && found.pair_name().is_some()).then_some(found)
}

/// Adds the bot's dist-git merge requests.
fn pairs(session: &Session, list: &List<'_>, found: &mut BTreeMap<PairName, Found>) -> Result<()> {
    let myself = session.myself()?.user.id;
    let dist_git;
    let open: &mut dyn Iterator<Item = _> = match list {
        List::Group(_) => &mut session.forge.open_merge_requests_by(myself),
        List::Project(project) => {
            let Some(path) = session.instance.namespaces.dist_git_of(project.as_str()) else { return Ok(()) };
            dist_git = path.parse::<ProjectPath>()?;
            let query =
                MergeRequestQuery { author: Some(myself), state: StateFilter::Opened, ..MergeRequestQuery::default() };
            &mut session.forge.merge_requests(&dist_git, query)
        }
    };
    for dist in open.take(LISTED) {
        let dist = match dist {
            // Without a dist-git project there is no pair.
            Err(ForgeError::NotFoundOrNoAccess(_)) if matches!(list, List::Project(_)) => return Ok(()),
            dist => dist?,
        };
        let Some(alone) = of_dist_git(session, dist) else { continue };
        let Some(key) = alone.pair_name() else { continue };
        match found.get_mut(&key) {
            Some(pair) => pair.dist = alone.dist,
            None => _ = found.insert(key, alone),
        }
    }
    Ok(())
}

/// Returns a dist-git merge request alone, where its branch has a name that the bot gives.
pub(crate) fn of_dist_git(session: &Session, dist: MergeRequest) -> Option<Found> {
    let dist_path = dist.project_path()?;
    let source_path = session.instance.namespaces.source_git_of(dist_path.as_str())?.parse().ok()?;
    let found = Found { source_path, source: None, dist_path, dist: Some(dist) };
    found.pair_name().is_some().then_some(found)
}
