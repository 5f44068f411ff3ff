//! Reactions to notes. GitLab calls them award emoji.

use std::borrow::Cow;

use gitlab::api::endpoint_prelude::{BodyError, Endpoint, FormParams, Method};
use serde::{Deserialize, Serialize};

use crate::forge::client::{Forge, or_default};
use crate::forge::user::User;
use crate::types::error::ForgeError;
use crate::types::{MergeRequestIid, NoteId, ProjectId};

/// The number of a reaction. An older reaction has a lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AwardId(pub u64);

/// A reaction to a note.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Award {
    pub id: AwardId,
    /// GitLab's name of the emoji. It may differ from the name in the request.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    pub user: User,
}

/// The endpoint of a note's reactions, or of one of them.
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
    /// Returns the reactions to a note, oldest first.
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
    /// [`ForgeError::NotFoundOrNoAccess`] where this user has already reacted like that (GitLab answers 404), where the
    /// note is gone, or where this user may not react. [`Forge::awards`] tells which.
    pub fn award(
        &self,
        project: ProjectId,
        iid: MergeRequestIid,
        note: NoteId,
        name: &str,
    ) -> Result<Award, ForgeError> {
        self.query(&Awards { method: Method::POST, note: (project, iid, note), name: Some(name), award: None })
    }

    /// Removes a reaction of this user. Succeeds where there is none.
    pub fn remove_award(
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
