//! Where the mails of a patch file begin, and where the diff begins in a mail.

use std::fmt;

use bstr::ByteSlice as _;

use crate::types::{CommitId, Refusal};

/// The date in the first line of each mail. git always writes the same one.
const SEPARATOR_DATE: &[u8] = b" Mon Sep 17 00:00:00 2001";

/// Why a mail is not one that `git format-patch` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// There is no header, or no blank line after the header.
    #[error("the mail has no header of `git format-patch`")]
    Header,
    /// The text between the header and the separator is not the commit's message.
    #[error("the mail does not hold the commit's message")]
    Message,
    /// A line in the header of a diff cannot be read.
    #[error("the diff has a header that git does not write")]
    Diff,
}

/// Returns the refusal for a patch that cannot be read, with what its author can do.
pub fn unreadable(why: impl fmt::Display) -> Refusal {
    let remedy = "rebase the downstream commits on the upstream ref, so that there are no merges among them";
    Refusal::new(format!("a patch cannot be read: {why}"), remedy)
}

/// Returns the commit that the first line of `mail` names.
pub fn commit_of(mail: &[u8]) -> Option<CommitId> {
    separator(mail.lines().next()?)
}

/// Splits a patch file into its mails, one for each commit. Together they are the whole file.
///
/// The result is exact for defused mails (see [`crate::transform::mail::defuse()`]), in which no other line begins like
/// a mail.
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

/// Returns the commit that `line` names, if it is the first line of a mail.
pub(super) fn separator(line: &[u8]) -> Option<CommitId> {
    let id = line.strip_prefix(b"From ")?.strip_suffix(SEPARATOR_DATE)?;
    CommitId::parse(id).ok()
}

/// Returns where the diff begins in a defused mail, or the end of the mail when it has no diff.
pub(super) fn diff_start(mail: &[u8]) -> usize {
    const START: &[u8] = b"diff --git ";
    if mail.starts_with(START) { 0 } else { mail.find(b"\ndiff --git ").map_or(mail.len(), |at| at + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_file_is_split_into_its_mails() {
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
