//! `sync` as a CI job of the bot runs it, against a GitLab of our own: what it opens, pushes and writes.

use gitlab_sandbox::{Fault, ForkImport, Role, Settings, Visibility};

use crate::support::world::{DIST, EDITED, FIRST_SYNC, FIXED, FORK, HELLO, NOTED, OPENED, PUSHED, SOURCE, World};
use crate::support::{CONFIG, SPEC};

#[test]
fn a_merge_request_gets_its_pair_and_a_rerun_changes_nothing() {
    let (world, iid) = World::with_merge_request();
    assert_eq!(world.synced(iid), FIRST_SYNC);
    let opened = world.opened();
    assert_eq!(opened.title, "Return success");
    assert_eq!(opened.source_branch, format!("c9s-src-{iid}"));
    assert!(opened.description.contains("Resolves: bz#123456"), "{}", opened.description);
    assert!(world.note(iid).contains("0001-Return-success.patch"));
    let spec = world.pushed(iid, "hello.spec").unwrap();
    let tag = spec.lines().find(|line| line.starts_with("Patch")).unwrap_or_default();
    assert!(tag.ends_with(" 0001-Return-success.patch"), "{spec}");
    let patch = world.pushed(iid, "0001-Return-success.patch").unwrap();
    let head = world.sandbox.tip(FORK, "fix").unwrap();
    assert!(patch.starts_with(&format!("From {head} ")));

    world.sandbox.clear_log();
    let run = world.sync(iid, &[]);
    run.ends_with(0);
    assert_eq!(world.written(), [""; 0]);
    assert!(run.stderr.contains("everything is as it should be"), "{}", run.stderr);
}

#[test]
fn a_merge_request_is_named_by_address_or_path_or_by_the_job() {
    let settings = Settings { relative_url: "/gitlab".to_owned(), ..Settings::default() };
    let world = World::with(&settings, Visibility::Public);
    let iid = world.contribute();
    let address = format!("{}/{SOURCE}/-/merge_requests/{iid}/diffs?x=1#note_2", world.sandbox.url());
    assert!(address.contains("/gitlab/"));
    world.run(world.program().args(["sync", "--merge-request", &address])).ends_with(0);
    assert_eq!(world.written(), FIRST_SYNC);
    assert_eq!(world.synced(iid), [""; 0]);
    let job = [
        ("GITLAB_CI", "true"),
        ("CI_PROJECT_PATH", FORK),
        ("CI_MERGE_REQUEST_PROJECT_PATH", SOURCE),
        ("CI_MERGE_REQUEST_IID", &iid.to_string()),
        ("CI_COMMIT_SHA", "0000000000000000000000000000000000000000"),
        ("CI_SERVER_URL", "http://evil.example"),
    ];
    let run = world.run(world.program().arg("sync").envs(job));
    run.ends_with(0);
    assert!(run.stderr.contains("section_start:") && run.stderr.contains("section_end:"), "{}", run.stderr);
    assert_eq!(world.written(), [""; 0]);

    let elsewhere = "https://evil.example/src/hello/-/merge_requests/1";
    world.run(world.program().args(["sync", "--merge-request", elsewhere])).ends_with(2);
    world.run(world.program().arg("sync")).ends_with(2);
}

