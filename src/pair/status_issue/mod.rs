//! The issue in which the bot tells its operators how an instance fares, and the notes below it in which runs leave what
//! the next ones need.
//!
//! The issue's description is made of the notes alone, and changes only when what they say does. When a run took place is
//! told in its note: editing a note leaves no trace in the issue's history, editing the description does.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::pair::cache::{Cache, PairFingerprint, PairTrouble, TroubleKind};
use crate::pair::{markers, sanitize};

/// After how many seconds a run that changed nothing says that it took place.
pub const SIGN_OF_LIFE: i64 = 3600;

/// How many days before a token expires somebody has to act.
pub const TOKEN_DAYS: i64 = 14;

/// How many seconds another shard may be behind the last run of this one.
const SILENT: i64 = 6 * 3600;

/// In how many runs in a row one has to fail before a person is called: GitLab is away at times.
const FAILURES: u32 = 2;

/// The state that is shown even where nothing is in it.
const IN_STEP: &str = "in step with dist-git";

/// The most merge requests that are named in each section.
const NAMED: usize = 50;

/// The longest reason that is shown, in characters.
const REASON: usize = 300;

/// What the runs of one shard leave behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardState {
    /// Which shard, and of how many; both from 1.
    pub shard: (u32, u32),
    /// When the last run was, in seconds since 1970.
    pub ran: i64,
    /// When the last run was that has seen to all that ended in dist-git, where the last one has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<i64>,
    /// What the settings were under which it was looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<PairFingerprint>,
    /// How many merge requests were in which state.
    #[serde(rename = "states")]
    pub counts: MergeRequestCounts,
    /// What is known beyond merge requests, by the first shard.
    #[serde(rename = "surroundings", default, skip_serializing_if = "Option::is_none")]
    pub instance_state: Option<InstanceState>,
    /// What was looked at.
    #[serde(rename = "memory")]
    pub cache: Cache,
}

/// How many merge requests are in which state: source-git merge requests with their pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MergeRequestCounts {
    /// Both are open, and nothing is to be done, or the last run did it.
    pub in_step: u32,
    /// Only the dist-git merge request is open.
    pub dist_git_only: u32,
    /// Only the source-git merge request is open, and nothing is to be done.
    pub source_git_only: u32,
    /// It cannot be synced, and its note says why.
    pub refused: u32,
    /// It failed.
    pub failed: u32,
    /// It was not looked at.
    #[serde(rename = "left")]
    pub not_checked: u32,
}

/// What can be amiss besides merge requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceState {
    /// When it was asked for, in seconds since 1970.
    pub asked: i64,
    /// When the bot's token expires; nothing where it does not, or where that is not to be known.
    #[serde(default)]
    pub token_expires: Option<NaiveDate>,
    /// The webhooks that GitLab does not call; nothing where the token may not see them.
    #[serde(default)]
    pub hooks: Option<Vec<DisabledHook>>,
}

/// A webhook that GitLab does not call any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisabledHook {
    /// The project or group that it belongs to.
    pub of: String,
    /// Its number.
    pub id: u64,
    /// Until when, as GitLab writes it; nothing where for good.
    #[serde(default)]
    pub until: Option<String>,
}

impl ShardState {
    /// Reads what a note of the bot below its status issue holds.
    pub fn read(body: &str) -> Option<Self> {
        markers::read_cache(body)
    }

    /// Whether a note of the bot is such a one, also where what it holds cannot be read any more.
    pub fn is_in(body: &str) -> bool {
        markers::has_cache(body)
    }

    /// Returns the note.
    pub fn note(&self) -> String {
        let ran = moment(self.ran);
        let (shard, of) = self.shard;
        let who = if of > 1 { format!("Job {shard} of {of}") } else { "`reconcile`".to_owned() };
        format!(
            "{who} last ran at **{ran}**. While nothing changes, this is updated once an hour.\n\n\
             A hidden part of this note remembers which merge requests are up to date. If the note is deleted, the next run \
             takes longer and writes a new one.\n\n{}",
            markers::cache_line(self)
        )
    }

    /// Whether a note with `self` in the place of `old` tells something new.
    pub fn needs_writing(&self, old: &Self) -> bool {
        let silent = self.ran.saturating_sub(old.ran);
        !(0..SIGN_OF_LIFE).contains(&silent) || Self { ran: old.ran, ..self.clone() } != *old
    }
}

/// How an instance fares, by what its shards found.
#[derive(Clone, Copy, Debug)]
pub struct StatusIssueText<'a> {
    /// The instance's name.
    pub instance: &'a str,
    /// What its shards found.
    pub parts: &'a [ShardState],
    /// Where merge requests are: GitLab's address, with a slash at its end.
    pub gitlab: &'a str,
    /// The present day.
    pub today: NaiveDate,
    /// When the last run of this shard was, before the present one, in seconds since 1970: the others are measured by it, for
    /// nobody says how often they are to run.
    pub last: Option<i64>,
}

/// Returns the title of an instance's status issue.
pub fn title(instance: &str) -> String {
    format!("Status of {}", sanitize::line(instance))
}

