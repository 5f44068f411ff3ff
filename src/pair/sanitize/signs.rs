//! The signs in a line of text that GitLab acts on. A space after each of them stops that.

use crate::pair::sanitize::blocks::content_start;
use crate::pair::sanitize::cut::CUT;

/// How GitLab reads a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextFormat {
    Markdown,
    /// As it is: a title, a commit message.
    Plain,
}

/// The tags that GitLab lets through to the page (html-pipeline's allowlist and GitLab's additions), and those that
/// other renderers act on.
const TAGS: [&str; 84] = [
    "a",
    "abbr",
    "audio",
    "b",
    "bdo",
    "blockquote",
    "br",
    "cite",
    "code",
    "dd",
    "del",
    "details",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "h7",
    "h8",
    "hr",
    "i",
    "iframe",
    "img",
    "input",
    "ins",
    "kbd",
    "li",
    "mark",
    "math",
    "meta",
    "object",
    "ol",
    "p",
    "picture",
    "pre",
    "q",
    "rp",
    "rt",
    "ruby",
    "s",
    "samp",
    "script",
    "section",
    "small",
    "source",
    "span",
    "strike",
    "strong",
    "style",
    "sub",
    "summary",
    "sup",
    "svg",
    "table",
    "tbody",
    "td",
    "template",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
    "video",
    "wbr",
    "form",
    "button",
    "link",
    "base",
    "head",
    "body",
];

/// Entities for signs that do not act.
const ENTITIES: [&str; 6] = ["amp", "lt", "gt", "quot", "apos", "nbsp"];

/// What acts after a bracket: GitLab's references, such as `[issue:1]`, the mark by which its test reports attach
/// files, and the words that keep GitLab from creating a pipeline (`/\[(ci[ _-]skip|skip[ _-]ci)\]/i`,
/// Gitlab::Ci::Pipeline::Chain::Skip).
const BRACKETED: [&str; 14] = [
    "issue:",
    "work_item:",
    "epic:",
    "vulnerability:",
    "feature_flag:",
    "contact:",
    "wiki_page:",
    "[attachment",
    "ci skip]",
    "ci_skip]",
    "ci-skip]",
    "skip ci]",
    "skip_ci]",
    "skip-ci]",
];

/// The words of GitLab's default closing pattern (`issue_closing_pattern` in gitlab.yml.example), in lower case.
const CLOSING: [&str; 16] = [
    "closes",
    "closed",
    "closing",
    "close",
    "fixes",
    "fixed",
    "fixing",
    "fix",
    "resolves",
    "resolved",
    "resolving",
    "resolve",
    "implements",
    "implemented",
    "implementing",
    "implement",
];

/// The words that the distribution's tools read at the start of a line, before a reference.
const DISTRIBUTION: [&str; 3] = ["Resolves: ", "Related: ", "Reverts: "];

/// Returns one line with a space after each sign that could act.
pub(super) fn defuse(line: &str, format: TextFormat) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let start = content_start(line);
    // The distribution's own reference stays, but nothing else joins the list that it begins.
    let exempt = distribution_reference(line).unwrap_or(0);
    let mut dash_at =
        reference_follows(line.get(exempt..).unwrap_or_default()).filter(|_| exempt > 0).map(|gap| exempt + gap);
    for (at, c) in line.char_indices() {
        let (before, rest) = (line.get(..at).unwrap_or_default(), line.get(at + c.len_utf8()..).unwrap_or_default());
        if dash_at == Some(at) {
            out.push_str("- ");
        }
        if at >= exempt && starts_word(before, c) {
            dash_at = closed_reference(line.get(at..).unwrap_or_default()).map(|length| at + length).or(dash_at);
        }
        let acts = at >= exempt && acts(before, c, rest, at == start);
        if acts && c == '#' && at == start && format == TextFormat::Markdown {
            out.push('\\'); // Otherwise the space would make the line a heading.
        }
        out.push(c);
        if acts {
            out.push(' ');
        }
    }
    out
}

/// Whether `c` acts on what follows it.
fn acts(before: &str, c: char, rest: &str, at_start: bool) -> bool {
    let next = rest.chars().next();
    let next_is = |f: fn(char) -> bool| next.is_some_and(f);
    match c {
        // Quick actions: `^/name`, Gitlab::QuickActions::Extractor.
        '/' => at_start && next_is(|n| n.is_alphanumeric() || n == '_'),
        // Mentions: `(?<!\w)@name`, User.reference_pattern, and after the `_` of an emphasis. Commits: `project@sha`.
        '@' if before.ends_with(|p: char| p.is_ascii_alphanumeric()) => is_commit_name(rest),
        '@' => next_is(|n| !n.is_whitespace() && n != CUT),
        // Issues, merge requests, epics. A `<` counts too: GitLab may remove a tag, and so join what is around it.
        '#' | '!' => next_is(|n| n.is_numeric() || n == '<'),
        '&' => next_is(|n| n.is_numeric() || n == '#' || n == '<') || is_entity(rest),
        // Issues again, `GL-1`: GitLab wants no word boundary before it.
        '-' => before.ends_with("GL") && next_is(|n| n.is_numeric()),
        '<' => next_is(|n| n == '!' || n == '?') || is_tag(rest),
        '[' => BRACKETED.iter().any(|name| starts_with_in_any_case(rest, name)),
        _ => false,
    }
}

