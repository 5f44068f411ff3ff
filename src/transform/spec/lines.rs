//! A spec as lines: which section each belongs to, which `%if` it stands in, and which lines rpm reads as one.
//!
//! Nothing is expanded here, so what a macro would bring is not seen; `entries` decides where that matters.
//! The rules are those of `copyNextLineFromOFI`, `readLine` and `isPart` in rpm's `build/parseSpec.c`.

use bstr::ByteSlice as _;

/// The part of a spec that a line belongs to, as far as this program cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// From the top to the first section header.
    Preamble,
    /// The tags below a `%package`.
    Package,
    /// The file names below a `%patchlist`.
    Patchlist,
    /// `%prep`.
    Prep,
    /// `%changelog`.
    Changelog,
    /// Any other.
    Other,
}

impl Section {
    /// Whether rpm reads tags or patch names there.
    pub(super) const fn holds_patches(self) -> bool {
        matches!(self, Self::Preamble | Self::Package | Self::Patchlist)
    }
}

/// What a line is for rpm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A section header.
    Header,
    /// `%if` and its kin, `%else` and its kin, `%endif`.
    Condition,
    /// The first line of a `%define` or `%global`.
    Definition,
    /// A comment or `%dnl`.
    Comment,
    /// A further line of a definition, of a condition, or of a macro whose brace is still open.
    Inside,
    /// Anything else.
    Text,
}

/// A line as it is in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    /// Where it begins, in bytes from the start of the spec.
    pub(super) start: usize,
    /// Its text, without the line end.
    pub(super) text: &'a [u8],
    /// `\n`, `\r\n`, or nothing at the end of the file.
    pub(super) end: &'a [u8],
    /// The section it belongs to; a header belongs to the one that it opens.
    pub(super) section: Section,
    /// What it is for.
    pub(super) role: Role,
    /// Whether rpm reads it together with the line before: nothing may come between them.
    pub(super) joined: bool,
    /// The outermost condition that it is part of, as an index of [`Lines::conditions`].
    pub(super) condition: Option<usize>,
    /// How many conditions it stands in; `%if`, `%else` and `%endif` stand in their own.
    pub(super) depth: usize,
    /// Which branch of the outermost condition it is in, counted from nought.
    pub(super) branch: usize,
}

impl Line<'_> {
    /// Returns where the next line begins.
    pub(super) const fn stop(&self) -> usize {
        self.start.saturating_add(self.text.len()).saturating_add(self.end.len())
    }

    /// Whether it holds nothing to see.
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// An outermost `%if … %endif`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    /// The index of its first line.
    pub(super) open: usize,
    /// The index of its `%endif`; `None` where there is none.
    pub(super) close: Option<usize>,
    /// How many branches it has: 1 and one more for each `%elif` and `%else`.
    pub(super) branches: usize,
    /// Whether one of its branches is taken whatever the case.
    pub(super) exhaustive: bool,
}

/// A spec taken apart.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    /// The lines, in order.
    pub(super) lines: Vec<Line<'a>>,
    /// The outermost conditions, in order.
    pub(super) conditions: Vec<Condition>,
}

impl<'a> Lines<'a> {
    /// Takes `spec` apart.
    pub(super) fn parse(spec: &'a [u8]) -> Self {
        let raw: Vec<&[u8]> = spec.lines_with_terminator().collect();
        let mut state = State::default();
        let mut out = Self { lines: Vec::with_capacity(raw.len()), conditions: Vec::new() };
        let mut start = 0_usize;
        let mut rest = raw.as_slice();
        // Where a brace stays open to the end of the file, rpm gives up; here every further line stands for itself.
        let mut may_join = true;
        while !rest.is_empty() {
            let mut length = if may_join { group_length(rest) } else { Some(1) };
            if length.is_none() {
                may_join = false;
                length = Some(1);
            }
            let (group, further) = rest.split_at_checked(length.unwrap_or(1)).unwrap_or((rest, &[]));
            state.read_group(group, &mut start, &mut out);
            rest = further;
        }
        out
    }

