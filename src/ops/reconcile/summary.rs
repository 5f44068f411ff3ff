//! What became of the merge requests of a run, counted as it goes: for the summary, for the status issue and for what the
//! run ends with.
use serde::Serialize;

use crate::ops::outcome::{Outcome, Preview};
use crate::ops::reconcile::found::{FoundKind, SeenTo};
use crate::ops::session::Session;
use crate::pair::cache::{Hour, Known, PairKey, Trouble, TroubleKind};
use crate::pair::status_issue::States;
use crate::types::error::{Error, ErrorKind, ForgeError, Result};
use crate::types::{ProjectPath, Refusal};

/// After how many projects in a row that failed for want of GitLab the run ends: it is GitLab then, not a project.
const FAILURES: usize = 3;

/// What became of the merge requests so far.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) summary: Summary,
    pub(crate) states: States,
    /// What is known of each that was looked at.
    pub(crate) outcomes: Vec<(PairKey, Known)>,
    /// What the run ends with.
    pub(crate) error: Option<Error>,
    /// The projects in a row for which GitLab was not to be had.
    without_gitlab: Vec<ProjectPath>,
    /// Whether the next request can only fail like the last.
    pub(crate) is_shut_out: bool,
}

impl Tally {
    pub(crate) fn count(&mut self, kind: FoundKind) {
        let state = match kind {
            FoundKind::Pair => &mut self.states.in_step,
            FoundKind::SourceGitOnly => &mut self.states.source_git_only,
            FoundKind::DistGitOnly => &mut self.states.dist_git_only,
            FoundKind::Neither => return,
        };
        *state = state.saturating_add(1);
    }

    pub(crate) fn done(&mut self, line: SummaryLine) {
        self.without_gitlab.clear();
        self.summary.lines.push(line);
    }

    pub(crate) fn refused(&mut self, line: SummaryLine, refusal: &Refusal) {
        self.states.refused = self.states.refused.saturating_add(1);
        self.done(SummaryLine { outcome: LineOutcome::Refused(refusal.to_string()), ..line });
    }

    pub(crate) fn failed(&mut self, line: SummaryLine, project: &ProjectPath, error: Error) {
        self.states.failed = self.states.failed.saturating_add(1);
        let of_gitlab = error.gitlab();
        // A repository that git cannot reach may be the only one.
        if !of_gitlab.is_some_and(ForgeError::is_worth_a_retry) {
            self.without_gitlab.clear();
        } else if !self.without_gitlab.contains(project) {
            self.without_gitlab.push(project.clone());
        }
        self.is_shut_out |= of_gitlab.is_some_and(ForgeError::concerns_every_request);
        tracing::error!("{}: {error:#}", line.merge_request);
        self.summary.lines.push(SummaryLine { outcome: LineOutcome::Failed(format!("{error:#}")), ..line });
        // What is wrong with a merge request says more than that GitLab was busy for a while.
        let unavailable = |error: &Error| error.kind() == ErrorKind::Unavailable;
        if self.error.as_ref().is_none_or(|known| unavailable(known) && !unavailable(&error)) {
            self.error = Some(error);
        }
    }

    /// Notes that `what` failed, which concerns more than one merge request; `of` is what people know it by. It is
    /// remembered like a merge request that failed, so that a person is called where it goes on failing.
    pub(crate) fn all_failed(&mut self, of: &str, what: String, error: Error) {
        let key = PairKey::of(["all", what.as_str()]);
        let error = error.context(what);
        tracing::error!("{error:#}");
        let why = format!("{error:#}");
        let line = SummaryLine { outcome: LineOutcome::AllFailed(why.clone()), ..SummaryLine::new(of.to_owned()) };
        self.summary.lines.push(line);
        let trouble = Trouble { merge_request: of.to_owned(), kind: TroubleKind::Failed, why, times: 0 };
        self.outcomes.push((key, Known { looked: Hour::NEVER, print: None, trouble: Some(trouble) }));
        self.error.get_or_insert(error);
    }

    /// Notes where the status issue could not be read or written: the merge requests do not wait for it.
    pub(crate) fn watched<T>(&mut self, session: &Session, outcome: Result<Option<T>>) -> Result<Option<T>> {
        let error = match outcome {
            Ok(watched) => return Ok(watched),
            Err(error) if error.gitlab().is_some_and(ForgeError::concerns_every_request) => return Err(error),
            Err(error) => error,
        };
        let project = session.instance.bot_project.as_ref().map(ToString::to_string).unwrap_or_default();
        let what = format!("the status issue in {project}, which the instance's `bot_project` names");
        self.all_failed(&project, what, error);
        Ok(None)
    }

