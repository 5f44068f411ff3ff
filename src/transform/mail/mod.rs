//! Patch files as mails: the form that `git format-patch` writes and `git am`, `git apply` and `patch` read.
//!
//! ```text
//! From 1a2b… Mon Sep 17 00:00:00 2001      one mail for each commit
//! From: …                                  the headers; the last ones may be folded
//!
//! The message without its first paragraph
//! ---                                      git's own separator
//!  file.c | 2 +-                           the diffstat: each line begins with a space
//!
//! diff --git a/file.c b/file.c             the diff: content lines begin with ` `, `+`, `-` or `\`
//! ```
//!
//! Nothing here makes or applies a patch: git does that. `format` finds the parts of git's output, `defuse` changes
//! message lines that tools would take for another part, `diff` reads what a diff changes, and `gnu_patch` knows what
//! GNU patch cannot apply.

mod defuse;
mod diff;
mod format;
mod gnu_patch;

pub use crate::transform::mail::defuse::{Defused, defuse};
pub use crate::transform::mail::diff::{PatchedFile, diff_of, moved_after_a_change};
pub use crate::transform::mail::format::{MailError, commit_of, split, unreadable};
pub use crate::transform::mail::gnu_patch::{PatchLimit, files_beyond_patch, message_line_read_by_patch};
