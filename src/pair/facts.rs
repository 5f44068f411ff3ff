//! What there is of a source-git merge request and its dist-git merge request, as plain values: what a plan is made from.

use crate::pair::announcement::Announcement;
use crate::pair::commit::SourceAuthor;
use crate::pair::note::{Blocked, UpstreamChange};
use crate::pair::statuses::StatusPlace;
use crate::pair::title::Draft;
use crate::transform::report::Report;
use crate::types::{BranchName, CommitId, MergeRequestIid, NoteId, ProjectId, ProjectPath, TreeId, UserId, Visibility};

/// Everything that the plan depends on.
#[derive(Clone, Debug)]
pub struct SyncFacts<'a> {
    /// The bot's own user.
    pub bot: UserId,
    /// The source-git merge request.
    pub source: SourceMergeRequest,
    /// The notes on it, in any order; the bot's own are enough.
    pub notes: Vec<SourceNote>,
    /// Who may see what.
    pub visibility: PairVisibility,
    /// The bot's branch for it.
    pub branch: BranchState,
    /// Its name.
    pub branch_name: BranchName,
    /// The dist-git project.
    pub dist_git: ProjectPath,
    /// The dist-git merge requests from that branch, in any state and order.
    pub merge_requests: Vec<DistGitMergeRequest>,
    /// The bot's dist-git merge requests for this one from branches for other targets, which it had before, and open ones
    /// from a project where the bot's branches no longer are.
    pub left_behind: Vec<DistGitMergeRequest>,
    /// What the bot has said in dist-git last, where that was asked.
    pub announced: Vec<LastAnnouncement>,
    /// The labels that a new dist-git merge request gets.
    pub labels: Vec<String>,
    /// What dist-git should hold.
    pub content: WantedContent<'a>,
    /// Whether what people did in dist-git is respected.
    pub mode: SyncMode,
}

/// Whether a sync respects what people did in dist-git.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// What they closed stays closed, and what they pushed is not overwritten.
    #[default]
    Follow,
    /// Somebody asked for it: it is opened again, and their commits are overwritten.
    Recreate,
}

/// What dist-git should hold.
#[derive(Clone, Debug)]
pub enum WantedContent<'a> {
    /// This.
    Content(DistGitContent<'a>),
    /// Nothing that could be made.
    Blocked(Blocked),
    /// Nothing: the source-git merge request was closed.
    Closed,
    /// Nothing: the source-git merge request is for a branch that the instance does not handle.
    NotHandled,
}

/// What the bot said last in one dist-git merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastAnnouncement {
    /// The dist-git merge request.
    pub merge_request: MergeRequestIid,
    /// What it said; nothing where it said nothing yet.
    pub announcement: Option<Announcement>,
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
    pub state: RequestState,
    /// The commit that its target branch got by it, once it is merged and where GitLab tells.
    pub merged_as: Option<CommitId>,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Whether it is a draft.
    pub draft: Draft,
    /// The branch it is for, in source-git and dist-git alike.
    pub target: BranchName,
    /// The commit that dist-git is to hold: its head, or once it is merged the tip of its target branch.
    pub head: CommitId,
    /// The tip of its target branch that was looked at, where one was.
    pub base: Option<CommitId>,
    /// Who wrote its commits, in their order.
    pub authors: Vec<SourceAuthor>,
    /// Where statuses for its head are shown; nothing where they would be seen nowhere.
    pub statuses: Option<StatusPlace>,
}

/// The state of a merge request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
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
    pub state: RequestState,
    /// Who closed it, where it is closed and GitLab tells.
    pub closed_by: Option<UserId>,
    /// The branch that it is from.
    pub branch: BranchName,
    /// Whether it can be opened again.
    pub origin: BranchOrigin,
    /// Its title, GitLab's prefix for drafts included.
    pub title: String,
    /// Its description.
    pub description: String,
}

/// Where a dist-git merge request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchOrigin {
    /// The project that holds its branch is there.
    Exists,
    /// It was deleted, or the bot's branches are elsewhere now: the merge request can never be opened again.
    Gone,
}

/// Who may see the projects that a change comes from and goes to.
#[derive(Clone, Copy, Debug)]
pub struct PairVisibility {
    /// The source-git project.
    pub source: Visibility,
    /// The project that the merge request comes from: a fork of it, or itself.
    pub source_fork: Visibility,
    /// The dist-git project.
    pub dist_git: Visibility,
    /// The project that holds the bot's branch, or will.
    pub bot_fork: Visibility,
}

impl PairVisibility {
    /// Whether a change would be shown to people who may not see where it comes from.
    pub(super) fn would_leak(self) -> bool {
        self.source.min(self.source_fork) < self.dist_git.max(self.bot_fork)
    }
}

/// The bot's branch as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchState {
    /// There is none.
    Missing,
    /// There is one.
    At(BranchTip),
}

/// The last commit of the bot's branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchTip {
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
pub struct DistGitContent<'a> {
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
