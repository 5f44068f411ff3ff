//! Closing and reopening a merge request or an issue.

use serde::Serialize;

/// What GitLab's API calls `state_event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StateChange {
    Close,
    Reopen,
}
