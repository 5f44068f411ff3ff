//! References to bugs and tickets, in the form that the distribution's tools look for in dist-git.
//!
//! packit's service turned `Bugzilla: 123` at the start of a line into `Resolves: bz#123`. This module does the same,
//! and also accepts an indented line, lower case and a missing space, and `JIRA: RHEL-123` with the key or a link to
//! it.

use crate::pair::sanitize::{fence, jira_key};

/// Converts each line of `text` that begins with `Bugzilla:` or `JIRA:` and references to `Resolves:` lines, one for
/// each reference. Text after the references stays after the last one. Code blocks stay as they are.
pub fn convert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open_fence: Option<(char, usize)> = None;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\r', '\n']);
        let fence = fence(content);
        match (open_fence, fence) {
            (None, Some((mark, length, _))) => open_fence = Some((mark, length)),
            (Some((mark, least)), Some((by, length, rest)))
                if mark == by && length >= least && rest.trim().is_empty() =>
            {
                open_fence = None;
            }
            _ => {}
        }
        match resolves(content).filter(|_| open_fence.is_none() && fence.is_none()) {
            Some(converted) => {
                out.push_str(&converted);
                out.push_str(line.get(content.len()..).unwrap_or_default());
            }
            None => out.push_str(line),
        }
    }
    out
}

/// Returns the `Resolves:` lines for `line`, if it begins with references.
fn resolves(line: &str) -> Option<String> {
    let text = line.trim_start_matches([' ', '\t']);
    let (kind, mut rest) = text.split_once(':')?;
    let reference: fn(&str) -> Option<(String, &str)> = match kind.trim_end().to_ascii_lowercase().as_str() {
        "bugzilla" => bug,
        "jira" => ticket,
        _ => return None,
    };
    let mut lines = Vec::new();
    while let Some((found, after)) = reference(without_separator(rest, lines.is_empty())) {
        lines.push(format!("Resolves: {found}"));
        rest = after;
    }
    let last = lines.last_mut()?;
    last.push_str(rest.trim_end());
    Some(lines.join("\n"))
}

fn without_separator(text: &str, first: bool) -> &str {
    let text = text.trim_start_matches([' ', '\t']);
    if first {
        return text;
    }
    let text = text.trim_start_matches([' ', '\t', ',', ';']);
    text.strip_prefix("and ").unwrap_or(text).trim_start_matches([' ', '\t'])
}

/// Reads `123`, `#123`, `bz#123` or a link that ends in `id=123`.
fn bug(text: &str) -> Option<(String, &str)> {
    let number = match link(text) {
        Some((link, _)) => link.get(link.rfind("id=")? + "id=".len()..)?,
        None => ["bz#", "rhbz#", "#"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text),
    };
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let (number, after) = number.split_at_checked(digits)?;
    let ends = !after.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
    let rest = match link(text) {
        Some((_, rest)) if after.is_empty() => rest,
        Some(_) => return None,
        None => after,
    };
    (digits > 0 && digits <= 20 && ends).then(|| (format!("bz#{number}"), rest))
}

/// Reads `RHEL-123` or a link that ends in `/RHEL-123`.
fn ticket(text: &str) -> Option<(String, &str)> {
    let (key, rest) = match link(text) {
        Some((link, rest)) => (link.trim_end_matches('/').rsplit_once('/')?.1, rest),
        None => text.split_at_checked(jira_key(text)?)?,
    };
    let whole = jira_key(key) == Some(key.len()) && key.len() <= 64;
    let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-');
    (whole && ends).then(|| (key.to_owned(), rest))
}

/// Divides `text` after the link that it begins with. Punctuation of the sentence does not belong to the link.
fn link(text: &str) -> Option<(&str, &str)> {
    if !(text.starts_with("https://") || text.starts_with("http://")) {
        return None;
    }
    let end = text.find(|c: char| c.is_whitespace() || ",;<>()[]\"'`|".contains(c)).unwrap_or(text.len());
    let link = text.get(..end)?.trim_end_matches(['.', ':', '!']);
    Some((link, text.get(link.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::sanitize::markdown;

    #[test]
    fn converts_what_packit_converted() {
        for (before, after) in [
            ("Bugzilla: 23456", "Resolves: bz#23456"),
            ("Bugzilla:  23456 (x)", "Resolves: bz#23456 (x)"),
            ("Bugzilla: https://bugzilla.redhat.com/show_bug.cgi?id=23456", "Resolves: bz#23456"),
            ("see Bugzilla: 23456", "see Bugzilla: 23456"),
            ("a\nBugzilla: 1\r\nb\n", "a\nResolves: bz#1\r\nb\n"),
        ] {
            assert_eq!(convert(before), after);
        }
    }

    #[test]
    fn converts_what_packit_left_alone() {
        for (before, after) in [
            ("  bugzilla:23456", "Resolves: bz#23456"),
            ("BUGZILLA: bz#1, rhbz#2 and #3.", "Resolves: bz#1\nResolves: bz#2\nResolves: bz#3."),
            ("JIRA: RHEL-123", "Resolves: RHEL-123"),
            ("jira:RHEL-123 RHEL-124", "Resolves: RHEL-123\nResolves: RHEL-124"),
            ("JIRA: https://issues.redhat.com/browse/RHEL-123", "Resolves: RHEL-123"),
            (
                "JIRA: https://issues.redhat.com/browse/RHEL-1, https://issues.redhat.com/browse/RHEL-2.",
                "Resolves: RHEL-1\nResolves: RHEL-2.",
            ),
            ("JIRA: RHEL-1 (the crash)", "Resolves: RHEL-1 (the crash)"),
        ] {
            assert_eq!(convert(before), after);
        }
    }

    #[test]
    fn leaves_other_lines_alone() {
        for text in [
            "Bugzilla: none",
            "JIRA:",
            "JIRA: rhel-1",
            "JIRA: RHEL-",
            "Bugzilla: 12x",
            "JIRA: RHEL-1-2",
            "- JIRA: RHEL-1",
            "```\nJIRA: RHEL-1\n```",
            "~~~\n```\nJIRA: RHEL-1",
            "Resolves: RHEL-1",
            "JIRA: https://x/browse/",
            "Bugzilla: http://",
            "JIRA: https://x/browse/RHEL-1?x=1",
            "JIRA: GL-1",
        ] {
            assert_eq!(convert(text), text);
        }
    }

    #[test]
    fn nothing_joins_a_converted_list() {
        for (before, after) in [
            ("Bugzilla: 12, issue https://x/issues/5", "Resolves: bz#12, - issue https://x/issues/5"),
            ("JIRA: RHEL-1 and issue https://x/issues/5", "Resolves: RHEL-1 and - issue https://x/issues/5"),
        ] {
            assert_eq!(markdown(&convert(before), 1000), after);
        }
    }

    #[test]
    fn finishes_on_long_hostile_texts() {
        for piece in ["A-1,", "https://x/A-1,", "https://", "AA-1 ", "a"] {
            let text = format!("JIRA: {}", piece.repeat((1 << 16) / piece.len()));
            assert!(convert(&text).len() >= text.len());
        }
    }
}
