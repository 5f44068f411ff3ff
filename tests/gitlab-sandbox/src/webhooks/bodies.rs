//! What webhooks say of an event: the fields of GitLab's documentation ("Webhook events") in the shape of recorded ones.

use serde_json::{Map, Value, json};

use crate::clock::Moment;
use crate::model::Model;
use crate::model::ci_status::CiStatus;
use crate::model::merge_requests::{MergeRequest, State};
use crate::model::notes::Note;
use crate::model::pipelines::{JobKind, Pipeline};
use crate::model::projects::{NamespaceKind, Project};
use crate::model::pushes::Moved;
use crate::repository::{Commit, NO_COMMIT};

/// How many commits a push hook lists.
const LISTED_COMMITS: usize = 20;

fn user(model: &Model, user: u64) -> Value {
    model.users.get(&user).map_or(Value::Null, |user| {
        json!({
            "id": user.id, "name": user.name, "username": user.username, "avatar_url": null, "email": "[REDACTED]",
        })
    })
}

fn web_url(model: &Model, project: &Project) -> String {
    format!("{}/{}", model.base_url, model.path_of(project))
}

fn ssh_url(model: &Model, project: &Project) -> String {
    let host = model.base_url.split("://").nth(1).and_then(|rest| rest.split([':', '/']).next()).unwrap_or_default();
    format!("git@{host}:{}.git", model.path_of(project))
}

/// `Project#hook_attrs`.
fn project(model: &Model, project: &Project) -> Value {
    let namespace = model.namespaces.get(&project.namespace).map(|namespace| match namespace.kind {
        NamespaceKind::User(owner) => model.users.get(&owner).map(|owner| owner.name.clone()).unwrap_or_default(),
        NamespaceKind::Group => namespace.path.rsplit('/').next().unwrap_or_default().to_owned(),
    });
    let (web, ssh) = (web_url(model, project), ssh_url(model, project));
    let http = format!("{web}.git");
    json!({
        "id": project.id,
        "name": project.name,
        "description": project.description,
        "web_url": web,
        "avatar_url": null,
        "git_ssh_url": ssh,
        "git_http_url": http,
        "namespace": namespace,
        "visibility_level": project.visibility as u64,
        "path_with_namespace": model.path_of(project),
        "default_branch": project.default_branch,
        "ci_config_path": project.settings.get("ci_config_path"),
        "homepage": web,
        "url": ssh,
        "ssh_url": ssh,
        "http_url": http,
    })
}

fn repository(model: &Model, project: &Project) -> Value {
    json!({
        "name": project.name,
        "url": ssh_url(model, project),
        "description": project.description,
        "homepage": web_url(model, project),
    })
}

fn commit(model: &Model, project: &Project, commit: &Commit) -> Value {
    json!({
        "id": commit.id,
        "message": commit.message,
        "title": commit.message.lines().next().unwrap_or_default(),
        "timestamp": commit.committer.2,
        "url": format!("{}/-/commit/{}", web_url(model, project), commit.id),
        "author": { "name": commit.author.0, "email": "[REDACTED]" },
    })
}

const fn state_id(state: State) -> u8 {
    match state {
        State::Opened => 1,
        State::Closed => 2,
        State::Merged => 3,
    }
}

/// A merge request as hooks about it, and about notes on it, have it.
fn merge_request_fields(model: &Model, request: &MergeRequest) -> Option<Map<String, Value>> {
    let target = model.projects.get(&request.target_project)?;
    let source = model.projects.get(&request.source_project);
    let head = request.head().and_then(|head| target.repository.commit(head));
    let detailed = match request.state {
        State::Closed | State::Merged => "not_open",
        State::Opened if request.is_draft() => "draft_status",
        State::Opened => "unchecked",
    };
    let fields = json!({
        "assignee_id": null,
        "assignee_ids": [],
        "author_id": request.author,
        "blocking_discussions_resolved": true,
        "created_at": request.created_at.utc(),
        "description": request.description,
        "detailed_merge_status": detailed,
        "draft": request.is_draft(),
        "first_contribution": false,
        "head_pipeline_id": request.head_pipeline,
        "id": request.id,
        "iid": request.iid,
        "labels": labels(request),
        "last_commit": head.map(|head| commit(model, source.unwrap_or(target), &head)),
        "last_edited_at": null,
        "last_edited_by_id": null,
        "merge_commit_sha": request.merge_commit,
        "merge_error": null,
        "merge_params": { "force_remove_source_branch": if request.remove_source_branch { "1" } else { "0" } },
        "merge_status": "unchecked",
        "merge_user_id": null,
        "merge_when_pipeline_succeeds": false,
        "milestone_id": null,
        "prepared_at": request.created_at.utc(),
        "reviewer_ids": [],
        "source": source.map(|source| project(model, source)),
        "source_branch": request.source_branch,
        "source_project_id": request.source_project,
        "state": request.state.name(),
        "state_id": state_id(request.state),
        "target": project(model, target),
        "target_branch": request.target_branch,
        "target_project_id": request.target_project,
        "time_estimate": 0,
        "title": request.title,
        "total_time_spent": 0,
        "updated_at": request.updated_at.utc(),
        "url": format!("{}/-/merge_requests/{}", web_url(model, target), request.iid),
        "work_in_progress": request.is_draft(),
    });
    fields.as_object().cloned()
}

