//! Lists every merge request that an instance is about: open source-git merge requests for the branches that it
//! handles, and the bot's own open dist-git merge requests.

use std::collections::BTreeMap;

use crate::ci::LogSection;
use crate::config::Instance;
use crate::forge::{MergeRequest, MergeRequestQuery, StateFilter};
use crate::ops::reconcile::found::{FoundPair, PairIdentity};
use crate::ops::reconcile::scope::ReconcileScope;
use crate::ops::reconcile::summary::RunResults;
use crate::ops::session::Session;
use crate::types::ProjectPath;
use crate::types::error::{Error, ForgeError, Result};

/// The most merge requests that are read from one list.
const MAX_LISTED: usize = 20_000;

pub(crate) struct ListResult {
    pub(crate) found: Vec<FoundPair>,
    pub(crate) failed_lists: FailedLists,
}

/// The source-git groups and projects whose merge requests could not be listed. The run ignores everything in them,
/// because a merge request that is missing from a list looks closed.
#[derive(Default)]
pub(crate) struct FailedLists(Vec<String>);

impl FailedLists {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every namespace of the instance is among them.
    pub(crate) fn include_all(&self, instance: &Instance) -> bool {
        instance.namespaces.pairs().iter().all(|pair| self.covers(pair.source_git.as_str()))
    }

