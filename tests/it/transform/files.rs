//! `files_to_sync` against rsync itself: the same trees, the same items, the same files afterwards.
//!
//! Trees are written to temporary directories, `rsync --archive --checksum …` runs once for each item as packit runs
//! it, and what it leaves is compared with what [`sync`] returns: paths, content, execute bits, link targets. Where
//! rsync ends with an error, [`sync`] must refuse, and the other way round.
//!
//! Directories without files are disregarded, for git has none. So they are removed between two items as well.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::slice::from_ref;

use bstr::{BString, ByteSlice as _};
use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use source_git_bot::transform::files::{CopyItem, CopyPlan, Delete, MakePath, ReceiverFiles, sync};
use source_git_bot::types::{BlobId, File, FileMode, FileTree, RepoPath};

/// A file as the tests write it: content, or the target of a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Entry {
    Regular(String),
    Executable(String),
    Link(String),
}

type Entries = BTreeMap<String, Entry>;

fn entries(list: &[(&str, &str)]) -> Entries {
    list.iter().map(|(path, content)| ((*path).to_owned(), Entry::Regular((*content).to_owned()))).collect()
}

/// Gives equal contents equal names; nothing here looks into them.
fn blob(content: &str) -> BlobId {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    let mut id = [0; 20];
    id[..8].copy_from_slice(&hasher.finish().to_be_bytes());
    BlobId::from_bytes(id)
}

fn tree(entries: &Entries) -> FileTree {
    let file = |entry: &Entry| match entry {
        Entry::Regular(content) => File { mode: FileMode::Regular, blob: blob(content) },
        Entry::Executable(content) => File { mode: FileMode::Executable, blob: blob(content) },
        Entry::Link(target) => File { mode: FileMode::Symlink, blob: blob(target) },
    };
    entries.iter().map(|(path, entry)| (RepoPath::parse(path).unwrap(), file(entry))).collect()
}

fn write(root: &Path, entries: &Entries) {
    fs::create_dir(root).unwrap();
    for (path, entry) in entries {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mode = match entry {
            Entry::Regular(content) => fs::write(&path, content).map(|()| 0o644),
            Entry::Executable(content) => fs::write(&path, content).map(|()| 0o755),
            Entry::Link(target) => {
                symlink(target, &path).unwrap();
                continue;
            }
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode.unwrap())).unwrap();
    }
}

fn read(root: &Path) -> Entries {
    fn walk(directory: &Path, prefix: &str, out: &mut Entries) {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                walk(&entry.path(), &format!("{name}/"), out);
            } else if kind.is_symlink() {
                out.insert(name, Entry::Link(fs::read_link(entry.path()).unwrap().to_str().unwrap().to_owned()));
            } else {
                let content = fs::read_to_string(entry.path()).unwrap();
                let executable = entry.metadata().unwrap().permissions().mode() & 0o100 != 0;
                out.insert(name, if executable { Entry::Executable(content) } else { Entry::Regular(content) });
            }
        }
    }
    let mut out = Entries::new();
    walk(root, "", &mut out);
    out
}

fn remove_empty_directories(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            remove_empty_directories(&entry.path());
            // Fails where the directory holds something, as it should.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Runs rsync for each item as packit does; an error is what it says.
fn rsync(items: &[CopyItem], source: &Entries, dist: &Entries) -> Result<Entries, String> {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    write(&from, source);
    write(&to, dist);
    for item in items {
        let mut command = Command::new("rsync");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).args(["--archive", "--checksum"]);
        if item.delete == Delete::Extraneous {
            command.arg("--delete");
        }
        for filter in &item.filters {
            command.arg("--filter").arg(filter.to_os_str().unwrap());
        }
        if item.mkpath == MakePath::All {
            command.arg("--mkpath");
        }
        command.arg("--ignore-missing-args");
        let at = |root: &Path, path: &BString| [root.as_os_str().as_bytes(), b"/", path].concat();
        for src in &item.src {
            command.arg(at(&from, src).to_os_str().unwrap());
        }
        let output = command.arg(at(&to, &item.dest).to_os_str().unwrap()).output().unwrap();
        if !output.status.success() {
            return Err(output.stderr.to_str_lossy().into_owned());
        }
        remove_empty_directories(&to);
    }
    Ok(read(&to))
}

