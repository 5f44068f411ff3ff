//! The older notation: YAML at the end of a message.

use bstr::{BString, ByteSlice as _};
use serde::Deserialize;

use crate::transform::message::{boolean_text, scalar};

/// How many bytes at the end of a message are looked at, and how many places in them where YAML may begin: enough for
/// any metadata, and little enough that a hostile message costs nothing.
const LOOKED_AT: usize = scalar::LONGEST;
const PLACES: usize = 32;

/// The keys.
pub(super) const KEYS: [&str; 7] =
    ["patch_name", "description", "present_in_specfile", "ignore", "squash_commits", "patch_id", "no_prefix"];

/// Metadata in the older notation, each value as it was written.
#[derive(Debug, Default)]
pub(super) struct Legacy {
    /// Where it begins, in bytes.
    pub(super) start: usize,
    /// The line where it begins, counted from 1.
    pub(super) first_line: usize,
    pub(super) patch_name: Option<BString>,
    pub(super) description: Option<BString>,
    pub(super) present_in_specfile: Option<BString>,
    pub(super) ignore: Option<BString>,
    pub(super) squash_commits: Option<BString>,
    pub(super) patch_id: Option<BString>,
    pub(super) no_prefix: Option<BString>,
}

/// What the YAML parser fills in; other keys may stand beside these.
#[derive(Deserialize)]
struct Parsed {
    patch_name: Option<String>,
    description: Option<String>,
    present_in_specfile: Option<String>,
    ignore: Option<String>,
    squash_commits: Option<String>,
    patch_id: Option<String>,
    no_prefix: Option<String>,
}

/// Finds the longest end of `message` that is a YAML mapping beginning with one of the keys.
///
/// The first paragraph is the title: `ignore: handle empty lines` is the subject of a commit, not metadata. Nor is an
/// `ignore` that is neither true nor false, where it stands alone.
pub(super) fn find(message: &[u8]) -> Option<Legacy> {
    let mut places = places(message);
    let skipped = places.len().saturating_sub(PLACES);
    places.split_off(skipped).into_iter().find_map(|(first_line, start)| {
        let parsed: Parsed = scalar::parse(message.get(start..)?)?;
        let bytes = |value: Option<String>| value.map(|text| scalar::to_bytes(&text));
        let found = Legacy {
            start,
            first_line,
            patch_name: bytes(parsed.patch_name),
            description: bytes(parsed.description),
            present_in_specfile: bytes(parsed.present_in_specfile),
            ignore: bytes(parsed.ignore),
            squash_commits: bytes(parsed.squash_commits),
            patch_id: bytes(parsed.patch_id),
            no_prefix: bytes(parsed.no_prefix),
        };
        found.says_something().then_some(found)
    })
}

/// Returns number and offset of the lines that begin with a key, near enough to the end and not in the title.
fn places(message: &[u8]) -> Vec<(usize, usize)> {
    let mut places = Vec::new();
    let (mut start, mut in_title, mut before_title) = (0, true, true);
    for (index, line) in message.lines_with_terminator().enumerate() {
        let blank = line.trim().is_empty();
        before_title &= blank;
        in_title &= before_title || !blank;
        if !in_title && message.len() - start <= LOOKED_AT && key(line).is_some() {
            places.push((index + 1, start));
        }
        start += line.len();
    }
    places
}

/// Returns the key that `line` begins with, where a colon follows.
pub(super) fn key(line: &[u8]) -> Option<&'static str> {
    KEYS.into_iter().find(|key| {
        line.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.trim_start_with(|c| c == ' ').starts_with(b":"))
    })
}

impl Legacy {
    fn says_something(&self) -> bool {
        let others = [
            &self.patch_name,
            &self.description,
            &self.present_in_specfile,
            &self.squash_commits,
            &self.patch_id,
            &self.no_prefix,
        ];
        others.iter().any(|value| value.is_some()) || self.ignore.as_ref().is_some_and(|v| boolean_text(v).is_some())
    }
}
