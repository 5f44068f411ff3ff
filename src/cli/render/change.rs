//! The change of a text on GitLab, as a dry run shows it.

use similar::TextDiff;

use crate::cli::render::transformation::paint_diff_line;
use crate::cli::terminal::Paint;
use crate::ops::text_change::TextChange;
use crate::types::text::printable_whole;

/// Returns the new text, or a diff if there was one before, with a bar before each line.
pub(crate) fn lines(change: &TextChange, paint: Paint) -> String {
    let mut lines = String::new();
    let mut line = |text: &str| lines.push_str(&format!("{}\n", format!("  | {text}").trim_end()));
    match &change.before {
        None => change.after.lines().for_each(|row| line(&printable_line(row))),
        Some(before) => {
            // GitLab removes white space at the end of a text.
            let (before, after) = (format!("{}\n", before.trim_end()), format!("{}\n", change.after.trim_end()));
            let diff = TextDiff::from_lines(&before, &after);
            let diff = diff.unified_diff().context_radius(1).to_string();
            diff.lines().for_each(|row| line(&paint_diff_line(&printable_line(row), paint)));
        }
    }
    lines
}

/// Returns a line without characters that a terminal would interpret.
fn printable_line(row: &str) -> String {
    printable_whole(row.as_bytes())
}
