//! `docs/reference.md`: that it is what the program is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;
use source_git_bot::cli::exit::ExitStatus;
use source_git_bot::cli::variables::{JOB_VARIABLES, TEMPLATE_VARIABLES, USER_VARIABLES};

use crate::support::gitlab_ci_local::read;

#[path = "../../../examples/reference/page.rs"]
mod page;

const FILE: &str = "docs/reference.md";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_committed_reference_is_fresh() {
    let fresh = page::reference(repository()).unwrap() == read(FILE);
    assert!(fresh, "run this: cargo run --quiet --example reference > {FILE}");
}

#[test]
fn its_tables_are_whole_and_its_links_lead_somewhere() {
    let text = read(FILE);
    let headings: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')))
        .map(|heading| heading.to_lowercase().replace(' ', "-").replace('.', ""))
        .collect();
    let links = Regex::new(r"\(#([^)]+)\)").unwrap();
    for link in links.captures_iter(&text).map(|captures| captures[1].to_owned()) {
        assert!(headings.contains(&link), "{link}");
    }
    let mut columns = 0;
    let cell = Regex::new(r"(?:[^\\])\|").unwrap();
    for line in text.lines() {
        let found = if line.starts_with('|') { cell.find_iter(&format!(" {line}")).count() } else { 0 };
        assert!(columns == 0 || found == 0 || found == columns, "{line}");
        columns = found;
    }
    assert!(!text.contains("TEST"), "what tests set is for tests");
}

/// The names of variables in the program's source, as its code and its comments have them.
fn named_in_the_source() -> BTreeSet<String> {
    let name = Regex::new(r#"["`]((?:SGB|CI|GITLAB|TRIGGER)_[A-Z_]*[A-Z]|NO_COLOR)["`]"#).unwrap();
    let mut found = BTreeSet::new();
    let mut directories = vec![repository().join("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                directories.push(entry);
            } else if entry.extension().is_some_and(|ending| ending == "rs") && !entry.ends_with("src/cli/variables.rs")
            {
                let text = fs::read_to_string(&entry).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                if !entry.ends_with("tests.rs") {
                    found.extend(name.captures_iter(text).map(|name| name[1].to_owned()));
                }
            }
        }
    }
    found
}

#[test]
fn every_variable_that_the_program_reads_is_in_it() {
    let mut named = named_in_the_source();
    assert!(named.remove("SGB_TEST_NO_PAUSES"), "it is for tests alone");
    let told: BTreeSet<String> =
        USER_VARIABLES.iter().chain(&JOB_VARIABLES).map(|variable| variable.name.to_owned()).collect();
    named.insert("PATH".to_owned());
    assert_eq!(named, told);
    let text = read(FILE);
    for variable in USER_VARIABLES.iter().chain(&JOB_VARIABLES).chain(&TEMPLATE_VARIABLES) {
        assert!(text.contains(&format!("`{}`", variable.name)), "{}", variable.name);
    }
}

#[test]
fn every_field_of_the_environment_is_a_variable_in_it() {
    let source = read("src/config/environment.rs");
    let fields = Regex::new(r"\n    pub ([a-z_]+): Option").unwrap();
    let fields: Vec<String> =
        fields.captures_iter(&source).map(|field| format!("SGB_{}", field[1].to_uppercase())).collect();
    assert!(fields.len() > 8);
    for field in fields.iter().filter(|field| *field != "SGB_TEST_NO_PAUSES") {
        assert!(USER_VARIABLES.iter().any(|variable| variable.name == *field), "{field}");
    }
}

#[test]
fn exit_statuses_are_numbered_as_the_contract_has_them() {
    let numbers = ExitStatus::ALL.map(|status| status as u8);
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    for status in ExitStatus::ALL {
        assert!(read(FILE).contains(&format!("\n| {} | {} |\n", status as u8, status.meaning())));
    }
}
