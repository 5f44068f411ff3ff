//! Protected branches: who may push and merge to which.

use gitlab::api::common::NameOrId;
use serde::Deserialize;
use serde_json::json;

use crate::forge::client::{Forge, or_default};
use crate::forge::error::ForgeError;
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;
use crate::types::{AccessLevel, UserId};

/// A rule for the branches of a name or pattern. Where several fit a branch, the most permissive one counts ("Protected
/// branches" in GitLab's documentation).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ProtectedBranch {
    /// The name, or a pattern in which `*` stands for anything.
    pub name: String,
    /// Who may push.
    #[serde(rename = "push_access_levels", default, deserialize_with = "or_default")]
    pub push: Vec<BranchAccess>,
    /// Who may merge.
    #[serde(rename = "merge_access_levels", default, deserialize_with = "or_default")]
    pub merge: Vec<BranchAccess>,
    /// Whether those who may push may force-push.
    #[serde(default, deserialize_with = "or_default")]
    pub allow_force_push: bool,
}

/// One of those who have a right: everybody from a role on, or somebody in particular.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BranchAccess {
    /// From which role on; [`AccessLevel::NO_ONE`] for nobody. Of no meaning where somebody in particular is named.
    #[serde(default, deserialize_with = "or_default")]
    pub access_level: AccessLevel,
    /// This user.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// The members of this group.
    #[serde(default)]
    pub group_id: Option<u64>,
    /// Whoever holds this deploy key.
    #[serde(default)]
    pub deploy_key_id: Option<u64>,
}

impl BranchAccess {
    /// Returns from which role on everybody has the right; nothing where somebody in particular is named.
    pub fn role(&self) -> Option<AccessLevel> {
        let names_somebody = self.user_id.is_some() || self.group_id.is_some() || self.deploy_key_id.is_some();
        if names_somebody { None } else { Some(self.access_level) }
    }
}

/// A rule to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewProtection<'a> {
    /// The name of the branch, which need not exist, or a pattern in which `*` stands for anything.
    pub name: &'a str,
    /// From which role on one may push; [`AccessLevel::NO_ONE`] for nobody.
    pub push: AccessLevel,
    /// From which role on one may merge; [`AccessLevel::NO_ONE`] for nobody.
    pub merge: AccessLevel,
    /// Whether those who may push may force-push.
    pub allow_force_push: bool,
}

fn path(project: ProjectRef<'_>) -> String {
    format!("projects/{}/protected_branches", NameOrId::from(project))
}

impl Forge {
    /// Returns the rules for a project's branches; read page by page (API documentation, "Protected branches API").
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is no Maintainer of it.
    pub fn protected_branches<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
    ) -> impl Iterator<Item = Result<ProtectedBranch, ForgeError>> {
        self.list(Ok(RawRequest::get(path(project.into()))))
    }

    /// Protects a branch, or all of a pattern.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Conflict`] where there is a rule of that name; [`ForgeError::Forbidden`] where the token's user is
    /// no Maintainer of the project.
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
