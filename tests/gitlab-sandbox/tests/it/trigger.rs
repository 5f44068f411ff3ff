//! The trigger endpoint.

use gitlab_sandbox::{Role, Sandbox};
use serde_json::{Value, json};

use crate::client::{Response, assert_fields, call, furnished, get, send};

/// A bot project with a default branch, its maintainer, and a trigger token of theirs.
fn with_bot_project() -> (Sandbox, String) {
    let sandbox = Sandbox::start();
    sandbox.user("operator");
    sandbox.project("bots/bot");
    sandbox.member("bots/bot", "operator", Role::Maintainer);
    sandbox.commit("bots/bot", "main", "Start\n", &[("instance.yaml", Some("x"))]);
    let token = sandbox.trigger_token("bots/bot", "operator");
    (sandbox, token)
}

fn post(sandbox: &Sandbox, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
    send(sandbox, "POST", &format!("/api/v4/projects/{path}"), headers, body).unwrap()
}

const JSON: (&str, &str) = ("Content-Type", "application/json");
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

#[test]
fn a_form_with_a_token_starts_a_pipeline_as_its_owner() {
    let (sandbox, token) = with_bot_project();
    assert!(token.starts_with("glptt-"));
    let body = format!("token={token}&ref=main&variables[KIND]=sync&source_git_bot[id]=7");
    let made = post(&sandbox, "bots%2Fbot/trigger/pipeline", &[FORM], &body);
    assert_eq!(made.status, 201);
    assert_fields(&made.json(), "id iid project_id sha ref status source web_url user");
    assert_eq!(made.json()["source"], "trigger");
    assert_eq!(made.json()["user"]["username"], "operator");
    let triggered = sandbox.triggered("bots/bot");
    assert_eq!(triggered.len(), 1);
    let payload = json!({
        "id": "bots/bot", "ref": "main", "variables": { "KIND": "sync" }, "source_git_bot": { "id": "7" },
    });
    assert_eq!((&triggered[0].payload, triggered[0].user.as_str()), (&payload, "operator"));
    assert_eq!(triggered[0].variables.get("KIND"), Some(&json!("sync")));
    assert_eq!(sandbox.jobs(triggered[0].pipeline).len(), 1);
    let write = sandbox.expect_write("POST", "*/trigger/pipeline");
    assert_eq!((write.user.as_deref(), write.body.contains(&token)), (Some("operator"), false));
    assert!(sandbox.requests().iter().all(|request| !request.sent().contains(&token)), "its secret is not kept");
}

#[test]
fn a_hook_names_the_ref_in_the_path_and_its_body_is_the_payload() {
    let (sandbox, token) = with_bot_project();
    let project = sandbox.inspect(|model| model.project("bots/bot").unwrap().id);
    let body = json!({ "ref": "refs/heads/fix", "object_kind": "push", "nested": { "a": [1, null] } });
    let path = format!("{project}/ref/main/trigger/pipeline?token={token}");
    let hook = ("X-Gitlab-Event", "Push Hook");
    assert_eq!(post(&sandbox, &path, &[JSON, hook], &body.to_string()).status, 201);
    let payload = json!({
        "id": project.to_string(), "ref": "main", "variables": {}, "object_kind": "push", "nested": { "a": [1, null] },
    });
    assert_eq!(sandbox.triggered("bots/bot")[0].payload, payload);
    sandbox.expect_write("POST", "*/trigger/pipeline");

    let path = format!("{project}/trigger/pipeline?ref=main&token={token}");
    let wrong = post(&sandbox, &path, &[JSON, hook], &body.to_string());
    assert_eq!(wrong.pair(), (400, json!({ "message": { "base": ["Reference not found"] } })), "the body's ref wins");
}

#[test]
fn a_pipeline_hook_is_forbidden() {
    let (sandbox, token) = with_bot_project();
    let path = format!("bots%2Fbot/ref/main/trigger/pipeline?token={token}");
    let answer = post(&sandbox, &path, &[JSON, ("X-Gitlab-Event", "Pipeline Hook")], "{}");
    assert_eq!(answer.pair(), (403, json!({ "message": "403 Forbidden" })));
    assert_eq!(post(&sandbox, &path, &[JSON, ("X-Gitlab-Event", "Job Hook")], "{}").status, 201);
    sandbox.expect_write("POST", "*/trigger/pipeline");
}

