//! The older notation of metadata: YAML at the end of a message.

use bstr::{BString, ByteSlice as _};
use serde::Deserialize;

use crate::transform::message::scalar;
use crate::transform::message::value::boolean_text;

/// How many bytes at the end of a message may be metadata.
const LONGEST: usize = scalar::LONGEST;

/// How many lines are tried as the first line of the metadata. The limit keeps a hostile message cheap.
const MOST_CANDIDATES: usize = 32;

pub(super) const KEYS: [&str; 7] =
    ["patch_name", "description", "present_in_specfile", "ignore", "squash_commits", "patch_id", "no_prefix"];

/// Metadata in the older notation. Each value is as it was written.
#[derive(Debug, Default)]
pub(super) struct LegacyMetadata {
    /// Where it begins in the message, in bytes.
    pub(super) start: usize,
    /// The line of the message at which it begins, counted from 1.
    pub(super) first_line: usize,
    pub(super) patch_name: Option<BString>,
    pub(super) description: Option<BString>,
    pub(super) present_in_specfile: Option<BString>,
    pub(super) ignore: Option<BString>,
    pub(super) squash_commits: Option<BString>,
    pub(super) patch_id: Option<BString>,
    pub(super) no_prefix: Option<BString>,
}

/// The mapping for the YAML parser. It may have other keys too.
#[derive(Deserialize)]
struct LegacyYaml {
    patch_name: Option<String>,
    description: Option<String>,
    present_in_specfile: Option<String>,
    ignore: Option<String>,
    squash_commits: Option<String>,
    patch_id: Option<String>,
    no_prefix: Option<String>,
}

/// Returns the metadata in the longest end of `message` that is a YAML mapping and begins with one of the keys.
///
/// The first paragraph is never metadata: `ignore: handle empty lines` is a subject. An `ignore` that is alone and
/// neither true nor false is no metadata either.
pub(super) fn find(message: &[u8]) -> Option<LegacyMetadata> {
    let mut candidates = candidates(message);
    let skipped = candidates.len().saturating_sub(MOST_CANDIDATES);
    candidates.split_off(skipped).into_iter().find_map(|(first_line, start)| {
        let parsed: LegacyYaml = scalar::parse(message.get(start..)?)?;
        let bytes = |value: Option<String>| value.map(|text| scalar::to_bytes(&text));
        let found = LegacyMetadata {
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
        found.is_meant().then_some(found)
    })
}

/// Returns the lines that begin with a key, each with number and offset, near the end and not in the title.
fn candidates(message: &[u8]) -> Vec<(usize, usize)> {
    let mut candidates = Vec::new();
    let (mut start, mut in_title, mut before_title) = (0, true, true);
    for (index, line) in message.lines_with_terminator().enumerate() {
        let blank = line.trim().is_empty();
        before_title &= blank;
        in_title &= before_title || !blank;
        if !in_title && message.len() - start <= LONGEST && key(line).is_some() {
            candidates.push((index + 1, start));
        }
        start += line.len();
    }
    candidates
}

/// Returns the key with which `line` begins, if a colon follows.
pub(super) fn key(line: &[u8]) -> Option<&'static str> {
    KEYS.into_iter().find(|key| {
        line.strip_prefix(key.as_bytes()).is_some_and(|rest| rest.trim_start_with(|c| c == ' ').starts_with(b":"))
    })
}

impl LegacyMetadata {
    /// Whether the author meant this as metadata: `ignore` alone can be a word of the text.
    fn is_meant(&self) -> bool {
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
