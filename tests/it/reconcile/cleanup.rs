//! What ended in dist-git: it is told in source-git though no list of open merge requests shows it, and its branch goes.

use gitlab_sandbox::{Fault, Moment, Repositories, State};

use super::world::{issue, reconcile, settle, watch, watched};
use crate::support::world::{DIST, SOURCE, World};

#[test]
fn what_is_merged_in_dist_git_after_its_original_is_told_there() {
    for end in ["merged", "closed there"] {
        let (world, iid) = watched();
        world.synced(iid);
        world.sandbox.merge(SOURCE, iid, "maintainer");
        settle(&world);
        assert!(world.note(iid).contains("until the package's maintainers merge it too"), "{}", world.note(iid));
        match end {
            "merged" => world.sandbox.merge(DIST, 1, "maintainer"),
            _ => world.sandbox.close(DIST, 1, "maintainer"),
        }
        settle(&world);
        assert!(world.note(iid).contains(&format!("The dist-git merge request was {end}**")), "{}", world.note(iid));
        reconcile(&world, &[]).ends_with(0);
        assert_eq!(world.written(), [""; 0]);
    }
}

#[test]
fn what_was_merged_in_source_git_without_any_event_gets_its_pair_where_the_instance_handles_it() {
    let (world, iid) = watched();
    world.sandbox.merge(SOURCE, iid, "maintainer");
    // The list fails once: the next run looks as far back.
    world.sandbox.fail(Fault::on("GET", "/groups/src/merge_requests").nth(2).times(5).status(500));
    reconcile(&world, &[]).ends_with(5);
    world.sandbox.clear_faults();
    assert_eq!(world.sandbox.merge_requests(DIST).len(), 0);
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stdout.contains(&format!("{SOURCE}!{iid}  synced")), "{}", run.stdout);
    assert_eq!(world.opened().state, State::Opened);
    assert_eq!(world.patches(iid), ["0001-Return-success.patch"]);
    settle(&world);
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(world.written(), [""; 0]);

    let (world, iid) = watched();
    world.instance("bot_project: ops/bot\ntargets:\n- branch: c10s\n");
    world.sandbox.merge(SOURCE, iid, "maintainer");
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stdout.starts_with("0 merge requests: "), "{}", run.stdout);
    assert_eq!(world.sandbox.merge_requests(DIST).len(), 0);
    let _ = world.written();
}

#[test]
fn what_is_in_an_archived_project_is_left_alone_and_calls_nobody() {
    let (world, iid) = watched();
    world.synced(iid);
    settle(&world);
    world.sandbox.archive(SOURCE);
    world.sandbox.commit(DIST, "c9s", "Rebuild", &[("gating.yaml", Some("x\n"))]);
    for arguments in [&[][..], &["--only", SOURCE], &["--only", SOURCE, "--output", "json"]] {
        let run = reconcile(&world, arguments);
        run.ends_with(0);
        match arguments {
            [.., "json"] => assert_eq!(run.json()["merge_requests"][0]["outcome"], "left_alone"),
            _ => {
                assert!(run.stdout.contains("rpms/hello!1  left alone: src/hello is archived"), "{}", run.stdout);
                assert!(run.stdout.contains("1 merge request: 1 unchanged"), "{}", run.stdout);
            }
        }
    }
    let written: Vec<_> = world.sandbox.take_writes().into_iter().map(|write| write.path).collect();
    assert!(written.iter().all(|path| path.contains("/issues/")), "{written:?}");
    assert!(!issue(&world).open, "{:#?}", issue(&world));
    assert_eq!(world.opened().state, State::Opened);
    // It is not looked at each time, and its end in dist-git cannot be told.
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(world.written(), [""; 0]);
    world.sandbox.merge(DIST, 1, "maintainer");
    for _ in 0..2 {
        reconcile(&world, &[]).ends_with(0);
    }
    assert!(!issue(&world).open, "{:#?}", issue(&world));
    let _ = world.written();
}

#[test]
fn what_ended_and_could_not_be_looked_at_is_looked_at_by_the_next_run_whenever_that_is() {
    let (world, iid) = watched();
    world.synced(iid);
    world.sandbox.merge(SOURCE, iid, "maintainer");
    settle(&world);
    world.sandbox.merge(DIST, 1, "maintainer");
    world.sandbox.fail(Fault::on("GET", "/projects/*/merge_requests/1").always().status(500));
    for _ in 0..2 {
        reconcile(&world, &[]).ends_with(5);
    }
    world.sandbox.clear_faults();
    // It was two hours ago, and since then the time has gone on: what counts is when a run last saw to all.
    let id = world.opened().id;
    world.sandbox.arrange(|model| {
        let request = model.merge_requests.get_mut(&id).unwrap();
        request.updated_at = Moment(request.updated_at.0 - 2 * 3600 * 1000);
        for note in model.issues.values_mut().flat_map(|issue| &mut issue.notes).filter(|note| !note.system) {
            let (before, rest) = note.body.split_once("\"behind\":").unwrap();
            let (moment, after) = rest.split_once(',').unwrap();
            let earlier = moment.parse::<u64>().unwrap() - 2 * 3600;
            note.body = format!("{before}\"behind\":{earlier},{after}");
        }
    });
    reconcile(&world, &[]).ends_with(0);
    assert!(world.note(iid).contains("**The dist-git merge request was merged**"), "{}", world.note(iid));
    settle(&world);
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(world.written(), [""; 0]);
}

