//! What `sync` has to do for one source-git merge request, as a plain value computed from what was observed.
//!
//! Whoever carries the steps out does so in their order: branch, merge request, status, note, which remembers what became of the status. So whatever breaks, the next plan,
//! made from what is then there, completes it; a plan for what is as it should be has no steps.

use crate::pair::announcement::Announcement;
use crate::pair::description::{self, DescriptionSource};
use crate::pair::facts::{
    BranchOrigin, BranchState, BranchTip, Committer, DistGitContent, DistGitMergeRequest, RequestState,
    SourceMergeRequest, SourceNote, SyncFacts, SyncMode, WantedContent,
};
use crate::pair::markers::{self, EndReason, PairRecord};
use crate::pair::note::ci_results::{Acceptance, CiSection};
use crate::pair::note::retest_hint::RetestHint;
use crate::pair::note::{self, Blocked, DistGitLink, DistGitState, NoteBody, PairNote, SyncedWith};
use crate::pair::state::{self, PairState};
use crate::pair::statuses::StatusPlace;
use crate::pair::{commit, title};
use crate::types::{BranchName, CommitId, MergeRequestIid, NoteId, StateChange, TreeId};

/// What to do, and how it ends.
#[derive(Clone, Debug)]
pub struct SyncPlan<'a> {
    /// In the order in which they are to be done.
    pub steps: Vec<SyncStep<'a>>,
    /// How `sync` ends.
    pub outcome: SyncOutcome,
    /// The dist-git merge request that is there already.
    pub merge_request: Option<DistGitLink>,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub enum SyncStep<'a> {
    /// Commit and push to the bot's branch, by force, unless it has moved from `expected`.
    PushBranch {
        /// The branch.
        branch: BranchName,
        /// Where it is; nothing where there must be none.
        expected: Option<CommitId>,
        /// The commit's tree.
        tree: TreeId,
        /// The commit's parent.
        parent: CommitId,
        /// The commit's message.
        message: String,
    },
    /// Open the dist-git merge request.
    OpenMergeRequest {
        /// The branch that it is from.
        branch: BranchName,
        /// The branch that it is for.
        target: BranchName,
        /// The title.
        title: String,
        /// The description.
        description: String,
        /// The labels.
        labels: Vec<String>,
    },
    /// Say something in a dist-git merge request.
    Announce {
        /// Which one.
        iid: MergeRequestIid,
        /// What.
        announcement: Announcement,
    },
    /// Change a dist-git merge request; at least one of the three.
    EditMergeRequest {
        /// Which one.
        iid: MergeRequestIid,
        /// The new title, where it differs.
        title: Option<String>,
        /// The new description, where it differs.
        description: Option<String>,
        /// Whether it is closed or opened again.
        state_change: Option<StateChange>,
    },
    /// Write the note. A merge request that was opened by a step before is named in it.
    CreateNote {
        /// The note.
        note: PairNote<'a>,
    },
    /// Change the note.
    EditNote {
        /// Which one.
        id: NoteId,
        /// What it says from now on.
        note: PairNote<'a>,
    },
    /// Delete a second note.
    DeleteNote {
        /// Which one.
        id: NoteId,
    },
    /// Say on the source-git commit that dist-git's CI is to test it.
    ExpectResults {
        /// Where.
        place: StatusPlace,
        /// Whether there may be earlier results for the same commit.
        earlier: EarlierResults,
    },
}

impl SyncStep<'_> {
    /// Whether it shows in dist-git what is in source-git: files or texts.
    pub const fn shows_content(&self) -> bool {
        match self {
            Self::PushBranch { .. } | Self::OpenMergeRequest { .. } => true,
            Self::EditMergeRequest { title, description, .. } => title.is_some() || description.is_some(),
            Self::Announce { .. }
            | Self::CreateNote { .. }
            | Self::EditNote { .. }
            | Self::DeleteNote { .. }
            | Self::ExpectResults { .. } => false,
        }
    }
}

/// Whether dist-git's CI may have tested a commit before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlierResults {
    /// It may.
    Possible,
    /// dist-git never held it.
    None,
}

/// How `sync` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncOutcome {
    /// dist-git is as it should be, once the steps are done.
    Done,
    /// The merge request cannot be synced; its note says why.
    CannotBeSynced,
}

