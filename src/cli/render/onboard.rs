//! What was done, what was there and what is left: as text for people, or as data.
use serde::Serialize;

use crate::cli::args::{Global, Output};
use crate::cli::terminal::{self, Paint};
use crate::config::Instance;
use crate::ops::onboard::Projects;
use crate::ops::onboard::apply::Done;
use crate::setup::package::PackageName;
use crate::setup::todo::Todo;
use crate::types::error::{Context as _, Result};
use crate::types::text::printable_whole;

/// The format of the JSON output.
const FORMAT: u8 = 1;

/// What is shown.
pub(crate) struct Shown<'a> {
    pub(crate) package: &'a PackageName,
    pub(crate) instance: &'a Instance,
    pub(crate) projects: &'a Projects,
    pub(crate) done: &'a Done,
}

#[derive(Serialize)]
struct Json<'a> {
    format: u8,
    package: &'a str,
    instance: String,
    source_git: &'a str,
    dist_git: &'a str,
    bot_project: &'a str,
    dry_run: bool,
    done: &'a [String],
    to_do: &'a [String],
    there_already: &'a [String],
    left: &'a [Todo],
}

impl Shown<'_> {
    /// Writes it to standard output.
    pub(crate) fn print(&self, global: &Global, paint: Paint) -> Result<()> {
        let text = match global.output {
            Output::Text => self.text(global.dry_run, paint),
            Output::Json => self.json(global.dry_run)?,
        };
        terminal::print(&text).context("writing to standard output")
    }

    fn json(&self, dry_run: bool) -> Result<String> {
        let Self { package, instance, projects, done } = self;
        let json = Json {
            format: FORMAT,
            package: package.as_str(),
            instance: instance.short_name(),
            source_git: projects.source_git.as_str(),
            dist_git: projects.dist_git.as_str(),
            bot_project: projects.hub.as_str(),
            dry_run,
            done: &done.done,
            to_do: &done.planned,
            there_already: &done.present,
            left: &done.left,
        };
        // Branches are called what people like.
        Ok(terminal::escaped(&serde_json::to_string_pretty(&json).context("writing JSON")?) + "\n")
    }

    fn text(&self, dry_run: bool, paint: Paint) -> String {
        let Self { package, instance, projects, done } = self;
        let mut text = format!(
            "{}: {} and {}\n",
            paint.bold(format!("{package} in {}", instance.short_name())),
            projects.source_git,
            projects.dist_git
        );
        let mut part = |title: String, lines: &[String]| {
            if !lines.is_empty() {
                text.push_str(&format!("\n{}\n", paint.bold(title)));
                lines.iter().for_each(|line| text.push_str(&format!("  {}\n", plain(line))));
            }
        };
        part("done".to_owned(), &done.done);
        part(if dry_run { "to do (dry run)" } else { "not done yet" }.to_owned(), &done.planned);
        part("was there already".to_owned(), &done.present);
        if done.done.is_empty() && done.planned.is_empty() && done.left.is_empty() {
            text.push_str("\nNothing was to be done.\n");
        } else if done.done.is_empty() && done.planned.is_empty() {
            text.push_str("\nNothing was written.\n");
        }
        if !done.left.is_empty() {
            text.push_str(&format!("\n{}\n", paint.bold(paint.yellow("left to a person"))));
            for (number, left) in (1..).zip(&done.left) {
                text.push_str(&item(number, left));
            }
        }
        text
    }
}

/// One thing that is left, with its values below it.
fn item(number: usize, left: &Todo) -> String {
    let mut lines = format!("  {number}. {}{}\n", plain(&left.what), if left.values.is_empty() { "" } else { ":" });
    let width = left.values.iter().map(|value| value.name.len()).max().unwrap_or_default();
    for value in &left.values {
        let name = if width == 0 { String::new() } else { format!("{:<width$}  ", value.name) };
        lines.push_str(&format!("     {name}{}\n", plain(&value.value)));
    }
    lines
}

/// A line without what a terminal would act on.
fn plain(line: &str) -> String {
    printable_whole(line.as_bytes())
}
