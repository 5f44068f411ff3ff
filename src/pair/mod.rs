//! What ties a source-git merge request to its dist-git merge request, as pure functions: names, records, the plan of
//! a sync, and every text that people read on GitLab.
//!
//! Nothing here touches GitLab, git, the environment, a clock or the file system. Whoever calls these functions has
//! observed what is there (`forge`, `git`) and carries the steps out (`commands`). Text of a contributor reaches
//! GitLab or a commit through `copied` alone.

pub mod announcement;
pub mod branch;
pub mod cache;
pub mod ci;
pub mod commit;
pub mod description;
pub mod facts;
mod fingerprint;
pub mod markers;
pub mod note;
pub mod references;
pub mod report_plan;
pub mod sanitize;
pub mod slash_command;
mod state;
pub mod status_issue;
pub mod statuses;
pub mod sync_plan;
pub mod title;
