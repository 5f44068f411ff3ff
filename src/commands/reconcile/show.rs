//! The summary of a run: as text for people, or as data.

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::cli::Output;
use crate::commands::effect::Effect;
use crate::terminal::{self, Paint};
use crate::transform::text::printable;

/// What became of every merge request.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) lines: Vec<Line>,
    /// How many were not looked at, because GitLab was not to be had.
    pub(super) left: usize,
    /// How many requests it took.
    pub(super) requests: u64,
}

/// What became of one.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) merge_request: String,
    pub(super) did: Vec<Did>,
    pub(super) outcome: Outcome,
}

/// Something that was done, or would be.
#[derive(Debug, Serialize)]
pub(super) struct Did {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
}

impl Did {
    fn words(&self) -> String {
        match self.plan {
            None => self.what.to_owned(),
            Some(_) => format!("not {} (dry run)", self.what),
        }
    }
}

/// How it ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Well.
    Done,
    /// It cannot be synced, and its note says why.
    Refused(String),
    /// Something went wrong.
    Failed(String),
}

impl Line {
    pub(super) fn new(merge_request: String) -> Self {
        Self { merge_request, did: Vec::new(), outcome: Outcome::Done }
    }

    /// Notes what was done, where anything was.
    pub(super) fn note(&mut self, what: &'static str, effect: &Effect) {
        match effect {
            Effect::Nothing => {}
            Effect::Written => self.did.push(Did { what, plan: None }),
            Effect::Shown(plan) => self.did.push(Did { what, plan: Some(plan.clone()) }),
        }
    }

    fn is_quiet(&self) -> bool {
        self.did.is_empty() && matches!(self.outcome, Outcome::Done)
    }
}

#[derive(Serialize)]
struct Json<'a> {
    format: u32,
    merge_requests: Vec<JsonLine<'a>>,
    not_looked_at: usize,
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

    /// Prints it.
    pub(super) fn print(&self, output: Output, paint: Paint) -> Result<()> {
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
                Outcome::Refused(why) => {
                    said.push(paint.yellow(format!("cannot be synced: {}", printable(why.as_bytes()))));
                }
                Outcome::Failed(why) => said.push(paint.red(format!("failed: {}", printable(why.as_bytes())))),
            }
            text.push_str(&format!("{:width$}  {}\n", line.merge_request, said.join(", ")));
            line.did.iter().filter_map(|did| did.plan.as_deref()).for_each(|plan| text.push_str(plan));
        }
        let quiet = self.number(Line::is_quiet);
        let refused = self.number(|line| matches!(line.outcome, Outcome::Refused(_)));
        let failed = self.number(|line| matches!(line.outcome, Outcome::Failed(_)));
        let changed = self.lines.len().saturating_sub(quiet + refused + failed);
        let all = [
            (quiet, "unchanged"),
            (changed, "changed"),
            (refused, "cannot be synced"),
            (failed, "failed"),
            (self.left, "not looked at"),
        ];
        let parts: Vec<_> = all.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let parts = if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") };
        text.push_str(&format!(
            "{}: {}; {} requests\n",
            count(self.lines.len().saturating_add(self.left)),
            parts,
            self.requests
        ));
        text
    }

    fn json(&self) -> Result<String> {
        let lines = self.lines.iter().map(|line| {
            let (outcome, why) = match &line.outcome {
                Outcome::Done => ("done", None),
                Outcome::Refused(why) => ("cannot_be_synced", Some(why.as_str())),
                Outcome::Failed(why) => ("failed", Some(why.as_str())),
            };
            JsonLine { merge_request: &line.merge_request, did: &line.did, outcome, why }
        });
        let json =
            Json { format: 1, merge_requests: lines.collect(), not_looked_at: self.left, requests: self.requests };
        Ok(serde_json::to_string_pretty(&json).context("writing JSON")? + "\n")
    }

    /// Returns what the run failed with.
    pub(super) fn failure(&self) -> String {
        let failed = self.number(|line| matches!(line.outcome, Outcome::Failed(_)));
        format!("{failed} of {} could not be brought up to date", count(self.lines.len()))
    }
}

/// Returns a number of merge requests in words.
pub(super) fn count(number: usize) -> String {
    format!("{number} {}", if number == 1 { "merge request" } else { "merge requests" })
}