    /// Whether all of these were looked at, and none failed.
    pub(crate) fn seen_to(&self, keys: impl IntoIterator<Item = PairKey>) -> SeenTo {
        let is_failed = |known: &Known| known.trouble.as_ref().is_some_and(|t| t.kind == TroubleKind::Failed);
        let is_done = |key| self.outcomes.iter().any(|(done, known)| *done == key && !is_failed(known));
        if keys.into_iter().all(is_done) { SeenTo::All } else { SeenTo::InPart }
    }

    /// Whether going on is of no use.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.is_shut_out || self.without_gitlab.len() >= FAILURES
    }
}

/// What became of every merge request.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) lines: Vec<SummaryLine>,
    /// How many had not changed since they were last looked at.
    pub(crate) unchanged: usize,
    /// How many were not looked at.
    pub(crate) left: usize,
    pub(crate) why_left: WhyLeft,
    /// What the status issue would say, in a dry run.
    pub(crate) status_issue: Option<String>,
    /// How many requests it took.
    pub(crate) requests: u64,
}

/// Why some were not looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum WhyLeft {
    /// As much was changed as is to be at a time.
    #[default]
    EnoughChanged,
    /// The job's time comes to its end.
    OutOfTime,
    /// GitLab was not to be had.
    WithoutGitlab,
}

impl WhyLeft {
    /// Returns what the summary says of those that were left.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::EnoughChanged => "left for the next run",
            Self::OutOfTime => "left for the next run because three quarters of the job's time are over",
            Self::WithoutGitlab => "not looked at",
        }
    }
}

/// What became of one.
#[derive(Debug)]
pub(crate) struct SummaryLine {
    pub(crate) merge_request: String,
    pub(crate) did: Vec<Did>,
    pub(crate) outcome: LineOutcome,
    /// Whether something of it goes on that no list tells of.
    pub(crate) goes_on: bool,
    /// Where it comes in the summary.
    pub(crate) place: usize,
}

/// Something that was done, or would be.
#[derive(Debug, Serialize)]
pub(crate) struct Did {
    pub(crate) what: &'static str,
    /// What would be, in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) plan: Option<Preview>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum LineOutcome {
    /// Well.
    Done,
    /// It is nothing to be brought up to date.
    LeftAlone(String),
    /// It cannot be synced, and its note says why.
    Refused(String),
    /// Something went wrong.
    Failed(String),
    /// Something went wrong that concerns more than one merge request.
    AllFailed(String),
}

impl SummaryLine {
    pub(crate) fn new(merge_request: String) -> Self {
        Self { merge_request, did: Vec::new(), outcome: LineOutcome::Done, goes_on: false, place: 0 }
    }

    /// Notes what was done, where anything was.
    pub(crate) fn note(&mut self, what: &'static str, outcome: Outcome) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Written => self.did.push(Did { what, plan: None }),
            Outcome::Preview(preview) => self.did.push(Did { what, plan: Some(preview) }),
        }
    }

    /// Notes why it was left as it is.
    pub(crate) fn leave_alone(&mut self, why: String) {
        self.outcome = LineOutcome::LeftAlone(why);
    }

    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.outcome, LineOutcome::Failed(_) | LineOutcome::AllFailed(_))
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.did.is_empty() && matches!(self.outcome, LineOutcome::Done)
    }
}

/// How many came to what.
pub(crate) struct Counts {
    pub(crate) unchanged: usize,
    pub(crate) changed: usize,
    pub(crate) refused: usize,
    pub(crate) failed: usize,
}

impl Summary {
    fn number(&self, is: impl Fn(&SummaryLine) -> bool) -> usize {
        self.lines.iter().filter(|line| is(line)).count()
    }

    pub(crate) fn counts(&self) -> Counts {
        let quiet = self.number(|line| line.is_quiet() || matches!(line.outcome, LineOutcome::LeftAlone(_)));
        let refused = self.number(|line| matches!(line.outcome, LineOutcome::Refused(_)));
        let failed = self.number(SummaryLine::has_failed);
        let changed = self.lines.len().saturating_sub(quiet).saturating_sub(refused).saturating_sub(failed);
        Counts { unchanged: quiet.saturating_add(self.unchanged), changed, refused, failed }
    }

    /// Returns what the run failed with.
    pub(crate) fn failure(&self) -> String {
        let failed = self.number(|line| matches!(line.outcome, LineOutcome::Failed(_)));
        if failed == 0 {
            return "not everything could be looked at".to_owned();
        }
        format!("{failed} of {} could not be brought up to date", count(self.looked_at()))
    }

    pub(crate) fn looked_at(&self) -> usize {
        self.number(|line| !matches!(line.outcome, LineOutcome::AllFailed(_)))
    }
}

/// Returns a number of merge requests in words.
pub(crate) fn count(number: usize) -> String {
    format!("{number} {}", if number == 1 { "merge request" } else { "merge requests" })
}
