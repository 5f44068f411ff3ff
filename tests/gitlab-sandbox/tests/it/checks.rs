//! The sandbox as a judge: what fails a test, what is logged, faults.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use gitlab_sandbox::{Fault, Sandbox, Scope, Settings};
use serde_json::{Value, json};

use crate::client::{call, furnished, get, send, send_to};

fn message_of_drop(sandbox: Sandbox) -> String {
    let panic = catch_unwind(AssertUnwindSafe(move || drop(sandbox))).unwrap_err();
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn an_unknown_route_fails_the_test_with_method_and_path() {
    let sandbox = Sandbox::start();
    let response = call(&sandbox, "", "PATCH", "/projects/1/moon", &Value::Null);
    assert_eq!(response.pair(), (404, json!({ "error": "404 Not Found" })));
    assert!(message_of_drop(sandbox).contains("PATCH /api/v4/projects/1/moon"));
}

#[test]
fn a_parameter_that_is_not_modelled_fails_the_test() {
    let (sandbox, bot, ..) = furnished();
    assert_eq!(get(&sandbox, &bot, "/projects/src%2Fcurl/merge_requests?deployed_after=2026-01-01").status, 200);
    let unknown = sandbox.take_unknown();
    assert_eq!(unknown, ["GET /api/v4/projects/src%2Fcurl/merge_requests: parameter deployed_after"]);
}

#[test]
fn a_write_that_nobody_looked_at_fails_the_test() {
    let (sandbox, _, contributor, _) = furnished();
    let label = json!({ "name": "x", "color": "#fff" });
    assert_eq!(call(&sandbox, &contributor, "POST", "/projects/contributor%2Fcurl/labels", &label).status, 201);
    assert!(message_of_drop(sandbox).contains("/projects/contributor%2Fcurl/labels"));
}

#[test]
fn writes_are_found_by_pattern_and_then_done_with() {
    let (sandbox, _, contributor, _) = furnished();
    let label = json!({ "name": "x", "color": "#fff" });
    call(&sandbox, &contributor, "POST", "/projects/contributor%2Fcurl/labels", &label);
    call(&sandbox, &contributor, "POST", "/projects/contributor%2Fcurl/labels", &label);
    let write = sandbox.expect_write("POST", "/projects/*/labels");
    assert_eq!((write.user.as_deref(), write.status, write.body), (Some("contributor"), 201, label.to_string()));
    assert!(sandbox.take_writes().is_empty(), "the second was refused, so it is no write");
    assert_eq!(sandbox.writes().len(), 1);
}

#[test]
fn the_log_keeps_order_but_no_credentials() {
    let (sandbox, bot, ..) = furnished();
    get(&sandbox, &bot, "/user");
    send(&sandbox, "GET", "/api/v4/user", &[("Authorization", &format!("Bearer {bot}"))], "").unwrap();
    let log = sandbox.api_requests();
    assert_eq!(log.iter().map(|record| record.path.as_str()).collect::<Vec<_>>(), ["/api/v4/user", "/api/v4/user"]);
    assert!(log.iter().all(|record| record.status == Some(200) && record.user.as_deref() == Some("bot")));
    assert!(log.iter().all(|record| !record.sent().contains(&bot) && record.response_size > 100));
}

#[test]
fn faults_come_before_or_after_the_effect() {
    let (sandbox, _, contributor, _) = furnished();
    let path = "/projects/contributor%2Fcurl/labels";
    let create = |name: &str| {
        let body = json!({ "name": name, "color": "#fff" }).to_string();
        let headers = [("PRIVATE-TOKEN", contributor.as_str()), ("Content-Type", "application/json")];
        send(&sandbox, "POST", &format!("/api/v4{path}"), &headers, &body)
    };
    let exists = |name: &str| sandbox.inspect(|model| model.project("contributor/curl").unwrap().labels.contains(name));

    sandbox.fail(Fault::on("POST", "*/labels").rate_limited(7));
    let response = create("a").unwrap();
    assert_eq!(
        (response.status, response.header("retry-after"), response.text()),
        (429, Some("7"), "Retry later\n".into())
    );
    assert!(!exists("a"));
    sandbox.fail(Fault::on("POST", "*/labels").nth(2).status(502));
    assert_eq!((create("a").unwrap().status, create("b").unwrap().status, exists("b")), (201, 502, false));
    sandbox.fail(Fault::on("POST", "*/labels").cut_before());
    assert!(create("b").is_err() && !exists("b"));
    sandbox.fail(Fault::on("POST", "*/labels").cut_after());
    assert!(create("b").is_err() && exists("b"));
    sandbox.fail(Fault::on("POST", "*/labels").limited_by_gitlab());
    assert_eq!(create("c").unwrap().json()["message"]["error"].as_str().map(|text| text.len()), Some(65));
    sandbox.fail(Fault::on("POST", "*/labels").status_after(500));
    assert_eq!((create("c").unwrap().status, exists("c")), (500, true));
    assert_eq!(sandbox.take_writes().len(), 3);
}

#[test]
fn a_hanging_request_is_not_answered_as_long_as_the_sandbox_is_there() {
    let sandbox = Sandbox::start();
    let (came, comes) = mpsc::channel();
    sandbox.fail(Fault::on("GET", "/user").hang_before());
    sandbox.fail(Fault::on("GET", "/user").meanwhile(move || came.send(()).unwrap()));
    let address = sandbox.address();
    let client = thread::spawn(move || send_to(address, "GET", "/api/v4/user", &[], ""));
    comes.recv().unwrap();
    // Others are answered meanwhile.
    assert_eq!(send(&sandbox, "GET", "/api/v4/version", &[], "").unwrap().status, 401);
    assert_eq!(sandbox.requests()[0].status, None);
    drop(sandbox);
    assert!(client.join().unwrap().is_err());
}

#[test]
fn a_fault_that_never_happened_fails_the_test() {
    let sandbox = Sandbox::start();
    sandbox.fail(Fault::on("POST", "/moon"));
    assert!(message_of_drop(sandbox).contains("/moon"));
}

#[test]
fn something_can_happen_between_two_requests_and_after_each_write() {
    let (sandbox, _, contributor, _) = furnished();
    let handle = sandbox.handle();
    let event = move || drop(handle.commit("src/curl", "c10s", "Meanwhile\n", &[("m", Some("m"))]));
    sandbox.fail(Fault::on("GET", "*/branches/c10s").meanwhile(event));
    let branch = get(&sandbox, &contributor, "/projects/src%2Fcurl/repository/branches/c10s").json();
    assert_eq!(branch["commit"]["title"], "Meanwhile");

    let seen = Arc::new(Mutex::new(Vec::new()));
    let (list, handle) = (Arc::clone(&seen), sandbox.handle());
    sandbox.after_each_write(move |write| list.lock().unwrap().push((write.path.clone(), handle.writes().len())));
    let label = json!({ "name": "x", "color": "#fff" });
    call(&sandbox, &contributor, "POST", "/projects/contributor%2Fcurl/labels", &label);
    assert_eq!(*seen.lock().unwrap(), [("/projects/contributor%2Fcurl/labels".to_owned(), 1)]);
    sandbox.expect_write("POST", "*/labels");
}

#[test]
fn it_can_be_installed_under_a_path_and_stand_behind_a_proxy() {
    let sandbox = Sandbox::start_with(&Settings {
        relative_url: "/gitlab/".into(),
        external_url: Some("http://gitlab.test/gitlab".into()),
        ..Settings::default()
    });
    sandbox.user("bot");
    let token = sandbox.token("bot", &[Scope::ReadApi]);
    let user =
        send(&sandbox, "GET", "http://gitlab.test/gitlab/api/v4/user", &[("PRIVATE-TOKEN", &token)], "").unwrap();
    assert_eq!(user.json()["web_url"], "http://gitlab.test/gitlab/bot");
}
