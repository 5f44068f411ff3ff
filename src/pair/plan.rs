//! What `sync` has to do for one source-git merge request, as a plain value computed from what was observed.
//!
//! Whoever carries the steps out does so in their order: branch, merge request, status, note, which remembers what became of the status. So whatever breaks, the next plan,
//! made from what is then there, completes it; a plan for what is as it should be has no steps.

use super::ci_section::{CiSection, Taken};
use super::commit::{self, Author};
use super::description::{self, Origin};
use super::note::{self, Blocked, DistGitLink, Note, Says, UpstreamChange};
use super::record::{self, Record};
use super::statuses::Place;
use super::title::{self, Draft};
use super::{BranchName, MergeRequestIid, NoteId, ProjectId, ProjectPath, UserId};
use crate::transform::report::Report;
use crate::transform::{CommitId, TreeId};

/// Everything that the plan depends on.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// The bot's own user.
    pub bot: UserId,
    /// The source-git merge request.
    pub source: SourceMergeRequest,
    /// The notes on it, in any order; the bot's own are enough.
    pub notes: Vec<SourceNote>,
    /// Who may see what.
    pub visibility: VisibilityOfPair,
    /// The bot's branch for it.
    pub branch: BranchState,
    /// Its name.
    pub branch_name: BranchName,
    /// The dist-git project.
    pub dist_git: ProjectPath,
    /// The dist-git merge requests from that branch, in any state and order.
    pub merge_requests: Vec<DistGitMergeRequest>,
    /// The labels that a new dist-git merge request gets.
    pub labels: Vec<String>,
    /// What dist-git should hold.
    pub content: Result<Content<'a>, Blocked>,
}

/// The source-git merge request.
#[derive(Clone, Debug)]
pub struct SourceMergeRequest {
    /// Its project: the target's.
    pub project: ProjectId,
    /// That project's path.
    pub path: ProjectPath,
    /// Its number.
    pub iid: MergeRequestIid,
    /// Its address.
    pub url: String,
    /// Its state.
    pub state: State,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Whether it is a draft.
    pub draft: Draft,
    /// The branch it is for, in source-git and dist-git alike.
    pub target: BranchName,
    /// Its head.
    pub head: CommitId,
    /// Who wrote its commits, in their order.
    pub authors: Vec<Author>,
    /// Where statuses for its head are shown; nothing where they would be seen nowhere.
    pub statuses: Option<Place>,
}

/// The state of a merge request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is open.
    Opened,
    /// It was closed.
    Closed,
    /// It was merged.
    Merged,
}

/// A note on the source-git merge request.
#[derive(Clone, Debug)]
pub struct SourceNote {
    /// Its number: the oldest note has the lowest.
    pub id: NoteId,
    /// Who wrote it.
    pub author: UserId,
    /// Its text.
    pub body: String,
}

/// A merge request in dist-git from the bot's branch.
#[derive(Clone, Debug)]
pub struct DistGitMergeRequest {
    /// Its number.
    pub iid: MergeRequestIid,
    /// Its address.
    pub url: String,
    /// Who opened it.
    pub author: UserId,
    /// Its state.
    pub state: State,
    /// Its title, GitLab's prefix for drafts included.
    pub title: String,
    /// Its description.
    pub description: String,
}

/// Who may see a project, from few to many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// Its members.
    Private,
    /// Everybody with an account.
    Internal,
    /// Everybody.
    Public,
}

/// Who may see the projects that a change comes from and goes to.
#[derive(Clone, Copy, Debug)]
pub struct VisibilityOfPair {
    /// The source-git project.
    pub source: Visibility,
    /// The project that the merge request comes from: a fork of it, or itself.
    pub source_fork: Visibility,
    /// The dist-git project.
    pub dist_git: Visibility,
    /// The project that holds the bot's branch, or will.
    pub bot_fork: Visibility,
}

impl VisibilityOfPair {
    /// Says whether a change would be shown to people who may not see where it comes from.
    fn gives_away(self) -> bool {
        self.source.min(self.source_fork) < self.dist_git.max(self.bot_fork)
    }
}

/// The bot's branch as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchState {
    /// There is none.
    Missing,
    /// There is one.
    At(Tip),
}

/// The last commit of the bot's branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The commit.
    pub commit: CommitId,
    /// Who committed it.
    pub by: Committer,
    /// Its only parent; nothing for a merge or a first commit, which the bot never makes.
    pub parent: Option<CommitId>,
    /// Its content.
    pub tree: TreeId,
    /// Its message.
    pub message: String,
}

/// Who made a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committer {
    /// The bot.
    Bot,
    /// Somebody else.
    Person,
}

/// What the bot's branch should hold.
#[derive(Clone, Debug)]
pub struct Content<'a> {
    /// The tree.
    pub tree: TreeId,
    /// The tip of dist-git's target branch.
    pub base: CommitId,
    /// That commit's tree.
    pub base_tree: TreeId,
    /// What the transformation says.
    pub report: &'a Report,
    /// The change of the upstream ref, where the merge request makes one.
    pub upstream: Option<&'a UpstreamChange>,
}

