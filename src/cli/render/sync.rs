//! What a dry run of `sync` would do, as text.

use crate::cli::render::{change, transformation};
use crate::cli::terminal::Paint;
use crate::ops::sync::preview::{PlannedSync, SyncPreview};
use crate::ops::text_change::TextChange;

pub(crate) fn text(preview: &SyncPreview, paint: Paint) -> String {
    let report = preview.report.as_ref();
    let report = report.map(|report| transformation::report_text(report, &preview.diffs, paint) + "\n");
    report.unwrap_or_default() + &steps_text(&preview.steps, paint)
}

fn steps_text(steps: &[PlannedSync], paint: Paint) -> String {
    if steps.is_empty() {
        return "nothing would be done\n".to_owned();
    }
    let mut text: String = steps.iter().map(|step| step_text(step, paint)).collect();
    if steps.iter().any(|step| matches!(step, PlannedSync::OpenMergeRequest { .. })) {
        text.push_str("(once the dist-git merge request is open, the note links to it)\n");
    }
    text
}

fn step_text(step: &PlannedSync, paint: Paint) -> String {
    let (heading, body) = match step {
        PlannedSync::CreateFork { project, of } => (format!("make {project}, a fork of {of}"), String::new()),
        PlannedSync::PushBranch { project, branch, expected, message, .. } => {
            let from = expected.as_ref().map_or("which is not there".to_owned(), |commit| format!("now at {commit}"));
            (format!("push the branch {branch} to {project}, {from}"), change::lines(message, paint))
        }
        PlannedSync::OpenMergeRequest { branch, target, title, description, labels } => {
            let labels = match &labels[..] {
                [] => String::new(),
                labels => format!(", labelled {}", labels.join(", ")),
            };
            let title = change::lines(&TextChange::new(format!("{title}\n\n")), paint);
            let heading = format!("open a dist-git merge request from {branch} into {target}{labels}");
            (heading, title + &change::lines(description, paint))
        }
        PlannedSync::Announce { merge_request, text } => {
            (format!("write a note in the dist-git merge request !{merge_request}"), change::lines(text, paint))
        }
        PlannedSync::EditMergeRequest { merge_request, title, description, state } => {
            let changes = title.iter().chain(description).map(|text| change::lines(text, paint));
            let what = match *state {
                Some("closed") => "close",
                Some(_) => "open again",
                None => "edit",
            };
            (format!("{what} the dist-git merge request !{merge_request}"), changes.collect())
        }
        PlannedSync::CreateNote { text } => {
            ("write a note on the merge request".to_owned(), change::lines(text, paint))
        }
        PlannedSync::EditNote { note, text } => (format!("edit the note {note}"), change::lines(text, paint)),
        PlannedSync::DeleteNote { note } => (format!("remove the second note {note}"), String::new()),
        PlannedSync::PostStatus { commit, name, state } => {
            (format!("post the status {name}, {state}, on {commit}"), String::new())
        }
    };
    format!("{}\n{body}", paint.bold(format!("would {heading}")))
}
