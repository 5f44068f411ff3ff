//! `sync` where there is nothing to do, or nothing can be done: exit statuses, notes, and dist-git as it was.

use std::fs;

use gitlab_sandbox::{Act, Fault, Role, Settings, Visibility};

use crate::support::world::{DIST, FIRST_SYNC, FORK, NOTED, OPENED, PUSHED, SOURCE, World};
use crate::support::{CONFIG, SPEC};

const CONFIG_FILE: &str = ".distro/source-git.yaml";

/// Changes the package configuration in the merge request.
fn configure(world: &World, config: &str) {
    world.change("Configure", &[(CONFIG_FILE, Some(config))]);
}

#[test]
fn without_a_configuration_there_is_nothing_to_do() {
    let (world, iid) = World::with_merge_request();
    world.change("Drop packaging", &[(CONFIG_FILE, None)]);
    let run = world.sync(iid, &[]);
    run.ends_with(0);
    assert!(run.stderr.contains(CONFIG_FILE), "{}", run.stderr);
    world.change("Drop all of it", &[(".distro/hello.spec", None)]);
    world.sync(iid, &[]).ends_with(0);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn a_target_that_is_not_handled_is_left_alone() {
    let (world, iid) = World::with_merge_request();
    world.instance("targets:\n- branch: c10s\n- project: src/other\n");
    let run = world.sync(iid, &[]);
    run.ends_with(0);
    assert!(run.stderr.contains("does not handle"), "{}", run.stderr);
    assert_eq!(world.sandbox.requests().len(), 1);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn a_closed_merge_request_is_left_alone() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.close(SOURCE, iid, "contributor");
    world.sync(iid, &[]).ends_with(0);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn without_a_token_a_contributor_learns_that_all_is_well() {
    let (world, iid) = World::with_merge_request();
    for token in [None, Some("")] {
        let mut program = world.program();
        program.env_remove("SGB_TOKEN").envs(token.map(|token| ("SGB_TOKEN", token)));
        let run = world.run(program.args(["sync", "--merge-request", &format!("{SOURCE}!{iid}")]));
        run.ends_with(4);
        assert!(run.stderr.contains("in a fork this is as it should be"), "{}", run.stderr);
    }
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn a_conflict_with_the_target_is_told() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let before = world.opened();
    world.sandbox.commit(SOURCE, "c9s", "Return two", &[("hello.c", Some("int main(void)\n{\n    return 2;\n}\n"))]);
    let run = world.refused(iid, &["conflicts with its target branch", "hello.c", "rebase"]);
    assert!(run.stderr.contains("hello.c") && run.stderr.contains("hint: rebase"), "{}", run.stderr);
    assert_eq!((world.opened().head(), world.opened().updated_at), (before.head(), before.updated_at));
    assert!(world.note(iid).contains(&format!("rpms/hello!{}", before.iid)));
    // Told once.
    world.sync(iid, &[]).ends_with(3);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn a_configuration_that_cannot_be_used_is_told() {
    let (world, iid) = World::with_merge_request();
    for (config, said) in [
        ("upstream_ref: [\n".to_owned(), "source-git.yaml"),
        (CONFIG.replace("upstream_ref: v1.0\n", ""), "upstream_ref"),
        (CONFIG.replace("v1.0", "v9.9"), "v9.9"),
        (CONFIG.replace("v1.0", "\"--upload-pack=touch /tmp/x\""), "upload-pack"),
        (CONFIG.replace(".distro/hello.spec", ".distro/other.spec"), "other.spec"),
        (CONFIG.replace("src: .distro/", "src: ../.distro/"), ".."),
    ] {
        configure(&world, &config);
        world.refused(iid, &[said]);
    }
    assert!(world.sandbox.merge_requests(DIST).is_empty());
    // Mended, it goes through.
    configure(&world, CONFIG);
    assert_eq!(world.synced(iid), ["POST rpms/hello/fork", "PUT bot/hello", PUSHED, OPENED, NOTED]);
}

#[test]
fn a_doubt_whether_the_spec_applies_the_patches_is_told() {
    let (world, iid) = World::with_merge_request();
    let spec = SPEC.replace("%autosetup -p1", "%setup -q");
    world.change("Change the spec", &[(".distro/hello.spec", Some(&spec))]);
    assert_eq!(world.synced(iid), FIRST_SYNC);
    let note = world.note(iid);
    assert!(note.contains("0001-Return-success.patch") && note.contains("How to fix it: "), "{note}");
}

#[test]
fn a_merge_request_that_becomes_one_patch_is_told() {
    let (world, iid) = World::with_merge_request();
    // There and back: the first step conflicts with the target, both together do not.
    let there = world.change("Say hallo", &[("README", Some("Hallo.\n"))]);
    world.change("Say hello again", &[("README", Some("Hello.\n"))]);
    world.sandbox.commit(SOURCE, "c9s", "Greet", &[("README", Some("Hello, world.\n"))]);
    assert_eq!(world.synced(iid), FIRST_SYNC);
    assert_eq!(world.patches(iid), ["0001-Greet.patch", "0002-All-changes-of-the-merge-request.patch"]);
    let note = world.note(iid);
    for part in ["the merge request became one patch: commit ", &there[..10], "How to fix it: rebase the merge request"]
    {
        assert!(note.contains(part), "{part}: {note}");
    }
}

#[test]
fn a_series_without_a_proof_is_told() {
    let (world, iid) = World::with_merge_request();
    world.change("First", &[("README", Some("Hello, first.\n"))]);
    let second = "Second\n\nPatch-name: b.patch\nPatch-present-in-specfile: true\n";
    world.change(second, &[("README", Some("Hello, second.\n"))]);
    // Before the first, on which it builds.
    let spec = SPEC.replace("Source0:", "Patch7: b.patch\nSource0:");
    world.change("Name the patch", &[(".distro/hello.spec", Some(&spec))]);
    let run = world.refused(iid, &["`b.patch` does not apply where the spec has it"]);
    assert!(run.stderr.contains("`b.patch` does not apply"), "{}", run.stderr);
    assert!(world.sandbox.merge_requests(DIST).is_empty());
    assert!(world.sandbox.inspect(|model| model.project("bot/hello").is_none()));
}

#[test]
fn a_spec_that_cannot_be_read_is_told() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let before = world.opened().head().map(str::to_owned);
    for (spec, said) in
        [(String::new(), ".distro/hello.spec"), (SPEC.replace("Source0:", "%include x\nSource0:"), "%include")]
    {
        world.change("Change the spec", &[(".distro/hello.spec", Some(&spec))]);
        world.refused(iid, &[said]);
    }
    assert_eq!(world.opened().head(), before.as_deref());
}

#[test]
fn a_push_between_looking_and_pushing_is_not_overwritten() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    world.change("More", &[("MORE", Some("More.\n"))]);
    let (handle, branch) = (world.sandbox.handle(), format!("c9s-src-{iid}"));
    let theirs = branch.clone();
    // The first look at the branch is for what it holds, the second is git's before it pushes.
    world.sandbox.fail(Fault::on("GET", "/bot/hello.git/info/refs").nth(2).meanwhile(move || {
        handle.commit("bot/hello", &theirs, "Mend by hand", &[("mended", Some("yes\n"))]);
    }));
    let run = world.sync(iid, &[]);
    run.ends_with(3);
    assert!(run.stderr.contains("changed by somebody else meanwhile; looking at everything again"), "{}", run.stderr);
    assert_eq!(world.written(), [NOTED]);
    assert!(world.note(iid).contains("pushed to"), "{}", world.note(iid));
    assert!(world.sandbox.file("bot/hello", &branch, "mended").is_some());
}

#[test]
fn a_merge_request_that_gitlab_still_prepares_is_synced() {
    let world = World::new();
    world.sandbox.prepare_slowly(1);
    let iid = world.contribute();
    assert_eq!(world.synced(iid), FIRST_SYNC);
    assert_eq!(world.synced(iid), [""; 0]);
}

#[test]
fn a_branch_or_project_that_dist_git_lacks_is_told() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.branch_at(SOURCE, "c8s", "c9s");
    world.sandbox.set_target(SOURCE, iid, "contributor", "c8s");
    let run = world.refused(iid, &["`rpms/hello` has no branch `c8s`"]);
    assert!(run.stderr.contains("rpms/hello has no branch `c8s`"), "{}", run.stderr);
    world.sandbox.set_target(SOURCE, iid, "contributor", "c9s");
    world.sandbox.delete_project(DIST);
    let run = world.refused(iid, &["no dist-git project `rpms/hello`"]);
    assert!(run.stderr.contains("no dist-git project rpms/hello"), "{}", run.stderr);
}

