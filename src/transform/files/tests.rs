//! Each rule of the transfer, with expectations written by hand. `tests/it/transform/files.rs` compares with rsync itself.

use bstr::BString;

use crate::transform::files::*;
use crate::types::{BlobId, File, FileMode, FileTree, Level, Refusal, RepoPath};

fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).unwrap()
}

/// Returns a tree from `path` or `path=content`. `>` begins the target of a symbolic link; `!` means a submodule.
fn tree(list: &[&str]) -> FileTree {
    let file = |content: &str| {
        let mode = match content.bytes().next() {
            Some(b'>') => FileMode::Symlink,
            Some(b'!') => FileMode::Gitlink,
            _ => FileMode::Regular,
        };
        File { mode, blob: BlobId::from_bytes([content.bytes().fold(0, u8::wrapping_add); 20]) }
    };
    list.iter()
        .map(|entry| {
            let (name, content) = entry.split_once('=').unwrap_or((entry, ""));
            (path(name), file(content))
        })
        .collect()
}

fn item(src: &[&str], dest: &str) -> CopyItem {
    CopyItem { src: src.iter().map(|src| BString::from(*src)).collect(), dest: dest.into(), ..CopyItem::default() }
}

fn with_filters(filters: &[&str], item: CopyItem) -> CopyItem {
    CopyItem { filters: filters.iter().map(|filter| BString::from(*filter)).collect(), ..item }
}

fn run(
    items: &[CopyItem],
    source: &[&str],
    dist: &[&str],
    receiver_files: ReceiverFiles,
) -> Result<CopiedFiles, Refusal> {
    sync(&CopyPlan::parse(items)?, &tree(source), &tree(dist), receiver_files)
}

fn copy(items: &[CopyItem], source: &[&str], dist: &[&str]) -> Result<CopiedFiles, Refusal> {
    run(items, source, dist, ReceiverFiles::Carried)
}

fn parse_error(item: CopyItem) -> String {
    CopyPlan::parse(&[item]).unwrap_err().to_string()
}

#[test]
fn a_path_stays_inside_its_repository() {
    for (src, what) in [
        ("/etc/passwd", "absolute"),
        ("..", "leads out"),
        ("a/../../b", "leads out"),
        ("./.././a", "leads out"),
        (".git/config", "`.git`"),
        ("a/.GIT/", "`.git`"),
        ("a\0b", "NUL"),
        ("", "empty"),
    ] {
        let text = parse_error(item(&["ok", src], "."));
        assert!(text.contains("`src`") && text.contains("item 1") && text.contains(what), "{src}: {text}");
    }
    for (dest, what) in [("/", "absolute"), ("../x", "leads out"), ("a/../..", "leads out"), (".git", "`.git`")] {
        let text = parse_error(item(&["ok"], dest));
        assert!(text.contains("`dest`") && text.contains(what), "{dest}: {text}");
    }
    for src in ["./x", "a//x", ".distro/../x", "a/b/../../x", "./", "..x"] {
        assert!(CopyPlan::parse(&[item(&[src], "")]).is_ok(), "{src}");
    }
}

#[test]
fn a_filter_is_checked_before_anything_is_read() {
    assert!(parse_error(with_filters(&["P sources", ". /etc/passwd"], item(&["a"], "."))).contains("merge rule"));
}

#[test]
fn the_number_of_sources_and_filters_is_limited() {
    let many = |count| vec![BString::from("- x"); count];
    assert!(CopyPlan::parse(&[CopyItem { filters: many(500), ..item(&["a"], ".") }]).is_ok());
    assert!(parse_error(CopyItem { filters: many(501), ..item(&["a"], ".") }).contains("500"));
    assert!(parse_error(CopyItem { src: many(251), ..item(&[], ".") }).contains("250"));
}

