//! Webhooks: set up over the API, fired by what happens, delivered over HTTP, switched off after failures. Where a rule is
//! from is said at each; "Webhook events" and "Webhooks" are pages of GitLab's documentation.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use gitlab_sandbox::{AlertStatus, HookEvent, Interpolation, Moment, Role, Sandbox, Visibility};
use serde_json::{Value, json};

use crate::client::{assert_fields, call, furnished, get};

/// Somewhere that webhooks are sent to: what came, and what it answers.
struct Receiver {
    url: String,
    came: Arc<Mutex<Vec<(String, Value)>>>,
    status: Arc<Mutex<u16>>,
}

impl Receiver {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            url: format!("http://{}/in", listener.local_addr().unwrap()),
            came: Arc::default(),
            status: Arc::new(Mutex::new(200)),
        };
        let (came, status) = (Arc::clone(&receiver.came), Arc::clone(&receiver.status));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut bytes, mut part) = (Vec::new(), [0; 65536]);
                let (head, body) = loop {
                    let read = stream.read(&mut part).unwrap();
                    bytes.extend_from_slice(&part[..read]);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
                    if body.len() >= length.parse().unwrap() {
                        break (head.to_owned(), body.to_owned());
                    }
                };
                came.lock().unwrap().push((head, serde_json::from_str(&body).unwrap()));
                let status = *status.lock().unwrap();
                write!(stream, "HTTP/1.1 {status} So\r\nContent-Length: 4\r\n\r\nseen").unwrap();
            }
        });
        receiver
    }

    fn answers(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }

    /// What has come since somebody looked: head and body.
    fn take(&self, sandbox: &Sandbox) -> Vec<(String, Value)> {
        sandbox.deliver_webhooks();
        std::mem::take(&mut *self.came.lock().unwrap())
    }

    /// The same, the bodies alone.
    fn bodies(&self, sandbox: &Sandbox) -> Vec<Value> {
        self.take(sandbox).into_iter().map(|(_, body)| body).collect()
    }
}

const HOOKS: &str = "/projects/src%2Fcurl/hooks";

/// "Project webhooks API": roles, fields, defaults; secrets are never shown again.
#[test]
fn maintainers_set_hooks_up_and_secrets_stay_in_them() {
    let (sandbox, bot, contributor, maintainer) = furnished();
    let body = json!({
        "url": "http://127.0.0.1:1/{where}?token={t}", "push_events": false, "merge_requests_events": true,
        "url_variables": [{ "key": "t", "value": "s3cr3t" }, { "key": "where", "value": "here" }],
        "custom_headers": [{ "key": "PRIVATE-TOKEN", "value": "s3cr3t" }], "token": "s3cr3t",
        "custom_webhook_template": "{\"kind\": \"{{object_kind}}\"}", "name": "bot", "enable_ssl_verification": false,
    });
    for (token, status) in [(&bot, 403), (&contributor, 403), (&String::new(), 401)] {
        assert_eq!(call(&sandbox, token, "POST", HOOKS, &body).status, status);
    }
    let made = call(&sandbox, &maintainer, "POST", HOOKS, &body);
    assert_eq!(made.status, 201);
    assert!(!made.text().contains("s3cr3t"));
    let hook = made.json();
    let fields = "id url name description created_at push_events merge_requests_events note_events pipeline_events \
                  enable_ssl_verification alert_status disabled_until url_variables custom_headers project_id \
                  custom_webhook_template push_events_branch_filter branch_filter_strategy confidential_note_events";
    assert_fields(&hook, fields);
    assert_eq!((&hook["merge_requests_events"], &hook["push_events"]), (&json!(true), &json!(false)));
    assert_eq!((&hook["url"], &hook["alert_status"]), (&body["url"], &json!("executable")));
    assert_eq!(hook["url_variables"], json!([{ "key": "t" }, { "key": "where" }]));
    assert_eq!(hook["custom_headers"], json!([{ "key": "PRIVATE-TOKEN" }]));
    let one = format!("{HOOKS}/{}", hook["id"]);
    assert_eq!(get(&sandbox, &maintainer, &one).json(), hook);
    assert_eq!(get(&sandbox, &maintainer, HOOKS).json(), json!([hook]));
    assert_eq!(get(&sandbox, &contributor, HOOKS).status, 403);

    let changed = call(&sandbox, &maintainer, "PUT", &one, &json!({ "note_events": true })).json();
    assert_eq!((&changed["note_events"], &changed["url_variables"]), (&json!(true), &hook["url_variables"]));
    // `reset_url_variables`: another address must not get the old one's secrets.
    let moved = call(&sandbox, &maintainer, "PUT", &one, &json!({ "url": "http://127.0.0.1:1/elsewhere" })).json();
    assert_eq!((&moved["url_variables"], &moved["custom_headers"]), (&json!([]), &json!([])));
    assert_eq!(call(&sandbox, &maintainer, "DELETE", &one, &Value::Null).status, 204);
    assert_eq!(get(&sandbox, &maintainer, &one).status, 404);
    assert_eq!(sandbox.take_writes().len(), 4);
}

