//! Issues: what people do with them, and what came of it.

use super::{project_id, user_id};
use crate::model::issues::{Issue, IssueChange};
use crate::sandbox::Handle;

impl Handle {
    /// Every issue of a project, oldest first.
    #[must_use]
    pub fn issues(&self, project: &str) -> Vec<Issue> {
        let model = self.0.model();
        let id = project_id(&model, project);
        model.issues.values().filter(|issue| issue.project == id).cloned().collect()
    }

    /// Opens an issue as a user, and gives its number.
    pub fn open_issue(&self, project: &str, author: &str, title: &str, description: &str) -> u64 {
        let model = &mut *self.0.model();
        let (project, author) = (project_id(model, project), user_id(model, author));
        let id = model.add_issue(project, author, title, description, false);
        model.issues.get(&id).map_or(0, |issue| issue.iid)
    }

    /// Writes a note on an issue as a user, and gives its id.
    ///
    /// # Panics
    ///
    /// If there is no such issue, or no text is left of the note.
    pub fn issue_note(&self, project: &str, iid: u64, author: &str, text: &str) -> u64 {
        let model = &mut *self.0.model();
        let (project, author) = (project_id(model, project), user_id(model, author));
        let id = model.issue(project, iid).unwrap_or_else(|| panic!("there is no such issue")).id;
        model.add_issue_note(id, author, text).unwrap_or_else(|| panic!("no note is left of {text:?}"))
    }

    /// A user gives an issue another description.
    pub fn set_issue_description(&self, project: &str, iid: u64, user: &str, description: &str) {
        self.change_issue(
            project,
            iid,
            user,
            IssueChange { description: Some(description.to_owned()), ..IssueChange::default() },
        );
    }

    /// A user closes an issue.
    pub fn close_issue(&self, project: &str, iid: u64, user: &str) {
        self.change_issue(project, iid, user, IssueChange { open: Some(false), ..IssueChange::default() });
    }

    fn change_issue(&self, project: &str, iid: u64, user: &str, change: IssueChange) {
        let model = &mut *self.0.model();
        let (project, user) = (project_id(model, project), user_id(model, user));
        let id = model.issue(project, iid).unwrap_or_else(|| panic!("there is no such issue")).id;
        model.change_issue(user, id, change);
    }

    /// Removes an issue with its notes, as an owner can.
    pub fn delete_issue(&self, project: &str, iid: u64) {
        let model = &mut *self.0.model();
        let project = project_id(model, project);
        model.issues.retain(|_, issue| (issue.project, issue.iid) != (project, iid));
    }
}
