//! Branches, tags, commits, trees and files, as git has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Context, segment};
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::Model;
use crate::model::access::Role;
use crate::model::projects::Project;
use crate::model::pushes::Pusher;
use crate::repository::Commit;

/// A commit as the API shows it.
pub(super) fn render_commit(model: &Model, project: &Project, commit: &Commit) -> Value {
    let title = commit.message.lines().next().unwrap_or_default();
    json!({
        "id": commit.id,
        "short_id": commit.id.get(..8),
        "created_at": commit.committer.2,
        "parent_ids": commit.parents,
        "title": title,
        "message": commit.message,
        "author_name": commit.author.0,
        "author_email": commit.author.1,
        "authored_date": commit.author.2,
        "committer_name": commit.committer.0,
        "committer_email": commit.committer.1,
        "committed_date": commit.committer.2,
        "trailers": trailers(&commit.message),
        "extended_trailers": {},
        "web_url": format!("{}/{}/-/commit/{}", model.base_url, model.path_of(project), commit.id),
    })
}

/// The trailers of a message's last paragraph.
fn trailers(message: &str) -> Map<String, Value> {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    if last.len() == message.trim_end().len() {
        return Map::new();
    }
    let pairs = last.lines().filter_map(|line| line.split_once(": "));
    pairs.filter(|(key, _)| !key.contains(' ')).map(|(key, value)| (key.to_owned(), json!(value))).collect()
}

pub(super) fn render_branch(context: &Context<'_>, project: &Project, name: &str, id: &str) -> Option<Value> {
    let commit = project.repository.commit(id)?;
    let rule = project.protection(name);
    let user = context.caller.user;
    let can_push = user.is_some_and(|user| {
        context.model.can_push(user, project.id) && project.push_allowed(name, context.model.role(user, project))
    });
    let developers_can_push = rule.is_some_and(|rule| rule.push.is_some_and(|role| role <= Role::Developer));
    let default = project.default_branch.as_deref() == Some(name);
    let tip = project.default_branch.as_ref().and_then(|branch| project.branches.get(branch));
    Some(json!({
        "name": name,
        "commit": render_commit(context.model, project, &commit),
        "merged": !default && tip.is_some_and(|tip| project.repository.is_ancestor(id, tip)),
        "protected": rule.is_some(),
        "developers_can_push": developers_can_push,
        "developers_can_merge": rule.is_some_and(|rule| rule.merge.is_some_and(|role| role <= Role::Developer)),
        "can_push": can_push,
        "default": default,
        "web_url": format!("{}/{}/-/tree/{name}", context.model.base_url, context.model.path_of(project)),
    }))
}

pub(super) fn branches(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.code(segment(path, 1))?;
    let search = context.parameters.text("search");
    let wanted = |name: &str| match search.as_deref() {
        None => true,
        Some(text) => match (text.strip_prefix('^'), text.strip_suffix('$')) {
            (Some(start), _) => name.starts_with(start.trim_end_matches('$')),
            (None, Some(end)) => name.ends_with(end),
            (None, None) => name.to_lowercase().contains(&text.to_lowercase()),
        },
    };
    let found: Vec<(&String, &String)> = project.branches.iter().filter(|(name, _)| wanted(name)).collect();
    context.page(&found, |(name, id)| render_branch(context, project, name, id))
}

pub(super) fn branch(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.code(segment(path, 1))?;
    let name = segment(path, 4);
    let id = project.branches.get(name).ok_or_else(|| Refusal::not_found("Branch"))?;
    let shown = render_branch(context, project, name, id).ok_or_else(|| Refusal::not_found("Branch"))?;
    Ok(Reply::json(200, &shown))
}

/// Removes a branch, as who may push may; never a protected or the default one (`lib/api/branches.rb`).
pub(super) fn delete_branch(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let user = context.user()?;
    let (project, name) = (context.project_as(segment(path, 1), Role::Developer)?, segment(path, 4));
    if !project.branches.contains_key(name) {
        return Err(Refusal::not_found("Branch"));
    }
    if project.default_branch.as_deref() == Some(name) || project.protection(name).is_some() {
        return Err(Refusal::forbidden());
    }
    let id = project.id;
    project.repository.delete_ref(&format!("refs/heads/{name}"));
    context.model.notice_push(id, Pusher::Person(user));
    Ok(Reply::empty(204))
}

fn render_tag(context: &Context<'_>, project: &Project, name: &str, target: &str) -> Option<Value> {
    let commit = project.repository.commit(&format!("refs/tags/{name}"))?;
    let message = (commit.id != target)
        .then(|| project.repository.must(&["for-each-ref", "--format=%(contents)", &format!("refs/tags/{name}")]));
    Some(json!({
        "name": name,
        "message": message.unwrap_or_default(),
        "target": target,
        "commit": render_commit(context.model, project, &commit),
        "release": null,
        "protected": false,
        "created_at": null,
    }))
}

