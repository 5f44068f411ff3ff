//! Merge requests over the API.

use gitlab_sandbox::{ActKind, Place, Role, State};
use serde_json::{Value, json};

use crate::client::{assert_fields, call, furnished, get};

const TARGET: &str = "/projects/src%2Fcurl/merge_requests";
const SOURCE: &str = "/projects/contributor%2Fcurl/merge_requests";

fn target_id(sandbox: &gitlab_sandbox::Sandbox) -> u64 {
    sandbox.inspect(|model| model.project("src/curl").unwrap().id)
}

fn proposal(target: u64) -> Value {
    json!({
        "source_branch": "fix", "target_branch": "c10s", "target_project_id": target, "title": " Draft: Fix a \n",
        "description": "Why\r\n\r\n", "labels": "bug,urgent",
    })
}

#[test]
fn a_new_one_looks_as_gitlab_shows_it() {
    let (sandbox, bot, contributor, _) = furnished();
    let target = target_id(&sandbox);
    let created = call(&sandbox, &contributor, "POST", SOURCE, &proposal(target));
    assert_eq!(created.status, 201);
    let fields = "allow_collaboration allow_maintainer_to_push approvals_before_merge assignee assignees author \
        blocking_discussions_resolved changes_count closed_at closed_by created_at description diff_refs discussion_locked \
        downvotes first_deployed_to_production_at force_remove_source_branch has_conflicts head_pipeline id iid labels \
        latest_build_finished_at latest_build_started_at merge_commit_sha merge_error merge_status \
        merge_when_pipeline_succeeds merged_at merged_by milestone pipeline project_id reference references sha \
        should_remove_source_branch source_branch source_project_id squash squash_commit_sha state subscribed \
        target_branch target_project_id task_completion_status time_stats title updated_at upvotes user user_notes_count \
        web_url work_in_progress draft detailed_merge_status merge_user prepared_at reviewers";
    assert_fields(&created.json(), fields);
    let body = created.json();
    assert_eq!(
        (&body["title"], &body["description"], &body["draft"]),
        (&json!("Draft: Fix a"), &json!("Why"), &json!(true))
    );
    assert_eq!(
        (&body["sha"], &body["diff_refs"]["head_sha"], &body["prepared_at"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(body["labels"], json!([]), "labels are for Developers of the target, others' are dropped");

    let head = sandbox.tip("contributor/curl", "fix").unwrap();
    let base = sandbox.tip("src/curl", "c10s").unwrap();
    let shown = get(&sandbox, &bot, &format!("{TARGET}/1")).json();
    assert_eq!(shown["sha"], head.as_str());
    assert_eq!(shown["diff_refs"], json!({ "base_sha": base, "head_sha": head, "start_sha": base }));
    assert_eq!(shown["web_url"], format!("{}/src/curl/-/merge_requests/1", sandbox.url()));
    assert_eq!(sandbox.git("src/curl", &["rev-parse", "refs/merge-requests/1/head"]), head);
    let commits = get(&sandbox, &bot, &format!("{TARGET}/1/commits")).json();
    assert_eq!((commits.as_array().unwrap().len(), &commits[0]["id"]), (1, &json!(head)));
    sandbox.expect_write("POST", "*/merge_requests");
}

#[test]
fn what_cannot_be_is_refused_in_gitlabs_shapes() {
    let (sandbox, bot, contributor, maintainer) = furnished();
    let target = target_id(&sandbox);
    let post = |path: &str, token: &str, change: Value| {
        let mut body = proposal(target);
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        call(&sandbox, token, "POST", path, &body).pair()
    };
    let forbidden = (403, json!({ "message": "403 Forbidden" }));
    assert_eq!(post(SOURCE, &bot, json!({})), forbidden, "the bot may not push to that fork");
    assert_eq!(post(SOURCE, &contributor, json!({ "target_project_id": 999_999 })).0, 404);
    assert_eq!(
        post(SOURCE, &contributor, json!({ "source_branch": "moon" })),
        (400, json!({ "message": { "source_branch": ["does not exist"] } }))
    );
    assert_eq!(post(SOURCE, &contributor, json!({ "title": null })), (400, json!({ "error": "title is missing" })));
    assert_eq!(
        post(SOURCE, &contributor, json!({ "title": " " })),
        (400, json!({ "message": { "title": ["can't be blank"] } }))
    );
    let long = json!({ "title": "é".repeat(256) });
    assert_eq!(
        post(SOURCE, &contributor, long),
        (400, json!({ "message": { "title": ["is too long (maximum is 255 characters)"] } }))
    );
    assert_eq!(post(SOURCE, &contributor, json!({ "description": "x".repeat(1_048_577) })).0, 400);
    let same = json!({ "message": ["You can't use same project/branch for source and target"] });
    assert_eq!(
        post("/projects/src%2Fcurl/merge_requests", &maintainer, json!({ "source_branch": "c10s" })),
        (422, same)
    );
    sandbox.project("other/thing");
    sandbox.member("other/thing", "contributor", Role::Developer);
    let stranger = json!({ "message": ["Source project is not a fork of the target project"] });
    assert_eq!(post("/projects/other%2Fthing/merge_requests", &contributor, json!({})), (422, stranger));

    assert_eq!(post(SOURCE, &contributor, json!({})).0, 201);
    let twice = json!({ "message": ["Another open merge request already exists for this source branch: !1"] });
    assert_eq!(post(SOURCE, &contributor, json!({})), (409, twice));
    assert_eq!(
        get(&sandbox, &bot, &format!("{TARGET}/100000000000000000000")).pair(),
        (404, json!({ "message": "404 Not found" }))
    );
    sandbox.expect_write("POST", "*/merge_requests");
}

#[test]
fn lists_filter_and_page() {
    let (sandbox, bot, ..) = furnished();
    for number in 0..45 {
        let branch = format!("b{number}");
        sandbox.branch_at("contributor/curl", &branch, "fix");
        sandbox.open("contributor").from("contributor/curl", &branch).into("src/curl", "c10s").create();
    }
    sandbox.close("src/curl", 3, "contributor");
    let page = |query: &str| get(&sandbox, &bot, &format!("{TARGET}?{query}"));
    let iids = |query: &str| {
        let list = page(query).json();
        list.as_array().unwrap().iter().map(|request| request["iid"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let first = page("state=opened");
    let header = |name: &str| first.header(name).map(str::to_owned).unwrap_or_default();
    assert_eq!(
        ["x-page", "x-per-page", "x-next-page", "x-prev-page", "x-total", "x-total-pages"].map(header),
        ["1", "20", "2", "", "44", "3"]
    );
    assert!(header("link").contains("state=opened&page=2&per_page=20>; rel=\"next\""), "{}", header("link"));
    assert_eq!(first.json()[0]["iid"], 45, "newest first");
    assert_eq!(iids("page=3&per_page=20"), [5, 4, 3, 2, 1]);
    assert_eq!((iids("per_page=500").len(), iids("page=9")), (45, vec![]));
    assert_eq!(iids("source_branch=b7&target_branch=c10s&author_username=contributor&scope=all"), [8]);
    assert_eq!((iids("author_username=bot"), iids("state=closed"), iids("state=merged")), (vec![], vec![3], vec![]));
    assert_eq!(iids("iids[]=2&iids[]=9&sort=asc&order_by=updated_at"), [2, 9]);
    let fork = sandbox.inspect(|model| model.project("contributor/curl").unwrap().id);
    assert_eq!(iids(&format!("source_project_id={fork}&per_page=1")), [45]);
    assert_eq!(iids("updated_after=2099-01-01T00:00:00Z"), Vec::<u64>::new());
    assert_eq!(page("state=moon").pair(), (400, json!({ "error": "state does not have a valid value" })));
    let group = get(&sandbox, &bot, "/groups/src/merge_requests?state=opened&per_page=100");
    assert_eq!(group.json().as_array().unwrap().len(), 44);
    assert_eq!(get(&sandbox, &bot, "/merge_requests").json(), json!([]), "the bot's own, unless asked for all");
}

#[test]
fn changes_follow_gitlabs_rules() {
    let (sandbox, bot, contributor, maintainer) = furnished();
    let open = || sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    assert_eq!(open(), 1);
    let put = |token: &str, body: Value| call(&sandbox, token, "PUT", &format!("{TARGET}/1"), &body);
    assert_eq!(put(&bot, json!({ "title": "Mine" })).pair(), (403, json!({ "message": "403 Forbidden" })));
    let changed = put(&contributor, json!({ "title": "Better", "add_labels": "bug" })).json();
    assert_eq!((&changed["title"], &changed["labels"]), (&json!("Better"), &json!([])));
    assert_eq!(put(&maintainer, json!({ "add_labels": "bug,ci" })).json()["labels"], json!(["bug", "ci"]));
    assert_eq!(put(&maintainer, json!({ "remove_labels": "bug" })).json()["labels"], json!(["ci"]));
    assert_eq!(put(&contributor, json!({})).status, 400);
    assert_eq!(put(&contributor, json!({ "state_event": "explode" })).status, 400);

    let closed = put(&contributor, json!({ "state_event": "close" })).json();
    assert_eq!((&closed["state"], &closed["closed_by"]["username"]), (&json!("closed"), &json!("contributor")));
    assert_eq!(open(), 2);
    let twice = json!({ "message": ["Another open merge request already exists for this source branch: !2"] });
    assert_eq!(put(&contributor, json!({ "state_event": "reopen" })).pair(), (409, twice));
    sandbox.close("src/curl", 2, "contributor");
    assert_eq!(put(&contributor, json!({ "state_event": "reopen" })).json()["state"], "opened");
    sandbox.close("src/curl", 1, "contributor");
    sandbox.delete_branch("contributor/curl", "fix");
    assert_eq!(put(&contributor, json!({ "state_event": "reopen" })).json()["state"], "closed", "its branch is gone");
    let edited = format!("{TARGET}/1");
    assert!(sandbox.take_writes().iter().all(|write| write.method == "PUT" && write.path == edited));
}

#[test]
fn its_diff_may_take_a_moment() {
    let (sandbox, bot, ..) = furnished();
    sandbox.prepare_slowly(1);
    sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    let states = [0, 1].map(|_| get(&sandbox, &bot, &format!("{TARGET}/1")).json()["sha"].is_null());
    assert_eq!(states, [true, false]);
}

#[test]
fn branches_move_merge_requests() {
    let (sandbox, bot, ..) = furnished();
    sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    let second = sandbox.commit("contributor/curl", "fix", "More\n", &[("c", Some("c"))]);
    assert_eq!(sandbox.git("src/curl", &["rev-parse", "refs/merge-requests/1/head"]), second);
    let versions = get(&sandbox, &bot, &format!("{TARGET}/1/versions")).json();
    assert_fields(
        &versions[0],
        "id head_commit_sha base_commit_sha start_commit_sha created_at merge_request_id state real_size",
    );
    assert_eq!((versions.as_array().unwrap().len(), &versions[0]["head_commit_sha"]), (2, &json!(second)));

    sandbox.commit("src/curl", "c10s", "Other\n", &[("a.c", Some("other\n"))]);
    let conflicting = get(&sandbox, &bot, &format!("{TARGET}/1")).json();
    assert_eq!(
        (&conflicting["has_conflicts"], &conflicting["detailed_merge_status"]),
        (&json!(true), &json!("conflict"))
    );

    sandbox.delete_branch("contributor/curl", "fix");
    assert_eq!(sandbox.merge_request("src/curl", 1).state, State::Closed);
}

#[test]
fn merging_and_pushing_to_the_target_both_end_it() {
    let (sandbox, ..) = furnished();
    let open = || sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    sandbox.merge("src/curl", open(), "maintainer");
    let merged = sandbox.merge_request("src/curl", 1);
    assert_eq!((merged.state, merged.merge_commit), (State::Merged, sandbox.tip("src/curl", "c10s")));
    sandbox.commit("contributor/curl", "fix", "More\n", &[("c", Some("c"))]);
    let iid = open();
    let head = sandbox.git("src/curl", &["rev-parse", &format!("refs/merge-requests/{iid}/head")]);
    sandbox.branch_at("src/curl", "c10s", &head);
    assert_eq!(sandbox.merge_request("src/curl", iid).state, State::Merged);
}

#[test]
fn texts_act_by_themselves() {
    let (sandbox, _, contributor, _) = furnished();
    let mut body = proposal(target_id(&sandbox));
    body["description"] = json!("Closes #7\n/target_branch other\n/close\nThanks @maintainer and @nobody");
    let created = call(&sandbox, &contributor, "POST", SOURCE, &body).json();
    assert_eq!(created["description"], "Closes #7\nThanks @maintainer and @nobody");
    assert_eq!(created["state"], "closed");
    let acts: Vec<_> = sandbox.acts().into_iter().map(|act| (act.kind, act.text)).collect();
    let expected = [
        (ActKind::QuickAction, "/target_branch other"),
        (ActKind::QuickAction, "/close"),
        (ActKind::Mention, "@maintainer"),
        (ActKind::ClosingWord, "closes #7"),
    ];
    assert_eq!(acts, expected.map(|(kind, text)| (kind, text.to_owned())));
    assert!(sandbox.acts().iter().all(|act| act.place == Place::Description && act.merge_request == "src/curl!1"));
    sandbox.expect_write("POST", "*/merge_requests");
}

#[test]
fn in_an_archived_project_they_can_only_be_read() {
    let (sandbox, bot, contributor, _) = furnished();
    let target = target_id(&sandbox);
    assert_eq!(call(&sandbox, &contributor, "POST", SOURCE, &proposal(target)).status, 201);
    sandbox.expect_write("POST", SOURCE);
    sandbox.archive("src/curl");
    let notes = format!("{TARGET}/1/notes");
    assert_eq!(get(&sandbox, &bot, &notes).status, 200);
    assert_eq!(call(&sandbox, &contributor, "POST", &notes, &json!({ "body": "Hello" })).status, 403);
    assert_eq!(call(&sandbox, &contributor, "PUT", &format!("{TARGET}/1"), &json!({ "title": "x" })).status, 403);
    let listed = |query: &str| {
        let found = get(&sandbox, &bot, &format!("/groups/src/merge_requests?state=opened{query}")).json();
        found.as_array().unwrap().len()
    };
    assert_eq!((listed(""), listed("&non_archived=false")), (0, 1));
}
