//! Branches of a project.

use gitlab::api::common::NameOrId;
use gitlab::api::projects::repository::branches::{Branch as GetBranch, CreateBranch, DeleteBranch};
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, or_default};
use crate::forge::error::ForgeError;
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;
use crate::types::{BranchName, CommitId, ProjectId};

/// A branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The commit at its tip.
    pub tip: CommitId,
    /// The address of who committed it.
    pub committer_email: String,
    /// Whether pushing to it takes more than the role Developer.
    pub is_protected: bool,
    /// Whether this user may push to it; nothing where GitLab does not say.
    pub can_push: Option<bool>,
}

#[derive(Deserialize)]
struct RawBranch {
    commit: RawCommit,
    #[serde(default)]
    protected: bool,
    #[serde(default)]
    can_push: Option<bool>,
}

#[derive(Deserialize)]
struct RawCommit {
    id: CommitId,
    #[serde(default, deserialize_with = "or_default")]
    committer_email: String,
}

impl From<RawBranch> for Branch {
    fn from(raw: RawBranch) -> Self {
        Self {
            tip: raw.commit.id,
            committer_email: raw.commit.committer_email,
            is_protected: raw.protected,
            can_push: raw.can_push,
        }
    }
}

impl Forge {
    /// Returns a branch; nothing where the project has none of that name.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where there is no such project, or its repository may not be read.
    pub fn branch(&self, project: ProjectId, name: &BranchName) -> Result<Option<Branch>, ForgeError> {
        let request = endpoint(GetBranch::builder().project(project.0).branch(name.as_str()).build())?;
        match self.query::<RawBranch>(&request) {
            Ok(raw) => Ok(Some(raw.into())),
            // GitLab's sentence is all that tells a missing branch from a missing project.
            Err(ForgeError::NotFoundOrNoAccess(failure)) if failure.message.contains("Branch Not Found") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a branch where `from` is: a branch, a tag or a commit.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Refused`] where it is there already, or `from` is not; [`ForgeError::Forbidden`] where this user may
    /// not push.
    pub fn create_branch<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        name: &BranchName,
        from: &str,
    ) -> Result<Branch, ForgeError> {
        let builder = CreateBranch::builder().project(project.into()).branch(name.as_str()).ref_(from).build();
        self.query::<RawBranch>(&endpoint(builder)?).map(Branch::from)
    }

    /// Returns the names of a project's branches; read page by page. Names that no bot can handle are left out.
    pub fn branch_names<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
    ) -> impl Iterator<Item = Result<BranchName, ForgeError>> {
        #[derive(Deserialize)]
        struct Named {
            name: String,
        }
        let path = format!("projects/{}/repository/branches", NameOrId::from(project.into()));
        let named = self.list::<Named, _>(Ok(RawRequest::get(path)));
        named.filter_map(|named| named.map(|named| named.name.parse().ok()).transpose())
    }

    /// Removes a branch. One that is not there is no error.
    pub fn delete_branch(&self, project: ProjectId, name: &BranchName) -> Result<(), ForgeError> {
        match self.execute(&endpoint(DeleteBranch::builder().project(project.0).branch(name.as_str()).build())?) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(()),
            outcome => outcome,
        }
    }
}
