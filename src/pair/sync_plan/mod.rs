//! The plan of `sync` for one source-git merge request, as a plain value computed from facts.
//!
//! The caller carries out the steps in order: branch, merge request, status, note. The note comes last, because it
//! records whether GitLab accepted the status. If anything breaks, the next plan starts from what is there by then,
//! and completes the work. If everything is up to date, the plan has no steps.

mod merge_request;
mod source_note;
mod step;

use crate::pair::facts::{
    Blocked, BranchState, BranchTip, Committer, DistGitContent, DistGitLink, DistGitMergeRequest, RequestState,
    SyncFacts, SyncMode, WantedContent,
};
use crate::pair::note::{DistGitState, NoteBody, SyncedWith};
use crate::pair::state::PairState;
pub use crate::pair::sync_plan::merge_request::texts_are_current;
pub use crate::pair::sync_plan::step::{EarlierResults, SyncStep};

/// What to do, and how `sync` ends.
#[derive(Clone, Debug)]
pub struct SyncPlan<'a> {
    /// In the order in which to do them.
    pub steps: Vec<SyncStep<'a>>,
    pub outcome: SyncOutcome,
    /// The dist-git merge request that is already there.
    pub merge_request: Option<DistGitLink>,
}

/// How `sync` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncOutcome {
    /// dist-git is up to date after the steps.
    Done,
    /// The merge request cannot be synced. Its note says why.
    CannotBeSynced,
}

/// Returns the plan for these facts.
pub fn plan<'a>(facts: &'a SyncFacts<'a>) -> SyncPlan<'a> {
    let state = PairState::of(&facts.merge_requests, &facts.source, facts.bot);
    let merge_request = state.merge_request().map(|merge_request| link(facts, merge_request));
    let mut plan =
        SyncPlan { steps: merge_request::close_left_behind(facts), outcome: SyncOutcome::Done, merge_request };
    let notes = source_note::own_notes(facts);
    let body = match (&facts.content, by_people(facts, state)) {
        (WantedContent::Closed, _) => close(facts, state, &mut plan),
        (WantedContent::NotHandled, _) => Some(NoteBody::NotHandled { target: facts.source.target.clone() }),
        (_, Some(body)) => {
            if matches!(body, NoteBody::PersonPushed { .. }) {
                plan.outcome = SyncOutcome::CannotBeSynced;
                plan.steps.extend(merge_request::reopen(facts, state));
                plan.steps.extend(merge_request::announce_merge_apart(facts, state));
            }
            Some(body)
        }
        (WantedContent::Content(_), None) if facts.visibility.would_leak() => {
            plan.outcome = SyncOutcome::CannotBeSynced;
            plan.steps.extend(merge_request::announce_merge_apart(facts, state));
            Some(blocked(facts, state, &Blocked::LessVisible))
        }
        (WantedContent::Blocked(why), None) => {
            plan.outcome = SyncOutcome::CannotBeSynced;
            plan.steps.extend(merge_request::announce_merge_apart(facts, state));
            Some(blocked(facts, state, why))
        }
        (WantedContent::Content(content), None) if is_without_effect(content, state) => {
            Some(NoteBody::NothingToSync { report: content.report })
        }
        (WantedContent::Content(content), None) => {
            plan.steps.extend(merge_request::announce_overwriting(facts, state));
            plan.steps.extend(merge_request::push(facts, content));
            plan.steps.extend(merge_request::bring_up_to_date(facts, state, notes.first().map(|note| note.id)));
            let synced_with = match facts.source.state {
                RequestState::Merged => SyncedWith::Target(facts.source.target.clone()),
                RequestState::Opened | RequestState::Closed => SyncedWith::MergeRequest,
            };
            Some(NoteBody::Synced { report: content.report, upstream: content.upstream, synced_with })
        }
    };
    if let Some(body) = body {
        let steps = source_note::steps(facts, &notes, body, plan.merge_request.as_ref(), &plan.steps);
        plan.steps.extend(steps);
    }
    plan
}

/// Returns what people did in dist-git that the bot respects, unless somebody asks it not to.
fn by_people<'a>(facts: &SyncFacts<'_>, state: PairState<'_>) -> Option<NoteBody<'a>> {
    if facts.mode == SyncMode::Recreate {
        return None;
    }
    match (state, &facts.branch) {
        (PairState::Merged(_), _) => Some(NoteBody::Merged),
        (PairState::ClosedByPerson(_), _) => Some(NoteBody::Closed),
        (_, BranchState::At(BranchTip { by: Committer::Person, .. })) => {
            Some(NoteBody::PersonPushed { branch: facts.branch_name.clone() })
        }
        _ => None,
    }
}

/// Plans for a source-git merge request that was closed, and returns what the note says about it.
fn close<'a>(facts: &SyncFacts<'_>, state: PairState<'_>, plan: &mut SyncPlan<'_>) -> Option<NoteBody<'a>> {
    Some(match state {
        PairState::None => return None,
        PairState::Open(current) => {
            let steps = merge_request::close(facts, current);
            let body = if steps.is_empty() { NoteBody::KeptOpen } else { NoteBody::SourceClosed };
            plan.steps.extend(steps);
            body
        }
        PairState::ClosedByBot(..) => NoteBody::SourceClosed,
        PairState::ClosedByPerson(_) => NoteBody::Closed,
        PairState::Merged(_) => NoteBody::Merged,
    })
}

fn blocked<'a>(facts: &SyncFacts<'_>, state: PairState<'_>, why: &'a Blocked) -> NoteBody<'a> {
    let dist_git = match state {
        PairState::None => DistGitState::Nothing,
        PairState::Open(_) => DistGitState::Open,
        PairState::ClosedByBot(..) | PairState::ClosedByPerson(_) | PairState::Merged(_) => DistGitState::Closed,
    };
    NoteBody::Blocked { why, commit: facts.source.head, dist_git }
}

/// Whether dist-git would stay as it is, and no merge request there has to follow.
fn is_without_effect(content: &DistGitContent<'_>, state: PairState<'_>) -> bool {
    content.tree == content.base_tree && !matches!(state, PairState::Open(_))
}

fn link(facts: &SyncFacts<'_>, merge_request: &DistGitMergeRequest) -> DistGitLink {
    DistGitLink { project: facts.dist_git.clone(), merge_request: merge_request.iid, url: merge_request.url.clone() }
}

#[cfg(test)]
mod tests;
