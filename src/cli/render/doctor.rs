//! The table of what was found, and the same as data.
use serde::Serialize;

use crate::cli::args::Output;
use crate::cli::terminal::{self, Paint};
use crate::setup::check::{CheckResult, CheckState};
use crate::types::error::{Context as _, Result};
use crate::types::text::printable_whole;

/// How many characters a line of the table has: what fits beside the times in a job's log.
const WIDTH: usize = 100;

/// The width of the words for the states.
const STATES: usize = 6;

/// The order of the states: what is wrong comes last, where a log ends and a terminal stands.
const ORDER: [CheckState; 3] = [CheckState::Right, CheckState::Unseen, CheckState::Wrong];

/// What is shown.
pub(crate) struct Shown<'a> {
    pub(crate) instance: &'a str,
    pub(crate) findings: Vec<CheckResult>,
    pub(crate) requests: u64,
}

#[derive(Serialize)]
struct Json<'a> {
    format: u32,
    instance: &'a str,
    right: usize,
    unseen: usize,
    wrong: usize,
    findings: Vec<CheckResult>,
    requests: u64,
}

impl Shown<'_> {
    pub(crate) fn print(mut self, output: Output, paint: Paint) -> Result<()> {
        for finding in &mut self.findings {
            // Projects, users and webhooks are called what their owners like.
            for text in [Some(&mut finding.subject), Some(&mut finding.says), finding.remedy.as_mut()] {
                text.into_iter().for_each(|text| *text = printable_whole(text.as_bytes()));
            }
        }
        let text = match output {
            Output::Text => self.text(paint),
            Output::Json => self.json()?,
        };
        terminal::print(&text).context("writing to standard output")
    }

    fn number(&self, state: CheckState) -> usize {
        self.findings.iter().filter(|finding| finding.state == state).count()
    }

    fn text(&self, paint: Paint) -> String {
        let checks = self.findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
        let margin = STATES.saturating_add(checks).saturating_add(4);
        let width = WIDTH.saturating_sub(margin);
        let mut text = String::new();
        for state in ORDER {
            for finding in self.findings.iter().filter(|finding| finding.state == state) {
                let word = format!("{:STATES$}", state.word());
                let word = match state {
                    CheckState::Right => paint.green(word),
                    CheckState::Unseen => paint.yellow(word),
                    CheckState::Wrong => paint.red(paint.bold(word)),
                };
                let said = wrapped(&format!("{}: {}", finding.subject, finding.says), width);
                let remedy = finding.remedy.iter().flat_map(|remedy| wrapped(remedy, width.saturating_sub(3)));
                let remedy = remedy.enumerate().map(|(n, line)| {
                    let mark = if n == 0 { "-> " } else { "   " };
                    if state == CheckState::Wrong {
                        format!("{mark}{line}")
                    } else {
                        paint.dim(format!("{mark}{line}"))
                    }
                });
                for (number, line) in said.into_iter().chain(remedy).enumerate() {
                    match number {
                        0 => text.push_str(&format!("{word}  {:checks$}  {line}\n", finding.check)),
                        _ => text.push_str(&format!("{:margin$}{line}\n", "")),
                    }
                }
            }
        }
        let counts = [(CheckState::Right, "right"), (CheckState::Unseen, "unseen"), (CheckState::Wrong, "wrong")];
        let counts = counts.map(|(state, words)| format!("{} {words}", self.number(state)));
        text.push_str(&format!("{}: {}; {} requests\n", self.instance, counts.join(", "), self.requests));
        text
    }

    fn json(self) -> Result<String> {
        let [right, unseen, wrong] = ORDER.map(|state| self.number(state));
        let Self { instance, findings, requests } = self;
        let json = Json { format: 1, instance, right, unseen, wrong, findings, requests };
        Ok(serde_json::to_string_pretty(&json).context("writing JSON")? + "\n")
    }
}

/// Breaks a text between its words into lines of so many characters. A longer word, such as an address, stays whole.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count().saturating_add(word.chars().count()) < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_long_words_stay_whole() {
        assert_eq!(wrapped("a bc def", 6), ["a bc", "def"]);
        assert_eq!(wrapped("a bc def", 8), ["a bc def"]);
        assert_eq!(wrapped("x https://gitlab.example.com/a y", 8), ["x", "https://gitlab.example.com/a", "y"]);
        assert_eq!(wrapped("", 8), [""]);
        assert_eq!(wrapped("äöü äöü", 7), ["äöü äöü"]);
    }
}
