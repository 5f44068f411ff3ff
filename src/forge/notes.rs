//! Notes: the comments on a merge request, and GitLab's own entries among them.

use std::borrow::Cow;

use gitlab::api::common::SortOrder;
use gitlab::api::endpoint_prelude::{Endpoint, Method};
use gitlab::api::projects::merge_requests::notes as api;
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, or_default};
use crate::forge::user::User;
use crate::types::error::ForgeError;
use crate::types::{MergeRequestIid, NoteId, ProjectId};

/// A note on a merge request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Note {
    pub id: NoteId,
    #[serde(default, deserialize_with = "or_default")]
    pub body: String,
    pub author: User,
    /// Whether GitLab wrote the note in the author's name: "added 1 commit".
    #[serde(default, deserialize_with = "or_default")]
    pub system: bool,
    /// As GitLab writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    /// The time of the last edit, as GitLab writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub updated_at: String,
}

/// The order of a list of notes, by creation time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteOrder {
    OldestFirst,
    NewestFirst,
}

/// The endpoint of one note. The crate `gitlab` can only list notes.
struct OneNote {
    method: Method,
    project: ProjectId,
    iid: MergeRequestIid,
    note: NoteId,
}

impl Endpoint for OneNote {
    fn method(&self) -> Method {
        self.method.clone()
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/merge_requests/{}/notes/{}", self.project, self.iid, self.note).into()
    }
}

fn list_of_notes(
    project: ProjectId,
    iid: MergeRequestIid,
    order: NoteOrder,
) -> Result<api::MergeRequestNotes<'static>, ForgeError> {
    let sort = match order {
        NoteOrder::OldestFirst => SortOrder::Ascending,
        NoteOrder::NewestFirst => SortOrder::Descending,
    };
    let request = api::MergeRequestNotes::builder()
        .project(project.0)
        .merge_request(iid.0)
        .order_by(api::NoteOrderBy::CreatedAt)
        .sort(sort)
        .build();
    endpoint(request)
}

impl Forge {
    pub fn note(&self, project: ProjectId, iid: MergeRequestIid, note: NoteId) -> Result<Note, ForgeError> {
        self.query(&OneNote { method: Method::GET, project, iid, note })
    }

    /// Returns the notes of a merge request, including GitLab's own.
    pub fn notes(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
        order: NoteOrder,
    ) -> impl Iterator<Item = Result<Note, ForgeError>> + use<'_> {
        self.list(list_of_notes(project, iid, order))
    }

    /// As [`Forge::notes`], a page of up to 100 at a time. For callers that look at a whole page, because that costs no
    /// further request.
    pub fn pages_of_notes(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
        order: NoteOrder,
    ) -> Result<impl Iterator<Item = Result<Vec<Note>, ForgeError>> + use<'_>, ForgeError> {
        Ok(self.pages(list_of_notes(project, iid, order)?))
    }

    /// Writes a note. GitLab runs quick actions in `body` with the token's rights: the caller must defuse text that it
    /// copies.
    ///
    /// # Errors
    ///
    /// [`ForgeError::MaybeDone`] where GitLab may have written it: check with [`Forge::notes`].
    pub fn create_note(&self, project: ProjectId, iid: MergeRequestIid, body: &str) -> Result<Note, ForgeError> {
        let request = api::CreateMergeRequestNote::builder().project(project.0).merge_request(iid.0).body(body).build();
        self.query(&endpoint(request)?)
    }

    /// Replaces the text of a note, and returns the new note.
    pub fn edit_note(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
        note: NoteId,
        body: &str,
    ) -> Result<Note, ForgeError> {
        let request = api::EditMergeRequestNote::builder()
            .project(project.0)
            .merge_request(iid.0)
            .note(note.0)
            .body(body)
            .build();
        self.query(&endpoint(request)?)
    }

    /// Deletes a note. Succeeds where there is none: an earlier attempt may have deleted it, and its answer may be
    /// lost.
    pub fn delete_note(&self, project: ProjectId, iid: MergeRequestIid, note: NoteId) -> Result<(), ForgeError> {
        match self.execute(&OneNote { method: Method::DELETE, project, iid, note }) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(()),
            outcome => outcome,
        }
    }
}
