//! Histories to be built, as values: an upstream, and what a distribution's maintainers might do on top of it.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Whether a history has merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Linear,
    Merged,
}

/// A history on top of an upstream of two commits, of which the second is released.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) release: Vec<Edit>,
    pub(super) steps: Vec<Step>,
}

/// A step of the downstream branch.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Commit(Change),
    /// A topic is merged; it was forked so many commits before, possibly from before the release.
    Topic {
        back: usize,
        changes: Vec<Change>,
        resolution: Resolution,
        /// What the merge changes that neither side has.
        evil: Option<Edit>,
    },
    /// Upstream releases again, and that is merged.
    Release {
        edits: Vec<Edit>,
        resolution: Resolution,
    },
}

/// What a person makes of a conflict.
#[derive(Clone, Copy, Debug)]
pub(super) enum Resolution {
    Ours,
    Theirs,
    Both,
}

/// A commit.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) edits: Vec<Edit>,
    pub(super) message: Message,
    pub(super) author: Author,
    pub(super) metadata: Metadata,
}

/// What a commit's trailers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metadata {
    None,
    Named,
    /// The name that the commit made before has, if it has one.
    Joined,
    NoPrefix,
    Ignored,
}

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) subject: &'static str,
    pub(super) body: Vec<&'static str>,
    pub(super) encoding: Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    /// ISO-8859-1, as the commit's header says.
    Latin1,
    /// ISO-8859-1, and nothing says so.
    Unlabelled,
}

#[derive(Clone, Debug)]
pub(super) struct Author {
    pub(super) name: &'static str,
    /// What `git am` makes of that name.
    pub(super) name_after_am: &'static str,
    pub(super) time: i64,
    pub(super) zone: &'static str,
}