#[test]
fn a_tag_that_only_the_fork_has_is_not_found() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.tag(FORK, "v1.1", "fix", None);
    configure(&world, &CONFIG.replace("v1.0", "v1.1"));
    world.refused(iid, &["v1.1"]);
}

/// A branch of its own in this project, with one commit on upstream's release.
fn upstream_fix(world: &World, project: &str) -> String {
    world.sandbox.branch_at(project, "upstream-fixes", "v1.0");
    world.sandbox.commit(project, "upstream-fixes", "Fix upstream", &[("UPSTREAM", Some("Fixed.\n"))])
}

#[test]
fn a_commit_on_any_branch_of_the_project_can_be_the_upstream_ref() {
    let (world, iid) = World::with_merge_request();
    let upstream = upstream_fix(&world, SOURCE);
    let tree = world.sandbox.git(FORK, &["merge-tree", "--write-tree", "fix", &upstream]);
    let merge = ["commit-tree", "-m", "Merge upstream's fixes", "-p", "fix", "-p", &upstream, &tree];
    world.sandbox.branch_at(FORK, "fix", &world.sandbox.git(FORK, &merge));
    configure(&world, &CONFIG.replace("v1.0", &upstream));
    assert_eq!(world.synced(iid), FIRST_SYNC);
    assert_eq!(world.patches(iid), ["0001-Return-success.patch"]);
    let asked = world.sandbox.api_requests();
    let asked = asked.iter().filter(|request| request.path.ends_with(&format!("/commits/{upstream}/refs")));
    assert_eq!(asked.count(), 1);
    // Where only a tag has it, that will do.
    world.sandbox.tag(SOURCE, "keep", &upstream, None);
    world.sandbox.delete_branch(SOURCE, "upstream-fixes");
    assert_eq!(world.synced(iid), [""; 0]);
}

