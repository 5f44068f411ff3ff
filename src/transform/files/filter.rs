//! rsync's filter rules, as `filters` of a `files_to_sync` item holds them.
//!
//! The source is rsync(1), "FILTER RULES". Rules that read files, rules with modifiers and `!`, which clears the list,
//! are refused by name. They depend on files outside the configuration, or have no meaning here. Nothing in this module
//! knows about trees.

use bstr::{BString, ByteSlice as _};

use crate::transform::files::pattern::{Start, Wildcard};
use crate::types::Refusal;
use crate::types::finding::quoted;

/// The longest pattern that rsync uses (`MAXPATHLEN`), in bytes. It only prints a message about a longer one.
const LONGEST_PATTERN: usize = 4_095;

/// What a rule can know about an entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// A file or a symbolic link.
    File,
    Directory,
}

/// The side of the transfer to which a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TransferSide {
    Sender,
    Receiver,
    Both,
}

/// What a rule does with a name that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RuleEffect {
    /// The sender shows it; the receiver may delete it.
    Include,
    /// The sender hides it; the receiver does not delete it.
    Exclude,
}

#[derive(Clone, Debug)]
struct FilterRule {
    side: TransferSide,
    effect: RuleEffect,
    pattern: FilterPattern,
}

/// The filter rules of one item. On each side, the first rule that matches a name decides.
#[derive(Clone, Debug)]
pub(super) struct FilterRules(Vec<FilterRule>);

impl FilterRules {
    /// Parses `filters`. An empty filter is no rule, as in rsync.
    pub(super) fn parse(filters: &[BString]) -> Result<Self, Refusal> {
        filters
            .iter()
            .filter(|filter| !filter.is_empty())
            .map(|filter| parse_rule(filter))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether the sender leaves `name` out. It does not look into a hidden directory at all.
    pub(super) fn hides(&self, name: &[u8], kind: EntryKind) -> bool {
        self.excludes(TransferSide::Sender, name, kind)
    }

    /// Whether the receiver keeps `name` although the sender does not have it.
    pub(super) fn protects(&self, name: &[u8], kind: EntryKind) -> bool {
        self.excludes(TransferSide::Receiver, name, kind)
    }

    fn excludes(&self, side: TransferSide, name: &[u8], kind: EntryKind) -> bool {
        self.0
            .iter()
            .find(|rule| (rule.side == TransferSide::Both || rule.side == side) && rule.pattern.matches(name, kind))
            .is_some_and(|rule| rule.effect == RuleEffect::Exclude)
    }
}

fn refuse(filter: &[u8], what: &str) -> Refusal {
    Refusal::new(
        format!("the filter {} of files_to_sync {what}", quoted(filter)),
        "write it as `exclude PATTERN`, `include PATTERN`, `hide PATTERN`, `show PATTERN`, `protect PATTERN` or \
         `risk PATTERN`, or take it out",
    )
}

fn parse_rule(filter: &[u8]) -> Result<FilterRule, Refusal> {
    if filter.contains(&0) {
        return Err(refuse(filter, "holds a NUL byte"));
    }
    // A word needs a separator after it, a letter or sign does not: `-foo` is `-` with modifiers.
    let word_length = filter.iter().position(|b| !b.is_ascii_lowercase() && *b != b'-').unwrap_or(filter.len());
    let (word, after_word) = filter.split_at_checked(word_length).unwrap_or_default();
    let (name, rest) = match word {
        b"exclude" | b"include" | b"merge" | b"dir-merge" | b"hide" | b"show" | b"protect" | b"risk" | b"clear" => {
            (word, after_word)
        }
        _ => filter.split_at_checked(1).unwrap_or_default(),
    };
    let (side, effect) = match name {
        b"exclude" | b"-" => (TransferSide::Both, RuleEffect::Exclude),
        b"include" | b"+" => (TransferSide::Both, RuleEffect::Include),
        b"hide" | b"H" => (TransferSide::Sender, RuleEffect::Exclude),
        b"show" | b"S" => (TransferSide::Sender, RuleEffect::Include),
        b"protect" | b"P" => (TransferSide::Receiver, RuleEffect::Exclude),
        b"risk" | b"R" => (TransferSide::Receiver, RuleEffect::Include),
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
        Some(pattern) => Ok(FilterRule { side, effect, pattern: FilterPattern::parse(pattern) }),
    }
}

#[derive(Clone, Debug)]
enum PatternText {
    /// Without a wildcard, bytes have to be equal, and a backslash is an ordinary byte.
    Plain(BString),
    /// `None` matches nothing.
    Wild(Option<Wildcard>),
}

/// The part of a name that a pattern must match.
#[derive(Clone, Copy, Debug)]
enum MatchedPart {
    /// This number of components at the end.
    Last(usize),
    Whole,
    /// The whole name, or the part after any slash.
    AfterAnySlash,
}

#[derive(Clone, Debug)]
struct FilterPattern {
    text: PatternText,
    scope: MatchedPart,
    directories_only: bool,
    /// `**` at the front matches as if the name began with a slash.
    slash_before: bool,
    /// `/***` at the end matches the directory too, as if its name ended in a slash.
    slash_after_directory: bool,
}

impl FilterPattern {
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
            MatchedPart::Whole
        } else if over_slashes {
            MatchedPart::AfterAnySlash
        } else {
            MatchedPart::Last(slashes.saturating_add(1))
        };
        let pattern = anchored.unwrap_or(pattern);
        Self {
            text: if wild { PatternText::Wild(Wildcard::parse(pattern)) } else { PatternText::Plain(pattern.into()) },
            scope,
            directories_only,
            slash_before,
            slash_after_directory: pattern.ends_with(b"***"),
        }
    }

    fn matches(&self, name: &[u8], kind: EntryKind) -> bool {
        if self.directories_only && kind == EntryKind::File {
            return false;
        }
        let Some(name) = self.scope.of(name) else { return false };
        let wildcard = match &self.text {
            PatternText::Plain(text) => return name == text.as_bytes(),
            PatternText::Wild(None) => return false,
            PatternText::Wild(Some(wildcard)) => wildcard,
        };
        let before: &[u8] = if self.slash_before { b"/" } else { b"" };
        let after: &[u8] = if self.slash_after_directory && kind == EntryKind::Directory { b"/" } else { b"" };
        let start = match self.scope {
            MatchedPart::AfterAnySlash => Start::AfterAnySlash,
            MatchedPart::Last(_) | MatchedPart::Whole => Start::Beginning,
        };
        wildcard.matches(&[before, name, after], start)
    }
}

