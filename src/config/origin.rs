//! Where the values of an instance come from.

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
    /// A preset.
    Preset {
        /// Its name.
        name: String,
    },
    /// An instance file.
    File {
        /// Its path, as it was named.
        name: String,
        /// The line of the key in it, from 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
    },
    /// A variable of the environment.
    Variable {
        /// Its name.
        name: String,
    },
    /// Nobody said anything: what the program does by itself.
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

/// A key of an instance, with what it has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key, such as `gitlab.url`.
    pub key: &'static str,
    /// The value as a file would have it; null for none.
    pub value: Value,
    /// Where it comes from.
    pub origin: Origin,
}

/// A value that somebody gave.
#[derive(Clone, Debug)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

/// The settings of an instance, collected while it is put together.
#[derive(Debug, Default)]
pub(super) struct Settings(pub(super) Vec<Setting>);

impl Settings {
    /// Notes what `key` has come to, and returns it: what was given, else the default.
    pub(super) fn or<T: Written>(&mut self, key: &'static str, given: Option<Given<T>>, default: T) -> T {
        let Given { value, origin } = given.unwrap_or(Given { value: default, origin: Origin::Default });
        self.0.push(Setting { key, value: value.written(), origin });
        value
    }

    /// The same for a value that need not be there.
    pub(super) fn optional<T: Written>(&mut self, key: &'static str, given: Option<Given<T>>) -> Option<T> {
        let given = given.map(|Given { value, origin }| Given { value: Some(value), origin });
        self.or(key, given, None)
    }
}

/// What a file can say: returns it as it would be written there.
pub(super) trait Written {
    fn written(&self) -> Value;
}

impl<T: Written> Written for Option<T> {
    fn written(&self) -> Value {
        self.as_ref().map_or(Value::Null, Written::written)
    }
}

impl Written for String {
    fn written(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl Written for u32 {
    fn written(&self) -> Value {
        Value::from(*self)
    }
}

impl Written for Url {
    fn written(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl Written for PathBuf {
    /// In full: a relative path would mean something else in a file elsewhere.
    fn written(&self) -> Value {
        let whole = path::absolute(self).unwrap_or_else(|_| self.clone());
        Value::from(whole.to_string_lossy().into_owned())
    }
}

impl Written for Duration {
    fn written(&self) -> Value {
        Value::from(self.as_secs())
    }
}

impl Written for Namespace {
    fn written(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl Written for NamespaceMap {
    fn written(&self) -> Value {
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

impl Written for Forks {
    fn written(&self) -> Value {
        match self {
            Self::BotUser => "bot".into(),
            Self::DistGit => "dist-git".into(),
            Self::Group(group) => Value::Mapping(mapping([("group", group)])),
        }
    }
}

impl Written for Targets {
    fn written(&self) -> Value {
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

macro_rules! written_words {
    ($($word:ty),*) => {
        $(impl Written for $word {
            fn written(&self) -> Value {
                yaml_serde::to_value(self).unwrap_or_default()
            }
        })*
    };
}

written_words!(CiFiles, Results, WebhookTokens);

fn mapping<const N: usize>(keys: [(&str, &Namespace); N]) -> Mapping {
    keys.into_iter().map(|(key, value)| (Value::from(key), Value::from(value.as_str()))).collect()
}
