//! Merge requests: what GitLab checks, stores and sets off when one is made or changed.

use std::collections::BTreeSet;

use serde_json::json;

use super::Model;
use super::access::Role;
use super::projects::Project;
use super::pushes::Pusher;
use super::text::{Place, stored};
use crate::clock::Moment;

/// The longest title, in characters.
pub(crate) const MAX_TITLE: usize = 255;
/// The longest description, in characters.
pub(crate) const MAX_DESCRIPTION: usize = 1_048_576;

/// The state of a merge request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// `opened`.
    Opened,
    /// `closed`.
    Closed,
    /// `merged`.
    Merged,
}

impl State {
    /// The name as the API writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Merged => "merged",
        }
    }
}

/// One version of the diff: each push to the source branch makes one.
#[derive(Debug, Clone)]
pub struct Version {
    /// The version's id.
    pub id: u64,
    /// The head of the source branch.
    pub head: String,
    /// The merge base of head and target.
    pub base: String,
    /// The tip of the target branch at that time.
    pub start: String,
    /// When it was made.
    pub created_at: Moment,
}

/// A merge request.
#[derive(Debug, Clone)]
pub struct MergeRequest {
    /// The global id.
    pub id: u64,
    /// The number in the target project.
    pub iid: u64,
    /// The project it wants to change.
    pub target_project: u64,
    /// The project its branch is in.
    pub source_project: u64,
    /// The branch to merge.
    pub source_branch: String,
    /// The branch to merge into.
    pub target_branch: String,
    /// The title, without white space around it.
    pub title: String,
    /// The description as stored.
    pub description: String,
    /// The state.
    pub state: State,
    /// Who made it.
    pub author: u64,
    /// Labels.
    pub labels: BTreeSet<String>,
    /// Versions of the diff, oldest first.
    pub versions: Vec<Version>,
    /// When it was made.
    pub created_at: Moment,
    /// When anything about it last changed.
    pub updated_at: Moment,
    /// When and by whom it was closed.
    pub closed: Option<(Moment, u64)>,
    /// When and by whom it was merged.
    pub merged: Option<(Moment, u64)>,
    /// The commit that merged it.
    pub merge_commit: Option<String>,
    /// Whether members of the target project may push to the source branch.
    pub allow_collaboration: bool,
    /// Whether the source branch goes when merged.
    pub remove_source_branch: bool,
    /// Whether the commits are squashed when merged.
    pub squash: bool,
    /// The pipeline that the REST API shows as its head pipeline; it may be of an older head.
    pub head_pipeline: Option<u64>,
    /// The merge request stays unprepared for this many readings.
    pub unprepared_readings: u32,
}

impl MergeRequest {
    /// Whether the title makes it a draft, by GitLab's prefixes.
    #[must_use]
    pub fn is_draft(&self) -> bool {
        let title = self.title.to_ascii_lowercase();
        ["draft:", "[draft]", "(draft)"].iter().any(|prefix| title.starts_with(prefix))
    }

    /// The newest head.
    #[must_use]
    pub fn head(&self) -> Option<&str> {
        self.versions.last().map(|version| version.head.as_str())
    }
}

/// What somebody asks for when making a merge request.
#[derive(Debug, Clone)]
pub(crate) struct Proposal {
    pub(crate) author: u64,
    pub(crate) source_project: u64,
    pub(crate) target_project: u64,
    pub(crate) source_branch: String,
    pub(crate) target_branch: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) labels: Vec<String>,
    pub(crate) allow_collaboration: bool,
    pub(crate) remove_source_branch: bool,
    pub(crate) squash: bool,
}

/// Why GitLab refuses to make or change one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Objection {
    /// 403.
    Forbidden,
    /// 422 with a list of texts.
    Unprocessable(String),
    /// 409 with a list of texts.
    Conflict(String),
    /// 400 with texts by field.
    Invalid(&'static str, String),
}

/// What is to change; `None` leaves it.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) target_branch: Option<String>,
    pub(crate) labels: Option<Vec<String>>,
    pub(crate) add_labels: Vec<String>,
    pub(crate) remove_labels: Vec<String>,
    pub(crate) close: bool,
    pub(crate) reopen: bool,
    pub(crate) allow_collaboration: Option<bool>,
    pub(crate) remove_source_branch: Option<bool>,
    pub(crate) squash: Option<bool>,
}

