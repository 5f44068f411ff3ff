//! What people see of pipelines and external statuses on a merge request's page.

use super::request_id;
use crate::model::Model;
use crate::model::pipelines::{JobKind, Pipeline};
use crate::sandbox::Handle;

/// An external commit status as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownStatus {
    /// The pipeline it is in.
    pub pipeline: u64,
    /// The name.
    pub name: String,
    /// The state, by GitLab's name.
    pub state: String,
    /// The description, if any.
    pub description: Option<String>,
    /// The link, if any.
    pub target_url: Option<String>,
    /// The name of the user who set it.
    pub author: String,
}

/// A pipeline as the list on a merge request's page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownPipeline {
    /// The pipeline's id.
    pub id: u64,
    /// The full path of the project it runs in.
    pub project: String,
    /// The commit it runs for.
    pub sha: String,
    /// The ref as stored.
    pub reference: String,
    /// The state, by GitLab's name.
    pub status: String,
    /// What started it.
    pub source: String,
    /// The external statuses in it that no newer ones have taken the place of, oldest first.
    pub statuses: Vec<ShownStatus>,
}

fn statuses_in(model: &Model, pipeline: u64) -> Vec<ShownStatus> {
    let external = model.latest_jobs(pipeline).filter(|job| job.kind == JobKind::External);
    let shown = external.map(|job| ShownStatus {
        pipeline,
        name: job.name.clone(),
        state: job.status.name().to_owned(),
        description: job.description.clone(),
        target_url: job.target_url.clone(),
        author: model.username(job.user).to_owned(),
    });
    shown.collect()
}

fn shown(model: &Model, pipeline: &Pipeline) -> ShownPipeline {
    ShownPipeline {
        id: pipeline.id,
        project: model.projects.get(&pipeline.project).map(|project| model.path_of(project)).unwrap_or_default(),
        sha: pipeline.sha.clone(),
        reference: pipeline.reference.clone(),
        status: pipeline.status.name().to_owned(),
        source: pipeline.source.clone(),
        statuses: statuses_in(model, pipeline.id),
    }
}

impl Handle {
    /// The external statuses that a merge request's page shows with its head: those of the first of its pipelines that
    /// ran for its head, and none where there is no such pipeline.
    #[must_use]
    pub fn shown_statuses(&self, project: &str, iid: u64) -> Vec<ShownStatus> {
        let model = self.0.model();
        let id = request_id(&model, project, iid);
        let head = model.merge_requests.get(&id).and_then(|request| model.actual_head_pipeline(request));
        head.map(|pipeline| statuses_in(&model, pipeline.id)).unwrap_or_default()
    }

    /// The pipelines that a merge request's page lists, in its order, with the external statuses in each.
    #[must_use]
    pub fn pipelines_shown(&self, project: &str, iid: u64) -> Vec<ShownPipeline> {
        let model = self.0.model();
        let id = request_id(&model, project, iid);
        let listed = model.merge_requests.get(&id).map(|request| model.pipelines_of(request)).unwrap_or_default();
        listed.into_iter().map(|pipeline| shown(&model, pipeline)).collect()
    }
}
