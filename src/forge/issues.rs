//! Issues and the notes on them: the few operations that an issue of the bot's own needs.

use std::borrow::Cow;

use gitlab::api::common::{NameOrId, SortOrder};
use gitlab::api::endpoint_prelude::{Endpoint, Method, QueryParams};
use gitlab::api::projects::issues as api;
use gitlab::api::projects::issues::notes as notes_api;
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, or_default};
use crate::forge::error::ForgeError;
use crate::forge::notes::Note;
use crate::forge::user::User;
use crate::types::{IssueIid, NoteId, ProjectPath, StateChange, UserId};

/// An issue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Issue {
    /// Its number in its project.
    pub iid: IssueIid,
    /// The title.
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    /// The description.
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    /// `opened` or `closed`.
    #[serde(default, deserialize_with = "or_default")]
    pub state: String,
    /// Who opened it.
    pub author: User,
    /// Its page.
    #[serde(default, deserialize_with = "or_default")]
    pub web_url: String,
}

impl Issue {
    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.state == "opened"
    }
}

/// What to change about an issue: only what is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssueEdit {
    /// The new description.
    pub description: Option<String>,
    /// Close or reopen it.
    pub state: Option<StateChange>,
}

impl IssueEdit {
    /// Whether nothing is to be changed. GitLab refuses such an edit: do not send it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The comments on an issue, without GitLab's own notes: an issue that is edited every hour has thousands of those. The
/// crate `gitlab` lacks the filter ("List project issue notes" in GitLab's documentation of the notes API).
struct Comments<'a> {
    project: &'a ProjectPath,
    issue: IssueIid,
}

impl Endpoint for Comments<'_> {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/issues/{}/notes", NameOrId::from(self.project.as_str()), self.issue).into()
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut parameters = QueryParams::default();
        parameters.push("activity_filter", "only_comments").push("order_by", "created_at").push("sort", "asc");
        parameters
    }
}

impl Forge {
    /// Returns the issues of a project that a user opened, open or closed, the oldest first; read page by page.
    pub fn issues_by<'a>(
        &'a self,
        project: &'a ProjectPath,
        author: UserId,
    ) -> impl Iterator<Item = Result<Issue, ForgeError>> + use<'a> {
        let request = api::Issues::builder()
            .project(project.as_str())
            .author(author.0)
            .scope(api::IssueScope::All)
            .order_by(api::IssueOrderBy::CreatedAt)
            .sort(SortOrder::Ascending)
            .build();
        self.list(endpoint(request))
    }

    /// Opens an issue that only the project's members see.
    ///
    /// # Errors
    ///
    /// [`ForgeError::MaybeDone`] where it may have been opened: [`Forge::issues_by`] tells.
    pub fn create_confidential_issue(
        &self,
        project: &ProjectPath,
        title: &str,
        description: &str,
    ) -> Result<Issue, ForgeError> {
        let request = api::CreateIssue::builder()
            .project(project.as_str())
            .title(title)
            .description(description)
            .confidential(true)
            .build();
        self.query(&endpoint(request)?)
    }

    /// Changes an issue.
    pub fn edit_issue(&self, project: &ProjectPath, issue: IssueIid, edit: &IssueEdit) -> Result<(), ForgeError> {
        let mut request = api::EditIssue::builder();
        request.project(project.as_str()).issue(issue.0);
        if let Some(description) = &edit.description {
            request.description(description);
        }
        if let Some(state) = edit.state {
            request.state_event(match state {
                StateChange::Close => api::IssueStateEvent::Close,
                StateChange::Reopen => api::IssueStateEvent::Reopen,
            });
        }
        self.execute(&endpoint(request.build())?)
    }

    /// Returns what people and bots wrote below an issue, the oldest first; read page by page.
    pub fn issue_comments<'a>(
        &'a self,
        project: &'a ProjectPath,
        issue: IssueIid,
    ) -> impl Iterator<Item = Result<Note, ForgeError>> + use<'a> {
        self.list(Ok(Comments { project, issue }))
    }

    /// Writes a note below an issue. GitLab runs the quick actions in its text with the token's rights: the caller defuses
    /// what it copies.
    ///
    /// # Errors
    ///
    /// [`ForgeError::MaybeDone`] where it may have been written: [`Forge::issue_comments`] tells.
    pub fn create_issue_note(&self, project: &ProjectPath, issue: IssueIid, body: &str) -> Result<Note, ForgeError> {
        let request = notes_api::CreateIssueNote::builder().project(project.as_str()).issue(issue.0).body(body).build();
        self.query(&endpoint(request)?)
    }

    /// Replaces the text of a note below an issue, and returns it as it is then.
    pub fn edit_issue_note(
        &self,
        project: &ProjectPath,
        issue: IssueIid,
        note: NoteId,
        body: &str,
    ) -> Result<Note, ForgeError> {
        let request = notes_api::EditIssueNote::builder()
            .project(project.as_str())
            .issue(issue.0)
            .note(note.0)
            .body(body)
            .build();
        self.query(&endpoint(request)?)
    }

    /// Removes a note below an issue. One that is not there is removed already.
    pub fn delete_issue_note(&self, project: &ProjectPath, issue: IssueIid, note: NoteId) -> Result<(), ForgeError> {
        let request =
            notes_api::DeleteIssueNote::builder().project(project.as_str()).issue(issue.0).note(note.0).build();
        match self.execute(&endpoint(request)?) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(()),
            outcome => outcome,
        }
    }
}
