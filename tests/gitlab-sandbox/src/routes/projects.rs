//! Projects, their settings, forks and labels.

use serde_json::{Map, Value, json};

use super::{Context, groups, segment, users};
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::Model;
use crate::model::access::Role;
use crate::model::projects::{ImportState, NamespaceKind, NewProject, Project, Visibility};

/// The day on which an Owner asked for a project to be deleted.
const MARKED: &str = "marked_for_deletion_on";

/// Settings that `PUT /projects/:id` keeps and that mean nothing to the sandbox, with what GitLab sets at first.
fn plain_settings() -> Map<String, Value> {
    let settings = json!({
        "allow_merge_on_skipped_pipeline": null,
        "auto_cancel_pending_pipelines": "enabled",
        "auto_devops_enabled": false,
        "build_timeout": 3600,
        "builds_access_level": "enabled",
        "ci_allow_fork_pipelines_to_run_in_parent_project": true,
        "ci_config_path": null,
        "ci_default_git_depth": 20,
        "ci_job_token_scope_enabled": false,
        "ci_pipeline_variables_minimum_override_role": "developer",
        "ci_push_repository_for_job_token_allowed": false,
        "container_registry_access_level": "enabled",
        "forking_access_level": "enabled",
        "group_runners_enabled": true,
        "issues_access_level": "enabled",
        "lfs_enabled": true,
        "merge_method": "merge",
        "merge_pipelines_enabled": false,
        "merge_requests_access_level": "enabled",
        "merge_trains_enabled": false,
        "mr_default_target_self": false,
        "only_allow_merge_if_all_discussions_are_resolved": false,
        "only_allow_merge_if_pipeline_succeeds": false,
        "packages_enabled": true,
        "pages_access_level": "private",
        "public_jobs": true,
        "remove_source_branch_after_merge": true,
        "repository_access_level": "enabled",
        "request_access_enabled": true,
        "resource_group_default_process_mode": "unordered",
        "restrict_user_defined_variables": false,
        "shared_runners_enabled": true,
        "snippets_access_level": "enabled",
        "squash_option": "default_off",
        "suggestion_commit_message": null,
        "wiki_access_level": "enabled",
    });
    settings.as_object().cloned().unwrap_or_default()
}

/// Those that `POST /projects` does not know.
const NOT_AT_FIRST: [&str; 6] = [
    "ci_allow_fork_pipelines_to_run_in_parent_project",
    "ci_default_git_depth",
    "ci_job_token_scope_enabled",
    "ci_pipeline_variables_minimum_override_role",
    "ci_push_repository_for_job_token_allowed",
    "restrict_user_defined_variables",
];

/// What every form of a project shows.
fn basic(model: &Model, project: &Project) -> Map<String, Value> {
    let path = model.path_of(project);
    let namespace = model.namespaces.get(&project.namespace);
    let namespace_name = namespace.map(|namespace| groups::name(model, namespace)).unwrap_or_default();
    let forks = model.projects.values().filter(|fork| fork.forked_from == Some(project.id)).count();
    let host = model.base_url.split("://").nth(1).and_then(|rest| rest.split([':', '/']).next()).unwrap_or_default();
    let shown = json!({
        "id": project.id,
        "description": project.description,
        "name": project.name,
        "name_with_namespace": format!("{namespace_name} / {}", project.name),
        "path": project.path,
        "path_with_namespace": path,
        "created_at": project.created_at.iso(),
        "default_branch": project.default_branch,
        "tag_list": [],
        "topics": [],
        "ssh_url_to_repo": format!("git@{host}:{path}.git"),
        "http_url_to_repo": format!("{}/{path}.git", model.base_url),
        "web_url": format!("{}/{path}", model.base_url),
        "readme_url": null,
        "forks_count": forks,
        "avatar_url": null,
        "star_count": 0,
        "last_activity_at": project.created_at.iso(),
        "visibility": project.visibility.name(),
        "namespace": groups::basic(model, project.namespace),
    });
    shown.as_object().cloned().unwrap_or_default()
}