/// Returns what is to be done.
pub fn sync<'a>(observed: &'a SyncFacts<'a>) -> SyncPlan<'a> {
    let state = PairState::of(&observed.merge_requests, &observed.source, observed.bot);
    let mut plan = SyncPlan { steps: Vec::new(), outcome: SyncOutcome::Done, merge_request: None };
    plan.merge_request = state.merge_request().map(|merge_request| link(observed, merge_request));
    plan.steps.extend(leave_behind(observed));
    let notes = own_notes(observed);
    let body = match (&observed.content, by_people(observed, state)) {
        (WantedContent::Closed, _) => close(observed, state, &mut plan),
        (WantedContent::NotHandled, _) => Some(NoteBody::NotHandled { target: observed.source.target.clone() }),
        (_, Some(body)) => {
            if matches!(body, NoteBody::PersonPushed { .. }) {
                plan.outcome = SyncOutcome::CannotBeSynced;
                plan.steps.extend(open_again(observed, state));
                plan.steps.extend(tell_of_merge(observed, state));
            }
            Some(body)
        }
        (WantedContent::Content(_), None) if observed.visibility.would_leak() => {
            plan.outcome = SyncOutcome::CannotBeSynced;
            plan.steps.extend(tell_of_merge(observed, state));
            Some(blocked(observed, state, &Blocked::LessVisible))
        }
        (WantedContent::Blocked(why), None) => {
            plan.outcome = SyncOutcome::CannotBeSynced;
            plan.steps.extend(tell_of_merge(observed, state));
            Some(blocked(observed, state, why))
        }
        (WantedContent::Content(content), None) if is_without_effect(content, state) => {
            Some(NoteBody::NothingToSync { report: content.report })
        }
        (WantedContent::Content(content), None) => {
            plan.steps.extend(tell_of_overwriting(observed, state));
            plan.steps.extend(push(observed, content));
            plan.steps.extend(bring_up(observed, state, notes.first().map(|note| note.id)));
            let synced_with = match observed.source.state {
                RequestState::Merged => SyncedWith::Target(observed.source.target.clone()),
                RequestState::Opened | RequestState::Closed => SyncedWith::MergeRequest,
            };
            Some(NoteBody::Synced { report: content.report, upstream: content.upstream, synced_with })
        }
    };
    let Some(body) = body else { return plan };
    if notes.is_empty() && has_nothing_to_tell(observed, &plan) {
        return plan;
    }
    let commit = told_commit(observed, &plan);
    let results = results(&plan, &notes, commit, &body);
    plan.steps.extend(expectation(observed, &plan, results.as_ref()));
    let run = RetestHint::of_note(&notes, &body, commit, results.as_ref());
    let base = observed.source.base.filter(|_| follows_from_commits(&body));
    let note = PairNote { commit, base, body, results, retest_hint: run };
    note_steps(&mut plan, &notes, note);
    plan
}

fn blocked<'a>(observed: &SyncFacts<'_>, state: PairState<'_>, why: &'a Blocked) -> NoteBody<'a> {
    let left = match state {
        PairState::None => DistGitState::Nothing,
        PairState::Open(_) => DistGitState::Open,
        PairState::ClosedByBot(..) | PairState::ClosedByPerson(_) | PairState::Merged(_) => DistGitState::Closed,
    };
    NoteBody::Blocked { why, commit: observed.source.head, left }
}

/// Whether what a note says follows from the commits that it names. What people or their rights decide, or a tag that
/// is still missing, can change with none of these commits: then no base is written down, and nobody takes the note for
/// current because of it.
fn follows_from_commits(body: &NoteBody<'_>) -> bool {
    matches!(body, NoteBody::Synced { .. })
}

/// Whether no note is needed where there is none: the merge request is closed, or nothing of it was in dist-git.
fn has_nothing_to_tell(observed: &SyncFacts<'_>, plan: &SyncPlan<'_>) -> bool {
    match observed.content {
        WantedContent::Closed => true,
        WantedContent::NotHandled => observed.source.state != RequestState::Opened || plan.steps.is_empty(),
        WantedContent::Content(_) | WantedContent::Blocked(_) => false,
    }
}

/// Whether dist-git would stay as it is, and there is no merge request that has to follow.
fn is_without_effect(content: &DistGitContent<'_>, state: PairState<'_>) -> bool {
    content.tree == content.base_tree && !matches!(state, PairState::Open(_))
}

/// Returns the commit that the note speaks of. A merge alone leaves dist-git as it is, with the commit that it was made
/// from and the results for it.
fn told_commit(observed: &SyncFacts<'_>, plan: &SyncPlan<'_>) -> CommitId {
    let pushes = plan.steps.iter().any(|step| matches!(step, SyncStep::PushBranch { .. }));
    match &observed.branch {
        BranchState::At(tip) if observed.source.state == RequestState::Merged && !pushes => {
            commit::source_of(&tip.message).unwrap_or(observed.source.head)
        }
        _ => observed.source.head,
    }
}

