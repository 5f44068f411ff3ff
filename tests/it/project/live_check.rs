//! The script that an operator runs against a live GitLab, run against ours: it says that all is as documented where it is,
//! names the point that differs where one does, and leaves nothing behind.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use gitlab_sandbox::{Fault, Handle, Interpolation, Role, Sandbox, Scheme, Scope, Settings, State};
use regex::Regex;
use serde_json::json;
use tempfile::TempDir;

use crate::support::gitlab_ci_local::read;
use crate::support::{Run, writes};

const PROJECT: &str = "src/test-package";
/// How many points there are.
const POINTS: usize = 44;

/// The test package, an operator who is its Maintainer, and where the script keeps its files.
struct Live {
    sandbox: Sandbox,
    token: String,
    home: TempDir,
}

/// What the script said of the points, by number: the word and the rest of the line.
type Said = Vec<(usize, String, String)>;

impl Live {
    fn new() -> Self {
        Self::with(&Settings::default())
    }

    fn with(settings: &Settings) -> Self {
        let sandbox = Sandbox::start_with(settings);
        for user in ["root", "operator"] {
            sandbox.user(user);
        }
        sandbox.project(PROJECT);
        sandbox.member(PROJECT, "operator", Role::Maintainer);
        sandbox.commit(PROJECT, "main", "Start", &[("README", Some("Hello.\n")), ("x/hello.c", Some("int x;\n"))]);
        sandbox.commit(PROJECT, "main", "Go on", &[("README", Some("Hello again.\n"))]);
        let token = sandbox.token("operator", &[Scope::Api]);
        Self { sandbox, token, home: TempDir::new().unwrap() }
    }

    fn script(&self) -> Command {
        let mut command = Command::new(script());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("TMPDIR", self.home.path())
            .env("SGB_TOKEN", &self.token)
            .env("SGB_TEST_NO_PAUSES", "1")
            .args(["--project", PROJECT, "--gitlab", &self.sandbox.url()]);
        command
    }

    /// Runs the script, which must tell no secret, and leave nothing here or on the GitLab.
    fn run(&self, arguments: &[&str]) -> (Run, Said) {
        let run = Run::of(self.script().args(arguments));
        let text = run.stdout.clone() + &run.stderr;
        assert!(!text.contains("s3cr3t"), "a secret is told: {text}");
        assert!(!text.contains(['\u{7}', '\u{1b}']), "{text:?}");
        self.nothing_is_left();
        let said = said(&run.stdout);
        (run, said)
    }

    /// Nothing is there that was not before: no fork, no open merge request, no note, no file.
    #[track_caller]
    fn nothing_is_left(&self) {
        self.sandbox.inspect(|model| {
            assert_eq!(model.projects.len(), 1);
            assert!(model.merge_requests.values().all(|request| request.state != State::Opened));
            let project = model.project(PROJECT).unwrap();
            let ours = |id: u64| model.merge_requests.get(&id).is_some_and(|it| it.target_project == project.id);
            let notes: Vec<_> = model.notes.values().filter(|note| !note.system && ours(note.merge_request)).collect();
            assert!(notes.is_empty(), "{notes:#?}");
            assert_eq!(project.branches.keys().collect::<Vec<_>>(), ["main"]);
        });
        assert_eq!(fs::read_dir(self.home.path()).unwrap().count(), 0, "files are left");
    }
}

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/live-check/run")
}

fn said(output: &str) -> Said {
    let line = Regex::new(r"(?m)^(ok|differs|skipped) +([0-9]+)  (.*)$").unwrap();
    line.captures_iter(output)
        .map(|found| (found[2].parse().unwrap(), found[1].to_owned(), found[3].to_owned()))
        .collect()
}

fn numbers(said: &Said, word: &str) -> Vec<usize> {
    said.iter().filter(|(_, of, _)| of == word).map(|(number, ..)| *number).collect()
}

