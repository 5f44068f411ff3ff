//! The results of a run: for the summary, for the status issue and for the error that the run ends with.

use serde::Serialize;

use crate::ops::outcome::{Outcome, Preview};
use crate::ops::reconcile::found::{Completeness, FoundKind};
use crate::ops::session::Session;
use crate::pair::cache::{CacheEntry, CacheKey, PairTrouble, TroubleKind, UnixHour};
use crate::pair::status_issue::MergeRequestCounts;
use crate::types::error::{Error, ErrorKind, ForgeError, Result};
use crate::types::{ProjectPath, Refusal};

/// After how many projects in a row with GitLab unavailable the run ends: then it is GitLab that fails, not a project.
const MAX_FAILURES: usize = 3;

/// The results so far.
#[derive(Default)]
pub(crate) struct RunResults {
    pub(crate) summary: Summary,
    pub(crate) counts: MergeRequestCounts,
    /// What the next runs should know about each merge request that was checked.
    pub(crate) outcomes: Vec<(CacheKey, CacheEntry)>,
    /// The error that the run ends with.
    pub(crate) error: Option<Error>,
    /// The latest projects in a row for which GitLab was unavailable.
    without_gitlab: Vec<ProjectPath>,
    /// Whether the next request would fail like the last one.
    pub(crate) is_locked_out: bool,
}

impl RunResults {
    pub(crate) fn count(&mut self, kind: FoundKind) {
        let state = match kind {
            FoundKind::Pair => &mut self.counts.in_step,
            FoundKind::SourceGitOnly => &mut self.counts.source_git_only,
            FoundKind::DistGitOnly => &mut self.counts.dist_git_only,
            FoundKind::Neither => return,
        };
        *state = state.saturating_add(1);
    }

    pub(crate) fn add_done(&mut self, line: SummaryLine) {
        self.without_gitlab.clear();
        self.summary.lines.push(line);
    }

    pub(crate) fn add_refused(&mut self, line: SummaryLine, refusal: &Refusal) {
        self.counts.refused = self.counts.refused.saturating_add(1);
        self.add_done(SummaryLine { outcome: LineOutcome::Refused(refusal.to_string()), ..line });
    }

    pub(crate) fn add_failed(&mut self, line: SummaryLine, project: &ProjectPath, error: Error) {
        self.counts.failed = self.counts.failed.saturating_add(1);
        let of_gitlab = error.gitlab();
        // If git cannot reach a repository, that may be a problem of this repository alone.
        if !of_gitlab.is_some_and(ForgeError::is_worth_a_retry) {
            self.without_gitlab.clear();
        } else if !self.without_gitlab.contains(project) {
            self.without_gitlab.push(project.clone());
        }
        self.is_locked_out |= of_gitlab.is_some_and(ForgeError::concerns_every_request);
        tracing::error!("{}: {error:#}", line.merge_request);
        self.summary.lines.push(SummaryLine { outcome: LineOutcome::Failed(format!("{error:#}")), ..line });
        // A problem of a merge request says more than that GitLab was unavailable for a while.
        let unavailable = |error: &Error| error.kind() == ErrorKind::Unavailable;
        if self.error.as_ref().is_none_or(|known| unavailable(known) && !unavailable(&error)) {
            self.error = Some(error);
        }
    }

    /// Records that `what` failed, which concerns more than one merge request. `of` is the name that people know. The
    /// failure is remembered like that of a merge request, so that a person is notified if it persists.
    pub(crate) fn add_shared_failure(&mut self, of: &str, what: String, error: Error) {
        let key = CacheKey::of(["all", what.as_str()]);
        let error = error.context(what);
        tracing::error!("{error:#}");
        let why = format!("{error:#}");
        let line = SummaryLine { outcome: LineOutcome::SharedFailure(why.clone()), ..SummaryLine::new(of.to_owned()) };
        self.summary.lines.push(line);
        let trouble = PairTrouble { merge_request: of.to_owned(), kind: TroubleKind::Failed, why, times: 0 };
        self.outcomes.push((key, CacheEntry { checked: UnixHour::NEVER, fingerprint: None, trouble: Some(trouble) }));
        self.error.get_or_insert(error);
    }

    /// Records if the status issue could not be read or written, and lets the run continue.
    ///
    /// # Errors
    ///
    /// Every other request would fail in the same way.
    pub(crate) fn tolerate_status_issue<T>(
        &mut self,
        session: &Session,
        outcome: Result<Option<T>>,
    ) -> Result<Option<T>> {
        let error = match outcome {
            Ok(result) => return Ok(result),
            Err(error) if error.gitlab().is_some_and(ForgeError::concerns_every_request) => return Err(error),
            Err(error) => error,
        };
        let project = session.instance.bot_project.as_ref().map(ToString::to_string).unwrap_or_default();
        let what = format!("the status issue in {project}, which the instance's `bot_project` names");
        self.add_shared_failure(&project, what, error);
        Ok(None)
    }

