//! The dist-git merge request of a source-git merge request that was deleted.

use crate::forge::{MergeRequestEdit, MergeRequestState};
use crate::ops::notes;
use crate::ops::outcome::{Outcome, Preview};
use crate::ops::reference::MergeRequestReference;
use crate::ops::session::Session;
use crate::pair::announcement::{AnnouncedMergeRequest, Announcement};
use crate::pair::markers::{self, EndReason};
use crate::types::error::Result;
use crate::types::{MergeRequestIid, ProjectPath, StateChange};

/// Closes the dist-git merge request `iid` if it is open, because `source_git` was deleted, and announces that there.
/// If somebody opened it again, it stays open.
pub(crate) fn close(
    session: &Session,
    dist_path: &ProjectPath,
    iid: MergeRequestIid,
    source_git: &MergeRequestReference,
) -> Result<Outcome> {
    let dist = session.forge.merge_request(dist_path, iid)?;
    if dist.state != MergeRequestState::Opened {
        return Ok(Outcome::Nothing);
    }
    let Some(mut record) = markers::read(&dist.description).filter(|record| record.merge_request == source_git.iid)
    else {
        tracing::info!("{dist_path}!{} does not tell what it was made from: it is left alone", dist.iid);
        return Ok(Outcome::Nothing);
    };
    if record.ended == Some(EndReason::Closed) {
        return Ok(Outcome::Nothing);
    }
    if session.is_dry_run() {
        return Ok(Outcome::Preview(Preview::Close {
            merge_request: format!("{dist_path}!{}", dist.iid),
            source_git: format!("{}!{}", source_git.project, source_git.iid),
        }));
    }
    if notes::last_announcement(session, dist.target_project_id, dist.iid)? != Some(Announcement::Gone) {
        let about = AnnouncedMergeRequest { path: &source_git.project, merge_request: source_git.iid, url: "" };
        notes::announce(session, dist.target_project_id, dist.iid, &Announcement::Gone, about)?;
    }
    record.ended = Some(EndReason::Closed);
    let description = markers::replace_record(&dist.description, &record);
    let edit = MergeRequestEdit { description, state: Some(StateChange::Close), ..MergeRequestEdit::default() };
    session.forge.edit_merge_request(dist_path, dist.iid, &edit)?;
    tracing::info!("closed {dist_path}!{}: {}!{} is gone", dist.iid, source_git.project, source_git.iid);
    Ok(Outcome::Written)
}