/// The short form of a project.
pub(super) fn simple(model: &Model, project: &Project) -> Value {
    Value::Object(basic(model, project))
}

/// The whole of a project, as this user sees it.
pub(super) fn render(model: &Model, user: Option<u64>, project: &Project) -> Value {
    let mut shown = basic(model, project);
    shown.extend(plain_settings());
    shown.extend(project.settings.clone());
    let off =
        [("forking_access_level", project.forking), ("merge_requests_access_level", project.takes_merge_requests)];
    shown.extend(off.into_iter().filter(|(_, on)| !on).map(|(name, _)| (name.to_owned(), json!("disabled"))));
    let api = format!("{}/api/v4/projects/{}", model.base_url, project.id);
    let (status, error) = match &project.import {
        ImportState::None => ("none", None),
        ImportState::Scheduled(Some(0)) => ("started", None),
        ImportState::Scheduled(_) => ("scheduled", None),
        ImportState::Finished => ("finished", None),
        ImportState::Failed(error) => ("failed", Some(error)),
    };
    let namespace = model.namespaces.get(&project.namespace);
    let more = json!({
        "_links": {
            "self": api,
            "issues": format!("{api}/issues"),
            "merge_requests": format!("{api}/merge_requests"),
            "repo_branches": format!("{api}/repository/branches"),
            "labels": format!("{api}/labels"),
            "events": format!("{api}/events"),
            "members": format!("{api}/members"),
        },
        "archived": project.archived,
        "can_create_merge_request_in": user.is_some() && project.takes_merge_requests && model.can_read_code(user, project),
        "creator_id": project.creator,
        "empty_repo": project.branches.is_empty(),
        "import_error": error,
        "import_status": status,
        "import_type": null,
        "import_url": null,
        "issues_enabled": true,
        "jobs_enabled": true,
        "marked_for_deletion_at": project.settings.get(MARKED),
        "marked_for_deletion_on": project.settings.get(MARKED),
        "merge_requests_enabled": project.takes_merge_requests,
        "open_issues_count": 0,
        "shared_with_groups": [],
        "updated_at": project.created_at.iso(),
    });
    shown.extend(more.as_object().cloned().unwrap_or_default());
    if let Some(NamespaceKind::User(owner)) = namespace.map(|namespace| namespace.kind) {
        shown.insert("owner".to_owned(), users::basic(model, owner));
    }
    let parent = project.forked_from.and_then(|parent| model.projects.get(&parent));
    if let Some(parent) = parent.filter(|parent| model.can_see(user, parent)) {
        shown.insert("forked_from_project".to_owned(), Value::Object(basic(model, parent)));
    }
    if let Some(user) = user {
        let access =
            |role: Option<Role>| role.map(|role| json!({ "access_level": role as u64, "notification_level": 3 }));
        let group = model
            .role_in_namespace(user, project.namespace)
            .filter(|_| namespace.is_some_and(|namespace| namespace.kind == NamespaceKind::Group));
        let own =
            project.members.get(&user).copied().or_else(|| {
                namespace.filter(|namespace| namespace.kind == NamespaceKind::User(user)).map(|_| Role::Owner)
            });
        shown.insert("permissions".to_owned(), json!({ "project_access": access(own), "group_access": access(group) }));
    }
    Value::Object(shown)
}

