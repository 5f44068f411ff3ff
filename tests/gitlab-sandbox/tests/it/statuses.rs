//! Commit statuses: which pipeline one joins, which states it may go through, and where people see it.

use gitlab_sandbox::{CiStatus, Fault, Role, Sandbox, Scope};
use serde_json::{Value, json};

use crate::client::{Response, assert_fields, call, furnished, get, send};

/// The furnished world with an open merge request, in which the bot is a Developer of the target.
fn with_merge_request() -> (Sandbox, String) {
    let (sandbox, bot, ..) = furnished();
    sandbox.member("src/curl", "bot", Role::Developer);
    sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    (sandbox, bot)
}

fn head(sandbox: &Sandbox) -> String {
    sandbox.tip("contributor/curl", "fix").unwrap()
}

fn post(sandbox: &Sandbox, token: &str, sha: &str, body: &Value) -> Response {
    call(sandbox, token, "POST", &format!("/projects/src%2Fcurl/statuses/{sha}"), body)
}

fn refusal(text: &str) -> (u16, Value) {
    (400, json!({ "message": text }))
}

#[test]
fn a_posted_status_looks_as_gitlab_shows_it() {
    let (sandbox, bot) = with_merge_request();
    let pipeline = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    let body = json!({
        "state": "success", "name": "dist-git", "target_url": "https://example.com/1", "description": "passed with warnings",
        "pipeline_id": pipeline, "coverage": 98.5,
    });
    let posted = post(&sandbox, &bot, &head(&sandbox), &body);
    assert_eq!(posted.status, 201);
    let status = posted.json();
    assert_fields(
        &status,
        "allow_failure author coverage created_at description finished_at id name ref sha started_at status target_url pipeline_id",
    );
    assert_fields(&status["author"], "avatar_url id name state username web_url");
    assert_eq!(
        (&status["status"], &status["ref"], &status["sha"], &status["pipeline_id"], &status["started_at"]),
        (
            &json!("success"),
            &json!("refs/merge-requests/1/head"),
            &json!(head(&sandbox)),
            &json!(pipeline),
            &Value::Null
        )
    );
    assert!(status["finished_at"].is_string());
    assert_eq!(status["coverage"], 98.5);
    let shown = sandbox.shown_statuses("src/curl", 1);
    assert_eq!(shown.len(), 1);
    assert_eq!(
        (shown[0].name.as_str(), shown[0].state.as_str(), shown[0].author.as_str(), shown[0].pipeline),
        ("dist-git", "success", "bot", pipeline)
    );
    assert_eq!(shown[0].description.as_deref(), Some("passed with warnings"));
    assert_eq!(shown[0].target_url.as_deref(), Some("https://example.com/1"));
    assert_eq!(sandbox.pipeline_now(pipeline).status, CiStatus::Success, "it takes part in the pipeline's state");
    sandbox.expect_write("POST", "*/statuses/*");
}

/// The states before (by posts of the same user and name), the state posted, and what comes of it.
type Row = (&'static [&'static str], &'static str, Result<(), (&'static str, &'static str)>);

/// The rows of that table; where GitLab refuses, the event and state that its text names.
const STATE_MACHINE: &[Row] = &[
    (&[], "pending", Ok(())),
    (&[], "running", Ok(())),
    (&[], "success", Ok(())),
    (&[], "failed", Ok(())),
    (&[], "canceled", Ok(())),
    (&[], "skipped", Ok(())),
    (&["success"], "pending", Ok(())),
    (&["success"], "success", Ok(())),
    (&["failed"], "running", Ok(())),
    (&["canceled"], "failed", Ok(())),
    (&["skipped"], "skipped", Ok(())),
    (&["pending"], "pending", Err(("enqueue", "pending"))),
    (&["pending"], "running", Ok(())),
    (&["pending"], "success", Ok(())),
    (&["pending"], "failed", Ok(())),
    (&["pending"], "canceled", Ok(())),
    (&["pending"], "skipped", Ok(())),
    (&["running"], "running", Err(("run", "running"))),
    (&["pending", "running"], "running", Err(("run", "running"))),
    (&["running"], "pending", Err(("enqueue", "running"))),
    (&["running"], "skipped", Err(("skip", "running"))),
    (&["running"], "success", Ok(())),
    (&["running"], "failed", Ok(())),
    (&["running"], "canceled", Ok(())),
];

