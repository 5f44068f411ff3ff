//! A short stand-in for a text that the bot wrote, by which it recognizes the text later.
//!
//! It distinguishes "as I left it" from "somebody edited it". It protects nothing, so it need not resist forgery.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The length of a text in bytes and its 64-bit FNV-1a hash, both with `\n` for every line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    bytes: usize,
    hash: FnvHash,
}

/// A 64-bit FNV-1a hash, serialized as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct FnvHash(u64);

impl FnvHash {
    const EMPTY: Self = Self(0xcbf2_9ce4_8422_2325);

    /// Returns the hash of these texts in this order. The boundaries between them count as well.
    pub(super) fn of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        parts.into_iter().fold(Self::EMPTY, |hash, part| {
            let hash = part.len().to_le_bytes().iter().fold(hash, |hash, byte| hash.and(*byte));
            part.bytes().fold(hash, Self::and)
        })
    }

    /// Maps the hash to a number below `limit`, each with the same probability.
    pub(super) const fn below(self, limit: u64) -> u64 {
        (self.0 ^ (self.0 >> 32)) % limit
    }

    const fn and(self, byte: u8) -> Self {
        Self((self.0 ^ byte as u64).wrapping_mul(0x0100_0000_01b3))
    }
}

impl fmt::Display for FnvHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<FnvHash> for String {
    fn from(hash: FnvHash) -> Self {
        hash.to_string()
    }
}

impl FromStr for FnvHash {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl TryFrom<String> for FnvHash {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Fingerprint {
    pub(super) fn of(text: &str) -> Self {
        let mut bytes = 0;
        let mut hash = FnvHash::EMPTY;
        for (_, byte) in line_feeds_only(text) {
            bytes += 1;
            hash = hash.and(byte);
        }
        Self { bytes, hash }
    }

    /// Returns the rest of `text`, if `text` begins with the text that has this fingerprint.
    pub(super) fn after(self, text: &str) -> Option<&str> {
        let (mut bytes, mut end, mut hash) = (0, 0, FnvHash::EMPTY);
        for (at, byte) in line_feeds_only(text).take(self.bytes) {
            (bytes, end, hash) = (bytes + 1, at + 1, hash.and(byte));
        }
        if (Self { bytes, hash }) == self { text.get(end..) } else { None }
    }
}

/// Returns the bytes of `text` with their positions, but no carriage return of a line end: GitLab's forms add those.
fn line_feeds_only(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let bytes = text.as_bytes();
    text.bytes().enumerate().filter(move |(at, byte)| *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_a_text_at_the_beginning_of_another() {
        let fingerprint = Fingerprint::of("one\ntwo é");
        assert_eq!(fingerprint.after("one\ntwo é"), Some(""));
        assert_eq!(fingerprint.after("one\r\ntwo é\r\nmine"), Some("\r\nmine"));
        assert_eq!(fingerprint.after("one\ntwo e"), None);
        assert_eq!(fingerprint.after("one\ntw"), None);
        assert_eq!(Fingerprint::of("").after("x"), Some("x"));
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // Test vectors of the hash's authors, http://www.isthe.com/chongo/tech/comp/fnv/
        assert_eq!(Fingerprint::of("").hash.to_string(), "cbf29ce484222325");
        assert_eq!(Fingerprint::of("a").hash.to_string(), "af63dc4c8601ec8c");
        assert_eq!(Fingerprint::of("foobar").hash.to_string(), "85944171f73967e8");
    }
}
