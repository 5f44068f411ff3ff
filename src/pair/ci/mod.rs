//! The results of dist-git's CI for a commit: pipelines, jobs, their states, and the state of several jobs together.
//!
//! Names of jobs and stages may be hostile. Whoever shows one must make it harmless for its place.

use chrono::{DateTime, Utc};

use crate::types::{CiState, CommitId, PipelineId};

/// The job of `ci-templates/dist-git.yml` that reports its own pipeline. It is still running when it does so. The state
/// of the pipeline is therefore that of the other jobs.
pub const REPORT_JOB: &str = "source-git-bot: report";

/// Whether a job's failure makes its pipeline fail (`allow_failure` in the CI configuration).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    #[default]
    Fails,
    /// The pipeline passes with warnings. It does not wait for such a job if it is a manual one.
    Warns,
}

/// A job, or a trigger job and the pipeline that it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CiJob {
    /// GitLab numbers jobs in the order in which it creates them.
    pub id: u64,
    pub stage: String,
    pub name: String,
    pub state: CiState,
    pub on_failure: OnFailure,
    /// GitLab's word for why it failed, such as `script_failure`.
    pub failure_reason: Option<String>,
    /// How long it ran, in seconds.
    pub seconds: Option<u64>,
    /// The address of its page.
    pub url: String,
    /// When it last changed, if GitLab says.
    pub changed_at: Option<DateTime<Utc>>,
    /// The jobs of the pipeline that it started, if it started one that the bot may show.
    pub downstream: Vec<Self>,
}

/// A pipeline with its jobs, without those that were retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiPipeline {
    pub id: PipelineId,
    /// The address of its page.
    pub url: String,
    /// The state that GitLab gives it.
    pub state: CiState,
    pub begun: Begun,
    pub changed_at: Option<DateTime<Utc>>,
    /// Why there are no jobs: GitLab cannot read the CI configuration.
    pub configuration_error: Option<String>,
    /// Its jobs and trigger jobs, in GitLab's order.
    pub jobs: Vec<CiJob>,
}

/// Whether any job of a pipeline has started to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    Yes,
    No,
}

/// The results of dist-git's CI for one source-git commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiResults {
    /// The source-git commit.
    pub commit: CommitId,
    /// The dist-git commit that CI tested, or will test.
    pub tested: CommitId,
    /// The newest pipeline for it, if there is one.
    pub pipeline: Option<CiPipeline>,
    pub merge_request: MergeRequestPhase,
}

/// Whether the dist-git merge request is open and still about the tested commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeRequestPhase {
    Open,
    /// It was closed or merged. Jobs that have not started may never start.
    Ended,
    /// It is open, but holds a newer commit by now.
    MovedOn,
}

/// The state of several jobs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompositeState {
    pub state: CiState,
    /// Whether jobs failed that are allowed to fail.
    pub has_warnings: bool,
}

impl CiPipeline {
    /// Returns the jobs that count: all except those that report this very pipeline.
    pub fn counted(&self) -> impl Iterator<Item = &CiJob> {
        self.jobs.iter().filter(|job| job.name != REPORT_JOB)
    }

    /// Returns the state of the jobs that count. A pipeline without such jobs has the state that GitLab gives it.
    pub fn composite(&self) -> CompositeState {
        let of_jobs = composite(self.counted().map(|job| (job.state, job.on_failure)));
        let mut composite = of_jobs.unwrap_or(CompositeState { state: self.state, has_warnings: false });
        // Between two jobs, all remaining ones may be pending for a moment. To people, a pipeline that has begun is
        // running.
        if composite.state == CiState::Pending && self.begun == Begun::Yes {
            composite.state = CiState::Running;
        }
        composite
    }

    /// Returns the state of the jobs that count. While these have ended but a pipeline that they started has not, that
    /// is running: a trigger job need not wait for its pipeline.
    pub fn state_with_downstream(&self) -> CiState {
        let state = self.composite().state;
        let mut downstream = self.counted().flat_map(|job| &job.downstream);
        let has_settled =
            |job: &CiJob| job.state.is_final() || (job.state, job.on_failure) == (CiState::Manual, OnFailure::Warns);
        if state.is_final() && !downstream.all(has_settled) { CiState::Running } else { state }
    }

    /// Returns when a job that counts last changed.
    pub fn as_of(&self) -> Option<DateTime<Utc>> {
        let downstream = self.counted().flat_map(|job| &job.downstream);
        let of_jobs = self.counted().chain(downstream).filter_map(|job| job.changed_at).max();
        // Not the pipeline's own time first: it changes with the job that reports it as well.
        of_jobs.or(self.changed_at)
    }
}

/// Returns the state that GitLab gives to several jobs together; `None` for no jobs.
///
/// The rules and their order are those of GitLab's `Gitlab::Ci::Status::Composite`.
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
            // An unknown state decides only if everything else has ended.
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
