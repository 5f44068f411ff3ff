//! Finds the trailers of a commit message by the rules of `git interpret-trailers`.

use bstr::ByteSlice as _;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trailer<'a> {
    /// The line of the message, counted from 1.
    pub(super) line: usize,
    /// The text before the colon.
    pub(super) token: &'a [u8],
    /// The text after the colon, with the continuation lines.
    pub(super) value: &'a [u8],
}

/// The trailers at the end of a message.
#[derive(Debug)]
pub(super) struct TrailerBlock<'a> {
    /// Where the block begins in the message, in bytes.
    pub(super) start: usize,
    pub(super) trailers: Vec<Trailer<'a>>,
}

#[derive(Clone, Copy)]
struct MessageLine<'a> {
    /// Counted from 1.
    number: usize,
    /// Where the line begins in the message, in bytes.
    start: usize,
    text: &'a [u8],
}

impl<'a> MessageLine<'a> {
    fn all(message: &'a [u8]) -> Vec<Self> {
        let mut start = 0;
        let lines = message.lines_with_terminator().enumerate();
        let mut all = Vec::new();
        for (index, text) in lines {
            all.push(Self { number: index + 1, start, text });
            start += text.len();
        }
        all
    }

    fn is_blank(&self) -> bool {
        self.text.iter().copied().all(is_space)
    }

    fn is_comment(&self) -> bool {
        self.text.starts_with(b"#")
    }

    fn is_indented(&self) -> bool {
        self.text.first().copied().is_some_and(is_space)
    }

    /// Whether git itself writes such lines among the trailers.
    fn is_from_git(&self) -> bool {
        self.text.starts_with(b"Signed-off-by: ") || self.text.starts_with(b"(cherry picked from commit ")
    }

    /// Returns the position of the colon in `token:` or `token :`.
    fn separator(&self) -> Option<usize> {
        let colon = self.text.find_byte(b':').filter(|at| *at > 0)?;
        let token = self.text.get(..colon)?.trim_end_with(|c| c == ' ' || c == '\t');
        (!token.is_empty() && token.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')).then_some(colon)
    }
}

/// Whether git's `isspace`, which ignores the locale, accepts `byte`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether `git interpret-trailers` and `git am` end the message at `line`: three dashes, then white space.
pub(super) fn is_divider(line: &[u8]) -> bool {
    line.strip_prefix(b"---").is_some_and(|rest| rest.first().copied().is_none_or(is_space))
}

/// Returns the text before the first divider and before the first NUL byte, at which git stops reading.
pub(super) fn before_divider(message: &[u8]) -> &[u8] {
    let message = message.split(|b| *b == 0).next().unwrap_or_default();
    let length = message.lines_with_terminator().take_while(|line| !is_divider(line)).map(<[u8]>::len).sum();
    message.get(..length).unwrap_or_default()
}

/// Removes what git ignores at the end of a message: blank lines and leftovers of editing and merging.
fn without_leftovers(text: &[u8]) -> &[u8] {
    let (mut end, mut seen, mut in_conflicts) = (0, 0, false);
    for line in text.lines_with_terminator() {
        if line == b"# ------------------------ >8 ------------------------\n" {
            break;
        }
        seen += line.len();
        in_conflicts |= line == b"Conflicts:\n";
        let left_behind = line.starts_with(b"#")
            || line == b"\n"
            || line == b"Conflicts:\n"
            || (in_conflicts && line.starts_with(b"\t"));
        if !left_behind {
            end = seen;
            in_conflicts = false;
        }
    }
    text.get(..end).unwrap_or_default()
}

/// Returns the trailers of `message` by the rule of git-interpret-trailers(1).
///
/// They are the last paragraph if all its lines are trailers, or if one of them is a line that git itself writes and at
/// least a quarter are trailers. The first paragraph never has trailers; blank lines before it do not make it the
/// second one, just as in a patch file. The message ends at a line of three dashes.
pub(super) fn find(message: &[u8]) -> Option<TrailerBlock<'_>> {
    let lines = MessageLine::all(without_leftovers(before_divider(message)));
    let title = lines.iter().position(|line| !line.is_blank())?;
    let title_end = title + lines.iter().skip(title).position(MessageLine::is_blank)?;
    let last = lines.iter().rposition(|line| !line.is_comment() && !line.is_blank())?;
    let before = lines.iter().take(last).rposition(MessageLine::is_blank).filter(|before| *before >= title_end)?;
    let paragraph = lines.get(before + 1..)?;
    let start = paragraph.first()?.start;
    counts_as_trailers(paragraph).then(|| TrailerBlock { start, trailers: split(message, paragraph) })
}

/// Applies the rule of [`find`] to the last paragraph.
///
/// It begins at the end, because an indented line belongs to the trailer before it, and is text if there is none.
fn counts_as_trailers(paragraph: &[MessageLine<'_>]) -> bool {
    let (mut trailers, mut others, mut indented, mut from_git) = (0_usize, 0_usize, 0_usize, false);
    for line in paragraph.iter().rev().skip_while(|line| line.is_blank()) {
        if line.is_comment() {
            others += indented;
            indented = 0;
        } else if line.is_from_git() || line.separator().is_some() {
            trailers += 1;
            indented = 0;
            from_git |= line.is_from_git();
        } else if line.is_indented() {
            indented += 1;
        } else {
            others += 1 + indented;
            indented = 0;
        }
    }
    others += indented;
    (from_git && trailers.saturating_mul(3) >= others) || (trailers > 0 && others == 0)
}

fn split<'a>(message: &'a [u8], paragraph: &[MessageLine<'a>]) -> Vec<Trailer<'a>> {
    let mut trailers = Vec::new();
    let mut lines = paragraph.iter().peekable();
    while let Some(line) = lines.next() {
        let Some(separator) = line.separator() else { continue };
        let mut end = line.start + line.text.len();
        while let Some(more) = lines.next_if(|next| next.is_indented()) {
            end = more.start + more.text.len();
        }
        let token = line.text.get(..separator).unwrap_or_default().trim_end();
        let value = message.get(line.start + separator + 1..end).unwrap_or_default();
        trailers.push(Trailer { line: line.number, token, value });
    }
    trailers
}
