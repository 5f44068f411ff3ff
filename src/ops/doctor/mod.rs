//! `doctor`: whether an instance is set up right, and what to do where it is not.
//!
//! Reads and writes nothing. What is right is up to [`crate::setup::check`].

pub(crate) mod bot_project;
pub(crate) mod instance_file;
pub(crate) mod look;
pub(crate) mod observe;
pub(crate) mod packages;

use crate::ops::doctor::look::Look;
use crate::ops::session::{Mode, SessionSettings};
use crate::setup::check::{self, CheckResult};
use crate::types::error::{ForgeError, Result};

/// What was found.
pub(crate) struct Diagnosis {
    /// The instance's name.
    pub(crate) instance: String,
    pub(crate) findings: Vec<CheckResult>,
    /// How many requests it took.
    pub(crate) requests: u64,
}

/// Looks at an instance: at so many of its packages one by one. `bot` names the bot's user, where the token is somebody
/// else's.
pub(crate) fn doctor(bot: Option<&str>, packages: usize, settings: SessionSettings) -> Result<Diagnosis> {
    // Not even a mistake writes anything.
    let session = settings.connect(Mode::DryRun)?;
    let findings = match session.myself() {
        Ok(_) => check::judge(&observe::observe(&Look::new(&session, bot, packages)?)?),
        Err(ForgeError::Unauthorized(_)) => vec![check::unknown_token()],
        Err(ForgeError::Forbidden(_)) => vec![check::weak_token()],
        Err(error) => return Err(error.into()),
    };
    Ok(Diagnosis { instance: session.instance.name.clone(), findings, requests: session.forge.requests() })
}
