//! How a test sets its world up, plays the people in it, and looks at what came of it. Projects go by full path, users
//! by name, merge requests by project and number. Nothing here is a request: it leaves no trace in the log.

mod branches;
mod copies;
mod issues;
mod merge_requests;
mod operation;
mod pipelines;
mod repositories;
mod statuses;
mod triggers;
mod webhooks;

pub use copies::Repositories;
pub use merge_requests::MergeRequestBuilder;
pub use pipelines::{JobBuilder, MergeRequestPipelineBuilder};
pub use statuses::{ShownPipeline, ShownStatus};
pub use webhooks::HookBuilder;

use crate::model::Model;
use crate::model::access::{Role, Scope, Token, TokenKind, User};
use crate::model::projects::{ForkImport, NamespaceKind, NewProject, Project, ProtectedBranch, Visibility};
use crate::sandbox::Handle;

fn user_id(model: &Model, name: &str) -> u64 {
    model.user(name).unwrap_or_else(|| panic!("there is no user {name}")).id
}

fn project_id(model: &Model, path: &str) -> u64 {
    model.project(path).unwrap_or_else(|| panic!("there is no project {path}")).id
}

fn project_mut<'a>(model: &'a mut Model, path: &str) -> &'a mut Project {
    let id = project_id(model, path);
    model.projects.get_mut(&id).unwrap_or_else(|| panic!("there is no project {path}"))
}

fn request_id(model: &Model, project: &str, iid: u64) -> u64 {
    let found = model.merge_request(project_id(model, project), iid);
    found.unwrap_or_else(|| panic!("there is no merge request {project}!{iid}")).id
}

/// Users, tokens, groups and projects.
impl Handle {
    /// Adds a user with a personal namespace.
    pub fn user(&self, name: &str) {
        self.add_user(name, |_| ());
    }

    /// Adds an administrator.
    pub fn administrator(&self, name: &str) {
        self.add_user(name, |user| user.admin = true);
    }

    /// Adds a user who may not have projects in the personal namespace, as service accounts may not.
    pub fn service_account(&self, name: &str) {
        self.add_user(name, |user| user.personal_projects = false);
    }

    fn add_user(&self, name: &str, adjust: impl FnOnce(&mut User)) {
        let model = &mut *self.0.model();
        assert!(model.namespace(name).is_none(), "the name {name} is taken");
        let (id, created_at) = (model.next_id(), model.now());
        let (username, email) = (name.to_owned(), format!("{name}@example.com"));
        let mut user =
            User { id, username, name: capitalised(name), email, admin: false, personal_projects: true, created_at };
        adjust(&mut user);
        model.users.insert(id, user);
        model.add_namespace(name, NamespaceKind::User(id), None, Visibility::Public);
    }

    /// Makes an access token and gives its value.
    pub fn token(&self, user: &str, scopes: &[Scope]) -> String {
        self.add_token(user, scopes, |_| TokenKind::Access)
    }

    /// Makes the `CI_JOB_TOKEN` of a job that a user runs in a project.
    pub fn job_token(&self, user: &str, project: &str) -> String {
        self.add_token(user, &[], |model| TokenKind::Job { project: project_id(model, project) })
    }

    fn add_token(&self, user: &str, scopes: &[Scope], kind: impl FnOnce(&Model) -> TokenKind) -> String {
        let model = &mut *self.0.model();
        let (user_id, kind, id) = (user_id(model, user), kind(model), model.next_id());
        let prefix = if kind == TokenKind::Access { "glpat" } else { "glcbt" };
        let value = format!("{prefix}-{user}-{id}_s3cr3t");
        let scopes = scopes.to_vec();
        model.tokens.push(Token {
            id,
            value: value.clone(),
            user: user_id,
            scopes,
            kind,
            expired: false,
            expires_at: "2099-12-31".to_owned(),
        });
        value
    }

    /// Lets a token expire.
    pub fn expire(&self, token: &str) {
        for found in self.0.model().tokens.iter_mut().filter(|found| found.value == token) {
            found.expired = true;
        }
    }

    /// Lets a token expire on a day (`2026-12-24`), of which the sandbox only tells.
    pub fn expires_at(&self, token: &str, day: &str) {
        for found in self.0.model().tokens.iter_mut().filter(|found| found.value == token) {
            day.clone_into(&mut found.expires_at);
        }
    }

