//! Changes message lines that tools would take for a diff or a mail.

use std::borrow::Cow;
use std::ops::Range;

use bstr::{BString, ByteSlice as _};

use crate::transform::mail::format::{MailError, separator};
use crate::types::CommitId;

/// A mail whose message no tool takes for a diff or for another mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defused<'a> {
    /// Borrowed when git's own bytes could stay as they are.
    pub mail: Cow<'a, [u8]>,
    /// The message lines that are now indented by one space, without that space.
    pub indented: Vec<BString>,
}

/// Indents each message line of `mail` that `git am` or `git apply` would act on, by one space.
///
/// `mail` is one mail of `git format-patch`, and `message` is the commit's message as `git log --format=%B` prints it,
/// in the same encoding. `message` shows where the message ends in the mail, so that nothing in it can pass for git's
/// separator or diff. If the two differ in a single byte, that is an error and nothing is changed.
///
/// The lines are those of git-mailinfo(1), git-mailsplit(1) and git-apply(1): `diff -`, `Index: `, `--- name`, `---`,
/// `@@ -`, the first line of a mail, and, on the first line only, a header that `git am` accepts there. A scissors line
/// stays as it is: only `git am --scissors` acts on it, whatever its indentation. GNU patch ignores indentation too;
/// [`crate::transform::mail::message_line_read_by_patch`] finds the lines that matter to it.
pub fn defuse<'a>(mail: &'a [u8], message: &[u8]) -> Result<Defused<'a>, MailError> {
    let Range { start, end } = body_range(mail, message)?;
    let part = |range| mail.get(range).unwrap_or_default();
    let mut indented = Vec::new();
    let mut out = part(0..start).to_vec();
    for (index, line) in part(start..end).lines_with_terminator().enumerate() {
        if is_taken_for_mail_or_diff(line) || (index == 0 && is_taken_for_header(line)) {
            indented.push(line.trim_end_with(|c| c == '\n').into());
            out.push(b' ');
        }
        out.extend_from_slice(line);
    }
    if indented.is_empty() {
        return Ok(Defused { mail: Cow::Borrowed(mail), indented });
    }
    out.extend_from_slice(part(end..mail.len()));
    Ok(Defused { mail: Cow::Owned(out), indented })
}

/// Returns the part of `mail` that is the body of the message.
fn body_range(mail: &[u8], message: &[u8]) -> Result<Range<usize>, MailError> {
    mail.lines().next().and_then(separator).ok_or(MailError::Header)?;
    let start = mail.find(b"\n\n").ok_or(MailError::Header)? + 2;
    let body = body(message);
    let rest = mail.get(start..).and_then(|rest| rest.strip_prefix(&*body));
    if rest.is_some_and(|rest| rest.starts_with(b"---\n")) {
        Ok(start..start + body.len())
    } else {
        Err(MailError::Message)
    }
}

/// Returns the part of a message that `git format-patch` writes below the header.
///
/// It is the message without its first paragraph, without blank lines at both ends, and without white space at the end
/// of each line.
fn body(message: &[u8]) -> Vec<u8> {
    let message = message.split(|b| *b == 0).next().unwrap_or_default();
    let blank = |line: &&[u8]| trimmed(line).is_empty();
    let lines = message.split(|b| *b == b'\n').skip_while(blank).skip_while(|line| !blank(line)).skip_while(blank);
    let mut body = Vec::with_capacity(message.len());
    for line in lines {
        body.extend_from_slice(trimmed(line));
        body.push(b'\n');
    }
    body.truncate(trimmed(&body).len());
    if !body.is_empty() {
        body.push(b'\n');
    }
    body
}

/// Removes what git's `isspace` calls white space from the end.
fn trimmed(line: &[u8]) -> &[u8] {
    line.trim_end_with(|c| matches!(c, ' ' | '\t' | '\n' | '\r'))
}

fn is_taken_for_mail_or_diff(line: &[u8]) -> bool {
    line.starts_with(b"diff -")
        || line.starts_with(b"Index: ")
        || line.starts_with(b"@@ -")
        || is_taken_for_separator(line)
        || is_taken_for_mail(line)
}

/// Whether `git am` ends the message at `line`: `---` alone, or followed by a space and a name.
fn is_taken_for_separator(line: &[u8]) -> bool {
    let is_space = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
    let Some(rest) = line.strip_prefix(b"---") else { return false };
    rest.iter().all(is_space) || matches!(rest, [b' ', name, ..] if !is_space(name))
}

