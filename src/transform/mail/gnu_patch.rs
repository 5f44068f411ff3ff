//! What GNU patch finds in a message, and what it cannot do with a diff.
//!
//! patch looks for a diff everywhere, behind any indentation (patch(1): "if the entire diff is indented by a consistent
//! amount"). Indenting therefore does not make a message safe that quotes a whole diff. This module finds the lines at
//! which patch would stop and act. The rules are those by which patch 2.7 searches for the kind of diff; in doubt, a
//! line counts as dangerous.

use std::collections::{BTreeMap, BTreeSet};

use bstr::ByteSlice as _;

use crate::transform::mail::diff::{PatchedFile, diff_of};
use crate::transform::mail::format::{MailError, diff_start, split};
use crate::types::RepoPath;

/// Why GNU patch cannot apply a change that git can apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchLimit {
    /// patch does not know binary changes.
    Binary,
    /// patch does not take a space at the end of a name for part of the name.
    SpaceAtEnd,
    /// Only git's headers describe a change without hunks, and patch reads the names in them up to a space.
    SpaceWithoutHunks,
    /// patch does not replace a file or link by a directory, nor a directory by a file or link.
    FileAndDirectory,
    /// In a patch file with several mails, patch looks for a renamed file under the name from before the first mail.
    RenamedAndChanged,
}

/// Returns the files that GNU patch cannot change as the patch file says, each with the reason.
///
/// `file` has one or more defused mails. The manual of patch says little about git's diffs. The rules are what patch
/// 2.7.6 does with them; in doubt, a file counts as one that patch cannot change.
pub fn files_beyond_patch(file: &[u8]) -> Result<Vec<(RepoPath, PatchLimit)>, MailError> {
    let mut files = Vec::new();
    for (number, mail) in split(file).into_iter().enumerate() {
        files.extend(diff_of(mail)?.into_iter().map(|file| (number, file)));
    }
    let mut touched_by: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (number, file) in &files {
        for path in file.paths() {
            touched_by.entry(path).or_default().insert(*number);
        }
    }
    let below_another = below_another(touched_by.keys().copied().collect());
    let touched_twice = |path: &RepoPath| touched_by.get(path).is_some_and(|mails| mails.len() > 1);
    let limit_of = |file: &PatchedFile| {
        let unquoted = || file.paths().map(RepoPath::as_bytes).filter(|path| !is_quoted(path));
        if file.binary {
            Some(PatchLimit::Binary)
        } else if unquoted().any(|path| path.ends_with(b" ")) {
            Some(PatchLimit::SpaceAtEnd)
        } else if !file.has_hunks && unquoted().any(|path| path.contains(&b' ')) {
            Some(PatchLimit::SpaceWithoutHunks)
        } else if file.paths().any(|path| below_another.contains(path)) {
            Some(PatchLimit::FileAndDirectory)
        } else if file.renamed && file.paths().any(touched_twice) {
            Some(PatchLimit::RenamedAndChanged)
        } else {
            None
        }
    };
    Ok(files.iter().filter_map(|(_, file)| Some((file.path()?.clone(), limit_of(file)?))).collect())
}

/// Returns those of `paths` that lie below another one.
fn below_another(mut paths: Vec<&RepoPath>) -> BTreeSet<&RepoPath> {
    // When the slash sorts before all other bytes, the paths below a path directly follow it. No path has a NUL byte.
    paths.sort_by_cached_key(|path| path.as_bytes().replace("/", "\0"));
    let mut below = BTreeSet::new();
    let mut above: Option<&RepoPath> = None;
    for path in paths {
        if above.is_some_and(|above| path.below(above).is_some()) {
            below.insert(path);
        } else {
            above = Some(path);
        }
    }
    below
}

/// Whether git puts `path` in quotes (git-config(1), `core.quotePath`).
fn is_quoted(path: &[u8]) -> bool {
    path.iter().any(|b| !(0x20..0x7f).contains(b) || matches!(b, b'"' | b'\\'))
}

/// Returns the first line outside the diffs that GNU patch would act on, by applying it or by asking for a file.
///
/// `file` is a patch file of one or more defused mails. `None` means that patch finds nothing but git's diffs. git has
/// no such problem: `git am` and `git apply` do not read indented diffs.
pub fn message_line_read_by_patch(file: &[u8]) -> Option<&[u8]> {
    let mut search = PatchSearch::default();
    for mail in split(file) {
        let (text, diff) = mail.split_at_checked(diff_start(mail))?;
        if let Some(line) = text.lines().find(|line| search.stops_at(line)) {
            return Some(line);
        }
        search = PatchSearch::after(diff);
    }
    None
}

