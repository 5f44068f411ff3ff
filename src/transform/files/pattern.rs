//! rsync's wildcards: matches one pattern against one name, in time proportional to the product of their lengths.
//!
//! The rules are those of rsync(1), "PATTERN MATCHING RULES". Where the manual says nothing, they are what rsync does.
//! Nothing here knows about filter rules or trees.

/// The bytes of a class such as `[a-z]`.
type ByteSet = [bool; 256];

/// What one byte of a name must be.
#[derive(Clone, Debug)]
enum Unit {
    Byte(u8),
    /// `?`
    NotSlash,
    /// `[…]`; it never contains `/`.
    Class(Box<ByteSet>),
}

impl Unit {
    fn accepts(&self, byte: u8) -> bool {
        match self {
            Self::Byte(wanted) => byte == *wanted,
            Self::NotSlash => byte != b'/',
            Self::Class(set) => set.get(usize::from(byte)).copied().unwrap_or(false),
        }
    }
}

/// The bytes that may stand before a unit or at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    None,
    /// `*`
    NotSlash,
    /// `**`
    Any,
}

impl Gap {
    fn accepts(self, byte: u8) -> bool {
        match self {
            Self::None => false,
            Self::NotSlash => byte != b'/',
            Self::Any => true,
        }
    }
}

/// Where in a name a match may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// At the first byte.
    Beginning,
    /// At the first byte, or after any slash.
    AfterAnySlash,
}

/// A parsed pattern with wildcards.
///
/// It is a chain of units with a gap before each unit and after the last one. Matching keeps all positions in the chain
/// that are possible after the bytes so far. Even for a pattern such as `*a*a*a*b`, each byte of a name costs at most
/// the length of the pattern.
#[derive(Clone, Debug)]
pub(super) struct Wildcard {
    steps: Vec<(Gap, Unit)>,
    last_gap: Gap,
}

impl Wildcard {
    /// Parses `pattern`; `None` if no name can match it.
    ///
    /// No name matches a class without its `]`, an unknown `[:name:]`, or a backslash at the end.
    pub(super) fn parse(pattern: &[u8]) -> Option<Self> {
        let mut steps = Vec::new();
        let mut gap = Gap::None;
        let mut rest = pattern;
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            let unit = match first {
                b'*' => {
                    gap = if gap == Gap::None { Gap::NotSlash } else { Gap::Any };
                    continue;
                }
                b'?' => Unit::NotSlash,
                b'[' => {
                    let (set, after) = class(rest)?;
                    rest = after;
                    Unit::Class(set)
                }
                b'\\' => {
                    let (escaped, after) = rest.split_first()?;
                    rest = after;
                    Unit::Byte(*escaped)
                }
                byte => Unit::Byte(*byte),
            };
            steps.push((gap, unit));
            gap = Gap::None;
        }
        Some(Self { steps, last_gap: gap })
    }

    /// Whether the pattern matches the joined `parts` up to their end, from a beginning that `start` allows.
    pub(super) fn matches(&self, parts: &[&[u8]], start: Start) -> bool {
        // The last byte rules out most names, for example with `*.patch`.
        if let (Gap::None, Some((_, unit))) = (self.last_gap, self.steps.last())
            && !parts.iter().rev().find_map(|part| part.last()).is_some_and(|byte| unit.accepts(*byte))
        {
            return false;
        }
        let mut positions = vec![0];
        let mut next = Vec::new();
        for byte in parts.iter().flat_map(|part| part.iter().copied()) {
            next.clear();
            if byte == b'/' && start == Start::AfterAnySlash {
                next.push(0);
            }
            // Both lists are in ascending order, so only the last position can be a duplicate.
            for position in &positions {
                let step = self.steps.get(*position);
                if step.map_or(self.last_gap, |(gap, _)| *gap).accepts(byte) && next.last() != Some(position) {
                    next.push(*position);
                }
                if step.is_some_and(|(_, unit)| unit.accepts(byte)) {
                    next.push(position.saturating_add(1));
                }
            }
            std::mem::swap(&mut positions, &mut next);
            if positions.is_empty() && start == Start::Beginning {
                return false;
            }
        }
        positions.last() == Some(&self.steps.len())
    }
}

