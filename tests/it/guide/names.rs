//! What the guide names is there: commands, options, variables, keys, jobs and what is printed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use regex::Regex;
use serde_json::Value;
use source_git_bot::cli::args::Cli;

use super::page::{self, Page};

/// Keys that are looked for elsewhere: of packit's service and its configuration that has no effect here, of the commit
/// messages that it reads, claims of webhook tokens and fields of webhooks, scopes and reactions by GitLab's names, and parts
/// of the tests.
const OF_OTHERS: [&str; 15] = [
    "gitlab_mr_targets_handled",
    "upstream_project_url",
    "upstream_tag_template",
    "patch_name",
    "patch_id",
    "present_in_specfile",
    "no_prefix",
    "squash_commits",
    "repo_name",
    "source_git_bot",
    "mr_project",
    "admin_mode",
    "no_entry_sign",
    "white_check_mark",
    "life_model",
];

/// Keys of `.distro/source-git.yaml`.
const PACKAGE_CONFIGURATION: [&str; 8] = [
    "upstream_ref",
    "downstream_package_name",
    "specfile_path",
    "patch_generation_ignore_paths",
    "patch_generation_patch_id_digits",
    "sync_changelog",
    "files_to_sync",
    "synced_files",
];

/// What looks like a check of `doctor` and is a key of the instance.
const KEYS_OF_GITLAB: [&str; 3] = ["gitlab.url", "gitlab.proxy", "gitlab.timeout"];

/// The page about the formats of JSON output, whose keys are the program's own.
const JSON: &str = "docs/json-output.md";

fn pages() -> Vec<Page> {
    page::guide().iter().map(|path| Page::read(path)).collect()
}

/// The text of all files below a directory with this ending, its literals' broken lines put together.
fn source(directory: &str, ending: &str) -> String {
    let mut all = String::new();
    let mut directories = vec![page::top().join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            } else if entry.file_name().to_str().unwrap().ends_with(ending) {
                all += &fs::read_to_string(entry.path()).unwrap();
            }
        }
    }
    Regex::new(r"\\\n\s*").unwrap().replace_all(&all, "").replace("{{", "{").replace("\\\"", "\"")
}

#[test]
fn every_command_and_option_is_one_of_the_program() {
    let program = Cli::command();
    let options = |command: &clap::Command| -> BTreeSet<String> {
        command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)).collect()
    };
    let global = options(&program);
    let every: BTreeSet<_> = program.get_subcommands().flat_map(options).chain(global.clone()).collect();
    let option = Regex::new(r"(?:^|\s)--([a-z][a-z-]*)").unwrap();
    for page in pages() {
        for name in page.names() {
            let place = format!("{}: `{name}`", page.path.display());
            if let Some(typed) = name.strip_prefix("source-git-bot ").filter(|typed| !typed.starts_with('-')) {
                let word = typed.split(' ').find(|word| !word.starts_with('-')).unwrap_or_default();
                let command = program.find_subcommand(word).unwrap_or_else(|| panic!("no command: {place}"));
                let known: BTreeSet<_> = options(command).into_iter().chain(global.clone()).collect();
                for used in option.captures_iter(typed) {
                    assert!(known.contains(&used[1]), "no option of it: {place}");
                }
            } else if let Some(used) = option.captures(&name).filter(|_| name.starts_with("--")) {
                assert!(
                    every.contains(&used[1]) || ["help", "quick", "long", "build-arg"].contains(&&used[1]),
                    "{place}"
                );
            }
        }
    }
}

#[test]
fn every_variable_is_read() {
    let reference = Page::read(Path::new("docs/reference.md")).prose;
    let variable = Regex::new("SGB_[A-Z_]+").unwrap();
    for page in pages() {
        for used in variable.find_iter(&page.prose) {
            let row = format!("| `{}` |", used.as_str());
            assert!(reference.contains(&row), "{}: {}", page.path.display(), used.as_str());
        }
    }
}

/// The last names of the keys in the tables of the page about JSON output, `file` of `patches[].file`, and what else is
/// written there as such a name: values, and keys of what has another form each time.
fn json_names() -> BTreeSet<String> {
    let page = Page::read(Path::new(JSON));
    let rows = page.prose.lines().filter(|line| line.starts_with("| `"));
    let name = Regex::new("`(?:[^`]*[.])?([a-z_]+)(?:\\[\\])?`").unwrap();
    let of_row = |row: &str| {
        let (keys, meaning) = row.strip_prefix("| ").unwrap().split_once(" |").unwrap();
        let keys: Vec<_> = name.captures_iter(keys).map(|name| name[1].to_owned()).collect();
        let others = name.captures_iter(meaning).map(|name| name[1].to_owned()).filter(|name| name.contains('_'));
        keys.into_iter().chain(others).collect::<Vec<_>>()
    };
    rows.flat_map(of_row).collect()
}

