//! The state of a pipeline or a job.

use serde::{Deserialize, Serialize};

/// The state of a pipeline or a job, in GitLab's words (`Ci::HasStatus::AVAILABLE_STATUSES`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CiState {
    /// Made, and not yet looked at.
    Created,
    /// Waiting for a resource group.
    WaitingForResource,
    /// Waiting for word from outside.
    WaitingForCallback,
    /// Being prepared.
    Preparing,
    /// Waiting for a runner.
    Pending,
    /// Running.
    Running,
    /// Ended well.
    Success,
    /// Ended badly.
    Failed,
    /// Being stopped.
    Canceling,
    /// Stopped.
    Canceled,
    /// Left out.
    Skipped,
    /// Waiting for a person to start it.
    Manual,
    /// Waiting for its time.
    Scheduled,
    /// A state that this program does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

impl CiState {
    /// Whether nothing comes after it, unless somebody starts the thing again.
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
