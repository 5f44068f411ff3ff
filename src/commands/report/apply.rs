//! Posts the statuses and edits the note. GitLab's refusal of a status is a fact to be remembered, not an error: the note
//! then shows the results alone.

use anyhow::Result;

use super::Pair;
use super::observe::Seen;
use crate::commands::bot::Bot;
use crate::commands::commit_statuses;
use crate::commands::effect::Effect;
use crate::forge::Posting;
use crate::pair::ci_section::Taken;
use crate::pair::statuses::Place;

pub(super) fn apply(bot: &Bot, pair: &Pair, seen: &Seen) -> Result<Effect> {
    let observed = &seen.observed;
    let mut applied = Effect::Nothing;
    let mut refused: Vec<Place> = Vec::new();
    for post in observed.posts(&seen.posted) {
        // What GitLab refuses once, for the place or the right to it, it refuses each time.
        if refused.contains(&post.place) {
            continue;
        }
        match commit_statuses::post(&bot.forge, seen.project, &post) {
            Ok(posting) => {
                applied = Effect::Written;
                let what = match posting {
                    Posting::Posted => "posted",
                    Posting::AlreadyThere => "somebody else was faster with",
                };
                let (name, state) = (&post.status.name, commit_statuses::word(post.status.state));
                tracing::info!("{what} the status {name:?}, {state}, on {}", post.place.sha().short());
            }
            Err(error) if commit_statuses::is_refusal(&error) => {
                tracing::warn!("{error}; the results are in the bot's note alone");
                refused.push(post.place);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let taken = match &observed.place {
        Some(place) if refused.contains(place) => Taken::No,
        _ => Taken::Yes,
    };
    if let Some(edit) = observed.note_edit(taken) {
        bot.forge.edit_note(pair.source.target_project_id, pair.source.iid, edit.id, &edit.after)?;
        tracing::info!("edited the note on {}!{}", pair.source_path, pair.source.iid);
        applied = Effect::Written;
    }
    if matches!(applied, Effect::Nothing) {
        tracing::info!("everything is as it should be");
    }
    Ok(applied)
}
