//! rsync's filter rules, as `filters` of a `files_to_sync` item holds them.
//!
//! Source: rsync(1), "FILTER RULES". Rules that read files, rules with modifiers and the list-clearing `!` are
//! refused, each by its name: what they would do depends on files that are not in the configuration, or they mean
//! nothing here. Nothing in this module knows of trees.

use bstr::{BString, ByteSlice as _};

use crate::transform::files::pattern::{Start, Wildcard};
use crate::types::Refusal;
use crate::types::finding::quoted;

/// The longest pattern that rsync takes (`MAXPATHLEN`), in bytes; it drops a longer one with no more than a message.
const LONGEST_PATTERN: usize = 4_095;

/// What an entry of a tree is, as far as a rule can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file or a symbolic link.
    File,
    Directory,
}

/// The side of the transfer that a rule speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Sender,
    Receiver,
    Both,
}

/// What a rule does with a name that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Shown by the sender, put at risk of deletion on the receiver.
    Include,
    /// Hidden by the sender, protected from deletion on the receiver.
    Exclude,
}

#[derive(Clone, Debug)]
struct Rule {
    side: Side,
    effect: Effect,
    pattern: Pattern,
}

/// The filter rules of one item: for each side the first that matches a name decides.
#[derive(Clone, Debug)]
pub(super) struct FilterRules(Vec<Rule>);

impl FilterRules {
    /// Parses `filters`; an empty one is no rule, as for rsync.
    pub(super) fn parse(filters: &[BString]) -> Result<Self, Refusal> {
        filters
            .iter()
            .filter(|filter| !filter.is_empty())
            .map(|filter| rule(filter))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether the sender leaves `name` out; below a hidden directory it does not look at all.
    pub(super) fn hides(&self, name: &[u8], kind: Kind) -> bool {
        self.excludes(Side::Sender, name, kind)
    }

    /// Whether the receiver keeps `name` where the sender has no such name.
    pub(super) fn protects(&self, name: &[u8], kind: Kind) -> bool {
        self.excludes(Side::Receiver, name, kind)
    }

    fn excludes(&self, side: Side, name: &[u8], kind: Kind) -> bool {
        self.0
            .iter()
            .find(|rule| (rule.side == Side::Both || rule.side == side) && rule.pattern.matches(name, kind))
            .is_some_and(|rule| rule.effect == Effect::Exclude)
    }
}

fn refuse(filter: &[u8], what: &str) -> Refusal {
    Refusal::new(
        format!("the filter {} of files_to_sync {what}", quoted(filter)),
        "write it as `exclude PATTERN`, `include PATTERN`, `hide PATTERN`, `show PATTERN`, `protect PATTERN` or \
         `risk PATTERN`, or take it out",
    )
}

fn rule(filter: &[u8]) -> Result<Rule, Refusal> {
    if filter.contains(&0) {
        return Err(refuse(filter, "holds a NUL byte"));
    }
    // A word must be followed by its separator, a letter or sign need not: `-foo` is `-` with modifiers.
    let word_length = filter.iter().position(|b| !b.is_ascii_lowercase() && *b != b'-').unwrap_or(filter.len());
    let (word, after_word) = filter.split_at_checked(word_length).unwrap_or_default();
    let (name, rest) = match word {
        b"exclude" | b"include" | b"merge" | b"dir-merge" | b"hide" | b"show" | b"protect" | b"risk" | b"clear" => {
            (word, after_word)
        }
        _ => filter.split_at_checked(1).unwrap_or_default(),
    };
    let (side, effect) = match name {
        b"exclude" | b"-" => (Side::Both, Effect::Exclude),
        b"include" | b"+" => (Side::Both, Effect::Include),
        b"hide" | b"H" => (Side::Sender, Effect::Exclude),
        b"show" | b"S" => (Side::Sender, Effect::Include),
        b"protect" | b"P" => (Side::Receiver, Effect::Exclude),
        b"risk" | b"R" => (Side::Receiver, Effect::Include),
        b"merge" | b"." | b"dir-merge" | b":" => {
            return Err(refuse(filter, "is a merge rule, which reads further rules from a file"));
        }
        b"clear" | b"!" => return Err(refuse(filter, "clears the list of rules")),
        _ => return Err(refuse(filter, "is no rule that rsync knows")),
    };
    let rest = rest.strip_prefix(b",").unwrap_or(rest);
    let separator = rest.iter().position(|b| matches!(b, b' ' | b'_')).unwrap_or(rest.len());
    let (modifiers, pattern) = rest.split_at_checked(separator).unwrap_or_default();
    if !modifiers.is_empty() {
        return Err(refuse(filter, &format!("has the modifier {}", quoted(modifiers))));
    }
    match pattern.get(1..) {
        None | Some([]) => Err(refuse(filter, "has no pattern")),
        Some(pattern) if pattern.len() > LONGEST_PATTERN => {
            Err(refuse(filter, &format!("has a pattern of more than {LONGEST_PATTERN} bytes")))
        }
        Some(pattern) => Ok(Rule { side, effect, pattern: Pattern::parse(pattern) }),
    }
}

/// How the text of a pattern is compared.
#[derive(Clone, Debug)]
enum Text {
    /// Byte by byte, backslashes too: there is no wildcard in it.
    Plain(BString),
    /// `None` matches nothing.
    Wild(Option<Wildcard>),
}

/// The part of a name that a pattern must match.
#[derive(Clone, Copy, Debug)]
enum Scope {
    /// So many components at the end.
    Last(usize),
    /// All of it.
    Whole,
    /// All of it, or what follows any slash.
    AfterAnySlash,
}

/// The pattern of a rule.
#[derive(Clone, Debug)]
struct Pattern {
    text: Text,
    scope: Scope,
    directories_only: bool,
    /// `**` at the front matches the empty beginning of a name too, as if the name began with a slash.
    slash_before: bool,
    /// `/***` at the end matches the directory itself too, as if its name ended in a slash.
    slash_after_directory: bool,
}

impl Pattern {
    fn parse(written: &[u8]) -> Self {
        let (pattern, directories_only) = match written.strip_suffix(b"/") {
            Some(pattern) if !pattern.is_empty() => (pattern, true),
            _ => (written, false),
        };
        let wild = pattern.find_byteset(b"*?[").is_some();
        let over_slashes = pattern.find(b"**").is_some();
        let slash_before = pattern.starts_with(b"**");
        let slashes = pattern.iter().filter(|b| **b == b'/').count();
        let anchored = pattern.strip_prefix(b"/");
        let scope = if anchored.is_some() || slash_before {
            Scope::Whole
        } else if over_slashes {
            Scope::AfterAnySlash
        } else {
            Scope::Last(slashes.saturating_add(1))
        };
        let pattern = anchored.unwrap_or(pattern);
        Self {
            text: if wild { Text::Wild(Wildcard::parse(pattern)) } else { Text::Plain(pattern.into()) },
            scope,
            directories_only,
            slash_before,
            slash_after_directory: pattern.ends_with(b"***"),
        }
    }

