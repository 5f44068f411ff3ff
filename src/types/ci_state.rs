//! The state of a pipeline or a job on GitLab.

use serde::{Deserialize, Serialize};

/// The state of a pipeline or a job, in GitLab's words (`Ci::HasStatus::AVAILABLE_STATUSES`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CiState {
    /// Created, and not yet processed by GitLab.
    Created,
    /// Waiting for a resource group.
    WaitingForResource,
    /// Waiting for an answer from an external service.
    WaitingForCallback,
    Preparing,
    /// Waiting for a runner.
    Pending,
    Running,
    Success,
    Failed,
    Canceling,
    Canceled,
    Skipped,
    /// Waiting for a person to start it.
    Manual,
    /// Waiting for its start time: a delayed job.
    Scheduled,
    /// A state that this program does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl CiState {
    /// Whether the state stays as it is unless somebody starts the pipeline or job again.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Canceled | Self::Skipped)
    }

    /// Returns the words that GitLab's pages use for it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Created => "not started",
            Self::WaitingForResource => "waiting for a resource",
            Self::WaitingForCallback => "waiting for a callback",
            Self::Preparing => "being prepared",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "passed",
            Self::Failed => "failed",
            Self::Canceling => "being canceled",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::Manual => "waiting for a person to start it",
            Self::Scheduled => "scheduled",
            Self::Unknown => "in a state that the bot does not know",
        }
    }
}
