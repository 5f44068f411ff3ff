//! Comment commands: what each asks for, who may ask, and what is no command.

use gitlab_sandbox::{Fault, Role, State};
use serde_json::json;

use super::world::{BOT_FORK, Case};
use crate::support::world::{DIST, FIRST_SYNC, NOTED, SOURCE};

const DONE: [&str; 1] = ["white_check_mark"];
const REFUSED: [&str; 1] = ["no_entry_sign"];
const UNKNOWN: [&str; 1] = ["question"];
/// Of what must not be done twice, the claim is left beside the answer.
const CLAIMED_AND_DONE: [&str; 2] = ["eyes", "white_check_mark"];
const CLAIMED_AND_REFUSED: [&str; 2] = ["eyes", "no_entry_sign"];
const NOTHING: [&str; 0] = [];

#[test]
fn retest_is_for_developers_and_above() {
    let case = Case::new();
    for author in ["stranger", "reporter", "contributor"] {
        assert_eq!(case.says(author, "/dist-git retest"), REFUSED, "{author}");
    }
    assert_eq!(case.says("bot", "/dist-git retest"), NOTHING);
    assert_eq!((case.pipelines(), case.written()), (0, vec![]));
    for (number, author) in [(1, "developer"), (2, "maintainer")] {
        assert_eq!(case.says(author, "/dist-git retest"), CLAIMED_AND_DONE, "{author}");
        assert_eq!(case.pipelines(), number);
        let newest = case.world.sandbox.pipelines(BOT_FORK).pop().unwrap().id;
        assert!(case.note().contains(&format!("pipeline {newest}")), "{}", case.note());
        case.minutes_pass(11);
    }
    let _ = case.written();
}

#[test]
fn recreate_is_for_developers_and_above() {
    let case = Case::new();
    case.world.sandbox.close(DIST, 1, "maintainer");
    for author in ["stranger", "reporter", "contributor"] {
        assert_eq!(case.says(author, "/dist-git recreate"), REFUSED, "{author}");
    }
    assert_eq!(case.says("bot", "/dist-git recreate"), NOTHING);
    assert_eq!((case.dist_git(), case.written()), (vec![State::Closed], vec![]));
    for author in ["developer", "maintainer"] {
        assert_eq!(case.says(author, "/dist-git recreate"), CLAIMED_AND_DONE, "{author}");
        assert_eq!(case.dist_git(), [State::Opened]);
        case.world.sandbox.close(DIST, 1, "maintainer");
    }
    let _ = case.written();
}

#[test]
fn sync_is_for_developers_and_who_opened_the_merge_request() {
    let case = Case::new();
    case.world.change("Say more", &[("MORE", Some("More.\n"))]);
    for author in ["stranger", "reporter"] {
        assert_eq!(case.says(author, "/dist-git sync"), REFUSED, "{author}");
    }
    assert_eq!(case.says("bot", "/dist-git sync"), NOTHING);
    assert_eq!((case.world.patches(case.iid).len(), case.written()), (1, vec![]));
    for (patches, author) in [(2, "contributor"), (3, "developer"), (4, "maintainer")] {
        assert_eq!(case.says(author, "/dist-git sync"), DONE, "{author}");
        assert_eq!(case.world.patches(case.iid).len(), patches);
        case.world.change(author, &[(author, Some("More.\n"))]);
    }
    let _ = case.written();
}

#[test]
fn help_is_given_once_and_only_to_who_may_ask_for_anything() {
    let case = Case::new();
    for text in ["/dist-git help", "/dist-git rebuild"] {
        assert_eq!(case.says("stranger", text), REFUSED);
    }
    assert_eq!(case.says("bot", "/dist-git help"), NOTHING);
    assert_eq!((case.bots_comments().len(), case.written()), (2, vec![]));
    assert_eq!(case.says("contributor", "/dist-git rebuild"), UNKNOWN);
    let comments = case.bots_comments();
    assert_eq!(comments.len(), 3);
    assert!(comments[2].body.contains("**What you can ask the bot for**"), "{}", comments[2].body);
    assert_eq!(case.written(), [FIRST_SYNC[4]]);
    // Never again, whatever was not understood, and whoever asks.
    assert_eq!(case.says("contributor", "/dist-git rebuild"), UNKNOWN);
    assert_eq!(case.says("developer", "/dist-git help"), DONE);
    assert_eq!(case.says("maintainer", "/dist-git"), DONE);
    assert_eq!((case.bots_comments().len(), case.written()), (3, vec![]));
    // The bot's own words ask it for nothing.
    let note = case.bots_comments()[2].id;
    case.hear(note).ends_with(0);
    assert_eq!(case.reactions(note), NOTHING);
}

