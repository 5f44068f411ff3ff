//! Branches of a project.

use gitlab::api::common::NameOrId;
use gitlab::api::projects::repository::branches::{Branch as GetBranch, CreateBranch, DeleteBranch};
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, or_default};
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;
use crate::types::error::ForgeError;
use crate::types::{BranchName, CommitId, ProjectId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    pub tip: CommitId,
    /// The email address of the tip's committer.
    pub committer_email: String,
    /// Whether pushing requires more than the role Developer.
    pub is_protected: bool,
    /// Whether this user may push; `None` where GitLab does not say.
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
    /// Returns a branch; `None` where the project has no branch of that name.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where the project does not exist, or this user may not read its repository.
    pub fn branch(&self, project: ProjectId, name: &BranchName) -> Result<Option<Branch>, ForgeError> {
        let request = endpoint(GetBranch::builder().project(project.0).branch(name.as_str()).build())?;
        match self.query::<RawBranch>(&request) {
            Ok(raw) => Ok(Some(raw.into())),
            // Only GitLab's sentence distinguishes a missing branch from a missing project.
            Err(ForgeError::NotFoundOrNoAccess(failure)) if failure.message.contains("Branch Not Found") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Creates a branch at `from`: a branch, a tag or a commit.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Refused`] where the branch exists, or `from` does not; [`ForgeError::Forbidden`] where this user
    /// may not push.
    pub fn create_branch<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        name: &BranchName,
        from: &str,
    ) -> Result<Branch, ForgeError> {
        let builder = CreateBranch::builder().project(project.into()).branch(name.as_str()).ref_(from).build();
        self.query::<RawBranch>(&endpoint(builder)?).map(Branch::from)
    }

    /// Returns the names of a project's branches. Leaves out a name that is no valid [`BranchName`].
    pub fn branch_names<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
    ) -> impl Iterator<Item = Result<BranchName, ForgeError>> {
        #[derive(Deserialize)]
        struct RawBranchName {
            name: String,
        }
        let path = format!("projects/{}/repository/branches", NameOrId::from(project.into()));
        let branches = self.list::<RawBranchName, _>(Ok(RawRequest::get(path)));
        branches.filter_map(|branch| branch.map(|branch| branch.name.parse().ok()).transpose())
    }

    /// Deletes a branch. Succeeds where there is none.
    pub fn delete_branch(&self, project: ProjectId, name: &BranchName) -> Result<(), ForgeError> {
        match self.execute(&endpoint(DeleteBranch::builder().project(project.0).branch(name.as_str()).build())?) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(()),
            outcome => outcome,
        }
    }
}
