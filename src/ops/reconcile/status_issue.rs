//! The status issue of an instance. A run reads from it what earlier runs found, and at the end writes what it did
//! itself. `pair` decides what the issue says.
//!
//! Two runs may do this at the same time. Then what one of them remembers may be lost, which costs the next run some
//! requests. Of two issues, and of two notes for the same part, the oldest is kept.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::ci::LogSection;
use crate::forge::{HookOwner, Issue, IssueEdit, Note, Webhook};
use crate::ops::reconcile::cleanup;
use crate::ops::reconcile::found::Completeness;
use crate::ops::reconcile::list::FailedLists;
use crate::ops::reconcile::one::CheckDepth;
use crate::ops::reconcile::scope::ReconcileScope;
use crate::ops::session::Session;
use crate::pair::cache::{Cache, CacheEntry, CacheKey, PairFingerprint, UnixHour};
use crate::pair::status_issue::{self, DisabledHook, InstanceState, MergeRequestCounts, ShardState, StatusIssueText};
use crate::types::error::{ForgeError, Result};
use crate::types::{IssueIid, NoteId, ProjectPath, StateChange};

/// The most notes on the issue that are read.
const MAX_NOTES: usize = 500;

/// After how many seconds the token and the webhooks are checked again.
const INSTANCE_CHECK_INTERVAL: i64 = 24 * 3600;

/// The same, in seconds, if something could not be checked.
const INSTANCE_RETRY_INTERVAL: i64 = 3600;

/// For how many seconds runs look again for merge requests that ended and were not handled.
const MAX_BEHIND: i64 = 3 * 24 * 3600;

/// For how many hours a merge request is remembered while its list fails.
const KEEP_UNLISTED: u32 = 3 * 24;

/// The most projects whose webhooks are checked.
const MAX_PROJECTS: usize = 200;

/// The status issue as this run knows it, and what the run will write.
pub(crate) struct StatusIssue {
    project: ProjectPath,
    instance: String,
    shard: (u32, u32),
    now: DateTime<Utc>,
    issue: Option<Issue>,
    /// Other issues, which another run opened at the same time.
    surplus: Vec<IssueIid>,
    notes: StatusNotes,
    cache: Cache,
    settings: PairFingerprint,
    /// The time of the last run, in seconds since 1970.
    last: Option<i64>,
    /// What this run has recorded.
    recorded: Vec<CacheKey>,
}

/// What a run found.
#[derive(Clone, Copy)]
pub(crate) struct RunFacts<'a> {
    /// The keys of all merge requests that were found.
    pub(crate) keys: &'a [CacheKey],
    /// The projects of these merge requests.
    pub(crate) projects: &'a [ProjectPath],
    pub(crate) failed_lists: &'a FailedLists,
    pub(crate) counts: MergeRequestCounts,
    /// Whether all merge requests that ended were handled.
    pub(crate) completeness: Completeness,
}

/// The bot's notes on the issue.
#[derive(Default)]
struct StatusNotes {
    /// The oldest note for each part.
    parts: Vec<(NoteId, ShardState)>,
    /// Notes that are of no use any more: duplicates, those for another number of parts, and those that cannot be read.
    surplus: Vec<NoteId>,
}

impl StatusIssue {
    /// Reads what earlier runs wrote in the bot project; `None` if the instance names no bot project.
    pub(crate) fn read(session: &Session, scope: &ReconcileScope, now: DateTime<Utc>) -> Result<Option<Self>> {
        let Some(project) = &session.instance.bot_project else {
            tracing::info!("the instance names no `bot_project`: nothing is remembered, and everything is looked at");
            return Ok(None);
        };
        let _section = LogSection::begin(session.log, "status", "reading the status issue");
        let mut status = Self {
            project: project.as_str().parse()?,
            instance: session.instance.short_name(),
            shard: (scope.shard.index, scope.shard.total),
            now,
            issue: None,
            surplus: Vec::new(),
            notes: StatusNotes::default(),
            cache: Cache::default(),
            settings: settings_fingerprint(session),
            last: None,
            recorded: Vec::new(),
        };
        status.find_issue(session)?;
        status.read_notes(session)?;
        status.last = status.own_part().map(|(_, part)| part.ran);
        let own = status.own_part().map(|(_, part)| (part.settings, part.cache.clone()));
        let (settings, cache) = own.unwrap_or_default();
        status.cache = cache;
        if settings != Some(status.settings) {
            status.cache.forget_checks();
        }
        Ok(Some(status))
    }