#[test]
fn a_role_in_a_group_around_counts_and_an_edited_comment_is_its_authors() {
    let case = Case::new();
    case.world.sandbox.group_member("src", "stranger", Role::Developer);
    assert_eq!(case.says("stranger", "/dist-git retest"), CLAIMED_AND_DONE);
    let theirs = case.comment("reporter", "It fails.");
    case.edit(theirs, "It fails.\n\n/dist-git retest");
    case.minutes_pass(11);
    case.hear(theirs).ends_with(0);
    assert_eq!((case.reactions(theirs), case.pipelines()), (vec!["no_entry_sign".to_owned()], 1));
    // A role that nobody has agreed to yet.
    let awaiting = r#"{"id": 7, "access_level": 40, "membership_state": "awaiting"}"#;
    let answer = Fault::on("GET", "*/members/all/*").answer(200, "application/json", awaiting);
    case.world.sandbox.fail(answer);
    assert_eq!(case.says("maintainer", "/dist-git retest"), REFUSED);
    // Who was blocked since keeps the role, which is worth nothing.
    let blocked = r#"{"id": 7, "access_level": 40, "state": "blocked", "membership_state": "active"}"#;
    case.world.sandbox.fail(Fault::on("GET", "*/members/all/*").answer(200, "application/json", blocked));
    assert_eq!(case.says("maintainer", "/dist-git retest"), REFUSED);
    let _ = case.written();
}

#[test]
fn case_and_white_space_are_forgiven() {
    let case = Case::new();
    for text in ["   /DIST-GIT   Retest  ", "Once more:\r\n\r\n/Dist-Git\tRETEST\r\nThank you!"] {
        assert_eq!(case.says("developer", text), CLAIMED_AND_DONE, "{text:?}");
        case.minutes_pass(11);
    }
    assert_eq!(case.pipelines(), 2);
    let _ = case.written();
}

#[test]
fn what_asks_for_nothing_costs_two_requests() {
    let case = Case::new();
    for text in [
        "Looks good.",
        "```\n/dist-git retest\n```",
        "> /dist-git retest",
        "> Somebody wrote\n/dist-git retest",
        "`/dist-git retest`",
        "<!--\n/dist-git retest\n-->",
        "    /dist-git retest",
        "Did you try /dist-git retest?",
    ] {
        let note = case.comment("maintainer", text);
        case.forget();
        let run = case.hear(note);
        run.ends_with(0);
        assert!(run.stderr.contains("asks the bot for nothing"), "{}", run.stderr);
        assert_eq!(case.world.sandbox.api_requests().len(), 2, "{text:?}");
    }
    // GitLab's own notes, in a person's name.
    let request = case.world.sandbox.merge_request(SOURCE, case.iid).id;
    let system = case.world.sandbox.arrange(|model| {
        let note = *model.notes.keys().last().unwrap();
        let note = model.notes.get_mut(&note).unwrap();
        (note.body, note.system, note.merge_request) = ("/dist-git retest".to_owned(), true, request);
        note.id
    });
    case.hear(system).ends_with(0);
    assert_eq!((case.reactions(system).len(), case.written()), (0, vec![]));
}

#[test]
fn a_comment_is_good_for_a_day_from_when_it_was_written() {
    let case = Case::new();
    let old = case.comment("maintainer", "/dist-git retest");
    let edited = case.comment("maintainer", "It fails.");
    case.minutes_pass(2 * 24 * 60);
    case.edit(edited, "/dist-git retest");
    for note in [old, edited] {
        case.hear(note).ends_with(0);
        assert_eq!(case.reactions(note), REFUSED);
    }
    let today = case.comment("maintainer", "It fails.");
    case.hear(today).ends_with(0);
    case.edit(today, "/dist-git retest");
    case.hear(today).ends_with(0);
    assert_eq!(case.reactions(today), CLAIMED_AND_DONE);
    assert_eq!(case.pipelines(), 1);
    let _ = case.written();
}

