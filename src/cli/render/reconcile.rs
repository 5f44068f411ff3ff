//! The summary of a run: as text for people, or as data.
use serde::Serialize;

use crate::cli::args::Output;
use crate::cli::terminal::{self, Paint};
use crate::ops::outcome::Effect;
use crate::types::error::{Context as _, Result};
use crate::types::text::printable;

/// What became of every merge request.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) lines: Vec<Line>,
    /// How many had not changed since they were last looked at.
    pub(crate) unchanged: usize,
    /// How many were not looked at.
    pub(crate) left: usize,
    pub(crate) why_left: WhyLeft,
    /// What the status issue would say, in a dry run.
    pub(crate) status_issue: Option<String>,
    /// How many requests it took.
    pub(crate) requests: u64,
}

/// Why some were not looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum WhyLeft {
    /// As much was changed as is to be at a time.
    #[default]
    EnoughChanged,
    /// The job's time comes to its end.
    OutOfTime,
    /// GitLab was not to be had.
    WithoutGitlab,
}

impl WhyLeft {
    fn words(self) -> &'static str {
        match self {
            Self::EnoughChanged => "left for the next run",
            Self::OutOfTime => "left for the next run because three quarters of the job's time are over",
            Self::WithoutGitlab => "not looked at",
        }
    }
}

/// What became of one.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) merge_request: String,
    pub(crate) did: Vec<Did>,
    pub(crate) outcome: Outcome,
    /// Whether something of it goes on that no list tells of.
    pub(crate) goes_on: bool,
    /// Where it comes in the summary.
    pub(crate) place: usize,
}

/// Something that was done, or would be.
#[derive(Debug, Serialize)]
pub(crate) struct Did {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
}

impl Did {
    fn words(&self) -> String {
        match self.plan {
            None => self.what.to_owned(),
            Some(_) => format!("would have {}", self.what),
        }
    }
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Well.
    Done,
    /// It is nothing to be brought up to date.
    LeftAlone(String),
    /// It cannot be synced, and its note says why.
    Refused(String),
    /// Something went wrong.
    Failed(String),
    /// Something went wrong that concerns more than one merge request.
    AllFailed(String),
}

impl Line {
    pub(crate) fn new(merge_request: String) -> Self {
        Self { merge_request, did: Vec::new(), outcome: Outcome::Done, goes_on: false, place: 0 }
    }

    /// Notes what was done, where anything was.
    pub(crate) fn note(&mut self, what: &'static str, effect: &Effect) {
        match effect {
            Effect::Nothing => {}
            Effect::Written => self.did.push(Did { what, plan: None }),
            Effect::Shown(plan) => self.did.push(Did { what, plan: Some(plan.clone()) }),
        }
    }

    /// Notes why it was left as it is.
    pub(crate) fn leave_alone(&mut self, why: String) {
        self.outcome = Outcome::LeftAlone(why);
    }

    fn has_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(_) | Outcome::AllFailed(_))
    }

    fn is_quiet(&self) -> bool {
        self.did.is_empty() && matches!(self.outcome, Outcome::Done)
    }
}

/// How many came to what.
struct Counts {
    unchanged: usize,
    changed: usize,
    refused: usize,
    failed: usize,
}

#[derive(Serialize)]
struct Json<'a> {
    format: u32,
    merge_requests: Vec<JsonLine<'a>>,
    unchanged: usize,
    changed: usize,
    cannot_be_synced: usize,
    failed: usize,
    not_looked_at: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_issue: Option<&'a str>,
    requests: u64,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    merge_request: &'a str,
    did: &'a [Did],
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

impl Summary {
    fn number(&self, is: impl Fn(&Line) -> bool) -> usize {
        self.lines.iter().filter(|line| is(line)).count()
    }

    fn counts(&self) -> Counts {
        let quiet = self.number(|line| line.is_quiet() || matches!(line.outcome, Outcome::LeftAlone(_)));
        let refused = self.number(|line| matches!(line.outcome, Outcome::Refused(_)));
        let failed = self.number(Line::has_failed);
        let changed = self.lines.len().saturating_sub(quiet).saturating_sub(refused).saturating_sub(failed);
        Counts { unchanged: quiet.saturating_add(self.unchanged), changed, refused, failed }
    }

