//! `reconcile`: checks every merge request of the instance, and brings those up to date that are behind.
//!
//! It is the guarantee behind events: it catches up on those that were missed. For each merge request it does what
//! `sync` and `report` do. A failure of one merge request does not stop the others. If a run found a merge request up
//! to date, the next runs skip it while lists show it unchanged.

mod changes;
mod cleanup;
mod found;
mod list;
mod one;
pub mod scope;
mod status_issue;
pub(crate) mod summary;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::ci::Log;
use crate::ops::reconcile::changes::{HeadPipelines, ReconcileSnapshot};
use crate::ops::reconcile::cleanup::CleanupWindow;
use crate::ops::reconcile::found::{Completeness, FoundKind, FoundPair};
use crate::ops::reconcile::list::ListResult;
use crate::ops::reconcile::one::{CheckDepth, PairReconciler, TargetTips};
use crate::ops::reconcile::scope::{ReconcileRequest, ReconcileScope};
use crate::ops::reconcile::status_issue::{RunFacts, StatusIssue};
use crate::ops::reconcile::summary::{RunResults, StopReason, Summary, SummaryLine};
use crate::ops::reconcile::workers::WorkEffect;
use crate::ops::session::{Mode, Session, SessionSettings};
use crate::ops::sync::Unsynced;
use crate::pair::cache::{CacheEntry, CacheKey, PairFingerprint, PairTrouble, TroubleKind, UnixHour};
use crate::types::ProjectPath;
use crate::types::error::{Error, ForgeError, Result};

pub(crate) struct Reconciled {
    pub(crate) summary: Summary,
    /// The error that the command ends with.
    pub(crate) error: Option<Error>,
}

/// Runs `reconcile`.
///
/// # Errors
///
/// Whatever prevents the whole run. Errors of single merge requests are in [`Reconciled`].
pub(crate) fn reconcile(
    request: &ReconcileRequest,
    settings: SessionSettings,
    mode: Mode,
    now: DateTime<Utc>,
) -> Result<Reconciled> {
    let scope = ReconcileScope::read(request, &settings.job, &settings.instance, now)?;
    let mut session = settings.connect(mode)?;
    // Without git, nothing can be brought up to date.
    session.git()?;
    let mut results = RunResults::default();
    let mut status_issue = if scope.is_selective() {
        None
    } else {
        results.tolerate_status_issue(&session, StatusIssue::read(&session, &scope, now))?
    };
    let ListResult { found, failed_lists } = list::list_all(&session, &scope, &mut results)?;
    let mut found = changed_since(&session, &scope, found);
    let open: Vec<_> = found.iter().filter_map(|found| Some((found.dist_path.clone(), found.branch()?))).collect();
    let open_count = found.len();
    // A selection that a person made says nothing about the whole instance.
    let window =
        (!scope.is_selective()).then(|| CleanupWindow::new(status_issue.as_ref().and_then(StatusIssue::last_run), now));
    // If no list could be read, these lists would fail too.
    let window = window.filter(|_| !failed_lists.include_all(&session.instance));
    let listing = match window {
        Some(window) => cleanup::add_ended(&session, &scope, window, &failed_lists, &mut found, &mut results)?,
        None => Completeness::Partial,
    };
    let keys: Vec<_> = found.iter().map(FoundPair::key).collect();
    let projects = projects(&found);
    let tasks = select_tasks(&session, status_issue.as_ref(), found, &mut results);
    tracing::info!("{} to look at, {} unchanged", summary::count_text(tasks.len()), results.summary.unchanged);

    let queues = build_queues(tasks, status_issue.as_ref());
    let workers = usize::try_from(scope.jobs).unwrap_or(1).min(queues.len());
    if workers > 1 {
        // Log sections of several workers would be nested in each other.
        session.log = Log::Plain;
    }
    let tips = TargetTips::default();
    let total = queues.iter().map(Vec::len).sum();
    let hour = UnixHour::of(now);
    let work = ReconcileWork { session: &session, scope: &scope, tips: &tips, hour, total };
    let results = work.run_all(queues, workers, results);
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut completeness = results.completeness_of(keys.iter().skip(open_count).copied());
    if let Some(window) = window.filter(|_| !results.should_stop() && !scope.is_time_up()) {
        match cleanup::remove_branches(&session, &scope, window, &failed_lists, &open, &mut results) {
            Ok(Completeness::Complete) => {}
            Ok(Completeness::Partial) => completeness = Completeness::Partial,
            Err(error) => {
                completeness = Completeness::Partial;
                results.add_shared_failure("branches", "removing branches".to_owned(), error);
            }
        }
    } else {
        completeness = Completeness::Partial;
    }
    let completeness = if listing == Completeness::Complete { completeness } else { Completeness::Partial };

    if let Some(status_issue) = &mut status_issue
        && !results.is_locked_out
    {
        for (key, known) in std::mem::take(&mut results.outcomes) {
            status_issue.record(key, known);
        }
        let run = RunFacts {
            keys: &keys,
            projects: &projects,
            failed_lists: &failed_lists,
            counts: results.counts,
            completeness,
        };
        let written = status_issue.write(&session, run);
        results.summary.status_issue = results.tolerate_status_issue(&session, written)?;
    }
    results.summary.requests = session.forge.requests();
    // Workers finish in any order. The summary has the order in which merge requests were found.
    results.summary.lines.sort_by_key(|line| line.position);
    let RunResults { summary, error, .. } = results;
    let error = error.map(|error| error.context(summary.failure()));
    Ok(Reconciled { summary, error })
}

