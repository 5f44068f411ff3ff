//! The part of the bot's note that shows dist-git's CI results, and what the bot keeps there for itself.
//!
//! The part has an owner of its own: whoever reports results replaces it and leaves the rest of the note alone; whoever
//! syncs writes the rest and keeps it. The same results give the same bytes.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::pair::ci::{CiJob, CiPipeline, CiResults, MergeRequestPhase, OnFailure};
use crate::pair::statuses::{self, StatusFingerprint, StatusPlace};
use crate::pair::{markers, sanitize};
use crate::types::{CiState, CommitId, PipelineId};

/// How many jobs a table lists; a longer one ends in their number.
const LISTED: usize = 100;

/// Up to how many jobs are shown in one open table. Of more, those that passed are folded up.
const OPEN: usize = 12;

/// How many places with open statuses are remembered: a push that comes before the last one was tested adds one.
const LEFT_OPEN: usize = 8;

/// What heads results for a commit that is not the newest.
const OUTDATED: &str = "**These results are for an older commit of this merge request.**\n\n";

/// dist-git's results, as a note shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiSection {
    /// What the bot keeps.
    pub state: CiSectionState,
    /// What people read.
    said: String,
}

/// What the bot keeps with the results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CiSectionState {
    /// The source-git commit that they are for.
    pub commit: CommitId,
    /// The dist-git commit that was tested, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<CommitId>,
    /// The pipeline, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<PipelineId>,
    /// The state that is shown, or running while anything that it started runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CiState>,
    /// When anything in it that is shown last changed, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<i64>,
    /// When the pipeline itself last changed, in milliseconds since 1970, as far as that was worth an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<i64>,
    /// What became of the statuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statuses: Option<StatusesState>,
    /// Where statuses of older commits may still be open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_open: Vec<StatusPlace>,
}

/// What became of the statuses of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusesState {
    /// Where they are.
    pub place: StatusPlace,
    /// Which they are.
    #[serde(rename = "print")]
    pub fingerprint: StatusFingerprint,
    /// Whether GitLab took them.
    #[serde(rename = "taken", default, skip_serializing_if = "Acceptance::is_yes")]
    pub acceptance: Acceptance,
}

/// Whether GitLab took the bot's statuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acceptance {
    /// It did.
    #[default]
    Yes,
    /// All but some: jobs of the pipeline have their names. No further names are tried there.
    InPart,
    /// Only those that there was room for. It takes no new ones, and lets those that are open end.
    Full,
    /// It refused them: the bot may not post there. It would again.
    No,
}

impl Acceptance {
    fn is_yes(&self) -> bool {
        *self == Self::Yes
    }
}

impl CiSection {
    /// Returns the section while nothing has been tested yet.
    pub fn waiting(commit: CommitId) -> Self {
        let state = CiSectionState {
            commit,
            tested: None,
            pipeline: None,
            state: None,
            as_of: None,
            updated: None,
            statuses: None,
            left_open: Vec::new(),
        };
        Self { state, said: format!("**dist-git CI:** has not started yet for commit {}.\n", short(&commit)) }
    }

    /// Returns the section for a commit that takes the place of this one's, while nothing of it has been tested yet.
    pub fn superseded_by(self, commit: CommitId) -> Self {
        let mut next = Self::waiting(commit);
        next.state.left_open = self.state.left_open_beside(commit);
        if self.state.commit == commit {
            next.state.statuses = self.state.statuses.filter(|statuses| statuses.acceptance == Acceptance::No);
        }
        next
    }

    /// Returns the section that shows `results`; `statuses` is what became of the statuses.
    pub fn of(results: &CiResults, statuses: Option<StatusesState>) -> Self {
        let CiResults { commit, tested, pipeline, merge_request } = results;
        let mut section = match (pipeline, merge_request) {
            (Some(pipeline), _) => Self {
                state: CiSectionState {
                    commit: *commit,
                    tested: Some(*tested),
                    pipeline: Some(pipeline.id),
                    state: Some(pipeline.state_with_downstream()),
                    as_of: pipeline.as_of().map(|time| time.timestamp()),
                    updated: pipeline.changed_at.map(|time| time.timestamp_millis()),
                    statuses: None,
                    left_open: Vec::new(),
                },
                said: said(commit, pipeline),
            },
            (None, MergeRequestPhase::Open) => Self::waiting(*commit),
            (None, _) => {
                let said = format!("**dist-git CI:** has not tested commit {}.\n", short(commit));
                Self { said, ..Self::waiting(*commit) }
            }
        };
        section.state.statuses = statuses;
        section
    }

    /// Returns the section in the bot's note `body`, where it has one.
    pub fn read(body: &str) -> Option<Self> {
        let (state, said) = markers::read_section::<CiSectionState>(markers::CI, body)?;
        // GitLab hands notes back with the line ends that they were sent with, forms send others.
        let said = said.replace("\r\n", "\n");
        Some(Self { state, said: said.strip_prefix(OUTDATED).unwrap_or(&said).to_owned() })
    }

    /// Returns the text for a note, markers included. `head` is the newest commit of the merge request.
    pub fn text(&self, head: &CommitId) -> String {
        let outdated = if self.state.commit == *head { "" } else { OUTDATED };
        markers::section(markers::CI, &format!("{outdated}{}", self.said), &self.state)
    }

    /// Returns the note `body` with this section in the place of its own, or at its end.
    pub fn replace_in(&self, body: &str, head: &CommitId) -> String {
        markers::replace_section(markers::CI, body, &self.text(head))
    }
}

