//! The bot's notes on merge requests: the one that it keeps up to date on each source-git merge request, its
//! announcements in dist-git, and the explanation of its commands.
//!
//! Two jobs may write the same note at the same time. So each job lists the notes again after writing, and only the
//! oldest note stays.

use crate::forge::{CurrentUser, Note, NoteOrder};
use crate::ops::session::Session;
use crate::pair::announcement::{self, AnnouncedMergeRequest, Announcement};
use crate::pair::markers;
use crate::pair::note::commands;
use crate::types::error::{ForgeError, Result};
use crate::types::{MergeRequestIid, NoteId, ProjectId};

/// Returns the notes that the bot keeps up to date on a merge request, the oldest first.
///
/// Returns the note with the `recorded` id if it still exists. Otherwise returns the notes on the first page that has
/// any: two notes that were written at the same time are close to each other.
pub(crate) fn find(
    session: &Session,
    project: ProjectId,
    iid: MergeRequestIid,
    recorded: Option<NoteId>,
) -> Result<Vec<Note>, ForgeError> {
    let bot = session.current_user()?;
    if let Some(id) = recorded {
        match session.forge.note(project, iid, id) {
            Ok(note) if is_bot_note(&note, bot) => return Ok(vec![note]),
            // Somebody deleted it.
            Ok(_) | Err(ForgeError::NotFoundOrNoAccess(_)) => {}
            Err(error) => return Err(error),
        }
    }
    for page in session.forge.pages_of_notes(project, iid, NoteOrder::OldestFirst)? {
        let found: Vec<_> = page?.into_iter().filter(|note| is_bot_note(note, bot)).collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Whether this is a note that the bot keeps up to date, and not something else that its user wrote.
pub(crate) fn is_bot_note(note: &Note, bot: &CurrentUser) -> bool {
    note.author.id == bot.user.id && !note.system && markers::read_note(&note.body).is_some()
}

/// Returns the bot's last announcement on a dist-git merge request, if one of the newest notes has it.
pub(crate) fn last_announcement(
    session: &Session,
    project: ProjectId,
    iid: MergeRequestIid,
) -> Result<Option<Announcement>> {
    Ok(newest_announcements(session, project, iid)?.into_iter().next().map(|(_, announcement)| announcement))
}

/// Announces something on a dist-git merge request, only once.
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
        Ok(newest.take_while(|(_, posted)| posted == announcement).map(|(id, _)| id).collect())
    })
}

/// Explains the commands on a merge request, unless the bot did so before.
pub(crate) fn explain_commands(session: &Session, project: ProjectId, iid: MergeRequestIid) -> Result<()> {
    let notes = session.forge.notes(project, iid, NoteOrder::OldestFirst);
    if !explanations(session, notes)?.is_empty() {
        tracing::info!("the commands were explained there before");
        return Ok(());
    }
    post_once(session, project, iid, &commands::help(), || {
        Ok(explanations(session, newest_page(session, project, iid)?.into_iter().map(Ok))?)
    })
}

/// Writes a note, and then deletes all but the oldest of the notes like it. `list_same` lists these, the new one
/// included.
fn post_once(
    session: &Session,
    project: ProjectId,
    iid: MergeRequestIid,
    text: &str,
    list_same: impl FnOnce() -> Result<Vec<NoteId>>,
) -> Result<()> {
    let unconfirmed = match session.forge.create_note(project, iid, text) {
        Ok(_) => None,
        Err(error @ ForgeError::MaybeDone(_)) => Some(error),
        Err(error) => return Err(error.into()),
    };
    let mut ids = list_same()?;
    if ids.is_empty() {
        // A replica of GitLab's database may not have the new note yet.
        return unconfirmed.map_or(Ok(()), |error| Err(error.into()));
    }
    ids.sort_unstable();
    ids.into_iter().skip(1).try_for_each(|duplicate| Ok(session.forge.delete_note(project, iid, duplicate)?))
}

/// Returns the page with the newest notes, the newest first.
fn newest_page(session: &Session, project: ProjectId, iid: MergeRequestIid) -> Result<Vec<Note>, ForgeError> {
    let mut pages = session.forge.pages_of_notes(project, iid, NoteOrder::NewestFirst)?;
    Ok(pages.next().transpose()?.unwrap_or_default())
}

/// Returns the announcements among the bot's newest notes, the newest first.
fn newest_announcements(
    session: &Session,
    project: ProjectId,
    iid: MergeRequestIid,
) -> Result<Vec<(NoteId, Announcement)>> {
    let bot = session.current_user()?.user.id;
    let own = newest_page(session, project, iid)?.into_iter().filter(|note| note.author.id == bot && !note.system);
    Ok(own.filter_map(|note| Some((note.id, announcement::read(&note.body)?))).collect())
}

/// Returns which of `notes` are the bot's explanation of its commands.
fn explanations(
    session: &Session,
    notes: impl Iterator<Item = Result<Note, ForgeError>>,
) -> Result<Vec<NoteId>, ForgeError> {
    let bot = session.current_user()?.user.id;
    let mut found = Vec::new();
    for note in notes {
        let note = note?;
        if note.author.id == bot && !note.system && commands::is_help(&note.body) {
            found.push(note.id);
        }
    }
    Ok(found)
}
