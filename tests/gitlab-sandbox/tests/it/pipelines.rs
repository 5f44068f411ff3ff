//! Pipelines: their state, where they run, who sees them, and which of them a merge request shows.

use gitlab_sandbox::{CiStatus, EventType, Role, Sandbox, Scope, Visibility};
use serde_json::{Value, json};

use crate::client::{assert_fields, call, furnished, get};

const TARGET: &str = "/projects/src%2Fcurl/merge_requests";

/// The furnished world with an open merge request from the contributor's fork.
fn with_merge_request() -> (Sandbox, String, String, String) {
    let world = furnished();
    world.0.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    world
}

fn id_of(sandbox: &Sandbox, project: &str) -> u64 {
    sandbox.inspect(|model| model.project(project).unwrap().id)
}

fn ids(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|entry| entry["id"].as_u64().unwrap()).collect()
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

/// The rows of GitLab's `spec/lib/gitlab/ci/status/composite_spec.rb` for pipelines (`dag` off): the jobs' states, the
/// pipeline's, and whether it has warnings.
const COMPOSITE: &[(&str, &str, bool)] = &[
    ("skipped", "skipped", false),
    ("skipped success", "success", false),
    ("created", "created", false),
    ("preparing", "preparing", false),
    ("canceled success skipped", "canceled", false),
    ("pending created skipped", "pending", false),
    ("pending created skipped success", "running", false),
    ("running created skipped success", "running", false),
    ("success waiting_for_resource", "waiting_for_resource", false),
    ("success waiting_for_callback", "waiting_for_callback", false),
    ("success manual", "manual", false),
    ("success scheduled", "scheduled", false),
    ("created preparing", "preparing", false),
    ("created success pending", "running", false),
    ("skipped success failed", "failed", false),
];

/// The same, where all jobs are allowed to fail: `?` after their states.
const COMPOSITE_ALLOWED: &[(&str, &str, bool)] = &[
    ("manual?", "skipped", false),
    ("skipped? failed?", "success", true),
    ("success? manual?", "success", false),
    ("created? failed?", "created", true),
    ("preparing? manual?", "preparing", false),
];

/// Rows that follow from the order of the rules in `composite.rb` where the specification has none.
const COMPOSITE_MIXED: &[(&str, &str, bool)] = &[
    ("failed running", "running", false),
    ("failed created", "running", false),
    ("failed created?", "running", false),
    ("canceling success", "canceling", false),
    ("canceling created", "running", false),
    ("canceled? success", "success", true),
    ("failed? running", "running", true),
    ("failed failed?", "failed", true),
    ("manual? failed", "failed", false),
    ("failed canceled", "failed", false),
    ("waiting_for_resource manual", "waiting_for_resource", false),
];

#[test]
fn a_pipelines_state_follows_from_its_jobs() {
    let (sandbox, ..) = furnished();
    let check = |(states, expected, warnings): (&str, &str, bool)| {
        let pipeline = sandbox.branch_pipeline("src/curl", "c10s");
        for (number, state) in states.split(' ').enumerate() {
            let job = sandbox.job(pipeline, "test", &format!("job {number}")).status(state.trim_end_matches('?'));
            if state.ends_with('?') { job.allow_failure() } else { job }.create();
        }
        let found = sandbox.inspect(|model| model.composite_of(pipeline)).unwrap();
        assert_eq!((found.status.name(), found.warnings), (expected, warnings), "{states}");
        assert_eq!(sandbox.pipeline_now(pipeline).status.name(), expected, "{states}");
    };
    COMPOSITE.iter().chain(COMPOSITE_ALLOWED).chain(COMPOSITE_MIXED).for_each(|row| check(*row));
}

