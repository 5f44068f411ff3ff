//! Issues and the notes on them, as far as a bot keeps one of its own.

use super::Model;
use super::access::Role;
use super::text::stored;
use crate::clock::Moment;

/// An issue.
#[derive(Debug, Clone)]
pub struct Issue {
    /// The global id.
    pub id: u64,
    /// The number in its project.
    pub iid: u64,
    /// The project it is in.
    pub project: u64,
    /// The title.
    pub title: String,
    /// The description as stored: quick actions taken out.
    pub description: String,
    /// Whether it is open.
    pub open: bool,
    /// Whether only its author and Reporters see it.
    pub confidential: bool,
    /// Who made it.
    pub author: u64,
    /// When it was made.
    pub created_at: Moment,
    /// When anything about it last changed.
    pub updated_at: Moment,
    /// Its notes, oldest first.
    pub notes: Vec<IssueNote>,
}

/// A note on an issue, by a person or by GitLab itself.
#[derive(Debug, Clone)]
pub struct IssueNote {
    /// The note's id.
    pub id: u64,
    /// Who wrote it.
    pub author: u64,
    /// The text as stored.
    pub body: String,
    /// Whether GitLab wrote it (`changed the description`).
    pub system: bool,
    /// When it was written.
    pub created_at: Moment,
    /// When it was last edited.
    pub updated_at: Moment,
}

/// What is to change about an issue; `None` leaves it.
#[derive(Debug, Default)]
pub(crate) struct IssueChange {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) confidential: Option<bool>,
    pub(crate) open: Option<bool>,
}

impl Model {
    /// Finds an issue by its project's id and its number there.
    #[must_use]
    pub fn issue(&self, project: u64, iid: u64) -> Option<&Issue> {
        self.issues.values().find(|issue| issue.project == project && issue.iid == iid)
    }

    /// Whether a user may see an issue: who may not, gets 404.
    pub(crate) fn can_read_issue(&self, user: Option<u64>, issue: &Issue) -> bool {
        let Some(project) = self.projects.get(&issue.project) else { return false };
        let reporter = || user.is_some_and(|user| self.has_role(user, project, Role::Reporter));
        self.can_see(user, project) && (!issue.confidential || user == Some(issue.author) || reporter())
    }

    /// Whether a user may change an issue: its author, and Reporters.
    pub(crate) fn can_update_issue(&self, user: u64, issue: &Issue) -> bool {
        let project = self.projects.get(&issue.project);
        issue.author == user || project.is_some_and(|project| self.has_role(user, project, Role::Reporter))
    }

    pub(crate) fn add_issue(
        &mut self,
        project: u64,
        author: u64,
        title: &str,
        description: &str,
        confidential: bool,
    ) -> u64 {
        let (id, now) = (self.next_id(), self.now());
        let iid = self.issues.values().filter(|issue| issue.project == project).map(|issue| issue.iid).max();
        let issue = Issue {
            id,
            iid: iid.unwrap_or_default() + 1,
            project,
            title: title.trim().to_owned(),
            description: stored(description).0,
            open: true,
            confidential,
            author,
            created_at: now,
            updated_at: now,
            notes: Vec::new(),
        };
        self.issues.insert(id, issue);
        id
    }

    pub(crate) fn change_issue(&mut self, user: u64, id: u64, change: IssueChange) {
        let IssueChange { title, description, confidential, open } = change;
        let description = description.map(|text| stored(&text).0);
        let mut said = Vec::new();
        let Some(issue) = self.issues.get_mut(&id) else { return };
        if let Some(title) = title.filter(|title| *title != issue.title) {
            said.push("changed the title".to_owned());
            issue.title = title;
        }
        if let Some(description) = description.filter(|description| *description != issue.description) {
            said.push("changed the description".to_owned());
            issue.description = description;
        }
        issue.confidential = confidential.unwrap_or(issue.confidential);
        if let Some(open) = open.filter(|open| *open != issue.open) {
            said.push(if open { "reopened" } else { "closed" }.to_owned());
            issue.open = open;
        }
        for text in said {
            self.push_issue_note(id, user, text, true);
        }
    }

    /// Adds a note and gives its id; nothing where no text is left of it.
    pub(crate) fn add_issue_note(&mut self, issue: u64, author: u64, text: &str) -> Option<u64> {
        let (body, _) = stored(text);
        if body.trim().is_empty() { None } else { Some(self.push_issue_note(issue, author, body, false)) }
    }

    fn push_issue_note(&mut self, issue: u64, author: u64, body: String, system: bool) -> u64 {
        let (id, now) = (self.next_id(), self.now());
        if let Some(issue) = self.issues.get_mut(&issue) {
            issue.updated_at = now;
            issue.notes.push(IssueNote { id, author, body, system, created_at: now, updated_at: now });
        }
        id
    }

    pub(crate) fn edit_issue_note(&mut self, issue: u64, note: u64, text: &str) {
        let (body, _) = stored(text);
        let now = self.now();
        let note = self.issues.get_mut(&issue).and_then(|issue| issue.notes.iter_mut().find(|other| other.id == note));
        if let Some(note) = note {
            (note.body, note.updated_at) = (body, now);
        }
    }
}