#[test]
fn what_does_not_fit_is_refused() {
    let (sandbox, token) = with_bot_project();
    sandbox.project("bots/other");
    let call = |project: &str, body: Value| {
        post(&sandbox, &format!("{project}/trigger/pipeline"), &[JSON], &body.to_string()).pair()
    };
    let unknown = (404, json!({ "message": "404 Not Found" }));
    assert_eq!(call("bots%2Fbot", json!({ "ref": "main", "token": "glptt-no" })), unknown);
    assert_eq!(call("bots%2Fother", json!({ "ref": "main", "token": token })), unknown, "another project's token");
    assert_eq!(call("bots%2Fmoon", json!({ "ref": "main", "token": token })), unknown);
    let personal = sandbox.token("operator", &[gitlab_sandbox::Scope::Api]);
    assert_eq!(call("bots%2Fbot", json!({ "ref": "main", "token": personal })), unknown, "a personal token");
    assert_eq!(call("bots%2Fbot", json!({ "token": token })), (400, json!({ "error": "ref is missing" })));
    assert_eq!(call("bots%2Fbot", json!({ "ref": "main" })), (400, json!({ "error": "token is missing" })));
    let base = |text: &str| (400, json!({ "message": { "base": [text] } }));
    for reference in ["moon", "main^0", "refs/heads/moon"] {
        assert_eq!(call("bots%2Fbot", json!({ "ref": reference, "token": token })), base("Reference not found"));
    }
    let text = json!({ "message": "variables needs to be a map of key-valued strings" });
    assert_eq!(call("bots%2Fbot", json!({ "ref": "main", "token": token, "variables": { "A": 1 } })), (400, text));

    sandbox.arrange(|model| {
        let id = model.project("bots/bot").unwrap().id;
        let settings = &mut model.projects.get_mut(&id).unwrap().settings;
        settings.insert("ci_pipeline_variables_minimum_override_role".into(), json!("no_one_allowed"))
    });
    let restricted = call("bots%2Fbot", json!({ "ref": "main", "token": token, "variables": { "A": "1" } }));
    assert_eq!(restricted, base("Insufficient permissions to set pipeline variables"));
    sandbox.member("bots/bot", "operator", Role::Developer);
    let (status, protected) = call("bots%2Fbot", json!({ "ref": "main", "token": token }));
    assert!(status == 400 && protected["message"]["base"][0].as_str().unwrap().contains("run a pipeline on 'main'"));
    sandbox.remove_member("bots/bot", "operator");
    assert_eq!(
        call("bots%2Fbot", json!({ "ref": "main", "token": token })),
        base("Insufficient permissions to create a new pipeline")
    );
    assert!(sandbox.triggered("bots/bot").is_empty());
}

#[test]
fn a_job_token_starts_a_pipeline_where_its_project_is_let_in() {
    let (sandbox, _) = with_bot_project();
    sandbox.project("src/curl");
    let token = sandbox.job_token("operator", "src/curl");
    let path = format!("bots%2Fbot/ref/main/trigger/pipeline?token={token}");
    assert_eq!(post(&sandbox, &path, &[], "").status, 404);
    sandbox.allow_job_tokens("bots/bot", "src/curl");
    assert_eq!(post(&sandbox, &path, &[], "").json()["source"], "pipeline");
    sandbox.expect_write("POST", "*/trigger/pipeline");
}

#[test]
fn a_tag_or_a_full_name_may_be_the_ref() {
    let (sandbox, token) = with_bot_project();
    sandbox.tag("bots/bot", "v1", "main", Some("one"));
    let made = post(&sandbox, &format!("bots%2Fbot/ref/v1/trigger/pipeline?token={token}"), &[], "").json();
    let tip = sandbox.tip("bots/bot", "main").unwrap();
    assert_eq!((&made["tag"], &made["ref"], &made["sha"]), (&json!(true), &json!("v1"), &json!(tip)));
    let full = format!("token={token}&ref=refs/heads/main");
    assert_eq!(post(&sandbox, "bots%2Fbot/trigger/pipeline", &[FORM], &full).json()["ref"], "main");
    assert_eq!(sandbox.take_writes().len(), 2);
}

