//! The status issue of an instance: read at the beginning for what earlier runs found, written at the end for what this
//! one did. What it says is up to `pair`.
//!
//! Two runs may do so at once. What one of them remembered may then be lost, which costs the next run some requests; of two
//! issues, and of two notes of the same part, the oldest is kept.

use std::collections::BTreeSet;

use anyhow::Result;
use chrono::{DateTime, Utc};

use crate::ci::LogSection;
use crate::forge::{ForgeError, HookOwner, Issue, IssueEdit, Note, Webhook};
use crate::ops::reconcile::cleanup::{self, SeenTo};
use crate::ops::reconcile::list::Unlisted;
use crate::ops::reconcile::one::Depth;
use crate::ops::reconcile::scope::Bounds;
use crate::ops::session::Bot;
use crate::pair::cache::{Cache, CacheEntry, CacheKey, PairFingerprint, UnixHour};
use crate::pair::status_issue::{self, DisabledHook, InstanceState, MergeRequestCounts, ShardState, StatusIssueText};
use crate::types::{IssueIid, NoteId, ProjectPath, StateChange};

/// The most notes below the issue that are read.
const NOTES: usize = 500;

/// After how many seconds token and webhooks are asked for again.
const SURROUNDINGS: i64 = 24 * 3600;

/// After how many where not all could be had.
const SURROUNDINGS_AGAIN: i64 = 3600;

/// For how many seconds what ended and was not seen to is looked for again.
const LONGEST_BEHIND: i64 = 3 * 24 * 3600;

/// For how many hours a merge request is remembered that no list could show.
const KEPT_UNLISTED: u32 = 3 * 24;

/// The most projects whose webhooks are asked for, where those of the group are not to be seen.
const PROJECTS: usize = 200;

/// See the module.
pub(crate) struct Watch {
    project: ProjectPath,
    instance: String,
    shard: (u32, u32),
    now: DateTime<Utc>,
    /// The issue, where there is one, and those that were opened at the same time.
    issue: Option<Issue>,
    surplus: Vec<IssueIid>,
    notes: Notes,
    memory: Cache,
    settings: PairFingerprint,
    /// When the last run was.
    last: Option<i64>,
    /// What this run has put down.
    put: Vec<CacheKey>,
}

/// What a run saw.
#[derive(Clone, Copy)]
pub(crate) struct Ran<'a> {
    /// All merge requests that were found.
    pub(crate) keys: &'a [CacheKey],
    /// Their projects.
    pub(crate) projects: &'a [ProjectPath],
    /// Those that could not be found.
    pub(crate) unlisted: &'a Unlisted,
    pub(crate) states: MergeRequestCounts,
    /// Of what ended.
    pub(crate) seen_to: SeenTo,
}

/// The bot's notes below the issue.
#[derive(Default)]
struct Notes {
    /// Those of the parts that there are, the oldest of each.
    parts: Vec<(NoteId, ShardState)>,
    /// Those that have no use any more: second ones, of another division into parts, and what cannot be read.
    surplus: Vec<NoteId>,
}

impl Watch {
    /// Reads what earlier runs left in the bot project, where the instance names one.
    pub(crate) fn read(bot: &Bot, bounds: &Bounds, now: DateTime<Utc>) -> Result<Option<Self>> {
        let Some(project) = &bot.instance.bot_project else {
            tracing::info!("the instance names no `bot_project`: nothing is remembered, and everything is looked at");
            return Ok(None);
        };
        let _section = LogSection::begin(bot.log, "status", "reading the status issue");
        let mut watch = Self {
            project: project.as_str().parse()?,
            instance: bot.instance.short_name(),
            shard: (bounds.shard.index, bounds.shard.total),
            now,
            issue: None,
            surplus: Vec::new(),
            notes: Notes::default(),
            memory: Cache::default(),
            settings: settings(bot),
            last: None,
            put: Vec::new(),
        };
        watch.find_issue(bot)?;
        watch.read_notes(bot)?;
        watch.last = watch.own().map(|(_, part)| part.ran);
        let own = watch.own().map(|(_, part)| (part.settings, part.cache.clone()));
        let (settings, memory) = own.unwrap_or_default();
        watch.memory = memory;
        if settings != Some(watch.settings) {
            watch.memory.forget_checks();
        }
        Ok(Some(watch))
    }