/// What to do, and how it ends.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// In the order in which they are to be done.
    pub steps: Vec<Step<'a>>,
    /// How `sync` ends.
    pub outcome: Outcome,
    /// The dist-git merge request that is there already.
    pub merge_request: Option<DistGitLink>,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Step<'a> {
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
    /// Change the dist-git merge request; at least one of the two.
    EditMergeRequest {
        /// Which one.
        iid: MergeRequestIid,
        /// The new title, where it differs.
        title: Option<String>,
        /// The new description, where it differs.
        description: Option<String>,
    },
    /// Write the note. A merge request that was opened by a step before is named in it.
    CreateNote {
        /// The note.
        note: Note<'a>,
    },
    /// Change the note.
    EditNote {
        /// Which one.
        id: NoteId,
        /// What it says from now on.
        note: Note<'a>,
    },
    /// Delete a second note.
    DeleteNote {
        /// Which one.
        id: NoteId,
    },
    /// Say on the source-git commit that dist-git's CI is to test it.
    ExpectResults {
        /// Where.
        place: Place,
        /// Whether there may be earlier results for the same commit.
        earlier: Earlier,
    },
}

/// Whether dist-git's CI may have tested a commit before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// It may.
    Possible,
    /// dist-git never held it.
    None,
}

/// How `sync` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// dist-git is as it should be, once the steps are done.
    Done,
    /// The merge request cannot be synced; its note says why.
    CannotBeSynced,
}

/// Returns what is to be done.
pub fn sync<'a>(observed: &'a Observed<'a>) -> Plan<'a> {
    let mut plan = Plan { steps: Vec::new(), outcome: Outcome::Done, merge_request: None };
    if observed.source.state != State::Opened {
        return plan;
    }
    let current = current_merge_request(observed);
    plan.merge_request = current.map(|merge_request| link(observed, merge_request));
    let notes = own_notes(observed);
    let says = match (&observed.content, blocked_by_people(observed, current)) {
        (_, Some(says)) => {
            if matches!(says, Says::PersonPushed { .. }) {
                plan.outcome = Outcome::CannotBeSynced;
            }
            says
        }
        (Ok(_), None) if observed.visibility.gives_away() => {
            plan.outcome = Outcome::CannotBeSynced;
            Says::Blocked(&Blocked::LessVisible)
        }
        (Err(why), None) => {
            plan.outcome = Outcome::CannotBeSynced;
            Says::Blocked(why)
        }
        (Ok(content), None) if current.is_none() && content.tree == content.base_tree => {
            Says::NothingToSync { report: content.report }
        }
        (Ok(content), None) => {
            let note = notes.first().map(|note| note.id);
            plan.steps.extend(push(observed, content));
            plan.steps.extend(merge_request(observed, current, note));
            Says::Synced { report: content.report, upstream: content.upstream }
        }
    };
    let results = results(&plan, &notes, observed.source.head, &says);
    plan.steps.extend(expectation(observed, &plan, results.as_ref()));
    note_steps(&mut plan, &notes, Note { commit: observed.source.head, says, results });
    plan
}

/// Returns the CI results that the note goes on to show: those that it has, unless they are no longer about what
/// dist-git holds.
fn results(plan: &Plan<'_>, notes: &[&SourceNote], head: CommitId, says: &Says<'_>) -> Option<CiSection> {
    let pushes = plan.steps.iter().any(|step| matches!(step, Step::PushBranch { .. }));
    let known = notes.first().and_then(|note| CiSection::read(&note.body));
    match (says, known) {
        (Says::Synced { .. }, Some(known)) if !pushes && known.state.commit == head => Some(known),
        (Says::Synced { .. }, Some(known)) => Some(known.superseded_by(head)),
        (Says::Synced { .. }, None) => Some(CiSection::waiting(head)),
        (_, known) => known,
    }
}

/// Returns the status that goes with a push, unless GitLab has refused statuses there.
fn expectation<'a>(observed: &Observed<'_>, plan: &Plan<'_>, results: Option<&CiSection>) -> Option<Step<'a>> {
    plan.steps.iter().find(|step| matches!(step, Step::PushBranch { .. }))?;
    let place = observed.source.statuses.clone()?;
    let known = results.and_then(|results| results.state.statuses.as_ref());
    if known.is_some_and(|known| known.place == place && known.taken == Taken::No) {
        return None;
    }
    let held = match &observed.branch {
        BranchState::At(tip) => commit::source_of(&tip.message),
        BranchState::Missing => None,
    };
    let earlier = if held == Some(observed.source.head) { Earlier::Possible } else { Earlier::None };
    Some(Step::ExpectResults { place, earlier })
}

/// Returns the bot's merge request: the open one, else the newest.
fn current_merge_request<'a>(observed: &'a Observed<'_>) -> Option<&'a DistGitMergeRequest> {
    let own = observed.merge_requests.iter().filter(|merge_request| merge_request.author == observed.bot);
    own.max_by_key(|merge_request| (merge_request.state == State::Opened, merge_request.iid))
}

