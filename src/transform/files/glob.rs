//! The globs of `src`, by the rules of Python's `glob.glob`, with which packit expands them before it calls rsync.
//!
//! They differ from rsync's wildcards. A backslash escapes nothing, `**` does not cross directories, and there are no
//! named classes. `*` and `?` skip names with a leading dot unless the pattern has one, and `?` is one character of
//! UTF-8, not a byte.

use bstr::{BStr, BString, ByteSlice as _};

use crate::transform::files::tree::{self, PathKind};
use crate::types::{FileMode, FileTree, RepoPath};

pub(super) fn has_wildcard(text: &[u8]) -> bool {
    text.find_byteset(b"*?[").is_some()
}

/// What a pattern matches in a tree.
#[derive(Debug, Default)]
pub(super) struct GlobMatches {
    /// Sorted, because Python leaves the order to the file system.
    pub(super) paths: Vec<RepoPath>,
    /// The symbolic links at which the search stopped.
    pub(super) links: Vec<RepoPath>,
}

/// Returns what `pattern` matches in `tree`; with `only_directories`, only directories.
///
/// Python follows symbolic links to directories. Here no link is ever followed; the result lists those links.
pub(super) fn expand(pattern: &RepoPath, tree: &FileTree, only_directories: bool) -> GlobMatches {
    let mut matches = GlobMatches::default();
    let mut found: Vec<Option<RepoPath>> = vec![None];
    let mut components = pattern.components().peekable();
    while let Some(component) = components.next() {
        let wanted = if components.peek().is_some() || only_directories {
            WantedEntry::Directory
        } else {
            WantedEntry::Anything
        };
        let pattern = has_wildcard(component).then(|| GlobComponent::parse(component));
        let mut next = Vec::new();
        for parent in &found {
            let candidates: Vec<BString> = match &pattern {
                Some(pattern) => {
                    let names = tree::children(tree, parent.as_ref());
                    names.filter(|name| pattern.matches(name)).map(BString::from).collect()
                }
                None => vec![component.to_owned()],
            };
            for name in candidates {
                let Ok(path) = parent.as_ref().map_or_else(|| RepoPath::parse(&name), |parent| parent.join(&name))
                else {
                    continue;
                };
                match (tree::kind(tree, Some(&path)), wanted) {
                    (PathKind::Directory, _) | (PathKind::File(_), WantedEntry::Anything) => next.push(Some(path)),
                    (PathKind::File(file), WantedEntry::Directory) if file.mode == FileMode::Symlink => {
                        matches.links.push(path);
                    }
                    (PathKind::File(_) | PathKind::Nothing, _) => {}
                }
            }
        }
        found = next;
    }
    matches.paths = found.into_iter().flatten().collect();
    matches.paths.sort();
    matches
}

#[derive(Clone, Copy, Debug)]
enum WantedEntry {
    Directory,
    Anything,
}

/// A character of a name: a scalar value, or a byte that is not UTF-8, represented as in Python's `surrogateescape`.
type Character = u32;

fn characters(text: &[u8]) -> Vec<Character> {
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        out.extend(chunk.valid().chars().map(u32::from));
        out.extend(chunk.invalid().iter().map(|byte| 0xdc00_u32.saturating_add(u32::from(*byte))));
    }
    out
}

#[derive(Debug)]
enum GlobToken {
    /// `*`
    Any,
    /// `?`
    One,
    Character(Character),
    /// `[…]`
    Class {
        negated: bool,
        ranges: Vec<(Character, Character)>,
    },
}

/// One component of a pattern, by the rules of Python's `fnmatch`.
#[derive(Debug)]
struct GlobComponent {
    tokens: Vec<GlobToken>,
    matches_hidden: bool,
}

impl GlobComponent {
    fn parse(pattern: &[u8]) -> Self {
        let characters = characters(pattern);
        let mut tokens = Vec::new();
        let mut rest = characters.as_slice();
        while let Some((first, mut after)) = rest.split_first() {
            tokens.push(match char::from_u32(*first) {
                Some('*') => GlobToken::Any,
                Some('?') => GlobToken::One,
                Some('[') => match class(after) {
                    Some((token, behind)) => {
                        after = behind;
                        token
                    }
                    None => GlobToken::Character(*first),
                },
                _ => GlobToken::Character(*first),
            });
            rest = after;
        }
        Self { tokens, matches_hidden: pattern.starts_with(b".") }
    }

