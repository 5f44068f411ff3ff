//! `report` beside itself and beside `sync`, and with a GitLab that fails: whatever happens, one more call completes it,
//! and nothing is there twice.

use std::process::Stdio;

use gitlab_sandbox::Fault;

use super::world::{Case, statuses};
use crate::support::Run;
use crate::support::world::SOURCE;

/// The requests that write.
const WRITES: [(&str, &str); 2] = [("POST", "/projects/*/statuses/*"), ("PUT", "/projects/*/notes/*")];

/// The ways in which one request can fail once.
type Failure = (&'static str, fn(Fault) -> Fault);

const FAILURES: [Failure; 6] = [
    ("500", |fault| fault.status(500)),
    ("500 after the effect", |fault| fault.status_after(500)),
    ("429", |fault| fault.rate_limited(7)),
    ("429 of GitLab's own", Fault::limited_by_gitlab),
    ("cut before the effect", Fault::cut_before),
    ("cut after the effect", Fault::cut_after),
];

const HANGS: [Failure; 2] =
    [("hangs before the effect", Fault::hang_before), ("hangs after the effect", Fault::hang_after)];

fn all(state: &str) -> Vec<(String, String)> {
    let names = ["dist-git", "dist-git / build / mock", "dist-git / test / rpminspect"];
    statuses(&names.map(|name| (name, state)))
}

/// Checks that the page shows this state everywhere, and that everything is there once.
#[track_caller]
fn is_told(case: &Case, pipeline: u64, state: &str, circumstances: &str) {
    assert_eq!(case.shown(), all(state), "{circumstances}");
    let said = if state == "success" { "passed" } else { state };
    assert!(case.summary().starts_with(&format!("**dist-git CI: {said}**")), "{circumstances}: {}", case.summary());
    case.is_settled(pipeline);
}

/// Lets each write fail once in each of these ways, of statuses each of the first `posts`.
fn survives(case: &Case, failures: &[Failure], posts: usize) {
    let pipeline = case.pipeline();
    let mut states = ["running", "failed", "success"].iter().cycle();
    for (name, failure) in failures {
        for (method, path) in WRITES {
            for nth in 1..=(if method == "POST" { posts } else { 1 }) {
                let circumstances = format!("{method} number {nth}: {name}");
                let state = states.next().unwrap();
                // What runs again does so in new jobs.
                if *state == "running" {
                    for job in case.world.sandbox.jobs(pipeline).iter().filter(|job| !job.retried) {
                        case.world.sandbox.retry_job(job.id);
                    }
                }
                case.world.sandbox.set_all_jobs(pipeline, state);
                case.world.sandbox.fail(failure(Fault::on(method, path).nth(nth)));
                let run = case.world.run(&mut case.command(pipeline));
                assert!(matches!(run.status, Some(0 | 5)), "{circumstances}: {}", run.stderr);
                if run.status == Some(5) {
                    case.report(pipeline);
                }
                is_told(case, pipeline, state, &circumstances);
            }
        }
    }
}

#[test]
fn each_write_may_fail_once_in_each_way() {
    survives(&Case::from_branch().with_jobs(), &FAILURES, 3);
}

#[test]
fn each_write_may_hang_once() {
    let case = Case::from_branch();
    case.world.instance_reaching("timeout: 1", "results: jobs\n");
    survives(&case, &HANGS, 1);
}

#[test]
fn a_write_that_goes_on_failing_is_worth_a_retry() {
    let case = Case::from_branch().with_jobs();
    let pipeline = case.pipeline();
    for ((method, path), state) in WRITES.into_iter().zip(["failed", "success"]) {
        case.world.sandbox.set_all_jobs(pipeline, state);
        case.world.sandbox.fail(Fault::on(method, path).status(503).always());
        let run = case.world.run(&mut case.command(pipeline));
        case.world.sandbox.clear_faults();
        assert_eq!(run.status, Some(5), "{method}: {}", run.stderr);
        assert!(run.stderr.contains("503"), "{method}: {}", run.stderr);
        case.report(pipeline);
        is_told(&case, pipeline, state, method);
    }
}

/// The reads of a call, each of which another job's run may come before.
const READS: [(&str, &str); 6] = [
    ("GET", "/projects/*/pipelines/*"),
    ("GET", "/projects/src%2Fhello/merge_requests/*"),
    ("GET", "/projects/*/notes*"),
    ("GET", "/projects/*/merge_requests/*/pipelines"),
    ("GET", "/projects/*/jobs"),
    ("GET", "/projects/*/commits/*/statuses"),
];

#[test]
fn a_call_that_was_overtaken_leaves_what_is_newer() {
    for at in READS.into_iter().chain(WRITES) {
        let case = Case::from_branch().with_jobs();
        let pipeline = case.pipeline();
        case.world.sandbox.set_all_jobs(pipeline, "running");
        let (sandbox, mut other) = (case.world.sandbox.handle(), case.command(pipeline));
        case.world.sandbox.fail(Fault::on(at.0, at.1).meanwhile(move || {
            sandbox.set_all_jobs(pipeline, "success");
            Run::of(&mut other).ends_with(0);
        }));
        case.report(pipeline);
        assert_eq!(case.shown(), all("success"), "{at:?}");
        is_told(&case, pipeline, "success", &format!("{at:?}"));
    }
}

#[test]
fn a_sync_in_between_is_right_after_one_more_call() {
    for at in READS.into_iter().chain(WRITES) {
        let case = Case::from_branch().with_jobs();
        let pipeline = case.pipeline();
        case.world.sandbox.set_all_jobs(pipeline, "running");
        let (iid, sandbox) = (case.iid, case.world.sandbox.handle());
        let mut sync = case.world.program();
        sync.args(["sync", "--merge-request", &format!("{SOURCE}!{iid}")]);
        case.world.sandbox.fail(Fault::on(at.0, at.1).meanwhile(move || {
            sandbox.commit(SOURCE, "fix", "Greet\n", &[("README", Some("Hi.\n"))]);
            Run::of(&mut sync).ends_with(0);
        }));
        case.report(pipeline);
        if at.0 == "PUT" {
            // What sync wrote was overwritten in the moment between looking and writing.
            case.world.sync(iid, &[]).ends_with(0);
        }
        case.report_merge_request();
        let head = case.head();
        assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]), "{at:?}");
        assert_eq!(case.open_statuses(), [(head.clone(), "dist-git".to_owned())], "{at:?}");
        let note = case.note();
        assert!(
            case.summary().contains("has not started yet") && case.summary().contains(&head[..10]),
            "{at:?}: {note}"
        );
        assert!(note.contains(&format!("holds this one up to commit `{}`", &head[..10])), "{at:?}: {note}");
        case.world.sync(iid, &[]).ends_with(0);
        assert_eq!(case.note(), note, "{at:?}");
    }
}

