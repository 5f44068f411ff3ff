//! Commit statuses: dist-git's results as the source-git merge request shows them, and which of them are to be posted.
//!
//! GitLab's rules for statuses (`CommitStatus`, `Ci::CreateCommitStatusService`) are part of the plan: what is there is
//! not posted again, and nothing is posted that GitLab would refuse.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::pair::ci::{CiJob, CiPipeline, CiResults, CompositeState, MergeRequestPhase, OnFailure, composite};
use crate::pair::fingerprint::Fingerprint;
use crate::pair::note::ci_results::Acceptance;
use crate::pair::sanitize;
use crate::types::{CiState, CommitId, PipelineId, UserId};

/// The name of the status for the whole pipeline; those for its jobs begin with it.
pub const NAME: &str = "dist-git";

/// GitLab's limits for name, description and address of a status, in characters.
const LIMIT: usize = 255;

/// How many jobs get a status of their own. Of more, each stage gets one.
const JOBS_LIMIT: usize = 50;

/// How many jobs a description names.
const NAMED: usize = 3;

/// What is between the parts of a name.
const SEPARATOR: &str = " / ";

/// The state of a commit status, as it can be posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusState {
    /// Waiting.
    Pending,
    /// Running.
    Running,
    /// Ended well.
    Success,
    /// Ended badly.
    Failed,
    /// Stopped.
    Canceled,
    /// Left out.
    Skipped,
}

impl StatusState {
    /// Whether it is an end.
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

/// A commit status as it should be, or as it is to be posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WantedStatus {
    /// Its name: [`NAME`], or one that begins with it.
    pub name: String,
    /// Its state.
    pub state: StatusState,
    /// What people read beside it.
    pub description: String,
    /// Where its link leads; nothing where GitLab would not take the address.
    pub url: Option<String>,
}

/// A commit status that is there: the newest of its name and pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedStatus {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: CiState,
    /// What people read beside it.
    pub description: Option<String>,
    /// Where its link leads.
    pub url: Option<String>,
    /// Who posted it.
    pub author: Option<UserId>,
    /// The pipeline that it is in.
    pub pipeline: Option<PipelineId>,
}

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusDetail {
    /// One status for the pipeline.
    Pipeline,
    /// One for the pipeline, and one for each job.
    Jobs,
}

/// Where statuses for a source-git commit are posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatusPlace {
    /// Into a pipeline of the source-git project.
    #[serde(rename = "pipeline")]
    Pipeline {
        /// Its number.
        id: PipelineId,
        /// The commit that it is for: of a merged-results pipeline, GitLab's own merge commit.
        sha: CommitId,
    },
    /// On the commit, by its branch: GitLab picks the branch's pipeline, or makes one.
    #[serde(rename = "branch")]
    Branch {
        /// The branch.
        name: String,
        /// The commit.
        sha: CommitId,
    },
}

impl StatusPlace {
    /// Returns the commit that the statuses are posted on.
    pub const fn sha(&self) -> CommitId {
        match self {
            Self::Pipeline { sha, .. } | Self::Branch { sha, .. } => *sha,
        }
    }
}

/// A stand-in for what was posted, to tell whether there is anything new to post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusFingerprint(Fingerprint);

impl StatusFingerprint {
    /// Returns the stand-in for these statuses.
    pub fn of(statuses: &[WantedStatus]) -> Self {
        Self(Fingerprint::of(&serde_json::to_string(statuses).unwrap_or_default()))
    }
}

/// Returns the status that says that dist-git's CI is to test a commit; `url` is where that will be seen.
pub fn expected(url: &str) -> WantedStatus {
    status(NAME, StatusState::Pending, "waiting for dist-git's CI", url)
}

/// Returns the statuses that `results` should show, that for the pipeline first. `merge_request` is the address of the
/// dist-git merge request, for as long as there is no pipeline.
pub fn wanted(results: &CiResults, detail: StatusDetail, merge_request: &str) -> Vec<WantedStatus> {
    let Some(pipeline) = &results.pipeline else {
        return match results.merge_request {
            MergeRequestPhase::Open => vec![expected(merge_request)],
            ended => vec![given_up(NAME, merge_request, ended)],
        };
    };
    let mut statuses = vec![of_pipeline(pipeline)];
    if detail == StatusDetail::Jobs {
        statuses.extend(of_jobs(pipeline));
    }
    if results.merge_request != MergeRequestPhase::Open {
        for status in statuses.iter_mut().filter(|status| !status.state.is_final()) {
            let url = status.url.take();
            *status = WantedStatus { url, ..given_up(&status.name, "", results.merge_request) };
        }
    }
    let mut names = BTreeSet::new();
    statuses.retain_mut(|status| {
        status.name = unlike(&names, &status.name);
        names.insert(status.name.clone())
    });
    statuses
}

