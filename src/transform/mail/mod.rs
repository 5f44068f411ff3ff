//! Patch files as mails: the form that `git format-patch` writes and `git am`, `git apply` and `patch` read.
//!
//! ```text
//! From 1a2b… Mon Sep 17 00:00:00 2001      one mail for each commit
//! From: …                                  headers, the last ones may be folded
//!
//! The message without its first paragraph
//! ---                                      git's own separator
//!  file.c | 2 +-                           the diffstat: every line begins with a space
//!
//! diff --git a/file.c b/file.c             the diff: content lines begin with ` `, `+`, `-` or `\`
//! ```
//!
//! Nothing here makes or applies a patch: git does. What is here finds its way in git's output, changes message lines
//! that would be taken for a part of the mail, and says what a diff holds.

mod defuse;
mod diff;
mod gnu_patch;

use std::fmt;

use bstr::ByteSlice as _;

use crate::types::{CommitId, Refusal};

pub use crate::transform::mail::defuse::{Defused, defuse};
pub use crate::transform::mail::diff::{PatchedFile, diff_of, moved_after_a_change};
pub use crate::transform::mail::gnu_patch::{PatchLimit, files_beyond_patch, message_line_read_by_patch};

/// The date in the first line of each mail that git writes, always the same.
const SEPARATOR_DATE: &[u8] = b" Mon Sep 17 00:00:00 2001";

/// A mail that is not what `git format-patch` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// There is no header, or no blank line after it.
    #[error("the mail has no header of `git format-patch`")]
    Header,
    /// The text between header and separator is not the commit's message.
    #[error("the mail does not hold the commit's message")]
    Message,
    /// A line of a diff's header cannot be read.
    #[error("the diff has a header that git does not write")]
    Diff,
}

/// Says of a patch that it cannot be read, and what its author can do.
pub fn unreadable(why: impl fmt::Display) -> Refusal {
    let remedy = "rebase the downstream commits on the upstream ref, so that there are no merges among them";
    Refusal::new(format!("a patch cannot be read: {why}"), remedy)
}

/// Returns the commit that the mail's first line names.
pub fn commit_of(mail: &[u8]) -> Option<CommitId> {
    separator(mail.lines().next()?)
}

/// Returns the mails of a patch file, one for each commit, together the whole file.
///
/// Exact for mails that went through [`defuse()`]: then no other line begins like a mail.
pub fn split(file: &[u8]) -> Vec<&[u8]> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in file.lines_with_terminator() {
        if at == 0 || separator(line.trim_end_with(|c| c == '\n' || c == '\r')).is_some() {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([file.len()]);
    starts.iter().zip(ends).filter_map(|(start, end)| file.get(*start..end)).collect()
}

fn separator(line: &[u8]) -> Option<CommitId> {
    let id = line.strip_prefix(b"From ")?.strip_suffix(SEPARATOR_DATE)?;
    CommitId::parse(id).ok()
}

/// Returns where the diff begins in a defused mail; its end where it has none.
fn diff_start(mail: &[u8]) -> usize {
    const START: &[u8] = b"diff --git ";
    if mail.starts_with(START) { 0 } else { mail.find(b"\ndiff --git ").map_or(mail.len(), |at| at + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_file_is_its_mails() {
        let one =
            format!("From {} Mon Sep 17 00:00:00 2001\nFrom: A\n\n From {} x\n---\n", "a".repeat(40), "b".repeat(40));
        let two = format!("From {} Mon Sep 17 00:00:00 2001\nFrom: B\n\n---\n", "c".repeat(40));
        let file = format!("{one}{two}");
        assert_eq!(split(file.as_bytes()), [one.as_bytes(), two.as_bytes()]);
        assert_eq!(commit_of(two.as_bytes()).unwrap().to_string(), "c".repeat(40));
        assert_eq!(split(b"no mail\nat all"), [b"no mail\nat all"]);
        assert_eq!(split(b""), [b""; 0]);
    }
}