fn labels(request: &MergeRequest) -> Vec<Value> {
    let labels = request.labels.iter().map(|name| {
        json!({
            "id": 1, "title": name, "color": "#428BCA", "project_id": request.target_project,
            "created_at": request.created_at.utc(), "updated_at": request.created_at.utc(), "template": false,
            "description": null, "type": "ProjectLabel", "group_id": null,
        })
    });
    labels.collect()
}

/// A Merge Request Hook; `changes` as `{"field": {"previous": …, "current": …}}`, and the head before where code changed.
pub(crate) fn merge_request(
    model: &Model,
    request: u64,
    by: u64,
    action: &str,
    changes: &Value,
    old_head: Option<&str>,
) -> Option<Value> {
    let request = model.merge_requests.get(&request)?;
    let target = model.projects.get(&request.target_project)?;
    let mut attributes = merge_request_fields(model, request)?;
    attributes.insert("action".to_owned(), json!(action));
    if let Some(old) = old_head {
        attributes.insert("oldrev".to_owned(), json!(old));
    }
    Some(json!({
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": user(model, by),
        "project": project(model, target),
        "object_attributes": attributes,
        "labels": labels(request),
        "changes": changes,
        "repository": repository(model, target),
        "assignees": [],
        "reviewers": [],
    }))
}

/// A Note Hook about a note on a merge request.
pub(crate) fn note(model: &Model, note: &Note, action: &str) -> Option<Value> {
    let request = model.merge_requests.get(&note.merge_request)?;
    let target = model.projects.get(&request.target_project)?;
    let url = format!("{}/-/merge_requests/{}#note_{}", web_url(model, target), request.iid, note.id);
    Some(json!({
        "object_kind": "note",
        "event_type": if note.internal { "confidential_note" } else { "note" },
        "user": user(model, note.author),
        "project_id": target.id,
        "project": project(model, target),
        "object_attributes": {
            "action": action,
            "attachment": null,
            "author_id": note.author,
            "change_position": null,
            "commit_id": null,
            "created_at": note.created_at.utc(),
            "description": note.body,
            "discussion_id": format!("{:040x}", note.id),
            "id": note.id,
            "internal": note.internal,
            "line_code": null,
            "note": note.body,
            "noteable_id": request.id,
            "noteable_type": "MergeRequest",
            "original_position": null,
            "position": null,
            "project_id": target.id,
            "resolved_at": null,
            "st_diff": null,
            "system": note.system,
            "type": null,
            "updated_at": note.updated_at.utc(),
            "url": url,
        },
        "repository": repository(model, target),
        "merge_request": merge_request_fields(model, request)?,
    }))
}

/// A Push Hook about one branch.
pub(crate) fn push(model: &Model, project_id: u64, by: u64, moved: &Moved) -> Option<Value> {
    let pushed = model.projects.get(&project_id)?;
    let account = model.users.get(&by)?;
    let (gone, new) = (moved.new == NO_COMMIT, moved.old == NO_COMMIT);
    let found = if gone || new { Vec::new() } else { pushed.repository.commits(&moved.old, &moved.new, usize::MAX) };
    let listed = found.iter().take(LISTED_COMMITS).rev().map(|found| {
        let mut shown = commit(model, pushed, found);
        if let Some(fields) = shown.as_object_mut() {
            fields.extend(["added", "modified", "removed"].map(|field| (field.to_owned(), json!([]))));
        }
        shown
    });
    Some(json!({
        "object_kind": "push",
        "event_name": "push",
        "before": moved.old,
        "after": moved.new,
        "ref": format!("refs/heads/{}", moved.name),
        "ref_protected": pushed.protection(&moved.name).is_some(),
        "checkout_sha": (!gone).then_some(&moved.new),
        "message": null,
        "user_id": account.id,
        "user_name": account.name,
        "user_username": account.username,
        "user_email": "",
        "user_avatar": null,
        "project_id": pushed.id,
        "project": project(model, pushed),
        "commits": listed.collect::<Vec<_>>(),
        "total_commits_count": found.len(),
        "push_options": {},
        "repository": {
            "name": pushed.name,
            "url": ssh_url(model, pushed),
            "description": pushed.description,
            "homepage": web_url(model, pushed),
            "git_http_url": format!("{}.git", web_url(model, pushed)),
            "git_ssh_url": ssh_url(model, pushed),
            "visibility_level": pushed.visibility as u64,
        },
    }))
}