    fn matches(&self, name: &BStr) -> bool {
        if name.starts_with(b".") && !self.matches_hidden {
            return false;
        }
        let name = characters(name);
        let (mut token, mut at) = (0_usize, 0_usize);
        // Where to try again if the rest does not match: the token after the last star, and the end of the star's
        // match.
        let mut retry = None;
        while let Some(character) = name.get(at) {
            match self.tokens.get(token) {
                Some(GlobToken::Any) => {
                    token = token.saturating_add(1);
                    retry = Some((token, at));
                }
                Some(one) if one.accepts(*character) => {
                    token = token.saturating_add(1);
                    at = at.saturating_add(1);
                }
                _ => {
                    let Some((after_star, from)) = retry else { return false };
                    token = after_star;
                    at = from.saturating_add(1);
                    retry = Some((token, at));
                }
            }
        }
        self.tokens.iter().skip(token).all(|token| matches!(token, GlobToken::Any))
    }
}

impl GlobToken {
    fn accepts(&self, character: Character) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Character(wanted) => character == *wanted,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&character)) != *negated
            }
        }
    }
}

/// Parses a class after its `[`; `None` if no `]` closes it, so that the `[` is an ordinary character.
fn class(text: &[Character]) -> Option<(GlobToken, &[Character])> {
    const CLOSE: Character = b']' as Character;
    const HYPHEN: Character = b'-' as Character;
    let (negated, text) = match text.split_first() {
        Some((first, rest)) if *first == Character::from(b'!') => (true, rest),
        _ => (false, text),
    };
    // A `]` that comes first is a member of the class.
    let close = text.iter().skip(1).position(|c| *c == CLOSE)?.checked_add(1)?;
    let (mut members, rest) = text.split_at_checked(close)?;
    let mut ranges = Vec::new();
    while let Some((first, after)) = members.split_first() {
        members = match after {
            [HYPHEN, last, after @ ..] => {
                // A range that runs backwards is empty.
                ranges.push((*first, *last));
                after
            }
            _ => {
                ranges.push((*first, *first));
                after
            }
        };
    }
    Some((GlobToken::Class { negated, ranges }, rest.split_first()?.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{BlobId, File};

    #[test]
    fn a_name_matches_as_in_python() {
        for (pattern, name, expected) in [
            ("*.spec", "a.spec", true),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("?hidden", ".hidden", false),
            ("[.]hidden", ".hidden", false),
            ("a?c", "aéc", true),
            ("a[!b]c", "abc", false),
            ("a[^b]c", "a^c", true),
            ("a[b-d]", "ac", true),
            ("a[d-b]", "ac", false),
            ("a[]]", "a]", true),
            ("a[!]]", "ab", true),
            ("a[", "a[", true),
            ("a[-b]", "a-", true),
            ("a\\*", "a\\b", true),
            ("**", "a", true),
            ("a*b*c", "aXbYbc", true),
            ("a*b*c", "aXbY", false),
        ] {
            assert_eq!(GlobComponent::parse(pattern.as_bytes()).matches(name.into()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_do_not_take_exponential_time() {
        let pattern = GlobComponent::parse(("*a".repeat(100) + "b").as_bytes());
        assert!(!pattern.matches("a".repeat(5_000).as_str().into()));
    }

    #[test]
    fn each_component_is_matched_on_its_own() {
        let file = |mode| File { mode, blob: BlobId::from_bytes([0; 20]) };
        let tree: FileTree = [
            ("a/x.c", FileMode::Regular),
            ("a-b/x.c", FileMode::Regular),
            ("b/sub/x.c", FileMode::Regular),
            ("c", FileMode::Symlink),
            (".d/x.c", FileMode::Regular),
        ]
        .map(|(path, mode)| (RepoPath::parse(path).unwrap(), file(mode)))
        .into();
        let expand = |pattern: &str, only_directories| {
            let found = super::expand(&RepoPath::parse(pattern).unwrap(), &tree, only_directories);
            let text = |paths: Vec<RepoPath>| paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            (text(found.paths), text(found.links))
        };
        assert_eq!(expand("*/x.c", false), ("a-b/x.c a/x.c".into(), "c".into()));
        assert_eq!(expand("**/x.c", false), ("a-b/x.c a/x.c".into(), "c".into()));
        assert_eq!(expand("*", false), ("a a-b b c".into(), String::new()));
        assert_eq!(expand("*", true), ("a a-b b".into(), "c".into()));
        assert_eq!(expand("b/s*/x.?", false), ("b/sub/x.c".into(), String::new()));
        assert_eq!(expand("z*", false), (String::new(), String::new()));
    }
}
