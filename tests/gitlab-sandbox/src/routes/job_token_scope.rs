//! Whose job tokens open a project (`lib/api/project_job_token_scope.rb` and its two allowlists).

use serde_json::json;

use super::{Context, groups, projects, segment};
use crate::http::reply::{Answer, Reply};
use crate::model::access::Role;

pub(super) fn get(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.project_as(segment(path, 1), Role::Maintainer)?;
    Ok(Reply::json(200, &json!({ "inbound_enabled": !project.open_to_job_tokens, "outbound_enabled": false })))
}

/// The projects: the one that is asked about is always among them.
pub(super) fn projects(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.project_as(segment(path, 1), Role::Maintainer)?;
    let allowed: Vec<u64> = std::iter::once(project.id).chain(project.job_token_allowlist.iter().copied()).collect();
    context.page(&allowed, |id| Some(projects::simple(context.model, context.model.projects.get(id)?)))
}

pub(super) fn groups(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.project_as(segment(path, 1), Role::Maintainer)?;
    let allowed: Vec<u64> = project.job_token_groups.iter().copied().collect();
    context.page(&allowed, |id| {
        let group = context.model.namespaces.get(id)?;
        let web_url = format!("{}/groups/{}", context.model.base_url, group.path);
        Some(json!({ "id": group.id, "web_url": web_url, "name": groups::name(context.model, group) }))
    })
}
