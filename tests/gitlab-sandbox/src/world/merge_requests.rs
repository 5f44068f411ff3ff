//! Merge requests and notes: people at work in them, and what came of it.

use super::{project_id, request_id, user_id};
use crate::model::merge_requests::{Change, MergeRequest, Proposal};
use crate::model::notes::{Added, Note};
use crate::model::text::Act;
use crate::sandbox::Handle;

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

    /// Deletes a merge request, as owners may.
    ///
    /// # Panics
    ///
    /// Where there is no such merge request.
    pub fn delete_merge_request(&self, project: &str, iid: u64) {
        let id = self.merge_request(project, iid).id;
        self.arrange(|model| model.merge_requests.remove(&id));
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
