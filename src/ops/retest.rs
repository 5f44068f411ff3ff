//! `retest`: starts another pipeline for the dist-git merge request of a source-git merge request.
//!
//! GitLab decides whether the bot may start one, and where it runs. If the bot may not, its note says who can.

use chrono::Utc;

use crate::forge::{MergeRequestState, Note, Pipeline};
use crate::ops::find_pair::{self, MergeRequestPair, PairReference};
use crate::ops::outcome::{Outcome, Preview};
use crate::ops::reference::MergeRequestReference;
use crate::ops::session::Session;
use crate::ops::{notes, report};
use crate::pair::facts::DistGitLink;
use crate::pair::markers;
use crate::pair::note::retest_hint::{self, RetestHint};
use crate::types::error::{ForgeError, Result};
use crate::types::{PipelineId, Refusal};

/// The most pipelines of a merge request that are read. GitLab lists the newest of each kind first.
const MAX_PIPELINES: usize = 100;

pub(crate) enum Retested {
    /// A pipeline was started; the note does not say so yet.
    Started(Box<MergeRequestPair>),
    /// No pipeline was started.
    Refused(Refusal),
    /// A pipeline may have been started: GitLab's answer was lost.
    Unknown(ForgeError),
    /// A dry run: nothing was written, and this is what would be done.
    Preview(Box<Preview>),
}

/// Starts a pipeline, or returns why not.
pub(crate) fn retest(session: &Session, reference: &MergeRequestReference) -> Result<Retested> {
    let refused = |text: String, remedy: &str| Ok(Retested::Refused(Refusal::new(text, remedy)));
    let MergeRequestReference { project, iid } = reference;
    let Some(pair) = find_pair::find(session, &PairReference::MergeRequest(reference.clone()))? else {
        let text = format!("{project}!{iid} has no dist-git merge request that could be tested");
        return refused(text, "see the bot's note on it, or let the bot look at it with `sync`");
    };
    let name = format!("{}!{}", pair.dist_path, pair.dist.iid);
    if pair.dist.state != MergeRequestState::Opened {
        return refused(format!("{name} is not open"), "reopen it, or let the bot do that with `recreate`");
    }
    let before = newest_pipelines(session, &pair)?;
    let newest = before.iter().filter_map(|pipeline| pipeline.created_at).max();
    if retest_hint::is_too_soon(newest, session.forge.server_time().unwrap_or_else(Utc::now)) {
        let text = format!("the newest pipeline of {name} is not ten minutes old");
        return refused(text, "wait for its results, or until ten minutes are over");
    }
    if session.is_dry_run() {
        return Ok(Retested::Preview(Box::new(Preview::Retest { merge_request: name })));
    }
    match session.forge.run_merge_request_pipeline(&pair.dist_path, pair.dist.iid) {
        Ok(()) => {
            tracing::info!("started a pipeline for {name}");
            Ok(Retested::Started(Box::new(pair)))
        }
        Err(error @ ForgeError::MaybeDone(_)) => {
            let newest_before = newest_id(&before);
            Ok(match newest_pipelines(session, &pair) {
                Ok(now) if newest_id(&now) > newest_before => Retested::Started(Box::new(pair)),
                _ => Retested::Unknown(error),
            })
        }
        Err(
            error @ (ForgeError::Refused(_)
            | ForgeError::Forbidden(_)
            | ForgeError::NotFoundOrNoAccess(_)
            | ForgeError::Conflict(_)),
        ) => {
            let reason = error.failure().map(|failure| failure.message.clone()).unwrap_or_default();
            add_hint_to_note(session, &pair, &reason)?;
            refused(format!("the bot may start no pipeline for {name}: {error}"), "see the bot's note: it says who can")
        }
        Err(error) => Err(error.into()),
    }
}

/// Updates the note after a pipeline was started.
pub(crate) fn update_note(session: &Session, pair: MergeRequestPair) -> Result<Outcome> {
    if let Some(note) = bot_note(session, &pair)?
        && let Some(text) = RetestHint::removed_from(&note.body)
    {
        session.forge.edit_note(pair.source.target_project_id, pair.source.iid, note.id, &text)?;
    }
    report::report(session, pair)
}

/// Makes the note say who can start a pipeline.
fn add_hint_to_note(session: &Session, pair: &MergeRequestPair, reason: &str) -> Result<()> {
    let Some(note) = bot_note(session, pair)? else { return Ok(()) };
    let dist_git =
        DistGitLink { project: pair.dist_path.clone(), merge_request: pair.dist.iid, url: pair.dist.web_url.clone() };
    let Some(section) = RetestHint::new(&note.body, &dist_git, reason) else { return Ok(()) };
    let text = section.replace_in(&note.body);
    if text != note.body {
        session.forge.edit_note(pair.source.target_project_id, pair.source.iid, note.id, &text)?;
    }
    Ok(())
}

fn bot_note(session: &Session, pair: &MergeRequestPair) -> Result<Option<Note>, ForgeError> {
    let recorded = markers::read(&pair.dist.description).and_then(|record| record.note);
    let found = notes::find(session, pair.source.target_project_id, pair.source.iid, recorded)?;
    Ok(found.into_iter().next())
}

/// Returns the newest pipelines of the dist-git merge request; none if the bot may not see them.
fn newest_pipelines(session: &Session, pair: &MergeRequestPair) -> Result<Vec<Pipeline>, ForgeError> {
    let found = session.forge.merge_request_pipelines(&pair.dist_path, pair.dist.iid).take(MAX_PIPELINES);
    match found.collect() {
        Err(ForgeError::NotFoundOrNoAccess(_) | ForgeError::Forbidden(_)) => Ok(Vec::new()),
        found => found,
    }
}

fn newest_id(pipelines: &[Pipeline]) -> Option<PipelineId> {
    pipelines.iter().map(|pipeline| pipeline.id).max()
}
