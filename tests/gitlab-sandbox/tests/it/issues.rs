//! Issues and notes on them over the API.

use gitlab_sandbox::Visibility;
use serde_json::{Value, json};

use crate::client::{assert_fields, call, furnished, get};

#[test]
fn a_confidential_issue_is_seen_by_its_author_and_reporters_and_edited_in_place() {
    let (sandbox, bot, contributor, maintainer) = furnished();
    let text = json!({ "title": "Status", "description": "Well.\n/close\n", "confidential": true });
    let created = call(&sandbox, &contributor, "POST", "/projects/src%2Fcurl/issues", &text);
    assert_eq!(created.status, 201);
    assert_fields(&created.json(), "id iid project_id title description state author confidential web_url updated_at");
    assert_eq!(created.json()["description"], "Well.", "quick actions are taken out");
    let list = |token: &str| get(&sandbox, token, "/projects/src%2Fcurl/issues?scope=all").json();
    assert_eq!(list(&bot).as_array().unwrap().len(), 1, "a Reporter");
    assert_eq!(list("").as_array().unwrap().len(), 0);
    let issue = "/projects/src%2Fcurl/issues/1";
    let edit = json!({ "description": "Ill.", "state_event": "close" });
    let edited = call(&sandbox, &maintainer, "PUT", issue, &edit).json();
    assert_eq!((&edited["description"], &edited["state"]), (&json!("Ill."), &json!("closed")));
    let outsider = {
        sandbox.user("outsider");
        sandbox.token("outsider", &[gitlab_sandbox::Scope::Api])
    };
    assert_eq!(call(&sandbox, &outsider, "PUT", issue, &edit).status, 404);
    let _ = sandbox.take_writes();
}

#[test]
fn notes_of_gitlab_can_be_left_out_and_only_their_author_edits_them() {
    let (sandbox, bot, contributor, _) = furnished();
    let iid = sandbox.open_issue("src/curl", "bot", "Status", "Well.");
    sandbox.set_issue_description("src/curl", iid, "bot", "Ill.");
    let notes = format!("/projects/src%2Fcurl/issues/{iid}/notes");
    let note = call(&sandbox, &bot, "POST", &notes, &json!({ "body": "Memory" })).json();
    let bodies = |filter: &str| -> Vec<String> {
        let list = get(&sandbox, &bot, &format!("{notes}?sort=asc&activity_filter={filter}")).json();
        list.as_array().unwrap().iter().map(|note| note["body"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(bodies("all_notes"), ["changed the description", "Memory"]);
    assert_eq!(bodies("only_comments"), ["Memory"]);
    let path = format!("{notes}/{}", note["id"]);
    assert_eq!(call(&sandbox, &contributor, "PUT", &path, &json!({ "body": "x" })).status, 403);
    assert_eq!(call(&sandbox, &bot, "PUT", &path, &json!({ "body": "x" })).json()["body"], "x");
    assert_eq!(call(&sandbox, &bot, "DELETE", &path, &Value::Null).status, 204);
    assert_eq!(bodies("only_comments"), [""; 0]);
    let _ = sandbox.take_writes();
}

#[test]
fn the_issues_of_a_project_that_is_not_to_be_seen_are_not_there() {
    let (sandbox, bot, _, _) = furnished();
    sandbox.project_with("ops/bot", Visibility::Private);
    for path in ["/projects/ops%2Fbot/issues", "/projects/ops%2Fbot/issues/1/notes", "/projects/ops%2Fbot/hooks"] {
        assert_eq!(get(&sandbox, &bot, path).status, 404, "{path}");
    }
    assert_eq!(get(&sandbox, &bot, "/groups/src/hooks").status, 403);
}