    /// Returns the first and last line that rpm reads together with line `index`, which may be alone.
    pub(super) fn group_of(&self, index: usize) -> (usize, usize) {
        let joined = |at: usize| self.lines.get(at).is_some_and(|line| line.joined);
        let (mut first, mut last) = (index, index);
        while first > 0 && joined(first) {
            first = first.saturating_sub(1);
        }
        while joined(last.saturating_add(1)) {
            last = last.saturating_add(1);
        }
        (first, last)
    }

    /// Returns the line end that a line put after line `index` should have: its neighbour's, else the file's usual one.
    pub(super) fn line_end(&self, index: usize) -> &'static [u8] {
        let near = |line: &Line<'_>| (!line.end.is_empty()).then_some(line.end.len());
        let here = self.lines.get(index).and_then(near);
        let before = || index.checked_sub(1).and_then(|at| self.lines.get(at)).and_then(near);
        let after = || self.lines.get(index.saturating_add(1)).and_then(near);
        if here.or_else(before).or_else(after) == Some(2) { b"\r\n" } else { b"\n" }
    }
}

/// How many lines rpm reads at one go; `None` where something stays open to the end.
///
/// Braces of macros are counted, a backslash hides the next byte, and one at the end of a line joins the next.
fn group_length(lines: &[&[u8]]) -> Option<usize> {
    let mut open = Open::default();
    for (index, line) in lines.iter().enumerate() {
        open.read(line);
        if !open.is_open() {
            return Some(index.saturating_add(1));
        }
    }
    // rpm accepts a backslash at the very end.
    (!open.in_braces()).then_some(lines.len())
}

/// What is still open after the lines read so far.
#[derive(Clone, Copy, Debug, Default)]
struct Open {
    braces: usize,
    parentheses: usize,
    brackets: usize,
    continued: bool,
}

impl Open {
    const fn in_braces(self) -> bool {
        self.braces > 0 || self.parentheses > 0 || self.brackets > 0
    }

    const fn is_open(self) -> bool {
        self.in_braces() || self.continued
    }

    fn read(&mut self, line: &[u8]) {
        let mut bytes = line.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' => {
                    let hidden = bytes.next();
                    self.continued |= hidden == Some(b'\n');
                }
                b'\n' => self.continued = false,
                b'%' => {
                    let count = match bytes.peek() {
                        Some(b'{') => &mut self.braces,
                        Some(b'(') => &mut self.parentheses,
                        Some(b'[') => &mut self.brackets,
                        Some(b'%') => {
                            bytes.next();
                            continue;
                        }
                        _ => continue,
                    };
                    *count = count.saturating_add(1);
                    bytes.next();
                }
                b'{' if self.braces > 0 => self.braces = self.braces.saturating_add(1),
                b'(' if self.parentheses > 0 => self.parentheses = self.parentheses.saturating_add(1),
                b'[' if self.brackets > 0 => self.brackets = self.brackets.saturating_add(1),
                b'}' => self.braces = self.braces.saturating_sub(1),
                b')' => self.parentheses = self.parentheses.saturating_sub(1),
                b']' => self.brackets = self.brackets.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// Where the reader is.
#[derive(Debug)]
struct State {
    section: Section,
    depth: usize,
    branch: usize,
}

impl Default for State {
    fn default() -> Self {
        Self { section: Section::Preamble, depth: 0, branch: 0 }
    }
}

impl State {
    fn read_group<'a>(&mut self, group: &[&'a [u8]], start: &mut usize, out: &mut Lines<'a>) {
        let mut open = Open::default();
        let mut whole = false;
        for (index, raw) in group.iter().enumerate() {
            let (text, end) = split_end(raw);
            let first = index == 0;
            let role = if !first && (whole || open.in_braces()) { Role::Inside } else { role_of(text) };
            if first {
                // What follows on the next lines is part of the macro's body, or of the expression.
                whole = matches!(role, Role::Definition) || condition(text).is_some();
            }
            if role == Role::Inside {
                // A macro may bring a section; what follows is then that section's.
                if !whole && let Some(section) = header(text) {
                    self.section = section;
                }
            } else if let Some(section) = header(text) {
                self.section = section;
            }
            let line = Line {
                start: *start,
                text,
                end,
                section: self.section,
                role,
                joined: !first,
                condition: None,
                depth: self.depth,
                branch: self.branch,
            };
            self.place(line, out);
            open.read(raw);
            *start = start.saturating_add(raw.len());
        }
    }

    /// Adds `line`, keeping count of the conditions.
    fn place<'a>(&mut self, mut line: Line<'a>, out: &mut Lines<'a>) {
        let index = out.lines.len();
        let word = if line.role == Role::Condition { condition(line.text) } else { None };
        if word == Some(Word::If) {
            if self.depth == 0 {
                self.branch = 0;
                out.conditions.push(Condition { open: index, close: None, branches: 1, exhaustive: false });
            }
            self.depth = self.depth.saturating_add(1);
        }
        if let Some(word @ (Word::Elif | Word::Else)) = word
            && self.depth == 1
            && let Some(condition) = out.conditions.last_mut()
        {
            self.branch = self.branch.saturating_add(1);
            condition.branches = condition.branches.saturating_add(1);
            condition.exhaustive |= word == Word::Else;
        }
        line.depth = self.depth;
        line.branch = self.branch;
        if self.depth > 0 {
            line.condition = out.conditions.len().checked_sub(1);
        }
        if word == Some(Word::Endif) {
            if self.depth == 1
                && let Some(condition) = out.conditions.last_mut()
            {
                condition.close = Some(index);
            }
            self.depth = self.depth.saturating_sub(1);
        }
        out.lines.push(line);
    }
}

