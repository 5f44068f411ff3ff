//! The command line: what a person types and sees.
//!
//! Arguments become requests, the operations in [`crate::ops`] do the work, and their results become text or JSON.
//! Nothing here decides about packages or merge requests.

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

/// What each command gets besides its own arguments.
pub(crate) struct Invocation<'a> {
    pub(crate) global: &'a GlobalArgs,
    pub(crate) context: &'a ProcessContext,
    pub(crate) printer: &'a Printer,
}

impl Invocation<'_> {
    pub(crate) const fn mode(&self) -> Mode {
        if self.global.dry_run { Mode::DryRun } else { Mode::Apply }
    }

    /// Reads the instance and the environment.
    pub(crate) fn settings(&self) -> Result<SessionSettings> {
        SessionSettings::read(self.global.instance.as_deref(), self.context)
    }

    pub(crate) fn connect(&self, settings: SessionSettings) -> Result<Session> {
        settings.connect(self.mode())
    }

    /// Shows the result of a sync, and returns the refusal if there is one.
    pub(crate) fn show_synced(&self, synced: Synced) -> Result<()> {
        let mut outcomes = Vec::new();
        let ended = synced.record_in(&mut outcomes);
        outcomes.iter().try_for_each(|outcome| self.show(outcome))?;
        ended
    }

    /// Shows what a dry run would do. What a real run did is in the log already.
    pub(crate) fn show(&self, outcome: &Outcome) -> Result<()> {
        match outcome {
            Outcome::Preview(preview) => self.printer.print(preview, |paint| render::preview::text(preview, paint)),
            Outcome::Nothing | Outcome::Written => Ok(()),
        }
    }
}
