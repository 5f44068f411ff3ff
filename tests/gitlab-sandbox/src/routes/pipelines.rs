//! Pipelines, their jobs and bridges, and those of merge requests.

use serde_json::{Value, json};

use super::{Context, repository, segment, users};
use crate::clock::Moment;
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::Model;
use crate::model::access::Role;
use crate::model::ci_status::{CiStatus, Composite};
use crate::model::merge_request_pipelines::NoPipeline;
use crate::model::pipelines::{EventType, Job, JobKind, Pipeline};
use crate::model::projects::Project;
use crate::model::triggers::PAYLOAD;
use crate::repository::NO_COMMIT;

fn path_of(model: &Model, project: u64) -> String {
    model.projects.get(&project).map(|project| model.path_of(project)).unwrap_or_default()
}

fn iso(moment: Option<Moment>) -> Option<String> {
    moment.map(Moment::iso)
}

/// The time between two moments in seconds, as jobs have it.
fn seconds(from: Option<Moment>, to: Option<Moment>) -> Option<f64> {
    let millis = to?.0.saturating_sub(from?.0);
    Some(f64::from(u32::try_from(millis).unwrap_or(u32::MAX)) / 1000.0)
}

/// The same in whole seconds, as pipelines have it.
fn whole_seconds(from: Option<Moment>, to: Option<Moment>) -> Option<u64> {
    Some(to?.0.saturating_sub(from?.0) / 1000)
}

/// The short form of a pipeline.
pub(super) fn basic(model: &Model, pipeline: &Pipeline) -> Value {
    json!({
        "id": pipeline.id,
        "iid": pipeline.iid,
        "project_id": pipeline.project,
        "sha": pipeline.sha,
        "ref": pipeline.reference,
        "status": pipeline.status.name(),
        "source": pipeline.source,
        "created_at": pipeline.created_at.iso(),
        "updated_at": pipeline.updated_at.iso(),
        "web_url": format!("{}/{}/-/pipelines/{}", model.base_url, path_of(model, pipeline.project), pipeline.id),
    })
}

/// A pipeline by itself.
pub(super) fn full(model: &Model, pipeline: &Pipeline) -> Value {
    let mut shown = basic(model, pipeline);
    let warnings =
        matches!(model.composite_of(pipeline.id), Some(Composite { status: CiStatus::Success, warnings: true }));
    let (text, label, group) = match pipeline.status {
        CiStatus::Success if warnings => ("Warning", "passed with warnings", "success-with-warnings"),
        status => (status.text(), status.label(), status.name()),
    };
    let details = format!("/{}/-/pipelines/{}", path_of(model, pipeline.project), pipeline.id);
    let before = if pipeline.merge_request.is_some() { Some(NO_COMMIT) } else { None };
    let more = json!({
        "before_sha": before.unwrap_or(&pipeline.sha),
        "tag": pipeline.tag,
        "yaml_errors": pipeline.yaml_errors,
        "user": users::basic(model, pipeline.user),
        "started_at": iso(pipeline.started_at),
        "finished_at": iso(pipeline.finished_at),
        "committed_at": null,
        "duration": whole_seconds(pipeline.started_at, pipeline.finished_at),
        "queued_duration": whole_seconds(Some(pipeline.created_at), pipeline.started_at),
        "coverage": null,
        "archived": false,
        "detailed_status": {
            "icon": format!("status_{}", if warnings { "warning" } else { pipeline.status.name() }),
            "text": text,
            "label": label,
            "group": group,
            "tooltip": label,
            "has_details": true,
            "details_path": details,
            "illustration": null,
            "favicon": format!("/assets/ci_favicons/favicon_status_{}.png", pipeline.status.name()),
        },
    });
    if let (Some(shown), Some(more)) = (shown.as_object_mut(), more.as_object()) {
        shown.extend(more.clone());
    }
    shown
}

