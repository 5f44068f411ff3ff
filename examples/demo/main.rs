//! Shows what the program does for the people around a package: for a contributor on GitLab, and for a packager at home.
//!
//!     cargo run --release --example demo
//!     cargo run --release --example demo -- --check
//!
//! Everything happens in temporary directories and on the loopback interface: the GitLab is the tests' own. What is shown
//! behind a `$` is what a person or a job would type, and it is really run, the built program included. What is shown is
//! also checked; what is not as it should be ends the demo with status 1. With `--check` it says at the end how much was
//! checked.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a demo plays the person: it starts git and the program, reads the environment and prints"
)]

mod local;
mod markdown;
mod merge_request;
mod package;
mod page;
mod program;
mod stage;

use std::env;

use anyhow::{Result, bail};
use source_git_bot::cli::terminal::{Color, stdout_paint};

use crate::program::Program;
use crate::stage::Stage;

fn main() -> Result<()> {
    let check = match &env::args().skip(1).collect::<Vec<_>>()[..] {
        [] => false,
        [only] if only == "--check" => true,
        _ => bail!("usage: demo [--check]"),
    };
    let paint = stdout_paint(Color::Auto, env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()));
    let program = Program::build()?;

    let on_gitlab = Stage::new(paint)?;
    on_gitlab.title("A merge request on GitLab");
    merge_request::tell(&on_gitlab, &program)?;

    let at_home = Stage::new(paint)?;
    at_home.title("The same on one's own clones");
    local::tell(&at_home, &program)?;

    if check {
        println!("\n{} checks hold", on_gitlab.checks() + at_home.checks());
    }
    Ok(())
}