    /// Finds the issue among the bot's own: whatever others write counts for nothing.
    fn find_issue(&mut self, bot: &Bot) -> Result<()> {
        let mut found = Vec::new();
        for issue in bot.forge.issues_by(&self.project, bot.myself()?.user.id) {
            let issue = issue?;
            let is_of = status_issue::is_of(&issue.title, &issue.description, &self.instance);
            if issue.author.id == bot.myself()?.user.id && is_of {
                found.push(issue);
            }
        }
        let mut found = found.into_iter();
        self.issue = found.next();
        self.surplus = found.map(|issue| issue.iid).collect();
        Ok(())
    }

    fn read_notes(&mut self, bot: &Bot) -> Result<()> {
        self.notes = Notes::default();
        let Some(issue) = &self.issue else { return Ok(()) };
        for note in bot.forge.issue_comments(&self.project, issue.iid).take(NOTES) {
            let Note { id, body, author, system, .. } = note?;
            if author.id != bot.myself()?.user.id || system {
                continue;
            }
            let Some(part) = ShardState::read(&body) else {
                if ShardState::is_in(&body) {
                    self.notes.surplus.push(id);
                }
                continue;
            };
            let is_known = self.notes.parts.iter().any(|(_, known)| known.shard == part.shard);
            if is_known || part.shard.1 != self.shard.1 {
                self.notes.surplus.push(id);
            } else {
                self.notes.parts.push((id, part));
            }
        }
        Ok(())
    }

    fn own(&self) -> Option<&(NoteId, ShardState)> {
        self.notes.parts.iter().find(|(_, part)| part.shard == self.shard)
    }

    /// Returns up to when runs have seen to what ended in dist-git.
    pub(crate) fn last_run(&self) -> Option<DateTime<Utc>> {
        self.own().and_then(|(_, part)| DateTime::from_timestamp(part.behind.unwrap_or(part.ran), 0))
    }

    /// Returns what the next run takes for the last, where this one has not seen to all that ended. What fails for days
    /// is not waited for: all that ended meanwhile would be looked at in each run.
    fn behind(&self, seen_to: SeenTo) -> Option<i64> {
        let last = self.last_run().unwrap_or_else(|| self.now - cleanup::FIRST).timestamp();
        let is_recent = (0..LONGEST_BEHIND).contains(&self.now.timestamp().saturating_sub(last));
        (seen_to == SeenTo::InPart && is_recent).then_some(last)
    }

    fn hour(&self) -> UnixHour {
        UnixHour::of(self.now)
    }

    /// Whether a merge request that looks like this needs no look.
    pub(crate) fn is_settled(&self, key: CacheKey, print: Option<PairFingerprint>) -> bool {
        print.is_some_and(|print| self.memory.is_settled(key, print, self.hour()))
    }

    /// Says how far a look at a merge request has to go.
    pub(crate) fn depth(&self, key: CacheKey, print: Option<PairFingerprint>) -> Depth {
        if self.memory.needs_full_check(key, print) { Depth::Whole } else { Depth::WhatChanged }
    }

    /// Returns what is known of a merge request.
    pub(crate) fn known(&self, key: CacheKey) -> Option<&CacheEntry> {
        self.memory.get(key)
    }

    /// Puts down what became of a merge request in this run.
    pub(crate) fn put(&mut self, key: CacheKey, known: CacheEntry) {
        self.memory.record(key, known);
        self.put.push(key);
    }

