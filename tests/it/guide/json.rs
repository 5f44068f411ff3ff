//! The page about JSON output, against what the commands print.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::by_hand::{ByHand, Local};
use super::operating::Operating;
use super::page::{Line, Page};
use super::shell::Shell;

const PAGE: &str = "docs/json-output.md";

/// The names in the part of the page below this heading: `patches` and `file` of `patches[].file`.
fn described(heading: &str) -> BTreeSet<String> {
    let mut page = Page::read(Path::new(PAGE));
    let below = page.prose.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}")).1;
    page.prose = below.split("\n## ").next().unwrap().to_owned();
    let parts = |name: &String| name.split('.').map(|part| part.trim_end_matches("[]").to_owned()).collect::<Vec<_>>();
    page.names().iter().flat_map(parts).collect()
}

/// The names of all keys, in objects within objects too, but for those of the instance, which have dots.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.keys().filter(|key| !key.contains('.')).cloned());
            members.values().for_each(|member| keys(member, found));
        }
        Value::Array(members) => members.iter().for_each(|member| keys(member, found)),
        _ => {}
    }
}

/// Runs a command, whose output has no key that the page does not describe below one of these headings.
fn is_described(shell: &mut Shell, text: &str, status: i32, headings: &[&str]) -> Value {
    let line = Line { text: format!("{text} --output json"), status, number: 0 };
    shell.run(&line, Path::new(PAGE));
    let printed: Value = serde_json::from_str(shell.printed()).unwrap();
    assert_eq!(printed["format"], 2, "{text}");
    let described: BTreeSet<_> = headings.iter().flat_map(|heading| described(heading)).collect();
    let mut found = BTreeSet::new();
    keys(&printed, &mut found);
    // What an item of the setting holds is the instance's too.
    if let Some(settings) = printed.get("settings").and_then(Value::as_object) {
        settings.values().for_each(|setting| {
            let mut of_value = BTreeSet::new();
            keys(&setting["value"], &mut of_value);
            found.retain(|key| !of_value.contains(key));
        });
        found.retain(|key| !settings.contains_key(key));
    }
    let unknown: Vec<_> = found.difference(&described).collect();
    assert!(unknown.is_empty(), "{text}: {unknown:?}");
    printed
}

#[test]
fn the_local_commands_print_what_the_page_describes() {
    let shell = &mut Shell::new();
    let _local = Local::new(shell);
    let report = "source-git-bot update-dist-git source-git dist-git --dry-run";
    let printed = is_described(shell, report, 0, &["update-dist-git"]);
    assert!(printed["diffs"][0]["diff"].is_string() && printed["patches"][0]["commits"][0]["id"].is_string());
    for arguments in ["", " --validate", " --list"] {
        is_described(shell, &format!("source-git-bot config --instance staging{arguments}"), 0, &["config"]);
    }
    shell.write("bad.yaml", "extends: production\ntarget: []\n");
    let bad = shell.path("bad.yaml").display().to_string();
    let printed = is_described(shell, &format!("source-git-bot config --instance {bad} --validate"), 2, &["config"]);
    assert!(printed["errors"][0]["line"].is_u64());
    shell.export("SGB_WEBHOOK_SECRET", &"s".repeat(40));
    let token = is_described(shell, "source-git-bot webhook-token group/src bash", 0, &["webhook-token"]);
    let verify = format!("source-git-bot webhook-token --verify {}", token["token"].as_str().unwrap());
    is_described(shell, &format!("{verify} other"), 1, &["webhook-token"]);
}

#[test]
fn what_would_be_done_for_a_merge_request_is_printed_as_the_page_describes() {
    let shell = &mut Shell::new();
    let _by_hand = ByHand::with_token(shell);
    let named = "--instance instance.yaml --merge-request packages/src/hello!7 --dry-run";
    let printed = is_described(shell, &format!("source-git-bot sync {named}"), 0, &["sync", "update-dist-git"]);
    let steps: Vec<_> =
        printed["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["create_fork", "push_branch", "open_merge_request", "create_note"]);
    // A plan is what `sync` prints.
    let headings = ["reconcile", "sync", "update-dist-git"];
    is_described(shell, "source-git-bot reconcile --instance instance.yaml --dry-run", 0, &headings);

    let shell = &mut Shell::new();
    let _tested = ByHand::tested(shell);
    let printed = is_described(shell, &format!("source-git-bot report {named}"), 0, &["report"]);
    assert_eq!(printed["steps"][0]["step"], "edit_note");
    is_described(shell, "source-git-bot reconcile --instance instance.yaml", 0, &["reconcile"]);
}

#[test]
fn what_operators_run_prints_what_the_page_describes() {
    let shell = &mut Shell::new();
    let _running = Operating::running(shell);
    is_described(shell, "SGB_TOKEN=… source-git-bot doctor --instance instance.yaml", 0, &["doctor"]);

    let shell = &mut Shell::new();
    let _preset = Operating::preset(shell);
    shell.export("SGB_BOT_PROJECT", "packit-service/source-git-bot");
    let onboard = "SGB_TOKEN=... SGB_OPERATOR_TOKEN=... source-git-bot onboard cloud-init --instance staging";
    for arguments in [" --dry-run", ""] {
        is_described(shell, &format!("{onboard}{arguments}"), 0, &["onboard"]);
    }
}
