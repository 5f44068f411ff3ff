//! Shows what `report` would do: as text for people, with what changes in the note, or as data.

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::cli::args::Output;
use crate::cli::render::change::Change;
use crate::cli::terminal::Paint;
use crate::ops::commit_statuses;
use crate::ops::report::observe::Seen;
use crate::pair::report_plan::ReportPlan;
use crate::pair::statuses::{StatusPlace, StatusPost};
use crate::types::text::printable_whole;

/// One step, as it is shown; also the form of the JSON output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "step")]
enum Shown {
    PostStatus {
        commit: String,
        pipeline: Option<u64>,
        branch: Option<String>,
        name: String,
        state: &'static str,
        description: String,
        url: Option<String>,
    },
    EditNote {
        note: u64,
        text: Change,
    },
}

#[derive(Serialize)]
struct Json {
    format: u32,
    steps: Vec<Shown>,
}

/// Returns the plan as it is shown.
pub(crate) fn shown(seen: &Seen, output: Output, paint: Paint) -> Result<String> {
    let ReportPlan { posts, note } = seen.observed.plan(&seen.posted);
    let mut steps: Vec<_> = posts.into_iter().map(step).collect();
    steps.extend(
        note.map(|edit| Shown::EditNote { note: edit.id.0, text: Change::from(Some(&edit.before), edit.after) }),
    );
    written(steps, output, paint)
}

/// Returns what is shown where there is nothing to do.
pub(crate) fn nothing(output: Output) -> Result<String> {
    written(Vec::new(), output, Paint::Plain)
}

fn written(steps: Vec<Shown>, output: Output, paint: Paint) -> Result<String> {
    Ok(match output {
        Output::Text if steps.is_empty() => "nothing would be done\n".to_owned(),
        Output::Text => steps.iter().map(|step| step_text(step, paint)).collect(),
        Output::Json => serde_json::to_string_pretty(&Json { format: 1, steps }).context("writing JSON")? + "\n",
    })
}

fn step(post: StatusPost) -> Shown {
    let StatusPost { place, status } = post;
    let commit = place.sha().to_string();
    let (pipeline, branch) = match place {
        StatusPlace::Pipeline { id, .. } => (Some(id.0), None),
        StatusPlace::Branch { name, .. } => (None, Some(name)),
    };
    Shown::PostStatus {
        commit,
        pipeline,
        branch,
        name: status.name,
        state: commit_statuses::word(status.state),
        description: status.description,
        url: status.url,
    }
}

fn step_text(step: &Shown, paint: Paint) -> String {
    let (heading, body) = match step {
        Shown::PostStatus { commit, pipeline, branch, name, state, description, .. } => {
            let within = match (pipeline, branch) {
                (Some(pipeline), _) => format!(", in pipeline {pipeline}"),
                (None, Some(branch)) => format!(", on the branch {branch}"),
                (None, None) => String::new(),
            };
            let short: String = commit.chars().take(10).collect();
            let text = format!("post the status {name:?}, {state} ({description}), on {short}{within}");
            (printable_whole(text.as_bytes()), String::new())
        }
        Shown::EditNote { note, text } => (format!("edit the note {note}"), text.lines(paint)),
    };
    format!("{}\n{body}", paint.bold(format!("would {heading}")))
}
