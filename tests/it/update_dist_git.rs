//! `update-dist-git` as a packager runs it: what it writes, what it says, and what it leaves alone.

use std::fs;
use std::os::unix::fs::symlink;

use insta::assert_snapshot;

use crate::support::{CONFIG, Pair, Run, SPEC};

const FIXED: &str = "int main(void)\n{\n    return 0;\n}\n";

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(file, change)| ((*file).to_owned(), (*change).to_owned())).collect()
}

#[test]
fn a_dry_run_shows_everything_and_writes_nothing() {
    let pair = Pair::new();
    pair.change("hello.c", FIXED, "Return success\n\n100% of callers need it.\n\nPatch-name: success.patch\n");
    pair.change(".distro/hello.sysusers", "u hello\n", "Add a user");
    let before = pair.dist_git();
    let run = pair.update(&["--dry-run"]);
    run.ends_with(0);
    assert_eq!(pair.dist_git(), before);
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
    let pair = Pair::new();
    let head = pair.git("dist-git", &["rev-parse", "HEAD"]);
    pair.change("hello.c", FIXED, "Return success");
    pair.update(&[]).ends_with(0);
    assert_eq!(pair.git("dist-git", &["rev-parse", "HEAD"]), head);
    assert_eq!(pair.git("dist-git", &["status", "--porcelain"]), "A  0001-Return-success.patch\nM  hello.spec");
    assert!(pair.read("hello.spec").contains("\n# Return success\nPatch0001:      0001-Return-success.patch\n"));
}

#[test]
fn a_message_commits_with_the_trailer_and_as_the_person() {
    let pair = Pair::new();
    let source = pair.change("hello.c", FIXED, "Return success");
    pair.update(&["-m", "Return success\n\nResolves: RHEL-1"]).ends_with(0);
    assert_eq!(
        pair.git("dist-git", &["log", "-1", "--format=%an <%ae>%n%B"]),
        format!(
            "A Packager <packager@example.com>\nReturn success\n\nResolves: RHEL-1\nFrom-source-git-commit: {source}"
        )
    );
    assert_eq!(pair.git("dist-git", &["status", "--porcelain"]), "");
    // Nothing more to do: no error, no commit.
    let head = pair.git("dist-git", &["rev-parse", "HEAD"]);
    let run = pair.update(&["-m", "Again"]);
    run.ends_with(0);
    assert!(run.stdout.ends_with("dist-git is up to date\n"), "{}", run.stdout);
    assert_eq!(pair.git("dist-git", &["rev-parse", "HEAD"]), head);
}

#[test]
fn a_message_file_is_read_and_an_old_trailer_replaced() {
    let pair = Pair::new();
    let source = pair.change("hello.c", FIXED, "Return success");
    fs::write(pair.path("message"), "Title\n\nFrom-source-git-commit: 0000\n").unwrap();
    pair.update(&["-F", "message"]).ends_with(0);
    let message = pair.git("dist-git", &["log", "-1", "--format=%B"]);
    assert_eq!(message, format!("Title\n\nFrom-source-git-commit: {source}"));
}

#[test]
fn the_report_is_data_when_asked() {
    let pair = Pair::new();
    let commit = pair.change("hello.c", FIXED, "Return success");
    let run = pair.update(&["--output", "json", "--dry-run"]);
    run.ends_with(0);
    let report = run.json();
    assert_eq!(report["format"], 1);
    assert_eq!(report["package"], "hello");
    assert_eq!(report["source"], commit.as_str());
    assert_eq!(report["upstream"]["ref"], "v1.0");
    assert_eq!(report["upstream"]["commit"], pair.git("source-git", &["rev-parse", "v1.0"]).as_str());
    assert_eq!(report["patches"][0]["number"], 1);
    assert_eq!(report["patches"][0]["commits"][0]["id"], commit.as_str());
    assert_eq!(report["patches"][0]["commits"][0]["subject"], "Return success");
    assert_eq!(report["files"], serde_json::json!([{"path": "hello.spec", "change": "changed"}]));
    assert_eq!(report["merges"]["handling"], "none");
    assert_eq!(report["proof"]["verified"], true);
    assert_eq!(report["diffs"][0]["path"], "hello.spec");
    // The tree of the proof is what git makes of the source without the packaging.
    pair.git("source-git", &["rm", "-r", "-q", "--cached", ".distro"]);
    assert_eq!(report["proof"]["tree"], pair.git("source-git", &["write-tree"]).as_str());
}

