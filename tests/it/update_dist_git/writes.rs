//! `update-dist-git` as a packager runs it: what it writes, what it says, and what it leaves alone.

use std::fs;
use std::os::unix::fs::symlink;

use insta::assert_snapshot;

use crate::support::world::FIXED;
use crate::support::{CONFIG, Clones, SPEC};

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(file, change)| ((*file).to_owned(), (*change).to_owned())).collect()
}

#[test]
fn a_dry_run_shows_everything_and_writes_nothing() {
    let clones = Clones::new();
    clones.change("hello.c", FIXED, "Return success\n\n100% of callers need it.\n\nPatch-name: success.patch\n");
    clones.change(".distro/hello.sysusers", "u hello\n", "Add a user");
    let before = clones.dist_git();
    let run = clones.update(&["--dry-run"]);
    run.ends_with(0);
    assert_eq!(clones.dist_git(), before);
    assert_snapshot!(run.stdout, @r##"
    hello: source-git commit 971a4eb4a7 on v1.0

    patches
      added    success.patch  d30fce8106 Return success

    files
      changed  hello.spec
      added    hello.sysusers

    --- a/hello.spec
    +++ b/hello.spec
    @@ -4,6 +4,10 @@
     Summary:        Says hello
     License:        MIT
     Source0:        hello-%{version}.tar.gz
    +# Return success
    +#
    +# 100%% of callers need it.
    +Patch0001:      success.patch
     
     %description
     It says hello.

    --- /dev/null
    +++ b/hello.sysusers
    @@ -0,0 +1 @@
    +u hello

    verified: 1 patch on v1.0 gives tree 612dd15b6f
      (of the upstream commit; what the archive in Source0 holds was not looked at)
    "##);
    assert_eq!(run.stderr, " INFO downstream commits on `v1.0`: 3\n");
}

#[test]
fn the_work_tree_and_the_index_are_written_and_nothing_is_committed() {
    let clones = Clones::new();
    let head = clones.git("dist-git", &["rev-parse", "HEAD"]);
    clones.change("hello.c", FIXED, "Return success");
    clones.update(&[]).ends_with(0);
    assert_eq!(clones.git("dist-git", &["rev-parse", "HEAD"]), head);
    assert_eq!(clones.git("dist-git", &["status", "--porcelain"]), "A  0001-Return-success.patch\nM  hello.spec");
    assert!(clones.read("hello.spec").contains("\n# Return success\nPatch0001:      0001-Return-success.patch\n"));
}

#[test]
fn a_message_commits_with_the_trailer_and_as_the_person() {
    let clones = Clones::new();
    let source = clones.change("hello.c", FIXED, "Return success");
    clones.update(&["-m", "Return success\n\nResolves: RHEL-1"]).ends_with(0);
    assert_eq!(
        clones.git("dist-git", &["log", "-1", "--format=%an <%ae>%n%B"]),
        format!(
            "A Packager <packager@example.com>\nReturn success\n\nResolves: RHEL-1\nFrom-source-git-commit: {source}"
        )
    );
    assert_eq!(clones.git("dist-git", &["status", "--porcelain"]), "");
    // Nothing more to do: no error, no commit.
    let head = clones.git("dist-git", &["rev-parse", "HEAD"]);
    let run = clones.update(&["-m", "Again"]);
    run.ends_with(0);
    assert!(run.stdout.ends_with("dist-git is up to date\n"), "{}", run.stdout);
    assert_eq!(clones.git("dist-git", &["rev-parse", "HEAD"]), head);
}

#[test]
fn a_message_file_is_read_and_an_old_trailer_replaced() {
    let clones = Clones::new();
    let source = clones.change("hello.c", FIXED, "Return success");
    fs::write(clones.path("message"), "Title\n\nFrom-source-git-commit: 0000\n").unwrap();
    clones.update(&["-F", "message"]).ends_with(0);
    let message = clones.git("dist-git", &["log", "-1", "--format=%B"]);
    assert_eq!(message, format!("Title\n\nFrom-source-git-commit: {source}"));
}

#[test]
fn the_report_is_data_when_asked() {
    let clones = Clones::new();
    let commit = clones.change("hello.c", FIXED, "Return success");
    let run = clones.update(&["--output", "json", "--dry-run"]);
    run.ends_with(0);
    let report = run.json();
    assert_eq!(report["format"], 1);
    assert_eq!(report["package"], "hello");
    assert_eq!(report["source"], commit.as_str());
    assert_eq!(report["upstream"]["ref"], "v1.0");
    assert_eq!(report["upstream"]["commit"], clones.git("source-git", &["rev-parse", "v1.0"]).as_str());
    assert_eq!(report["patches"][0]["number"], 1);
    assert_eq!(report["patches"][0]["commits"][0]["id"], commit.as_str());
    assert_eq!(report["patches"][0]["commits"][0]["subject"], "Return success");
    assert_eq!(report["files"], serde_json::json!([{"path": "hello.spec", "change": "changed"}]));
    assert_eq!(report["merges"]["handling"], "none");
    assert_eq!(report["proof"]["verified"], true);
    assert_eq!(report["diffs"][0]["path"], "hello.spec");
    // The tree of the proof is what git makes of the source without the packaging.
    clones.git("source-git", &["rm", "-r", "-q", "--cached", ".distro"]);
    assert_eq!(report["proof"]["tree"], clones.git("source-git", &["write-tree"]).as_str());
}

#[test]
fn patch_files_are_named_as_git_names_them() {
    let clones = Clones::new();
    for (number, subject) in [
        "Plain",
        "../../etc/passwd `rm -rf` $(touch x)",
        "Weiß bier — 🍺",
        "A subject that is so long that git has to cut the name of the file that it makes of it somewhere in the middle",
        "Ends with dots...",
        "...",
        "two\nlines of subject",
        "a.patch",
        "Plain",
    ]
    .iter()
    .enumerate()
    {
        clones.change("hello.c", format!("{number}\n"), subject);
    }
    clones.git("source-git", &["format-patch", "-q", "-o", "../names", "v1.0..HEAD", "--", ".", ":(exclude).distro"]);
    let mut names: Vec<_> = fs::read_dir(clones.path("names"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let run = clones.update(&["--output", "json"]);
    run.ends_with(0);
    let ours: Vec<_> = run.patches().into_iter().map(|(file, _)| file).collect();
    assert_eq!(ours, names);
}

#[test]
fn what_the_person_has_not_committed_is_never_lost() {
    for (file, what) in [("hello.spec", "changed in the work tree"), ("0001-Return-success.patch", "untracked")] {
        let clones = Clones::new();
        clones.change("hello.c", FIXED, "Return success");
        clones.write("dist-git", file, "mine\n");
        let before = clones.dist_git();
        let run = clones.update(&[]);
        run.ends_with(3);
        assert!(
            run.stderr.contains(&format!("{file} in dist-git has changes that are not committed")),
            "{what}: {}",
            run.stderr
        );
        assert_eq!(clones.dist_git(), before, "{what}");
        clones.git("dist-git", &["add", "-f", file]);
        clones.update(&[]).ends_with(3);
        assert_eq!(clones.read(file), "mine\n", "{what}, then staged");
    }
}

#[test]
fn other_work_in_the_clone_stays_as_it_is() {
    let clones = Clones::new();
    clones.write("dist-git", "notes.txt", "mine\n");
    clones.write("dist-git", "sources", "mine too\n");
    clones.change("hello.c", FIXED, "Return success");
    clones.update(&[]).ends_with(0);
    assert_eq!(clones.read("notes.txt"), "mine\n");
    assert_eq!(clones.read("sources"), "mine too\n");
    // What is staged besides would be committed along.
    clones.git("dist-git", &["add", "notes.txt"]);
    let run = clones.update(&["-m", "Update"]);
    run.ends_with(3);
    assert!(run.stderr.contains("notes.txt has staged changes in dist-git"), "{}", run.stderr);
}

#[test]
fn an_update_that_stopped_half_way_is_completed() {
    let clones = Clones::new();
    clones.change("hello.c", FIXED, "Return success");
    clones.update(&[]).ends_with(0);
    let done = clones.dist_git();
    // Written in the work tree, not yet in the index; then the other way round.
    clones.git("dist-git", &["reset", "-q"]);
    clones.update(&[]).ends_with(0);
    assert_eq!(clones.dist_git(), done);
    clones.git("dist-git", &["stash", "-q", "--keep-index"]);
    clones.git("dist-git", &["stash", "drop", "-q"]);
    clones.update(&["-m", "Update"]).ends_with(0);
    assert_eq!(clones.git("dist-git", &["status", "--porcelain"]), "");
}

#[test]
fn no_symbolic_link_of_the_clone_is_followed() {
    let clones = Clones::new();
    fs::create_dir(clones.path("outside")).unwrap();
    symlink("../outside", clones.path("dist-git/tests")).unwrap();
    clones.change(".distro/tests/run", "true\n", "Add tests");
    clones.refuses(&["tests in dist-git has changes that are not committed"]);
    clones.git("dist-git", &["add", "tests"]);
    clones.git("dist-git", &["commit", "-q", "-m", "A link"]);
    let run = clones.update(&[]);
    assert!(run.status == Some(0) || run.status == Some(3), "{}", run.stderr);
    assert_eq!(fs::read_dir(clones.path("outside")).unwrap().count(), 0);
}

#[test]
fn modes_links_and_deletions_are_carried() {
    let clones = Clones::new();
    clones.write("dist-git", "old.conf", "old\n");
    clones.git("dist-git", &["add", "old.conf"]);
    clones.git("dist-git", &["commit", "-q", "-m", "Add old.conf"]);
    symlink("hello.conf", clones.path("source-git/.distro/link.conf")).unwrap();
    clones.write("source-git", ".distro/hello.conf", "new\n");
    clones.write("source-git", ".distro/run", "#!/bin/sh\n");
    clones.git("source-git", &["add", "-A"]);
    clones.git("source-git", &["update-index", "--chmod=+x", ".distro/run"]);
    clones.git("source-git", &["commit", "-q", "-m", "Add files"]);
    clones.update(&["-m", "Update"]).ends_with(0);
    assert_eq!(
        clones.git("dist-git", &["ls-tree", "--format=%(objectmode) %(path)", "HEAD"]),
        "100644 hello.conf\n100644 hello.spec\n120000 link.conf\n100755 run\n100644 sources"
    );
    assert_eq!(clones.git("dist-git", &["status", "--porcelain"]), "");
}

#[test]
fn a_patch_that_moves_keeps_its_bytes() {
    let clones = Clones::new();
    clones.change("a", "a\n", "Alpha");
    clones.change("b", "b\n", "Beta");
    clones.change("c", "c\n", "Gamma");
    clones.update_and_commit();
    let beta = clones.read("0002-Beta.patch");
    clones.git("source-git", &["rebase", "-q", "--onto", "HEAD~3", "HEAD~2"]);
    let run = clones.update(&["--output", "json", "-m", "Drop Alpha"]);
    run.ends_with(0);
    assert_eq!(
        run.patches(),
        pairs(&[("0001-Beta.patch", "renamed"), ("0002-Gamma.patch", "renamed"), ("0001-Alpha.patch", "dropped")])
    );
    assert_eq!(run.json()["patches"][0]["from"], "0002-Beta.patch");
    assert_eq!(clones.read("0001-Beta.patch"), beta);
    assert!(!clones.has("0001-Alpha.patch") && !clones.has("0002-Beta.patch"));
}

#[test]
fn a_reworded_commit_changes_its_patch() {
    let clones = Clones::new();
    clones.change("a", "a\n", "Alpha\n\nPatch-name: a.patch");
    clones.update_and_commit();
    clones.git("source-git", &["commit", "-q", "--amend", "-m", "Alpha\n\nBecause.\n\nPatch-name: a.patch"]);
    let run = clones.update(&["--output", "json"]);
    assert_eq!(run.patches(), pairs(&[("a.patch", "changed")]));
    assert!(clones.read("a.patch").contains("\nBecause.\n"));
}

#[test]
fn ignored_and_present_patches_are_left_out_of_the_spec() {
    let clones = Clones::new();
    clones.change("a", "a\n", "Alpha\n\nIgnore-patch: true");
    clones.change("b", "b\n", "Beta\n\nPatch-name: beta.patch\nPatch-present-in-specfile: true");
    clones.change("c", "c\n", "Gamma");
    let run = clones.update(&["--output", "json"]);
    run.ends_with(0);
    assert_eq!(
        run.patches(),
        pairs(&[("0001-Alpha.patch", "ignored"), ("beta.patch", "added"), ("0003-Gamma.patch", "added")])
    );
    assert!(!clones.has("0001-Alpha.patch") && clones.has("beta.patch"));
    assert!(!clones.read("hello.spec").contains("beta.patch"));
    assert!(run.stdout.contains("the spec does not name `beta.patch`"), "{}", run.stdout);
}

#[test]
fn stale_patches_go_and_others_stay_where_nothing_is_deleted() {
    let clones = Clones::new();
    clones.write("source-git", ".distro/source-git.yaml", CONFIG.replace("  delete: true\n", ""));
    clones.commit("Do not delete");
    let spec = SPEC.replace("\n\n%description", "\nPatch1: old.patch\nPatch2: %{name}-kept.patch\n\n%description");
    clones.write("dist-git", "hello.spec", &spec);
    for name in ["old.patch", "hello-kept.patch", "unrelated.patch"] {
        clones.write("dist-git", name, "x\n");
    }
    clones.git("dist-git", &["add", "-A", "-f"]);
    clones.git("dist-git", &["commit", "-q", "-m", "Patches"]);
    clones.change(
        ".distro/hello.spec",
        SPEC.replace("\n\n%desc", "\nPatch2: %{name}-kept.patch\n\n%desc"),
        "Drop old.patch",
    );
    clones.update(&[]).ends_with(0);
    assert!(!clones.has("old.patch"));
    assert!(clones.has("hello-kept.patch") && clones.has("unrelated.patch"));
}

#[test]
fn dist_gits_changelog_stays_where_it_is_not_synced() {
    let clones = Clones::new();
    clones.write(
        "source-git",
        ".distro/source-git.yaml",
        CONFIG.replace("sync_changelog: true", "sync_changelog: false"),
    );
    clones.change(".distro/hello.spec", SPEC.replace("- Initial", "- From source-git"), "Changelog");
    clones.write("dist-git", "hello.spec", SPEC.replace("- Initial", "- From dist-git"));
    clones.git("dist-git", &["commit", "-q", "-a", "-m", "Changelog"]);
    clones.update(&[]).ends_with(0);
    let spec = clones.read("hello.spec");
    assert!(spec.ends_with("- From dist-git\n"), "{spec}");
}

#[test]
fn a_new_version_without_new_sources_is_a_warning() {
    let clones = Clones::new();
    clones.change(".distro/hello.spec", SPEC.replace("1.0\n", "1.1\n"), "Update to 1.1");
    let run = clones.update(&[]);
    run.ends_with(0);
    let warning = "warning: .distro/hello.spec: `Version` changes from `1.0` to `1.1`, and `sources` does not change\n";
    assert!(run.stdout.contains(warning), "{}", run.stdout);
}

#[test]
fn a_configuration_that_ignores_everything_is_a_warning() {
    let clones = Clones::new();
    clones.change("hello.c", FIXED, "Return success");
    clones.change(".distro/source-git.yaml", CONFIG.replace("[.distro]", "['*']"), "Ignore everything");
    let run = clones.update(&["--dry-run"]);
    run.ends_with(0);
    assert!(run.stdout.contains("warning: commit "), "{}", run.stdout);
    assert!(run.stdout.contains("no commit gets a patch: all that they change is copied"), "{}", run.stdout);
}

#[test]
fn merges_are_taken_apart_as_finely_as_the_proof_allows() {
    let clones = Clones::new();
    clones.change("hello.c", FIXED, "Return success");
    clones.git("source-git", &["checkout", "-q", "-b", "topic", "HEAD~1"]);
    clones.change("README", "Hello, topic.\n", "Greet the topic");
    clones.git("source-git", &["checkout", "-q", "c9s"]);
    clones.git("source-git", &["merge", "-q", "--no-ff", "-m", "Merge topic", "topic"]);
    let run = clones.update(&["--output", "json"]);
    run.ends_with(0);
    assert_eq!(run.json()["merges"], serde_json::json!({"handling": "every_commit", "merges": 1}));
    assert_eq!(run.patches().len(), 2);
}

#[test]
fn a_conflict_resolved_by_hand_becomes_a_patch_of_the_merge() {
    let clones = Clones::new();
    clones.change("README", "Ours.\n", "Greet ourselves");
    clones.git("source-git", &["checkout", "-q", "-b", "topic", "HEAD~1"]);
    clones.change("README", "Topic.\n", "Greet the topic\n\nPatch-name: topic.patch");
    clones.git("source-git", &["checkout", "-q", "c9s"]);
    clones.git("source-git", &["merge", "-q", "-s", "ours", "--no-commit", "topic"]);
    clones.write("source-git", "README", "Both.\n");
    clones.commit("Merge topic");
    let run = clones.update(&["--output", "json"]);
    run.ends_with(0);
    assert_eq!(run.json()["merges"]["handling"], "first_parent");
    assert_eq!(run.patches(), pairs(&[("0001-Greet-ourselves.patch", "added"), ("0002-Merge-topic.patch", "added")]));
    let merge = clones.git("source-git", &["rev-parse", "HEAD"]);
    assert!(clones.read("0002-Merge-topic.patch").starts_with(&format!("From {merge} Mon Sep 17 00:00:00 2001\n")));
    assert!(run.stdout.contains("what its message says about its patch is lost"), "{}", run.stdout);
}

#[test]
fn what_both_sides_of_a_merge_add_or_rename_is_added_or_renamed_once() {
    for change in ["add", "rename"] {
        let clones = Clones::new();
        let both = |message: &str| {
            match change {
                "add" => clones.write("source-git", "NEWS", "New.\n"),
                _ => drop(clones.git("source-git", &["mv", "README", "READ.ME"])),
            }
            clones.commit(message);
        };
        clones.git("source-git", &["branch", "topic"]);
        both("On the branch");
        clones.git("source-git", &["checkout", "-q", "topic"]);
        both("On the topic");
        clones.git("source-git", &["checkout", "-q", "c9s"]);
        clones.git("source-git", &["merge", "-q", "--no-ff", "-m", "Merge topic", "topic"]);
        let run = clones.update(&["--output", "json"]);
        run.ends_with(0);
        assert_eq!(run.json()["merges"]["handling"], "first_parent", "{change}");
        assert_eq!(run.patches(), pairs(&[("0001-On-the-branch.patch", "added")]), "{change}");
    }
}

#[test]
fn a_merge_of_a_new_upstream_becomes_one_patch() {
    let clones = Clones::new();
    clones.change("hello.c", FIXED, "Return success");
    clones.git("source-git", &["checkout", "-q", "-b", "upstream", "v1.0"]);
    clones.change("hello.c", "int main(void)\n{\n    return 2;\n}\n", "Return two");
    clones.git("source-git", &["tag", "v2.0"]);
    clones.git("source-git", &["checkout", "-q", "c9s"]);
    clones.git("source-git", &["merge", "-q", "-s", "ours", "-m", "Merge v2.0", "v2.0"]);
    // What the last commit says about its own patch does not count for that of all the others.
    clones.change(
        ".distro/source-git.yaml",
        CONFIG.replace("v1.0", "v2.0"),
        "Rebase to 2.0\n\nPatch-name: x.patch\nIgnore-patch: true",
    );
    let run = clones.update(&["--output", "json"]);
    run.ends_with(0);
    assert_eq!(run.json()["merges"]["handling"], "one_patch");
    assert!(
        clones.read("hello.spec").contains("# All downstream changes\n#\n# * Add packaging\n"),
        "{}",
        clones.read("hello.spec")
    );
    assert_eq!(run.patches(), pairs(&[("0001-All-downstream-changes.patch", "added")]));
}

#[test]
fn upstream_refs_are_found_as_packit_users_write_them() {
    let clones = Clones::new();
    clones.change("hello.c", FIXED, "Return success");
    clones.git("source-git", &["update-ref", "refs/remotes/origin/upstream", "v1.0"]);
    clones.git("source-git", &["tag", "-a", "-m", "Twenty-four", "24.10", "v1.0"]);
    clones.git("source-git", &["tag", "-a", "-m", "A tag of a tag", "nested", "24.10"]);
    let sha = clones.git("source-git", &["rev-parse", "v1.0"]);
    for (given, name) in [
        ("v1.*", "v1.0"),
        ("refs/tags/v1.0", "v1.0"),
        ("upstream", "origin/upstream"),
        ("24.10", "24.10"),
        ("nested", "nested"),
        (&sha, &sha),
    ] {
        let run = clones.update(&["--output", "json", "--dry-run", "--upstream-ref", given]);
        run.ends_with(0);
        assert_eq!(run.json()["upstream"], serde_json::json!({"ref": name, "commit": sha}), "{given}");
    }
    clones.write("source-git", ".distro/source-git.yaml", CONFIG.replace("v1.0", "24.10"));
    clones.commit("A version that YAML takes for a number");
    assert_eq!(clones.update(&["--output", "json"]).json()["upstream"]["ref"], "24.10");
}

#[test]
fn a_merge_that_is_not_finished_is_not_committed() {
    let clones = Clones::new();
    clones.change("hello.c", FIXED, "Return success");
    clones.git("dist-git", &["checkout", "-q", "-b", "other"]);
    clones.git("dist-git", &["commit", "-q", "--allow-empty", "-m", "Other"]);
    clones.git("dist-git", &["checkout", "-q", "c9s"]);
    clones.git("dist-git", &["merge", "-q", "--no-ff", "--no-commit", "other"]);
    let before = clones.dist_git();
    let run = clones.update(&["-m", "Update"]);
    run.ends_with(3);
    assert!(run.stderr.contains("is in the middle of a merge\nhint: "), "{}", run.stderr);
    assert_eq!(clones.dist_git(), before);
}

#[test]
fn nothing_is_removed_through_a_link() {
    let clones = Clones::new();
    clones.write("dist-git", "tests/run", "true\n");
    clones.git("dist-git", &["add", "-A"]);
    clones.git("dist-git", &["commit", "-q", "-m", "Add a test"]);
    fs::rename(clones.path("dist-git/tests"), clones.path("elsewhere")).unwrap();
    symlink("../elsewhere", clones.path("dist-git/tests")).unwrap();
    clones.refuses(&["tests in dist-git has changes that are not committed"]);
    assert!(clones.path("elsewhere/run").exists());
}

#[test]
fn a_linked_work_tree_and_a_clone_with_alternates_are_read() {
    let clones = Clones::new();
    clones.change("hello.c", FIXED, "Return success");
    fs::rename(clones.path("source-git"), clones.path("origin")).unwrap();
    clones.git("origin", &["worktree", "add", "-q", "--detach", "../source-git"]);
    clones.update(&["--dry-run"]).ends_with(0);
    clones.git("origin", &["worktree", "remove", "../source-git"]);
    clones.git(".", &["clone", "-q", "--shared", "origin", "source-git"]);
    clones.update(&[]).ends_with(0);
}