/// A pair that was closed, the first in source-git, as long ago as its branch is kept and half an hour.
fn closed_long_ago() -> (World, u64) {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    world.sandbox.close(SOURCE, iid, "contributor");
    settle(&world);
    long_ago(&world);
    (world, iid)
}

fn long_ago(world: &World) {
    let id = world.opened().id;
    world.sandbox.arrange(|model| {
        let request = model.merge_requests.get_mut(&id).unwrap();
        request.updated_at = Moment(request.updated_at.0 - (14 * 24 * 60 + 30) * 60_000);
    });
}

#[test]
fn the_branch_of_what_ended_long_ago_is_removed_and_comes_back_with_its_merge_request() {
    let (world, iid) = closed_long_ago();
    let branch = format!("c9s-src-{iid}");
    let shown = reconcile(&world, &["--dry-run"]);
    assert!(shown.stdout.contains("would remove the branch c9s-src-1"), "{}", shown.stdout);
    assert_eq!(world.written(), [""; 0]);
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stdout.contains("rpms/hello!1  removed its branch"), "{}", run.stdout);
    assert_eq!(
        (world.sandbox.tip("bot/hello", &branch), world.written()),
        (None, vec!["DELETE bot/hello/repository/branches/c9s-src-1".to_owned()])
    );
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(world.written(), [""; 0]);
    world.sandbox.reopen(SOURCE, iid, "maintainer");
    settle(&world);
    assert_eq!(world.opened().state, State::Opened);
    assert!(world.sandbox.tip("bot/hello", &branch).is_some());
}

#[test]
fn a_branch_that_is_needed_or_holds_a_persons_commit_stays() {
    let (world, iid) = closed_long_ago();
    let branch = format!("c9s-src-{iid}");
    world.sandbox.commit("bot/hello", &branch, "Mine", &[("MINE", Some("x\n"))]);
    long_ago(&world);
    reconcile(&world, &[]).ends_with(0);
    assert!(world.sandbox.tip("bot/hello", &branch).is_some());
    assert_eq!(world.written(), [""; 0]);

    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    long_ago(&world);
    reconcile(&world, &[]).ends_with(0);
    assert!(world.sandbox.tip("bot/hello", &format!("c9s-src-{iid}")).is_some());
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn a_branch_that_cannot_be_removed_keeps_no_other() {
    let (world, _) = World::with_merge_request();
    for name in ["a", "b"] {
        world.sandbox.copy_package(&["src", "rpms"], "hello", name, &[1], Repositories::Own);
    }
    watch(&world);
    settle(&world);
    for name in ["a", "b", "hello"] {
        world.sandbox.close(&format!("src/{name}"), 1, "contributor");
    }
    settle(&world);
    world.sandbox.arrange(|model| {
        for request in model.merge_requests.values_mut() {
            request.updated_at = Moment(request.updated_at.0 - (14 * 24 * 60 + 30) * 60_000);
        }
    });
    world.sandbox.fail(Fault::on("DELETE", "*/repository/branches/*").nth(2).status(403));
    let run = reconcile(&world, &[]);
    run.ends_with(1);
    assert_eq!(run.stdout.matches("removed its branch").count(), 2, "{}", run.stdout);
    assert_eq!(run.stdout.matches("failed: removing the branch c9s-src-1: ").count(), 1, "{}", run.stdout);
    // Several workers made them, so which is the second in the list is not always the same.
    let written = world.written();
    let (removed, told) = written.split_at(2);
    let branches = ["a", "b", "hello"].map(|name| format!("DELETE bot/{name}/repository/branches/c9s-src-1"));
    assert!(removed[0] != removed[1] && removed.iter().all(|write| branches.contains(write)), "{removed:?}");
    assert_eq!(told, ["PUT ops/bot/issues/1/notes/*", "PUT ops/bot/issues/1"]);
    let note = issue(&world).notes.into_iter().find(|note| !note.system).unwrap();
    assert!(!note.body.contains("\"behind\""), "{}", note.body);
}