/// What the sandbox has no CI configurations for: GitLab's answers as its documentation has them.
fn with_configurations(sandbox: &Sandbox) {
    let name = |number: u64| json!({ "name": format!("source-git-bot: reconcile {number}/3") });
    let good = json!({ "valid": true, "errors": [], "warnings": [], "jobs": [name(1), name(2), name(3)] });
    let bad = json!({ "valid": false, "errors": ["unknown input arguments: no_such_input"], "warnings": [] });
    for answer in [&good, &bad, &good] {
        sandbox.fail(Fault::on("POST", "*/ci/lint").answer(200, "application/json", &answer.to_string()));
    }
    let refused = r#"{"message":{"base":["Pipeline will not run for the selected trigger."]}}"#;
    sandbox.fail(Fault::on("POST", "*-inputs/trigger/pipeline").answer(201, "application/json", r#"{"id": 1}"#));
    sandbox.fail(Fault::on("POST", "*-inputs/trigger/pipeline").answer(400, "application/json", refused));
    sandbox.fail(Fault::on("POST", "*-post/trigger/pipeline").answer(400, "application/json", refused));
    // The relay's branch has a configuration of its own, whose inputs GitLab knows.
    let handle = sandbox.handle();
    sandbox.fail(Fault::on("POST", "*/access_tokens").meanwhile(move || want_inputs_of_relay(&handle)));
}

fn want_inputs_of_relay(handle: &Handle) {
    let fork = handle.inspect(|model| {
        let fork = model.projects.values().find(|project| project.forked_from.is_some()).unwrap();
        model.path_of(fork)
    });
    handle.want_inputs(&fork, &["project", "pipeline", "status"]);
}

/// Points that need a runner, an image, a flood or a setting of Premium.
const NOT_MODELLED: [usize; 6] = [39, 40, 41, 42, 43, 44];

#[test]
fn on_a_gitlab_as_documented_nothing_differs() {
    let live = Live::new();
    with_configurations(&live.sandbox);
    let (run, said) = live.run(&["--yes"]);
    assert_eq!(numbers(&said, "differs"), [0; 0], "{}", run.stdout);
    assert_eq!(numbers(&said, "skipped"), NOT_MODELLED, "{}", run.stdout);
    assert_eq!(said.len(), POINTS);
    assert!(run.stdout.ends_with("\n38 ok, 0 differ, 6 skipped\n"), "{}", run.stdout);
    run.ends_with(0);
    // What it makes is told before anything is made, under a name that cannot be mistaken.
    let name = Regex::new("operator/(sgb-live-check-[a-z0-9]+), a fork of src/test-package").unwrap();
    let name = name.captures(&run.stdout).unwrap()[1].to_owned();
    let writes = live.sandbox.take_writes();
    let project = live.sandbox.inspect(|model| model.project(PROJECT).unwrap().id);
    let ours = format!("/projects/{project}/");
    for write in &writes {
        let in_fork = write.method == "PUSH" && write.path == format!("operator/{name}");
        let in_project = ["fork", "merge_requests/1", "statuses/"]
            .iter()
            .any(|part| write.path.starts_with(&format!("{ours}{part}")));
        let other = write.method != "PUSH" && !write.path.starts_with(&ours);
        assert!(in_fork || in_project || other, "{write:?}");
    }
    let made = writes.iter().find(|write| write.path.ends_with("/fork")).unwrap();
    assert!(made.body.contains(&name), "{made:?}");
    for request in live.sandbox.requests() {
        assert!(!request.sent().contains(&live.token), "{} {}", request.method, request.path);
    }
}

#[test]
fn without_being_told_to_it_only_reads() {
    let live = Live::new();
    let (run, said) = live.run(&[]);
    run.ends_with(0);
    assert_eq!(numbers(&said, "ok"), [1, 2, 3, 4, 5, 6, 7, 8], "{}", run.stdout);
    assert_eq!(numbers(&said, "differs"), [0; 0]);
    assert!(said.iter().any(|(number, word, why)| *number == 9 && word == "skipped" && why.contains("--yes")));
    let requests = live.sandbox.requests();
    assert_eq!(writes::attempts(&live.sandbox, &requests), [""; 0]);
    assert!(live.sandbox.take_writes().is_empty());
}

#[test]
fn who_has_no_role_is_told_what_cannot_be_seen() {
    let live = Live::new();
    live.sandbox.remove_member(PROJECT, "operator");
    let (run, said) = live.run(&["--yes", "--only", "5,14,18,22,23"]);
    run.ends_with(0);
    assert_eq!(numbers(&said, "ok"), [5, 14, 18, 22], "{}", run.stdout);
    assert!(said[3].2.ends_with("with role 0 it runs in the fork"), "{}", run.stdout);
    assert!(said[4].2.contains("the token's role there is 0"), "{}", run.stdout);
    let _ = live.sandbox.take_writes();
}

/// Runs some points on a GitLab that is broken in one way: exactly one of them differs, and says what was seen.
#[track_caller]
fn exactly(differs: usize, saying: &str, of: &str, break_it: impl FnOnce(&Sandbox)) {
    let live = Live::new();
    break_it(&live.sandbox);
    let (run, said) = live.run(&["--yes", "--only", of]);
    assert_eq!(numbers(&said, "differs"), [differs], "{}", run.stdout);
    let line = said.iter().find(|(number, ..)| *number == differs).unwrap();
    assert!(line.2.contains(saying), "{}", line.2);
    run.ends_with(1);
    let _ = live.sandbox.take_writes();
}

/// An answer in place of the n-th of this kind.
fn answered(sandbox: &Sandbox, method: &str, path: &str, n: usize, status: u16, body: &str) {
    sandbox.fail(Fault::on(method, path).nth(n).answer(status, "application/json", body));
}

#[test]
fn what_differs_in_reading_is_named() {
    exactly(2, "X-Next-Page", "1,2,3", |it| answered(it, "GET", "*/merge_requests", 1, 200, "[]"));
    exactly(3, "for a branch: GitLab answered 404, 404 Not found", "2,3,4", |it| {
        answered(it, "GET", "*/repository/branches/*", 1, 404, r#"{"message": "404 Not found"}"#);
    });
    let costly = r#"{"errors": [{"message": "Query has complexity of 300, which exceeds max complexity of 250"}]}"#;
    exactly(6, "Query has complexity of 300", "5,6,7", |it| answered(it, "POST", "/api/graphql", 1, 200, costly));
}

#[test]
fn what_differs_with_forks_and_git_is_named() {
    exactly(10, "GitLab answered 400", "9,10,11", |it| answered(it, "POST", "*/fork", 2, 400, "{}"));
    exactly(12, "content came along", "9,12,13", |it| it.forbid_partial_clone(PROJECT));
    exactly(13, "from a shallow store: git: ", "12,13", |it| {
        it.fail(Fault::on("POST", "*/git-receive-pack").status(500));
    });
}

#[test]
fn what_differs_with_merge_requests_is_named() {
    exactly(15, "GitLab answered 400", "14,15", |it| answered(it, "POST", "*/merge_requests", 2, 400, "{}"));
    exactly(19, "reacting with the same", "18,19", |it| answered(it, "POST", "*/award_emoji", 6, 201, "{}"));
    exactly(25, "pending after the one before was to be refused: GitLab answered 409", "24,25", |it| {
        it.fail(Fault::on("POST", "*/statuses/*").nth(3).status_lock_busy());
    });
}

#[test]
fn what_differs_with_triggers_is_named() {
    let old = r#"{"message": {"base": ["Insufficient permissions to set pipeline variables"]}}"#;
    exactly(28, "Insufficient permissions to set pipeline variables", "26,27,28,31", |it| {
        answered(it, "POST", "*-trigger/trigger/pipeline", 1, 400, old);
        answered(it, "POST", "*-trigger/trigger/pipeline", 1, 400, old);
        answered(it, "POST", "*-trigger/trigger/pipeline", 1, 400, old);
    });
    exactly(27, "no variable TRIGGER_PAYLOAD", "27,28", |it| {
        answered(it, "GET", "*/pipelines/*/variables", 1, 200, "[]");
    });
}

#[test]
fn what_differs_with_webhooks_is_named() {
    exactly(32, "the trigger URL answered 404", "31,32", |it| {
        answered(it, "POST", "*-trigger/trigger/pipeline", 2, 404, "{}");
    });
    exactly(33, "the trigger URL answered 201", "32,33", |it| {
        answered(it, "POST", "*-trigger/trigger/pipeline", 3, 201, "{}");
    });
    let on = r#"{"alert_status": "executable", "disabled_until": null}"#;
    exactly(35, "after four failures it is \"executable\"", "33,35", |it| {
        it.fail(Fault::on("GET", "*/hooks/*").nth(2).always().answer(200, "application/json", on));
    });
    exactly(36, "the issue is not confidential", "36", |it| {
        answered(it, "POST", "*/issues", 1, 201, r#"{"iid": 1, "confidential": false}"#);
    });
    exactly(37, "jobs:parallel config", "37", |it| {
        answered(it, "POST", "*/ci/lint", 1, 200, r#"{"valid": false, "errors": ["jobs:parallel config is wrong"]}"#);
    });
}

#[test]
fn both_forms_of_a_missing_field_are_known() {
    let live = Live::new();
    live.sandbox.set_interpolation(Interpolation::Plain);
    let (run, said) = live.run(&["--yes", "--only", "32"]);
    run.ends_with(0);
    assert!(said[0].2.ends_with("a missing field is \"\""), "{}", run.stdout);
    let _ = live.sandbox.take_writes();
}

#[test]
fn merged_results_are_found_among_the_projects_own_merge_requests() {
    let live = Live::new();
    let sandbox = &live.sandbox;
    sandbox.branch_at(PROJECT, "fix", "main");
    sandbox.commit(PROJECT, "fix", "Fix", &[("fix", Some("x"))]);
    let iid = sandbox.open("operator").from(PROJECT, "fix").into(PROJECT, "main").create();
    sandbox.mr_pipeline(PROJECT, iid).merged_result().by("operator").create();
    let run = Run::of(live.script().args(["--only", "44"]));
    run.ends_with(0);
    assert_eq!(numbers(&said(&run.stdout), "ok"), [44], "{}", run.stdout);
    let foreign = format!(r#"{{"id": "{0}", "parent_ids": ["{0}"]}}"#, "1".repeat(40));
    answered(sandbox, "GET", "*/repository/commits/*", 1, 200, &foreign);
    let run = Run::of(live.script().args(["--only", "44"]));
    run.ends_with(1);
    assert_eq!(numbers(&said(&run.stdout), "differs"), [44], "{}", run.stdout);
}

/// GitLab's answers about jobs that a runner has done, as its documentation has them.
fn with_a_runner(sandbox: &Sandbox, payload: &str, retried: bool) {
    let job = |id: u64, name: &str, status: &str| json!({ "id": id, "name": format!("sgb-live-check: {name}"), "status": status, "allow_failure": status == "failed" });
    let mut jobs = vec![job(1, "payload", "success"), job(2, "allowed", "failed"), job(3, "retried", "failed")];
    jobs.push(job(5, "image", "success"));
    jobs.extend(retried.then(|| job(4, "retried", "failed")));
    let log = format!(
        "\u{1b}[32;1m$ echo \"payload-begins\"; cat\u{1b}[0;m\npayload-begins\n{payload}\npayload-ends\nuser-is 4711\nJob succeeded\n"
    );
    let always = |path: &str, kind: &str, body: &str| {
        sandbox.fail(Fault::on("GET", path).always().answer(200, kind, body));
    };
    always("*/pipelines/*/jobs", "application/json", &json!(jobs).to_string());
    always("*/jobs/*/trace", "text/plain", &log);
    always("*/pipelines/*", "application/json", r#"{"status": "success"}"#);
}

#[test]
fn with_a_runner_jobs_are_looked_at() {
    let with = |of: &str, payload: &str, retried: bool| {
        let live = Live::new();
        with_a_runner(&live.sandbox, payload, retried);
        let image = "registry.example.com/bot:1";
        let (run, said) = live.run(&["--yes", "--with-jobs", "--image", image, "--runner-tag", "bot", "--only", of]);
        let _ = live.sandbox.take_writes();
        (run, said)
    };
    let notice = r#""source_git_bot": {"v": "1", "kind": "merge_request", "project": "7", "id": "70", "iid": "3", "mr": "", "mr_project": "null"}"#;
    let (run, said) = with("39,40,41", &format!(r#"{{{notice}, "live_check": "<put-in>"}}"#), true);
    run.ends_with(0);
    assert_eq!(numbers(&said, "ok"), [39, 40, 41], "{}", run.stdout);
    assert!(
        said[0].2.ends_with("GitLab puts variables into the payload, as the program expects of it"),
        "{}",
        run.stdout
    );
    assert!(said[2].2.ends_with("it ran as user 4711"), "{}", run.stdout);
    let (run, said) = with("39", &format!(r#"{{{notice}, "live_check": "<$SGB_LIVE_CHECK_WORD>"}}"#), true);
    assert!(said[0].2.ends_with("GitLab puts no variables into the payload any more"), "{}", run.stdout);
    let (_, said) = with("39,40", &format!("{{{}}}", notice.replace("\"70\"", "\"71\"")), true);
    assert_eq!(numbers(&said, "differs"), [39]);
    let (_, said) = with("39,40", &format!("{{{notice}}}"), false);
    assert_eq!(numbers(&said, "differs"), [40]);
}

#[test]
fn what_gitlab_says_is_data() {
    let live = Live::new();
    let said_back = json!({ "message": format!("no \u{1b}]0;x\u{7} $(touch /tmp/x) `id` {}", live.token) });
    answered(&live.sandbox, "POST", "*/fork", 2, 400, &said_back.to_string());
    let (run, said) = live.run(&["--yes", "--only", "9,10"]);
    assert!(said[1].2.ends_with("GitLab answered 400, no  ]0;x  $(touch /tmp/x) `id` [MASKED]"), "{}", run.stdout);
    let _ = live.sandbox.take_writes();

    // An answer that makes another project out to be the fork gets nothing written there.
    let project = live.sandbox.inspect(|model| model.project(PROJECT).unwrap().id);
    let other = json!({ "id": project, "path_with_namespace": PROJECT, "import_status": "finished" });
    answered(&live.sandbox, "POST", "*/fork", 1, 201, &other.to_string());
    let (run, said) = live.run(&["--yes", "--only", "9,13,18,28"]);
    assert_eq!((numbers(&said, "differs"), numbers(&said, "skipped")), (vec![9], vec![13, 18, 28]), "{}", run.stdout);
    assert!(live.sandbox.take_writes().is_empty());
}

#[test]
fn interrupted_anywhere_it_leaves_nothing_behind() {
    for (signal, write) in [("TERM", 1), ("INT", 3), ("HUP", 7), ("TERM", 16)] {
        let live = Live::new();
        let (pid, count) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicUsize::new(0)));
        let (child, counted) = (Arc::clone(&pid), Arc::clone(&count));
        live.sandbox.after_each_write(move |_| {
            if counted.fetch_add(1, Ordering::SeqCst) + 1 == write {
                let pid = child.load(Ordering::SeqCst).to_string();
                assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
            }
        });
        let script = live.script();
        // Whoever runs the tests in the background may have had signals ignored, which no shell can take back.
        let mut command = Command::new("env");
        command.arg("--default-signal=HUP,INT,TERM").arg(script.get_program()).args(script.get_args());
        command.env_clear().envs(script.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.args(["--yes", "--only", "9,14,18,20,32,35,36"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let script = command.spawn().unwrap();
        pid.store(script.id(), Ordering::SeqCst);
        let output = script.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{signal} {write}: {text}");
        assert!(text.contains("interrupted: removing what was made") && !text.contains("left behind"), "{text}");
        assert!(!text.contains(" ok, "), "it did not go on: {text}");
        assert!(count.load(Ordering::SeqCst) > write, "it removed something");
        live.nothing_is_left();
        let _ = live.sandbox.take_writes();
    }
}

#[test]
fn what_cannot_be_removed_is_told() {
    let live = Live::new();
    live.sandbox.fail(Fault::on("DELETE", "/projects/*").always().status(403));
    let run = Run::of(live.script().args(["--yes", "--only", "9"]));
    run.ends_with(1);
    let told = Regex::new("left behind: the project operator/sgb-live-check-[a-z0-9]+").unwrap();
    assert!(told.is_match(&run.stdout), "{}", run.stdout);
    let _ = live.sandbox.take_writes();
}

#[test]
fn below_a_path_and_with_an_authority_of_its_own() {
    let live =
        Live::with(&Settings { relative_url: "/gitlab".to_owned(), scheme: Scheme::Https, ..Settings::default() });
    let elsewhere = TempDir::new().unwrap();
    let ca_file = elsewhere.path().join("authority's.pem");
    fs::write(&ca_file, live.sandbox.ca_pem()).unwrap();
    let points = "1,2,6,9,12,13,14,16,18,25,27";
    let (run, said) = live.run(&["--yes", "--ca-file", ca_file.to_str().unwrap(), "--only", points]);
    run.ends_with(0);
    assert_eq!(numbers(&said, "ok").len(), 11, "{}", run.stdout);
    let _ = live.sandbox.take_writes();
    let (run, said) = live.run(&["--yes"]);
    run.ends_with(1);
    assert!(said.is_empty() && run.stderr.contains("certificate"), "{}", run.stderr);
}

#[test]
fn what_it_is_not_named_or_not_given_it_does_not_run_on() {
    let live = Live::new();
    for (arguments, why) in [
        (&[][..], "name the test package"),
        (&["--project", "../x"], "wants a path"),
        (&["--project", "alone"], "wants a path"),
        (&["--project", PROJECT, "--into", "a b"], "--into wants"),
        (&["--project", PROJECT, "--gitlab", "http://gitlab.example.com"], "unencrypted"),
        (&["--project", PROJECT, "--gitlab", "https://u:p@gitlab.example.com"], "wants an address"),
        (&["--project", PROJECT, "--only", "3;7"], "--only wants"),
        (&["--project", PROJECT, "--only", "45"], "no point 45"),
        (&["--project", PROJECT, "--ca-file", "/nonexistent"], "CA file"),
        (&["--project", PROJECT, "--image", "x\ny: z"], "--image wants"),
        (&["--project", PROJECT, "--token", "glpat-x"], "no such option: --token"),
        (&["--project"], "--project wants a value"),
    ] {
        let mut command = live.script();
        let mut bare = Command::new(command.get_program());
        bare.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).args(arguments);
        let run = Run::of(&mut bare);
        run.ends_with(2);
        assert!(run.stderr.contains(why), "{arguments:?}: {}", run.stderr);
        command.env_remove("SGB_TOKEN");
        Run::of(&mut command).ends_with(2);
    }
    let run = Run::of(live.script().args(["--project", "src/other"]));
    run.ends_with(1);
    assert!(run.stderr.contains("the project cannot be read: GitLab answered 404"), "{}", run.stderr);
    assert!(live.sandbox.take_writes().is_empty());
}

#[test]
fn each_point_is_in_the_readme_and_the_other_way_round() {
    let listed = Run::of(Command::new(script()).arg("--list"));
    listed.ends_with(0);
    let line = Regex::new(r"(?m)^ ?([0-9]+)  (.+)$").unwrap();
    let listed: Vec<_> =
        line.captures_iter(&listed.stdout).map(|found| format!("{} {}", &found[1], &found[2])).collect();
    assert_eq!(listed.len(), POINTS);
    let readme = read("docs/live-check/README.md");
    let told: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("#### ")).collect();
    assert_eq!(told, listed);
    let fields = ["Assumed", "From", "Relied on by", "Way round", "The script", "Where it differs"];
    for point in readme.split("\n#### ").skip(1) {
        for field in fields {
            assert_eq!(point.matches(&format!("\n- *{field}*: ")).count(), 1, "{field}: {point}");
        }
    }
    let path = Regex::new(r"`((?:src|ci-templates|templates|tests|container|docs)/[A-Za-z0-9_./-]+)`").unwrap();
    for found in path.captures_iter(&readme) {
        let there = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(&found[1]);
        assert!(there.exists(), "{} is not there", &found[1]);
    }
    let defined = Regex::new(r"(?m)^point_([0-9]+)\(\)").unwrap();
    let parts = fs::read_dir(script().with_file_name("parts")).unwrap();
    let parts: String = parts.map(|part| fs::read_to_string(part.unwrap().path()).unwrap()).collect();
    let mut defined: Vec<usize> = defined.captures_iter(&parts).map(|found| found[1].parse().unwrap()).collect();
    defined.sort_unstable();
    assert_eq!(defined, (1..=POINTS).collect::<Vec<_>>());
}

#[test]
fn it_asks_what_the_program_asks() {
    let reading = read("docs/live-check/parts/reading.sh");
    let program = Regex::new(r"\\\n +").unwrap().replace_all(&read("src/forge/graphql.rs"), "").into_owned();
    let query = Regex::new(r#"(?m)^const ([A-Z_]+): &str = "(query[^"]+)";"#).unwrap();
    let queries: Vec<_> = query.captures_iter(&program).collect();
    assert_eq!(queries.len(), 3);
    for found in queries {
        assert!(reading.contains(&format!("readonly {}='{}'", &found[1], &found[2])), "{}", &found[1]);
    }
    let triggers = read("docs/live-check/parts/triggers.sh");
    let template = Regex::new("(?m)^readonly TEMPLATE='(.+)'$").unwrap();
    let template = &template.captures(&triggers).unwrap()[1];
    let example = read("ci-templates/examples/bot-project.gitlab-ci.yml").replace("\n#                ", " ");
    assert!(example.contains(template), "{template}");
}
