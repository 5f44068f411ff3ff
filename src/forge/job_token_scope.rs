//! Which projects' CI job tokens have access to a project.

use gitlab::api::common::NameOrId;
use serde::Deserialize;

use crate::forge::client::{Forge, or_default};
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;
use crate::types::error::ForgeError;
use crate::types::{ProjectId, ProjectPath};

/// How a project limits access by job tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct JobTokenScope {
    /// Whether only job tokens of projects and groups on the allowlist have access; otherwise those of every project
    /// do.
    pub inbound_enabled: bool,
    /// Whether this project's own job tokens have access only to a list of projects (a former setting); `None` where
    /// GitLab does not say.
    #[serde(default)]
    pub outbound_enabled: Option<bool>,
}

/// A project whose job tokens have access.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AllowedProject {
    pub id: ProjectId,
    #[serde(rename = "path_with_namespace")]
    pub path: ProjectPath,
}

/// A group. The job tokens of all projects in it and its subgroups have access.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AllowedGroup {
    pub id: u64,
    /// The group's own name, without its parent groups.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The address of its page, which ends in its full path.
    #[serde(default, deserialize_with = "or_default")]
    pub web_url: String,
}

fn path(project: ProjectRef<'_>, list: &str) -> String {
    format!("projects/{}/job_token_scope{list}", NameOrId::from(project))
}

impl Forge {
    /// Returns how a project limits access by job tokens (API documentation, "CI/CD job token scope API", and
    /// `API::Entities::ProjectJobTokenScope`).
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is not a Maintainer of the project.
    pub fn job_token_scope<'a>(&self, project: impl Into<ProjectRef<'a>>) -> Result<JobTokenScope, ForgeError> {
        self.query(&RawRequest::get(path(project.into(), "")))
    }

    /// Returns the projects on the allowlist, including the project itself.
    ///
    /// # Errors
    ///
    /// As [`Forge::job_token_scope`].
    pub fn job_token_projects<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
    ) -> impl Iterator<Item = Result<AllowedProject, ForgeError>> {
        self.list(Ok(RawRequest::get(path(project.into(), "/allowlist"))))
    }

    /// Returns the groups on the allowlist.
    ///
    /// # Errors
    ///
    /// As [`Forge::job_token_scope`].
    pub fn job_token_groups<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
    ) -> impl Iterator<Item = Result<AllowedGroup, ForgeError>> {
        self.list(Ok(RawRequest::get(path(project.into(), "/groups_allowlist"))))
    }
}