/// The status of what will not run any more.
fn given_up(name: &str, url: &str, merge_request: MergeRequestPhase) -> WantedStatus {
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
        .map(|job| shown(&job.name))
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
        let name = [NAME, &shown(&job.stage), &shown(&job.name)].join(SEPARATOR);
        for inner in &job.downstream {
            statuses.push(of_job(&[&name, &shown(&inner.name)[..]].join(SEPARATOR), inner));
        }
        statuses.push(of_job(&name, job));
    }
    statuses
}

fn of_job(name: &str, job: &CiJob) -> WantedStatus {
    let (state, said) = match (job.on_failure, job.state) {
        // As in dist-git, such a job fails nothing and nothing waits for it.
        (OnFailure::Warns, CiState::Failed | CiState::Canceled) => {
            (StatusState::Success, format!("{}, but allowed to fail", failure(job)))
        }
        (OnFailure::Warns, CiState::Manual) => (StatusState::Skipped, "optional, not started".to_owned()),
        (_, CiState::Failed) => (StatusState::Failed, failure(job)),
        (_, state) => (StatusState::of(state), state.words().to_owned()),
    };
    status(name, state, &said, &job.url)
}

/// Returns a name on one line, as GitLab shows names of statuses: as plain text, in which nothing acts.
fn shown(name: &str) -> String {
    let name = sanitize::one_line(name);
    if name.is_empty() { "(unnamed)".to_owned() } else { name }
}

/// Returns how a job ended, with GitLab's reason for a failure.
pub(super) fn failure(job: &CiJob) -> String {
    match &job.failure_reason {
        Some(reason) if job.state == CiState::Failed => {
            format!("failed ({})", shown(&reason.replace('_', " ")))
        }
        _ => job.state.words().to_owned(),
    }
}

/// One status for each stage, in the order of the stages.
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
        let said = match (state, bad) {
            (CiState::Success, _) if has_warnings => format!("{} jobs passed, with warnings", jobs.len()),
            (CiState::Failed, bad) => format!("{bad} of {} jobs failed", jobs.len()),
            (state, _) => format!("{} jobs, {}", jobs.len(), state.words()),
        };
        let name = [NAME, &shown(stage)].join(SEPARATOR);
        Some(status(&name, StatusState::of(state), &said, &pipeline.url))
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

/// Returns `name`, or one like it that is not among `names`: GitLab would take two of one name for one status.
fn unlike(names: &BTreeSet<String>, name: &str) -> String {
    let numbered = (2_u32..).map(|number| {
        let end = format!(" ({number})");
        sanitize::cut(name, LIMIT.saturating_sub(end.len())) + &end
    });
    let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
    candidates.find(|candidate| !names.contains(candidate)).unwrap_or_default()
}

/// A status, and where to post it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StatusPost {
    /// Where.
    pub place: StatusPlace,
    /// What.
    pub status: WantedStatus,
}

/// Returns what is to be posted, in this order, so that the bot's statuses at `place` become those that are `wanted`.
///
/// `posted` are the newest statuses of each name and pipeline on the place's commit, anybody's. What the bot left open
/// there, or in another pipeline for the commit, is ended as soon as it is known how.
pub fn to_post(wanted: &[WantedStatus], posted: &[PostedStatus], place: &StatusPlace, bot: UserId) -> Vec<StatusPost> {
    let own = || posted.iter().filter(|there| there.author == Some(bot) && is_ours(&there.name));
    let is_here = |there: &&PostedStatus| match (place, there.pipeline) {
        (StatusPlace::Pipeline { id, .. }, Some(pipeline)) => pipeline == *id,
        (StatusPlace::Pipeline { .. }, None) | (StatusPlace::Branch { .. }, _) => true,
    };
    let here: BTreeMap<&str, &PostedStatus> = own().filter(is_here).map(|there| (there.name.as_str(), there)).collect();
    let mut post = Vec::new();
    for status in wanted {
        match here.get(status.name.as_str()) {
            Some(there) => post.extend(change(there, status)),
            None => post.push(status.clone()),
        }
    }
    let find = |name: &str| wanted.iter().find(|status| status.name == name);
    for (name, there) in &here {
        if find(name).is_none() && there.state != CiState::Skipped {
            post.extend(removal(there));
        }
    }
    let mut post: Vec<_> = post.into_iter().map(|status| StatusPost { place: place.clone(), status }).collect();
    for there in own().filter(|there| !is_here(there) && !StatusState::of(there.state).is_final()) {
        let ended = find(&there.name).filter(|status| status.state.is_final()).cloned();
        let ended = ended.or_else(|| find(&there.name).is_none().then(|| ended_early(there)));
        if let (Some(status), Some(id)) = (ended, there.pipeline) {
            // From running, GitLab takes a status to no such end.
            let status = if status.state == StatusState::Skipped { ended_early(there) } else { status };
            post.push(StatusPost { place: StatusPlace::Pipeline { id, sha: place.sha() }, status });
        }
    }
    post
}