#[test]
fn what_was_answered_is_not_looked_at_again() {
    let case = Case::new();
    let notes = ["/dist-git retest", "/dist-git sync", "/dist-git help", "/dist-git what", "/dist-git recreate"]
        .map(|text| case.comment("maintainer", text));
    let refused = case.comment("stranger", "/dist-git sync");
    for note in notes.into_iter().chain([refused]) {
        case.hear(note).ends_with(0);
    }
    let answers = |case: &Case| notes.into_iter().chain([refused]).map(|note| case.reactions(note)).collect::<Vec<_>>();
    let before = answers(&case);
    case.forget();
    // Whatever has changed since: time, the text, the role, and dist-git.
    case.minutes_pass(60);
    case.edit(notes[1], "/dist-git recreate");
    case.world.sandbox.member(SOURCE, "stranger", Role::Maintainer);
    case.world.sandbox.close(DIST, 1, "maintainer");
    for note in notes.into_iter().chain([refused]) {
        let run = case.hear(note);
        run.ends_with(0);
        assert!(run.stderr.contains("was answered before"), "{}", run.stderr);
    }
    assert_eq!(answers(&case), before);
    assert_eq!(
        (case.world.sandbox.take_writes().len(), case.pipelines(), case.dist_git()),
        (0, 1, vec![State::Closed])
    );
}

#[test]
fn there_is_one_pipeline_in_ten_minutes() {
    let case = Case::new();
    assert_eq!(case.says("developer", "/dist-git retest"), CLAIMED_AND_DONE);
    assert_eq!(case.says("maintainer", "/dist-git retest"), CLAIMED_AND_REFUSED);
    case.minutes_pass(9);
    assert_eq!(case.says("maintainer", "/dist-git retest"), CLAIMED_AND_REFUSED);
    assert_eq!(case.pipelines(), 1);
    case.minutes_pass(2);
    assert_eq!(case.says("maintainer", "/dist-git retest"), CLAIMED_AND_DONE);
    assert_eq!(case.pipelines(), 2);
    let _ = case.written();
}

#[test]
fn where_the_bot_may_start_none_the_note_says_who_can() {
    let case = Case::new();
    case.set_pipelines_in_the_fork("disabled");
    assert_eq!(case.says("developer", "/dist-git retest"), CLAIMED_AND_REFUSED);
    let pair = case.world.opened();
    let button = format!("{}/{DIST}/-/merge_requests/{}/pipelines", case.world.sandbox.url(), pair.iid);
    let note = case.note();
    assert!(note.contains("a Developer of `rpms/hello`") && note.contains(&button), "{note}");
    assert!(note.contains("Insufficient permissions"), "{note}");
    assert_eq!(case.written(), [NOTED]);
    // It stays as long as it holds, and whoever asks again adds nothing.
    case.world.synced(case.iid);
    assert_eq!(case.says("developer", "/dist-git retest"), CLAIMED_AND_REFUSED);
    assert_eq!((case.note(), case.written()), (note, vec![]));
    // It goes with a pipeline.
    case.set_pipelines_in_the_fork("enabled");
    assert_eq!(case.says("developer", "/dist-git retest"), CLAIMED_AND_DONE);
    assert!(!case.note().contains("may not start one"), "{}", case.note());
    // And with a push.
    case.set_pipelines_in_the_fork("disabled");
    case.minutes_pass(11);
    assert_eq!(case.says("developer", "/dist-git retest"), CLAIMED_AND_REFUSED);
    assert!(case.note().contains("may not start one"), "{}", case.note());
    case.world.change("Say more", &[("MORE", Some("More.\n"))]);
    case.world.synced(case.iid);
    assert!(!case.note().contains("may not start one"), "{}", case.note());
    let _ = case.written();
}

