//! Issues and notes on them.

use serde_json::{Value, json};

use super::{Context, segment, users};
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::Model;
use crate::model::access::Role;
use crate::model::issues::{Issue, IssueChange, IssueNote};
use crate::model::merge_requests::MAX_DESCRIPTION;
use crate::model::notes::MAX_NOTE;

fn render(model: &Model, issue: &Issue) -> Value {
    let path = model.projects.get(&issue.project).map(|project| model.path_of(project)).unwrap_or_default();
    json!({
        "id": issue.id,
        "iid": issue.iid,
        "project_id": issue.project,
        "title": issue.title,
        "description": issue.description,
        "state": if issue.open { "opened" } else { "closed" },
        "created_at": issue.created_at.iso(),
        "updated_at": issue.updated_at.iso(),
        "closed_at": null,
        "labels": [],
        "assignees": [],
        "author": users::basic(model, issue.author),
        "type": "ISSUE",
        "user_notes_count": issue.notes.iter().filter(|note| !note.system).count(),
        "confidential": issue.confidential,
        "discussion_locked": null,
        "issue_type": "issue",
        "web_url": format!("{}/{path}/-/issues/{}", model.base_url, issue.iid),
        "references": {
            "short": format!("#{}", issue.iid),
            "relative": format!("#{}", issue.iid),
            "full": format!("{path}#{}", issue.iid),
        },
    })
}

fn render_note(model: &Model, issue: &Issue, note: &IssueNote) -> Value {
    json!({
        "id": note.id,
        "type": null,
        "body": note.body,
        "author": users::basic(model, note.author),
        "created_at": note.created_at.iso(),
        "updated_at": note.updated_at.iso(),
        "system": note.system,
        "noteable_id": issue.id,
        "noteable_type": "Issue",
        "project_id": issue.project,
        "resolvable": false,
        "confidential": false,
        "internal": false,
        "noteable_iid": issue.iid,
        "commands_changes": {},
    })
}

/// Finds an issue by project and number; what the caller may not see does not exist.
fn find<'a>(context: &'a Context<'_>, path: &[&str]) -> Result<&'a Issue, Refusal> {
    let project = context.project(segment(path, 1))?.id;
    let iid = segment(path, 3).parse().map_err(|_| Refusal::Parameter("issue_iid is invalid".to_owned()))?;
    let issue = context.model.issue(project, iid);
    let visible = issue.filter(|issue| context.model.can_read_issue(context.caller.user, issue));
    visible.ok_or_else(|| Refusal::not_found("Issue"))
}

fn check_description(text: Option<&String>) -> Result<(), Refusal> {
    let too_long = text.is_some_and(|text| text.chars().count() > MAX_DESCRIPTION);
    if !too_long {
        return Ok(());
    }
    Err(Refusal::field(400, "description", &format!("is too long (maximum is {MAX_DESCRIPTION} characters)")))
}

pub(super) fn list(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.project(segment(path, 1))?.id;
    let parameters = &context.parameters;
    let state = parameters.choice("state", &["all", "opened", "closed"])?;
    let scope = parameters.choice("scope", &["all", "created_by_me", "assigned_to_me"])?;
    let me = if scope == "created_by_me" { Some(context.user()?) } else { None };
    let author = parameters.number("author_id")?;
    parameters.choice("order_by", &["created_at"])?;
    let model = &context.model;
    let matches = |issue: &&Issue| {
        issue.project == project
            && model.can_read_issue(context.caller.user, issue)
            && (state == "all" || issue.open == (state == "opened"))
            && me.is_none_or(|me| issue.author == me)
            && author.is_none_or(|author| issue.author == author)
    };
    let mut found: Vec<&Issue> = model.issues.values().filter(matches).collect();
    context.sort(&mut found, "desc", |issue| (issue.created_at, issue.id))?;
    context.page(&found, |issue| Some(render(context.model, issue)))
}

/// Anyone who is logged in and sees the project; in a private one that takes a role.
pub(super) fn create(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let (user, project) = (context.user()?, context.project(segment(path, 1))?);
    let project = project.id;
    let (title, description) = (context.parameters.required("title")?, context.parameters.text("description"));
    let confidential = context.parameters.switch("confidential")?.unwrap_or(false);
    check_description(description.as_ref())?;
    if title.trim().is_empty() {
        return Err(Refusal::field(400, "title", "can't be blank"));
    }
    let id = context.model.add_issue(project, user, &title, &description.unwrap_or_default(), confidential);
    let issue = context.model.issues.get(&id).ok_or_else(|| Refusal::not_found("Issue"))?;
    Ok(Reply::json(201, &render(context.model, issue)))
}

