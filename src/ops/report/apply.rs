//! Posts the statuses and edits the note. GitLab's refusal of a status is a fact to be remembered, not an error: the note
//! then shows the results alone.

use anyhow::Result;

use crate::forge::{ForgeError, Posting};
use crate::ops::commit_statuses::{self, Refused};
use crate::ops::report::Pair;
use crate::ops::report::observe::Seen;
use crate::ops::session::Bot;
use crate::pair::note;
use crate::pair::report_plan::NoteEdit;
use crate::pair::statuses::{self, Acceptance, StatusPlace, StatusPost};

/// Whether anything was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// Nothing had to be.
    Nothing,
    /// Something was.
    Something,
    /// Somebody else has written the note since it was read, so it was left alone.
    Overtaken,
}

pub(crate) fn apply(bot: &Bot, pair: &Pair, seen: &Seen) -> Result<Applied> {
    let observed = &seen.observed;
    let mut applied = Applied::Nothing;
    let mut refusals = Refusals(Vec::new());
    for post in observed.posts(&seen.posted) {
        if !refusals.allow(&post, seen) {
            continue;
        }
        match commit_statuses::post(&bot.forge, seen.project, &post) {
            Ok(posting) => {
                applied = Applied::Something;
                let what = match posting {
                    Posting::Posted => "posted",
                    Posting::AlreadyThere => "somebody else was faster with",
                };
                let (name, state) = (&post.status.name, commit_statuses::word(post.status.state));
                tracing::info!("{what} the status {name:?}, {state}, on {}", post.place.sha().short());
            }
            Err(error) => {
                let Some(refused) = commit_statuses::refused(&error) else { return Err(error.into()) };
                tracing::warn!("{error}; that result is in the bot's note alone");
                refusals.0.push((post, refused));
            }
        }
    }
    let taken = observed.place.as_ref().map(|place| refusals.taken(place)).unwrap_or_default();
    if let Some(edit) = observed.note_edit(taken) {
        if !is_as_read(bot, pair, &edit)? {
            return Ok(Applied::Overtaken);
        }
        bot.forge.edit_note(pair.source.target_project_id, pair.source.iid, edit.id, &edit.after)?;
        tracing::info!("edited the note on {}!{}", pair.source_path, pair.source.iid);
        applied = Applied::Something;
    }
    if matches!(applied, Applied::Nothing) {
        tracing::info!("everything is as it should be");
    }
    Ok(applied)
}

/// Whether the note is as it was when this job began: GitLab has no way to edit it only if it is, and posting
/// statuses takes long enough for a sync to write it anew.
fn is_as_read(bot: &Bot, pair: &Pair, edit: &NoteEdit) -> Result<bool> {
    match bot.forge.note(pair.source.target_project_id, pair.source.iid, edit.id) {
        Ok(note) => Ok(note::same(&note.body, &edit.before)),
        Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What GitLab refused in this run: it would again, for the same reason.
struct Refusals(Vec<(StatusPost, Refused)>);

impl Refusals {
    fn allow(&self, post: &StatusPost, seen: &Seen) -> bool {
        let mut same_place = self.0.iter().filter(|(other, _)| other.place == post.place);
        same_place.all(|(other, refused)| match refused {
            Refused::Place => false,
            Refused::Name => other.status.name != post.status.name,
            Refused::Room => {
                let there = seen.posted.iter().filter(|(place, _)| place.sha() == post.place.sha());
                let there: Vec<_> = there.flat_map(|(_, there)| there).cloned().collect();
                statuses::may_be_accepted(post, Acceptance::Full, &there, seen.observed.bot)
            }
        })
    }

    fn taken(&self, place: &StatusPlace) -> Acceptance {
        let at_place = self.0.iter().filter(|(post, _)| post.place == *place);
        let taken = at_place.map(|(_, refused)| refused.taken());
        taken.max().unwrap_or_default()
    }
}
