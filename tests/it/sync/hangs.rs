//! `sync` with a GitLab that accepts requests and never answers: the instance's `gitlab.timeout` ends them.

use gitlab_sandbox::Fault;

use super::faults::{FIRST, UPDATE};
use super::world::Case;

/// Patience for a second, so that the tests take few.
fn impatient(case: &Case) {
    case.world.instance_reaching("timeout: 1", "");
}

/// Where a request hangs: before GitLab does anything, or after it did it.
type Hang = (&'static str, fn(Fault) -> Fault);

const HANGS: [Hang; 2] =
    [("hangs before the effect", Fault::hang_before), ("hangs after the effect", Fault::hang_after)];

#[test]
fn a_first_sync_survives_each_write_that_hangs() {
    for (name, hang) in HANGS {
        let case = Case::new();
        impatient(&case);
        case.survives(name, FIRST.map(|(method, path)| hang(Fault::on(method, path))));
        case.is_settled(name);
    }
}

#[test]
fn an_update_survives_each_write_that_hangs() {
    let mut case = Case::synced();
    impatient(&case);
    for (name, hang) in HANGS {
        case.change();
        case.survives(name, UPDATE.map(|(method, path)| hang(Fault::on(method, path))));
    }
    case.is_settled("after all of it");
}

#[test]
fn reads_that_hang_are_repeated() {
    let mut case = Case::synced();
    impatient(&case);
    case.change();
    for (method, path) in [
        ("GET", "/projects/src%2Fhello/merge_requests/*"),
        ("GET", "/projects/rpms%2Fhello/merge_requests"),
        ("GET", "/src/hello.git/info/refs"),
        ("POST", "/rpms/hello.git/git-upload-pack"),
        ("GET", "/bot/hello.git/info/refs"),
    ] {
        case.world.sandbox.fail(Fault::on(method, path).hang_before());
    }
    case.sync().ends_with(0);
    case.is_in_step("each read hung once");
    case.is_settled("each read hung once");
}

#[test]
fn what_hangs_for_ever_is_worth_a_retry_and_says_so() {
    let mut case = Case::synced();
    impatient(&case);
    for (method, path, said) in [
        ("GET", "/user", "no answer from GitLab within 1 s"),
        ("POST", "*/git-receive-pack", "the git server cannot be reached"),
    ] {
        case.change();
        case.world.sandbox.fail(Fault::on(method, path).hang_before().always());
        let run = case.sync();
        case.world.sandbox.clear_faults();
        assert_eq!(run.status, Some(5), "{method} {path}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{method} {path}: {}", run.stderr);
    }
    case.sync().ends_with(0);
    case.is_in_step("at last");
    case.is_settled("at last");
}
