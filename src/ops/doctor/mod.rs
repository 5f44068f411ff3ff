//! `doctor`: says whether an instance is set up right, and what to do if it is not.
//!
//! Only reads. [`crate::setup::check`] decides what is right.

pub(crate) mod bot_project;
pub(crate) mod instance_file;
pub(crate) mod observe;
pub(crate) mod observer;
pub(crate) mod packages;

use crate::ops::doctor::observer::Observer;
use crate::ops::session::{Mode, SessionSettings};
use crate::setup::check::{self, CheckResult};
use crate::types::error::{ForgeError, Result};

pub(crate) struct Diagnosis {
    pub(crate) instance: String,
    pub(crate) findings: Vec<CheckResult>,
    /// The number of requests to GitLab.
    pub(crate) requests: u64,
}

/// Examines an instance, and up to `packages` of its packages one by one. `bot` names the bot's user if the token is
/// somebody else's.
pub(crate) fn doctor(bot: Option<&str>, packages: usize, settings: SessionSettings) -> Result<Diagnosis> {
    // In this mode, not even a mistake in the code can write anything.
    let session = settings.connect(Mode::DryRun)?;
    let findings = match session.current_user() {
        Ok(_) => check::judge(&observe::observe(&Observer::new(&session, bot, packages)?)?),
        Err(ForgeError::Unauthorized(_)) => vec![check::unknown_token()],
        Err(ForgeError::Forbidden(_)) => vec![check::weak_token()],
        Err(error) => return Err(error.into()),
    };
    Ok(Diagnosis { instance: session.instance.name.clone(), findings, requests: session.forge.requests() })
}
