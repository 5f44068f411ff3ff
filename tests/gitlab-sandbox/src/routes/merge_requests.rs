//! Merge requests: lists with their filters, one, new, changed, its commits and versions.

use serde_json::{Value, json};

use super::{Context, groups, pipelines, repository, segment, users};
use crate::clock::Moment;
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::Model;
use crate::model::access::Role;
use crate::model::merge_requests::{Change, MergeRequest, Objection, Proposal, State};

/// Whether a merge request is shown as GitLab shows it before its diff is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prepared {
    Yes,
    NotYet,
}

/// Whether GitLab tries the merge in order to tell: it does for one merge request, in lists it says what it knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MergeCheck {
    Now,
    AsKnown,
}

impl From<Objection> for Refusal {
    fn from(objection: Objection) -> Self {
        match objection {
            Objection::Forbidden => Self::forbidden(),
            Objection::Unprocessable(text) => Self::Messages(422, vec![text]),
            Objection::Conflict(text) => Self::Messages(409, vec![text]),
            Objection::Invalid(field, text) => Self::field(400, field, &text),
        }
    }
}

/// A merge request as lists show it.
fn basic(model: &Model, request: &MergeRequest, prepared: Prepared, check: MergeCheck) -> Value {
    let path = model.projects.get(&request.target_project).map(|project| model.path_of(project)).unwrap_or_default();
    let person = |event: Option<(Moment, u64)>| event.map_or(Value::Null, |(_, user)| users::basic(model, user));
    let conflict = if prepared == Prepared::Yes { conflict(model, request, check) } else { None };
    let (merge_status, detailed) = match (prepared, request.state) {
        (Prepared::NotYet, _) => ("checking", "preparing"),
        (_, State::Closed | State::Merged) => ("can_be_merged", "not_open"),
        (_, State::Opened) if conflict == Some(true) => ("cannot_be_merged", "conflict"),
        (_, State::Opened) if conflict.is_none() => ("unchecked", "unchecked"),
        (_, State::Opened) if request.is_draft() => ("can_be_merged", "draft_status"),
        (_, State::Opened) => ("can_be_merged", "mergeable"),
    };
    let notes = model.notes.values().filter(|note| note.merge_request == request.id && !note.system).count();
    json!({
        "id": request.id,
        "iid": request.iid,
        "project_id": request.target_project,
        "title": request.title,
        "description": request.description,
        "state": request.state.name(),
        "created_at": request.created_at.iso(),
        "updated_at": request.updated_at.iso(),
        "merged_by": person(request.merged),
        "merge_user": person(request.merged),
        "merged_at": request.merged.map(|(when, _)| when.iso()),
        "closed_by": person(request.closed),
        "closed_at": request.closed.map(|(when, _)| when.iso()),
        "target_branch": request.target_branch,
        "source_branch": request.source_branch,
        "user_notes_count": notes,
        "upvotes": 0,
        "downvotes": 0,
        "author": users::basic(model, request.author),
        "assignees": [],
        "assignee": null,
        "reviewers": [],
        "source_project_id": model.projects.contains_key(&request.source_project).then_some(request.source_project),
        "target_project_id": request.target_project,
        "labels": request.labels,
        "draft": request.is_draft(),
        "imported": false,
        "imported_from": "none",
        "work_in_progress": request.is_draft(),
        "milestone": null,
        "merge_when_pipeline_succeeds": false,
        "merge_status": merge_status,
        "detailed_merge_status": detailed,
        "merge_after": null,
        "sha": if prepared == Prepared::Yes { request.head() } else { None },
        "merge_commit_sha": request.merge_commit,
        "squash_commit_sha": null,
        "discussion_locked": null,
        "should_remove_source_branch": null,
        "force_remove_source_branch": request.remove_source_branch,
        "prepared_at": (prepared == Prepared::Yes).then(|| request.created_at.iso()),
        "allow_collaboration": request.allow_collaboration,
        "allow_maintainer_to_push": request.allow_collaboration,
        "reference": format!("!{}", request.iid),
        "references": {
            "short": format!("!{}", request.iid),
            "relative": format!("!{}", request.iid),
            "full": format!("{path}!{}", request.iid),
        },
        "web_url": format!("{}/{path}/-/merge_requests/{}", model.base_url, request.iid),
        "time_stats": {
            "time_estimate": 0, "total_time_spent": 0, "human_time_estimate": null, "human_total_time_spent": null,
        },
        "squash": request.squash,
        "squash_on_merge": request.squash,
        "task_completion_status": { "count": 0, "completed_count": 0 },
        "has_conflicts": conflict == Some(true),
        "blocking_discussions_resolved": true,
        "approvals_before_merge": null,
    })
}

