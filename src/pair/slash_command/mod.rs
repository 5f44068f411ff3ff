//! What a comment on a source-git merge request asks the bot for, and who may ask for it.
//!
//! A command is the first line that begins with `/dist-git`, in the comment's own words: not in a code block or code span,
//! not in a quotation, not in what is hidden (CommonMark 0.31, and GitLab's `>>>`). GitLab leaves such a line in the text,
//! for it takes out only the quick actions that it knows. One comment holds one command: the first. A command takes no
//! arguments, and a line with more words is not understood, for `/dist-git recreate would be wrong` asks for nothing. Nor
//! does a comment of more than 16 KiB.
//!
//! Whose word it is, is the comment's author's. Somebody else can edit a comment only as a Maintainer of the project, who
//! may give every command anyhow; GitLab's REST API does not tell who edited one, nor whether one was.

use chrono::{DateTime, TimeDelta, Utc};

use crate::pair::sanitize;

/// What a line with a command begins with, in any case.
const PREFIX: &str = "/dist-git";

/// The longest comment that asks for anything, in bytes. A line can depend on all that is around it, so that a text of
/// GitLab's megabyte would be read for minutes; nobody writes a command into one.
const LONGEST: usize = 16 << 10;

/// How old a comment may be.
const MAX_AGE: TimeDelta = TimeDelta::days(1);

/// Elements whose content is quoted, code, struck out or hidden.
const SET_APART: [&str; 15] = [
    "blockquote",
    "cite",
    "code",
    "del",
    "details",
    "kbd",
    "pre",
    "q",
    "s",
    "samp",
    "script",
    "strike",
    "style",
    "template",
    "textarea",
];

/// What the bot can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlashCommand {
    /// To have dist-git's CI run again.
    Retest,
    /// To make dist-git's merge request anew, whatever people did there.
    Recreate,
    /// To bring dist-git up to date.
    Sync,
    /// To tell what there is to ask for.
    Help,
}

impl SlashCommand {
    /// Returns the word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Retest => "retest",
            Self::Recreate => "recreate",
            Self::Sync => "sync",
            Self::Help => "help",
        }
    }
}

/// What a comment says to the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlashRequest {
    /// A command.
    Command(SlashCommand),
    /// Something that the bot does not understand.
    Unknown,
}

/// Who wrote a comment, seen from the merge request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommentAuthor {
    /// Somebody with the role Developer or above in the source-git project.
    Developer,
    /// Somebody without it, who opened the merge request.
    MergeRequestAuthor,
    /// Anybody else.
    Stranger,
}

/// Why a comment is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandRefusal {
    /// It is too old.
    #[error("it is older than a day")]
    Old,
    /// Its author may not ask for that.
    #[error("its author may not ask for that")]
    NotTheirs,
}

impl SlashRequest {
    /// Whether this author may ask for it. Who may give any command may ask for help.
    pub fn permission(self, author: CommentAuthor) -> Result<(), CommandRefusal> {
        match (author, self) {
            (CommentAuthor::Developer, _) => Ok(()),
            (
                CommentAuthor::MergeRequestAuthor,
                Self::Unknown | Self::Command(SlashCommand::Sync | SlashCommand::Help),
            ) => Ok(()),
            (CommentAuthor::MergeRequestAuthor, Self::Command(SlashCommand::Retest | SlashCommand::Recreate))
            | (CommentAuthor::Stranger, _) => Err(CommandRefusal::NotTheirs),
        }
    }
}

/// Whether a comment that was written then is good at GitLab's time `now`. One without a time is not.
pub fn check_age(written: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<(), CommandRefusal> {
    let check_age = written.map(|written| now.signed_duration_since(written));
    if check_age.is_some_and(|check_age| check_age < MAX_AGE) { Ok(()) } else { Err(CommandRefusal::Old) }
}

/// Returns what the text of a comment says to the bot; nothing where it says nothing to it.
pub fn parse(text: &str) -> Option<SlashRequest> {
    if text.len() > LONGEST {
        return None;
    }
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut around = CommentContext::default();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        if let Some(parse) = command(line)
            && around.are_own_words(rest)
        {
            return Some(parse);
        }
        around.pass(line);
        rest = after;
    }
    None
}

/// Reads a line as a command.
fn command(line: &str) -> Option<SlashRequest> {
    let start = line.trim_start_matches(' ');
    let (prefix, rest) = start.split_at_checked(PREFIX.len())?;
    if line.len() - start.len() > 3
        || !prefix.eq_ignore_ascii_case(PREFIX)
        || !(rest.is_empty() || rest.starts_with(char::is_whitespace))
    {
        return None;
    }
    let mut words = rest.split_whitespace();
    let known = match (words.next().map(str::to_lowercase).as_deref(), words.next()) {
        (None | Some("help"), None) => SlashCommand::Help,
        (Some("retest"), None) => SlashCommand::Retest,
        (Some("recreate"), None) => SlashCommand::Recreate,
        (Some("sync"), None) => SlashCommand::Sync,
        _ => return Some(SlashRequest::Unknown),
    };
    Some(SlashRequest::Command(known))
}

/// What the next line stands in.
#[derive(Debug, Default)]
struct CommentContext {
    within: CommentBlock,
    /// Whether a paragraph of a quotation can go on without its `>` ("lazy continuation lines").
    quoted: bool,
    /// Whether indentation belongs to an item of a list.
    in_list: bool,
    /// The length of the row of backticks that may have opened a code span.
    code_span: Option<usize>,
}

