//! Pipelines and commit statuses: lists, for now.

use serde_json::{Value, json};

use super::{Context, segment, users};
use crate::http::reply::{Answer, Refusal};
use crate::model::Model;
use crate::model::pipelines::{CommitStatus, Pipeline};

/// The short form of a pipeline.
pub(super) fn basic(model: &Model, pipeline: &Pipeline) -> Value {
    let project = model.projects.get(&pipeline.project).map(|project| model.path_of(project)).unwrap_or_default();
    json!({
        "id": pipeline.id,
        "iid": pipeline.iid,
        "project_id": pipeline.project,
        "sha": pipeline.sha,
        "ref": pipeline.reference,
        "status": pipeline.status,
        "source": pipeline.source,
        "created_at": pipeline.created_at.iso(),
        "updated_at": pipeline.created_at.iso(),
        "web_url": format!("{}/{project}/-/pipelines/{}", model.base_url, pipeline.id),
    })
}

fn status(model: &Model, status: &CommitStatus) -> Value {
    let finished = !matches!(status.status.as_str(), "created" | "pending" | "running");
    json!({
        "id": status.id,
        "sha": status.sha,
        "ref": status.reference,
        "status": status.status,
        "name": status.name,
        "target_url": status.target_url,
        "description": status.description,
        "created_at": status.created_at.iso(),
        "started_at": null,
        "finished_at": finished.then(|| status.created_at.iso()),
        "allow_failure": false,
        "coverage": null,
        "pipeline_id": status.pipeline,
        "author": users::basic(model, status.author),
    })
}

pub(super) fn of_merge_request(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let request = context.merge_request(segment(path, 1), segment(path, 3))?;
    let pipelines = context.model.pipelines_of(request);
    context.page(&pipelines, |pipeline| Some(basic(context.model, pipeline)))
}

pub(super) fn statuses(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.code(segment(path, 1))?;
    let parameters = &context.parameters;
    parameters.accept(&["all", "stage"]);
    let sha = project.repository.commit_id(segment(path, 4)).ok_or_else(|| Refusal::not_found("Commit"))?;
    let (name, reference, pipeline) =
        (parameters.text("name"), parameters.text("ref"), parameters.number("pipeline_id")?);
    let statuses = context.model.statuses.values().filter(|status| {
        status.project == project.id
            && status.sha == sha
            && name.as_ref().is_none_or(|name| status.name == *name)
            && reference.as_ref().is_none_or(|reference| status.reference == *reference)
            && pipeline.is_none_or(|pipeline| status.pipeline == pipeline)
    });
    let mut statuses: Vec<&CommitStatus> = statuses.collect();
    let by_pipeline = parameters.choice("order_by", &["id", "pipeline_id"])? == "pipeline_id";
    context.sort(&mut statuses, "asc", |status| if by_pipeline { status.pipeline } else { status.id })?;
    context.page(&statuses, |found| Some(status(context.model, found)))
}