/// `ci/pipeline_trigger_service.rb` and its specification: the payload is a variable of its own, and no other may have its
/// name; the pipeline is saved, and has failed.
#[test]
fn a_variable_by_the_payloads_name_makes_a_failed_pipeline() {
    let (sandbox, token) = with_bot_project();
    let body = format!("token={token}&ref=main&variables[TRIGGER_PAYLOAD]=mine");
    let refused = post(&sandbox, "bots%2Fbot/trigger/pipeline", &[FORM], &body);
    let text = "Duplicate variable name: TRIGGER_PAYLOAD";
    assert_eq!(refused.pair(), (422, json!({ "message": { "base": [text] } })));
    assert_eq!(
        sandbox.pipelines("bots/bot").iter().map(|pipeline| pipeline.status.name()).collect::<Vec<_>>(),
        ["failed"]
    );
    assert_eq!(sandbox.triggered("bots/bot").len(), 0);
}

/// "Trigger pipelines with the API": where the rules leave no job for a trigger, it is refused.
#[test]
fn a_trigger_that_makes_no_job_is_refused() {
    let (sandbox, token) = with_bot_project();
    sandbox.without_jobs_for("bots/bot", "trigger");
    let refused = post(&sandbox, "bots%2Fbot/trigger/pipeline", &[FORM], &format!("token={token}&ref=main"));
    let text = "Pipeline will not run for the selected trigger. The rules configuration prevented any jobs from being \
                added to the pipeline.";
    assert_eq!(refused.pair(), (400, json!({ "message": { "base": [text] } })));
    assert_eq!(sandbox.pipelines("bots/bot").len(), 0);
}

/// "Restrict pipeline variables", and !204230 for the payload: it alone is let through, and for trigger tokens alone.
#[test]
fn who_may_set_variables_is_the_projects_to_say() {
    let (sandbox, token) = with_bot_project();
    let other = sandbox.job_token("operator", "bots/bot");
    let may_not = json!({ "message": { "base": ["Insufficient permissions to set pipeline variables"] } });
    for (least, with, without, job) in [
        ("no_one_allowed", 400, 201, 400),
        ("owner", 400, 201, 400),
        ("maintainer", 201, 201, 201),
        ("developer", 201, 201, 201),
    ] {
        sandbox.setting("bots/bot", "ci_pipeline_variables_minimum_override_role", least);
        for (token, variables, expected) in
            [(&token, "&variables[A]=1", with), (&token, "", without), (&other, "", job)]
        {
            let body = format!("token={token}&ref=main{variables}");
            let answer = post(&sandbox, "bots%2Fbot/trigger/pipeline", &[FORM], &body);
            assert_eq!(answer.status, expected, "{least} {variables}");
            assert!(expected == 201 || answer.json() == may_not);
        }
    }
    assert_eq!(sandbox.take_writes().len(), 8);
}

/// `chain/limit/rate_limit.rb`: by project, user and commit; refused ones count as well.
#[test]
fn pipelines_are_limited_by_minute_user_and_commit() {
    let (sandbox, token) = with_bot_project();
    sandbox.fix_clock(gitlab_sandbox::Moment(60_000_000));
    sandbox.limit_pipelines_per_minute(2);
    sandbox.user("second");
    sandbox.member("bots/bot", "second", Role::Maintainer);
    let second = sandbox.trigger_token("bots/bot", "second");
    let start = |token: &str| {
        let body = format!("token={token}&ref=main");
        post(&sandbox, "bots%2Fbot/trigger/pipeline", &[FORM], &body).pair()
    };
    assert_eq!((start(&token).0, start(&token).0), (201, 201));
    let text = "Too many pipelines created in the last minute. Try again later.";
    assert_eq!(start(&token), (400, json!({ "message": { "base": [text] } })));
    assert_eq!(start(&second).0, 201, "another user");
    sandbox.commit("bots/bot", "main", "Go on\n", &[("instance.yaml", Some("y"))]);
    assert_eq!(start(&token).0, 201, "another commit");
    assert_eq!((start(&token).0, start(&token).0), (201, 400));
    sandbox.pass_time(60);
    assert_eq!(start(&token).0, 201, "another minute");
    assert_eq!(sandbox.take_writes().len(), 6);
}

/// !146242: what the payload says of `$VAR` is replaced by the variables of the job.
#[test]
fn the_payloads_file_has_variables_put_in() {
    let (sandbox, token) = with_bot_project();
    sandbox.variable("bots/bot", "SECRET", "hunter2");
    let text = "a $SECRET, a ${SECRET}, a %SECRET%, $NONE, $CI_PROJECT_PATH";
    let body = json!({ "token": token, "ref": "main", "text": text });
    assert_eq!(post(&sandbox, "bots%2Fbot/trigger/pipeline", &[JSON], &body.to_string()).status, 201);
    let started = sandbox.triggered("bots/bot").pop().unwrap();
    assert_eq!(started.payload["text"], text);
    let file: Value = serde_json::from_str(&started.file).unwrap();
    assert_eq!(file["text"], "a hunter2, a hunter2, a hunter2, , bots/bot");
    assert_eq!(started.source, "trigger");
    sandbox.expect_write("POST", "*/trigger/pipeline");
}