#[test]
fn jobs_drive_the_pipeline_and_its_times() {
    let (sandbox, bot, ..) = furnished();
    let pipeline = sandbox.branch_pipeline("src/curl", "c10s");
    let path = format!("/projects/src%2Fcurl/pipelines/{pipeline}");
    assert_eq!(get(&sandbox, &bot, &path).json()["status"], "created");
    let build = sandbox.job(pipeline, "build", "rpm").create();
    let lint = sandbox.job(pipeline, "test", "rpmlint").status("created").allow_failure().create();
    let state = || {
        let shown = get(&sandbox, &bot, &path).json();
        (shown["status"].clone(), shown["started_at"].is_null(), shown["finished_at"].is_null())
    };
    assert_eq!(state(), (json!("pending"), true, true));
    sandbox.set_job(build, "running");
    assert_eq!(state(), (json!("running"), false, true));
    sandbox.set_job(build, "success");
    assert_eq!(state(), (json!("running"), false, true));
    sandbox.set_job(lint, "failed");
    assert_eq!(state(), (json!("success"), false, false));

    let shown = get(&sandbox, &bot, &path).json();
    assert_fields(
        &shown,
        "id iid project_id sha ref status source created_at updated_at web_url before_sha tag yaml_errors user started_at \
         finished_at committed_at duration queued_duration coverage detailed_status archived",
    );
    assert_eq!(shown["detailed_status"]["label"], "passed with warnings");
    assert_eq!(shown["detailed_status"]["group"], "success-with-warnings");
    assert_eq!((&shown["source"], &shown["ref"], &shown["tag"]), (&json!("push"), &json!("c10s"), &json!(false)));
    assert!(shown["updated_at"].as_str() > shown["created_at"].as_str());
    assert!(shown["duration"].is_u64() && shown["queued_duration"].is_u64(), "whole seconds: {shown}");
    let jobs = get(&sandbox, &bot, &format!("{path}/jobs")).json();
    assert!(jobs[0]["duration"].is_f64(), "of a job with fractions: {}", jobs[0]);
}

#[test]
fn a_retried_job_gives_way_to_a_new_one() {
    let (sandbox, bot, ..) = furnished();
    let pipeline = sandbox.branch_pipeline("src/curl", "c10s");
    let old = sandbox.job(pipeline, "test", "check").failed("runner_system_failure").create();
    assert_eq!(sandbox.pipeline_now(pipeline).status, CiStatus::Failed);
    let new = sandbox.retry_job(old);
    assert_eq!(sandbox.pipeline_now(pipeline).status, CiStatus::Pending);
    let jobs =
        |query: &str| get(&sandbox, &bot, &format!("/projects/src%2Fcurl/pipelines/{pipeline}/jobs{query}")).json();
    assert_eq!(ids(&jobs("")), [new]);
    assert_eq!(ids(&jobs("?include_retried=true")), [old, new]);
    sandbox.set_job(new, "success");
    assert_eq!(sandbox.pipeline_now(pipeline).status, CiStatus::Success);
    assert_eq!(sandbox.job_named(pipeline, "check"), new);
}