/// Returns the projects of both sides, those of a pair next to each other.
fn projects(found: &[FoundPair]) -> Vec<ProjectPath> {
    let mut seen = BTreeSet::new();
    let all = found.iter().flat_map(|found| [&found.source_path, &found.dist_path]);
    all.filter(|path| seen.insert(*path)).cloned().collect()
}

/// Returns the merge requests that have changed since the moment that a person named, or all if none was named.
fn changed_since(session: &Session, scope: &ReconcileScope, found: Vec<FoundPair>) -> Vec<FoundPair> {
    let Some(since) = scope.since else { return found };
    let pipelines = HeadPipelines::read(session).unwrap_or_else(|error| {
        warn_checking_all(&error);
        HeadPipelines::default()
    });
    found.into_iter().filter(|found| pipelines.has_changed(found, since)).collect()
}

fn warn_checking_all(error: &ForgeError) {
    tracing::warn!("what has changed cannot be told, so everything is looked at: {error}");
}

/// A merge request to check.
struct Task {
    found: FoundPair,
    key: CacheKey,
    /// The fingerprint when the merge request was found.
    fingerprint: Option<PairFingerprint>,
    depth: CheckDepth,
    /// The position in the summary.
    position: usize,
}

/// Returns the merge requests to check. Counts those that need no check.
fn select_tasks(
    session: &Session,
    status_issue: Option<&StatusIssue>,
    found: Vec<FoundPair>,
    results: &mut RunResults,
) -> Vec<Task> {
    let snapshot =
        status_issue.and_then(|_| ReconcileSnapshot::read(session, &found).inspect_err(warn_checking_all).ok());
    let mut tasks = Vec::new();
    for (position, found) in found.into_iter().enumerate() {
        let key = found.key();
        let fingerprint = snapshot.as_ref().and_then(|snapshot| snapshot.fingerprint(&found));
        if status_issue.is_some_and(|status_issue| status_issue.is_settled(key, fingerprint)) {
            results.summary.unchanged = results.summary.unchanged.saturating_add(1);
            let is_refused = status_issue
                .and_then(|status_issue| status_issue.known(key))
                .is_some_and(|known| known.trouble.is_some());
            if is_refused {
                results.counts.refused = results.counts.refused.saturating_add(1);
            } else {
                results.count(FoundKind::of(&found));
            }
        } else {
            let depth = status_issue.map_or(CheckDepth::Changes, |status_issue| status_issue.depth(key, fingerprint));
            tasks.push(Task { found, key, fingerprint, depth, position });
        }
    }
    tasks
}