#[test]
fn a_project_outside_the_namespaces_costs_no_request() {
    let (world, _) = World::with_merge_request();
    for project in ["contributor/hello", "srcs/hello", "rpms/hello", "x/src/hello"] {
        let run = world.run(world.program().args(["sync", "--merge-request", &format!("{project}!1")]));
        run.ends_with(0);
        assert!(run.stderr.contains("nothing to do"), "{}", run.stderr);
    }
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn a_server_without_partial_clone_works() {
    let (world, iid) = World::with_merge_request();
    for project in [SOURCE, DIST] {
        world.sandbox.forbid_partial_clone(project);
    }
    assert_eq!(world.synced(iid), FIRST_SYNC);
    assert_eq!(world.patches(iid), ["0001-Return-success.patch"]);
}

#[test]
fn history_is_fetched_as_deep_as_it_takes() {
    let world = World::new();
    for number in 0..60 {
        let file = format!("doc/{number}");
        world.sandbox.commit(SOURCE, "c9s", &format!("Document {number}"), &[(&file, Some("said\n"))]);
    }
    let iid = world.contribute();
    world.synced(iid);
    assert_eq!(world.patches(iid).len(), 61);
}

#[test]
fn little_is_fetched_of_a_big_project() {
    let world = World::new();
    let noise: String = (0..60_000_u64).map(|n| format!("{:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    world.sandbox.commit(SOURCE, "c9s", "Add data", &[("data", Some(&noise))]);
    world.sandbox.tag(SOURCE, "v1.1", "c9s", None);
    let config = CONFIG.replace("v1.0", "v1.1");
    world.sandbox.commit(SOURCE, "c9s", "Update", &[(".distro/source-git.yaml", Some(&config))]);
    let iid = world.contribute();
    world.synced(iid);
    let moved = world.sandbox.traffic(SOURCE).fetch_sent;
    assert!(moved < 20_000, "{moved} bytes");
}

#[test]
fn files_that_are_copied_from_outside_the_packaging_come_along() {
    let world = World::new();
    let config = format!("{CONFIG}- src: README\n  dest: README.upstream\n");
    let spec = SPEC.replace("It says hello.", "It says hello, politely.");
    let changes = [(".distro/source-git.yaml", Some(config.as_str())), (".distro/hello.spec", Some(&spec))];
    world.sandbox.commit(SOURCE, "c9s", "Copy the README", &changes);
    let iid = world.contribute();
    world.synced(iid);
    assert_eq!(world.pushed(iid, "README.upstream").unwrap(), "Hello.\n");
    assert!(world.pushed(iid, "hello.spec").unwrap().contains("politely"));
    assert_eq!(world.pushed(iid, "sources").unwrap(), "SHA512 (hello-1.0.tar.gz) = 00\n");
}

#[test]
fn patches_that_were_merged_meanwhile_stay() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.commit(SOURCE, "c9s", "Greet", &[("GREETING", Some("Hello, world.\n"))]);
    world.synced(iid);
    assert_eq!(world.patches(iid), ["0001-Greet.patch", "0002-Return-success.patch"]);
    let head = world.sandbox.tip(FORK, "fix").unwrap();
    assert!(world.pushed(iid, "0002-Return-success.patch").unwrap().starts_with(&format!("From {head} ")));

    // The target moves under the open pair, and so does its configuration.
    let config = format!("{CONFIG}- src: README\n  dest: README.upstream\n");
    world.sandbox.commit(SOURCE, "c9s", "Copy the README", &[(".distro/source-git.yaml", Some(&config))]);
    world.sandbox.commit(SOURCE, "c9s", "Mention", &[("MORE", Some("More.\n"))]);
    assert_eq!(world.synced(iid), [PUSHED, NOTED]);
    assert_eq!(world.patches(iid), ["0001-Greet.patch", "0002-Mention.patch", "0003-Return-success.patch"]);
    assert_eq!(world.pushed(iid, "README.upstream").unwrap(), "Hello.\n");
}

#[test]
fn merges_inside_the_merge_request_are_taken_apart() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.commit(SOURCE, "c9s", "Greet", &[("README", Some("Hello, world.\n"))]);
    let tip = world.sandbox.tip(SOURCE, "c9s").unwrap();
    // The contributor merges the target, as GitLab's "Update branch" does.
    let merged = world.sandbox.git(FORK, &["merge-tree", "--write-tree", "fix", &tip]);
    let merged = merged.trim();
    let fix = world.sandbox.tip(FORK, "fix").unwrap();
    let identity = ["-c", "user.name=Contributor", "-c", "user.email=contributor@example.com"];
    let commit: Vec<_> =
        identity.into_iter().chain(["commit-tree", merged, "-p", &fix, "-p", &tip, "-m", "Merge c9s"]).collect();
    let commit = world.sandbox.git(FORK, &commit);
    world.sandbox.branch_at(FORK, "fix", commit.trim());
    world.change("Say more", &[("MORE", Some("More.\n"))]);
    world.synced(iid);
    let patches = world.patches(iid);
    assert_eq!(patches.len(), 3, "{patches:?}");
    for name in ["Greet", "Return-success", "Say-more"] {
        assert!(patches.iter().any(|patch| patch.ends_with(&format!("{name}.patch"))), "{patches:?}");
    }
}

#[test]
fn a_new_release_heads_the_note() {
    let world = World::new();
    world.sandbox.commit(SOURCE, "c9s", "Greet", &[("README", Some("Hello, world.\n"))]);
    let iid = world.contribute();
    world.synced(iid);
    assert_eq!(world.patches(iid).len(), 2);
    world.sandbox.commit(DIST, "c9s", "Merge", &[("0001-Greet.patch", Some("old\n"))]);

    // Upstream took both patches.
    let changes = [("hello.c", Some(FIXED)), ("README", Some("Hello, world.\n"))];
    let release = world.sandbox.commit(SOURCE, "main", "Hello 1.1", &changes);
    world.sandbox.tag(SOURCE, "v1.1", &release, Some("Hello 1.1"));
    let fix = world.sandbox.tip(FORK, "fix").unwrap();
    let tree = world.sandbox.git(FORK, &["rev-parse", "fix^{tree}"]);
    let identity = ["-c", "user.name=Contributor", "-c", "user.email=contributor@example.com"];
    let merge: Vec<_> = identity
        .into_iter()
        .chain(["commit-tree", tree.trim(), "-p", &fix, "-p", &release, "-m", "Merge v1.1"])
        .collect();
    let merge = world.sandbox.git(FORK, &merge);
    world.sandbox.branch_at(FORK, "fix", merge.trim());
    let config = CONFIG.replace("v1.0", "v1.1");
    world.change("Update to 1.1", &[(".distro/source-git.yaml", Some(&config))]);
    world.synced(iid);
    let note = world.note(iid);
    let change = note.find("changes `upstream_ref` from `v1.0` to `v1.1`").expect(&note);
    assert!(change < note.find("The dist-git merge request holds").unwrap(), "{note}");
    assert!(note.contains("0001-Greet.patch"), "{note}");
    assert_eq!(world.patches(iid), [""; 0]);
}

#[test]
fn the_fork_is_waited_for() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.set_fork_import(ForkImport::AfterReadings(7));
    assert_eq!(world.synced(iid), FIRST_SYNC);
}

