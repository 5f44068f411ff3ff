//! Protected branches (`lib/api/protected_branches.rb`): rules for roles; those for single users, groups and deploy keys
//! are not modelled.

use serde_json::{Value, json};

use super::{Context, segment};
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::access::Role;
use crate::model::projects::ProtectedBranch;

fn render(rule: &ProtectedBranch) -> Value {
    let levels = |role: Option<Role>| {
        let description = match role {
            None => "No one".to_owned(),
            Some(Role::Developer) => "Developers + Maintainers".to_owned(),
            Some(role) => format!("{role:?}s"),
        };
        json!([{ "id": 1, "access_level": role.map_or(0, |role| role as u64), "access_level_description": description }])
    };
    json!({
        "id": rule.id,
        "name": rule.pattern,
        "push_access_levels": levels(rule.push),
        "merge_access_levels": levels(rule.merge),
        "allow_force_push": rule.force_push,
    })
}

pub(super) fn list(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.project_as(segment(path, 1), Role::Maintainer)?;
    context.page(&project.protected, |rule| Some(render(rule)))
}

/// A role that may be named in a rule: 0 for nobody, else Developers or Maintainers; Maintainers where nothing is said.
fn role(context: &Context<'_>, name: &str) -> Result<Option<Role>, Refusal> {
    match context.parameters.number(name)? {
        None => Ok(Some(Role::Maintainer)),
        Some(0) => Ok(None),
        Some(level @ (30 | 40)) => Ok(Role::from_level(level)),
        Some(_) => Err(Refusal::Parameter(format!("{name} does not have a valid value"))),
    }
}

pub(super) fn protect(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.project_as(segment(path, 1), Role::Maintainer)?;
    let pattern = context.parameters.required("name")?;
    if project.protected.iter().any(|rule| rule.pattern == pattern) {
        return Err(Refusal::Message(409, format!("Protected branch '{pattern}' already exists")));
    }
    let (project, push, merge) =
        (project.id, role(context, "push_access_level")?, role(context, "merge_access_level")?);
    let force_push = context.parameters.switch("allow_force_push")?.unwrap_or(false);
    let rule = ProtectedBranch { id: context.model.next_id(), pattern, push, merge, force_push };
    let shown = render(&rule);
    if let Some(project) = context.model.projects.get_mut(&project) {
        project.protected.push(rule);
    }
    Ok(Reply::json(201, &shown))
}
