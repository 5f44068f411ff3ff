//! Whose CI job tokens open a project.

use gitlab::api::common::NameOrId;
use serde::Deserialize;

use crate::forge::client::{Forge, or_default};
use crate::forge::error::ForgeError;
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;
use crate::types::{ProjectId, ProjectPath};

/// How far a project's doors are open to job tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct JobTokenScope {
    /// Whether only job tokens of the allowlist's projects and groups reach this project; else those of every project.
    pub inbound_enabled: bool,
    /// Whether this project's job tokens reach only a list of projects (a former setting); nothing where GitLab does not
    /// say.
    #[serde(default)]
    pub outbound_enabled: Option<bool>,
}

/// A project whose job tokens are let in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AllowedProject {
    /// Its number.
    pub id: ProjectId,
    /// Its path.
    #[serde(rename = "path_with_namespace")]
    pub path: ProjectPath,
}

/// A group: the job tokens of all projects in it and in its subgroups are let in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AllowedGroup {
    /// Its number.
    pub id: u64,
    /// Its own name, without the groups around it.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Its page, which ends in its full path.
    #[serde(default, deserialize_with = "or_default")]
    pub web_url: String,
}

fn path(project: ProjectRef<'_>, of: &str) -> String {
    format!("projects/{}/job_token_scope{of}", NameOrId::from(project))
}

impl Forge {
    /// Returns whether a project is closed to the job tokens of others (API documentation, "CI/CD job token scope API",
    /// and `API::Entities::ProjectJobTokenScope`).
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is no Maintainer of it.
    pub fn job_token_scope<'a>(&self, project: impl Into<ProjectRef<'a>>) -> Result<JobTokenScope, ForgeError> {
        self.query(&RawRequest::get(path(project.into(), "")))
    }

    /// Returns the projects whose job tokens are let in, the project itself among them; read page by page.
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

    /// Returns the groups whose projects' job tokens are let in; read page by page.
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
