//! `/user`, `/users`, `/version`, `/job` and the token in use.

use serde_json::{Value, json};

use super::{Context, segment};
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::Model;

/// The short form of a user, as it appears inside everything else.
pub(super) fn basic(model: &Model, user: u64) -> Value {
    let Some(user) = model.users.get(&user) else { return Value::Null };
    json!({
        "id": user.id,
        "username": user.username,
        "public_email": "",
        "name": user.name,
        "state": "active",
        "locked": false,
        "avatar_url": null,
        "web_url": format!("{}/{}", model.base_url, user.username),
    })
}

pub(super) fn version(context: &mut Context<'_>, _: &[&str]) -> Answer {
    context.user()?;
    Ok(Reply::json(
        200,
        &json!({
            "version": context.model.version,
            "revision": "sandbox",
            "kas": { "enabled": false, "externalUrl": null, "version": null },
            "enterprise": context.model.enterprise,
        }),
    ))
}

pub(super) fn current(context: &mut Context<'_>, _: &[&str]) -> Answer {
    let id = context.user()?;
    let mut shown = basic(context.model, id);
    if let (Some(shown), Some(user)) = (shown.as_object_mut(), context.model.users.get(&id)) {
        let own = json!({
            "email": user.email, "commit_email": user.email, "created_at": user.created_at.iso(), "bio": "",
            "location": "", "linkedin": "", "twitter": "", "website_url": "", "organization": "", "job_title": "",
            "external": false, "private_profile": false, "projects_limit": if user.personal_projects { 100_000 } else { 0 },
            "can_create_group": true, "can_create_project": true, "two_factor_enabled": true, "identities": [],
            "theme_id": 1, "color_scheme_id": 1, "work_information": null, "shared_runners_minutes_limit": null,
            "extra_shared_runners_minutes_limit": null, "confirmed_at": user.created_at.iso(),
            "last_sign_in_at": null, "current_sign_in_at": null, "last_activity_on": null,
        });
        shown.extend(own.as_object().cloned().unwrap_or_default());
    }
    Ok(Reply::json(200, &shown))
}

pub(super) fn list(context: &mut Context<'_>, _: &[&str]) -> Answer {
    let (username, search) = (context.parameters.text("username"), context.parameters.text("search"));
    if username.is_none() {
        context.user()?;
    }
    let model = &context.model;
    let users = model.users.values().filter(|user| {
        username.as_ref().is_none_or(|name| user.username.eq_ignore_ascii_case(name))
            && search.as_ref().is_none_or(|text| user.username.contains(text) || user.name.contains(text))
    });
    let mut users: Vec<u64> = users.map(|user| user.id).collect();
    users.reverse();
    context.page(&users, |user| Some(basic(context.model, *user)))
}

pub(super) fn get(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let id = segment(path, 1).parse::<u64>().map_err(|_| Refusal::Parameter("id is invalid".to_owned()))?;
    if !context.model.users.contains_key(&id) {
        return Err(Refusal::not_found("User"));
    }
    Ok(Reply::json(200, &basic(context.model, id)))
}

pub(super) fn token(context: &mut Context<'_>, _: &[&str]) -> Answer {
    context.user()?;
    let token = context.model.tokens.iter().find(|token| Some(token.id) == context.caller.token);
    let token = token.ok_or_else(Refusal::unauthorized)?;
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.name()).collect();
    Ok(Reply::json(
        200,
        &json!({
            "id": token.id, "name": "sandbox", "revoked": false, "created_at": null, "description": null,
            "scopes": scopes, "user_id": token.user, "last_used_at": null, "active": true, "expires_at": token.expires_at,
        }),
    ))
}

/// The job that a job token belongs to.
pub(super) fn job(context: &mut Context<'_>, _: &[&str]) -> Answer {
    let (user, project) = (context.user()?, context.caller.job.ok_or_else(Refusal::unauthorized)?);
    let branch = context.model.projects.get(&project).and_then(|project| project.default_branch.clone());
    Ok(Reply::json(
        200,
        &json!({
            "id": context.caller.token, "name": "sandbox", "stage": "test", "status": "running", "ref": branch, "tag": false,
            "allow_failure": false, "user": basic(context.model, user), "project": { "ci_job_token_scope_enabled": true },
        }),
    ))
}
