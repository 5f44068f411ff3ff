//! `reconcile`: looks at every merge request of the instance, and brings what is behind up to date.
//!
//! The guarantee behind everything that events set off: an event that was lost is made good here. What it does for one
//! merge request is what `sync` and `report` do; one that fails does not keep the others waiting. What a run found in order
//! the next need not look at while lists show it unchanged.

mod bounds;
mod ended;
mod find;
mod pair;
mod pool;
mod seen;
mod show;
mod watch;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::Surroundings;
use super::bot::{Bot, Setting};
use crate::ci::Log;
use crate::cli::{self, Global};
use crate::exit::ExitStatus;
use crate::forge::{ForgeError, MergeRequestState, ProjectPath};
use crate::git::Git;
use crate::pair::memory::{Hour, Key, Known, Print, Trouble, TroubleKind};
use crate::pair::status_issue::States;
use crate::transform::Refusal;
use bounds::Bounds;
use ended::{Lately, SeenTo};
use find::Found;
use pair::{Reconciling, Tips};
use pool::Came;
use seen::{HeadPipelines, Seen};
use show::{Line, Outcome, Summary};
use watch::Watch;

/// After how many projects in a row that failed for want of GitLab the run ends: it is GitLab then, not a project.
const FAILURES: usize = 3;

/// Runs the command.
pub(super) fn run(arguments: &cli::Reconcile, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let now = DateTime::<Utc>::from(SystemTime::now());
    let setting = Setting::read(global, surroundings)?;
    let bounds = Bounds::read(arguments, &setting.job, &setting.instance, now)?;
    let mut bot = setting.connect(global)?;
    let git = Git::find(&surroundings.search_path)?;
    let mut tally = Tally::default();
    let mut watch = if bounds.are_chosen() { None } else { tally.watched(&bot, Watch::read(&bot, &bounds, now))? };
    let mut found = chosen(&bot, &bounds, find::all(&bot, &bounds, &mut tally)?);
    let open: Vec<_> = found.iter().filter_map(|found| Some((found.dist_path.clone(), found.branch()?))).collect();
    let listed = found.len();
    // What a person chose says nothing of the whole.
    let lately = (!bounds.are_chosen()).then(|| Lately::new(watch.as_ref().and_then(Watch::last_run), now));
    let listed_to = match lately {
        Some(lately) => ended::add(&bot, &bounds, lately, &mut found, &mut tally)?,
        None => SeenTo::InPart,
    };
    let names: Vec<_> = found.iter().map(|found| (found.key(), found.source_path.clone())).collect();
    let tasks = tasks(&bot, watch.as_ref(), found, &mut tally);
    tracing::info!("{} to look at, {} unchanged", show::count(tasks.len()), tally.summary.unchanged);

    let queues = queues(tasks, watch.as_ref());
    let workers = usize::try_from(bounds.jobs).unwrap_or(1).min(queues.len());
    if workers > 1 {
        // Sections of several at a time would be folded into each other.
        bot.log = Log::Plain;
    }
    let tips = Tips::default();
    let total = queues.iter().map(Vec::len).sum();
    let work = Work { bot: &bot, git: &git, global, surroundings, tips: &tips, total };
    let tally = work.all(queues, workers, bounds.max_changes, tally);
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut seen_to = tally.seen_to(names.iter().skip(listed).map(|(key, _)| *key));
    if let Some(lately) = lately.filter(|_| !tally.is_hopeless()) {
        match ended::remove_branches(&bot, &bounds, lately, &open, global) {
            Ok(lines) => tally.summary.lines.extend(lines),
            Err(error) => {
                seen_to = SeenTo::InPart;
                tally.list_failed(Line::new("branches".to_owned()), error.context("removing branches"));
            }
        }
    } else {
        seen_to = SeenTo::InPart;
    }
    let seen_to = if listed_to == SeenTo::All { seen_to } else { SeenTo::InPart };

    if let Some(watch) = &mut watch
        && !tally.is_shut_out
    {
        for (key, known) in std::mem::take(&mut tally.outcomes) {
            watch.put(key, known);
        }
        let written = watch.write(&bot, &names, tally.states, seen_to, global.dry_run);
        tally.summary.status_issue = tally.watched(&bot, written)?;
    }
    tally.summary.requests = bot.forge.requests();
    tally.summary.print(global.output, surroundings.paint)?;
    match tally.error {
        None => Ok(()),
        Some(error) => Err(error.context(tally.summary.failure())),
    }
}

/// Which of the two merge requests are open, as far as that was listed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pair,
    SourceGitOnly,
    DistGitOnly,
    Neither,
}