impl Model {
    /// Makes a merge request, or says why not, in the order of GitLab's checks.
    pub(crate) fn open_merge_request(&mut self, proposal: Proposal) -> Result<u64, Objection> {
        let Proposal { author, source_project, target_project, source_branch, target_branch, .. } = proposal.clone();
        let (Some(source), Some(target)) = (self.projects.get(&source_project), self.projects.get(&target_project))
        else {
            return Err(Objection::Forbidden);
        };
        if !self.has_role(author, source, Role::Developer) || !self.can_read_code(Some(author), target) {
            return Err(Objection::Forbidden);
        }
        if !target.takes_merge_requests {
            return Err(Objection::Forbidden);
        }
        if source_project == target_project && source_branch == target_branch {
            return Err(Objection::Unprocessable("You can't use same project/branch for source and target".to_owned()));
        }
        if source_project != target_project && !self.is_fork_of(source, target) {
            return Err(Objection::Unprocessable("Source project is not a fork of the target project".to_owned()));
        }
        self.check_duplicate(None, source_project, target_project, &source_branch, &target_branch)?;
        check_branch(source, "source_branch", &source_branch)?;
        check_branch(target, "target_branch", &target_branch)?;
        let title = check_title(&proposal.title)?;
        check_description(&proposal.description)?;

        let may_label = self.has_role(author, target, Role::Developer);
        let (description, commands) = stored(&proposal.description);
        let (id, now) = (self.next_id(), self.now());
        let iid = self.projects.get_mut(&target_project).map_or(0, |target| {
            target.last_iid += 1;
            target.last_iid
        });
        let request = MergeRequest {
            id,
            iid,
            target_project,
            source_project,
            source_branch,
            target_branch,
            title: title.clone(),
            description: description.clone(),
            state: State::Opened,
            author,
            labels: BTreeSet::new(),
            versions: Vec::new(),
            created_at: now,
            updated_at: now,
            closed: None,
            merged: None,
            merge_commit: None,
            allow_collaboration: proposal.allow_collaboration,
            remove_source_branch: proposal.remove_source_branch,
            squash: proposal.squash,
            head_pipeline: None,
            unprepared_readings: self.unprepared_readings,
        };
        self.merge_requests.insert(id, request);
        if may_label {
            self.set_labels(id, proposal.labels.into_iter().collect());
        }
        self.add_version(id);
        self.tell(id, author, "open", &json!({ "merge_status": { "previous": "unchecked", "current": "preparing" } }));
        self.act_on(author, id, Place::Title, &title, &[]);
        self.act_on(author, id, Place::Description, &description, &commands);
        self.update_head_pipeline(id);
        self.run_pipeline_by_itself(author, id);
        Ok(id)
    }

    /// Changes a merge request as `user`, or says why not. Labels are ignored, without a word, from people who may not
    /// set them (`set_merge_request_metadata`: Developer and above).
    pub(crate) fn change_merge_request(&mut self, user: u64, id: u64, change: Change) -> Result<(), Objection> {
        let Some(old) = self.merge_requests.get(&id).cloned() else { return Err(Objection::Forbidden) };
        let Some(target) = self.projects.get(&old.target_project) else { return Err(Objection::Forbidden) };
        let developer = self.has_role(user, target, Role::Developer);
        if old.author != user && !developer {
            return Err(Objection::Forbidden);
        }
        let title = change.title.as_deref().map(check_title).transpose()?;
        change.description.as_deref().map_or(Ok(()), check_description)?;
        if let Some(branch) = &change.target_branch {
            check_branch(target, "target_branch", branch)?;
            if old.state == State::Opened {
                self.check_duplicate(Some(id), old.source_project, old.target_project, &old.source_branch, branch)?;
            }
        }
        if change.reopen && old.state == State::Closed {
            self.check_duplicate(
                Some(id),
                old.source_project,
                old.target_project,
                &old.source_branch,
                &old.target_branch,
            )?;
        }
        if let Some(title) = title.filter(|title| *title != old.title) {
            self.set_title(user, id, &title);
        }
        if let Some(text) = change.description {
            let (description, commands) = stored(&text);
            if description != old.description {
                self.edit(id, |request| request.description.clone_from(&description));
                self.system_note(id, user, "changed the description");
                self.act_on(user, id, Place::Description, &description, &commands);
            }
        }
        if let Some(branch) = change.target_branch.filter(|branch| *branch != old.target_branch) {
            self.set_target_branch(user, id, branch);
        }
        if developer {
            let mut labels = change.labels.map_or_else(|| old.labels.clone(), |labels| labels.into_iter().collect());
            labels.extend(change.add_labels);
            labels.retain(|label| !change.remove_labels.contains(label));
            if labels != old.labels {
                self.set_labels(id, labels);
                self.system_note(id, user, "changed the labels");
            }
        }
        self.edit(id, |request| {
            request.allow_collaboration = change.allow_collaboration.unwrap_or(request.allow_collaboration);
            request.remove_source_branch = change.remove_source_branch.unwrap_or(request.remove_source_branch);
            request.squash = change.squash.unwrap_or(request.squash);
        });
        self.tell_changes(&old, user);
        if change.close {
            self.close(user, id);
        }
        if change.reopen {
            self.reopen(user, id);
        }
        Ok(())
    }

