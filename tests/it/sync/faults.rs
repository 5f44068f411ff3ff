//! `sync` beside itself, killed, and with a GitLab that fails: whatever happens, a rerun completes it, and nothing is
//! there twice.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use gitlab_sandbox::Fault;

use super::world::{BOT_FORK, Case, FROM, change};
use crate::support::Run;
use crate::support::world::{DIST, SOURCE};

/// The requests that write, in their order: of a first sync, and of one after a change.
pub(crate) const FIRST: [(&str, &str); 4] = [
    ("POST", "/projects/*/fork"),
    ("POST", "*/git-receive-pack"),
    ("POST", "/projects/*/merge_requests"),
    ("POST", "/projects/*/notes"),
];
pub(crate) const UPDATE: [(&str, &str); 3] =
    [("POST", "*/git-receive-pack"), ("PUT", "/projects/*/merge_requests/1"), ("PUT", "/projects/*/notes/*")];

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

#[test]
fn a_first_sync_survives_each_failure_of_each_write() {
    for (name, failure) in FAILURES {
        let case = Case::new();
        case.survives(name, FIRST.map(|(method, path)| failure(Fault::on(method, path))));
        case.is_settled(name);
    }
}

#[test]
fn an_update_survives_each_failure_of_each_write() {
    let mut case = Case::synced();
    for (name, failure) in FAILURES {
        case.change();
        case.survives(name, UPDATE.map(|(method, path)| failure(Fault::on(method, path))));
    }
    case.is_settled("after all of it");
}

#[test]
fn a_write_that_goes_on_failing_ends_with_worth_a_retry() {
    let check = |case: &Case, (method, path)| {
        case.world.sandbox.fail(Fault::on(method, path).status(503).always());
        let run = case.sync();
        case.world.sandbox.clear_faults();
        assert_eq!(run.status, Some(5), "{method} {path}: {}", run.stderr);
        assert!(run.stderr.contains("503"), "{method} {path}: {}", run.stderr);
    };
    let mut case = Case::new();
    for write in FIRST {
        check(&case, write);
    }
    case.sync().ends_with(0);
    case.is_in_step("a first sync at last");
    case.change();
    for write in UPDATE {
        check(&case, write);
    }
    case.sync().ends_with(0);
    case.is_in_step("an update at last");
    case.is_settled("an update at last");
}

#[test]
fn reads_that_fail_are_repeated_or_worth_a_retry() {
    let mut case = Case::synced();
    let reads = [
        ("GET", "/projects/src%2Fhello/merge_requests/*"),
        ("GET", "/user"),
        ("GET", "/projects/*/notes*"),
        ("GET", "/projects/rpms%2Fhello/merge_requests"),
        ("GET", "/src/hello.git/info/refs"),
        ("POST", "/src/hello.git/git-upload-pack"),
        ("GET", "/rpms/hello.git/info/refs"),
        ("POST", "/bot/hello.git/git-upload-pack"),
    ];
    case.change();
    let faults = reads.into_iter().enumerate().map(|(number, (method, path))| {
        let (_, failure) = FAILURES[[0, 2, 4][number % 3]];
        failure(Fault::on(method, path))
    });
    faults.for_each(|fault| case.world.sandbox.fail(fault));
    case.sync().ends_with(0);
    case.is_in_step("each read failed once");
    case.change();
    for (number, (method, path)) in reads.into_iter().enumerate() {
        let (name, failure) = FAILURES[[2, 4, 0][number % 3]];
        case.world.sandbox.fail(failure(Fault::on(method, path)).always());
        let run = case.sync();
        case.world.sandbox.clear_faults();
        assert_eq!(run.status, Some(5), "{method} {path}: {name}: {}", run.stderr);
    }
    case.sync().ends_with(0);
    case.is_in_step("each read went on failing");
    case.is_settled("each read went on failing");
}

/// Runs the program and kills it right after its write number `n`, before that is answered.
fn killed_after(case: &Case, n: usize) {
    let pid = Arc::new(OnceLock::new());
    let (count, victim) = (AtomicUsize::new(0), Arc::clone(&pid));
    case.world.sandbox.after_each_write(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) + 1 == n {
            let pid: &u32 = victim.wait();
            assert!(Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status().unwrap().success());
        }
    });
    let mut child = case.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    pid.set(child.id()).unwrap();
    let status = child.wait().unwrap();
    case.world.sandbox.clear_write_hooks();
    assert_eq!(status.code(), None, "it was not killed after write {n}");
}

#[test]
fn a_sync_killed_after_any_write_is_completed_by_the_next() {
    for n in 1..=FIRST.len() {
        let mut case = Case::new();
        killed_after(&case, n);
        let circumstances = format!("killed after write {n}");
        case.sync().ends_with(0);
        case.is_in_step(&circumstances);
        case.is_settled(&circumstances);
        if n <= UPDATE.len() {
            case.change();
            killed_after(&case, n);
            case.sync().ends_with(0);
            case.is_in_step(&format!("update {circumstances}"));
            case.is_settled(&format!("update {circumstances}"));
        }
    }
}

/// Lets another job for the same merge request run to its end just before a request is answered.
fn another_job_at(case: &Case, (method, path): (&str, &str), before_that: impl FnOnce() + Send + 'static) {
    let mut other = case.command();
    let mut before_that = Some(before_that);
    case.world.sandbox.fail(Fault::on(method, path).meanwhile(move || {
        before_that.take().unwrap()();
        Run::of(&mut other).ends_with(0);
    }));
}