impl Kind {
    fn of(found: &Found) -> Self {
        match (&found.source, &found.dist) {
            (Some(_), Some(_)) => Self::Pair,
            (Some(source), None) if source.state == MergeRequestState::Merged => Self::Neither,
            (Some(_), None) => Self::SourceGitOnly,
            (None, Some(dist)) if dist.state == MergeRequestState::Opened => Self::DistGitOnly,
            (None, _) => Self::Neither,
        }
    }
}

/// Picks out what has changed since the moment that a person named.
fn chosen(bot: &Bot, bounds: &Bounds, found: Vec<Found>) -> Vec<Found> {
    let Some(since) = bounds.since else { return found };
    let pipelines = HeadPipelines::ask(bot).unwrap_or_else(|error| {
        without_graphql(&error);
        HeadPipelines::default()
    });
    found.into_iter().filter(|found| pipelines.have_changed(found, since)).collect()
}

fn without_graphql(error: &ForgeError) {
    tracing::warn!("what has changed cannot be told, so everything is looked at: {error}");
}

/// A merge request that is to be looked at.
struct Task {
    found: Found,
    key: Key,
    /// How it looked when it was found.
    print: Option<Print>,
    /// Whether dist-git has no place for it.
    lacks_dist_git: bool,
    /// Its place in the summary.
    place: usize,
}

/// Sorts out what needs no look, and counts it.
fn tasks(bot: &Bot, watch: Option<&Watch>, found: Vec<Found>, tally: &mut Tally) -> Vec<Task> {
    let seen = watch.and_then(|_| Seen::ask(bot, &found).inspect_err(without_graphql).ok());
    let mut tasks = Vec::new();
    for (place, found) in found.into_iter().enumerate() {
        let key = found.key();
        let print = seen.as_ref().and_then(|seen| seen.print(&found));
        if watch.is_some_and(|watch| watch.is_settled(key, print)) {
            tally.summary.unchanged = tally.summary.unchanged.saturating_add(1);
            let is_refused = watch.and_then(|watch| watch.known(key)).is_some_and(|known| known.trouble.is_some());
            if is_refused {
                tally.states.refused = tally.states.refused.saturating_add(1);
            } else {
                tally.count(Kind::of(&found));
            }
        } else {
            let lacks_dist_git = seen.as_ref().is_some_and(|seen| seen.lacks_dist_git(&found));
            tasks.push(Task { found, key, print, lacks_dist_git, place });
        }
    }
    tasks
}

/// Puts the merge requests of each project together, and first what was not looked at for the longest time: so whatever a
/// run does not get to is not always the same. What failed last time comes after all else.
fn queues(tasks: Vec<Task>, watch: Option<&Watch>) -> Vec<Vec<Task>> {
    let turn = |task: &Task| {
        let known = watch.and_then(|watch| watch.known(task.key));
        let failed = known.and_then(|known| known.trouble.as_ref()).is_some_and(|t| t.kind == TroubleKind::Failed);
        (failed, known.map_or(Hour(0), |known| known.looked), task.place)
    };
    let mut projects: BTreeMap<ProjectPath, Vec<Task>> = BTreeMap::new();
    for task in tasks {
        projects.entry(task.found.source_path.clone()).or_default().push(task);
    }
    let mut queues: Vec<_> = projects.into_values().collect();
    queues.iter_mut().for_each(|queue| queue.sort_by_key(turn));
    queues.sort_by_key(|queue| queue.first().map(turn));
    queues
}

/// What all workers share.
struct Work<'a> {
    bot: &'a Bot,
    git: &'a Git,
    global: &'a Global,
    surroundings: &'a Surroundings,
    tips: &'a Tips,
    total: usize,
}