/// A job, or a bridge with its downstream pipeline.
fn job(model: &Model, project: &Project, pipeline: &Pipeline, job: &Job) -> Value {
    let commit = project.repository.commit(&pipeline.sha);
    let mut shown = json!({
        "id": job.id,
        "status": job.status.name(),
        "stage": job.stage,
        "name": job.name,
        "ref": pipeline.reference,
        "tag": pipeline.tag,
        "coverage": job.coverage,
        "allow_failure": job.allow_failure,
        "created_at": job.created_at.iso(),
        "started_at": iso(job.started_at),
        "finished_at": iso(job.finished_at),
        "erased_at": null,
        "duration": seconds(job.started_at, job.finished_at),
        "queued_duration": seconds(Some(job.created_at), job.started_at),
        "user": users::basic(model, job.user),
        "commit": commit.map(|commit| repository::render_commit(model, project, &commit)),
        "pipeline": basic(model, pipeline),
        "web_url": format!("{}/{}/-/jobs/{}", model.base_url, model.path_of(project), job.id),
        "project": { "ci_job_token_scope_enabled": false },
    });
    let Some(fields) = shown.as_object_mut() else { return shown };
    if job.status == CiStatus::Failed {
        fields.insert("failure_reason".to_owned(), json!(job.failure_reason.as_deref().unwrap_or("unknown_failure")));
    }
    match job.kind {
        JobKind::Bridge { downstream, .. } => {
            let downstream = downstream.and_then(|id| model.pipelines.get(&id));
            fields.insert("downstream_pipeline".to_owned(), json!(downstream.map(|pipeline| basic(model, pipeline))));
        }
        JobKind::Build | JobKind::External => {
            let of_builds = json!({
                "artifacts": [], "artifacts_expire_at": null, "runner": null, "runner_manager": null, "tag_list": [],
                "archived": false,
            });
            fields.extend(of_builds.as_object().cloned().unwrap_or_default());
        }
    }
    shown
}

/// Like [`Context::project`], where pipelines are asked for.
fn project_with_builds<'a>(context: &'a Context<'_>, id: &str) -> Result<&'a Project, Refusal> {
    let project = context.project(id)?;
    if context.model.can_read_builds(context.caller.user, project) { Ok(project) } else { Err(Refusal::forbidden()) }
}

fn find<'a>(context: &'a Context<'_>, path: &[&str]) -> Result<(&'a Project, &'a Pipeline), Refusal> {
    let project = project_with_builds(context, segment(path, 1))?;
    let id = segment(path, 3).parse::<u64>();
    let id = id.map_err(|_| Refusal::Parameter("pipeline_id is invalid".to_owned()))?;
    let pipeline = context.model.pipelines.get(&id).filter(|pipeline| pipeline.project == project.id);
    Ok((project, pipeline.ok_or_else(|| Refusal::not_found(""))?))
}

pub(super) fn list(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = project_with_builds(context, segment(path, 1))?;
    let (model, parameters) = (&context.model, &context.parameters);
    let scope = parameters.choice("scope", &["", "running", "pending", "finished", "branches", "tags"])?;
    let status = parameters.text("status");
    if status.as_ref().is_some_and(|status| CiStatus::from_name(status).is_none()) {
        return Err(Refusal::Parameter("status does not have a valid value".to_owned()));
    }
    let (sha, reference) = (parameters.text("sha"), parameters.text("ref"));
    let (source, username) = (parameters.text("source"), parameters.text("username"));
    let yaml_errors = parameters.switch("yaml_errors")?;
    let (updated_after, updated_before) = (context.moment("updated_after")?, context.moment("updated_before")?);
    let (created_after, created_before) = (context.moment("created_after")?, context.moment("created_before")?);
    let wanted = |pipeline: &&Pipeline| {
        pipeline.project == project.id
            && (pipeline.is_ci_source() || source.as_deref() == Some("parent_pipeline"))
            && match scope {
                "running" | "pending" => pipeline.status.name() == scope,
                "finished" => pipeline.status.is_complete(),
                "branches" => project.branches.contains_key(&pipeline.reference),
                "tags" => pipeline.tag,
                _ => true,
            }
            && status.as_ref().is_none_or(|status| pipeline.status.name() == status)
            && sha.as_ref().is_none_or(|sha| pipeline.sha == *sha)
            && reference.as_ref().is_none_or(|reference| pipeline.reference == *reference)
            && source.as_ref().is_none_or(|source| pipeline.source == *source)
            && username.as_ref().is_none_or(|name| model.username(pipeline.user).eq_ignore_ascii_case(name))
            && yaml_errors.is_none_or(|errors| pipeline.yaml_errors.is_some() == errors)
            && updated_after.is_none_or(|after| pipeline.updated_at >= after)
            && updated_before.is_none_or(|before| pipeline.updated_at <= before)
            && created_after.is_none_or(|after| pipeline.created_at >= after)
            && created_before.is_none_or(|before| pipeline.created_at <= before)
    };
    let mut found: Vec<&Pipeline> = model.pipelines.values().filter(wanted).collect();
    let order = parameters.choice("order_by", &["id", "status", "ref", "updated_at", "user_id"])?;
    context.sort(&mut found, "desc", |pipeline| match order {
        "status" => (pipeline.status.name().to_owned(), 0, pipeline.id),
        "ref" => (pipeline.reference.clone(), 0, pipeline.id),
        "updated_at" => (String::new(), pipeline.updated_at.0, pipeline.id),
        "user_id" => (String::new(), pipeline.user, pipeline.id),
        _ => (String::new(), 0, pipeline.id),
    })?;
    context.page(&found, |pipeline| Some(basic(context.model, pipeline)))
}

