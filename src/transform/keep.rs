//! Finds patch files that dist-git has already, apart from parts that change without meaning anything.
//!
//! The same change gives a different patch file when git has another version, when commits before it come or go, and
//! when the commit is rebased. Such a file keeps its old bytes, so that a merge request shows real changes only.
//!
//! These parts are volatile: the first line of a mail, `n/m` in `[PATCH n/m]`, the folding of the subject, object names
//! in the `index` lines of text, and the signature with the blank lines around it. All other parts count: dates,
//! messages, hunks and the diffstat too.

use std::collections::{BTreeMap, HashMap, HashSet};

use bstr::{BString, ByteSlice as _};

use crate::transform::mail;
use crate::transform::message::PatchFileName;

/// Whether two patch files are equal apart from volatile parts.
pub fn same_but_volatile(old: &[u8], new: &[u8]) -> bool {
    old == new || without_volatile(old) == without_volatile(new)
}

/// Returns, for each new patch file, the old file whose bytes it keeps.
///
/// An old file of the same name comes first, then the others in the order of their names. No old file is kept twice.
pub fn find_kept<'a>(
    new: &[(PatchFileName, Vec<u8>)],
    old: &'a BTreeMap<BString, Vec<u8>>,
) -> Vec<Option<&'a BString>> {
    let wanted: Vec<Vec<u8>> = new.iter().map(|(_, bytes)| without_volatile(bytes)).collect();
    let mut kept = vec![None; new.len()];
    let mut used = HashSet::new();
    for (((name, _), wanted), kept) in new.iter().zip(&wanted).zip(&mut kept) {
        if let Some((name, bytes)) = old.get_key_value(name.as_str().as_bytes().as_bstr())
            && without_volatile(bytes) == *wanted
            && used.insert(name)
        {
            *kept = Some(name);
        }
    }
    if kept.iter().all(Option::is_some) {
        return kept;
    }
    let mut others: HashMap<Vec<u8>, Vec<&BString>> = HashMap::new();
    for (name, bytes) in old.iter().rev().filter(|(name, _)| !used.contains(name)) {
        others.entry(without_volatile(bytes)).or_default().push(name);
    }
    for (wanted, kept) in wanted.iter().zip(&mut kept).filter(|(_, kept)| kept.is_none()) {
        *kept = others.get_mut(wanted).and_then(Vec::pop);
    }
    kept
}

/// Returns a patch file without its volatile parts.
///
/// The result is for comparing only: it is no patch file.
fn without_volatile(file: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(file.len());
    for mail in mail::split(file) {
        let text = without_signature(mail);
        let header_end = if mail::commit_of(mail).is_some() { text.find(b"\n\n").unwrap_or(text.len()) } else { 0 };
        let (header, body) = text.split_at_checked(header_end).unwrap_or((b"", text));
        write_header(header, &mut out);
        write_body(body, &mut out);
        out.push(b'\n');
    }
    out
}

/// Removes the signature at the end of a mail, with blank lines: two dashes and a space, then git's version.
fn without_signature(mail: &[u8]) -> &[u8] {
    let is_newline = |c| c == '\n';
    let text = mail.trim_end_with(is_newline);
    let unsigned = text
        .rsplit_once_str("\n")
        .filter(|(_, version)| version.first().is_some_and(u8::is_ascii_digit))
        .and_then(|(before, _)| before.strip_suffix(b"\n-- "));
    unsigned.unwrap_or(text).trim_end_with(is_newline)
}

/// Writes the header without its first line and without `n/m`, each field on one line.
fn write_header(header: &[u8], out: &mut Vec<u8>) {
    // The width of `n/m` decides where git folds a subject and where it splits encoded words.
    let unfolded = header.replace("\n ", " ").replace("?= =?UTF-8?q?", "");
    for line in unfolded.lines().skip(1) {
        match line.strip_prefix(b"Subject: [PATCH ").and_then(without_number) {
            Some(subject) => out.extend_from_slice(&[b"Subject: [PATCH]", subject].concat()),
            None => out.extend_from_slice(line),
        }
        out.push(b'\n');
    }
}

/// Removes `n/m]` from the start.
fn without_number(subject: &[u8]) -> Option<&[u8]> {
    let (number, subject) = subject.split_once_str("]")?;
    let (n, m) = number.split_once_str("/")?;
    let is_number = |n: &[u8]| !n.is_empty() && n.iter().all(u8::is_ascii_digit);
    (is_number(n) && is_number(m)).then_some(subject)
}

/// Writes message and diff without the object names in the `index` lines of text.
fn write_body(body: &[u8], out: &mut Vec<u8>) {
    enum DiffPosition<'a> {
        Elsewhere,
        /// With the `index` line of the file, which waits until a later line shows whether the content is binary.
        FileHeader(Option<&'a [u8]>),
    }
    let write_index = |index: Option<&[u8]>, out: &mut Vec<u8>| {
        if let Some(line) = index {
            out.extend_from_slice(b"index");
            out.extend(
                line.rsplit_once_str(" ")
                    .map(|(_, mode)| mode)
                    .filter(|mode| !mode.contains(&b'.'))
                    .unwrap_or_default(),
            );
            out.push(b'\n');
        }
    };
    let mut position = DiffPosition::Elsewhere;
    for line in body.lines_with_terminator() {
        if let DiffPosition::FileHeader(index) = &mut position {
            if is_index(line) && index.is_none() {
                *index = Some(line);
                continue;
            }
            if let Some(index) = index.take() {
                if line.starts_with(b"GIT binary patch") || line.starts_with(b"Binary files ") {
                    out.extend_from_slice(index);
                } else {
                    write_index(Some(index), out);
                }
            }
            if line.starts_with(b"@@ -") || line.starts_with(b"GIT binary patch") {
                position = DiffPosition::Elsewhere;
            }
        }
        if line.starts_with(b"diff --git ") {
            position = DiffPosition::FileHeader(None);
        }
        out.extend_from_slice(line);
    }
    if let DiffPosition::FileHeader(index) = position {
        write_index(index, out);
    }
}