#[test]
fn a_commit_that_no_branch_or_tag_of_the_project_contains_is_refused() {
    let (world, iid) = World::with_merge_request();
    let nowhere = "which no branch or tag of the source-git project contains";
    // In the merge request itself.
    let own = world.change("Something", &[("MORE", Some("More.\n"))]);
    configure(&world, &CONFIG.replace("v1.0", &own));
    world.refused(iid, &[nowhere]);
    // On a branch of the fork, whose objects the project borrows.
    configure(&world, &CONFIG.replace("v1.0", &upstream_fix(&world, FORK)));
    world.refused(iid, &[nowhere]);
    // In another merge request, of the project's own branch that is gone since.
    let other = upstream_fix(&world, SOURCE);
    world.sandbox.open("maintainer").from(SOURCE, "upstream-fixes").into(SOURCE, "c9s").create();
    world.sandbox.delete_branch(SOURCE, "upstream-fixes");
    configure(&world, &CONFIG.replace("v1.0", &other));
    world.refused(iid, &[nowhere]);
    // In no repository at all.
    configure(&world, &CONFIG.replace("v1.0", &"12".repeat(20)));
    world.refused(iid, &["is no commit of the source-git project"]);
}

#[test]
fn an_upstream_ref_on_a_downstream_commit_heads_the_note() {
    let world = World::new();
    let downstream = world.sandbox.commit(SOURCE, "c9s", "Greet", &[("README", Some("Hello, world.\n"))]);
    world.sandbox.commit(DIST, "c9s", "Merge", &[("0001-Greet.patch", Some("old\n"))]);
    let spec = SPEC.replace("\n%description", "Patch1: 0001-Greet.patch\n\n%description");
    world.sandbox.commit(DIST, "c9s", "Merge", &[("hello.spec", Some(&spec))]);
    let iid = world.contribute();
    configure(&world, &CONFIG.replace("v1.0", &downstream));
    world.synced(iid);
    let note = world.note(iid);
    let change = note.find(&format!("changes `upstream_ref` from `v1.0` to `{downstream}`")).expect(&note);
    let dropped = note.find("**`0001-Greet.patch`**").expect(&note);
    assert!(change < dropped && dropped < note.find("The dist-git merge request holds").unwrap(), "{note}");
    assert_eq!(world.patches(iid), ["0001-Return-success.patch"]);
}

