//! `event` and `notify` where the instance requires webhook tokens: what carries none, a forged one, or one for another
//! project is not followed.

use std::fs;
use std::process::Command;

use gitlab_sandbox::{Fault, Role};
use serde_json::{Value, json};

use crate::support::Run;
use crate::support::world::{DIST, NOTED, SOURCE, World};
use crate::webhook_token::{SECRET, pyjwt, token};

const BOT: &str = "operators/bot";

/// A package with a merge request, under an instance that requires tokens.
fn world() -> (World, u64) {
    let (world, iid) = World::with_merge_request();
    world.instance("webhook_tokens: required\n");
    (world, iid)
}

fn project(world: &World, path: &str) -> u64 {
    world.sandbox.inspect(|model| model.project(path).unwrap().id)
}

/// What a job of the bot project finds for an event of a merge request.
fn payload(world: &World, path: &str, iid: u64, token: Option<&Value>) -> Value {
    let project = project(world, path).to_string();
    let mut notice = json!({
        "v": "1", "kind": "merge_request", "project": project, "id": "7", "iid": iid.to_string(), "mr": "", "mr_project": ""
    });
    if let Some(token) = token {
        notice["webhook_token"] = token.clone();
    }
    json!({"source_git_bot": notice, "ref": "main", "id": "42", "variables": {}})
}

fn event(world: &World, payload: &Value) -> Command {
    let file = world.home.path().join("payload.json");
    fs::write(&file, payload.to_string()).unwrap();
    let mut command = world.program();
    command.arg("event").env("TRIGGER_PAYLOAD", file).env("SGB_WEBHOOK_SECRET", SECRET);
    command
}

/// Runs it and checks that neither the secret nor a token is told.
fn run(world: &World, command: &mut Command) -> Run {
    let run = world.run(command);
    assert!(!run.stderr.contains(SECRET) && !run.stderr.contains("eyJ") && run.stdout.is_empty(), "{}", run.stderr);
    run
}

/// The event is followed: the merge request is synced.
#[track_caller]
fn is_followed(world: &World, iid: u64, token: &str) {
    run(world, &mut event(world, &payload(world, SOURCE, iid, Some(&json!(token))))).ends_with(0);
    assert!(world.note(iid).contains(&format!("{DIST}!{}", world.opened().iid)));
    let _ = world.written();
}

