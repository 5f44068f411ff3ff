//! The table of findings, as text for people or as data.

use serde::Serialize;

use crate::cli::terminal::Paint;
use crate::ops::doctor::Diagnosis;
use crate::setup::check::{CheckResult, CheckState};
use crate::types::text::printable_whole;

/// How many characters a line of the table has: as many as fit beside the timestamps of a job's log.
const WIDTH: usize = 100;

/// The width of the column of states.
const STATE_WIDTH: usize = 6;

/// The order of the states. Wrong ones come last, as people look at the end of a log or a terminal first.
const ORDER: [CheckState; 3] = [CheckState::Right, CheckState::Unseen, CheckState::Wrong];

/// The number of findings in each state.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct StateCounts {
    pub(crate) right: usize,
    pub(crate) unseen: usize,
    pub(crate) wrong: usize,
}

#[derive(Serialize)]
struct JsonDiagnosis<'a> {
    instance: &'a str,
    #[serde(flatten)]
    counts: StateCounts,
    findings: &'a [CheckResult],
    requests: u64,
}

pub(crate) fn counts(diagnosis: &Diagnosis) -> StateCounts {
    let [right, unseen, wrong] =
        ORDER.map(|state| diagnosis.findings.iter().filter(|finding| finding.state == state).count());
    StateCounts { right, unseen, wrong }
}

/// Returns the diagnosis without characters that a terminal would interpret: the owners of projects, users and webhooks
/// can give them any name.
pub(crate) fn printable(mut diagnosis: Diagnosis) -> Diagnosis {
    for finding in &mut diagnosis.findings {
        for text in [Some(&mut finding.subject), Some(&mut finding.says), finding.remedy.as_mut()] {
            text.into_iter().for_each(|text| *text = printable_whole(text.as_bytes()));
        }
    }
    diagnosis
}

pub(crate) fn data(diagnosis: &Diagnosis) -> impl Serialize + '_ {
    JsonDiagnosis {
        instance: &diagnosis.instance,
        counts: counts(diagnosis),
        findings: &diagnosis.findings,
        requests: diagnosis.requests,
    }
}

pub(crate) fn text(diagnosis: &Diagnosis, paint: Paint) -> String {
    let checks = diagnosis.findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    let margin = STATE_WIDTH.saturating_add(checks).saturating_add(4);
    let width = WIDTH.saturating_sub(margin);
    let mut text = String::new();
    for state in ORDER {
        for finding in diagnosis.findings.iter().filter(|finding| finding.state == state) {
            let word = format!("{:STATE_WIDTH$}", state.word());
            let word = match state {
                CheckState::Right => paint.green(word),
                CheckState::Unseen => paint.yellow(word),
                CheckState::Wrong => paint.red(paint.bold(word)),
            };
            let said = wrap(&format!("{}: {}", finding.subject, finding.says), width);
            let remedy = finding.remedy.iter().flat_map(|remedy| wrap(remedy, width.saturating_sub(3)));
            let remedy = remedy.enumerate().map(|(n, line)| {
                let mark = if n == 0 { "-> " } else { "   " };
                if state == CheckState::Wrong { format!("{mark}{line}") } else { paint.dim(format!("{mark}{line}")) }
            });
            for (number, line) in said.into_iter().chain(remedy).enumerate() {
                match number {
                    0 => text.push_str(&format!("{word}  {:checks$}  {line}\n", finding.check)),
                    _ => text.push_str(&format!("{:margin$}{line}\n", "")),
                }
            }
        }
    }
    let StateCounts { right, unseen, wrong } = counts(diagnosis);
    let counts = [format!("{right} right"), format!("{unseen} unseen"), format!("{wrong} wrong")];
    text.push_str(&format!("{}: {}; {} requests\n", diagnosis.instance, counts.join(", "), diagnosis.requests));
    text
}

/// Breaks a text between words into lines of at most `width` characters. A longer word, such as a URL, stays whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
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
        assert_eq!(wrap("a bc def", 6), ["a bc", "def"]);
        assert_eq!(wrap("a bc def", 8), ["a bc def"]);
        assert_eq!(wrap("x https://gitlab.example.com/a y", 8), ["x", "https://gitlab.example.com/a", "y"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("äöü äöü", 7), ["äöü äöü"]);
    }
}
