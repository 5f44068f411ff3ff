//! Comment commands beside themselves, killed, and with a GitLab that fails: nothing is done twice.

use std::process::Stdio;

use gitlab_sandbox::{Fault, State};

use super::world::{BOT_FORK, Case};
use crate::support::world::DIST;

const REACTION: (&str, &str) = ("POST", "*/award_emoji");
const PIPELINE: (&str, &str) = ("POST", "*/merge_requests/1/pipelines");

fn on((method, path): (&str, &str)) -> Fault {
    Fault::on(method, path)
}

#[test]
fn of_two_jobs_at_once_one_does_it() {
    let case = Case::new();
    for round in 1..=3 {
        let note = case.comment("developer", "/dist-git retest");
        let jobs = [0, 1].map(|_| {
            let mut job = case.event(&case.payload(note));
            job.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        });
        for mut job in jobs {
            assert_eq!(job.wait().unwrap().code(), Some(0));
        }
        assert_eq!(case.pipelines(), round);
        assert_eq!(case.reactions(note), ["eyes", "white_check_mark"]);
        case.minutes_pass(11);
    }
    let _ = case.written();
}

#[test]
fn where_gitlab_takes_two_claims_the_older_one_holds() {
    let case = Case::new();
    let note = case.comment("developer", "/dist-git retest");
    let handle = case.world.sandbox.handle();
    // GitLab checks that there is none, and then writes: another job's may have come in between.
    case.world.sandbox.after_each_write(move |write| {
        if write.path.ends_with("/award_emoji") {
            handle.arrange(|model| {
                let bot = model.user("bot").unwrap().id;
                model.notes.get_mut(&note).unwrap().reactions.insert(0, (1, bot, "eyes".to_owned()));
            });
        }
    });
    case.hear(note).ends_with(0);
    assert_eq!((case.pipelines(), case.written()), (0, vec![]));
}

#[test]
fn two_jobs_at_once_explain_the_commands_once() {
    let case = Case::new();
    let (first, second) = (case.comment("developer", "/dist-git help"), case.comment("maintainer", "/dist-git huh"));
    let jobs = [first, second].map(|note| {
        let mut job = case.event(&case.payload(note));
        job.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    });
    for mut job in jobs {
        assert_eq!(job.wait().unwrap().code(), Some(0));
    }
    assert_eq!(case.bots_comments().len(), 2);
    assert_eq!(
        (case.reactions(first), case.reactions(second)),
        (vec!["white_check_mark".into()], vec!["question".into()])
    );
    let _ = case.written();
}

#[test]
fn what_a_killed_job_has_claimed_is_seen_and_not_done_again() {
    for command in ["retest", "recreate"] {
        let case = Case::new();
        case.world.sandbox.close(DIST, 1, "maintainer");
        let note = case.comment("developer", &format!("/dist-git {command}"));
        let mut job = case.event(&case.payload(note));
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let receiver = std::sync::Mutex::new(receiver);
        let (claimed, wait) = std::sync::mpsc::channel();
        case.world.sandbox.after_each_write(move |_| {
            claimed.send(()).unwrap();
            let _ = receiver.lock().unwrap().recv();
        });
        let mut job = job.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait.recv().unwrap();
        job.kill().unwrap();
        job.wait().unwrap();
        case.world.sandbox.clear_write_hooks();
        drop(sender);
        assert_eq!(case.reactions(note), ["eyes"]);
        let run = case.hear(note);
        run.ends_with(0);
        assert!(run.stderr.contains("has begun with what the comment asks for"), "{}", run.stderr);
        assert_eq!((case.reactions(note), case.pipelines()), (vec!["eyes".to_owned()], 0));
        assert_eq!(case.dist_git(), [State::Closed]);
        // Another comment does it.
        if command == "recreate" {
            case.hear(case.comment("developer", "/dist-git recreate")).ends_with(0);
            assert_eq!(case.dist_git(), [State::Opened]);
        }
        let _ = case.written();
    }
}

#[test]
fn what_a_passing_failure_broke_off_is_done_by_the_retry() {
    for (command, breaks) in [
        ("retest", ("GET", "*/members/all/*")),
        ("retest", ("GET", "*/merge_requests/1/pipelines")),
        ("recreate", ("PUT", "*/merge_requests/1")),
        ("recreate", ("GET", "/src/hello.git/*")),
        ("sync", ("PUT", "*/notes/*")),
        ("help", ("POST", "*/notes")),
    ] {
        let case = Case::new();
        if command == "recreate" {
            case.world.sandbox.close(DIST, 1, "maintainer");
        } else if command == "sync" {
            case.world.change("Say more", &[("MORE", Some("More.\n"))]);
        }
        let note = case.comment("developer", &format!("/dist-git {command}"));
        case.world.sandbox.fail(on(breaks).status(503).always());
        let run = case.hear(note);
        assert_eq!(run.status, Some(5), "{command}: {}", run.stderr);
        assert_eq!(case.reactions(note), [""; 0], "{command}");
        case.world.sandbox.clear_faults();
        case.hear(note).ends_with(0);
        assert_eq!(case.reactions(note).last().map(String::as_str), Some("white_check_mark"), "{command}");
        match command {
            "retest" => assert_eq!(case.pipelines(), 1),
            "recreate" => assert_eq!(case.dist_git(), [State::Opened]),
            "sync" => assert_eq!(case.world.patches(case.iid).len(), 2),
            _ => assert_eq!(case.bots_comments().len(), 2),
        }
        let _ = case.written();
    }
}

