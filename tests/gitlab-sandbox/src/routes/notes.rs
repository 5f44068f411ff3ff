//! Notes on merge requests and reactions to them.

use serde_json::{Value, json};

use super::{Context, segment, users};
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::Model;
use crate::model::access::Role;
use crate::model::notes::{Added, MAX_NOTE, Note};

fn render(model: &Model, note: &Note) -> Value {
    let request = model.merge_requests.get(&note.merge_request);
    json!({
        "id": note.id,
        "type": null,
        "body": note.body,
        "author": users::basic(model, note.author),
        "created_at": note.created_at.iso(),
        "updated_at": note.updated_at.iso(),
        "system": note.system,
        "noteable_id": note.merge_request,
        "noteable_type": "MergeRequest",
        "project_id": request.map(|request| request.target_project),
        "resolvable": false,
        "confidential": note.internal,
        "internal": note.internal,
        "imported": false,
        "imported_from": "none",
        "noteable_iid": request.map(|request| request.iid),
        "commands_changes": {},
        "attachment": null,
    })
}

/// Whether the caller may read a note: internal ones are for Reporters and above.
fn readable(context: &Context<'_>, note: &Note) -> bool {
    let project = context.model.merge_requests.get(&note.merge_request);
    let project = project.and_then(|request| context.model.projects.get(&request.target_project));
    let member = || {
        context
            .caller
            .user
            .zip(project)
            .is_some_and(|(user, project)| context.model.has_role(user, project, Role::Reporter))
    };
    !note.withheld && (!note.internal || member())
}

/// Finds a note of the merge request that the path names.
fn find<'a>(context: &'a Context<'_>, path: &[&str]) -> Result<&'a Note, Refusal> {
    let request = context.merge_request(segment(path, 1), segment(path, 3))?.id;
    let id = segment(path, 5).parse::<u64>().map_err(|_| Refusal::Parameter("note_id is invalid".to_owned()))?;
    let note = context.model.notes.get(&id).filter(|note| note.merge_request == request && readable(context, note));
    note.ok_or_else(|| Refusal::not_found(""))
}

pub(super) fn list(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let request = context.merge_request(segment(path, 1), segment(path, 3))?.id;
    let parameters = &context.parameters;
    let filter = parameters.choice("activity_filter", &["all_notes", "only_comments", "only_activity"])?;
    let by_update = parameters.choice("order_by", &["created_at", "updated_at"])? == "updated_at";
    let mut notes = context.model.notes_of(request);
    notes.retain(|note| match filter {
        "only_comments" => !note.system,
        "only_activity" => note.system,
        _ => true,
    });
    context.sort(&mut notes, "desc", |note| (if by_update { note.updated_at } else { note.created_at }, note.id))?;
    context.page(&notes, |note| readable(context, note).then(|| render(context.model, note)))
}

pub(super) fn get(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let note = find(context, path)?;
    Ok(Reply::json(200, &render(context.model, note)))
}

/// The answer to a text that was added or edited; `status` for the ordinary case.
fn outcome(context: &Context<'_>, added: &Added, status: u16) -> Answer {
    let bad = |text: &str| Refusal::Message(400, format!("400 Bad request - Note {{:note=>[\"{text}\"]}}"));
    match added {
        Added::Note(id) => {
            let note = context.model.notes.get(id).ok_or_else(|| Refusal::not_found(""))?;
            Ok(Reply::json(status, &render(context.model, note)))
        }
        Added::CommandsOnly(commands) => {
            let summary: Vec<String> = commands.iter().map(|command| format!("Applied /{command}")).collect();
            Ok(Reply::json(202, &json!({ "commands_changes": {}, "summary": summary })))
        }
        Added::Blank => Err(bad("can't be blank")),
        Added::TooLong => Err(bad(&format!("is too long (maximum is {MAX_NOTE} characters)"))),
    }
}

pub(super) fn create(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let user = context.user()?;
    let request = context.merge_request(segment(path, 1), segment(path, 3))?.id;
    context.parameters.accept(&["created_at", "merge_request_diff_head_sha"]);
    let body = context.parameters.required("body")?;
    let internal = context.parameters.switch("internal")?.unwrap_or(false);
    let added = context.model.add_note(request, user, &body, internal);
    outcome(context, &added, 201)
}

/// Only a note's author may edit it, or a Maintainer.
fn own(context: &Context<'_>, path: &[&str]) -> Result<u64, Refusal> {
    let user = context.user()?;
    let (note, project) = (find(context, path)?, context.code(segment(path, 1))?);
    let allowed = !note.system && (note.author == user || context.model.has_role(user, project, Role::Maintainer));
    if allowed { Ok(note.id) } else { Err(Refusal::forbidden()) }
}

pub(super) fn update(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let id = own(context, path)?;
    let body = context.parameters.required("body")?;
    let added = context.model.update_note(id, &body);
    outcome(context, &added, 200)
}

pub(super) fn delete(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let id = own(context, path)?;
    context.model.notes.remove(&id);
    Ok(Reply::empty(204))
}

fn render_reaction(model: &Model, note: &Note, (id, user, name): &(u64, u64, String)) -> Value {
    json!({
        "id": id, "name": name, "user": users::basic(model, *user), "created_at": note.updated_at.iso(),
        "updated_at": note.updated_at.iso(), "awardable_id": note.id, "awardable_type": "Note", "url": null,
    })
}

pub(super) fn reactions(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let note = find(context, path)?;
    context.page(&note.reactions, |reaction| Some(render_reaction(context.model, note, reaction)))
}

pub(super) fn react(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let user = context.user()?;
    let id = find(context, path)?.id;
    let name = context.parameters.required("name")?;
    let reaction = (context.model.next_id(), user, name);
    let Some(note) = context.model.notes.get_mut(&id) else { return Err(Refusal::not_found("")) };
    if note.reactions.iter().any(|(_, by, name)| (by, name) == (&reaction.1, &reaction.2)) {
        return Err(Refusal::Message(404, "404 Award Emoji Name has already been taken Not Found".to_owned()));
    }
    note.reactions.push(reaction.clone());
    let note = find(context, path)?;
    Ok(Reply::json(201, &render_reaction(context.model, note, &reaction)))
}

pub(super) fn unreact(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let user = context.user()?;
    let note = find(context, path)?.id;
    let id = segment(path, 7).parse::<u64>().map_err(|_| Refusal::Parameter("award_id is invalid".to_owned()))?;
    let Some(note) = context.model.notes.get_mut(&note) else { return Err(Refusal::not_found("")) };
    let before = note.reactions.len();
    note.reactions.retain(|(reaction, by, _)| (*reaction, *by) != (id, user));
    if note.reactions.len() == before { Err(Refusal::not_found("Award Emoji")) } else { Ok(Reply::empty(204)) }
}
