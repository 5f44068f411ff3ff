//! Calls of macros in a line of `%prep`, their arguments, and the shell blocks around them.

use bstr::ByteSlice as _;

/// A macro as it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call<'a> {
    /// Its name.
    pub(super) name: &'a [u8],
    /// What it is given.
    pub(super) arguments: &'a [u8],
    /// Whether it is part of another macro's body, as in `%{?el9:%patch1 -p1}`.
    pub(super) conditional: bool,
    /// Whether nothing but a macro's beginning stands before it.
    pub(super) begins_line: bool,
}

/// Finds the calls in `text`. As for rpm, a call without braces takes the rest of the line for its arguments.
pub(super) fn calls(text: &[u8]) -> Vec<Call<'_>> {
    let mut calls = Vec::new();
    let mut braces = 0_usize;
    let mut begins_line = true;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        at = at.saturating_add(1);
        match byte {
            b'}' => {
                braces = braces.saturating_sub(1);
                begins_line = false;
            }
            b'%' if rest.starts_with(b"%%") => {
                at = at.saturating_add(1);
                begins_line = false;
            }
            b'%' => {
                let braced = rest.starts_with(b"%{");
                let from = rest.get(if braced { 2 } else { 1 }..).unwrap_or_default();
                let named = from.trim_start_with(|c| matches!(c, '?' | '!'));
                let length = named.find_not_byteset(WORD).unwrap_or(named.len());
                let (name, behind) = named.split_at_checked(length).unwrap_or((named, b""));
                let takes_line =
                    name.starts_with(b"auto") || name.starts_with(b"forgeauto") || name.starts_with(b"patch");
                let tests = braced && behind.starts_with(b":");
                if takes_line && name != b"patches" && !tests {
                    let end = end_of_arguments(behind, braced || braces > 0);
                    let arguments = behind.get(..end).unwrap_or_default();
                    calls.push(Call { name, arguments, conditional: braces > 0, begins_line });
                    begins_line = false;
                    at = text.len().saturating_sub(behind.len()).saturating_add(end);
                    braces = braces.saturating_add(usize::from(braced));
                } else {
                    if !tests && !name.is_empty() {
                        calls.push(Call { name, arguments: b"", conditional: braces > 0, begins_line: false });
                    }
                    begins_line &= tests;
                    braces = braces.saturating_add(usize::from(braced));
                    at = text.len().saturating_sub(behind.len()).saturating_add(usize::from(tests));
                }
            }
            byte => begins_line &= byte.is_ascii_whitespace(),
        }
    }
    calls
}

const WORD: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/// Returns the length of the arguments at the start of `text`: to its end, or to the brace that closes around them.
fn end_of_arguments(text: &[u8], in_braces: bool) -> usize {
    let mut depth = 0_usize;
    let closing = |b: &u8| {
        match b {
            b'{' => depth = depth.saturating_add(1),
            b'}' if depth == 0 => return true,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        false
    };
    if in_braces { text.iter().position(closing).unwrap_or(text.len()) } else { text.len() }
}

/// Arguments of a macro, taken apart like `getopt` does.
#[derive(Debug, Default)]
pub(super) struct Arguments<'a> {
    /// The options in order, with their values.
    pub(super) options: Vec<(u8, Option<&'a [u8]>)>,
    /// The options whose value follows without a blank.
    pub(super) joined: Vec<u8>,
    /// What is no option.
    pub(super) rest: Vec<&'a [u8]>,
    /// Words that are macros, which may bring anything.
    macros: Vec<&'a [u8]>,
}

impl<'a> Arguments<'a> {
    /// Reads `text`; the options in `with_value` take a value.
    pub(super) fn read(text: &'a [u8], with_value: &[u8]) -> Self {
        let mut out = Self::default();
        let mut words = words(text).into_iter();
        let mut only_rest = false;
        while let Some(word) = words.next() {
            if word == b"--" {
                only_rest = true;
            } else if word == b"\\" {
                // What follows a backslash at the end of the line is the shell's, not the macro's.
            } else if let (false, Some(mut cluster)) = (only_rest, word.strip_prefix(b"-").filter(|c| !c.is_empty())) {
                while let Some((option, further)) = cluster.split_first() {
                    cluster = further;
                    if with_value.contains(option) {
                        if further.is_empty() {
                            out.options.push((*option, words.next()));
                        } else {
                            out.options.push((*option, Some(further)));
                            out.joined.push(*option);
                        }
                        break;
                    }
                    out.options.push((*option, None));
                }
            } else {
                if word.starts_with(b"%") {
                    out.macros.push(word);
                }
                out.rest.push(word);
            }
        }
        out
    }

    /// Whether the option is given.
    pub(super) fn has(&self, name: u8) -> bool {
        self.options.iter().any(|(option, _)| *option == name)
    }

    /// Returns the value of the option, the last one where it is given twice.
    pub(super) fn value(&self, name: u8) -> Option<&'a [u8]> {
        self.options.iter().rev().find(|(option, _)| *option == name).and_then(|(_, value)| *value)
    }

    /// Whether a macro among the arguments shows `text`, as in `%{?without_patches:-N}`.
    pub(super) fn may_hold(&self, text: &[u8]) -> bool {
        self.macros.iter().any(|word| word.contains_str(text))
    }
}

