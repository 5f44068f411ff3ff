//! Commits and branches made over the API, with all that follows from a push.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::repository::{render_branch, render_commit};
use super::{Context, segment};
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::access::Role;
use crate::model::projects::Project;
use crate::model::pushes::Pusher;
use crate::repository::NewCommit;

/// A file that a commit writes.
struct Action {
    path: String,
    content: Vec<u8>,
}

fn bad(text: &str) -> Refusal {
    Refusal::Message(400, text.to_owned())
}

/// Reads one action. Moving, deleting and the like are not modelled: the sandbox does as if it did not know them.
fn action(item: &Value, has: impl Fn(&str) -> bool) -> Result<Action, Refusal> {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let kind = text("action").ok_or_else(|| Refusal::Parameter("actions[0][action] is missing".to_owned()))?;
    let path = text("file_path").ok_or_else(|| Refusal::Parameter("actions[0][file_path] is missing".to_owned()))?;
    if path.split('/').any(|part| matches!(part, "" | "." | ".." | ".git")) {
        return Err(bad("Path cannot include directory traversal"));
    }
    match (kind, has(path)) {
        ("create", true) => return Err(bad("A file with this name already exists")),
        ("update", false) => return Err(bad("A file with this name doesn't exist")),
        ("create" | "update", _) => {}
        _ => return Err(Refusal::Parameter("actions[0][action] does not have a valid value".to_owned())),
    }
    let content = text("content").unwrap_or_default();
    let content = match text("encoding") {
        Some("base64") => STANDARD.decode(content).map_err(|_| bad("invalid base64"))?,
        _ => content.as_bytes().to_vec(),
    };
    Ok(Action { path: path.to_owned(), content })
}

/// Whether a user may push to a branch that is there or is to be.
fn may_push(context: &Context<'_>, user: u64, project: &Project, branch: &str) -> bool {
    context.model.can_push(user, project.id) && project.push_allowed(branch, context.model.role(user, project))
}

/// `lib/api/commits.rb`, and `app/services/commits/create_service.rb` for what it refuses.
pub(super) fn create(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let (user, project) = (context.user()?, context.project_as(segment(path, 1), Role::Guest)?);
    let parameters = &context.parameters;
    parameters.accept(&["stats"]);
    let (branch, message) = (parameters.required("branch")?, parameters.required("commit_message")?);
    let items = parameters.value("actions").and_then(Value::as_array);
    let items = items.ok_or_else(|| Refusal::Parameter("actions is missing".to_owned()))?;
    if !may_push(context, user, project, &branch) {
        return Err(Refusal::Message(403, "403 Forbidden - You are not allowed to push into this branch".to_owned()));
    }
    let start = match parameters.text("start_branch") {
        None => project.branches.get(&branch).cloned(),
        Some(_) if project.branches.contains_key(&branch) => {
            let text =
                format!("A branch called '{branch}' already exists. Switch to that branch in order to make changes");
            return Err(bad(&text));
        }
        Some(start) => project.branches.get(&start).cloned(),
    };
    if start.is_none() && !project.branches.is_empty() {
        return Err(bad("You can only create or edit files when you are on a branch"));
    }
    let has = |path: &str| start.as_ref().is_some_and(|start| project.repository.blob(start, path).is_some());
    let actions = items.iter().map(|item| action(item, has)).collect::<Result<Vec<Action>, Refusal>>()?;
    let files: Vec<(&str, &[u8])> = actions.iter().map(|file| (file.path.as_str(), file.content.as_slice())).collect();
    let person = context.model.users.get(&user).map(|user| (user.name.clone(), user.email.clone())).unwrap_or_default();
    let (name, email) = (parameters.text("author_name"), parameters.text("author_email"));
    let author = (name.unwrap_or_else(|| person.0.clone()), email.unwrap_or_else(|| person.1.clone()));
    let (id, repository) = (project.id, project.repository.clone());
    let seconds = context.model.next_commit_date();
    let new = NewCommit { parent: start.as_deref(), message: &message, author, committer: person, seconds };
    let commit = repository.commit_bytes(&new, &files);
    repository.set_refs(&[(&format!("refs/heads/{branch}"), &commit)]);
    context.model.notice_push(id, Pusher::Person(user));
    let project = context.project(segment(path, 1))?;
    let commit = project.repository.commit(&commit).ok_or_else(|| Refusal::not_found("Commit"))?;
    Ok(Reply::json(201, &render_commit(context.model, project, &commit)))
}

/// `lib/api/branches.rb`, and `app/services/branches/create_service.rb` for what it refuses.
pub(super) fn create_branch(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let (user, project) = (context.user()?, context.project_as(segment(path, 1), Role::Developer)?);
    let (branch, from) = (context.parameters.required("branch")?, context.parameters.required("ref")?);
    if project.branches.contains_key(&branch) {
        return Err(bad("Branch already exists"));
    }
    let named = project.branches.get(&from).cloned().or_else(|| project.repository.commit_id(&from));
    let commit = named.ok_or_else(|| bad(&format!("Invalid reference name: {from}")))?;
    if !may_push(context, user, project, &branch) {
        return Err(bad("You are not allowed to create protected branches on this project."));
    }
    let (id, repository) = (project.id, project.repository.clone());
    repository.set_refs(&[(&format!("refs/heads/{branch}"), &commit)]);
    context.model.notice_push(id, Pusher::Person(user));
    let shown = render_branch(context, context.project(segment(path, 1))?, &branch, &commit);
    Ok(Reply::json(201, &shown.unwrap_or_default()))
}
