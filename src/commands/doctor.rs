//! `doctor`: whether an instance is set up right, and what to do where it is not.
//!
//! Looks and writes nothing. What is right is up to `crate::doctor`.

mod bot_project;
mod instance_file;
mod look;
mod observe;
mod packages;
mod show;

use anyhow::{Result, bail};

use super::Surroundings;
use super::bot::Setting;
use crate::cli::{self, Global};
use crate::doctor::{self, State};
use crate::forge::ForgeError;
use look::Look;
use show::Shown;

/// Runs the command.
pub(super) fn run(arguments: &cli::Doctor, global: &Global, surroundings: &Surroundings) -> Result<()> {
    // Whatever is asked for: not even a mistake writes anything.
    let reading = Global { dry_run: true, ..global.clone() };
    let bot = Setting::read(global, surroundings)?.connect(&reading)?;
    let findings = match bot.myself() {
        Ok(_) => doctor::judge(&observe::observe(&Look::new(&bot, arguments)?)?),
        Err(ForgeError::Unauthorized(_)) => vec![doctor::unknown_token()],
        Err(ForgeError::Forbidden(_)) => vec![doctor::weak_token()],
        Err(error) => return Err(error.into()),
    };
    let wrong = findings.iter().filter(|finding| finding.state == State::Wrong).count();
    Shown { instance: &bot.instance.name, findings, requests: bot.forge.requests() }
        .print(global.output, surroundings.paint)?;
    match wrong {
        0 => Ok(()),
        1 => bail!("one thing is wrong with the instance {}", bot.instance.name),
        many => bail!("{many} things are wrong with the instance {}", bot.instance.name),
    }
}