    /// Finds the issue among the bot's own. Issues of other users do not count.
    fn find_issue(&mut self, session: &Session) -> Result<()> {
        let mut found = Vec::new();
        for issue in session.forge.issues_by(&self.project, session.current_user()?.user.id) {
            let issue = issue?;
            let is_of = status_issue::is_of(&issue.title, &issue.description, &self.instance);
            if issue.author.id == session.current_user()?.user.id && is_of {
                found.push(issue);
            }
        }
        let mut found = found.into_iter();
        self.issue = found.next();
        self.surplus = found.map(|issue| issue.iid).collect();
        Ok(())
    }

    fn read_notes(&mut self, session: &Session) -> Result<()> {
        self.notes = StatusNotes::default();
        let Some(issue) = &self.issue else { return Ok(()) };
        for note in session.forge.issue_comments(&self.project, issue.iid).take(MAX_NOTES) {
            let Note { id, body, author, system, .. } = note?;
            if author.id != session.current_user()?.user.id || system {
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

    fn own_part(&self) -> Option<&(NoteId, ShardState)> {
        self.notes.parts.iter().find(|(_, part)| part.shard == self.shard)
    }

    /// Returns the moment up to which runs have handled what ended in dist-git.
    pub(crate) fn last_run(&self) -> Option<DateTime<Utc>> {
        self.own_part().and_then(|(_, part)| DateTime::from_timestamp(part.behind.unwrap_or(part.ran), 0))
    }

    /// Returns the time that the next run should take as the last run, if this run has not handled everything that
    /// ended. Gives up after some days of failures: otherwise each run would check everything that ended meanwhile.
    fn behind(&self, completeness: Completeness) -> Option<i64> {
        let last = self.last_run().unwrap_or_else(|| self.now - cleanup::DEFAULT_LOOKBACK).timestamp();
        let is_recent = (0..MAX_BEHIND).contains(&self.now.timestamp().saturating_sub(last));
        (completeness == Completeness::Partial && is_recent).then_some(last)
    }

    fn hour(&self) -> UnixHour {
        UnixHour::of(self.now)
    }

    /// Whether a merge request with this fingerprint needs no check.
    pub(crate) fn is_settled(&self, key: CacheKey, fingerprint: Option<PairFingerprint>) -> bool {
        fingerprint.is_some_and(|fingerprint| self.cache.is_settled(key, fingerprint, self.hour()))
    }

    /// Returns how much a check of a merge request has to cover.
    pub(crate) fn depth(&self, key: CacheKey, fingerprint: Option<PairFingerprint>) -> CheckDepth {
        if self.cache.needs_full_check(key, fingerprint) { CheckDepth::Full } else { CheckDepth::Changes }
    }

    /// Returns what earlier runs know about a merge request.
    pub(crate) fn known(&self, key: CacheKey) -> Option<&CacheEntry> {
        self.cache.get(key)
    }

    /// Records the result for a merge request.
    pub(crate) fn record(&mut self, key: CacheKey, known: CacheEntry) {
        self.cache.record(key, known);
        self.recorded.push(key);
    }

    /// Writes what the next runs need and what people should know, if that has changed. In a dry run, returns the text
    /// that the issue would get.
    ///
    /// Remembers only the merge requests that were found, and those that failed lists may have left out.
    pub(crate) fn write(&mut self, session: &Session, run: RunFacts<'_>) -> Result<Option<String>> {
        let _section = LogSection::begin(session.log, "status_write", "writing the status issue");
        let RunFacts { keys, projects, failed_lists, mut counts, completeness } = run;
        let now = self.hour();
        let kept = keys.iter().chain(&self.recorded).copied();
        let unseen = self.cache.retain(kept, |known| match &known.trouble {
            Some(trouble) => failed_lists.covers_named(&session.instance, &trouble.merge_request),
            None => !failed_lists.is_empty() && now.0.saturating_sub(known.checked.0) < KEEP_UNLISTED,
        });
        counts.not_checked = counts.not_checked.saturating_add(u32::try_from(unseen).unwrap_or(u32::MAX));
        let old = self.own_part().cloned();
        let instance_state = self.instance_state(session, projects, old.as_ref().map(|(_, part)| part))?;
        let part = ShardState {
            shard: self.shard,
            ran: self.now.timestamp(),
            behind: self.behind(completeness),
            settings: Some(self.settings),
            counts,
            instance_state,
            cache: self.cache.clone(),
        };
        if session.is_dry_run() {
            let (text, _) = self.render(session, &part);
            let shown = self.issue.as_ref().map(|issue| issue.description.as_str());
            return Ok(if is_same(shown.unwrap_or_default(), &text) { None } else { Some(text) });
        }
        if self.issue.is_none() {
            self.open_issue(session, &part)?;
        }
        let Some(issue) = self.issue.clone() else { return Ok(None) };
        match self.own_part().cloned() {
            None => {
                let note = session.forge.create_issue_note(&self.project, issue.iid, &part.note())?;
                self.notes.parts.push((note.id, part.clone()));
            }
            Some((id, old)) if part.needs_writing(&old) => {
                session.forge.edit_issue_note(&self.project, issue.iid, id, &part.note())?;
                if self.shard.1 > 1 {
                    // Other jobs may have written their notes meanwhile.
                    self.read_notes(session)?;
                }
            }
            // The issue must show what the note says.
            Some((_, old)) => return self.update_issue(session, &issue, &old).map(|()| None),
        }
        self.update_issue(session, &issue, &part).map(|()| None)
    }

    /// Opens the issue. If another run opened one at the same time, the older one is kept.
    fn open_issue(&mut self, session: &Session, part: &ShardState) -> Result<()> {
        let (text, _) = self.render(session, part);
        let title = status_issue::title(&self.instance);
        match session.forge.create_confidential_issue(&self.project, &title, &text) {
            Ok(issue) => tracing::info!("opened {}", issue.web_url),
            // GitLab's answer was lost: the issue exists, or the next run opens it.
            Err(ForgeError::MaybeDone(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.find_issue(session)?;
        self.read_notes(session)
    }

    /// Makes the issue agree with its notes, closes surplus issues and deletes surplus notes.
    fn update_issue(&mut self, session: &Session, issue: &Issue, part: &ShardState) -> Result<()> {
        let (text, is_open) = self.render(session, part);
        let edit = IssueEdit {
            description: (!is_same(&issue.description, &text)).then_some(text),
            state: match (issue.is_open(), is_open) {
                (true, false) => Some(StateChange::Close),
                (false, true) => Some(StateChange::Reopen),
                _ => None,
            },
        };
        if !edit.is_empty() {
            session.forge.edit_issue(&self.project, issue.iid, &edit)?;
            tracing::info!("edited {}", issue.web_url);
        }
        for surplus in std::mem::take(&mut self.surplus) {
            let text = status_issue::superseded(issue.iid);
            let edit = IssueEdit { description: Some(text), state: Some(StateChange::Close) };
            session.forge.edit_issue(&self.project, surplus, &edit)?;
        }
        // Only one of several jobs does this, for all of them.
        if self.shard.0 == 1 {
            for note in std::mem::take(&mut self.notes.surplus) {
                session.forge.delete_issue_note(&self.project, issue.iid, note)?;
            }
        }
        Ok(())
    }

    /// Returns the text of the issue with `own` as this job's part, and whether the issue should be open.
    fn render(&self, session: &Session, own: &ShardState) -> (String, bool) {
        let others = self.notes.parts.iter().map(|(_, part)| part).filter(|part| part.shard != own.shard);
        let mut parts: Vec<_> = others.chain([own]).cloned().collect();
        parts.sort_by_key(|part| part.shard);
        let gitlab = format!("{}/", session.instance.gitlab.url.as_str().trim_end_matches('/'));
        let today = self.now.date_naive();
        let status =
            StatusIssueText { instance: &self.instance, shards: &parts, gitlab: &gitlab, today, last_run: self.last };
        (status.description(), status.needs_a_person())
    }

    /// Returns what can be wrong besides merge requests. One of several jobs checks that once a day.
    fn instance_state(
        &self,
        session: &Session,
        projects: &[ProjectPath],
        old: Option<&ShardState>,
    ) -> Result<Option<InstanceState>> {
        if self.shard.0 != 1 {
            return Ok(None);
        }
        let known = old.and_then(|part| part.instance_state.clone());
        let checked_at = self.now.timestamp();
        let is_fresh =
            |known: &InstanceState| (0..INSTANCE_CHECK_INTERVAL).contains(&checked_at.saturating_sub(known.asked));
        let known = match known {
            Some(known) if is_fresh(&known) => return Ok(Some(known)),
            known => known.unwrap_or(InstanceState { hooks: Some(Vec::new()), ..InstanceState::default() }),
        };
        let token = if_available(if_visible(session.forge.token_expiry()), "when the token expires")?;
        let hooks = if_available(hooks(session, projects), "whether GitLab has disabled webhooks")?;
        let checked_at = match (&token, &hooks) {
            (Some(_), Some(_)) => checked_at,
            _ => checked_at.saturating_sub(INSTANCE_CHECK_INTERVAL).saturating_add(INSTANCE_RETRY_INTERVAL),
        };
        let token_expires = token.map_or(known.token_expires, Option::flatten);
        Ok(Some(InstanceState { asked: checked_at, token_expires, hooks: hooks.unwrap_or(known.hooks) }))
    }
}

/// Returns the webhooks that GitLab has disabled, in source-git and dist-git: without them the bot misses events and
/// pipelines. `None` if the bot may not see any webhooks.
fn hooks(session: &Session, projects: &[ProjectPath]) -> Result<Option<Vec<DisabledHook>>, ForgeError> {
    let mut hooks = None;
    let mut groups = BTreeSet::new();
    for pair in session.instance.namespaces.pairs() {
        groups.extend([pair.source_git.as_str(), pair.dist_git.as_str()]);
    }
    let groups = groups.into_iter().map(|group| (HookOwner::Group(group), group));
    // Roles can be given for single projects too: if the webhooks of one are not shown, those of the next may be.
    let projects = projects.iter().take(MAX_PROJECTS).map(|project| (HookOwner::Project(project), project.as_str()));
    for (owner, of) in groups.chain(projects) {
        if let Some(all) = if_visible(session.forge.webhooks(owner).collect::<Result<Vec<_>, _>>())? {
            hooks.get_or_insert_with(Vec::new).extend(disabled_hooks(of, all));
        }
    }
    Ok(hooks)
}

/// Returns `None`, with a warning, if a request fails: this answer is less important than what the run found.
///
/// # Errors
///
/// Every other request would fail in the same way.
fn if_available<T>(answer: Result<T, ForgeError>, what: &str) -> Result<Option<T>, ForgeError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.concerns_every_request() => Err(error),
        Err(error) => {
            tracing::warn!("not to be known at present: {what}: {error}");
            Ok(None)
        }
    }
}

/// Returns a fingerprint of everything besides GitLab's data that decides what a run does: the program and the
/// instance.
fn settings_fingerprint(session: &Session) -> PairFingerprint {
    let instance = &session.instance;
    let settings = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        instance.namespaces, instance.forks, instance.targets, instance.ci_files, instance.results, instance.label,
    );
    PairFingerprint::of([env!("CARGO_PKG_VERSION"), settings.as_str()])
}

/// Returns `None` for what the bot may not see.
fn if_visible<T>(answer: Result<T, ForgeError>) -> Result<Option<T>, ForgeError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ForgeError::NotFoundOrNoAccess(_) | ForgeError::Forbidden(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn disabled_hooks(of: &str, hooks: Vec<Webhook>) -> impl Iterator<Item = DisabledHook> {
    let of = of.to_owned();
    hooks.into_iter().filter(Webhook::is_disabled).map(move |hook| DisabledHook {
        of: of.clone(),
        id: hook.id,
        until: hook.disabled_until,
    })
}

/// Whether GitLab shows what was written. It may change line ends.
fn is_same(shown: &str, written: &str) -> bool {
    shown.replace("\r\n", "\n").trim_end() == written.trim_end()
}