#[test]
fn jobs_are_listed_without_bridges_and_external_statuses() {
    let (sandbox, bot, ..) = furnished();
    let pipeline = sandbox.branch_pipeline("src/curl", "c10s");
    sandbox.job(pipeline, "build", "rpm").status("success").create();
    sandbox.job(pipeline, "test", "check").failed("script_failure").allow_failure().create();
    let bridge = sandbox.bridge(pipeline, "test", "plans").create();
    sandbox.commit_status(pipeline, "bot", "dist-git", "pending");
    let base = format!("/projects/src%2Fcurl/pipelines/{pipeline}");
    let jobs = get(&sandbox, &bot, &format!("{base}/jobs")).json();
    assert_eq!(names(&jobs), ["rpm", "check"]);
    assert_fields(
        &jobs[0],
        "id status stage name ref tag coverage allow_failure created_at started_at finished_at erased_at duration \
         queued_duration user commit pipeline web_url project artifacts runner tag_list",
    );
    assert_fields(&jobs[0]["pipeline"], "id project_id sha ref status source web_url");
    assert_eq!((&jobs[0]["commit"]["title"], jobs[0].get("failure_reason")), (&json!("Start"), None));
    assert_eq!((&jobs[1]["failure_reason"], &jobs[1]["allow_failure"]), (&json!("script_failure"), &json!(true)));
    let web_url = format!("{}/src/curl/-/jobs/{}", sandbox.url(), jobs[1]["id"]);
    assert_eq!(jobs[1]["web_url"], web_url);
    assert_eq!(names(&get(&sandbox, &bot, &format!("{base}/jobs?scope[]=failed&scope[]=pending")).json()), ["check"]);
    let wrong = get(&sandbox, &bot, &format!("{base}/jobs?scope[]=broken"));
    assert_eq!(wrong.pair(), (400, json!({ "error": "scope does not have a valid value" })));

    let bridges = get(&sandbox, &bot, &format!("{base}/bridges")).json();
    assert_eq!((ids(&bridges), &bridges[0]["downstream_pipeline"]), (vec![bridge], &Value::Null));
    assert_eq!(get(&sandbox, &bot, &format!("{base}/trigger_jobs")).json(), bridges);
}

#[test]
fn a_bridge_shows_its_downstream_pipeline_and_may_wait_for_it() {
    let (sandbox, bot, ..) = furnished();
    sandbox.project("ci/tests");
    sandbox.commit("ci/tests", "main", "Start\n", &[("t", Some("t"))]);
    let parent = sandbox.branch_pipeline("src/curl", "c10s");
    let waits = sandbox.bridge(parent, "test", "child").depend().create();
    let forgets = sandbox.bridge(parent, "test", "elsewhere").create();
    let child = sandbox.child_pipeline(waits);
    let job = sandbox.job(child, "test", "inner").status("running").create();
    let other = sandbox.downstream_pipeline(forgets, "ci/tests", "main");
    sandbox.job(other, "test", "outer").failed("script_failure").create();
    let shown = || get(&sandbox, &bot, &format!("/projects/src%2Fcurl/pipelines/{parent}/bridges")).json();
    let bridges = shown();
    assert_eq!((&bridges[0]["status"], &bridges[1]["status"]), (&json!("running"), &json!("success")));
    assert_eq!(bridges[0]["downstream_pipeline"]["source"], "parent_pipeline");
    assert_eq!(bridges[0]["downstream_pipeline"]["id"], child);
    assert_eq!(bridges[1]["downstream_pipeline"]["source"], "pipeline");
    assert_eq!(bridges[1]["downstream_pipeline"]["project_id"], id_of(&sandbox, "ci/tests"));
    assert_eq!(sandbox.pipeline_now(parent).status, CiStatus::Running);
    sandbox.fail_job(job, "job_execution_timeout");
    assert_eq!(shown()[0]["status"], "failed");
    assert_eq!(sandbox.pipeline_now(parent).status, CiStatus::Failed);
    let retried = sandbox.retry_job(job);
    assert_eq!(shown()[0]["status"], "running");
    sandbox.set_job(retried, "success");
    assert_eq!(sandbox.pipeline_now(parent).status, CiStatus::Success);

    let list = |query: &str| ids(&get(&sandbox, &bot, &format!("/projects/src%2Fcurl/pipelines?{query}")).json());
    assert_eq!(
        (list(""), list("source=parent_pipeline")),
        (vec![parent], vec![child]),
        "child pipelines are kept apart"
    );
}

