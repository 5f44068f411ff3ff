//! What `onboard` did, what was there already and what is left to do: as text for people, or as data.

use serde::Serialize;

use crate::cli::terminal::Paint;
use crate::ops::onboard::Onboarded;
use crate::setup::package_name::PackageName;
use crate::setup::todo::Todo;
use crate::types::text::printable_whole;

/// The result of `onboard`, and what it was run with.
pub(crate) struct OnboardingResult<'a> {
    pub(crate) package: &'a PackageName,
    pub(crate) onboarded: &'a Onboarded,
    pub(crate) dry_run: bool,
}

#[derive(Serialize)]
struct JsonOnboarding<'a> {
    package: &'a str,
    instance: &'a str,
    source_git: &'a str,
    dist_git: &'a str,
    bot_project: &'a str,
    dry_run: bool,
    done: &'a [String],
    to_do: &'a [String],
    there_already: &'a [String],
    left: &'a [Todo],
}

impl OnboardingResult<'_> {
    pub(crate) fn data(&self) -> impl Serialize + '_ {
        let Self { package, onboarded: Onboarded { instance, projects, steps, .. }, dry_run } = self;
        JsonOnboarding {
            package: package.as_str(),
            instance,
            source_git: projects.source_git.as_str(),
            dist_git: projects.dist_git.as_str(),
            bot_project: projects.bot_project.as_str(),
            dry_run: *dry_run,
            done: &steps.done,
            to_do: &steps.planned,
            there_already: &steps.present,
            left: &steps.todos,
        }
    }
}

pub(crate) fn text(result: &OnboardingResult<'_>, paint: Paint) -> String {
    let OnboardingResult { package, onboarded: Onboarded { instance, projects, steps: done, .. }, dry_run } = result;
    let mut text = format!(
        "{}: {} and {}\n",
        paint.bold(format!("{package} in {}", instance)),
        projects.source_git,
        projects.dist_git
    );
    let mut part = |title: String, lines: &[String]| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{}\n", paint.bold(title)));
            lines.iter().for_each(|line| text.push_str(&format!("  {}\n", printable_line(line))));
        }
    };
    part("done".to_owned(), &done.done);
    part(if *dry_run { "to do (dry run)" } else { "not done yet" }.to_owned(), &done.planned);
    part("was there already".to_owned(), &done.present);
    if done.done.is_empty() && done.planned.is_empty() && done.todos.is_empty() {
        text.push_str("\nNothing was to be done.\n");
    } else if done.done.is_empty() && done.planned.is_empty() {
        text.push_str("\nNothing was written.\n");
    }
    if !done.todos.is_empty() {
        text.push_str(&format!("\n{}\n", paint.bold(paint.yellow("left to a person"))));
        for (number, left) in (1..).zip(&done.todos) {
            text.push_str(&item(number, left));
        }
    }
    text
}

/// Returns one item of what is left to do, with its values below it.
fn item(number: usize, left: &Todo) -> String {
    let mut lines =
        format!("  {number}. {}{}\n", printable_line(&left.what), if left.values.is_empty() { "" } else { ":" });
    let width = left.values.iter().map(|value| value.name.len()).max().unwrap_or_default();
    for value in &left.values {
        let name = if width == 0 { String::new() } else { format!("{:<width$}  ", value.name) };
        lines.push_str(&format!("     {name}{}\n", printable_line(&value.value)));
    }
    lines
}

/// Returns a line without characters that a terminal would interpret.
fn printable_line(line: &str) -> String {
    printable_whole(line.as_bytes())
}
