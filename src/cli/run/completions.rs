//! `completions`: prints what a shell completes the command line with. Made of the command line's own definition.
use clap::CommandFactory as _;
use clap_complete::generate;

use crate::cli::args::{self, Cli};
use crate::cli::terminal;
use crate::types::error::{Context as _, Result};

/// Runs the command.
pub(crate) fn run(arguments: &args::Completions) -> Result<()> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    generate(arguments.shell, &mut command, &*name, &mut script);
    let script = String::from_utf8(script)?;
    // For bash, clap_complete 4.6 writes the hyphens of the program's name in one way where it finds out what is being
    // typed, and in another where it looks that up: then it completes nothing behind a command (clap issue 6421).
    let script = script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"));
    terminal::print(&script).context("writing to standard output")
}
