//! What GNU patch finds in a message, and what it does not find in a diff.
//!
//! patch looks for a diff everywhere, behind any indentation (patch(1): "if the entire diff is indented by a consistent
//! amount"), so a message that quotes a whole diff cannot be made safe by indenting it. This says where patch would stop
//! and act; the rules are those of patch 2.7's search for the kind of diff, read on the safe side.

use std::collections::BTreeSet;

use bstr::ByteSlice as _;

use super::{PatchedFile, diff_start, split};
use crate::transform::RepoPath;

/// Returns the first line before a diff of `file` that GNU patch would act on: apply it, or ask for a file.
///
/// `file` is a patch file of one or more defused mails. `None` means that patch finds nothing but git's diffs. git
/// itself is not concerned: `git am` and `git apply` read no indented diff.
pub fn message_line_read_by_patch(file: &[u8]) -> Option<&[u8]> {
    let mut search = Search::default();
    for mail in split(file) {
        let (text, diff) = mail.split_at_checked(diff_start(mail))?;
        if let Some(line) = text.lines().find(|line| search.stops_at(line)) {
            return Some(line);
        }
        search = Search::after(diff);
    }
    None
}

/// Returns the first of `files`, the changes of one mail, that GNU patch cannot make because of its name, and why.
///
/// Found out with patch 2.7.6: where a change has no hunk (a mode, a plain rename, an empty file) it takes the names from
/// the line `diff --git`, and there none with a space; from other lines it takes off a space at the end; and it makes a
/// file before it empties the directory of that name.
pub fn name_refused_by_patch(files: &[PatchedFile]) -> Option<(&RepoPath, &'static str)> {
    let names = |file: &'_ PatchedFile| [file.old.clone(), file.new.clone()].into_iter().flatten();
    let all: BTreeSet<_> = files.iter().flat_map(names).collect();
    let is_below_another = |path: &RepoPath| {
        std::iter::successors(path.parent(), RepoPath::parent).any(|directory| all.contains(&directory))
    };
    files.iter().find_map(|file| {
        let path = file.path()?;
        let names: Vec<_> = names(file).collect();
        if !file.has_hunks && !file.binary && names.iter().any(|name| name.as_bytes().contains(&b' ')) {
            Some((path, "whose name has a space, where it changes no line"))
        } else if names.iter().any(|name| name.as_bytes().ends_with(b" ")) {
            Some((path, "whose name ends in a space"))
        } else if is_below_another(path) {
            Some((path, "which takes the place of a directory, or a directory its place"))
        } else {
            None
        }
    })
}

/// What patch remembers while it looks for a diff.
#[derive(Default)]
struct Search {
    /// A line with a file name was there: from now on hunks count.
    named: bool,
    /// It was git's, so git's further headers count.
    by_git: bool,
    /// The last line was the row of stars above a hunk of a context diff.
    stars: bool,
    /// A file of the mail before waits for a hunk; another name would be taken for its name.
    waiting: bool,
}

impl Search {
    /// Returns what patch knows when it comes to the mail after `diff`: nothing, except where the last file has no hunk
    /// (it was only renamed, or its mode changed), for patch then goes on looking for one.
    fn after(diff: &[u8]) -> Self {
        let last = diff.rfind(b"\ndiff --git ").unwrap_or(0);
        let open = diff.get(last..).is_some_and(|file| !file.is_empty() && file.find(b"\n@@ -").is_none());
        Self { named: open, by_git: open, stars: false, waiting: open }
    }

    fn stops_at(&mut self, line: &[u8]) -> bool {
        let line = line.trim_start_with(|c| matches!(c, ' ' | '\t' | 'X'));
        let mut dashes = line;
        while let Some(rest) = dashes.strip_prefix(b"- ") {
            dashes = rest;
        }
        let stars = std::mem::replace(&mut self.stars, line.starts_with(b"********"));
        // patch asks which version the file is; a date behind a quoted name makes it take `- ` off every later line
        if line.starts_with(b"Prereq:")
            || (dashes.len() < line.len() && marks(dashes, b"---") && dashes.contains(&b'\t'))
        {
            return true;
        }
        if line.starts_with(b"diff --git ") {
            self.named = true;
            return std::mem::replace(&mut self.by_git, true);
        }
        let hunk = line.starts_with(b"@@ -") || is_command(line) || (stars && marks(line, b"***"));
        if (self.by_git && is_git_header(line)) || (self.named && hunk) {
            return true;
        }
        let names_file =
            line.starts_with(b"Index:") || marks(dashes, b"---") || marks(line, b"+++") || marks(line, b"***");
        self.named |= names_file;
        names_file && self.waiting
    }
}