#[test]
fn patch_files_are_named_as_git_names_them() {
    let pair = Pair::new();
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
        pair.change("hello.c", format!("{number}\n"), subject);
    }
    pair.git("source-git", &["format-patch", "-q", "-o", "../names", "v1.0..HEAD", "--", ".", ":(exclude).distro"]);
    let mut names: Vec<_> = fs::read_dir(pair.path("names"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let run = pair.update(&["--output", "json"]);
    run.ends_with(0);
    let ours: Vec<_> = run.patches().into_iter().map(|(file, _)| file).collect();
    assert_eq!(ours, names);
}

#[test]
fn what_the_person_has_not_committed_is_never_lost() {
    for (file, what) in [("hello.spec", "changed in the work tree"), ("0001-Return-success.patch", "untracked")] {
        let pair = Pair::new();
        pair.change("hello.c", FIXED, "Return success");
        pair.write("dist-git", file, "mine\n");
        let before = pair.dist_git();
        let run = pair.update(&[]);
        run.ends_with(3);
        assert!(
            run.stderr.contains(&format!("{file} in dist-git has changes that are not committed")),
            "{what}: {}",
            run.stderr
        );
        assert_eq!(pair.dist_git(), before, "{what}");
        pair.git("dist-git", &["add", "-f", file]);
        pair.update(&[]).ends_with(3);
        assert_eq!(pair.read(file), "mine\n", "{what}, then staged");
    }
}

#[test]
fn other_work_in_the_clone_stays_as_it_is() {
    let pair = Pair::new();
    pair.write("dist-git", "notes.txt", "mine\n");
    pair.write("dist-git", "sources", "mine too\n");
    pair.change("hello.c", FIXED, "Return success");
    pair.update(&[]).ends_with(0);
    assert_eq!(pair.read("notes.txt"), "mine\n");
    assert_eq!(pair.read("sources"), "mine too\n");
    // What is staged besides would be committed along.
    pair.git("dist-git", &["add", "notes.txt"]);
    let run = pair.update(&["-m", "Update"]);
    run.ends_with(3);
    assert!(run.stderr.contains("notes.txt has staged changes in dist-git"), "{}", run.stderr);
}

#[test]
fn an_update_that_stopped_half_way_is_completed() {
    let pair = Pair::new();
    pair.change("hello.c", FIXED, "Return success");
    pair.update(&[]).ends_with(0);
    let done = pair.dist_git();
    // Written in the work tree, not yet in the index; then the other way round.
    pair.git("dist-git", &["reset", "-q"]);
    pair.update(&[]).ends_with(0);
    assert_eq!(pair.dist_git(), done);
    pair.git("dist-git", &["stash", "-q", "--keep-index"]);
    pair.git("dist-git", &["stash", "drop", "-q"]);
    pair.update(&["-m", "Update"]).ends_with(0);
    assert_eq!(pair.git("dist-git", &["status", "--porcelain"]), "");
}

#[test]
fn no_symbolic_link_of_the_clone_is_followed() {
    let pair = Pair::new();
    fs::create_dir(pair.path("outside")).unwrap();
    symlink("../outside", pair.path("dist-git/tests")).unwrap();
    pair.change(".distro/tests/run", "true\n", "Add tests");
    pair.refuses(&["tests in dist-git has changes that are not committed"]);
    pair.git("dist-git", &["add", "tests"]);
    pair.git("dist-git", &["commit", "-q", "-m", "A link"]);
    let run = pair.update(&[]);
    assert!(run.status == Some(0) || run.status == Some(3), "{}", run.stderr);
    assert_eq!(fs::read_dir(pair.path("outside")).unwrap().count(), 0);
}

#[test]
fn modes_links_and_deletions_are_carried() {
    let pair = Pair::new();
    pair.write("dist-git", "old.conf", "old\n");
    pair.git("dist-git", &["add", "old.conf"]);
    pair.git("dist-git", &["commit", "-q", "-m", "Add old.conf"]);
    symlink("hello.conf", pair.path("source-git/.distro/link.conf")).unwrap();
    pair.write("source-git", ".distro/hello.conf", "new\n");
    pair.write("source-git", ".distro/run", "#!/bin/sh\n");
    pair.git("source-git", &["add", "-A"]);
    pair.git("source-git", &["update-index", "--chmod=+x", ".distro/run"]);
    pair.git("source-git", &["commit", "-q", "-m", "Add files"]);
    pair.update(&["-m", "Update"]).ends_with(0);
    assert_eq!(
        pair.git("dist-git", &["ls-tree", "--format=%(objectmode) %(path)", "HEAD"]),
        "100644 hello.conf\n100644 hello.spec\n120000 link.conf\n100755 run\n100644 sources"
    );
    assert_eq!(pair.git("dist-git", &["status", "--porcelain"]), "");
}

#[test]
fn a_patch_that_moves_keeps_its_bytes() {
    let pair = Pair::new();
    pair.change("a", "a\n", "Alpha");
    pair.change("b", "b\n", "Beta");
    pair.change("c", "c\n", "Gamma");
    pair.update_and_commit();
    let beta = pair.read("0002-Beta.patch");
    pair.git("source-git", &["rebase", "-q", "--onto", "HEAD~3", "HEAD~2"]);
    let run = pair.update(&["--output", "json", "-m", "Drop Alpha"]);
    run.ends_with(0);
    assert_eq!(
        run.patches(),
        pairs(&[("0001-Beta.patch", "renamed"), ("0002-Gamma.patch", "renamed"), ("0001-Alpha.patch", "dropped")])
    );
    assert_eq!(run.json()["patches"][0]["from"], "0002-Beta.patch");
    assert_eq!(pair.read("0001-Beta.patch"), beta);
    assert!(!pair.has("0001-Alpha.patch") && !pair.has("0002-Beta.patch"));
}

#[test]
fn a_reworded_commit_changes_its_patch() {
    let pair = Pair::new();
    pair.change("a", "a\n", "Alpha\n\nPatch-name: a.patch");
    pair.update_and_commit();
    pair.git("source-git", &["commit", "-q", "--amend", "-m", "Alpha\n\nBecause.\n\nPatch-name: a.patch"]);
    let run = pair.update(&["--output", "json"]);
    assert_eq!(run.patches(), pairs(&[("a.patch", "changed")]));
    assert!(pair.read("a.patch").contains("\nBecause.\n"));
}

#[test]
fn ignored_and_present_patches_are_left_out_of_the_spec() {
    let pair = Pair::new();
    pair.change("a", "a\n", "Alpha\n\nIgnore-patch: true");
    pair.change("b", "b\n", "Beta\n\nPatch-name: beta.patch\nPatch-present-in-specfile: true");
    pair.change("c", "c\n", "Gamma");
    let run = pair.update(&["--output", "json"]);
    run.ends_with(0);
    assert_eq!(
        run.patches(),
        pairs(&[("0001-Alpha.patch", "ignored"), ("beta.patch", "added"), ("0003-Gamma.patch", "added")])
    );
    assert!(!pair.has("0001-Alpha.patch") && pair.has("beta.patch"));
    assert!(!pair.read("hello.spec").contains("beta.patch"));
    assert!(run.stdout.contains("the spec does not name `beta.patch`"), "{}", run.stdout);
}

#[test]
fn stale_patches_go_and_others_stay_where_nothing_is_deleted() {
    let pair = Pair::new();
    pair.write("source-git", ".distro/source-git.yaml", CONFIG.replace("  delete: true\n", ""));
    pair.commit("Do not delete");
    let spec = SPEC.replace("\n\n%description", "\nPatch1: old.patch\nPatch2: %{name}-kept.patch\n\n%description");
    pair.write("dist-git", "hello.spec", &spec);
    for name in ["old.patch", "hello-kept.patch", "unrelated.patch"] {
        pair.write("dist-git", name, "x\n");
    }
    pair.git("dist-git", &["add", "-A", "-f"]);
    pair.git("dist-git", &["commit", "-q", "-m", "Patches"]);
    pair.change(
        ".distro/hello.spec",
        SPEC.replace("\n\n%desc", "\nPatch2: %{name}-kept.patch\n\n%desc"),
        "Drop old.patch",
    );
    pair.update(&[]).ends_with(0);
    assert!(!pair.has("old.patch"));
    assert!(pair.has("hello-kept.patch") && pair.has("unrelated.patch"));
}

#[test]
fn dist_gits_changelog_stays_where_it_is_not_synced() {
    let pair = Pair::new();
    pair.write(
        "source-git",
        ".distro/source-git.yaml",
        CONFIG.replace("sync_changelog: true", "sync_changelog: false"),
    );
    pair.change(".distro/hello.spec", SPEC.replace("- Initial", "- From source-git"), "Changelog");
    pair.write("dist-git", "hello.spec", SPEC.replace("- Initial", "- From dist-git"));
    pair.git("dist-git", &["commit", "-q", "-a", "-m", "Changelog"]);
    pair.update(&[]).ends_with(0);
    let spec = pair.read("hello.spec");
    assert!(spec.ends_with("- From dist-git\n"), "{spec}");
}

#[test]
fn a_new_version_without_new_sources_is_a_warning() {
    let pair = Pair::new();
    pair.change(".distro/hello.spec", SPEC.replace("1.0\n", "1.1\n"), "Update to 1.1");
    let run = pair.update(&[]);
    run.ends_with(0);
    let warning = "warning: .distro/hello.spec: `Version` changes from `1.0` to `1.1`, and `sources` does not change\n";
    assert!(run.stdout.contains(warning), "{}", run.stdout);
}

#[test]
fn a_configuration_that_ignores_everything_is_a_warning() {
    let pair = Pair::new();
    pair.change("hello.c", FIXED, "Return success");
    pair.change(".distro/source-git.yaml", CONFIG.replace("[.distro]", "['*']"), "Ignore everything");
    let run = pair.update(&["--dry-run"]);
    run.ends_with(0);
    assert!(run.stdout.contains("warning: commit "), "{}", run.stdout);
    assert!(run.stdout.contains("no commit gets a patch: all that they change is copied"), "{}", run.stdout);
}

#[test]
fn merges_are_taken_apart_as_finely_as_the_proof_allows() {
    let pair = Pair::new();
    pair.change("hello.c", FIXED, "Return success");
    pair.git("source-git", &["checkout", "-q", "-b", "topic", "HEAD~1"]);
    pair.change("README", "Hello, topic.\n", "Greet the topic");
    pair.git("source-git", &["checkout", "-q", "c9s"]);
    pair.git("source-git", &["merge", "-q", "--no-ff", "-m", "Merge topic", "topic"]);
    let run = pair.update(&["--output", "json"]);
    run.ends_with(0);
    assert_eq!(run.json()["merges"], serde_json::json!({"handling": "every_commit", "merges": 1}));
    assert_eq!(run.patches().len(), 2);
}

#[test]
fn a_conflict_resolved_by_hand_becomes_a_patch_of_the_merge() {
    let pair = Pair::new();
    pair.change("README", "Ours.\n", "Greet ourselves");
    pair.git("source-git", &["checkout", "-q", "-b", "topic", "HEAD~1"]);
    pair.change("README", "Topic.\n", "Greet the topic\n\nPatch-name: topic.patch");
    pair.git("source-git", &["checkout", "-q", "c9s"]);
    pair.git("source-git", &["merge", "-q", "-s", "ours", "--no-commit", "topic"]);
    pair.write("source-git", "README", "Both.\n");
    pair.commit("Merge topic");
    let run = pair.update(&["--output", "json"]);
    run.ends_with(0);
    assert_eq!(run.json()["merges"]["handling"], "first_parent");
    assert_eq!(run.patches(), pairs(&[("0001-Greet-ourselves.patch", "added"), ("0002-Merge-topic.patch", "added")]));
    let merge = pair.git("source-git", &["rev-parse", "HEAD"]);
    assert!(pair.read("0002-Merge-topic.patch").starts_with(&format!("From {merge} Mon Sep 17 00:00:00 2001\n")));
    assert!(run.stdout.contains("what its message says about its patch is lost"), "{}", run.stdout);
}

#[test]
fn what_both_sides_of_a_merge_add_or_rename_is_added_or_renamed_once() {
    for change in ["add", "rename"] {
        let pair = Pair::new();
        let both = |message: &str| {
            match change {
                "add" => pair.write("source-git", "NEWS", "New.\n"),
                _ => drop(pair.git("source-git", &["mv", "README", "READ.ME"])),
            }
            pair.commit(message);
        };
        pair.git("source-git", &["branch", "topic"]);
        both("On the branch");
        pair.git("source-git", &["checkout", "-q", "topic"]);
        both("On the topic");
        pair.git("source-git", &["checkout", "-q", "c9s"]);
        pair.git("source-git", &["merge", "-q", "--no-ff", "-m", "Merge topic", "topic"]);
        let run = pair.update(&["--output", "json"]);
        run.ends_with(0);
        assert_eq!(run.json()["merges"]["handling"], "first_parent", "{change}");
        assert_eq!(run.patches(), pairs(&[("0001-On-the-branch.patch", "added")]), "{change}");
    }
}

#[test]
fn a_merge_of_a_new_upstream_becomes_one_patch() {
    let pair = Pair::new();
    pair.change("hello.c", FIXED, "Return success");
    pair.git("source-git", &["checkout", "-q", "-b", "upstream", "v1.0"]);
    pair.change("hello.c", "int main(void)\n{\n    return 2;\n}\n", "Return two");
    pair.git("source-git", &["tag", "v2.0"]);
    pair.git("source-git", &["checkout", "-q", "c9s"]);
    pair.git("source-git", &["merge", "-q", "-s", "ours", "-m", "Merge v2.0", "v2.0"]);
    // What the last commit says about its own patch does not count for that of all the others.
    pair.change(
        ".distro/source-git.yaml",
        CONFIG.replace("v1.0", "v2.0"),
        "Rebase to 2.0\n\nPatch-name: x.patch\nIgnore-patch: true",
    );
    let run = pair.update(&["--output", "json"]);
    run.ends_with(0);
    assert_eq!(run.json()["merges"]["handling"], "one_patch");
    assert!(
        pair.read("hello.spec").contains("# All downstream changes\n#\n# * Add packaging\n"),
        "{}",
        pair.read("hello.spec")
    );
    assert_eq!(run.patches(), pairs(&[("0001-All-downstream-changes.patch", "added")]));
}

#[test]
fn upstream_refs_are_found_as_packit_users_write_them() {
    let pair = Pair::new();
    pair.change("hello.c", FIXED, "Return success");
    pair.git("source-git", &["update-ref", "refs/remotes/origin/upstream", "v1.0"]);
    pair.git("source-git", &["tag", "-a", "-m", "Twenty-four", "24.10", "v1.0"]);
    pair.git("source-git", &["tag", "-a", "-m", "A tag of a tag", "nested", "24.10"]);
    let sha = pair.git("source-git", &["rev-parse", "v1.0"]);
    for (given, name) in [
        ("v1.*", "v1.0"),
        ("refs/tags/v1.0", "v1.0"),
        ("upstream", "origin/upstream"),
        ("24.10", "24.10"),
        ("nested", "nested"),
        (&sha, &sha),
    ] {
        let run = pair.update(&["--output", "json", "--dry-run", "--upstream-ref", given]);
        run.ends_with(0);
        assert_eq!(run.json()["upstream"], serde_json::json!({"ref": name, "commit": sha}), "{given}");
    }
    pair.write("source-git", ".distro/source-git.yaml", CONFIG.replace("v1.0", "24.10"));
    pair.commit("A version that YAML takes for a number");
    assert_eq!(pair.update(&["--output", "json"]).json()["upstream"]["ref"], "24.10");
}

#[test]
fn upstream_refs_that_lead_nowhere_are_refused() {
    let pair = Pair::new();
    pair.git("source-git", &["tag", "v1.1"]);
    pair.git("source-git", &["tag", "blob", "HEAD:README"]);
    pair.git("source-git", &["checkout", "-q", "--orphan", "other"]);
    pair.commit("Unrelated");
    pair.git("source-git", &["checkout", "-q", "c9s"]);
    for (given, said) in [
        ("v9", "`v9` is neither a tag nor a branch"),
        ("v1.*", "`v1.*` fits 2 refs"),
        ("blob", "`blob` is no commit that source-git has"),
        (&"12".repeat(20), "is no commit that source-git has"),
        ("other", "have no history in common"),
        ("--help", "`--help`, which cannot be a tag or branch"),
        ("HEAD^{/x}", "cannot be a tag or branch"),
    ] {
        let run = pair.update(&[&format!("--upstream-ref={given}")]);
        run.ends_with(3);
        assert!(run.stderr.contains(said), "{given}: {}", run.stderr);
    }
    pair.git("source-git", &["checkout", "-q", "-b", "ahead", "v1.0"]);
    pair.change("README", "New.\n", "Upstream goes on");
    pair.git("source-git", &["checkout", "-q", "c9s"]);
    let run = pair.update(&["--upstream-ref=ahead"]);
    run.ends_with(3);
    assert!(run.stderr.contains("does not contain the upstream ref"), "{}", run.stderr);
}

#[test]
fn a_clone_that_was_cut_too_short_says_so() {
    let pair = Pair::new();
    pair.change("hello.c", FIXED, "Return success");
    let source = format!("file://{}", pair.path("source-git").display());
    fs::rename(pair.path("source-git"), pair.path("origin")).unwrap();
    let source = source.replace("source-git", "origin");
    pair.git(".", &["clone", "-q", "--depth=1", &source, "source-git"]);
    pair.git("source-git", &["fetch", "-q", "--depth=1", "origin", "tag", "v1.0"]);
    pair.refuses(&["cannot tell which commits lie between the upstream ref and the head: the clone is shallow"]);
    pair.git("source-git", &["fetch", "-q", "--unshallow"]);
    pair.update(&[]).ends_with(0);
}

#[test]
fn a_clone_that_was_cut_on_one_side_of_a_merge_says_so() {
    let pair = Pair::new();
    pair.git("source-git", &["checkout", "-q", "-b", "topic"]);
    pair.change("NEWS", "One.\n", "One");
    let cut = pair.change("NEWS", "One.\nTwo.\n", "Two");
    pair.git("source-git", &["checkout", "-q", "c9s"]);
    pair.change("hello.c", FIXED, "Return success");
    pair.git("source-git", &["merge", "-q", "-m", "Merge topic", "topic"]);
    fs::write(pair.path("source-git/.git/shallow"), format!("{cut}\n")).unwrap();
    pair.refuses(&["cannot tell which commits lie between", "the clone is shallow"]);
}

#[test]
fn a_merge_that_is_not_finished_is_not_committed() {
    let pair = Pair::new();
    pair.change("hello.c", FIXED, "Return success");
    pair.git("dist-git", &["checkout", "-q", "-b", "other"]);
    pair.git("dist-git", &["commit", "-q", "--allow-empty", "-m", "Other"]);
    pair.git("dist-git", &["checkout", "-q", "c9s"]);
    pair.git("dist-git", &["merge", "-q", "--no-ff", "--no-commit", "other"]);
    let before = pair.dist_git();
    let run = pair.update(&["-m", "Update"]);
    run.ends_with(3);
    assert!(run.stderr.contains("is in the middle of a merge\nhint: "), "{}", run.stderr);
    assert_eq!(pair.dist_git(), before);
}

#[test]
fn nothing_is_removed_through_a_link() {
    let pair = Pair::new();
    pair.write("dist-git", "tests/run", "true\n");
    pair.git("dist-git", &["add", "-A"]);
    pair.git("dist-git", &["commit", "-q", "-m", "Add a test"]);
    fs::rename(pair.path("dist-git/tests"), pair.path("elsewhere")).unwrap();
    symlink("../elsewhere", pair.path("dist-git/tests")).unwrap();
    pair.refuses(&["tests in dist-git has changes that are not committed"]);
    assert!(pair.path("elsewhere/run").exists());
}

#[test]
fn bad_input_is_refused_by_name_and_changes_nothing() {
    let with_spec = |spec: &str| {
        let pair = Pair::new();
        pair.change("hello.c", FIXED, "Return success");
        pair.change(".distro/hello.spec", spec, "Change the spec");
        pair
    };
    let with_config = |config: &str| {
        let pair = Pair::new();
        pair.change(".distro/source-git.yaml", config, "Change the configuration");
        pair
    };
    let with_message = |message: &str| {
        let pair = Pair::new();
        pair.change("hello.c", FIXED, message);
        pair
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

    let pair = with_message("Return success\n\nPatch-name: mine.patch");
    pair.change(".distro/mine.patch", "x\n", "A file of that name");
    pair.refuses(&["would overwrite mine.patch"]);
    let pair = with_message("Return success\n\nPatch-name: mine.patch");
    pair.change(".distro/mine.patch/file", "x\n", "A directory of that name");
    pair.refuses(&["mine.patch, which is a directory"]);

    let pair = Pair::new();
    fs::remove_file(pair.path("source-git/.distro/hello.spec")).unwrap();
    symlink("/etc/passwd", pair.path("source-git/.distro/hello.spec")).unwrap();
    pair.commit("A link for a spec");
    pair.refuses(&[".distro/hello.spec: the spec is not a regular file"]);

    let pair = Pair::new();
    pair.git("source-git", &["rm", "-q", ".distro/source-git.yaml"]);
    pair.commit("No configuration");
    pair.refuses(&["has no package configuration"]);

    let pair = Pair::new();
    symlink("b", pair.path("source-git/.distro/a")).unwrap();
    symlink("a", pair.path("source-git/.distro/b")).unwrap();
    pair.commit("Links that go in circles are links like any other");
    pair.update(&[]).ends_with(0);
    assert!(pair.has("a") && pair.has("b"));
}

#[test]
fn what_a_build_would_never_see_is_refused() {
    let pair = Pair::new();
    let commit =
        pair.change("model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Add a model");
    pair.refuses(&[&format!("commit {}", &commit[..10]), "model.bin, which Git LFS keeps elsewhere"]);

    let pair = Pair::new();
    let head = pair.git("source-git", &["rev-parse", "HEAD"]);
    pair.git("source-git", &["update-index", "--add", "--cacheinfo", &format!("160000,{head},lib")]);
    pair.git("source-git", &["commit", "-q", "-m", "Add a submodule"]);
    let commit = pair.git("source-git", &["rev-parse", "HEAD"]);
    pair.refuses(&[&format!("commit {}", &commit[..10]), "the submodule lib"]);
}

#[test]
fn what_the_spec_cannot_apply_is_a_problem_with_a_remedy() {
    let pair = Pair::new();
    pair.change("logo.png", b"\x89PNG\r\n\x1a\n\0\0\0\xff", "Add a logo");
    pair.change("hello.c", FIXED, "Return success\n\nNo-prefix: true");
    let run = pair.update(&[]);
    run.ends_with(0);
    for part in [
        "not verified: 2 patches on v1.0 give tree",
        "`0001-Add-a-logo.patch` changes logo.png, a binary file, which `patch` cannot apply\n  hint: write `%autosetup -S git -p1`",
        "`0002-Return-success.patch` needs `-p0`, and the spec applies it otherwise\n  hint: remove `No-prefix`",
    ] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    pair.change(".distro/hello.spec", SPEC.replace("-p1", "-S git -p1"), "Apply with git");
    let run = pair.update(&[]);
    assert!(!run.stdout.contains("logo.png, a binary file"), "{}", run.stdout);
}

/// Each of these is refused by patch 2.7.6, and the squashed renames by `git apply` too.
#[test]
fn what_patch_cannot_apply_though_it_is_text_is_a_problem() {
    let said = |change: &dyn Fn(&Pair), part: &str| {
        let pair = Pair::new();
        change(&pair);
        let run = pair.update(&[]);
        run.ends_with(0);
        assert!(run.stdout.contains("\nnot verified: "), "{}", run.stdout);
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    };
    let git = |pair: &Pair, arguments: &[&str]| drop(pair.git("source-git", arguments));
    said(&|pair| drop(pair.change("an empty file", "", "Add")), "a name with a space where no line changes");
    said(&|pair| drop(pair.change("end ", "x\n", "Add")), "whose name ends in a space");
    said(
        &|pair| {
            git(pair, &["mv", "README", "text"]);
            git(pair, &["rm", "-q", "hello.c"]);
            pair.change("hello.c/main.c", FIXED, "Make a directory");
        },
        "hello.c/main.c, and what was or becomes a file in the place of its directory",
    );
    said(
        &|pair| {
            for (from, to) in [("README", "one"), ("one", "two")] {
                git(pair, &["mv", from, to]);
                pair.commit("Rename\n\nPatch-name: rename.patch");
            }
        },
        "renames two and changes it in another of its commits",
    );
}

#[test]
fn a_binary_patch_that_the_spec_names_already_is_a_problem_as_well() {
    let pair = Pair::new();
    let message = "Add a logo\n\nPatch-name: logo.patch\nPatch-present-in-specfile: true";
    pair.change("logo.png", b"\x89PNG\r\n\x1a\n\0\0\0\xff", message);
    pair.change(".distro/hello.spec", SPEC.replace("Source0:", "Patch7: logo.patch\nSource0:"), "Name the patch");
    let run = pair.update(&[]);
    run.ends_with(0);
    assert!(run.stdout.contains("not verified: 1 patch"), "{}", run.stdout);
}

#[test]
fn a_patch_that_the_spec_applies_too_early_is_refused() {
    let pair = Pair::new();
    pair.change("README", "Hello, first.\n", "First");
    pair.change("README", "Hello, second.\n", "Second\n\nPatch-name: b.patch\nPatch-present-in-specfile: true");
    pair.change(".distro/hello.spec", SPEC.replace("Source0:", "Patch7: b.patch\nSource0:"), "Name the patch");
    pair.refuses(&["`b.patch` does not apply where the spec has it"]);
    // Where it does not matter, the order is the packager's.
    let pair = Pair::new();
    pair.change("README", "Hello, first.\n", "First");
    pair.change("hello.c", FIXED, "Second\n\nPatch-name: b.patch\nPatch-present-in-specfile: true");
    pair.change(".distro/hello.spec", SPEC.replace("Source0:", "Patch7: b.patch\nSource0:"), "Name the patch");
    pair.update(&[]).ends_with(0);
}

#[test]
fn nothing_that_a_contributor_writes_reaches_the_terminal_as_it_is() {
    let pair = Pair::new();
    pair.change("hello.c", FIXED, "Return \x1b[31mred\x1b[0m\r\n\nPatch_name: \x1b]0;x\x07.patch");
    pair.change("\x1b[2J", "x\n", "Add a file\n\nPatch-name: a.patch\n\nMore");
    for arguments in [&["--dry-run"][..], &["--dry-run", "--output", "json"], &["--dry-run", "-vv"]] {
        let run = pair.update(arguments);
        run.ends_with(0);
        let hostile = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!run.stdout.contains(hostile), "{:?}", run.stdout);
        assert!(!run.stderr.contains(hostile), "{:?}", run.stderr);
    }
}

#[test]
fn the_data_hold_no_controls_and_are_what_was_written() {
    let pair = Pair::new();
    let config = CONFIG.replace("name: hello", r#"name: "h\x7f\x9b31m\u202e\U000E0041""#);
    pair.change(".distro/source-git.yaml", config, "Name it");
    let run = pair.update(&["--output", "json", "--dry-run"]);
    run.ends_with(0);
    assert_eq!(run.json()["package"], "h\x7f\u{9b}31m\u{202e}\u{e0041}");
    assert!(run.stdout.is_ascii() && !run.stdout.contains('\x7f'), "{}", run.stdout);
}

#[test]
fn a_repository_that_is_none_is_said_so() {
    let pair = Pair::new();
    fs::create_dir(pair.path("empty")).unwrap();
    pair.git(".", &["init", "-q", "unborn"]);
    pair.git(".", &["clone", "-q", "--bare", "source-git", "bare"]);
    for (source, dist, said) in [
        ("missing", "dist-git", "source-git missing is not a directory"),
        ("source-git", "missing", "dist-git missing is not a directory"),
        ("empty", "dist-git", "source-git empty is not a git clone"),
        ("bare", "dist-git", "source-git bare is not a git clone with a work tree"),
        ("source-git", "unborn", "dist-git unborn has no commit checked out"),
        ("source-git", "source-git/.distro", "/"),
    ] {
        let run = Run::of(pair.program().args(["update-dist-git", source, dist]));
        run.ends_with(2);
        assert!(run.stderr.starts_with(&format!("error: {said}")), "{}", run.stderr);
        assert!(run.stderr.contains("\nhint: "), "{}", run.stderr);
    }
    assert_eq!(pair.git("source-git", &["status", "--porcelain"]), "");
}

#[test]
fn a_git_that_is_too_old_or_missing_is_said_so() {
    let pair = Pair::new();
    fs::create_dir(pair.path("bin")).unwrap();
    let arguments = ["update-dist-git", "source-git", "dist-git"];
    let run = Run::of(pair.program().env("PATH", pair.path("bin")).args(arguments));
    run.ends_with(1);
    assert!(run.stderr.starts_with("error: starting git on the search path"), "{}", run.stderr);
    fs::write(pair.path("bin/git"), "#!/bin/sh\necho git version 2.38.9\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(pair.path("bin/git"), mode).unwrap();
    let path = format!("{}:/bin:/usr/bin", pair.path("bin").display());
    let run = Run::of(pair.program().env("PATH", path).args(arguments));
    run.ends_with(1);
    assert_eq!(run.stderr, "error: git 2.38 is too old: install git 2.39 or newer\n");
}

#[test]
fn bad_usage_ends_with_2_and_help_with_0() {
    let pair = Pair::new();
    for arguments in [&["update-dist-git"][..], &["frobnicate"], &["update-dist-git", "a", "b", "-m", "x", "-F", "y"]] {
        Run::of(pair.program().args(arguments)).ends_with(2);
    }
    let run = pair.update(&["-m", " \n"]);
    run.ends_with(2);
    assert_eq!(run.stderr, "error: the commit message is empty\nhint: say what changes and why\n");
    let run = Run::of(pair.program().arg("--help"));
    run.ends_with(0);
    assert_snapshot!(run.stdout, @r##"
    Keeps source-git and dist-git repositories of RPM distributions in step

    Usage: source-git-bot [OPTIONS] <COMMAND>

    Commands:
      sync             Open or update the dist-git merge request of a source-git merge request
      report           Bring dist-git's CI results to the source-git merge request
      event            Handle an event from a webhook or a job: sync or report what it names
      reconcile        Look at every merge request of the instance, and bring up to date what is behind
      retest           Start a new pipeline for the dist-git merge request of a source-git merge request
      recreate         Rebuild a dist-git merge request, discarding what people pushed to its branch
      doctor           Check whether an instance is set up right, and say what to do where it is not
      notify           From a job, ask the bot project to look at the job's pipeline or merge request
      onboard          Put a package under the instance's care: projects, the bot's fork, webhooks
      update-dist-git  Turn a source-git clone's commit into patches, spec and files of a dist-git clone
      webhook-token    Make the token that webhooks of a namespace or project carry, or check one
      config           Show the settings of an instance and where each comes from, or check them
      completions      Print the completions for a shell

    Options:
          --dry-run
              Show what would be done, and do nothing

          --instance <NAME|FILE>
              The instance to work for: `production`, `staging`, `centos-stream-staging`, or a file that
              extends one

          --output <FORMAT>
              How to show what was done

              Possible values:
              - text: For people
              - json: As data; docs/json-output.md describes the format
              
              [default: text]

      -v, --verbose...
              Say more about what is done; given twice, also name every git command

      -q, --quiet
              Say nothing but errors

          --color <WHEN>
              When to use colours

              Possible values:
              - auto:   On a terminal, unless the variable `NO_COLOR` is set
              - always: Always
              - never:  Never
              
              [default: auto]

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Exit status: 0 done, or nothing to do; 1 failed; 2 bad usage or configuration; 3 the input cannot be
    synced, and the message says why; 4 no credentials here; 5 GitLab unreachable or overloaded.
    "##);
    let run = Run::of(pair.program().args(["update-dist-git", "--help"]));
    run.ends_with(0);
    assert_snapshot!(run.stdout, @r##"
    Turn a source-git clone's commit into patches, spec and files of a dist-git clone

    Usage: source-git-bot update-dist-git [OPTIONS] <SOURCE_GIT> <DIST_GIT>

    Arguments:
      <SOURCE_GIT>
              The source-git clone; the commit that is checked out is read, never the work tree

      <DIST_GIT>
              The dist-git clone; its work tree and index are written

    Options:
      -m, --message <MESSAGE>
              Commit the result with this message

      -F, --file <FILE>
              Commit the result with the message in this file (`-` for standard input)

          --upstream-ref <REF>
              The tag, branch or commit that the downstream commits sit on, instead of the one in
              source-git.yaml

          --patch-comments <WHAT>
              What to write above each new patch in the spec

              Possible values:
              - none:    Nothing but a `Patch-status`
              - subject: The first line of the commit message
              - message: The commit message without its trailers
              
              [default: message]

      -f, --force
              Accepted for packit's sake; changes nothing

          --dry-run
              Show what would be done, and do nothing

          --instance <NAME|FILE>
              The instance to work for: `production`, `staging`, `centos-stream-staging`, or a file that
              extends one

          --output <FORMAT>
              How to show what was done

              Possible values:
              - text: For people
              - json: As data; docs/json-output.md describes the format
              
              [default: text]

      -v, --verbose...
              Say more about what is done; given twice, also name every git command

      -q, --quiet
              Say nothing but errors

          --color <WHEN>
              When to use colours

              Possible values:
              - auto:   On a terminal, unless the variable `NO_COLOR` is set
              - always: Always
              - never:  Never
              
              [default: auto]

      -h, --help
              Print help (see a summary with '-h')

    The commit gets the trailer `From-source-git-commit` with the source-git commit's id. Without -m or
    -F nothing is committed. Files with uncommitted changes are never overwritten.
    "##);
}

#[test]
fn a_linked_work_tree_and_a_clone_with_alternates_are_read() {
    let pair = Pair::new();
    pair.change("hello.c", FIXED, "Return success");
    fs::rename(pair.path("source-git"), pair.path("origin")).unwrap();
    pair.git("origin", &["worktree", "add", "-q", "--detach", "../source-git"]);
    pair.update(&["--dry-run"]).ends_with(0);
    pair.git("origin", &["worktree", "remove", "../source-git"]);
    pair.git(".", &["clone", "-q", "--shared", "origin", "source-git"]);
    pair.update(&[]).ends_with(0);
}