#[test]
fn states_go_as_gitlabs_state_machine_lets_them() {
    let (sandbox, bot) = with_merge_request();
    for (before, posted, outcome) in STATE_MACHINE {
        let pipeline = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
        let send = |state: &str| {
            let body = json!({ "state": state, "name": "dist-git", "pipeline_id": pipeline });
            post(&sandbox, &bot, &head(&sandbox), &body)
        };
        for state in *before {
            assert_eq!(send(state).status, 201, "{before:?}");
        }
        let (was, count) = (sandbox.shown_statuses("src/curl", 1), sandbox.jobs(pipeline).len());
        let answer = send(posted);
        let (shown, new) = (sandbox.shown_statuses("src/curl", 1), sandbox.jobs(pipeline).len() - count);
        let ended = before.last().is_none_or(|last| !matches!(*last, "pending" | "running"));
        match outcome {
            Ok(()) => {
                assert_eq!((answer.status, answer.json()["status"].as_str()), (201, Some(*posted)), "{before:?}");
                assert_eq!((shown.len(), shown[0].state.as_str()), (1, *posted), "{before:?}: the old one is hidden");
                assert_eq!(new, usize::from(ended), "{before:?} {posted}: a new record only after an end");
            }
            Err((event, state)) => {
                let text = format!(
                    "Cannot transition status via :{event} from :{state} (Reason(s): Status cannot transition via \"{event}\")"
                );
                assert_eq!(answer.pair(), refusal(&text), "{before:?} {posted}");
                assert_eq!((shown, new), (was, 0));
            }
        }
    }
    assert!(sandbox.take_writes().iter().all(|write| write.status == 201));
}

#[test]
fn statuses_are_told_apart_by_user_but_hidden_by_name() {
    let (sandbox, bot) = with_merge_request();
    let pipeline = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    let maintainer = sandbox.token("maintainer", &[Scope::Api]);
    let pending = json!({ "state": "pending", "name": "dist-git", "pipeline_id": pipeline });
    assert_eq!(post(&sandbox, &bot, &head(&sandbox), &pending).status, 201);
    assert_eq!(post(&sandbox, &maintainer, &head(&sandbox), &pending).status, 201, "another user's is another status");
    let shown = sandbox.shown_statuses("src/curl", 1);
    assert_eq!((shown.len(), shown[0].author.as_str()), (1, "maintainer"));
    let again = post(
        &sandbox,
        &bot,
        &head(&sandbox),
        &json!({ "state": "running", "name": "dist-git", "pipeline_id": pipeline }),
    );
    assert_eq!(again.status, 201);
    let retried: Vec<(bool, &str)> = {
        let jobs = sandbox.jobs(pipeline);
        jobs.iter().map(|job| (job.retried, job.status.name())).collect()
    };
    assert_eq!(retried, [(true, "running"), (true, "pending")], "what is hidden once is not shown again");
    assert!(sandbox.shown_statuses("src/curl", 1).is_empty());
    assert_eq!(sandbox.take_writes().len(), 3);
}

