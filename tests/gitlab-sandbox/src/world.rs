//! How a test sets its world up, plays the people in it, and looks at what came of it. Projects go by full path, users
//! by name, merge requests by project and number. Nothing here is a request: it leaves no trace in the log.

use std::path::Path;

use crate::model::Model;
use crate::model::access::{Role, Scope, Token, TokenKind, User};
use crate::model::merge_requests::{Change, MergeRequest, Proposal};
use crate::model::notes::{Added, Note};
use crate::model::pipelines::{CommitStatus, Pipeline};
use crate::model::projects::{ForkImport, NamespaceKind, NewProject, Project, ProtectedBranch, Visibility};
use crate::model::text::Act;
use crate::repository::{git_command, run};
use crate::sandbox::Handle;

/// The date of the first commit that a test makes; each further one is a minute later.
const FIRST_COMMIT: u64 = 1_700_000_000;

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
        model.tokens.push(Token { id, value: value.clone(), user: user_id, scopes, kind, expired: false });
        value
    }

    /// Lets a token expire.
    pub fn expire(&self, token: &str) {
        for found in self.0.model().tokens.iter_mut().filter(|found| found.value == token) {
            found.expired = true;
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

    /// Protects branches by name or pattern: the least role that may push, nobody where `None`.
    pub fn protect(&self, project: &str, pattern: &str, push: Option<Role>) {
        let rule = ProtectedBranch { pattern: pattern.to_owned(), push, force_push: false };
        let mut model = self.0.model();
        let project = project_mut(&mut model, project);
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

    /// Removes a project with its repository; merge requests from it stay, without a source.
    pub fn delete_project(&self, project: &str) {
        let mut model = self.0.model();
        let id = project_id(&model, project);
        model.projects.remove(&id);
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

/// Branches and commits.
impl Handle {
    /// Commits files (`None` removes one) on a branch, which is made where it does not exist (without history, or from
    /// where [`Handle::branch_at`] put it), and gives the commit's id. The same calls always give the same ids.
    pub fn commit(&self, project: &str, branch: &str, message: &str, changes: &[(&str, Option<&str>)]) -> String {
        let model = &mut *self.0.model();
        let id = project_id(model, project);
        model.commits_made += 1;
        let seconds = FIRST_COMMIT + 60 * model.commits_made;
        project_mut(model, project).repository.commit_files(branch, message, seconds, changes);
        let someone = model.users.keys().next().copied().unwrap_or_default();
        model.notice_push(id, someone);
        project_mut(model, project).branches.get(branch).cloned().unwrap_or_default()
    }

    /// Puts a branch where a commit, branch or tag is.
    pub fn branch_at(&self, project: &str, branch: &str, revision: &str) {
        let model = &mut *self.0.model();
        let id = project_id(model, project);
        let repository = project_mut(model, project).repository.clone();
        let commit = repository.commit_id(revision).unwrap_or_else(|| panic!("{project} has no {revision}"));
        repository.set_refs(&[(&format!("refs/heads/{branch}"), &commit)]);
        let someone = model.users.keys().next().copied().unwrap_or_default();
        model.notice_push(id, someone);
    }

    /// Deletes a branch, with all that follows.
    pub fn delete_branch(&self, project: &str, branch: &str) {
        let model = &mut *self.0.model();
        let id = project_id(model, project);
        project_mut(model, project).repository.delete_ref(&format!("refs/heads/{branch}"));
        let someone = model.users.keys().next().copied().unwrap_or_default();
        model.notice_push(id, someone);
    }

    /// Tags a commit; with a message the tag is an annotated one.
    pub fn tag(&self, project: &str, name: &str, revision: &str, message: Option<&str>) {
        let mut model = self.0.model();
        let repository = &project_mut(&mut model, project).repository;
        match message {
            Some(message) => repository.must(&["tag", "-a", "-m", message, name, revision]),
            None => repository.must(&["tag", name, revision]),
        };
    }

    /// Pushes from a local repository, whoever owns it and whatever is protected, by git's own refspecs.
    pub fn push(&self, local: &Path, project: &str, refspecs: &[&str]) {
        let model = &mut *self.0.model();
        let id = project_id(model, project);
        let mut command = git_command(local);
        command.args(["push", "--quiet", "--force"]).arg(project_mut(model, project).repository.path()).args(refspecs);
        run(command, b"").unwrap_or_else(|error| panic!("pushing {refspecs:?} to {project}: {error}"));
        let someone = model.users.keys().next().copied().unwrap_or_default();
        model.notice_push(id, someone);
    }

    /// The commit at the tip of a branch.
    #[must_use]
    pub fn tip(&self, project: &str, branch: &str) -> Option<String> {
        project_mut(&mut self.0.model(), project).branches.get(branch).cloned()
    }

    /// The content of a file, as of a branch, tag, commit or other ref.
    #[must_use]
    pub fn file(&self, project: &str, revision: &str, path: &str) -> Option<Vec<u8>> {
        project_mut(&mut self.0.model(), project).repository.blob(revision, path)
    }

    /// What git says in a project's repository, for anything else a test wants to know: `git(…, &["log", "c10s"])`.
    #[must_use]
    pub fn git(&self, project: &str, arguments: &[&str]) -> String {
        let repository = project_mut(&mut self.0.model(), project).repository.clone();
        repository.must(arguments)
    }
}

/// Merge requests, notes, pipelines.
impl Handle {
    /// Starts a merge request by a user; see [`MergeRequestBuilder`].
    pub fn open(&self, author: &str) -> MergeRequestBuilder {
        let text = String::new;
        MergeRequestBuilder {
            handle: self.clone(),
            author: author.to_owned(),
            source: (text(), text()),
            target: (text(), text()),
            title: "Change something".to_owned(),
            description: text(),
            labels: Vec::new(),
            allow_collaboration: false,
        }
    }

    /// Every merge request into a project, oldest first.
    #[must_use]
    pub fn merge_requests(&self, project: &str) -> Vec<MergeRequest> {
        let model = self.0.model();
        let id = project_id(&model, project);
        model.merge_requests.values().filter(|request| request.target_project == id).cloned().collect()
    }

    /// Lets new merge requests stay unprepared (no head, no diff refs) for this many readings, as GitLab's do for a
    /// moment.
    pub fn prepare_slowly(&self, readings: u32) {
        self.0.model().unprepared_readings = readings;
    }

    /// One merge request.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn merge_request(&self, project: &str, iid: u64) -> MergeRequest {
        let model = self.0.model();
        let id = request_id(&model, project, iid);
        model.merge_requests.get(&id).cloned().unwrap_or_else(|| panic!("there is no {project}!{iid}"))
    }

    /// Every note on a merge request that is not a system note, oldest first.
    #[must_use]
    pub fn notes(&self, project: &str, iid: u64) -> Vec<Note> {
        let model = self.0.model();
        let id = request_id(&model, project, iid);
        model.notes_of(id).into_iter().filter(|note| !note.system).cloned().collect()
    }

    /// What texts set off by themselves so far.
    #[must_use]
    pub fn acts(&self) -> Vec<Act> {
        self.0.model().acts.clone()
    }

    /// Writes a note and gives its id.
    ///
    /// # Panics
    ///
    /// If GitLab would not take it as a note.
    pub fn note(&self, project: &str, iid: u64, author: &str, text: &str) -> u64 {
        let model = &mut *self.0.model();
        let (request, author) = (request_id(model, project, iid), user_id(model, author));
        match model.add_note(request, author, text, false) {
            Added::Note(id) => id,
            Added::CommandsOnly(_) | Added::Blank | Added::TooLong => panic!("no note is left of {text:?}"),
        }
    }

    /// Adds a note that no one may read, so that a page of notes is one short.
    pub fn withheld_note(&self, project: &str, iid: u64, author: &str) {
        let model = &mut *self.0.model();
        let (request, author) = (request_id(model, project, iid), user_id(model, author));
        let id = model.push_note(request, author, "mentioned in a private place".to_owned(), true, false);
        if let Some(note) = model.notes.get_mut(&id) {
            note.withheld = true;
        }
    }

    fn change(&self, project: &str, iid: u64, user: &str, change: Change) {
        let model = &mut *self.0.model();
        let (request, user) = (request_id(model, project, iid), user_id(model, user));
        let changed = model.change_merge_request(user, request, change);
        assert!(changed.is_ok(), "GitLab refuses to change {project}!{iid}: {changed:?}");
    }

    /// A user gives a merge request another title.
    pub fn set_title(&self, project: &str, iid: u64, user: &str, title: &str) {
        self.change(project, iid, user, Change { title: Some(title.to_owned()), ..Change::default() });
    }

    /// A user gives a merge request another description.
    pub fn set_description(&self, project: &str, iid: u64, user: &str, description: &str) {
        self.change(project, iid, user, Change { description: Some(description.to_owned()), ..Change::default() });
    }

    /// A user points a merge request at another branch.
    pub fn set_target(&self, project: &str, iid: u64, user: &str, branch: &str) {
        self.change(project, iid, user, Change { target_branch: Some(branch.to_owned()), ..Change::default() });
    }

    /// A user closes a merge request.
    pub fn close(&self, project: &str, iid: u64, user: &str) {
        self.change(project, iid, user, Change { close: true, ..Change::default() });
    }

    /// A user reopens a merge request.
    pub fn reopen(&self, project: &str, iid: u64, user: &str) {
        self.change(project, iid, user, Change { reopen: true, ..Change::default() });
    }

    /// A user merges a merge request.
    ///
    /// # Panics
    ///
    /// If it is not open, or if it conflicts.
    pub fn merge(&self, project: &str, iid: u64, user: &str) {
        let model = &mut *self.0.model();
        let (request, user) = (request_id(model, project, iid), user_id(model, user));
        assert!(model.merge(user, request), "{project}!{iid} cannot be merged");
    }

    /// Adds a pipeline and gives its id; with a merge request (by number in `of`'s project) it is one of that.
    pub fn pipeline(&self, project: &str, sha: &str, reference: &str, status: &str, of: Option<(&str, u64)>) -> u64 {
        let model = &mut *self.0.model();
        let merge_request = of.map(|(project, iid)| request_id(model, project, iid));
        let (id, created_at, project) = (model.next_id(), model.now(), project_id(model, project));
        let iid = model.pipelines.values().filter(|other| other.project == project).count() as u64 + 1;
        let source = if of.is_some() { "merge_request_event" } else { "push" }.to_owned();
        let (sha, reference, status) = (sha.to_owned(), reference.to_owned(), status.to_owned());
        model
            .pipelines
            .insert(id, Pipeline { id, iid, project, sha, reference, status, source, merge_request, created_at });
        id
    }

    /// Adds a commit status to a pipeline and gives its id.
    pub fn commit_status(&self, pipeline: u64, author: &str, name: &str, status: &str) -> u64 {
        let model = &mut *self.0.model();
        let author = user_id(model, author);
        let (id, created_at) = (model.next_id(), model.now());
        let of = model.pipelines.get(&pipeline).unwrap_or_else(|| panic!("there is no pipeline {pipeline}"));
        let (sha, reference, project) = (of.sha.clone(), of.reference.clone(), of.project);
        let (name, status) = (name.to_owned(), status.to_owned());
        let (description, target_url) = (None, None);
        let added = CommitStatus {
            id,
            project,
            pipeline,
            sha,
            reference,
            name,
            status,
            description,
            target_url,
            author,
            created_at,
        };
        model.statuses.insert(id, added);
        id
    }
}

/// A merge request in the making, as a person makes it by hand.
#[derive(Debug, Clone)]
#[must_use = "`create` makes it"]
pub struct MergeRequestBuilder {
    handle: Handle,
    author: String,
    source: (String, String),
    target: (String, String),
    title: String,
    description: String,
    labels: Vec<String>,
    allow_collaboration: bool,
}

impl MergeRequestBuilder {
    /// The project and branch to merge.
    pub fn from(mut self, project: &str, branch: &str) -> Self {
        self.source = (project.to_owned(), branch.to_owned());
        self
    }

    /// The project and branch to merge into.
    pub fn into(mut self, project: &str, branch: &str) -> Self {
        self.target = (project.to_owned(), branch.to_owned());
        self
    }

    /// The title.
    pub fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// The description.
    pub fn description(mut self, description: &str) -> Self {
        description.clone_into(&mut self.description);
        self
    }

    /// One more label; ignored where the author may not set labels.
    pub fn label(mut self, label: &str) -> Self {
        self.labels.push(label.to_owned());
        self
    }

    /// Lets members of the target project push to the source branch.
    pub const fn allow_collaboration(mut self) -> Self {
        self.allow_collaboration = true;
        self
    }

    /// Makes it, and gives its number.
    ///
    /// # Panics
    ///
    /// If GitLab would refuse.
    pub fn create(self) -> u64 {
        let model = &mut *self.handle.0.model();
        let proposal = Proposal {
            author: user_id(model, &self.author),
            source_project: project_id(model, &self.source.0),
            target_project: project_id(model, &self.target.0),
            source_branch: self.source.1,
            target_branch: self.target.1,
            title: self.title,
            description: self.description,
            labels: self.labels,
            allow_collaboration: self.allow_collaboration,
            remove_source_branch: false,
            squash: false,
        };
        let id = model.open_merge_request(proposal);
        let id = id.unwrap_or_else(|objection| panic!("GitLab refuses this merge request: {objection:?}"));
        model.merge_requests.get(&id).map_or(0, |request| request.iid)
    }
}

fn capitalised(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
