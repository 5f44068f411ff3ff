//! Makes text that came from a contributor harmless, before it is copied to GitLab or into a commit by the bot's hand.
//!
//! GitLab acts on text: `/merge` at the start of a line runs with the rights of whoever posts it, `@all` notifies,
//! `Closes #1` closes, `[ci skip]` keeps a pipeline from being made, `!3` leaves a note on somebody's merge request, `<!--`
//! hides what follows. Where it looks differs with the place (Markdown or a plain title and commit), the version, and the
//! code or quotation around it, and what is a code block to us may be none to GitLab. So nothing here depends on that:
//! **each sign that could act is parted by a space from what it acts on** (`@ all`, `# 1`, `/ merge`, `< !--`), everywhere,
//! code included. A space can be seen, read aloud and deleted, which a zero-width character cannot; it needs no renderer,
//! which a backslash or an entity does; and a text treated twice is the same as treated once. A closing word is parted
//! from a link or a JIRA key by a dash: `Fixes - RHEL-1`.
//!
//! What does act in a copied text, on purpose: links are links, and `Resolves: RHEL-1`, `Resolves: bz#1` alone on a line,
//! which the distribution's own tools look for. A bare commit name is left as it is: it names nothing in dist-git.

use crate::types::text::{is_unseen, printable};

/// What the end of a text that was cut shows.
const CUT: char = '…';

/// Where GitLab reads a text as Markdown, and where as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextFormat {
    Markdown,
    Plain,
}

/// The longest sentence of a finding or refusal, in characters.
const SENTENCE_LIMIT: usize = 2000;

/// Trailers by which the bot recognises its own commits, in lower case: nobody else's text may bring them.
const OWN_TRAILERS: [&str; 2] = ["from-source-git-commit", "from-dist-git-commit"];

/// Tags that GitLab lets through to the page (html-pipeline's allowlist and GitLab's additions), and those that other
/// renderers act on.
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

/// Entities that are none of the signs below.
const ENTITIES: [&str; 6] = ["amp", "lt", "gt", "quot", "apos", "nbsp"];

/// What acts behind a bracket: GitLab's references, `[issue:1]`, the mark by which its test reports attach files, and the
/// words that keep a commit's pipeline from being made (`/\[(ci[ _-]skip|skip[ _-]ci)\]/i`, Gitlab::Ci::Pipeline::Chain::Skip).
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

/// Words that the distribution's tools read at the start of a line, before a reference.
const DISTRIBUTION: [&str; 3] = ["Resolves: ", "Related: ", "Reverts: "];

/// Returns `text` as one harmless line: a title, a name. White space is squeezed, line ends are white space.
pub fn line(text: &str) -> String {
    let text = one_line(text);
    if is_own_trailer(&text) { String::new() } else { treated(&text, TextFormat::Plain).trim().to_owned() }
}

