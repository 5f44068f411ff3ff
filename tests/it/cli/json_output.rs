//! What holds for the JSON of every command: one object, its format, no character that a terminal acts on, and errors.
//! The keys of each command are in `guide/json.rs`.

use serde_json::{Value, json};

use crate::support::world::{DIST, World};

/// What people can write and a terminal would act on: C1 controls, DEL, bidirectional overrides.
const HOSTILE: &str = "a\u{9b}31mb\u{202e}c\u{7f}d\u{85}e";

/// Parses the one object on standard output, in which nothing steers a terminal.
fn object(stdout: &str) -> Value {
    let unsafe_characters: Vec<_> =
        stdout.chars().filter(|c| *c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(c))).collect();
    assert!(unsafe_characters.is_empty(), "{unsafe_characters:?} in {stdout}");
    let value: Value = serde_json::from_str(stdout).unwrap();
    assert_eq!(value["format"], 2);
    value
}

#[test]
fn a_description_that_somebody_edited_does_not_reach_a_terminal_as_it_is() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let opened = world.opened();
    let edited = format!("{HOSTILE}\n\n{}", opened.description);
    world.sandbox.set_description(DIST, opened.iid, "maintainer", &edited);
    world.change("More", &[("MORE", Some("More.\n"))]);
    let run = world.sync(iid, &["--dry-run", "--output", "json"]);
    run.ends_with(0);
    let plan = object(&run.stdout);
    let steps = plan["steps"].as_array().unwrap();
    let edit = steps.iter().find(|step| step["step"] == "edit_merge_request");
    // The text itself is whole: only its form in JSON is escaped.
    if let Some(before) = edit.and_then(|edit| edit["description"]["before"].as_str()) {
        assert!(before.contains(HOSTILE), "{before}");
    }
    let note = steps.iter().find(|step| step["step"] == "edit_note").unwrap();
    assert!(note["text"]["after"].as_str().unwrap().contains("rpms/hello!"), "{note}");
}

#[test]
fn hostile_titles_are_escaped_in_plans_and_keep_their_text() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let opened = world.opened();
    world.sandbox.set_description(DIST, opened.iid, "maintainer", HOSTILE);
    let run = world.sync(iid, &["--dry-run", "--output", "json"]);
    run.ends_with(0);
    let plan = object(&run.stdout);
    let edit = plan["steps"].as_array().unwrap().iter().find(|step| step["step"] == "edit_merge_request").unwrap();
    assert_eq!(edit["description"]["before"], HOSTILE);
}

#[test]
fn a_refusal_is_data_too() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.delete_branch(DIST, "c9s");
    let dry = world.sync(iid, &["--dry-run", "--output", "json"]);
    dry.ends_with(3);
    let plan = object(&dry.stdout);
    assert_eq!((&plan["operation"], &plan["can_be_synced"]), (&json!("sync"), &json!(false)));
    assert_eq!(plan["refusal"]["text"], "the dist-git project rpms/hello has no branch `c9s`");
    let run = world.sync(iid, &["--output", "json"]);
    run.ends_with(3);
    assert_eq!(
        object(&run.stdout),
        json!({
            "format": 2,
            "error": {
                "exit_status": 3,
                "text": "the dist-git project rpms/hello has no branch `c9s`",
                "caused_by": [],
                "hint": "choose another target branch, or ask the package's maintainers to create the branch in dist-git",
            },
        })
    );
    assert_eq!(world.written(), [format!("POST src/hello/merge_requests/{iid}/notes")]);
}

#[test]
fn an_error_before_the_work_begins_is_data_and_text() {
    let world = World::new();
    let run = world.run(world.program().args(["sync", "--merge-request", "elsewhere", "--output", "json"]));
    run.ends_with(2);
    let error = &object(&run.stdout)["error"];
    assert_eq!((&error["exit_status"], &error["text"]), (&json!(2), &json!("`elsewhere` is not a merge request")));
    assert!(error["hint"].as_str().unwrap().starts_with("name a merge request by its address"), "{error}");
    assert!(run.stderr.contains("error: `elsewhere` is not a merge request\n"), "{}", run.stderr);
}
