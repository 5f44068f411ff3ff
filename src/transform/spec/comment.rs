//! Text as comment lines of a spec, such that rpm neither runs nor joins anything.

use bstr::{BString, ByteSlice as _};

use crate::types::text::is_unseen;

/// Returns `line` as a comment line, without a line end: `# text`, or `#` where nothing is left to say.
///
/// rpm expands macros in comments, so `%` becomes `%%`. Before it looks for the end of a macro, rpm lets a backslash
/// hide the byte after it (`copyNextLineFromOFI` in `build/parseSpec.c`): a backslash before `%` would bring the
/// macro back to life and one at the end would join the next line, so there it is doubled. Characters that steer a
/// terminal or hide text go; a tab stays. Bytes that are not UTF-8 stay as they are.
///
/// The same text gives the same line; taking `# ` and the doubled `%` away again and coming back changes nothing.
pub(super) fn comment_line(line: &[u8]) -> BString {
    let seen = without_unseen(line);
    let text = seen.trim_end();
    if text.is_empty() {
        return "#".into();
    }
    let mut out = BString::from("# ");
    let mut hides_next = false;
    for byte in text {
        if *byte == b'%' {
            out.extend_from_slice(if hides_next { b"\\%%" } else { b"%%" });
        } else {
            out.push(*byte);
        }
        hides_next = *byte == b'\\' && !hides_next;
    }
    if hides_next {
        out.push(b'\\');
    }
    out
}

fn without_unseen(line: &[u8]) -> BString {
    let mut out = BString::default();
    for chunk in line.utf8_chunks() {
        out.extend(chunk.valid().chars().filter(|c| *c == '\t' || !is_unseen(*c)).collect::<String>().into_bytes());
        out.extend_from_slice(chunk.invalid());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_comment_is_alive() {
        for (text, comment) in [
            ("Fix it", "# Fix it"),
            ("", "#"),
            ("  \t ", "#"),
            ("  indented  ", "#   indented"),
            ("100% of %{callers}, %%, %(touch x)", "# 100%% of %%{callers}, %%%%, %%(touch x)"),
            ("ends in \\", "# ends in \\\\"),
            ("ends in \\\\", "# ends in \\\\"),
            ("ends in \\ ", "# ends in \\\\"),
            ("ends in \\ \u{7}", "# ends in \\\\"),
            ("\\%{lua:x}", "# \\\\%%{lua:x}"),
            ("\\\\%{x}", "# \\\\%%{x}"),
            ("\\\u{7}%{x}", "# \\\\%%{x}"),
            ("a\\nb\tc", "# a\\nb\tc"),
            ("bell\u{7} and \u{202e}order\u{1b}[1m\r", "# bell and order[1m"),
        ] {
            assert_eq!(comment_line(text.as_bytes()), comment, "{text:?}");
        }
        assert_eq!(comment_line(b"Wei\xdfbier \x9b"), BString::from(b"# Wei\xdfbier \x9b".as_slice()));
    }

    #[test]
    fn a_comment_that_went_round_is_the_same() {
        for text in ["100% \\%{x} \\\\", "a \\", "\\\\\\%", "%%\\"] {
            let once = comment_line(text.as_bytes());
            let back = once.strip_prefix(b"# ").unwrap().replace("%%", "%");
            assert_eq!(comment_line(&back), once, "{text:?}");
        }
    }
}
