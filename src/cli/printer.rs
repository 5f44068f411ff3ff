//! Standard output: text for people, or one JSON object for programs.
//!
//! All JSON goes through here: it carries the version of its format, and what a terminal would act on is escaped.

use std::cell::Cell;

use serde::Serialize;

use crate::cli::args::Output;
use crate::cli::exit::ExitStatus;
use crate::cli::terminal::{self, Paint};
use crate::types::error::{Context as _, Error, Result};

/// The version of the JSON formats (docs/json-output.md).
pub const FORMAT: u32 = 2;

/// Prints what commands have to show.
#[derive(Debug)]
pub struct Printer {
    output: Output,
    paint: Paint,
    /// Whether the one JSON object is out.
    has_printed: Cell<bool>,
}

#[derive(Serialize)]
struct Document<'a, T> {
    format: u32,
    #[serde(flatten)]
    data: &'a T,
}

#[derive(Serialize)]
struct Failed<'a> {
    error: FailedError<'a>,
}

#[derive(Serialize)]
struct FailedError<'a> {
    exit_status: u8,
    text: &'a str,
    caused_by: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl Printer {
    /// Prints in this form; text in this paint.
    pub const fn new(output: Output, paint: Paint) -> Self {
        Self { output, paint, has_printed: Cell::new(false) }
    }

    /// Prints `data`, or the text for it.
    pub(crate) fn print(&self, data: &impl Serialize, text: impl FnOnce(Paint) -> String) -> Result<()> {
        let text = match self.output {
            Output::Text => text(self.paint),
            Output::Json => self.json(data)?,
        };
        terminal::print(&text).context("writing to standard output")
    }

    /// Prints `data` with a token in it that was asked for, or the text for it: nothing is masked.
    pub(crate) fn print_token(&self, data: &impl Serialize, text: String) -> Result<()> {
        let text = match self.output {
            Output::Text => text,
            Output::Json => self.json(data)?,
        };
        terminal::print_token(&text).context("writing to standard output")
    }

    /// Prints a text that has a form of its own, whatever was asked for.
    pub(crate) fn print_as_it_is(&self, text: &str) -> Result<()> {
        self.has_printed.set(true);
        terminal::print(text).context("writing to standard output")
    }

    /// Prints an error as JSON, where that was asked for and nothing else was printed. For people it is on standard error.
    pub fn print_error(&self, error: &Error) -> Result<()> {
        if self.output == Output::Text || self.has_printed.get() {
            return Ok(());
        }
        let chain = error.chain();
        let (text, caused_by) = chain.split_first().map_or(("", &[][..]), |(text, rest)| (text.as_str(), rest));
        let exit_status = ExitStatus::of(error) as u8;
        let failed = Failed { error: FailedError { exit_status, text, caused_by, hint: error.hint() } };
        terminal::print(&self.json(&failed)?).context("writing to standard output")
    }

    /// Returns the one object.
    fn json(&self, data: &impl Serialize) -> Result<String> {
        self.has_printed.set(true);
        escaped(&Document { format: FORMAT, data })
    }
}

/// Returns JSON with escapes for all characters that a terminal would act on: they stand in strings only, so the data stay
/// the same.
pub(crate) fn escaped(data: &impl Serialize) -> Result<String> {
    Ok(terminal::escaped(&serde_json::to_string_pretty(data).context("writing JSON")?) + "\n")
}