fn utc(moment: Option<Moment>) -> Option<String> {
    moment.map(Moment::utc)
}

fn seconds(from: Option<Moment>, to: Option<Moment>) -> Option<u64> {
    Some(to?.0.saturating_sub(from?.0) / 1000)
}

/// The merge request of a pipeline, as its hook has it.
fn merge_request_of(model: &Model, pipeline: &Pipeline) -> Option<Value> {
    let request = model.merge_requests.get(&pipeline.merge_request?)?;
    let target = model.projects.get(&request.target_project)?;
    Some(json!({
        "id": request.id,
        "iid": request.iid,
        "title": request.title,
        "source_branch": request.source_branch,
        "source_project_id": request.source_project,
        "target_branch": request.target_branch,
        "target_project_id": request.target_project,
        "state": request.state.name(),
        "merge_status": "unchecked",
        "detailed_merge_status": "unchecked",
        "url": format!("{}/-/merge_requests/{}", web_url(model, target), request.iid),
    }))
}

/// What a pipeline was started with, a trigger's payload among it (`lib/gitlab/data_builder/pipeline.rb`).
fn variables(model: &Model, pipeline: u64) -> Vec<Value> {
    let started = model.triggered.iter().find(|started| started.pipeline == pipeline);
    let passed = started.into_iter().flat_map(|started| &started.variables);
    let mut shown: Vec<Value> = passed.map(|(key, value)| json!({ "key": key, "value": value })).collect();
    let payload = started.filter(|started| !started.payload.is_null()).map(|started| started.payload.to_string());
    shown.extend(payload.map(|payload| json!({ "key": "TRIGGER_PAYLOAD", "value": payload })));
    shown
}

/// A Pipeline Hook: of a merge request's, `ref` is the source branch; external statuses and bridges are not among `builds`.
pub(crate) fn pipeline(model: &Model, pipeline: u64) -> Option<Value> {
    let pipeline = model.pipelines.get(&pipeline)?;
    let within = model.projects.get(&pipeline.project)?;
    let request = pipeline.merge_request.and_then(|request| model.merge_requests.get(&request));
    let builds: Vec<_> = model.latest_jobs(pipeline.id).filter(|job| job.kind == JobKind::Build).collect();
    let mut stages: Vec<&str> = Vec::new();
    for build in &builds {
        if !stages.contains(&build.stage.as_str()) {
            stages.push(&build.stage);
        }
    }
    let warnings = model.composite_of(pipeline.id).is_some_and(|whole| whole.warnings);
    let detailed =
        if warnings && pipeline.status == CiStatus::Success { "passed with warnings" } else { pipeline.status.label() };
    let builds = builds.iter().map(|build| {
        json!({
            "id": build.id, "stage": build.stage, "name": build.name, "status": build.status.name(),
            "created_at": build.created_at.utc(), "started_at": utc(build.started_at),
            "finished_at": utc(build.finished_at), "duration": seconds(build.started_at, build.finished_at),
            "queued_duration": seconds(Some(build.created_at), build.started_at),
            "failure_reason": build.failure_reason, "when": "on_success", "manual": build.status == CiStatus::Manual,
            "allow_failure": build.allow_failure, "user": user(model, build.user), "runner": null,
            "artifacts_file": { "filename": null, "size": null }, "environment": null,
        })
    });
    Some(json!({
        "object_kind": "pipeline",
        "object_attributes": {
            "id": pipeline.id,
            "iid": pipeline.iid,
            "name": null,
            "ref": request.map_or(&pipeline.reference, |request| &request.source_branch),
            "tag": pipeline.tag,
            "sha": pipeline.sha,
            "before_sha": NO_COMMIT,
            "source": pipeline.source,
            "status": pipeline.status.name(),
            "detailed_status": detailed,
            "stages": stages,
            "created_at": pipeline.created_at.utc(),
            "finished_at": utc(pipeline.finished_at),
            "duration": seconds(pipeline.started_at, pipeline.finished_at),
            "queued_duration": seconds(Some(pipeline.created_at), pipeline.started_at),
            "protected_ref": within.protection(&pipeline.reference).is_some(),
            "variables": variables(model, pipeline.id),
            "url": format!("{}/-/pipelines/{}", web_url(model, within), pipeline.id),
        },
        "merge_request": merge_request_of(model, pipeline),
        "user": user(model, pipeline.user),
        "project": project(model, within),
        "commit": within.repository.commit(&pipeline.sha).map(|found| commit(model, within, &found)),
        "builds": builds.collect::<Vec<_>>(),
    }))
}