#[test]
fn what_is_invalid_is_refused() {
    let (sandbox, bot) = with_merge_request();
    let pipeline = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    let job = sandbox.job(pipeline, "test", "rpm").create();
    sandbox.bridge(pipeline, "test", "child").create();
    let sha = head(&sandbox);
    let refused = |change: Value| {
        let mut body = json!({ "state": "success", "pipeline_id": pipeline });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        post(&sandbox, &bot, &sha, &body).pair()
    };
    let field = |name: &str, text: &str| (400, json!({ "message": { name: [text] } }));
    assert_eq!(refused(json!({ "state": null })), (400, json!({ "error": "state is missing" })));
    for state in ["error", "created", "manual", "canceling"] {
        assert_eq!(refused(json!({ "state": state })), (400, json!({ "error": "state does not have a valid value" })));
    }
    assert_eq!(refused(json!({ "pipeline_id": "x" })), (400, json!({ "error": "pipeline_id is invalid" })));
    let long = "é".repeat(256);
    let too_long = "is too long (maximum is 255 characters)";
    assert_eq!(refused(json!({ "description": long })), field("description", too_long));
    assert_eq!(refused(json!({ "name": long })), field("name", too_long));
    assert_eq!(refused(json!({ "target_url": format!("https://{long}") })), field("target_url", too_long));
    assert_eq!(refused(json!({ "target_url": "/relative" })).0, 400);
    assert_eq!(refused(json!({ "target_url": "ftp://example.com" })).0, 400);
    for name in ["rpm", "child"] {
        assert_eq!(refused(json!({ "name": name })), field("name", "has already been taken"));
    }
    sandbox.retry_job(job);
    assert_eq!(refused(json!({ "context": "rpm" })), field("name", "has already been taken"), "retried ones count");
    assert!(sandbox.shown_statuses("src/curl", 1).is_empty());
    let fits = "é".repeat(255);
    assert_eq!(refused(json!({ "name": fits, "description": fits })).0, 201);
    assert_eq!(refused(json!({ "name": "wins", "context": "loses" })).1["name"], "wins");
    assert_eq!(refused(json!({})).1["name"], "default");
    assert_eq!(sandbox.take_writes().len(), 3);
}

#[test]
fn only_developers_with_an_api_token_may_post() {
    let (sandbox, bot) = with_merge_request();
    let sha = sandbox.tip("src/curl", "c10s").unwrap();
    sandbox.branch_at("src/curl", "topic", "c10s");
    let body = json!({ "state": "success", "ref": "topic" });
    let forbidden = (403, json!({ "message": "403 Forbidden" }));
    sandbox.member("src/curl", "bot", Role::Reporter);
    assert_eq!(post(&sandbox, &bot, &sha, &body).pair(), forbidden);
    assert_eq!(post(&sandbox, "", &sha, &body).status, 401);
    sandbox.member("src/curl", "bot", Role::Developer);
    let reading = sandbox.token("bot", &[Scope::ReadApi]);
    assert_eq!(post(&sandbox, &reading, &sha, &body).json()["error"], "insufficient_scope");
    let job = sandbox.job_token("bot", "src/curl");
    let headers = [("JOB-TOKEN", job.as_str()), ("Content-Type", "application/json")];
    let path = format!("/api/v4/projects/src%2Fcurl/statuses/{sha}");
    assert_eq!(send(&sandbox, "POST", &path, &headers, &body.to_string()).unwrap().status, 401);
    assert_eq!(post(&sandbox, &bot, &sha, &body).status, 201);
    sandbox.expect_write("POST", "*/statuses/*");

    let protected = post(&sandbox, &bot, &sha, &json!({ "state": "success", "ref": "c10s" }));
    assert_eq!(protected.pair(), forbidden, "who may not push to a protected branch may not change its pipelines");
    let left = sandbox.pipelines("src/curl").pop().unwrap();
    assert_eq!((left.reference.as_str(), left.source.as_str(), left.status), ("c10s", "external", CiStatus::Created));
    assert!(sandbox.jobs(left.id).is_empty(), "the pipeline made for it stays");
    sandbox.protect("src/curl", "c10s", Some(Role::Developer));
    assert_eq!(post(&sandbox, &bot, &sha, &json!({ "state": "success", "ref": "c10s" })).status, 201);
    sandbox.expect_write("POST", "*/statuses/*");
}

