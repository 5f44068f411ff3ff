//! Commit statuses: listed, with CI jobs among them, and posted by external services.

use serde_json::{Value, json};

use super::{Context, segment, users};
use crate::clock::Moment;
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::Model;
use crate::model::access::Role;
use crate::model::ci_status::CiStatus;
use crate::model::pipelines::{Job, Pipeline};
use crate::model::statuses::{Post, StatusRefusal};

/// The states that may be posted.
const POSTED: [&str; 6] = ["pending", "running", "success", "failed", "canceled", "skipped"];

impl From<StatusRefusal> for Refusal {
    fn from(refusal: StatusRefusal) -> Self {
        match refusal {
            StatusRefusal::NotFound(what) => Self::not_found(what),
            StatusRefusal::Forbidden => Self::forbidden(),
            StatusRefusal::TooManyJobs => Self::Message(422, "The number of jobs has exceeded the limit".to_owned()),
            StatusRefusal::Invalid(field, text) => Self::field(400, field, &text),
            StatusRefusal::Transition(text) => Self::Message(400, text),
        }
    }
}

fn render(model: &Model, pipeline: &Pipeline, status: &Job) -> Value {
    json!({
        "id": status.id,
        "sha": pipeline.sha,
        "ref": pipeline.reference,
        "status": status.status.name(),
        "name": status.name,
        "target_url": status.target_url,
        "description": status.description,
        "created_at": status.created_at.iso(),
        "started_at": status.started_at.map(Moment::iso),
        "finished_at": status.finished_at.map(Moment::iso),
        "allow_failure": status.allow_failure,
        "coverage": status.coverage,
        "pipeline_id": pipeline.id,
        "author": users::basic(model, status.user),
    })
}

pub(super) fn list(context: &mut Context<'_>, path: &[&str]) -> Answer {
    context.user()?;
    let project = context.code(segment(path, 1))?;
    let (model, parameters, sha) = (&context.model, &context.parameters, segment(path, 4));
    project.repository.commit_id(sha).ok_or_else(|| Refusal::not_found("Commit"))?;
    let all = parameters.switch("all")?.unwrap_or(false);
    let (name, stage, reference) = (parameters.text("name"), parameters.text("stage"), parameters.text("ref"));
    let asked = parameters.number("pipeline_id")?;
    // GitLab compares with the commit as it stands in the path: a branch's name or a short id finds nothing.
    let pipelines = model.pipelines.values().filter(|pipeline| {
        pipeline.project == project.id
            && pipeline.sha == sha
            && pipeline.is_ci_source()
            && asked.is_none_or(|asked| pipeline.id == asked)
            && reference.as_ref().is_none_or(|reference| pipeline.reference == *reference)
    });
    let jobs = pipelines.flat_map(|pipeline| model.jobs_of(pipeline.id).map(move |job| (pipeline, job)));
    let wanted = jobs.filter(|(_, job)| {
        (all || !job.retried)
            && name.as_ref().is_none_or(|name| job.name == *name)
            && stage.as_ref().is_none_or(|stage| job.stage == *stage)
    });
    let mut found: Vec<(&Pipeline, &Job)> = wanted.collect();
    let by_pipeline = parameters.choice("order_by", &["id", "pipeline_id"])? == "pipeline_id";
    context.sort(&mut found, "asc", |(pipeline, job)| (if by_pipeline { pipeline.id } else { 0 }, job.id))?;
    context.page(&found, |(pipeline, job)| Some(render(context.model, pipeline, job)))
}

pub(super) fn post(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let user = context.user()?;
    let parameters = &context.parameters;
    let state = parameters.required("state")?;
    let state = POSTED.contains(&state.as_str()).then(|| CiStatus::from_name(&state)).flatten();
    let state = state.ok_or_else(|| Refusal::Parameter("state does not have a valid value".to_owned()))?;
    let coverage = parameters.text("coverage").map(|text| text.parse::<f64>());
    let post = Post {
        sha: segment(path, 3).to_owned(),
        state,
        reference: parameters.text("ref"),
        name: [parameters.text("name"), parameters.text("context")]
            .into_iter()
            .flatten()
            .next()
            .unwrap_or_else(|| "default".to_owned()),
        target_url: parameters.text("target_url"),
        description: parameters.text("description"),
        coverage: coverage.transpose().map_err(|_| Refusal::Parameter("coverage is invalid".to_owned()))?,
        pipeline: parameters.number("pipeline_id")?,
    };
    let project = context.project_as(segment(path, 1), Role::Developer)?.id;
    let id = context.model.post_status(user, project, post)?;
    let shown = context.model.jobs.get(&id).and_then(|status| {
        let pipeline = context.model.pipelines.get(&status.pipeline)?;
        Some(render(context.model, pipeline, status))
    });
    Ok(Reply::json(201, &shown.unwrap_or_default()))
}
