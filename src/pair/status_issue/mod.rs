//! The issue in which the bot tells its operators about the state of an instance, and the notes below it, in which each
//! shard of `reconcile` keeps what its next run needs.
//!
//! The description of the issue is made from these notes alone, and changes only when they do. The time of a run is in
//! its note, because an edit of a note leaves no trace in the issue's history, and an edit of the description does.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::pair::cache::{Cache, PairFingerprint, PairTrouble, TroubleKind};
use crate::pair::{markers, sanitize};

/// After how many seconds a run writes its time, even if nothing else changed.
pub const HEARTBEAT: i64 = 3600;

/// How many days before the token expires a person has to act.
pub const TOKEN_DAYS: i64 = 14;

/// How many seconds another shard may lag behind the last run of this one.
const SILENT: i64 = 6 * 3600;

/// How many runs in a row have to fail before the bot calls for a person. GitLab is down at times.
const FAILURES: u32 = 2;

/// The row of the table that is there even with the number 0.
const IN_STEP: &str = "in step with dist-git";

/// The most merge requests that each section names.
const NAMED: usize = 50;

/// The longest reason in the text, in characters.
const REASON: usize = 300;

/// What the runs of one shard keep, as JSON in a note below the issue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardState {
    /// The number of the shard, from 1, and how many there are.
    pub shard: (u32, u32),
    /// The time of the last run, in seconds since 1970.
    pub ran: i64,
    /// If the last run did not deal with everything that ended in dist-git, the time of the last run that did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<i64>,
    /// The fingerprint of the settings at the time of the checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<PairFingerprint>,
    #[serde(rename = "states")]
    pub counts: MergeRequestCounts,
    /// What is known besides merge requests. Only the first shard keeps it.
    #[serde(rename = "surroundings", default, skip_serializing_if = "Option::is_none")]
    pub instance_state: Option<InstanceState>,
    #[serde(rename = "memory")]
    pub cache: Cache,
}

/// How many source-git merge requests, with their pairs, are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MergeRequestCounts {
    /// Both merge requests are open and in step, perhaps since the last run.
    pub in_step: u32,
    /// Only the dist-git merge request is open.
    pub dist_git_only: u32,
    /// Only the source-git merge request is open, and there is nothing to do.
    pub source_git_only: u32,
    /// The merge request cannot be synced. Its note says why.
    pub refused: u32,
    /// The bot failed with it.
    pub failed: u32,
    /// The last run did not check it.
    #[serde(rename = "left")]
    pub not_checked: u32,
}

/// What may need attention besides merge requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceState {
    /// When the bot asked for it, in seconds since 1970.
    pub asked: i64,
    /// The day on which the bot's token expires; `None` if it does not expire, or the bot cannot find out.
    #[serde(default)]
    pub token_expires: Option<NaiveDate>,
    /// The webhooks that GitLab has disabled; `None` if the token may not see them.
    #[serde(default)]
    pub hooks: Option<Vec<DisabledHook>>,
}

/// A webhook that GitLab has disabled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisabledHook {
    /// The project or group that it belongs to.
    pub of: String,
    pub id: u64,
    /// Until when, as GitLab writes it; `None` if permanently.
    #[serde(default)]
    pub until: Option<String>,
}

impl ShardState {
    /// Reads a note of the bot below its status issue.
    pub fn read(body: &str) -> Option<Self> {
        markers::read_cache(body)
    }

    /// Whether a note of the bot is one of these, readable or not.
    pub fn is_in(body: &str) -> bool {
        markers::has_cache(body)
    }

    /// Returns the text of the note.
    pub fn note(&self) -> String {
        let ran = minute(self.ran);
        let (shard, of) = self.shard;
        let who = if of > 1 { format!("Job {shard} of {of}") } else { "`reconcile`".to_owned() };
        format!(
            "{who} last ran at **{ran}**. While nothing changes, this is updated once an hour.\n\n\
             A hidden part of this note remembers which merge requests are up to date. If the note is deleted, the next run \
             takes longer and writes a new one.\n\n{}",
            markers::cache_line(self)
        )
    }

    /// Whether to write `self` to the note that holds `old`: something changed, or the heartbeat is due.
    pub fn needs_writing(&self, old: &Self) -> bool {
        let age = self.ran.saturating_sub(old.ran);
        !(0..HEARTBEAT).contains(&age) || Self { ran: old.ran, ..self.clone() } != *old
    }
}

/// The contents of the status issue of an instance.
#[derive(Clone, Copy, Debug)]
pub struct StatusIssueText<'a> {
    /// The instance's name.
    pub instance: &'a str,
    /// The notes of its shards.
    pub shards: &'a [ShardState],
    /// GitLab's address, with a slash at its end.
    pub gitlab: &'a str,
    pub today: NaiveDate,
    /// The time of this shard's last run before the present one, in seconds since 1970. The other shards are compared
    /// with it, because nobody says how often they should run.
    pub last_run: Option<i64>,
}