#[test]
fn a_wrong_configuration_fails_the_pipeline_without_jobs() {
    let (sandbox, bot, ..) = furnished();
    let pipeline = sandbox.branch_pipeline("src/curl", "c10s");
    sandbox.yaml_error(pipeline, "jobs config should contain at least one visible job");
    let shown = get(&sandbox, &bot, &format!("/projects/src%2Fcurl/pipelines/{pipeline}")).json();
    assert_eq!(
        (&shown["status"], &shown["yaml_errors"]),
        (&json!("failed"), &json!("jobs config should contain at least one visible job"))
    );
    let jobs = get(&sandbox, &bot, &format!("/projects/src%2Fcurl/pipelines/{pipeline}/jobs")).json();
    assert_eq!(jobs, json!([]));
    let with_errors = get(&sandbox, &bot, "/projects/src%2Fcurl/pipelines?yaml_errors=true").json();
    assert_eq!(ids(&with_errors), [pipeline]);
}

#[test]
fn pipelines_are_listed_by_filter() {
    let (sandbox, bot, _, maintainer) = with_merge_request();
    let start = sandbox.tip("src/curl", "c10s").unwrap();
    let first = sandbox.branch_pipeline("src/curl", "c10s");
    sandbox.commit("src/curl", "other", "More\n", &[("x", Some("x"))]);
    let second = sandbox.branch_pipeline("src/curl", "other");
    let third = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    let before = sandbox.pipeline_now(third).created_at.iso();
    sandbox.job(first, "test", "t").status("success").create();
    let list = |query: &str| ids(&get(&sandbox, &bot, &format!("/projects/src%2Fcurl/pipelines?{query}")).json());
    assert_eq!(list(""), [third, second, first], "newest first");
    assert_eq!(list("sort=asc&per_page=2"), [first, second]);
    assert_eq!((list(&format!("sha={start}")), list("ref=other")), (vec![first], vec![second]));
    assert_eq!((list("status=success"), list("scope=finished")), (vec![first], vec![first]));
    assert_eq!((list("source=merge_request_event"), list("username=maintainer")), (vec![third], vec![third]));
    assert_eq!(list("ref=refs/merge-requests/1/head"), [third]);
    assert_eq!(list(&format!("updated_after={before}&order_by=updated_at")), [first, third]);
    assert_eq!(list("order_by=ref&sort=asc"), [first, second, third]);
    let wrong = get(&sandbox, &maintainer, "/projects/src%2Fcurl/pipelines?status=great");
    assert_eq!(wrong.pair(), (400, json!({ "error": "status does not have a valid value" })));
}

#[test]
fn who_may_not_read_builds_sees_none() {
    let (sandbox, bot, contributor, _) = with_merge_request();
    let pipeline = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    let paths = ["", "/1", "/1/jobs", "/1/bridges"]
        .map(|rest| format!("/projects/src%2Fcurl/pipelines{}", rest.replacen("/1", &format!("/{pipeline}"), 1)));
    let statuses = |token: &str| paths.clone().map(|path| get(&sandbox, token, &path).status);
    assert_eq!((statuses(&contributor), statuses("")), ([200; 4], [200; 4]));
    let setting = json!(false);
    sandbox.arrange(|model| {
        let id = model.project("src/curl").unwrap().id;
        model.projects.get_mut(&id).unwrap().settings.insert("public_jobs".into(), setting)
    });
    assert_eq!((statuses(&contributor), statuses(&bot)), ([403; 4], [200; 4]), "kept for Reporters");
    assert_eq!(get(&sandbox, &contributor, &format!("{TARGET}/1/pipelines")).json(), json!([]));
    assert_eq!(get(&sandbox, &contributor, &format!("{TARGET}/1")).json()["head_pipeline"], Value::Null);
    sandbox.set_visibility("src/curl", Visibility::Private);
    assert_eq!(statuses(&contributor), [404; 4]);
    let elsewhere = format!("/projects/contributor%2Fcurl/pipelines/{pipeline}");
    assert_eq!(get(&sandbox, &contributor, &elsewhere).pair(), (404, json!({ "message": "404 Not found" })));
}