    /// Returns `Complete` if all of these were checked and none failed.
    pub(crate) fn completeness_of(&self, keys: impl IntoIterator<Item = CacheKey>) -> Completeness {
        let is_failed = |known: &CacheEntry| known.trouble.as_ref().is_some_and(|t| t.kind == TroubleKind::Failed);
        let is_done = |key| self.outcomes.iter().any(|(done, known)| *done == key && !is_failed(known));
        if keys.into_iter().all(is_done) { Completeness::Complete } else { Completeness::Partial }
    }

    /// Whether the rest of the run would fail too.
    pub(crate) fn should_stop(&self) -> bool {
        self.is_locked_out || self.without_gitlab.len() >= MAX_FAILURES
    }
}

/// What the command shows at the end.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) lines: Vec<SummaryLine>,
    /// How many merge requests had not changed since their last check.
    pub(crate) unchanged: usize,
    /// How many merge requests were not checked.
    pub(crate) remaining: usize,
    pub(crate) stop_reason: StopReason,
    /// In a dry run, what the status issue would say.
    pub(crate) status_issue: Option<String>,
    /// The number of requests to GitLab.
    pub(crate) requests: u64,
}

/// Why some merge requests were not checked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum StopReason {
    /// The run made as many changes as it may.
    #[default]
    EnoughChanged,
    /// The job's time is almost over.
    OutOfTime,
    /// GitLab was unavailable.
    WithoutGitlab,
}

impl StopReason {
    /// Returns what the summary says about those merge requests.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::EnoughChanged => "left for the next run",
            Self::OutOfTime => "left for the next run because three quarters of the job's time are over",
            Self::WithoutGitlab => "not looked at",
        }
    }
}

/// The result for one merge request.
#[derive(Debug)]
pub(crate) struct SummaryLine {
    pub(crate) merge_request: String,
    pub(crate) did: Vec<Action>,
    pub(crate) outcome: LineOutcome,
    /// Whether something continues that no list shows.
    pub(crate) is_ongoing: bool,
    pub(crate) position: usize,
}

/// Something that was done, or would be done. JSON output shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Action {
    pub(crate) what: &'static str,
    /// In a dry run, what would be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<Preview>,
}

#[derive(Debug)]
pub(crate) enum LineOutcome {
    Done,
    /// Nobody can change it, so it was not brought up to date.
    LeftAlone(String),
    /// It cannot be synced. Its note says why.
    Refused(String),
    Failed(String),
    /// A failure that concerns more than one merge request.
    SharedFailure(String),
}

impl SummaryLine {
    pub(crate) fn new(merge_request: String) -> Self {
        Self { merge_request, did: Vec::new(), outcome: LineOutcome::Done, is_ongoing: false, position: 0 }
    }

    /// Records what was done, if anything was.
    pub(crate) fn note(&mut self, what: &'static str, outcome: Outcome) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Written => self.did.push(Action { what, plan: None }),
            Outcome::Preview(preview) => self.did.push(Action { what, plan: Some(preview) }),
        }
    }

    /// Records why nothing was done.
    pub(crate) fn leave_alone(&mut self, why: String) {
        self.outcome = LineOutcome::LeftAlone(why);
    }

    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.outcome, LineOutcome::Failed(_) | LineOutcome::SharedFailure(_))
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.did.is_empty() && matches!(self.outcome, LineOutcome::Done)
    }
}

/// How many merge requests had which result.
pub(crate) struct SummaryCounts {
    pub(crate) unchanged: usize,
    pub(crate) changed: usize,
    pub(crate) refused: usize,
    pub(crate) failed: usize,
}

impl Summary {
    fn number(&self, is: impl Fn(&SummaryLine) -> bool) -> usize {
        self.lines.iter().filter(|line| is(line)).count()
    }

    pub(crate) fn counts(&self) -> SummaryCounts {
        let quiet = self.number(|line| line.is_quiet() || matches!(line.outcome, LineOutcome::LeftAlone(_)));
        let refused = self.number(|line| matches!(line.outcome, LineOutcome::Refused(_)));
        let failed = self.number(SummaryLine::has_failed);
        let changed = self.lines.len().saturating_sub(quiet).saturating_sub(refused).saturating_sub(failed);
        SummaryCounts { unchanged: quiet.saturating_add(self.unchanged), changed, refused, failed }
    }

    /// Returns the message of the error that the run ends with.
    pub(crate) fn failure(&self) -> String {
        let failed = self.number(|line| matches!(line.outcome, LineOutcome::Failed(_)));
        if failed == 0 {
            return "not everything could be looked at".to_owned();
        }
        format!("{failed} of {} could not be brought up to date", count_text(self.looked_at()))
    }

    pub(crate) fn looked_at(&self) -> usize {
        self.number(|line| !matches!(line.outcome, LineOutcome::SharedFailure(_)))
    }
}

/// Returns `1 merge request`, or `2 merge requests`.
pub(crate) fn count_text(number: usize) -> String {
    format!("{number} {}", if number == 1 { "merge request" } else { "merge requests" })
}