/// Returns the length of `Resolves: RHEL-1` or `Resolves: bz#1` at the start of a line.
fn distribution_reference(line: &str) -> Option<usize> {
    let word = DISTRIBUTION.iter().find(|word| line.starts_with(**word))?;
    let rest = line.get(word.len()..)?;
    let reference = match rest.strip_prefix("rh").unwrap_or(rest).strip_prefix("bz#") {
        Some(number) => {
            let digits = number.bytes().take_while(u8::is_ascii_digit).count();
            (digits > 0).then(|| rest.len() - number.len() + digits)
        }
        None => jira_key(rest),
    }?;
    Some(word.len() + reference)
}

/// Returns how much of `text` is before a reference that could continue a closing word's list of references: after a
/// comma, `and` or nothing, and perhaps `issue` (`(?:(?:issues? +)?REFERENCE(?: *,? +and +| *,? *)?)+`).
fn reference_follows(text: &str) -> Option<usize> {
    let rest = text.trim_start_matches([' ', '\t', ',']);
    let rest = without_prefix(rest, &["and"]).unwrap_or(rest).trim_start_matches([' ', '\t']);
    closable_after_issue(rest).then(|| text.len() - rest.len())
}

/// Returns where the reference begins, if `text` is a closing word with a link or a JIRA key after it: `closes`,
/// perhaps `:`, spaces, perhaps `issue`. References with a sign (`#1`) need no dash, because a space follows the sign.
fn closed_reference(text: &str) -> Option<usize> {
    let word = CLOSING.iter().find(|word| starts_with_in_any_case(text, word))?;
    let rest = text.get(word.len()..)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let reference = rest.trim_start_matches([' ', '\t']);
    if reference.len() == rest.len() {
        return None;
    }
    closable_after_issue(reference).then(|| text.len() - reference.len())
}

/// Whether `text` begins with a link or a JIRA key, perhaps after `issue` or `issues`.
fn closable_after_issue(text: &str) -> bool {
    let after_issue = without_prefix(text, &["issues", "issue"]).map(|rest| rest.trim_start_matches([' ', '\t']));
    closable(text) || after_issue.is_some_and(closable)
}

fn without_prefix<'a>(text: &'a str, prefixes: &[&str]) -> Option<&'a str> {
    let prefix = prefixes.iter().find(|prefix| starts_with_in_any_case(text, prefix))?;
    text.get(prefix.len()..)
}

fn closable(text: &str) -> bool {
    starts_with_in_any_case(text, "http://") || starts_with_in_any_case(text, "https://") || jira_key(text).is_some()
}

/// Returns the length of a JIRA key, such as `RHEL-1`, at the start of `text`: GitLab's `[A-Z][A-Z0-9_]+-\d+`, except
/// one that ends in `GL-1`, which GitLab reads as one of its own issues.
pub(in crate::pair) fn jira_key(text: &str) -> Option<usize> {
    let project = text.bytes().take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_').count();
    if project < 2 || !text.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let (project_name, number) = text.split_at_checked(project)?;
    let number = number.strip_prefix('-').filter(|_| !project_name.ends_with("GL"))?;
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then_some(project + 1 + digits)
}

fn starts_word(before: &str, c: char) -> bool {
    c.is_ascii_alphabetic() && !before.ends_with(|p: char| p.is_ascii_alphanumeric())
}

/// Whether `text` begins with 7 to 40 hexadecimal digits, and not with more.
fn is_commit_name(text: &str) -> bool {
    let digits = text.bytes().take(41).take_while(u8::is_ascii_hexdigit).count();
    (7..=40).contains(&digits)
}

/// Whether `text`, which follows a `&`, completes an entity that is not harmless.
fn is_entity(text: &str) -> bool {
    let length = text.bytes().take(40).take_while(u8::is_ascii_alphanumeric).count();
    let name = text.get(..length).unwrap_or_default();
    length > 0 && text.as_bytes().get(length) == Some(&b';') && !ENTITIES.contains(&name)
}

/// Whether `text`, which follows a `<`, completes a tag that GitLab lets through.
fn is_tag(text: &str) -> bool {
    let text = text.strip_prefix('/').unwrap_or(text);
    let length = text.bytes().take(16).take_while(u8::is_ascii_alphanumeric).count();
    let name = text.get(..length).unwrap_or_default();
    let ends = text
        .get(length..)
        .and_then(|rest| rest.chars().next())
        .is_none_or(|c| !c.is_alphanumeric() && !"-:@".contains(c));
    ends && TAGS.iter().any(|tag| name.eq_ignore_ascii_case(tag))
}

fn starts_with_in_any_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}