/// Whether an issue of the bot is the status issue of an instance. Where somebody has overwritten the hidden line, the
/// title says so.
pub fn is_of(title: &str, description: &str, instance: &str) -> bool {
    match markers::read_status_issue(description) {
        Some(named) => named == instance,
        None => title == self::title(instance),
    }
}

/// Returns the text of an issue that was one too many: the status issue of no instance.
pub fn superseded(by: crate::types::IssueIid) -> String {
    format!("Opened at the same time as #{by}, which is the one that is kept.\n\n{}", markers::status_issue_line(""))
}

impl StatusIssueText<'_> {
    /// Whether something needs a person: then the issue is open.
    pub fn needs_a_person(&self) -> bool {
        !self.calls().lines.is_empty()
    }

    /// What is the matter, by name. A list that failed for several shards counts once.
    fn troubles(&self) -> Vec<&PairTrouble> {
        let mut troubles: Vec<_> = self.parts.iter().flat_map(|part| part.cache.troubles()).collect();
        let is_of_one = |trouble: &PairTrouble| trouble.merge_request.contains('!');
        troubles.sort_by_key(|trouble| (is_of_one(trouble), &trouble.merge_request, Reverse(trouble.times)));
        let mut named = BTreeSet::new();
        troubles.retain(|trouble| is_of_one(trouble) || named.insert(&trouble.merge_request));
        troubles
    }

    fn counts(&self) -> MergeRequestCounts {
        self.parts.iter().map(|part| part.counts).fold(MergeRequestCounts::default(), |sum, one| MergeRequestCounts {
            in_step: sum.in_step.saturating_add(one.in_step),
            dist_git_only: sum.dist_git_only.saturating_add(one.dist_git_only),
            source_git_only: sum.source_git_only.saturating_add(one.source_git_only),
            refused: sum.refused.saturating_add(one.refused),
            failed: sum.failed.saturating_add(one.failed),
            not_checked: sum.not_checked.saturating_add(one.not_checked),
        })
    }

    fn instance_state(&self) -> Option<&InstanceState> {
        self.parts.iter().find_map(|part| part.instance_state.as_ref())
    }

    /// What a person has to see to.
    fn calls(&self) -> ActionItems {
        let mut calls = Vec::new();
        if let Some(InstanceState { token_expires, hooks, .. }) = self.instance_state() {
            if let Some(day) = token_expires.filter(|day| (*day - self.today).num_days() < TOKEN_DAYS) {
                calls.push(format!(
                    "The bot's token expires on **{day}**. Make a new one with the scope `api`, and put it into the variable \
                     `SGB_TOKEN` of this project."
                ));
            }
            calls.extend(hooks.iter().flatten().map(|hook| self.hook(hook)));
        }
        let troubles = self.troubles();
        let silent = |part: &&ShardState| self.last.is_some_and(|last| last.saturating_sub(part.ran) > SILENT);
        calls.extend(self.parts.iter().filter(silent).map(|ShardState { shard: (shard, of), ran, .. }| {
            format!(
                "Job {shard} of {of} has not finished since **{}**: see its last jobs in this project.",
                moment(*ran)
            )
        }));
        let mut calls = ActionItems { number: calls.len(), lines: calls };
        let failed = |trouble: &&&PairTrouble| trouble.kind == TroubleKind::Failed && trouble.times >= FAILURES;
        calls.add(troubles.iter().filter(failed), "failed in several runs in a row", |trouble| {
            let (link, why) = (self.link(&trouble.merge_request), reason(trouble));
            format!("{link} failed in {} runs in a row: {why}", trouble.times)
        });
        let missing = |trouble: &&&PairTrouble| trouble.kind == TroubleKind::NoDistGit;
        calls.add(troubles.iter().filter(missing), "have no place in dist-git", |trouble| {
            format!("{} has no place in dist-git: {}", self.link(&trouble.merge_request), reason(trouble))
        });
        calls
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

    /// A link to a merge request that is named `group/project!7`.
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
        let calls = self.calls();
        let mut text = match calls.number {
            0 => "**All is well:** nothing needs a person.\n".to_owned(),
            1 => "**One thing needs a person:**\n\n".to_owned(),
            many => format!("**{many} things need a person:**\n\n"),
        };
        for call in &calls.lines {
            let _ = writeln!(text, "- {call}");
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
            if self.parts.len() > 1 { "Its notes below say" } else { "Its note below says" },
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

/// What a person has to see to: a line each, as far as they are named, and how many there are.
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

/// Why, as Markdown in which nothing acts: it may quote what a contributor wrote.
fn reason(trouble: &PairTrouble) -> String {
    if trouble.why.is_empty() {
        return "its note says why".to_owned();
    }
    sanitize::sentence(&sanitize::cut(&sanitize::line(&trouble.why), REASON))
}

fn moment(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Returns a moment as a day.
pub fn day(seconds: i64) -> NaiveDate {
    DateTime::<Utc>::from_timestamp(seconds, 0).unwrap_or_default().date_naive()
}

#[cfg(test)]
mod tests;
