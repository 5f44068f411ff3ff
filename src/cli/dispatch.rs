//! Which subcommand runs which operation.

use crate::cli::Invocation;
use crate::cli::args::{Cli, Command};
use crate::cli::printer::Printer;
use crate::cli::run::{
    completions, config, doctor, event, notify, onboard, reconcile, recreate, report, retest, sync, update_dist_git,
    webhook_token,
};
use crate::ops::ProcessContext;
use crate::types::error::Result;

/// Runs the command that was typed. Whatever it has to show goes through `printer`.
pub fn run(cli: &Cli, context: &ProcessContext, printer: &Printer) -> Result<()> {
    let invocation = &Invocation { global: &cli.global, context, printer };
    match &cli.command {
        Command::Completions(arguments) => completions::run(arguments, invocation),
        Command::Config(arguments) => config::run(arguments, invocation),
        Command::Doctor(arguments) => doctor::run(arguments, invocation),
        Command::Event(arguments) => event::run(arguments, invocation),
        Command::Notify(arguments) => notify::run(arguments, invocation),
        Command::Onboard(arguments) => onboard::run(arguments, invocation),
        Command::Reconcile(arguments) => reconcile::run(arguments, invocation),
        Command::Recreate(arguments) => recreate::run(arguments, invocation),
        Command::Report(arguments) => report::run(arguments, invocation),
        Command::Retest(arguments) => retest::run(arguments, invocation),
        Command::Sync(arguments) => sync::run(arguments, invocation),
        Command::UpdateDistGit(arguments) => update_dist_git::run(arguments, invocation),
        Command::WebhookToken(arguments) => webhook_token::run(arguments, invocation),
    }
}
