//! Groups and namespaces.

use serde_json::{Value, json};

use super::{Context, projects, segment};
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::Model;
use crate::model::projects::{Namespace, NamespaceKind, Visibility};

/// The short form of a namespace, as it appears in projects.
pub(super) fn basic(model: &Model, namespace: u64) -> Value {
    let Some(namespace) = model.namespaces.get(&namespace) else { return Value::Null };
    let path = last_part(&namespace.path);
    let (kind, prefix) = match namespace.kind {
        NamespaceKind::User(_) => ("user", ""),
        NamespaceKind::Group => ("group", "groups/"),
    };
    json!({
        "id": namespace.id,
        "name": name(model, namespace),
        "path": path,
        "kind": kind,
        "full_path": namespace.path,
        "parent_id": namespace.parent,
        "avatar_url": null,
        "web_url": format!("{}/{prefix}{}", model.base_url, namespace.path),
    })
}

/// The name to show: a user's namespace has the user's.
pub(super) fn name(model: &Model, namespace: &Namespace) -> String {
    let user = match namespace.kind {
        NamespaceKind::User(user) => model.users.get(&user).map(|user| user.name.clone()),
        NamespaceKind::Group => None,
    };
    user.unwrap_or_else(|| last_part(&namespace.path).to_owned())
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Finds a group that the caller may see, by id or path.
pub(super) fn find<'a>(context: &'a Context<'_>, id: &str) -> Result<&'a Namespace, Refusal> {
    let group = lookup(context.model, id).filter(|namespace| namespace.kind == NamespaceKind::Group);
    let visible = group.filter(|group| match group.visibility {
        Visibility::Public => true,
        Visibility::Internal => context.caller.user.is_some(),
        Visibility::Private => {
            context.caller.user.is_some_and(|user| context.model.role_in_namespace(user, group.id).is_some())
        }
    });
    visible.ok_or_else(|| Refusal::not_found("Group"))
}

/// Finds a namespace by id or path.
pub(super) fn lookup<'a>(model: &'a Model, id: &str) -> Option<&'a Namespace> {
    let by_number = id.parse::<u64>().ok().and_then(|id| model.namespaces.get(&id));
    by_number.or_else(|| model.namespace(id))
}

/// The ids of a group and of all groups in it.
pub(crate) fn with_subgroups(model: &Model, group: u64) -> Vec<u64> {
    let mut ids = vec![group];
    loop {
        let inner =
            model.namespaces.values().filter(|namespace| namespace.parent.is_some_and(|parent| ids.contains(&parent)));
        let new: Vec<u64> = inner.map(|namespace| namespace.id).filter(|id| !ids.contains(id)).collect();
        if new.is_empty() {
            return ids;
        }
        ids.extend(new);
    }
}

pub(super) fn get(context: &mut Context<'_>, path: &[&str]) -> Answer {
    context.parameters.accept(&["with_projects", "with_custom_attributes"]);
    let group = find(context, segment(path, 1))?;
    Ok(Reply::json(
        200,
        &json!({
            "id": group.id,
            "web_url": format!("{}/groups/{}", context.model.base_url, group.path),
            "name": last_part(&group.path),
            "path": last_part(&group.path),
            "description": "",
            "visibility": group.visibility.name(),
            "full_name": group.path.replace('/', " / "),
            "full_path": group.path,
            "created_at": group.created_at.iso(),
            "parent_id": group.parent,
            "project_creation_level": "developer",
            "subgroup_creation_level": "maintainer",
            "request_access_enabled": true,
            "lfs_enabled": true,
            "shared_with_groups": [],
        }),
    ))
}

pub(super) fn namespace(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let user = context.user()?;
    let namespace = lookup(context.model, segment(path, 1));
    let visible = namespace.filter(|namespace| context.model.role_in_namespace(user, namespace.id).is_some());
    let id = visible.ok_or_else(|| Refusal::not_found("Namespace"))?.id;
    Ok(Reply::json(200, &basic(context.model, id)))
}

pub(super) fn projects(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let group = find(context, segment(path, 1))?.id;
    let subgroups = context.parameters.switch("include_subgroups")?.unwrap_or(false);
    let namespaces = if subgroups { with_subgroups(context.model, group) } else { vec![group] };
    let found = context.model.projects.values().filter(|project| namespaces.contains(&project.namespace));
    let ids: Vec<u64> = found.map(|project| project.id).collect();
    projects::page_of(context, ids)
}
