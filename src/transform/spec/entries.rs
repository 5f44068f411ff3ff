//! The patches that a spec names, their numbers as rpm counts them, and what keeps the count from being known.
//!
//! rpm 4.18 (`addSource` in `build/parsePreamble.c`): an unnumbered `Patch:` and a line of `%patchlist` take the
//! highest number so far plus one, from nought; tags below `%package` count; tag names are of any case. Both branches
//! of a condition count here, which gives the highest number that there can be.

use std::collections::HashSet;

use bstr::{BStr, BString, ByteSlice as _};

use crate::transform::spec::lines::{Line, Lines, Role, Section, begins_with_word};
use crate::transform::spec::macros::{Macros, Pattern, definition};

/// The highest number that rpm can hold; it keeps them as C's `int`.
pub(super) const HIGHEST: u32 = 0x7fff_ffff;

/// A patch as a spec names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecPatch {
    written: BString,
    name: Pattern,
    /// Its number; `None` where that depends on a condition or cannot be told from the text.
    pub number: Option<u32>,
}

impl SpecPatch {
    /// Returns the file name or URL as the spec has it.
    pub fn written(&self) -> &BStr {
        self.written.as_bstr()
    }

    /// Returns the file's name, the last component of what is written; `None` where macros keep it from being known.
    pub fn file_name(&self) -> Option<&BStr> {
        self.name.exact()
    }

    /// Whether this may be the file `file_name`: surely, or because of a macro that only rpm can expand.
    pub fn may_be(&self, file_name: &[u8]) -> bool {
        self.name.may_be(file_name)
    }
}

/// A line, or a part of one, that names a patch.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    /// The index of its line.
    pub(super) line: usize,
    /// How it is written.
    pub(super) form: Form<'a>,
    /// What it names.
    pub(super) patch: SpecPatch,
}

/// How a spec names a patch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form<'a> {
    /// A tag on a line of its own.
    Tag(Tag<'a>),
    /// A line of `%patchlist`.
    Listed,
    /// A tag within a macro, as in `%{?el9:Patch1: x.patch}`.
    InMacro,
}

/// A place that may bring patches which the text does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// The line, counted from 1.
    pub(super) line: usize,
    /// What is there.
    pub(super) what: &'static str,
}

/// The patches of a spec.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    /// In the order of the text.
    pub(super) entries: Vec<Entry<'a>>,
    /// The highest number there can be, as far as the text shows it.
    pub(super) highest: Option<u32>,
    /// Whether `highest` is what rpm has whatever the conditions.
    pub(super) exact: bool,
    /// The first place that may bring further patches.
    pub(super) unknown: Option<Unknown>,
}

impl<'a> Entries<'a> {
    /// Reads the patches of a spec.
    pub(super) fn read(lines: &Lines<'a>, macros: &Macros<'a>) -> Self {
        let mut reader = Reader {
            macros,
            bad: HashSet::new(),
            out: Self { entries: Vec::new(), highest: None, exact: true, unknown: None },
        };
        let mut first = 0;
        while first < lines.lines.len() {
            let (_, last) = lines.group_of(first);
            if let Some(group) = lines.lines.get(first..=last) {
                reader.read_group(group, first);
            }
            first = last.saturating_add(1);
        }
        reader.out
    }

    /// Returns the patches in the order of their numbers; one whose number is not known follows the one before it.
    pub(super) fn in_order(self) -> Vec<SpecPatch> {
        let mut last = 0;
        let mut keyed: Vec<(u32, SpecPatch)> = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            last = entry.patch.number.unwrap_or(last);
            keyed.push((last, entry.patch));
        }
        keyed.sort_by_key(|(key, _)| *key);
        keyed.into_iter().map(|(_, patch)| patch).collect()
    }
}

struct Reader<'a, 'b> {
    macros: &'b Macros<'a>,
    /// The macros of the spec whose bodies hold Patch tags.
    bad: HashSet<&'a [u8]>,
    out: Entries<'a>,
}