    /// Prints it.
    pub(crate) fn print(&mut self, output: Output, paint: Paint) -> Result<()> {
        // Several were looked at at a time: they are shown in the order in which they were found.
        self.lines.sort_by_key(|line| line.place);
        let text = match output {
            Output::Text => self.text(paint),
            Output::Json => self.json()?,
        };
        terminal::print(&text).context("writing to standard output")
    }

    fn text(&self, paint: Paint) -> String {
        let width =
            self.lines.iter().filter(|line| !line.is_quiet()).map(|line| line.merge_request.chars().count()).max();
        let width = width.unwrap_or_default();
        let mut text = String::new();
        for line in self.lines.iter().filter(|line| !line.is_quiet()) {
            let mut said: Vec<_> = line.did.iter().map(Did::words).collect();
            match &line.outcome {
                Outcome::Done => {}
                Outcome::LeftAlone(why) => said.push(format!("left alone: {}", printable(why.as_bytes()))),
                Outcome::Refused(why) => {
                    said.push(paint.yellow(format!("cannot be synced: {}", printable(why.as_bytes()))));
                }
                Outcome::Failed(why) | Outcome::AllFailed(why) => {
                    said.push(paint.red(format!("failed: {}", printable(why.as_bytes()))));
                }
            }
            text.push_str(&format!("{:width$}  {}\n", line.merge_request, said.join(", ")));
            line.did.iter().filter_map(|did| did.plan.as_deref()).for_each(|plan| text.push_str(plan));
        }
        if let Some(issue) = &self.status_issue {
            text.push_str("the status issue, not written (dry run):\n");
            issue.lines().for_each(|line| text.push_str(&format!("{}\n", format!("  {line}").trim_end())));
        }
        let Counts { unchanged, changed, refused, failed } = self.counts();
        let all = [
            (unchanged, "unchanged"),
            (changed, "changed"),
            (refused, "cannot be synced"),
            (failed, "failed"),
            (self.left, self.why_left.words()),
        ];
        let parts: Vec<_> = all.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let parts = if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") };
        text.push_str(&format!(
            "{}: {}; {} requests\n",
            count(self.looked_at().saturating_add(self.unchanged).saturating_add(self.left)),
            parts,
            self.requests
        ));
        text
    }

    fn json(&self) -> Result<String> {
        let lines = self.lines.iter().map(|line| {
            let (outcome, why) = match &line.outcome {
                Outcome::Done => ("done", None),
                Outcome::LeftAlone(why) => ("left_alone", Some(why.as_str())),
                Outcome::Refused(why) => ("cannot_be_synced", Some(why.as_str())),
                Outcome::Failed(why) | Outcome::AllFailed(why) => ("failed", Some(why.as_str())),
            };
            JsonLine { merge_request: &line.merge_request, did: &line.did, outcome, why }
        });
        let Counts { unchanged, changed, refused, failed } = self.counts();
        let json = Json {
            format: 1,
            merge_requests: lines.collect(),
            unchanged,
            changed,
            cannot_be_synced: refused,
            failed,
            not_looked_at: self.left,
            status_issue: self.status_issue.as_deref(),
            requests: self.requests,
        };
        Ok(serde_json::to_string_pretty(&json).context("writing JSON")? + "\n")
    }

    /// Returns what the run failed with.
    pub(crate) fn failure(&self) -> String {
        let failed = self.number(|line| matches!(line.outcome, Outcome::Failed(_)));
        if failed == 0 {
            return "not everything could be looked at".to_owned();
        }
        format!("{failed} of {} could not be brought up to date", count(self.looked_at()))
    }

    fn looked_at(&self) -> usize {
        self.number(|line| !matches!(line.outcome, Outcome::AllFailed(_)))
    }
}

/// Returns a number of merge requests in words.
pub(crate) fn count(number: usize) -> String {
    format!("{number} {}", if number == 1 { "merge request" } else { "merge requests" })
}