pub(super) fn tags(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.code(segment(path, 1))?;
    let search = context.parameters.text("search").unwrap_or_default();
    context.parameters.accept(&["order_by", "sort"]);
    let tags: Vec<(String, String)> =
        project.repository.refs("refs/tags/").into_iter().filter(|(name, _)| name.contains(&search)).collect();
    context.page(&tags, |(name, target)| render_tag(context, project, name, target))
}

pub(super) fn tag(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.code(segment(path, 1))?;
    let name = segment(path, 4);
    let target = project.repository.refs("refs/tags/").remove(name);
    let shown = target.and_then(|target| render_tag(context, project, name, &target));
    Ok(Reply::json(200, &shown.ok_or_else(|| Refusal::not_found("Tag"))?))
}

pub(super) fn commit(context: &mut Context<'_>, path: &[&str]) -> Answer {
    context.parameters.accept(&["stats"]);
    let project = context.code(segment(path, 1))?;
    let commit = project.repository.commit(segment(path, 4)).ok_or_else(|| Refusal::not_found("Commit"))?;
    let mut shown = render_commit(context.model, project, &commit);
    let pipelines = context.model.pipelines.values().rev();
    let last = pipelines.clone().find(|pipeline| pipeline.project == project.id && pipeline.sha == commit.id);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("project_id".to_owned(), json!(project.id));
        shown.insert("status".to_owned(), json!(last.map(|pipeline| pipeline.status.name())));
        shown.insert("last_pipeline".to_owned(), json!(last.map(|last| super::pipelines::basic(context.model, last))));
    }
    Ok(Reply::json(200, &shown))
}

/// The branches and tags that contain a commit; merge requests' refs, and those of forks with the same objects, do not
/// count.
pub(super) fn commit_refs(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.code(segment(path, 1))?;
    let wanted = context.parameters.choice("type", &["all", "branch", "tag"])?;
    let commit = project.repository.commit(segment(path, 4)).ok_or_else(|| Refusal::not_found("Commit"))?;
    let kinds = [("branch", "refs/heads/"), ("tag", "refs/tags/")];
    let kinds = kinds.into_iter().filter(|(kind, _)| wanted == "all" || wanted == *kind);
    let found: Vec<(&str, String)> = kinds
        .flat_map(|(kind, prefix)| {
            let names = project.repository.refs_with(prefix, &commit.id);
            names.into_iter().map(move |name| (kind, name))
        })
        .collect();
    context.page(&found, |(kind, name)| Some(json!({ "type": kind, "name": name })))
}

pub(super) fn tree(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.code(segment(path, 1))?;
    let parameters = &context.parameters;
    let revision = revision(context, project);
    let (directory, recursive) =
        (parameters.text("path").unwrap_or_default(), parameters.switch("recursive")?.unwrap_or(false));
    let directory = directory.trim_matches('/');
    let entries = revision.and_then(|revision| project.repository.tree(&revision, directory, recursive));
    let entries = entries.ok_or_else(|| Refusal::Message(404, "404 invalid revision or path Not Found".to_owned()))?;
    context.page(&entries, |entry| {
        let name = entry.path.rsplit('/').next().unwrap_or(&entry.path);
        Some(json!({ "id": entry.id, "name": name, "type": entry.kind, "path": entry.path, "mode": entry.mode }))
    })
}

/// The commit that `ref` names, or the tip of the default branch.
fn revision(context: &Context<'_>, project: &Project) -> Option<String> {
    let named = context.parameters.text("ref").filter(|name| name != "HEAD");
    let name = named.or_else(|| project.default_branch.clone())?;
    project.branches.get(&name).cloned().or_else(|| project.repository.commit_id(&name))
}

fn contents(context: &Context<'_>, path: &[&str]) -> Result<(String, Vec<u8>), Refusal> {
    let project = context.code(segment(path, 1))?;
    let commit = revision(context, project).ok_or_else(|| Refusal::not_found("Commit"))?;
    let bytes = project.repository.blob(&commit, segment(path, 4)).ok_or_else(|| Refusal::not_found("File"))?;
    Ok((commit, bytes))
}

pub(super) fn raw_file(context: &mut Context<'_>, path: &[&str]) -> Answer {
    context.parameters.accept(&["lfs"]);
    let (_, bytes) = contents(context, path)?;
    Ok(Reply::text(200, "text/plain", bytes))
}

pub(super) fn file(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let reference = context.parameters.required("ref")?;
    let (commit, bytes) = contents(context, path)?;
    let (project, name) = (context.code(segment(path, 1))?, segment(path, 4));
    let blob = project.repository.must(&["rev-parse", &format!("{commit}:{name}")]);
    let last = project.repository.must(&["log", "-1", "--format=%H", &commit, "--", name]);
    Ok(Reply::json(
        200,
        &json!({
            "file_name": name.rsplit('/').next(),
            "file_path": name,
            "size": bytes.len(),
            "encoding": "base64",
            "content": STANDARD.encode(&bytes),
            "ref": reference,
            "blob_id": blob,
            "commit_id": commit,
            "last_commit_id": last,
            "execute_filemode": false,
        }),
    ))
}
