//! The steps of a sync.

use crate::pair::announcement::Announcement;
use crate::pair::note::PairNote;
use crate::pair::statuses::StatusPlace;
use crate::types::{BranchName, CommitId, MergeRequestIid, NoteId, StateChange, TreeId};

/// One thing to do.
#[derive(Clone, Debug)]
pub enum SyncStep<'a> {
    /// Commit, and force-push to the bot's branch, unless the branch has moved from `expected`.
    PushBranch {
        branch: BranchName,
        /// The present tip of the branch; `None` if there must be no branch.
        expected: Option<CommitId>,
        tree: TreeId,
        parent: CommitId,
        message: String,
    },
    /// Open the dist-git merge request.
    OpenMergeRequest {
        /// The source branch.
        branch: BranchName,
        target: BranchName,
        title: String,
        description: String,
        labels: Vec<String>,
    },
    /// Announce something in a dist-git merge request.
    Announce { iid: MergeRequestIid, announcement: Announcement },
    /// Change a dist-git merge request. At least one of the three changes is there.
    EditMergeRequest {
        iid: MergeRequestIid,
        /// The new title, if it differs.
        title: Option<String>,
        /// The new description, if it differs.
        description: Option<String>,
        state_change: Option<StateChange>,
    },
    /// Write the note. It names the merge request that an earlier step opens.
    CreateNote { note: PairNote<'a> },
    /// Edit the note.
    EditNote { id: NoteId, note: PairNote<'a> },
    /// Delete a second note.
    DeleteNote { id: NoteId },
    /// Post a status on the source-git commit: dist-git's CI will test it.
    ExpectResults { place: StatusPlace, earlier: EarlierResults },
}

impl SyncStep<'_> {
    /// Whether the step shows something of source-git in dist-git: files or texts.
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

/// Whether dist-git's CI may have tested a source-git commit before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlierResults {
    Possible,
    /// dist-git has never held the commit.
    None,
}
