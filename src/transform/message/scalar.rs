//! The value of a trailer, as YAML reads it.

use bstr::{BString, ByteSlice as _};
use serde::de::DeserializeOwned;

use crate::transform::message::{Key, Refusal};

/// The longest value, in bytes, that is looked at; what is longer is no note on a patch.
pub(super) const LONGEST: usize = 64 * 1024;

/// How many brackets YAML is asked to look at: the parser's time grows with the square of their depth.
const BRACKETS: usize = 200;

/// Where the bytes from 0x80 on are put while YAML looks at the text: characters of the private use area, which YAML
/// neither rejects nor takes for line ends. So a message in any encoding keeps its bytes.
const PRIVATE: u32 = 0xE000;

/// Parses `yaml`; `None` where it is not YAML, is not a `T`, or would cost more than it can be worth.
///
/// A byte from 0x80 on becomes a character that [`to_bytes`] turns back.
pub(super) fn parse<T: DeserializeOwned>(yaml: &[u8]) -> Option<T> {
    if yaml.iter().filter(|b| b"[{".contains(b)).count() > BRACKETS {
        return None;
    }
    let text: String = yaml.iter().map(|b| if b.is_ascii() { char::from(*b) } else { private(*b) }).collect();
    yaml_serde::from_str(&text).ok()
}

fn private(byte: u8) -> char {
    char::from_u32(PRIVATE + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Returns a text from [`parse`] as the bytes that it was.
pub(super) fn to_bytes(text: &str) -> BString {
    let mut bytes = BString::default();
    for c in text.chars() {
        match u32::from(c).checked_sub(PRIVATE).map(u8::try_from) {
            Some(Ok(byte)) if !byte.is_ascii() => bytes.push(byte),
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Reads the value of `key`: its first line and the continuation lines as they stand.
///
/// Where `key: value` is YAML and the value a scalar, that scalar, never converted to a number or a truth value;
/// else the text itself, each line trimmed.
pub(super) fn read(key: &Key, value: &[u8]) -> Result<BString, Refusal> {
    if value.len() > LONGEST {
        return Err(key.refuse(value, "has a value of more than 64 KiB", "shorten it"));
    }
    let value = value.trim();
    match parse::<Value>(&[b"value: ", value, b"\n"].concat()) {
        Some(parsed) => Ok(to_bytes(parsed.value.trim_end_matches('\n'))),
        None => {
            // A block that is no YAML (one indented by tabs) is a block all the same: its mark is no text.
            let mut lines = value.lines().peekable();
            lines.next_if(|first| is_block_mark(first));
            Ok(bstr::join("\n", lines.map(|line| line.trim())).into())
        }
    }
}

/// Whether `line` is what YAML begins a block scalar with: `|`, `>-`, `|2+` and the like.
fn is_block_mark(line: &[u8]) -> bool {
    let marks = line.trim().strip_prefix(b"|").or_else(|| line.trim().strip_prefix(b">"));
    marks.is_some_and(|marks| marks.iter().all(|b| b"+-".contains(b) || b.is_ascii_digit()))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> String {
        read(&Key { name: "Patch-status", line: 1 }, text.as_bytes()).unwrap().to_string()
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
    fn what_is_not_a_scalar_is_text() {
        for text in ["see: this", "[a, b]", "{a: b}", "*alias", "- x", "\"open", "@x", "a\u{7}b", "x: y: z"] {
            assert_eq!(value(text), text);
        }
        assert_eq!(value("[a\n   b"), "[a\nb");
    }

    #[test]
    fn bytes_of_any_encoding_are_kept() {
        let key = Key { name: "Patch-status", line: 1 };
        for (bytes, expected) in [
            (&b"|\n  caf\xe9\n  \x85\xff."[..], &b"caf\xe9\n\x85\xff."[..]),
            ("|\n  caf\u{e9}\n  \u{2028}\u{85}.".as_bytes(), "caf\u{e9}\n\u{2028}\u{85}.".as_bytes()),
        ] {
            assert_eq!(read(&key, bytes).unwrap(), expected);
        }
    }
}
