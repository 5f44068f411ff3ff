//! The macros that a spec itself plainly defines, enough to read the names in its tags.
//!
//! Only text is put for text: nothing with arguments, no expression, no shell, no Lua. What cannot be told from the
//! spec alone becomes a wildcard.

use std::collections::HashMap;

use bstr::{BStr, BString, ByteSlice as _};

use crate::transform::spec::lines::{Lines, Role, Section, begins_with_word};

/// How many macros within macros are followed; rpm itself stops at 64.
const DEEPEST: usize = 16;
/// How many macros are put in for one text: a file name has a few, a hostile spec doubles them at each level.
const MOST: usize = 100;
/// How long a text may become, in bytes: a file's name is shorter, and most URLs are.
const LONGEST: usize = 512;

/// What the macros of a spec stand for; `None` for one whose meaning depends on a condition or changes.
#[derive(Debug, Default)]
pub(super) struct Macros<'a> {
    bodies: HashMap<&'a [u8], Option<&'a [u8]>>,
}

impl<'a> Macros<'a> {
    /// Collects the one-line definitions and the tags that rpm makes macros of.
    pub(super) fn collect(lines: &Lines<'a>) -> Self {
        let mut macros = Self::default();
        for (index, line) in lines.lines.iter().enumerate() {
            let single = !line.joined && !lines.lines.get(index.saturating_add(1)).is_some_and(|next| next.joined);
            let plain = single && line.depth == 0;
            if line.role == Role::Definition {
                if let Some((name, body)) = definition(line.text) {
                    macros.define(name, body.filter(|_| plain));
                }
            } else if line.section == Section::Preamble && line.role == Role::Text {
                for (tag, names) in [
                    ("name", ["name", "NAME"]),
                    ("version", ["version", "VERSION"]),
                    ("release", ["release", "RELEASE"]),
                    ("epoch", ["epoch", "EPOCH"]),
                ] {
                    if let Some(value) = tag_value(line.text, tag) {
                        for name in names {
                            macros.define(name.as_bytes(), plain.then_some(value));
                        }
                    }
                }
                macros.define_inside(line.text);
            }
        }
        macros
    }

    /// Whether the spec defines `name` at all.
    pub(super) fn knows(&self, name: &[u8]) -> bool {
        self.bodies.contains_key(name)
    }

    fn define(&mut self, name: &'a [u8], body: Option<&'a [u8]>) {
        self.bodies.entry(name).and_modify(|known| *known = known.filter(|old| Some(*old) == body)).or_insert(body);
    }

    /// Notes what a line such as `%{!?x: %global x y}` may define.
    fn define_inside(&mut self, text: &'a [u8]) {
        for word in ["%global", "%define"] {
            for at in text.find_iter(word) {
                if let Some((name, _)) = text.get(at..).and_then(definition) {
                    self.define(name, None);
                }
            }
        }
    }

    /// Returns what `text` stands for.
    pub(super) fn expand(&self, text: &[u8]) -> Pattern {
        let mut out = Expansion { parts: vec![BString::default()], length: 0, left: MOST };
        self.expand_into(text, 0, &mut out);
        Pattern { parts: out.parts }
    }

    fn expand_into(&self, text: &[u8], depth: usize, out: &mut Expansion) {
        if text.len() > LONGEST {
            return out.wildcard();
        }
        let mut rest = text;
        while let Some(at) = rest.find_byte(b'%') {
            let (before, from) = rest.split_at_checked(at).unwrap_or((rest, b""));
            out.literal(before);
            if let Some(after) = from.strip_prefix(b"%%") {
                out.literal(b"%");
                rest = after;
                continue;
            }
            let (reference, after) = reference(from);
            let body = reference.and_then(|name| self.bodies.get(name).copied().flatten());
            match body {
                Some(body) if depth < DEEPEST && out.left > 0 && out.length <= LONGEST => {
                    out.left = out.left.saturating_sub(1);
                    self.expand_into(body, depth.saturating_add(1), out);
                }
                _ => out.wildcard(),
            }
            rest = after;
        }
        out.literal(rest);
    }
}

#[derive(Debug)]
struct Expansion {
    parts: Vec<BString>,
    length: usize,
    left: usize,
}

impl Expansion {
    fn literal(&mut self, text: &[u8]) {
        self.length = self.length.saturating_add(text.len());
        match self.parts.last_mut() {
            Some(last) if self.length <= LONGEST => last.extend_from_slice(text),
            _ => self.wildcard(),
        }
    }

    fn wildcard(&mut self) {
        // Two wildcards in a row say no more than one, but for the first and last part.
        if self.parts.len() < 2 || self.parts.last().is_some_and(|last| !last.is_empty()) {
            self.parts.push(BString::default());
        }
    }
}

/// A text of which parts may be unknown: literal parts with anything between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<BString>,
}

impl Pattern {
    /// Returns the text where all of it is known.
    pub(super) fn exact(&self) -> Option<&BStr> {
        match self.parts.as_slice() {
            [all] => Some(all.as_bstr()),
            _ => None,
        }
    }

    /// Returns what follows the last slash.
    pub(super) fn last_component(mut self) -> Self {
        if let Some(from) = self.parts.iter().rposition(|part| part.contains(&b'/')) {
            self.parts.drain(..from);
            if let Some(first) = self.parts.first_mut() {
                let name = first.rsplit(|b| *b == b'/').next().unwrap_or_default().into();
                *first = name;
            }
        }
        self
    }

