//! Exit statuses. CI templates and scripts rely on them, so a change here breaks those.

use std::process::ExitCode;

use crate::types::error::{Error, ErrorKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Done, or nothing to do.
    Done = 0,
    /// A failure that none of the other statuses describes.
    Failed = 1,
    /// The program is used or configured wrongly.
    Usage = 2,
    /// The input cannot be synced. The output says why, and what its author can do.
    CannotBeSynced = 3,
    /// There are no credentials. In a contributor's fork this is expected.
    NoCredentials = 4,
    /// GitLab cannot be reached or is overloaded. A retry may help.
    Unavailable = 5,
}

impl ExitStatus {
    /// All statuses, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Done, Self::Failed, Self::Usage, Self::CannotBeSynced, Self::NoCredentials, Self::Unavailable];

    /// Returns what the status means to the caller of the program, in sentences.
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

    /// Returns the status of a command that ends with `error`.
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
