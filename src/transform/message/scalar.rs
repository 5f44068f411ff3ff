//! Reads the value of a trailer as a scalar of YAML.

use bstr::{BString, ByteSlice as _};
use serde::de::DeserializeOwned;

use crate::transform::message::value::MetadataKey;
use crate::transform::yaml;
use crate::types::Refusal;

/// The longest value, in bytes. Nothing that is longer is a note on a patch.
pub(super) const LONGEST: usize = 64 * 1024;

/// The most brackets in a text that is parsed as YAML.
const BRACKET_LIMIT: usize = 200;

/// Where the bytes from 0x80 on are while YAML reads the text: in the private use area.
///
/// YAML neither rejects these characters nor takes them for line ends, so a message in any encoding keeps its bytes.
const PRIVATE_USE: u32 = 0xE000;

/// Parses `text`; `None` if it is not YAML, is not a `T`, or has too many brackets.
///
/// Bytes from 0x80 on become characters that [`to_bytes`] turns back.
pub(super) fn parse<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    if yaml::brackets(text) > BRACKET_LIMIT {
        return None;
    }
    let text: String = text.iter().map(|b| if b.is_ascii() { char::from(*b) } else { private_use(*b) }).collect();
    yaml::parse(&text).ok()
}

fn private_use(byte: u8) -> char {
    char::from_u32(PRIVATE_USE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Returns the bytes from which [`parse`] made `text`.
pub(super) fn to_bytes(text: &str) -> BString {
    let mut bytes = BString::default();
    for c in text.chars() {
        match u32::from(c).checked_sub(PRIVATE_USE).map(u8::try_from) {
            Some(Ok(byte)) if !byte.is_ascii() => bytes.push(byte),
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Reads the value of `key`, which is the text after the colon with the continuation lines.
///
/// If `key: value` is YAML and the value is a scalar, the result is the text of that scalar, even if it looks like a
/// number or a truth value. Otherwise it is the value with all lines trimmed.
pub(super) fn read(key: &MetadataKey, value: &[u8]) -> Result<BString, Refusal> {
    if value.len() > LONGEST {
        return Err(key.refuse(value, "has a value of more than 64 KiB", "shorten it"));
    }
    let value = value.trim();
    match parse::<ScalarValue>(&[b"value: ", value, b"\n"].concat()) {
        Some(parsed) => Ok(to_bytes(parsed.value.trim_end_matches('\n'))),
        None => {
            // A block that is not YAML, because tabs indent it, is still a block: its mark does not belong to the text.
            let mut lines = value.lines().peekable();
            lines.next_if(|first| is_block_mark(first));
            Ok(bstr::join("\n", lines.map(|line| line.trim())).into())
        }
    }
}

/// Whether `line` can be the first line of a block scalar in YAML, such as `|`, `>-` or `|2+`.
fn is_block_mark(line: &[u8]) -> bool {
    let marks = line.trim().strip_prefix(b"|").or_else(|| line.trim().strip_prefix(b">"));
    marks.is_some_and(|marks| marks.iter().all(|b| b"+-".contains(b) || b.is_ascii_digit()))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ScalarValue {
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> String {
        read(&MetadataKey { name: "Patch-status", line: 1 }, text.as_bytes()).unwrap().to_string()
    }

    #[test]
    fn a_scalar_keeps_its_text() {
        for (text, expected) in [
            ("plain", "plain"),
            ("123", "123"),
            ("0100", "0100"),
            ("1e3", "1e3"),
            ("~", "~"),
            ("", ""),
            ("true", "true"),
            ("\"5\"", "5"),
            ("'it''s'", "it's"),
            ("|\n    # one\n    two: colon", "# one\ntwo: colon"),
            (">\n  one\n  two", "one two"),
            ("|\n\ttabbed: too", "tabbed: too"),
            ("| text\n\ttabbed", "| text\ntabbed"),
            ("one\n  two", "one two"),
            ("\"\\u00e9\"", "é"),
            ("!!int 5", "5"),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_value_that_is_not_a_scalar_is_text() {
        for text in ["see: this", "[a, b]", "{a: b}", "*alias", "- x", "\"open", "@x", "a\u{7}b", "x: y: z"] {
            assert_eq!(value(text), text);
        }
        assert_eq!(value("[a\n   b"), "[a\nb");
    }

    #[test]
    fn bytes_of_any_encoding_are_kept() {
        let key = MetadataKey { name: "Patch-status", line: 1 };
        for (bytes, expected) in [
            (&b"|\n  caf\xe9\n  \x85\xff."[..], &b"caf\xe9\n\x85\xff."[..]),
            ("|\n  caf\u{e9}\n  \u{2028}\u{85}.".as_bytes(), "caf\u{e9}\n\u{2028}\u{85}.".as_bytes()),
        ] {
            assert_eq!(read(&key, bytes).unwrap(), expected);
        }
    }
}