impl MatchedPart {
    fn of(self, name: &[u8]) -> Option<&[u8]> {
        let Self::Last(count) = self else { return Some(name) };
        let is_slash = |byte: &u8| *byte == b'/';
        let mut slashes = name.iter().enumerate().rev().filter(|(_, byte)| is_slash(byte));
        match slashes.nth(count.saturating_sub(1)) {
            Some((slash, _)) => name.get(slash.saturating_add(1)..),
            // The name has exactly `count` components, or fewer.
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

    fn hides(pattern: &str, name: &str, kind: EntryKind) -> bool {
        rules(&[&format!("- {pattern}")]).unwrap().hides(name.as_bytes(), kind)
    }

    #[test]
    fn a_pattern_without_a_slash_matches_the_last_component() {
        assert!(hides("foo", "foo", EntryKind::File));
        assert!(hides("foo", "a/foo", EntryKind::Directory));
        assert!(!hides("foo", "foo/a", EntryKind::File));
        assert!(!hides("foo", "xfoo", EntryKind::File));
        assert!(hides("*.o", "a/b.o", EntryKind::File));
    }

    #[test]
    fn a_pattern_with_a_slash_matches_as_many_components() {
        assert!(hides("a/foo", "a/foo", EntryKind::File));
        assert!(hides("a/foo", "x/a/foo", EntryKind::File));
        assert!(!hides("a/foo", "xa/foo", EntryKind::File));
        assert!(!hides("a/foo", "foo", EntryKind::File));
        assert!(hides("foo/*/bar", "x/foo/y/bar", EntryKind::File));
        assert!(!hides("foo/*/bar", "foo/x/y/bar", EntryKind::File));
    }

    #[test]
    fn a_leading_slash_means_the_root_of_the_transfer() {
        assert!(hides("/foo", "foo", EntryKind::File));
        assert!(!hides("/foo", "a/foo", EntryKind::File));
        assert!(hides("/*/b", "a/b", EntryKind::File));
        assert!(!hides("/*/b", "x/a/b", EntryKind::File));
        assert!(hides("/foo/**/bar", "foo/x/y/bar", EntryKind::File));
        assert!(!hides("/foo/**/bar", "foo/bar", EntryKind::File));
        assert!(!hides("/", "a", EntryKind::Directory));
    }

    #[test]
    fn a_trailing_slash_matches_directories_only() {
        assert!(hides("foo/", "a/foo", EntryKind::Directory));
        assert!(!hides("foo/", "a/foo", EntryKind::File));
    }

    #[test]
    fn two_stars_match_against_the_whole_name() {
        assert!(hides("**/foo", "foo", EntryKind::File));
        assert!(hides("**/foo", "a/b/foo", EntryKind::File));
        assert!(hides("a/**", "x/a/b/c", EntryKind::File));
        assert!(!hides("a/**", "a", EntryKind::Directory));
        assert!(hides("b**d", "a/b/c/d", EntryKind::File));
    }

    #[test]
    fn three_stars_at_the_end_match_the_directory_too() {
        assert!(hides("dir/***", "dir", EntryKind::Directory));
        assert!(!hides("dir/***", "dir", EntryKind::File));
        assert!(hides("dir/***", "x/dir/a/b", EntryKind::File));
        assert!(hides("dir/***/", "dir", EntryKind::Directory));
        assert!(!hides("dir/***/", "dir/a", EntryKind::File));
    }

    #[test]
    fn a_backslash_escapes_only_in_a_pattern_with_a_wildcard() {
        assert!(hides("foo\\bar", "foo\\bar", EntryKind::File));
        assert!(!hides("foo\\bar", "foobar", EntryKind::File));
        assert!(hides("foo\\bar*", "foobar", EntryKind::File));
        assert!(hides("foo\\*", "foo*", EntryKind::File));
        assert!(!hides("foo\\*", "foox", EntryKind::File));
    }

    #[test]
    fn the_first_match_wins_on_its_side() {
        let rules = rules(&["show a", "P b", "include c", "risk d", "H e", "- *"]).unwrap();
        let verdicts = |name: &str| {
            (rules.hides(name.as_bytes(), EntryKind::File), rules.protects(name.as_bytes(), EntryKind::File))
        };
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
            assert!(rules(&[filter]).unwrap().hides(b"a", EntryKind::File), "{filter}");
        }
        assert!(rules(&["-  a"]).unwrap().hides(b" a", EntryKind::File));
        assert!(rules(&["exclude __a"]).unwrap().hides(b"__a", EntryKind::File));
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
    fn the_length_of_a_pattern_is_limited() {
        assert!(rules(&[&format!("- {}", "a".repeat(4_095))]).is_ok());
        assert!(rules(&[&format!("- {}", "a".repeat(4_096))]).unwrap_err().text.contains("4095"));
    }
}
