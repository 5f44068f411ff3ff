//! `retest`: one more pipeline for the dist-git merge request of a source-git merge request.
//!
//! GitLab decides whether the bot may start one, and where it runs. Where it may not, the bot's note says who can.

use anyhow::{Result, bail};
use chrono::Utc;

use crate::cli::args::{self, Global};
use crate::forge::{ForgeError, MergeRequestState, Note, Pipeline};
use crate::ops::merge_request_reference::MergeRequestReference;
use crate::ops::named::Named;
use crate::ops::outcome::Effect;
use crate::ops::report::{self, Asked, Pair};
use crate::ops::session::{Bot, Setting};
use crate::ops::{Surroundings, notes};
use crate::pair::facts::DistGitLink;
use crate::pair::markers;
use crate::pair::note::retest_hint::{self, RetestHint};
use crate::types::{PipelineId, Refusal};

/// How many pipelines of a merge request are looked at; GitLab lists the newest of each kind first.
const LOOKED_AT: usize = 100;

/// What came of it.
pub(crate) enum Retested {
    /// A pipeline was started; nobody has been told yet.
    Started(Box<Pair>),
    /// None was started.
    Refused(Refusal),
    /// Whether one was started is not known.
    Unsettled(ForgeError),
    /// Nothing was to be written, and this would have been.
    Shown(String),
}

/// Runs the command.
pub(crate) fn run(arguments: &args::Retest, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let setting = Setting::read(global, surroundings)?;
    let Some(named) = Named::read(arguments.merge_request.as_deref(), &setting)? else { return Ok(()) };
    let bot = setting.connect(global)?;
    match retest(&bot, &named.reference, global)? {
        Retested::Started(pair) => tell(&bot, *pair, global, surroundings),
        Retested::Refused(refusal) => bail!(refusal),
        Retested::Unsettled(error) => bail!(error),
        Retested::Shown(text) => Effect::Shown(text).print(),
    }
}

/// Starts a pipeline, where that is due.
pub(crate) fn retest(bot: &Bot, reference: &MergeRequestReference, global: &Global) -> Result<Retested> {
    let refused = |text: String, remedy: &str| Ok(Retested::Refused(Refusal::new(text, remedy)));
    let MergeRequestReference { project, iid } = reference;
    let Some(pair) = report::find(bot, &Asked::MergeRequest(reference.clone()))? else {
        let text = format!("{project}!{iid} has no dist-git merge request that could be tested");
        return refused(text, "see the bot's note on it, or let the bot look at it with `sync`");
    };
    let name = format!("{}!{}", pair.dist_path, pair.dist.iid);
    if pair.dist.state != MergeRequestState::Opened {
        return refused(format!("{name} is not open"), "reopen it, or let the bot do that with `recreate`");
    }
    let before = pipelines(bot, &pair)?;
    let newest = before.iter().filter_map(|pipeline| pipeline.created_at).max();
    if retest_hint::is_too_soon(newest, bot.forge.server_time().unwrap_or_else(Utc::now)) {
        let text = format!("the newest pipeline of {name} is not ten minutes old");
        return refused(text, "wait for its results, or until ten minutes are over");
    }
    if global.dry_run {
        return Ok(Retested::Shown(format!("would start a pipeline for {name}\n")));
    }
    match bot.forge.run_merge_request_pipeline(&pair.dist_path, pair.dist.iid) {
        Ok(()) => {
            tracing::info!("started a pipeline for {name}");
            Ok(Retested::Started(Box::new(pair)))
        }
        Err(error @ ForgeError::MaybeDone(_)) => {
            let known = newest_of(&before);
            Ok(match pipelines(bot, &pair) {
                Ok(now) if newest_of(&now) > known => Retested::Started(Box::new(pair)),
                _ => Retested::Unsettled(error),
            })
        }
        Err(
            error @ (ForgeError::Refused(_)
            | ForgeError::Forbidden(_)
            | ForgeError::NotFoundOrNoAccess(_)
            | ForgeError::Conflict(_)),
        ) => {
            let reason = error.failure().map(|failure| failure.message.clone()).unwrap_or_default();
            say_who_can(bot, &pair, &reason)?;
            refused(format!("the bot may start no pipeline for {name}: {error}"), "see the bot's note: it says who can")
        }
        Err(error) => Err(error.into()),
    }
}

/// Brings the note up to date after a pipeline was started.
pub(crate) fn tell(bot: &Bot, pair: Pair, global: &Global, surroundings: &Surroundings) -> Result<()> {
    if let Some(note) = own_note(bot, &pair)?
        && let Some(text) = RetestHint::removed_from(&note.body)
    {
        bot.forge.edit_note(pair.source.target_project_id, pair.source.iid, note.id, &text)?;
    }
    report::report(bot, pair, global, surroundings)?.print()
}

/// Lets the note say who can start a pipeline.
fn say_who_can(bot: &Bot, pair: &Pair, reason: &str) -> Result<()> {
    let Some(note) = own_note(bot, pair)? else { return Ok(()) };
    let dist_git =
        DistGitLink { project: pair.dist_path.clone(), merge_request: pair.dist.iid, url: pair.dist.web_url.clone() };
    let Some(section) = RetestHint::new(&note.body, &dist_git, reason) else { return Ok(()) };
    let text = section.replace_in(&note.body);
    if text != note.body {
        bot.forge.edit_note(pair.source.target_project_id, pair.source.iid, note.id, &text)?;
    }
    Ok(())
}

fn own_note(bot: &Bot, pair: &Pair) -> Result<Option<Note>, ForgeError> {
    let recorded = markers::read(&pair.dist.description).and_then(|record| record.note);
    let found = notes::find(bot, pair.source.target_project_id, pair.source.iid, recorded)?;
    Ok(found.into_iter().next())
}

/// Returns the newest pipelines of the dist-git merge request; none where the bot may not see them.
fn pipelines(bot: &Bot, pair: &Pair) -> Result<Vec<Pipeline>, ForgeError> {
    let found = bot.forge.merge_request_pipelines(&pair.dist_path, pair.dist.iid).take(LOOKED_AT);
    match found.collect() {
        Err(ForgeError::NotFoundOrNoAccess(_) | ForgeError::Forbidden(_)) => Ok(Vec::new()),
        found => found,
    }
}

fn newest_of(pipelines: &[Pipeline]) -> Option<PipelineId> {
    pipelines.iter().map(|pipeline| pipeline.id).max()
}