/// Parses a class after its `[`, and returns its bytes with the text after the `]`.
///
/// As in rsync, a `]` that comes first is a member, `!` and `^` negate, a backslash escapes, and a `[:` without `:]` is
/// an ordinary `[`.
fn class(text: &[u8]) -> Option<(Box<ByteSet>, &[u8])> {
    let mut set = Box::new([false; 256]);
    let mut add = |bytes: std::ops::RangeInclusive<u8>| {
        for byte in bytes {
            if let Some(member) = set.get_mut(usize::from(byte)) {
                *member = true;
            }
        }
    };
    let (negated, mut rest) = match text.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, text),
    };
    // The byte with which a range can begin: the one before, unless it ended a range or a named class.
    let mut range_from = None;
    loop {
        let (byte, mut after) = rest.split_first()?;
        match (byte, range_from, after) {
            (b'\\', _, _) => {
                let (escaped, behind) = after.split_first()?;
                after = behind;
                add(*escaped..=*escaped);
                range_from = Some(*escaped);
            }
            (b'-', Some(from), [end, ..]) if *end != b']' => {
                let (mut to, mut behind) = after.split_first()?;
                if *to == b'\\' {
                    (to, behind) = behind.split_first()?;
                }
                after = behind;
                add(from..=*to);
                range_from = None;
            }
            (b'[', _, [b':', name @ ..]) => {
                let close = name.iter().position(|b| *b == b']')?;
                let (name, behind) = name.split_at_checked(close)?;
                if let Some(name) = name.strip_suffix(b":") {
                    let member = named_class(name)?;
                    for byte in u8::MIN..=u8::MAX {
                        if member(&byte) {
                            add(byte..=byte);
                        }
                    }
                    range_from = None;
                    after = behind.split_first()?.1;
                } else {
                    add(b'['..=b'[');
                    range_from = Some(b'[');
                }
            }
            _ => {
                add(*byte..=*byte);
                range_from = Some(*byte);
            }
        }
        rest = after;
        if let Some((b']', after)) = rest.split_first() {
            if negated {
                set.iter_mut().for_each(|member| *member = !*member);
            }
            if let Some(slash) = set.get_mut(usize::from(b'/')) {
                *slash = false;
            }
            return Some((set, after));
        }
    }
}

/// Returns the test for the class `[:name:]` in the C locale.
fn named_class(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| matches!(byte, b' '..=b'~'),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Wildcard::parse(pattern.as_bytes()).is_some_and(|w| w.matches(&[name.as_bytes()], Start::Beginning))
    }

    #[test]
    fn one_star_stops_at_a_slash_and_two_do_not() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "abc", true),
            ("*", "a/b", false),
            ("a*c", "abbc", true),
            ("a*c", "a/c", false),
            ("a*c", "abcb", false),
            ("**", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/b", false),
            ("a/***", "a/", true),
            ("*/b", "a/b", true),
            ("*/b", "a/x/b", false),
            ("?", "/", false),
            ("a?c", "abc", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_class_is_one_byte() {
        for (pattern, name, expected) in [
            ("[abc]", "b", true),
            ("[abc]", "d", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]", "d", true),
            ("[^a-c]", "b", false),
            ("[]x]", "]", true),
            ("[!]]", "]", false),
            ("[a-]", "-", true),
            ("[-a]", "-", true),
            ("[a-c-e]", "-", true),
            ("[a-c-e]", "d", false),
            ("[\\]]", "]", true),
            ("[a-\\c]", "b", true),
            ("[[:digit:]x]", "7", true),
            ("[[:digit:]x]", "x", true),
            ("[![:space:]]", " ", false),
            ("[[:]", ":", true),
            ("[[:a]", "a", true),
            ("[!a]", "/", false),
            ("[+-9]", "/", false),
            ("[[:upper:]-z]", "-", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_malformed_pattern_matches_nothing() {
        for pattern in ["[", "[a", "[!", "[]", "[\\", "[[:foo:]]", "[[::]]", "[[:alpha", "*\\"] {
            assert!(Wildcard::parse(pattern.as_bytes()).is_none(), "{pattern}");
        }
    }

    #[test]
    fn a_backslash_escapes_the_next_byte() {
        assert!(matches("a\\*b*", "a*bc"));
        assert!(!matches("a\\*b*", "axbc"));
        assert!(matches("foo\\bar*", "foobar"));
    }

    #[test]
    fn many_stars_do_not_take_exponential_time() {
        let pattern = "*a".repeat(1_000) + "b";
        let name = "a".repeat(3_000);
        assert!(!matches(&pattern, &name));
        assert!(!matches(&pattern.replace('*', "**"), &name));
    }

    #[test]
    fn a_match_after_any_slash_may_be_at_the_beginning_too() {
        let wildcard = Wildcard::parse(b"b/**").unwrap();
        for (name, expected) in [("b/c", true), ("a/b/c", true), ("ab/c", false), ("a/b", false)] {
            assert_eq!(wildcard.matches(&[name.as_bytes()], Start::AfterAnySlash), expected, "{name}");
        }
    }
}