/// The event is not: one line says so, and no more than the project's path is asked for.
#[track_caller]
fn is_not_followed(world: &World, payload: &Value, requests: usize) {
    world.sandbox.clear_log();
    let run = run(world, &mut event(world, payload));
    run.ends_with(0);
    let warnings = run.stderr.lines().filter(|line| line.starts_with(" WARN "));
    assert_eq!(warnings.filter(|line| line.contains("not followed")).count(), 1, "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1 + requests, "{}", run.stderr);
    assert_eq!(world.sandbox.api_requests().len(), requests, "{}", run.stderr);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn an_event_with_a_token_for_its_project_is_followed() {
    let (world, iid) = world();
    is_followed(&world, iid, &token(&["src"]));
    is_followed(&world, iid, &token(&["src", "hello"]));
    // As packit's deployment makes them.
    let made = pyjwt(&[json!({"claims": {"namespace": "src", "repo_name": "hello"}, "secret": SECRET})]);
    is_followed(&world, iid, made[0].as_str().unwrap());
}

#[test]
fn an_event_without_a_token_is_not() {
    let (world, iid) = world();
    for none in [None, Some(json!("")), Some(Value::Null)] {
        is_not_followed(&world, &payload(&world, SOURCE, iid, none.as_ref()), 0);
    }
    // One elsewhere in the payload, where a query string would put it.
    let mut beside = payload(&world, SOURCE, iid, None);
    beside["webhook_token"] = json!(token(&["src"]));
    beside["token"] = json!(token(&["src"]));
    is_not_followed(&world, &beside, 0);
}

#[test]
fn a_forged_token_is_no_token() {
    let (world, iid) = world();
    let good = token(&["src", "hello"]);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let src = json!({"namespace": "src"});
    let made = pyjwt(&[
        json!({"claims": src, "secret": "", "algorithm": "none"}),
        json!({"claims": src, "secret": "fedcba9876543210fedcba9876543210"}),
        json!({"claims": src, "secret": SECRET, "algorithm": "HS384"}),
        json!({"claims": {"namespace": "src", "exp": 1_000_000_000}, "secret": SECRET}),
        json!({"claims": src, "secret": SECRET, "headers": {"crit": ["x"], "x": 1}}),
    ]);
    // `{"alg":"RS256","typ":"JWT"}`, by `base64`.
    let rs256 = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9";
    let forged = [
        format!("{signed}."),
        format!("{rs256}.{claims}.{signature}"),
        format!("{header}.{claims}"),
        format!("{header}.{claims}.{}", signature.replace(['-', '_'], "+")) + "=",
        format!("{good}.{signature}"),
        format!("{header}..{signature}"),
        "x".repeat(1 << 20),
        ".".repeat(1 << 16),
        // What GitLab would make of `$SGB_WEBHOOK_SECRET`.
        SECRET.to_owned(),
        "\u{1b}[31m\u{7}\u{202e}".to_owned(),
    ];
    for token in made.into_iter().chain(forged.map(Value::from)) {
        is_not_followed(&world, &payload(&world, SOURCE, iid, Some(&token)), 0);
    }
}

#[test]
fn a_token_for_another_project_is_no_token_for_this() {
    let (world, iid) = world();
    for names in [
        &["rpms"][..],
        &["rpms", "hello"],
        &["src", "hell"],
        &["src", "hello2"],
        &["sr"],
        &["src/hello"],
        &["SRC"],
        &["other/src"],
        &["src/sub", "hello"],
    ] {
        is_not_followed(&world, &payload(&world, SOURCE, iid, Some(&json!(token(names)))), 1);
    }
    let deep = "a/bc/x";
    world.sandbox.project(deep);
    is_not_followed(&world, &payload(&world, deep, 1, Some(&json!(token(&["a/b"])))), 1);
}

#[test]
fn a_token_is_required_whatever_the_kind() {
    let (world, iid) = world();
    world.synced(iid);
    let pipeline = world.sandbox.mr_pipeline(DIST, world.opened().iid).jobs(&[("test", "rpminspect")]).create();
    world.sandbox.set_all_jobs(pipeline, "failed");
    let source = project(&world, SOURCE).to_string();
    let fork = project(&world, "bot/hello").to_string();
    let notice = |kind: &str, of: &str, token: Option<String>| {
        let mut notice = json!({
            "v": "1", "kind": kind, "project": of, "id": pipeline.to_string(), "iid": "1",
            "mr": iid.to_string(), "mr_project": source
        });
        if let Some(token) = token {
            notice["webhook_token"] = json!(token);
        }
        json!({"source_git_bot": notice})
    };
    is_not_followed(&world, &notice("note", &source, None), 0);
    is_not_followed(&world, &notice("pipeline", &source, None), 0);
    is_not_followed(&world, &notice("pipeline", &fork, None), 0);
    // A comment's merge request is in the project that the token has to be for.
    is_not_followed(&world, &notice("note", &fork, Some(token(&["bot"]))), 1);
    // A pipeline is one of the project that it runs in.
    is_not_followed(&world, &notice("pipeline", &fork, Some(token(&["rpms"]))), 1);
    run(&world, &mut event(&world, &notice("pipeline", &fork, Some(token(&["bot"]))))).ends_with(0);
    assert!(world.note(iid).contains("**dist-git CI: failed**"));
    assert_eq!(world.written(), [NOTED]);
}

#[test]
fn without_the_secret_the_operator_learns_of_it() {
    let (world, iid) = world();
    let good = payload(&world, SOURCE, iid, Some(&json!(token(&["src"]))));
    for command in
        [event(&world, &good).env_remove("SGB_WEBHOOK_SECRET"), event(&world, &good).env("SGB_WEBHOOK_SECRET", "")]
    {
        let run = run(&world, command);
        run.ends_with(2);
        assert!(run.stderr.contains("requires webhook tokens, and SGB_WEBHOOK_SECRET is not set"), "{}", run.stderr);
    }
    assert_eq!(world.sandbox.api_requests().len(), 0);
}

#[test]
fn where_none_is_required_none_is_looked_at() {
    let (world, iid) = World::with_merge_request();
    is_followed(&world, iid, "forged");
}

/// A job of the source-git merge request's pipeline, and the trigger token that it has.
fn notify(world: &World, iid: u64) -> (Command, String) {
    let sandbox = &world.sandbox;
    sandbox.project(BOT);
    sandbox.member(BOT, "maintainer", Role::Maintainer);
    sandbox.commit(BOT, "main", "Start", &[("x", Some("x"))]);
    let trigger = sandbox.trigger_token(BOT, "maintainer");
    let source = project(world, SOURCE).to_string();
    let mut command = world.program();
    command
        .arg("notify")
        .env_remove("SGB_TOKEN")
        .env(
            "SGB_TRIGGER_URL",
            format!("{}/api/v4/projects/{}/ref/main/trigger/pipeline", sandbox.url(), project(world, BOT)),
        )
        .env("SGB_TRIGGER_TOKEN", &trigger)
        .env("CI_PROJECT_ID", &source)
        .env("CI_PIPELINE_ID", "345")
        .env("CI_MERGE_REQUEST_PROJECT_ID", &source)
        .env("CI_MERGE_REQUEST_IID", iid.to_string());
    (command, trigger)
}

#[test]
fn a_job_sends_the_token_along_that_it_has() {
    let (world, iid) = world();
    let (mut command, _) = notify(&world, iid);
    run(&world, &mut command).ends_with(0);
    let token = token(&["src"]);
    run(&world, command.env("SGB_WEBHOOK_TOKEN", &token)).ends_with(0);
    let triggered = world.sandbox.triggered(BOT);
    let _ = world.written();
    assert_eq!(triggered[1].payload["source_git_bot"]["webhook_token"], json!(token));
    is_not_followed(&world, &triggered[0].payload, 0);
    run(&world, &mut event(&world, &triggered[1].payload)).ends_with(0);
    assert!(world.note(iid).contains(&format!("{DIST}!{}", world.opened().iid)));
    let _ = world.written();
}

#[test]
fn what_is_no_token_is_not_sent() {
    let (world, iid) = world();
    let (mut command, _) = notify(&world, iid);
    for wrong in ["$SGB_TOKEN", "glptt-other-token", "a.b.c", " "] {
        let run = run(&world, command.env("SGB_WEBHOOK_TOKEN", wrong));
        run.ends_with(2);
        assert!(run.stderr.contains("SGB_WEBHOOK_TOKEN is no webhook token"), "{}", run.stderr);
        assert!(!run.stderr.contains("glptt-other"));
    }
    assert_eq!(world.sandbox.triggered(BOT).len(), 0);
}

#[test]
fn a_token_that_a_server_sends_back_is_masked() {
    let (world, iid) = world();
    let (mut command, trigger) = notify(&world, iid);
    let token = token(&["src"]);
    let echo = json!({"message": format!("wrong: {trigger} and {token}")}).to_string();
    world.sandbox.fail(Fault::on("POST", "*/trigger/pipeline").answer(400, "application/json", &echo));
    let run = run(&world, command.env("SGB_WEBHOOK_TOKEN", &token));
    run.ends_with(1);
    assert!(run.stderr.contains("wrong: [MASKED] and [MASKED]"), "{}", run.stderr);
}