#[test]
fn it_joins_the_newest_pipeline_of_the_commit_that_fits() {
    let (sandbox, bot) = with_merge_request();
    let sha = head(&sandbox);
    let first = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    let second = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    sandbox.branch_at("src/curl", "copy", "refs/merge-requests/1/head");
    let branch = sandbox.branch_pipeline("src/curl", "copy");
    let bridge = sandbox.bridge(branch, "test", "child").create();
    sandbox.child_pipeline(bridge);
    let joined = |body: Value| {
        let answer = post(&sandbox, &bot, &sha, &body);
        (answer.status, answer.json()["pipeline_id"].as_u64().unwrap_or_default())
    };
    assert_eq!(joined(json!({ "state": "success" })), (201, branch), "a child pipeline is none of them");
    assert_eq!(joined(json!({ "state": "success", "ref": "refs/merge-requests/1/head" })), (201, second));
    assert_eq!(joined(json!({ "state": "success", "pipeline_id": first })), (201, first));
    let both = json!({ "state": "success", "pipeline_id": first, "ref": "refs/merge-requests/1/head" });
    assert_eq!(joined(both), (201, first));
    let missing = (404, json!({ "message": "404 Pipeline for pipeline_id, sha and ref Not Found" }));
    let other_ref = json!({ "state": "success", "pipeline_id": first, "ref": "copy" });
    assert_eq!(post(&sandbox, &bot, &sha, &other_ref).pair(), missing);
    let other_commit = sandbox.tip("src/curl", "c10s").unwrap();
    let of_other = json!({ "state": "success", "pipeline_id": first });
    assert_eq!(post(&sandbox, &bot, &other_commit, &of_other).pair(), missing);
    assert_eq!(sandbox.take_writes().len(), 4);
}

#[test]
fn only_the_newest_hundred_pipelines_of_a_commit_are_looked_at() {
    let (sandbox, bot) = with_merge_request();
    let sha = head(&sandbox);
    let old = sandbox.pipeline("src/curl", &sha, "old", "success", None);
    for _ in 0..100 {
        sandbox.pipeline("src/curl", &sha, "new", "success", None);
    }
    let by_ref = post(&sandbox, &bot, &sha, &json!({ "state": "success", "ref": "old" })).json();
    assert_ne!(by_ref["pipeline_id"], old, "a new external one instead");
    let by_id = post(&sandbox, &bot, &sha, &json!({ "state": "success", "pipeline_id": old })).json();
    assert_eq!(by_id["pipeline_id"], old);
    assert_eq!(sandbox.take_writes().len(), 2);
}

#[test]
fn without_a_pipeline_an_external_one_is_made_for_a_branch() {
    let (sandbox, bot) = with_merge_request();
    let unknown = post(&sandbox, &bot, &"a".repeat(40), &json!({ "state": "success" }));
    assert_eq!(unknown.pair(), (404, json!({ "message": "404 Commit Not Found" })));
    let sha = head(&sandbox);
    let in_fork_only = post(&sandbox, &bot, &sha, &json!({ "state": "success" }));
    assert_eq!(
        in_fork_only.pair(),
        (404, json!({ "message": "404 References for commit Not Found" })),
        "a fork's commit is known here by its merge request, but is on no branch"
    );
    sandbox.branch_at("src/curl", "topic", "c10s");
    sandbox.commit("src/curl", "topic", "Change\n", &[("x", Some("x"))]);
    sandbox.branch_at("src/curl", "a-copy", "topic");
    let tip = sandbox.tip("src/curl", "topic").unwrap();
    let made = post(&sandbox, &bot, &tip, &json!({ "state": "pending" })).json();
    assert_eq!(made["ref"], "a-copy", "the first branch by name");
    let pipeline = sandbox.pipelines("src/curl").pop().unwrap();
    assert_eq!((pipeline.source.as_str(), pipeline.status), ("external", CiStatus::Pending));
    assert_eq!(sandbox.take_writes().len(), 1);
}