#[test]
fn only_the_paths_that_items_read_are_needed() {
    let needed = |src: &[&str]| CopyPlan::parse(&[item(src, ".")]).unwrap().sources_needed();
    let top = |names: &[&str]| SourcesNeeded::TopLevel(names.iter().map(|name| path(name)).collect());
    assert_eq!(needed(&[".distro/", "docs/*.md", "x/../README"]), top(&[".distro", "README", "docs"]));
    assert_eq!(needed(&[]), top(&[]));
    for src in ["*.spec", "./", ".", "a/..", "[ab]/c"] {
        assert_eq!(needed(&["docs", src]), SourcesNeeded::Everything, "{src}");
    }
}

#[test]
fn patches_exclude_what_the_items_copy() {
    let pathspecs = |src: &[&str]| CopyPlan::parse(&[item(src, ".")]).unwrap().excluded_pathspecs();
    assert_eq!(pathspecs(&[".distro/", "./a/../b"]), [":(exclude,literal).distro", ":(exclude,literal)b"]);
    assert_eq!(pathspecs(&["./"]), [":(exclude,literal)."]);
    assert_eq!(
        pathspecs(&["d\\/**.c"]),
        [":(exclude,glob)d\\\\/*.c", ":(exclude,glob)d\\\\/*.c/**", ":(exclude,literal)d\\/**.c"]
    );
    assert_eq!(pathspecs(&[":(top)x"]), [":(exclude,literal):(top)x"]);
}

#[test]
fn a_trailing_slash_means_the_contents() {
    let files = |src| copy(&[item(&[src], ".")], &["a/b/x", "a/b/c/y"], &[]).unwrap().files;
    assert_eq!(files("a/b/"), tree(&["x", "c/y"]));
    assert_eq!(files("a/b/."), tree(&["x", "c/y"]));
    assert_eq!(files("a/b"), tree(&["b/x", "b/c/y"]));
    assert_eq!(files("a/b/x"), tree(&["x"]));
    assert_eq!(files("./"), tree(&["a/b/x", "a/b/c/y"]));
}

#[test]
fn globs_are_expanded_first() {
    let source = &["a.spec", "b.spec", ".c.spec", "d/e.spec", "f[1]", "f1", "g[2]"];
    let files = |src| copy(&[item(&[src], "to/")], source, &[]).unwrap().files;
    assert_eq!(files("*.spec"), tree(&["to/a.spec", "to/b.spec"]));
    assert_eq!(files("*/*.spec"), tree(&["to/e.spec"]));
    assert_eq!(files("f[1]"), tree(&["to/f1"]));
    assert_eq!(files("g[2]"), tree(&["to/g[2]"]));
    assert_eq!(files("*.none"), tree(&[]));
    assert_eq!(files("*/"), tree(&["to/e.spec"]));
}

#[test]
fn a_filter_is_anchored_where_the_transfer_begins() {
    let files = |src, filter| {
        copy(&[with_filters(&[filter], item(&[src], "."))], &["a/b/c/x", "a/b/x", "a/b/y"], &[]).unwrap().files
    };
    assert_eq!(files("a/b/", "- /x"), tree(&["c/x", "y"]));
    assert_eq!(files("a/b", "- /x"), tree(&["b/c/x", "b/x", "b/y"]));
    assert_eq!(files("a/b", "- /b/x"), tree(&["b/c/x", "b/y"]));
    assert_eq!(files("a/b", "- b"), tree(&[]));
    assert_eq!(files("a/b/y", "- /y"), tree(&[]));
}

#[test]
fn a_hidden_directory_is_not_entered() {
    let filters = &["- c/", "+ c/x", "+ x", "- *"];
    let synced = copy(&[with_filters(filters, item(&["a/"], "."))], &["a/c/x", "a/x", "a/y"], &[]).unwrap();
    assert_eq!(synced.files, tree(&["x"]));
}

#[test]
fn a_protected_file_keeps_its_directory() {
    let delete =
        CopyItem { delete: Delete::Extraneous, ..with_filters(&["P keep", "R old", "- own"], item(&["a/"], ".")) };
    let dist = &["d/keep", "d/old", "d/e/keep", "d/f/old", "own/x", "y"];
    assert_eq!(copy(&[delete], &["a/x"], dist).unwrap().files, tree(&["x", "d/keep", "d/e/keep", "own/x"]));
}

