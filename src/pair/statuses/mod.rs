//! Commit statuses: dist-git's results, as the source-git merge request shows them.

mod posts;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::pair::ci::{CiJob, CiPipeline, CiResults, CompositeState, MergeRequestPhase, OnFailure, composite};
use crate::pair::fingerprint::Fingerprint;
use crate::pair::sanitize;
pub use crate::pair::statuses::posts::{StatusPost, may_be_accepted, to_end, to_post};
use crate::types::{CiState, CommitId, PipelineId, UserId};

/// The name of the status for the whole pipeline. The names of those for its jobs begin with it.
pub const NAME: &str = "dist-git";

/// GitLab's limit for name, description and address of a status, in characters.
const LIMIT: usize = 255;

/// The most jobs that get a status each. If there are more, each stage gets one.
const JOBS_LIMIT: usize = 50;

/// The most jobs that a description names.
const NAMED: usize = 3;

/// The text between the parts of a name.
const SEPARATOR: &str = " / ";

/// A state that a commit status can be posted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusState {
    Pending,
    Running,
    Success,
    Failed,
    Canceled,
    Skipped,
}

impl StatusState {
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    /// Returns the status state for a state of dist-git's CI.
    pub const fn of(state: CiState) -> Self {
        match state {
            CiState::Created
            | CiState::WaitingForResource
            | CiState::WaitingForCallback
            | CiState::Preparing
            | CiState::Pending
            | CiState::Manual
            | CiState::Scheduled
            | CiState::Unknown => Self::Pending,
            CiState::Running => Self::Running,
            CiState::Success => Self::Success,
            CiState::Failed => Self::Failed,
            CiState::Canceling | CiState::Canceled => Self::Canceled,
            CiState::Skipped => Self::Skipped,
        }
    }
}

/// A commit status that should be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WantedStatus {
    /// [`NAME`], or a name that begins with it.
    pub name: String,
    pub state: StatusState,
    /// The text that people read beside the name.
    pub description: String,
    /// The address of its link; `None` if GitLab would not accept the address.
    pub url: Option<String>,
}

/// A commit status that is there: the newest with its name in its pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedStatus {
    pub name: String,
    pub state: CiState,
    /// The text that people read beside the name.
    pub description: Option<String>,
    /// The address of its link.
    pub url: Option<String>,
    /// Who posted it.
    pub author: Option<UserId>,
    /// The pipeline that shows it.
    pub pipeline: Option<PipelineId>,
}

/// How many statuses show the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusDetail {
    /// One status for the pipeline.
    Pipeline,
    /// One for the pipeline, and one for each job.
    Jobs,
}

/// Where to post statuses for a source-git commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusPlace {
    /// In a pipeline of the source-git project.
    #[serde(rename = "pipeline")]
    Pipeline {
        id: PipelineId,
        /// The commit of the pipeline. For a merged-results pipeline that is GitLab's own merge commit.
        sha: CommitId,
    },
    /// On the commit, with the name of its branch. GitLab picks the branch's pipeline, or creates one.
    #[serde(rename = "branch")]
    Branch { name: String, sha: CommitId },
}

impl StatusPlace {
    /// Returns the commit that the statuses are posted on.
    pub const fn sha(&self) -> CommitId {
        match self {
            Self::Pipeline { sha, .. } | Self::Branch { sha, .. } => *sha,
        }
    }
}

/// Stands for the statuses that were posted, to find out whether there is anything new to post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusFingerprint(Fingerprint);

impl StatusFingerprint {
    pub fn of(statuses: &[WantedStatus]) -> Self {
        Self(Fingerprint::of(&serde_json::to_string(statuses).unwrap_or_default()))
    }
}

/// The statuses of a commit, as the bot's note remembers them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusesState {
    pub place: StatusPlace,
    /// The fingerprint of the statuses that were posted.
    #[serde(rename = "print")]
    pub fingerprint: StatusFingerprint,
    #[serde(rename = "taken", default, skip_serializing_if = "Acceptance::is_yes")]
    pub acceptance: Acceptance,
}