/// A merge request by itself.
fn full(model: &Model, user: Option<u64>, request: &MergeRequest, prepared: Prepared) -> Value {
    let mut shown = basic(model, request, prepared, MergeCheck::Now);
    let version = request.versions.last();
    let ready = version.filter(|_| prepared == Prepared::Yes);
    let target = model.projects.get(&request.target_project);
    let readable = target.is_some_and(|target| model.can_read_builds(user, target));
    let kept = request.head_pipeline.filter(|_| ready.is_some() && readable);
    let head_pipeline = kept.and_then(|pipeline| model.pipelines.get(&pipeline));
    let more = json!({
        "subscribed": user == Some(request.author),
        "changes_count": ready.map(|_| "1"),
        "latest_build_started_at": null,
        "latest_build_finished_at": null,
        "first_deployed_to_production_at": null,
        "pipeline": head_pipeline.map(|pipeline| pipelines::basic(model, pipeline)),
        "head_pipeline": head_pipeline.map(|pipeline| pipelines::full(model, pipeline)),
        "diff_refs": {
            "base_sha": ready.map(|version| &version.base),
            "head_sha": ready.map(|version| &version.head),
            "start_sha": version.map(|version| &version.start),
        },
        "merge_error": null,
        "first_contribution": false,
        "user": { "can_merge": user.zip(target).is_some_and(|(user, target)| model.has_role(user, target, Role::Maintainer)) },
    });
    if let (Some(shown), Some(more)) = (shown.as_object_mut(), more.as_object()) {
        shown.extend(more.clone());
    }
    shown
}

/// Whether it conflicts with its target; nothing where that is not known.
fn conflict(model: &Model, request: &MergeRequest, check: MergeCheck) -> Option<bool> {
    let target = model.projects.get(&request.target_project)?;
    if request.state != State::Opened {
        return Some(false);
    }
    let (Some(head), Some(tip)) = (request.head(), target.branches.get(&request.target_branch)) else {
        return Some(true);
    };
    match check {
        MergeCheck::Now => Some(model.conflict(target, tip, head)),
        MergeCheck::AsKnown => model.known_conflict(tip, head),
    }
}

const fn prepared(request: &MergeRequest) -> Prepared {
    if request.unprepared_readings == 0 { Prepared::Yes } else { Prepared::NotYet }
}

pub(super) fn list_of_project(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.code(segment(path, 1))?.id;
    list(context, "all", |request| request.target_project == project)
}

pub(super) fn list_of_group(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let group = groups::find(context, segment(path, 1))?.id;
    let namespaces = groups::with_subgroups(context.model, group);
    let archived_too = !context.parameters.switch("non_archived")?.unwrap_or(true);
    let projects = context.model.projects.values().filter(|project| namespaces.contains(&project.namespace));
    let projects = projects.filter(|project| archived_too || !project.archived);
    let projects: Vec<u64> = projects.map(|project| project.id).collect();
    list(context, "all", |request| projects.contains(&request.target_project))
}

pub(super) fn list_of_all(context: &mut Context<'_>, _: &[&str]) -> Answer {
    list(context, "created_by_me", |_| true)
}

