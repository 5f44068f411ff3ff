//! Issues and their notes: the few operations that the bot needs for its own issue.

use std::borrow::Cow;

use gitlab::api::common::{NameOrId, SortOrder};
use gitlab::api::endpoint_prelude::{Endpoint, Method, QueryParams};
use gitlab::api::projects::issues as api;
use gitlab::api::projects::issues::notes as notes_api;
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, or_default};
use crate::forge::notes::Note;
use crate::forge::user::User;
use crate::types::error::ForgeError;
use crate::types::{IssueIid, NoteId, ProjectPath, StateChange, UserId};

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Issue {
    pub iid: IssueIid,
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    /// `opened` or `closed`.
    #[serde(default, deserialize_with = "or_default")]
    pub state: String,
    pub author: User,
    #[serde(default, deserialize_with = "or_default")]
    pub web_url: String,
}

impl Issue {
    pub fn is_open(&self) -> bool {
        self.state == "opened"
    }
}

/// Changes to an issue. `None` leaves a property as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssueEdit {
    pub description: Option<String>,
    pub state: Option<StateChange>,
}

impl IssueEdit {
    /// Whether there is nothing to change. GitLab refuses such an edit: do not send it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The endpoint of the comments on an issue. It leaves out GitLab's own notes: an issue that is edited every hour has
/// thousands of them. The crate `gitlab` lacks this filter (notes API documentation, "List project issue notes").
struct IssueComments<'a> {
    project: &'a ProjectPath,
    issue: IssueIid,
}

impl Endpoint for IssueComments<'_> {
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
    /// Returns the issues of a project that a user opened, both open and closed, oldest first.
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
    /// [`ForgeError::MaybeDone`] where GitLab may have opened it: check with [`Forge::issues_by`].
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

    /// Returns the comments on an issue by people and bots, oldest first.
    pub fn issue_comments<'a>(
        &'a self,
        project: &'a ProjectPath,
        issue: IssueIid,
    ) -> impl Iterator<Item = Result<Note, ForgeError>> + use<'a> {
        self.list(Ok(IssueComments { project, issue }))
    }

    /// Writes a note on an issue. GitLab runs quick actions in `body` with the token's rights: the caller must defuse
    /// text that it copies.
    ///
    /// # Errors
    ///
    /// [`ForgeError::MaybeDone`] where GitLab may have written it: check with [`Forge::issue_comments`].
    pub fn create_issue_note(&self, project: &ProjectPath, issue: IssueIid, body: &str) -> Result<Note, ForgeError> {
        let request = notes_api::CreateIssueNote::builder().project(project.as_str()).issue(issue.0).body(body).build();
        self.query(&endpoint(request)?)
    }

    /// Replaces the text of a note on an issue, and returns the new note.
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

    /// Deletes a note on an issue. Succeeds where there is none.
    pub fn delete_issue_note(&self, project: &ProjectPath, issue: IssueIid, note: NoteId) -> Result<(), ForgeError> {
        let request =
            notes_api::DeleteIssueNote::builder().project(project.as_str()).issue(issue.0).note(note.0).build();
        match self.execute(&endpoint(request)?) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(()),
            outcome => outcome,
        }
    }
}
