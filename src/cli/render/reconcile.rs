//! The summary of a `reconcile` run, as text for people or as data.

use serde::Serialize;

use crate::cli::render::preview;
use crate::cli::terminal::Paint;
use crate::ops::reconcile::summary::{Action, LineOutcome, Summary, SummaryCounts, count_text};
use crate::types::text::printable;

pub(crate) fn text(summary: &Summary, paint: Paint) -> String {
    let width =
        summary.lines.iter().filter(|line| !line.is_quiet()).map(|line| line.merge_request.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for line in summary.lines.iter().filter(|line| !line.is_quiet()) {
        let mut said: Vec<_> = line.did.iter().map(describe).collect();
        match &line.outcome {
            LineOutcome::Done => {}
            LineOutcome::LeftAlone(why) => said.push(format!("left alone: {}", printable(why.as_bytes()))),
            LineOutcome::Refused(why) => {
                said.push(paint.yellow(format!("cannot be synced: {}", printable(why.as_bytes()))));
            }
            LineOutcome::Failed(why) | LineOutcome::SharedFailure(why) => {
                said.push(paint.red(format!("failed: {}", printable(why.as_bytes()))));
            }
        }
        text.push_str(&format!("{:width$}  {}\n", line.merge_request, said.join(", ")));
        let plans = line.did.iter().filter_map(|did| did.plan.as_ref());
        plans.for_each(|plan| text.push_str(&preview::text(plan, paint)));
    }
    if let Some(issue) = &summary.status_issue {
        text.push_str("the status issue, not written (dry run):\n");
        issue.lines().for_each(|line| text.push_str(&format!("{}\n", format!("  {line}").trim_end())));
    }
    let SummaryCounts { unchanged, changed, refused, failed } = summary.counts();
    let all = [
        (unchanged, "unchanged"),
        (changed, "changed"),
        (refused, "cannot be synced"),
        (failed, "failed"),
        (summary.remaining, summary.stop_reason.words()),
    ];
    let parts: Vec<_> = all.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let parts = if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") };
    text.push_str(&format!(
        "{}: {}; {} requests\n",
        count_text(summary.looked_at().saturating_add(summary.unchanged).saturating_add(summary.remaining)),
        parts,
        summary.requests
    ));
    text
}

fn describe(did: &Action) -> String {
    match did.plan {
        None => did.what.to_owned(),
        Some(_) => format!("would have {}", did.what),
    }
}

#[derive(Serialize)]
struct JsonSummary<'a> {
    merge_requests: Vec<JsonMergeRequest<'a>>,
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
struct JsonMergeRequest<'a> {
    merge_request: &'a str,
    did: &'a [Action],
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

pub(crate) fn data(summary: &Summary) -> impl Serialize + '_ {
    let lines = summary.lines.iter().map(|line| {
        let (outcome, why) = match &line.outcome {
            LineOutcome::Done => ("done", None),
            LineOutcome::LeftAlone(why) => ("left_alone", Some(why.as_str())),
            LineOutcome::Refused(why) => ("cannot_be_synced", Some(why.as_str())),
            LineOutcome::Failed(why) | LineOutcome::SharedFailure(why) => ("failed", Some(why.as_str())),
        };
        JsonMergeRequest { merge_request: &line.merge_request, did: &line.did, outcome, why }
    });
    let SummaryCounts { unchanged, changed, refused, failed } = summary.counts();
    JsonSummary {
        merge_requests: lines.collect(),
        unchanged,
        changed,
        cannot_be_synced: refused,
        failed,
        not_looked_at: summary.remaining,
        status_issue: summary.status_issue.as_deref(),
        requests: summary.requests,
    }
}
