//! The command line: what a person types and sees.
//!
//! Arguments become requests, operations of [`crate::ops`] do the work, and what they return becomes text or JSON. Nothing
//! is decided here about packages or merge requests.

pub mod args;
pub mod dispatch;
pub mod exit;
pub mod printer;
pub(crate) mod render;
pub(crate) mod run;
pub mod terminal;
pub mod variables;

use crate::cli::args::GlobalArgs;
use crate::cli::printer::Printer;
use crate::ops::ProcessContext;
use crate::ops::outcome::Outcome;
use crate::ops::session::{Mode, Session, SessionSettings};
use crate::ops::sync::Synced;
use crate::types::error::Result;

/// What a command runs with besides its own arguments.
pub(crate) struct Invocation<'a> {
    pub(crate) global: &'a GlobalArgs,
    pub(crate) context: &'a ProcessContext,
    pub(crate) printer: &'a Printer,
}

impl Invocation<'_> {
    pub(crate) const fn mode(&self) -> Mode {
        if self.global.dry_run { Mode::DryRun } else { Mode::Apply }
    }

    /// Reads the instance, and what else is set.
    pub(crate) fn settings(&self) -> Result<SessionSettings> {
        SessionSettings::read(self.global.instance.as_deref(), self.context)
    }

    /// Connects the bot.
    pub(crate) fn connect(&self, settings: SessionSettings) -> Result<Session> {
        settings.connect(self.mode())
    }

    /// Shows what a sync came to, and ends with the refusal where there is one.
    pub(crate) fn show_synced(&self, synced: Synced) -> Result<()> {
        let mut outcomes = Vec::new();
        let ended = synced.record_in(&mut outcomes);
        outcomes.iter().try_for_each(|outcome| self.show(outcome))?;
        ended
    }

    /// Shows what a dry run would do; of what was done the log has told.
    pub(crate) fn show(&self, outcome: &Outcome) -> Result<()> {
        match outcome {
            Outcome::Preview(preview) => self.printer.print(preview, |paint| render::preview::text(preview, paint)),
            Outcome::Nothing | Outcome::Written => Ok(()),
        }
    }
}