    /// Adds a group with the groups around it, where they do not exist, all with this visibility.
    pub fn group(&self, path: &str, visibility: Visibility) {
        self.0.model().ensure_group(path, visibility);
    }

    /// Gives a user a role in a group.
    pub fn group_member(&self, group: &str, user: &str, role: Role) {
        let model = &mut *self.0.model();
        let user = user_id(model, user);
        let id = model.namespace(group).unwrap_or_else(|| panic!("there is no group {group}")).id;
        model.namespaces.get_mut(&id).map(|group| group.members.insert(user, role));
    }

    /// Adds a public, empty project, with the groups around it where they do not exist.
    pub fn project(&self, path: &str) {
        self.project_with(path, Visibility::Public);
    }

    /// Adds an empty project; groups around it that do not exist become public.
    pub fn project_with(&self, path: &str, visibility: Visibility) {
        let model = &mut *self.0.model();
        let (group, name) = path.rsplit_once('/').unwrap_or_else(|| panic!("a project is in a namespace: {path}"));
        let namespace = model.ensure_group(group, Visibility::Public);
        let creator = model.users.keys().next().copied().unwrap_or_default();
        let (path, name) = (name.to_owned(), name.to_owned());
        model.add_project(NewProject { namespace, path, name, description: None, visibility, creator });
    }

    /// Gives a user a role in a project.
    pub fn member(&self, project: &str, user: &str, role: Role) {
        let model = &mut *self.0.model();
        let user = user_id(model, user);
        project_mut(model, project).members.insert(user, role);
    }

    /// Takes a user's role in a project away.
    pub fn remove_member(&self, project: &str, user: &str) {
        let model = &mut *self.0.model();
        let user = user_id(model, user);
        project_mut(model, project).members.remove(&user);
    }

    /// Changes who can see a project.
    pub fn set_visibility(&self, project: &str, visibility: Visibility) {
        project_mut(&mut self.0.model(), project).visibility = visibility;
    }

    /// Protects branches by name or pattern: the least role that may push and merge, nobody where `None`.
    pub fn protect(&self, project: &str, pattern: &str, push: Option<Role>) {
        let model = &mut *self.0.model();
        let id = model.next_id();
        let rule = ProtectedBranch { id, pattern: pattern.to_owned(), push, merge: push, force_push: false };
        let project = project_mut(model, project);
        project.protected.retain(|other| other.pattern != pattern);
        project.protected.push(rule);
    }

    /// Switches partial clone and fetching by commit id off, as old servers have it.
    pub fn forbid_partial_clone(&self, project: &str) {
        project_mut(&mut self.0.model(), project).repository.allow_partial_clone(false);
    }

    /// Lets jobs of another project use their token with this one.
    pub fn allow_job_tokens(&self, project: &str, from: &str) {
        let model = &mut *self.0.model();
        let from = project_id(model, from);
        project_mut(model, project).job_token_allowlist.insert(from);
    }

    /// Removes a project with its repository and pipelines; merge requests from it stay, without a source.
    pub fn delete_project(&self, project: &str) {
        let mut model = self.0.model();
        let id = project_id(&model, project);
        model.delete_project(id);
    }

    /// Forks a project into a namespace at once, and gives the fork's path.
    pub fn fork(&self, project: &str, namespace: &str) -> String {
        let model = &mut *self.0.model();
        let parent = project_id(model, project);
        let into = model.namespace(namespace).unwrap_or_else(|| panic!("there is no namespace {namespace}"));
        let (into, creator) = match into.kind {
            NamespaceKind::User(user) => (into.id, user),
            NamespaceKind::Group => (into.id, model.users.keys().next().copied().unwrap_or_default()),
        };
        let Some(source) = model.projects.get(&parent) else { panic!("there is no project {project}") };
        let new = NewProject {
            namespace: into,
            path: source.path.clone(),
            name: source.name.clone(),
            description: source.description.clone(),
            visibility: source.visibility,
            creator,
        };
        let path = format!("{namespace}/{}", source.path);
        let id = model.start_fork(parent, new, None);
        model.finish_import(id);
        path
    }

    /// Says how forks that are asked for over the API are imported; at first after one reading.
    pub fn set_fork_import(&self, import: ForkImport) {
        self.0.model().fork_import = import;
    }

    /// Finishes the import of a fork.
    pub fn finish_import(&self, project: &str) {
        let model = &mut *self.0.model();
        let id = project_id(model, project);
        model.finish_import(id);
    }
}

fn capitalised(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
