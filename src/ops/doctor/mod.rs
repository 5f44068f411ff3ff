//! `doctor`: whether an instance is set up right, and what to do where it is not.
//!
//! Looks and writes nothing. What is right is up to `crate::setup::check`.

pub(crate) mod bot_project;
pub(crate) mod instance_file;
pub(crate) mod look;
pub(crate) mod observe;
pub(crate) mod packages;
use crate::cli::args::{self, Global};
use crate::cli::render::doctor::Shown;
use crate::ops::Surroundings;
use crate::ops::doctor::look::Look;
use crate::ops::session::Setting;
use crate::setup::check::{self, CheckState};
use crate::types::error::{ForgeError, Result, bail};

/// Runs the command.
pub(crate) fn run(arguments: &args::Doctor, global: &Global, surroundings: &Surroundings) -> Result<()> {
    // Whatever is asked for: not even a mistake writes anything.
    let reading = Global { dry_run: true, ..global.clone() };
    let bot = Setting::read(global, surroundings)?.connect(&reading)?;
    let findings = match bot.myself() {
        Ok(_) => check::judge(&observe::observe(&Look::new(&bot, arguments)?)?),
        Err(ForgeError::Unauthorized(_)) => vec![check::unknown_token()],
        Err(ForgeError::Forbidden(_)) => vec![check::weak_token()],
        Err(error) => return Err(error.into()),
    };
    let wrong = findings.iter().filter(|finding| finding.state == CheckState::Wrong).count();
    Shown { instance: &bot.instance.name, findings, requests: bot.forge.requests() }
        .print(global.output, surroundings.paint)?;
    match wrong {
        0 => Ok(()),
        1 => bail!("one thing is wrong with the instance {}", bot.instance.name),
        many => bail!("{many} things are wrong with the instance {}", bot.instance.name),
    }
}