    /// Writes what the next runs need and people are to know, where that has changed; in a dry run, returns the text that
    /// the issue would get. What was found is all that is remembered, and what may be there of what could not be listed.
    pub(crate) fn write(&mut self, bot: &Bot, ran: Ran<'_>, dry_run: bool) -> Result<Option<String>> {
        let _section = LogSection::begin(bot.log, "status_write", "writing the status issue");
        let Ran { keys, projects, unlisted, mut states, seen_to } = ran;
        let now = self.hour();
        let kept = keys.iter().chain(&self.put).copied();
        let unseen = self.memory.retain(kept, |known| match &known.trouble {
            Some(trouble) => unlisted.hold_named(&bot.instance, &trouble.merge_request),
            None => !unlisted.is_none() && now.0.saturating_sub(known.checked.0) < KEPT_UNLISTED,
        });
        states.not_checked = states.not_checked.saturating_add(u32::try_from(unseen).unwrap_or(u32::MAX));
        let old = self.own().cloned();
        let surroundings = self.surroundings(bot, projects, old.as_ref().map(|(_, part)| part))?;
        let part = ShardState {
            shard: self.shard,
            ran: self.now.timestamp(),
            behind: self.behind(seen_to),
            settings: Some(self.settings),
            counts: states,
            instance_state: surroundings,
            cache: self.memory.clone(),
        };
        if dry_run {
            let (text, _) = self.text(bot, &part);
            let shown = self.issue.as_ref().map(|issue| issue.description.as_str());
            return Ok(if is_same(shown.unwrap_or_default(), &text) { None } else { Some(text) });
        }
        if self.issue.is_none() {
            self.open(bot, &part)?;
        }
        let Some(issue) = self.issue.clone() else { return Ok(None) };
        match self.own().cloned() {
            None => {
                let note = bot.forge.create_issue_note(&self.project, issue.iid, &part.note())?;
                self.notes.parts.push((note.id, part.clone()));
            }
            Some((id, old)) if part.needs_writing(&old) => {
                bot.forge.edit_issue_note(&self.project, issue.iid, id, &part.note())?;
                if self.shard.1 > 1 {
                    // Others may have written theirs meanwhile.
                    self.read_notes(bot)?;
                }
            }
            // What is shown has to be what is written.
            Some((_, old)) => return self.finish(bot, &issue, &old).map(|()| None),
        }
        self.finish(bot, &issue, &part).map(|()| None)
    }

