//! Commit statuses: lists and posts them.

use std::borrow::Cow;

use gitlab::api::endpoint_prelude::{BodyError, Endpoint, FormParams, Method};
use gitlab::api::projects::repository::commits as api;
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, or_default};
use crate::forge::user::User;
use crate::types::error::ForgeError;
use crate::types::{CiState, CommitId, PipelineId, ProjectId};

/// A commit status: one that somebody posted, or that of a job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CommitStatus {
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(default)]
    pub status: CiState,
    /// The ref of the pipeline: the name of a branch or tag, or `refs/merge-requests/7/head`; empty where GitLab does
    /// not say.
    #[serde(rename = "ref", default, deserialize_with = "or_default")]
    pub reference: String,
    #[serde(default)]
    pub description: Option<String>,
    /// The address of the status's link.
    #[serde(default)]
    pub target_url: Option<String>,
    #[serde(default)]
    pub author: Option<User>,
    /// The pipeline that holds the status; older GitLabs do not say.
    #[serde(default)]
    pub pipeline_id: Option<PipelineId>,
}

/// A commit status to post.
#[derive(Clone, Copy, Debug)]
pub struct NewCommitStatus<'a> {
    pub commit: &'a CommitId,
    /// GitLab's word for the state.
    pub state: &'a str,
    /// At most 255 characters.
    pub name: &'a str,
    /// At most 255 characters.
    pub description: &'a str,
    /// The address of the link: at most 255 characters.
    pub target_url: Option<&'a str>,
    /// The pipeline that is to hold the status.
    pub pipeline: Option<PipelineId>,
    /// The branch whose pipeline is to hold the status.
    pub branch: Option<&'a str>,
}

/// The endpoint that posts a status. That of the crate `gitlab` limits texts in bytes, while GitLab counts characters.
struct PostStatus<'a> {
    project: ProjectId,
    new: NewCommitStatus<'a>,
}

impl Endpoint for PostStatus<'_> {
    fn method(&self) -> Method {
        Method::POST
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/statuses/{}", self.project, self.new.commit).into()
    }

    fn body(&self) -> Result<Option<(&'static str, Vec<u8>)>, BodyError> {
        let NewCommitStatus { commit: _, state, name, description, target_url, pipeline, branch } = self.new;
        let mut form = FormParams::default();
        form.push("state", state)
            .push("name", name)
            .push("description", description)
            .push_opt("target_url", target_url)
            .push_opt("pipeline_id", pipeline.map(|id| id.0))
            .push_opt("ref", branch);
        form.into_body()
    }
}

/// What GitLab did with a new commit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posting {
    Posted,
    /// The status already had this state or a later one: somebody else was faster.
    AlreadyThere,
}

impl Forge {
    /// Returns the statuses on a commit, oldest first: for each name and pipeline only the newest one.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where the project does not have the commit.
    pub fn commit_statuses(
        &self,
        project: ProjectId,
        commit: &CommitId,
    ) -> impl Iterator<Item = Result<CommitStatus, ForgeError>> + use<'_> {
        self.list(endpoint(api::CommitStatuses::builder().project(project.0).commit(commit.to_string()).build()))
    }

    /// Posts a commit status.
    ///
    /// Where the status already has that state or a later one, GitLab's state machine refuses the new state with 400
    /// `Cannot transition status …`.
    ///
    /// # Errors
    ///
    /// [`ForgeError::MaybeDone`] where GitLab may have posted it: check with [`Forge::commit_statuses`].
    pub fn post_commit_status(&self, project: ProjectId, new: NewCommitStatus<'_>) -> Result<Posting, ForgeError> {
        match self.execute(&PostStatus { project, new }) {
            Ok(()) => Ok(Posting::Posted),
            Err(ForgeError::Refused(failure)) if failure.message.contains("Cannot transition status") => {
                Ok(Posting::AlreadyThere)
            }
            Err(error) => Err(error),
        }
    }
}
