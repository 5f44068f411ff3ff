//! The section of the bot's note with dist-git's CI results, and what the bot keeps there for itself.
//!
//! `report` replaces this section and leaves the rest of the note alone. `sync` writes the rest and keeps this section.
//! The same results give the same bytes.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::pair::ci::{CiJob, CiPipeline, CiResults, MergeRequestPhase, OnFailure};
use crate::pair::note::markdown::short;
use crate::pair::statuses::{self, Acceptance, StatusPlace, StatusesState};
use crate::pair::{markers, sanitize};
use crate::types::{CiState, CommitId, PipelineId};

/// The most jobs that a table lists. A longer table ends in how many more there are.
const LISTED: usize = 100;

/// The most jobs in one open table. If there are more, those that passed are folded up.
const OPEN: usize = 12;

/// The most places with open statuses that are remembered. Each push before the last one was tested adds one.
const LEFT_OPEN_LIMIT: usize = 8;

/// The heading of results for a commit that is not the newest.
const OUTDATED: &str = "**These results are for an older commit of this merge request.**\n\n";

/// dist-git's results, as a note shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiSection {
    pub state: CiSectionState,
    /// What people read.
    text: String,
}

/// What the bot keeps with the results, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CiSectionState {
    /// The source-git commit that they are for.
    pub commit: CommitId,
    /// The dist-git commit that was tested, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested: Option<CommitId>,
    /// The pipeline, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<PipelineId>,
    /// The state that people see, or running while a pipeline that it started runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CiState>,
    /// When a job that people see last changed, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<i64>,
    /// When the pipeline itself last changed, in milliseconds since 1970. It may be out of date, because a change of it
    /// alone is not worth an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statuses: Option<StatusesState>,
    /// Places where statuses of older commits may still be open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_open: Vec<StatusPlace>,
}

impl CiSection {
    /// Returns the section for a commit that CI has not begun to test.
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
        Self { state, text: format!("**dist-git CI:** has not started yet for commit {}.\n", short(&commit)) }
    }

    /// Returns the section for the next commit, which CI has not begun to test.
    pub fn superseded_by(self, commit: CommitId) -> Self {
        let mut next = Self::waiting(commit);
        next.state.left_open = self.state.left_open_beside(commit);
        if self.state.commit == commit {
            next.state.statuses = self.state.statuses.filter(|statuses| statuses.acceptance == Acceptance::No);
        }
        next
    }

    /// Returns the section that shows `results` and remembers `statuses`.
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
                text: text_of(commit, pipeline),
            },
            (None, MergeRequestPhase::Open) => Self::waiting(*commit),
            (None, _) => {
                let text = format!("**dist-git CI:** has not tested commit {}.\n", short(commit));
                Self { text, ..Self::waiting(*commit) }
            }
        };
        section.state.statuses = statuses;
        section
    }

    /// Reads the section from the bot's note `body`; `None` if it has no such section.
    pub fn read(body: &str) -> Option<Self> {
        let (state, text) = markers::read_section::<CiSectionState>(markers::CI, body)?;
        // GitLab keeps the line ends of a note, and its forms send other ones.
        let text = text.replace("\r\n", "\n");
        Some(Self { state, text: text.strip_prefix(OUTDATED).unwrap_or(&text).to_owned() })
    }

    /// Returns the section with its markers. `head` is the newest commit of the merge request.
    pub fn render(&self, head: &CommitId) -> String {
        let outdated = if self.state.commit == *head { "" } else { OUTDATED };
        markers::section(markers::CI, &format!("{outdated}{}", self.text), &self.state)
    }

    /// Returns the note `body` with this section in place of the old one, or in the place for a new one.
    pub fn replace_in(&self, body: &str, head: &CommitId) -> String {
        markers::replace_section(markers::CI, body, &self.render(head))
    }
}

impl CiSectionState {
    /// Returns where statuses of other commits may still be open, once the note shows the results for `commit`.
    pub fn left_open_beside(&self, commit: CommitId) -> Vec<StatusPlace> {
        let is_open = self.commit != commit && !self.state.is_some_and(CiState::is_final);
        let own = self.statuses.iter().filter(|statuses| is_open && statuses.acceptance != Acceptance::No);
        let mut places: Vec<_> = self.left_open.iter().chain(own.map(|statuses| &statuses.place)).cloned().collect();
        places.dedup();
        let too_many = places.len().saturating_sub(LEFT_OPEN_LIMIT);
        places.split_off(too_many)
    }
}

fn text_of(commit: &CommitId, pipeline: &CiPipeline) -> String {
    let composite = pipeline.composite();
    let state = match composite.state {
        CiState::Success if composite.has_warnings => "passed with warnings",
        state => state.words(),
    };
    let as_of = pipeline.as_of().map(|time| format!(", as of {}", minute(&time))).unwrap_or_default();
    let page = link(&format!("pipeline {}", pipeline.id), &pipeline.url);
    let mut text = format!("**dist-git CI: {state}** for commit {} ({page}{as_of})\n", short(commit));
    if let Some(error) = &pipeline.configuration_error {
        let _ =
            writeln!(text, "\nThe CI configuration of dist-git cannot be used: {}", sanitize::code(error.as_bytes()));
    }
    if composite.state == CiState::Failed {
        text.push_str(
            "\nEach job's name links to its log. Push a fix here, or ask the package's maintainers if this change is not the cause.\n",
        );
    }
    let mut jobs: Vec<JobRow<'_>> = Vec::new();
    for job in pipeline.counted() {
        jobs.push(JobRow { job, started_by: None });
        jobs.extend(job.downstream.iter().map(|inner| JobRow { job: inner, started_by: Some(job) }));
    }
    // The sort is stable, so GitLab's order stays within a rank.
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

/// A row of the table.
struct JobRow<'a> {
    job: &'a CiJob,
    /// The trigger job that started its pipeline, if one did.
    started_by: Option<&'a CiJob>,
}

/// The order of the rows. What people have to look at comes first.
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
            (CiState::Failed, OnFailure::Fails) => {
                format!("**{}**", sanitize::sentence(&statuses::end_words(self.job)))
            }
            (CiState::Failed, OnFailure::Warns) => {
                format!("{}, allowed to fail", sanitize::sentence(&statuses::end_words(self.job)))
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
            .started_by
            .map_or_else(|| cell(&row.job.stage), |bridge| format!("child pipeline of {}", cell(&bridge.name)));
        let time = row.job.seconds.filter(|_| row.job.state != CiState::Running).map(duration).unwrap_or_default();
        let _ = writeln!(text, "| {name} | {stage} | {} | {time} |", row.state());
    }
    if total > rows.len() {
        let _ = writeln!(text, "\n… and {} more.", total - rows.len());
    }
}

/// Returns a name as a code span for a table cell. `|` would end the cell, even in code. What a backslash before it
/// does depends on what is before the backslash (GFM 0.29, 4.10). So `|` becomes a sign that looks much like it.
fn cell(name: &str) -> String {
    sanitize::code(name.as_bytes()).replace('|', "¦")
}

/// Returns a link, or only its text if Markdown would not take the address as it is.
fn link(text: &str, url: &str) -> String {
    let is_plain = url.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/#?&=%+!".contains(&b));
    match Url::parse(url) {
        Ok(parsed) if is_plain && matches!(parsed.scheme(), "http" | "https") => format!("[{text}]({url})"),
        _ => text.to_owned(),
    }
}

/// Returns a time for people, to the minute.
fn minute(time: &DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Returns a duration for people, in the two units that matter.
fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

#[cfg(test)]
pub(super) mod tests;
