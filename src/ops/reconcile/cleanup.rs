//! Merge requests that ended.
//!
//! One that was recently merged or closed in dist-git is in no list of open merge requests, but its note still has to
//! say so. One that was recently merged in source-git may have no pair yet. The branches of those that ended long ago
//! are removed.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::ci::LogSection;
use crate::forge::MergeRequestState;
use crate::ops::outcome::{Outcome, Preview};
use crate::ops::reconcile::found::{Completeness, FoundPair};
use crate::ops::reconcile::list::{self, FailedLists};
use crate::ops::reconcile::scope::ReconcileScope;
use crate::ops::reconcile::summary::{RunResults, SummaryLine};
use crate::ops::session::Session;
use crate::types::error::{ForgeError, Result};
use crate::types::{BranchName, ProjectId, ProjectPath};

/// How much further back to look than the last run, whose time is only known to the hour.
const MARGIN: TimeDelta = TimeDelta::hours(1);

/// How far back to look if the last run is unknown.
pub(crate) const DEFAULT_LOOKBACK: TimeDelta = TimeDelta::days(1);

/// The most merge requests that are read from one list.
const MAX_LISTED: usize = 5_000;

/// The time between the last run and this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CleanupWindow {
    since: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl CleanupWindow {
    pub(crate) fn new(last_run: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let since = last_run.map_or_else(|| now - DEFAULT_LOOKBACK, |last| last - MARGIN);
        Self { since: since.min(now - MARGIN), now }
    }
}

/// Adds the bot's dist-git merge requests that ended recently, unless an open one takes their place, and the source-git
/// merge requests that were merged recently, unless `found` has their pair. A failed list does not stop the run: the
/// next run looks as far back again.
pub(crate) fn add_ended(
    session: &Session,
    scope: &ReconcileScope,
    window: CleanupWindow,
    failed_lists: &FailedLists,
    found: &mut Vec<FoundPair>,
    results: &mut RunResults,
) -> Result<Completeness> {
    let _section = LogSection::begin(session.log, "list_ended", "listing what ended lately");
    let mut known: BTreeSet<_> = found.iter().filter_map(FoundPair::identity).collect();
    let mut add = |ended: Option<FoundPair>| {
        let new = ended.filter(|e| scope.includes(&e.source_path) && !failed_lists.covers(e.source_path.as_str()));
        found.extend(new.filter(|ended| ended.identity().is_some_and(|names| known.insert(names))));
    };
    let mut completeness = if failed_lists.is_empty() { Completeness::Complete } else { Completeness::Partial };
    let mut note_failure = |of: &str, what: String, error: ForgeError| {
        if error.concerns_every_request() {
            return Err(error);
        }
        completeness = Completeness::Partial;
        results.add_shared_failure(of, what, error.into());
        Ok(())
    };
    let mut ended =
        session.forge.merge_requests_ended_since(session.current_user()?.user.id, window.since).take(MAX_LISTED);
    if let Err(error) = ended.try_for_each(|dist| dist.map(|dist| add(list::from_dist_git(session, dist)))) {
        note_failure("dist-git", "listing the bot's merge requests that ended in dist-git".to_owned(), error)?;
    }
    for pair in session.instance.namespaces.pairs() {
        let group = pair.source_git.as_str();
        // Listing the open merge requests has already reported this failure.
        if failed_lists.covers(group) {
            continue;
        }
        let mut merged = session.forge.merge_requests_merged_in_group(group, window.since).take(MAX_LISTED);
        if let Err(error) =
            merged.try_for_each(|source| source.map(|source| add(list::from_source_git(session, source))))
        {
            note_failure(group, format!("listing what was merged in the group {group}"), error)?;
        }
    }
    Ok(completeness)
}

/// Removes the branches of merge requests that ended as long ago as the instance says, within this run's window.
/// `found` holds the branches of all open pairs. If a branch cannot be removed, the others still are. The next run
/// tries again only if GitLab was unavailable.
pub(crate) fn remove_branches(
    session: &Session,
    scope: &ReconcileScope,
    window: CleanupWindow,
    failed_lists: &FailedLists,
    found: &[(ProjectPath, BranchName)],
    results: &mut RunResults,
) -> Result<Completeness> {
    let _section = LogSection::begin(session.log, "branches", "removing branches that nobody needs any more");
    let retention = TimeDelta::days(i64::from(session.instance.keep_branches));
    let (after, before) = (window.since - retention, window.now - retention);
    let mut completeness = Completeness::Complete;
    let mut seen = BTreeSet::new();
    let listed = session.forge.merge_requests_changed_between(session.current_user()?.user.id, after, before);
    for dist in listed.take(MAX_LISTED) {
        let dist = dist?;
        let has_ended = matches!(dist.state, MergeRequestState::Closed | MergeRequestState::Merged);
        let (true, Some(project)) = (has_ended, dist.source_project_id) else { continue };
        let Some(ended) = list::from_dist_git(session, dist) else { continue };
        let Some(branch) = ended.branch() else { continue };
        let is_open = found.contains(&(ended.dist_path.clone(), branch.clone()));
        let is_needed = is_open || failed_lists.covers(ended.source_path.as_str());
        if is_needed || !scope.includes(&ended.source_path) || !seen.insert((project, branch.clone())) {
            continue;
        }
        match remove_branch(session, project, &branch, &ended.name()) {
            Ok(None) => {}
            Ok(Some(outcome)) => {
                let mut line = SummaryLine::new(ended.name());
                line.note("removed its branch", outcome);
                results.summary.lines.push(line);
            }
            Err(error) => {
                let of_gitlab = error.gitlab();
                if of_gitlab.is_some_and(ForgeError::is_worth_a_retry) {
                    completeness = Completeness::Partial;
                }
                let error = error.context(format!("removing the branch {branch}"));
                results.add_failed(SummaryLine::new(ended.name()), &ended.dist_path, error);
                if results.should_stop() {
                    return Ok(Completeness::Partial);
                }
            }
        }
    }
    Ok(completeness)
}

/// Removes a branch if it exists and its last commit is the bot's.
fn remove_branch(session: &Session, project: ProjectId, branch: &BranchName, name: &str) -> Result<Option<Outcome>> {
    let tip = match session.forge.branch(project, branch) {
        Err(ForgeError::NotFoundOrNoAccess(_)) => None,
        tip => tip?,
    };
    // If somebody else pushed last, the branch is theirs to remove.
    let Some(tip) = tip else { return Ok(None) };
    if tip.committer_email != session.identity()?.email {
        return Ok(None);
    }
    if session.is_dry_run() {
        return Ok(Some(Outcome::Preview(Preview::RemoveBranch { branch: branch.to_string() })));
    }
    session.forge.delete_branch(project, branch)?;
    tracing::info!("removed the branch {branch} of {name}");
    Ok(Some(Outcome::Written))
}
