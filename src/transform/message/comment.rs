//! The comment above a Patch tag.

use bstr::{BString, ByteSlice as _};

use crate::transform::message::trailers::{self, before_divider};
use crate::transform::message::{MetadataSource, PatchMetadata, legacy};

/// The longest comment, in lines, and the longest line, in bytes: what is longer is read in the patch.
const LINES: usize = 200;
const LINE_LENGTH: usize = 1000;

/// What stands at the place of what was cut; plain ASCII, because a spec file may have any encoding.
const CUT: &str = "...";

/// What the comment of a patch without a `Patch-status` holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatchComments {
    /// Nothing: there is no comment.
    None,
    /// The first line of the message.
    Subject,
    /// The whole message without trailers and metadata.
    #[default]
    Message,
}

/// Returns the lines of the comment for the patch of a commit, without `#` and with `%` as it is.
///
/// The `Patch-status` where there is one; else what `style` says of `message`, which must be the message that
/// `metadata` was read from. The same rule for every commit, whichever notation it uses: no trailer, no metadata and
/// nothing below a line of three dashes. No line is longer than 1000 bytes, holds a control character or is a trailing
/// blank; at most 200 lines, the last one `...` where more were cut.
pub fn comment(message: &[u8], metadata: &PatchMetadata, style: PatchComments) -> Vec<BString> {
    let lines: Vec<&[u8]> = match (&metadata.status, style) {
        (Some(status), _) => without_marks(&status.lines().collect::<Vec<_>>()),
        (None, PatchComments::None) => Vec::new(),
        (None, PatchComments::Subject) => {
            prose(message, metadata).lines().filter(|l| !l.trim().is_empty()).take(1).collect()
        }
        (None, PatchComments::Message) => prose(message, metadata).lines().collect(),
    };
    fit(&lines)
}

/// Returns the message without its metadata and trailers.
fn prose<'a>(message: &'a [u8], metadata: &PatchMetadata) -> &'a [u8] {
    let text = before_divider(message);
    let end = match metadata.source {
        MetadataSource::Legacy => legacy::find(message).map(|found| found.start),
        MetadataSource::Trailers | MetadataSource::None => trailers::find(message).map(|block| block.start),
    };
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// Takes the common indentation and one `#` with its space off each line: whoever writes a status writes it as the
/// comment will look, and what is read back from a spec and written again stays the same.
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
    let mut out: Vec<BString> = lines.iter().take(LINES).map(|line| fit_line(line)).collect();
    if lines.len() > LINES {
        out.pop();
        out.push(CUT.into());
    }
    out
}

fn fit_line(line: &[u8]) -> BString {
    let line = line.trim_end();
    let cut = line.len() > LINE_LENGTH;
    let mut end = if cut { LINE_LENGTH - CUT.len() } else { line.len() };
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