/// One page of projects by id, with the filters that all lists of projects have.
pub(super) fn page_of(context: &Context<'_>, mut ids: Vec<u64>) -> Answer {
    let parameters = &context.parameters;
    parameters.accept(&["archived", "with_shared", "membership", "with_custom_attributes"]);
    let (owned, search) = (parameters.switch("owned")?.unwrap_or(false), parameters.text("search").unwrap_or_default());
    let search = search.to_lowercase();
    let (model, user) = (&context.model, context.caller.user);
    let by_path =
        parameters.choice("order_by", &["created_at", "id", "name", "path", "updated_at", "last_activity_at"])?;
    ids.retain(|id| {
        model.projects.get(id).is_some_and(|project| {
            let own = || user.is_some_and(|user| model.role(user, project) == Some(Role::Owner));
            model.can_see(user, project)
                && (!owned || own())
                && (search.is_empty()
                    || project.path.to_lowercase().contains(&search)
                    || project.name.to_lowercase().contains(&search))
        })
    });
    context.sort(&mut ids, "desc", |id| {
        let path = model.projects.get(id).map(|project| project.path.clone()).unwrap_or_default();
        if matches!(by_path, "name" | "path") { (path, *id) } else { (String::new(), *id) }
    })?;
    let simple = parameters.switch("simple")?.unwrap_or(false);
    context.page(&ids, |id| {
        let project = context.model.projects.get(id)?;
        Some(if simple { self::simple(context.model, project) } else { render(context.model, user, project) })
    })
}

pub(super) fn get(context: &mut Context<'_>, path: &[&str]) -> Answer {
    context.parameters.accept(&["license", "statistics", "with_custom_attributes"]);
    let id = context.project(segment(path, 1))?.id;
    context.model.project_was_read(id);
    let shown = render(context.model, context.caller.user, context.project(segment(path, 1))?);
    Ok(Reply::json(200, &shown))
}

pub(super) fn update(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let id = context.project_as(segment(path, 1), Role::Maintainer)?.id;
    let settings = settings(context, &[]);
    let description = context.parameters.text("description");
    let visibility = visibility_parameter(context)?;
    let branch = context.parameters.text("default_branch");
    if settings.is_empty() && description.is_none() && visibility.is_none() && branch.is_none() {
        let text = "description, visibility, default_branch, … are missing, at least one parameter must be provided";
        return Err(Refusal::Parameter(text.to_owned()));
    }
    let (user, project) = (context.user()?, context.project(segment(path, 1))?);
    if let Some(visibility) = visibility.filter(|visibility| *visibility != project.visibility) {
        // `change_visibility_level`
        if !context.model.has_role(user, project, Role::Owner) {
            return Err(Refusal::forbidden());
        }
        check_visibility(context, project.namespace, visibility)?;
    }
    if let Some(project) = context.model.projects.get_mut(&id) {
        if let Some(branch) = branch {
            if !project.branches.contains_key(&branch) {
                return Err(Refusal::field(400, "base", "Could not set the default branch"));
            }
            project.set_default_branch(Some(branch));
        }
        project.set(settings);
        project.description = description.or_else(|| project.description.take());
        project.visibility = visibility.unwrap_or(project.visibility);
    }
    let shown = render(context.model, Some(user), context.project(segment(path, 1))?);
    Ok(Reply::json(200, &shown))
}

/// The settings of [`plain_settings`] that the request has, but for those that it cannot have.
fn settings(context: &Context<'_>, without: &[&str]) -> Map<String, Value> {
    let names = plain_settings();
    let names = names.keys().filter(|name| !without.contains(&name.as_str()));
    names.filter_map(|name| Some((name.clone(), context.parameters.value(name)?.clone()))).collect()
}

impl Project {
    /// Changes settings; two of them have a meaning here.
    fn set(&mut self, settings: Map<String, Value>) {
        let is_on = |name: &str| settings.get(name).map(|value| value != "disabled");
        self.forking = is_on("forking_access_level").unwrap_or(self.forking);
        self.takes_merge_requests = is_on("merge_requests_access_level").unwrap_or(self.takes_merge_requests);
        self.settings.extend(settings);
    }
}

/// A project is never more visible than the group that it is in.
fn check_visibility(context: &Context<'_>, namespace: u64, visibility: Visibility) -> Result<(), Refusal> {
    match context.model.namespaces.get(&namespace).map(|namespace| namespace.visibility) {
        Some(around) if visibility > around => {
            let text = format!("{} is not allowed in a {} group.", visibility.name(), around.name());
            Err(Refusal::field(400, "visibility_level", &text))
        }
        _ => Ok(()),
    }
}

