//! Closing and reopening.

use serde::Serialize;

/// A change of a merge request's or an issue's state, in GitLab's words (`state_event`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StateChange {
    /// Close it.
    Close,
    /// Open it again.
    Reopen,
}