/// Returns the title of an instance's status issue.
pub fn title(instance: &str) -> String {
    format!("Status of {}", sanitize::line(instance))
}

/// Whether an issue of the bot is the status issue of this instance. If somebody overwrote the hidden line, the title
/// decides.
pub fn is_of(title: &str, description: &str, instance: &str) -> bool {
    match markers::read_status_issue(description) {
        Some(named) => named == instance,
        None => title == self::title(instance),
    }
}

/// Returns the text of a second status issue. It is the status issue of no instance.
pub fn superseded(by: crate::types::IssueIid) -> String {
    format!("Opened at the same time as #{by}, which is the one that is kept.\n\n{}", markers::status_issue_line(""))
}

impl StatusIssueText<'_> {
    /// Whether something needs a person. If so, the issue is open.
    pub fn needs_a_person(&self) -> bool {
        !self.action_items().lines.is_empty()
    }

    /// Returns all troubles, sorted by name. A list that failed for several shards counts once.
    fn troubles(&self) -> Vec<&PairTrouble> {
        let mut troubles: Vec<_> = self.shards.iter().flat_map(|shard| shard.cache.troubles()).collect();
        let is_of_one = |trouble: &PairTrouble| trouble.merge_request.contains('!');
        troubles.sort_by_key(|trouble| (is_of_one(trouble), &trouble.merge_request, Reverse(trouble.times)));
        let mut named = BTreeSet::new();
        troubles.retain(|trouble| is_of_one(trouble) || named.insert(&trouble.merge_request));
        troubles
    }

    fn counts(&self) -> MergeRequestCounts {
        self.shards.iter().map(|shard| shard.counts).fold(MergeRequestCounts::default(), |sum, one| {
            MergeRequestCounts {
                in_step: sum.in_step.saturating_add(one.in_step),
                dist_git_only: sum.dist_git_only.saturating_add(one.dist_git_only),
                source_git_only: sum.source_git_only.saturating_add(one.source_git_only),
                refused: sum.refused.saturating_add(one.refused),
                failed: sum.failed.saturating_add(one.failed),
                not_checked: sum.not_checked.saturating_add(one.not_checked),
            }
        })
    }

    fn instance_state(&self) -> Option<&InstanceState> {
        self.shards.iter().find_map(|shard| shard.instance_state.as_ref())
    }

    /// Returns what a person has to do.
    fn action_items(&self) -> ActionItems {
        let mut lines = Vec::new();
        if let Some(InstanceState { token_expires, hooks, .. }) = self.instance_state() {
            if let Some(day) = token_expires.filter(|day| (*day - self.today).num_days() < TOKEN_DAYS) {
                lines.push(format!(
                    "The bot's token expires on **{day}**. Make a new one with the scope `api`, and put it into the variable \
                     `SGB_TOKEN` of this project."
                ));
            }
            lines.extend(hooks.iter().flatten().map(|hook| self.hook(hook)));
        }
        let troubles = self.troubles();
        let silent = |shard: &&ShardState| self.last_run.is_some_and(|last| last.saturating_sub(shard.ran) > SILENT);
        lines.extend(self.shards.iter().filter(silent).map(|ShardState { shard: (shard, of), ran, .. }| {
            format!(
                "Job {shard} of {of} has not finished since **{}**: see its last jobs in this project.",
                minute(*ran)
            )
        }));
        let mut items = ActionItems { number: lines.len(), lines };
        let failed = |trouble: &&&PairTrouble| trouble.kind == TroubleKind::Failed && trouble.times >= FAILURES;
        items.add(troubles.iter().filter(failed), "failed in several runs in a row", |trouble| {
            let (link, why) = (self.link(&trouble.merge_request), reason(trouble));
            format!("{link} failed in {} runs in a row: {why}", trouble.times)
        });
        let missing = |trouble: &&&PairTrouble| trouble.kind == TroubleKind::NoDistGit;
        items.add(troubles.iter().filter(missing), "have no place in dist-git", |trouble| {
            format!("{} has no place in dist-git: {}", self.link(&trouble.merge_request), reason(trouble))
        });
        items
    }

    fn hook(&self, DisabledHook { of, id, until }: &DisabledHook) -> String {
        let how_long = match until {
            Some(until) => format!("until {}", sanitize::code(until.as_bytes())),
            None => "permanently".to_owned(),
        };
        format!(
            "GitLab has disabled webhook {id} of {} {how_long}, because calls of it failed. Open its settings, look at Recent \
             events, fix what failed, and press Test.",
            sanitize::code(of.as_bytes())
        )
    }

    /// Returns a link to the merge request with the name `group/project!7`.
    fn link(&self, name: &str) -> String {
        let shown = sanitize::code(name.as_bytes());
        let address = name.rsplit_once('!').filter(|(path, iid)| {
            let is_path = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
            is_path && iid.bytes().all(|b| b.is_ascii_digit())
        });
        match address {
            Some((path, iid)) => format!("[{shown}]({}{path}/-/merge_requests/{iid})", self.gitlab),
            None => shown,
        }
    }

    /// Returns the issue's description.
    pub fn description(&self) -> String {
        let items = self.action_items();
        let mut text = match items.number {
            0 => "**All is well:** nothing needs a person.\n".to_owned(),
            1 => "**One thing needs a person:**\n\n".to_owned(),
            many => format!("**{many} things need a person:**\n\n"),
        };
        for item in &items.lines {
            let _ = writeln!(text, "- {item}");
        }
        let MergeRequestCounts { in_step, dist_git_only, source_git_only, refused, failed, not_checked } =
            self.counts();
        text.push_str("\n| merge requests | |\n| --- | ---: |\n");
        for (what, number) in [
            (IN_STEP, in_step),
            ("closed or merged in source-git, still open in dist-git", dist_git_only),
            ("without an open dist-git merge request, and none is due", source_git_only),
            ("cannot be synced: see below", refused),
            ("failed", failed),
            ("not looked at by the last run", not_checked),
        ] {
            if number > 0 || what == IN_STEP {
                let _ = writeln!(text, "| {what} | {number} |");
            }
        }
        let troubles = self.troubles();
        let once = |trouble: &&&PairTrouble| trouble.kind == TroubleKind::Failed && trouble.times < FAILURES;
        self.section(&mut text, "Failed in the last run, and tried again in the next", troubles.iter().filter(once));
        let refused = |trouble: &&&PairTrouble| trouble.kind == TroubleKind::Refused;
        self.section(&mut text, "Cannot be synced: their authors were told", troubles.iter().filter(refused));
        if self.instance_state().is_some_and(|instance_state| instance_state.hooks.is_none()) {
            text.push_str(
                "\nThe bot's role does not let it see whether GitLab has disabled webhooks: run `source-git-bot doctor` with the token \
                 of an Owner of the group, or of a Maintainer of the projects.\n",
            );
        }
        let _ = write!(
            text,
            "\n---\n\nThe bot writes this text, and overwrites what others write here; comments stay. It opens this issue \
             when something needs a person, and closes it when nothing does. {} when it last looked.\n\n{}",
            if self.shards.len() > 1 { "Its notes below say" } else { "Its note below says" },
            markers::status_issue_line(self.instance)
        );
        text
    }

    fn section<'a, 'b: 'a>(&self, text: &mut String, title: &str, troubles: impl Iterator<Item = &'a &'b PairTrouble>) {
        let troubles: Vec<_> = troubles.collect();
        if troubles.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n### {title}\n");
        for trouble in troubles.iter().take(NAMED) {
            let _ = writeln!(text, "- {}: {}", self.link(&trouble.merge_request), reason(trouble));
        }
        if let Some(more) = troubles.len().checked_sub(NAMED).filter(|more| *more > 0) {
            let _ = writeln!(text, "- … and {more} more");
        }
    }
}

