//! The comment above a Patch tag in the spec.

use bstr::{BString, ByteSlice as _};

use crate::transform::message::legacy;
use crate::transform::message::metadata::{MetadataSource, PatchMetadata};
use crate::transform::message::trailers::{self, before_divider};

/// The most lines of a comment. The rest can be read in the patch.
const MAX_LINES: usize = 200;

/// The longest line of a comment, in bytes.
const MAX_LINE_LENGTH: usize = 1000;

/// The mark for text that was cut. It is plain ASCII, because a spec file may have any encoding.
const CUT: &str = "...";

/// What the comment says about a patch without a `Patch-status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommentStyle {
    /// There is no comment.
    None,
    /// The first line of the message.
    Subject,
    /// The message without trailers and metadata.
    #[default]
    Message,
}

/// Returns the lines of the comment for the patch of a commit, without `#` and with unescaped `%`.
///
/// The comment is the `Patch-status`, if there is one, and otherwise the part of `message` that `style` asks for.
/// `message` must be the one from which `metadata` was read. Both notations have the same rule: no trailers, no
/// metadata, and nothing below a line of three dashes. A line has at most 1000 bytes, no control characters but tabs,
/// and no trailing blanks. There are at most 200 lines; the last one is `...` if lines were cut.
pub fn comment(message: &[u8], metadata: &PatchMetadata, style: CommentStyle) -> Vec<BString> {
    let lines: Vec<&[u8]> = match (&metadata.status, style) {
        (Some(status), _) => without_marks(&status.lines().collect::<Vec<_>>()),
        (None, CommentStyle::None) => Vec::new(),
        (None, CommentStyle::Subject) => {
            prose(message, metadata).lines().filter(|l| !l.trim().is_empty()).take(1).collect()
        }
        (None, CommentStyle::Message) => prose(message, metadata).lines().collect(),
    };
    fit(&lines)
}

/// Returns the message without metadata and trailers.
fn prose<'a>(message: &'a [u8], metadata: &PatchMetadata) -> &'a [u8] {
    let text = before_divider(message);
    let end = match metadata.source {
        MetadataSource::Legacy => legacy::find(message).map(|found| found.start),
        MetadataSource::Trailers | MetadataSource::None => trailers::find(message).map(|block| block.start),
    };
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// Removes the common indentation and one `#` with its space from each line.
///
/// People may write a status as the comment will look, and a comment that was copied from a spec stays the same.
fn without_marks<'a>(lines: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let indentation = |line: &[u8]| line.len() - line.trim_start_with(|c| c == ' ' || c == '\t').len();
    let common = lines.iter().filter(|l| !l.trim().is_empty()).map(|l| indentation(l)).min().unwrap_or(0);
    let bare = |line: &&'a [u8]| {
        let line = line.get(common..).unwrap_or_default();
        line.strip_prefix(b"#").map_or(line, |rest| rest.strip_prefix(b" ").unwrap_or(rest))
    };
    lines.iter().map(bare).collect()
}

fn fit(lines: &[&[u8]]) -> Vec<BString> {
    let filled = |line: &&[u8]| !line.trim().is_empty();
    let first = lines.iter().position(filled).unwrap_or(lines.len());
    let end = lines.iter().rposition(filled).map_or(first, |last| last + 1);
    let lines = lines.get(first..end).unwrap_or_default();
    let mut out: Vec<BString> = lines.iter().take(MAX_LINES).map(|line| fit_line(line)).collect();
    if lines.len() > MAX_LINES {
        out.pop();
        out.push(CUT.into());
    }
    out
}

fn fit_line(line: &[u8]) -> BString {
    let line = line.trim_end();
    let cut = line.len() > MAX_LINE_LENGTH;
    let mut end = if cut { MAX_LINE_LENGTH - CUT.len() } else { line.len() };
    while cut && end > 0 && line.get(end).is_some_and(|b| b & 0xC0 == 0x80) {
        end -= 1;
    }
    let mut out: BString = line
        .iter()
        .take(end)
        .map(|b| if b.is_ascii_control() && *b != b'\t' { b' ' } else { *b })
        .collect::<Vec<_>>()
        .into();
    if cut {
        out.extend_from_slice(CUT.as_bytes());
    }
    out
}
