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
use super::report::{self, Asked, Pair};
use super::sync;
use crate::cli::{Global, Output};
use crate::exit::ExitStatus;
use crate::forge::{ForgeError, MergeRequest, Note, ProjectPath};
use crate::git::Git;
use crate::pair::ci_section::CiSection;
use crate::pair::record;
use crate::transform::{Refusal, config};
use find::Found;
use show::{Line, Outcome, Summary};

/// After how many projects in a row that failed for want of GitLab the run ends: it is GitLab then, not a project.
const FAILURES: usize = 3;

/// Runs the command.
pub(super) fn run(global: &Global, surroundings: &Surroundings) -> Result<()> {
    let bot = Setting::read(global, surroundings)?.connect(global)?;
    let git = Git::find(&surroundings.search_path)?;
    let mut tally = Tally::default();
    let found = find::all(&bot, &mut tally)?;
    tracing::info!("{} to look at", show::count(found.len()));
    let total = found.len();
    for (number, found) in found.into_iter().enumerate() {
        let name = found.name();
        tracing::info!("[{} of {total}] {name}", number.saturating_add(1));
        let project = found.source_path.clone();
        let mut line = Line::new(name);
        match (Reconciling { bot: &bot, git: &git, global, surroundings }).one(found, &mut line) {
            Ok(None) => tally.done(line),
            Ok(Some(refusal)) => tally.refused(line, &refusal),
            Err(error) => tally.failed(line, &project, error),
        }
        if tally.is_hopeless() {
            tally.summary.left = total.saturating_sub(number.saturating_add(1));
            break;
        }
    }
    tally.summary.requests = bot.forge.requests();
    tally.summary.print(global.output, surroundings.paint)?;
    match tally.error {
        None => Ok(()),
        Some(error) => Err(error.context(tally.summary.failure())),
    }
}

/// What became of the merge requests so far.
#[derive(Default)]
struct Tally {
    summary: Summary,
    /// What the run ends with.
    error: Option<anyhow::Error>,
    /// The projects in a row for which GitLab was not to be had.
    without_gitlab: Vec<ProjectPath>,
    /// Whether the next request can only fail like the last.
    is_shut_out: bool,
}

impl Tally {
    fn done(&mut self, line: Line) {
        self.without_gitlab.clear();
        self.summary.lines.push(line);
    }

    fn refused(&mut self, line: Line, refusal: &Refusal) {
        self.done(Line { outcome: Outcome::Refused(refusal.to_string()), ..line });
    }

    fn failed(&mut self, line: Line, project: &ProjectPath, error: anyhow::Error) {
        let of_gitlab = error.downcast_ref::<ForgeError>();
        // A repository that git cannot reach may be the only one.
        if !of_gitlab.is_some_and(ForgeError::is_worth_a_retry) {
            self.without_gitlab.clear();
        } else if !self.without_gitlab.contains(project) {
            self.without_gitlab.push(project.clone());
        }
        self.is_shut_out = of_gitlab.is_some_and(ForgeError::concerns_every_request);
        tracing::error!("{}: {error:#}", line.merge_request);
        self.summary.lines.push(Line { outcome: Outcome::Failed(format!("{error:#}")), ..line });
        // What is wrong with a merge request says more than that GitLab was busy for a while.
        let unavailable = |error: &anyhow::Error| ExitStatus::of(error) == ExitStatus::Unavailable;
        if self.error.as_ref().is_none_or(|known| unavailable(known) && !unavailable(&error)) {
            self.error = Some(error);
        }
    }

    fn list_failed(&mut self, line: Line, error: anyhow::Error) {
        tracing::error!("{error:#}");
        self.summary.lines.push(Line { outcome: Outcome::Failed(format!("{error:#}")), ..line });
        self.error.get_or_insert(error);
    }