pub(super) fn update(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let user = context.user()?;
    let issue = find(context, path)?;
    if !context.model.can_update_issue(user, issue) {
        return Err(Refusal::forbidden());
    }
    let id = issue.id;
    let parameters = &context.parameters;
    let open = match parameters.text("state_event").as_deref() {
        None => None,
        Some("reopen") => Some(true),
        Some("close") => Some(false),
        Some(_) => return Err(Refusal::Parameter("state_event does not have a valid value".to_owned())),
    };
    let change = IssueChange {
        title: parameters.text("title"),
        description: parameters.text("description"),
        confidential: parameters.switch("confidential")?,
        open,
    };
    check_description(change.description.as_ref())?;
    context.model.change_issue(user, id, change);
    let issue = context.model.issues.get(&id).ok_or_else(|| Refusal::not_found("Issue"))?;
    Ok(Reply::json(200, &render(context.model, issue)))
}

pub(super) fn notes(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let issue = find(context, path)?;
    let parameters = &context.parameters;
    let filter = parameters.choice("activity_filter", &["all_notes", "only_comments", "only_activity"])?;
    parameters.choice("order_by", &["created_at"])?;
    let mut notes: Vec<&IssueNote> = issue.notes.iter().collect();
    notes.retain(|note| match filter {
        "only_comments" => !note.system,
        "only_activity" => note.system,
        _ => true,
    });
    context.sort(&mut notes, "desc", |note| (note.created_at, note.id))?;
    context.page(&notes, |note| Some(render_note(context.model, issue, note)))
}

/// The text of a note, within GitLab's limits.
fn body(context: &Context<'_>) -> Result<String, Refusal> {
    let body = context.parameters.required("body")?;
    let bad = |text: &str| Refusal::Message(400, format!("400 Bad request - Note {{:note=>[\"{text}\"]}}"));
    match body.chars().count() {
        0 => Err(bad("can't be blank")),
        length if length > MAX_NOTE => Err(bad(&format!("is too long (maximum is {MAX_NOTE} characters)"))),
        _ => Ok(body),
    }
}

fn rendered(context: &Context<'_>, issue: u64, note: u64, status: u16) -> Answer {
    let issue = context.model.issues.get(&issue).ok_or_else(|| Refusal::not_found("Issue"))?;
    let note = issue.notes.iter().find(|other| other.id == note).ok_or_else(|| Refusal::not_found("Note"))?;
    Ok(Reply::json(status, &render_note(context.model, issue, note)))
}

pub(super) fn create_note(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let (user, issue, body) = (context.user()?, find(context, path)?.id, body(context)?);
    let note = context.model.add_issue_note(issue, user, &body);
    let note = note.ok_or_else(|| Refusal::Message(400, "400 Bad request - Note is empty".to_owned()))?;
    rendered(context, issue, note, 201)
}

/// Only a note's author may edit it, or a Maintainer.
fn own_note(context: &Context<'_>, path: &[&str]) -> Result<(u64, u64), Refusal> {
    let (user, issue, project) = (context.user()?, find(context, path)?, context.project(segment(path, 1))?);
    let id = segment(path, 5).parse::<u64>().map_err(|_| Refusal::Parameter("note_id is invalid".to_owned()))?;
    let note = issue.notes.iter().find(|note| note.id == id).ok_or_else(|| Refusal::not_found("Note"))?;
    let allowed = !note.system && (note.author == user || context.model.has_role(user, project, Role::Maintainer));
    if allowed { Ok((issue.id, note.id)) } else { Err(Refusal::forbidden()) }
}

pub(super) fn update_note(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let ((issue, note), body) = (own_note(context, path)?, body(context)?);
    context.model.edit_issue_note(issue, note, &body);
    rendered(context, issue, note, 200)
}

pub(super) fn delete_note(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let (issue, note) = own_note(context, path)?;
    if let Some(issue) = context.model.issues.get_mut(&issue) {
        issue.notes.retain(|other| other.id != note);
    }
    Ok(Reply::empty(204))
}