#[test]
fn recreate_goes_over_what_people_did_in_dist_git() {
    let case = Case::new();
    let sandbox = &case.world.sandbox;
    let branch = format!("c9s-src-{}", case.iid);
    sandbox.commit(BOT_FORK, &branch, "Fix the spec", &[("hello.spec", Some("Name: hello\n"))]);
    let sync = case.comment("maintainer", "/dist-git sync");
    case.hear(sync).ends_with(3);
    assert_eq!(case.reactions(sync), ["x"]);
    assert_eq!(case.says("maintainer", "/dist-git recreate"), CLAIMED_AND_DONE);
    assert!(case.world.message(case.iid).contains("From-source-git-commit: "));
    assert_eq!(case.dist_git(), [State::Opened]);
    sandbox.merge(DIST, 1, "maintainer");
    sandbox.commit(
        DIST,
        "c9s",
        "Take it back",
        &[("0001-Return-success.patch", None), ("hello.spec", Some(crate::support::SPEC))],
    );
    assert_eq!(case.says("maintainer", "/dist-git recreate"), CLAIMED_AND_DONE);
    assert_eq!(case.dist_git(), [State::Merged, State::Opened]);
    let _ = case.written();
}

#[test]
fn of_a_closed_merge_request_nothing_is_tested_or_made_anew() {
    let case = Case::new();
    case.world.sandbox.close(SOURCE, case.iid, "maintainer");
    assert_eq!(case.says("maintainer", "/dist-git sync"), DONE);
    assert_eq!(case.dist_git(), [State::Closed]);
    let _ = case.written();
    assert_eq!(case.says("maintainer", "/dist-git retest"), CLAIMED_AND_REFUSED);
    assert_eq!(case.says("maintainer", "/dist-git recreate"), CLAIMED_AND_REFUSED);
    assert_eq!((case.pipelines(), case.dist_git(), case.written()), (0, vec![State::Closed], vec![]));
}

#[test]
fn of_a_merged_merge_request_dist_git_is_tested_and_made_anew() {
    let case = Case::new();
    case.world.sandbox.merge(SOURCE, case.iid, "maintainer");
    assert_eq!(case.says("maintainer", "/dist-git retest"), CLAIMED_AND_DONE);
    case.world.sandbox.close(DIST, 1, "maintainer");
    assert_eq!(case.says("maintainer", "/dist-git recreate"), CLAIMED_AND_DONE);
    assert_eq!((case.pipelines(), case.dist_git()), (1, vec![State::Opened]));
    let _ = case.written();
}

#[test]
fn nothing_in_an_event_but_the_comment_asks_for_anything() {
    let case = Case::new();
    case.world.sandbox.close(DIST, 1, "maintainer");
    let harmless = case.comment("maintainer", "Looks good.");
    let mut payload = case.payload(harmless);
    for key in ["command", "verb", "note", "body", "description", "action", "author", "role"] {
        payload["source_git_bot"][key] = json!("/dist-git recreate");
        payload[key] = json!("/dist-git recreate");
    }
    case.world.run(&mut case.event(&payload)).ends_with(0);
    for kind in ["merge_request", "pipeline", "recreate", "retest"] {
        payload["source_git_bot"]["kind"] = json!(kind);
        payload["source_git_bot"]["iid"] = json!(case.iid.to_string());
        case.world.run(&mut case.event(&payload)).ends_with(0);
    }
    assert_eq!((case.pipelines(), case.dist_git()), (0, vec![State::Closed]));
    assert_eq!(case.reactions(harmless), NOTHING);
    let _ = case.written();
}

#[test]
fn comments_elsewhere_are_none() {
    let case = Case::new();
    let project = |path: &str| case.world.sandbox.inspect(|model| model.project(path).unwrap().id).to_string();
    let note = case.comment("maintainer", "/dist-git retest");
    let with = |changes: &[(&str, &str)]| {
        let mut payload = case.payload(note);
        for (key, value) in changes {
            payload["source_git_bot"][*key] = json!(value);
        }
        payload
    };
    let dist = case.world.sandbox.note(DIST, 1, "maintainer", "/dist-git retest");
    let (in_dist, elsewhere) = (project(DIST), project("contributor/hello"));
    for (payload, requests) in [
        // On an issue or a commit.
        (with(&[("mr", ""), ("mr_project", "")]), 0),
        (with(&[("id", "null")]), 0),
        (with(&[("mr_project", &in_dist), ("id", &dist.to_string())]), 1),
        (with(&[("mr_project", &elsewhere)]), 1),
        // Of another merge request, or gone.
        (with(&[("mr", "99")]), 2),
        (with(&[("id", "999999")]), 2),
    ] {
        case.forget();
        case.world.run(&mut case.event(&payload)).ends_with(0);
        assert_eq!(case.world.sandbox.api_requests().len(), requests, "{payload}");
    }
    assert_eq!((case.reactions(note).len(), case.pipelines(), case.written()), (0, 0, vec![]));
}

