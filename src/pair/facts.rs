//! What is known of a source-git merge request and its dist-git merge request, as plain values: the input of the plans.

use crate::pair::announcement::Announcement;
use crate::pair::commit::SourceAuthor;
use crate::pair::statuses::StatusPlace;
use crate::pair::title::Draft;
use crate::transform::report::TransformReport;
use crate::types::{
    BranchName, CommitId, MergeRequestIid, NoteId, ProjectId, ProjectPath, Refusal, TreeId, UserId, Visibility,
};

/// Everything that the plan of a sync depends on.
#[derive(Clone, Debug)]
pub struct SyncFacts<'a> {
    /// The bot's own user.
    pub bot: UserId,
    pub source: SourceMergeRequest,
    /// The notes on the source-git merge request, in any order. The bot's own are enough.
    pub notes: Vec<SourceNote>,
    pub visibility: PairVisibility,
    /// The bot's branch for the merge request.
    pub branch: BranchState,
    pub branch_name: BranchName,
    /// The dist-git project.
    pub dist_git: ProjectPath,
    /// The dist-git merge requests from the bot's branch, in any state and order.
    pub merge_requests: Vec<DistGitMergeRequest>,
    /// The bot's other dist-git merge requests for this source-git one: those for target branches that it had before,
    /// and open ones from a project that no longer holds the bot's branches.
    pub left_behind: Vec<DistGitMergeRequest>,
    /// The bot's last announcements in dist-git, for the merge requests where the caller asked.
    pub announced: Vec<LastAnnouncement>,
    /// The labels for a new dist-git merge request.
    pub labels: Vec<String>,
    pub content: WantedContent<'a>,
    pub mode: SyncMode,
}

/// Whether a sync respects what people did in dist-git.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// Leave closed what people closed, and do not overwrite what they pushed.
    #[default]
    Follow,
    /// Reopen the merge request and overwrite their commits. Only on request.
    Recreate,
}

/// What dist-git should hold.
#[derive(Clone, Debug)]
pub enum WantedContent<'a> {
    Content(DistGitContent<'a>),
    /// Nothing new: the bot could not make the content.
    Blocked(Blocked),
    /// Nothing: the source-git merge request was closed.
    Closed,
    /// Nothing: the instance does not handle the target branch.
    NotHandled,
}

/// Why dist-git was left as it is.
#[derive(Clone, Debug)]
pub enum Blocked {
    /// The transformation refused the merge request's content.
    Refused(Refusal),
    /// People who may not see the source would see it in dist-git.
    LessVisible,
    /// The dist-git project has no such branch.
    NoBranch { project: ProjectPath, branch: BranchName },
    /// There is no dist-git project at this path.
    NoProject { project: ProjectPath },
}

/// A change of the upstream ref between the target branch and the merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamChange {
    /// The ref that the target branch names.
    pub from: String,
    /// The ref that the merge request names.
    pub to: String,
}

/// The bot's last announcement in one dist-git merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastAnnouncement {
    /// The dist-git merge request.
    pub merge_request: MergeRequestIid,
    /// `None` before the first one.
    pub announcement: Option<Announcement>,
}

/// The source-git merge request.
#[derive(Clone, Debug)]
pub struct SourceMergeRequest {
    /// The project of its target branch.
    pub project: ProjectId,
    /// That project's path.
    pub path: ProjectPath,
    pub iid: MergeRequestIid,
    /// The address of its page.
    pub url: String,
    pub state: RequestState,
    /// The commit by which the target branch got it; `None` before the merge, and where GitLab does not say.
    pub merged_as: Option<CommitId>,
    pub title: String,
    pub description: String,
    pub draft: Draft,
    /// The target branch, which has the same name in source-git and dist-git.
    pub target: BranchName,
    /// The commit that dist-git should hold: the merge request's head, or after the merge the tip of its target branch.
    pub head: CommitId,
    /// The tip of the target branch that the bot used, if it used one.
    pub base: Option<CommitId>,
    /// The authors of its commits, in the order of the commits.
    pub authors: Vec<SourceAuthor>,
    /// Where people see statuses for its head; `None` where they would not see any.
    pub statuses: Option<StatusPlace>,
}

/// The state of a merge request, on either side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    Opened,
    Closed,
    Merged,
}

/// A note on the source-git merge request.
#[derive(Clone, Debug)]
pub struct SourceNote {
    /// The oldest note has the lowest number.
    pub id: NoteId,
    pub author: UserId,
    pub body: String,
}

/// A merge request in dist-git from the bot's branch.
#[derive(Clone, Debug)]
pub struct DistGitMergeRequest {
    pub iid: MergeRequestIid,
    /// The address of its page.
    pub url: String,
    pub author: UserId,
    pub state: RequestState,
    /// Who closed it; `None` if it is not closed, or GitLab does not say.
    pub closed_by: Option<UserId>,
    /// Its source branch.
    pub branch: BranchName,
    pub origin: BranchOrigin,
    /// Its title, with GitLab's prefix for drafts.
    pub title: String,
    pub description: String,
}

/// Whether the project that a dist-git merge request comes from still holds its branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchOrigin {
    Exists,
    /// The project was deleted, or the bot's branches are elsewhere now. Nobody can reopen the merge request.
    Gone,
}

/// The dist-git merge request, as the bot's note names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistGitLink {
    /// The dist-git project.
    pub project: ProjectPath,
    pub merge_request: MergeRequestIid,
    /// The address of its page.
    pub url: String,
}

/// Who may see the projects that a change comes from and goes to.
#[derive(Clone, Copy, Debug)]
pub struct PairVisibility {
    /// The source-git project.
    pub source: Visibility,
    /// The project that the merge request comes from: a fork of the source-git project, or that project itself.
    pub source_fork: Visibility,
    /// The dist-git project.
    pub dist_git: Visibility,
    /// The project that holds the bot's branch, or will hold it.
    pub bot_fork: Visibility,
}

impl PairVisibility {
    /// Whether a sync would show a change to people who may not see where it comes from.
    pub(super) fn would_leak(self) -> bool {
        self.source.min(self.source_fork) < self.dist_git.max(self.bot_fork)
    }
}

/// The bot's branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchState {
    Missing,
    At(BranchTip),
}

/// The last commit of the bot's branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchTip {
    pub commit: CommitId,
    /// Who committed it.
    pub by: Committer,
    /// Its only parent; `None` for a merge or a first commit, which the bot never makes.
    pub parent: Option<CommitId>,
    pub tree: TreeId,
    pub message: String,
}

/// Who made a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committer {
    Bot,
    Person,
}

/// What the bot's branch should hold.
#[derive(Clone, Debug)]
pub struct DistGitContent<'a> {
    pub tree: TreeId,
    /// The tip of dist-git's target branch.
    pub base: CommitId,
    /// The tree of `base`.
    pub base_tree: TreeId,
    /// The report of the transformation.
    pub report: &'a TransformReport,
    /// The change of the upstream ref, if the merge request makes one.
    pub upstream: Option<&'a UpstreamChange>,
}
