//! Lines that look like metadata and are not read.
//!
//! Only a line that begins with a key and a colon counts: a word on a patch in the running text is none.

use bstr::ByteSlice as _;

use crate::transform::message::trailers::{Block, is_divider};
use crate::transform::message::{Token, legacy};
use crate::types::Finding;
use crate::types::finding::quoted;

/// How many lines of one message are reported; who needs more has not read the first.
const REPORTED: usize = 10;

/// Returns a warning for each line that looks like metadata and does not count, with the line that would.
///
/// `trailers` is what counts of the message's trailers, `legacy_from` the line from
/// which on the message was read as the older notation.
pub(super) fn find(message: &[u8], trailers: Option<&Block<'_>>, legacy_from: Option<usize>) -> Vec<Finding> {
    let read_as_trailer = |number: usize| {
        let at = trailers.and_then(|b| b.trailers.binary_search_by_key(&number, |t| t.line).ok().map(|i| (b, i)));
        at.and_then(|(block, index)| block.trailers.get(index)).is_some_and(|t| Token::parse(t.token).is_some())
    };
    let mut findings = Vec::new();
    let mut place = Place::BeforeTitle;
    for (index, line) in message.lines().enumerate() {
        let number = index + 1;
        place = place.after(line);
        let read_as_legacy = legacy_from.is_some_and(|first| number >= first) && legacy::key(line).is_some();
        if read_as_legacy || read_as_trailer(number) {
            continue;
        }
        if let Some(miss) = Miss::of(line, place) {
            findings.push(miss.finding(number, line, place));
        }
        if findings.len() == REPORTED {
            break;
        }
    }
    findings
}

/// Where in the message a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    BeforeTitle,
    FirstLine,
    Title,
    Body,
    AfterDivider,
}

impl Place {
    fn after(self, line: &[u8]) -> Self {
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

/// A line that someone may have meant as metadata.
struct Miss {
    meant: Token,
    how: Spelling,
}

enum Spelling {
    Exact,
    Legacy,
    Other,
}

impl Miss {
    fn of(line: &[u8], place: Place) -> Option<Self> {
        if !line.first()?.is_ascii_alphabetic() {
            return None;
        }
        if let Some(meant) = legacy::key(line).and_then(token_for) {
            return Some(Self { meant, how: Spelling::Legacy });
        }
        let written = line.get(..line.find_byte(b':')?)?.trim_end();
        if let Some(meant) = Token::parse(written) {
            return Some(Self { meant, how: Spelling::Exact });
        }
        // `no-prefix: handle empty names` is an ordinary subject
        let may_be_subject = place == Place::FirstLine;
        let meant = if same_letters(written, "Present-in-specfile") {
            Token::PresentInSpecfile
        } else {
            Token::ALL.into_iter().find(|token| same_letters(written, token.as_str()))?
        };
        (!may_be_subject).then_some(Self { meant, how: Spelling::Other })
    }

    fn finding(&self, number: usize, line: &[u8], place: Place) -> Finding {
        let token = self.meant.as_str();
        let reason = match (&self.how, place) {
            (Spelling::Legacy, _) => {
                "the older notation counts only in a commit without trailers and as YAML to the end of the message"
            }
            (Spelling::Other, _) => "the spelling differs",
            (_, Place::AfterDivider) => "a line of three dashes ends the message before it",
            (_, Place::BeforeTitle | Place::FirstLine | Place::Title) => {
                "it stands in the first paragraph, which is the subject"
            }
            (_, Place::Body) => "it is not in a last paragraph of nothing but trailers",
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

/// Returns the trailer for a key of the older notation; none for words that any message may hold.
fn token_for(key: &str) -> Option<Token> {
    match key {
        "patch_name" => Some(Token::Name),
        "patch_id" => Some(Token::Id),
        "present_in_specfile" => Some(Token::PresentInSpecfile),
        "no_prefix" => Some(Token::NoPrefix),
        _ => None,
    }
}

/// Whether two keys differ in nothing but case, dashes, underscores and spaces.
fn same_letters(written: &[u8], token: &str) -> bool {
    fn letters(text: &[u8]) -> impl Iterator<Item = u8> {
        text.iter().filter(|b| !b"-_ ".contains(b)).map(u8::to_ascii_lowercase)
    }
    letters(written).eq(letters(token.as_bytes()))
}
