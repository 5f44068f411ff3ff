//! Runners: which of them can run a project's jobs.

use gitlab::api::common::NameOrId;
use serde::Deserialize;

use crate::forge::client::{Forge, or_default};
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;
use crate::types::error::ForgeError;

/// Which projects' jobs a runner runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunnerType {
    /// All projects of the installation.
    InstanceType,
    /// The projects of a group.
    GroupType,
    /// The projects that the runner is assigned to.
    ProjectType,
    /// A type of a newer GitLab.
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "RawRunner")]
pub struct Runner {
    pub id: u64,
    /// The owner's description.
    pub description: String,
    pub runner_type: RunnerType,
    /// Whether the runner accepts no new jobs.
    pub is_paused: bool,
    /// Whether the runner has contacted GitLab lately; `None` where it never has.
    pub is_online: Option<bool>,
    /// GitLab's word for the state: `online`, `offline`, `stale`, `never_contacted`, formerly `paused`.
    pub status: String,
    /// Whether all projects of the installation share the runner.
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
    /// Returns the runners that may run a project's jobs. They include the runners of its groups and of the
    /// installation that the project's settings allow (API documentation, "List all of a project's runners").
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is not a Maintainer of the project.
    pub fn runners_of_project<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
    ) -> impl Iterator<Item = Result<Runner, ForgeError>> {
        self.list(Ok(RawRequest::get(format!("projects/{}/runners", NameOrId::from(project.into())))))
    }
}