fn split_end(raw: &[u8]) -> (&[u8], &[u8]) {
    let length = if raw.ends_with(b"\r\n") { 2 } else { usize::from(raw.ends_with(b"\n")) };
    raw.split_at_checked(raw.len().saturating_sub(length)).unwrap_or((raw, b""))
}

fn role_of(text: &[u8]) -> Role {
    let trimmed = text.trim_start();
    if trimmed.starts_with(b"#") || begins_with_word(trimmed, b"%dnl") {
        Role::Comment
    } else if header(text).is_some() {
        Role::Header
    } else if condition(text).is_some() {
        Role::Condition
    } else if begins_with_word(trimmed, b"%define") || begins_with_word(trimmed, b"%global") {
        Role::Definition
    } else {
        Role::Text
    }
}

/// Whether `text` begins with `word` and a blank, or is `word`.
pub(super) fn begins_with_word(text: &[u8], word: &[u8]) -> bool {
    text.strip_prefix(word).is_some_and(|rest| rest.first().is_none_or(|b| matches!(b, b' ' | b'\t')))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    If,
    Elif,
    Else,
    Endif,
}

/// Returns the condition's word that `text` begins with.
///
/// Those with an argument must be followed by a blank, `%else` and `%endif` by no letter; case counts.
fn condition(text: &[u8]) -> Option<Word> {
    let text = text.trim_start();
    let word = |words: &[&str]| words.iter().any(|word| begins_with_word(text, word.as_bytes()));
    let bare = |word: &str| {
        text.strip_prefix(word.as_bytes()).is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_alphabetic))
    };
    if word(&["%if", "%ifarch", "%ifnarch", "%ifos", "%ifnos"]) {
        Some(Word::If)
    } else if word(&["%elif", "%elifarch", "%elifos"]) {
        Some(Word::Elif)
    } else if bare("%else") {
        Some(Word::Else)
    } else if bare("%endif") {
        Some(Word::Endif)
    } else {
        None
    }
}

