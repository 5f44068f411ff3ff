//! The Markdown of the note: paragraphs, lists, and the names in them.

use std::fmt::Write as _;

use crate::pair::sanitize;
use crate::types::{CommitId, Subject};

/// The most rows of a list. A longer list ends in how many more there are.
const LISTED: usize = 100;

/// The most rows of a list that is not folded up.
const OPEN: usize = 8;

pub(super) fn paragraph(text: &mut String, words: &str) {
    text.push_str(words);
    text.push_str("\n\n");
}

/// Writes a list below its title. A long one is folded up.
pub(super) fn list(text: &mut String, title: &str, rows: Vec<String>) {
    let total = rows.len();
    if total > OPEN {
        paragraph(text, &format!("<details><summary>{title}</summary>"));
        bullets(text, rows.into_iter(), total);
        paragraph(text, "</details>");
    } else {
        paragraph(text, &format!("**{title}:**"));
        bullets(text, rows.into_iter(), total);
    }
}

/// Writes the first of `total` rows, and how many more there are.
pub(super) fn bullets(text: &mut String, rows: impl Iterator<Item = String>, total: usize) {
    for row in rows.take(LISTED) {
        let _ = writeln!(text, "- {row}");
    }
    if total > LISTED {
        let _ = writeln!(text, "- … and {} more", total - LISTED);
    }
    text.push('\n');
}

pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Returns a commit's short name as a code span.
pub(super) fn short(id: &CommitId) -> String {
    sanitize::code(id.short().as_bytes())
}

/// Returns what a finding or refusal is about, as the beginning of its sentence.
pub(super) fn subject(subject: Option<&Subject>) -> String {
    match subject {
        None => String::new(),
        Some(Subject::Commit(id)) => format!("commit {}: ", short(id)),
        Some(Subject::File(path)) => format!("{}: ", sanitize::code(path.as_bytes())),
        Some(Subject::CommitFile(id, path)) => format!("commit {}, {}: ", short(id), sanitize::code(path.as_bytes())),
    }
}
