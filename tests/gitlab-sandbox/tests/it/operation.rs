//! What is set up for a package, and what an operator looks at: variables, trigger tokens, protected branches, schedules,
//! runners, job tokens, webhooks that fail. Where a rule is from is said at each.

use gitlab_sandbox::{AlertStatus, HookEvent, Role, Sandbox, Scope, Variable};
use serde_json::{Value, json};

use crate::client::{assert_fields, call, furnished, get, send};

const CURL: &str = "/projects/src%2Fcurl";

/// Lets a developer try what takes a Maintainer.
#[track_caller]
fn takes_a_maintainer(sandbox: &Sandbox, developer: &str, method: &str, path: &str, body: &Value) {
    let refused = call(sandbox, developer, method, path, body);
    assert_eq!(refused.pair(), (403, json!({ "message": "403 Forbidden" })), "{method} {path}");
}

/// "Project-level CI/CD variables API", `ci/maskable.rb`, `ci/has_variable.rb`.
#[test]
fn variables_are_for_maintainers_and_each_is_there_once() {
    let (sandbox, bot, _, maintainer) = furnished();
    let path = format!("{CURL}/variables");
    let body = json!({ "key": "TOKEN", "value": "glpat-12345678", "masked": true, "protected": true, "raw": true });
    takes_a_maintainer(&sandbox, &bot, "POST", &path, &body);
    takes_a_maintainer(&sandbox, &bot, "GET", &path, &Value::Null);
    let made = call(&sandbox, &maintainer, "POST", &path, &body);
    let shown = json!({
        "variable_type": "env_var", "key": "TOKEN", "value": "glpat-12345678", "hidden": false, "protected": true,
        "masked": true, "raw": true, "environment_scope": "*", "description": null,
    });
    assert_eq!(made.pair(), (201, shown.clone()));
    assert_eq!(get(&sandbox, &maintainer, &path).json(), json!([shown]));

    let refused = |body: &Value| call(&sandbox, &maintainer, "POST", &path, body).pair();
    let says = |field: &str, text: &str| (400, json!({ "message": { field: [text] } }));
    assert_eq!(refused(&body), says("key", "(TOKEN) has already been taken"));
    assert_eq!(refused(&json!({ "key": "A", "value": "short", "masked": true })), says("value", "is invalid"));
    let expanded = json!({ "key": "A", "value": "dollar$dollar", "masked": true });
    assert_eq!(refused(&expanded), says("value", "is invalid"));
    assert_eq!(refused(&json!({ "key": "A" })), (400, json!({ "error": "value is missing" })));
    let other = json!({ "key": "TOKEN", "value": "x", "environment_scope": "production" });
    assert_eq!(call(&sandbox, &maintainer, "POST", &path, &other).status, 201, "another scope is another variable");

    let one = format!("{path}/TOKEN");
    assert_eq!(call(&sandbox, &maintainer, "PUT", &one, &json!({ "value": "y" })).status, 409, "which of the two?");
    let exact = format!("{one}?filter[environment_scope]=production");
    let changed = call(&sandbox, &maintainer, "PUT", &exact, &json!({ "value": "y" })).json();
    assert_eq!((&changed["value"], &changed["environment_scope"]), (&json!("y"), &json!("production")));
    let missing = call(&sandbox, &maintainer, "PUT", &format!("{path}/NONE"), &json!({ "value": "y" }));
    assert_eq!(missing.pair(), (404, json!({ "message": "404 Variable Not Found" })));
    let hidden = json!({ "key": "HIDDEN", "value": "12345678", "masked_and_hidden": true });
    let hidden = call(&sandbox, &maintainer, "POST", &path, &hidden).json();
    assert_eq!((&hidden["value"], &hidden["masked"], &hidden["hidden"]), (&Value::Null, &json!(true), &json!(true)));
    assert_eq!(sandbox.variables("src/curl").len(), 3);
    assert_eq!(sandbox.take_writes().len(), 4);
}

/// "Group-level Variables API": for Owners; jobs of the projects in the group get them, and a project's own go before.
#[test]
fn a_groups_variables_are_for_its_owners() {
    let (sandbox, _, _, maintainer) = furnished();
    let (path, body) = ("/groups/src/variables", json!({ "key": "A", "value": "of the group" }));
    sandbox.group_member("src", "maintainer", Role::Maintainer);
    takes_a_maintainer(&sandbox, &maintainer, "POST", path, &body);
    sandbox.group_member("src", "maintainer", Role::Owner);
    assert_eq!(call(&sandbox, &maintainer, "POST", path, &body).status, 201);
    assert_eq!(get(&sandbox, &maintainer, path).json()[0]["value"], "of the group");
    sandbox.expect_write("POST", "/groups/src/variables");
}

