//! The steps for dist-git's side: the bot's branch, the merge request, and the announcements in it.

use crate::pair::announcement::Announcement;
use crate::pair::description::{self, DescriptionSource};
use crate::pair::facts::{
    BranchOrigin, BranchState, BranchTip, Committer, DistGitContent, DistGitMergeRequest, RequestState,
    SourceMergeRequest, SyncFacts, SyncMode,
};
use crate::pair::markers::{self, EndReason, PairRecord};
use crate::pair::state::{self, PairState};
use crate::pair::sync_plan::step::SyncStep;
use crate::pair::{commit, note, title};
use crate::types::{NoteId, StateChange};

/// Closes the merge requests for earlier target branches of the source-git merge request, and those from a project that
/// no longer holds the bot's branches.
pub(super) fn close_left_behind<'a>(facts: &SyncFacts<'_>) -> Vec<SyncStep<'a>> {
    let mut steps = Vec::new();
    let open = facts
        .left_behind
        .iter()
        .filter(|merge_request| merge_request.author == facts.bot && merge_request.state == RequestState::Opened);
    for merge_request in open {
        let (announcement, reason) = match merge_request.branch == facts.branch_name {
            true => (Announcement::Moved, EndReason::Moved),
            false => (Announcement::Retargeted { to: facts.source.target.clone() }, EndReason::Retargeted),
        };
        // If the bot closed it for this reason before, somebody reopened it and wants it open.
        if state::end_reason(merge_request, &facts.source) != Some(reason) {
            steps.extend(announce(facts, merge_request, announcement));
            steps.push(change_state(facts, merge_request, StateChange::Close, Some(reason)));
        }
    }
    steps
}

/// Closes the open merge request, because the source-git one was closed. No steps if the bot closed it for that reason
/// before: then somebody reopened it and wants it open.
pub(super) fn close<'a>(facts: &SyncFacts<'_>, current: &DistGitMergeRequest) -> Vec<SyncStep<'a>> {
    if state::end_reason(current, &facts.source) == Some(EndReason::Closed) {
        return Vec::new();
    }
    let announced = announce(facts, current, Announcement::Closed);
    let closed = change_state(facts, current, StateChange::Close, Some(EndReason::Closed));
    announced.into_iter().chain([closed]).collect()
}

/// Opens the merge request, or reopens it, or updates its texts.
pub(super) fn bring_up_to_date<'a>(
    facts: &SyncFacts<'_>,
    state: PairState<'_>,
    note: Option<NoteId>,
) -> Vec<SyncStep<'a>> {
    let source = &facts.source;
    let reopened = reopen(facts, state);
    if !reopened.is_empty() {
        return reopened;
    }
    if let PairState::Open(current) = state {
        let mut steps = Vec::new();
        if is_unrecorded_merge(source, current) {
            steps.extend(announce(facts, current, Announcement::Merged { commit: source.merged_as }));
        }
        steps.extend(update_texts(source, current, note));
        return steps;
    }
    let title = wanted_title(source);
    vec![SyncStep::OpenMergeRequest {
        branch: facts.branch_name.clone(),
        target: source.target.clone(),
        title: title.clone(),
        description: description::new(&description_source(source, note, &title, merge_reason(source))),
        labels: facts.labels.clone(),
    }]
}

/// Announces that the source-git merge request was merged, in a dist-git one that cannot follow it. The content and the
/// texts of that one stay as they are.
pub(super) fn announce_merge_apart<'a>(facts: &SyncFacts<'_>, state: PairState<'_>) -> Vec<SyncStep<'a>> {
    let source = &facts.source;
    let current = match state {
        PairState::Open(current) if is_unrecorded_merge(source, current) => current,
        _ => return Vec::new(),
    };
    let announced = announce(facts, current, Announcement::MergedApart { commit: source.merged_as });
    let record = state::own_record(current, source).map(|record| PairRecord { ended: merge_reason(source), ..record });
    let description = record.and_then(|record| markers::replace_record(&current.description, &record));
    let edit = |description| SyncStep::EditMergeRequest {
        iid: current.iid,
        title: None,
        description: Some(description),
        state_change: None,
    };
    announced.into_iter().chain(description.map(edit)).collect()
}

/// Whether the source-git merge request was merged, and the record of the dist-git one does not say so yet.
fn is_unrecorded_merge(source: &SourceMergeRequest, current: &DistGitMergeRequest) -> bool {
    let reason = merge_reason(source);
    reason.is_some() && state::end_reason(current, source) != reason
}

/// Reopens a merge request that the bot closed, or that somebody asks for. GitLab can reopen it only if its branch
/// exists.
pub(super) fn reopen<'a>(facts: &SyncFacts<'_>, state: PairState<'_>) -> Vec<SyncStep<'a>> {
    let (current, announcement) = match (state, facts.mode) {
        (PairState::ClosedByBot(current, EndReason::Retargeted), _) => (current, Announcement::Returned),
        (PairState::ClosedByBot(current, _), _) => (current, Announcement::Reopened),
        (PairState::ClosedByPerson(current), SyncMode::Recreate) => (current, Announcement::AskedFor),
        _ => return Vec::new(),
    };
    if current.origin == BranchOrigin::Gone || matches!(state, PairState::ClosedByBot(_, EndReason::Moved)) {
        return Vec::new();
    }
    // If it was merged, announce only that. Nobody can merge a merge request without reopening it first.
    let merged = facts.source.state == RequestState::Merged && announcement != Announcement::AskedFor;
    let announcement = if merged { Announcement::Merged { commit: facts.source.merged_as } } else { announcement };
    let announced = announce(facts, current, announcement);
    let reopened = change_state(facts, current, StateChange::Reopen, merge_reason(&facts.source));
    announced.into_iter().chain([reopened]).collect()
}