#[test]
fn a_new_fork_is_made_safe_before_anything_runs_there() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let setting =
        |name: &str| world.sandbox.inspect(|model| model.project("bot/hello").unwrap().settings.get(name).cloned());
    assert_eq!(setting("ci_pipeline_variables_minimum_override_role"), Some("no_one_allowed".into()));
    assert_eq!(setting("ci_push_repository_for_job_token_allowed"), Some(false.into()));
}

#[test]
fn a_fork_whose_settings_are_not_the_bots_is_used_and_warned_of() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.fail(Fault::on("PUT", "*/projects/*").status(403));
    let run = world.sync(iid, &[]);
    run.ends_with(0);
    assert!(run.stderr.contains("the bot may not change the settings of bot/hello"), "{}", run.stderr);
    assert_eq!(world.written(), ["POST rpms/hello/fork", PUSHED, OPENED, FIRST_SYNC[4]]);
}

#[test]
fn a_fork_that_cannot_be_made_is_said() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.set_fork_import(ForkImport::Fails(1, "no space left".to_owned()));
    let run = world.sync(iid, &[]);
    run.ends_with(1);
    assert!(run.stderr.contains("no space left"), "{}", run.stderr);
    assert_eq!(world.written(), ["POST rpms/hello/fork"]);
}

#[test]
fn forks_can_live_in_a_group() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.group("rpms/forks", Visibility::Public);
    world.sandbox.group_member("rpms/forks", "bot", Role::Maintainer);
    world.instance("forks: {group: rpms/forks}\n");
    let there = FIRST_SYNC.map(|write| write.replace(" bot/", " rpms/forks/"));
    assert_eq!(world.synced(iid), there);
    assert!(world.sandbox.tip("rpms/forks/hello", &format!("c9s-src-{iid}")).is_some());
    assert_eq!(world.synced(iid), [""; 0]);
}

#[test]
fn the_branch_can_live_in_dist_git_itself() {
    let (world, iid) = World::with_merge_request();
    world.instance("forks: dist-git\n");
    let run = world.sync(iid, &[]);
    run.ends_with(1);
    assert!(run.stderr.contains("dist-git"), "{}", run.stderr);
    assert_eq!(world.written(), [""; 0]);

    world.sandbox.member(DIST, "bot", Role::Developer);
    let there = FIRST_SYNC.map(|write| write.replace(" bot/", " rpms/"));
    assert_eq!(world.synced(iid), there[2..]);
    assert!(world.sandbox.tip(DIST, &format!("c9s-src-{iid}")).is_some());
    assert_eq!(world.synced(iid), [""; 0]);
}

