//! What `report` would do, with the changes in the note.

use serde::Serialize;

use crate::ops::commit_statuses;
use crate::ops::report::observe::ReportSeen;
use crate::ops::text_change::TextChange;
use crate::pair::report_plan::ReportPlan;
use crate::pair::statuses::{StatusPlace, StatusPost};

#[derive(Debug, Default, Serialize)]
pub(crate) struct ReportPreview {
    pub(crate) steps: Vec<PlannedReport>,
}

/// JSON output shows it, so names of variants and fields are part of its format.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub(crate) enum PlannedReport {
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
        text: TextChange,
    },
}

impl ReportPreview {
    pub(crate) fn of(seen: &ReportSeen) -> Self {
        let ReportPlan { posts, note } = seen.facts.plan(&seen.posted);
        let mut steps: Vec<_> = posts.into_iter().map(step).collect();
        steps.extend(note.map(|edit| PlannedReport::EditNote {
            note: edit.id.0,
            text: TextChange::from(Some(&edit.before), edit.after),
        }));
        Self { steps }
    }
}

fn step(post: StatusPost) -> PlannedReport {
    let StatusPost { place, status } = post;
    let commit = place.sha().to_string();
    let (pipeline, branch) = match place {
        StatusPlace::Pipeline { id, .. } => (Some(id.0), None),
        StatusPlace::Branch { name, .. } => (None, Some(name)),
    };
    PlannedReport::PostStatus {
        commit,
        pipeline,
        branch,
        name: status.name,
        state: commit_statuses::gitlab_state(status.state),
        description: status.description,
        url: status.url,
    }
}
