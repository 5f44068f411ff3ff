//! `update-dist-git` and what it cannot carry over: refused by name with a remedy, or told as a problem, and nothing lost.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::world::FIXED;
use crate::support::{CONFIG, Clones, Run, SPEC};

#[test]
fn upstream_refs_that_lead_nowhere_are_refused() {
    let clones = Clones::new();
    clones.git("source-git", &["tag", "v1.1"]);
    clones.git("source-git", &["tag", "blob", "HEAD:README"]);
    clones.git("source-git", &["checkout", "-q", "--orphan", "other"]);
    clones.commit("Unrelated");
    clones.git("source-git", &["checkout", "-q", "c9s"]);
    for (given, said) in [
        ("v9", "`v9` is neither a tag nor a branch"),
        ("v1.*", "`v1.*` fits 2 refs"),
        ("blob", "`blob` is no commit that source-git has"),
        (&"12".repeat(20), "is no commit that source-git has"),
        ("other", "have no history in common"),
        ("--help", "`--help`, which cannot be a tag or branch"),
        ("HEAD^{/x}", "cannot be a tag or branch"),
    ] {
        let run = clones.update(&[&format!("--upstream-ref={given}")]);
        run.ends_with(3);
        assert!(run.stderr.contains(said), "{given}: {}", run.stderr);
    }
    clones.git("source-git", &["checkout", "-q", "-b", "ahead", "v1.0"]);
    clones.change("README", "New.\n", "Upstream goes on");
    clones.git("source-git", &["checkout", "-q", "c9s"]);
    let run = clones.update(&["--upstream-ref=ahead"]);
    run.ends_with(3);
    assert!(run.stderr.contains("does not contain the upstream ref"), "{}", run.stderr);
}

#[test]
fn a_clone_that_was_cut_too_short_says_so() {
    let clones = Clones::new();
    clones.change("hello.c", FIXED, "Return success");
    let source = format!("file://{}", clones.path("source-git").display());
    fs::rename(clones.path("source-git"), clones.path("origin")).unwrap();
    let source = source.replace("source-git", "origin");
    clones.git(".", &["clone", "-q", "--depth=1", &source, "source-git"]);
    clones.git("source-git", &["fetch", "-q", "--depth=1", "origin", "tag", "v1.0"]);
    clones.refuses(&["cannot tell which commits lie between the upstream ref and the head: the clone is shallow"]);
    clones.git("source-git", &["fetch", "-q", "--unshallow"]);
    clones.update(&[]).ends_with(0);
}

#[test]
fn a_clone_that_was_cut_on_one_side_of_a_merge_says_so() {
    let clones = Clones::new();
    clones.git("source-git", &["checkout", "-q", "-b", "topic"]);
    clones.change("NEWS", "One.\n", "One");
    let cut = clones.change("NEWS", "One.\nTwo.\n", "Two");
    clones.git("source-git", &["checkout", "-q", "c9s"]);
    clones.change("hello.c", FIXED, "Return success");
    clones.git("source-git", &["merge", "-q", "-m", "Merge topic", "topic"]);
    fs::write(clones.path("source-git/.git/shallow"), format!("{cut}\n")).unwrap();
    clones.refuses(&["cannot tell which commits lie between", "the clone is shallow"]);
}