fn ours(items: &[CopyItem], source: &Entries, dist: &Entries) -> Result<FileTree, String> {
    let plan = CopyPlan::parse(items).map_err(|refusal| refusal.to_string())?;
    let synced = sync(&plan, &tree(source), &tree(dist), ReceiverFiles::Carried);
    synced.map(|synced| synced.files).map_err(|refusal| refusal.to_string())
}

fn item(src: &[&str], dest: &str, filters: &[&str]) -> CopyItem {
    CopyItem {
        src: src.iter().map(|src| BString::from(*src)).collect(),
        dest: dest.into(),
        filters: filters.iter().map(|filter| BString::from(*filter)).collect(),
        ..CopyItem::default()
    }
}

#[track_caller]
fn assert_same(items: &[CopyItem], source: &Entries, dist: &Entries) {
    match (rsync(items, source, dist), ours(items, source, dist)) {
        (Ok(rsync), Ok(ours)) => assert_eq!(ours, tree(&rsync), "rsync leaves {rsync:#?}"),
        (Err(_), Err(_)) => {}
        (Ok(rsync), Err(ours)) => panic!("refused: {ours}\nrsync leaves {rsync:#?}"),
        (Err(rsync), Ok(ours)) => panic!("rsync says: {rsync}\nours is {ours:#?}"),
    }
}

#[test]
fn the_item_that_packit_writes() {
    let standard = CopyItem {
        delete: Delete::Extraneous,
        ..item(
            &[".distro/"],
            ".",
            &["protect .git*", "protect sources", "exclude source-git.yaml", "exclude .gitignore"],
        )
    };
    let source = entries(&[
        (".distro/pkg.spec", "new spec"),
        (".distro/source-git.yaml", "config"),
        (".distro/.gitignore", "of source-git"),
        (".distro/.gitlab-ci.yml", "of source-git"),
        (".distro/tests/main.fmf", "test"),
        (".distro/tests/source-git.yaml", "not sent either"),
        ("upstream.c", "code"),
    ]);
    let dist = entries(&[
        ("pkg.spec", "old spec"),
        ("old.patch", "goes"),
        ("gating.yaml", "goes"),
        ("sources", "stays"),
        ("tests/sources", "stays too"),
        ("tests/old", "goes"),
        (".gitignore", "stays"),
        (".gitlab-ci.yml", "overwritten"),
        (".gitattributes", "stays"),
        ("source-git.yaml", "stays"),
    ]);
    assert_same(from_ref(&standard), &source, &dist);
    let expected = entries(&[
        ("pkg.spec", "new spec"),
        ("sources", "stays"),
        ("tests/sources", "stays too"),
        ("tests/main.fmf", "test"),
        (".gitignore", "stays"),
        (".gitlab-ci.yml", "of source-git"),
        (".gitattributes", "stays"),
        ("source-git.yaml", "stays"),
    ]);
    assert_eq!(ours(&[standard], &source, &dist).unwrap(), tree(&expected));
}

#[test]
fn what_dest_means_depends_on_what_is_there() {
    let source = entries(&[("a/x", "1"), ("a/b/y", "2"), ("c/x", "3"), ("z", "4")]);
    let dist = entries(&[("d/k", "5"), ("f", "6")]);
    for (src, filters) in [
        (vec!["a"], vec![]),
        (vec!["a/"], vec![]),
        (vec!["z"], vec![]),
        (vec!["a/x", "c/x"], vec![]),
        (vec!["gone"], vec![]),
        (vec!["a"], vec!["H a/*"]),
        (vec!["a/"], vec!["H *"]),
    ] {
        for (dest, mkpath) in [
            ("", MakePath::LastComponent),
            ("d", MakePath::LastComponent),
            ("f", MakePath::LastComponent),
            ("f/", MakePath::LastComponent),
            ("f/g", MakePath::All),
            ("new", MakePath::LastComponent),
            ("d/new/", MakePath::LastComponent),
            ("p/q", MakePath::LastComponent),
            ("p/q/", MakePath::LastComponent),
            ("p/q", MakePath::All),
            ("p/q/", MakePath::All),
        ] {
            assert_same(&[CopyItem { mkpath, ..item(&src, dest, &filters) }], &source, &dist);
        }
    }
}

