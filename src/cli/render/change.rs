//! A text on GitLab before and after, as a dry run shows it.

use similar::TextDiff;

use crate::cli::render::transformation::painted;
use crate::cli::terminal::Paint;
use crate::ops::text_change::TextChange;
use crate::types::text::printable_whole;

/// Returns the text, or what changes in it, behind a bar.
pub(crate) fn lines(change: &TextChange, paint: Paint) -> String {
    let mut lines = String::new();
    let mut line = |text: &str| lines.push_str(&format!("{}\n", format!("  | {text}").trim_end()));
    match &change.before {
        None => change.after.lines().for_each(|row| line(&plain(row))),
        Some(before) => {
            // GitLab takes away what is blank at the end of a text.
            let (before, after) = (format!("{}\n", before.trim_end()), format!("{}\n", change.after.trim_end()));
            let diff = TextDiff::from_lines(&before, &after);
            let diff = diff.unified_diff().context_radius(1).to_string();
            diff.lines().for_each(|row| line(&painted(&plain(row), paint)));
        }
    }
    lines
}

/// A line without what a terminal would act on.
fn plain(row: &str) -> String {
    printable_whole(row.as_bytes())
}