/// Closes the merge requests for targets that the source-git merge request had before, and those from a project where the
/// bot's branches no longer are.
fn leave_behind<'a>(observed: &SyncFacts<'_>) -> Vec<SyncStep<'a>> {
    let mut steps = Vec::new();
    let left =
        observed.left_behind.iter().filter(|left| left.author == observed.bot && left.state == RequestState::Opened);
    for left in left {
        let (announcement, ended) = match left.branch == observed.branch_name {
            true => (Announcement::Moved, EndReason::Moved),
            false => (Announcement::Retargeted { to: observed.source.target.clone() }, EndReason::Retargeted),
        };
        // Whoever reopens what the bot has closed wants it open.
        if state::end_reason(left, &observed.source) != Some(ended) {
            steps.extend(tell(observed, left, announcement));
            steps.push(state_change(observed, left, StateChange::Close, Some(ended)));
        }
    }
    steps
}

/// Closes the merge request of one that was closed, and returns what the note says of it.
fn close<'a>(observed: &SyncFacts<'_>, state: PairState<'_>, plan: &mut SyncPlan<'_>) -> Option<NoteBody<'a>> {
    Some(match state {
        PairState::None => return None,
        PairState::Open(current) if state::end_reason(current, &observed.source) == Some(EndReason::Closed) => {
            NoteBody::KeptOpen
        }
        PairState::Open(current) => {
            plan.steps.extend(tell(observed, current, Announcement::Closed));
            plan.steps.push(state_change(observed, current, StateChange::Close, Some(EndReason::Closed)));
            NoteBody::SourceClosed
        }
        PairState::ClosedByBot(..) => NoteBody::SourceClosed,
        PairState::ClosedByPerson(_) => NoteBody::Closed,
        PairState::Merged(_) => NoteBody::Merged,
    })
}

/// Opens the merge request, or opens it again, or changes its texts.
fn bring_up<'a>(observed: &SyncFacts<'_>, state: PairState<'_>, note: Option<NoteId>) -> Vec<SyncStep<'a>> {
    let source = &observed.source;
    let again = open_again(observed, state);
    if !again.is_empty() {
        return again;
    }
    if let PairState::Open(current) = state {
        let mut steps = Vec::new();
        if is_news_of_merge(source, current) {
            steps.extend(tell(observed, current, Announcement::Merged { commit: source.merged_as }));
        }
        steps.extend(edit(source, current, note));
        return steps;
    }
    let wanted = wanted_title(source);
    vec![SyncStep::OpenMergeRequest {
        branch: observed.branch_name.clone(),
        target: source.target.clone(),
        title: wanted.clone(),
        description: description::new(&origin(source, note, &wanted, ended_of(source))),
        labels: observed.labels.clone(),
    }]
}

/// Tells of the merge where dist-git's merge request cannot follow it; what it holds and says is left as it is.
fn tell_of_merge<'a>(observed: &SyncFacts<'_>, state: PairState<'_>) -> Vec<SyncStep<'a>> {
    let source = &observed.source;
    let current = match state {
        PairState::Open(current) if is_news_of_merge(source, current) => current,
        _ => return Vec::new(),
    };
    let announced = tell(observed, current, Announcement::MergedApart { commit: source.merged_as });
    let known = state::own_record(current, source).map(|known| PairRecord { ended: ended_of(source), ..known });
    let description = known.and_then(|record| markers::replace_record(&current.description, &record));
    let edit = |text| SyncStep::EditMergeRequest {
        iid: current.iid,
        title: None,
        description: Some(text),
        state_change: None,
    };
    announced.into_iter().chain(description.map(edit)).collect()
}

/// Whether the source-git merge request was merged and the dist-git one does not know it yet.
fn is_news_of_merge(source: &SourceMergeRequest, current: &DistGitMergeRequest) -> bool {
    let ended = ended_of(source);
    ended.is_some() && state::end_reason(current, source) != ended
}

