//! `event`: what a webhook or a job hands over, and what is done about it.

use std::fs;
use std::process::Command;

use gitlab_sandbox::State;
use serde_json::{Value, json};

use crate::support::Run;
use crate::support::world::{DIST, NOTED, SOURCE, World};

/// What GitLab makes of the bot's webhook template, as a job finds it.
fn payload(kind: &str, project: u64, id: u64, iid: &str) -> Value {
    let notice = json!({
        "v": "1", "kind": kind, "project": project.to_string(), "id": id.to_string(), "iid": iid, "mr": "", "mr_project": "null"
    });
    json!({"source_git_bot": notice, "ref": "main", "id": "42", "variables": {}})
}

fn event(world: &World, payload: &Value) -> Command {
    let file = world.home.path().join("payload.json");
    fs::write(&file, payload.to_string()).unwrap();
    let mut command = world.program();
    command.arg("event").env("TRIGGER_PAYLOAD", file);
    command
}

fn run(world: &World, payload: &Value) -> Run {
    world.run(&mut event(world, payload))
}

fn project(world: &World, path: &str) -> u64 {
    world.sandbox.inspect(|model| model.project(path).unwrap().id)
}

#[test]
fn an_event_of_a_merge_request_syncs_it() {
    let (world, iid) = World::with_merge_request();
    run(&world, &payload("merge_request", project(&world, SOURCE), 7, &iid.to_string())).ends_with(0);
    assert!(world.note(iid).contains(&format!("{DIST}!{}", world.opened().iid)));
    let _ = world.written();
    // Twice, and as a value in place of a file.
    let mut again = event(&world, &Value::Null);
    again.env("TRIGGER_PAYLOAD", payload("merge_request", project(&world, SOURCE), 7, &iid.to_string()).to_string());
    world.run(&mut again).ends_with(0);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn an_event_of_a_merge_request_that_is_not_there_is_no_failure() {
    let (world, _) = World::with_merge_request();
    for path in [SOURCE, DIST] {
        let run = run(&world, &payload("merge_request", project(&world, path), 7, "99"));
        run.ends_with(0);
        assert!(run.stderr.contains(&format!("{path}!99 is not there")), "{}", run.stderr);
    }
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn an_event_of_a_pipeline_in_dist_git_or_a_fork_reports_it() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let pipeline = world.sandbox.mr_pipeline(DIST, world.opened().iid).jobs(&[("test", "rpminspect")]).create();
    world.sandbox.set_all_jobs(pipeline, "failed");
    run(&world, &payload("pipeline", project(&world, "bot/hello"), pipeline, "1")).ends_with(0);
    assert!(world.note(iid).contains("**dist-git CI: failed**"));
    assert_eq!(world.written(), [NOTED]);
    let dist = payload("merge_request", project(&world, DIST), 7, &world.opened().iid.to_string());
    run(&world, &dist).ends_with(0);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn an_event_of_a_dist_git_merge_request_tells_what_a_person_did_there() {
    for (state, words) in
        [(State::Merged, "**The dist-git merge request was merged**"), (State::Closed, "was closed there")]
    {
        let (world, iid) = World::with_merge_request();
        world.synced(iid);
        let dist = world.opened().iid;
        match state {
            State::Merged => world.sandbox.merge(DIST, dist, "maintainer"),
            _ => world.sandbox.close(DIST, dist, "maintainer"),
        }
        let payload = payload("merge_request", project(&world, DIST), 7, &dist.to_string());
        run(&world, &payload).ends_with(0);
        assert!(world.note(iid).contains(words), "{}", world.note(iid));
        let _ = world.written();
        run(&world, &payload).ends_with(0);
        assert_eq!(world.written(), [""; 0]);
    }
}

#[test]
fn what_a_job_sends_is_what_the_bot_project_follows() {
    let (world, iid) = World::with_merge_request();
    let sandbox = &world.sandbox;
    sandbox.project("operators/bot");
    sandbox.member("operators/bot", "maintainer", gitlab_sandbox::Role::Maintainer);
    sandbox.commit("operators/bot", "main", "Start", &[("x", Some("x"))]);
    let token = sandbox.trigger_token("operators/bot", "maintainer");
    let bot = project(&world, "operators/bot");
    let mut notify = world.program();
    notify
        .arg("notify")
        .env_remove("SGB_TOKEN")
        .env("SGB_TRIGGER_URL", format!("{}/api/v4/projects/{bot}/ref/main/trigger/pipeline", sandbox.url()))
        .env("SGB_TRIGGER_TOKEN", &token)
        .env("CI_PROJECT_ID", project(&world, SOURCE).to_string())
        .env("CI_PIPELINE_ID", "345")
        .env("CI_MERGE_REQUEST_PROJECT_ID", project(&world, SOURCE).to_string())
        .env("CI_MERGE_REQUEST_IID", iid.to_string());
    world.run(&mut notify).ends_with(0);
    let triggered = sandbox.triggered("operators/bot");
    let _ = world.written();
    run(&world, &triggered[0].payload).ends_with(0);
    assert!(world.note(iid).contains(&format!("{DIST}!{}", world.opened().iid)));
    let _ = world.written();
}

#[test]
fn what_is_not_for_this_instance_ends_with_a_line_and_no_further_request() {
    let (world, _) = World::with_merge_request();
    world.sandbox.project("elsewhere/hello");
    for (payload, requests) in [
        (payload("push", 7, 7, "7"), 0),
        (payload("merge_request", 7, 7, "$SGB_TOKEN"), 0),
        (json!({"object_kind": "merge_request", "variables": {}}), 0),
        (json!([[[["deep"]]]]), 0),
        // Its path has to be asked for: by that it is known to be none of the instance's.
        (payload("merge_request", project(&world, "elsewhere/hello"), 7, "1"), 1),
        (payload("merge_request", 999_999, 7, "1"), 1),
        (payload("pipeline", project(&world, SOURCE), 7, "1"), 1),
        (payload("pipeline", project(&world, "elsewhere/hello"), 7, "1"), 2),
    ] {
        world.sandbox.clear_log();
        let run = run(&world, &payload);
        run.ends_with(0);
        assert_eq!(world.sandbox.api_requests().len(), requests, "{payload}: {}", run.stderr);
        assert!(run.stderr.lines().count() <= 2 && run.stderr.starts_with(" INFO "), "{}", run.stderr);
    }
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn variables_that_somebody_set_are_refused() {
    let (world, iid) = World::with_merge_request();
    let mut hostile = payload("merge_request", project(&world, SOURCE), 7, &iid.to_string());
    hostile["variables"] = json!({"CI_SERVER_URL": "https://evil.example"});
    let run = run(&world, &hostile);
    run.ends_with(2);
    assert!(run.stderr.contains("sets pipeline variables") && !run.stderr.contains("evil"), "{}", run.stderr);
    assert_eq!(world.sandbox.api_requests().len(), 0);
}

#[test]
fn without_an_event_or_a_token_nothing_is_asked() {
    let (world, iid) = World::with_merge_request();
    world.run(world.program().arg("event")).ends_with(2);
    let payload = payload("merge_request", project(&world, SOURCE), 7, &iid.to_string());
    world.run(event(&world, &payload).env_remove("SGB_TOKEN")).ends_with(4);
    world.run(world.program().args(["event", "--payload", "."])).ends_with(1);
    assert_eq!(world.sandbox.api_requests().len(), 0);
}