fn link(observed: &Observed<'_>, merge_request: &DistGitMergeRequest) -> DistGitLink {
    DistGitLink { project: observed.dist_git.clone(), merge_request: merge_request.iid, url: merge_request.url.clone() }
}

/// Returns the bot's notes, the one that stays first.
fn own_notes<'a>(observed: &'a Observed<'_>) -> Vec<&'a SourceNote> {
    let mut notes: Vec<_> = observed
        .notes
        .iter()
        .filter(|note| note.author == observed.bot && record::read_note(&note.body).is_some())
        .collect();
    notes.sort_by_key(|note| note.id);
    notes
}

/// Returns what a person did in dist-git that the bot respects.
fn blocked_by_people<'a>(observed: &Observed<'_>, current: Option<&DistGitMergeRequest>) -> Option<Says<'a>> {
    match (current.map(|merge_request| merge_request.state), &observed.branch) {
        (Some(State::Merged), _) => Some(Says::Merged),
        (Some(State::Closed), _) => Some(Says::Closed),
        (_, BranchState::At(Tip { by: Committer::Person, .. })) => {
            Some(Says::PersonPushed { branch: observed.branch_name.clone() })
        }
        _ => None,
    }
}

fn wanted_title(source: &SourceMergeRequest) -> String {
    title::title(&source.title, source.draft)
}

/// Returns the push, where tree, base or message differ.
fn push<'a>(observed: &Observed<'_>, content: &Content<'_>) -> Option<Step<'a>> {
    let source = &observed.source;
    let message = commit::message(&wanted_title(source), &source.description, &source.authors, &source.head);
    let expected = match &observed.branch {
        BranchState::Missing => None,
        BranchState::At(tip) => {
            let same_message = tip.message.trim_end() == message.trim_end();
            if tip.tree == content.tree && tip.parent == Some(content.base) && same_message {
                return None;
            }
            Some(tip.commit)
        }
    };
    let branch = observed.branch_name.clone();
    Some(Step::PushBranch { branch, expected, tree: content.tree, parent: content.base, message })
}

/// Returns what is to be done about the merge request.
fn merge_request<'a>(
    observed: &Observed<'_>,
    current: Option<&DistGitMergeRequest>,
    note: Option<NoteId>,
) -> Option<Step<'a>> {
    let source = &observed.source;
    let Some(current) = current else {
        let wanted = wanted_title(source);
        return Some(Step::OpenMergeRequest {
            branch: observed.branch_name.clone(),
            target: source.target.clone(),
            title: wanted.clone(),
            description: description::new(&origin(source, note, &wanted)),
            labels: observed.labels.clone(),
        });
    };
    edit(source, current, note)
}

/// Says whether title and description of a dist-git merge request are what they should be.
pub fn texts_are_current(source: &SourceMergeRequest, current: &DistGitMergeRequest) -> bool {
    edit(source, current, None).is_none()
}

fn origin<'a>(source: &'a SourceMergeRequest, note: Option<NoteId>, title: &'a str) -> Origin<'a> {
    Origin {
        project: source.project,
        path: &source.path,
        merge_request: source.iid,
        url: &source.url,
        description: &source.description,
        note,
        title,
    }
}

/// Returns the change of a dist-git merge request that makes its texts what they should be.
fn edit<'a>(source: &SourceMergeRequest, current: &DistGitMergeRequest, note: Option<NoteId>) -> Option<Step<'a>> {
    let wanted = wanted_title(source);
    let origin = origin(source, note, &wanted);
    let record = record::read(&current.description).filter(|record| agrees(record, source));
    let title = title::followed(&wanted, record.as_ref().map(|record| record.title.as_str()), &current.title);
    // A note's number alone is no reason to edit: it is written down when something else is.
    let known = record.as_ref().and_then(|record| record.note);
    let unchanged = description::following(&current.description, record.as_ref(), &Origin { note: known, ..origin });
    let description = if note::same(&unchanged, &current.description) {
        None
    } else {
        Some(description::following(&current.description, record.as_ref(), &origin))
    };
    let title = (title != current.title).then_some(title);
    (title.is_some() || description.is_some()).then_some(Step::EditMergeRequest {
        iid: current.iid,
        title,
        description,
    })
}

/// Says whether a record is about this source-git merge request. The path is not compared: projects move.
fn agrees(record: &Record, source: &SourceMergeRequest) -> bool {
    record.project == source.project && record.merge_request == source.iid
}

/// Adds what is to be done about the note: one, the oldest, edited where it says something else.
fn note_steps<'a>(plan: &mut Plan<'a>, notes: &[&SourceNote], note: Note<'a>) {
    let opens = plan.steps.iter().any(|step| matches!(step, Step::OpenMergeRequest { .. }));
    match notes {
        [] => plan.steps.push(Step::CreateNote { note }),
        [first, others @ ..] => {
            if opens || !note::same(&first.body, &note.render(plan.merge_request.as_ref())) {
                plan.steps.push(Step::EditNote { id: first.id, note });
            }
            plan.steps.extend(others.iter().map(|other| Step::DeleteNote { id: other.id }));
        }
    }
}

#[cfg(test)]
mod tests;