impl CiSectionState {
    /// Returns where statuses may still be open once the results are those for `commit`.
    pub fn left_open_beside(&self, commit: CommitId) -> Vec<StatusPlace> {
        let is_open = self.commit != commit && !self.state.is_some_and(CiState::is_final);
        let own = self.statuses.iter().filter(|statuses| is_open && statuses.acceptance != Acceptance::No);
        let mut places: Vec<_> = self.left_open.iter().chain(own.map(|statuses| &statuses.place)).cloned().collect();
        places.dedup();
        let too_many = places.len().saturating_sub(LEFT_OPEN);
        places.split_off(too_many)
    }
}

fn said(commit: &CommitId, pipeline: &CiPipeline) -> String {
    let made = pipeline.composite();
    let state = match made.state {
        CiState::Success if made.has_warnings => "passed with warnings",
        state => state.words(),
    };
    let as_of = pipeline.as_of().map(|time| format!(", as of {}", minute(&time))).unwrap_or_default();
    let page = link(&format!("pipeline {}", pipeline.id), &pipeline.url);
    let mut text = format!("**dist-git CI: {state}** for commit {} ({page}{as_of})\n", short(commit));
    if let Some(error) = &pipeline.configuration_error {
        let _ =
            writeln!(text, "\nThe CI configuration of dist-git cannot be used: {}", sanitize::code(error.as_bytes()));
    }
    if made.state == CiState::Failed {
        text.push_str(
            "\nEach job's name links to its log. Push a fix here, or ask the package's maintainers if this change is not the cause.\n",
        );
    }
    let mut jobs: Vec<JobRow<'_>> = Vec::new();
    for job in pipeline.counted() {
        jobs.push(JobRow { job, within: None });
        jobs.extend(job.downstream.iter().map(|inner| JobRow { job: inner, within: Some(job) }));
    }
    // The sort is stable: among equals, GitLab's order stays.
    jobs.sort_by_key(|row| row.rank());
    if jobs.len() <= OPEN {
        table(&mut text, &jobs, jobs.len());
        return text;
    }
    let first_good = jobs.iter().position(|row| row.rank() >= JobRank::Passed).unwrap_or(jobs.len());
    let (bad, good) = jobs.split_at(first_good);
    table(&mut text, bad.get(..LISTED).unwrap_or(bad), bad.len());
    if !good.is_empty() {
        let passed = good.iter().filter(|row| row.rank() == JobRank::Passed).count();
        let left_out = match good.len() - passed {
            0 => String::new(),
            skipped => format!(", {skipped} skipped"),
        };
        let _ = write!(text, "\n<details><summary>{passed} passed{left_out}</summary>\n");
        table(&mut text, good.get(..LISTED).unwrap_or(good), good.len());
        text.push_str("\n</details>\n");
    }
    text
}

/// A line of the table.
struct JobRow<'a> {
    job: &'a CiJob,
    /// The trigger job whose pipeline it is in.
    within: Option<&'a CiJob>,
}

/// What comes first in the table: what people have to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum JobRank {
    Failed,
    Warned,
    Canceled,
    Running,
    Waiting,
    Passed,
    Skipped,
}

impl JobRow<'_> {
    fn rank(&self) -> JobRank {
        match (self.job.state, self.job.on_failure) {
            (CiState::Failed, OnFailure::Fails) => JobRank::Failed,
            (CiState::Failed, OnFailure::Warns) => JobRank::Warned,
            (CiState::Canceled | CiState::Canceling, _) => JobRank::Canceled,
            (CiState::Running, _) => JobRank::Running,
            (CiState::Success, _) => JobRank::Passed,
            (CiState::Skipped, _) => JobRank::Skipped,
            _ => JobRank::Waiting,
        }
    }

    fn state(&self) -> String {
        match (self.job.state, self.job.on_failure) {
            (CiState::Failed, OnFailure::Fails) => format!("**{}**", sanitize::sentence(&statuses::failure(self.job))),
            (CiState::Failed, OnFailure::Warns) => {
                format!("{}, allowed to fail", sanitize::sentence(&statuses::failure(self.job)))
            }
            (CiState::Manual, OnFailure::Warns) => "optional, not started".to_owned(),
            (state, _) => state.words().to_owned(),
        }
    }
}

fn table(text: &mut String, rows: &[JobRow<'_>], total: usize) {
    if rows.is_empty() {
        return;
    }
    text.push_str("\n| Job | Stage | State | Duration |\n| --- | --- | --- | ---: |\n");
    for row in rows {
        let name = link(&cell(&row.job.name), &row.job.url);
        let stage = row
            .within
            .map_or_else(|| cell(&row.job.stage), |bridge| format!("child pipeline of {}", cell(&bridge.name)));
        let time = row.job.seconds.filter(|_| row.job.state != CiState::Running).map(duration).unwrap_or_default();
        let _ = writeln!(text, "| {name} | {stage} | {} | {time} |", row.state());
    }
    if total > rows.len() {
        let _ = writeln!(text, "\n… and {} more.", total - rows.len());
    }
}

/// Returns a name as a code span for a table cell. `|` would end the cell, in code as well, and what a backslash before it
/// does depends on what stands before that (GFM 0.29, 4.10): so it becomes a sign that looks much like it.
fn cell(name: &str) -> String {
    sanitize::code(name.as_bytes()).replace('|', "¦")
}

/// Returns a link, or the text alone where the address is none that Markdown takes as it stands.
fn link(text: &str, url: &str) -> String {
    let is_plain = url.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/#?&=%+!".contains(&b));
    match Url::parse(url) {
        Ok(parsed) if is_plain && matches!(parsed.scheme(), "http" | "https") => format!("[{text}]({url})"),
        _ => text.to_owned(),
    }
}

/// Returns a time as people read it, to the minute.
fn minute(time: &DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Returns how long something took, with the two units that matter.
fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

fn short(id: &CommitId) -> String {
    sanitize::code(id.short().as_bytes())
}

#[cfg(test)]
mod tests;
