//! GraphQL: the queries that are known, and everything about them that GitLab would refuse.

use serde_json::{Value, json};

use gitlab_sandbox::{Role, Sandbox, Scope, Visibility};

use crate::client::{Response, furnished, send};

fn ask(sandbox: &Sandbox, token: &str, query: &str, variables: &Value) -> Response {
    let body = json!({ "query": query, "variables": variables }).to_string();
    let headers = [("PRIVATE-TOKEN", token), ("Content-Type", "application/json")];
    send(sandbox, "POST", "/api/graphql", &headers[usize::from(token.is_empty())..], &body).unwrap()
}

#[track_caller]
fn refused(sandbox: &Sandbox, token: &str, query: &str, message: &str) {
    let answer = ask(sandbox, token, query, &json!({}));
    assert_eq!(answer.status, 200, "{query}");
    assert_eq!(answer.json()["errors"][0]["message"], message, "{query}");
}

#[test]
fn head_pipelines_of_a_group_come_page_by_page_newest_first() {
    let (sandbox, bot, _, _) = furnished();
    for n in 1..=3 {
        sandbox.branch_at("contributor/curl", &format!("fix-{n}"), "fix");
        sandbox.open("contributor").from("contributor/curl", &format!("fix-{n}")).into("src/curl", "c10s").create();
    }
    let pipeline = sandbox.mr_pipeline("src/curl", 2).jobs(&[("test", "unit")]).create();
    sandbox.set_all_jobs(pipeline, "failed");
    let query = "query($after: String) { group(fullPath: \"src\") { mergeRequests(state: opened, includeSubgroups: true, \
        first: 2, after: $after) { nodes { iid project { fullPath } headPipeline { id status } } \
        pageInfo { hasNextPage endCursor } } } }";
    let first = ask(&sandbox, &bot, query, &json!({})).json();
    let page = &first["data"]["group"]["mergeRequests"];
    assert_eq!(page["nodes"][0], json!({ "iid": "3", "project": { "fullPath": "src/curl" }, "headPipeline": null }));
    let shown = json!({ "id": format!("gid://gitlab/Ci::Pipeline/{pipeline}"), "status": "FAILED" });
    assert_eq!(page["nodes"][1]["headPipeline"], shown);
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let rest = ask(&sandbox, &bot, query, &json!({ "after": page["pageInfo"]["endCursor"] })).json();
    let page = &rest["data"]["group"]["mergeRequests"];
    assert_eq!((page["nodes"].as_array().unwrap().len(), &page["nodes"][0]["iid"]), (1, &json!("1")));
    assert_eq!(page["pageInfo"]["hasNextPage"], false);
}

#[test]
fn tips_come_of_the_projects_that_the_user_may_see() {
    let (sandbox, bot, _, _) = furnished();
    sandbox.project_with("src/secret", Visibility::Private);
    let query = "query($paths: [String!], $branch: String) { projects(fullPaths: $paths) { nodes { fullPath \
        repository { tree(ref: $branch) { lastCommit { sha } } } } } }";
    let paths = json!(["src/curl", "src/secret", "src/none"]);
    let tip = |branch: &str| {
        ask(&sandbox, &bot, query, &json!({ "paths": paths, "branch": branch })).json()["data"]["projects"]["nodes"]
            .clone()
    };
    let sha = sandbox.tip("src/curl", "c10s").unwrap();
    let shown = json!({ "fullPath": "src/curl", "repository": { "tree": { "lastCommit": { "sha": sha } } } });
    assert_eq!(tip("c10s"), json!([shown]));
    assert_eq!(tip("none"), json!([{ "fullPath": "src/curl", "repository": { "tree": null } }]));
    let many: Vec<String> = (0..51).map(|n| format!("src/p-{n}")).collect();
    let answer = ask(&sandbox, &bot, query, &json!({ "paths": many, "branch": "c10s" })).json();
    assert_eq!(answer["errors"][0]["message"], "You cannot provide more than 50 full paths.");
}

#[test]
fn what_gitlab_refuses_is_refused_in_its_words() {
    let (sandbox, bot, _, _) = furnished();
    let mine = |inside: &str| format!("{{ currentUser {{ authoredMergeRequests(state: opened) {{ {inside} }} }} }}");
    refused(&sandbox, &bot, "{ currentUser { shoeSize } }", "Field 'shoeSize' doesn't exist on type 'CurrentUser'");
    refused(&sandbox, &bot, "{ group { id } }", "Field 'group' is missing required arguments: fullPath");
    refused(
        &sandbox,
        &bot,
        "{ currentUser { authoredMergeRequests(colour: 1) { pageInfo { endCursor } } } }",
        "Field 'authoredMergeRequests' doesn't accept argument 'colour'",
    );
    refused(&sandbox, &bot, &mine("nodes { iid { x } }"), "Selections can't be made on scalars (field 'iid')");
    refused(&sandbox, &bot, &mine("nodes"), "Field must have selections (field 'nodes')");
    refused(
        &sandbox,
        &bot,
        "query($x: String) { currentUser { id } }",
        "Variable $x is declared by anonymous query but not used",
    );
    // 1 + 1 for each head, its call of Gitaly another 1; the page of 100 doubles it: more than 250.
    let heads: String = (0..70).map(|n| format!("h{n}: diffHeadSha ")).collect();
    let answer = ask(&sandbox, &bot, &mine(&format!("nodes {{ {heads} }}")), &json!({})).json();
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert_eq!(message, "Query has complexity of 285, which exceeds max complexity of 250");
}

#[test]
fn a_token_that_may_only_read_is_enough_and_a_wrong_one_is_not() {
    let (sandbox, _, _, _) = furnished();
    let query = "{ currentUser { username } }";
    let reader = sandbox.token("bot", &[Scope::ReadApi]);
    assert_eq!(
        ask(&sandbox, &reader, query, &json!({})).json(),
        json!({ "data": { "currentUser": { "username": "bot" } } })
    );
    assert_eq!(ask(&sandbox, "", query, &json!({})).json(), json!({ "data": { "currentUser": null } }));
    let wrong = ask(&sandbox, "glpat-wrong", query, &json!({}));
    assert_eq!(wrong.pair(), (401, json!({ "errors": [{ "message": "Invalid token" }] })));
    assert!(sandbox.take_writes().is_empty(), "a query is no write");
    sandbox.member("src/curl", "bot", Role::Reporter);
    assert!(ask(&sandbox, &reader, "mutation { x }", &json!({})).json()["errors"].is_array());
    assert_eq!(sandbox.take_unknown(), ["GraphQL: anything but one query"]);
}