fn list(context: &Context<'_>, default_scope: &str, within: impl Fn(&MergeRequest) -> bool) -> Answer {
    let parameters = &context.parameters;
    parameters.accept(&["with_merge_status_recheck", "view"]);
    let moment = |name: &str| context.moment(name);
    let state = parameters.choice("state", &["all", "opened", "closed", "merged", "locked"])?;
    let scopes = if default_scope == "all" { ["all", "created_by_me"] } else { ["created_by_me", "all"] };
    let scope = parameters.choice("scope", &scopes)?;
    let me = if scope == "created_by_me" { Some(context.user()?) } else { None };
    let (source_branch, target_branch) = (parameters.text("source_branch"), parameters.text("target_branch"));
    let (author, author_name) = (parameters.number("author_id")?, parameters.text("author_username"));
    let source_project = parameters.number("source_project_id")?;
    let iids = parameters.list("iids");
    let labels = parameters.list("labels").unwrap_or_default();
    let search = parameters.text("search").map(|text| text.to_lowercase());
    let place = parameters.text("in").unwrap_or_else(|| "title,description".to_owned());
    let draft = parameters.switch("wip")?;
    let (updated_after, updated_before) = (moment("updated_after")?, moment("updated_before")?);
    let (created_after, created_before) = (moment("created_after")?, moment("created_before")?);
    let model = &context.model;
    let matches = |request: &&MergeRequest| {
        let project = model.projects.get(&request.target_project);
        let found_in = |text: &String| {
            (place.contains("title") && request.title.to_lowercase().contains(text))
                || (place.contains("description") && request.description.to_lowercase().contains(text))
        };
        within(request)
            && project.is_some_and(|project| model.can_read_code(context.caller.user, project))
            && (state == "all" || request.state.name() == state)
            && me.is_none_or(|me| request.author == me)
            && source_branch.as_ref().is_none_or(|branch| request.source_branch == *branch)
            && target_branch.as_ref().is_none_or(|branch| request.target_branch == *branch)
            && author.is_none_or(|author| request.author == author)
            && author_name.as_ref().is_none_or(|name| model.username(request.author).eq_ignore_ascii_case(name))
            && source_project.is_none_or(|project| request.source_project == project)
            && iids.as_ref().is_none_or(|iids| iids.contains(&request.iid.to_string()))
            && labels.iter().all(|label| match label.to_ascii_lowercase().as_str() {
                "none" => request.labels.is_empty(),
                "any" => !request.labels.is_empty(),
                _ => request.labels.contains(label),
            })
            && search.as_ref().is_none_or(found_in)
            && draft.is_none_or(|draft| request.is_draft() == draft)
            && updated_after.is_none_or(|after| request.updated_at >= after)
            && updated_before.is_none_or(|before| request.updated_at <= before)
            && created_after.is_none_or(|after| request.created_at >= after)
            && created_before.is_none_or(|before| request.created_at <= before)
    };
    let mut found: Vec<&MergeRequest> = model.merge_requests.values().filter(matches).collect();
    let order = parameters.choice("order_by", &["created_at", "updated_at", "merged_at", "title"])?;
    context.sort(&mut found, "desc", |request| match order {
        "updated_at" => (String::new(), request.updated_at, request.id),
        "merged_at" => (String::new(), request.merged.map_or(Moment(0), |(when, _)| when), request.id),
        "title" => (request.title.clone(), Moment(0), request.id),
        _ => (String::new(), request.created_at, request.id),
    })?;
    let details = parameters.switch("with_labels_details")?.unwrap_or(false);
    context.page(&found, |request| {
        let mut shown = basic(context.model, request, prepared(request), MergeCheck::AsKnown);
        if let Some(shown) = shown.as_object_mut().filter(|_| details) {
            let labels: Vec<Value> = request.labels.iter().map(|label| json!({ "name": label })).collect();
            shown.insert("labels".to_owned(), Value::Array(labels));
        }
        Some(shown)
    })
}

pub(super) fn get(context: &mut Context<'_>, path: &[&str]) -> Answer {
    context.parameters.accept(&["include_diverged_commits_count", "include_rebase_in_progress", "render_html"]);
    let request = context.merge_request(segment(path, 1), segment(path, 3))?;
    let (id, shown) = (request.id, full(context.model, context.caller.user, request, prepared(request)));
    if let Some(request) = context.model.merge_requests.get_mut(&id) {
        request.unprepared_readings = request.unprepared_readings.saturating_sub(1);
    }
    Ok(Reply::json(200, &shown))
}