/// A change to files; what it picks by number is taken modulo how many there are.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    Write { path: &'static [u8], content: &'static [u8] },
    InsertLine { file: usize, line: usize, text: &'static [u8] },
    RemoveLine { file: usize, line: usize },
    ReplaceLine { file: usize, line: usize, text: &'static [u8] },
    Append { file: usize, text: &'static [u8] },
    UseCrLf { file: usize },
    FlipByte { file: usize, at: usize },
    Rename { file: usize, path: &'static [u8] },
    ChangeMode { file: usize },
    Link { path: &'static [u8], target: &'static [u8] },
    Retarget { file: usize, target: &'static [u8] },
    Delete { file: usize },
    Packaging { text: &'static [u8] },
}

pub(super) const REGULAR: u32 = 0o100_644;
pub(super) const EXECUTABLE: u32 = 0o100_755;
pub(super) const SYMLINK: u32 = 0o120_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) mode: u32,
    pub(super) content: Vec<u8>,
}

/// The files of a commit.
pub(super) type Files = BTreeMap<Vec<u8>, Node>;

const NUMBERED: &[u8] =
    b"one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven\ntwelve\nthirteen\nfourteen\n";
const BINARY: &[u8] =
    b"\x7fELF\x02\x01\x00\x00\xff\xfe\x00three hundred\x00\x01\x02\x03 bytes\r\n\x1a\x00\x80\x81\x82\n\n\x00";

const CONTENTS: [&[u8]; 13] = [
    NUMBERED,
    BINARY,
    b"",
    b"\n",
    b"no newline at end",
    b"windows\r\nline\r\nends\r\nand\r\nmore\r\n",
    b"mixed\r\nline\nends\r\n",
    b"nul\0in text\n",
    b"form\x0cfeed\n\x0c\nvertical\x0btab\n",
    b"Latin-1: caf\xe9 \xfc\n",
    b"--- a/plain.txt\n+++ b/plain.txt\n@@ -1 +1 @@\n-- \n",
    b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: x\n\ndiff --git a/x b/x\n",
    b"trailing space \n\ttab\n \n\n\n",
];

const LINES: [&[u8]; 14] = [
    b"a line",
    b"",
    b" ",
    b"windows\r",
    b"form\x0cfeed",
    b"Latin-1 \xe9",
    b"-- ",
    b"-- a/plain.txt",
    b"++ b/plain.txt",
    b"@@ -1 +1 @@",
    b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001",
    b"diff --git a/x b/x",
    b"\\ No newline at end of file",
    b"\0",
];

const PATHS: [&[u8]; 27] = [
    b"plain.txt",
    b"plain",
    b"plain/below",
    b"dir/plain.c",
    b"dir/other.c",
    b"a/x",
    b"b/x",
    b"a/b/x",
    b"with space",
    b"dir with space/x",
    b"quo\"te",
    b"apo'strophe",
    b"tab\there",
    b"new\nline",
    b"carriage\r",
    b"form\x0cfeed",
    "caf\u{e9}".as_bytes(),
    b"caf\xe9",
    b"-dash",
    b"dot.",
    b"back\\slash",
    b" space around ",
    b"x => y",
    b"{x => y}/z",
    b"deep/er/and/deep/er",
    b".gitattributes",
    b"%{name}",
];

const TARGETS: [&[u8]; 7] =
    [b"plain.txt", b"nowhere", b"../up", b"/abs/olute", b"with space", b"new\nline", b"caf\xe9"];

const SUBJECTS: [&str; 18] = [
    "Change a thing",
    "Change a thing",
    "Change a thing",
    "",
    "x",
    "subsys: change a thing: or two",
    "[rhel-9] brackets",
    "First line\nsecond line\n third line",
    "A very long subject that no one should write but that some people do write all the same, and that git has to fold into \
     several lines of at most seventy-six characters",
    "Averylongsubjectthatnooneshouldwritebutthatsomepeopledowriteallthesameandthatgithastofoldintoseverallineswithoutaspace",
    "caf\u{e9} \u{fc}ber alles, eine lange Zeile mit Umlauten \u{e4}\u{f6}\u{fc}, damit git sie in mehrere Teile zerlegt",
    "\u{1f980} emoji \u{1f980}\u{1f980}",
    "diff --git a/x b/x",
    "--- a/x",
    "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001",
    "\n\n  Blank lines before",
    "tab\there and  two spaces ",
    "../../etc/passwd `$(x)` %{macro} 100%",
];

const BODY: [&str; 44] = [
    "",
    "",
    "",
    "Text of a message",
    "Text of a message",
    "Text: with a colon",
    "  indented",
    "trailing space ",
    "---",
    "--- ",
    "--- a/plain.txt",
    "+++ b/plain.txt",
    "@@ -1 +1 @@",
    "-one",
    "+gone",
    "diff --git a/plain.txt b/plain.txt",
    "diff -u x y",
    " diff --git a/plain.txt b/plain.txt",
    " --- a/plain.txt",
    " +++ b/plain.txt",
    " @@ -1 +1 @@",
    "Index: plain.txt",
    "Index: ",
    "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001",
    "From a@b Mon Sep 17 00:00:00 2001",
    ">From here",
    "From: Other <other@example.com>",
    "Subject: other",
    "Date: Thu, 1 Jan 2015 00:00:00 +0000",
    "[PATCH] x",
    "-- >8 -- 8< --",
    "-- ",
    "2.47.3",
    " plain.txt | 2 +-",
    "GIT binary patch",
    "rename from plain.txt",
    "1d",
    "*** plain.txt",
    "caf\u{e9} \u{fc}",
    "\u{1f980}",
    "form\u{c}feed",
    "carriage\r",
    "nul\0here",
    "Signed-off-by: Some One <some@example.com>",
];

/// Names, and what `git am` makes of them: git-mailinfo(1) takes the address where there is no name, and git takes some
/// characters off both ends of a name when it writes a commit.
const NAMES: [(&str, &str); 11] = [
    ("A U Thor", "A U Thor"),
    ("A U Thor", "A U Thor"),
    ("J\u{f6}rg M\u{fc}ller", "J\u{f6}rg M\u{fc}ller"),
    ("\u{674e}\u{56db}", "\u{674e}\u{56db}"),
    ("A. \"Nick\" Name, Jr", "A. \"Nick\" Name, Jr"),
    ("O'Neil", "O'Neil"),
    ("", "a@example.com"),
    ("Dr. Dot", "Dr. Dot"),
    ("\"quoted\"", "quoted"),
    ("A (comment) B", "A (comment) B"),
    ("A\u{f6} back\\slash; [x]", "A\u{f6} back\\slash; [x]"),
];

const ZONES: [&str; 7] = ["+0000", "+0200", "-0330", "+1245", "-1200", "+1400", "-0000"];

impl Edit {
    /// Makes the change; where there is nothing to change it, nothing happens.
    pub(super) fn apply(&self, files: &mut Files) {
        match *self {
            Self::Write { path, content } => {
                let mode = files.get(path).map_or(REGULAR, |node| node.mode);
                let mode = if mode == SYMLINK { REGULAR } else { mode };
                put(files, path, Node { mode, content: content.to_vec() });
            }
            Self::InsertLine { file, line, text } => edit_lines(files, file, |lines| {
                let at = line % (lines.len() + 1);
                lines.insert(at, [text, b"\n"].concat());
            }),
            Self::RemoveLine { file, line } => edit_lines(files, file, |lines| {
                if !lines.is_empty() {
                    lines.remove(line % lines.len());
                }
            }),
            Self::ReplaceLine { file, line, text } => edit_lines(files, file, |lines| {
                if !lines.is_empty() {
                    let at = line % lines.len();
                    lines[at] = [text, b"\n"].concat();
                }
            }),
            Self::Append { file, text } => edit_content(files, file, |content| content.extend_from_slice(text)),
            Self::UseCrLf { file } => edit_lines(files, file, |lines| {
                for line in lines.iter_mut().filter(|line| line.ends_with(b"\n") && !line.ends_with(b"\r\n")) {
                    line.insert(line.len() - 1, b'\r');
                }
            }),
            Self::FlipByte { file, at } => edit_content(files, file, |content| {
                if !content.is_empty() {
                    let at = at % content.len();
                    content[at] ^= 0xff;
                }
            }),
            Self::Rename { file, path } => {
                if let Some(node) = picked(files, file).and_then(|old| files.remove(&old)) {
                    put(files, path, node);
                }
            }
            Self::ChangeMode { file } => {
                let node = picked(files, file).and_then(|path| files.get_mut(&path));
                if let Some(node) = node.filter(|node| node.mode != SYMLINK) {
                    node.mode ^= REGULAR ^ EXECUTABLE;
                }
            }
            Self::Link { path, target } => put(files, path, Node { mode: SYMLINK, content: target.to_vec() }),
            Self::Retarget { file, target } => {
                if let Some(path) = picked(files, file) {
                    files.insert(path, Node { mode: SYMLINK, content: target.to_vec() });
                }
            }
            Self::Delete { file } => {
                if let Some(path) = picked(files, file) {
                    files.remove(&path);
                }
            }
            Self::Packaging { text } => {
                let node = Node { mode: REGULAR, content: [text, b"\n"].concat() };
                files.insert(b".distro/notes".to_vec(), node);
            }
        }
    }
}

/// Puts a file at `path`; a directory there, or a file on the way, goes.
pub(super) fn put(files: &mut Files, path: &[u8], node: Node) {
    let below = [path, b"/"].concat();
    files.retain(|other, _| !other.starts_with(&below) && !path.starts_with(&[other, &b"/"[..]].concat()));
    files.insert(path.to_vec(), node);
}

pub(super) fn is_packaging(path: &[u8]) -> bool {
    path.starts_with(b".distro/")
}

/// Returns the files outside `.distro`.
pub(super) fn without_packaging(files: &Files) -> Files {
    files.iter().filter(|(path, _)| !is_packaging(path)).map(|(path, node)| (path.clone(), node.clone())).collect()
}

fn picked(files: &Files, file: usize) -> Option<Vec<u8>> {
    let paths: Vec<_> = files.keys().filter(|path| !is_packaging(path)).collect();
    paths.get(file.checked_rem(paths.len())?).map(|path| path.to_vec())
}

fn edit_content(files: &mut Files, file: usize, edit: impl FnOnce(&mut Vec<u8>)) {
    let node = picked(files, file).and_then(|path| files.get_mut(&path));
    if let Some(node) = node.filter(|node| node.mode != SYMLINK) {
        edit(&mut node.content);
    }
}

fn edit_lines(files: &mut Files, file: usize, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
    edit_content(files, file, |content| {
        let mut lines = lines(content);
        edit(&mut lines);
        *content = lines.concat();
    });
}

fn lines(content: &[u8]) -> Vec<Vec<u8>> {
    content.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
}

/// Merges as a person does: what one side alone changed is taken, lines that both left in their places are merged one
/// by one, and the rest is resolved.
pub(super) fn merge(base: &Files, ours: &Files, theirs: &Files, resolution: Resolution) -> Files {
    let mut merged = Files::new();
    for path in ours.keys().chain(theirs.keys()) {
        let node = match (base.get(path), ours.get(path), theirs.get(path)) {
            (_, our, their) if our == their => our.cloned(),
            (base, our, their) if our == base => their.cloned(),
            (base, our, their) if their == base => our.cloned(),
            (base, our, their) => merge_lines(base, our, their).or_else(|| match (resolution, our, their) {
                (Resolution::Both, Some(our), Some(their)) => {
                    Some(Node { mode: REGULAR, content: [&our.content[..], &their.content].concat() })
                }
                (Resolution::Theirs, ..) => their.cloned(),
                _ => our.cloned(),
            }),
        };
        if let Some(node) = node {
            put(&mut merged, path, node);
        }
    }
    merged
}

fn merge_lines(base: Option<&Node>, our: Option<&Node>, their: Option<&Node>) -> Option<Node> {
    let (base, our, their) = (base?, our?, their?);
    let (base_lines, our_lines, their_lines) = (lines(&base.content), lines(&our.content), lines(&their.content));
    if base.mode != our.mode || base.mode != their.mode || base_lines.len() != our_lines.len() {
        return None;
    }
    let mut merged = Vec::new();
    for ((base, our), their) in base_lines.iter().zip(&our_lines).zip(&their_lines) {
        merged.push(if our == base {
            their
        } else if their == base || their == our {
            our
        } else {
            return None;
        });
    }
    let content = merged.into_iter().flatten().copied().collect();
    (base_lines.len() == their_lines.len()).then_some(Node { mode: base.mode, content })
}

impl History {
    /// All changes of the downstream branch and its topics, in the order in which they are committed.
    pub(super) fn changes_mut(&mut self) -> impl Iterator<Item = &mut Change> {
        self.steps.iter_mut().flat_map(|step| match step {
            Step::Commit(change) => std::slice::from_mut(change).iter_mut(),
            Step::Topic { changes, .. } => changes.iter_mut(),
            Step::Release { .. } => [].iter_mut(),
        })
    }

    /// The same without commits of one kind.
    pub(super) fn without(mut self, metadata: &[Metadata]) -> Self {
        for change in self.changes_mut().filter(|change| metadata.contains(&change.metadata)) {
            change.metadata = Metadata::None;
        }
        self
    }
}

impl Message {
    /// The text of the subject and the body, as a person reads it.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.subject);
        for (number, line) in self.body.iter().enumerate() {
            text.push_str(if number == 0 { "\n" } else { "" });
            text.push_str(line);
            text.push('\n');
        }
        match self.encoding {
            Encoding::Utf8 => text,
            Encoding::Latin1 | Encoding::Unlabelled => latin1_text(&text),
        }
    }
}

/// Replaces what ISO-8859-1 does not have.
pub(super) fn latin1_text(text: &str) -> String {
    text.chars().map(|c| if c as u32 <= 0xff { c } else { '?' }).collect()
}

fn edit() -> impl Strategy<Value = Edit> {
    let number = || 0..100_usize;
    prop_oneof![
        3 => (select(&PATHS[..]), select(&CONTENTS[..])).prop_map(|(path, content)| Edit::Write { path, content }),
        4 => (number(), number(), select(&LINES[..])).prop_map(|(file, line, text)| Edit::InsertLine { file, line, text }),
        2 => (number(), number()).prop_map(|(file, line)| Edit::RemoveLine { file, line }),
        4 => (number(), number(), select(&LINES[..])).prop_map(|(file, line, text)| Edit::ReplaceLine { file, line, text }),
        1 => (number(), select(&LINES[..])).prop_map(|(file, text)| Edit::Append { file, text }),
        1 => number().prop_map(|file| Edit::UseCrLf { file }),
        1 => (number(), number()).prop_map(|(file, at)| Edit::FlipByte { file, at }),
        2 => (number(), select(&PATHS[..])).prop_map(|(file, path)| Edit::Rename { file, path }),
        1 => number().prop_map(|file| Edit::ChangeMode { file }),
        1 => (select(&PATHS[..]), select(&TARGETS[..])).prop_map(|(path, target)| Edit::Link { path, target }),
        1 => (number(), select(&TARGETS[..])).prop_map(|(file, target)| Edit::Retarget { file, target }),
        1 => number().prop_map(|file| Edit::Delete { file }),
        1 => select(&LINES[..]).prop_map(|text| Edit::Packaging { text }),
    ]
}

/// Upstream knows nothing of packaging.
fn upstream_edits() -> impl Strategy<Value = Vec<Edit>> {
    let is_upstreams = |edit: &Edit| !matches!(edit, Edit::Packaging { .. });
    edits().prop_map(move |edits| edits.into_iter().filter(is_upstreams).collect())
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    vec(edit(), 0..4)
}

fn message() -> impl Strategy<Value = Message> {
    let encoding =
        prop_oneof![12 => Just(Encoding::Utf8), 3 => Just(Encoding::Latin1), 1 => Just(Encoding::Unlabelled)];
    let body = prop_oneof![1 => vec(select(&BODY[..]), 0..1), 2 => vec(select(&BODY[..]), 1..8)];
    (select(&SUBJECTS[..]), body, encoding).prop_map(|(subject, body, encoding)| Message { subject, body, encoding })
}

fn author() -> impl Strategy<Value = Author> {
    // from 1973 to 2096: outside, git's reading of dates in mails has its limits
    (select(&NAMES[..]), 100_000_000..4_000_000_000_i64, select(&ZONES[..]))
        .prop_map(|((name, name_after_am), time, zone)| Author { name, name_after_am, time, zone })
}

fn change() -> impl Strategy<Value = Change> {
    let metadata = prop_oneof![
        12 => Just(Metadata::None),
        2 => Just(Metadata::Named),
        2 => Just(Metadata::Joined),
        1 => Just(Metadata::NoPrefix),
        1 => Just(Metadata::Ignored),
    ];
    (edits(), message(), author(), metadata).prop_map(|(edits, mut message, author, metadata)| {
        if metadata != Metadata::None {
            // git reads no trailers behind such a line
            message.body.retain(|line| !line.starts_with("---") && !line.contains('\0'));
            if message.subject.trim().is_empty() || message.subject.starts_with("---") {
                message.subject = "Change a thing";
            }
        }
        Change { edits, message, author, metadata }
    })
}

fn step(shape: Shape) -> BoxedStrategy<Step> {
    let resolution = || prop_oneof![Just(Resolution::Ours), Just(Resolution::Theirs), Just(Resolution::Both)];
    let commit = change().prop_map(Step::Commit);
    let topic = (0..4_usize, vec(change(), 1..3), resolution(), prop::option::weighted(0.2, edit()))
        .prop_map(|(back, changes, resolution, evil)| Step::Topic { back, changes, resolution, evil });
    let release = (upstream_edits(), resolution()).prop_map(|(edits, resolution)| Step::Release { edits, resolution });
    match shape {
        Shape::Linear => commit.boxed(),
        Shape::Merged => prop_oneof![3 => commit, 3 => topic, 1 => release].boxed(),
    }
}

/// Histories of a few steps.
pub(super) fn history(shape: Shape) -> impl Strategy<Value = History> {
    (upstream_edits(), vec(step(shape), 1..7)).prop_map(|(release, steps)| History { release, steps })
}
