//! Users, tokens, projects, groups, members and what is in a repository.

use gitlab_sandbox::{Role, Scope, Visibility};
use serde_json::{Value, json};

use crate::client::{assert_fields, call, furnished, get, send};

#[test]
fn tokens_open_what_their_scopes_say() {
    let (sandbox, bot, ..) = furnished();
    let user = get(&sandbox, &bot, "/user");
    assert_fields(
        &user.json(),
        "id username name state avatar_url web_url created_at bio email public_email can_create_group identities external two_factor_enabled",
    );
    assert_eq!(user.json()["username"], "bot");
    let unauthorized = (401, json!({ "message": "401 Unauthorized" }));
    assert_eq!(get(&sandbox, "", "/user").pair(), unauthorized);
    assert_eq!(get(&sandbox, "glpat-wrong", "/projects/src%2Fcurl").pair(), unauthorized);

    let reading = sandbox.token("bot", &[Scope::ReadApi]);
    assert_eq!(get(&sandbox, &reading, "/user").status, 200);
    let refused = call(&sandbox, &reading, "PUT", "/projects/src%2Fcurl", &json!({ "description": "x" }));
    assert_eq!((refused.status, refused.json()["error"].clone()), (403, json!("insufficient_scope")));
    let pushing = sandbox.token("bot", &[Scope::WriteRepository]);
    assert_eq!(get(&sandbox, &pushing, "/user").json()["scope"], "api read_api");
    sandbox.expire(&bot);
    let expired = get(&sandbox, &bot, "/user");
    assert_eq!((expired.status, expired.json()["error"].clone()), (401, json!("invalid_token")));
}

#[test]
fn job_tokens_open_little_and_only_allowed_projects() {
    let (sandbox, ..) = furnished();
    sandbox.project("bots/bot");
    let token = sandbox.job_token("maintainer", "bots/bot");
    let job =
        |path: &str| send(&sandbox, "GET", &format!("/api/v4{path}"), &[("JOB-TOKEN", &token)], "").unwrap().status;
    assert_eq!(job("/job"), 200);
    assert_eq!(job("/user"), 401);
    assert_eq!(job("/projects/src%2Fcurl/merge_requests"), 404);
    sandbox.allow_job_tokens("src/curl", "bots/bot");
    assert_eq!(job("/projects/src%2Fcurl/merge_requests"), 200);
    let note =
        send(&sandbox, "POST", "/api/v4/projects/src%2Fcurl/merge_requests/1/notes", &[("JOB-TOKEN", &token)], "");
    assert_eq!(note.unwrap().status, 401);
}

#[test]
fn a_project_is_shown_as_gitlab_does() {
    let (sandbox, bot, ..) = furnished();
    let project = get(&sandbox, &bot, "/projects/src%2Fcurl").json();
    assert_fields(
        &project,
        "_links allow_merge_on_skipped_pipeline archived auto_cancel_pending_pipelines avatar_url build_timeout \
         builds_access_level can_create_merge_request_in ci_config_path ci_default_git_depth created_at creator_id \
         default_branch description empty_repo forking_access_level forks_count http_url_to_repo id import_status \
         issues_access_level issues_enabled jobs_enabled last_activity_at lfs_enabled marked_for_deletion_at merge_method \
         merge_requests_access_level merge_requests_enabled name name_with_namespace namespace \
         only_allow_merge_if_all_discussions_are_resolved only_allow_merge_if_pipeline_succeeds open_issues_count path \
         path_with_namespace permissions public_jobs readme_url remove_source_branch_after_merge repository_access_level \
         request_access_enabled shared_runners_enabled shared_with_groups ssh_url_to_repo star_count tag_list visibility \
         web_url wiki_access_level",
    );
    assert_fields(&project["namespace"], "avatar_url full_path id kind name parent_id path web_url");
    assert_eq!(
        project["permissions"],
        json!({ "group_access": null, "project_access": { "access_level": 20, "notification_level": 3 } })
    );
    assert_eq!(project["default_branch"], "c10s");
    let by_number = get(&sandbox, &bot, &format!("/projects/{}", project["id"]));
    assert_eq!(by_number.json()["path_with_namespace"], "src/curl");
}

