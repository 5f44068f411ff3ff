//! Posts the statuses and edits the note.
//!
//! It is not an error if GitLab refuses a status. The note records the refusal, and is then the only place with the
//! result.

use crate::forge::Posting;
use crate::ops::commit_statuses::{self, StatusRefusal};
use crate::ops::find_pair::MergeRequestPair;
use crate::ops::report::observe::ReportSeen;
use crate::ops::session::Session;
use crate::pair::note;
use crate::pair::report_plan::NoteEdit;
use crate::pair::statuses::{self, Acceptance, StatusPlace, StatusPost};
use crate::types::error::{ForgeError, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteOutcome {
    /// Nothing had to be written.
    Nothing,
    Written,
    /// Another job has written the note since this job read it, so this job left the note alone.
    Overtaken,
}

pub(crate) fn apply(session: &Session, pair: &MergeRequestPair, seen: &ReportSeen) -> Result<WriteOutcome> {
    let facts = &seen.facts;
    let mut outcome = WriteOutcome::Nothing;
    let mut refusals = StatusRefusals(Vec::new());
    for post in facts.posts(&seen.posted) {
        if !refusals.allows(&post, seen) {
            continue;
        }
        match commit_statuses::post(&session.forge, seen.project, &post) {
            Ok(posting) => {
                outcome = WriteOutcome::Written;
                let what = match posting {
                    Posting::Posted => "posted",
                    Posting::AlreadyThere => "somebody else was faster with",
                };
                let (name, state) = (&post.status.name, commit_statuses::gitlab_state(post.status.state));
                tracing::info!("{what} the status {name:?}, {state}, on {}", post.place.sha().short());
            }
            Err(error) => {
                let Some(refusal) = commit_statuses::refusal(&error) else { return Err(error.into()) };
                tracing::warn!("{error}; that result is in the bot's note alone");
                refusals.0.push((post, refusal));
            }
        }
    }
    let acceptance = facts.place.as_ref().map(|place| refusals.acceptance(place)).unwrap_or_default();
    if let Some(edit) = facts.note_edit(acceptance) {
        if !is_as_read(session, pair, &edit)? {
            return Ok(WriteOutcome::Overtaken);
        }
        session.forge.edit_note(pair.source.target_project_id, pair.source.iid, edit.id, &edit.after)?;
        tracing::info!("edited the note on {}!{}", pair.source_path, pair.source.iid);
        outcome = WriteOutcome::Written;
    }
    if matches!(outcome, WriteOutcome::Nothing) {
        tracing::info!("everything is as it should be");
    }
    Ok(outcome)
}

/// Whether the note is as it was when this job read it. GitLab cannot make an edit conditional on that, and posting
/// statuses takes long enough for a sync to write a new note.
fn is_as_read(session: &Session, pair: &MergeRequestPair, edit: &NoteEdit) -> Result<bool> {
    match session.forge.note(pair.source.target_project_id, pair.source.iid, edit.id) {
        Ok(note) => Ok(note::same(&note.body, &edit.before)),
        Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What GitLab refused in this run, and would refuse again for the same reason.
struct StatusRefusals(Vec<(StatusPost, StatusRefusal)>);

impl StatusRefusals {
    fn allows(&self, post: &StatusPost, seen: &ReportSeen) -> bool {
        let mut same_place = self.0.iter().filter(|(other, _)| other.place == post.place);
        same_place.all(|(other, refusal)| match refusal {
            StatusRefusal::Place => false,
            StatusRefusal::Name => other.status.name != post.status.name,
            StatusRefusal::PipelineFull => {
                let existing = seen.posted.iter().filter(|(place, _)| place.sha() == post.place.sha());
                let existing: Vec<_> = existing.flat_map(|(_, existing)| existing).cloned().collect();
                statuses::may_be_accepted(post, Acceptance::Full, &existing, seen.facts.bot)
            }
        })
    }

    fn acceptance(&self, place: &StatusPlace) -> Acceptance {
        let at_place = self.0.iter().filter(|(post, _)| post.place == *place);
        let acceptances = at_place.map(|(_, refusal)| refusal.acceptance());
        acceptances.max().unwrap_or_default()
    }
}
