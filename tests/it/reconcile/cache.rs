//! What a run of `reconcile` leaves for the next: nothing that changes goes unseen, and losing it costs requests only.

use gitlab_sandbox::Fault;

use super::world::{BOT, issue, reconcile, requests, settle, watched};
use crate::support::CONFIG;
use crate::support::world::{DIST, SOURCE, World};

/// Says whether the next run looks at the pair, and looks at what it writes.
fn is_looked_at(world: &World) -> bool {
    let requests = requests(world, &[]);
    let _ = world.written();
    requests.iter().any(|request| request.path.contains("/merge_requests/"))
}

#[test]
fn a_pair_that_has_not_changed_is_not_looked_at() {
    let (world, _) = watched();
    reconcile(&world, &[]).ends_with(0);
    assert!(is_looked_at(&world), "what was written is looked at once more");
    assert!(!is_looked_at(&world));
    let run = reconcile(&world, &[]);
    // The bot's user, the issue and its notes, two lists and four of what ended, the pipelines of two lists, and the tips of two branches of
    // one name.
    assert_eq!(run.stdout, "1 merge request: 1 unchanged; 12 requests\n");
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn whatever_changes_about_a_pair_is_seen() {
    type Change = fn(&World, u64);
    let changes: [(&str, Change); 7] = [
        ("a push", |world, _| drop(world.change("Say more", &[("MORE", Some("More.\n"))]))),
        ("a title", |world, iid| world.sandbox.set_title(SOURCE, iid, "contributor", "Return zero")),
        ("a comment", |world, iid| {
            world.sandbox.note(SOURCE, iid, "maintainer", "Why?");
        }),
        ("a comment in dist-git", |world, _| {
            world.sandbox.note(DIST, world.opened().iid, "maintainer", "Why?");
        }),
        ("the target branch", |world, _| drop(world.sandbox.commit(SOURCE, "c9s", "Say", &[("NEWS", Some("x\n"))]))),
        ("dist-git's branch", |world, _| drop(world.sandbox.commit(DIST, "c9s", "Say", &[("NEWS", Some("x\n"))]))),
        ("a pipeline", |world, _| {
            world.sandbox.mr_pipeline(DIST, world.opened().iid).jobs(&[("test", "tier0")]).create();
        }),
    ];
    for (what, change) in changes {
        let (world, iid) = watched();
        settle(&world);
        assert!(!is_looked_at(&world), "before {what}");
        change(&world, iid);
        assert!(is_looked_at(&world), "{what}");
    }
}

#[test]
fn a_pair_whose_pipeline_runs_is_looked_at_each_time_and_after_its_end_once() {
    let (world, iid) = watched();
    settle(&world);
    let pipeline = world.sandbox.mr_pipeline(DIST, world.opened().iid).jobs(&[("test", "a"), ("test", "b")]).create();
    settle(&world);
    assert!(is_looked_at(&world) && is_looked_at(&world));
    world.sandbox.set_all_jobs(pipeline, "success");
    assert!(is_looked_at(&world));
    assert!(world.note(iid).contains("**dist-git CI: passed**"));
    settle(&world);
    assert!(!is_looked_at(&world));
    let job = world.sandbox.job_named(pipeline, "a");
    world.sandbox.retry_job(job);
    assert!(is_looked_at(&world), "a job that runs again");
}

#[test]
fn what_a_pipeline_started_and_did_not_wait_for_is_looked_at_until_it_ends() {
    let (world, iid) = watched();
    settle(&world);
    let sandbox = &world.sandbox;
    let pipeline = sandbox.mr_pipeline(DIST, world.opened().iid).create();
    let job =
        sandbox.job(sandbox.child_pipeline(sandbox.bridge(pipeline, "build", "arches").create()), "build", "x86_64");
    let job = job.status("running").create();
    settle(&world);
    assert!(is_looked_at(&world) && is_looked_at(&world));
    sandbox.set_job(job, "failed");
    assert!(is_looked_at(&world));
    assert!(world.note(iid).contains("`x86_64`") && !world.note(iid).contains("running"), "{}", world.note(iid));
    settle(&world);
    assert!(!is_looked_at(&world));
}

#[test]
fn another_instance_file_has_everything_looked_at() {
    let (world, _) = watched();
    settle(&world);
    world.instance("bot_project: ops/bot\nresults: jobs\n");
    assert!(is_looked_at(&world));
}

/// Takes the hours back at which everything was last looked at.
fn looked_earlier(world: &World, hours: u32) {
    world.sandbox.arrange(|model| {
        for note in model.issues.values_mut().flat_map(|issue| &mut issue.notes).filter(|note| !note.system) {
            let hour = |text: &str| text.parse::<u32>().ok().filter(|hour| *hour > 400_000);
            let pieces = note.body.split_inclusive([',', ']']).map(|piece| {
                let (text, end) = piece.split_at(piece.len() - 1);
                hour(text).map_or_else(|| piece.to_owned(), |hour| format!("{}{end}", hour - hours))
            });
            note.body = pieces.collect();
        }
    });
}

#[test]
fn one_whose_rest_is_over_is_synced_as_if_for_the_first_time() {
    let (world, iid) = watched();
    world.sandbox.branch_at(SOURCE, "upstream", "v1.0");
    let config = CONFIG.replace("v1.0", "upstream");
    world.change("Follow a branch", &[(".distro/source-git.yaml", Some(&*config))]);
    settle(&world);
    // No list tells of it, and the pair itself looks as before.
    world.sandbox.delete_branch(SOURCE, "upstream");
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(world.written(), [""; 0]);
    looked_earlier(&world, 31);
    // A failure does not put it off for another day.
    world.sandbox.fail(Fault::on("GET", &format!("/projects/src%2Fhello/merge_requests/{iid}")).status(400));
    reconcile(&world, &[]).ends_with(1);
    let _ = world.written();
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stdout.contains("src/hello!1  told its author, cannot be synced"), "{}", run.stdout);
    let _ = world.written();
}