/// Whether GitLab may take a post to a place where it refused others; `posted` are the statuses there.
pub fn may_be_taken(post: &StatusPost, acceptance: Acceptance, posted: &[PostedStatus], bot: UserId) -> bool {
    let is_here = |there: &PostedStatus| match (&post.place, there.pipeline) {
        (StatusPlace::Pipeline { id, .. }, Some(pipeline)) => pipeline == *id,
        _ => true,
    };
    let own = posted.iter().filter(|there| there.author == Some(bot) && there.name == post.status.name);
    let mut here = own.filter(|there| is_here(there)).map(|there| StatusState::of(there.state));
    match (acceptance, here.next()) {
        (Acceptance::Yes, _) | (Acceptance::InPart, Some(_)) => true,
        // Only a status that has not ended is changed; after an end, GitLab makes a new one.
        (Acceptance::Full, Some(StatusState::Pending)) => true,
        (Acceptance::Full, Some(StatusState::Running)) => post.status.state.is_final(),
        _ => false,
    }
}

/// Returns the posts that end what the bot left open at `place`, for a commit that dist-git does not hold any more.
pub fn to_end(posted: &[PostedStatus], place: &StatusPlace, bot: UserId) -> Vec<StatusPost> {
    let own = posted.iter().filter(|there| there.author == Some(bot) && is_ours(&there.name));
    let open = own.filter(|there| !StatusState::of(there.state).is_final());
    let post = |there: &PostedStatus| {
        let place = match there.pipeline {
            Some(id) => StatusPlace::Pipeline { id, sha: place.sha() },
            None => place.clone(),
        };
        StatusPost { place, status: ended_early(there) }
    };
    open.map(post).collect()
}

/// Returns the posts that take a status away which belongs to nothing any more: it cannot be deleted.
fn removal(there: &PostedStatus) -> Vec<WantedStatus> {
    let url = there.url.as_deref().unwrap_or_default();
    let said = "not part of dist-git's newest pipeline";
    let skipped = status(&there.name, StatusState::Skipped, said, url);
    // From running, GitLab takes a status to canceled alone; from any end, to anything.
    let first = (StatusState::of(there.state) == StatusState::Running).then(|| ended_early(there));
    first.into_iter().chain([skipped]).collect()
}

fn ended_early(there: &PostedStatus) -> WantedStatus {
    let url = there.url.as_deref().unwrap_or_default();
    status(&there.name, StatusState::Canceled, "ended before its time", url)
}

/// Whether a status of this name is one of those that the bot posts.
pub fn is_ours(name: &str) -> bool {
    name.strip_prefix(NAME).is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATOR))
}

/// Returns the posts that make `wanted` of what is there.
///
/// GitLab refuses pending after pending, and running, pending or skipped after running. What was running and now runs
/// elsewhere, or has not begun there, is another run: the old one is ended first, which hides it.
fn change(there: &PostedStatus, wanted: &WantedStatus) -> Vec<WantedStatus> {
    let same_run = there.url == wanted.url;
    let same_words = there.description.as_ref().is_none_or(|said| *said == wanted.description);
    match (StatusState::of(there.state), wanted.state) {
        (StatusState::Pending, StatusState::Pending) => Vec::new(),
        (StatusState::Running, StatusState::Running) if same_run => Vec::new(),
        (old, new) if old == new && same_run && same_words => Vec::new(),
        (StatusState::Running, StatusState::Pending | StatusState::Running | StatusState::Skipped) => {
            vec![ended_early(there), wanted.clone()]
        }
        _ => vec![wanted.clone()],
    }
}

#[cfg(test)]
mod tests;