#[test]
fn what_one_may_not_see_does_not_exist() {
    let (sandbox, bot, contributor, _) = furnished();
    sandbox.set_visibility("src/curl", Visibility::Private);
    let missing = (404, json!({ "message": "404 Project Not Found" }));
    assert_eq!(get(&sandbox, &contributor, "/projects/src%2Fcurl").pair(), missing);
    assert_eq!(get(&sandbox, "", "/projects/src%2Fcurl").pair(), missing);
    assert_eq!(get(&sandbox, &bot, "/projects/src%2Fcurl").status, 200);
    sandbox.member("src/curl", "contributor", Role::Guest);
    assert_eq!(get(&sandbox, &contributor, "/projects/src%2Fcurl").status, 200);
    let code = get(&sandbox, &contributor, "/projects/src%2Fcurl/repository/branches");
    assert_eq!(code.pair(), (403, json!({ "message": "403 Forbidden" })));
}

#[test]
fn settings_are_for_maintainers_and_are_kept() {
    let (sandbox, bot, _, maintainer) = furnished();
    let settings = json!({ "ci_config_path": ".distro/.gitlab-ci.yml" });
    assert_eq!(call(&sandbox, &bot, "PUT", "/projects/src%2Fcurl", &settings).status, 403);
    assert_eq!(call(&sandbox, &maintainer, "PUT", "/projects/src%2Fcurl", &settings).status, 200);
    assert_eq!(get(&sandbox, &bot, "/projects/src%2Fcurl").json()["ci_config_path"], ".distro/.gitlab-ci.yml");
    assert_eq!(call(&sandbox, &maintainer, "PUT", "/projects/src%2Fcurl", &json!({})).status, 400);
    sandbox.expect_write("PUT", "/projects/src%2Fcurl");
}

#[test]
fn a_new_project_needs_a_free_name() {
    let (sandbox, bot, ..) = furnished();
    let created = call(&sandbox, &bot, "POST", "/projects", &json!({ "name": "thing" }));
    assert_eq!((created.status, created.json()["path_with_namespace"].clone()), (201, json!("bot/thing")));
    let taken = call(&sandbox, &bot, "POST", "/projects", &json!({ "name": "thing" }));
    let message = json!({ "name": ["has already been taken"], "path": ["has already been taken"] });
    assert_eq!(taken.pair(), (400, json!({ "message": message })));
    sandbox.expect_write("POST", "/projects");
}

#[test]
fn members_are_found_with_their_inherited_role() {
    let (sandbox, bot, _, maintainer) = furnished();
    let id = |user: &str| sandbox.inspect(|model| model.user(user).unwrap().id);
    sandbox.group_member("src", "contributor", Role::Developer);
    let path = "/projects/src%2Fcurl/members";
    let member = get(&sandbox, &bot, &format!("{path}/all/{}", id("contributor"))).json();
    assert_fields(
        &member,
        "id username name state avatar_url web_url access_level created_at expires_at membership_state",
    );
    assert_eq!(member["access_level"], 30);
    sandbox.user("stranger");
    assert_eq!(
        get(&sandbox, &bot, &format!("{path}/all/{}", id("stranger"))).pair(),
        (404, json!({ "message": "404 Not found" }))
    );
    let add =
        |token: &str| call(&sandbox, token, "POST", path, &json!({ "user_id": id("stranger"), "access_level": 30 }));
    assert_eq!(add(&bot).status, 403);
    assert_eq!(add(&maintainer).status, 201);
    assert_eq!(add(&maintainer).pair(), (409, json!({ "message": "Member already exists" })));
    assert_eq!(get(&sandbox, "", "/users?username=Stranger").json()[0]["id"], id("stranger"));
    sandbox.expect_write("POST", "*/members");
}