fn is_index(line: &[u8]) -> bool {
    let hex = |c: char| c.is_ascii_hexdigit();
    let rest =
        line.strip_prefix(b"index ").map(|rest| rest.trim_start_with(hex)).and_then(|rest| rest.strip_prefix(b".."));
    rest.is_some_and(|rest| matches!(rest.trim_start_with(hex), [] | [b' ' | b'\n', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n\
        From: A <a@b>\nDate: Thu, 1 Jan 1970 00:00:01 +0000\nSubject: [PATCH] Short\n\nText\n---\n f | 2 +-\n\n\
        diff --git a/f b/f\nindex 0123456..789abcd 100644\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n";
    const BINARY: &str = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n\
        Subject: [PATCH] Bin\n\n---\n f | Bin\n\n\
        diff --git a/f b/f\nindex 0123456..789abcd 100644\nGIT binary patch\nliteral 1\nIcmZ\n\nliteral 0\nHcmV\n\n";

    fn same(old: &str, new: &str) -> bool {
        same_but_volatile(old.as_bytes(), new.as_bytes())
    }

    #[test]
    fn volatile_parts_do_not_count() {
        for (from, to) in [
            ("From 0123", "From ffff"),
            ("[PATCH]", "[PATCH 3/10]"),
            ("[PATCH]", "[PATCH 003/123]"),
            ("index 0123456..789abcd", "index 01234567890..789abcdef01"),
            ("+b\n", "+b\n-- \n2.47.3\n\n"),
            ("+b\n", "+b\n\n"),
        ] {
            assert!(MAIL.contains(from));
            let other = MAIL.replace(from, to);
            assert!(same(MAIL, &other) && same(&other, MAIL), "{to}");
            assert!(same(&format!("{MAIL}{other}"), &format!("{other}{MAIL}")), "{to}");
        }
    }

    #[test]
    fn everything_else_counts() {
        for (from, to) in [
            ("+0000", "+0100"),
            ("Text", "Texts"),
            ("Short", "Shorter"),
            ("2 +-", "3 +-"),
            ("100644", "100755"),
            ("+b", "+c"),
            ("-1 +1", "-2 +2"),
            ("[PATCH]", "[RFC]"),
            ("[PATCH]", "[PATCH v2]"),
            ("+b\n", "+b\n-- \n"),
            ("diff --git", "index 1..2\ndiff --git"),
        ] {
            assert!(MAIL.contains(from));
            assert!(!same(MAIL, &MAIL.replace(from, to)), "{to}");
        }
        assert!(!same(MAIL, &format!("{MAIL}{MAIL}")));
        assert!(!same("index 1..2\n", "index 1..3\n"));
    }

    #[test]
    fn object_names_of_binary_content_count() {
        assert!(!same(BINARY, &BINARY.replace("789abcd", "889abcd")));
        assert!(same(BINARY, &BINARY.replace("[PATCH]", "[PATCH 1/2]")));
    }

    #[test]
    fn folding_follows_the_number() {
        // git 2.47 folds them like this.
        let plain = "Subject: [PATCH] A subject of more than seventy-eight characters which git\n folds at words";
        let numbered =
            "Subject: [PATCH 10/12] A subject of more than seventy-eight characters\n which git folds at words";
        assert!(same(
            &MAIL.replace("Subject: [PATCH] Short", plain),
            &MAIL.replace("Subject: [PATCH] Short", numbered)
        ));
        let plain = "Subject: [PATCH] =?UTF-8?q?caf=C3=A9=20caf?=\n =?UTF-8?q?=C3=A9?=";
        let numbered = "Subject: [PATCH 1/2] =?UTF-8?q?caf=C3=A9?=\n =?UTF-8?q?=20caf=C3=A9?=";
        assert!(same(
            &MAIL.replace("Subject: [PATCH] Short", plain),
            &MAIL.replace("Subject: [PATCH] Short", numbered)
        ));
    }

    #[test]
    fn a_file_of_the_same_name_is_kept_before_others() {
        let file = |text: &str| MAIL.replace("Text", text).into_bytes();
        let name = |name: &str| name.parse::<PatchFileName>().unwrap();
        let old: BTreeMap<BString, Vec<u8>> =
            [("1.patch", "one"), ("2.patch", "two"), ("3.patch", "two"), ("4.patch", "four")]
                .map(|(name, text)| (name.into(), file(text)))
                .into();
        let new = [("0.patch", "two"), ("2.patch", "four"), ("3.patch", "two"), ("9.patch", "two"), ("1.patch", "new")]
            .map(|(n, text)| (name(n), file(text)));
        let kept: Vec<_> = find_kept(&new, &old).into_iter().map(|k| k.map(ToString::to_string)).collect();
        let expected = [Some("2.patch"), Some("4.patch"), Some("3.patch"), None, None];
        assert_eq!(kept, expected.map(|k| k.map(str::to_owned)));
    }
}