#[test]
fn a_source_that_is_missing() {
    let source = entries(&[("a/x", "1"), ("f", "2")]);
    for src in ["gone", "a/gone", "gone/", "a/gone/", "gone/x", "f/", "f/x", "f/x/", "a/x/", "a/.", "a/..", "."] {
        assert_same(&[item(&[src], "d", &[])], &source, &entries(&[("d/k", "3")]));
    }
}

#[test]
fn of_two_equal_names_the_first_wins_and_a_directory_before_all() {
    let source = entries(&[("a/n", "1"), ("b/n", "2"), ("c/n/x", "3"), ("d/n/x", "4"), ("d/n/y", "5")]);
    for src in [["a/n", "b/n"], ["b/n", "a/n"], ["a/", "c/"], ["c/n", "a/n"], ["c/", "d/"], ["d/n", "c/n"]] {
        for delete in [Delete::Nothing, Delete::Extraneous] {
            let dist = entries(&[("to/n/z", "6"), ("to/m", "7")]);
            assert_same(&[CopyItem { delete, ..item(&src, "to", &[]) }], &source, &dist);
        }
    }
}

#[test]
fn another_type_in_the_way() {
    let mut source = entries(&[("s/file", "1"), ("s/dir/x", "2"), ("s/other/x", "3")]);
    source.insert("s/link".into(), Entry::Link("file".into()));
    for (path, entry) in [
        ("file/deep/keep", Entry::Regular("4".into())),
        ("link/x", Entry::Regular("4".into())),
        ("dir", Entry::Regular("4".into())),
        ("dir", Entry::Link("other".into())),
        ("file", Entry::Link("dir".into())),
        ("link", Entry::Executable("4".into())),
    ] {
        let dist = Entries::from([(path.to_owned(), entry)]);
        for delete in [Delete::Nothing, Delete::Extraneous] {
            for filters in [vec![], vec!["P keep"], vec!["P deep/"], vec!["H dir/x"]] {
                assert_same(&[CopyItem { delete, ..item(&["s/"], ".", &filters) }], &source, &dist);
            }
        }
    }
}

/// Few names, so that they meet: what sorts before and after a slash, dotfiles, wildcards and backslashes as letters.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(vec!["a", "b", "c"]),
        1 => select(vec!["ab", "a-b", "a0", ".a", ".gitx", "x y", "a*", "b\\", "[a]", "é", "-", "A_"]),
    ]
    .prop_map(str::to_owned)
}

fn path(depth: usize) -> impl Strategy<Value = String> {
    vec(name(), 1..=depth).prop_map(|names| names.join("/"))
}

fn entry() -> impl Strategy<Value = Entry> {
    let content = || "[xy]{1,2}";
    prop_oneof![
        5 => content().prop_map(Entry::Regular),
        1 => content().prop_map(Entry::Executable),
        1 => select(vec!["a", "b/c", "../x", "nowhere"]).prop_map(|target| Entry::Link(target.to_owned())),
    ]
}

/// A tree in which no file is in the way of another.
fn some_entries(most: usize) -> impl Strategy<Value = Entries> {
    vec((path(4), entry()), 0..most).prop_map(|list| {
        let mut entries = Entries::new();
        for (path, entry) in list {
            let below = format!("{path}/");
            if !entries.keys().any(|other| other.starts_with(&below) || path.starts_with(&format!("{other}/"))) {
                entries.insert(path, entry);
            }
        }
        entries
    })
}

