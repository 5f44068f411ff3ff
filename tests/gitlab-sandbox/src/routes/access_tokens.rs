//! Access tokens of projects (`lib/api/resource_access_tokens.rb`): each comes with a bot user of its own, a member of that
//! project alone.

use serde_json::json;

use super::{Context, segment};
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::access::{Role, Scope, Token, TokenKind, User};

/// Maintainers make them, with no more of a role than their own.
pub(super) fn create(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let (maker, project) = (context.user()?, context.project_as(segment(path, 1), Role::Maintainer)?);
    let (project, own) = (project.id, context.model.role(maker, project));
    let parameters = &context.parameters;
    let (name, expires_at) = (parameters.required("name")?, parameters.required("expires_at")?);
    let invalid = |name: &str| Refusal::Parameter(format!("{name} does not have a valid value"));
    let named = parameters.list("scopes").ok_or_else(|| Refusal::Parameter("scopes is missing".to_owned()))?;
    let known = [Scope::Api, Scope::ReadApi, Scope::ReadRepository, Scope::WriteRepository];
    let scope = |name: &String| known.into_iter().find(|scope| scope.name() == name);
    let scopes: Vec<Scope> = named.iter().map(scope).collect::<Option<_>>().ok_or_else(|| invalid("scopes"))?;
    let level = parameters.number("access_level")?.unwrap_or(Role::Maintainer as u64);
    let role = Role::from_level(level).ok_or_else(|| invalid("access_level"))?;
    if Some(role) > own {
        return Err(Refusal::Message(
            400,
            "Access level of the token can't be greater the access level of the user".to_owned(),
        ));
    }
    let model = &mut *context.model;
    let (user, id, created_at) = (model.next_id(), model.next_id(), model.now());
    let username = format!("project_{project}_bot_{user}");
    let (email, value) = (format!("{username}@noreply.example.com"), format!("glpat-{username}-{id}_s3cr3t"));
    let bot =
        User { id: user, username, name: name.clone(), email, admin: false, personal_projects: false, created_at };
    model.users.insert(user, bot);
    if let Some(project) = model.projects.get_mut(&project) {
        project.members.insert(user, role);
    }
    let shown = json!({
        "id": id, "name": name, "revoked": false, "created_at": created_at.iso(), "description": null, "scopes": named,
        "user_id": user, "last_used_at": null, "active": true, "expires_at": expires_at, "access_level": level,
        "token": value,
    });
    let kind = TokenKind::Access;
    model.tokens.push(Token { id, value, user, scopes, kind, expired: false, expires_at });
    Ok(Reply::json(201, &shown))
}
