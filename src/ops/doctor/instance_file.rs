//! Compares the instance file in the bot project with the instance in use.

use std::fs;
use std::path::Path;

use crate::config::{Environment, Instance};
use crate::setup::instance_facts::InstanceFileFacts;
use crate::types::error::{Context as _, Result};

/// Compares `content`, which the file `name` in the bot project has, with the instance in use.
pub(crate) fn compare(name: &str, content: Option<Vec<u8>>, ours: &Instance) -> Result<InstanceFileFacts> {
    let Some(content) = content else { return Ok(InstanceFileFacts::Missing(name.to_owned())) };
    // Paths in an instance are relative to its file, so it can only be loaded from a file.
    let directory = tempfile::tempdir().context("making a directory")?;
    let path = directory.path().join("instance.yaml");
    fs::write(&path, content).context("writing a file")?;
    let text = path.to_string_lossy();
    Ok(match Instance::load(&text, &Environment::default()) {
        Ok(theirs) => InstanceFileFacts::Read(name.to_owned(), differences(&theirs, ours)),
        Err(error) => InstanceFileFacts::Bad(name.to_owned(), without_path(&error.to_string(), &text)),
    })
}

/// Removes `path` from an error message about the file there. Leaves `line 2: …`, or only the text if there is no line.
fn without_path(message: &str, path: &str) -> String {
    let rest = message.strip_prefix(path).unwrap_or(message);
    match rest.strip_prefix(": ") {
        Some(text) => text.to_owned(),
        None => format!("line {}", rest.trim_start_matches(':')),
    }
}

/// Returns the keys in which two instances differ. Of `gitlab.ca_file` only the file name counts: the path depends on
/// where the instance file is.
fn differences(first: &Instance, second: &Instance) -> Vec<&'static str> {
    let file_name = |instance: &Instance| {
        let path = instance.gitlab.ca_file.as_deref().and_then(Path::file_name);
        path.map(std::ffi::OsStr::to_owned)
    };
    [
        ("gitlab.url", first.gitlab.url == second.gitlab.url),
        ("gitlab.ca_file", file_name(first) == file_name(second)),
        ("gitlab.proxy", first.gitlab.proxy == second.gitlab.proxy),
        ("gitlab.timeout", first.gitlab.timeout == second.gitlab.timeout),
        ("namespaces", first.namespaces == second.namespaces),
        ("forks", first.forks == second.forks),
        ("targets", first.targets == second.targets),
        ("ci_files", first.ci_files == second.ci_files),
        ("results", first.results == second.results),
        ("label", first.label == second.label),
        ("webhook_tokens", first.webhook_tokens == second.webhook_tokens),
        ("bot_project", first.bot_project == second.bot_project),
        ("test_package", first.test_package == second.test_package),
        ("keep_branches", first.keep_branches == second.keep_branches),
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
    fn differing_keys_are_named() {
        assert_eq!(against_production("extends: production"), InstanceFileFacts::Read("x.yaml".into(), vec![]));
        let found = against_production("extends: production\nlabel: x\nbot_project: a/b\nforks: dist-git\n");
        assert_eq!(found, InstanceFileFacts::Read("x.yaml".into(), vec!["forks", "label", "bot_project"]));
    }

    #[test]
    fn an_invalid_instance_file_is_reported_without_its_temporary_path() {
        let InstanceFileFacts::Bad(name, why) = against_production("extends: production\nlabels: x") else {
            panic!("it is none");
        };
        assert_eq!((name.as_str(), why.as_str()), ("x.yaml", "line 2: `labels`: unknown key"));
        assert_eq!(compare("x.yaml", None, &production()).unwrap(), InstanceFileFacts::Missing("x.yaml".into()));
    }

    #[test]
    fn every_key_of_an_instance_is_compared() {
        // A new key does not compile here. Add it to `differences` too.
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
