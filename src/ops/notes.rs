//! The bot's notes on merge requests: the one that it keeps on each source-git merge request, what it announces in dist-git,
//! and the explanation of its commands.
//!
//! A note that is to be there once may be written by two jobs at the same time. Each looks again after writing, and the
//! oldest stays.

use crate::forge::{CurrentUser, Note, NoteOrder};
use crate::ops::session::Session;
use crate::pair::announcement::{self, AnnouncedMergeRequest, Announcement};
use crate::pair::markers;
use crate::pair::note::commands;
use crate::types::error::{ForgeError, Result};
use crate::types::{MergeRequestIid, NoteId, ProjectId};

/// Returns the notes that the bot keeps on a merge request: the one with the number that a record tells, else those on the
/// first page that has one, the oldest first. Two that were written at once are near each other.
pub(crate) fn find(
    session: &Session,
    project: ProjectId,
    iid: MergeRequestIid,
    recorded: Option<NoteId>,
) -> Result<Vec<Note>, ForgeError> {
    let myself = session.myself()?;
    if let Some(id) = recorded {
        match session.forge.note(project, iid, id) {
            Ok(note) if is_kept(&note, myself) => return Ok(vec![note]),
            // Somebody removed it.
            Ok(_) | Err(ForgeError::NotFoundOrNoAccess(_)) => {}
            Err(error) => return Err(error),
        }
    }
    for page in session.forge.pages_of_notes(project, iid, NoteOrder::OldestFirst)? {
        let kept: Vec<_> = page?.into_iter().filter(|note| is_kept(note, myself)).collect();
        if !kept.is_empty() {
            return Ok(kept);
        }
    }
    Ok(Vec::new())
}

/// Whether a note is one that the bot keeps up to date, in contrast to whatever else its user wrote.
pub(crate) fn is_kept(note: &Note, myself: &CurrentUser) -> bool {
    note.author.id == myself.user.id && !note.system && markers::read_note(&note.body).is_some()
}

/// Returns what the bot announced last on a dist-git merge request; nothing where it announced nothing lately.
pub(crate) fn last_announcement(
    session: &Session,
    project: ProjectId,
    iid: MergeRequestIid,
) -> Result<Option<Announcement>> {
    Ok(newest_announcements(session, project, iid)?.into_iter().next().map(|(_, announcement)| announcement))
}

/// Announces something on a dist-git merge request, once.
pub(crate) fn announce(
    session: &Session,
    project: ProjectId,
    iid: MergeRequestIid,
    announcement: &Announcement,
    about: AnnouncedMergeRequest<'_>,
) -> Result<()> {
    post_once(session, project, iid, &announcement::note(announcement, about), || {
        tracing::info!("said in dist-git's !{iid} what became of the source-git merge request");
        let newest = newest_announcements(session, project, iid)?.into_iter();
        Ok(newest.take_while(|(_, there)| there == announcement).map(|(id, _)| id).collect())
    })
}

/// Explains the commands on a merge request, unless that was done there before.
pub(crate) fn explain_commands(session: &Session, project: ProjectId, iid: MergeRequestIid) -> Result<()> {
    let notes = session.forge.notes(project, iid, NoteOrder::OldestFirst);
    if !explanations(session, notes)?.is_empty() {
        tracing::info!("the commands were explained there before");
        return Ok(());
    }
    post_once(session, project, iid, &commands::help(), || {
        Ok(explanations(session, newest(session, project, iid)?.into_iter().map(Ok))?)
    })
}

/// Writes a note, and removes all but the oldest of those like it. `same` lists them, its own among them.
fn post_once(
    session: &Session,
    project: ProjectId,
    iid: MergeRequestIid,
    text: &str,
    same: impl FnOnce() -> Result<Vec<NoteId>>,
) -> Result<()> {
    let lost = match session.forge.create_note(project, iid, text) {
        Ok(_) => None,
        Err(error @ ForgeError::MaybeDone(_)) => Some(error),
        Err(error) => return Err(error.into()),
    };
    let mut same = same()?;
    if same.is_empty() {
        // A replica of GitLab's database may not know of a new note yet.
        return lost.map_or(Ok(()), |error| Err(error.into()));
    }
    same.sort_unstable();
    same.into_iter().skip(1).try_for_each(|second| Ok(session.forge.delete_note(project, iid, second)?))
}

/// Returns the newest page of notes, the newest first.
fn newest(session: &Session, project: ProjectId, iid: MergeRequestIid) -> Result<Vec<Note>, ForgeError> {
    let mut pages = session.forge.pages_of_notes(project, iid, NoteOrder::NewestFirst)?;
    Ok(pages.next().transpose()?.unwrap_or_default())
}

/// Returns what the newest notes of the bot announce, the newest first.
fn newest_announcements(
    session: &Session,
    project: ProjectId,
    iid: MergeRequestIid,
) -> Result<Vec<(NoteId, Announcement)>> {
    let myself = session.myself()?.user.id;
    let own = newest(session, project, iid)?.into_iter().filter(|note| note.author.id == myself && !note.system);
    Ok(own.filter_map(|note| Some((note.id, announcement::read(&note.body)?))).collect())
}

/// Returns which of the notes are the bot's explanation of its commands.
fn explanations(
    session: &Session,
    notes: impl Iterator<Item = Result<Note, ForgeError>>,
) -> Result<Vec<NoteId>, ForgeError> {
    let myself = session.myself()?.user.id;
    let mut found = Vec::new();
    for note in notes {
        let note = note?;
        if note.author.id == myself && !note.system && commands::is_help(&note.body) {
            found.push(note.id);
        }
    }
    Ok(found)
}