    /// Opens the issue; where another run did so at the same time, the older one is kept.
    fn open(&mut self, bot: &Bot, part: &ShardState) -> Result<()> {
        let (text, _) = self.text(bot, part);
        let title = status_issue::title(&self.instance);
        match bot.forge.create_confidential_issue(&self.project, &title, &text) {
            Ok(issue) => tracing::info!("opened {}", issue.web_url),
            // The answer was lost: it is there, or the next run opens it.
            Err(ForgeError::MaybeDone(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.find_issue(bot)?;
        self.read_notes(bot)
    }

    /// Brings the issue in line with its notes, and removes what is one too many.
    fn finish(&mut self, bot: &Bot, issue: &Issue, part: &ShardState) -> Result<()> {
        let (text, is_open) = self.text(bot, part);
        let edit = IssueEdit {
            description: (!is_same(&issue.description, &text)).then_some(text),
            state: match (issue.is_open(), is_open) {
                (true, false) => Some(StateChange::Close),
                (false, true) => Some(StateChange::Reopen),
                _ => None,
            },
        };
        if !edit.is_empty() {
            bot.forge.edit_issue(&self.project, issue.iid, &edit)?;
            tracing::info!("edited {}", issue.web_url);
        }
        for surplus in std::mem::take(&mut self.surplus) {
            let text = status_issue::superseded(issue.iid);
            let edit = IssueEdit { description: Some(text), state: Some(StateChange::Close) };
            bot.forge.edit_issue(&self.project, surplus, &edit)?;
        }
        // One of several jobs does it for all.
        if self.shard.0 == 1 {
            for note in std::mem::take(&mut self.notes.surplus) {
                bot.forge.delete_issue_note(&self.project, issue.iid, note)?;
            }
        }
        Ok(())
    }

    /// What the issue is to say with this for the own part, and whether it is to be open.
    fn text(&self, bot: &Bot, own: &ShardState) -> (String, bool) {
        let others = self.notes.parts.iter().map(|(_, part)| part).filter(|part| part.shard != own.shard);
        let mut parts: Vec<_> = others.chain([own]).cloned().collect();
        parts.sort_by_key(|part| part.shard);
        let gitlab = format!("{}/", bot.instance.gitlab.url.as_str().trim_end_matches('/'));
        let today = self.now.date_naive();
        let status =
            StatusIssueText { instance: &self.instance, shards: &parts, gitlab: &gitlab, today, last_run: self.last };
        (status.description(), status.needs_a_person())
    }

    /// What can be amiss besides merge requests; asked for once a day, by one of several jobs.
    fn surroundings(
        &self,
        bot: &Bot,
        projects: &[ProjectPath],
        old: Option<&ShardState>,
    ) -> Result<Option<InstanceState>> {
        if self.shard.0 != 1 {
            return Ok(None);
        }
        let known = old.and_then(|part| part.instance_state.clone());
        let asked = self.now.timestamp();
        let is_fresh = |known: &InstanceState| (0..SURROUNDINGS).contains(&asked.saturating_sub(known.asked));
        let known = match known {
            Some(known) if is_fresh(&known) => return Ok(Some(known)),
            known => known.unwrap_or(InstanceState { hooks: Some(Vec::new()), ..InstanceState::default() }),
        };
        let token = unless_failed(seen(bot.forge.token_expiry()), "when the token expires")?;
        let hooks = unless_failed(hooks(bot, projects), "whether GitLab has disabled webhooks")?;
        let asked = match (&token, &hooks) {
            (Some(_), Some(_)) => asked,
            _ => asked.saturating_sub(SURROUNDINGS).saturating_add(SURROUNDINGS_AGAIN),
        };
        let token_expires = token.map_or(known.token_expires, Option::flatten);
        Ok(Some(InstanceState { asked, token_expires, hooks: hooks.unwrap_or(known.hooks) }))
    }
}

/// The webhooks on either side that GitLab does not call: events and pipelines are told by them. Nothing where none are to
/// be seen.
fn hooks(bot: &Bot, projects: &[ProjectPath]) -> Result<Option<Vec<DisabledHook>>, ForgeError> {
    let mut hooks = None;
    let mut groups = BTreeSet::new();
    for pair in bot.instance.namespaces.pairs() {
        groups.extend([pair.source_git.as_str(), pair.dist_git.as_str()]);
    }
    let groups = groups.into_iter().map(|group| (HookOwner::Group(group), group));
    // Roles are given for single projects as well: that one is not to be seen says nothing of the next.
    let projects = projects.iter().take(PROJECTS).map(|project| (HookOwner::Project(project), project.as_str()));
    for (owner, of) in groups.chain(projects) {
        if let Some(all) = seen(bot.forge.webhooks(owner).collect::<Result<Vec<_>, _>>())? {
            hooks.get_or_insert_with(Vec::new).extend(disabled(of, all));
        }
    }
    Ok(hooks)
}

/// Takes what cannot be had at present for nothing: it is of less weight than what the run found.
fn unless_failed<T>(asked: Result<T, ForgeError>, what: &str) -> Result<Option<T>, ForgeError> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.concerns_every_request() => Err(error),
        Err(error) => {
            tracing::warn!("not to be known at present: {what}: {error}");
            Ok(None)
        }
    }
}

/// What stands for all that decides what is done besides what GitLab tells: the program and the instance.
fn settings(bot: &Bot) -> PairFingerprint {
    let instance = &bot.instance;
    let settings = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        instance.namespaces, instance.forks, instance.targets, instance.ci_files, instance.results, instance.label,
    );
    PairFingerprint::of([env!("CARGO_PKG_VERSION"), settings.as_str()])
}

/// Takes what the bot may not see for nothing.
fn seen<T>(asked: Result<T, ForgeError>) -> Result<Option<T>, ForgeError> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(ForgeError::NotFoundOrNoAccess(_) | ForgeError::Forbidden(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn disabled(of: &str, hooks: Vec<Webhook>) -> impl Iterator<Item = DisabledHook> {
    let of = of.to_owned();
    hooks.into_iter().filter(Webhook::is_disabled).map(move |hook| DisabledHook {
        of: of.clone(),
        id: hook.id,
        until: hook.disabled_until,
    })
}

/// Whether GitLab shows what was written: it may write line ends in its own way.
fn is_same(shown: &str, written: &str) -> bool {
    shown.replace("\r\n", "\n").trim_end() == written.trim_end()
}