/// `web_hook.rb`, `web_hooks/hook.rb`: what a hook may look like.
#[test]
fn what_no_hook_can_be_is_refused() {
    let (sandbox, _, _, maintainer) = furnished();
    let header = |name: &str| json!([{ "key": name, "value": "x" }]);
    for (body, status) in [
        (json!({}), 400),
        (json!({ "url": "ftp://127.0.0.1/" }), 422),
        (json!({ "url": "http://127.0.0.1/{t}" }), 422),
        (json!({ "url": "http://127.0.0.1/", "custom_webhook_template": "x".repeat(4097) }), 422),
        (json!({ "url": "http://127.0.0.1/", "custom_headers": header("X-Gitlab-Event") }), 422),
        (json!({ "url": "http://127.0.0.1/", "custom_headers": header("a--b") }), 422),
    ] {
        assert_eq!(call(&sandbox, &maintainer, "POST", HOOKS, &body).status, status, "{body}");
    }
    let regex = json!({ "url": "http://127.0.0.1/", "branch_filter_strategy": "regex" });
    call(&sandbox, &maintainer, "POST", HOOKS, &regex);
    assert!(sandbox.take_unknown()[0].ends_with("parameter branch_filter_strategy"));
    sandbox.expect_write("POST", "*/hooks");
}

/// "Group webhooks": Owners set them up, and they hear of all projects in the group and its subgroups.
#[test]
fn a_groups_hook_hears_of_all_its_projects() {
    let (sandbox, _, _, maintainer) = furnished();
    let receiver = Receiver::new();
    sandbox.project("src/tools/jq");
    let body = json!({ "url": receiver.url, "push_events": true });
    assert_eq!(call(&sandbox, &maintainer, "POST", "/groups/src/hooks", &body).status, 403);
    sandbox.group_member("src", "maintainer", Role::Owner);
    let made = call(&sandbox, &maintainer, "POST", "/groups/src/hooks", &body);
    assert_eq!(made.status, 201);
    assert_fields(&made.json(), "group_id subgroup_events push_events");
    sandbox.commit("src/tools/jq", "main", "Start\n", &[("a", Some("a"))]);
    sandbox.commit("src/curl", "c10s", "Go on\n", &[("a", Some("a"))]);
    sandbox.commit("contributor/curl", "fix", "Elsewhere\n", &[("a", Some("b"))]);
    let paths = receiver.bodies(&sandbox);
    let paths: Vec<_> = paths.iter().map(|body| body["project"]["path_with_namespace"].as_str().unwrap()).collect();
    assert_eq!(paths, ["src/tools/jq", "src/curl"]);
    sandbox.expect_write("POST", "/groups/src/hooks");
}