impl<'a> Reader<'a, '_> {
    fn read_group(&mut self, group: &[Line<'a>], start: usize) {
        let Some(first) = group.first() else { return };
        if !group.iter().any(|line| line.section.holds_patches()) {
            return;
        }
        let mentions = group.iter().any(|line| mentions_patch(line.text));
        if first.role == Role::Definition {
            if mentions && group.iter().any(|line| tag_within(line.text).is_some()) {
                if let Some((name, _)) = definition(first.text) {
                    self.bad.insert(name);
                }
                self.unknown(start, "a macro whose body holds a `Patch` tag");
            }
            return;
        }
        if group.len() > 1 && first.role == Role::Text && first.text.contains_str("%{lua:") {
            if mentions && group.iter().any(|line| lua_tag(line.text)) {
                self.unknown(start, "Lua code that speaks of patches");
            }
            return;
        }
        for (offset, line) in group.iter().enumerate() {
            self.read_line(line, start.saturating_add(offset));
        }
    }

    fn read_line(&mut self, line: &Line<'a>, index: usize) {
        if !line.section.holds_patches() || matches!(line.role, Role::Comment | Role::Header | Role::Condition) {
            if line.section == Section::Patchlist && line.role == Role::Header && line.text.contains_str("-f") {
                self.unknown(index, "`%patchlist -f`");
            }
            return;
        }
        let trimmed = line.text.trim();
        if begins_with_word(trimmed, b"%include") {
            return self.unknown(index, "`%include`");
        }
        if trimmed.contains_str("%{load:") || begins_with_word(trimmed, b"%load") {
            return self.unknown(index, "`%{load:…}`");
        }
        if line.section == Section::Patchlist && line.role != Role::Definition {
            // `%{?x:name}` is a name or nothing; a brace that closes is no name.
            let within = trimmed.strip_prefix(b"%{").and_then(|inner| inner.split_once_str(":"));
            match within {
                Some((_, name)) => {
                    let name = name.strip_suffix(b"}").unwrap_or(name).trim();
                    self.entry(line, index, Form::InMacro, name, None);
                }
                None if matches!(trimmed, b"" | b"}") => {}
                None => self.entry(line, index, Form::Listed, trimmed, None),
            }
            return;
        }
        if !mentions_patch(trimmed) {
            return;
        }
        match Tag::parse(line.text, "patch") {
            Some(tag) => match tag.number() {
                Digits::None => self.entry(line, index, Form::Tag(tag), tag.value, None),
                Digits::Number(number) => self.entry(line, index, Form::Tag(tag), tag.value, Some(number)),
                Digits::Unknown => self.unknown(index, "a `Patch` tag whose number cannot be read"),
            },
            None if trimmed.starts_with(b"%") => self.read_macro_line(line, index, trimmed),
            None => {}
        }
    }

    /// Reads a line that begins with a macro and says `patch` somewhere.
    fn read_macro_line(&mut self, line: &Line<'a>, index: usize, text: &'a [u8]) {
        if text.starts_with(b"%(") {
            return self.unknown(index, "a shell command that speaks of patches");
        }
        if text.contains_str("%{lua:") {
            if lua_tag(text) {
                self.unknown(index, "Lua code that speaks of patches");
            }
            return;
        }
        if let Some(tag) = tag_within(text) {
            let value = tag.value.strip_suffix(b"}").unwrap_or(tag.value).trim();
            return match tag.number() {
                Digits::None => self.entry(line, index, Form::InMacro, value, None),
                Digits::Number(number) => self.entry(line, index, Form::InMacro, value, Some(number)),
                Digits::Unknown => self.unknown(index, "a `Patch` tag whose number cannot be read"),
            };
        }
        let named = text.get(1..).unwrap_or_default().trim_start_with(|c| matches!(c, '{' | '?' | '!'));
        let length = named.find_not_byteset(NAME).unwrap_or(named.len());
        let (name, rest) = named.split_at_checked(length).unwrap_or((named, b""));
        // `%{?name:…}` asks for the macro, it does not put it in.
        let put_in = !rest.starts_with(b":");
        if put_in && mentions_patch(name) && (!self.macros.knows(name) || self.bad.contains(name)) {
            self.unknown(index, "a macro that is defined elsewhere and speaks of patches");
        }
    }

    fn unknown(&mut self, index: usize, what: &'static str) {
        self.out.exact = false;
        self.out.unknown.get_or_insert(Unknown { line: index.saturating_add(1), what });
    }

    fn entry(&mut self, line: &Line<'a>, index: usize, form: Form<'a>, written: &[u8], explicit: Option<u32>) {
        let out = &mut self.out;
        let sure = line.depth == 0 && line.role != Role::Inside && !matches!(form, Form::InMacro);
        let next = out.highest.map_or(0, |highest| highest.saturating_add(1)).min(HIGHEST);
        let number = explicit.unwrap_or(next);
        let known = explicit.is_some() || (out.exact && sure);
        if out.highest.is_none_or(|highest| number >= highest) {
            out.highest = Some(number);
            out.exact = if explicit.is_some() { sure && out.unknown.is_none() } else { out.exact && sure };
        }
        let patch = SpecPatch {
            written: written.into(),
            name: self.macros.expand(written).last_component(),
            number: known.then_some(number),
        };
        out.entries.push(Entry { line: index, form, patch });
    }
}