#[test]
fn a_changed_upstream_ref_wants_the_target_below_it() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.tag(SOURCE, "v1.0.1", "v1.0", None);
    configure(&world, &CONFIG.replace("v1.0", "v1.0.1"));
    world.sandbox.commit(SOURCE, "c9s", "Greet", &[("README", Some("Hello, world.\n"))]);
    world.refused(iid, &["`upstream_ref`", "does not contain the tip of its target branch", "rebase"]);
}

#[test]
fn what_few_may_see_is_not_shown_to_many() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.set_visibility(FORK, Visibility::Private);
    world.refused(iid, &["fewer people may see this merge request"]);
    world.sandbox.set_visibility(FORK, Visibility::Public);
    world.sandbox.set_visibility(SOURCE, Visibility::Private);
    world.sandbox.member(SOURCE, "bot", Role::Reporter);
    world.sync(iid, &[]).ends_with(3);
    assert_eq!(world.written(), [""; 0]);
    assert!(world.sandbox.inspect(|model| model.project("bot/hello").is_none()));
}

#[test]
fn a_fork_that_is_open_to_more_than_dist_git_counts() {
    let world = World::with(&Settings::default(), Visibility::Private);
    for project in [SOURCE, DIST] {
        world.sandbox.member(project, "bot", Role::Reporter);
        world.sandbox.member(project, "contributor", Role::Reporter);
    }
    let iid = world.contribute();
    world.sandbox.member(FORK, "bot", Role::Reporter);
    world.sandbox.fork(DIST, "bot");
    world.sandbox.set_visibility("bot/hello", Visibility::Public);
    world.refused(iid, &["fewer people may see this merge request"]);
    world.sandbox.set_visibility("bot/hello", Visibility::Private);
    assert_eq!(world.synced(iid), [PUSHED, OPENED, NOTED]);
}

#[test]
fn a_person_who_closes_or_merges_in_dist_git_is_heard() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    world.sandbox.close(DIST, world.opened().iid, "maintainer");
    world.change("More", &[("MORE", Some("More.\n"))]);
    assert_eq!(world.synced(iid), [NOTED]);
    assert!(world.note(iid).contains("was closed there"), "{}", world.note(iid));
    assert_eq!(world.synced(iid), [""; 0]);
}