/// Whether GitLab accepted the bot's statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acceptance {
    #[default]
    Yes,
    /// All but some, whose names jobs of the pipeline already have. The bot tries no further names there.
    InPart,
    /// Only as many as there was room for. GitLab accepts no new ones, but lets open ones end.
    Full,
    /// None, because the bot may not post there. GitLab would refuse them again.
    No,
}

impl Acceptance {
    fn is_yes(&self) -> bool {
        *self == Self::Yes
    }
}

/// Returns the status of a commit that dist-git's CI has not begun to test. People will see the tests at `url`.
pub fn expected(url: &str) -> WantedStatus {
    status(NAME, StatusState::Pending, "waiting for dist-git's CI", url)
}

/// Returns the statuses that should show `results`, the one for the pipeline first. `merge_request` is the address of
/// the dist-git merge request, which the status links to while there is no pipeline.
pub fn wanted(results: &CiResults, detail: StatusDetail, merge_request: &str) -> Vec<WantedStatus> {
    let Some(pipeline) = &results.pipeline else {
        return match results.merge_request {
            MergeRequestPhase::Open => vec![expected(merge_request)],
            ended => vec![canceled(NAME, merge_request, ended)],
        };
    };
    let mut statuses = vec![of_pipeline(pipeline)];
    if detail == StatusDetail::Jobs {
        statuses.extend(of_jobs(pipeline));
    }
    if results.merge_request != MergeRequestPhase::Open {
        for status in statuses.iter_mut().filter(|status| !status.state.is_final()) {
            let url = status.url.take();
            *status = WantedStatus { url, ..canceled(&status.name, "", results.merge_request) };
        }
    }
    let mut names = BTreeSet::new();
    statuses.retain_mut(|status| {
        status.name = unique_name(&names, &status.name);
        names.insert(status.name.clone())
    });
    statuses
}

/// Returns the status of something that will not run any more.
fn canceled(name: &str, url: &str, merge_request: MergeRequestPhase) -> WantedStatus {
    let why = match merge_request {
        MergeRequestPhase::MovedOn => "a newer commit took its place",
        MergeRequestPhase::Open | MergeRequestPhase::Ended => "the dist-git merge request is not open any more",
    };
    status(name, StatusState::Canceled, why, url)
}

fn of_pipeline(pipeline: &CiPipeline) -> WantedStatus {
    let CompositeState { state, has_warnings } = pipeline.composite();
    let failed: Vec<_> = pipeline
        .counted()
        .filter(|job| (job.state, job.on_failure) == (CiState::Failed, OnFailure::Fails))
        .map(|job| plain_name(&job.name))
        .collect();
    let description = match (state, &failed[..]) {
        (CiState::Success, _) if has_warnings => "passed with warnings".to_owned(),
        (CiState::Failed, []) => match &pipeline.configuration_error {
            Some(_) => "failed: the CI configuration of dist-git cannot be used".to_owned(),
            None => "failed".to_owned(),
        },
        (CiState::Failed, names) => {
            let more = names.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let names: Vec<_> = names.iter().take(NAMED).map(|name| sanitize::cut(name, 60)).collect();
            format!("failed: {}{more}", names.join(", "))
        }
        _ => state.words().to_owned(),
    };
    status(NAME, StatusState::of(state), &description, &pipeline.url)
}

fn of_jobs(pipeline: &CiPipeline) -> Vec<WantedStatus> {
    let number = pipeline.counted().map(|job| 1 + job.downstream.len()).sum::<usize>();
    if number > JOBS_LIMIT {
        return of_stages(pipeline);
    }
    let mut statuses = Vec::new();
    for job in pipeline.counted() {
        let name = [NAME, &plain_name(&job.stage), &plain_name(&job.name)].join(SEPARATOR);
        for inner in &job.downstream {
            statuses.push(of_job(&[&name, &plain_name(&inner.name)[..]].join(SEPARATOR), inner));
        }
        statuses.push(of_job(&name, job));
    }
    statuses
}