/// "Protect a CI/CD variable": jobs on protected branches alone get it.
#[test]
fn jobs_get_the_variables_that_are_for_them() {
    let (sandbox, _, _, maintainer) = furnished();
    sandbox.group_variable("src", "GROUP", "group");
    sandbox.group_variable("src", "BOTH", "group");
    sandbox.variable("src/curl", "BOTH", "project");
    let secret = Variable { key: "SECRET".to_owned(), value: "secret".to_owned(), protected: true, ..plain() };
    sandbox.set_variable("src/curl", secret);
    sandbox.set_variable(
        "src/curl",
        Variable { key: "SCOPED".to_owned(), scope: "production".to_owned(), value: "scoped".to_owned(), ..plain() },
    );
    sandbox.branch_at("src/curl", "topic", "c10s");
    let token = sandbox.trigger_token("src/curl", "maintainer");
    let file = |branch: &str| {
        let body = json!({ "token": token, "text": "$GROUP $BOTH $SECRET $SCOPED." });
        let path = format!("/api/v4/projects/src%2Fcurl/ref/{branch}/trigger/pipeline");
        let json = ("Content-Type", "application/json");
        assert_eq!(send(&sandbox, "POST", &path, &[json], &body.to_string()).unwrap().status, 201);
        let file: Value = serde_json::from_str(&sandbox.triggered("src/curl").pop().unwrap().file).unwrap();
        file["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(file("c10s"), "group project secret .");
    assert_eq!(file("topic"), "group project  .", "it is not protected");
    assert_eq!(sandbox.take_writes().len(), 2);
    drop(maintainer);
}

fn plain() -> Variable {
    Variable {
        key: String::new(),
        value: String::new(),
        protected: false,
        masked: false,
        hidden: false,
        raw: false,
        kind: "env_var".to_owned(),
        scope: "*".to_owned(),
        description: None,
    }
}

/// "Pipeline trigger tokens API".
#[test]
fn a_trigger_token_made_over_the_api_starts_pipelines_and_only_its_owner_sees_it() {
    let (sandbox, bot, _, maintainer) = furnished();
    let path = format!("{CURL}/triggers");
    let body = json!({ "description": "webhook" });
    takes_a_maintainer(&sandbox, &bot, "POST", &path, &body);
    takes_a_maintainer(&sandbox, &bot, "GET", &path, &Value::Null);
    let made = call(&sandbox, &maintainer, "POST", &path, &body);
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_fields(&made, "id token description created_at updated_at last_used expires_at owner");
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("glptt-") && made["last_used"].is_null(), "{made}");
    let trigger = format!("/api/v4{CURL}/ref/c10s/trigger/pipeline?token={token}");
    assert_eq!(send(&sandbox, "POST", &trigger, &[], "").unwrap().status, 201);
    assert_eq!(sandbox.triggered("src/curl")[0].user, "maintainer");

    sandbox.user("other");
    sandbox.member("src/curl", "other", Role::Maintainer);
    let other = sandbox.token("other", &[Scope::Api]);
    let seen = get(&sandbox, &other, &path).json();
    assert_eq!(seen[0]["token"].as_str().unwrap().len(), 4, "{seen}");
    assert_eq!((&seen[0]["owner"]["username"], seen[0]["last_used"].is_string()), (&json!("maintainer"), true));
    assert_eq!(get(&sandbox, &maintainer, &path).json()[0]["token"], token);
    let incomplete = call(&sandbox, &maintainer, "POST", &path, &json!({}));
    assert_eq!(incomplete.pair(), (400, json!({ "error": "description is missing" })));
    assert_eq!(sandbox.take_writes().len(), 2);
}

/// "Protected branches API", `lib/api/protected_branches.rb`.
#[test]
fn branches_are_protected_over_the_api() {
    let (sandbox, bot, _, maintainer) = furnished();
    let path = format!("{CURL}/protected_branches");
    let body = json!({ "name": "c*s", "push_access_level": 0, "merge_access_level": 30, "allow_force_push": false });
    takes_a_maintainer(&sandbox, &bot, "POST", &path, &body);
    takes_a_maintainer(&sandbox, &bot, "GET", &path, &Value::Null);
    let first = get(&sandbox, &maintainer, &path).json();
    assert_eq!(first[0]["name"], "c10s", "the default branch is protected from the start");
    assert_eq!(first[0]["push_access_levels"][0]["access_level"], 40);
    let made = call(&sandbox, &maintainer, "POST", &path, &body);
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_fields(&made, "id name push_access_levels merge_access_levels allow_force_push");
    assert_eq!(made["push_access_levels"][0]["access_level"], 0);
    assert_eq!(made["merge_access_levels"][0]["access_level"], 30);
    let again = call(&sandbox, &maintainer, "POST", &path, &body);
    assert_eq!(again.pair(), (409, json!({ "message": "Protected branch 'c*s' already exists" })));
    assert_eq!(call(&sandbox, &maintainer, "POST", &path, &json!({})).status, 400);
    assert_eq!(get(&sandbox, &maintainer, &path).json().as_array().unwrap().len(), 2);
    sandbox.expect_write("POST", "*/protected_branches");
}

/// "Pipeline schedules API".
#[test]
fn schedules_are_shown_with_their_owner() {
    let (sandbox, bot, contributor, _) = furnished();
    let id = sandbox.schedule("src/curl", "maintainer", "c10s", "*/15 * * * *");
    let path = format!("{CURL}/pipeline_schedules");
    let seen = get(&sandbox, &bot, &path).json();
    assert_fields(&seen[0], "id description ref cron cron_timezone next_run_at active created_at updated_at owner");
    assert_eq!((&seen[0]["id"], &seen[0]["ref"]), (&json!(id), &json!("refs/heads/c10s")));
    assert_eq!((&seen[0]["owner"]["username"], &seen[0]["active"]), (&json!("maintainer"), &json!(true)));
    assert_eq!(get(&sandbox, &contributor, &path).status, 403);
    sandbox.change_schedule(id, |schedule| (schedule.active, schedule.owner) = (false, None));
    assert_eq!(get(&sandbox, &bot, &format!("{path}?scope=active")).json(), json!([]));
    assert_eq!(get(&sandbox, &bot, &path).json()[0]["owner"], Value::Null);
}

/// "Runners API", list all of a project's runners.
#[test]
fn a_project_has_its_own_runners_and_those_around_it_as_its_settings_say() {
    let (sandbox, bot, _, maintainer) = furnished();
    sandbox.project("elsewhere/project");
    sandbox.instance_runner("shared");
    let group = sandbox.group_runner("src", "group's");
    sandbox.project_runner("src/curl", "own");
    sandbox.project_runner("elsewhere/project", "other");
    let path = format!("{CURL}/runners");
    takes_a_maintainer(&sandbox, &bot, "GET", &path, &Value::Null);
    let names = || {
        let runners = get(&sandbox, &maintainer, &path).json();
        let name = |runner: &Value| format!("{} {}", runner["description"], runner["runner_type"]).replace('"', "");
        runners.as_array().unwrap().iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["shared instance_type", "group's group_type", "own project_type"]);
    sandbox.change_runner(group, |runner| (runner.paused, runner.online) = (true, false));
    let paused = &get(&sandbox, &maintainer, &path).json()[1];
    assert_fields(paused, "id description active paused is_shared runner_type name online status");
    let state = (&paused["active"], &paused["paused"], &paused["online"], &paused["status"]);
    assert_eq!(state, (&json!(false), &json!(true), &json!(false), &json!("paused")));
    let off = json!({ "shared_runners_enabled": false, "group_runners_enabled": false });
    assert_eq!(call(&sandbox, &maintainer, "PUT", CURL, &off).status, 200);
    assert_eq!(names(), ["own project_type"]);
    sandbox.expect_write("PUT", CURL);
}

/// "CI/CD job token scope API".
#[test]
fn job_tokens_of_allowed_projects_and_groups_are_let_in() {
    let (sandbox, bot, _, maintainer) = furnished();
    sandbox.project("bots/bot");
    let job = sandbox.job_token("maintainer", "bots/bot");
    let path = format!("{CURL}/job_token_scope");
    takes_a_maintainer(&sandbox, &bot, "GET", &path, &Value::Null);
    let listed = |list: &str, field: &str| {
        let items = get(&sandbox, &maintainer, &format!("{path}/{list}")).json();
        items.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let opened = || {
        let path = format!("/api/v4{CURL}/merge_requests");
        send(&sandbox, "GET", &path, &[("JOB-TOKEN", &job)], "").unwrap().status == 200
    };
    assert_eq!(listed("allowlist", "path_with_namespace"), ["src/curl"]);
    assert!(listed("groups_allowlist", "name").is_empty() && !opened());
    sandbox.allow_job_tokens_of_group("src/curl", "bots");
    assert_eq!(listed("groups_allowlist", "name"), ["bots"]);
    assert!(opened());
    sandbox.allow_job_tokens("src/curl", "bots/bot");
    assert_eq!(listed("allowlist", "path_with_namespace"), ["src/curl", "bots/bot"]);
    let scope = || get(&sandbox, &maintainer, &path).json();
    assert_eq!(scope(), json!({ "inbound_enabled": true, "outbound_enabled": false }));

    sandbox.project("src/open");
    sandbox.open_to_job_tokens("src/curl");
    assert_eq!(scope()["inbound_enabled"], false);
    let anyone = sandbox.job_token("maintainer", "src/open");
    let path = format!("/api/v4{CURL}/merge_requests");
    assert_eq!(send(&sandbox, "GET", &path, &[("JOB-TOKEN", &anyone)], "").unwrap().status, 200);
}

#[test]
fn a_gitlab_has_a_version_and_an_edition() {
    let (sandbox, bot, _, maintainer) = furnished();
    sandbox.set_version("18.3.2-ee");
    let metadata = get(&sandbox, &bot, "/metadata").json();
    assert_eq!((&metadata["version"], &metadata["enterprise"]), (&json!("18.3.2-ee"), &json!(true)));
    sandbox.group_member("src", "maintainer", Role::Owner);
    assert_eq!(get(&sandbox, &maintainer, "/groups/src/hooks").status, 200);
    // "Group webhooks API": Premium and Ultimate.
    sandbox.free_edition();
    assert_eq!(get(&sandbox, &maintainer, "/groups/src/hooks").status, 404);
    assert_eq!(get(&sandbox, &bot, "/metadata").json()["enterprise"], false);
}

/// `web_hooks/auto_disabling.rb`, and "Get events for a given hook id" for the length of a page.
#[test]
fn deliveries_can_be_put_down_without_a_receiver() {
    let (sandbox, _, _, maintainer) = furnished();
    let hook = sandbox.hook("src/curl", "http://127.0.0.1:1/in").on(HookEvent::Note).create();
    for status in [Some(201), Some(400), Some(500), None] {
        sandbox.hook_was_answered(hook, HookEvent::Note, status);
    }
    assert_eq!(sandbox.alert_status(hook), AlertStatus::Executable);
    let path = format!("{CURL}/hooks/{hook}/events");
    let of = |query: &str| {
        let seen = get(&sandbox, &maintainer, &format!("{path}{query}")).json();
        let status = |delivery: &Value| delivery["response_status"].as_str().unwrap().to_owned();
        seen.as_array().unwrap().iter().map(status).collect::<Vec<_>>()
    };
    assert_eq!(of(""), ["internal error", "500", "400", "201"]);
    assert_eq!(of("?per_page=2&page=2"), ["400", "201"]);
    assert_eq!(get(&sandbox, &maintainer, &format!("{path}?per_page=21")).status, 400);
    sandbox.hook_was_answered(hook, HookEvent::Note, Some(404));
    assert_eq!(sandbox.alert_status(hook), AlertStatus::TemporarilyDisabled, "the fourth failure in a row");
}

/// `API::Helpers::WebHooksHelpers`: a change of one URL variable leaves the others.
#[test]
fn url_variables_that_a_change_does_not_name_stay() {
    let (sandbox, _, _, maintainer) = furnished();
    let hook = sandbox.hook("src/curl", "http://127.0.0.1:1/{a}?{b}").masked("a", "1").masked("b", "2").create();
    let body = json!({ "url_variables": [{ "key": "a", "value": "3" }] });
    let changed = call(&sandbox, &maintainer, "PUT", &format!("{CURL}/hooks/{hook}"), &body).json();
    assert_eq!(changed["url_variables"], json!([{ "key": "a" }, { "key": "b" }]));
    let full = sandbox.inspect(|model| model.webhooks[&hook].url_variables.clone());
    assert_eq!((full["a"].as_str(), full["b"].as_str()), ("3", "2"));
    sandbox.expect_write("PUT", "*/hooks/*");
}
