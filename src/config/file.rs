//! The form of an instance file: YAML, every key optional, for a file says only how it differs from what it extends.

use serde::Deserialize;
use yaml_serde::Value;

use super::ConfigError;
use super::error::nearest;
use crate::transform::text::printable;

/// The longest instance file, in bytes: many times what anybody writes, and short enough for the time that the YAML
/// parser takes for nested brackets, which grows with the square of their number.
const SIZE_LIMIT: usize = 16 << 10;

/// An instance file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstanceFile {
    /// The preset that it starts from.
    pub(super) extends: Option<String>,
    pub(super) gitlab: Option<GitlabKeys>,
    pub(super) namespaces: Option<Vec<PairKeys>>,
    pub(super) forks: Option<ForksKey>,
    pub(super) targets: Option<Vec<TargetKeys>>,
    pub(super) ci_files: Option<String>,
    pub(super) results: Option<String>,
    pub(super) label: Option<String>,
    pub(super) webhook_tokens: Option<String>,
    pub(super) bot_project: Option<String>,
    pub(super) test_package: Option<String>,
    pub(super) keep_branches: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GitlabKeys {
    pub(super) url: Option<String>,
    pub(super) ca_file: Option<String>,
    pub(super) proxy: Option<String>,
    pub(super) timeout: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PairKeys {
    pub(super) source_git: String,
    pub(super) dist_git: String,
    pub(super) copy_of: Option<CopyOfKeys>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CopyOfKeys {
    pub(super) source_git: String,
    pub(super) dist_git: String,
}

/// `forks: bot`, `forks: dist-git` or `forks: {group: some/group}`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ForksKey {
    Word(String),
    Group(ForksGroupKeys),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ForksGroupKeys {
    pub(super) group: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetKeys {
    pub(super) project: Option<String>,
    pub(super) branch: Option<String>,
}

/// The keys of a mapping, and the mappings below it.
struct Keys {
    known: &'static [&'static str],
    below: &'static [(&'static str, Self)],
}

const GITLAB: Keys = Keys { known: &["url", "ca_file", "proxy", "timeout"], below: &[] };
const COPY_OF: Keys = Keys { known: &["source_git", "dist_git"], below: &[] };
const PAIR: Keys = Keys { known: &["source_git", "dist_git", "copy_of"], below: &[("copy_of", COPY_OF)] };
const FORKS: Keys = Keys { known: &["group"], below: &[] };
const TARGET: Keys = Keys { known: &["project", "branch"], below: &[] };
const INSTANCE: Keys = Keys {
    known: &[
        "extends",
        "gitlab",
        "namespaces",
        "forks",
        "targets",
        "ci_files",
        "results",
        "label",
        "webhook_tokens",
        "bot_project",
        "test_package",
        "keep_branches",
    ],
    below: &[("gitlab", GITLAB), ("namespaces", PAIR), ("forks", FORKS), ("targets", TARGET)],
};

impl InstanceFile {
    /// Reads the text of the file or preset `place`.
    pub(super) fn parse(place: &str, yaml: &[u8]) -> Result<Self, ConfigError> {
        if yaml.len() > SIZE_LIMIT {
            return Err(ConfigError::new(place, format!("longer than {} KiB", SIZE_LIMIT >> 10)));
        }
        let wrong = |error: yaml_serde::Error| ConfigError::new(place, printable(error.to_string().as_bytes()));
        let value: Value = yaml_serde::from_slice(yaml).map_err(wrong)?;
        if value.is_null() {
            return Ok(Self::default());
        }
        check_keys(place, "", &value, &INSTANCE)?;
        // From the text again, not from the value: then an error knows its line.
        yaml_serde::from_slice(yaml).map_err(wrong)
    }
}

/// Checks that there are no keys but known ones in `value`, which is at `path`.
fn check_keys(place: &str, path: &str, value: &Value, keys: &Keys) -> Result<(), ConfigError> {
    match value {
        Value::Sequence(items) => items.iter().try_for_each(|item| check_keys(place, path, item, keys)),
        Value::Mapping(mapping) => mapping.iter().try_for_each(|(key, value)| {
            let key = match key {
                Value::String(key) => key.clone(),
                other => yaml_serde::to_string(other).unwrap_or_default().trim().to_owned(),
            };
            let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            if !keys.known.contains(&key.as_str()) {
                let error = ConfigError::new(place, "unknown key").at(&full);
                return Err(match nearest(&key, keys.known.iter().copied()) {
                    Some(name) => error.remedy(format!("did you mean `{name}`?")),
                    None => error.remedy(format!("the keys here are {}", listed(keys.known))),
                });
            }
            match keys.below.iter().find(|(name, _)| *name == key) {
                Some((_, below)) => check_keys(place, &full, value, below),
                None => Ok(()),
            }
        }),
        _ => Ok(()),
    }
}

/// Returns `` `a`, `b` ``.
pub(super) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
