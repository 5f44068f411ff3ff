//! One file a command: observe, plan, show or apply.

mod bot;
mod change;
mod comment;
mod commit_statuses;
mod completions;
mod config;
mod doctor;
mod effect;
mod event;
mod generate;
mod gitlab_address;
mod merge_request_reference;
mod named;
mod notify;
mod onboard;
mod own_notes;
mod pipeline_reference;
mod reconcile;
mod recreate;
mod report;
mod retest;
mod show;
mod sync;
mod update_dist_git;
mod webhook_token;

use std::collections::BTreeMap;
use std::ffi::OsString;

use anyhow::Result;

use crate::cli::{Cli, Command};
use crate::terminal::Paint;

/// What a command has from the process it runs in.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The variable `PATH`: where git is looked for.
    pub search_path: OsString,
    /// All variables that are text.
    pub variables: BTreeMap<String, String>,
    /// How standard output is painted.
    pub paint: Paint,
}

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