/// "Pipelines API", create a pipeline: Developers, on branches that they may push to; `lib/api/ci/pipelines.rb` does not
/// mind a Pipeline Hook.
#[test]
fn the_create_pipeline_endpoint_takes_inputs_and_pipeline_hooks() {
    let (sandbox, _) = with_bot_project();
    sandbox.user("developer");
    sandbox.want_inputs("bots/bot", &["project", "pipeline"]);
    let token = |user| sandbox.token(user, &[gitlab_sandbox::Scope::Api]);
    let (operator, developer) = (token("operator"), token("developer"));
    let hook = ("X-Gitlab-Event", "Pipeline Hook");
    let start = |token: &str, body: &Value| {
        post(&sandbox, "bots%2Fbot/pipeline", &[JSON, hook, ("PRIVATE-TOKEN", token)], &body.to_string())
    };
    let inputs = json!({ "project": "7", "pipeline": "8" });
    let body = json!({ "ref": "main", "inputs": inputs, "variables": [{ "key": "A", "value": "1" }] });
    let made = start(&operator, &body);
    assert_eq!((made.status, &made.json()["source"]), (201, &json!("api")));
    assert_fields(&made.json(), "id iid project_id sha ref status source web_url user");
    let started = sandbox.triggered("bots/bot").pop().unwrap();
    assert_eq!((Value::Object(started.inputs), started.source.as_str()), (inputs.clone(), "api"));
    assert_eq!(
        (started.variables.get("A"), started.payload, started.file),
        (Some(&json!("1")), Value::Null, String::new())
    );

    let refused = |token: &str, body: &Value| start(token, body).pair();
    assert_eq!(refused(&developer, &body), (403, json!({ "message": "403 Forbidden" })));
    sandbox.member("bots/bot", "developer", Role::Developer);
    let (status, answer) = refused(&developer, &body);
    assert!(status == 400 && answer["message"]["base"][0].as_str().unwrap().contains("run a pipeline on 'main'"));
    let base = |text: &str| (400, json!({ "message": { "base": [text] } }));
    let wrong = json!({ "ref": "main", "inputs": { "project": "7", "other": "8" } });
    let text = "unknown input arguments: other, `pipeline` input: required value has not been provided";
    assert_eq!(refused(&operator, &wrong), base(text));
    assert_eq!(refused(&operator, &json!({ "ref": "moon", "inputs": inputs })), base("Reference not found"));
    assert_eq!(refused(&operator, &json!({})), (400, json!({ "error": "ref is missing" })));
    sandbox.protect("bots/bot", "main", Some(Role::Developer));
    assert_eq!(start(&developer, &body).status, 201);
    assert_eq!(sandbox.take_writes().len(), 2);
}

#[test]
fn what_a_pipeline_was_given_can_be_read() {
    let (sandbox, bot, _, maintainer) = furnished();
    let token = sandbox.trigger_token("src/curl", "maintainer");
    let id = sandbox.inspect(|model| model.project("src/curl").unwrap().id);
    let body = json!({ "token": token, "x": "$CI", "variables": { "A": "b" } });
    let started = call(&sandbox, "", "POST", &format!("/projects/{id}/ref/c10s/trigger/pipeline"), &body).json();
    let path = format!("/projects/{id}/pipelines/{}/variables", started["id"]);
    assert_eq!(get(&sandbox, &bot, &path).status, 403);
    let variables = get(&sandbox, &maintainer, &path).json();
    assert_eq!(variables[0], json!({ "variable_type": "env_var", "key": "A", "value": "b", "raw": false }));
    assert_eq!((&variables[1]["key"], &variables[1]["variable_type"]), (&json!("TRIGGER_PAYLOAD"), &json!("file")));
    let payload: Value = serde_json::from_str(variables[1]["value"].as_str().unwrap()).unwrap();
    let expected = json!({ "id": id.to_string(), "ref": "c10s", "x": "$CI", "variables": { "A": "b" } });
    assert_eq!(payload, expected);
    assert_eq!(sandbox.take_writes().len(), 1);
}