fn of_job(name: &str, job: &CiJob) -> WantedStatus {
    let (state, description) = match (job.on_failure, job.state) {
        // As in dist-git: such a job makes nothing fail, and nothing waits for it.
        (OnFailure::Warns, CiState::Failed | CiState::Canceled) => {
            (StatusState::Success, format!("{}, but allowed to fail", end_words(job)))
        }
        (OnFailure::Warns, CiState::Manual) => (StatusState::Skipped, "optional, not started".to_owned()),
        (_, CiState::Failed) => (StatusState::Failed, end_words(job)),
        (_, state) => (StatusState::of(state), state.words().to_owned()),
    };
    status(name, state, &description, &job.url)
}

/// Returns a name on one line. GitLab shows the name of a status as plain text, in which nothing acts.
fn plain_name(name: &str) -> String {
    let name = sanitize::one_line(name);
    if name.is_empty() { "(unnamed)".to_owned() } else { name }
}

/// Returns the words for how a job ended, with GitLab's reason for a failure.
pub(super) fn end_words(job: &CiJob) -> String {
    match &job.failure_reason {
        Some(reason) if job.state == CiState::Failed => {
            format!("failed ({})", plain_name(&reason.replace('_', " ")))
        }
        _ => job.state.words().to_owned(),
    }
}

/// Returns one status for each stage, in the order of the stages.
fn of_stages(pipeline: &CiPipeline) -> Vec<WantedStatus> {
    let mut order = Vec::new();
    let mut stages: BTreeMap<&str, Vec<&CiJob>> = BTreeMap::new();
    for job in pipeline.counted() {
        let jobs = stages.entry(&job.stage).or_default();
        if jobs.is_empty() {
            order.push(job.stage.as_str());
        }
        jobs.push(job);
    }
    let statuses = order.into_iter().take(JOBS_LIMIT).filter_map(|stage| {
        let jobs = stages.get(stage)?;
        let CompositeState { state, has_warnings } = composite(jobs.iter().map(|job| (job.state, job.on_failure)))?;
        let bad = jobs.iter().filter(|job| job.state == CiState::Failed).count();
        let description = match (state, bad) {
            (CiState::Success, _) if has_warnings => format!("{} jobs passed, with warnings", jobs.len()),
            (CiState::Failed, bad) => format!("{bad} of {} jobs failed", jobs.len()),
            (state, _) => format!("{} jobs, {}", jobs.len(), state.words()),
        };
        let name = [NAME, &plain_name(stage)].join(SEPARATOR);
        Some(status(&name, StatusState::of(state), &description, &pipeline.url))
    });
    statuses.collect()
}

/// Returns a status within GitLab's limits.
fn status(name: &str, state: StatusState, description: &str, url: &str) -> WantedStatus {
    let fits = url.chars().count() <= LIMIT && (url.starts_with("https://") || url.starts_with("http://"));
    WantedStatus {
        name: sanitize::cut(name, LIMIT),
        state,
        description: sanitize::cut(description, LIMIT),
        url: fits.then(|| url.to_owned()),
    }
}

/// Returns `name`, or a similar one that is not among `names`. For GitLab, two statuses of one name are one status.
fn unique_name(names: &BTreeSet<String>, name: &str) -> String {
    let numbered = (2_u32..).map(|number| {
        let end = format!(" ({number})");
        sanitize::cut(name, LIMIT.saturating_sub(end.len())) + &end
    });
    let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
    candidates.find(|candidate| !names.contains(candidate)).unwrap_or_default()
}

/// Whether the bot posts statuses of this name.
pub fn is_ours(name: &str) -> bool {
    name.strip_prefix(NAME).is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATOR))
}

#[cfg(test)]
mod tests;
