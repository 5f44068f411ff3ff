//! What a command did for one merge request.
use crate::cli::terminal;
use crate::types::error::{Context as _, Result};

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing: all is as it should be, or it is none of the bot's business.
    Nothing,
    /// Something was written.
    Written,
    /// Nothing; this is what would be (`--dry-run`).
    Shown(String),
}

impl Effect {
    /// Prints what would be done.
    pub(crate) fn print(&self) -> Result<()> {
        match self {
            Self::Shown(text) => terminal::print(text).context("writing to standard output"),
            Self::Nothing | Self::Written => Ok(()),
        }
    }
}
