//! What became of the merge requests of a run, counted as it goes: for the summary, for the status issue and for what the
//! run ends with.

use anyhow::Result;

use crate::cli::exit::ExitStatus;
use crate::cli::render::reconcile::{Line, Outcome, Summary};
use crate::forge::{ForgeError, MergeRequestState};
use crate::ops::reconcile::cleanup::SeenTo;
use crate::ops::reconcile::list::Found;
use crate::ops::session::Bot;
use crate::pair::cache::{CacheEntry, CacheKey, PairTrouble, TroubleKind, UnixHour};
use crate::pair::status_issue::MergeRequestCounts;
use crate::types::{ProjectPath, Refusal};

/// After how many projects in a row that failed for want of GitLab the run ends: it is GitLab then, not a project.
const FAILURES: usize = 3;

/// Which of the two merge requests are open, as far as that was listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pair,
    SourceGitOnly,
    DistGitOnly,
    Neither,
}

impl Kind {
    pub(crate) fn of(found: &Found) -> Self {
        match (&found.source, &found.dist) {
            (Some(_), Some(_)) => Self::Pair,
            (Some(source), None) if source.state == MergeRequestState::Merged => Self::Neither,
            (Some(_), None) => Self::SourceGitOnly,
            (None, Some(dist)) if dist.state == MergeRequestState::Opened => Self::DistGitOnly,
            (None, _) => Self::Neither,
        }
    }
}

/// What became of the merge requests so far.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) summary: Summary,
    pub(crate) states: MergeRequestCounts,
    /// What is known of each that was looked at.
    pub(crate) outcomes: Vec<(CacheKey, CacheEntry)>,
    /// What the run ends with.
    pub(crate) error: Option<anyhow::Error>,
    /// The projects in a row for which GitLab was not to be had.
    without_gitlab: Vec<ProjectPath>,
    /// Whether the next request can only fail like the last.
    pub(crate) is_shut_out: bool,
}

impl Tally {
    pub(crate) fn count(&mut self, kind: Kind) {
        let state = match kind {
            Kind::Pair => &mut self.states.in_step,
            Kind::SourceGitOnly => &mut self.states.source_git_only,
            Kind::DistGitOnly => &mut self.states.dist_git_only,
            Kind::Neither => return,
        };
        *state = state.saturating_add(1);
    }

    pub(crate) fn done(&mut self, line: Line) {
        self.without_gitlab.clear();
        self.summary.lines.push(line);
    }

    pub(crate) fn refused(&mut self, line: Line, refusal: &Refusal) {
        self.states.refused = self.states.refused.saturating_add(1);
        self.done(Line { outcome: Outcome::Refused(refusal.to_string()), ..line });
    }

    pub(crate) fn failed(&mut self, line: Line, project: &ProjectPath, error: anyhow::Error) {
        self.states.failed = self.states.failed.saturating_add(1);
        let of_gitlab = error.downcast_ref::<ForgeError>();
        // A repository that git cannot reach may be the only one.
        if !of_gitlab.is_some_and(ForgeError::is_worth_a_retry) {
            self.without_gitlab.clear();
        } else if !self.without_gitlab.contains(project) {
            self.without_gitlab.push(project.clone());
        }
        self.is_shut_out |= of_gitlab.is_some_and(ForgeError::concerns_every_request);
        tracing::error!("{}: {error:#}", line.merge_request);
        self.summary.lines.push(Line { outcome: Outcome::Failed(format!("{error:#}")), ..line });
        // What is wrong with a merge request says more than that GitLab was busy for a while.
        let unavailable = |error: &anyhow::Error| ExitStatus::of(error) == ExitStatus::Unavailable;
        if self.error.as_ref().is_none_or(|known| unavailable(known) && !unavailable(&error)) {
            self.error = Some(error);
        }
    }

    /// Notes that `what` failed, which concerns more than one merge request; `of` is what people know it by. It is
    /// remembered like a merge request that failed, so that a person is called where it goes on failing.
    pub(crate) fn all_failed(&mut self, of: &str, what: String, error: anyhow::Error) {
        let key = CacheKey::of(["all", what.as_str()]);
        let error = error.context(what);
        tracing::error!("{error:#}");
        let why = format!("{error:#}");
        let line = Line { outcome: Outcome::AllFailed(why.clone()), ..Line::new(of.to_owned()) };
        self.summary.lines.push(line);
        let trouble = PairTrouble { merge_request: of.to_owned(), kind: TroubleKind::Failed, why, times: 0 };
        self.outcomes.push((key, CacheEntry { checked: UnixHour::NEVER, fingerprint: None, trouble: Some(trouble) }));
        self.error.get_or_insert(error);
    }

    /// Notes where the status issue could not be read or written: the merge requests do not wait for it.
    pub(crate) fn watched<T>(&mut self, bot: &Bot, outcome: Result<Option<T>>) -> Result<Option<T>> {
        let error = match outcome {
            Ok(watched) => return Ok(watched),
            Err(error) if error.downcast_ref().is_some_and(ForgeError::concerns_every_request) => return Err(error),
            Err(error) => error,
        };
        let project = bot.instance.bot_project.as_ref().map(ToString::to_string).unwrap_or_default();
        let what = format!("the status issue in {project}, which the instance's `bot_project` names");
        self.all_failed(&project, what, error);
        Ok(None)
    }

    /// Whether all of these were looked at, and none failed.
    pub(crate) fn seen_to(&self, keys: impl IntoIterator<Item = CacheKey>) -> SeenTo {
        let is_failed = |known: &CacheEntry| known.trouble.as_ref().is_some_and(|t| t.kind == TroubleKind::Failed);
        let is_done = |key| self.outcomes.iter().any(|(done, known)| *done == key && !is_failed(known));
        if keys.into_iter().all(is_done) { SeenTo::All } else { SeenTo::InPart }
    }

    /// Whether going on is of no use.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.is_shut_out || self.without_gitlab.len() >= FAILURES
    }
}