/// What patch remembers while it looks for a diff.
#[derive(Default)]
struct PatchSearch {
    /// It has read a line with a file name. From there on hunks count.
    named: bool,
    /// That line was git's. From there on git's other headers count too.
    by_git: bool,
    /// The last line was the row of asterisks above a hunk of a context diff.
    stars: bool,
    /// A file in the mail before has no hunk yet. patch would take another name for the name of that file.
    waiting: bool,
}

impl PatchSearch {
    /// Returns what patch remembers at the start of the mail after `diff`.
    ///
    /// It remembers nothing, unless the last file has no hunk (it was only renamed, or its mode changed). Then patch
    /// continues to look for a hunk.
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
        // At `Prereq:`, patch asks for the version of the file. A date after a quoted name makes it remove `- ` from
        // every later line.
        if line.starts_with(b"Prereq:")
            || (dashes.len() < line.len() && begins_with_mark(dashes, b"---") && dashes.contains(&b'\t'))
        {
            return true;
        }
        if line.starts_with(b"diff --git ") {
            self.named = true;
            return std::mem::replace(&mut self.by_git, true);
        }
        let hunk = line.starts_with(b"@@ -") || is_edit_command(line) || (stars && begins_with_mark(line, b"***"));
        if (self.by_git && is_git_header(line)) || (self.named && hunk) {
            return true;
        }
        let names_file = line.starts_with(b"Index:")
            || begins_with_mark(dashes, b"---")
            || begins_with_mark(line, b"+++")
            || begins_with_mark(line, b"***");
        self.named |= names_file;
        names_file && self.waiting
    }
}

/// Whether `line` begins with `mark` and a blank.
fn begins_with_mark(line: &[u8], mark: &[u8]) -> bool {
    line.strip_prefix(mark).is_some_and(|rest| rest.starts_with(b" ") || rest.starts_with(b"\t"))
}

/// Whether `line` is a command of ed or of a normal diff, such as `12,15d` or `3c3,4`.
fn is_edit_command(line: &[u8]) -> bool {
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
    const RENAMED: &str = "diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n";
    const RENAME: &str = "---\n f => g | 0\n\ndiff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n";

    fn read(body: &str) -> Option<String> {
        let file = format!("{HEAD}{body}{DIFF}");
        message_line_read_by_patch(file.as_bytes()).map(|line| line.to_str_lossy().into_owned())
    }

    #[test]
    fn what_patch_cannot_apply_is_reported() {
        let limits = |diff: &str| {
            let found = files_beyond_patch(format!("{HEAD}---\n\n{diff}").as_bytes()).unwrap();
            found.into_iter().map(|(path, limit)| (path.to_string(), limit)).collect::<Vec<_>>()
        };
        let mode = |name: &str| format!("diff --git a/{name} b/{name}\nold mode 100644\nnew mode 100755\n");
        let text =
            |name: &str| format!("diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-a\n+b\n");
        let beyond = |name: &str, limit| vec![(name.to_owned(), limit)];
        for diff in [mode("f"), text("f"), text("f f"), text("f") + &text("g/f"), RENAMED.to_owned()] {
            assert_eq!(limits(&diff), [], "{diff}");
        }
        assert_eq!(limits(&mode("f f")), beyond("f f", PatchLimit::SpaceWithoutHunks));
        assert_eq!(limits(&text("f ")), beyond("f ", PatchLimit::SpaceAtEnd));
        assert_eq!(limits(&(text("f") + &text("f-") + &text("f/g/h"))), beyond("f/g/h", PatchLimit::FileAndDirectory));
        let two = format!("{}{HEAD}---\n\n{RENAMED}", text("f"));
        assert_eq!(limits(&two), beyond("g", PatchLimit::RenamedAndChanged));
        let quoted = "diff --git \"a/\\t f\" \"b/\\t f\"\nold mode 100644\nnew mode 100755\n";
        assert_eq!(limits(quoted), []);
    }

    #[test]
    fn a_diff_in_the_message_is_found_behind_any_indentation() {
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
    fn a_diff_in_a_folded_subject_or_a_file_name_is_found() {
        let subject = format!("{}--- a/g\n +++ b/g\n @@ -1 +1 @@\n\n{DIFF}", HEAD.replace("x\n\n", "x\n "));
        assert_eq!(message_line_read_by_patch(subject.as_bytes()), Some(&b" @@ -1 +1 @@"[..]));
        let name = format!("{HEAD}{}", DIFF.replace(" f |", " --- f | 1 +\n @@ -1 |"));
        assert_eq!(message_line_read_by_patch(name.as_bytes()), Some(&b" @@ -1 | 2 +-"[..]));
    }

    #[test]
    fn parts_of_a_diff_do_not_count() {
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
    fn after_a_rename_at_the_end_patch_continues_to_look() {
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