#[test]
fn bad_input_is_refused_by_name_and_changes_nothing() {
    let with_spec = |spec: &str| {
        let clones = Clones::new();
        clones.change("hello.c", FIXED, "Return success");
        clones.change(".distro/hello.spec", spec, "Change the spec");
        clones
    };
    let with_config = |config: &str| {
        let clones = Clones::new();
        clones.change(".distro/source-git.yaml", config, "Change the configuration");
        clones
    };
    let with_message = |message: &str| {
        let clones = Clones::new();
        clones.change("hello.c", FIXED, message);
        clones
    };
    with_config("a: [").refuses(&[".distro/source-git.yaml: "]);
    with_config("specfile_path: .distro/hello.spec\n").refuses(&["has no `upstream_ref`"]);
    with_config(&CONFIG.replace(".distro/hello.spec", "../hello.spec")).refuses(&["specfile_path", "`..`"]);
    with_config(&CONFIG.replace("hello.spec", "other.spec")).refuses(&[".distro/other.spec"]);
    with_config(&CONFIG.replace("dest: .", "dest: ../..")).refuses(&["files_to_sync"]);
    with_config(&CONFIG.replace("protect .git*", ": merge")).refuses(&[": merge"]);
    with_config(&CONFIG.replace("exclude .gitignore", "exclude *.spec")).refuses(&["not copied to dist-git"]);
    let twice = format!("{CONFIG}- src: .distro/hello.spec\n  dest: copy.spec\n");
    with_config(&twice).refuses(&["copied to dist-git twice"]);
    with_spec("").refuses(&[".distro/hello.spec"]);
    with_spec(&SPEC.replace("Source0:", "%include x\nSource0:")).refuses(&["%include", "Patch-id"]);
    for name in ["../../x.patch", ".git/hooks/pre-commit", "/etc/x.patch", "hello.spec", "-x.patch", "a b.patch", "x"] {
        with_message(&format!("Return success\n\nPatch-name: {name}")).refuses(&["commit ", "`Patch-name`"]);
    }
    with_message("Return success\n\nPatch-id: x").refuses(&["commit ", "`Patch-id`"]);
    with_message(&format!("Return success\n\n{}", "x".repeat(2 << 20)))
        .refuses(&["commit ", "its message has more than 1048576 bytes"]);

    let clones = with_message("Return success\n\nPatch-name: mine.patch");
    clones.change(".distro/mine.patch", "x\n", "A file of that name");
    clones.refuses(&["would overwrite mine.patch"]);
    let clones = with_message("Return success\n\nPatch-name: mine.patch");
    clones.change(".distro/mine.patch/file", "x\n", "A directory of that name");
    clones.refuses(&["mine.patch, which is a directory"]);

    let clones = Clones::new();
    fs::remove_file(clones.path("source-git/.distro/hello.spec")).unwrap();
    symlink("/etc/passwd", clones.path("source-git/.distro/hello.spec")).unwrap();
    clones.commit("A link for a spec");
    clones.refuses(&[".distro/hello.spec: the spec is not a regular file"]);

    let clones = Clones::new();
    clones.git("source-git", &["rm", "-q", ".distro/source-git.yaml"]);
    clones.commit("No configuration");
    clones.refuses(&["has no package configuration"]);

    let clones = Clones::new();
    symlink("b", clones.path("source-git/.distro/a")).unwrap();
    symlink("a", clones.path("source-git/.distro/b")).unwrap();
    clones.commit("Links that go in circles are links like any other");
    clones.update(&[]).ends_with(0);
    assert!(clones.has("a") && clones.has("b"));
}

#[test]
fn what_a_build_would_never_see_is_refused() {
    let clones = Clones::new();
    let commit = clones.change(
        "model.bin",
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "Add a model",
    );
    clones.refuses(&[&format!("commit {}", &commit[..10]), "model.bin, which Git LFS keeps elsewhere"]);

    let clones = Clones::new();
    let head = clones.git("source-git", &["rev-parse", "HEAD"]);
    clones.git("source-git", &["update-index", "--add", "--cacheinfo", &format!("160000,{head},lib")]);
    clones.git("source-git", &["commit", "-q", "-m", "Add a submodule"]);
    let commit = clones.git("source-git", &["rev-parse", "HEAD"]);
    clones.refuses(&[&format!("commit {}", &commit[..10]), "the submodule lib"]);
}

#[test]
fn what_the_spec_cannot_apply_is_a_problem_with_a_remedy() {
    let clones = Clones::new();
    clones.change("logo.png", b"\x89PNG\r\n\x1a\n\0\0\0\xff", "Add a logo");
    clones.change("hello.c", FIXED, "Return success\n\nNo-prefix: true");
    let run = clones.update(&[]);
    run.ends_with(0);
    for part in [
        "not verified: 2 patches on v1.0 give tree",
        "`0001-Add-a-logo.patch` changes logo.png, a binary file, which `patch` cannot apply\n  hint: write `%autosetup -S git -p1`",
        "`0002-Return-success.patch` needs `-p0`, and the spec applies it otherwise\n  hint: remove `No-prefix`",
    ] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    clones.change(".distro/hello.spec", SPEC.replace("-p1", "-S git -p1"), "Apply with git");
    let run = clones.update(&[]);
    assert!(!run.stdout.contains("logo.png, a binary file"), "{}", run.stdout);
}

/// Each of these is refused by patch 2.7.6, and the squashed renames by `git apply` too.
#[test]
fn what_patch_cannot_apply_though_it_is_text_is_a_problem() {
    let said = |change: &dyn Fn(&Clones), part: &str| {
        let clones = Clones::new();
        change(&clones);
        let run = clones.update(&[]);
        run.ends_with(0);
        assert!(run.stdout.contains("\nnot verified: "), "{}", run.stdout);
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    };
    let git = |clones: &Clones, arguments: &[&str]| drop(clones.git("source-git", arguments));
    said(&|clones| drop(clones.change("an empty file", "", "Add")), "a name with a space where no line changes");
    said(&|clones| drop(clones.change("end ", "x\n", "Add")), "whose name ends in a space");
    said(
        &|clones| {
            git(clones, &["mv", "README", "text"]);
            git(clones, &["rm", "-q", "hello.c"]);
            clones.change("hello.c/main.c", FIXED, "Make a directory");
        },
        "hello.c/main.c, and what was or becomes a file in the place of its directory",
    );
    said(
        &|clones| {
            for (from, to) in [("README", "one"), ("one", "two")] {
                git(clones, &["mv", from, to]);
                clones.commit("Rename\n\nPatch-name: rename.patch");
            }
        },
        "renames two and changes it in another of its commits",
    );
}