#[test]
fn a_project_that_is_no_fork_is_left_alone() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.fork(SOURCE, "bot");
    let run = world.sync(iid, &[]);
    run.ends_with(1);
    assert!(run.stderr.contains("bot/hello is not a fork of rpms/hello"), "{}", run.stderr);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn the_fork_of_another_project_of_that_name_is_not_pushed_to() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let branch = format!("c9s-src-{iid}");
    let theirs = world.sandbox.tip("bot/hello", &branch);
    // A package of the same name in a group within, with a merge request of the same number.
    let (source, dist) = ("src/lang/hello", "rpms/lang/hello");
    for project in [source, dist] {
        world.sandbox.project_with(project, Visibility::Public);
        world.sandbox.member(project, "maintainer", Role::Maintainer);
    }
    let packaging = [(".distro/hello.spec", Some(SPEC)), (".distro/source-git.yaml", Some(CONFIG))];
    world.sandbox.commit(source, "c9s", "Hello 1.0", &[("hello.c", Some(HELLO))]);
    world.sandbox.tag(source, "v1.0", "c9s", None);
    world.sandbox.commit(source, "c9s", "Add packaging", &packaging);
    world.sandbox.branch_at(source, "fix", "c9s");
    world.sandbox.commit(source, "fix", "Return two", &[("hello.c", Some(&*HELLO.replace('1', "2")))]);
    world.sandbox.commit(dist, "c9s", "Import hello", &[("hello.spec", Some(SPEC))]);
    let iid = world.sandbox.open("maintainer").from(source, "fix").into(source, "c9s").create();
    let run = world.run(world.program().args(["sync", "--merge-request", &format!("{source}!{iid}")]));
    run.ends_with(1);
    assert!(run.stderr.contains("bot/hello is not a fork of rpms/lang/hello"), "{}", run.stderr);
    assert_eq!(world.sandbox.tip("bot/hello", &branch), theirs);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn a_fork_that_lags_behind_gets_what_it_lacks() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.fork(DIST, "bot");
    for number in 0..3 {
        let content = format!("{number}\n");
        world.sandbox.commit(DIST, "c9s", "Rebuild", &[("rebuilt", Some(&content)), (&content, Some(&content))]);
    }
    assert_eq!(world.synced(iid), [PUSHED, OPENED, FIRST_SYNC[4]]);
    let branch = format!("c9s-src-{iid}");
    let log = world.sandbox.git("bot/hello", &["log", "--format=%s", &branch]);
    assert_eq!(log.lines().collect::<Vec<_>>(), ["Return success", "Rebuild", "Rebuild", "Rebuild", "Import hello"]);
    assert_eq!(world.sandbox.git("bot/hello", &["fsck", "--connectivity-only", "--no-dangling"]).trim(), "");

    // And again, with the branch there already.
    world.sandbox.commit(DIST, "c9s", "Rebuild again", &[("rebuilt", Some("again\n"))]);
    assert_eq!(world.synced(iid)[..1], [PUSHED]);
    let parent = world.sandbox.git("bot/hello", &["rev-parse", &format!("{branch}^")]);
    assert_eq!(parent.trim(), world.sandbox.tip(DIST, "c9s").unwrap());
}

#[test]
fn what_a_person_pushed_to_the_branch_stays() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let branch = format!("c9s-src-{iid}");
    let theirs = world.sandbox.commit("bot/hello", &branch, "Mend by hand", &[("mended", Some("yes\n"))]);
    world.change("More", &[("MORE", Some("More.\n"))]);
    world.refused(iid, &["Somebody pushed to the bot's branch", &branch]);
    assert_eq!(world.sandbox.tip("bot/hello", &branch).unwrap(), theirs);
}