const NAME: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/// A tag as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// Its name without the number, as spelt.
    pub(super) word: &'a [u8],
    /// The number as written: digits, nothing, or a macro.
    pub(super) digits: &'a [u8],
    /// From the start of the line to behind the colon.
    pub(super) head: &'a [u8],
    /// The blanks between the colon and the value.
    pub(super) gap: &'a [u8],
    /// The value.
    pub(super) value: &'a [u8],
}

/// The number of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digits {
    /// It has none.
    None,
    /// It is this.
    Number(u32),
    /// It cannot be told, or is more than rpm can hold.
    Unknown,
}

impl<'a> Tag<'a> {
    /// Reads `text` as a tag called `name`, with or without a number.
    pub(super) fn parse(text: &'a [u8], name: &str) -> Option<Self> {
        let named = text.trim_start();
        let (word, rest) = named.split_at_checked(name.len())?;
        if !word.eq_ignore_ascii_case(name.as_bytes()) {
            return None;
        }
        let colon = number_end(rest)?;
        let digits = rest.get(..colon)?.trim();
        // rpm looks for the number right behind the name, and skips what follows a blank.
        let digits = if rest.first().is_some_and(|b| b" \t".contains(b)) { b"" } else { digits };
        let all = digits.is_empty() || digits.contains(&b'%') || digits.iter().all(u8::is_ascii_digit);
        Self::at_colon(text, word, digits, rest.get(colon..)?).filter(|_| all)
    }

    /// Reads `text` as a tag of any name, such as `Requires(post):` or `Summary(de):`.
    pub(super) fn parse_any(text: &'a [u8]) -> Option<Self> {
        let named = text.trim_start();
        let (word, rest) = named.split_at_checked(named.find_not_byteset(NAME)?)?;
        let colon = rest.find_byte(b':')?;
        let between = rest.get(..colon)?.trim();
        let fits = between.is_empty() || (between.starts_with(b"(") && between.ends_with(b")"));
        if word.is_empty() || !fits {
            return None;
        }
        Self::at_colon(text, word, b"", rest.get(colon..)?)
    }

    fn at_colon(text: &'a [u8], word: &'a [u8], digits: &'a [u8], from_colon: &'a [u8]) -> Option<Self> {
        let behind = from_colon.strip_prefix(b":")?;
        let value = behind.trim();
        let gap = behind.get(..behind.len().saturating_sub(behind.trim_start().len()))?;
        let head = text.get(..text.len().saturating_sub(behind.len()))?;
        Some(Self { word, digits, head, gap, value })
    }

    /// Returns its number.
    pub(super) fn number(&self) -> Digits {
        if self.digits.is_empty() {
            return Digits::None;
        }
        match std::str::from_utf8(self.digits).ok().and_then(|digits| digits.parse().ok()) {
            Some(number) if number <= HIGHEST => Digits::Number(number),
            _ => Digits::Unknown,
        }
    }
}

/// Returns where the colon is that ends a tag's number; colons within braces are a macro's.
fn number_end(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    text.iter().position(|b| match b {
        b'{' => {
            depth = depth.saturating_add(1);
            false
        }
        b'}' => {
            depth = depth.saturating_sub(1);
            false
        }
        b':' => depth == 0,
        _ => false,
    })
}

fn mentions_patch(text: &[u8]) -> bool {
    find_patch(text).next().is_some()
}

/// Finds `patch` in any case.
fn find_patch(text: &[u8]) -> impl Iterator<Item = usize> {
    text.windows(5).enumerate().filter(|(_, window)| window.eq_ignore_ascii_case(b"patch")).map(|(at, _)| at)
}

/// How much of a text is looked at for a tag that begins within it, lest many of them take long.
const LONGEST_TAG: usize = 512;

/// Finds a Patch tag that begins within `text`: behind a blank, a quote or a colon, as in `%{?el9:Patch1: x}`.
fn tag_within(text: &[u8]) -> Option<Tag<'_>> {
    find_patch(text).find_map(|at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let begins = before.is_none_or(|b| matches!(b, b' ' | b'\t' | b':' | b'"' | b'\'' | b'[' | b'}'));
        let tail = text.get(at..)?;
        let tail = tail.get(..LONGEST_TAG).unwrap_or(tail);
        // Only the number comes between the name and the colon.
        let number = tail.get(5..)?;
        let end = number.find_not_byteset(b"0123456789").unwrap_or(number.len());
        let next = number.get(end..)?.trim_start().first();
        (begins && matches!(next, Some(b':' | b'%'))).then(|| Tag::parse(tail, "patch")).flatten()
    })
}

