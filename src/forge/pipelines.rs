//! Pipelines, their jobs and the pipelines that jobs start.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use gitlab::api::common::NameOrId;
use gitlab::api::endpoint_prelude::{Endpoint, Method};
use gitlab::api::projects::merge_requests::pipelines::MergeRequestPipelines;
use gitlab::api::projects::pipelines as api;
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, if_known, or_default};
use crate::forge::error::ForgeError;
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;
use crate::forge::user::User;
use crate::types::{CiState, CommitId, MergeRequestIid, PipelineId, ProjectId};

/// A pipeline, as lists and other things show it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Pipeline {
    /// Its number.
    pub id: PipelineId,
    /// The project that it runs in.
    pub project_id: ProjectId,
    /// The commit that it is for: of a merged-results pipeline, GitLab's own merge commit.
    pub sha: CommitId,
    /// What it is for: the name of a branch or tag, or `refs/merge-requests/7/head`.
    #[serde(rename = "ref", default, deserialize_with = "or_default")]
    pub reference: String,
    /// What started it: `merge_request_event`, `push`; `external` where commit statuses alone made it.
    #[serde(default, deserialize_with = "or_default")]
    pub source: String,
    /// Its state.
    #[serde(default)]
    pub status: CiState,
    /// When it was made.
    #[serde(default, deserialize_with = "if_known")]
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    #[serde(default, deserialize_with = "if_known")]
    pub updated_at: Option<DateTime<Utc>>,
    /// When its first job began; only where it was asked for by itself.
    #[serde(default, deserialize_with = "if_known")]
    pub started_at: Option<DateTime<Utc>>,
    /// What is wrong with its configuration; only where it was asked for by itself.
    #[serde(default)]
    pub yaml_errors: Option<String>,
    /// Its page.
    #[serde(default, deserialize_with = "or_default")]
    pub web_url: String,
}

impl Pipeline {
    /// Whether it tests what GitLab made by merging ("Merged results pipelines" in GitLab's documentation).
    pub fn is_of_merged_results(&self) -> bool {
        let is = |kind| self.reference.starts_with("refs/merge-requests/") && self.reference.ends_with(kind);
        is("/merge") || is("/train")
    }
}

/// A job, or a trigger job.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: u64,
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Its stage.
    #[serde(default, deserialize_with = "or_default")]
    pub stage: String,
    /// Its state.
    #[serde(default)]
    pub status: CiState,
    /// Whether its failure lets the pipeline pass.
    #[serde(default, deserialize_with = "or_default")]
    pub allow_failure: bool,
    /// Why it failed.
    #[serde(default)]
    pub failure_reason: Option<String>,
    /// How long it ran, in seconds.
    #[serde(default)]
    pub duration: Option<f64>,
    /// When it began.
    #[serde(default, deserialize_with = "if_known")]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(default, deserialize_with = "if_known")]
    pub finished_at: Option<DateTime<Utc>>,
    /// Its page.
    #[serde(default, deserialize_with = "or_default")]
    pub web_url: String,
    /// The pipeline that it started, where it is a trigger job and has.
    #[serde(default)]
    pub downstream_pipeline: Option<Pipeline>,
}

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

/// The trigger jobs of a pipeline.
struct Bridges {
    project: ProjectId,
    pipeline: PipelineId,
}

impl Endpoint for Bridges {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/pipelines/{}/bridges", self.project, self.pipeline).into()
    }
}

/// A merge request that gets a pipeline.
struct RunPipeline<'a> {
    project: ProjectRef<'a>,
    iid: MergeRequestIid,
}

impl Endpoint for RunPipeline<'_> {
    fn method(&self) -> Method {
        Method::POST
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/merge_requests/{}/pipelines", NameOrId::from(self.project), self.iid).into()
    }
}

impl Forge {
    /// Starts a pipeline for a merge request, as the button "Run pipeline" does. GitLab decides where it runs: in the
    /// target project where this user may run pipelines there, else in the source project. What it answers differs from
    /// version to version, so whoever wants to know the pipeline looks at [`Forge::merge_request_pipelines`].
    ///
    /// # Errors
    ///
    /// [`ForgeError::Refused`], [`ForgeError::Forbidden`] or [`ForgeError::NotFoundOrNoAccess`] where GitLab makes none,
    /// with its reason; [`ForgeError::MaybeDone`] where one may have been started.
    pub fn run_merge_request_pipeline<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        iid: MergeRequestIid,
    ) -> Result<(), ForgeError> {
        self.execute(&RunPipeline { project: project.into(), iid })
    }

    /// Returns a pipeline.
    pub fn pipeline<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        pipeline: PipelineId,
    ) -> Result<Pipeline, ForgeError> {
        self.query(&endpoint(api::Pipeline::builder().project(project.into()).pipeline(pipeline.0).build())?)
    }

    /// Returns the pipelines that a merge request shows, whatever project they run in: its own first, then those of its
    /// branch, each the newest first; read page by page.
    pub fn merge_request_pipelines<'a>(
        &'a self,
        project: impl Into<ProjectRef<'a>>,
        iid: MergeRequestIid,
    ) -> impl Iterator<Item = Result<Pipeline, ForgeError>> {
        self.list(endpoint(MergeRequestPipelines::builder().project(project.into()).merge_request(iid.0).build()))
    }

    /// Returns the jobs of a pipeline but for those that were retried, the newest first; read page by page.
    pub fn pipeline_jobs(
        &self,
        project: ProjectId,
        pipeline: PipelineId,
    ) -> impl Iterator<Item = Result<Job, ForgeError>> + use<'_> {
        self.list(endpoint(api::PipelineJobs::builder().project(project.0).pipeline(pipeline.0).build()))
    }

    /// Returns the trigger jobs of a pipeline, the newest first; read page by page.
    pub fn pipeline_bridges(
        &self,
        project: ProjectId,
        pipeline: PipelineId,
    ) -> impl Iterator<Item = Result<Job, ForgeError>> + use<'_> {
        self.list(Ok(Bridges { project, pipeline }))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_a_later_gitlab_is_read() {
        let json = r#"{"id": 6, "name": "build", "stage": "b", "status": "teleporting", "allow_failure": null,
            "duration": null, "started_at": "2026-03-04T05:06:07.000Z", "finished_at": "soon", "web_url": null,
            "downstream_pipeline": null, "new": {}}"#;
        let job: Job = serde_json::from_str(json).unwrap();
        assert_eq!((job.status, job.allow_failure), (CiState::Unknown, false));
        assert_eq!(job.started_at.unwrap().timestamp(), 1_772_600_767);
        assert_eq!(job.finished_at, None);
    }
}
