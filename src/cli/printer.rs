//! Standard output: text for people, or one JSON object for programs.
//!
//! All JSON goes through here. It carries the version of its format, and characters that a terminal would interpret are
//! escaped.

use std::cell::Cell;

use serde::Serialize;

use crate::cli::args::OutputFormat;
use crate::cli::exit::ExitStatus;
use crate::cli::terminal::{self, Paint};
use crate::types::error::{Context as _, Error, Result};

/// The version of the JSON formats (docs/json-output.md).
pub const FORMAT: u32 = 2;

/// Prints the output of commands.
#[derive(Debug)]
pub struct Printer {
    format: OutputFormat,
    paint: Paint,
    /// Whether the one JSON object was printed.
    has_printed: Cell<bool>,
}

#[derive(Serialize)]
struct JsonDocument<'a, T> {
    format: u32,
    #[serde(flatten)]
    data: &'a T,
}

#[derive(Serialize)]
struct JsonFailure<'a> {
    error: JsonError<'a>,
}

#[derive(Serialize)]
struct JsonError<'a> {
    exit_status: u8,
    text: &'a str,
    caused_by: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl Printer {
    pub const fn new(format: OutputFormat, paint: Paint) -> Self {
        Self { format, paint, has_printed: Cell::new(false) }
    }

    /// Prints `data` as JSON, or else the text for it.
    pub(crate) fn print(&self, data: &impl Serialize, text: impl FnOnce(Paint) -> String) -> Result<()> {
        let text = match self.format {
            OutputFormat::Text => text(self.paint),
            OutputFormat::Json => self.json(data)?,
        };
        terminal::print(&text).context("writing to standard output")
    }

    /// Like [`Printer::print`], but masks nothing: `data` and `text` contain a token that the user asked for.
    pub(crate) fn print_token(&self, data: &impl Serialize, text: String) -> Result<()> {
        let text = match self.format {
            OutputFormat::Text => text,
            OutputFormat::Json => self.json(data)?,
        };
        terminal::print_token(&text).context("writing to standard output")
    }

    /// Prints a text that has its own format, whatever format the user asked for.
    pub(crate) fn print_verbatim(&self, text: &str) -> Result<()> {
        self.has_printed.set(true);
        terminal::print(text).context("writing to standard output")
    }

    /// Prints an error as JSON if the user asked for JSON and nothing was printed yet. People see it on standard error.
    pub fn print_error(&self, error: &Error) -> Result<()> {
        if self.format == OutputFormat::Text || self.has_printed.get() {
            return Ok(());
        }
        let chain = error.chain();
        let (text, caused_by) = chain.split_first().map_or(("", &[][..]), |(text, rest)| (text.as_str(), rest));
        let exit_status = ExitStatus::of(error) as u8;
        let failure = JsonFailure { error: JsonError { exit_status, text, caused_by, hint: error.hint() } };
        terminal::print(&self.json(&failure)?).context("writing to standard output")
    }

    /// Returns the one JSON object, with the version of its format.
    fn json(&self, data: &impl Serialize) -> Result<String> {
        self.has_printed.set(true);
        escaped(&JsonDocument { format: FORMAT, data })
    }
}

/// Returns `data` as JSON in which all characters that a terminal would interpret are escaped. They occur only in
/// strings, so the data stay the same.
pub(crate) fn escaped(data: &impl Serialize) -> Result<String> {
    Ok(terminal::escaped(&serde_json::to_string_pretty(data).context("writing JSON")?) + "\n")
}