#[test]
fn calls_that_are_started_together_agree_after_one_more() {
    let case = Case::from_branch().with_jobs();
    let pipeline = case.pipeline();
    for state in ["running", "success"] {
        case.world.sandbox.set_all_jobs(pipeline, state);
        let start =
            |mut command: std::process::Command| command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut sync = case.world.program();
        sync.args(["sync", "--merge-request", &format!("{SOURCE}!{}", case.iid)]);
        let jobs = [case.command(pipeline), case.command_of_merge_request(), sync].map(start);
        for job in jobs {
            let output = job.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        case.report(pipeline);
        is_told(&case, pipeline, state, state);
    }
}

#[test]
fn a_report_in_between_is_not_lost_by_a_sync_that_has_only_words_to_add() {
    let case = Case::from_fork();
    let sandbox = &case.world.sandbox;
    let pipeline = case.pipeline();
    sandbox.set_all_jobs(pipeline, "running");
    case.report(pipeline);
    // A conflict: dist-git stays as it is, and the note says why.
    sandbox.commit(SOURCE, "c9s", "Return two", &[("hello.c", Some("int main(void)\n{\n    return 2;\n}\n"))]);
    let (handle, mut report) = (sandbox.handle(), case.command(pipeline));
    sandbox.fail(Fault::on("GET", "*/hello.git/info/refs").meanwhile(move || {
        handle.set_all_jobs(pipeline, "success");
        Run::of(&mut report).ends_with(0);
    }));
    case.world.sync(case.iid, &[]).ends_with(3);
    let note = case.note();
    assert!(note.contains("conflicts with its target branch") && note.contains("**dist-git CI: passed**"), "{note}");
}