#[test]
fn deletion_stays_inside_transferred_directories() {
    let delete = |src: &[&str]| CopyItem { delete: Delete::Extraneous, ..item(src, ".") };
    let dist = &["b/old", "b/c/old", "old"];
    assert_eq!(copy(&[delete(&["a/b"])], &["a/b/x"], dist).unwrap().files, tree(&["b/x", "old"]));
    assert_eq!(copy(&[delete(&["a/b/x"])], &["a/b/x"], dist).unwrap().files, tree(&["b/old", "b/c/old", "old", "x"]));
    assert_eq!(copy(&[delete(&["gone"])], &["a"], dist).unwrap().files, tree(dist));
}

#[test]
fn later_items_see_what_earlier_ones_left() {
    let items = [item(&["a/"], "."), item(&["x"], "d"), CopyItem { delete: Delete::Extraneous, ..item(&["b/"], "d") }];
    let synced = copy(&items, &["a/d/y", "b/z", "x"], &[]).unwrap();
    assert_eq!(synced.files, tree(&["d/z"]));
    assert_eq!(synced.placed, [(path("b/z"), vec![path("d/z")])].into());
}

#[test]
fn all_paths_of_a_source_file_are_returned() {
    let items = [item(&["a/x"], "one"), item(&["a/"], "."), item(&["a/x"], "y")];
    let synced = copy(&items, &["a/x=1", "a/y=2"], &[]).unwrap();
    assert_eq!(synced.placed, [(path("a/x"), vec![path("one"), path("x"), path("y")])].into());
    assert_eq!(synced.files, tree(&["one=1", "x=1", "y=1"]));
}

#[test]
fn links_and_modes_are_kept() {
    let mut source = tree(&["a/link=>x", "a/x"]);
    source.get_mut(&path("a/x")).unwrap().mode = FileMode::Executable;
    let plan = CopyPlan::parse(&[item(&["a/"], ".")]).unwrap();
    let synced = sync(&plan, &source, &tree(&["x=other", "link"]), ReceiverFiles::Carried).unwrap();
    assert_eq!(synced.files.get(&path("x")), source.get(&path("a/x")));
    assert_eq!(synced.files.get(&path("link")), source.get(&path("a/link")));
}

#[test]
fn no_link_is_followed() {
    for (src, dest, subject) in [
        ("link/x", ".", "link"),
        ("link/", ".", "link"),
        ("a", "out/x", "out"),
        ("a", "out", "out"),
        ("a", "out/", "out"),
    ] {
        let refusal = copy(&[item(&[src], dest)], &["link=>a", "a/x"], &["out=>../.."]).unwrap_err();
        assert!(refusal.to_string().starts_with(subject), "{src} {dest}: {refusal}");
        assert!(refusal.text.contains("symbolic link"), "{src} {dest}: {refusal}");
    }
    let synced = copy(&[item(&["*/x"], ".")], &["link=>a", "a/x"], &[]).unwrap();
    assert_eq!(synced.files, tree(&["x"]));
    assert_eq!(
        synced.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["warning: link: files_to_sync item 1 does not follow this symbolic link"]
    );
}

#[test]
fn a_submodule_is_refused() {
    let refusal = copy(&[item(&["a/"], ".")], &["a/sub=!"], &[]).unwrap_err();
    assert_eq!(refusal.to_string(), "a/sub: files_to_sync would carry a submodule, whose content is not in source-git");
    assert!(copy(&[with_filters(&["- sub"], item(&["a/"], "."))], &["a/sub=!", "a/x"], &[]).is_ok());
    for source in ["a/sub", "a/sub/x"] {
        let refusal = copy(&[item(&["a/"], ".")], &[source], &["sub=!"]).unwrap_err();
        assert!(refusal.text.contains("dist-git has a submodule"), "{refusal}");
    }
}

