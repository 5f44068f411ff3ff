//! `recreate`: makes the dist-git merge request of a source-git merge request anew, whatever people did there. Only on
//! request: a person asks for it with this command or with a comment.

use crate::forge::MergeRequestState;
use crate::ops::reference::{MergeRequestReference, NamedMergeRequest};
use crate::ops::session::Session;
use crate::ops::sync::{self, SyncRequest, Synced};
use crate::pair::facts::SyncMode;
use crate::types::Refusal;
use crate::types::error::Result;

/// Returns why the pair cannot be recreated, if it cannot.
pub(crate) fn refusal(session: &Session, reference: &MergeRequestReference) -> Result<Option<Refusal>> {
    let MergeRequestReference { project, iid } = reference;
    let is_closed = session.forge.merge_request(project, *iid)?.state == MergeRequestState::Closed;
    let refusal = || {
        Refusal::new(
            format!("{project}!{iid} is closed: there is nothing to recreate"),
            format!("reopen {project}!{iid} first"),
        )
    };
    Ok(is_closed.then(refusal))
}

pub(crate) fn recreate(session: &Session, named: NamedMergeRequest) -> Result<Synced> {
    sync::sync(session, &SyncRequest { mode: SyncMode::Recreate, ..SyncRequest::new(named) })
}
