//! `reconcile`: looks at every merge request of the instance, and brings what is behind up to date.
//!
//! The guarantee behind everything that events set off: an event that was lost is made good here. What it does for one
//! merge request is what `sync` and `report` do; one that fails does not keep the others waiting.

mod find;
mod show;

use anyhow::Result;

use super::Surroundings;
use super::bot::{Bot, Setting};
use super::merge_request_reference::MergeRequestReference;
use super::own_notes;
use super::report::{self, Pair};
use super::sync;
use crate::cli::{Global, Output};
use crate::exit::ExitStatus;
use crate::forge::{MergeRequest, Note};
use crate::git::Git;
use crate::pair::record;
use crate::transform::Refusal;
use find::Found;
use show::{Line, Outcome, Summary};

/// After how many failures in a row for want of GitLab the run ends: it is GitLab, not a merge request.
const FAILURES: usize = 3;

/// Runs the command.
pub(super) fn run(global: &Global, surroundings: &Surroundings) -> Result<()> {
    let bot = Setting::read(global, surroundings)?.connect(global)?;
    let git = Git::find(&surroundings.search_path)?;
    let found = find::all(&bot)?;
    tracing::info!("{} to look at", show::count(found.len()));
    let mut summary = Summary::default();
    let (mut failed, mut in_a_row): (Option<anyhow::Error>, usize) = (None, 0);
    let total = found.len();
    for (number, found) in found.into_iter().enumerate() {
        let name = found.name();
        tracing::info!("[{} of {total}] {name}", number.saturating_add(1));
        let mut line = Line { merge_request: name, did: Vec::new(), outcome: Outcome::Done };
        let outcome = Reconciling { bot: &bot, git: &git, global, surroundings }.one(found, &mut line);
        match outcome {
            Ok(None) => in_a_row = 0,
            Ok(Some(refusal)) => {
                line.outcome = Outcome::Refused(refusal.to_string());
                in_a_row = 0;
            }
            Err(error) => {
                let is_gitlab = ExitStatus::of(&error) == ExitStatus::Unavailable;
                in_a_row = if is_gitlab { in_a_row.saturating_add(1) } else { 0 };
                tracing::error!("{}: {error:#}", line.merge_request);
                line.outcome = Outcome::Failed(format!("{error:#}"));
                // What is wrong with a merge request says more than that GitLab was busy for a while.
                let known = failed.as_ref().map(ExitStatus::of);
                if known.is_none() || (known == Some(ExitStatus::Unavailable) && !is_gitlab) {
                    failed = Some(error);
                }
            }
        }
        summary.lines.push(line);
        if in_a_row >= FAILURES {
            summary.left = total.saturating_sub(summary.lines.len());
            break;
        }
    }
    summary.requests = bot.forge.requests();
    summary.print(global.output, surroundings.paint)?;
    match failed {
        None => Ok(()),
        Some(error) => Err(error.context(summary.failure())),
    }
}

/// What it takes to reconcile one merge request.
struct Reconciling<'a> {
    bot: &'a Bot,
    git: &'a Git,
    global: &'a Global,
    surroundings: &'a Surroundings,
}

impl Reconciling<'_> {
    /// Brings one merge request up to date; returns why it cannot be synced, where that is the case.
    fn one(&self, found: Found, line: &mut Line) -> Result<Option<Refusal>> {
        let Found { source_path, source, dist_path, dist } = found;
        let Some(source) = source else {
            // Its source-git merge request is not open: only the results are of interest.
            let Some(dist) = dist else { return Ok(None) };
            if let Some(pair) = report::of_dist(self.bot, dist_path, dist)? {
                self.report(pair, line)?;
            }
            return Ok(None);
        };
        let notes = match &dist {
            // What stood in the way may be gone without the merge request having changed.
            None => Vec::new(),
            Some(dist) => {
                let recorded = record::read(&dist.description).and_then(|record| record.note);
                own_notes::find(self.bot, source.target_project_id, source.iid, recorded)?
            }
        };
        let mut refusal = None;
        if !is_told(notes.first(), &source) {
            let reference = MergeRequestReference { project: source_path.clone(), iid: source.iid };
            let work = sync::Work { bot: self.bot, git: self.git, reference, dist_path: dist_path.clone() };
            let synced = work.run(&self.global(), self.surroundings)?;
            let what = if synced.refusal.is_some() { "told its author" } else { "synced" };
            line.note(what, &synced.effect);
            refusal = synced.refusal;
        }
        if let Some(dist) = dist {
            let source = self.bot.forge.merge_request(&source_path, source.iid)?;
            let note = notes.into_iter().next().filter(|_| line.did.is_empty());
            // What was synced just now has no results yet, but its branch may have had.
            let dist = if line.did.is_empty() { dist } else { self.bot.forge.merge_request(&dist_path, dist.iid)? };
            self.report(Pair { source_path, source, dist_path, dist, note, pipeline: None }, line)?;
        }
        Ok(refusal)
    }

    fn report(&self, pair: Pair, line: &mut Line) -> Result<()> {
        let effect = report::report(self.bot, pair, &self.global(), self.surroundings)?;
        line.note("reported", &effect);
        Ok(())
    }

    /// The options for what is done to one merge request: their plans become a part of the summary.
    fn global(&self) -> Global {
        Global { output: Output::Text, ..self.global.clone() }
    }
}

/// Says whether a note tells of the newest commit of its merge request: then `sync` has seen it.
fn is_told(note: Option<&Note>, source: &MergeRequest) -> bool {
    let told = note.and_then(|note| record::read_note(&note.body));
    told.is_some_and(|told| Some(told.commit) == source.sha)
}