/// Says whether `line` begins with `mark` and a blank.
fn marks(line: &[u8], mark: &[u8]) -> bool {
    line.strip_prefix(mark).is_some_and(|rest| rest.starts_with(b" ") || rest.starts_with(b"\t"))
}

/// Says whether `line` is a command of ed or of a normal diff, such as `12,15d` or `3c3,4`.
fn is_command(line: &[u8]) -> bool {
    let rest = line.trim_start_with(|c| c.is_ascii_digit() || c == ',');
    let [letter, rest @ ..] = rest else { return false };
    let rest = if *letter == b's' { rest.strip_prefix(b"/.//").unwrap_or(b"-") } else { rest };
    line.first().is_some_and(u8::is_ascii_digit)
        && b"acdis".contains(letter)
        && rest.iter().all(|b| b.is_ascii_digit() || b", \t\r".contains(b))
}

fn is_git_header(line: &[u8]) -> bool {
    let names_blobs = |rest: &[u8]| {
        let rest = rest.trim_start_with(|c| c.is_ascii_hexdigit());
        rest.starts_with(b"..")
    };
    line.strip_prefix(b"index ").is_some_and(names_blobs)
        || [
            "old mode ",
            "new mode ",
            "deleted file mode ",
            "new file mode ",
            "rename from ",
            "rename to ",
            "copy from ",
            "copy to ",
            "GIT binary patch",
        ]
        .iter()
        .any(|header| line.starts_with(header.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] x\n\n";
    const DIFF: &str = "---\n f | 2 +-\n\ndiff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n";
    const RENAME: &str = "---\n f => g | 0\n\ndiff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n";

    fn read(body: &str) -> Option<String> {
        let file = format!("{HEAD}{body}{DIFF}");
        message_line_read_by_patch(file.as_bytes()).map(|line| line.to_str_lossy().into_owned())
    }

    #[test]
    fn a_diff_in_the_message_is_seen_behind_any_indentation() {
        for (body, line) in [
            (" --- a/g\n +++ b/g\n @@ -1 +1 @@\n -keep\n +gone\n", " @@ -1 +1 @@"),
            ("\t diff --git a/g b/g\nXX @@ -1 +1 @@\n", "XX @@ -1 +1 @@"),
            (" diff --git a/g b/g\n rename from g\n rename to h\n", " rename from g"),
            (" diff --git a/g b/g\n index 0123..4567 100755\n", " index 0123..4567 100755"),
            ("*** a/g\n +++ b/g\n***************\n*** 1 ****\n", "*** 1 ****"),
            ("Index: g\n1d\n.\n", "1d"),
            ("Index: g\n1,2c3\n< x\n", "1,2c3"),
            ("Prereq: 1.2\n", "Prereq: 1.2"),
        ] {
            assert_eq!(read(body).as_deref(), Some(line), "{body:?}");
        }
    }

    #[test]
    fn a_diff_in_a_folded_subject_or_a_file_name_is_seen() {
        let subject = format!("{}--- a/g\n +++ b/g\n @@ -1 +1 @@\n\n{DIFF}", HEAD.replace("x\n\n", "x\n "));
        assert_eq!(message_line_read_by_patch(subject.as_bytes()), Some(&b" @@ -1 +1 @@"[..]));
        let name = format!("{HEAD}{}", DIFF.replace(" f |", " --- f | 1 +\n @@ -1 |"));
        assert_eq!(message_line_read_by_patch(name.as_bytes()), Some(&b" @@ -1 | 2 +-"[..]));
    }

    #[test]
    fn parts_of_a_diff_are_nothing() {
        for body in [
            "",
            "Text\n",
            " @@ -1 +1 @@\n",
            " --- a/g\n +++ b/g\n",
            " index 1..2\n rename from x\n",
            "1d\n",
            "*** Note ***\n",
        ] {
            assert_eq!(read(body), None, "{body:?}");
        }
    }

    #[test]
    fn a_rename_at_the_end_makes_patch_look_on() {
        let second = format!("{HEAD} @@ -1 +1 @@\n{DIFF}");
        let after = |diff: &str| message_line_read_by_patch(format!("{HEAD}{diff}{second}").as_bytes()).is_some();
        assert!(after(RENAME));
        assert!(!after(DIFF));
        let name = format!("{HEAD}{RENAME}{HEAD} --- a/g\n{DIFF}");
        assert_eq!(message_line_read_by_patch(name.as_bytes()), Some(&b" --- a/g"[..]));
        let plain = format!("{HEAD}{RENAME}{HEAD}text\n{DIFF}");
        assert_eq!(message_line_read_by_patch(plain.as_bytes()), None);
    }
}