/// What a person has to do: a line for each item that is named, and the number of all items.
struct ActionItems {
    lines: Vec<String>,
    number: usize,
}

impl ActionItems {
    fn add<'a, 'b: 'a>(
        &mut self,
        troubles: impl Iterator<Item = &'a &'b PairTrouble>,
        more_do: &str,
        line: impl Fn(&PairTrouble) -> String,
    ) {
        let troubles: Vec<_> = troubles.collect();
        self.number = self.number.saturating_add(troubles.len());
        self.lines.extend(troubles.iter().take(NAMED).map(|trouble| line(trouble)));
        if let Some(more) = troubles.len().checked_sub(NAMED).filter(|more| *more > 0) {
            self.lines.push(format!("… and {more} more {more_do}"));
        }
    }
}

/// Returns the reason as Markdown in which nothing acts, because it may quote a contributor.
fn reason(trouble: &PairTrouble) -> String {
    if trouble.why.is_empty() {
        return "its note says why".to_owned();
    }
    sanitize::sentence(&sanitize::cut(&sanitize::line(&trouble.why), REASON))
}

fn minute(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Returns the day of a time in seconds since 1970.
pub fn day(seconds: i64) -> NaiveDate {
    DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default().date_naive()
}

#[cfg(test)]
mod tests;
