//! References to bugs and tickets, in the form that the distribution's tools look for in dist-git.
//!
//! packit's service turned `Bugzilla: 123` at the start of a line into `Resolves: bz#123`. Here the same holds of
//! indented and lower-case lines and of a missing space, and of `JIRA: RHEL-123` with the key or a link to it.

use crate::pair::sanitize::{fence, jira_key};

/// Returns `text` with each line that begins with `Bugzilla:` or `JIRA:` and references turned into `Resolves:` lines,
/// one for each reference. What stands behind the references stays behind the last. Code blocks stay.
pub fn convert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<(char, usize)> = None;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\r', '\n']);
        let fence = fence(bare);
        match (open, fence) {
            (None, Some((mark, length, _))) => open = Some((mark, length)),
            (Some((mark, least)), Some((by, length, rest)))
                if mark == by && length >= least && rest.trim().is_empty() =>
            {
                open = None;
            }
            _ => {}
        }
        match resolves(bare).filter(|_| open.is_none() && fence.is_none()) {
            Some(convert) => {
                out.push_str(&convert);
                out.push_str(line.get(bare.len()..).unwrap_or_default());
            }
            None => out.push_str(line),
        }
    }
    out
}

/// Returns the `Resolves:` lines for `line`, where it begins with references.
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

/// Divides `text` after the link that it begins with; the punctuation of the sentence is not the link's.
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

    #[test]
    fn what_packit_converted_is_converted_alike() {
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
    fn what_packit_left_alone_is_converted_too() {
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
    fn what_is_no_reference_stays() {
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
}
