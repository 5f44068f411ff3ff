//! Projects from their making to their first contents: what can be set when, who may make them where, and files and
//! branches that come without a clone.

use gitlab_sandbox::{Role, Scope, Visibility};
use serde_json::{Value, json};

use crate::client::{assert_fields, call, furnished, get};

const CURL: &str = "/projects/src%2Fcurl";

/// `projects/create_service.rb`; "Create a project" in the API's documentation.
#[test]
fn a_project_is_made_in_a_group_by_its_members_and_no_more_visible_than_the_group() {
    let (sandbox, bot, _, maintainer) = furnished();
    sandbox.group("hidden", Visibility::Private);
    sandbox.group_member("hidden", "maintainer", Role::Maintainer);
    let id = |path: &str| sandbox.inspect(|model| model.namespace(path).unwrap().id);
    let make = |token: &str, body: &Value| call(&sandbox, token, "POST", "/projects", body).pair();
    let body =
        json!({ "path": "new", "namespace_id": id("hidden"), "visibility": "private", "ci_config_path": "x.yml" });
    let (status, made) = make(&maintainer, &body);
    assert_eq!(
        (status, &made["path_with_namespace"], &made["ci_config_path"]),
        (201, &json!("hidden/new"), &json!("x.yml"))
    );
    assert_eq!((&made["empty_repo"], &made["default_branch"]), (&json!(true), &Value::Null));
    let public = json!({ "path": "other", "namespace_id": id("hidden"), "visibility": "public" });
    let says = |field: &str, text: &str| (400, json!({ "message": { field: [text] } }));
    assert_eq!(make(&maintainer, &public), says("visibility_level", "public is not allowed in a private group."));
    let denied = says("namespace", "is not valid");
    assert_eq!(make(&bot, &body), denied, "no member");
    assert_eq!(make(&bot, &json!({ "path": "new", "namespace_id": 999_999 })), denied, "no such group");
    sandbox.service_account("robot");
    let robot = sandbox.token("robot", &[Scope::Api]);
    assert_eq!(make(&robot, &json!({ "path": "own" })).0, 403);
    sandbox.expect_write("POST", "/projects");
}

/// The settings that `POST /projects` does not declare are passed over by GitLab, so that nobody may rely on them.
#[test]
fn a_setting_that_creation_does_not_know_is_an_unknown_parameter() {
    let (sandbox, bot, ..) = furnished();
    let body = json!({ "path": "new", "ci_default_git_depth": 0 });
    let made = call(&sandbox, &bot, "POST", "/projects", &body).json();
    assert_eq!(made["ci_default_git_depth"], 20);
    assert!(sandbox.take_unknown()[0].ends_with("parameter ci_default_git_depth"));
    sandbox.expect_write("POST", "/projects");
}

#[test]
fn settings_are_shown_as_they_were_set() {
    let (sandbox, bot, _, maintainer) = furnished();
    let settings = json!({
        "ci_config_path": ".distro/.gitlab-ci.yml", "ci_pipeline_variables_minimum_override_role": "no_one_allowed",
        "forking_access_level": "disabled", "merge_requests_access_level": "private", "builds_access_level": "private",
        "group_runners_enabled": false, "public_jobs": false, "auto_devops_enabled": false, "ci_default_git_depth": 0,
    });
    let set = call(&sandbox, &maintainer, "PUT", CURL, &settings);
    assert_eq!(set.status, 200);
    let shown = get(&sandbox, &bot, CURL).json();
    for (name, value) in settings.as_object().unwrap() {
        assert_eq!((&set.json()[name], &shown[name]), (value, value), "{name}");
    }
    // `change_visibility_level` is an Owner's right.
    assert_eq!(call(&sandbox, &maintainer, "PUT", CURL, &json!({ "visibility": "private" })).status, 403);
    assert_eq!(call(&sandbox, &maintainer, "PUT", CURL, &json!({ "visibility": "public" })).status, 200, "no change");
    assert_eq!(sandbox.take_writes().len(), 2);
}