/// Whether Lua code seems to write Patch tags: `Patch` in a string, but not the table `patches` nor `%patch`.
fn lua_tag(text: &[u8]) -> bool {
    find_patch(text).any(|at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let begins = before.is_none_or(|b| !b.is_ascii_alphanumeric() && !b"%_./-{?!".contains(b));
        let after = text.get(at.saturating_add(5)..).unwrap_or_default();
        begins && !after.first().is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.' | b'('))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Names = Vec<(String, Option<u32>)>;

    fn read(spec: &str) -> (Names, Option<u32>, bool, Option<usize>) {
        let lines = Lines::parse(spec.as_bytes());
        let macros = Macros::collect(&lines);
        let entries = Entries::read(&lines, &macros);
        let list = entries.entries.iter().map(|e| (e.patch.written.to_string(), e.patch.number)).collect();
        (list, entries.highest, entries.exact, entries.unknown.map(|unknown| unknown.line))
    }

    fn names(list: &[(&str, Option<u32>)]) -> Names {
        list.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
    }

    // The numbers are those that rpm 4.18 gives.
    #[test]
    fn numbers_are_counted_as_rpm_does() {
        for (spec, list) in [
            ("Patch10: a\nPatch5: b\nPatch: c\n", &[("a", Some(10)), ("b", Some(5)), ("c", Some(11))][..]),
            ("pAtCH01:a\nPatch 7: b\nPatch010 :\tc\n", &[("a", Some(1)), ("b", Some(2)), ("c", Some(10))]),
            ("Patch3: z\n%patchlist\n# c\na\n\n b\r\n%dnl x\n", &[("z", Some(3)), ("a", Some(4)), ("b", Some(5))]),
            ("%description\nPatch1: no\n%package x\nPatch: yes\n", &[("yes", Some(0))]),
            ("#Patch1: a\n%dnl Patch2: b\nPatches: c\nPatchX: d\nNoPatch: 1\n", &[]),
            ("Patch1: a\n%changelog\nPatch2: b\n", &[("a", Some(1))]),
        ] {
            let (found, highest, exact, unknown) = read(spec);
            assert_eq!(found, names(list), "{spec}");
            assert_eq!((highest, exact), (list.iter().filter_map(|e| e.1).max(), true), "{spec}");
            assert_eq!(unknown, None, "{spec}");
        }
    }

    #[test]
    fn both_branches_count() {
        let (found, highest, exact, _) = read("Patch1: a\n%if x\nPatch: b\n%else\nPatch9: c\n%endif\nPatch: d\n");
        assert_eq!(found, names(&[("a", Some(1)), ("b", None), ("c", Some(9)), ("d", None)]));
        assert_eq!((highest, exact), (Some(10), false));
        assert!(read("%if x\nPatch: b\n%endif\nPatch20: d\n").2);
        assert_eq!(read("%patchlist\na\n%{?x:b}\nc\n}\n").0, names(&[("a", Some(0)), ("b", None), ("c", None)]));
        assert_eq!(read("%{?el9:Patch7: a.patch}\n").0, names(&[("a.patch", Some(7))]));
        assert_eq!(read("%{?with_x:\nPatch7: a.patch\n}\n").1, Some(7));
    }

    #[test]
    fn what_may_bring_patches_is_seen() {
        for (spec, line) in [
            ("Name: x\n%include y\n", Some(2)),
            ("%{load:%{SOURCE1}}\n", Some(1)),
            ("Patch%{n}: x\n", Some(1)),
            ("Patch2147483648: x\n", Some(1)),
            ("%{lua:\nfor i=1,3 do print(\"Patch\"..i..\": x\\n\") end}\n", Some(1)),
            ("%{lua: print([[Patch1: x]])}\n", Some(1)),
            ("%global f() Patch%1: x\n", Some(1)),
            ("%define f() %{expand:\nPatch1: x\n}\n", Some(1)),
            ("%kernel_patches\n", Some(1)),
            ("%(cat patches.inc)\n", Some(1)),
            ("%patchlist -f x\n", Some(1)),
            ("Name: x\n%description\n%include y\n%build\n%include z\n", None),
            ("%{lua:\nfor i, p in ipairs(patches) do print(p) end}\n", None),
            ("%{lua: print(\"Provides: x\")}\n", None),
            ("%global dispatch: x\n%{?patch:%global x 1}\n%global patch_it %patch1 -p1\n%patch_it\n", None),
            ("%global p %{name}.patch\n%{!?patchlevel: %global patchlevel 3}\n", None),
        ] {
            assert_eq!(read(spec).3, line, "{spec}");
        }
    }
}
