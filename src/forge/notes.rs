//! Notes: the comments on a merge request.

use std::borrow::Cow;

use gitlab::api::common::SortOrder;
use gitlab::api::endpoint_prelude::{Endpoint, Method};
use gitlab::api::projects::merge_requests::notes as api;
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, or_default};
use crate::forge::error::ForgeError;
use crate::forge::user::User;
use crate::types::{MergeRequestIid, NoteId, ProjectId};

/// A note on a merge request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Note {
    /// Its number.
    pub id: NoteId,
    /// What it says.
    #[serde(default, deserialize_with = "or_default")]
    pub body: String,
    /// Who wrote it.
    pub author: User,
    /// Whether GitLab wrote it in the author's name: "added 1 commit".
    #[serde(default, deserialize_with = "or_default")]
    pub system: bool,
    /// When it was written, as GitLab writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    /// When it was last edited, as GitLab writes it.
    #[serde(default, deserialize_with = "or_default")]
    pub updated_at: String,
}

/// The order of a list of notes, by when they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteOrder {
    /// The oldest first.
    OldestFirst,
    /// The newest first.
    NewestFirst,
}

/// One note, which the crate `gitlab` can only list.
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
    /// Returns a note.
    pub fn note(&self, project: ProjectId, iid: MergeRequestIid, note: NoteId) -> Result<Note, ForgeError> {
        self.query(&OneNote { method: Method::GET, project, iid, note })
    }

    /// Returns the notes of a merge request, GitLab's own included; read page by page, as far as the iterator is
    /// followed.
    pub fn notes(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
        order: NoteOrder,
    ) -> impl Iterator<Item = Result<Note, ForgeError>> + use<'_> {
        self.list(list_of_notes(project, iid, order))
    }

    /// Returns the notes of a merge request as [`Forge::notes`] does, a page of up to 100 at a time: what is on a page
    /// costs nothing more to look at.
    pub fn pages_of_notes(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
        order: NoteOrder,
    ) -> Result<impl Iterator<Item = Result<Vec<Note>, ForgeError>> + use<'_>, ForgeError> {
        Ok(self.pages(list_of_notes(project, iid, order)?))
    }

    /// Writes a note. GitLab runs the quick actions in its text with the token's rights: the caller defuses what it
    /// copies.
    ///
    /// # Errors
    ///
    /// [`ForgeError::MaybeDone`] where it may have been written: [`Forge::notes`] tells.
    pub fn create_note(&self, project: ProjectId, iid: MergeRequestIid, body: &str) -> Result<Note, ForgeError> {
        let request = api::CreateMergeRequestNote::builder().project(project.0).merge_request(iid.0).body(body).build();
        self.query(&endpoint(request)?)
    }

    /// Replaces the text of a note, and returns it as it is then.
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

    /// Removes a note. One that is not there is removed already: the answer to an earlier try may have been lost.
    pub fn delete_note(&self, project: ProjectId, iid: MergeRequestIid, note: NoteId) -> Result<(), ForgeError> {
        match self.execute(&OneNote { method: Method::DELETE, project, iid, note }) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(()),
            outcome => outcome,
        }
    }
}
