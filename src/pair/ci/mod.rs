//! What dist-git's CI says of a commit: pipelines and jobs with their states, and what GitLab makes of several.
//!
//! Names of jobs and stages are hostile: whoever shows them makes them fit for their place.

use chrono::{DateTime, Utc};

use crate::types::{CiState, CommitId, PipelineId};

/// The job of `ci-templates/dist-git.yml` that reports its own pipeline. While it does so it cannot have ended, so the
/// pipeline's state is that of the others.
pub const REPORT_JOB: &str = "source-git-bot: report";

/// Whether a job's failure makes its pipeline fail (`allow_failure` in the CI configuration).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It does.
    #[default]
    Fails,
    /// It makes the pipeline pass with warnings; of a manual job, the pipeline does not wait for it.
    Warns,
}

/// A job, or a trigger job with the pipeline that it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CiJob {
    /// Its number: the order in which GitLab made the jobs.
    pub id: u64,
    /// Its stage.
    pub stage: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: CiState,
    /// What its failure means.
    pub on_failure: OnFailure,
    /// Why it failed, in GitLab's one word: `script_failure`.
    pub failure_reason: Option<String>,
    /// How long it ran, in seconds.
    pub seconds: Option<u64>,
    /// Its page.
    pub url: String,
    /// When it last changed, as far as GitLab tells.
    pub changed_at: Option<DateTime<Utc>>,
    /// The jobs of the pipeline that it started, where it started one that may be seen.
    pub downstream: Vec<Self>,
}

/// A pipeline with its jobs; jobs that were retried are not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiPipeline {
    /// Its number.
    pub id: PipelineId,
    /// Its page.
    pub url: String,
    /// The state that GitLab gives it.
    pub state: CiState,
    /// Whether any of it has ever run.
    pub begun: Begun,
    /// When it last changed.
    pub changed_at: Option<DateTime<Utc>>,
    /// Why there are no jobs: the CI configuration cannot be read.
    pub configuration_error: Option<String>,
    /// Its jobs and trigger jobs, in GitLab's order.
    pub jobs: Vec<CiJob>,
}

/// Whether any of a pipeline has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Something has, or is running.
    Yes,
    /// All of it still waits.
    No,
}

/// What dist-git's CI says of one source-git commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiResults {
    /// The source-git commit.
    pub commit: CommitId,
    /// The dist-git commit that was tested, or is to be.
    pub tested: CommitId,
    /// The newest pipeline for it, where there is one.
    pub pipeline: Option<CiPipeline>,
    /// Whether the dist-git merge request is open.
    pub merge_request: MergeRequestPhase,
}

/// Whether the dist-git merge request is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeRequestPhase {
    /// It is.
    Open,
    /// It was closed or merged: what has not begun to run may well never do so.
    Ended,
    /// It is, and holds a newer commit by now.
    MovedOn,
}

/// A state made of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompositeState {
    /// The state.
    pub state: CiState,
    /// Whether jobs failed whose failure is allowed.
    pub has_warnings: bool,
}

impl CiPipeline {
    /// Returns the jobs that count: all but those that report this very pipeline.
    pub fn counted(&self) -> impl Iterator<Item = &CiJob> {
        self.jobs.iter().filter(|job| job.name != REPORT_JOB)
    }

    /// Returns the state of the jobs that count. A pipeline without any has the state that GitLab gives it.
    pub fn composite(&self) -> CompositeState {
        let made = composite(self.counted().map(|job| (job.state, job.on_failure)));
        let mut made = made.unwrap_or(CompositeState { state: self.state, has_warnings: false });
        // Between two jobs everything may wait for a moment: for people, what has begun is running.
        if made.state == CiState::Pending && self.begun == Begun::Yes {
            made.state = CiState::Running;
        }
        made
    }

    /// Returns the state of the jobs that count, or running while they have ended and a pipeline that they started has
    /// not: a trigger job need not wait for that.
    pub fn state_with_downstream(&self) -> CiState {
        let state = self.composite().state;
        let mut downstream = self.counted().flat_map(|job| &job.downstream);
        let has_settled =
            |job: &CiJob| job.state.is_final() || (job.state, job.on_failure) == (CiState::Manual, OnFailure::Warns);
        if state.is_final() && !downstream.all(has_settled) { CiState::Running } else { state }
    }

    /// Returns when anything that counts last changed.
    pub fn as_of(&self) -> Option<DateTime<Utc>> {
        let downstream = self.counted().flat_map(|job| &job.downstream);
        let of_jobs = self.counted().chain(downstream).filter_map(|job| job.changed_at).max();
        // The pipeline itself changes with the job that reports it as well.
        of_jobs.or(self.changed_at)
    }
}

/// Returns the state that GitLab gives to several jobs together; nothing where there are none.
///
/// The rules and their order are those of GitLab's `Gitlab::Ci::WantedStatus::CompositeState`.
pub fn composite(jobs: impl IntoIterator<Item = (CiState, OnFailure)>) -> Option<CompositeState> {
    use CiState::{
        Canceled, Canceling, Created, Failed, Manual, Pending, Preparing, Running, Scheduled, Skipped, Success,
        WaitingForCallback, WaitingForResource,
    };
    let (mut states, mut has_warnings, mut has_ignored) = (Vec::new(), false, false);
    for (state, on_failure) in jobs {
        match (on_failure, state) {
            (OnFailure::Warns, Failed | Canceled) => has_warnings = true,
            (OnFailure::Warns, Manual) => has_ignored = true,
            // Its state says nothing, so it decides nothing unless everything else has ended.
            (_, CiState::Unknown) => states.push(Pending),
            (_, state) => states.push(state),
        }
    }
    if states.is_empty() && !has_warnings && !has_ignored {
        return None;
    }
    let only = |allowed: &[CiState]| states.iter().all(|state| allowed.contains(state));
    let any = |wanted: CiState| states.contains(&wanted);
    let state = if !has_warnings && only(&[Skipped]) {
        Skipped
    } else if only(&[Success, Skipped]) {
        Success
    } else if only(&[Created]) {
        Created
    } else if only(&[Preparing]) {
        Preparing
    } else if only(&[Canceled, Success, Skipped]) {
        Canceled
    } else if only(&[Pending, Created, Skipped]) {
        Pending
    } else if any(Running) || any(Pending) {
        Running
    } else {
        let waiting = [WaitingForResource, WaitingForCallback, Manual, Scheduled, Preparing];
        match waiting.into_iter().find(|state| any(*state)) {
            Some(state) => state,
            None if any(Created) => Running,
            None if any(Canceling) => Canceling,
            None => Failed,
        }
    };
    Some(CompositeState { state, has_warnings })
}

#[cfg(test)]
mod tests;