/// "Create a commit with multiple files and actions", `commits/create_service.rb`, Gitaly's `UserCommitFiles`.
#[test]
fn files_are_committed_without_a_clone() {
    let (sandbox, bot, _, maintainer) = furnished();
    let path = format!("{CURL}/repository/commits");
    let file = |action: &str, path: &str, content: &str| json!({ "action": action, "file_path": path, "content": content, "encoding": "text" });
    let body =
        |branch: &str, actions: Value| json!({ "branch": branch, "commit_message": "Say so\n", "actions": actions });
    let bytes = json!({ "action": "create", "file_path": "bin", "content": "AP8=", "encoding": "base64" });
    let mut both = body("c10s", json!([file("update", "a.c", "2\n"), bytes]));
    both["author_name"] = json!("Somebody");
    both["author_email"] = json!("somebody@example.com");
    let before = sandbox.tip("src/curl", "c10s").unwrap();
    let made = call(&sandbox, &maintainer, "POST", &path, &both);
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_fields(&made, "id short_id title message author_name author_email committer_name parent_ids web_url");
    let tip = sandbox.tip("src/curl", "c10s").unwrap();
    assert_eq!((&made["id"], &made["parent_ids"]), (&json!(tip), &json!([before])));
    assert_eq!((&made["author_name"], &made["committer_name"]), (&json!("Somebody"), &json!("Maintainer")));
    assert_eq!(sandbox.file("src/curl", "c10s", "bin"), Some(vec![0, 255]));
    assert_eq!(sandbox.file("src/curl", "c10s", "dir/b.c"), Some(b"2\n".to_vec()), "the others stay");

    let refused = |token: &str, body: &Value| call(&sandbox, token, "POST", &path, body).pair();
    let bad = |text: &str| (400, json!({ "message": text }));
    let one = |branch: &str, action: &str, name: &str| body(branch, json!([file(action, name, "x")]));
    assert_eq!(refused(&maintainer, &one("c10s", "create", "a.c")), bad("A file with this name already exists"));
    assert_eq!(refused(&maintainer, &one("c10s", "update", "z")), bad("A file with this name doesn't exist"));
    let no_branch = bad("You can only create or edit files when you are on a branch");
    assert_eq!(refused(&maintainer, &one("moon", "create", "z")), no_branch);
    assert_eq!(refused(&maintainer, &one("c10s", "create", "../z")), bad("Path cannot include directory traversal"));
    let forbidden = json!({ "message": "403 Forbidden - You are not allowed to push into this branch" });
    assert_eq!(refused(&bot, &one("c10s", "create", "z")), (403, forbidden.clone()));
    sandbox.member("src/curl", "bot", Role::Developer);
    assert_eq!(refused(&bot, &one("c10s", "create", "z")), (403, forbidden), "the default branch is protected");
    sandbox.expect_write("POST", "*/repository/commits");
}

/// A commit over the API is a push: merge requests follow it.
#[test]
fn a_commit_over_the_api_moves_the_merge_request() {
    let (sandbox, _, contributor, _) = furnished();
    sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    let actions = json!([{ "action": "create", "file_path": "new", "content": "x" }]);
    let body = json!({ "branch": "fix", "commit_message": "More", "actions": actions });
    let path = "/projects/contributor%2Fcurl/repository/commits";
    assert_eq!(call(&sandbox, &contributor, "POST", path, &body).status, 201);
    let head = sandbox.tip("contributor/curl", "fix").unwrap();
    assert_eq!(sandbox.merge_request("src/curl", 1).head(), Some(head.as_str()));
    sandbox.expect_write("POST", "*/repository/commits");
}

#[test]
fn the_first_commit_of_an_empty_project_makes_its_default_branch() {
    let (sandbox, _, _, maintainer) = furnished();
    sandbox.project("src/empty");
    sandbox.member("src/empty", "maintainer", Role::Maintainer);
    let actions = json!([{ "action": "create", "file_path": "README", "content": "x" }]);
    let body = json!({ "branch": "c9s", "commit_message": "Start", "actions": actions });
    assert_eq!(call(&sandbox, &maintainer, "POST", "/projects/src%2Fempty/repository/commits", &body).status, 201);
    let project = get(&sandbox, &maintainer, "/projects/src%2Fempty").json();
    assert_eq!((&project["default_branch"], &project["empty_repo"]), (&json!("c9s"), &json!(false)));
    sandbox.expect_write("POST", "*/repository/commits");
}

/// "Create a repository branch", `branches/create_service.rb`.
#[test]
fn a_branch_is_made_where_another_is() {
    let (sandbox, bot, _, maintainer) = furnished();
    let path = format!("{CURL}/repository/branches");
    let body = json!({ "branch": "c9s", "ref": "c10s" });
    assert_eq!(call(&sandbox, &bot, "POST", &path, &body).status, 403);
    let made = call(&sandbox, &maintainer, "POST", &path, &body);
    assert_eq!((made.status, &made.json()["name"]), (201, &json!("c9s")));
    assert_eq!(sandbox.tip("src/curl", "c9s"), sandbox.tip("src/curl", "c10s"));
    let refused = |body: &Value| call(&sandbox, &maintainer, "POST", &path, body).pair();
    assert_eq!(refused(&body), (400, json!({ "message": "Branch already exists" })));
    let nowhere = json!({ "branch": "x", "ref": "moon" });
    assert_eq!(refused(&nowhere), (400, json!({ "message": "Invalid reference name: moon" })));
    sandbox.expect_write("POST", "*/repository/branches");
}