fn pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => name(),
        2 => Just("*".to_owned()),
        1 => Just("**".to_owned()),
        1 => Just("?".to_owned()),
        1 => select(vec!["***", "[ab]", "[!a]", "[^b-c]", "[[:alpha:]]", "[]a]", "[a", "[[:no:]]", "[\\]a]", "\\a", "\\*", "\\"])
            .prop_map(str::to_owned),
    ];
    let component = vec(piece, 1..3).prop_map(|pieces| pieces.concat());
    let end = select(vec!["", "", "", "/", "/***", "/**", "/*", "//"]);
    let long = (select(vec!["", "", "/", "**/", "*/"]), vec(component, 1..4), end)
        .prop_map(|(start, components, end)| format!("{start}{}{end}", components.join("/")));
    let short = (select(vec!["", "/"]), prop_oneof![4 => name(), 1 => Just("*".to_owned())], select(vec!["", "/"]))
        .prop_map(|(start, name, end)| format!("{start}{name}{end}"));
    prop_oneof![2 => long, 1 => short]
}

fn filter() -> impl Strategy<Value = BString> {
    let rule = select(vec![
        "- ", "+ ", "P ", "R ", "H ", "S ", "exclude ", "include ", "protect ", "risk ", "hide ", "show_", "-_", "+,_",
    ]);
    let mixed = (rule, pattern()).prop_map(|(rule, pattern)| BString::from(format!("{rule}{pattern}")));
    prop_oneof![20 => mixed, 1 => Just(BString::from("- *")), 1 => Just(BString::from("+ */")), 1 => Just(BString::new(Vec::new()))]
}

/// Where an item points.
#[derive(Clone, Debug)]
enum Place {
    /// Some file or directory of the tree; `loose` is one that may not fit.
    OfTheTree {
        index: Index,
        depth: usize,
        end: &'static str,
        loose: bool,
    },
    Any(String),
    Top,
}

impl Place {
    fn source(&self, entries: &Entries) -> BString {
        match self {
            Self::OfTheTree { index, depth, end, loose } if !entries.is_empty() => {
                let (path, whole) = Self::cut(entries, index, *depth);
                let end = if whole && !loose { "" } else { end };
                format!("{path}{end}").into()
            }
            Self::Any(path) => path.as_str().into(),
            Self::OfTheTree { .. } | Self::Top => "./".into(),
        }
    }

    fn dest(&self, entries: &Entries) -> BString {
        match self {
            Self::OfTheTree { index, depth, end, loose } if !entries.is_empty() => {
                let (path, whole) = Self::cut(entries, index, *depth);
                let path =
                    if whole && !loose { path.rsplit_once('/').map_or(".", |(parent, _)| parent) } else { &path };
                // Packit resolves `dest` before rsync sees it; rsync itself cannot create `a/.`.
                format!("{path}{}", end.trim_end_matches('.')).into()
            }
            Self::Any(path) => path.as_str().into(),
            Self::OfTheTree { .. } | Self::Top => ".".into(),
        }
    }

    fn cut(entries: &Entries, index: &Index, depth: usize) -> (String, bool) {
        let paths: Vec<_> = entries.keys().collect();
        let components: Vec<_> = index.get(&paths).split('/').collect();
        let depth = depth.min(components.len());
        (components[..depth].join("/"), depth == components.len())
    }
}

fn place() -> impl Strategy<Value = Place> {
    let end = select(vec!["", "", "/", "/."]);
    prop_oneof![
        10 => (any::<Index>(), 1..4_usize, end, weighted(0.1))
            .prop_map(|(index, depth, end, loose)| Place::OfTheTree { index, depth, end, loose }),
        1 => path(2).prop_map(|path| Place::Any(path.replace(['*', '['], "x"))),
        4 => Just(Place::Top),
    ]
}

type Draft = (Vec<Place>, Place, MakePath, Delete, Vec<BString>);

fn draft() -> impl Strategy<Value = Draft> {
    (
        vec(place(), 1..4),
        place(),
        select(vec![MakePath::LastComponent, MakePath::All]),
        select(vec![Delete::Nothing, Delete::Extraneous, Delete::Extraneous]),
        vec(filter(), 0..5),
    )
}

