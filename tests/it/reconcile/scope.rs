//! How far a run of `reconcile` goes: bounds that a person or a job sets, and work in parts.

use gitlab_sandbox::{Fault, Repositories};

use super::world::{BOT, issue, reconcile, settle, watch};
use crate::support::world::{DIST, FORK, SOURCE, World};

/// Three packages, each with a merge request that waits for its pair.
fn three() -> World {
    let (world, _) = World::with_merge_request();
    for name in ["two", "three"] {
        world.sandbox.copy_package(&["src", "rpms"], "hello", name, &[1], Repositories::Own);
    }
    watch(&world);
    world
}

/// Which merge requests have a pair.
fn paired(world: &World) -> Vec<&'static str> {
    let open = |name: &&str| !world.sandbox.merge_requests(&format!("rpms/{name}")).is_empty();
    ["hello", "three", "two"].into_iter().filter(open).collect()
}

#[test]
fn a_run_ends_after_so_many_changes_and_the_next_goes_on_where_it_ended() {
    let world = three();
    for n in 1..=3 {
        let run = reconcile(&world, &["--max-changes", "1"]);
        run.ends_with(0);
        assert_eq!(paired(&world).len(), n, "{}", run.stdout);
        // Those without a pair, and those that are to be looked at once more because something was done.
        assert!(run.stdout.contains(": 1 changed, 2 left for the next run; "), "{}", run.stdout);
    }
    let _ = world.written();
    let run = reconcile(&world, &["--max-changes", "1", "--output", "json"]);
    assert_eq!((run.json()["unchanged"].as_u64(), run.json()["not_looked_at"].as_u64()), (Some(3), Some(0)));
    let _ = world.written();
}

#[test]
fn nothing_is_begun_in_the_last_quarter_of_the_jobs_time_and_what_was_found_is_remembered() {
    let world = three();
    // So long that what time it is makes no difference: three quarters were over in 2024, or are in 2255.
    let in_job = |seconds: &str| {
        let mut command = world.program();
        command.arg("reconcile").env("CI_JOB_TIMEOUT", seconds).env("CI_JOB_STARTED_AT", "1970-01-01T00:00:00Z");
        world.run(&mut command)
    };
    let run = in_job("2300000000");
    run.ends_with(0);
    assert!(
        run.stdout.starts_with(
            "3 merge requests: 3 left for the next run because three quarters of the job's time are over; "
        ),
        "{}",
        run.stdout
    );
    assert!(paired(&world).is_empty());
    assert!(issue(&world).description.contains("| not looked at by the last run | 3 |"), "{:?}", issue(&world));
    let _ = world.written();
    let run = in_job("12000000000");
    run.ends_with(0);
    assert_eq!(paired(&world).len(), 3, "{}", run.stdout);
    let _ = world.written();
}

#[test]
fn what_failed_last_time_comes_after_all_else() {
    let world = three();
    world.sandbox.fail(Fault::on("POST", "/projects/rpms%2Fhello/fork").status(500));
    let run = reconcile(&world, &["--max-changes", "1", "--jobs", "1", "--only", SOURCE]);
    run.ends_with(5);
    // What a person chose leaves no trace: a whole run does.
    world.sandbox.fail(Fault::on("POST", "/projects/rpms%2Fhello/fork").status(500));
    reconcile(&world, &["--jobs", "1"]).ends_with(5);
    assert_eq!(paired(&world), ["three", "two"]);
    for name in ["two", "three"] {
        world.sandbox.set_title(&format!("src/{name}"), 1, "contributor", "Return nothing");
    }
    let run = reconcile(&world, &["--max-changes", "2", "--jobs", "1"]);
    assert_eq!(paired(&world), ["three", "two"], "{}", run.stdout);
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(paired(&world).len(), 3);
    let _ = world.written();
}

#[test]
fn only_the_projects_that_are_named_are_asked_for() {
    let world = three();
    world.sandbox.clear_log();
    reconcile(&world, &["--only", "src/two", "--only", "src/three"]).ends_with(0);
    assert_eq!(paired(&world), ["three", "two"]);
    let asked = world.sandbox.api_requests();
    assert!(asked.iter().all(|request| !request.path.contains("groups") && !request.path.contains("hello")));
    assert!(world.sandbox.issues(BOT).is_empty(), "of the whole it can say nothing");
    let _ = world.written();
    let run = reconcile(&world, &["--only", "elsewhere/two"]);
    run.ends_with(2);
    assert!(run.stderr.contains("\"elsewhere/two\" is not a source-git project of the instance"), "{}", run.stderr);
}

