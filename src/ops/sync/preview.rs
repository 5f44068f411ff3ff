//! What `sync` would do, with diffs against what exists.

use serde::Serialize;

use crate::git::Store;
use crate::ops::generate::diffs::{self, FileDiff};
use crate::ops::sync::observe::SyncSeen;
use crate::ops::sync::run::SyncRun;
use crate::ops::text_change::TextChange;
use crate::pair::announcement::{self, AnnouncedMergeRequest};
use crate::pair::facts::{BranchState, SyncFacts};
use crate::pair::statuses;
use crate::pair::sync_plan::{SyncOutcome, SyncPlan, SyncStep};
use crate::transform::report::TransformReport;
use crate::types::error::Result;
use crate::types::{Refusal, StateChange};

#[derive(Debug, Serialize)]
pub(crate) struct SyncPreview {
    pub(crate) can_be_synced: bool,
    /// Why the merge request cannot be synced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<Refusal>,
    pub(crate) steps: Vec<PlannedSync>,
    /// What changes in dist-git, if content could be made.
    pub(crate) report: Option<TransformReport>,
    pub(crate) diffs: Vec<FileDiff>,
}

/// A [`SyncStep`], with the current texts. JSON output shows it, so names of variants and fields are part of its
/// format.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub(crate) enum PlannedSync {
    CreateFork {
        project: String,
        of: String,
    },
    PushBranch {
        project: String,
        branch: String,
        expected: Option<String>,
        parent: String,
        message: TextChange,
    },
    OpenMergeRequest {
        branch: String,
        target: String,
        title: String,
        description: TextChange,
        labels: Vec<String>,
    },
    #[serde(rename = "tell")]
    Announce {
        merge_request: u64,
        text: TextChange,
    },
    EditMergeRequest {
        merge_request: u64,
        title: Option<TextChange>,
        description: Option<TextChange>,
        state: Option<&'static str>,
    },
    CreateNote {
        text: TextChange,
    },
    EditNote {
        note: u64,
        text: TextChange,
    },
    DeleteNote {
        note: u64,
    },
    PostStatus {
        commit: String,
        name: &'static str,
        state: &'static str,
    },
}

impl SyncRun<'_> {
    /// Returns the plan as a value that can be shown to people.
    pub(crate) fn preview(
        &self,
        store: &Store,
        seen: &SyncSeen,
        facts: &SyncFacts<'_>,
        plan: &SyncPlan<'_>,
        refusal: Option<Refusal>,
    ) -> Result<SyncPreview> {
        let generated = seen.generated();
        Ok(SyncPreview {
            can_be_synced: plan.outcome == SyncOutcome::Done,
            refusal,
            steps: self.planned_steps(seen, facts, plan)?,
            report: generated.map(|generated| generated.report.clone()),
            diffs: generated.map(|generated| diffs::diffs(store, generated)).transpose()?.unwrap_or_default(),
        })
    }

    fn planned_steps(&self, seen: &SyncSeen, facts: &SyncFacts<'_>, plan: &SyncPlan<'_>) -> Result<Vec<PlannedSync>> {
        let link = plan.merge_request.as_ref();
        let mut planned = Vec::new();
        for step in &plan.steps {
            if matches!(step, SyncStep::PushBranch { .. })
                && self.fork_path()? != self.dist_path
                && !seen.has_branch_repository()
            {
                let (project, of) = (self.fork_path()?.to_string(), self.dist_path.to_string());
                planned.push(PlannedSync::CreateFork { project, of });
            }
            planned.push(match step {
                SyncStep::PushBranch { branch, expected, parent, message, .. } => PlannedSync::PushBranch {
                    project: self.fork_path()?.to_string(),
                    branch: branch.to_string(),
                    expected: expected.map(|commit| commit.to_string()),
                    parent: parent.to_string(),
                    message: TextChange::from(message_before(facts), message),
                },
                SyncStep::OpenMergeRequest { branch, target, title, description, labels } => {
                    PlannedSync::OpenMergeRequest {
                        branch: branch.to_string(),
                        target: target.to_string(),
                        title: title.clone(),
                        description: TextChange::new(description),
                        labels: labels.clone(),
                    }
                }
                SyncStep::Announce { iid, announcement: news } => {
                    let source = &facts.source;
                    let about =
                        AnnouncedMergeRequest { path: &source.path, merge_request: source.iid, url: &source.url };
                    PlannedSync::Announce {
                        merge_request: iid.0,
                        text: TextChange::new(announcement::note(news, about)),
                    }
                }
                SyncStep::EditMergeRequest { iid, title, description, state_change: turn } => {
                    let current =
                        facts.merge_requests.iter().chain(&facts.left_behind).find(|current| current.iid == *iid);
                    let title = title.as_ref().map(|after| TextChange::from(current.map(|t| t.title.as_str()), after));
                    let description = description
                        .as_ref()
                        .map(|after| TextChange::from(current.map(|t| t.description.as_str()), after));
                    let state = turn.map(|turn| match turn {
                        StateChange::Close => "closed",
                        StateChange::Reopen => "opened",
                    });
                    PlannedSync::EditMergeRequest { merge_request: iid.0, title, description, state }
                }
                SyncStep::CreateNote { note } => PlannedSync::CreateNote { text: TextChange::new(note.render(link)) },
                SyncStep::EditNote { id, note } => {
                    let current = facts.notes.iter().find(|current| current.id == *id);
                    let text = TextChange::from(current.map(|current| current.body.as_str()), note.render(link));
                    PlannedSync::EditNote { note: id.0, text }
                }
                SyncStep::DeleteNote { id } => PlannedSync::DeleteNote { note: id.0 },
                SyncStep::ExpectResults { place, .. } => {
                    PlannedSync::PostStatus { commit: place.sha().to_string(), name: statuses::NAME, state: "pending" }
                }
            });
        }
        Ok(planned)
    }
}

fn message_before<'a>(facts: &'a SyncFacts<'_>) -> Option<&'a str> {
    match &facts.branch {
        BranchState::At(tip) => Some(&tip.message),
        BranchState::Missing => None,
    }
}