impl Work<'_> {
    fn all(&self, queues: Vec<Vec<Task>>, workers: usize, limit: Option<u32>, tally: Tally) -> Mutex<Tally> {
        let tally = Mutex::new(tally);
        let (begun, is_hopeless) = (AtomicUsize::new(0), AtomicBool::new(false));
        let left = pool::work(queues, workers, limit, &is_hopeless, |task| {
            let number = begun.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            let name = task.found.name();
            tracing::info!("[{number} of {}] {name}", self.total);
            // Lines of several at a time stand between each other: each says what it is about.
            let _span = (workers > 1).then(|| tracing::info_span!("", of = %name).entered());
            let came = self.one(task, name, &tally);
            if locked(&tally).is_hopeless() {
                is_hopeless.store(true, Ordering::Release);
            }
            came
        });
        {
            let mut tally = locked(&tally);
            tally.summary.left = left.len();
            tally.states.left = u32::try_from(left.len()).unwrap_or(u32::MAX);
            tally.summary.is_limited = limit.is_some() && !is_hopeless.into_inner();
        }
        tally
    }

    fn one(&self, task: Task, name: String, tally: &Mutex<Tally>) -> Came {
        let Work { bot, git, global, surroundings, tips, .. } = *self;
        let Task { found, key, print, lacks_dist_git, place } = task;
        let project = found.source_path.clone();
        let mut line = Line { place, ..Line::new(name) };
        let kind = Kind::of(&found);
        let outcome = (Reconciling { bot, git, global, surroundings, tips }).one(found, &mut line);
        // Where one was made, there are two now.
        let kind = if kind == Kind::SourceGitOnly && !line.did.is_empty() { Kind::Pair } else { kind };
        let came = if line.did.is_empty() { Came::OfNothing } else { Came::OfAChange };
        let trouble = |kind, why: String| Trouble { merge_request: line.merge_request.clone(), kind, why, times: 0 };
        let (trouble, print) = match &outcome {
            Ok(None) => (None, print),
            Ok(Some(refusal)) => {
                let kind = if lacks_dist_git { TroubleKind::NoDistGit } else { TroubleKind::Refused };
                (Some(trouble(kind, refusal.to_string())), print)
            }
            Err(error) => (Some(trouble(TroubleKind::Failed, format!("{error:#}"))), None),
        };
        // What was written is to be looked at once more: the next look says whether it is as it should be.
        let print = print.filter(|_| came == Came::OfNothing);
        let mut tally = locked(tally);
        tally.outcomes.push((key, Known { looked: Hour::default(), print, trouble }));
        match outcome {
            Ok(None) => {
                tally.count(kind);
                tally.done(line);
            }
            Ok(Some(refusal)) => tally.refused(line, &refusal),
            Err(error) => tally.failed(line, &project, error),
        }
        came
    }
}

fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What became of the merge requests so far.
#[derive(Default)]
struct Tally {
    summary: Summary,
    states: States,
    /// What is known of each that was looked at.
    outcomes: Vec<(Key, Known)>,
    /// What the run ends with.
    error: Option<anyhow::Error>,
    /// The projects in a row for which GitLab was not to be had.
    without_gitlab: Vec<ProjectPath>,
    /// Whether the next request can only fail like the last.
    is_shut_out: bool,
}

impl Tally {
    fn count(&mut self, kind: Kind) {
        let state = match kind {
            Kind::Pair => &mut self.states.in_step,
            Kind::SourceGitOnly => &mut self.states.source_git_only,
            Kind::DistGitOnly => &mut self.states.dist_git_only,
            Kind::Neither => return,
        };
        *state = state.saturating_add(1);
    }

    fn done(&mut self, line: Line) {
        self.without_gitlab.clear();
        self.summary.lines.push(line);
    }

    fn refused(&mut self, line: Line, refusal: &Refusal) {
        self.states.refused = self.states.refused.saturating_add(1);
        self.done(Line { outcome: Outcome::Refused(refusal.to_string()), ..line });
    }

    fn failed(&mut self, line: Line, project: &ProjectPath, error: anyhow::Error) {
        self.states.failed = self.states.failed.saturating_add(1);
        let of_gitlab = error.downcast_ref::<ForgeError>();
        // A repository that git cannot reach may be the only one.
        if !of_gitlab.is_some_and(ForgeError::is_worth_a_retry) {
            self.without_gitlab.clear();
        } else if !self.without_gitlab.contains(project) {
            self.without_gitlab.push(project.clone());
        }
        self.is_shut_out |= of_gitlab.is_some_and(ForgeError::concerns_every_request);
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

    /// Notes where the status issue could not be read or written: the merge requests do not wait for it.
    fn watched<T>(&mut self, bot: &Bot, outcome: Result<Option<T>>) -> Result<Option<T>> {
        let error = match outcome {
            Ok(watched) => return Ok(watched),
            Err(error) if error.downcast_ref().is_some_and(ForgeError::concerns_every_request) => return Err(error),
            Err(error) => error,
        };
        let project = bot.instance.bot_project.as_ref().map(ToString::to_string).unwrap_or_default();
        let what = format!("the status issue in {project}, which the instance's `bot_project` names");
        self.list_failed(Line::new(project), error.context(what));
        Ok(None)
    }

    /// Says whether all of these were looked at, and none failed.
    fn seen_to(&self, keys: impl IntoIterator<Item = Key>) -> SeenTo {
        let is_failed = |known: &Known| known.trouble.as_ref().is_some_and(|t| t.kind == TroubleKind::Failed);
        let is_done = |key| self.outcomes.iter().any(|(done, known)| *done == key && !is_failed(known));
        if keys.into_iter().all(is_done) { SeenTo::All } else { SeenTo::InPart }
    }

    /// Says whether going on is of no use.
    fn is_hopeless(&self) -> bool {
        self.is_shut_out || self.without_gitlab.len() >= FAILURES
    }
}