/// Announces that the bot overwrites what people pushed.
pub(super) fn announce_overwriting<'a>(facts: &SyncFacts<'_>, state: PairState<'_>) -> Option<SyncStep<'a>> {
    match (&facts.branch, state.merge_request()) {
        (BranchState::At(BranchTip { by: Committer::Person, commit, .. }), Some(current)) => {
            announce(facts, current, Announcement::Overwritten { was: *commit })
        }
        _ => None,
    }
}

/// Returns the step for `announcement`; `None` if the bot's last announcement was the same.
fn announce<'a>(
    facts: &SyncFacts<'_>,
    merge_request: &DistGitMergeRequest,
    announcement: Announcement,
) -> Option<SyncStep<'a>> {
    let last = facts.announced.iter().find(|last| last.merge_request == merge_request.iid);
    let is_repetition = last.is_some_and(|last| last.announcement.as_ref() == Some(&announcement));
    (!is_repetition).then_some(SyncStep::Announce { iid: merge_request.iid, announcement })
}

/// Returns the step that closes or reopens a merge request, and records the reason.
fn change_state<'a>(
    facts: &SyncFacts<'_>,
    merge_request: &DistGitMergeRequest,
    state_change: StateChange,
    reason: Option<EndReason>,
) -> SyncStep<'a> {
    let source = &facts.source;
    let wanted = wanted_title(source);
    let record = state::own_record(merge_request, source);
    let note = record.as_ref().and_then(|record| record.note);
    let described = description_source(source, note, &wanted, reason);
    let last = record.as_ref().map(|record| record.title.as_str());
    let title = title::updated(&wanted, last, &merge_request.title);
    let description = description::updated(&merge_request.description, record.as_ref(), &described);
    SyncStep::EditMergeRequest {
        iid: merge_request.iid,
        title: (title != merge_request.title).then_some(title),
        description: (!note::same(&description, &merge_request.description)).then_some(description),
        state_change: Some(state_change),
    }
}

/// Returns the reason to record in a dist-git merge request that stays open: only a merge.
fn merge_reason(source: &SourceMergeRequest) -> Option<EndReason> {
    (source.state == RequestState::Merged).then_some(EndReason::Merged)
}

fn wanted_title(source: &SourceMergeRequest) -> String {
    title::title(&source.title, source.draft)
}

/// Returns the push; `None` if tree, base and message are the same, because each push makes dist-git's CI run again.
pub(super) fn push<'a>(facts: &SyncFacts<'_>, content: &DistGitContent<'_>) -> Option<SyncStep<'a>> {
    let source = &facts.source;
    let message = commit::message(&wanted_title(source), &source.description, &source.authors, &source.head);
    let expected = match &facts.branch {
        BranchState::Missing => None,
        BranchState::At(tip) => {
            // After the merge, a new message would only name another source-git commit for the same content.
            let same_message = source.state == RequestState::Merged || tip.message.trim_end() == message.trim_end();
            if tip.tree == content.tree && tip.parent == Some(content.base) && same_message {
                return None;
            }
            Some(tip.commit)
        }
    };
    let branch = facts.branch_name.clone();
    Some(SyncStep::PushBranch { branch, expected, tree: content.tree, parent: content.base, message })
}

/// Whether the title and description of a dist-git merge request are up to date.
pub fn texts_are_current(source: &SourceMergeRequest, current: &DistGitMergeRequest) -> bool {
    update_texts(source, current, None).is_none()
}

/// Returns the step that brings the texts of a dist-git merge request up to date; `None` if they are.
fn update_texts<'a>(
    source: &SourceMergeRequest,
    current: &DistGitMergeRequest,
    note: Option<NoteId>,
) -> Option<SyncStep<'a>> {
    let wanted = wanted_title(source);
    let described = description_source(source, note, &wanted, merge_reason(source));
    let record = state::own_record(current, source);
    let last = record.as_ref().map(|record| record.title.as_str());
    let title = title::updated(&wanted, last, &current.title);
    // The note's number alone is no reason for an edit. The bot records it together with other changes.
    let known_note = record.as_ref().and_then(|record| record.note);
    let with_known_note = DescriptionSource { note: known_note, ..described };
    let unchanged = description::updated(&current.description, record.as_ref(), &with_known_note);
    let description = if note::same(&unchanged, &current.description) {
        None
    } else {
        Some(description::updated(&current.description, record.as_ref(), &described))
    };
    let title = (title != current.title).then_some(title);
    (title.is_some() || description.is_some()).then_some(SyncStep::EditMergeRequest {
        iid: current.iid,
        title,
        description,
        state_change: None,
    })
}

fn description_source<'a>(
    source: &'a SourceMergeRequest,
    note: Option<NoteId>,
    title: &'a str,
    ended: Option<EndReason>,
) -> DescriptionSource<'a> {
    DescriptionSource {
        project: source.project,
        path: &source.path,
        merge_request: source.iid,
        url: &source.url,
        description: &source.description,
        note,
        title,
        ended,
    }
}
