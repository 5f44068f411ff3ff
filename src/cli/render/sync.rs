//! Shows what `sync` would do: as text for people, with diffs against what is there, or as data.

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::cli::args::Output;
use crate::cli::render::change::Change;
use crate::cli::render::transformation::{self, FileDiff};
use crate::cli::terminal::Paint;
use crate::git::Store;
use crate::ops::sync::Run;
use crate::ops::sync::observe::Seen;
use crate::pair::announcement::{self, AnnouncedMergeRequest};
use crate::pair::facts::{BranchState, SyncFacts};
use crate::pair::statuses;
use crate::pair::sync_plan::{SyncOutcome, SyncPlan, SyncStep};
use crate::transform::report::Report;
use crate::types::StateChange;

/// One step, as it is shown; also the form of the JSON output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "step")]
enum Shown {
    CreateFork {
        project: String,
        of: String,
    },
    PushBranch {
        project: String,
        branch: String,
        expected: Option<String>,
        parent: String,
        message: Change,
    },
    OpenMergeRequest {
        branch: String,
        target: String,
        title: String,
        description: Change,
        labels: Vec<String>,
    },
    Tell {
        merge_request: u64,
        text: Change,
    },
    EditMergeRequest {
        merge_request: u64,
        title: Option<Change>,
        description: Option<Change>,
        state: Option<&'static str>,
    },
    CreateNote {
        text: Change,
    },
    EditNote {
        note: u64,
        text: Change,
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

#[derive(Serialize)]
struct Json<'a> {
    format: u32,
    can_be_synced: bool,
    steps: Vec<Shown>,
    report: Option<&'a Report>,
    diffs: &'a [FileDiff],
}

impl Run<'_> {
    /// Returns the plan as it is shown.
    pub(crate) fn shown(
        &self,
        store: &Store,
        seen: &Seen,
        observed: &SyncFacts<'_>,
        plan: &SyncPlan<'_>,
        output: Output,
        paint: Paint,
    ) -> Result<String> {
        let generated = seen.generated();
        let diffs =
            generated.map(|generated| transformation::diffs_of(store, generated)).transpose()?.unwrap_or_default();
        let steps = self.steps(seen, observed, plan)?;
        Ok(match output {
            Output::Text => {
                let report = generated.map(|made| transformation::report_text(&made.report, &diffs, paint) + "\n");
                report.unwrap_or_default() + &steps_text(&steps, paint)
            }
            Output::Json => {
                let report = generated.map(|generated| &generated.report);
                let can_be_synced = plan.outcome == SyncOutcome::Done;
                let json = Json { format: 1, can_be_synced, steps, report, diffs: &diffs };
                serde_json::to_string_pretty(&json).context("writing JSON")? + "\n"
            }
        })
    }

