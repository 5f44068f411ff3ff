//! The origins of an instance's values.

use std::fmt;
use std::path;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use url::Url;
use yaml_serde::{Mapping, Value};

use crate::config::instance::{CiFiles, Forks, Results, WebhookTokens};
use crate::config::namespaces::{Namespace, NamespaceMap};
use crate::config::targets::{Target, Targets};
use crate::types::text::printable;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Origin {
    Preset {
        name: String,
    },
    File {
        /// The path, as the caller wrote it.
        name: String,
        /// The line of the key, counted from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
    },
    /// A variable of the environment.
    Variable {
        name: String,
    },
    /// No layer sets the key.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preset { name } => write!(f, "preset {name}"),
            Self::File { name, line } => {
                f.write_str(&printable(name.as_bytes()))?;
                line.map_or(Ok(()), |line| write!(f, ":{line}"))
            }
            Self::Variable { name } => write!(f, "variable {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A key of an instance with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// `gitlab.url`, for example.
    pub key: &'static str,
    /// The value as an instance file would write it; null for none.
    pub value: Value,
    pub origin: Origin,
}

/// A value that a layer sets.
#[derive(Clone, Debug)]
pub(super) struct Sourced<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

/// The settings of an instance, collected while it is built.
#[derive(Debug, Default)]
pub(super) struct SettingList(pub(super) Vec<Setting>);

impl SettingList {
    /// Records the value of `key` and returns it: the given one, else the default.
    pub(super) fn or<T: ToYaml>(&mut self, key: &'static str, given: Option<Sourced<T>>, default: T) -> T {
        let Sourced { value, origin } = given.unwrap_or(Sourced { value: default, origin: Origin::Default });
        self.0.push(Setting { key, value: value.to_yaml(), origin });
        value
    }

    /// As [`SettingList::or`], for a value that has no default.
    pub(super) fn optional<T: ToYaml>(&mut self, key: &'static str, given: Option<Sourced<T>>) -> Option<T> {
        let given = given.map(|Sourced { value, origin }| Sourced { value: Some(value), origin });
        self.or(key, given, None)
    }
}

/// A value that an instance file can hold.
pub(super) trait ToYaml {
    /// Returns the value as a file would write it.
    fn to_yaml(&self) -> Value;
}

impl<T: ToYaml> ToYaml for Option<T> {
    fn to_yaml(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToYaml::to_yaml)
    }
}

impl ToYaml for String {
    fn to_yaml(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl ToYaml for u32 {
    fn to_yaml(&self) -> Value {
        Value::from(*self)
    }
}

impl ToYaml for Url {
    fn to_yaml(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl ToYaml for PathBuf {
    /// The path is absolute: a relative one would mean something else in a file elsewhere.
    fn to_yaml(&self) -> Value {
        let whole = path::absolute(self).unwrap_or_else(|_| self.clone());
        Value::from(whole.to_string_lossy().into_owned())
    }
}

impl ToYaml for Duration {
    fn to_yaml(&self) -> Value {
        Value::from(self.as_secs())
    }
}

impl ToYaml for Namespace {
    fn to_yaml(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl ToYaml for NamespaceMap {
    fn to_yaml(&self) -> Value {
        let pairs = self.pairs().iter().map(|pair| {
            let mut keys = mapping([("source_git", &pair.source_git), ("dist_git", &pair.dist_git)]);
            if let Some(copy_of) = &pair.copy_of {
                let copy_of = mapping([("source_git", &copy_of.source_git), ("dist_git", &copy_of.dist_git)]);
                keys.insert("copy_of".into(), copy_of.into());
            }
            Value::Mapping(keys)
        });
        Value::Sequence(pairs.collect())
    }
}

impl ToYaml for Forks {
    fn to_yaml(&self) -> Value {
        match self {
            Self::BotUser => "bot".into(),
            Self::DistGit => "dist-git".into(),
            Self::Group(group) => Value::Mapping(mapping([("group", group)])),
        }
    }
}

impl ToYaml for Targets {
    fn to_yaml(&self) -> Value {
        let targets = self.0.iter().map(|Target { project, branch }| {
            let mut keys = Mapping::new();
            for (key, pattern) in [("project", project), ("branch", branch)] {
                if let Some(pattern) = pattern {
                    keys.insert(key.into(), pattern.as_str().into());
                }
            }
            Value::Mapping(keys)
        });
        Value::Sequence(targets.collect())
    }
}

macro_rules! yaml_words {
    ($($word:ty),*) => {
        $(impl ToYaml for $word {
            fn to_yaml(&self) -> Value {
                yaml_serde::to_value(self).unwrap_or_default()
            }
        })*
    };
}

yaml_words!(CiFiles, Results, WebhookTokens);

fn mapping<const N: usize>(keys: [(&str, &Namespace); N]) -> Mapping {
    keys.into_iter().map(|(key, value)| (Value::from(key), Value::from(value.as_str()))).collect()
}