/// "Webhook events", merge request events; `action` and `oldrev` as recorded.
#[test]
fn a_merge_request_is_told_of_from_its_opening_to_its_merge() {
    let (sandbox, _, contributor, _) = furnished();
    let receiver = Receiver::new();
    sandbox.hook("src/curl", &receiver.url).on(HookEvent::MergeRequest).create();
    let iid = sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    let old = sandbox.tip("contributor/curl", "fix").unwrap();
    let new = sandbox.commit("contributor/curl", "fix", "More\n", &[("a.c", Some("more\n"))]);
    let path = format!("/projects/src%2Fcurl/merge_requests/{iid}");
    call(&sandbox, &contributor, "PUT", &path, &json!({ "title": "Draft: another" }));
    assert_eq!(receiver.came.lock().unwrap().len(), 3, "what a request causes goes out before it is answered");
    call(&sandbox, &contributor, "PUT", &path, &json!({ "title": "Draft: another" }));
    sandbox.close("src/curl", iid, "contributor");
    sandbox.reopen("src/curl", iid, "contributor");
    sandbox.merge("src/curl", iid, "maintainer");
    let came = receiver.take(&sandbox);
    let actions: Vec<_> = came.iter().map(|(_, body)| body["object_attributes"]["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["open", "update", "update", "close", "reopen", "merge"]);
    assert!(came.iter().all(|(head, _)| head.contains("\r\nX-Gitlab-Event: Merge Request Hook")));
    let (open, push, edit) = (&came[0].1, &came[1].1, &came[2].1);
    assert_fields(open, "object_kind event_type user project object_attributes labels changes repository");
    let recorded = "assignee_id author_id created_at description head_pipeline_id id iid last_edited_at merge_commit_sha \
                    merge_error merge_params merge_status milestone_id source_branch source_project_id state_id \
                    target_branch target_project_id time_estimate title updated_at url source target last_commit \
                    work_in_progress total_time_spent assignee_ids state action";
    assert_fields(&open["object_attributes"], recorded);
    assert_eq!(open["object_attributes"].get("oldrev"), None);
    assert_eq!(push["object_attributes"]["oldrev"], old);
    assert_eq!(push["object_attributes"]["last_commit"]["id"], new);
    assert_eq!(edit["object_attributes"].get("oldrev"), None);
    let titles = json!({ "previous": "Change something", "current": "Draft: another" });
    assert_eq!((&edit["changes"]["title"], &edit["changes"]["draft"]["current"]), (&titles, &json!(true)));
    assert_eq!(edit["changes"].get("description"), None);
    let ends = came.iter().map(|(_, body)| &body["object_attributes"]["state"]).collect::<Vec<_>>();
    assert_eq!(ends, ["opened", "opened", "opened", "closed", "opened", "merged"]);
    assert_eq!(
        (&open["project"]["id"], &open["user"]["username"]),
        (&open["object_attributes"]["target_project_id"], &json!("contributor"))
    );
    assert_eq!(sandbox.take_writes().len(), 2);
}

/// "Webhook events", comment events; GitLab's own notes are not told of (`notes/post_process_service.rb`), and those for
/// members only by an event of their own.
#[test]
fn comments_are_told_of_and_gitlabs_own_notes_are_not() {
    let (sandbox, _, contributor, maintainer) = furnished();
    let receiver = Receiver::new();
    sandbox.hook("src/curl", &receiver.url).on(HookEvent::Note).create();
    let iid = sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    let note = sandbox.note("src/curl", iid, "contributor", "Please look");
    sandbox.set_title("src/curl", iid, "contributor", "Another");
    let notes = format!("/projects/src%2Fcurl/merge_requests/{iid}/notes");
    call(&sandbox, &contributor, "PUT", &format!("{notes}/{note}"), &json!({ "body": "Please look again" }));
    call(&sandbox, &maintainer, "POST", &notes, &json!({ "body": "Among us", "internal": true }));
    let came = receiver.bodies(&sandbox);
    assert_eq!(came.len(), 2, "{came:#?}");
    assert_fields(
        &came[0],
        "object_kind event_type user project_id project object_attributes repository merge_request",
    );
    let fields = "id note description noteable_type noteable_id discussion_id type system action author_id created_at \
                  updated_at project_id commit_id line_code position st_diff url";
    assert_fields(&came[0]["object_attributes"], fields);
    assert_eq!(
        (&came[0]["object_attributes"]["action"], &came[1]["object_attributes"]["action"]),
        (&json!("create"), &json!("update"))
    );
    assert_eq!(
        (&came[0]["merge_request"]["iid"], &came[1]["object_attributes"]["note"]),
        (&json!(iid), &json!("Please look again"))
    );
    assert_eq!(sandbox.take_writes().len(), 2);
}

/// "Webhook events", pipeline events: by the project that it runs in, for each state; `ref` is the branch (#487920).
#[test]
fn a_pipeline_is_told_of_where_it_runs_in_each_of_its_states() {
    let (sandbox, ..) = furnished();
    let (parent, fork) = (Receiver::new(), Receiver::new());
    sandbox.hook("src/curl", &parent.url).on(HookEvent::Pipeline).create();
    sandbox.hook("contributor/curl", &fork.url).on(HookEvent::Pipeline).create();
    let iid = sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    let pipeline = sandbox.mr_pipeline("src/curl", iid).jobs(&[("test", "unit")]).create();
    sandbox.set_all_jobs(pipeline, "running");
    sandbox.set_all_jobs(pipeline, "running");
    sandbox.set_all_jobs(pipeline, "failed");
    let came = fork.bodies(&sandbox);
    let states: Vec<_> = came.iter().map(|body| body["object_attributes"]["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["pending", "running", "failed"]);
    assert_eq!(parent.bodies(&sandbox), [Value::Null; 0]);
    let last = &came[2];
    assert_fields(last, "object_kind object_attributes merge_request user project commit builds");
    let fields =
        "id ref tag sha before_sha source status detailed_status stages created_at finished_at duration variables";
    assert_fields(&last["object_attributes"], fields);
    assert_eq!(
        (&last["object_attributes"]["ref"], &last["object_attributes"]["id"]),
        (&json!("fix"), &json!(pipeline))
    );
    assert_eq!(last["project"]["id"], last["merge_request"]["source_project_id"]);
    assert_eq!((&last["builds"][0]["name"], &last["object_attributes"]["stages"]), (&json!("unit"), &json!(["test"])));
}

/// "Webhook events", push events: a filter by branch, and nothing where a push moves more than three.
#[test]
fn a_push_is_told_of_unless_it_moves_many_branches() {
    let (sandbox, _, _, maintainer) = furnished();
    let receiver = Receiver::new();
    let body = json!({ "url": receiver.url, "push_events_branch_filter": "c*s" });
    assert_eq!(
        call(&sandbox, &maintainer, "POST", HOOKS, &body).status,
        201,
        "push events are on where nothing is said"
    );
    sandbox.expect_write("POST", "*/hooks");
    let before = sandbox.tip("src/curl", "c10s").unwrap();
    let after = sandbox.commit("src/curl", "c10s", "Go on\n", &[("a", Some("a"))]);
    sandbox.commit("src/curl", "other", "Elsewhere\n", &[("a", Some("a"))]);
    let came = receiver.bodies(&sandbox);
    assert_eq!(came.len(), 1);
    assert_fields(
        &came[0],
        "object_kind event_name checkout_sha user_id user_name user_username project_id project commits total_commits_count push_options repository",
    );
    assert_eq!(
        (&came[0]["before"], &came[0]["after"], &came[0]["ref"]),
        (&json!(before), &json!(after), &json!("refs/heads/c10s"))
    );
    assert_eq!((&came[0]["commits"][0]["id"], &came[0]["total_commits_count"]), (&json!(after), &json!(1)));

    let clone = tempfile_clone(&sandbox, "src/curl");
    sandbox.push(clone.path(), "src/curl", &["HEAD:refs/heads/c1s", "HEAD:refs/heads/c2s", "HEAD:refs/heads/c3s"]);
    assert_eq!(receiver.bodies(&sandbox).len(), 3);
    let many = ["HEAD:refs/heads/c4s", "HEAD:refs/heads/c5s", "HEAD:refs/heads/c6s", "HEAD:refs/heads/c7s"];
    sandbox.push(clone.path(), "src/curl", &many);
    assert_eq!(receiver.bodies(&sandbox).len(), 0);
}

fn tempfile_clone(sandbox: &Sandbox, project: &str) -> tempfile::TempDir {
    let directory = tempfile::TempDir::new().unwrap();
    let mut git = std::process::Command::new("git");
    git.args(["clone", "--quiet", "--branch", "c10s", &sandbox.git_url(project), "."]).current_dir(directory.path());
    assert!(git.status().unwrap().success());
    directory
}

/// "Webhooks", delivery headers; `build_headers` in `web_hook_service.rb`.
#[test]
fn a_delivery_has_gitlabs_headers_and_is_listed_without_secrets() {
    let (sandbox, _, _, maintainer) = furnished();
    let receiver = Receiver::new();
    let url = format!("{}?t={{t}}", receiver.url);
    let hook =
        sandbox.hook("src/curl", &url).on(HookEvent::Push).masked("t", "s3cr3t").token("t0k3n").header("X-Own", "0wn");
    let hook = hook.create();
    sandbox.commit("src/curl", "c10s", "Go on\n", &[("a", Some("a"))]);
    let (head, body) = receiver.take(&sandbox).remove(0);
    assert!(head.starts_with("POST /in?t=s3cr3t HTTP/1.1\r\n"), "{head}");
    for header in [
        "Content-Type: application/json",
        "User-Agent: GitLab/",
        "Idempotency-Key: ",
        "X-Gitlab-Event: Push Hook",
        "X-Gitlab-Webhook-UUID: ",
        "X-Gitlab-Event-UUID: ",
        "X-Gitlab-Token: t0k3n",
        "X-Own: 0wn",
        &format!("X-Gitlab-Instance: {}", sandbox.url()),
    ] {
        assert!(head.contains(&format!("\r\n{header}")), "{header} is not in {head}");
    }
    let listed = get(&sandbox, &maintainer, &format!("{HOOKS}/{hook}/events"));
    assert!(!["s3cr3t", "t0k3n", "0wn"].iter().any(|secret| listed.text().contains(secret)));
    let event = &listed.json()[0];
    assert_fields(
        event,
        "id url trigger request_headers request_data response_headers response_body execution_duration",
    );
    assert_eq!(
        (&event["trigger"], &event["response_status"], &event["response_body"]),
        (&json!("push_hooks"), &json!("200"), &json!("seen"))
    );
    assert_eq!(event["request_data"], body);
    assert_eq!(get(&sandbox, &maintainer, &format!("{HOOKS}/{hook}/events?status=client_failure")).json(), json!([]));
}

/// `web_hook_service.rb`, `render_custom_template`.
#[test]
fn a_template_takes_the_place_of_the_body_and_one_that_breaks_is_a_failure() {
    let (sandbox, ..) = furnished();
    let receiver = Receiver::new();
    let template = r#"{"title": "{{object_attributes.title}}", "none": "{{merge_request.iid}}"}"#;
    let hook = sandbox.hook("src/curl", &receiver.url).on(HookEvent::MergeRequest).template(template).create();
    let open = || sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").title("A \"b\"");
    let iid = open().create();
    assert_eq!(receiver.bodies(&sandbox), [json!({ "title": "A \"b\"", "none": "null" })]);
    sandbox.set_interpolation(Interpolation::Plain);
    sandbox.set_title("src/curl", iid, "contributor", "A 'b'");
    assert_eq!(receiver.bodies(&sandbox), [json!({ "title": "A 'b'", "none": "" })]);
    sandbox.set_title("src/curl", iid, "contributor", "A \"b\"");
    assert_eq!(receiver.bodies(&sandbox), [Value::Null; 0]);
    let last = sandbox.deliveries(hook).pop().unwrap();
    assert_eq!((last.status, last.arrived(), last.body), (None, false, Value::Null));
    assert!(last.error.unwrap().starts_with("Error while parsing rendered custom webhook template: "));
}

/// `web_hooks/auto_disabling.rb`: three failures are free; `response_category`: 2xx and 3xx are successes.
#[test]
fn failures_switch_a_hook_off_and_a_success_forgets_them() {
    let (sandbox, _, _, maintainer) = furnished();
    sandbox.fix_clock(Moment(1_000_000_000));
    let receiver = Receiver::new();
    let hook = sandbox.hook("src/curl", &receiver.url).on(HookEvent::Push).create();
    let push = |number: u32| {
        sandbox.commit("src/curl", "c10s", "Go on\n", &[("a", Some(&number.to_string()))]);
        receiver.take(&sandbox).len()
    };
    receiver.answers(404);
    assert_eq!((push(1), push(2), push(3)), (1, 1, 1));
    receiver.answers(302);
    assert_eq!((push(4), sandbox.alert_status(hook)), (1, AlertStatus::Executable));
    receiver.answers(500);
    assert_eq!((push(5), push(6), push(7), sandbox.alert_status(hook)), (1, 1, 1, AlertStatus::Executable));
    assert_eq!((push(8), sandbox.alert_status(hook)), (1, AlertStatus::TemporarilyDisabled));
    let shown = get(&sandbox, &maintainer, &format!("{HOOKS}/{hook}")).json();
    assert_eq!((&shown["alert_status"], shown["disabled_until"].is_string()), (&json!("temporarily_disabled"), true));
    assert_eq!(push(9), 0, "it is lost: nothing is sent later");
    sandbox.pass_time(61);
    assert_eq!((push(10), push(11)), (1, 0), "a minute later it is tried, and then off for two");
    sandbox.pass_time(61);
    assert_eq!(push(12), 0);
    sandbox.pass_time(61);
    receiver.answers(200);
    assert_eq!((push(13), push(14), sandbox.alert_status(hook)), (1, 1, AlertStatus::Executable));
}

/// "Project webhooks API", trigger a test: a success switches a hook on again.
#[test]
fn a_test_goes_out_whatever_state_the_hook_is_in() {
    let (sandbox, _, _, maintainer) = furnished();
    let receiver = Receiver::new();
    let hook = sandbox.hook("src/curl", &receiver.url).on(HookEvent::Push).create();
    receiver.answers(400);
    for number in 0..4 {
        sandbox.commit("src/curl", "c10s", "Go on\n", &[("a", Some(&number.to_string()))]);
    }
    assert_eq!(receiver.take(&sandbox).len(), 4);
    assert_eq!(sandbox.alert_status(hook), AlertStatus::TemporarilyDisabled);
    let test = |event: &str| call(&sandbox, &maintainer, "POST", &format!("{HOOKS}/{hook}/test/{event}"), &Value::Null);
    assert_eq!(test("push_events").pair(), (422, json!({ "message": "seen" })));
    receiver.answers(201);
    assert_eq!(test("push_events").status, 201);
    assert_eq!((sandbox.alert_status(hook), receiver.take(&sandbox).len()), (AlertStatus::Executable, 2));
    assert_eq!(test("note_events").pair(), (422, json!({ "message": "Ensure the project has notes." })));
    assert_eq!(test("moon_events").status, 400);
    assert_eq!(sandbox.take_writes().len(), 2);
}

/// `lib/gitlab/web_hooks/recursion_detection.rb`: what a webhook's own call causes does not fire it again.
#[test]
fn a_hook_does_not_fire_on_what_it_causes() {
    let (sandbox, ..) = furnished();
    let receiver = Receiver::new();
    let token = sandbox.token("maintainer", &[gitlab_sandbox::Scope::Api]);
    let url = format!("{}/projects/src%2Fcurl/pipeline", sandbox.api_url());
    let hook = sandbox.hook("src/curl", &url).on(HookEvent::Pipeline).header("PRIVATE-TOKEN", &token);
    let hook = hook.template("{\"ref\": \"c10s\"}").create();
    let other = sandbox.hook("src/curl", &receiver.url).on(HookEvent::Pipeline).create();
    let pipeline = sandbox.branch_pipeline("src/curl", "c10s");
    sandbox.job(pipeline, "test", "unit").create();
    assert_eq!(sandbox.deliveries(hook).len(), 1);
    assert_eq!(sandbox.triggered("src/curl").len(), 1);
    assert_eq!(sandbox.deliveries(other).len(), 2, "another hook hears of both pipelines");
    assert!(!sandbox.requests().iter().any(|request| request.sent().contains(&token)));
    sandbox.expect_write("POST", "/projects/src%2Fcurl/pipeline");
}

/// What nobody answers, and what is not on this machine, are failures like others.
#[test]
fn where_nobody_is_a_delivery_fails() {
    let (sandbox, ..) = furnished();
    sandbox.project_with("src/private", Visibility::Private);
    for url in ["http://127.0.0.1:1/", "http://192.0.2.1/", "https://127.0.0.1/"] {
        let hook = sandbox.hook("src/private", url).on(HookEvent::Push).create();
        sandbox.commit("src/private", "main", "Go on\n", &[("a", Some(url))]);
        let last = sandbox.deliveries(hook).pop().unwrap();
        assert!(last.status.is_none() && last.error.is_some(), "{last:?}");
    }
}

/// What a webhook starts is a write like any other: a test has to look at it, even where nobody else did.
#[test]
fn a_pipeline_that_a_webhook_started_is_a_write_to_be_looked_at() {
    let (sandbox, ..) = furnished();
    let token = sandbox.trigger_token("src/curl", "maintainer");
    let url = format!("{}/projects/src%2Fcurl/ref/c10s/trigger/pipeline?token={{t}}", sandbox.api_url());
    sandbox.hook("contributor/curl", &url).on(HookEvent::Push).masked("t", &token).create();
    sandbox.commit("contributor/curl", "fix", "More\n", &[("a.c", Some("more\n"))]);
    let handle = sandbox.handle();
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || drop(sandbox))).unwrap_err();
    let text = dropped.downcast_ref::<String>().unwrap();
    assert!(text.contains("/ref/c10s/trigger/pipeline") && !text.contains(&token), "{text}");
    let started = handle.inspect(|model| model.triggered[0].clone());
    assert_eq!((&started.payload["object_kind"], &started.payload["ref"]), (&json!("push"), &json!("c10s")));
}