#[derive(Debug, Default)]
enum CommentBlock {
    #[default]
    Text,
    Fence {
        mark: char,
        length: usize,
    },
    /// Between lines of `>>>`.
    Quotation(usize),
    Comment,
    Element {
        name: &'static str,
        depth: usize,
    },
}

impl CommentContext {
    /// Whether the next line is in the author's own words; `rest` begins with it.
    fn are_own_words(&self, rest: &str) -> bool {
        let paragraph = || rest.lines().take_while(|line| !line.trim().is_empty());
        let closes = |length| paragraph().any(|line| rows_of_backticks(line).any(|row| row == length));
        matches!(self.within, CommentBlock::Text) && !self.quoted && !self.code_span.is_some_and(closes)
    }

    /// Goes past a line.
    fn pass(&mut self, line: &str) {
        let trimmed = line.trim();
        match &mut self.within {
            CommentBlock::Text => self.pass_text(line),
            CommentBlock::Fence { mark, length } => {
                let is_end = trimmed.len() >= *length && trimmed.chars().all(|c| c == *mark);
                if is_end && (self.in_list || sanitize::fence(line).is_some()) {
                    self.within = CommentBlock::Text;
                }
            }
            CommentBlock::Quotation(length) => {
                if trimmed.len() >= *length && trimmed.bytes().all(|b| b == b'>') {
                    self.within = CommentBlock::Text;
                }
            }
            CommentBlock::Comment => {
                if let Some((_, after)) = line.split_once("-->") {
                    self.within = CommentBlock::Text;
                    self.pass_inline(after);
                }
            }
            CommentBlock::Element { name, depth } => {
                let (opened, closed) = tags(line, name);
                *depth = (*depth + opened).saturating_sub(closed);
                if *depth == 0 {
                    self.within = CommentBlock::Text;
                }
            }
        }
    }

    fn pass_text(&mut self, line: &str) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            (self.quoted, self.code_span) = (false, None);
            return;
        }
        let start = sanitize::after_marks(line);
        let (marks, content) = line.split_at_checked(start).unwrap_or(("", line));
        let is_item = marks.bytes().any(|b| b"-*+.)".contains(&b));
        self.in_list = is_item || (self.in_list && line.starts_with([' ', '\t']));
        let fence = if self.in_list || marks.contains('>') { content } else { line };
        if let Some((mark, length, _)) = sanitize::fence(fence) {
            // One within a quotation ends with that, for a paragraph alone goes on without its `>`.
            (self.quoted, self.code_span) = (false, None);
            if !marks.contains('>') {
                self.within = CommentBlock::Fence { mark, length };
            }
            return;
        }
        if marks.contains('>') {
            self.code_span = None;
            if trimmed.len() >= 3 && trimmed.bytes().all(|b| b == b'>') {
                self.within = CommentBlock::Quotation(trimmed.len());
            } else {
                self.quoted = !content.trim().is_empty();
            }
            return;
        }
        if is_item {
            (self.quoted, self.code_span) = (false, None);
        }
        self.pass_inline(content);
    }

    /// Goes past what a line of text holds, as far as the lines after it may be part of it.
    fn pass_inline(&mut self, content: &str) {
        let mut rest = content;
        while let Some(c) = rest.chars().next() {
            if c == '`' {
                let after = rest.trim_start_matches('`');
                let row = rest.len() - after.len();
                self.code_span = match self.code_span {
                    None => Some(row),
                    Some(open) if open == row => None,
                    open => open,
                };
                rest = after;
                continue;
            }
            if self.code_span.is_none() {
                if let Some(comment) = rest.strip_prefix("<!--") {
                    let Some((_, after)) = comment.split_once("-->") else {
                        self.within = CommentBlock::Comment;
                        return;
                    };
                    rest = after;
                    continue;
                }
                if let Some(name) = SET_APART.into_iter().find(|name| is_tag(rest, "<", name)) {
                    let (opened, closed) = tags(rest, name);
                    if opened > closed {
                        self.within = CommentBlock::Element { name, depth: opened - closed };
                        return;
                    }
                }
            }
            let escaped = usize::from(c == '\\' && self.code_span.is_none());
            rest = rest.char_indices().nth(1 + escaped).and_then(|(at, _)| rest.get(at..)).unwrap_or_default();
        }
    }
}

/// The lengths of the rows of backticks in a line.
fn rows_of_backticks(line: &str) -> impl Iterator<Item = usize> {
    line.split(|c| c != '`').map(str::len).filter(|length| *length > 0)
}

/// How often a line opens an element, and how often it closes it.
fn tags(line: &str, name: &str) -> (usize, usize) {
    let count = |open: &str| {
        line.match_indices('<').filter(|(at, _)| line.get(*at..).is_some_and(|tag| is_tag(tag, open, name))).count()
    };
    (count("<"), count("</"))
}

/// Whether `text` begins with a tag of this name.
fn is_tag(text: &str, open: &str, name: &str) -> bool {
    let after = text.strip_prefix(open).and_then(|rest| rest.split_at_checked(name.len()));
    after.is_some_and(|(found, rest)| {
        found.eq_ignore_ascii_case(name) && !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-')
    })
}

#[cfg(test)]
mod tests;
