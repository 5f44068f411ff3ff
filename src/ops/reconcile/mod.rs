//! `reconcile`: looks at every merge request of the instance, and brings what is behind up to date.
//!
//! The guarantee behind everything that events set off: an event that was lost is made good here. What it does for one
//! merge request is what `sync` and `report` do; one that fails does not keep the others waiting. What a run found in order
//! the next need not look at while lists show it unchanged.

mod changes;
mod cleanup;
mod list;
mod one;
mod scope;
mod status_issue;
mod summary;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::ci::Log;
use crate::cli::args::{self, Global};
use crate::cli::render::reconcile as reconcile_render;
use crate::cli::render::reconcile::{Line, WhyLeft};
use crate::forge::ForgeError;
use crate::git::Git;
use crate::ops::Surroundings;
use crate::ops::reconcile::changes::{HeadPipelines, Seen};
use crate::ops::reconcile::cleanup::{Lately, SeenTo};
use crate::ops::reconcile::list::{Found, Listed};
use crate::ops::reconcile::one::{Depth, Reconciling, Tips};
use crate::ops::reconcile::scope::Bounds;
use crate::ops::reconcile::status_issue::{Ran, Watch};
use crate::ops::reconcile::summary::{Kind, Tally};
use crate::ops::reconcile::workers::Came;
use crate::ops::session::{Bot, Setting};
use crate::ops::sync::Unsynced;
use crate::pair::cache::{CacheEntry, CacheKey, PairFingerprint, PairTrouble, TroubleKind, UnixHour};
use crate::types::ProjectPath;