#[test]
fn a_merge_requests_pipeline_runs_where_its_starter_may_run_it() {
    let (sandbox, ..) = with_merge_request();
    let head = sandbox.tip("contributor/curl", "fix").unwrap();
    let place = |user: &str| {
        let pipeline = sandbox.pipeline_now(sandbox.mr_pipeline("src/curl", 1).by(user).create());
        assert_eq!((pipeline.source.as_str(), pipeline.sha.as_str()), ("merge_request_event", head.as_str()));
        assert_eq!(pipeline.event_type, Some(EventType::Detached));
        let project = sandbox.inspect(|model| model.path_of(&model.projects[&pipeline.project]));
        (project, pipeline.reference)
    };
    let in_source = ("contributor/curl".to_owned(), "fix".to_owned());
    let in_target = ("src/curl".to_owned(), "refs/merge-requests/1/head".to_owned());
    assert_eq!(place("contributor"), in_source, "an outsider");
    sandbox.member("src/curl", "contributor", Role::Reporter);
    assert_eq!(place("contributor"), in_source, "a Reporter");
    sandbox.member("src/curl", "contributor", Role::Developer);
    assert_eq!(place("contributor"), in_target, "a Developer");
    sandbox.keep_fork_pipelines_out("src/curl");
    assert_eq!(place("contributor"), in_source, "the target keeps forks out");
}

#[test]
fn within_one_project_a_merge_requests_pipeline_has_its_own_ref() {
    let (sandbox, ..) = furnished();
    sandbox.member("src/curl", "contributor", Role::Developer);
    sandbox.branch_at("src/curl", "topic", "c10s");
    sandbox.commit("src/curl", "topic", "Change\n", &[("x", Some("x"))]);
    let iid = sandbox.open("contributor").from("src/curl", "topic").into("src/curl", "c10s").create();
    let pipeline = sandbox.pipeline_now(sandbox.mr_pipeline("src/curl", iid).create());
    assert_eq!(pipeline.reference, format!("refs/merge-requests/{iid}/head"));
}

#[test]
fn merged_results_run_for_an_internal_merge_commit() {
    let (sandbox, bot, ..) = with_merge_request();
    sandbox.commit("src/curl", "c10s", "Other\n", &[("other", Some("other"))]);
    let (tip, head) = (sandbox.tip("src/curl", "c10s").unwrap(), sandbox.tip("contributor/curl", "fix").unwrap());
    let id = sandbox.mr_pipeline("src/curl", 1).by("maintainer").merged_result().create();
    let pipeline = sandbox.pipeline_now(id);
    assert_eq!(pipeline.reference, "refs/merge-requests/1/merge");
    assert_eq!((pipeline.event_type, pipeline.source_sha.as_ref()), (Some(EventType::MergedResult), Some(&head)));
    assert_eq!(sandbox.git("src/curl", &["rev-parse", "refs/merge-requests/1/merge"]), pipeline.sha);
    assert_eq!(sandbox.git("src/curl", &["log", "-1", "--format=%P", &pipeline.sha]), format!("{tip} {head}"));
    let commit = get(&sandbox, &bot, &format!("/projects/src%2Fcurl/repository/commits/{}", pipeline.sha)).json();
    assert_eq!(commit["parent_ids"], json!([tip, head]));
    let shown = get(&sandbox, &bot, &format!("{TARGET}/1")).json();
    assert_eq!((&shown["head_pipeline"]["id"], &shown["head_pipeline"]["sha"]), (&json!(id), &json!(pipeline.sha)));

    let outsider = sandbox.mr_pipeline("src/curl", 1).by("contributor").merged_result().create();
    assert_eq!(sandbox.pipeline_now(outsider).event_type, Some(EventType::Detached), "a fork has no merge ref");
    sandbox.commit("src/curl", "c10s", "Conflict\n", &[("a.c", Some("conflict\n"))]);
    let conflicting = sandbox.mr_pipeline("src/curl", 1).by("maintainer").merged_result().create();
    assert_eq!(sandbox.pipeline_now(conflicting).reference, "refs/merge-requests/1/head");
}

