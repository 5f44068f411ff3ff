//! Pipelines and commit statuses, as far as they are listed; the state machine comes when something posts them.

use super::Model;
use super::merge_requests::MergeRequest;
use crate::clock::Moment;

/// A pipeline.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The pipeline's id.
    pub id: u64,
    /// Its number in its project.
    pub iid: u64,
    /// The project it runs in.
    pub project: u64,
    /// The commit it runs for.
    pub sha: String,
    /// The branch, or `refs/merge-requests/N/head`.
    pub reference: String,
    /// The state, for example `running`.
    pub status: String,
    /// What started it, for example `merge_request_event`.
    pub source: String,
    /// The global id of the merge request it belongs to.
    pub merge_request: Option<u64>,
    /// When it was made.
    pub created_at: Moment,
}

/// A commit status, as an external service or a job sets it.
#[derive(Debug, Clone)]
pub struct CommitStatus {
    /// The status's id.
    pub id: u64,
    /// The project it was set in.
    pub project: u64,
    /// The pipeline it joined.
    pub pipeline: u64,
    /// The commit.
    pub sha: String,
    /// The ref.
    pub reference: String,
    /// The name.
    pub name: String,
    /// The state.
    pub status: String,
    /// The description, if any.
    pub description: Option<String>,
    /// The link, if any.
    pub target_url: Option<String>,
    /// Who set it.
    pub author: u64,
    /// When it was set.
    pub created_at: Moment,
}

impl Model {
    /// The pipelines that a merge request shows, newest first: its own, then those of its branch in the source project
    /// for one of its commits (GitLab's `pipelines_for_merge_request_finder.rb`).
    pub(crate) fn pipelines_of(&self, request: &MergeRequest) -> Vec<&Pipeline> {
        let commits: Vec<&str> = request.versions.iter().map(|version| version.head.as_str()).collect();
        let newest_first = || self.pipelines.values().rev();
        let own = newest_first().filter(|pipeline| pipeline.merge_request == Some(request.id));
        let branch = newest_first().filter(|pipeline| {
            pipeline.merge_request.is_none()
                && pipeline.project == request.source_project
                && pipeline.reference == request.source_branch
                && commits.contains(&pipeline.sha.as_str())
        });
        own.chain(branch).collect()
    }
}
