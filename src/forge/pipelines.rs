//! Pipelines: their jobs, the pipelines that jobs start, and pipeline schedules.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use gitlab::api::common::NameOrId;
use gitlab::api::endpoint_prelude::{Endpoint, Method};
use gitlab::api::projects::merge_requests::pipelines::MergeRequestPipelines;
use gitlab::api::projects::pipelines as api;
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, if_known, or_default};
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;
use crate::forge::user::User;
use crate::types::error::ForgeError;
use crate::types::{CiState, CommitId, MergeRequestIid, PipelineId, ProjectId};

/// A pipeline, as GitLab shows it in lists and in other objects.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Pipeline {
    pub id: PipelineId,
    /// The project that the pipeline runs in.
    pub project_id: ProjectId,
    /// The commit that the pipeline tests: for merged results, GitLab's own merge commit.
    pub sha: CommitId,
    /// The name of a branch or tag, or `refs/merge-requests/7/head`.
    #[serde(rename = "ref", default, deserialize_with = "or_default")]
    pub reference: String,
    /// What started the pipeline: `merge_request_event`, `push`; `external` where only commit statuses made it.
    #[serde(default, deserialize_with = "or_default")]
    pub source: String,
    #[serde(default)]
    pub status: CiState,
    #[serde(default, deserialize_with = "if_known")]
    pub created_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "if_known")]
    pub updated_at: Option<DateTime<Utc>>,
    /// When the first job began. Only [`Forge::pipeline`] returns it.
    #[serde(default, deserialize_with = "if_known")]
    pub started_at: Option<DateTime<Utc>>,
    /// What is wrong with the pipeline's configuration. Only [`Forge::pipeline`] returns it.
    #[serde(default)]
    pub yaml_errors: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub web_url: String,
}

impl Pipeline {
    /// Whether the pipeline tests the result of a merge that GitLab made ("Merged results pipelines" in its
    /// documentation).
    pub fn is_of_merged_results(&self) -> bool {
        let is = |kind| self.reference.starts_with("refs/merge-requests/") && self.reference.ends_with(kind);
        is("/merge") || is("/train")
    }
}

/// A job, or a trigger job.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Job {
    pub id: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub stage: String,
    #[serde(default)]
    pub status: CiState,
    /// Whether the pipeline can pass although this job failed.
    #[serde(default, deserialize_with = "or_default")]
    pub allow_failure: bool,
    #[serde(default)]
    pub failure_reason: Option<String>,
    /// In seconds.
    #[serde(default)]
    pub duration: Option<f64>,
    #[serde(default, deserialize_with = "if_known")]
    pub started_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "if_known")]
    pub finished_at: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "or_default")]
    pub web_url: String,
    /// The pipeline that a trigger job started.
    #[serde(default)]
    pub downstream_pipeline: Option<Pipeline>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PipelineSchedule {
    pub id: u64,
    /// The creator's description.
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    /// The name of the branch or tag; newer GitLabs write `refs/heads/main`.
    #[serde(rename = "ref", default, deserialize_with = "or_default")]
    pub reference: String,
    /// In the format of crontab(5).
    #[serde(default, deserialize_with = "or_default")]
    pub cron: String,
    #[serde(default, deserialize_with = "or_default")]
    pub cron_timezone: String,
    #[serde(default, deserialize_with = "or_default")]
    pub active: bool,
    /// The time of the next run. GitLab is often late by minutes.
    #[serde(default, deserialize_with = "if_known")]
    pub next_run_at: Option<DateTime<Utc>>,
    /// The user that the pipelines run as; `None` where that account is gone.
    #[serde(default)]
    pub owner: Option<User>,
}

impl PipelineSchedule {
    /// Returns the branch without `refs/heads/`.
    pub fn branch(&self) -> &str {
        self.reference.strip_prefix("refs/heads/").unwrap_or(&self.reference)
    }
}

/// The endpoint of a pipeline's trigger jobs, which GitLab calls bridges.
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

/// The endpoint that starts a merge request's pipeline.
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
    /// Starts a pipeline for a merge request, like the button "Run pipeline". GitLab decides where it runs: in the
    /// target project where this user may run pipelines there, else in the source project. GitLab's answer differs from
    /// version to version: find the pipeline with [`Forge::merge_request_pipelines`].
    ///
    /// # Errors
    ///
    /// [`ForgeError::Refused`], [`ForgeError::Forbidden`] or [`ForgeError::NotFoundOrNoAccess`], with GitLab's reason,
    /// where it starts none; [`ForgeError::MaybeDone`] where it may have started one.
    pub fn run_merge_request_pipeline<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        iid: MergeRequestIid,
    ) -> Result<(), ForgeError> {
        self.execute(&RunPipeline { project: project.into(), iid })
    }

    pub fn pipeline<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        pipeline: PipelineId,
    ) -> Result<Pipeline, ForgeError> {
        self.query(&endpoint(api::Pipeline::builder().project(project.into()).pipeline(pipeline.0).build())?)
    }

    /// Returns the pipelines that a merge request shows, whatever project they run in: first those of the merge
    /// request, then those of its branch, each newest first.
    pub fn merge_request_pipelines<'a>(
        &'a self,
        project: impl Into<ProjectRef<'a>>,
        iid: MergeRequestIid,
    ) -> impl Iterator<Item = Result<Pipeline, ForgeError>> {
        self.list(endpoint(MergeRequestPipelines::builder().project(project.into()).merge_request(iid.0).build()))
    }

    /// Returns the jobs of a pipeline, newest first. Leaves out jobs that were retried.
    pub fn pipeline_jobs(
        &self,
        project: ProjectId,
        pipeline: PipelineId,
    ) -> impl Iterator<Item = Result<Job, ForgeError>> + use<'_> {
        self.list(endpoint(api::PipelineJobs::builder().project(project.0).pipeline(pipeline.0).build()))
    }

    /// Returns the trigger jobs of a pipeline, newest first.
    pub fn pipeline_bridges(
        &self,
        project: ProjectId,
        pipeline: PipelineId,
    ) -> impl Iterator<Item = Result<Job, ForgeError>> + use<'_> {
        self.list(Ok(Bridges { project, pipeline }))
    }

    /// Returns the pipeline schedules of a project.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] or [`ForgeError::Forbidden`] where this user may not see the project's
    /// pipelines.
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
    fn a_job_of_a_newer_gitlab_can_be_read() {
        let json = r#"{"id": 6, "name": "build", "stage": "b", "status": "teleporting", "allow_failure": null,
            "duration": null, "started_at": "2026-03-04T05:06:07.000Z", "finished_at": "soon", "web_url": null,
            "downstream_pipeline": null, "new": {}}"#;
        let job: Job = serde_json::from_str(json).unwrap();
        assert_eq!((job.status, job.allow_failure), (CiState::Unknown, false));
        assert_eq!(job.started_at.unwrap().timestamp(), 1_772_600_767);
        assert_eq!(job.finished_at, None);
    }
}
