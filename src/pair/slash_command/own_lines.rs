//! The lines of a comment that are its author's own words: not in a code block or code span, not in a quotation, and
//! not hidden (CommonMark 0.31, and GitLab's `>>>`).
//!
//! Anybody can write a comment that is hard to read. So the time must grow only linearly with the length: each part of
//! the text is visited a limited number of times.

use std::collections::BTreeMap;

use crate::pair::sanitize;

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

/// Iterates over the lines that are the author's own words.
#[derive(Debug)]
pub(super) struct OwnLines<'a> {
    /// The text from the next line on.
    rest: &'a str,
    block: CommentBlock,
    /// Whether a paragraph of a quotation can go on without its `>` ("lazy continuation lines").
    quoted: bool,
    /// Whether indentation belongs to a list item.
    in_list: bool,
    /// The length of the run of backticks that may have opened a code span.
    code_span: Option<usize>,
    /// The runs of backticks in the rest of this paragraph, once they are needed: for each length, the length of the
    /// text from the last line with such a run on.
    runs: Option<BTreeMap<usize, usize>>,
    /// How many bytes were visited, counting each visit.
    visited: usize,
}

/// What the next line is in.
#[derive(Debug)]
enum CommentBlock {
    Text,
    Fence {
        mark: char,
        length: usize,
    },
    /// Between lines of `>>>`. The number of `>`.
    Quotation(usize),
    Comment,
    Element {
        name: &'static str,
        depth: usize,
    },
}

impl<'a> Iterator for OwnLines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        while !self.rest.is_empty() {
            let (line, after) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            let is_own = self.is_own();
            self.pass(line);
            if line.trim().is_empty() {
                self.runs = None;
            }
            self.visited += line.len() + 1;
            self.rest = after;
            if is_own {
                return Some(line);
            }
        }
        None
    }
}

