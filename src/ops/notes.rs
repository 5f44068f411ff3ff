//! Finding the bot's note on a source-git merge request.

use crate::forge::{CurrentUser, Note, NoteOrder};
use crate::ops::session::Bot;
use crate::pair::markers;
use crate::types::error::ForgeError;
use crate::types::{MergeRequestIid, NoteId, ProjectId};

/// Returns the bot's own notes on a merge request: the one with the number that a record tells, else those on the first
/// page that has one, the oldest first. Two that were written at once are near each other.
pub(crate) fn find(
    bot: &Bot,
    project: ProjectId,
    iid: MergeRequestIid,
    recorded: Option<NoteId>,
) -> Result<Vec<Note>, ForgeError> {
    let myself = bot.myself()?;
    if let Some(id) = recorded {
        match bot.forge.note(project, iid, id) {
            Ok(note) if is_own(&note, myself) => return Ok(vec![note]),
            // Somebody removed it.
            Ok(_) | Err(ForgeError::NotFoundOrNoAccess(_)) => {}
            Err(error) => return Err(error),
        }
    }
    for page in bot.forge.pages_of_notes(project, iid, NoteOrder::OldestFirst)? {
        let own: Vec<_> = page?.into_iter().filter(|note| is_own(note, myself)).collect();
        if !own.is_empty() {
            return Ok(own);
        }
    }
    Ok(Vec::new())
}

/// Whether a note is one that the bot keeps, in contrast to whatever else its user wrote.
pub(crate) fn is_own(note: &Note, myself: &CurrentUser) -> bool {
    note.author.id == myself.user.id && !note.system && markers::read_note(&note.body).is_some()
}