    /// Executes a quick action that changes the merge request, as far as the user may.
    pub(crate) fn execute(&mut self, user: u64, id: u64, command: &str) {
        let (name, argument) = command.split_once(' ').unwrap_or((command, ""));
        let mut change = Change::default();
        let labels = || argument.split('~').map(|label| label.trim().trim_matches('"').to_owned());
        let labels = || labels().filter(|label| !label.is_empty()).collect::<Vec<_>>();
        match name.to_ascii_lowercase().as_str() {
            "close" => change.close = true,
            "reopen" => change.reopen = true,
            "title" => change.title = Some(argument.to_owned()),
            "target_branch" => change.target_branch = Some(argument.trim().to_owned()),
            "label" | "labels" => change.add_labels = labels(),
            "unlabel" => change.remove_labels = labels(),
            "merge" => {
                let may = self.merge_requests.get(&id).and_then(|request| self.projects.get(&request.target_project));
                if may.is_some_and(|target| self.has_role(user, target, Role::Maintainer)) {
                    self.merge(user, id);
                }
            }
            _ => {}
        }
        // A quick action that its user may not use does nothing.
        drop(self.change_merge_request(user, id, change));
    }

    pub(crate) fn close(&mut self, user: u64, id: u64) {
        if self.merge_requests.get(&id).is_some_and(|request| request.state == State::Opened) {
            let now = self.now();
            self.edit(id, |request| (request.state, request.closed) = (State::Closed, Some((now, user))));
            self.system_note(id, user, "closed");
            self.tell(id, user, "close", &json!({ "state_id": { "previous": 1, "current": 2 } }));
        }
    }

    /// Reopens a closed merge request; without its source branch it stays closed.
    pub(crate) fn reopen(&mut self, user: u64, id: u64) {
        let Some(request) = self.merge_requests.get(&id).filter(|request| request.state == State::Closed) else {
            return;
        };
        let source = self.projects.get(&request.source_project);
        if !source.is_some_and(|source| source.branches.contains_key(&request.source_branch)) {
            return;
        }
        self.edit(id, |request| (request.state, request.closed) = (State::Opened, None));
        self.system_note(id, user, "reopened");
        self.add_version(id);
        self.tell(id, user, "reopen", &json!({ "state_id": { "previous": 2, "current": 1 } }));
    }

    /// Merges by a merge commit, as the button does; nothing happens where the branches conflict.
    pub(crate) fn merge(&mut self, user: u64, id: u64) -> bool {
        let Some(request) = self.merge_requests.get(&id).filter(|request| request.state == State::Opened).cloned()
        else {
            return false;
        };
        let Some(target) = self.projects.get(&request.target_project) else { return false };
        let (Some(tip), Some(head)) = (target.branches.get(&request.target_branch), request.head()) else {
            return false;
        };
        let (tip, repository) = (tip.clone(), target.repository.clone());
        let Some(tree) = repository.merged_tree(&tip, head) else { return false };
        let message = format!(
            "Merge branch '{}' into '{}'\n\n{}\n\nSee merge request {}!{}\n",
            request.source_branch,
            request.target_branch,
            request.title,
            self.path_of(target),
            request.iid
        );
        let now = self.now();
        let commit = repository.commit_tree(&tree, &[&tip, head], &message, now.0 / 1000);
        repository.set_refs(&[(&format!("refs/heads/{}", request.target_branch), &commit)]);
        self.edit(id, |request| request.merge_commit = Some(commit));
        self.mark_merged(user, id);
        self.notice_push(request.target_project, Pusher::Person(user));
        true
    }

