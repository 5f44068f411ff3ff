//! Forks over the API.

use gitlab_sandbox::{ForkImport, Role, Sandbox, Scope, Visibility};
use serde_json::{Value, json};

use crate::client::{assert_fields, call, furnished, get};

fn fork(sandbox: &Sandbox, token: &str, body: &Value) -> crate::client::Response {
    call(sandbox, token, "POST", "/projects/src%2Fcurl/fork", body)
}

fn statuses(sandbox: &Sandbox, token: &str, times: usize) -> Vec<String> {
    let status = |_| get(sandbox, token, "/projects/bot%2Fcurl").json()["import_status"].as_str().unwrap().to_owned();
    (0..times).map(status).collect()
}

#[test]
fn a_fork_is_there_at_once_and_its_repository_later() {
    let (sandbox, bot, ..) = furnished();
    sandbox.set_fork_import(ForkImport::AfterReadings(2));
    let forked = fork(&sandbox, &bot, &json!({}));
    assert_eq!(forked.status, 201);
    let body = forked.json();
    assert_fields(
        &body["forked_from_project"],
        "id name name_with_namespace path path_with_namespace namespace web_url http_url_to_repo default_branch",
    );
    assert_eq!(
        (&body["import_status"], &body["default_branch"], &body["path_with_namespace"]),
        (&json!("scheduled"), &Value::Null, &json!("bot/curl"))
    );
    assert_eq!(statuses(&sandbox, &bot, 3), ["scheduled", "started", "finished"]);
    assert_eq!(get(&sandbox, &bot, "/projects/bot%2Fcurl").json()["default_branch"], "c10s");
    assert_eq!(sandbox.tip("bot/curl", "c10s"), sandbox.tip("src/curl", "c10s"));

    let taken = fork(&sandbox, &bot, &json!({}));
    let message = json!({ "name": ["has already been taken"], "path": ["has already been taken"] });
    assert_eq!(taken.pair(), (409, json!({ "message": message })));
    let owned = get(&sandbox, &bot, "/projects/src%2Fcurl/forks?owned=true").json();
    assert_eq!((owned.as_array().unwrap().len(), &owned[0]["path_with_namespace"]), (1, &json!("bot/curl")));
    assert_eq!(get(&sandbox, &bot, "/projects/src%2Fcurl/forks").header("x-total"), Some("2"));
    sandbox.expect_write("POST", "*/fork");
}

#[test]
fn an_import_can_be_driven_or_fail() {
    let (sandbox, bot, ..) = furnished();
    sandbox.set_fork_import(ForkImport::ByHand);
    fork(&sandbox, &bot, &json!({ "branches": "c10s" }));
    assert_eq!(statuses(&sandbox, &bot, 3), ["scheduled"; 3]);
    sandbox.finish_import("bot/curl");
    assert_eq!(statuses(&sandbox, &bot, 1), ["finished"]);
    sandbox.expect_write("POST", "*/fork");

    sandbox.delete_project("bot/curl");
    sandbox.set_fork_import(ForkImport::Fails(0, "disk full".into()));
    fork(&sandbox, &bot, &json!({}));
    let failed = get(&sandbox, &bot, "/projects/bot%2Fcurl").json();
    assert_eq!((&failed["import_status"], &failed["import_error"]), (&json!("failed"), &json!("disk full")));
    sandbox.expect_write("POST", "*/fork");
}

#[test]
fn a_fork_goes_where_one_may_make_projects_and_is_no_more_visible() {
    let (sandbox, bot, ..) = furnished();
    sandbox.group("forks", Visibility::Private);
    let into = json!({ "namespace_path": "forks", "path": "curl-2", "visibility": "public" });
    assert_eq!(fork(&sandbox, &bot, &into).pair(), (404, json!({ "message": "404 Target Namespace Not Found" })));
    sandbox.group_member("forks", "bot", Role::Developer);
    let forked = fork(&sandbox, &bot, &into);
    assert_eq!(forked.json()["path_with_namespace"], "forks/curl-2");
    assert_eq!(forked.json()["visibility"], "private");
    sandbox.expect_write("POST", "*/fork");

    sandbox.service_account("robot");
    let robot = sandbox.token("robot", &[Scope::Api]);
    let refused = fork(&sandbox, &robot, &json!({}));
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("You cannot create projects in your personal namespace"));
}
