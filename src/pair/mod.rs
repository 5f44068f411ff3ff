//! What ties a source-git merge request to its dist-git merge request, as pure functions: names, records, the plan of
//! a sync, and every text that people read on GitLab.
//!
//! Nothing here touches GitLab, git, the environment, a clock or the file system. Whoever calls these functions has
//! observed what is there (`forge`, `git`) and carries the steps out (`commands`). Text of a contributor reaches
//! GitLab or a commit through `copied` alone.

pub mod branch;
pub mod ci_section;
pub mod commands;
pub mod comment;
pub mod commit;
pub mod copied;
pub mod description;
mod fingerprint;
pub mod ids;
pub mod memory;
pub mod note;
pub mod observed;
pub mod plan;
pub mod record;
pub mod references;
pub mod report;
pub mod results;
pub mod run_section;
mod standing;
pub mod status_issue;
pub mod statuses;
pub mod title;
pub mod told;

pub use ids::{
    BranchName, IssueIid, MergeRequestId, MergeRequestIid, NameError, NoteId, PipelineId, ProjectId, ProjectPath,
    UserId,
};