#[test]
fn a_merge_request_lists_its_own_pipelines_then_those_of_its_branch() {
    let (sandbox, bot, ..) = with_merge_request();
    let head = sandbox.tip("contributor/curl", "fix").unwrap();
    let base = sandbox.tip("src/curl", "c10s").unwrap();
    let list = || get(&sandbox, &bot, &format!("{TARGET}/1/pipelines")).json();
    assert_eq!(list(), json!([]));
    let in_fork = sandbox.mr_pipeline("src/curl", 1).by("contributor").create();
    let branch = sandbox.branch_pipeline("contributor/curl", "fix");
    let in_parent = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    let external = sandbox.branch_pipeline("contributor/curl", "fix");
    let bridge = sandbox.bridge(in_parent, "test", "child").create();
    sandbox.child_pipeline(bridge);
    sandbox.pipeline("src/curl", &head, "fix", "success", None);
    sandbox.pipeline("contributor/curl", &base, "fix", "success", None);
    sandbox.pipeline("contributor/curl", &head, "other", "success", None);
    let shown = list();
    assert_fields(&shown[0], "id iid project_id sha ref status source created_at updated_at web_url");
    assert_eq!(ids(&shown), [in_parent, in_fork, external, branch]);
    let projects: Vec<u64> = sandbox.pipelines_shown("src/curl", 1).iter().map(|pipeline| pipeline.id).collect();
    assert_eq!(projects, ids(&shown));
    let (source, target) = (id_of(&sandbox, "contributor/curl"), id_of(&sandbox, "src/curl"));
    assert_eq!((&shown[0]["project_id"], &shown[1]["project_id"]), (&json!(target), &json!(source)));

    sandbox.commit("contributor/curl", "fix", "More\n", &[("c", Some("c"))]);
    assert_eq!(ids(&list()).len(), 4, "commits of the merge request that are not its head count too");
    sandbox.delete_project("contributor/curl");
    assert_eq!(list(), json!([]), "without a source project nothing is shown");
    assert!(sandbox.pipelines("src/curl").iter().any(|pipeline| pipeline.id == in_parent));
    assert!(!sandbox.inspect(|model| model.pipelines.contains_key(&in_fork)), "the fork's are gone");
    assert_eq!(sandbox.merge_request("src/curl", 1).state.name(), "opened");
}

#[test]
fn the_head_pipeline_over_the_api_may_be_of_an_older_head() {
    let (sandbox, bot, ..) = with_merge_request();
    let shown = || get(&sandbox, &bot, &format!("{TARGET}/1")).json()["head_pipeline"].clone();
    assert_eq!(shown(), Value::Null);
    let first = sandbox.mr_pipeline("src/curl", 1).by("maintainer").create();
    sandbox.commit_status(first, "bot", "dist-git", "success");
    assert_fields(&shown(), "id sha ref status source web_url detailed_status user");
    assert_eq!((&shown()["id"], sandbox.shown_statuses("src/curl", 1).len()), (&json!(first), 1));
    let branch = sandbox.branch_pipeline("contributor/curl", "fix");
    assert_eq!(shown()["id"], first, "a branch's pipeline does not take the place of the merge request's own");

    let head = sandbox.commit("contributor/curl", "fix", "More\n", &[("c", Some("c"))]);
    assert_eq!(shown()["id"], first);
    assert!(sandbox.shown_statuses("src/curl", 1).is_empty(), "the page shows none, as none ran for the head");
    let second = sandbox.branch_pipeline("contributor/curl", "fix");
    assert_eq!((&shown()["id"], &shown()["sha"]), (&json!(second), &json!(head)));
    assert!(second > branch);
}

