//! The form of an instance file: YAML, every key optional, for a file says only how it differs from what it extends.
//!
//! What the table of keys says of a file is checked here, all of it, so that whoever wrote it reads of every mistake at
//! once. What is wrong is left out of what is handed on, so that the rest is looked at too.

use serde::Deserialize;
use yaml_serde::{Mapping, Value};

use crate::config::error::{listed, nearest};
use crate::config::instance::{CiFiles, Results, WebhookTokens};
use crate::config::keys::{Absent, Form, INSTANCE, Key};

/// The longest instance file, in bytes: many times what anybody writes, and short enough for the time that the YAML
/// parser takes for nested brackets, which grows with the square of their number.
pub(super) const SIZE_LIMIT: usize = 16 << 10;

/// An instance file as it is written.
#[derive(Debug, Default, Deserialize)]
pub(super) struct InstanceFile {
    /// The preset that it starts from.
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

/// Something that is wrong in a file. The path has the numbers of list items: `targets[0].branch`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) remedy: Option<String>,
}

/// What a file says, and what is wrong in it.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) file: InstanceFile,
    pub(super) wrong: Vec<Wrong>,
    /// The keys without a value, which count as not there.
    pub(super) empty: Vec<String>,
}

/// Reads a file's YAML.
pub(super) fn read(yaml: &str) -> Result<Read, yaml_serde::Error> {
    let mut check = Check::default();
    let checked = match yaml_serde::from_str(yaml)? {
        Value::Null => Mapping::new(),
        Value::Mapping(mapping) => check.mapping("", &mapping, INSTANCE),
        _ => {
            check.wrong("", "must be a mapping of keys to values", None);
            Mapping::new()
        }
    };
    let file = yaml_serde::from_value(Value::Mapping(checked))?;
    Ok(Read { file, wrong: check.wrong, empty: check.empty })
}

#[derive(Default)]
struct Check {
    wrong: Vec<Wrong>,
    empty: Vec<String>,
}

impl Check {
    fn wrong(&mut self, path: &str, text: impl Into<String>, remedy: Option<String>) {
        self.wrong.push(Wrong { path: path.to_owned(), text: text.into(), remedy });
    }

    /// Returns what is good of a mapping.
    fn mapping(&mut self, path: &str, mapping: &Mapping, keys: &[Key]) -> Mapping {
        let mut probable = Vec::new();
        for (key, _) in mapping {
            let name = key_name(key);
            if !keys.iter().any(|known| known.name == name) {
                let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
                let remedy = match nearest(&name, known.iter().copied()) {
                    Some(name) => {
                        probable.push(name);
                        format!("did you mean `{name}`?")
                    }
                    None => format!("the keys here are {}", listed(&known)),
                };
                self.wrong(&below(path, &name), "unknown key", Some(remedy));
            }
        }
        let mut good = Mapping::new();
        for key in keys {
            let path = below(path, key.name);
            match mapping.get(key.name) {
                Some(value) if !value.is_null() => {
                    if let Some(value) = self.value(&path, value, &key.form) {
                        good.insert(key.name.into(), value);
                    }
                }
                // An unknown key says it better.
                _ if matches!(key.absent, Absent::Refused) && probable.contains(&key.name) => {}
                _ if matches!(key.absent, Absent::Refused) => self.wrong(&path, "missing", None),
                Some(_) => self.empty.push(path),
                None => {}
            }
        }
        good
    }

    /// Returns a value, or what is good of it; nothing where it is of no use.
    fn value(&mut self, path: &str, value: &Value, form: &Form) -> Option<Value> {
        let (text, remedy) = match (form, value) {
            (Form::Text(_), Value::String(_)) => return Some(value.clone()),
            (Form::Text(_), Value::Number(_) | Value::Bool(_)) => {
                ("must be text".to_owned(), Some("put the value in quotes".to_owned()))
            }
            (Form::Text(_), _) => ("must be text".to_owned(), None),
            (Form::Word(words) | Form::WordOrMapping { words, .. }, Value::String(word))
                if words.iter().any(|(known, _)| known == word) =>
            {
                return Some(value.clone());
            }
            (Form::Word(words), _) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                (format!("must be one of {}", listed(&words)), meant(value, &words))
            }
            (Form::WordOrMapping { mapping: keys, .. }, Value::Mapping(mapping)) => {
                return Some(self.mapping(path, mapping, keys).into());
            }
            (Form::WordOrMapping { words, called, .. }, _) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                (format!("must be one of {} or {called}", listed(&words)), meant(value, &words))
            }
            (Form::Number { unit, least, most }, _) => {
                if value.as_u64().is_some_and(|number| (*least..=*most).contains(&number)) {
                    return Some(value.clone());
                }
                (format!("must be a whole number of {unit} from {least} to {most}"), None)
            }
            (Form::Mapping(keys), Value::Mapping(mapping)) => {
                return Some(self.mapping(path, mapping, keys).into());
            }
            (Form::Mapping(keys), _) => (must_be_mapping(keys), None),
            (Form::List { items, .. }, Value::Sequence(values)) => {
                let good = values.iter().enumerate().map(|(index, value)| {
                    let good = self.value(&format!("{path}[{index}]"), value, &Form::Mapping(items));
                    // The others keep their numbers.
                    good.unwrap_or_else(|| Mapping::new().into())
                });
                return Some(good.collect());
            }
            (Form::List { items, .. }, _) => {
                let keys: Vec<&str> = items.iter().map(|key| key.name).collect();
                (format!("must be a list of mappings with the keys {}", listed(&keys)), None)
            }
        };
        self.wrong(path, text, remedy);
        None
    }
}

fn must_be_mapping(keys: &[Key]) -> String {
    let keys: Vec<&str> = keys.iter().map(|key| key.name).collect();
    format!("must be a mapping with the keys {}", listed(&keys))
}

/// Returns the question after the word that was probably meant.
fn meant(value: &Value, words: &[&str]) -> Option<String> {
    let word = nearest(value.as_str()?, words.iter().copied())?;
    Some(format!("did you mean `{word}`?"))
}

/// Returns a key as it is written; most are texts.
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
