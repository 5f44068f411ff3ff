//! Exit statuses: the contract with CI templates and scripts. A change here breaks them.

use std::process::ExitCode;

use crate::types::error::{Error, ErrorKind};

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

    /// Returns the status for an error that ends a command.
    pub fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Failed => Self::Failed,
            ErrorKind::Usage => Self::Usage,
            ErrorKind::CannotBeSynced => Self::CannotBeSynced,
            ErrorKind::NoCredentials => Self::NoCredentials,
            ErrorKind::Unavailable => Self::Unavailable,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}
