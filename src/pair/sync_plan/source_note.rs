//! The steps for source-git's side: the bot's note, and the status for a commit that dist-git's CI will test.

use crate::pair::commit;
use crate::pair::facts::{BranchState, DistGitLink, RequestState, SourceNote, SyncFacts, WantedContent};
use crate::pair::markers;
use crate::pair::note::ci_results::CiSection;
use crate::pair::note::retest_hint::RetestHint;
use crate::pair::note::{self, NoteBody, PairNote};
use crate::pair::statuses::Acceptance;
use crate::pair::sync_plan::step::{EarlierResults, SyncStep};
use crate::types::CommitId;

/// Returns the bot's notes, with the one to keep first.
pub(super) fn own_notes<'a>(facts: &'a SyncFacts<'_>) -> Vec<&'a SourceNote> {
    let mut notes: Vec<_> = facts
        .notes
        .iter()
        .filter(|note| note.author == facts.bot && markers::read_note(&note.body).is_some())
        .collect();
    notes.sort_by_key(|note| note.id);
    notes
}

/// Returns the steps for the status and the note. `dist_git` is the dist-git merge request that is already there, and
/// `before` the steps that come before these.
pub(super) fn steps<'a>(
    facts: &SyncFacts<'_>,
    notes: &[&SourceNote],
    body: NoteBody<'a>,
    dist_git: Option<&DistGitLink>,
    before: &[SyncStep<'a>],
) -> Vec<SyncStep<'a>> {
    if notes.is_empty() && may_stay_silent(facts, before) {
        return Vec::new();
    }
    let commit = noted_commit(facts, before);
    let results = results(before, notes, commit, &body);
    let mut steps: Vec<_> = expectation(facts, before, results.as_ref()).into_iter().collect();
    let retest_hint = RetestHint::kept(notes, &body, commit, results.as_ref());
    let base = facts.source.base.filter(|_| follows_from_commits(&body));
    let note = PairNote { commit, base, body, results, retest_hint };
    let opens = before.iter().any(|step| matches!(step, SyncStep::OpenMergeRequest { .. }));
    match notes {
        [] => steps.push(SyncStep::CreateNote { note }),
        [first, others @ ..] => {
            if opens || !note::same(&first.body, &note.render(dist_git)) {
                steps.push(SyncStep::EditNote { id: first.id, note });
            }
            steps.extend(others.iter().map(|other| SyncStep::DeleteNote { id: other.id }));
        }
    }
    steps
}

/// Whether to stay silent if there is no note yet: the merge request is closed, or nothing of it was in dist-git.
fn may_stay_silent(facts: &SyncFacts<'_>, before: &[SyncStep<'_>]) -> bool {
    match facts.content {
        WantedContent::Closed => true,
        WantedContent::NotHandled => facts.source.state != RequestState::Opened || before.is_empty(),
        WantedContent::Content(_) | WantedContent::Blocked(_) => false,
    }
}

/// Whether the text of a note follows from the commits that it names.
///
/// A decision of people, their rights, or a missing tag can change while all these commits stay the same. Such a note
/// records no base, so nobody takes it for up to date because of its base.
fn follows_from_commits(body: &NoteBody<'_>) -> bool {
    matches!(body, NoteBody::Synced { .. })
}

fn pushes(steps: &[SyncStep<'_>]) -> bool {
    steps.iter().any(|step| matches!(step, SyncStep::PushBranch { .. }))
}

/// Returns the commit that the note is about.
///
/// If the source-git merge request was merged and nothing is pushed, dist-git stays as it is: the note goes on to name
/// the commit that dist-git was made from, with its results.
fn noted_commit(facts: &SyncFacts<'_>, before: &[SyncStep<'_>]) -> CommitId {
    match &facts.branch {
        BranchState::At(tip) if facts.source.state == RequestState::Merged && !pushes(before) => {
            commit::source_of(&tip.message).unwrap_or(facts.source.head)
        }
        _ => facts.source.head,
    }
}

/// Returns the CI results for the note: those that it has, unless they are no longer about the content of dist-git.
fn results(before: &[SyncStep<'_>], notes: &[&SourceNote], head: CommitId, body: &NoteBody<'_>) -> Option<CiSection> {
    let shown = notes.first().and_then(|note| CiSection::read(&note.body));
    match (body, shown) {
        (NoteBody::Synced { .. }, Some(shown)) if !pushes(before) && shown.state.commit == head => Some(shown),
        (NoteBody::Synced { .. }, Some(shown)) => Some(shown.superseded_by(head)),
        (NoteBody::Synced { .. }, None) => Some(CiSection::waiting(head)),
        (_, shown) => shown,
    }
}

/// Returns the status that goes with a push; `None` if GitLab has refused statuses at that place.
fn expectation<'a>(
    facts: &SyncFacts<'_>,
    before: &[SyncStep<'_>],
    results: Option<&CiSection>,
) -> Option<SyncStep<'a>> {
    if !pushes(before) {
        return None;
    }
    let place = facts.source.statuses.clone()?;
    let shown = results.and_then(|results| results.state.statuses.as_ref());
    if shown.is_some_and(|shown| shown.place == place && shown.acceptance == Acceptance::No) {
        return None;
    }
    let held = match &facts.branch {
        BranchState::At(tip) => commit::source_of(&tip.message),
        BranchState::Missing => None,
    };
    let earlier = if held == Some(facts.source.head) { EarlierResults::Possible } else { EarlierResults::None };
    Some(SyncStep::ExpectResults { place, earlier })
}