#[test]
fn a_pipeline_whose_answer_was_lost_is_looked_for() {
    for failure in [|fault: Fault| fault.status_after(502), Fault::cut_after] {
        let case = Case::new();
        let note = case.comment("developer", "/dist-git retest");
        case.world.sandbox.fail(failure(on(PIPELINE)));
        case.hear(note).ends_with(0);
        assert_eq!((case.pipelines(), case.reactions(note).len()), (1, 2));
        assert_eq!(case.reactions(note)[1], "white_check_mark");
        let _ = case.written();
    }
    // Where there is none, it may still come: nobody tries again by itself.
    for failure in [|fault: Fault| fault.status(502), Fault::cut_before] {
        let case = Case::new();
        let note = case.comment("developer", "/dist-git retest");
        case.world.sandbox.fail(failure(on(PIPELINE)));
        case.hear(note).ends_with(5);
        assert_eq!((case.pipelines(), case.reactions(note)), (0, vec!["eyes".to_owned(), "x".to_owned()]));
        case.hear(note).ends_with(0);
        assert_eq!((case.pipelines(), case.written()), (0, vec![]));
    }
}

#[test]
fn a_pipeline_that_was_started_stays_the_only_one_whatever_fails_after() {
    let case = Case::new();
    let note = case.comment("developer", "/dist-git retest");
    case.world.sandbox.fail(Fault::on("PUT", "*/notes/*").status(503).always());
    case.hear(note).ends_with(5);
    case.world.sandbox.clear_faults();
    assert_eq!(case.reactions(note), ["eyes", "white_check_mark"]);
    case.hear(note).ends_with(0);
    assert_eq!(case.pipelines(), 1);
    let _ = case.written();
}

#[test]
fn a_claim_that_cannot_be_made_or_is_not_known_runs_nothing() {
    // GitLab does not let the bot react: archived, or the discussion is locked.
    let case = Case::new();
    let note = case.comment("developer", "/dist-git retest");
    case.world.sandbox.fail(on(REACTION).status(403).always());
    case.hear(note).ends_with(1);
    case.world.sandbox.clear_faults();
    assert_eq!(case.pipelines(), 0);
    // The answer was lost, and the claim may be another job's.
    for lost in [|fault: Fault| fault.status_after(502), Fault::cut_after] {
        let note = case.comment("developer", "/dist-git retest");
        case.world.sandbox.fail(lost(on(REACTION)));
        let run = case.hear(note);
        run.ends_with(0);
        assert!(run.stderr.contains("is not known, so it is not done here"), "{}", run.stderr);
        assert_eq!((case.reactions(note), case.pipelines()), (vec!["eyes".to_owned(), "x".to_owned()], 0));
        // It was answered.
        case.hear(note).ends_with(0);
        assert_eq!(case.pipelines(), 0);
    }
    // It was lost on the way there.
    let note = case.comment("developer", "/dist-git retest");
    case.world.sandbox.fail(on(REACTION).cut_before());
    case.hear(note).ends_with(5);
    case.hear(note).ends_with(0);
    assert_eq!(case.pipelines(), 1);
    let _ = case.written();
}

#[test]
fn a_comment_that_is_removed_meanwhile_needs_no_answer() {
    let case = Case::new();
    let note = case.comment("developer", "/dist-git retest");
    let handle = case.world.sandbox.handle();
    let gone = move || {
        handle.arrange(|model| model.notes.remove(&note));
    };
    case.world.sandbox.fail(on(PIPELINE).meanwhile(gone));
    case.hear(note).ends_with(0);
    assert_eq!(case.pipelines(), 1);
    assert_eq!(case.world.sandbox.pipelines(BOT_FORK).len(), 1);
    case.hear(note).ends_with(0);
    let _ = case.written();
}

#[test]
fn reconcile_asks_nobody_and_does_no_command() {
    let case = Case::new();
    case.world.sandbox.close(DIST, 1, "maintainer");
    case.world.synced(case.iid);
    let note = case.comment("maintainer", "/dist-git recreate");
    case.world.run(case.world.program().arg("reconcile")).ends_with(0);
    assert_eq!((case.reactions(note).len(), case.dist_git()), (0, vec![State::Closed]));
    let _ = case.written();
}