/// Splits at blanks outside braces.
fn words(text: &[u8]) -> Vec<&[u8]> {
    let mut depth = 0_usize;
    let pieces = text.split(move |b| {
        match b {
            b'{' | b'(' => depth = depth.saturating_add(1),
            b'}' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && b.is_ascii_whitespace()
    });
    pieces.filter(|word| !word.is_empty()).collect()
}

/// The shell blocks and other directories that are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Blocks {
    /// `if`, loops and `case`.
    pub(super) shell: usize,
    /// `pushd`.
    pub(super) directories: usize,
}

impl Blocks {
    /// Returns what is open after `text`.
    ///
    /// Only words where a command can stand are looked at; a line that opens and closes leaves the counts as they are.
    pub(super) fn after(mut self, text: &[u8]) -> Self {
        let mut command = true;
        for word in text.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty()) {
            let (bare, ends) = match word.strip_suffix(b";") {
                Some(bare) => (bare, true),
                None => (word, false),
            };
            let mut next = ends || matches!(bare, b"&&" | b"||" | b"|" | b"&" | b"");
            if command {
                match bare {
                    b"if" | b"for" | b"while" | b"until" | b"case" => self.shell = self.shell.saturating_add(1),
                    b"fi" | b"done" | b"esac" => self.shell = self.shell.saturating_sub(1),
                    b"pushd" => self.directories = self.directories.saturating_add(1),
                    b"popd" => self.directories = self.directories.saturating_sub(1),
                    _ if bare.starts_with(b"#") => break,
                    _ => {}
                }
                next |= matches!(bare, b"if" | b"while" | b"until" | b"then" | b"do" | b"else" | b"!");
            }
            command = next;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_with_their_arguments() {
        let found = |text: &'static str| -> Vec<(String, String, bool)> {
            let show = |call: &Call<'_>| {
                (call.name.to_str_lossy().into(), call.arguments.trim().to_str_lossy().into(), call.conditional)
            };
            calls(text.as_bytes()).iter().map(show).collect()
        };
        let call = |name: &str, arguments: &str, conditional| (name.to_owned(), arguments.to_owned(), conditional);
        assert_eq!(found("%autosetup -n %{name}-1 -p1"), [call("autosetup", "-n %{name}-1 -p1", false)]);
        assert_eq!(found("%{autosetup -p1}"), [call("autosetup", "-p1", false)]);
        assert_eq!(
            found("%{?el9:%patch1 -p1} %{?x:%patch -P 2}"),
            [call("patch1", "-p1", true), call("patch", "-P 2", true)]
        );
        assert_eq!(found("echo %%patch1 100%"), []);
        assert_eq!(found("patch -p1 < %{PATCH3}"), [call("PATCH3", "", false)]);
        assert_eq!(found("for p in %{patches}; do"), [call("patches", "", false)]);
        assert_eq!(found("%{?autosetup:x}"), []);
    }

    #[test]
    fn arguments_are_read_like_getopt() {
        let read = |text: &'static [u8]| Arguments::read(text, b"PpnS");
        let arguments = read(b" -Np1 -n %{name} -S  git 7 -- -8");
        assert!(arguments.has(b'N'));
        assert_eq!(arguments.value(b'p'), Some(b"1".as_slice()));
        assert_eq!(arguments.value(b'n'), Some(b"%{name}".as_slice()));
        assert_eq!(arguments.value(b'S'), Some(b"git".as_slice()));
        assert_eq!(arguments.rest, [b"7".as_slice(), b"-8"]);
        assert_eq!(arguments.joined, b"p");
        assert!(read(b"-p").value(b'p').is_none());
        assert!(read(b"-p1 %{?x: -N}").may_hold(b"-N"));
    }

    #[test]
    fn blocks_are_counted_where_commands_stand() {
        for (text, shell, directories) in [
            ("if [ -f x ]; then", 2, 1),
            ("if true; then echo if; fi", 1, 1),
            ("for p in a; do patch; done", 1, 1),
            ("echo fi", 1, 1),
            ("pushd doc && ls", 1, 2),
            ("popd", 1, 0),
            ("fi # if", 0, 1),
            ("done < x", 0, 1),
        ] {
            let before = Blocks { shell: 1, directories: 1 };
            assert_eq!(before.after(text.as_bytes()), Blocks { shell, directories }, "{text}");
        }
    }
}
