//! Commit statuses: what is there, and posting one.

use std::borrow::Cow;

use gitlab::api::endpoint_prelude::{BodyError, Endpoint, FormParams, Method};
use gitlab::api::projects::repository::commits as api;
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, or_default};
use crate::forge::error::ForgeError;
use crate::forge::user::User;
use crate::types::{CiState, CommitId, PipelineId, ProjectId};

/// A commit status, posted or a job's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CommitStatus {
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Its state.
    #[serde(default)]
    pub status: CiState,
    /// What its pipeline is for: the name of a branch or tag, or `refs/merge-requests/7/head`; empty where GitLab does not say.
    #[serde(rename = "ref", default, deserialize_with = "or_default")]
    pub reference: String,
    /// What people read beside it.
    #[serde(default)]
    pub description: Option<String>,
    /// Where its link leads.
    #[serde(default)]
    pub target_url: Option<String>,
    /// Who posted it.
    #[serde(default)]
    pub author: Option<User>,
    /// The pipeline that it is in; older GitLabs do not say.
    #[serde(default)]
    pub pipeline_id: Option<PipelineId>,
}

/// A commit status to be posted.
#[derive(Clone, Copy, Debug)]
pub struct NewCommitStatus<'a> {
    /// The commit.
    pub commit: &'a CommitId,
    /// The state: GitLab's word for it.
    pub state: &'a str,
    /// The name, of at most 255 characters.
    pub name: &'a str,
    /// The description, of at most 255 characters.
    pub description: &'a str,
    /// Where the link leads, of at most 255 characters.
    pub target_url: Option<&'a str>,
    /// The pipeline to put it into.
    pub pipeline: Option<PipelineId>,
    /// The branch whose pipeline to put it into.
    pub branch: Option<&'a str>,
}

/// Posting a status. The crate `gitlab` has this, with limits in bytes where GitLab's are in characters.
struct Create<'a> {
    project: ProjectId,
    new: NewCommitStatus<'a>,
}

impl Endpoint for Create<'_> {
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

/// What GitLab made of a commit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posting {
    /// It is there now.
    Posted,
    /// It was there already, in this state or a later one: somebody else was faster.
    AlreadyThere,
}

impl Forge {
    /// Returns the newest statuses of each name and pipeline on a commit, the oldest first; read page by page.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where the project does not hold the commit.
    pub fn commit_statuses(
        &self,
        project: ProjectId,
        commit: &CommitId,
    ) -> impl Iterator<Item = Result<CommitStatus, ForgeError>> + use<'_> {
        self.list(endpoint(api::CommitStatuses::builder().project(project.0).commit(commit.to_string()).build()))
    }

    /// Posts a commit status.
    ///
    /// GitLab refuses what its state machine does not allow with 400 `Cannot transition status …`: the status has that
    /// state or a later one.
    ///
    /// # Errors
    ///
    /// [`ForgeError::MaybeDone`] where it may have been posted: [`Forge::commit_statuses`] tells.
    pub fn post_commit_status(&self, project: ProjectId, new: NewCommitStatus<'_>) -> Result<Posting, ForgeError> {
        match self.execute(&Create { project, new }) {
            Ok(()) => Ok(Posting::Posted),
            Err(ForgeError::Refused(failure)) if failure.message.contains("Cannot transition status") => {
                Ok(Posting::AlreadyThere)
            }
            Err(error) => Err(error),
        }
    }
}
