//! The entry point: arguments, logging and the exit status, nothing else.

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

use clap::Parser as _;
use source_git_bot::cli::args::Cli;
use source_git_bot::cli::dispatch;
use source_git_bot::cli::exit::ExitStatus;
use source_git_bot::cli::printer::Printer;
use source_git_bot::cli::terminal;
use source_git_bot::ops::ProcessContext;
use tracing::Level;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
fn main() -> ExitCode {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let search_path = env::var_os("PATH").unwrap_or_default();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            return if error.use_stderr() { ExitStatus::Usage } else { ExitStatus::Done }.into();
        }
    };
    let level = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Level::ERROR,
        (false, 0) => Level::INFO,
        (false, 1) => Level::DEBUG,
        (false, _) => Level::TRACE,
    };
    let stderr_paint = terminal::stderr_paint(cli.global.color, no_color);
    let variables: BTreeMap<_, _> = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    terminal::mask_secrets(&variables);
    tracing_subscriber::fmt()
        .with_writer(|| terminal::MaskedStderr)
        .with_ansi(stderr_paint == terminal::Paint::Colored)
        .with_max_level(level)
        .with_target(false)
        .without_time()
        .init();
    let context = ProcessContext { search_path, variables };
    let printer = Printer::new(cli.global.output, terminal::stdout_paint(cli.global.color, no_color));
    match dispatch::run(&cli, &context, &printer) {
        Ok(()) => ExitStatus::Done.into(),
        Err(error) => {
            terminal::print_to_stderr(&terminal::error_lines(&error, stderr_paint));
            // If standard output cannot be written either, there is nothing left to do.
            drop(printer.print_error(&error));
            ExitStatus::of(&error).into()
        }
    }
}