#[test]
fn a_binary_patch_that_the_spec_names_already_is_a_problem_as_well() {
    let clones = Clones::new();
    let message = "Add a logo\n\nPatch-name: logo.patch\nPatch-present-in-specfile: true";
    clones.change("logo.png", b"\x89PNG\r\n\x1a\n\0\0\0\xff", message);
    clones.change(".distro/hello.spec", SPEC.replace("Source0:", "Patch7: logo.patch\nSource0:"), "Name the patch");
    let run = clones.update(&[]);
    run.ends_with(0);
    assert!(run.stdout.contains("not verified: 1 patch"), "{}", run.stdout);
}

#[test]
fn a_patch_that_the_spec_applies_too_early_is_refused() {
    let clones = Clones::new();
    clones.change("README", "Hello, first.\n", "First");
    clones.change("README", "Hello, second.\n", "Second\n\nPatch-name: b.patch\nPatch-present-in-specfile: true");
    clones.change(".distro/hello.spec", SPEC.replace("Source0:", "Patch7: b.patch\nSource0:"), "Name the patch");
    clones.refuses(&["`b.patch` does not apply where the spec has it"]);
    // Where it does not matter, the order is the packager's.
    let clones = Clones::new();
    clones.change("README", "Hello, first.\n", "First");
    clones.change("hello.c", FIXED, "Second\n\nPatch-name: b.patch\nPatch-present-in-specfile: true");
    clones.change(".distro/hello.spec", SPEC.replace("Source0:", "Patch7: b.patch\nSource0:"), "Name the patch");
    clones.update(&[]).ends_with(0);
}

#[test]
fn nothing_that_a_contributor_writes_reaches_the_terminal_as_it_is() {
    let clones = Clones::new();
    clones.change("hello.c", FIXED, "Return \x1b[31mred\x1b[0m\r\n\nPatch_name: \x1b]0;x\x07.patch");
    clones.change("\x1b[2J", "x\n", "Add a file\n\nPatch-name: a.patch\n\nMore");
    for arguments in [&["--dry-run"][..], &["--dry-run", "--output", "json"], &["--dry-run", "-vv"]] {
        let run = clones.update(arguments);
        run.ends_with(0);
        let hostile = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!run.stdout.contains(hostile), "{:?}", run.stdout);
        assert!(!run.stderr.contains(hostile), "{:?}", run.stderr);
    }
}

#[test]
fn the_data_hold_no_controls_and_are_what_was_written() {
    let clones = Clones::new();
    let config = CONFIG.replace("name: hello", r#"name: "h\x7f\x9b31m\u202e\U000E0041""#);
    clones.change(".distro/source-git.yaml", config, "Name it");
    let run = clones.update(&["--output", "json", "--dry-run"]);
    run.ends_with(0);
    assert_eq!(run.json()["package"], "h\x7f\u{9b}31m\u{202e}\u{e0041}");
    assert!(run.stdout.is_ascii() && !run.stdout.contains('\x7f'), "{}", run.stdout);
}

#[test]
fn a_repository_that_is_none_is_said_so() {
    let clones = Clones::new();
    fs::create_dir(clones.path("empty")).unwrap();
    clones.git(".", &["init", "-q", "unborn"]);
    clones.git(".", &["clone", "-q", "--bare", "source-git", "bare"]);
    for (source, dist, said) in [
        ("missing", "dist-git", "source-git missing is not a directory"),
        ("source-git", "missing", "dist-git missing is not a directory"),
        ("empty", "dist-git", "source-git empty is not a git clone"),
        ("bare", "dist-git", "source-git bare is not a git clone with a work tree"),
        ("source-git", "unborn", "dist-git unborn has no commit checked out"),
        ("source-git", "source-git/.distro", "/"),
    ] {
        let run = Run::of(clones.program().args(["update-dist-git", source, dist]));
        run.ends_with(2);
        assert!(run.stderr.starts_with(&format!("error: {said}")), "{}", run.stderr);
        assert!(run.stderr.contains("\nhint: "), "{}", run.stderr);
    }
    assert_eq!(clones.git("source-git", &["status", "--porcelain"]), "");
}

#[test]
fn a_git_that_is_too_old_or_missing_is_said_so() {
    let clones = Clones::new();
    fs::create_dir(clones.path("bin")).unwrap();
    let arguments = ["update-dist-git", "source-git", "dist-git"];
    let run = Run::of(clones.program().env("PATH", clones.path("bin")).args(arguments));
    run.ends_with(1);
    assert!(run.stderr.starts_with("error: starting git on the search path"), "{}", run.stderr);
    fs::write(clones.path("bin/git"), "#!/bin/sh\necho git version 2.38.9\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(clones.path("bin/git"), mode).unwrap();
    let path = format!("{}:/bin:/usr/bin", clones.path("bin").display());
    let run = Run::of(clones.program().env("PATH", path).args(arguments));
    run.ends_with(1);
    assert_eq!(run.stderr, "error: git 2.38 is too old: install git 2.39 or newer\n");
}
