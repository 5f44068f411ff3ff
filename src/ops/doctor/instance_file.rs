//! The instance file in the bot project, held against the instance in use.

use std::fs;
use std::path::Path;

use crate::config::{Environment, Instance};
use crate::setup::instance_facts::InstanceFileFacts;
use crate::types::error::{Context as _, Result};

/// Reads the content of the file `name`, and compares.
pub(crate) fn compare(name: &str, content: Option<Vec<u8>>, ours: &Instance) -> Result<InstanceFileFacts> {
    let Some(content) = content else { return Ok(InstanceFileFacts::Missing(name.to_owned())) };
    // An instance is read from a file, so that what its paths start from is known.
    let directory = tempfile::tempdir().context("making a directory")?;
    let path = directory.path().join("instance.yaml");
    fs::write(&path, content).context("writing a file")?;
    let text = path.to_string_lossy();
    Ok(match Instance::load(&text, &Environment::default()) {
        Ok(theirs) => InstanceFileFacts::Read(name.to_owned(), differences(&theirs, ours)),
        Err(error) => InstanceFileFacts::Bad(name.to_owned(), without_place(&error.to_string(), &text)),
    })
}

/// Returns what is said of a file that was put at `place`: `line 2: …`, or without a line where none is told.
fn without_place(said: &str, place: &str) -> String {
    let rest = said.strip_prefix(place).unwrap_or(said);
    match rest.strip_prefix(": ") {
        Some(text) => text.to_owned(),
        None => format!("line {}", rest.trim_start_matches(':')),
    }
}

/// Returns the keys in which two instances differ. Both name the file of authorities from where they are themselves.
fn differences(one: &Instance, other: &Instance) -> Vec<&'static str> {
    let file_name = |instance: &Instance| {
        let path = instance.gitlab.ca_file.as_deref().and_then(Path::file_name);
        path.map(std::ffi::OsStr::to_owned)
    };
    [
        ("gitlab.url", one.gitlab.url == other.gitlab.url),
        ("gitlab.ca_file", file_name(one) == file_name(other)),
        ("gitlab.proxy", one.gitlab.proxy == other.gitlab.proxy),
        ("gitlab.timeout", one.gitlab.timeout == other.gitlab.timeout),
        ("namespaces", one.namespaces == other.namespaces),
        ("forks", one.forks == other.forks),
        ("targets", one.targets == other.targets),
        ("ci_files", one.ci_files == other.ci_files),
        ("results", one.results == other.results),
        ("label", one.label == other.label),
        ("webhook_tokens", one.webhook_tokens == other.webhook_tokens),
        ("bot_project", one.bot_project == other.bot_project),
        ("test_package", one.test_package == other.test_package),
        ("keep_branches", one.keep_branches == other.keep_branches),
    ]
    .into_iter()
    .filter_map(|(key, is_same)| (!is_same).then_some(key))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn production() -> Instance {
        Instance::load("production", &Environment::default()).unwrap()
    }

    fn against_production(yaml: &str) -> InstanceFileFacts {
        compare("x.yaml", Some(yaml.as_bytes().to_owned()), &production()).unwrap()
    }

    #[test]
    fn keys_that_differ_are_named() {
        assert_eq!(against_production("extends: production"), InstanceFileFacts::Read("x.yaml".into(), vec![]));
        let found = against_production("extends: production\nlabel: x\nbot_project: a/b\nforks: dist-git\n");
        assert_eq!(found, InstanceFileFacts::Read("x.yaml".into(), vec!["forks", "label", "bot_project"]));
    }

    #[test]
    fn what_is_no_instance_is_said_without_the_place_it_was_put() {
        let InstanceFileFacts::Bad(name, why) = against_production("extends: production\nlabels: x") else {
            panic!("it is none");
        };
        assert_eq!((name.as_str(), why.as_str()), ("x.yaml", "line 2: `labels`: unknown key"));
        assert_eq!(compare("x.yaml", None, &production()).unwrap(), InstanceFileFacts::Missing("x.yaml".into()));
    }

    #[test]
    fn every_key_of_an_instance_is_compared() {
        // A new one does not compile here until it is listed above.
        let Instance {
            name: _,
            gitlab: crate::config::Gitlab { url: _, ca_file: _, proxy: _, timeout: _ },
            namespaces: _,
            forks: _,
            targets: _,
            ci_files: _,
            results: _,
            label: _,
            webhook_tokens: _,
            bot_project: _,
            test_package: _,
            keep_branches: _,
        } = production();
    }
}