/// Fields and variants of what is written as JSON have these names, or say that they do.
#[test]
fn every_name_of_the_json_output_is_one_of_the_program() {
    let program = source("src", ".rs");
    let names = json_names();
    assert!(names.len() > 60, "{names:?}");
    for key in names {
        let camel: String = key.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        let known = Regex::new(&format!(r#"\b{key}: |"{key}"|\b{camel}(?: \{{|,)"#)).unwrap();
        assert!(known.is_match(&program), "`{key}`");
    }
}

/// Keys of the instance file, by its schema, inputs of the templates, by the reference, those of JSON output, and keys of
/// the package configuration, which packit made.
fn keys() -> BTreeSet<String> {
    let mut known = BTreeSet::from(PACKAGE_CONFIGURATION.map(str::to_owned));
    known.extend(json_names());
    known.extend(Page::read(Path::new("docs/reference.md")).names());
    let schema = fs::read_to_string(page::top().join("docs/instance.schema.json")).unwrap();
    let mut values: Vec<Value> = vec![serde_json::from_str(&schema).unwrap()];
    while let Some(value) = values.pop() {
        if let Some(keys) = value.get("properties").and_then(Value::as_object) {
            known.extend(keys.keys().cloned());
        }
        match value {
            Value::Object(members) => values.extend(members.into_iter().map(|(_, member)| member)),
            Value::Array(members) => values.extend(members),
            _ => {}
        }
    }
    known
}

#[test]
fn every_key_is_in_the_reference() {
    let known = keys();
    let key = Regex::new(r"^([a-z]+(?:_[a-z]+)+)(?:: .*)?$").unwrap();
    for page in pages().iter().filter(|page| page.path.starts_with("docs")) {
        for name in page.names() {
            if let Some(used) = key.captures(&name) {
                let is_known = known.contains(&used[1]) || OF_OTHERS.contains(&&used[1]);
                assert!(is_known, "{}: `{name}`", page.path.display());
            }
        }
    }
}

#[test]
fn every_check_is_one_of_doctor() {
    let checks = source("src/setup/check", ".rs");
    let check = Regex::new(r"^(token|role|gitlab|bot-project|hooks|packages|forks)\.[a-z-]+$").unwrap();
    let pages = pages();
    let names = pages.iter().filter(|page| page.path.starts_with("docs")).flat_map(|page| page.names());
    let named: BTreeSet<_> = names.filter(|name| check.is_match(name)).collect();
    assert!(named.len() > 15, "{named:?}");
    for name in named.iter().filter(|name| !KEYS_OF_GITLAB.contains(&name.as_str())) {
        assert!(checks.contains(&format!("\"{name}\"")), "`{name}`");
    }
}

#[test]
fn every_check_of_doctor_has_a_row() {
    let checks = source("src/setup/check", ".rs");
    let check = Regex::new(r#""((?:token|role|gitlab|bot-project|hooks|packages|forks)\.[a-z-]+)""#).unwrap();
    let page = Page::read(Path::new("docs/onboard-and-doctor.md")).prose;
    let made: BTreeSet<_> = check.captures_iter(&checks).map(|check| check[1].to_owned()).collect();
    let made: BTreeSet<_> = made.into_iter().filter(|name| name != "gitlab.com").collect();
    assert!(made.len() > 40, "{made:?}");
    for name in made {
        assert!(page.contains(&format!("\n| `{name}` |")), "`{name}`");
    }
}

#[test]
fn every_job_is_one_of_the_templates() {
    let templates = source("ci-templates", ".yml");
    for page in pages() {
        for name in page.names().iter().filter(|name| name.starts_with("source-git-bot: ")) {
            assert!(templates.contains(&format!("\"{name}\":")), "{}: `{name}`", page.path.display());
        }
    }
}

/// The pieces of a printed line that are the same each time.
fn fixed(line: &str) -> Vec<String> {
    let put_in = Regex::new(r"…|\.distro/source-git\.yaml|SGB_TRIGGER_URL|[0-9]+|: |, and ").unwrap();
    let edges = |c: char| c.is_whitespace() || matches!(c, ':' | ',' | '!');
    put_in.split(line).map(|part| part.trim_matches(edges).to_owned()).filter(|part| part.len() > 3).collect()
}

/// Blocks of ```text, and what stands first in a row of a table, as far as it looks printed.
#[test]
fn what_is_said_to_be_printed_is_printed_somewhere() {
    let printed = source("src", ".rs") + &source("tests/gitlab-sandbox/src", ".rs");
    // What is put together from parts.
    let holes = Regex::new(r"\{[a-z_.():?]*\}").unwrap();
    let printed = holes.replace_all(&printed, "…");
    let text = fs::read_to_string(page::top().join("docs/troubleshooting.md")).unwrap();
    let block = Regex::new(r"(?s)```text\n(.*?)```").unwrap();
    let row = Regex::new(r"(?m)^\| ``? ?([^`].*?) ?``? \|").unwrap();
    let blocks = block.captures_iter(&text).flat_map(|block| block.get(1).unwrap().as_str().lines());
    let rows = row.captures_iter(&text).map(|row| row.get(1).unwrap().as_str());
    let mut looked_at = 0;
    for line in blocks.chain(rows) {
        for part in fixed(line) {
            assert!(printed.contains(&part), "nothing prints `{part}`, of `{line}`");
            looked_at += 1;
        }
    }
    assert!(looked_at > 40, "{looked_at}");
}
