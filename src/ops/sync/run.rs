//! What a run of `sync` works with.

use crate::forge::{CurrentUser, MergeRequest};
use crate::git::Git;
use crate::git::remote::Remote;
use crate::ops::session::Session;
use crate::pair::facts::SyncMode;
use crate::types::error::Result;
use crate::types::{BranchName, MergeRequestIid, ProjectPath};

/// One source-git merge request, to be synced to dist-git.
pub(crate) struct SyncRun<'a> {
    pub(super) session: &'a Session,
    pub(super) git: &'a Git,
    pub(super) bot: &'a CurrentUser,
    pub(super) source: MergeRequest,
    pub(super) source_path: ProjectPath,
    pub(super) dist_path: ProjectPath,
    /// The bot's branch for the merge request.
    pub(super) branch: BranchName,
    pub(super) goal: SyncGoal,
    pub(super) mode: SyncMode,
    /// A dist-git merge request that is known to belong to the pair, whatever its target branch is.
    pub(super) known: Option<MergeRequestIid>,
}

/// What the dist-git merge request should become. The state of the source-git merge request decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncGoal {
    /// It holds the content of the merge request.
    MergeRequest,
    /// It holds the content of the target branch, because the merge request was merged into it.
    Target,
    /// It is closed too.
    Close,
    /// Nothing is synced: the instance does not handle the target branch.
    NotHandled,
}

impl SyncRun<'_> {
    pub(super) fn remote(&self, role: &'static str, project: &ProjectPath) -> Remote {
        let access = self.session.git_access(self.session.token.clone());
        Remote { role, url: self.session.forge.git_url(project), access }
    }

    /// Returns the project that holds, or will hold, the bot's branch.
    pub(crate) fn fork_path(&self) -> Result<ProjectPath> {
        self.session.fork_of(&self.dist_path)
    }
}