fn visibility_parameter(context: &Context<'_>) -> Result<Option<Visibility>, Refusal> {
    let Some(name) = context.parameters.text("visibility") else { return Ok(None) };
    let invalid = || Refusal::Parameter("visibility does not have a valid value".to_owned());
    Visibility::from_name(&name).map(Some).ok_or_else(invalid)
}

/// The namespace that a new project is to be in: the caller's own unless named, and one where the caller may make
/// projects.
fn destination(context: &Context<'_>, names: &[&str]) -> Result<u64, Refusal> {
    let user = context.user()?;
    let named = names.iter().find_map(|name| context.parameters.text(name));
    let missing = || Refusal::not_found("Target Namespace");
    let own = || context.model.username(user).to_owned();
    let namespace = groups::lookup(context.model, &named.unwrap_or_else(own)).ok_or_else(missing)?;
    let role = context.model.role_in_namespace(user, namespace.id);
    if role < Some(Role::Developer) {
        return Err(missing());
    }
    let account = context.model.users.get(&user);
    if matches!(namespace.kind, NamespaceKind::User(_)) && account.is_some_and(|user| !user.personal_projects) {
        let text = "You cannot create projects in your personal namespace. Contact your GitLab administrator.";
        return Err(Refusal::field(409, "limit_reached", text));
    }
    Ok(namespace.id)
}

fn is_taken(context: &Context<'_>, namespace: u64, path: &str) -> bool {
    let mut projects = context.model.projects.values();
    projects.any(|project| project.namespace == namespace && project.path.eq_ignore_ascii_case(path))
}

pub(super) fn create(context: &mut Context<'_>, _: &[&str]) -> Answer {
    let user = context.user()?;
    let parameters = &context.parameters;
    let (name, path) = (parameters.text("name"), parameters.text("path"));
    let Some(path) = path.or_else(|| name.clone()) else {
        return Err(Refusal::Parameter("name, path are missing, at least one parameter must be provided".to_owned()));
    };
    let settings = settings(context, &NOT_AT_FIRST);
    // `Projects::CreateService` does not say whether there is no such namespace, or no right to make projects there.
    let denied = |refusal| match refusal {
        Refusal::Message(404, _) => Refusal::field(400, "namespace", "is not valid"),
        Refusal::Fields(409, texts) => Refusal::Fields(403, texts),
        other => other,
    };
    let namespace = destination(context, &["namespace_id"]).map_err(denied)?;
    if is_taken(context, namespace, &path) {
        let taken = json!({ "name": ["has already been taken"], "path": ["has already been taken"] });
        return Err(Refusal::Fields(400, taken));
    }
    let visibility = visibility_parameter(context)?.unwrap_or(Visibility::Private);
    check_visibility(context, namespace, visibility)?;
    let description = parameters.text("description");
    let name = name.unwrap_or_else(|| path.clone());
    let id = context.model.add_project(NewProject { namespace, path, name, description, visibility, creator: user });
    if let Some(project) = context.model.projects.get_mut(&id) {
        project.set(settings);
    }
    let shown = context.model.projects.get(&id).map(|project| render(context.model, Some(user), project));
    Ok(Reply::json(201, &shown.unwrap_or_default()))
}

