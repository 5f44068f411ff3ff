//! Who may use whom in `src`: rooms by their floors, and files without circles.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::source::{Crate, File};

/// The rooms (directories of `src`) from the lowest floor up, and what each may use besides itself. `setup` takes plain data
/// from the adapters, and the adapters plain values from `transform`: that is for reviews, imports do not tell.
const ROOMS: [(&str, &[&str]); 10] = [
    ("types", &[]),
    ("transform", &["types"]),
    ("pair", &["types", "transform"]),
    ("git", &["types", "transform"]),
    ("forge", &["types", "transform"]),
    ("config", &["types", "transform"]),
    ("ci", &["types", "transform"]),
    ("setup", &["types", "pair", "forge", "config", "ci"]),
    ("ops", &["types", "transform", "pair", "git", "forge", "config", "ci", "setup"]),
    ("cli", &["types", "transform", "pair", "git", "forge", "config", "ci", "setup", "ops"]),
];

/// Files that belong to no room and may use all of them.
const ENTRANCES: [&str; 2] = ["main.rs", "lib.rs"];

/// What is wrong with these files (name below `src`, text), file and line first.
fn violations(sources: &[(String, String)]) -> Vec<String> {
    let files: Vec<File> = sources.iter().map(|(name, text)| File::parse(name, text)).collect();
    let inside: Vec<&File> = files.iter().filter(|file| !ENTRANCES.contains(&file.name.as_str())).collect();
    let rooms = inside.iter().flat_map(|file| wrong_rooms(file));
    rooms.chain(circles(&inside, &Crate::of(&files))).collect()
}

/// Where a file uses a room that its own may not use: each line once for each room.
fn wrong_rooms(file: &File) -> Vec<String> {
    let (name, room) = (&file.name, &file.module[0]);
    if !name.contains('/') {
        return vec![format!("src/{name}:1: `{name}` is in no room: main.rs and lib.rs alone are beside them")];
    }
    let Some((_, may_use)) = ROOMS.iter().find(|(known, _)| known == room) else {
        return vec![format!("src/{name}:1: `{room}` is a room that the table of tests/it/project/layers.rs lacks")];
    };
    let used = file.used.iter().chain(file.exported.iter().map(|(_, path)| path));
    let others = used.filter(|path| path.segments.first().is_some_and(|used| used != room));
    let wrong = others.filter(|path| !may_use.contains(&path.segments[0].as_str()));
    let mut first = BTreeMap::new();
    for path in wrong {
        first.entry((path.line, &path.segments[0])).or_insert_with(|| path.segments.join("::"));
    }
    let message = |((line, used), path): ((usize, &String), String)| {
        format!("src/{name}:{line}: `{room}` may not use `{used}` (crate::{path})")
    };
    first.into_iter().map(message).collect()
}

/// The files that use each other, directly or through others, a circle a message: each step with its line.
fn circles(files: &[&File], all: &Crate<'_>) -> Vec<String> {
    let mut uses: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for file in files {
        let steps = uses.entry(&file.name).or_default();
        for path in &file.used {
            if let Some(target) = all.follow(&path.segments).filter(|target| target.name != file.name) {
                steps.entry(&target.name).or_insert(path.line);
            }
        }
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> = uses.keys().map(|from| (*from, reached(&uses, from))).collect();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for file in files.iter().map(|file| file.name.as_str()) {
        if !reached[file].contains(file) || told.contains(file) {
            continue;
        }
        let ring: BTreeSet<&str> =
            reached[file].iter().copied().filter(|other| reached[other].contains(file)).collect();
        let steps = ring.iter().flat_map(|from| {
            let within = uses[from].iter().filter(|(to, _)| ring.contains(*to));
            within.map(move |(to, line)| format!("\n    src/{from}:{line}: uses src/{to}"))
        });
        found.push(format!("{} files use each other in a circle:{}", ring.len(), steps.collect::<String>()));
        told.extend(ring);
    }
    found
}

fn reached<'a>(uses: &BTreeMap<&'a str, BTreeMap<&'a str, usize>>, from: &str) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        let steps = uses.get(file).into_iter().flat_map(BTreeMap::keys);
        next.extend(steps.copied().filter(|step| reached.insert(*step)).collect::<Vec<_>>());
    }
    reached
}