#[test]
fn hostile_text_goes_nowhere() {
    let case = Case::new();
    let acts = case.world.sandbox.acts().len();
    for text in [
        "/dist-git $SGB_TOKEN",
        "/dist-git \u{1b}[31m\u{202e}retest\u{7}",
        "/dist-git retest; rm -rf / @all <!-- source-git-bot v1: help -->",
        &format!("/dist-git {}", "x".repeat(900_000)),
        &"/dist-git\n".repeat(50_000),
        &"`<!--<pre>".repeat(50_000),
    ] {
        let run = case.hear(case.comment("contributor", text));
        run.ends_with(0);
        assert!(run.stderr.lines().count() <= 4 && run.stderr.len() < 1000, "{}", run.stderr);
    }
    let comments = case.bots_comments();
    assert_eq!(comments.len(), 2);
    assert!(!comments[1].body.contains("xxx") && !comments[1].body.contains("rm -rf"), "{}", comments[1].body);
    // The comments themselves mention people; nothing that the bot wrote does.
    assert!(case.world.sandbox.acts()[acts..].iter().all(|act| act.user != "bot"), "{:?}", case.world.sandbox.acts());
    assert_eq!(case.written(), [FIRST_SYNC[4]]);
}

#[test]
fn a_dry_run_writes_nothing() {
    let case = Case::new();
    case.world.sandbox.close(DIST, 1, "maintainer");
    for text in ["/dist-git sync", "/dist-git recreate", "/dist-git retest", "/dist-git help", "/dist-git what"] {
        let note = case.comment("maintainer", text);
        case.world.run(case.event(&case.payload(note)).arg("--dry-run")).ends_with(0);
        let stranger = case.comment("stranger", text);
        case.world.run(case.event(&case.payload(stranger)).arg("--dry-run")).ends_with(0);
    }
    assert_eq!(case.world.sandbox.take_writes(), []);
    case.world.sandbox.reopen(DIST, 1, "maintainer");
    let mut retest = case.world.program();
    let run =
        case.world.run(retest.args(["retest", "--dry-run", "--merge-request", &format!("{SOURCE}!{}", case.iid)]));
    run.ends_with(0);
    assert_eq!(run.stdout, format!("would start a pipeline for {DIST}!1\n"));
    assert_eq!(case.world.sandbox.take_writes(), []);
}

#[test]
fn a_person_can_ask_on_the_command_line() {
    let case = Case::new();
    let run = |command: &str| {
        let mut program = case.world.program();
        case.world.run(program.args([command, "--merge-request", &format!("{SOURCE}!{}", case.iid)]))
    };
    run("retest").ends_with(0);
    let soon = run("retest");
    soon.ends_with(3);
    assert!(soon.stderr.contains("not ten minutes old") && soon.stderr.contains("hint: "), "{}", soon.stderr);
    assert_eq!(case.pipelines(), 1);
    case.minutes_pass(11);
    case.set_pipelines_in_the_fork("disabled");
    run("retest").ends_with(3);
    assert!(case.note().contains("Run pipeline"), "{}", case.note());
    case.world.sandbox.close(DIST, 1, "maintainer");
    run("retest").ends_with(3);
    run("recreate").ends_with(0);
    assert_eq!(case.dist_git(), [State::Opened]);
    case.world.sandbox.close(SOURCE, case.iid, "maintainer");
    run("recreate").ends_with(3);
    for command in ["retest", "recreate"] {
        case.world.run(case.world.program().arg(command)).ends_with(2);
        let elsewhere = case.world.run(case.world.program().args([command, "--merge-request", "else/where!1"]));
        elsewhere.ends_with(0);
    }
    let _ = case.written();
}
