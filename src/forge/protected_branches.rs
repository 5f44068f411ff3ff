//! Protected branches: who may push to them, and who may merge into them.

use gitlab::api::common::NameOrId;
use serde::Deserialize;
use serde_json::json;

use crate::forge::client::{Forge, or_default};
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;
use crate::types::error::ForgeError;
use crate::types::{AccessLevel, UserId};

/// A rule for the branches that match a name or pattern. Where several rules match a branch, the most permissive one
/// applies ("Protected branches" in GitLab's documentation).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ProtectedBranch {
    /// A name, or a pattern in which `*` matches anything.
    pub name: String,
    #[serde(rename = "push_access_levels", default, deserialize_with = "or_default")]
    pub push: Vec<BranchAccess>,
    #[serde(rename = "merge_access_levels", default, deserialize_with = "or_default")]
    pub merge: Vec<BranchAccess>,
    /// Whether those who may push may also force-push.
    #[serde(default, deserialize_with = "or_default")]
    pub allow_force_push: bool,
}

/// Who has a right: everybody with at least some role, or a particular user, group or deploy key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BranchAccess {
    /// The lowest role with the right; [`AccessLevel::NO_ONE`] for nobody. Without meaning where a user, group or
    /// deploy key is set.
    #[serde(default, deserialize_with = "or_default")]
    pub access_level: AccessLevel,
    #[serde(default)]
    pub user_id: Option<UserId>,
    #[serde(default)]
    pub group_id: Option<u64>,
    #[serde(default)]
    pub deploy_key_id: Option<u64>,
}

impl BranchAccess {
    /// Returns the lowest role with the right; `None` where a user, group or deploy key has it.
    pub fn role(&self) -> Option<AccessLevel> {
        let is_particular = self.user_id.is_some() || self.group_id.is_some() || self.deploy_key_id.is_some();
        if is_particular { None } else { Some(self.access_level) }
    }
}

/// A rule to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewProtection<'a> {
    /// The name of a branch, which need not exist, or a pattern in which `*` matches anything.
    pub name: &'a str,
    /// The lowest role that may push; [`AccessLevel::NO_ONE`] for nobody.
    pub push: AccessLevel,
    /// The lowest role that may merge; [`AccessLevel::NO_ONE`] for nobody.
    pub merge: AccessLevel,
    /// Whether those who may push may also force-push.
    pub allow_force_push: bool,
}

fn path(project: ProjectRef<'_>) -> String {
    format!("projects/{}/protected_branches", NameOrId::from(project))
}

impl Forge {
    /// Returns the rules for a project's branches (API documentation, "Protected branches API").
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is not a Maintainer of the project.
    pub fn protected_branches<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
    ) -> impl Iterator<Item = Result<ProtectedBranch, ForgeError>> {
        self.list(Ok(RawRequest::get(path(project.into()))))
    }

    /// Protects a branch, or all branches that match a pattern.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Conflict`] where a rule of that name exists; [`ForgeError::Forbidden`] where the token's user is
    /// not a Maintainer of the project.
    pub fn protect_branch<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        new: &NewProtection<'_>,
    ) -> Result<ProtectedBranch, ForgeError> {
        let body = json!({
            "name": new.name,
            "push_access_level": new.push,
            "merge_access_level": new.merge,
            "allow_force_push": new.allow_force_push,
        });
        self.query(&RawRequest::post(path(project.into()), body))
    }
}
