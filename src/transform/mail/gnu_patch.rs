//! What GNU patch finds in a message, and what it does not find in a diff.
//!
//! patch looks for a diff everywhere, behind any indentation (patch(1): "if the entire diff is indented by a consistent
//! amount"), so a message that quotes a whole diff cannot be made safe by indenting it. This says where patch would stop
//! and act; the rules are those of patch 2.7's search for the kind of diff, read on the safe side.

use std::collections::{BTreeMap, BTreeSet};

use bstr::ByteSlice as _;

use crate::transform::mail::{MailError, PatchedFile, diff_of, diff_start, split};
use crate::types::RepoPath;

/// What GNU patch cannot do of what git can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchLimit {
    /// It knows no binary changes.
    Binary,
    /// It takes the space at the end of a name for what follows a name.
    SpaceAtEnd,
    /// A change without hunks is known by git's headers alone, in which it reads names only up to a space.
    SpaceWithoutHunks,
    /// It does not put a directory in the place of a file or link, nor the other way round.
    FileAndDirectory,
    /// Where one patch file holds several mails, it looks for a renamed file under the name it had before them all.
    RenamedAndChanged,
}

/// Returns the files of a patch file of one or more defused mails that GNU patch cannot change as it says, with why.
///
/// patch's manual says little of git's diffs; this is what patch 2.7.6 does with them, on the safe side.
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

/// Returns those of `paths` that lead through another of them.
fn below_another(mut paths: Vec<&RepoPath>) -> BTreeSet<&RepoPath> {
    // With the slash before any other byte, what lies below a path follows it at once. No path holds a NUL byte.
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

/// Whether git puts this name in quotes (git-config(1), `core.quotePath`).
fn is_quoted(path: &[u8]) -> bool {
    path.iter().any(|b| !(0x20..0x7f).contains(b) || matches!(b, b'"' | b'\\'))
}

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

/// Whether `line` begins with `mark` and a blank.
fn marks(line: &[u8], mark: &[u8]) -> bool {
    line.strip_prefix(mark).is_some_and(|rest| rest.starts_with(b" ") || rest.starts_with(b"\t"))
}

/// Whether `line` is a command of ed or of a normal diff, such as `12,15d` or `3c3,4`.
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
    const RENAMED: &str = "diff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n";
    const RENAME: &str = "---\n f => g | 0\n\ndiff --git a/f b/g\nsimilarity index 100%\nrename from f\nrename to g\n";

    fn read(body: &str) -> Option<String> {
        let file = format!("{HEAD}{body}{DIFF}");
        message_line_read_by_patch(file.as_bytes()).map(|line| line.to_str_lossy().into_owned())
    }

    #[test]
    fn what_patch_cannot_do_is_known() {
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