/// Makes one queue for each project. The merge requests that were not checked for the longest time come first, so that
/// runs do not always leave the same ones for later. Those that failed last time come last.
fn build_queues(tasks: Vec<Task>, status_issue: Option<&StatusIssue>) -> Vec<Vec<Task>> {
    let priority = |task: &Task| {
        let known = status_issue.and_then(|status_issue| status_issue.known(task.key));
        let failed = known.and_then(|known| known.trouble.as_ref()).is_some_and(|t| t.kind == TroubleKind::Failed);
        (failed, known.map_or(UnixHour::NEVER, |known| known.checked), task.position)
    };
    let mut projects: BTreeMap<ProjectPath, Vec<Task>> = BTreeMap::new();
    for task in tasks {
        projects.entry(task.found.source_path.clone()).or_default().push(task);
    }
    let mut queues: Vec<_> = projects.into_values().collect();
    queues.iter_mut().for_each(|queue| queue.sort_by_key(priority));
    queues.sort_by_key(|queue| queue.first().map(priority));
    queues
}

/// What the workers share.
struct ReconcileWork<'a> {
    session: &'a Session,
    scope: &'a ReconcileScope,
    tips: &'a TargetTips,
    hour: UnixHour,
    total: usize,
}

impl ReconcileWork<'_> {
    fn run_all(&self, queues: Vec<Vec<Task>>, workers: usize, results: RunResults) -> Mutex<RunResults> {
        let results = Mutex::new(results);
        let (begun, must_stop) = (AtomicUsize::new(0), AtomicBool::new(self.scope.is_time_up()));
        let remaining = workers::run_queues(queues, workers, self.scope.max_changes, &must_stop, |task| {
            let number = begun.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            let name = task.found.name();
            tracing::info!("[{number} of {}] {name}", self.total);
            // The log lines of several workers are mixed, so each line names its merge request.
            let _span = (workers > 1).then(|| tracing::info_span!("", of = %name).entered());
            let effect = self.run_one(task, name, &results);
            if lock(&results).should_stop() || self.scope.is_time_up() {
                must_stop.store(true, Ordering::Release);
            }
            effect
        });
        {
            let mut results = lock(&results);
            results.summary.remaining = remaining.len();
            results.counts.not_checked = u32::try_from(remaining.len()).unwrap_or(u32::MAX);
            results.summary.stop_reason = match must_stop.into_inner() {
                _ if results.should_stop() => StopReason::WithoutGitlab,
                true => StopReason::OutOfTime,
                false => StopReason::EnoughChanged,
            };
        }
        results
    }

    fn run_one(&self, task: Task, name: String, results: &Mutex<RunResults>) -> WorkEffect {
        let Self { session, tips, .. } = *self;
        let Task { found, key, fingerprint, depth, position } = task;
        let project = found.source_path.clone();
        let mut line = SummaryLine { position, ..SummaryLine::new(name) };
        let kind = FoundKind::of(&found);
        let outcome = (PairReconciler { session, tips, depth }).reconcile(found, &mut line);
        // If something was done for it, it now has a pair.
        let kind = if kind == FoundKind::SourceGitOnly && !line.did.is_empty() { FoundKind::Pair } else { kind };
        let effect = if line.did.is_empty() { WorkEffect::Unchanged } else { WorkEffect::Changed };
        let trouble =
            |kind, why: String| PairTrouble { merge_request: line.merge_request.clone(), kind, why, times: 0 };
        let (trouble, fingerprint) = match &outcome {
            Ok(None) => (None, fingerprint),
            Ok(Some(Unsynced::Refused(why))) => (Some(trouble(TroubleKind::Refused, why.to_string())), fingerprint),
            Ok(Some(Unsynced::NoDistGit(why))) => (Some(trouble(TroubleKind::NoDistGit, why.to_string())), fingerprint),
            Err(error) => (Some(trouble(TroubleKind::Failed, format!("{error:#}"))), None),
        };
        // After a write, the merge request is checked once more in the next run.
        let fingerprint = fingerprint.filter(|_| effect == WorkEffect::Unchanged && !line.is_ongoing);
        // A full check that failed is still due.
        let checked = if outcome.is_err() && depth == CheckDepth::Full { UnixHour::NEVER } else { self.hour };
        let mut results = lock(results);
        results.outcomes.push((key, CacheEntry { checked, fingerprint, trouble }));
        match outcome {
            Ok(None) => {
                results.count(kind);
                results.add_done(line);
            }
            Ok(Some(unsynced)) => results.add_refused(line, unsynced.refusal()),
            Err(error) => results.add_failed(line, &project, error),
        }
        effect
    }
}

fn lock(results: &Mutex<RunResults>) -> MutexGuard<'_, RunResults> {
    results.lock().unwrap_or_else(PoisonError::into_inner)
}
