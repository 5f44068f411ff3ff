//! Groups and the namespaces of users: where projects can be.

use gitlab::api::common::NameOrId;
use serde::Deserialize;

use crate::forge::request::RawRequest;
use crate::forge::{Forge, ProjectSettings, if_known, or_default};
use crate::types::Visibility;
use crate::types::error::ForgeError;

/// What can hold projects.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GitlabNamespace {
    /// Its number; of a group, the group's.
    pub id: u64,
    /// Its path with those around it.
    pub full_path: String,
    /// What it is: `group` or `user`.
    #[serde(default, deserialize_with = "or_default")]
    pub kind: String,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Group {
    /// Its number.
    pub id: u64,
    /// Its path with those around it.
    pub full_path: String,
    /// Who may see it; projects in it can be no more visible. Nothing where GitLab does not say.
    #[serde(default, deserialize_with = "if_known")]
    pub visibility: Option<Visibility>,
    /// The group around it.
    #[serde(default)]
    pub parent_id: Option<u64>,
}

impl Forge {
    /// Returns a group or a user's namespace, by its full path.
    pub fn namespace(&self, path: &str) -> Result<GitlabNamespace, ForgeError> {
        self.query(&RawRequest::get(format!("namespaces/{}", NameOrId::from(path))))
    }

    /// Returns a group, by its full path.
    pub fn group(&self, path: &str) -> Result<Group, ForgeError> {
        // Without this GitLab lists up to 100 of its projects in the answer.
        self.query(&RawRequest::get(format!("groups/{}", NameOrId::from(path))).with("with_projects", "false"))
    }

    /// Returns the projects of a group and its subgroups with their settings, by number, those that are only shared with
    /// it left out; read page by page.
    ///
    /// This is the long form, of about 4 KiB a project: a page of 100 is 400 KiB. The short one (`simple`) lacks everything
    /// but names and addresses. Neither tells this user's role ([`ProjectSettings::access`]) nor what only Maintainers
    /// see: [`Forge::project_settings`] does.
    pub fn projects_of_group(&self, path: &str) -> impl Iterator<Item = Result<ProjectSettings, ForgeError>> + use<'_> {
        let request = RawRequest::get(format!("groups/{}/projects", NameOrId::from(path)))
            .with("include_subgroups", "true")
            .with("with_shared", "false")
            .with("order_by", "id")
            .with("sort", "asc");
        self.list(Ok(request))
    }
}