#[test]
fn only_what_has_changed_since_then_is_looked_at() {
    let world = three();
    settle(&world);
    world.sandbox.arrange(|model| {
        for request in model.merge_requests.values_mut() {
            // 2001-09-09.
            request.updated_at.0 = 1_000_000_000_000;
        }
    });
    let run = reconcile(&world, &["--since", "2h"]);
    assert!(run.stdout.starts_with("0 merge requests: "), "{}", run.stdout);
    world.sandbox.set_title(SOURCE, 1, "contributor", "Return zero");
    world.sandbox.mr_pipeline("rpms/two", 1).jobs(&[("test", "tier0")]).create();
    let run = reconcile(&world, &["--since", "2h"]);
    assert!(run.stdout.starts_with("src/hello!1  synced\nsrc/two!1"), "{}", run.stdout);
    assert!(run.stdout.contains("\n2 merge requests: "), "{}", run.stdout);
    let run = reconcile(&world, &["--since", "2001-01-01"]);
    assert!(run.stdout.contains("3 merge requests: "), "{}", run.stdout);
    let _ = world.written();
}

#[test]
fn several_jobs_divide_the_projects_and_share_the_issue() {
    let world = three();
    let shard =
        |index: &str| world.run(world.program().arg("reconcile").env("CI_NODE_INDEX", index).env("CI_NODE_TOTAL", "3"));
    let mut looked_at = 0;
    for index in ["1", "2", "3"] {
        let run = shard(index);
        run.ends_with(0);
        let number: usize = run.stdout.lines().last().unwrap().split(' ').next().unwrap().parse().unwrap();
        looked_at += number;
    }
    assert_eq!((looked_at, paired(&world).len()), (3, 3));
    let said = issue(&world);
    assert!(said.description.contains("| in step with dist-git | 3 |"), "{}", said.description);
    let notes: Vec<_> = said.notes.iter().filter(|note| !note.system).map(|note| &note.body[..10]).collect();
    assert_eq!(notes, ["Job 1 of 3", "Job 2 of 3", "Job 3 of 3"]);
    for _ in 0..2 {
        ["1", "2", "3"].iter().for_each(|index| shard(index).ends_with(0));
    }
    let _ = world.written();
    ["1", "2", "3"].iter().for_each(|index| shard(index).ends_with(0));
    assert_eq!(world.written(), [""; 0]);

    // One job for all again: the parts of three are of no use any more.
    settle(&world);
    assert_eq!(issue(&world).notes.iter().filter(|note| !note.system).count(), 1);
    assert_eq!(paired(&world).len(), 3);
}

#[test]
fn an_argument_says_which_part_whatever_the_job_says() {
    let world = three();
    let run = world
        .run(world.program().args(["reconcile", "--shard", "1/1"]).env("CI_NODE_INDEX", "2").env("CI_NODE_TOTAL", "9"));
    run.ends_with(0);
    assert!(run.stdout.contains("3 merge requests: "), "{}", run.stdout);
    let _ = world.written();
    for arguments in [&["--shard", "3/2"][..], &["--since", "soon"], &["--max-changes", "0"], &["--jobs", "0"]] {
        reconcile(&world, arguments).ends_with(2);
    }
}

#[test]
fn lines_of_several_at_a_time_say_what_they_are_about() {
    let world = three();
    let run = world.run(world.program().arg("reconcile").env("GITLAB_CI", "true"));
    run.ends_with(0);
    let opened: Vec<_> = run.stderr.lines().filter(|line| line.contains(": opened http")).collect();
    for name in ["hello", "two", "three"] {
        let said =
            |line: &&&str| line.contains(&format!("of=src/{name}!1")) && line.contains(&format!("rpms/{name}/-/"));
        assert_eq!(opened.iter().filter(said).count(), 1, "{opened:?}");
    }
    let starts = run.stderr.matches("section_start").count();
    assert_eq!(starts, run.stderr.matches("section_end").count());
    assert!(!run.stderr.contains(":merge_request\r"), "sections of several at a time would be folded into each other");
    let _ = world.written();
    assert_eq!(world.sandbox.merge_requests(DIST)[0].source_branch, "c9s-src-1");
    assert!(world.sandbox.tip(FORK, "fix").is_some());
}
