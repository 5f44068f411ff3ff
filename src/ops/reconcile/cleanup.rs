//! What ended: a merge request that was merged or closed in dist-git lately is in no list of open ones, and its note has yet
//! to say so; one that was merged in source-git may have come to no pair before; and the branches of those that ended long
//! ago are removed.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::ci::LogSection;
use crate::cli::args::Global;
use crate::cli::render::reconcile::Line;
use crate::forge::MergeRequestState;
use crate::ops::outcome::Effect;
use crate::ops::reconcile::list::{self, Found, Unlisted};
use crate::ops::reconcile::scope::Bounds;
use crate::ops::reconcile::summary::Tally;
use crate::ops::session::Bot;
use crate::types::error::{ForgeError, Result};
use crate::types::{BranchName, ProjectId, ProjectPath};

/// How much further back it is looked than the last run, whose time is only known to the hour.
const MARGIN: TimeDelta = TimeDelta::hours(1);

/// How far back it is looked where no last run is known.
pub(crate) const FIRST: TimeDelta = TimeDelta::days(1);

/// The most merge requests of one list.
const LISTED: usize = 5_000;

/// The time between the last run and this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lately {
    since: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Lately {
    pub(crate) fn new(last_run: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let since = last_run.map_or_else(|| now - FIRST, |last| last - MARGIN);
        Self { since: since.min(now - MARGIN), now }
    }
}

/// Whether a run has seen to all that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeenTo {
    /// It has.
    All,
    /// Something failed, or was left: no list of open merge requests would bring it up again.
    InPart,
}

/// Adds the bot's dist-git merge requests that ended lately, where no open one takes their place, and the source-git merge
/// requests that were merged lately, where there is no pair among all these. A list that fails holds up nothing: the next
/// run looks as far back.
pub(crate) fn add(
    bot: &Bot,
    bounds: &Bounds,
    lately: Lately,
    unlisted: &Unlisted,
    found: &mut Vec<Found>,
    tally: &mut Tally,
) -> Result<SeenTo> {
    let _section = LogSection::begin(bot.log, "list_ended", "listing what ended lately");
    let mut known: BTreeSet<_> = found.iter().filter_map(Found::names).collect();
    let mut add = |ended: Option<Found>| {
        let new = ended.filter(|e| bounds.include(&e.source_path) && !unlisted.hold(e.source_path.as_str()));
        found.extend(new.filter(|ended| ended.names().is_some_and(|names| known.insert(names))));
    };
    let mut seen_to = if unlisted.is_none() { SeenTo::All } else { SeenTo::InPart };
    let mut failed = |of: &str, what: String, error: ForgeError| {
        if error.concerns_every_request() {
            return Err(error);
        }
        seen_to = SeenTo::InPart;
        tally.all_failed(of, what, error.into());
        Ok(())
    };
    let mut ended = bot.forge.merge_requests_ended_since(bot.myself()?.user.id, lately.since).take(LISTED);
    if let Err(error) = ended.try_for_each(|dist| dist.map(|dist| add(list::of_dist_git(bot, dist)))) {
        failed("dist-git", "listing the bot's merge requests that ended in dist-git".to_owned(), error)?;
    }
    for pair in bot.instance.namespaces.pairs() {
        let group = pair.source_git.as_str();
        // The list of what is open has told so already.
        if unlisted.hold(group) {
            continue;
        }
        let mut merged = bot.forge.merge_requests_merged_in_group(group, lately.since).take(LISTED);
        if let Err(error) = merged.try_for_each(|source| source.map(|source| add(list::of_source_git(bot, source)))) {
            failed(group, format!("listing what was merged in the group {group}"), error)?;
        }
    }
    Ok(seen_to)
}

/// Removes the branches of merge requests that ended so long ago as the instance says, in this run's share of the time.
/// `found` is all that is open. A branch that cannot be removed keeps no other: only where GitLab was not to be had the next
/// run is to try again.
pub(crate) fn remove_branches(
    bot: &Bot,
    bounds: &Bounds,
    lately: Lately,
    unlisted: &Unlisted,
    found: &[(ProjectPath, BranchName)],
    global: &Global,
    tally: &mut Tally,
) -> Result<SeenTo> {
    let _section = LogSection::begin(bot.log, "branches", "removing branches that nobody needs any more");
    let kept = TimeDelta::days(i64::from(bot.instance.keep_branches));
    let (after, before) = (lately.since - kept, lately.now - kept);
    let mut seen_to = SeenTo::All;
    let mut seen = BTreeSet::new();
    let listed = bot.forge.merge_requests_changed_between(bot.myself()?.user.id, after, before);
    for dist in listed.take(LISTED) {
        let dist = dist?;
        let has_ended = matches!(dist.state, MergeRequestState::Closed | MergeRequestState::Merged);
        let (true, Some(home)) = (has_ended, dist.source_project_id) else { continue };
        let Some(ended) = list::of_dist_git(bot, dist) else { continue };
        let Some(branch) = ended.branch() else { continue };
        let is_open = found.contains(&(ended.dist_path.clone(), branch.clone()));
        let is_needed = is_open || unlisted.hold(ended.source_path.as_str());
        if is_needed || !bounds.include(&ended.source_path) || !seen.insert((home, branch.clone())) {
            continue;
        }
        match remove(bot, home, &branch, &ended.name(), global) {
            Ok(None) => {}
            Ok(Some(effect)) => {
                let mut line = Line::new(ended.name());
                line.note("removed its branch", &effect);
                tally.summary.lines.push(line);
            }
            Err(error) => {
                let of_gitlab = error.gitlab();
                if of_gitlab.is_some_and(ForgeError::is_worth_a_retry) {
                    seen_to = SeenTo::InPart;
                }
                let error = error.context(format!("removing the branch {branch}"));
                tally.failed(Line::new(ended.name()), &ended.dist_path, error);
                if tally.is_hopeless() {
                    return Ok(SeenTo::InPart);
                }
            }
        }
    }
    Ok(seen_to)
}

/// Removes a branch, where it is there and the bot's.
fn remove(bot: &Bot, home: ProjectId, branch: &BranchName, name: &str, global: &Global) -> Result<Option<Effect>> {
    let there = match bot.forge.branch(home, branch) {
        Err(ForgeError::NotFoundOrNoAccess(_)) => None,
        there => there?,
    };
    // What somebody else pushed last is theirs to remove.
    let Some(there) = there else { return Ok(None) };
    if there.committer_email != bot.person()?.email {
        return Ok(None);
    }
    if global.dry_run {
        return Ok(Some(Effect::Shown(format!("would remove the branch {branch}\n"))));
    }
    bot.forge.delete_branch(home, branch)?;
    tracing::info!("removed the branch {branch} of {name}");
    Ok(Some(Effect::Written))
}
