//! `reconcile`: looks at every merge request of the instance, and brings what is behind up to date.
//!
//! The guarantee behind everything that events set off: an event that was lost is made good here. What it does for one
//! merge request is what `sync` and `report` do; one that fails does not keep the others waiting.

mod find;
mod pair;
mod show;

use anyhow::Result;

use super::Surroundings;
use super::bot::Setting;
use crate::cli::Global;
use crate::exit::ExitStatus;
use crate::forge::{ForgeError, ProjectPath};
use crate::git::Git;
use crate::transform::Refusal;
use pair::{Reconciling, Tips};
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
    let tips = Tips::default();
    for (number, found) in found.into_iter().enumerate() {
        let name = found.name();
        tracing::info!("[{} of {total}] {name}", number.saturating_add(1));
        let project = found.source_path.clone();
        let mut line = Line::new(name);
        match (Reconciling { bot: &bot, git: &git, global, surroundings, tips: &tips }).one(found, &mut line) {
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
