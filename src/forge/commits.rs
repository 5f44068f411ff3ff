//! Commits of a project.

use std::borrow::Cow;

use gitlab::api::common::path_escaped;
use gitlab::api::endpoint_prelude::{Endpoint, Method, QueryParams};
use gitlab::api::projects::repository::commits::{Commit as GetCommit, CommitReferences, CommitRefsType};
use serde::Deserialize;

use crate::forge::client::{Forge, decode, endpoint, or_default};
use crate::forge::error::ForgeError;
use crate::forge::projects::ProjectRef;
use crate::types::{CommitId, ProjectId};

/// A commit of a merge request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Commit {
    /// Its name.
    pub id: CommitId,
    /// Its author's name.
    #[serde(default, deserialize_with = "or_default")]
    pub author_name: String,
    /// Its author's address.
    #[serde(default, deserialize_with = "or_default")]
    pub author_email: String,
    /// The address of who committed it.
    #[serde(default, deserialize_with = "or_default")]
    pub committer_email: String,
    /// Its message.
    #[serde(default, deserialize_with = "or_default")]
    pub message: String,
    /// Its parents.
    #[serde(default, deserialize_with = "or_default")]
    pub parent_ids: Vec<CommitId>,
}

/// One item of GitLab's list.
#[derive(Deserialize)]
struct RawRef {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
}

/// Whether a file is there: GitLab answers with its size and so on, and without its content.
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

    /// Returns a commit of a project.
    pub fn commit<'a>(&self, project: impl Into<ProjectRef<'a>>, commit: &CommitId) -> Result<Commit, ForgeError> {
        self.query(&endpoint(GetCommit::builder().project(project.into()).commit(commit.to_string()).build())?)
    }

    /// Whether a branch or a tag of the project contains a commit.
    ///
    /// That GitLab knows a commit means less: it shares objects between a project and its forks, and keeps those of
    /// merge requests. These are not listed (API documentation, "List all references a commit is pushed to").
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where there is no such project, or its repository may not be read.
    pub fn is_on_a_branch_or_tag(&self, project: ProjectId, commit: &CommitId) -> Result<bool, ForgeError> {
        let builder =
            CommitReferences::builder().project(project.0).sha(commit.to_string()).type_(CommitRefsType::All).build();
        match self.transport.send(&endpoint(builder)?, &[("per_page", 1)]) {
            Ok(answer) => {
                let found: Vec<RawRef> = decode(answer)?;
                Ok(found.iter().any(|found| matches!(found.kind.as_str(), "branch" | "tag")))
            }
            // GitLab's sentence is all that tells a missing commit from a missing project.
            Err(ForgeError::NotFoundOrNoAccess(failure)) if failure.message.contains("Commit Not Found") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the names of the branches that contain a commit; none where the project does not have it.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where there is no such project, or its repository may not be read.
    pub fn branches_with<'a>(
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