    /// Says whether going on is of no use.
    fn is_hopeless(&self) -> bool {
        self.is_shut_out || self.without_gitlab.len() >= FAILURES
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
        match found {
            Found { source: Some(source), dist: Some(dist), source_path, dist_path } => {
                self.pair(&source_path, &source, dist_path, &dist, line)
            }
            Found { source: Some(source), dist: None, source_path, dist_path } => {
                self.without_pair(source_path, &source, &dist_path, line)
            }
            // The source-git merge request is not open: only the results are of interest.
            Found { source: None, dist: Some(dist), dist_path, .. } => {
                self.report(report::of_dist(self.bot, dist_path, dist)?, line)?;
                Ok(None)
            }
            Found { source: None, dist: None, .. } => Ok(None),
        }
    }

    fn pair(
        &self,
        source_path: &ProjectPath,
        source: &MergeRequest,
        dist_path: ProjectPath,
        dist: &MergeRequest,
        line: &mut Line,
    ) -> Result<Option<Refusal>> {
        let recorded = record::read(&dist.description).and_then(|record| record.note);
        let note = own_notes::find(self.bot, source.target_project_id, source.iid, recorded)?.into_iter().next();
        let synced = if is_told(note.as_ref(), source, dist) && sync::texts_are_current(source_path, source, dist) {
            Ok(None)
        } else {
            self.sync(source_path, source, &dist_path, line)
        };
        // The lists are as old as the run: what is reported is read afresh.
        let fresh = self.bot.forge.merge_request(&dist_path, dist.iid)?;
        let pair = report::of_dist(self.bot, dist_path, fresh)?;
        let note = note.filter(|_| line.did.is_empty());
        self.report(pair.map(|pair| Pair { note, ..pair }), line)?;
        synced
    }

    /// Without an open dist-git merge request: what stood in the way may be gone, and one that was closed or merged may
    /// have results that nobody has brought.
    fn without_pair(
        &self,
        source_path: ProjectPath,
        source: &MergeRequest,
        dist_path: &ProjectPath,
        line: &mut Line,
    ) -> Result<Option<Refusal>> {
        if let Some(head) = &source.sha
            && !self.bot.forge.has_file(source.target_project_id, config::PATH, head)?
        {
            tracing::debug!("{} is not there: nothing to do", config::PATH);
            return Ok(None);
        }
        let synced = self.sync(&source_path, source, dist_path, line);
        let asked = Asked::MergeRequest(MergeRequestReference { project: source_path, iid: source.iid });
        self.report(report::find(self.bot, &asked)?, line)?;
        synced
    }

    fn sync(
        &self,
        source_path: &ProjectPath,
        source: &MergeRequest,
        dist_path: &ProjectPath,
        line: &mut Line,
    ) -> Result<Option<Refusal>> {
        let reference = MergeRequestReference { project: source_path.clone(), iid: source.iid };
        let work = sync::Work { bot: self.bot, git: self.git, reference, dist_path: dist_path.clone() };
        let synced = work.run(&self.global(), self.surroundings)?;
        line.note(if synced.refusal.is_some() { "told its author" } else { "synced" }, &synced.effect);
        Ok(synced.refusal)
    }

    fn report(&self, pair: Option<Pair>, line: &mut Line) -> Result<()> {
        if let Some(pair) = pair {
            let effect = report::report(self.bot, pair, &self.global(), self.surroundings)?;
            line.note("reported", &effect);
        }
        Ok(())
    }

    /// The options for what is done to one merge request: their plans become a part of the summary.
    fn global(&self) -> Global {
        Global { output: Output::Text, ..self.global.clone() }
    }
}

/// Says whether a note tells of the newest commit of its merge request, and dist-git holds what it tells: then `sync` has
/// seen both.
fn is_told(note: Option<&Note>, source: &MergeRequest, dist: &MergeRequest) -> bool {
    let Some(note) = note else { return false };
    let tested = CiSection::read(&note.body).and_then(|section| section.state.tested);
    let told = record::read_note(&note.body).is_some_and(|told| Some(told.commit) == source.sha);
    told && tested.is_none_or(|tested| dist.sha == Some(tested))
}
