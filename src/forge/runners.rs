//! Runners: which of them take a project's jobs.

use gitlab::api::common::NameOrId;
use serde::Deserialize;

use crate::forge::client::{Forge, or_default};
use crate::forge::error::ForgeError;
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;

/// Whose jobs a runner takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerType {
    /// All projects' of the installation.
    InstanceType,
    /// A group's.
    GroupType,
    /// Those of projects that it is assigned to.
    ProjectType,
    /// Something that GitLab has invented since.
    #[serde(other)]
    Unknown,
}

/// A runner.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "RawRunner")]
pub struct Runner {
    /// Its number.
    pub id: u64,
    /// What it is, in its owner's words.
    pub description: String,
    /// Whose jobs it takes.
    pub runner_type: RunnerType,
    /// Whether it takes no new jobs.
    pub is_paused: bool,
    /// Whether GitLab has heard of it lately; nothing where it never has.
    pub is_online: Option<bool>,
    /// GitLab's word for its state: `online`, `offline`, `stale`, `never_contacted`, formerly `paused`.
    pub status: String,
    /// Whether it is shared by the whole installation.
    pub is_shared: bool,
}

#[derive(Deserialize)]
struct RawRunner {
    id: u64,
    #[serde(default, deserialize_with = "or_default")]
    description: String,
    runner_type: RunnerType,
    #[serde(default)]
    paused: Option<bool>,
    #[serde(default)]
    active: Option<bool>,
    #[serde(default)]
    online: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    status: String,
    #[serde(default, deserialize_with = "or_default")]
    is_shared: bool,
}

impl From<RawRunner> for Runner {
    fn from(raw: RawRunner) -> Self {
        Self {
            id: raw.id,
            description: raw.description,
            runner_type: raw.runner_type,
            is_paused: raw.paused.or(raw.active.map(|active| !active)).unwrap_or_default(),
            is_online: raw.online,
            status: raw.status,
            is_shared: raw.is_shared,
        }
    }
}

impl Forge {
    /// Returns the runners that may take a project's jobs, those of its groups and of the installation included as far as
    /// the project's settings let them; read page by page (API documentation, "List all of a project's runners").
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is no Maintainer of it.
    pub fn runners_of_project<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
    ) -> impl Iterator<Item = Result<Runner, ForgeError>> {
        self.list(Ok(RawRequest::get(format!("projects/{}/runners", NameOrId::from(project.into())))))
    }
}