    pub(crate) fn mark_merged(&mut self, user: u64, id: u64) {
        let now = self.now();
        self.edit(id, |request| (request.state, request.merged) = (State::Merged, Some((now, user))));
        self.system_note(id, user, "merged");
        self.tell(id, user, "merge", &json!({ "state_id": { "previous": 1, "current": 3 } }));
    }

    pub(crate) fn edit(&mut self, id: u64, edit: impl FnOnce(&mut MergeRequest)) {
        let now = self.now();
        if let Some(request) = self.merge_requests.get_mut(&id) {
            edit(request);
            request.updated_at = now;
        }
    }

    fn set_title(&mut self, user: u64, id: u64, title: &str) {
        let mut old = String::new();
        self.edit(id, |request| old = std::mem::replace(&mut request.title, title.to_owned()));
        self.system_note(id, user, &format!("changed title from **{old}** to **{title}**"));
        self.act_on(user, id, Place::Title, title, &[]);
    }

    fn set_target_branch(&mut self, user: u64, id: u64, branch: String) {
        let text = format!("changed target branch to `{branch}`");
        self.edit(id, |request| request.target_branch = branch);
        self.system_note(id, user, &text);
        self.add_version(id);
    }

    fn set_labels(&mut self, id: u64, labels: BTreeSet<String>) {
        let labels: BTreeSet<String> = labels.into_iter().map(|label| label.trim().to_owned()).collect();
        let labels: BTreeSet<String> = labels.into_iter().filter(|label| !label.is_empty()).collect();
        let target = self.merge_requests.get(&id).map(|request| request.target_project);
        if let Some(target) = target.and_then(|target| self.projects.get_mut(&target)) {
            target.labels.extend(labels.iter().cloned());
        }
        self.edit(id, |request| request.labels = labels);
    }

    /// Whether the two are in one fork network.
    fn is_fork_of(&self, source: &Project, target: &Project) -> bool {
        self.fork_root(source) == self.fork_root(target)
    }

    fn fork_root(&self, project: &Project) -> u64 {
        let mut root = project;
        while let Some(parent) = root.forked_from.and_then(|parent| self.projects.get(&parent)) {
            root = parent;
        }
        root.id
    }

    fn check_duplicate(
        &self,
        except: Option<u64>,
        source_project: u64,
        target_project: u64,
        source_branch: &str,
        target_branch: &str,
    ) -> Result<(), Objection> {
        let duplicate = self.merge_requests.values().find(|other| {
            other.state == State::Opened
                && Some(other.id) != except
                && (other.source_project, other.target_project) == (source_project, target_project)
                && other.source_branch == source_branch
                && other.target_branch == target_branch
        });
        duplicate.map_or(Ok(()), |other| {
            let text = format!("Another open merge request already exists for this source branch: !{}", other.iid);
            Err(Objection::Conflict(text))
        })
    }
}

fn check_title(title: &str) -> Result<String, Objection> {
    let title = title.trim().to_owned();
    match title.chars().count() {
        0 => Err(Objection::Invalid("title", "can't be blank".to_owned())),
        length if length > MAX_TITLE => {
            Err(Objection::Invalid("title", format!("is too long (maximum is {MAX_TITLE} characters)")))
        }
        _ => Ok(title),
    }
}

fn check_description(description: &str) -> Result<(), Objection> {
    if description.chars().count() > MAX_DESCRIPTION {
        let text = format!("is too long (maximum is {MAX_DESCRIPTION} characters)");
        return Err(Objection::Invalid("description", text));
    }
    Ok(())
}

fn check_branch(project: &Project, field: &'static str, branch: &str) -> Result<(), Objection> {
    if project.branches.contains_key(branch) {
        return Ok(());
    }
    Err(Objection::Invalid(field, "does not exist".to_owned()))
}