/// Owners delete a project in two steps: the first marks it and gives it another path, the second, which has to name that,
/// removes it for good (`lib/api/projects.rb`, `projects/mark_for_deletion_service.rb`, since 18.0 everywhere).
pub(super) fn delete(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.project_as(segment(path, 1), Role::Owner)?;
    let (id, full_path) = (project.id, context.model.path_of(project));
    let marked = project.settings.contains_key(MARKED);
    let (for_good, named) =
        (context.parameters.switch("permanently_remove")?.unwrap_or(false), context.parameters.text("full_path"));
    if for_good && !marked {
        return Err(Refusal::Message(400, "Project must be marked for deletion first.".to_owned()));
    }
    if for_good && named.as_deref() != Some(&full_path) {
        return Err(Refusal::Message(400, "`full_path` is incorrect.".to_owned()));
    }
    if for_good {
        context.model.delete_project(id);
    } else if let Some(project) = context.model.projects.get_mut(&id) {
        project.path = format!("{}-deletion_scheduled-{id}", project.path);
        project.settings.insert(MARKED.to_owned(), json!("2026-01-02"));
    }
    Ok(Reply::json(202, &json!({ "message": "202 Accepted" })))
}

pub(super) fn fork(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let user = context.user()?;
    let parent = context.project(segment(path, 1))?;
    if !parent.forking || !context.model.can_read_code(Some(user), parent) {
        return Err(Refusal::not_found(""));
    }
    let namespace = destination(context, &["namespace_id", "namespace_path", "namespace"])?;
    let parameters = &context.parameters;
    let path = parameters.text("path").unwrap_or_else(|| parent.path.clone());
    let name = parameters.text("name").unwrap_or_else(|| parent.name.clone());
    let branches = parameters.text("branches").filter(|branch| !branch.is_empty());
    let mr_default_target_self = parameters.switch("mr_default_target_self")?;
    if is_taken(context, namespace, &path) {
        let taken = json!({ "name": ["has already been taken"], "path": ["has already been taken"] });
        return Err(Refusal::Fields(409, taken));
    }
    // A fork is never more visible than its parent or the group it is in.
    let around = context.model.namespaces.get(&namespace).map_or(Visibility::Private, |namespace| namespace.visibility);
    let wanted = visibility_parameter(context)?.unwrap_or(parent.visibility);
    let visibility = wanted.min(parent.visibility).min(around);
    let description = parameters.text("description").or_else(|| parent.description.clone());
    let parent = parent.id;
    let new = NewProject { namespace, path, name, description, visibility, creator: user };
    let id = context.model.start_fork(parent, new, branches);
    if let (Some(fork), Some(own)) = (context.model.projects.get_mut(&id), mr_default_target_self) {
        fork.settings.insert("mr_default_target_self".to_owned(), json!(own));
    }
    let shown = context.model.projects.get(&id).map(|project| render(context.model, Some(user), project));
    Ok(Reply::json(201, &shown.unwrap_or_default()))
}

pub(super) fn forks(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let parent = context.project(segment(path, 1))?.id;
    let forks = context.model.projects.values().filter(|project| project.forked_from == Some(parent));
    let forks = forks.map(|project| project.id).collect();
    page_of(context, forks)
}

fn render_label(name: &str) -> Value {
    json!({
        "name": name, "description": null, "description_html": "", "text_color": "#FFFFFF", "color": "#428BCA",
        "subscribed": false, "priority": null, "is_project_label": true,
    })
}

pub(super) fn labels(context: &mut Context<'_>, path: &[&str]) -> Answer {
    context.parameters.accept(&["with_counts", "include_ancestor_groups"]);
    let project = context.project(segment(path, 1))?;
    let search = context.parameters.text("search").unwrap_or_default();
    let labels: Vec<&String> = project.labels.iter().filter(|label| label.contains(&search)).collect();
    context.page(&labels, |label| Some(render_label(label)))
}

pub(super) fn create_label(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let id = context.project_as(segment(path, 1), Role::Reporter)?.id;
    context.parameters.accept(&["description", "priority"]);
    let name = context.parameters.required("name")?;
    context.parameters.required("color")?;
    let added = context.model.projects.get_mut(&id).is_some_and(|project| project.labels.insert(name.clone()));
    if !added {
        return Err(Refusal::Message(409, "Label already exists".to_owned()));
    }
    Ok(Reply::json(201, &render_label(&name)))
}