#[test]
fn two_jobs_at_once_make_one_pair() {
    for at in FIRST {
        let case = Case::new();
        another_job_at(&case, at, || {});
        let circumstances = format!("another job at {at:?}");
        let run = case.sync();
        assert_eq!(run.status, Some(0), "{circumstances}: {}", run.stderr);
        case.is_in_step(&circumstances);
        case.is_settled(&circumstances);
    }
}

#[test]
fn a_job_that_was_overtaken_leaves_what_is_newer() {
    for at in FIRST {
        let case = Case::new();
        let (sandbox, iid) = (case.world.sandbox.handle(), case.iid);
        another_job_at(&case, at, move || change(&sandbox, iid, 1));
        let circumstances = format!("overtaken at {at:?}");
        let run = case.sync();
        assert_eq!(run.status, Some(0), "{circumstances}: {}", run.stderr);
        case.is_in_step(&circumstances);
        case.is_settled(&circumstances);
    }
    let mut case = Case::synced();
    for (number, at) in UPDATE.into_iter().enumerate() {
        case.change();
        let (sandbox, iid, number) = (case.world.sandbox.handle(), case.iid, 100 + u32::try_from(number).unwrap());
        another_job_at(&case, at, move || change(&sandbox, iid, number));
        let circumstances = format!("update overtaken at {at:?}");
        let run = case.sync();
        assert_eq!(run.status, Some(0), "{circumstances}: {}", run.stderr);
        case.is_in_step(&circumstances);
        case.is_settled(&circumstances);
    }
}

#[test]
fn many_jobs_started_together_make_one_pair() {
    let case = Case::new();
    let start = || case.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let jobs = [start(), start(), start()];
    for job in jobs {
        let output = job.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 5)), "{:?}: {said}", output.status);
    }
    case.is_in_step("three at once");
    case.is_settled("three at once");
}

#[test]
fn a_persons_push_between_looking_and_pushing_is_not_overwritten() {
    let mut case = Case::synced();
    case.change();
    let (sandbox, branch) = (case.world.sandbox.handle(), format!("c9s-src-{}", case.iid));
    let theirs = branch.clone();
    case.world.sandbox.fail(Fault::on("POST", "*/git-receive-pack").meanwhile(move || {
        sandbox.commit(BOT_FORK, &theirs, "By hand\n", &[("by-hand", Some("mine\n"))]);
    }));
    case.sync().ends_with(3);
    assert_eq!(case.world.sandbox.file(BOT_FORK, &branch, "by-hand").unwrap(), b"mine\n");
    case.forget();
}

/// The forms in which a token could leak.
fn forms(token: &str) -> Vec<String> {
    let standard = base64::engine::general_purpose::STANDARD_NO_PAD;
    let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let percent: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let hex: String = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![token.to_owned(), percent.to_lowercase(), percent, hex.to_uppercase(), hex];
    for before in ["oauth2:", "", "x", "xx"] {
        // In base64 what stands before shifts the rest; the first and last characters mix with their neighbours.
        let text = format!("{before}{token}");
        for encoded in [standard.encode(&text), url_safe.encode(&text)] {
            forms.push(encoded[4..encoded.len() - 4].to_owned());
        }
    }
    forms
}

#[test]
fn the_token_is_nowhere() {
    let mut case = Case::new();
    let mut said = String::new();
    let mut run = |case: &Case, arguments: &[&str], fault: Option<Fault>| {
        if let Some(fault) = fault {
            case.world.sandbox.fail(fault);
        }
        let run = Run::of(case.command().args(arguments));
        case.world.sandbox.clear_faults();
        said.push_str(&run.stdout);
        said.push_str(&run.stderr);
        assert!(!run.stderr.is_empty() || !run.stdout.is_empty());
        run.status
    };
    assert_eq!(run(&case, &["--dry-run", "-vv"], None), Some(0));
    assert_eq!(run(&case, &["--dry-run", "--output", "json"], None), Some(0));
    assert_eq!(run(&case, &["-vv"], None), Some(0));
    case.change();
    let token = case.world.token.clone();
    // A server or proxy that echoes what it was sent.
    for (method, path) in [("GET", "/user"), ("PUT", "/projects/*/notes/*"), ("POST", "*/git-receive-pack")] {
        case.change();
        let echo = Fault::on(method, path).answer(400, "text/plain", &format!("what is {token}?")).always();
        assert!(matches!(run(&case, &["-vv"], Some(echo)), Some(1 | 5)), "{method} {path}");
        let down = Fault::on(method, path).status(500).always();
        run(&case, &["-vv"], Some(down));
    }
    assert_eq!(run(&case, &["-vv"], None), Some(0));
    case.world.sandbox.expire(&token);
    assert_eq!(run(&case, &["-vv"], None), Some(1));

    let sandbox = &case.world.sandbox;
    let notes = sandbox.notes(SOURCE, case.iid).into_iter().map(|note| note.body);
    let pairs = sandbox.merge_requests(DIST).into_iter().map(|pair| format!("{}\n{}", pair.title, pair.description));
    let requests = sandbox.requests().into_iter().map(|request| request.sent());
    let content = sandbox.git(BOT_FORK, &["log", "-p", "--all", "--format=raw"]);
    let texts: Vec<_> = notes.chain(pairs).chain(requests).chain([said, content]).collect();
    assert!(texts.len() > 50, "{}", texts.len());
    for form in forms(&token) {
        for text in &texts {
            assert!(!text.contains(&form), "{form} is in {text}");
        }
    }
    assert!(sandbox.tip(FROM.0, FROM.1).is_some());
    case.forget();
}
