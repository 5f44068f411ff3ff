//! Parameters of a request: query and body (JSON or form) as one map, and a note of which of them a route has read, so
//! that a parameter which the sandbox does not model is found out instead of silently ignored.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::Request;
use super::reply::Refusal;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    values: BTreeMap<String, Value>,
    read: RefCell<BTreeSet<String>>,
}

/// Decodes a path segment.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn decode_form(text: &str) -> String {
    decode(&text.replace('+', " "))
}

impl Parameters {
    pub(crate) fn of(request: &Request) -> Result<Self, Refusal> {
        let mut parameters = Self::default();
        parameters.add_form(&request.query);
        let kind = request.header("content-type").unwrap_or_default();
        if kind.starts_with("application/json") && !request.body.is_empty() {
            match serde_json::from_slice(&request.body) {
                Ok(Value::Object(map)) => parameters.values.extend(map),
                Ok(_) | Err(_) => return Err(Refusal::Parameter("Invalid JSON body".to_owned())),
            }
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            parameters.add_form(&String::from_utf8_lossy(&request.body));
        } else if !request.body.is_empty() {
            let text = format!("The provided content-type '{kind}' is not supported.");
            return Err(Refusal::Parameter(text));
        }
        Ok(parameters)
    }

    fn add_form(&mut self, form: &str) {
        for pair in form.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode_form(name), Value::String(decode_form(value)));
            match name.strip_suffix("[]") {
                Some(list) => {
                    let list = self.values.entry(list.to_owned()).or_insert_with(|| Value::Array(Vec::new()));
                    if let Value::Array(list) = list {
                        list.push(value);
                    }
                }
                None => drop(self.values.insert(name, value)),
            }
        }
    }

    /// Parameters that nobody has asked for.
    pub(crate) fn unread(&self) -> Vec<String> {
        let read = self.read.borrow();
        self.values.keys().filter(|name| !read.contains(*name)).cloned().collect()
    }

    /// Names parameters that a route knows and that make no difference here.
    pub(crate) fn accept(&self, names: &[&str]) {
        self.read.borrow_mut().extend(names.iter().map(|name| (*name).to_owned()));
    }

    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.accept(&[name]);
        self.values.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.accept(&[name]);
        self.values.contains_key(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Array(_) | Value::Object(_) | Value::Null => None,
            other => Some(other.to_string()),
        }
    }

    pub(crate) fn required(&self, name: &str) -> Result<String, Refusal> {
        self.text(name).ok_or_else(|| Refusal::Parameter(format!("{name} is missing")))
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Refusal::Parameter(format!("{name} is invalid")))
    }

    pub(crate) fn switch(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.text(name).as_deref() {
            None | Some("") => Ok(None),
            Some("true" | "1" | "t" | "yes") => Ok(Some(true)),
            Some("false" | "0" | "f" | "no") => Ok(Some(false)),
            Some(_) => Err(Refusal::Parameter(format!("{name} is invalid"))),
        }
    }

    /// One of some words, or the first of them.
    pub(crate) fn choice<'a>(&self, name: &str, words: &[&'a str]) -> Result<&'a str, Refusal> {
        let text = self.text(name);
        let chosen = text.as_deref().map_or(words.first(), |text| words.iter().find(|word| **word == text));
        chosen.copied().ok_or_else(|| Refusal::Parameter(format!("{name} does not have a valid value")))
    }

    /// A list: an array, or one text with commas.
    pub(crate) fn list(&self, name: &str) -> Option<Vec<String>> {
        let texts = match self.value(name)? {
            Value::Array(items) => {
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
            }
            Value::String(text) => {
                text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
            }
            other => vec![other.to_string()],
        };
        Some(texts)
    }

    /// All of them with their values, for `Link` headers.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }
}
