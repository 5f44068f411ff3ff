//! Makes a contributor's text harmless before the bot copies it to GitLab or into a commit.
//!
//! GitLab acts on text: `/merge` at the start of a line runs with the rights of whoever posts it, `@all` notifies
//! people, `Closes #1` closes an issue, `[ci skip]` prevents a pipeline, `!3` leaves a note on somebody's merge
//! request, `<!--` hides what follows. Where GitLab looks depends on the place (Markdown, or a plain title or commit),
//! on its version, and on the code or quotation around the text; and what looks like a code block here may not be one
//! for GitLab. So this module depends on none of that: **it puts a space between each sign that could act and what it
//! acts on** (`@ all`, `# 1`, `/ merge`, `< !--`), everywhere, in code too. People can see a space, hear it read aloud
//! and delete it, unlike a zero-width character. It needs no renderer, unlike a backslash or an entity. And a text that
//! is treated twice is the same as one that is treated once. Between a closing word and a link or a JIRA key goes a
//! dash: `Fixes - RHEL-1`.
//!
//! What still acts in a copied text, on purpose: links, and `Resolves: RHEL-1` and `Resolves: bz#1` alone on a line,
//! which the distribution's own tools look for. A bare commit name stays as it is, because it names nothing in
//! dist-git.

mod blocks;
mod cut;
mod signs;

use crate::pair::sanitize::blocks::{FENCE_ROOM, close_fences};
pub(super) use crate::pair::sanitize::blocks::{content_start, fence};
pub use crate::pair::sanitize::cut::cut;
pub(super) use crate::pair::sanitize::signs::jira_key;
use crate::pair::sanitize::signs::{TextFormat, defuse};
use crate::types::text::{is_unseen, printable};

/// The longest sentence of a finding or refusal, in characters.
const SENTENCE_LIMIT: usize = 2000;

/// Trailers by which the bot recognizes its own commits, in lower case. Other people's texts must not contain them.
const OWN_TRAILERS: [&str; 2] = ["from-source-git-commit", "from-dist-git-commit"];

/// Returns `text` as one harmless line, for a title or a name. Each run of white space, line ends included, becomes one
/// space.
pub fn line(text: &str) -> String {
    let text = one_line(text);
    if is_own_trailer(&text) { String::new() } else { defuse(&text, TextFormat::Plain).trim().to_owned() }
}

/// Returns `text` on one line, without characters that hide something or steer a display. It is not harmless yet.
pub(super) fn one_line(text: &str) -> String {
    visible(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns `text` as harmless Markdown of at most `limit` characters, without blank lines around it.
///
/// A code block that the text leaves open is closed. Otherwise it would swallow what the bot writes below. If there is
/// no way to tell how to close it, its fence is broken up, and it is no code block any more.
pub fn markdown(text: &str, limit: usize) -> String {
    let whole = close_fences(&lines(text, TextFormat::Markdown));
    if whole.chars().nth(limit).is_none() {
        return whole;
    }
    // The first pass has broken up fences. So the second pass needs no more room for that.
    let short = close_fences(&cut(&whole, limit.saturating_sub(FENCE_ROOM)));
    cut(&short, limit)
}

/// Returns `text` as harmless text of at most `limit` characters for a commit message, without blank lines around it.
///
/// A line of three dashes is indented by one space, because `git am` and `git interpret-trailers` end the message
/// there.
pub fn message(text: &str, limit: usize) -> String {
    cut(&lines(text, TextFormat::Plain), limit)
}

/// Returns `bytes` as a Markdown code span on one line, in which nothing acts: for names and subjects in the bot's own
/// texts. Not for a table cell, where `|` would end it.
pub fn code(bytes: &[u8]) -> String {
    // The bot's own hidden lines begin with `<!`, and it would take this for one.
    let text = printable(bytes).replace('`', "'").replace("<!", "< !");
    if text.trim().is_empty() { "(empty)".to_owned() } else { format!("`{text}`") }
}

/// Returns one of the bot's own sentences, from a finding or refusal, as Markdown. Text between backticks stays code.
/// No other sign is Markdown, because it may come from a contributor.
///
/// Backticks mark code only if each of them is single and has a partner. CommonMark pairs runs of the same length, so a
/// longer run would mark other text as code than expected.
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

/// Returns `text` without characters that hide something or steer a display, and with `\n` for every line end.
fn visible(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .chars()
        .filter(|c| matches!(c, '\n' | '\t') || !is_unseen(*c))
        .collect()
}

fn lines(text: &str, format: TextFormat) -> String {
    let clean = visible(text);
    let mut out = String::with_capacity(clean.len());
    let mut in_own_trailer = false;
    for line in clean.split('\n') {
        // A trailer's value continues in indented lines (git-interpret-trailers(1)).
        let goes_on = in_own_trailer && line.starts_with([' ', '\t']) && !line.trim().is_empty();
        in_own_trailer = goes_on || is_own_trailer(line);
        if in_own_trailer {
            continue;
        }
        if format == TextFormat::Plain
            && line
                .strip_prefix("---")
                .is_some_and(|rest| rest.trim_start().is_empty() || rest.starts_with(char::is_whitespace))
        {
            out.push(' ');
        }
        out.push_str(&defuse(line.trim_end(), format));
        out.push('\n');
    }
    trimmed(&out).to_owned()
}

/// Returns `text` without blank lines around it. The first line keeps its indentation.
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

#[cfg(test)]
mod tests;