#[test]
fn the_commit_tells_what_why_who_and_from_where() {
    let (world, iid) = World::with_merge_request();
    let description = "Callers need it.\n\nJIRA: https://issues.redhat.com/browse/RHEL-123\n";
    world.sandbox.set_description(SOURCE, iid, "contributor", description);
    world.synced(iid);
    let head = world.sandbox.tip(FORK, "fix").unwrap();
    let branch = format!("c9s-src-{iid}");
    let by = world.sandbox.git("bot/hello", &["log", "-1", "--format=%an <%ae> %cn <%ce>", &branch]);
    assert_eq!(by.trim(), "Bot <bot@example.com> Bot <bot@example.com>");
    let who = world.sandbox.git(FORK, &["log", "-1", "--format=%an <%ae>", "fix"]);
    assert_eq!(
        world.message(iid).trim_end(),
        format!(
            "Return success\n\nCallers need it.\n\nResolves: RHEL-123\n\nCo-authored-by: {}\n\
             From-source-git-commit: {head}",
            who.trim()
        )
    );
}

#[test]
fn title_description_and_draft_state_follow_unless_a_person_changed_them() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let dist_iid = world.opened().iid;
    world.sandbox.set_title(SOURCE, iid, "contributor", "Draft: Return zero");
    assert_eq!(world.synced(iid), [PUSHED, EDITED]);
    assert_eq!(world.opened().title, "Draft: Return zero");
    assert!(world.message(iid).starts_with("Return zero\n"), "the commit is not a draft");

    // Only the draft state changes: the commit is as it was.
    world.sandbox.set_title(SOURCE, iid, "contributor", "Return zero");
    assert_eq!(world.synced(iid), [EDITED]);
    assert!(!world.opened().is_draft());

    world.sandbox.set_title(DIST, dist_iid, "maintainer", "hello: return zero");
    let written = format!("{}\n\nTested by hand.\n", world.opened().description);
    world.sandbox.set_description(DIST, dist_iid, "maintainer", &written);
    world.sandbox.set_title(SOURCE, iid, "contributor", "Return nothing");
    world.sandbox.set_description(SOURCE, iid, "contributor", "Callers insist.\n");
    assert_eq!(world.synced(iid), [PUSHED, EDITED]);
    let opened = world.opened();
    assert_eq!(opened.title, "hello: return zero");
    assert!(opened.description.starts_with("Callers insist.\n"), "{}", opened.description);
    assert!(opened.description.ends_with("Tested by hand."), "{}", opened.description);
    assert_eq!(world.synced(iid), [""; 0]);
}

#[test]
fn a_new_merge_request_gets_the_label() {
    let (world, iid) = World::with_merge_request();
    world.instance("label: source-git\n");
    world.sandbox.member(DIST, "bot", Role::Developer);
    world.synced(iid);
    assert!(world.opened().labels.contains("source-git"), "{:?}", world.opened().labels);
}

#[test]
fn a_merge_request_of_somebody_else_does_not_count() {
    let (world, iid) = World::with_merge_request();
    let branch = format!("c9s-src-{iid}");
    world.sandbox.user("other");
    let fork = world.sandbox.fork(DIST, "other");
    world.sandbox.branch_at(&fork, &branch, "c9s");
    world.sandbox.commit(&fork, &branch, "Evil", &[("evil", Some("yes\n"))]);
    let theirs = world.sandbox.open("other").from(&fork, &branch).into(DIST, "c9s").title("Mine").create();
    assert_eq!(world.synced(iid), FIRST_SYNC);
    assert_eq!(world.sandbox.merge_request(DIST, theirs).title, "Mine");
    assert_eq!(world.sandbox.merge_requests(DIST).len(), 2);
    assert_eq!(world.synced(iid), [""; 0]);
}

#[test]
fn one_note_stays_the_oldest_of_the_bot() {
    let (world, iid) = World::with_merge_request();
    let quoted = "<!-- source-git-bot -->\n#### In dist-git";
    world.sandbox.note(SOURCE, iid, "contributor", quoted);
    world.synced(iid);
    let note = world.note(iid);
    let others = world.sandbox.note(SOURCE, iid, "contributor", &note);
    let second = world.sandbox.note(SOURCE, iid, "bot", &note);
    let words = world.sandbox.note(SOURCE, iid, "bot", "Something else that somebody wrote with the bot's account.");
    world.sandbox.clear_log();
    assert_eq!(world.synced(iid), ["DELETE src/hello/merge_requests/1/notes/*"]);
    let left: Vec<_> = world.sandbox.notes(SOURCE, iid).into_iter().map(|note| note.id).collect();
    assert!(left.contains(&others) && left.contains(&words) && !left.contains(&second), "{left:?}");
}