/// Returns `text` on one line and without what hides or steers; not harmless yet.
pub(super) fn one_line(text: &str) -> String {
    visible(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns `text` as a harmless Markdown text of at most `limit` characters, without blank lines around it.
///
/// A code block that is left open is closed, so that what the bot writes below is not swallowed; one of which that cannot
/// be told is none any more.
pub fn markdown(text: &str, limit: usize) -> String {
    let whole = closed(&lines(text, TextFormat::Markdown));
    if whole.chars().nth(limit).is_none() {
        return whole;
    }
    // What the whole text has parted takes no more room now.
    let short = closed(&cut(&whole, limit.saturating_sub(FENCE_ROOM)));
    cut(&short, limit)
}

/// How much room the end of a code block takes: a line feed, at most three spaces, and as many marks as began it.
const FENCE_ROOM: usize = 24;

/// Closes the code block that `text` leaves open (CommonMark 0.31, 4.5).
///
/// Where the text in a block that began indented goes on with less, the block has ended if it was in a list, and has not if
/// it was not. What is a list is too much to tell here: the fences of such a block are parted (`` `` ` ``), so that there is
/// none. A block that began without indentation is in no list. A row of more marks than anybody writes begins none either:
/// its end would have no room.
fn closed(text: &str) -> String {
    struct Open {
        mark: char,
        length: usize,
        indentation: usize,
        /// Where each line since the block began, itself included, stands that could begin one.
        fences: Vec<usize>,
    }
    let mut open: Option<Open> = None;
    let mut parted = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches('\n');
        let indentation = line.len() - line.trim_start_matches(' ').len();
        if let Some(block) = open.take_if(|block| indentation < block.indentation && !line.trim().is_empty()) {
            parted.extend(block.fences);
        }
        let Some((mark, length, rest)) = fence(line) else { continue };
        match &mut open {
            None if length > FENCE_ROOM - 4 => parted.push(start + indentation),
            None => open = Some(Open { mark, length, indentation, fences: vec![start + indentation] }),
            Some(block) if mark == block.mark && length >= block.length && rest.trim().is_empty() => open = None,
            Some(block) => block.fences.push(start + indentation),
        }
    }
    let mut out = String::with_capacity(text.len() + parted.len());
    let mut copied = 0;
    for mark in parted {
        out.push_str(text.get(copied..mark + 2).unwrap_or_default());
        out.push(' ');
        copied = mark + 2;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    if let Some(Open { mark, length, indentation, .. }) = open {
        out.push('\n');
        out.push_str(&" ".repeat(indentation));
        out.extend(std::iter::repeat_n(mark, length));
    }
    out
}

/// Returns `text` as harmless text for a commit message of at most `limit` characters, without blank lines around it.
///
/// A line of three dashes is indented by one space: to `git am` and `git interpret-trailers` the message ends there.
pub fn message(text: &str, limit: usize) -> String {
    cut(&lines(text, TextFormat::Plain), limit)
}

/// Returns `bytes` as a Markdown code span on one line, in which nothing acts; for names and subjects in the bot's own
/// texts. Not for a table cell, where `|` would end it.
pub fn code(bytes: &[u8]) -> String {
    // The bot's own hidden lines begin so, and it would find this one.
    let text = printable(bytes).replace('`', "'").replace("<!", "< !");
    if text.trim().is_empty() { "(empty)".to_owned() } else { format!("`{text}`") }
}

/// Returns one of the bot's own sentences, a finding's or a refusal's, as Markdown: what is between backticks stays code,
/// and no other sign is Markdown, because it may come from a contributor.
///
/// Backticks are signs of code only where each stands alone and has its partner: CommonMark pairs rows of the same length,
/// so that a longer one moves what is code to where it is not expected.
pub fn sentence(text: &str) -> String {
    let text = cut(&line(text), SENTENCE_LIMIT);
    let paired = text.matches('`').count().is_multiple_of(2) && !text.contains("``");
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    for c in text.chars() {
        if c == '`' && paired {
            in_code = !in_code;
        } else if !in_code && "\\`*_[]<>|~$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Returns at most `limit` characters of `text`, the last one a `…` where some are missing.
pub fn cut(text: &str, limit: usize) -> String {
    let mut places = text.char_indices().skip(limit.saturating_sub(1));
    let (last, beyond) = (places.next(), places.next());
    match (last, beyond) {
        (Some((at, _)), Some(_)) if limit > 0 => {
            let mut short = text.get(..at).unwrap_or_default().to_owned();
            short.push(CUT);
            short
        }
        _ if limit == 0 => String::new(),
        _ => text.to_owned(),
    }
}

/// Returns `text` without what steers a display or hides, and with line feeds alone as line ends.
fn visible(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .chars()
        .filter(|c| matches!(c, '\n' | '\t') || !is_unseen(*c))
        .collect()
}

fn lines(text: &str, form: TextFormat) -> String {
    let clean = visible(text);
    let mut out = String::with_capacity(clean.len());
    let mut in_own_trailer = false;
    for line in clean.split('\n') {
        // A trailer's value goes on in indented lines (git-interpret-trailers(1)).
        let goes_on = in_own_trailer && line.starts_with([' ', '\t']) && !line.trim().is_empty();
        in_own_trailer = goes_on || is_own_trailer(line);
        if in_own_trailer {
            continue;
        }
        if form == TextFormat::Plain
            && line
                .strip_prefix("---")
                .is_some_and(|rest| rest.trim_start().is_empty() || rest.starts_with(char::is_whitespace))
        {
            out.push(' ');
        }
        out.push_str(&treated(line.trim_end(), form));
        out.push('\n');
    }
    trimmed(&out).to_owned()
}

/// Returns `text` without blank lines around it; the first line's indentation stays.
fn trimmed(text: &str) -> &str {
    let text = text.trim_end();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() {
            break;
        }
        start += line.len();
    }
    text.get(start..).unwrap_or_default()
}

fn is_own_trailer(line: &str) -> bool {
    line.split_once(':').is_some_and(|(token, _)| {
        let token = token.trim();
        OWN_TRAILERS.iter().any(|own| token.eq_ignore_ascii_case(own))
    })
}

/// Returns one line with a space after each sign that could act.
fn treated(line: &str, form: TextFormat) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let start = after_marks(line);
    // The distribution's own form stays, but nothing else joins the list that it begins.
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
        if acts && c == '#' && at == start && form == TextFormat::Markdown {
            out.push('\\'); // Else the line would be a heading now.
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
        // Mentions: `(?<!\w)@name`, User.reference_pattern, and after an emphasis's `_`; commits: `project@sha`.
        '@' if before.ends_with(|p: char| p.is_ascii_alphanumeric()) => is_commit_name(rest),
        '@' => next_is(|n| !n.is_whitespace() && n != CUT),
        // Issues, merge requests, epics; the `<` for a tag that is taken out and brings together what it parted.
        '#' | '!' => next_is(|n| n.is_numeric() || n == '<'),
        '&' => next_is(|n| n.is_numeric() || n == '#' || n == '<') || is_entity(rest),
        // Issues again, `GL-1`: GitLab asks for no boundary before it.
        '-' => before.ends_with("GL") && next_is(|n| n.is_numeric()),
        '<' => next_is(|n| n == '!' || n == '?') || is_tag(rest),
        '[' => BRACKETED.iter().any(|name| starts_with_in_any_case(rest, name)),
        _ => false,
    }
}

/// Returns where a line's own text begins: after white space and the marks of lists and quotations.
pub(super) fn after_marks(line: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = line.get(at..).unwrap_or_default();
        let blank = rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let marks = rest.bytes().take_while(|b| b"-*+>#".contains(b)).count();
        let mark = match rest.get(digits..).and_then(|r| r.bytes().next()) {
            Some(b'.' | b')') if digits > 0 => digits + 1,
            _ => marks,
        };
        let after = rest.get(mark..).unwrap_or_default();
        let is_mark =
            mark > 0 && (after.starts_with(char::is_whitespace) || rest.as_bytes().get(mark - 1) == Some(&b'>'));
        if !is_mark {
            return at + blank;
        }
        at += blank + mark;
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

/// Returns how much of `text` stands before a reference that a closing word's list of references could go on with: after
/// a comma, `and` or nothing, and perhaps `issue` (`(?:(?:issues? +)?REFERENCE(?: *,? +and +| *,? *)?)+`).
fn reference_follows(text: &str) -> Option<usize> {
    let rest = text.trim_start_matches([' ', '\t', ',']);
    let rest = without_prefix(rest, &["and"]).unwrap_or(rest).trim_start_matches([' ', '\t']);
    closable_after_issue(rest).then(|| text.len() - rest.len())
}

/// Returns where the reference begins, where `text` is a closing word with a link or a JIRA key after it:
/// `closes`, perhaps `:`, spaces, perhaps `issue`. References with a sign (`#1`) need no dash, they lose their sign.
fn closed_reference(text: &str) -> Option<usize> {
    let word = CLOSING.iter().find(|word| starts_with_in_any_case(text, word))?;
    let rest = text.get(word.len()..)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let spaced = rest.trim_start_matches([' ', '\t']);
    if spaced.len() == rest.len() {
        return None;
    }
    closable_after_issue(spaced).then(|| text.len() - spaced.len())
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

/// Returns the length of a JIRA key, such as `RHEL-1`, at the start of `text`: GitLab's `[A-Z][A-Z0-9_]+-\d+`, but for
/// one that ends in `GL-1`, which GitLab reads as an issue of its own.
pub(super) fn jira_key(text: &str) -> Option<usize> {
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

/// Whether `text` begins with 7 to 40 hexadecimal digits and nothing that makes them a part of a host's name.
fn is_commit_name(text: &str) -> bool {
    let digits = text.bytes().take(41).take_while(u8::is_ascii_hexdigit).count();
    (7..=40).contains(&digits)
}

/// Whether `text`, which follows a `&`, completes an entity that is not one of the harmless.
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

/// Returns the character, the length and what follows of a line that opens or closes a code block.
pub(super) fn fence(line: &str) -> Option<(char, usize, &str)> {
    let text = line.trim_start_matches(' ');
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = text.trim_start_matches(mark);
    let length = text.len() - rest.len();
    let is_fence = line.len() - text.len() < 4 && length >= 3 && !(mark == '`' && rest.contains('`'));
    is_fence.then_some((mark, length, rest))
}

#[cfg(test)]
mod tests;
