//! The dist-git merge request of a source-git merge request that is not there any more.

use anyhow::Result;

use crate::cli::args::Global;
use crate::forge::{MergeRequestEdit, MergeRequestState};
use crate::ops::merge_request_reference::MergeRequestReference;
use crate::ops::outcome::Effect;
use crate::ops::session::Bot;
use crate::ops::sync::dist_notes;
use crate::pair::announcement::{AnnouncedMergeRequest, Announcement};
use crate::pair::markers::{self, EndReason};
use crate::types::{MergeRequestIid, ProjectPath, StateChange};

/// Closes the dist-git merge request `iid`, where it is open, because its source-git merge request `of` was deleted, and
/// says so there. One that somebody opened again stays open.
pub(crate) fn close(
    bot: &Bot,
    dist_path: &ProjectPath,
    iid: MergeRequestIid,
    of: &MergeRequestReference,
    global: &Global,
) -> Result<Effect> {
    let dist = bot.forge.merge_request(dist_path, iid)?;
    if dist.state != MergeRequestState::Opened {
        return Ok(Effect::Nothing);
    }
    let Some(mut record) = markers::read(&dist.description).filter(|record| record.merge_request == of.iid) else {
        tracing::info!("{dist_path}!{} does not tell what it was made from: it is left alone", dist.iid);
        return Ok(Effect::Nothing);
    };
    if record.ended == Some(EndReason::Closed) {
        return Ok(Effect::Nothing);
    }
    if global.dry_run {
        return Ok(Effect::Shown(format!("would close {dist_path}!{}: {}!{} is gone\n", dist.iid, of.project, of.iid)));
    }
    if dist_notes::last(bot, dist.target_project_id, dist.iid)? != Some(Announcement::Gone) {
        let about = AnnouncedMergeRequest { path: &of.project, merge_request: of.iid, url: "" };
        dist_notes::write(bot, dist.target_project_id, dist.iid, &Announcement::Gone, about)?;
    }
    record.ended = Some(EndReason::Closed);
    let description = markers::replace_record(&dist.description, &record);
    let edit = MergeRequestEdit { description, state: Some(StateChange::Close), ..MergeRequestEdit::default() };
    bot.forge.edit_merge_request(dist_path, dist.iid, &edit)?;
    tracing::info!("closed {dist_path}!{}: {}!{} is gone", dist.iid, of.project, of.iid);
    Ok(Effect::Written)
}
