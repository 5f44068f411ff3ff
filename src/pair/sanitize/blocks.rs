//! The block structure of Markdown, as far as it matters here: where a line's own text begins, and code blocks.

/// Returns where a line's own text begins: after white space and the marks of lists and quotations.
pub(in crate::pair) fn content_start(line: &str) -> usize {
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

/// Reads a line that opens or closes a code block: the fence's character, its length, and the text after it.
pub(in crate::pair) fn fence(line: &str) -> Option<(char, usize, &str)> {
    let text = line.trim_start_matches(' ');
    let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = text.trim_start_matches(mark);
    let length = text.len() - rest.len();
    let is_fence = line.len() - text.len() < 4 && length >= 3 && !(mark == '`' && rest.contains('`'));
    is_fence.then_some((mark, length, rest))
}

/// Room for the end of a code block, in characters: a line feed, up to three spaces, and as many fence characters as at
/// its beginning.
pub(super) const FENCE_ROOM: usize = 24;

/// Closes the code block that `text` leaves open (CommonMark 0.31, 4.5).
///
/// If a block begins indented and a later line is indented less, the block has ended if it is in a list, and goes on if
/// it is not. Finding out what is in a list would take too much code. So the fences of such a block are broken up, as
/// `` `` ` ``, and it is no code block any more. A block that begins without indentation is not in a list. A fence
/// longer than anybody writes is broken up too, because there would be no room for its end.
pub(super) fn close_fences(text: &str) -> String {
    struct OpenFence {
        mark: char,
        length: usize,
        indentation: usize,
        /// The places of all fences since the block began, its own included.
        fences: Vec<usize>,
    }
    let mut open: Option<OpenFence> = None;
    let mut broken_up = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches('\n');
        let indentation = line.len() - line.trim_start_matches(' ').len();
        if let Some(block) = open.take_if(|block| indentation < block.indentation && !line.trim().is_empty()) {
            broken_up.extend(block.fences);
        }
        let Some((mark, length, rest)) = fence(line) else { continue };
        match &mut open {
            None if length > FENCE_ROOM - 4 => broken_up.push(start + indentation),
            None => open = Some(OpenFence { mark, length, indentation, fences: vec![start + indentation] }),
            Some(block) if mark == block.mark && length >= block.length && rest.trim().is_empty() => open = None,
            Some(block) => block.fences.push(start + indentation),
        }
    }
    let mut out = String::with_capacity(text.len() + broken_up.len());
    let mut copied = 0;
    for fence in broken_up {
        out.push_str(text.get(copied..fence + 2).unwrap_or_default());
        out.push(' ');
        copied = fence + 2;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    if let Some(OpenFence { mark, length, indentation, .. }) = open {
        out.push('\n');
        out.push_str(&" ".repeat(indentation));
        out.extend(std::iter::repeat_n(mark, length));
    }
    out
}
