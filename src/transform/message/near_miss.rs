//! Finds lines of a message that look like metadata but do not count.
//!
//! Such a line begins with a key and a colon. A word about a patch in the text does not look like metadata.

use bstr::ByteSlice as _;

use crate::transform::message::legacy;
use crate::transform::message::metadata::PatchToken;
use crate::transform::message::trailers::{TrailerBlock, is_divider};
use crate::types::Finding;
use crate::types::finding::quoted;

/// How many lines of a message are reported. More would not help anybody.
const MOST_REPORTED: usize = 10;

/// Returns a warning for each line that looks like metadata but does not count, with the line that would count.
///
/// `trailers` are the trailers of the message. From line `legacy_start` on, the message was read as the older notation.
pub(super) fn find(message: &[u8], trailers: Option<&TrailerBlock<'_>>, legacy_start: Option<usize>) -> Vec<Finding> {
    let read_as_trailer = |number: usize| {
        let at = trailers.and_then(|b| b.trailers.binary_search_by_key(&number, |t| t.line).ok().map(|i| (b, i)));
        at.and_then(|(block, index)| block.trailers.get(index)).is_some_and(|t| PatchToken::parse(t.token).is_some())
    };
    let mut findings = Vec::new();
    let mut part = MessagePart::BeforeTitle;
    for (index, line) in message.lines().enumerate() {
        let number = index + 1;
        part = part.of_next(line);
        let read_as_legacy = legacy_start.is_some_and(|first| number >= first) && legacy::key(line).is_some();
        if read_as_legacy || read_as_trailer(number) {
            continue;
        }
        if let Some(miss) = NearMiss::of(line, part) {
            findings.push(miss.finding(number, line, part));
        }
        if findings.len() == MOST_REPORTED {
            break;
        }
    }
    findings
}

/// The part of a message that a line belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MessagePart {
    BeforeTitle,
    FirstLine,
    Title,
    Body,
    AfterDivider,
}

impl MessagePart {
    /// Returns the part of `line`, which follows a line of this part.
    fn of_next(self, line: &[u8]) -> Self {
        let blank = line.trim().is_empty();
        match self {
            Self::AfterDivider => Self::AfterDivider,
            _ if is_divider(line) => Self::AfterDivider,
            Self::BeforeTitle if blank => Self::BeforeTitle,
            Self::BeforeTitle => Self::FirstLine,
            Self::FirstLine | Self::Title if !blank => Self::Title,
            Self::FirstLine | Self::Title | Self::Body => Self::Body,
        }
    }
}

/// A line that was probably meant as metadata.
struct NearMiss {
    meant: PatchToken,
    spelling: Spelling,
}

enum Spelling {
    Exact,
    Legacy,
    Other,
}

impl NearMiss {
    fn of(line: &[u8], part: MessagePart) -> Option<Self> {
        if !line.first()?.is_ascii_alphabetic() {
            return None;
        }
        if let Some(meant) = legacy::key(line).and_then(token_for) {
            return Some(Self { meant, spelling: Spelling::Legacy });
        }
        let written = line.get(..line.find_byte(b':')?)?.trim_end();
        if let Some(meant) = PatchToken::parse(written) {
            return Some(Self { meant, spelling: Spelling::Exact });
        }
        // `no-prefix: handle empty names` is an ordinary subject.
        let may_be_subject = part == MessagePart::FirstLine;
        let meant = if same_letters(written, "Present-in-specfile") {
            PatchToken::PresentInSpecfile
        } else {
            PatchToken::ALL.into_iter().find(|token| same_letters(written, token.as_str()))?
        };
        (!may_be_subject).then_some(Self { meant, spelling: Spelling::Other })
    }

    fn finding(&self, number: usize, line: &[u8], part: MessagePart) -> Finding {
        let token = self.meant.as_str();
        let reason = match (&self.spelling, part) {
            (Spelling::Legacy, _) => {
                "the older notation counts only in a commit without trailers and as YAML to the end of the message"
            }
            (Spelling::Other, _) => "the spelling differs",
            (_, MessagePart::AfterDivider) => "a line of three dashes ends the message before it",
            (_, MessagePart::BeforeTitle | MessagePart::FirstLine | MessagePart::Title) => {
                "it stands in the first paragraph, which is the subject"
            }
            (_, MessagePart::Body) => "it is not in a last paragraph of nothing but trailers",
        };
        let value = line.find_byte(b':').and_then(|colon| line.get(colon + 1..)).unwrap_or_default().trim();
        let wanted = [token.as_bytes(), b": ", value].concat();
        Finding::warning(format!("line {number} of the message is not read, because {reason}: {}", quoted(line)))
            .remedy(format!(
                "write {} in the last paragraph of the message, among nothing but trailers",
                quoted(&wanted)
            ))
    }
}

/// Returns the token for a key of the older notation; `None` for keys that are ordinary words.
fn token_for(key: &str) -> Option<PatchToken> {
    match key {
        "patch_name" => Some(PatchToken::Name),
        "patch_id" => Some(PatchToken::Id),
        "present_in_specfile" => Some(PatchToken::PresentInSpecfile),
        "no_prefix" => Some(PatchToken::NoPrefix),
        _ => None,
    }
}

/// Whether two keys are equal apart from case, dashes, underscores and spaces.
fn same_letters(written: &[u8], token: &str) -> bool {
    fn letters(text: &[u8]) -> impl Iterator<Item = u8> {
        text.iter().filter(|b| !b"-_ ".contains(b)).map(u8::to_ascii_lowercase)
    }
    letters(written).eq(letters(token.as_bytes()))
}
