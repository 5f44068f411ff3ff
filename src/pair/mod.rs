//! What ties a source-git merge request to its dist-git merge request, as pure functions: names, hidden records, the
//! plans of `sync` and `report`, and every text that people read on GitLab.
//!
//! Nothing here touches GitLab, git, the environment, the clock or the file system. The caller observes what is there,
//! and carries out the plan. A contributor's text reaches GitLab or a commit only through [`sanitize`].

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
