//! Commits of a project.

use std::borrow::Cow;

use gitlab::api::common::path_escaped;
use gitlab::api::endpoint_prelude::{Endpoint, Method, QueryParams};
use gitlab::api::projects::repository::commits::{Commit as GetCommit, CommitReferences, CommitRefsType};
use serde::Deserialize;

use crate::forge::client::{Forge, decode, endpoint, or_default};
use crate::forge::projects::ProjectRef;
use crate::types::error::ForgeError;
use crate::types::{CommitId, ProjectId};

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Commit {
    pub id: CommitId,
    #[serde(default, deserialize_with = "or_default")]
    pub author_name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub author_email: String,
    #[serde(default, deserialize_with = "or_default")]
    pub committer_email: String,
    #[serde(default, deserialize_with = "or_default")]
    pub message: String,
    #[serde(default, deserialize_with = "or_default")]
    pub parent_ids: Vec<CommitId>,
}

/// A branch or tag that contains a commit.
#[derive(Deserialize)]
struct RawRef {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
}

/// Asks whether a file exists: GitLab answers with metadata such as its size, without its content.
struct FileHead<'a> {
    project: ProjectId,
    path: &'a str,
    commit: &'a CommitId,
}

impl Endpoint for FileHead<'_> {
    fn method(&self) -> Method {
        Method::HEAD
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/repository/files/{}", self.project, path_escaped(self.path)).into()
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = QueryParams::default();
        parameters.push("ref", self.commit.to_string());
        parameters
    }
}

impl Forge {
    /// Whether a commit of a project has a file.
    pub fn has_file(&self, project: ProjectId, path: &str, commit: &CommitId) -> Result<bool, ForgeError> {
        match self.execute(&FileHead { project, path, commit }) {
            Ok(()) => Ok(true),
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub fn commit<'a>(&self, project: impl Into<ProjectRef<'a>>, commit: &CommitId) -> Result<Commit, ForgeError> {
        self.query(&endpoint(GetCommit::builder().project(project.into()).commit(commit.to_string()).build())?)
    }

    /// Whether a branch or a tag of the project contains a commit.
    ///
    /// It is not enough that GitLab knows the commit: GitLab shares objects between a project and its forks, and keeps
    /// those of merge requests. It does not list their refs here (API documentation, "List all references a commit is
    /// pushed to").
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where the project does not exist, or this user may not read its repository.
    pub fn is_on_a_branch_or_tag(&self, project: ProjectId, commit: &CommitId) -> Result<bool, ForgeError> {
        let builder =
            CommitReferences::builder().project(project.0).sha(commit.to_string()).type_(CommitRefsType::All).build();
        match self.transport.send(&endpoint(builder)?, &[("per_page", 1)]) {
            Ok(answer) => {
                let found: Vec<RawRef> = decode(answer)?;
                Ok(found.iter().any(|found| matches!(found.kind.as_str(), "branch" | "tag")))
            }
            // Only GitLab's sentence distinguishes a missing commit from a missing project.
            Err(ForgeError::NotFoundOrNoAccess(failure)) if failure.message.contains("Commit Not Found") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the names of the branches that contain a commit; empty where the project does not have the commit.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where the project does not exist, or this user may not read its repository.
    pub fn branches_containing<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        commit: &CommitId,
    ) -> Result<Vec<String>, ForgeError> {
        let mut request = CommitReferences::builder();
        request.project(project.into()).sha(commit.to_string()).type_(CommitRefsType::Branch);
        let request = endpoint(request.build())?;
        match self.list::<RawRef, _>(Ok(request)).collect::<Result<Vec<_>, _>>() {
            Ok(found) => Ok(found.into_iter().map(|found| found.name).collect()),
            Err(ForgeError::NotFoundOrNoAccess(failure)) if failure.message.contains("Commit Not Found") => {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }
}