/// Called on the *source* project, with the target in a parameter.
pub(super) fn create(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let user = context.user()?;
    let source = context.project(segment(path, 1))?.id;
    let parameters = &context.parameters;
    parameters.accept(&["assignee_id", "assignee_ids", "reviewer_ids", "milestone_id", "allow_maintainer_to_push"]);
    let (title, source_branch) = (parameters.required("title")?, parameters.required("source_branch")?);
    let target_branch = parameters.required("target_branch")?;
    let target = parameters.number("target_project_id")?.unwrap_or(source);
    if !context.model.projects.contains_key(&target) {
        return Err(Refusal::not_found(""));
    }
    let proposal = Proposal {
        author: user,
        source_project: source,
        target_project: target,
        source_branch,
        target_branch,
        title,
        description: parameters.text("description").unwrap_or_default(),
        labels: parameters.list("labels").or_else(|| parameters.list("add_labels")).unwrap_or_default(),
        allow_collaboration: parameters.switch("allow_collaboration")?.unwrap_or(false),
        remove_source_branch: parameters.switch("remove_source_branch")?.unwrap_or(false),
        squash: parameters.switch("squash")?.unwrap_or(false),
    };
    let id = context.model.open_merge_request(proposal)?;
    let request = context.model.merge_requests.get(&id);
    let shown = request.map(|request| full(context.model, Some(user), request, Prepared::NotYet));
    Ok(Reply::json(201, &shown.unwrap_or_default()))
}

pub(super) fn update(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let user = context.user()?;
    let id = context.merge_request(segment(path, 1), segment(path, 3))?.id;
    let parameters = &context.parameters;
    let ignored = ["assignee_id", "assignee_ids", "reviewer_ids", "milestone_id", "discussion_locked"];
    let known = [
        "title",
        "description",
        "target_branch",
        "labels",
        "add_labels",
        "remove_labels",
        "state_event",
        "allow_collaboration",
        "remove_source_branch",
        "squash",
    ];
    if !known.iter().chain(&ignored).any(|name| parameters.has(name)) {
        let text = format!("{} are missing, at least one parameter must be provided", known.join(", "));
        return Err(Refusal::Parameter(text));
    }
    let event = parameters.text("state_event").unwrap_or_default();
    if !matches!(event.as_str(), "" | "close" | "reopen") {
        return Err(Refusal::Parameter("state_event does not have a valid value".to_owned()));
    }
    let change = Change {
        title: parameters.text("title"),
        description: parameters.text("description"),
        target_branch: parameters.text("target_branch"),
        labels: parameters.list("labels"),
        add_labels: parameters.list("add_labels").unwrap_or_default(),
        remove_labels: parameters.list("remove_labels").unwrap_or_default(),
        close: event == "close",
        reopen: event == "reopen",
        allow_collaboration: parameters.switch("allow_collaboration")?,
        remove_source_branch: parameters.switch("remove_source_branch")?,
        squash: parameters.switch("squash")?,
    };
    context.model.change_merge_request(user, id, change)?;
    let request = context.model.merge_requests.get(&id);
    let shown = request.map(|request| full(context.model, Some(user), request, prepared(request)));
    Ok(Reply::json(200, &shown.unwrap_or_default()))
}

pub(super) fn commits(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let request = context.merge_request(segment(path, 1), segment(path, 3))?;
    let project = context.code(segment(path, 1))?;
    let commits = request.versions.last();
    let commits = commits.map(|version| project.repository.commits(&version.base, &version.head, usize::MAX));
    let commits = commits.unwrap_or_default();
    context.page(&commits, |commit| Some(repository::render_commit(context.model, project, commit)))
}

pub(super) fn versions(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let request = context.merge_request(segment(path, 1), segment(path, 3))?;
    let versions: Vec<_> = request.versions.iter().rev().collect();
    context.page(&versions, |version| {
        Some(json!({
            "id": version.id,
            "head_commit_sha": version.head,
            "base_commit_sha": version.base,
            "start_commit_sha": version.start,
            "created_at": version.created_at.iso(),
            "merge_request_id": request.id,
            "state": "collected",
            "real_size": "1",
            "patch_id_sha": null,
        }))
    })
}