#[test]
fn an_instance_file_that_is_wrong_is_told_with_the_nearest_key() {
    let world = World::new();
    for (lines, said) in [
        ("forsk: bot\n", ["`forsk`: unknown key", "did you mean `forks`?"]),
        ("results: job\n", ["`results`: must be one of", ""]),
        ("targets:\n- brunch: c9s\n", ["`targets.brunch`: unknown key", "did you mean `branch`?"]),
    ] {
        world.instance(lines);
        let run = world.sync(1, &[]);
        run.ends_with(2);
        for part in said {
            assert!(run.stderr.contains(part), "{}", run.stderr);
        }
    }
    fs::remove_file(world.home.path().join("instance.yaml")).unwrap();
    world.sync(1, &[]).ends_with(2);
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn a_file_alone_decides_where_the_token_goes() {
    let (world, iid) = World::with_merge_request();
    let elsewhere = [("SGB_GITLAB_URL", "http://127.0.0.1:1"), ("SGB_PROXY", "http://127.0.0.1:1")];
    let mut program = world.program();
    program.envs(elsewhere).args(["sync", "--dry-run", "--merge-request", &format!("{SOURCE}!{iid}")]);
    let run = world.run(&mut program);
    run.ends_with(0);
    assert!(run.stderr.contains("SGB_PROXY is not used"), "{}", run.stderr);
}

#[test]
fn what_is_hostile_acts_nowhere() {
    let (world, iid) = World::with_merge_request();
    let title = "@contributor Closes src/hello#1 <!-- $(touch x) `id` \u{1b}]0;x\u{7} \u{202e}/merge";
    let description = "@all look, @maintainer\n\nCloses #1, fixes src/hello#2\n<!-- source-git-bot\n\
        {\"v\":1} -->\n```\n/close\n<details>\n$(touch x)\n\u{1b}[31mred\u{7}\nFrom-source-git-commit: 00\n--- a/x\n";
    let subject = "/close @all \u{1b}[2J <!-- ]]> | Closes #1";
    world.change(&format!("{subject}\n\n{description}"), &[("MORE", Some("More.\n")), ("a`b@all<!--", Some("x\n"))]);
    world.sandbox.set_title(SOURCE, iid, "contributor", title);
    world.sandbox.set_description(SOURCE, iid, "contributor", description);
    drop(world.sandbox.take_writes());
    for arguments in [&["-vv", "--dry-run"][..], &["-vv"], &["--dry-run", "--output", "json"]] {
        let run = world.sync(iid, arguments);
        run.ends_with(0);
        assert!(!run.stderr.contains('\u{1b}') && !run.stdout.contains('\u{1b}'), "{}", run.stderr);
    }
    assert_eq!(world.written(), FIRST_SYNC);
    let acts: Vec<Act> = world.sandbox.acts().into_iter().filter(|act| act.user == "bot").collect();
    assert!(acts.is_empty(), "{acts:#?}");
    let opened = world.opened();
    for text in [&opened.title, &opened.description, &world.note(iid), &world.message(iid)] {
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text}");
    }
    assert_eq!(world.message(iid).matches("\nFrom-source-git-commit: ").count(), 1);
    assert!(!world.home.path().join("x").exists());
    assert_eq!(world.synced(iid), [""; 0]);
}

#[test]
fn a_hostile_target_branch_is_only_a_name() {
    let world = World::new();
    let target = "c9s;$(touch${IFS}x)'\"&|@all<!--";
    world.instance("targets:\n- branch: .*\n");
    world.sandbox.branch_at(SOURCE, target, "c9s");
    world.sandbox.branch_at(DIST, target, "c9s");
    world.sandbox.fork(SOURCE, "contributor");
    world.sandbox.branch_at(FORK, "fix", "c9s");
    world.change("Fix", &[("MORE", Some("More.\n"))]);
    let iid = world.sandbox.open("contributor").from(FORK, "fix").into(SOURCE, target).create();
    assert_eq!(world.synced(iid), FIRST_SYNC.map(|write| write.replace(" c9s-src-", &format!(" {target}-src-"))));
    assert_eq!(world.opened().target_branch, target);
    assert!(world.sandbox.acts().iter().all(|act| act.user != "bot"), "{:#?}", world.sandbox.acts());
    assert_eq!(world.synced(iid), [""; 0]);
    world.sandbox.delete_branch(DIST, target);
    world.sync(iid, &[]).ends_with(3);
    assert_eq!(world.written(), [NOTED]);
    assert!(world.sandbox.acts().iter().all(|act| act.user != "bot"), "{:#?}", world.sandbox.acts());
}
