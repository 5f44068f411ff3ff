//! Members of projects, inherited ones included.

use serde_json::{Value, json};

use super::{Context, segment, users};
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::access::Role;
use crate::model::projects::Project;

fn render(context: &Context<'_>, project: &Project, user: u64, role: Role) -> Value {
    let mut shown = users::basic(context.model, user);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("access_level".to_owned(), json!(role as u64));
        shown.insert("created_at".to_owned(), json!(project.created_at.iso()));
        shown.insert("expires_at".to_owned(), Value::Null);
        shown.insert("membership_state".to_owned(), json!("active"));
    }
    shown
}

/// A member's role, by membership alone: administrators are not members.
fn role(context: &Context<'_>, user: u64, project: &Project) -> Option<Role> {
    let admin = context.model.users.get(&user).is_none_or(|user| user.admin);
    if admin { project.members.get(&user).copied() } else { context.model.role(user, project) }
}

pub(super) fn list(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.project(segment(path, 1))?;
    let members = context.model.users.keys().filter_map(|user| Some((*user, role(context, *user, project)?)));
    let members: Vec<(u64, Role)> = members.collect();
    context.page(&members, |(user, role)| Some(render(context, project, *user, *role)))
}

pub(super) fn get(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.project(segment(path, 1))?;
    let user = segment(path, 4).parse::<u64>().map_err(|_| Refusal::Parameter("user_id is invalid".to_owned()))?;
    let role = role(context, user, project).ok_or_else(|| Refusal::not_found(""))?;
    Ok(Reply::json(200, &render(context, project, user, role)))
}

pub(super) fn add(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let id = context.project_as(segment(path, 1), Role::Maintainer)?.id;
    context.parameters.accept(&["expires_at"]);
    let missing = |name: &str| Refusal::Parameter(format!("{name} is missing"));
    let user = context.parameters.number("user_id")?.ok_or_else(|| missing("user_id"))?;
    let level = context.parameters.number("access_level")?.ok_or_else(|| missing("access_level"))?;
    let invalid = || Refusal::field(400, "access_level", "is not included in the list");
    let role = Role::from_level(level).ok_or_else(invalid)?;
    if !context.model.users.contains_key(&user) {
        return Err(Refusal::not_found("User"));
    }
    let Some(project) = context.model.projects.get_mut(&id) else { return Err(Refusal::not_found("Project")) };
    if project.members.contains_key(&user) {
        return Err(Refusal::Message(409, "Member already exists".to_owned()));
    }
    project.members.insert(user, role);
    let project = context.project(segment(path, 1))?;
    Ok(Reply::json(201, &render(context, project, user, role)))
}
