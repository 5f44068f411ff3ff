//! `webhook-token`, held against PyJWT, which is what packit's deployment makes and reads such tokens with.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Run;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

/// Runs the program without arguments of its own, with the secret in the environment, where there is nothing else.
fn program(home: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_source-git-bot"));
    command.env_clear().current_dir(home.path()).arg("webhook-token").env("SGB_WEBHOOK_SECRET", SECRET);
    command
}

/// Runs it and checks that the secret is not told.
fn run(command: &mut Command) -> Run {
    let run = Run::of(command);
    assert!(!run.stdout.contains(SECRET) && !run.stderr.contains(SECRET), "the secret is told");
    assert!(!run.stderr.contains("eyJ"), "the token is in the log: {}", run.stderr);
    run
}

/// Returns what the program makes of a namespace and perhaps a project.
pub(crate) fn token(names: &[&str]) -> String {
    let home = TempDir::new().unwrap();
    let made = run(program(&home).args(names));
    made.ends_with(0);
    assert_eq!(made.stderr, "");
    made.stdout.strip_suffix('\n').unwrap().to_owned()
}

const PYJWT: &str = r#"
import json, sys, jwt
answers = []
for ask in json.load(sys.stdin):
    try:
        if "token" in ask:
            answers.append(jwt.decode(ask["token"], ask["secret"], algorithms=["HS256"]))
        else:
            headers, algorithm = ask.get("headers"), ask.get("algorithm", "HS256")
            answers.append(jwt.encode(ask["claims"], ask["secret"], algorithm=algorithm, headers=headers))
    except Exception as error:
        answers.append(type(error).__name__)
json.dump(answers, sys.stdout)
"#;

