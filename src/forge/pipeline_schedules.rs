//! Pipeline schedules of a project.

use chrono::{DateTime, Utc};
use gitlab::api::common::NameOrId;
use serde::Deserialize;

use crate::forge::request::RawRequest;
use crate::forge::{Forge, ProjectRef, User, if_known, or_default};
use crate::types::error::ForgeError;

/// A pipeline schedule.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PipelineSchedule {
    /// Its number.
    pub id: u64,
    /// What it is for, in its maker's words.
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    /// The branch or tag, by its name; newer GitLabs write `refs/heads/main`.
    #[serde(rename = "ref", default, deserialize_with = "or_default")]
    pub reference: String,
    /// When it runs, as crontab(5) writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub cron: String,
    /// The time zone of that.
    #[serde(default, deserialize_with = "or_default")]
    pub cron_timezone: String,
    /// Whether it runs at all.
    #[serde(default, deserialize_with = "or_default")]
    pub active: bool,
    /// When it runs next; GitLab is often late by minutes.
    #[serde(default, deserialize_with = "if_known")]
    pub next_run_at: Option<DateTime<Utc>>,
    /// Who its pipelines run as; nothing where that account is gone.
    #[serde(default)]
    pub owner: Option<User>,
}

impl PipelineSchedule {
    /// Returns the branch that it is for, without `refs/heads/`.
    pub fn branch(&self) -> &str {
        self.reference.strip_prefix("refs/heads/").unwrap_or(&self.reference)
    }
}

impl Forge {
    /// Returns the pipeline schedules of a project; read page by page.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] or [`ForgeError::Forbidden`] where this user may not see its pipelines.
    pub fn pipeline_schedules<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
    ) -> impl Iterator<Item = Result<PipelineSchedule, ForgeError>> {
        self.list(Ok(RawRequest::get(format!("projects/{}/pipeline_schedules", NameOrId::from(project.into())))))
    }
}
