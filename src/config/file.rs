//! The format of an instance file: YAML. Every key is optional, because a file states only the difference from its
//! preset.
//!
//! This module checks a file against the table of keys. It goes on after a mistake and passes on what is correct: so
//! the author sees all mistakes at once.

use serde::Deserialize;
use yaml_serde::{Mapping, Value};

use crate::config::error::{nearest, quoted_list};
use crate::config::instance::{CiFiles, Results, WebhookTokens};
use crate::config::keys::{INSTANCE, KeyDefault, KeySpec, ValueKind};

/// The longest instance file, in bytes. That is many times more than anybody writes. A longer file could take too much
/// time: the YAML parser's time for nested brackets grows with the square of their number.
pub(super) const SIZE_LIMIT: usize = 16 << 10;

/// The values of an instance file, as written.
#[derive(Debug, Default, Deserialize)]
pub(super) struct InstanceFile {
    /// The preset that the file extends.
    pub(super) extends: Option<String>,
    #[serde(default)]
    pub(super) gitlab: GitlabKeys,
    pub(super) namespaces: Option<Vec<PairKeys>>,
    pub(super) forks: Option<ForksKey>,
    pub(super) targets: Option<Vec<TargetKeys>>,
    pub(super) ci_files: Option<CiFiles>,
    pub(super) results: Option<Results>,
    pub(super) label: Option<String>,
    pub(super) webhook_tokens: Option<WebhookTokens>,
    pub(super) bot_project: Option<String>,
    pub(super) test_package: Option<String>,
    pub(super) keep_branches: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct GitlabKeys {
    pub(super) url: Option<String>,
    pub(super) ca_file: Option<String>,
    pub(super) proxy: Option<String>,
    pub(super) timeout: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PairKeys {
    pub(super) source_git: Option<String>,
    pub(super) dist_git: Option<String>,
    pub(super) copy_of: Option<CopyOfKeys>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CopyOfKeys {
    pub(super) source_git: Option<String>,
    pub(super) dist_git: Option<String>,
}

/// `forks: bot`, `forks: dist-git` or `forks: {group: some/group}`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum ForksKey {
    Word(ForksWord),
    Group { group: Option<String> },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum ForksWord {
    Bot,
    DistGit,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct TargetKeys {
    pub(super) project: Option<String>,
    pub(super) branch: Option<String>,
}

/// A mistake in a file. The path includes the numbers of list items: `targets[0].branch`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) remedy: Option<String>,
}

/// The values of a file and its mistakes.
#[derive(Debug, Default)]
pub(super) struct ParsedFile {
    pub(super) file: InstanceFile,
    pub(super) mistakes: Vec<Mistake>,
    /// The keys without a value. They count as absent.
    pub(super) empty_keys: Vec<String>,
}

/// Reads a file's YAML.
pub(super) fn read(yaml: &str) -> Result<ParsedFile, yaml_serde::Error> {
    let mut checker = Checker::default();
    let checked = match yaml_serde::from_str(yaml)? {
        Value::Null => Mapping::new(),
        Value::Mapping(mapping) => checker.mapping("", &mapping, INSTANCE),
        _ => {
            checker.mistake("", "must be a mapping of keys to values", None);
            Mapping::new()
        }
    };
    let file = yaml_serde::from_value(Value::Mapping(checked))?;
    Ok(ParsedFile { file, mistakes: checker.mistakes, empty_keys: checker.empty_keys })
}

#[derive(Default)]
struct Checker {
    mistakes: Vec<Mistake>,
    empty_keys: Vec<String>,
}

impl Checker {
    fn mistake(&mut self, path: &str, text: impl Into<String>, remedy: Option<String>) {
        self.mistakes.push(Mistake { path: path.to_owned(), text: text.into(), remedy });
    }

    /// Returns the keys and values of a mapping that are correct.
    fn mapping(&mut self, path: &str, mapping: &Mapping, keys: &[KeySpec]) -> Mapping {
        let mut meant_names = Vec::new();
        for (key, _) in mapping {
            let name = key_name(key);
            if !keys.iter().any(|known| known.name == name) {
                let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
                let remedy = match nearest(&name, known.iter().copied()) {
                    Some(name) => {
                        meant_names.push(name);
                        format!("did you mean `{name}`?")
                    }
                    None => format!("the keys here are {}", quoted_list(&known)),
                };
                self.mistake(&below(path, &name), "unknown key", Some(remedy));
            }
        }
        let mut good = Mapping::new();
        for key in keys {
            let path = below(path, key.name);
            match mapping.get(key.name) {
                Some(value) if !value.is_null() => {
                    if let Some(value) = self.value(&path, value, &key.kind) {
                        good.insert(key.name.into(), value);
                    }
                }
                // The error about the unknown key is more helpful.
                _ if matches!(key.default, KeyDefault::Required) && meant_names.contains(&key.name) => {}
                _ if matches!(key.default, KeyDefault::Required) => self.mistake(&path, "missing", None),
                Some(_) => self.empty_keys.push(path),
                None => {}
            }
        }
        good
    }

    /// Returns the correct parts of a value; `None` where nothing of it is correct.
    fn value(&mut self, path: &str, value: &Value, kind: &ValueKind) -> Option<Value> {
        let (text, remedy) = match (kind, value) {
            (ValueKind::Text(_), Value::String(_)) => return Some(value.clone()),
            (ValueKind::Text(_), Value::Number(_) | Value::Bool(_)) => {
                ("must be text".to_owned(), Some("put the value in quotes".to_owned()))
            }
            (ValueKind::Text(_), _) => ("must be text".to_owned(), None),
            (ValueKind::Word(words) | ValueKind::WordOrMapping { words, .. }, Value::String(word))
                if words.iter().any(|(known, _)| known == word) =>
            {
                return Some(value.clone());
            }
            (ValueKind::Word(words), _) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                (format!("must be one of {}", quoted_list(&words)), meant(value, &words))
            }
            (ValueKind::WordOrMapping { mapping: keys, .. }, Value::Mapping(mapping)) => {
                return Some(self.mapping(path, mapping, keys).into());
            }
            (ValueKind::WordOrMapping { words, called, .. }, _) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                (format!("must be one of {} or {called}", quoted_list(&words)), meant(value, &words))
            }
            (ValueKind::Number { unit, least, most }, _) => {
                if value.as_u64().is_some_and(|number| (*least..=*most).contains(&number)) {
                    return Some(value.clone());
                }
                (format!("must be a whole number of {unit} from {least} to {most}"), None)
            }
            (ValueKind::Mapping(keys), Value::Mapping(mapping)) => {
                return Some(self.mapping(path, mapping, keys).into());
            }
            (ValueKind::Mapping(keys), _) => (must_be_mapping(keys), None),
            (ValueKind::List { items, .. }, Value::Sequence(values)) => {
                let good = values.iter().enumerate().map(|(index, value)| {
                    let good = self.value(&format!("{path}[{index}]"), value, &ValueKind::Mapping(items));
                    // A placeholder, so that the other items keep their numbers.
                    good.unwrap_or_else(|| Mapping::new().into())
                });
                return Some(good.collect());
            }
            (ValueKind::List { items, .. }, _) => {
                let keys: Vec<&str> = items.iter().map(|key| key.name).collect();
                (format!("must be a list of mappings with the keys {}", quoted_list(&keys)), None)
            }
        };
        self.mistake(path, text, remedy);
        None
    }
}

fn must_be_mapping(keys: &[KeySpec]) -> String {
    let keys: Vec<&str> = keys.iter().map(|key| key.name).collect();
    format!("must be a mapping with the keys {}", quoted_list(&keys))
}

/// Asks whether the author meant a similar word.
fn meant(value: &Value, words: &[&str]) -> Option<String> {
    let word = nearest(value.as_str()?, words.iter().copied())?;
    Some(format!("did you mean `{word}`?"))
}

/// Returns a key as text. YAML allows keys of other types.
pub(super) fn key_name(key: &Value) -> String {
    match key {
        Value::String(key) => key.clone(),
        other => yaml_serde::to_string(other).unwrap_or_default().trim().to_owned(),
    }
}

/// Returns the path of a key in the mapping at `path`.
pub(super) fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