    fn matches(&self, name: &[u8], kind: Kind) -> bool {
        if self.directories_only && kind == Kind::File {
            return false;
        }
        let Some(name) = self.scope.of(name) else { return false };
        let wildcard = match &self.text {
            Text::Plain(text) => return name == text.as_bytes(),
            Text::Wild(None) => return false,
            Text::Wild(Some(wildcard)) => wildcard,
        };
        let before: &[u8] = if self.slash_before { b"/" } else { b"" };
        let after: &[u8] = if self.slash_after_directory && kind == Kind::Directory { b"/" } else { b"" };
        let start = match self.scope {
            Scope::AfterAnySlash => Start::AfterAnySlash,
            Scope::Last(_) | Scope::Whole => Start::Beginning,
        };
        wildcard.matches(&[before, name, after], start)
    }
}

impl Scope {
    fn of(self, name: &[u8]) -> Option<&[u8]> {
        let Self::Last(count) = self else { return Some(name) };
        let is_slash = |byte: &u8| *byte == b'/';
        let mut slashes = name.iter().enumerate().rev().filter(|(_, byte)| is_slash(byte));
        match slashes.nth(count.saturating_sub(1)) {
            Some((slash, _)) => name.get(slash.saturating_add(1)..),
            // There may be just as many components as are wanted, or fewer.
            None if name.iter().filter(|byte| is_slash(byte)).count().saturating_add(1) == count => Some(name),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(filters: &[&str]) -> Result<FilterRules, Refusal> {
        FilterRules::parse(&filters.iter().map(|f| BString::from(*f)).collect::<Vec<_>>())
    }

    fn hides(pattern: &str, name: &str, kind: Kind) -> bool {
        rules(&[&format!("- {pattern}")]).unwrap().hides(name.as_bytes(), kind)
    }

    #[test]
    fn a_pattern_without_a_slash_is_for_the_last_component() {
        assert!(hides("foo", "foo", Kind::File));
        assert!(hides("foo", "a/foo", Kind::Directory));
        assert!(!hides("foo", "foo/a", Kind::File));
        assert!(!hides("foo", "xfoo", Kind::File));
        assert!(hides("*.o", "a/b.o", Kind::File));
    }

    #[test]
    fn a_pattern_with_a_slash_is_for_as_many_components() {
        assert!(hides("a/foo", "a/foo", Kind::File));
        assert!(hides("a/foo", "x/a/foo", Kind::File));
        assert!(!hides("a/foo", "xa/foo", Kind::File));
        assert!(!hides("a/foo", "foo", Kind::File));
        assert!(hides("foo/*/bar", "x/foo/y/bar", Kind::File));
        assert!(!hides("foo/*/bar", "foo/x/y/bar", Kind::File));
    }

    #[test]
    fn a_leading_slash_is_the_root_of_the_transfer() {
        assert!(hides("/foo", "foo", Kind::File));
        assert!(!hides("/foo", "a/foo", Kind::File));
        assert!(hides("/*/b", "a/b", Kind::File));
        assert!(!hides("/*/b", "x/a/b", Kind::File));
        assert!(hides("/foo/**/bar", "foo/x/y/bar", Kind::File));
        assert!(!hides("/foo/**/bar", "foo/bar", Kind::File));
        assert!(!hides("/", "a", Kind::Directory));
    }

    #[test]
    fn a_trailing_slash_is_for_directories() {
        assert!(hides("foo/", "a/foo", Kind::Directory));
        assert!(!hides("foo/", "a/foo", Kind::File));
    }

    #[test]
    fn two_stars_match_against_the_whole_name() {
        assert!(hides("**/foo", "foo", Kind::File));
        assert!(hides("**/foo", "a/b/foo", Kind::File));
        assert!(hides("a/**", "x/a/b/c", Kind::File));
        assert!(!hides("a/**", "a", Kind::Directory));
        assert!(hides("b**d", "a/b/c/d", Kind::File));
    }

    #[test]
    fn three_stars_at_the_end_take_the_directory_too() {
        assert!(hides("dir/***", "dir", Kind::Directory));
        assert!(!hides("dir/***", "dir", Kind::File));
        assert!(hides("dir/***", "x/dir/a/b", Kind::File));
        assert!(hides("dir/***/", "dir", Kind::Directory));
        assert!(!hides("dir/***/", "dir/a", Kind::File));
    }

    #[test]
    fn a_backslash_escapes_only_beside_a_wildcard() {
        assert!(hides("foo\\bar", "foo\\bar", Kind::File));
        assert!(!hides("foo\\bar", "foobar", Kind::File));
        assert!(hides("foo\\bar*", "foobar", Kind::File));
        assert!(hides("foo\\*", "foo*", Kind::File));
        assert!(!hides("foo\\*", "foox", Kind::File));
    }

    #[test]
    fn the_first_match_wins_on_its_side() {
        let rules = rules(&["show a", "P b", "include c", "risk d", "H e", "- *"]).unwrap();
        let verdicts =
            |name: &str| (rules.hides(name.as_bytes(), Kind::File), rules.protects(name.as_bytes(), Kind::File));
        assert_eq!(verdicts("a"), (false, true));
        assert_eq!(verdicts("b"), (true, true));
        assert_eq!(verdicts("c"), (false, false));
        assert_eq!(verdicts("d"), (true, false));
        assert_eq!(verdicts("e"), (true, true));
        assert_eq!(verdicts("f"), (true, true));
    }

    #[test]
    fn the_separator_is_one_space_or_underscore() {
        for filter in ["- a", "-_a", "-, a", "exclude a", "exclude_a", "exclude,_a"] {
            assert!(rules(&[filter]).unwrap().hides(b"a", Kind::File), "{filter}");
        }
        assert!(rules(&["-  a"]).unwrap().hides(b" a", Kind::File));
        assert!(rules(&["exclude __a"]).unwrap().hides(b"__a", Kind::File));
    }

    #[test]
    fn an_empty_filter_is_no_rule() {
        assert!(rules(&[""]).unwrap().0.is_empty());
    }

    #[test]
    fn other_forms_are_refused_by_name() {
        for (filter, what) in [
            (". /etc/passwd", "merge rule"),
            ("merge file", "merge rule"),
            (": .rsync-filter", "merge rule"),
            ("dir-merge,n .x", "merge rule"),
            (":C", "merge rule"),
            ("!", "clears"),
            ("clear", "clears"),
            ("-s foo", "modifier `s`"),
            ("-,r foo", "modifier `r`"),
            ("-! foo", "modifier `!`"),
            ("-/ foo", "modifier `/`"),
            ("-C", "modifier `C`"),
            ("exclude,p foo", "modifier `p`"),
            ("P,x foo", "modifier `x`"),
            ("-foo", "modifier `foo`"),
            ("-", "no pattern"),
            ("- ", "no pattern"),
            ("protect", "no pattern"),
            ("exclude\tfoo", "modifier `\\tfoo`"),
            ("# comment", "no rule"),
            (" - foo", "no rule"),
            ("excluded foo", "no rule"),
            ("*.o", "no rule"),
            ("é", "no rule"),
            ("- a\0b", "NUL"),
        ] {
            let refusal = rules(&[filter]).unwrap_err();
            assert!(refusal.text.contains(what), "{filter}: {refusal}");
        }
    }

    #[test]
    fn a_pattern_has_a_length() {
        assert!(rules(&[&format!("- {}", "a".repeat(4_095))]).is_ok());
        assert!(rules(&[&format!("- {}", "a".repeat(4_096))]).unwrap_err().text.contains("4095"));
    }
}