/// Asks PyJWT to encode `claims`, or to decode a `token` as packit's deployment does; the name of the exception where it
/// does not. `tests/run` installs it.
pub(crate) fn pyjwt(asked: &[Value]) -> Vec<Value> {
    let mut python = Command::new("/usr/bin/python3");
    let mut python = python.args(["-c", PYJWT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(Value::from(asked).to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "tests/run installs python3-jwt");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn encoded(claims: &Value) -> String {
    pyjwt(&[json!({"claims": claims, "secret": SECRET})])[0].as_str().unwrap().to_owned()
}

#[test]
fn what_it_makes_is_what_pyjwt_makes_and_reads() {
    for (names, claims) in [
        (&["redhat/centos-stream/src"][..], json!({"namespace": "redhat/centos-stream/src"})),
        (&["src", "hello"], json!({"namespace": "src", "repo_name": "hello"})),
    ] {
        let token = token(names);
        let asked = [
            json!({"claims": claims, "secret": SECRET}),
            json!({"token": token, "secret": SECRET}),
            json!({"token": token, "secret": OTHER}),
        ];
        assert_eq!(pyjwt(&asked), [json!(token), claims, json!("InvalidSignatureError")]);
    }
}

/// Checks a token and says how the program ends.
fn verified(token: &str, names: &[&str]) -> Run {
    let home = TempDir::new().unwrap();
    run(program(&home).args(["--verify", token]).args(names))
}

#[test]
fn what_pyjwt_makes_is_verified() {
    let run = verified(&encoded(&json!({"namespace": "g/src", "repo_name": "hello"})), &[]);
    run.ends_with(0);
    assert_eq!(run.stdout, "for        the project g/src/hello\nsignature  holds\n");
    let run = verified(&encoded(&json!({"namespace": "g/src", "exp": 4_000_000_000_u64, "note": "x"})), &[]);
    run.ends_with(0);
    assert_eq!(run.stdout, "for        every project in g/src\nsignature  holds\n");
}

#[test]
fn what_pyjwt_refuses_is_refused() {
    let secret = |claims: Value| json!({"claims": claims, "secret": SECRET});
    let g = json!({"namespace": "g"});
    let made = pyjwt(&[
        json!({"claims": g, "secret": OTHER}),
        json!({"claims": g, "secret": "", "algorithm": "none"}),
        json!({"claims": g, "secret": SECRET, "algorithm": "HS512"}),
        json!({"claims": g, "secret": SECRET, "headers": {"b64": false}}),
        secret(json!({"namespace": "g", "exp": 1_000_000_000})),
        secret(json!({"namespace": "g", "nbf": 4_000_000_000_u64})),
        secret(json!({"namespace": "g", "iat": 4_000_000_000_u64})),
        secret(json!({"namespace": "g", "exp": null})),
        secret(json!({"namespace": "g", "exp": "soon"})),
        secret(json!({"namespace": "g", "aud": "somebody"})),
    ]);
    let mut tokens: Vec<String> = made.iter().map(|token| token.as_str().unwrap().to_owned()).collect();
    let good = encoded(&g);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    tokens.extend([format!("{signed}."), format!("{signed}.{}", signature.to_lowercase()), signature.to_owned()]);
    let asked: Vec<Value> = tokens.iter().map(|token| json!({"token": token, "secret": SECRET})).collect();
    for (token, answer) in tokens.iter().zip(pyjwt(&asked)) {
        let run = verified(token, &[]);
        assert!(answer.is_string() && token.starts_with("eyJ") | (token == signature), "{token}: {answer}");
        run.ends_with(1);
        assert!(run.stderr.starts_with("error: the token is not good\ncaused by: it"), "{}", run.stderr);
    }
}

#[test]
fn what_packits_deployment_takes_for_a_project_is_good_for_it() {
    // There the namespace has to be the project's own; here it may be above it, because a group's webhook is for its
    // subgroups too.
    for (claims, asked, status) in [
        (json!({"namespace": "g/src"}), &["g/src", "hello"][..], 0),
        (json!({"namespace": "g/src", "repo_name": "hello"}), &["g/src", "hello"], 0),
        (json!({"namespace": "g/src", "repo_name": "hello"}), &["g/src", "bash"], 1),
        (json!({"namespace": "g/src", "repo_name": "hello"}), &["g/src"], 1),
        (json!({"namespace": "g/src", "repo_name": "hello"}), &["g/src/sub", "hello"], 1),
        (json!({"namespace": "g/src"}), &["g/src"], 0),
        (json!({"namespace": "g"}), &["g/src"], 0),
        (json!({"namespace": "g"}), &["g/src", "hello"], 0),
        (json!({"namespace": "g/src"}), &["g/srcs", "hello"], 1),
        (json!({"namespace": "g/src"}), &["g"], 1),
    ] {
        let run = verified(&encoded(&claims), asked);
        run.ends_with(status);
        assert!(run.stdout.contains("signature  holds"), "{}", run.stdout);
        assert_eq!(run.stderr.contains("it is not for "), status == 1, "{claims}: {}", run.stderr);
    }
}

#[test]
fn claims_that_say_nothing_of_use_are_told_and_not_shown() {
    for claims in [
        json!({"repo_name": "hello"}),
        json!({"namespace": ["g"]}),
        json!({"namespace": "g", "repo_name": null}),
        json!({"namespace": "\u{1b}]0;x\u{7}\u{202e}"}),
        json!({"namespace": "g", "repo_name": "../x"}),
    ] {
        let run = verified(&encoded(&claims), &[]);
        run.ends_with(1);
        assert!(run.stdout.is_empty() && run.stderr.contains("it is no webhook token: its claims"), "{}", run.stderr);
        assert!(!run.stderr.contains(['\u{1b}', '\u{202e}']));
    }
}

#[test]
fn a_token_may_come_from_standard_input() {
    let home = TempDir::new().unwrap();
    for (input, status) in [(token(&["g"]) + "\n", 0), (String::new(), 1), ("x".repeat(1 << 20), 1)] {
        let mut command = program(&home);
        command.args(["--verify", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // It may have stopped reading.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        assert_eq!(child.wait().unwrap().code(), Some(status));
    }
}

#[test]
fn as_data() {
    let home = TempDir::new().unwrap();
    let made = run(program(&home).args(["g", "hello", "--output", "json"])).json();
    let token = token(&["g", "hello"]);
    assert_eq!(made, json!({"format": 2, "namespace": "g", "project": "hello", "token": token}));
    let good = run(program(&home).args(["--verify", &token, "--output", "json"]));
    good.ends_with(0);
    let expected = json!({"format": 2, "namespace": "g", "project": "hello", "signature": "holds", "good": true});
    assert_eq!(good.json(), expected);
    let forged = run(program(&home).args(["--verify", &token, "--output", "json"]).env("SGB_WEBHOOK_SECRET", OTHER));
    forged.ends_with(1);
    let expected = json!({
        "format": 2, "namespace": "g", "project": "hello", "signature": "does not hold", "good": false,
        "problem": "its signature does not hold"
    });
    assert_eq!(forged.json(), expected);
}

#[test]
fn the_secret_may_be_in_a_file_and_is_never_an_argument() {
    let home = TempDir::new().unwrap();
    let expected = token(&["g"]);
    for ending in ["", "\n", "\r\n"] {
        fs::write(home.path().join("secret"), format!("{SECRET}{ending}")).unwrap();
        let made = run(program(&home).args(["g", "--secret-file", "secret"]).env("SGB_WEBHOOK_SECRET", OTHER));
        assert_eq!(made.stdout, format!("{expected}\n"));
    }
    fs::write(home.path().join("secret"), format!("{SECRET}\n\n")).unwrap();
    assert_ne!(run(program(&home).args(["g", "--secret-file", "secret"])).stdout, format!("{expected}\n"));
    for (content, status) in [(&b"\n"[..], 2), (b"", 2), (b"\xff\xfe", 2), (&[b'x'; 5000], 2)] {
        fs::write(home.path().join("secret"), content).unwrap();
        run(program(&home).args(["g", "--secret-file", "secret"])).ends_with(status);
    }
    run(program(&home).args(["g", "--secret-file", "."])).ends_with(2);
    run(program(&home).args(["g", "--secret-file", "missing"])).ends_with(2);
    let none = run(program(&home).arg("g").env_remove("SGB_WEBHOOK_SECRET"));
    none.ends_with(2);
    assert!(none.stderr.contains("set SGB_WEBHOOK_SECRET"), "{}", none.stderr);
}

#[test]
fn a_short_secret_is_warned_of() {
    let home = TempDir::new().unwrap();
    let short = run(program(&home).arg("g").env("SGB_WEBHOOK_SECRET", &OTHER[..31]));
    short.ends_with(0);
    assert!(short.stderr.contains("shorter than 32 bytes") && !short.stderr.contains(&OTHER[..31]), "{}", short.stderr);
    assert_eq!(short.stdout.lines().count(), 1);
}

#[test]
fn names_that_no_project_has_are_refused() {
    let home = TempDir::new().unwrap();
    for names in [
        &[][..],
        &[""],
        &["/g"],
        &["g/"],
        &["https://gitlab.com/g"],
        &["g", ""],
        &["g", "src/hello"],
        &["g", ".."],
        &["g", "hello", "x"],
        &["g h"],
    ] {
        run(program(&home).args(names)).ends_with(2);
    }
}
