//! The bot's notes in dist-git merge requests: what it said last, and saying something once.
use crate::forge::{Note, NoteOrder};
use crate::ops::session::Bot;
use crate::pair::announcement::{self, AnnouncedMergeRequest, Announcement};
use crate::types::error::{ForgeError, Result};
use crate::types::{MergeRequestIid, NoteId, ProjectId};

/// Returns what the bot said last; nothing where it said nothing lately.
pub(crate) fn last(bot: &Bot, project: ProjectId, iid: MergeRequestIid) -> Result<Option<Announcement>> {
    Ok(newest(bot, project, iid)?.into_iter().next().map(|(_, news)| news))
}

/// Says something, and sees to it that it is said once: another job may have said it at the same time.
pub(crate) fn write(
    bot: &Bot,
    project: ProjectId,
    iid: MergeRequestIid,
    news: &Announcement,
    about: AnnouncedMergeRequest<'_>,
) -> Result<()> {
    let lost = match bot.forge.create_note(project, iid, &announcement::note(news, about)) {
        Ok(_) => None,
        Err(error @ ForgeError::MaybeDone(_)) => Some(error),
        Err(error) => return Err(error.into()),
    };
    tracing::info!("said in dist-git's !{iid} what became of the source-git merge request");
    let newest = newest(bot, project, iid)?.into_iter();
    let mut same: Vec<_> = newest.take_while(|(_, told)| told == news).map(|(id, _)| id).collect();
    if same.is_empty() {
        // A replica of GitLab's database may not know of a new note yet.
        return lost.map_or(Ok(()), |error| Err(error.into()));
    }
    same.sort_unstable();
    same.into_iter().skip(1).try_for_each(|second| Ok(bot.forge.delete_note(project, iid, second)?))
}

/// Returns what the newest notes of the bot tell, the newest first.
fn newest(bot: &Bot, project: ProjectId, iid: MergeRequestIid) -> Result<Vec<(NoteId, Announcement)>> {
    let myself = bot.myself()?.user.id;
    let mut pages = bot.forge.pages_of_notes(project, iid, NoteOrder::NewestFirst)?;
    let newest = pages.next().transpose()?.unwrap_or_default().into_iter();
    let told = |note: Note| {
        (note.author.id == myself && !note.system).then(|| Some((note.id, announcement::read(&note.body)?)))
    };
    Ok(newest.filter_map(|note| told(note).flatten()).collect())
}
