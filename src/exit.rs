//! Exit statuses: the contract with CI templates and scripts. A change here breaks them.

use std::process::ExitCode;

use crate::transform::Refusal;

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
}

impl ExitStatus {
    /// The status for an error that ends a command.
    pub fn of(error: &anyhow::Error) -> Self {
        if error.downcast_ref::<Refusal>().is_some() {
            Self::CannotBeSynced
        } else if error.downcast_ref::<UsageError>().is_some() {
            Self::Usage
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