/// Opens a closed merge request again, where the bot closed it or somebody asks for it. GitLab does so only where its
/// branch is there.
fn open_again<'a>(observed: &SyncFacts<'_>, state: PairState<'_>) -> Vec<SyncStep<'a>> {
    let (current, announcement) = match (state, observed.mode) {
        (PairState::ClosedByBot(current, EndReason::Retargeted), _) => (current, Announcement::Returned),
        (PairState::ClosedByBot(current, _), _) => (current, Announcement::Reopened),
        (PairState::ClosedByPerson(current), SyncMode::Recreate) => (current, Announcement::AskedFor),
        _ => return Vec::new(),
    };
    if current.origin == BranchOrigin::Gone || matches!(state, PairState::ClosedByBot(_, EndReason::Moved)) {
        return Vec::new();
    }
    // That it was merged says more: it cannot have been without being open again.
    let merged = observed.source.state == RequestState::Merged && announcement != Announcement::AskedFor;
    let announcement = if merged { Announcement::Merged { commit: observed.source.merged_as } } else { announcement };
    let announced = tell(observed, current, announcement);
    announced
        .into_iter()
        .chain([state_change(observed, current, StateChange::Reopen, ended_of(&observed.source))])
        .collect()
}

/// Tells of what people pushed, before it is overwritten.
fn tell_of_overwriting<'a>(observed: &SyncFacts<'_>, state: PairState<'_>) -> Option<SyncStep<'a>> {
    match (&observed.branch, state.merge_request()) {
        (BranchState::At(BranchTip { by: Committer::Person, commit, .. }), Some(current)) => {
            tell(observed, current, Announcement::Overwritten { was: *commit })
        }
        _ => None,
    }
}

/// Returns the note that tells `announcement`, unless it is what the bot said last.
fn tell<'a>(observed: &SyncFacts<'_>, of: &DistGitMergeRequest, announcement: Announcement) -> Option<SyncStep<'a>> {
    let announced = observed.announced.iter().find(|announced| announced.merge_request == of.iid);
    let is_told = announced.is_some_and(|announced| announced.announcement.as_ref() == Some(&announcement));
    (!is_told).then_some(SyncStep::Announce { iid: of.iid, announcement })
}

/// Returns the step that opens or closes a merge request, and writes down why.
fn state_change<'a>(
    observed: &SyncFacts<'_>,
    of: &DistGitMergeRequest,
    state_change: StateChange,
    ended: Option<EndReason>,
) -> SyncStep<'a> {
    let source = &observed.source;
    let wanted = wanted_title(source);
    let record = state::own_record(of, source);
    let note = record.as_ref().and_then(|record| record.note);
    let origin = origin(source, note, &wanted, ended);
    let title = title::updated(&wanted, record.as_ref().map(|record| record.title.as_str()), &of.title);
    let description = description::updated(&of.description, record.as_ref(), &origin);
    SyncStep::EditMergeRequest {
        iid: of.iid,
        title: (title != of.title).then_some(title),
        description: (!note::same(&description, &of.description)).then_some(description),
        state_change: Some(state_change),
    }
}

/// What the bot does because of the state of the source-git merge request, where dist-git's stays open.
fn ended_of(source: &SourceMergeRequest) -> Option<EndReason> {
    (source.state == RequestState::Merged).then_some(EndReason::Merged)
}

/// Returns the CI results that the note goes on to show: those that it has, unless they are no longer about what
/// dist-git holds.
fn results(plan: &SyncPlan<'_>, notes: &[&SourceNote], head: CommitId, body: &NoteBody<'_>) -> Option<CiSection> {
    let pushes = plan.steps.iter().any(|step| matches!(step, SyncStep::PushBranch { .. }));
    let known = notes.first().and_then(|note| CiSection::read(&note.body));
    match (body, known) {
        (NoteBody::Synced { .. }, Some(known)) if !pushes && known.state.commit == head => Some(known),
        (NoteBody::Synced { .. }, Some(known)) => Some(known.superseded_by(head)),
        (NoteBody::Synced { .. }, None) => Some(CiSection::waiting(head)),
        (_, known) => known,
    }
}

/// Returns the status that goes with a push, unless GitLab has refused statuses there.
fn expectation<'a>(observed: &SyncFacts<'_>, plan: &SyncPlan<'_>, results: Option<&CiSection>) -> Option<SyncStep<'a>> {
    plan.steps.iter().find(|step| matches!(step, SyncStep::PushBranch { .. }))?;
    let place = observed.source.statuses.clone()?;
    let known = results.and_then(|results| results.state.statuses.as_ref());
    if known.is_some_and(|known| known.place == place && known.acceptance == Acceptance::No) {
        return None;
    }
    let held = match &observed.branch {
        BranchState::At(tip) => commit::source_of(&tip.message),
        BranchState::Missing => None,
    };
    let earlier = if held == Some(observed.source.head) { EarlierResults::Possible } else { EarlierResults::None };
    Some(SyncStep::ExpectResults { place, earlier })
}