impl<'a> OwnLines<'a> {
    /// `text` has `\n` for every line end.
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            block: CommentBlock::Text,
            quoted: false,
            in_list: false,
            code_span: None,
            runs: None,
            visited: 0,
        }
    }

    #[cfg(test)]
    pub(super) const fn visited(&self) -> usize {
        self.visited
    }

    /// Whether the next line is in the author's own words.
    fn is_own(&mut self) -> bool {
        matches!(self.block, CommentBlock::Text)
            && !self.quoted
            && !self.code_span.is_some_and(|length| self.has_run_ahead(length))
    }

    /// Whether the rest of this paragraph has a run of so many backticks, which closes a code span.
    fn has_run_ahead(&mut self, length: usize) -> bool {
        let (rest, visited) = (self.rest, &mut self.visited);
        let runs = self.runs.get_or_insert_with(|| {
            let (mut runs, mut ahead) = (BTreeMap::new(), rest.len());
            for line in rest.split('\n').take_while(|line| !line.trim().is_empty()) {
                runs.extend(
                    line.split(|c| c != '`').map(str::len).filter(|length| *length > 0).map(|run| (run, ahead)),
                );
                *visited += line.len() + 1;
                ahead = ahead.saturating_sub(line.len() + 1);
            }
            runs
        });
        runs.get(&length).is_some_and(|ahead| *ahead <= self.rest.len())
    }

    /// Updates the state for the lines after `line`.
    fn pass(&mut self, line: &str) {
        let trimmed = line.trim();
        match &mut self.block {
            CommentBlock::Text => self.pass_text(line),
            CommentBlock::Fence { mark, length } => {
                let is_end = trimmed.len() >= *length && trimmed.chars().all(|c| c == *mark);
                if is_end && (self.in_list || sanitize::fence(line).is_some()) {
                    self.block = CommentBlock::Text;
                }
            }
            CommentBlock::Quotation(length) => {
                if trimmed.len() >= *length && trimmed.bytes().all(|b| b == b'>') {
                    self.block = CommentBlock::Text;
                }
            }
            CommentBlock::Comment => {
                if let Some((_, after)) = line.split_once("-->") {
                    self.block = CommentBlock::Text;
                    self.pass_inline(after);
                }
            }
            CommentBlock::Element { name, depth } => {
                let tags = |prefix: &str| {
                    let places = line.match_indices('<').map(|(at, _)| line.get(at..).unwrap_or_default());
                    places.filter(|rest| is_tag(rest, prefix, name)).count()
                };
                *depth = (*depth + tags("<")).saturating_sub(tags("</"));
                if *depth == 0 {
                    self.block = CommentBlock::Text;
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
        let start = sanitize::content_start(line);
        let (marks, content) = line.split_at_checked(start).unwrap_or(("", line));
        let is_item = marks.bytes().any(|b| b"-*+.)".contains(&b));
        self.in_list = is_item || (self.in_list && line.starts_with([' ', '\t']));
        let fence = if self.in_list || marks.contains('>') { content } else { line };
        if let Some((mark, length, _)) = sanitize::fence(fence) {
            // A code block in a quotation ends with the quotation, because only a paragraph goes on without its `>`.
            (self.quoted, self.code_span) = (false, None);
            if !marks.contains('>') {
                self.block = CommentBlock::Fence { mark, length };
            }
            return;
        }
        if marks.contains('>') {
            self.code_span = None;
            if trimmed.len() >= 3 && trimmed.bytes().all(|b| b == b'>') {
                self.block = CommentBlock::Quotation(trimmed.len());
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

    /// Passes the text of a line, as far as it may affect the lines after it.
    fn pass_inline(&mut self, content: &str) {
        let unclosed = unclosed_elements(content);
        self.visited += content.len();
        let mut rest = content;
        while let Some(c) = rest.chars().next() {
            self.visited += 1;
            if c == '`' {
                let after = rest.trim_start_matches('`');
                let run = rest.len() - after.len();
                self.code_span = match self.code_span {
                    None => Some(run),
                    Some(open) if open == run => None,
                    open => open,
                };
                self.visited += run;
                rest = after;
                continue;
            }
            if self.code_span.is_none() {
                if let Some(comment) = rest.strip_prefix("<!--") {
                    let Some((_, after)) = comment.split_once("-->") else {
                        self.block = CommentBlock::Comment;
                        return;
                    };
                    self.visited += comment.len() - after.len();
                    rest = after;
                    continue;
                }
                if let Some((name, depth)) = unclosed.get(&rest.len()) {
                    self.block = CommentBlock::Element { name, depth: *depth };
                    return;
                }
            }
            let escaped = usize::from(c == '\\' && self.code_span.is_none());
            rest = rest.char_indices().nth(1 + escaped).and_then(|(at, _)| rest.get(at..)).unwrap_or_default();
        }
    }
}

/// Returns the elements that a line opens more often than it closes, counted from their tag to the end of the line. The
/// key is the length of the text from the tag on.
fn unclosed_elements(content: &str) -> BTreeMap<usize, (&'static str, usize)> {
    let mut unclosed = BTreeMap::new();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (at, _) in content.rmatch_indices('<') {
        let rest = content.get(at..).unwrap_or_default();
        if let Some(name) = SET_APART.into_iter().find(|name| is_tag(rest, "<", name)) {
            let (opened, closed) = counts.entry(name).or_default();
            *opened += 1;
            if let Some(depth) = opened.checked_sub(*closed).filter(|depth| *depth > 0) {
                unclosed.insert(rest.len(), (name, depth));
            }
        } else if let Some(name) = SET_APART.into_iter().find(|name| is_tag(rest, "</", name)) {
            counts.entry(name).or_default().1 += 1;
        }
    }
    unclosed
}

/// Whether `text` begins with a tag of this name. `prefix` is `<` for a start tag, `</` for an end tag.
fn is_tag(text: &str, prefix: &str, name: &str) -> bool {
    let after = text.strip_prefix(prefix).and_then(|rest| rest.split_at_checked(name.len()));
    after.is_some_and(|(found, rest)| {
        found.eq_ignore_ascii_case(name) && !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-')
    })
}
