//! `onboard` on repositories whose branches and tags are odd, and on servers that say odd things of them.

use base64::Engine as _;
use gitlab_sandbox::Fault;

use super::world::{DIST, ORIGINAL_SOURCE, SOURCE, World};

#[test]
fn names_that_steer_a_terminal_are_escaped_in_data_too() {
    let world = World::new();
    let name = "a\u{202e}b\u{9b}c";
    world.sandbox.branch_at(ORIGINAL_SOURCE, name, "main");
    world.sandbox.project(SOURCE);
    world.sandbox.commit(SOURCE, name, "Theirs", &[("THEIRS", Some("Theirs.\n"))]);
    let run = world.onboard(&["--output", "json"]);
    run.ends_with(0);
    let left = run.json()["left"].to_string();
    assert!(left.contains('a') && left.contains("merge by hand"), "{left}");
    let _ = world.written();
}

#[test]
fn a_branch_whose_place_is_taken_by_anothers_name_is_left_to_a_person() {
    let world = World::new();
    world.sandbox.project(SOURCE);
    world.sandbox.commit(SOURCE, "next", "Theirs", &[("THEIRS", Some("Theirs.\n"))]);
    world.sandbox.tag(SOURCE, "v1.0/x", "next", None);
    let run = world.onboard(&[]);
    run.ends_with(0);
    for left in ["next/c10s", "tags/v1.0"] {
        assert!(run.stdout.contains(&format!("     {left}\n")), "{left}: {}", run.stdout);
    }
    assert!(world.sandbox.tip(SOURCE, "c9s").is_some() && world.sandbox.tip(SOURCE, "next/c10s").is_none());
    let _ = world.written();
    world.onboard(&[]).ends_with(0);
    assert_eq!(world.written(), []);
}

#[test]
fn what_a_server_refuses_for_another_reason_is_not_put_down_to_a_role() {
    let world = World::new();
    world.sandbox.branch_at(ORIGINAL_SOURCE, &"a1".repeat(20), "main");
    let run = world.onboard(&[]);
    run.ends_with(1);
    assert!(run.stdout.contains("40-character hexadecimal branch name"), "{}", run.stdout);
    assert!(!run.stdout.contains("it takes the role"), "{}", run.stdout);
    let _ = world.written();
}

#[test]
fn what_is_no_branch_and_no_tag_is_not_copied() {
    let world = World::new();
    let _ = world.sandbox.git(ORIGINAL_SOURCE, &["update-ref", "refs/notes/refs/heads/x", "c9s"]);
    world.onboard(&[]).ends_with(0);
    assert!(!world.refs(SOURCE).iter().any(|name| name.starts_with("refs/notes/")));
    let _ = world.written();
}

#[test]
fn a_git_server_that_sends_the_login_back_does_not_have_it_told() {
    for role in [SOURCE, DIST] {
        let world = World::new();
        let login = format!("oauth2:{}", world.operator_token);
        let login = base64::engine::general_purpose::STANDARD.encode(login);
        let said = format!("denied: Basic {login} {}\n", world.operator_token);
        let push = Fault::on("GET", &format!("/{role}.git/info/refs")).nth(2);
        world.sandbox.fail(push.answer(403, "text/plain", &said));
        let run = world.onboard(&[]);
        run.ends_with(1);
        assert!(run.stdout.contains("denied: Basic"), "{} {}", run.stdout, run.stderr);
        assert!(!run.stdout.contains(&login) && !run.stderr.contains(&login), "{} {}", run.stdout, run.stderr);
        let _ = world.written();
    }
}

#[test]
fn thousands_of_tags_are_listed_to_the_last() {
    let world = World::new();
    let tip = world.sandbox.tip(ORIGINAL_SOURCE, "main").unwrap();
    let tags: String =
        (0..4500).map(|n| format!("reset refs/tags/kernel-{n}-{}\nfrom {tip}\n\n", "x".repeat(220))).collect();
    world.sandbox.import(ORIGINAL_SOURCE, tags.as_bytes());
    let run = world.onboard(&["--dry-run"]);
    run.ends_with(0);
    assert!(run.stdout.contains("3 branches and 4502 tags"), "{} {}", run.stdout, run.stderr);
    assert_eq!(world.written(), []);
}