fn link(observed: &SyncFacts<'_>, merge_request: &DistGitMergeRequest) -> DistGitLink {
    DistGitLink { project: observed.dist_git.clone(), merge_request: merge_request.iid, url: merge_request.url.clone() }
}

/// Returns the bot's notes, the one that stays first.
fn own_notes<'a>(observed: &'a SyncFacts<'_>) -> Vec<&'a SourceNote> {
    let mut notes: Vec<_> = observed
        .notes
        .iter()
        .filter(|note| note.author == observed.bot && markers::read_note(&note.body).is_some())
        .collect();
    notes.sort_by_key(|note| note.id);
    notes
}

/// Returns what people did in dist-git that the bot respects, unless somebody asks it not to.
fn by_people<'a>(observed: &SyncFacts<'_>, state: PairState<'_>) -> Option<NoteBody<'a>> {
    if observed.mode == SyncMode::Recreate {
        return None;
    }
    match (state, &observed.branch) {
        (PairState::Merged(_), _) => Some(NoteBody::Merged),
        (PairState::ClosedByPerson(_), _) => Some(NoteBody::Closed),
        (_, BranchState::At(BranchTip { by: Committer::Person, .. })) => {
            Some(NoteBody::PersonPushed { branch: observed.branch_name.clone() })
        }
        _ => None,
    }
}

fn wanted_title(source: &SourceMergeRequest) -> String {
    title::title(&source.title, source.draft)
}

/// Returns the push, where tree, base or message differ: each push makes dist-git's CI run again.
fn push<'a>(observed: &SyncFacts<'_>, content: &DistGitContent<'_>) -> Option<SyncStep<'a>> {
    let source = &observed.source;
    let message = commit::message(&wanted_title(source), &source.description, &source.authors, &source.head);
    let expected = match &observed.branch {
        BranchState::Missing => None,
        BranchState::At(tip) => {
            // Once it is merged, what there is to test is the same whatever commit it came by.
            let same_message = source.state == RequestState::Merged || tip.message.trim_end() == message.trim_end();
            if tip.tree == content.tree && tip.parent == Some(content.base) && same_message {
                return None;
            }
            Some(tip.commit)
        }
    };
    let branch = observed.branch_name.clone();
    Some(SyncStep::PushBranch { branch, expected, tree: content.tree, parent: content.base, message })
}

/// Whether title and description of a dist-git merge request are what they should be.
pub fn texts_are_current(source: &SourceMergeRequest, current: &DistGitMergeRequest) -> bool {
    edit(source, current, None).is_none()
}

fn origin<'a>(
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

/// Returns the change of a dist-git merge request that makes its texts what they should be.
fn edit<'a>(source: &SourceMergeRequest, current: &DistGitMergeRequest, note: Option<NoteId>) -> Option<SyncStep<'a>> {
    let wanted = wanted_title(source);
    let origin = origin(source, note, &wanted, ended_of(source));
    let record = state::own_record(current, source);
    let title = title::updated(&wanted, record.as_ref().map(|record| record.title.as_str()), &current.title);
    // A note's number alone is no reason to edit: it is written down when something else is.
    let known = record.as_ref().and_then(|record| record.note);
    let unchanged =
        description::updated(&current.description, record.as_ref(), &DescriptionSource { note: known, ..origin });
    let description = if note::same(&unchanged, &current.description) {
        None
    } else {
        Some(description::updated(&current.description, record.as_ref(), &origin))
    };
    let title = (title != current.title).then_some(title);
    (title.is_some() || description.is_some()).then_some(SyncStep::EditMergeRequest {
        iid: current.iid,
        title,
        description,
        state_change: None,
    })
}

/// Adds what is to be done about the note: one, the oldest, edited where it says something else.
fn note_steps<'a>(plan: &mut SyncPlan<'a>, notes: &[&SourceNote], note: PairNote<'a>) {
    let opens = plan.steps.iter().any(|step| matches!(step, SyncStep::OpenMergeRequest { .. }));
    match notes {
        [] => plan.steps.push(SyncStep::CreateNote { note }),
        [first, others @ ..] => {
            if opens || !note::same(&first.body, &note.render(plan.merge_request.as_ref())) {
                plan.steps.push(SyncStep::EditNote { id: first.id, note });
            }
            plan.steps.extend(others.iter().map(|other| SyncStep::DeleteNote { id: other.id }));
        }
    }
}

#[cfg(test)]
mod tests;