    fn steps(&self, seen: &Seen, observed: &SyncFacts<'_>, plan: &SyncPlan<'_>) -> Result<Vec<Shown>> {
        let link = plan.merge_request.as_ref();
        let mut shown = Vec::new();
        for step in &plan.steps {
            if matches!(step, SyncStep::PushBranch { .. })
                && self.fork_path()? != self.dist_path
                && !seen.branch_home_answers()
            {
                let (project, of) = (self.fork_path()?.to_string(), self.dist_path.to_string());
                shown.push(Shown::CreateFork { project, of });
            }
            shown.push(match step {
                SyncStep::PushBranch { branch, expected, parent, message, .. } => Shown::PushBranch {
                    project: self.fork_path()?.to_string(),
                    branch: branch.to_string(),
                    expected: expected.map(|commit| commit.to_string()),
                    parent: parent.to_string(),
                    message: Change::from(message_before(observed), message),
                },
                SyncStep::OpenMergeRequest { branch, target, title, description, labels } => Shown::OpenMergeRequest {
                    branch: branch.to_string(),
                    target: target.to_string(),
                    title: title.clone(),
                    description: Change::new(description),
                    labels: labels.clone(),
                },
                SyncStep::Announce { iid, announcement: news } => {
                    let source = &observed.source;
                    let about =
                        AnnouncedMergeRequest { path: &source.path, merge_request: source.iid, url: &source.url };
                    Shown::Tell { merge_request: iid.0, text: Change::new(announcement::note(news, about)) }
                }
                SyncStep::EditMergeRequest { iid, title, description, state_change: turn } => {
                    let there =
                        observed.merge_requests.iter().chain(&observed.left_behind).find(|there| there.iid == *iid);
                    let title = title.as_ref().map(|after| Change::from(there.map(|t| t.title.as_str()), after));
                    let description =
                        description.as_ref().map(|after| Change::from(there.map(|t| t.description.as_str()), after));
                    let state = turn.map(|turn| match turn {
                        StateChange::Close => "closed",
                        StateChange::Reopen => "opened",
                    });
                    Shown::EditMergeRequest { merge_request: iid.0, title, description, state }
                }
                SyncStep::CreateNote { note } => Shown::CreateNote { text: Change::new(note.render(link)) },
                SyncStep::EditNote { id, note } => {
                    let there = observed.notes.iter().find(|there| there.id == *id);
                    let text = Change::from(there.map(|there| there.body.as_str()), note.render(link));
                    Shown::EditNote { note: id.0, text }
                }
                SyncStep::DeleteNote { id } => Shown::DeleteNote { note: id.0 },
                SyncStep::ExpectResults { place, .. } => {
                    Shown::PostStatus { commit: place.sha().to_string(), name: statuses::NAME, state: "pending" }
                }
            });
        }
        Ok(shown)
    }
}

fn message_before<'a>(observed: &'a SyncFacts<'_>) -> Option<&'a str> {
    match &observed.branch {
        BranchState::At(tip) => Some(&tip.message),
        BranchState::Missing => None,
    }
}

fn steps_text(steps: &[Shown], paint: Paint) -> String {
    if steps.is_empty() {
        return "nothing would be done\n".to_owned();
    }
    let mut text: String = steps.iter().map(|step| step_text(step, paint)).collect();
    if steps.iter().any(|step| matches!(step, Shown::OpenMergeRequest { .. })) {
        text.push_str("(once the dist-git merge request is open, the note links to it)\n");
    }
    text
}

fn step_text(step: &Shown, paint: Paint) -> String {
    let (heading, body) = match step {
        Shown::CreateFork { project, of } => (format!("make {project}, a fork of {of}"), String::new()),
        Shown::PushBranch { project, branch, expected, message, .. } => {
            let from = expected.as_ref().map_or("which is not there".to_owned(), |commit| format!("now at {commit}"));
            (format!("push the branch {branch} to {project}, {from}"), message.lines(paint))
        }
        Shown::OpenMergeRequest { branch, target, title, description, labels } => {
            let labels = match &labels[..] {
                [] => String::new(),
                labels => format!(", labelled {}", labels.join(", ")),
            };
            let title = Change::new(format!("{title}\n\n")).lines(paint);
            let heading = format!("open a dist-git merge request from {branch} into {target}{labels}");
            (heading, title + &description.lines(paint))
        }
        Shown::Tell { merge_request, text } => {
            (format!("write a note in the dist-git merge request !{merge_request}"), text.lines(paint))
        }
        Shown::EditMergeRequest { merge_request, title, description, state } => {
            let changes = title.iter().chain(description).map(|change| change.lines(paint));
            let what = match *state {
                Some("closed") => "close",
                Some(_) => "open again",
                None => "edit",
            };
            (format!("{what} the dist-git merge request !{merge_request}"), changes.collect())
        }
        Shown::CreateNote { text } => ("write a note on the merge request".to_owned(), text.lines(paint)),
        Shown::EditNote { note, text } => (format!("edit the note {note}"), text.lines(paint)),
        Shown::DeleteNote { note } => (format!("remove the second note {note}"), String::new()),
        Shown::PostStatus { commit, name, state } => {
            (format!("post the status {name}, {state}, on {commit}"), String::new())
        }
    };
    format!("{}\n{body}", paint.bold(format!("would {heading}")))
}