fn items(drafts: Vec<Draft>, source: &Entries, dist: &Entries) -> Vec<CopyItem> {
    let item = |(src, dest, mkpath, delete, filters): Draft| CopyItem {
        src: src.iter().map(|place| place.source(source)).collect(),
        dest: dest.dest(dist),
        mkpath,
        delete,
        filters,
    };
    drafts.into_iter().map(item).collect()
}

/// Returns the items with each `src` as a glob that matches nothing but itself, as packit has expanded globs before
/// rsync runs; a `src` that does not exist is no glob in these tests.
fn escaped(items: &[CopyItem]) -> Vec<CopyItem> {
    let escape = |src: &BString| src.replace("[", "[[]").replace("*", "[*]").into();
    items.iter().map(|item| CopyItem { src: item.src.iter().map(escape).collect(), ..item.clone() }).collect()
}

/// Says whether a path of the item leads through a link, or to one that `dest` or a slash would have rsync follow:
/// rsync does follow them, and [`sync`] refuses to.
fn follows_links(items: &[CopyItem], source: &Entries, dist: &Entries) -> bool {
    let through = |entries: &Entries, path: &BString, itself: bool| {
        entries.iter().filter(|(_, entry)| matches!(entry, Entry::Link(_))).any(|(link, _)| {
            let path = path.trim_end_with(|c| c == '.' || c == '/');
            path.starts_with(format!("{link}/").as_bytes()) || (itself && path == link.as_bytes())
        })
    };
    items.iter().any(|item| {
        item.src.iter().any(|src| through(source, src, src.ends_with(b"/") || src.ends_with(b"/.")))
            || through(dist, &item.dest, true)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_items_do_what_rsync_does(
        source in some_entries(14),
        dist in some_entries(14),
        drafts in vec(draft(), 1..3),
    ) {
        let items = items(drafts, &source, &dist);
        prop_assume!(!follows_links(&items, &source, &dist));
        let (rsync, ours) = (rsync(&items, &source, &dist), ours(&escaped(&items), &source, &dist));
        match (rsync, ours) {
            (Ok(rsync), Ok(ours)) => prop_assert_eq!(ours, tree(&rsync), "rsync leaves {:#?}", rsync),
            (Err(_), Err(_)) => {}
            // A link that the first item put there, in the way of the second.
            (Ok(_), Err(ours)) if items.len() > 1 && ours.contains("dist-git has a symbolic link") => {}
            (Ok(rsync), Err(ours)) => prop_assert!(false, "refused: {ours}\nrsync leaves {rsync:#?}"),
            (Err(rsync), Ok(ours)) => prop_assert!(false, "rsync says: {rsync}\nours is {ours:#?}"),
        }
    }

    #[test]
    fn any_pattern_matches_what_rsync_matches(filters in vec(filter(), 1..4)) {
        let names = ["a", "b\\", ".a", "é"];
        let mut all = Entries::new();
        for first in names {
            all.insert(format!("f{first}"), Entry::Regular(String::new()));
            for second in names {
                all.insert(format!("{first}/f{second}"), Entry::Regular(String::new()));
                all.insert(format!("{first}/{second}/a"), Entry::Regular(String::new()));
                all.insert(format!("{first}/{second}/ab/b"), Entry::Regular(String::new()));
            }
        }
        let item = CopyItem { delete: Delete::Extraneous, filters, ..item(&["./"], ".", &[]) };
        // All that is sent is new, and all that is deleted is old: both sides of the rules show.
        let old = all.keys().map(|path| (path.clone(), Entry::Executable("old".to_owned()))).collect();
        let sent = rsync(from_ref(&item), &all, &Entries::new()).unwrap();
        prop_assert_eq!(ours(from_ref(&item), &all, &Entries::new()).unwrap(), tree(&sent), "sent: {:#?}", sent);
        let source = entries(&[("a/a/x", ""), ("b/x", "")]);
        let left = rsync(from_ref(&item), &source, &old).unwrap();
        prop_assert_eq!(ours(&[item], &source, &old).unwrap(), tree(&left), "left: {:#?}", left);
    }
}