#[test]
fn other_settings_change_pairs_that_have_not_changed() {
    let (world, _) = watched();
    let files = [(".distro/gating.yaml", Some("x\n")), (".distro/.gitlab-ci.yml", Some("x: {script: [true]}\n"))];
    world.change("Carry CI files", &files);
    settle(&world);
    let has_ci_file = || world.sandbox.file("bot/hello", "c9s-src-1", ".gitlab-ci.yml").is_some();
    assert!(!has_ci_file());
    world.instance("bot_project: ops/bot\nci_files: source-git\n");
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stdout.contains("src/hello!1  synced") && has_ci_file(), "{}", run.stdout);
    let _ = world.written();
    settle(&world);
    assert!(!is_looked_at(&world));
}

#[test]
fn losing_the_memory_costs_requests_and_nothing_else() {
    let (world, _) = watched();
    settle(&world);
    world.sandbox.delete_issue(BOT, issue(&world).iid);
    reconcile(&world, &[]).ends_with(0);
    let written: Vec<_> = world.sandbox.take_writes().into_iter().map(|write| write.path).collect();
    assert!(written.iter().all(|path| path.contains("ops%2Fbot/issues")), "{written:?}");
    assert!(!is_looked_at(&world));
}

#[test]
fn a_memory_that_is_broken_is_none() {
    let (world, _) = watched();
    settle(&world);
    world.sandbox.arrange(|model| {
        for note in model.issues.values_mut().flat_map(|issue| &mut issue.notes) {
            note.body = note.body.replace("\"memory\":[", "\"memory\":[7,");
        }
    });
    assert!(is_looked_at(&world));
    assert!(!is_looked_at(&world));
    let notes: Vec<_> = issue(&world).notes.into_iter().filter(|note| !note.system).collect();
    assert_eq!(notes.len(), 1, "{notes:#?}");
}

#[test]
fn a_memory_that_somebody_else_wrote_counts_for_nothing() {
    let (world, _) = watched();
    settle(&world);
    let iid = issue(&world).iid;
    let note = issue(&world).notes.into_iter().find(|note| !note.system).unwrap();
    world.sandbox.arrange(|model| {
        for issue in model.issues.values_mut() {
            issue.notes.clear();
        }
    });
    world.sandbox.issue_note(BOT, iid, "maintainer", &note.body);
    assert!(is_looked_at(&world));
    assert!(!is_looked_at(&world));
}

#[test]
fn an_issue_that_somebody_else_made_is_left_alone() {
    let (world, _) = watched();
    settle(&world);
    let real = issue(&world);
    world.sandbox.delete_issue(BOT, real.iid);
    world.sandbox.open_issue(BOT, "maintainer", &real.title, &real.description);
    settle(&world);
    let issues = world.sandbox.issues(BOT);
    assert_eq!(issues.len(), 2);
    assert_eq!((issues[0].notes.len(), issues[0].open), (0, true));
}

#[test]
fn where_gitlab_knows_no_such_query_everything_is_looked_at() {
    let unknown = r#"{"errors":[{"message":"Field 'headPipeline' doesn't exist on type 'MergeRequest'"}]}"#;
    for fault in [
        Fault::on("POST", "/api/graphql").always().answer(404, "text/html", "<html></html>"),
        Fault::on("POST", "/api/graphql").always().answer(200, "application/json", unknown),
        Fault::on("POST", "/api/graphql").always().answer(200, "application/json", r#"{"data":null}"#),
        Fault::on("POST", "/api/graphql").always().answer(200, "text/html", "<html></html>"),
    ] {
        let (world, _) = watched();
        settle(&world);
        world.sandbox.fail(fault);
        let run = reconcile(&world, &[]);
        run.ends_with(0);
        let warnings = run.stderr.lines().filter(|line| line.contains("WARN")).collect::<Vec<_>>();
        assert_eq!(warnings.len(), 1, "{}", run.stderr);
        assert!(warnings[0].contains("what has changed cannot be told, so everything is looked at"), "{warnings:?}");
        assert!(world.sandbox.api_requests().iter().any(|request| request.path.contains("/merge_requests/1")));
        let _ = world.written();
    }
}

#[test]
fn without_a_bot_project_everything_is_looked_at_and_that_is_said() {
    let (world, _) = World::with_merge_request();
    settle(&world);
    let run = reconcile(&world, &[]);
    assert!(run.stderr.contains("the instance names no `bot_project`"), "{}", run.stderr);
    assert!(world.sandbox.api_requests().iter().all(|request| !request.path.contains("graphql")));
    assert!(is_looked_at(&world));
}
