//! Notes over the API.

use gitlab_sandbox::{Role, Sandbox};
use serde_json::{Value, json};

use crate::client::{assert_fields, call, furnished, get};

const NOTES: &str = "/projects/src%2Fcurl/merge_requests/1/notes";

fn with_merge_request() -> (Sandbox, String, String) {
    let (sandbox, bot, contributor, _) = furnished();
    sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    (sandbox, bot, contributor)
}

#[test]
fn a_note_is_written_read_edited_and_removed() {
    let (sandbox, bot, contributor) = with_merge_request();
    let created = call(&sandbox, &bot, "POST", NOTES, &json!({ "body": "Hello\r\nworld \n\n" }));
    assert_eq!(created.status, 201);
    let note = created.json();
    assert_fields(
        &note,
        "attachment author body commands_changes confidential created_at id noteable_id noteable_iid noteable_type resolvable system type updated_at",
    );
    assert_eq!(note["body"], "Hello\nworld");
    let path = format!("{NOTES}/{}", note["id"]);
    assert_eq!(get(&sandbox, &bot, &path).json()["body"], "Hello\nworld");
    assert_eq!(
        call(&sandbox, &contributor, "PUT", &path, &json!({ "body": "x" })).pair(),
        (403, json!({ "message": "403 Forbidden" }))
    );
    assert_eq!(call(&sandbox, &bot, "PUT", &path, &json!({ "body": "Bye" })).json()["body"], "Bye");
    assert_eq!((sandbox.notes("src/curl", 1)[0].edits, sandbox.notes("src/curl", 1)[0].body.as_str()), (1, "Bye"));
    assert_eq!(call(&sandbox, &bot, "DELETE", &path, &Value::Null).status, 204);
    assert_eq!(get(&sandbox, &bot, &path).pair(), (404, json!({ "message": "404 Not found" })));
    let written = sandbox.take_writes().into_iter().map(|write| format!("{} {}", write.method, write.path));
    let expected = [format!("POST {NOTES}"), format!("PUT {path}"), format!("DELETE {path}")];
    assert_eq!(written.collect::<Vec<_>>(), expected);
}

#[test]
fn blank_and_endless_notes_are_refused() {
    let (sandbox, bot, _) = with_merge_request();
    let post = |body: Value| call(&sandbox, &bot, "POST", NOTES, &body).pair();
    assert_eq!(post(json!({})), (400, json!({ "error": "body is missing" })));
    assert_eq!(
        post(json!({ "body": " \n" })),
        (400, json!({ "message": "400 Bad request - Note {:note=>[\"can't be blank\"]}" }))
    );
    assert_eq!(post(json!({ "body": "x".repeat(1_000_001) })).0, 400);
}

#[test]
fn a_note_of_commands_only_is_done_and_leaves_none() {
    let (sandbox, bot, _) = with_merge_request();
    sandbox.member("src/curl", "bot", Role::Developer);
    let answer = call(&sandbox, &bot, "POST", NOTES, &json!({ "body": "/label ~ci ~\"two words\"\n" }));
    assert_eq!(answer.status, 202);
    assert_fields(&answer.json(), "commands_changes summary");
    assert!(sandbox.notes("src/curl", 1).is_empty());
    assert_eq!(sandbox.merge_request("src/curl", 1).labels.into_iter().collect::<Vec<_>>(), ["ci", "two words"]);
    sandbox.expect_write("POST", "*/notes");
}

#[test]
fn lists_hold_system_notes_and_may_be_short() {
    let (sandbox, bot, _) = with_merge_request();
    sandbox.set_title("src/curl", 1, "contributor", "Better");
    for number in 0..5 {
        sandbox.note("src/curl", 1, "contributor", &format!("note {number}"));
    }
    sandbox.withheld_note("src/curl", 1, "contributor");
    let bodies = |query: &str| {
        let list = get(&sandbox, &bot, &format!("{NOTES}?{query}")).json();
        list.as_array().unwrap().iter().map(|note| note["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(bodies("per_page=3"), ["note 4", "note 3"], "one of three is withheld");
    assert_eq!(bodies("sort=asc&per_page=2"), ["changed title from **Change something** to **Better**", "note 0"]);
    assert_eq!(bodies("activity_filter=only_comments").len(), 5);
    assert_eq!(
        bodies("order_by=updated_at&sort=asc&page=2&per_page=3&activity_filter=only_comments"),
        ["note 3", "note 4"]
    );
}

#[test]
fn reactions_are_one_per_name_and_user() {
    let (sandbox, bot, _) = with_merge_request();
    let id = sandbox.note("src/curl", 1, "contributor", "/dist-git retest");
    let path = format!("{NOTES}/{id}/award_emoji");
    let react = || call(&sandbox, &bot, "POST", &path, &json!({ "name": "rocket" }));
    let reaction = react();
    assert_fields(&reaction.json(), "id name user created_at updated_at awardable_id awardable_type");
    assert_eq!((reaction.status, react().status), (201, 404));
    assert_eq!(get(&sandbox, &bot, &path).json()[0]["user"]["username"], "bot");
    let remove = call(&sandbox, &bot, "DELETE", &format!("{path}/{}", reaction.json()["id"]), &Value::Null);
    assert_eq!((remove.status, get(&sandbox, &bot, &path).json()), (204, json!([])));
    assert_eq!(sandbox.take_writes().len(), 2);
}
