//! The one comment on a merge request that explains the commands.
use crate::forge::{Note, NoteOrder};
use crate::ops::session::Bot;
use crate::pair::note::commands;
use crate::types::error::{ForgeError, Result};
use crate::types::{MergeRequestIid, NoteId, ProjectId};

/// Explains the commands, unless that was done on this merge request before, and sees to it that it is done once: another
/// job may have done it at the same time.
pub(crate) fn once(bot: &Bot, project: ProjectId, iid: MergeRequestIid) -> Result<()> {
    let notes = bot.forge.notes(project, iid, NoteOrder::OldestFirst);
    if !found(bot, notes)?.is_empty() {
        tracing::info!("the commands were explained there before");
        return Ok(());
    }
    let lost = match bot.forge.create_note(project, iid, &commands::help()) {
        Ok(_) => None,
        Err(error @ ForgeError::MaybeDone(_)) => Some(error),
        Err(error) => return Err(error.into()),
    };
    let mut pages = bot.forge.pages_of_notes(project, iid, NoteOrder::NewestFirst)?;
    let newest = pages.next().transpose()?.unwrap_or_default();
    let there = found(bot, newest.into_iter().map(Ok))?;
    match (there.split_first(), lost) {
        (None, Some(error)) => Err(error.into()),
        // A replica of GitLab's database may not know of a new note yet.
        (None, None) => Ok(()),
        (Some((_, others)), _) => {
            others.iter().try_for_each(|other| Ok(bot.forge.delete_note(project, iid, *other)?))
        }
    }
}

/// Returns the bot's comments that explain the commands, the oldest first.
fn found(bot: &Bot, notes: impl Iterator<Item = Result<Note, ForgeError>>) -> Result<Vec<NoteId>, ForgeError> {
    let myself = bot.myself()?.user.id;
    let mut found = Vec::new();
    for note in notes {
        let note = note?;
        if note.author.id == myself && !note.system && commands::is_help(&note.body) {
            found.push(note.id);
        }
    }
    found.sort_unstable();
    Ok(found)
}
