//! Values that all rooms share: ids, names, paths, printable text, findings and refusals.
//!
//! Nothing here uses another room, and nothing reads or writes anything.

pub mod access_level;
pub mod ci_state;
pub mod error;
pub mod finding;
pub mod gitlab;
pub mod object_id;
pub mod path;
pub mod state_change;
pub mod text;
pub mod tree;
pub mod visibility;

pub use access_level::AccessLevel;
pub use ci_state::CiState;
pub use finding::{Finding, Level, Refusal, Subject};
pub use gitlab::{
    BranchName, IssueIid, MergeRequestId, MergeRequestIid, NameError, NoteId, PipelineId, ProjectId, ProjectPath,
    UserId,
};
pub use object_id::{BlobId, CommitId, TreeId};
pub use path::RepoPath;
pub use state_change::StateChange;
pub use tree::{File, FileMode, FileTree};
pub use visibility::Visibility;
