//! Which subcommand runs which operation.
use crate::cli::args::{Cli, Command};
use crate::cli::run::{completions, config, notify, webhook_token};
use crate::ops::{Surroundings, doctor, event, onboard, reconcile, recreate, report, retest, sync, update_dist_git};
use crate::types::error::Result;

/// Runs the command that was typed.
pub fn run(cli: &Cli, surroundings: &Surroundings) -> Result<()> {
    match &cli.command {
        Command::Completions(arguments) => completions::run(arguments),
        Command::Config(arguments) => config::run(arguments, &cli.global, surroundings),
        Command::Doctor(arguments) => doctor::run(arguments, &cli.global, surroundings),
        Command::Event(arguments) => event::run(arguments, &cli.global, surroundings),
        Command::Notify(arguments) => notify::run(arguments, &cli.global, surroundings),
        Command::Onboard(arguments) => onboard::run(arguments, &cli.global, surroundings),
        Command::Reconcile(arguments) => reconcile::run(arguments, &cli.global, surroundings),
        Command::Recreate(arguments) => recreate::run(arguments, &cli.global, surroundings),
        Command::Report(arguments) => report::run(arguments, &cli.global, surroundings),
        Command::Retest(arguments) => retest::run(arguments, &cli.global, surroundings),
        Command::Sync(arguments) => sync::run(arguments, &cli.global, surroundings),
        Command::UpdateDistGit(arguments) => update_dist_git::run(arguments, &cli.global, surroundings),
        Command::WebhookToken(arguments) => webhook_token::run(arguments, &cli.global, surroundings),
    }
}