/// Runs the command.
pub(crate) fn run(arguments: &args::Reconcile, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let now = DateTime::<Utc>::from(SystemTime::now());
    let setting = Setting::read(global, surroundings)?;
    let bounds = Bounds::read(arguments, &setting.job, &setting.instance, now)?;
    let mut bot = setting.connect(global)?;
    let git = Git::find(&surroundings.search_path)?;
    let mut tally = Tally::default();
    let mut watch = if bounds.are_chosen() { None } else { tally.watched(&bot, Watch::read(&bot, &bounds, now))? };
    let Listed { found, unlisted } = list::all(&bot, &bounds, &mut tally)?;
    let mut found = chosen(&bot, &bounds, found);
    let open: Vec<_> = found.iter().filter_map(|found| Some((found.dist_path.clone(), found.branch()?))).collect();
    let listed = found.len();
    // What a person chose says nothing of the whole.
    let lately = (!bounds.are_chosen()).then(|| Lately::new(watch.as_ref().and_then(Watch::last_run), now));
    // Where no list could be had, the others would fail alike.
    let lately = lately.filter(|_| !unlisted.are_all(&bot.instance));
    let listed_to = match lately {
        Some(lately) => cleanup::add(&bot, &bounds, lately, &unlisted, &mut found, &mut tally)?,
        None => SeenTo::InPart,
    };
    let keys: Vec<_> = found.iter().map(Found::key).collect();
    let projects = projects(&found);
    let tasks = tasks(&bot, watch.as_ref(), found, &mut tally);
    tracing::info!("{} to look at, {} unchanged", reconcile_render::count(tasks.len()), tally.summary.unchanged);

    let queues = queues(tasks, watch.as_ref());
    let workers = usize::try_from(bounds.jobs).unwrap_or(1).min(queues.len());
    if workers > 1 {
        // Sections of several at a time would be folded into each other.
        bot.log = Log::Plain;
    }
    let tips = Tips::default();
    let total = queues.iter().map(Vec::len).sum();
    let hour = UnixHour::of(now);
    let work = Work { bot: &bot, git: &git, global, surroundings, bounds: &bounds, tips: &tips, hour, total };
    let tally = work.all(queues, workers, tally);
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut seen_to = tally.seen_to(keys.iter().skip(listed).copied());
    if let Some(lately) = lately.filter(|_| !tally.is_hopeless() && !bounds.is_time_up()) {
        match cleanup::remove_branches(&bot, &bounds, lately, &unlisted, &open, global, &mut tally) {
            Ok(SeenTo::All) => {}
            Ok(SeenTo::InPart) => seen_to = SeenTo::InPart,
            Err(error) => {
                seen_to = SeenTo::InPart;
                tally.all_failed("branches", "removing branches".to_owned(), error);
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
        let ran = Ran { keys: &keys, projects: &projects, unlisted: &unlisted, states: tally.states, seen_to };
        let written = watch.write(&bot, ran, global.dry_run);
        tally.summary.status_issue = tally.watched(&bot, written)?;
    }
    tally.summary.requests = bot.forge.requests();
    tally.summary.print(global.output, surroundings.paint)?;
    match tally.error {
        None => Ok(()),
        Some(error) => Err(error.context(tally.summary.failure())),
    }
}

/// The projects of both sides, those of a pair beside each other.
fn projects(found: &[Found]) -> Vec<ProjectPath> {
    let mut seen = BTreeSet::new();
    let all = found.iter().flat_map(|found| [&found.source_path, &found.dist_path]);
    all.filter(|path| seen.insert(*path)).cloned().collect()
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
    key: CacheKey,
    /// How it looked when it was found.
    print: Option<PairFingerprint>,
    depth: Depth,
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
            let depth = watch.map_or(Depth::WhatChanged, |watch| watch.depth(key, print));
            tasks.push(Task { found, key, print, depth, place });
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
        (failed, known.map_or(UnixHour::NEVER, |known| known.checked), task.place)
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
    bounds: &'a Bounds,
    tips: &'a Tips,
    hour: UnixHour,
    total: usize,
}

impl Work<'_> {
    fn all(&self, queues: Vec<Vec<Task>>, workers: usize, tally: Tally) -> Mutex<Tally> {
        let tally = Mutex::new(tally);
        let (begun, is_over) = (AtomicUsize::new(0), AtomicBool::new(self.bounds.is_time_up()));
        let left = workers::work(queues, workers, self.bounds.max_changes, &is_over, |task| {
            let number = begun.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            let name = task.found.name();
            tracing::info!("[{number} of {}] {name}", self.total);
            // Lines of several at a time stand between each other: each says what it is about.
            let _span = (workers > 1).then(|| tracing::info_span!("", of = %name).entered());
            let came = self.one(task, name, &tally);
            if locked(&tally).is_hopeless() || self.bounds.is_time_up() {
                is_over.store(true, Ordering::Release);
            }
            came
        });
        {
            let mut tally = locked(&tally);
            tally.summary.left = left.len();
            tally.states.not_checked = u32::try_from(left.len()).unwrap_or(u32::MAX);
            tally.summary.why_left = match is_over.into_inner() {
                _ if tally.is_hopeless() => WhyLeft::WithoutGitlab,
                true => WhyLeft::OutOfTime,
                false => WhyLeft::EnoughChanged,
            };
        }
        tally
    }

    fn one(&self, task: Task, name: String, tally: &Mutex<Tally>) -> Came {
        let Work { bot, git, global, surroundings, tips, .. } = *self;
        let Task { found, key, print, depth, place } = task;
        let project = found.source_path.clone();
        let mut line = Line { place, ..Line::new(name) };
        let kind = Kind::of(&found);
        let outcome = (Reconciling { bot, git, global, surroundings, tips, depth }).one(found, &mut line);
        // Where one was made, there are two now.
        let kind = if kind == Kind::SourceGitOnly && !line.did.is_empty() { Kind::Pair } else { kind };
        let came = if line.did.is_empty() { Came::OfNothing } else { Came::OfAChange };
        let trouble =
            |kind, why: String| PairTrouble { merge_request: line.merge_request.clone(), kind, why, times: 0 };
        let (trouble, print) = match &outcome {
            Ok(None) => (None, print),
            Ok(Some(Unsynced::Refused(why))) => (Some(trouble(TroubleKind::Refused, why.to_string())), print),
            Ok(Some(Unsynced::NoDistGit(why))) => (Some(trouble(TroubleKind::NoDistGit, why.to_string())), print),
            Err(error) => (Some(trouble(TroubleKind::Failed, format!("{error:#}"))), None),
        };
        // What was written is to be looked at once more: the next look says whether it is as it should be.
        let print = print.filter(|_| came == Came::OfNothing && !line.goes_on);
        // A whole look that failed is yet to be had.
        let looked = if outcome.is_err() && depth == Depth::Whole { UnixHour::NEVER } else { self.hour };
        let mut tally = locked(tally);
        tally.outcomes.push((key, CacheEntry { checked: looked, fingerprint: print, trouble }));
        match outcome {
            Ok(None) => {
                tally.count(kind);
                tally.done(line);
            }
            Ok(Some(unsynced)) => tally.refused(line, unsynced.refusal()),
            Err(error) => tally.failed(line, &project, error),
        }
        came
    }
}

fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
