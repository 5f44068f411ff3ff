//! Reactions to notes, which GitLab calls award emoji.

use std::borrow::Cow;

use gitlab::api::endpoint_prelude::{BodyError, Endpoint, FormParams, Method};
use serde::{Deserialize, Serialize};

use crate::forge::client::{Forge, or_default};
use crate::forge::error::ForgeError;
use crate::forge::user::User;
use crate::types::{MergeRequestIid, NoteId, ProjectId};

/// A reaction's number: the older one has the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AwardId(pub u64);

/// A reaction to a note.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Award {
    /// Its number.
    pub id: AwardId,
    /// The emoji, by GitLab's name for it, which may be another than it was given by.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// Who reacted.
    pub user: User,
}

/// The reactions to a note, or one of them.
struct Awards<'a> {
    method: Method,
    note: (ProjectId, MergeRequestIid, NoteId),
    name: Option<&'a str>,
    award: Option<AwardId>,
}

impl Endpoint for Awards<'_> {
    fn method(&self) -> Method {
        self.method.clone()
    }

    fn endpoint(&self) -> Cow<'static, str> {
        let (project, iid, note) = self.note;
        let one = self.award.map(|award| format!("/{}", award.0)).unwrap_or_default();
        format!("projects/{project}/merge_requests/{iid}/notes/{note}/award_emoji{one}").into()
    }

    fn body(&self) -> Result<Option<(&'static str, Vec<u8>)>, BodyError> {
        let mut params = FormParams::default();
        params.push_opt("name", self.name);
        params.into_body()
    }
}

impl Forge {
    /// Returns the reactions to a note, the oldest first; read page by page.
    pub fn awards(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
        note: NoteId,
    ) -> impl Iterator<Item = Result<Award, ForgeError>> + use<'_> {
        self.list(Ok(Awards { method: Method::GET, note: (project, iid, note), name: None, award: None }))
    }

    /// Reacts to a note.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where this user has reacted so already (GitLab answers 404 to that), where the
    /// note is gone, or where this user may not react: [`Forge::awards`] tells.
    pub fn award(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
        note: NoteId,
        name: &str,
    ) -> Result<Award, ForgeError> {
        self.query(&Awards { method: Method::POST, note: (project, iid, note), name: Some(name), award: None })
    }

    /// Takes a reaction of this user back. One that is not there is taken back already.
    pub fn take_award_back(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
        note: NoteId,
        award: AwardId,
    ) -> Result<(), ForgeError> {
        let endpoint = Awards { method: Method::DELETE, note: (project, iid, note), name: None, award: Some(award) };
        match self.execute(&endpoint) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(()),
            outcome => outcome,
        }
    }
}