    /// Whether a source-git path is one of them, or in one of them.
    pub(crate) fn covers(&self, path: &str) -> bool {
        let is_within =
            |of: &String| path.strip_prefix(of.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/'));
        self.0.iter().any(is_within)
    }

    /// Whether the merge request with this name, of either side, is in one of them.
    pub(crate) fn covers_named(&self, instance: &Instance, name: &str) -> bool {
        let Some((path, _)) = name.rsplit_once('!') else { return false };
        let source = instance.namespaces.source_git_of(path);
        self.covers(source.as_deref().unwrap_or(path))
    }
}

/// Lists all merge requests within the scope, grouped by project. Records a namespace that cannot be listed as a
/// failure.
///
/// Does not filter by the time of the last change: a merge request that is missing from a list looks closed.
pub(crate) fn list_all(session: &Session, scope: &ReconcileScope, results: &mut RunResults) -> Result<ListResult> {
    let _section = LogSection::begin(session.log, "list", "listing merge requests");
    let mut found: BTreeMap<PairIdentity, FoundPair> = BTreeMap::new();
    let lists: Vec<_> = if scope.only.is_empty() {
        session.instance.namespaces.pairs().iter().map(|pair| ListSource::Group(pair.source_git.as_str())).collect()
    } else {
        scope.only.iter().map(ListSource::Project).collect()
    };
    let mut failed_lists = FailedLists::default();
    for list in &lists {
        match add_source_git(session, list, &mut found) {
            Ok(()) => {}
            Err(error) if error.concerns_every_request() => {
                return Err(Error::from(error).context(list.context()));
            }
            Err(error) => {
                failed_lists.0.push(list.name());
                results.add_shared_failure(&list.name(), list.context(), error.into());
            }
        }
    }
    let is_any_listed = failed_lists.0.len() < lists.len();
    for list in lists.iter().filter(|_| is_any_listed) {
        match add_dist_git(session, list, &mut found) {
            Ok(()) => {}
            Err(error) if error.gitlab().is_some_and(ForgeError::concerns_every_request) => return Err(error),
            Err(error) => {
                let what = "listing the bot's open merge requests in dist-git".to_owned();
                match list {
                    ListSource::Group(_) => {
                        failed_lists.0 = lists.iter().map(ListSource::name).collect();
                        results.add_shared_failure("dist-git", what, error);
                    }
                    ListSource::Project(project) => {
                        failed_lists.0.push(project.to_string());
                        results.add_shared_failure(project.as_str(), what, error);
                    }
                }
            }
        }
        // One list has the bot's merge requests of all groups.
        if matches!(list, ListSource::Group(_)) {
            break;
        }
    }
    let is_wanted =
        |found: &FoundPair| scope.includes(&found.source_path) && !failed_lists.covers(found.source_path.as_str());
    Ok(ListResult { found: found.into_values().filter(is_wanted).collect(), failed_lists })
}

enum ListSource<'a> {
    Group(&'a str),
    Project(&'a ProjectPath),
}

impl ListSource<'_> {
    fn name(&self) -> String {
        match self {
            Self::Group(group) => (*group).to_owned(),
            Self::Project(project) => project.to_string(),
        }
    }

    fn context(&self) -> String {
        match self {
            Self::Group(group) => {
                format!("listing the merge requests of the group {group}, which the instance's `namespaces` name")
            }
            Self::Project(project) => format!("listing the merge requests of {project}"),
        }
    }
}

fn add_source_git(
    session: &Session,
    list: &ListSource<'_>,
    found: &mut BTreeMap<PairIdentity, FoundPair>,
) -> Result<(), ForgeError> {
    let open: &mut dyn Iterator<Item = _> = match list {
        ListSource::Group(group) => &mut session.forge.open_merge_requests_of_group(group),
        ListSource::Project(project) => {
            // The list of a group leaves out archived projects.
            if session.forge.project(*project)?.is_archived {
                tracing::info!("{project} is archived: its merge requests are left alone");
                return Ok(());
            }
            let query = MergeRequestQuery { state: StateFilter::Opened, ..MergeRequestQuery::default() };
            &mut session.forge.merge_requests(*project, query)
        }
    };
    for source in open.take(MAX_LISTED) {
        let Some(pair) = from_source_git(session, source?) else { continue };
        let Some(key) = pair.identity() else { continue };
        found.insert(key, pair);
    }
    Ok(())
}

/// Returns a source-git merge request without its pair, if the instance handles its target branch.
pub(crate) fn from_source_git(session: &Session, source: MergeRequest) -> Option<FoundPair> {
    let source_path = source.project_path()?;
    let dist_path = session.instance.namespaces.dist_git_of(source_path.as_str())?.parse().ok()?;
    let is_handled = session.instance.targets.handle(source_path.as_str(), &source.target_branch);
    let found = FoundPair { source_path, source: Some(source), dist_path, dist: None };
    (is_handled && found.identity().is_some()).then_some(found)
}

/// Adds the bot's open dist-git merge requests.
fn add_dist_git(session: &Session, list: &ListSource<'_>, found: &mut BTreeMap<PairIdentity, FoundPair>) -> Result<()> {
    let bot = session.current_user()?.user.id;
    let dist_git;
    let open: &mut dyn Iterator<Item = _> = match list {
        ListSource::Group(_) => &mut session.forge.open_merge_requests_by(bot),
        ListSource::Project(project) => {
            let Some(path) = session.instance.namespaces.dist_git_of(project.as_str()) else { return Ok(()) };
            dist_git = path.parse::<ProjectPath>()?;
            let query =
                MergeRequestQuery { author: Some(bot), state: StateFilter::Opened, ..MergeRequestQuery::default() };
            &mut session.forge.merge_requests(&dist_git, query)
        }
    };
    for dist in open.take(MAX_LISTED) {
        let dist = match dist {
            // Without a dist-git project, there is no pair.
            Err(ForgeError::NotFoundOrNoAccess(_)) if matches!(list, ListSource::Project(_)) => return Ok(()),
            dist => dist?,
        };
        let Some(pair) = from_dist_git(session, dist) else { continue };
        let Some(key) = pair.identity() else { continue };
        match found.get_mut(&key) {
            Some(known) => known.dist = pair.dist,
            None => _ = found.insert(key, pair),
        }
    }
    Ok(())
}

/// Returns a dist-git merge request without its pair, if its branch has a name that the bot gives.
pub(crate) fn from_dist_git(session: &Session, dist: MergeRequest) -> Option<FoundPair> {
    let dist_path = dist.project_path()?;
    let source_path = session.instance.namespaces.source_git_of(dist_path.as_str())?.parse().ok()?;
    let found = FoundPair { source_path, source: None, dist_path, dist: Some(dist) };
    found.identity().is_some().then_some(found)
}