/// Whether a mail may begin at `line`: the line that git writes, or any `From ` with a time of day.
///
/// `git am` accepts a little less.
fn is_taken_for_mail(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let names_commit = rest.get(..40).is_some_and(|id| CommitId::parse(id).is_ok());
    let is_time = |w: &[u8]| matches!(w, [h, b':', m] if h.is_ascii_digit() && m.is_ascii_digit());
    names_commit || rest.windows(3).any(is_time)
}

/// Whether `git am` takes `line` for a header when it comes first. A header would change author, date or subject.
fn is_taken_for_header(line: &[u8]) -> bool {
    let named = |name: &[u8]| {
        line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
            && line.get(name.len()).is_none_or(u8::is_ascii_whitespace)
    };
    named(b"From:") || named(b"Subject:") || named(b"Date:") || named(b">From") || named(b"[PATCH]")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: A <a@b>\n\
                        Subject: [PATCH] A long\n subject\n\n";
    const DIFF: &str = "---\n f | 1 -\n 1 file changed, 1 deletion(-)\n\ndiff --git a/f b/f\n--- a/f\n\
                        +++ b/f\n@@ -1,2 +1 @@\n---\n x\n";

    fn defused(body: &str) -> Result<(String, usize), MailError> {
        let mail = format!("{HEAD}{body}{DIFF}");
        let message = format!("A long\nsubject\n\n{body}");
        let defused = defuse(mail.as_bytes(), message.as_bytes())?;
        let mail = String::from_utf8(defused.mail.into_owned()).unwrap();
        let body = mail.strip_prefix(HEAD).unwrap().strip_suffix(DIFF).unwrap();
        Ok((body.to_owned(), defused.indented.len()))
    }

    #[test]
    fn a_plain_message_keeps_gits_bytes() {
        for body in [
            "",
            "Text\n\nmore\n",
            " diff -u\n--x\n----\n--- \tx\nFrom here on\n+++ b\nIndexed: x\n@@ foo\n",
            "x\nFrom: y\nDate: z\n",
        ] {
            assert_eq!(defused(body), Ok((body.trim_end_matches(' ').to_owned(), 0)), "{body:?}");
        }
    }

    #[test]
    fn each_line_that_git_would_act_on_is_indented() {
        for line in [
            "diff -u a b",
            "diff --git a/x b/x",
            "Index: x",
            "--- a/x",
            "---",
            "@@ -1 +1 @@",
            "From 0123456789012345678901234567890123456789 x",
            "From a@b Mon Sep 17 00:00:00 2001",
        ] {
            assert_eq!(defused(&format!("text\n{line}\nmore\n")), Ok((format!("text\n {line}\nmore\n"), 1)), "{line}");
        }
        for line in ["From: X <x@y>", "date: 2001", "SUBJECT: x", "[PATCH] x", ">From x"] {
            assert_eq!(defused(&format!("{line}\n{line}\n")), Ok((format!(" {line}\n{line}\n"), 1)), "{line}");
        }
    }

    #[test]
    fn a_false_separator_does_not_end_the_message() {
        assert_eq!(defused(&format!("text\n{DIFF}more\n")).unwrap().1, 5);
    }

    #[test]
    fn a_mail_of_another_message_is_an_error() {
        let mail = format!("{HEAD}text\n{DIFF}");
        assert_eq!(defuse(mail.as_bytes(), b"S\n\nother\n"), Err(MailError::Message));
        assert_eq!(defuse(mail.as_bytes(), b"S\n"), Err(MailError::Message));
        assert_eq!(defuse(b"", b""), Err(MailError::Header));
        assert_eq!(defuse(b"From me\n\n---\n", b""), Err(MailError::Header));
    }

    #[test]
    fn defusing_twice_is_defusing_once() {
        let (once, _) = defused("From: x\n---\n@@ -1 +1 @@\n").unwrap();
        assert_eq!(defused(&once), Ok((once.clone(), 0)));
    }

    #[test]
    fn the_body_is_what_format_patch_writes() {
        // The expected text is what git format-patch makes of the same message.
        assert_eq!(body(b"\n\n  \nSubj one\n two \n   \t\n\n  body  \r\n\n x\n \n"), b"  body\n\n x\n");
        assert_eq!(body(b"Subject only"), b"");
        assert_eq!(body(b""), b"");
        assert_eq!(body(b"S\n\na\0b"), b"a\n");
    }
}
