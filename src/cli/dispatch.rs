//! Maps each subcommand to the function that runs it.

use crate::cli::Invocation;
use crate::cli::args::{Cli, CliCommand};
use crate::cli::printer::Printer;
use crate::cli::run::{
    completions, config, doctor, event, notify, onboard, reconcile, recreate, report, retest, sync, update_dist_git,
    webhook_token,
};
use crate::ops::ProcessContext;
use crate::types::error::Result;

/// Runs the command that the user typed. Its output goes through `printer`.
pub fn run(cli: &Cli, context: &ProcessContext, printer: &Printer) -> Result<()> {
    let invocation = &Invocation { global: &cli.global, context, printer };
    match &cli.command {
        CliCommand::Completions(arguments) => completions::run(arguments, invocation),
        CliCommand::Config(arguments) => config::run(arguments, invocation),
        CliCommand::Doctor(arguments) => doctor::run(arguments, invocation),
        CliCommand::Event(arguments) => event::run(arguments, invocation),
        CliCommand::Notify(arguments) => notify::run(arguments, invocation),
        CliCommand::Onboard(arguments) => onboard::run(arguments, invocation),
        CliCommand::Reconcile(arguments) => reconcile::run(arguments, invocation),
        CliCommand::Recreate(arguments) => recreate::run(arguments, invocation),
        CliCommand::Report(arguments) => report::run(arguments, invocation),
        CliCommand::Retest(arguments) => retest::run(arguments, invocation),
        CliCommand::Sync(arguments) => sync::run(arguments, invocation),
        CliCommand::UpdateDistGit(arguments) => update_dist_git::run(arguments, invocation),
        CliCommand::WebhookToken(arguments) => webhook_token::run(arguments, invocation),
    }
}