/// The headers of the sections that hold neither tags nor patches; any case, at the start of a line, before a blank.
const OTHER_SECTIONS: &[&str] = &[
    "description",
    "conf",
    "generate_buildrequires",
    "build",
    "install",
    "check",
    "clean",
    "pre",
    "post",
    "preun",
    "postun",
    "pretrans",
    "posttrans",
    "preuntrans",
    "postuntrans",
    "verifyscript",
    "files",
    "sepolicy",
    "trigger",
    "triggerin",
    "triggerun",
    "triggerprein",
    "triggerpostun",
    "filetrigger",
    "filetriggerin",
    "filetriggerun",
    "filetriggerpostun",
    "transfiletrigger",
    "transfiletriggerin",
    "transfiletriggerun",
    "transfiletriggerpostun",
    "sourcelist",
];

fn header(text: &[u8]) -> Option<Section> {
    let name = text.strip_prefix(b"%")?;
    let name = name.find_byteset(b" \t\r\x0b\x0c").map_or(Some(name), |at| name.get(..at))?;
    let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
    if is("package") {
        Some(Section::Package)
    } else if is("patchlist") {
        Some(Section::Patchlist)
    } else if is("prep") {
        Some(Section::Prep)
    } else if is("changelog") {
        Some(Section::Changelog)
    } else {
        OTHER_SECTIONS.iter().any(|word| is(word)).then_some(Section::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(spec: &[u8]) -> Vec<(Section, Role, usize)> {
        Lines::parse(spec).lines.iter().map(|line| (line.section, line.role, line.depth)).collect()
    }

    #[test]
    fn lines_are_the_whole_file() {
        for spec in ["", "\n", "a", "a\r\nb\n\nc", "%{\n", "a\\\n", "%if 1\n%endif\n%endif\n%else"] {
            let joined: Vec<u8> =
                Lines::parse(spec.as_bytes()).lines.iter().flat_map(|l| [l.text, l.end].concat()).collect();
            assert_eq!(joined, spec.as_bytes(), "{spec:?}");
        }
    }

    #[test]
    fn a_section_begins_with_its_name_and_a_blank() {
        let sections: Vec<_> =
            roles(b"%prepare\n%build_foo\n%Package -n x\n %prep\n%prep\n%check_x\n%check\n%CHANGELOG\r\n%pre\x0b")
                .iter()
                .map(|role| role.0)
                .collect();
        use Section::{Changelog, Other, Package, Preamble, Prep};
        assert_eq!(sections, [Preamble, Preamble, Package, Package, Prep, Prep, Other, Changelog, Other]);
    }

    #[test]
    fn conditions_nest_and_span_continued_lines() {
        let depths: Vec<_> =
            roles(b"a\n%if 1 && \\\n0\nb\n  %ifarch x\nc\n%else # no\n%endif\n%endif x\nd\n%if(1)\n%ifx\n")
                .iter()
                .map(|role| role.2)
                .collect();
        assert_eq!(depths, [0, 1, 1, 1, 2, 2, 2, 2, 1, 0, 0, 0]);
    }

    #[test]
    fn what_is_inside_a_macro_is_neither_section_nor_condition() {
        let spec = b"%global x %{expand:\n%if 1\n%prep\n}\n%define y \\\n%prep\nz\n";
        let roles: Vec<_> = roles(spec).iter().map(|role| (role.0, role.1)).collect();
        use Role::{Definition, Inside, Text};
        let preamble = |role| (Section::Preamble, role);
        assert_eq!(roles, [Definition, Inside, Inside, Inside, Definition, Inside, Text].map(preamble));
    }

    #[test]
    fn an_escaped_or_unclosed_brace_joins_nothing() {
        assert!(Lines::parse(b"# %%{x\n%prep\n").lines.iter().all(|line| !line.joined));
        assert!(Lines::parse(b"a %{x\n%prep\n%{y\n").lines.iter().all(|line| !line.joined));
        assert!(Lines::parse(b"a \\\r\nb\n").lines.iter().all(|line| !line.joined));
        assert!(Lines::parse(b"# \\%%{x\n}\n").lines.iter().any(|line| line.joined));
    }

    #[test]
    fn many_open_braces_take_no_longer_than_their_length() {
        let spec = b"%{\n".repeat(300_000);
        assert_eq!(Lines::parse(&spec).lines.len(), 300_000);
    }
}
