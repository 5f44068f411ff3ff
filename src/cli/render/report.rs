//! What a dry run of `report` would do, as text.

use crate::cli::render::change;
use crate::cli::terminal::Paint;
use crate::ops::report::preview::{PlannedReport, ReportPreview};
use crate::types::text::printable_whole;

pub(crate) fn text(preview: &ReportPreview, paint: Paint) -> String {
    if preview.steps.is_empty() {
        return "nothing would be done\n".to_owned();
    }
    preview.steps.iter().map(|step| step_text(step, paint)).collect()
}

fn step_text(step: &PlannedReport, paint: Paint) -> String {
    let (heading, body) = match step {
        PlannedReport::PostStatus { commit, pipeline, branch, name, state, description, .. } => {
            let within = match (pipeline, branch) {
                (Some(pipeline), _) => format!(", in pipeline {pipeline}"),
                (None, Some(branch)) => format!(", on the branch {branch}"),
                (None, None) => String::new(),
            };
            let short: String = commit.chars().take(10).collect();
            let text = format!("post the status {name:?}, {state} ({description}), on {short}{within}");
            (printable_whole(text.as_bytes()), String::new())
        }
        PlannedReport::EditNote { note, text } => (format!("edit the note {note}"), change::lines(text, paint)),
    };
    format!("{}\n{body}", paint.bold(format!("would {heading}")))
}
