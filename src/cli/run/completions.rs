//! `completions`: prints a shell's completions, which clap generates from the definition of the command line.

use clap::CommandFactory as _;
use clap_complete::generate;

use crate::cli::Invocation;
use crate::cli::args::{Cli, CompletionsArgs};
use crate::types::error::Result;

pub(crate) fn run(arguments: &CompletionsArgs, invocation: &Invocation<'_>) -> Result<()> {
    let mut script = Vec::new();
    let mut command = Cli::command();
    let name = command.get_name().to_owned();
    generate(arguments.shell, &mut command, &*name, &mut script);
    let script = String::from_utf8(script)?;
    // For bash, clap_complete 4.6 writes the hyphens of the program's name in one way where it detects the command that
    // is typed, and in another way where it looks that command up. Without this, nothing after a command would be
    // completed (clap issue 6421).
    let script = script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"));
    invocation.printer.print_verbatim(&script)
}
