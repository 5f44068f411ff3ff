//! Makes text from outside safe to show to people.

/// The longest text that [`printable`] returns, in characters; enough for a subject line or a path.
const PRINTABLE_LENGTH: usize = 200;

/// Returns `bytes` as one line that contains nothing a terminal, log viewer or CI job log acts on.
///
/// Bytes that are not UTF-8 become escapes (`\x1b`, `\u{202e}`), and so do all characters that move the cursor, hide or
/// reorder text, or start a new line. A text of more than 200 characters is cut and ends in `…`.
pub fn printable(bytes: &[u8]) -> String {
    escaped(bytes, PRINTABLE_LENGTH)
}

/// Returns what [`printable`] returns, but never cuts it.
pub fn printable_whole(bytes: &[u8]) -> String {
    escaped(bytes, usize::MAX)
}

fn escaped(bytes: &[u8], limit: usize) -> String {
    let mut out = String::new();
    let mut count = 0;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if count == limit {
                out.push('…');
                return out;
            }
            count += 1;
            match c {
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
                c if is_unseen(c) => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            if count == limit {
                out.push('…');
                return out;
            }
            count += 1;
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// Whether a character controls the display instead of showing something.
///
/// These are control characters, line and paragraph separators, zero-width characters, and the bidirectional controls
/// of Unicode's UAX #9.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_controls_a_terminal_remains() {
        assert_eq!(printable(b"plain \xc3\xa9"), "plain é");
        assert_eq!(printable(b"\x1b[31mred\r\nsection_start:0:x\x07"), "\\x1b[31mred\\r\\nsection_start:0:x\\x07");
        assert_eq!(printable("a\u{202e}b\u{9b}c\u{2028}".as_bytes()), "a\\u{202e}b\\u{9b}c\\u{2028}");
        assert_eq!(printable(b"\xff\xfe"), "\\xff\\xfe");
    }

    #[test]
    fn a_long_text_is_cut() {
        let long = printable(&vec![b'x'; 100_000]);
        assert_eq!(long.chars().count(), PRINTABLE_LENGTH + 1);
        assert!(long.ends_with('…'));
    }
}