    /// Whether the text may be `text`.
    pub(super) fn may_be(&self, text: &[u8]) -> bool {
        let [first, middle @ .., last] = self.parts.as_slice() else {
            return self.parts.first().is_some_and(|all| all == text);
        };
        let Some(mut rest) = text.strip_prefix(first.as_slice()).and_then(|rest| rest.strip_suffix(last.as_slice()))
        else {
            return false;
        };
        for part in middle {
            let Some((_, after)) = rest.split_once_str(part.as_slice()) else { return false };
            rest = after;
        }
        true
    }
}

/// Splits off the macro that `text` begins with: its name where it is a plain `%name`, `%{name}` or `%{?name}`.
fn reference(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let after = text.get(1..).unwrap_or_default();
    let Some(&opening) = after.first() else { return (None, b"") };
    let closing = match opening {
        b'{' => b'}',
        b'(' => b')',
        b'[' => b']',
        _ => {
            let flags = after.find_not_byteset(b"?!").unwrap_or(after.len());
            let (_, named) = after.split_at_checked(flags).unwrap_or((after, b""));
            let length = named.find_not_byteset(WORD).unwrap_or(named.len());
            let (name, rest) = named.split_at_checked(length).unwrap_or((named, b""));
            let plain = !after.starts_with(b"!") && !name.is_empty();
            return (plain.then_some(name), rest);
        }
    };
    let mut depth = 0_usize;
    let end = after.iter().position(|b| {
        if *b == opening {
            depth = depth.saturating_add(1);
        } else if *b == closing {
            depth = depth.saturating_sub(1);
        }
        depth == 0
    });
    let Some(end) = end else { return (None, b"") };
    let inner = after.get(1..end).unwrap_or_default();
    let rest = after.get(end.saturating_add(1)..).unwrap_or_default();
    let name = inner.strip_prefix(b"?").unwrap_or(inner);
    let plain = opening == b'{' && !name.is_empty() && name.find_not_byteset(WORD).is_none();
    (plain.then_some(name), rest)
}

const WORD: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/// Returns the name that `%define` or `%global` at the start of `text` defines, and its body unless it takes arguments.
pub(super) fn definition(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let text = text.trim_start();
    let keyword = [b"%global", b"%define"].into_iter().find(|word| begins_with_word(text, *word))?;
    let rest = text.strip_prefix(keyword)?.trim_start();
    let length = rest.find_not_byteset(WORD).unwrap_or(rest.len());
    let (name, body) = rest.split_at_checked(length)?;
    let simple = body.first().is_none_or(u8::is_ascii_whitespace);
    (!name.is_empty()).then_some((name, simple.then_some(body.trim())))
}

/// Returns the value of the tag `name` that `text` is; any case, blanks before the colon.
pub(super) fn tag_value<'a>(text: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let (word, rest) = text.trim_start().split_at_checked(name.len())?;
    let value = rest.trim_start().strip_prefix(b":")?;
    word.eq_ignore_ascii_case(name.as_bytes()).then_some(value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(spec: &str, text: &str) -> Vec<String> {
        let lines = Lines::parse(spec.as_bytes());
        Macros::collect(&lines).expand(text.as_bytes()).parts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn plain_macros_are_read_and_others_left_open() {
        let spec = "%global commit  abc\n%define short %{commit}-1\nName: x\nVERSION : 2.%{minor}\n%global f() y\n\
                    %if 1\n%global c 1\n%endif\n%global d 1\n%global d 2\n%{!?e: %global e 1}\n";
        for (text, parts) in [
            ("%{name}-%short.patch", vec!["x-abc-1.patch"]),
            ("%{?name}%%", vec!["x%"]),
            ("%NAME.%{commit}", vec!["x.abc"]),
            ("%{version}.patch", vec!["2.", ".patch"]),
            ("%{c}%{d}%{e}%f", vec!["", ""]),
            ("%{!?name:a}b", vec!["", "b"]),
            ("a%(echo %{name})b%[1+1]c%{lua:x}", vec!["a", "b", "c", ""]),
            ("%", vec!["", ""]),
            ("%{name", vec!["", ""]),
        ] {
            assert_eq!(expand(spec, text), parts, "{text}");
        }
    }

    #[test]
    fn a_macro_that_names_itself_or_doubles_ends() {
        assert_eq!(expand("%global a %{b}\n%global b x%{a}\n", "%a").len(), 2);
        let mut spec = "%global a0 xxxxxxxxxxxxxxxxxxxx\n".to_owned();
        for n in 1..60 {
            spec.push_str(&format!("%global a{n} %{{a{}}}%{{a{}}}\n", n - 1, n - 1));
        }
        assert!(expand(&spec, "%a59").iter().map(String::len).sum::<usize>() <= LONGEST);
    }

    #[test]
    fn a_pattern_is_matched_part_by_part() {
        let pattern = |parts: &[&str]| Pattern { parts: parts.iter().map(|part| BString::from(*part)).collect() };
        for (parts, text, may) in [
            (&["a"][..], "a", true),
            (&["a"], "b", false),
            (&["a", ""], "abc", true),
            (&["ab", "bc"], "abc", false),
            (&["a", "x", "c"], "axc", true),
            (&["a", "x", "c"], "abc", false),
            (&["", ""], "", true),
        ] {
            assert_eq!(pattern(parts).may_be(text.as_bytes()), may, "{parts:?} {text}");
        }
        assert_eq!(pattern(&["https://", "/a/b-", ".patch"]).last_component(), pattern(&["b-", ".patch"]));
        assert_eq!(pattern(&["b.patch"]).last_component(), pattern(&["b.patch"]));
    }
}