#[test]
fn groups_list_their_projects() {
    let (sandbox, bot, ..) = furnished();
    sandbox.project("src/deep/wget");
    assert_eq!(get(&sandbox, &bot, "/groups/src").json()["full_path"], "src");
    assert_eq!(get(&sandbox, &bot, "/groups/bot").pair(), (404, json!({ "message": "404 Group Not Found" })));
    let paths = |query: &str| {
        let list = get(&sandbox, &bot, &format!("/groups/src/projects?{query}")).json();
        list.as_array().unwrap().iter().map(|project| project["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(paths(""), ["curl"]);
    assert_eq!(paths("include_subgroups=true"), ["wget", "curl"]);
    assert_eq!(paths("include_subgroups=true&search=cur&simple=true"), ["curl"]);
}

#[test]
fn a_big_world_is_set_up_in_a_moment() {
    let (sandbox, bot, ..) = furnished();
    for number in 0..200 {
        let branch = format!("b{number}");
        sandbox.branch_at("contributor/curl", &branch, "fix");
        sandbox.commit("contributor/curl", &branch, "More", &[("c", Some(&branch))]);
        sandbox.open("contributor").from("contributor/curl", &branch).into("src/curl", "c10s").create();
    }
    let list = get(&sandbox, &bot, "/groups/src/merge_requests?state=opened&per_page=100&page=2");
    assert_eq!((list.header("x-total"), list.json().as_array().unwrap().len()), (Some("200"), 100));
}

#[test]
fn repositories_show_branches_commits_trees_and_files() {
    let (sandbox, bot, ..) = furnished();
    let path = "/projects/src%2Fcurl/repository";
    let branch = get(&sandbox, &bot, &format!("{path}/branches/c10s")).json();
    assert_fields(
        &branch,
        "can_push commit default developers_can_merge developers_can_push merged name protected web_url",
    );
    let fields = "author_email author_name authored_date committed_date committer_email committer_name created_at id \
                  message parent_ids short_id title trailers web_url";
    assert_fields(&branch["commit"], fields);
    assert_eq!(
        (&branch["protected"], &branch["default"], &branch["can_push"]),
        (&json!(true), &json!(true), &json!(false))
    );
    let missing = |what: &str| (404, json!({ "message": format!("404 {what} Not Found") }));
    assert_eq!(get(&sandbox, &bot, &format!("{path}/branches/moon")).pair(), missing("Branch"));
    assert_eq!(get(&sandbox, &bot, &format!("{path}/tags/moon")).pair(), missing("Tag"));
    assert_eq!(get(&sandbox, &bot, &format!("{path}/commits/{}", "a".repeat(40))).pair(), missing("Commit"));
    assert_eq!(get(&sandbox, &bot, &format!("{path}/files/moon?ref=c10s")).pair(), missing("File"));

    assert_eq!(get(&sandbox, &bot, &format!("{path}/commits/{}/refs", "a".repeat(40))).pair(), missing("Commit"));

    let commit = get(&sandbox, &bot, &format!("{path}/commits/c10s")).json();
    assert_eq!(
        (&commit["title"], &commit["message"], &commit["last_pipeline"]),
        (&json!("Start"), &json!("Start\n"), &Value::Null)
    );
    let tree = get(&sandbox, &bot, &format!("{path}/tree?ref=c10s&recursive=true")).json();
    let names: Vec<&Value> = tree.as_array().unwrap().iter().map(|entry| &entry["path"]).collect();
    assert_eq!(names, ["a.c", "dir", "dir/b.c"]);
    let raw = get(&sandbox, &bot, &format!("{path}/files/dir%2Fb.c/raw?ref=c10s"));
    assert_eq!(raw.text(), "2\n");
    let file = get(&sandbox, &bot, &format!("{path}/files/dir%2Fb.c?ref=c10s")).json();
    assert_fields(&file, "blob_id commit_id content encoding file_name file_path last_commit_id ref size");
    assert_eq!((&file["content"], &file["size"]), (&json!("Mgo="), &json!(2)));
    sandbox.tag("src/curl", "v1", "c10s", Some("one"));
    let tag = get(&sandbox, &bot, &format!("{path}/tags/v1")).json();
    assert_fields(&tag, "commit message name protected release target");
    assert_ne!(tag["target"], tag["commit"]["id"]);
}

#[test]
fn a_commit_is_on_the_branches_and_tags_that_contain_it_and_on_no_others() {
    let (sandbox, bot, ..) = furnished();
    let first = sandbox.tip("src/curl", "c10s").unwrap();
    let refs = |commit: &str, query: &str| {
        get(&sandbox, &bot, &format!("/projects/src%2Fcurl/repository/commits/{commit}/refs{query}")).json()
    };
    sandbox.tag("src/curl", "v1", "c10s", Some("one"));
    sandbox.branch_at("src/curl", "more", "c10s");
    let second = sandbox.commit("src/curl", "more", "More", &[("c", Some("3\n"))]);
    let on = |kind: &str, name: &str| json!({ "type": kind, "name": name });
    assert_eq!(refs(&second, "?type=all"), json!([on("branch", "more")]));
    assert_eq!(refs(&first, "?type=tag"), json!([on("tag", "v1")]));
    assert_eq!(refs(&first, "?type=branch"), json!([on("branch", "c10s"), on("branch", "more")]));
    assert_eq!(refs(&first, "?per_page=1&page=3"), json!([on("tag", "v1")]));
    // The merge request has brought the fork's objects along.
    let theirs = sandbox.commit("contributor/curl", "fix", "Mend", &[("c", Some("4\n"))]);
    sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    assert_eq!(refs(&theirs, ""), json!([]));
}

#[test]
fn a_project_is_deleted_in_two_steps() {
    let (sandbox, _, contributor, maintainer) = furnished();
    let id = sandbox.inspect(|model| model.project("contributor/curl").unwrap().id);
    let delete = |token: &str, query: &str| {
        call(&sandbox, token, "DELETE", &format!("/projects/{id}{query}"), &Value::Null).status
    };
    assert_eq!(delete(&maintainer, ""), 403);
    assert_eq!(delete(&contributor, "?permanently_remove=true&full_path=contributor%2Fcurl"), 400, "marked first");
    assert_eq!(delete(&contributor, ""), 202);
    let marked = get(&sandbox, &contributor, &format!("/projects/{id}")).json();
    let path = format!("contributor/curl-deletion_scheduled-{id}");
    assert_eq!(marked["path_with_namespace"], path);
    assert_eq!(marked["marked_for_deletion_on"], "2026-01-02");
    assert_eq!(delete(&contributor, "?permanently_remove=true&full_path=contributor%2Fcurl"), 400, "the path of now");
    let path = path.replace('/', "%2F");
    assert_eq!(delete(&contributor, &format!("?permanently_remove=true&full_path={path}")), 202);
    assert_eq!(get(&sandbox, &contributor, &format!("/projects/{id}")).status, 404);
    assert_eq!(sandbox.take_writes().len(), 2);
}

#[test]
fn a_token_of_a_project_has_a_user_of_its_own() {
    let (sandbox, bot, _, maintainer) = furnished();
    let path = "/projects/src%2Fcurl/access_tokens";
    let wanted = |level: u64, scope: &str| json!({ "name": "relay", "scopes": [scope], "access_level": level, "expires_at": "2026-12-31" });
    assert_eq!(call(&sandbox, &bot, "POST", path, &wanted(30, "api")).status, 403);
    assert_eq!(call(&sandbox, &maintainer, "POST", path, &wanted(50, "api")).status, 400, "more than one's own role");
    assert_eq!(call(&sandbox, &maintainer, "POST", path, &wanted(30, "everything")).status, 400);
    let made = call(&sandbox, &maintainer, "POST", path, &wanted(30, "api"));
    assert_eq!(made.status, 201);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    let user = get(&sandbox, &token, "/user").json();
    assert_eq!(user["id"], made.json()["user_id"]);
    let member = get(&sandbox, &token, &format!("/projects/src%2Fcurl/members/all/{}", user["id"])).json();
    assert_eq!(member["access_level"], 30);
    assert_eq!(sandbox.take_writes().len(), 1);
}