pub(super) fn get(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let (_, pipeline) = find(context, path)?;
    Ok(Reply::json(200, &full(context.model, pipeline)))
}

/// The jobs wanted, oldest first, in the states that `scope` names.
fn jobs_page(context: &Context<'_>, path: &[&str], wanted: impl Fn(&Job) -> bool) -> Answer {
    let (project, pipeline) = find(context, path)?;
    let scope = context.parameters.list("scope").unwrap_or_default();
    if scope.iter().any(|name| CiStatus::from_name(name).is_none()) {
        return Err(Refusal::Parameter("scope does not have a valid value".to_owned()));
    }
    let in_scope = |job: &&Job| scope.is_empty() || scope.iter().any(|name| name == job.status.name());
    let jobs = context.model.jobs_of(pipeline.id).filter(|job| wanted(job));
    let jobs: Vec<&Job> = jobs.filter(in_scope).collect();
    context.page(&jobs, |found| Some(job(context.model, project, pipeline, found)))
}

pub(super) fn jobs(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let retried = context.parameters.switch("include_retried")?.unwrap_or(false);
    jobs_page(context, path, |job| job.kind == JobKind::Build && (retried || !job.retried))
}

pub(super) fn bridges(context: &mut Context<'_>, path: &[&str]) -> Answer {
    jobs_page(context, path, |job| matches!(job.kind, JobKind::Bridge { .. }) && !job.retried)
}

/// The variables that a pipeline was given: the payload of a trigger among them. Its user sees them, and Maintainers.
pub(super) fn variables(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let (user, (project, pipeline)) = (context.user()?, find(context, path)?);
    if pipeline.user != user && !context.model.has_role(user, project, Role::Maintainer) {
        return Err(Refusal::forbidden());
    }
    let shown = |key: &str, value: String, kind: &str| json!({ "variable_type": kind, "key": key, "value": value, "raw": false });
    let mut found = Vec::new();
    for started in context.model.triggered.iter().filter(|started| started.pipeline == pipeline.id) {
        let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
        found.extend(started.variables.iter().map(|(key, value)| shown(key, text(value), "env_var")));
        if !started.payload.is_null() {
            found.push(shown(PAYLOAD, started.payload.to_string(), "file"));
        }
    }
    context.page(&found, |variable| Some(variable.clone()))
}

pub(super) fn of_merge_request(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let request = context.merge_request(segment(path, 1), segment(path, 3))?;
    let pipelines = context.model.visible_pipelines_of(context.caller.user, request);
    context.page(&pipelines, |pipeline| Some(basic(context.model, pipeline)))
}

/// Starts a pipeline for a merge request, as the button "Run pipeline" does; it may be one more for the same head.
pub(super) fn create_for_merge_request(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let user = context.user()?;
    let later = context.parameters.switch("async")?.unwrap_or(false);
    let id = context.merge_request(segment(path, 1), segment(path, 3))?.id;
    let made = context.model.start_merge_request_pipeline(user, id, EventType::Detached);
    let pipeline = made.map_err(|refusal| match refusal {
        NoPipeline::NoCommits => Refusal::Message(405, "405 Method Not Allowed".to_owned()),
        NoPipeline::Refused(text) => Refusal::field(400, "base", &text),
    })?;
    context.model.add_usual_jobs(pipeline, id);
    if later {
        return Ok(Reply::empty(202));
    }
    let shown = context.model.pipelines.get(&pipeline).map(|pipeline| full(context.model, pipeline));
    Ok(Reply::json(200, &shown.unwrap_or_default()))
}