#[test]
fn a_pipeline_can_be_asked_for() {
    let (sandbox, bot, contributor, maintainer) = with_merge_request();
    let ask =
        |token: &str, query: &str| call(&sandbox, token, "POST", &format!("{TARGET}/1/pipelines{query}"), &json!({}));
    let made = ask(&maintainer, "");
    assert_eq!(made.status, 200);
    assert_fields(&made.json(), "id iid project_id sha ref status source web_url detailed_status user");
    assert_eq!(
        (&made.json()["ref"], &made.json()["status"]),
        (&json!("refs/merge-requests/1/head"), &json!("pending"))
    );
    assert_eq!(ask(&maintainer, "").status, 200, "one more for the same head");
    assert_eq!(ask(&contributor, "").json()["ref"], "fix");
    let later = ask(&contributor, "?async=true");
    assert_eq!((later.status, later.body.len()), (202, 0));
    let refused = json!({ "message": { "base": ["Insufficient permissions to create a new pipeline"] } });
    assert_eq!(ask(&bot, "").pair(), (400, refused));
    assert_eq!(ask("", "").status, 401);

    sandbox.branch_at("contributor/curl", "empty", "c10s");
    let iid = sandbox.open("contributor").from("contributor/curl", "empty").into("src/curl", "c10s").create();
    let none = call(&sandbox, &maintainer, "POST", &format!("{TARGET}/{iid}/pipelines"), &json!({}));
    assert_eq!(none.pair(), (405, json!({ "message": "405 Method Not Allowed" })));
    assert_eq!(sandbox.take_writes().len(), 4);
}

#[test]
fn merge_requests_run_pipelines_by_themselves_where_a_project_says_so() {
    let (sandbox, ..) = furnished();
    let open = || sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    sandbox.close("src/curl", open(), "contributor");
    assert!(sandbox.pipelines("contributor/curl").is_empty(), "not unless told to");

    sandbox.run_pipelines("src/curl", &[("build", "srpm"), ("build", "lint"), ("test", "rpm")]);
    let iid = open();
    let opened = sandbox.pipelines("contributor/curl");
    assert_eq!((opened.len(), opened[0].reference.as_str(), opened[0].status), (1, "fix", CiStatus::Pending));
    let jobs = sandbox.jobs(opened[0].id);
    let jobs: Vec<_> = jobs.iter().map(|job| (job.stage.as_str(), job.name.as_str(), job.status.name())).collect();
    assert_eq!(jobs, [("build", "srpm", "pending"), ("build", "lint", "pending"), ("test", "rpm", "created")]);

    let head = sandbox.commit("contributor/curl", "fix", "More\n", &[("c", Some("c"))]);
    assert_eq!(sandbox.pipelines("contributor/curl").last().unwrap().sha, head);
    sandbox.member("src/curl", "contributor", Role::Developer);
    sandbox.commit("contributor/curl", "fix", "Again\n", &[("d", Some("d"))]);
    assert_eq!(sandbox.pipelines("src/curl").last().unwrap().reference, format!("refs/merge-requests/{iid}/head"));
    assert_eq!((sandbox.pipelines("contributor/curl").len(), sandbox.pipelines("src/curl").len()), (2, 1));
    sandbox.commit("src/curl", "c10s", "Unrelated\n", &[("e", Some("e"))]);
    assert_eq!(sandbox.pipelines("src/curl").len(), 1, "nothing new of the merge request's");
}

#[test]
fn jobs_take_a_job_token_and_a_reading_token() {
    let (sandbox, ..) = furnished();
    let pipeline = sandbox.branch_pipeline("src/curl", "c10s");
    sandbox.job(pipeline, "test", "t").create();
    let path = format!("/projects/src%2Fcurl/pipelines/{pipeline}/jobs");
    let token = sandbox.job_token("maintainer", "src/curl");
    let with = |header: &str, token: &str| {
        crate::client::send(&sandbox, "GET", &format!("/api/v4{path}"), &[(header, token)], "").unwrap().status
    };
    assert_eq!(with("JOB-TOKEN", &token), 200);
    assert_eq!(with("PRIVATE-TOKEN", &sandbox.token("bot", &[Scope::ReadApi])), 200);
}
