//! Exit statuses: the contract with CI templates and scripts. A change here breaks them.

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::forge::ForgeError;
use crate::git::remote::RemoteError;
use crate::types::Refusal;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Done, or nothing to do.
    Done = 0,
    /// Something went wrong that is neither of the below.
    Failed = 1,
    /// Bad usage or configuration of the program.
    Usage = 2,
    /// The input cannot be synced; what was said tells why, and what its author can do.
    CannotBeSynced = 3,
    /// There are no credentials here; in a contributor's fork that is as it should be.
    NoCredentials = 4,
    /// GitLab cannot be reached or is overloaded: worth a retry.
    Unavailable = 5,
}

impl ExitStatus {
    /// All of them, by their numbers.
    pub const ALL: [Self; 6] =
        [Self::Done, Self::Failed, Self::Usage, Self::CannotBeSynced, Self::NoCredentials, Self::Unavailable];

    /// Returns what it tells whoever called the program, in sentences.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "What was asked for is done, or there was nothing to do.",
            Self::Failed => "Something else went wrong. The message says what.",
            Self::Usage => {
                "The command line, the environment or the instance is wrong. The message says what to change."
            }
            Self::CannotBeSynced => {
                "The merge request or clone cannot be synced as it is, or there is nothing to `retest` or `recreate`. The \
                 message, and with `sync` the note, say why and what to do."
            }
            Self::NoCredentials => "There is no token here. In a contributor's fork that is as it should be.",
            Self::Unavailable => "GitLab cannot be reached, or is overloaded. Trying again later is worth it.",
        }
    }

    /// The status for an error that ends a command.
    pub fn of(error: &anyhow::Error) -> Self {
        if error.downcast_ref::<Refusal>().is_some() {
            Self::CannotBeSynced
        } else if error.downcast_ref::<UsageError>().is_some()
            || error.downcast_ref::<ConfigError>().is_some()
            || matches!(error.downcast_ref(), Some(ForgeError::Misconfigured(_) | ForgeError::Untrusted(_)))
            || matches!(error.downcast_ref(), Some(RemoteError::Untrusted { .. }))
        {
            Self::Usage
        } else if error.downcast_ref::<NoCredentials>().is_some() {
            Self::NoCredentials
        } else if error.downcast_ref::<ForgeError>().is_some_and(ForgeError::is_worth_a_retry)
            || matches!(error.downcast_ref(), Some(RemoteError::Unavailable { .. } | RemoteError::Stale { .. }))
        {
            Self::Unavailable
        } else {
            Self::Failed
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

/// Something in how the program was called that has to be called otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct UsageError {
    /// What is the case.
    pub text: String,
    /// What to do about it.
    pub hint: String,
}

/// There is no token to act with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCredentials {
    /// To act as the bot's user.
    #[error("there is no token to act with as the bot")]
    AccessToken,
    /// To call the bot.
    #[error("there is no token to call the bot with")]
    TriggerToken,
}

impl NoCredentials {
    /// Returns what to do about it, fit for a contributor: nothing.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::AccessToken => {
                "in a fork this is as it should be: the bot looks at the merge request from its own project soon. \
                 Elsewhere, set SGB_TOKEN to a token of the bot's user with the scope `api`"
            }
            Self::TriggerToken => {
                "in a fork this is as it should be: the bot comes by on its own soon. Elsewhere, set SGB_TRIGGER_TOKEN \
                 to a trigger token of the bot project"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn a_refusal_is_found_below_what_was_being_done() {
        let refused: anyhow::Result<()> = Err(Refusal::new("no", "yes")).context("reading a file");
        assert_eq!(ExitStatus::of(&refused.unwrap_err()), ExitStatus::CannotBeSynced);
        let usage: anyhow::Result<()> = Err(UsageError { text: "no".into(), hint: "yes".into() }).context("starting");
        assert_eq!(ExitStatus::of(&usage.unwrap_err()), ExitStatus::Usage);
        assert_eq!(ExitStatus::of(&anyhow!("no")), ExitStatus::Failed);
    }
}