#[test]
fn what_rsync_cannot_do_is_refused_with_a_remedy() {
    for (src, dest, dist, text, remedy) in [
        ("a", "p/q", "k", "the parent directory of `dest` of files_to_sync item 1 does not exist", "`mkpath: true`"),
        ("a", "k", "k", "needs a directory as `dest`", "give another `dest`"),
        ("a/x", "k/y", "k", "needs a directory here, and dist-git has a file", "`dest`"),
        ("a/x", ".", "x/y", "put a file where dist-git has a directory, and x/y is to stay", "delete: true"),
        ("gone/", ".", "k", "reads a directory that source-git does not have", "correct its `src`"),
        ("gone/x", ".", "k", "reads a directory that source-git does not have", "correct its `src`"),
        ("a/x/y", ".", "k", "needs a directory here, and source-git has a file", "`src`"),
    ] {
        let refusal = copy(&[item(&[src], dest)], &["a/x", "a/y"], &[dist]).unwrap_err();
        assert!(refusal.text.contains(text), "{src} {dest}: {refusal}");
        assert!(refusal.remedy.contains(remedy), "{src} {dest}: {}", refusal.remedy);
        assert!(refusal.subject.is_some(), "{src} {dest}: {refusal}");
    }
}

#[test]
fn dist_git_keeps_its_own_files() {
    let everything = CopyItem { delete: Delete::Extraneous, ..item(&[".distro/"], ".") };
    let source = &[
        ".distro/.gitlab-ci.yml=evil",
        ".distro/.gitattributes=new",
        ".distro/.gitlab/x",
        ".distro/sources=new",
        ".distro/tests/sources=new",
        ".distro/pkg.spec",
    ];
    let dist = &[".gitlab-ci.yml=own", ".gitignore=own", "sources=new", "old"];
    let synced = run(&[everything], source, dist, ReceiverFiles::StayOwn).unwrap();
    assert_eq!(
        synced.files,
        tree(&[".gitlab-ci.yml=own", ".gitignore=own", "sources=new", "tests/sources=new", "pkg.spec"])
    );
    assert!(!synced.placed.contains_key(&path(".distro/.gitlab-ci.yml")));
    assert!(synced.findings.iter().all(|finding| finding.level == Level::Note));
    assert_eq!(
        synced.findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "note: .gitattributes: dist-git's own stays: files_to_sync would have created it",
            "note: .gitignore: dist-git's own stays: files_to_sync would have deleted it",
            "note: .gitlab-ci.yml: dist-git's own stays: files_to_sync would have overwritten it",
            "note: .gitlab/x: dist-git's own stays: files_to_sync would have created it",
        ]
    );
}

#[test]
fn an_item_can_name_sources_but_not_ci_files() {
    let items = [
        item(&[".distro/sources", ".distro/.gitignore", ".distro/.gitlab-ci.yml"], "."),
        item(&[".distro/x"], ".gitlab-ci.yml"),
    ];
    let source = &[".distro/sources=new", ".distro/.gitignore=new", ".distro/.gitlab-ci.yml=evil", ".distro/x=evil"];
    let synced = run(&items, source, &["sources=own"], ReceiverFiles::StayOwn).unwrap();
    assert_eq!(synced.files, tree(&["sources=new", ".gitignore=new"]));
}

#[test]
fn many_files_and_filters_are_handled() {
    let source: FileTree = (0..10_000)
        .map(|n| {
            (
                path(&format!("d/{}/{}/file-{n}.c", n % 40, n % 400)),
                File { mode: FileMode::Regular, blob: BlobId::from_bytes([0; 20]) },
            )
        })
        .collect();
    let filters: Vec<_> = (0..20).map(|n| format!("- *a*a*{n}*.patch")).collect();
    let filters: Vec<_> = filters.iter().map(String::as_str).collect();
    let plan =
        CopyPlan::parse(&[CopyItem { delete: Delete::Extraneous, ..with_filters(&filters, item(&["d/"], ".")) }]);
    let synced = sync(&plan.unwrap(), &source, &source, ReceiverFiles::Carried).unwrap();
    assert_eq!(synced.files.len(), 10_000);
}