/// All files below a directory: name and text.
fn sources(top: &Path) -> Vec<(String, String)> {
    let (mut found, mut directories) = (Vec::new(), vec![top.to_owned()]);
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn no_room_uses_one_that_it_may_not_and_no_files_use_each_other_in_a_circle() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 150, "{} files", sources.len());
    let wrong = violations(&sources);
    assert!(
        wrong.is_empty(),
        "{} violations; docs/developing.md says who may use whom:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[track_caller]
fn are(sources: &[(&str, &str)], expected: &[&str]) {
    let sources: Vec<_> = sources.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    assert_eq!(violations(&sources), expected);
}

#[test]
fn a_room_may_use_what_the_table_says_and_no_other() {
    are(
        &[
            ("types/mod.rs", "pub struct Id;"),
            ("transform/mod.rs", "use crate::types::Id;\nuse std::fmt;\nuse serde::Serialize;"),
            ("git/mod.rs", "use crate::types::Id;\nuse crate::{\n    forge::{self, Forge},\n    transform::*,\n};"),
            ("forge/mod.rs", "pub struct Forge;\nfn f() -> crate::cli::Outcome {\n    crate::types::Id\n}"),
            ("ops/mod.rs", "use crate::{git, forge, setup};"),
            ("cli/mod.rs", "pub struct Outcome;\nuse crate::types::Id;"),
            ("setup/mod.rs", "use crate::forge::Forge;\nuse super::transform as t;"),
        ],
        &[
            "src/git/mod.rs:3: `git` may not use `forge` (crate::forge)",
            "src/forge/mod.rs:2: `forge` may not use `cli` (crate::cli::Outcome)",
            "src/setup/mod.rs:2: `setup` may not use `transform` (crate::transform)",
        ],
    );
}

#[test]
fn tests_and_re_exports_obey_as_well() {
    are(
        &[
            ("ops/mod.rs", "pub struct A;"),
            ("pair/mod.rs", "pub mod title;\npub use crate::ops::A;"),
            ("pair/title.rs", "#[cfg(test)]\nmod tests {\n    use super::*;\n    use super::super::super::ops::A;\n}"),
            ("pair/branch/tests.rs", "fn f() { assert(super::super::super::ops::A); }"),
        ],
        &[
            "src/pair/mod.rs:2: `pair` may not use `ops` (crate::ops::A)",
            "src/pair/title.rs:4: `pair` may not use `ops` (crate::ops::A)",
            "src/pair/branch/tests.rs:1: `pair` may not use `ops` (crate::ops::A)",
        ],
    );
}

#[test]
fn what_the_table_lacks_is_told() {
    are(
        &[
            ("main.rs", "use source_git_bot::cli;"),
            ("lib.rs", "pub mod cli;\npub mod attic;"),
            ("attic/mod.rs", "pub struct A;"),
            ("bot.rs", "pub struct B;"),
            ("cli/mod.rs", "use crate::attic::A;\nuse crate::bot::B;"),
        ],
        &[
            "src/attic/mod.rs:1: `attic` is a room that the table of tests/it/project/layers.rs lacks",
            "src/bot.rs:1: `bot.rs` is in no room: main.rs and lib.rs alone are beside them",
            "src/cli/mod.rs:1: `cli` may not use `attic` (crate::attic::A)",
            "src/cli/mod.rs:2: `cli` may not use `bot` (crate::bot::B)",
        ],
    );
}

#[test]
fn files_that_use_each_other_are_a_circle() {
    are(
        &[
            ("pair/a.rs", "\nuse super::b::B;\npub struct A;"),
            ("pair/b.rs", "pub struct B;\npub fn b(_: crate::pair::c::C) {}"),
            ("pair/c.rs", "pub struct C;\n#[cfg(test)]\nmod tests {\n    use super::super::a;\n}"),
            ("pair/d.rs", "use super::{a, b, c};"),
            // A parent that needs its child, and the child its parent.
            ("ops/sync/mod.rs", "mod apply;\npub(crate) struct Sync;\nfn run() { apply::run() }"),
            ("ops/sync/apply.rs", "use super::Sync;\npub(crate) fn run() {}"),
        ],
        &[
            "3 files use each other in a circle:\n    src/pair/a.rs:2: uses src/pair/b.rs\
            \n    src/pair/b.rs:2: uses src/pair/c.rs\n    src/pair/c.rs:4: uses src/pair/a.rs",
            "2 files use each other in a circle:\n    src/ops/sync/apply.rs:1: uses src/ops/sync/mod.rs\
            \n    src/ops/sync/mod.rs:3: uses src/ops/sync/apply.rs",
        ],
    );
}

#[test]
fn declaring_and_re_exporting_a_child_is_no_use_of_it_and_leads_to_it() {
    are(
        &[
            (
                "types/mod.rs",
                "pub mod finding;\nmod text;\npub use finding::{Finding, Level as Grade};\npub use text::*;",
            ),
            ("types/finding.rs", "use super::shown;\npub struct Finding;\npub enum Level {}"),
            ("types/text.rs", "pub fn shown() {}"),
            // Through the parent each knows the other.
            ("pair/mod.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;"),
            ("pair/a.rs", "use super::B;\npub struct A;"),
            ("pair/b.rs", "use crate::pair::A;\npub struct B;"),
            // What it re-exports it needs itself.
            ("git/mod.rs", "mod store;\npub use store::Store;\npub struct Git(Store);"),
            ("git/store.rs", "use super::Git;\npub struct Store;"),
            // A module and a function of one name.
            ("setup/mod.rs", "mod plan;\npub use plan::plan;\npub struct Facts;"),
            ("setup/plan.rs", "use super::Facts;\npub fn plan() {}"),
        ],
        &[
            "2 files use each other in a circle:\n    src/pair/a.rs:1: uses src/pair/b.rs\n    src/pair/b.rs:1: uses src/pair/a.rs",
            "2 files use each other in a circle:\n    src/git/mod.rs:2: uses src/git/store.rs\n    src/git/store.rs:1: uses src/git/mod.rs",
        ],
    );
}

#[test]
fn tests_in_a_file_of_their_own_may_use_their_parent() {
    are(
        &[
            ("pair/title.rs", "pub fn title() {}\n#[cfg(test)]\nmod tests;"),
            ("pair/title/tests.rs", "use super::*;\nuse super::title;\n#[test]\nfn t() { title() }"),
        ],
        &[],
    );
}

#[test]
fn what_is_not_code_uses_nothing() {
    let text = r####"
//! See [`crate::ops`].
/* crate::ops::A /* nested */ crate::ops::B */
const A: &str = "crate::ops::A \" // crate::ops";
const B: &str = r#"use crate::ops::A; "quoted" "#;
const C: (char, char, &[u8], u8) = ('"', '\'', b"crate::ops", b'"');
pub(crate) fn f<'a>(it: &'a str) -> impl Iterator + use<'a> { it.crate_ops() }
pub(in crate::types) struct S;
fn g() { crate::ops::found() }
"####;
    are(&[("types/a.rs", text)], &["src/types/a.rs:9: `types` may not use `ops` (crate::ops::found)"]);
}
