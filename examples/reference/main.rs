//! Prints `docs/reference.md`: all commands, variables, CI templates and exit statuses, from the places that define them.
//!
//!     cargo run --quiet --example reference > docs/reference.md

#![expect(clippy::print_stdout, reason = "it prints what it is for")]

mod page;

use std::path::Path;

use anyhow::Result;

fn main() -> Result<()> {
    print!("{}", page::reference(Path::new(env!("CARGO_MANIFEST_DIR")))?);
    Ok(())
}
