//! `notify`: a job asks the bot project to look at it.

use std::process::Command;

use gitlab_sandbox::Role;
use serde_json::json;

use crate::support::Run;
use crate::support::world::World;

const BOT_PROJECT: &str = "operators/bot";

/// The bot project with a branch, and a trigger token of its own.
fn world() -> (World, String) {
    let world = World::new();
    world.sandbox.project(BOT_PROJECT);
    world.sandbox.member(BOT_PROJECT, "maintainer", Role::Maintainer);
    world.sandbox.commit(BOT_PROJECT, "main", "Start", &[("instance.yaml", Some("extends: production\n"))]);
    let token = world.sandbox.trigger_token(BOT_PROJECT, "maintainer");
    (world, token)
}

fn notify(world: &World, token: &str) -> Command {
    let project = world.sandbox.inspect(|model| model.project(BOT_PROJECT).unwrap().id);
    let address = format!("{}/api/v4/projects/{project}/ref/main/trigger/pipeline", world.sandbox.url());
    let mut command = world.program();
    command
        .arg("notify")
        .env_remove("SGB_TOKEN")
        .env("SGB_TRIGGER_URL", address)
        .env("SGB_TRIGGER_TOKEN", token)
        .env("GITLAB_CI", "true")
        .env("CI_PROJECT_ID", "12")
        .env("CI_PROJECT_PATH", "rpms/hello")
        .env("CI_PIPELINE_ID", "345")
        .env("CI_PIPELINE_IID", "6");
    command
}

fn run(world: &World, command: &mut Command, token: &str) -> Run {
    let run = world.run(command);
    assert!(!run.stderr.contains(token) && !run.stdout.contains(token), "the trigger token is told");
    run
}

#[test]
fn the_bot_project_gets_numbers_and_nothing_else() {
    let (world, token) = world();
    run(&world, &mut notify(&world, &token), &token).ends_with(0);
    let triggered = world.sandbox.triggered(BOT_PROJECT);
    assert_eq!(triggered.len(), 1);
    let sent =
        json!({"v": "1", "kind": "pipeline", "project": "12", "id": "345", "iid": "6", "mr": "", "mr_project": ""});
    assert_eq!(triggered[0].payload["source_git_bot"], sent);
    assert_eq!(triggered[0].reference, "main");
    assert!(triggered[0].variables.is_empty());
    let requests = world.sandbox.api_requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].headers.iter().all(|(name, _)| name != "private-token" && name != "authorization"));
    assert!(!requests[0].query.contains(&token) && !requests[0].path.contains(&token));
    let _ = world.sandbox.take_writes();
}

#[test]
fn the_merge_request_of_the_pipeline_is_told() {
    let (world, token) = world();
    let mut command = notify(&world, &token);
    command
        .env("CI_MERGE_REQUEST_IID", "7")
        .env("CI_MERGE_REQUEST_PROJECT_ID", "13")
        .env("CI_MERGE_REQUEST_TITLE", "$TOKEN");
    run(&world, &mut command, &token).ends_with(0);
    let payload = &world.sandbox.triggered(BOT_PROJECT)[0].payload["source_git_bot"];
    assert_eq!((&payload["mr"], &payload["mr_project"]), (&json!("7"), &json!("13")));
    assert!(!payload.to_string().contains("TOKEN"));
    let _ = world.sandbox.take_writes();
}

#[test]
fn without_a_token_a_contributor_learns_that_all_is_well() {
    let (world, token) = world();
    let run = run(&world, notify(&world, &token).env_remove("SGB_TRIGGER_TOKEN"), &token);
    run.ends_with(4);
    assert!(run.stderr.contains("in a fork this is as it should be"), "{}", run.stderr);
    assert_eq!(world.sandbox.api_requests().len(), 0);
}

#[test]
fn a_token_or_address_that_is_not_the_bots_is_an_error() {
    let (world, token) = world();
    let wrong = run(&world, notify(&world, &token).env("SGB_TRIGGER_TOKEN", "glptt-wrong"), &token);
    wrong.ends_with(1);
    assert!(wrong.stderr.contains("404") && !wrong.stderr.contains("glptt-wrong"), "{}", wrong.stderr);
    for address in ["https://evil.example/api/v4/projects/1/ref/main/trigger/pipeline", "main", ""] {
        let run = run(&world, notify(&world, &token).env("SGB_TRIGGER_URL", address), &token);
        run.ends_with(2);
        assert!(run.stderr.contains("SGB_TRIGGER_URL"), "{}", run.stderr);
    }
    run(&world, notify(&world, &token).env_remove("CI_PIPELINE_ID"), &token).ends_with(2);
    run(&world, notify(&world, &token).arg("--dry-run"), &token).ends_with(0);
    assert_eq!(world.sandbox.triggered(BOT_PROJECT).len(), 0);
}

#[test]
fn a_relay_names_a_pipeline_of_another_project_by_numbers_alone() {
    let (world, token) = world();
    let mut relay = notify(&world, &token);
    relay.args(["--project", "77", "--pipeline", "999999999999"]).env("CI_MERGE_REQUEST_IID", "7");
    run(&world, &mut relay, &token).ends_with(0);
    let sent = json!({
        "v": "1", "kind": "pipeline", "project": "77", "id": "999999999999", "iid": "", "mr": "", "mr_project": ""
    });
    assert_eq!(world.sandbox.triggered(BOT_PROJECT)[0].payload["source_git_bot"], sent);
    let _ = world.sandbox.take_writes();
    for bad in [
        &["--project", "77"][..],
        &["--pipeline", "4711"],
        &["--project", "rpms/hello", "--pipeline", "4711"],
        &["--project", "77", "--pipeline", "$SECRET"],
        &["--project", "77", "--pipeline", "0"],
        &["--project", "77", "--pipeline", ""],
        &["--project", "77", "--pipeline", "1000000000000"],
    ] {
        run(&world, notify(&world, &token).args(bad), &token).ends_with(2);
    }
    assert_eq!(world.sandbox.triggered(BOT_PROJECT).len(), 1);
}