#[test]
fn a_full_pipeline_takes_no_more_jobs() {
    let (sandbox, bot) = with_merge_request();
    let sha = head(&sandbox);
    let pipeline = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    sandbox.limit_pipeline_size("src/curl", 2);
    let send = |name: &str, state: &str| {
        post(&sandbox, &bot, &sha, &json!({ "state": state, "name": name, "pipeline_id": pipeline }))
    };
    assert_eq!((send("a", "pending").status, send("b", "success").status), (201, 201));
    let full = (422, json!({ "message": "The number of jobs has exceeded the limit" }));
    assert_eq!(send("c", "pending").pair(), full);
    assert_eq!(send("a", "running").status, 201, "one that is under way goes on");
    let elsewhere = post(&sandbox, &bot, &sha, &json!({ "state": "success", "name": "c" })).json();
    assert_ne!(elsewhere["pipeline_id"], pipeline, "without pipeline_id GitLab makes a new one, silently");
    assert_eq!(elsewhere["ref"], "refs/merge-requests/1/head");
    let names: Vec<String> = sandbox.shown_statuses("src/curl", 1).into_iter().map(|status| status.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(sandbox.take_writes().len(), 4);
}

#[test]
fn the_lock_may_be_busy() {
    let (sandbox, bot) = with_merge_request();
    let pipeline = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    sandbox.fail(Fault::on("POST", "*/statuses/*").times(2).status_lock_busy());
    let body = json!({ "state": "pending", "pipeline_id": pipeline });
    let busy = (409, json!({ "message": "Another update to this commit status is in progress" }));
    let answers = [0, 1, 2].map(|_| post(&sandbox, &bot, &head(&sandbox), &body));
    assert_eq!((answers[0].pair(), answers[1].pair(), answers[2].status), (busy.clone(), busy, 201));
    sandbox.expect_write("POST", "*/statuses/*");
}

#[test]
fn a_forks_merge_request_shows_no_external_pipeline_of_the_target() {
    let (sandbox, bot) = with_merge_request();
    let sha = head(&sandbox);
    let posted = post(&sandbox, &bot, &sha, &json!({ "state": "success", "name": "dist-git", "ref": "fix" }));
    assert_eq!(posted.status, 201);
    assert!(sandbox.shown_statuses("src/curl", 1).is_empty());
    assert!(sandbox.pipelines_shown("src/curl", 1).is_empty());

    sandbox.member("contributor/curl", "bot", Role::Developer);
    let path = format!("/projects/contributor%2Fcurl/statuses/{sha}");
    let in_fork = call(&sandbox, &bot, "POST", &path, &json!({ "state": "success", "name": "in the fork" }));
    assert_eq!(in_fork.status, 201);
    assert_eq!(sandbox.shown_statuses("src/curl", 1)[0].name, "in the fork");

    let own = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    let body = json!({ "state": "running", "name": "dist-git", "pipeline_id": own });
    assert_eq!(post(&sandbox, &bot, &sha, &body).status, 201);
    let listed = sandbox.pipelines_shown("src/curl", 1);
    let listed: Vec<_> =
        listed.iter().map(|one| (one.project.as_str(), one.source.as_str(), one.statuses.len())).collect();
    assert_eq!(listed, [("src/curl", "merge_request_event", 1), ("contributor/curl", "external", 1)]);
    assert_eq!(
        sandbox.shown_statuses("src/curl", 1)[0].name,
        "dist-git",
        "the merge request's own pipeline is the head's"
    );
    assert_eq!(sandbox.take_writes().len(), 3);
}

#[test]
fn within_one_project_an_external_pipeline_is_shown() {
    let (sandbox, bot) = with_merge_request();
    sandbox.branch_at("src/curl", "topic", "c10s");
    let tip = sandbox.commit("src/curl", "topic", "Change\n", &[("x", Some("x"))]);
    let iid = sandbox.open("maintainer").from("src/curl", "topic").into("src/curl", "c10s").create();
    assert_eq!(post(&sandbox, &bot, &tip, &json!({ "state": "failed", "ref": "topic" })).status, 201);
    let shown = sandbox.shown_statuses("src/curl", iid);
    assert_eq!((shown.len(), shown[0].state.as_str()), (1, "failed"));
    let detached = sandbox.mr_pipeline("src/curl", iid).create();
    assert!(sandbox.shown_statuses("src/curl", iid).is_empty(), "once it has a pipeline of its own, that is shown");
    assert_eq!(sandbox.pipelines_shown("src/curl", iid)[0].id, detached);
    sandbox.expect_write("POST", "*/statuses/*");
}

#[test]
fn a_status_for_the_head_cannot_join_merged_results() {
    let (sandbox, bot) = with_merge_request();
    sandbox.commit("src/curl", "c10s", "Other\n", &[("other", Some("other"))]);
    let merged = sandbox.mr_pipeline("src/curl", 1).by("maintainer").merged_result().create();
    let body = json!({ "state": "success", "name": "dist-git", "pipeline_id": merged });
    let without_ref = post(&sandbox, &bot, &head(&sandbox), &body);
    assert_eq!(without_ref.pair(), (404, json!({ "message": "404 References for commit Not Found" })));
    let mut with_ref = body.clone();
    with_ref["ref"] = json!("refs/merge-requests/1/merge");
    let refused = post(&sandbox, &bot, &head(&sandbox), &with_ref);
    assert_eq!(refused.pair(), (404, json!({ "message": "404 Pipeline for pipeline_id, sha and ref Not Found" })));
    let sha = sandbox.pipeline_now(merged).sha;
    assert_eq!(post(&sandbox, &bot, &sha, &body).status, 201);
    assert_eq!(sandbox.shown_statuses("src/curl", 1).len(), 1, "by the merge's own commit it would");
    sandbox.expect_write("POST", "*/statuses/*");
}

#[test]
fn statuses_are_listed_with_ci_jobs_among_them() {
    let (sandbox, bot) = with_merge_request();
    let sha = head(&sandbox);
    let pipeline = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    let job = sandbox.job(pipeline, "build", "rpm").failed("script_failure").create();
    let retried = sandbox.retry_job(job);
    let old = sandbox.commit_status(pipeline, "bot", "dist-git", "failed");
    let new = sandbox.commit_status(pipeline, "bot", "dist-git", "running");
    let second = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    let other = sandbox.commit_status(second, "maintainer", "else", "pending");
    let base = format!("/projects/src%2Fcurl/repository/commits/{sha}/statuses");
    let list = |query: &str| {
        let list = get(&sandbox, &bot, &format!("{base}?{query}")).json();
        list.as_array().unwrap().iter().map(|status| status["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(list(""), [retried, new, other], "the latest only");
    assert_eq!(list("all=true"), [job, retried, old, new, other]);
    assert_eq!((list("name=dist-git"), list("stage=external")), (vec![new], vec![new, other]));
    assert_eq!((list("stage=build"), list("ref=fix")), (vec![retried], vec![]));
    assert_eq!(list(&format!("pipeline_id={second}")), [other]);
    assert_eq!(list("order_by=pipeline_id&sort=desc"), [other, new, retried]);
    assert_eq!(get(&sandbox, "", &base).status, 401);
    let unknown = get(&sandbox, &bot, &format!("/projects/src%2Fcurl/repository/commits/{}/statuses", "a".repeat(40)));
    assert_eq!(unknown.pair(), (404, json!({ "message": "404 Commit Not Found" })));
    let by_branch = get(&sandbox, &bot, "/projects/src%2Fcurl/repository/commits/c10s/statuses");
    assert_eq!(by_branch.json(), json!([]), "a branch's name is no commit's id");
}
