//! What is wrong with a configuration.

use std::fmt;

use serde::Serialize;

use crate::types::error::{Error, UsageError};
use crate::types::text::printable;

/// A configuration that cannot be used: exit code 2. Or, among the doubts of an [`Examined`](crate::config::Examined) one,
/// something in it that is hardly meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl ConfigError {
    /// An error in `place`: a file, a preset, a variable, the environment.
    pub(super) fn new(place: &str, text: impl Into<String>) -> Self {
        Self { place: printable(place.as_bytes()), line: None, key: None, text: text.into(), remedy: None }
    }

    /// Says which key it is about.
    pub(super) fn at(self, key: &str) -> Self {
        Self { key: Some(printable(key.as_bytes())), ..self }
    }

    /// Says in which line it is, from 1, where that is known.
    pub(super) fn in_line(self, line: Option<usize>) -> Self {
        Self { line, ..self }
    }

    /// Says what to do about it.
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// Returns what sorts errors from top to bottom of a file, those without a line behind.
    pub(super) fn position(&self) -> (bool, Option<usize>) {
        (self.line.is_none(), self.line)
    }

    /// Returns the key that it is about; nothing where it is about the whole.
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Returns what to do about it, where that does not follow from the text.
    pub fn hint(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        UsageError { text: error.to_string(), hint: error.remedy }.into()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if let Some(key) = &self.key {
            write!(f, "`{key}`: ")?;
        }
        f.write_str(&self.text)
    }
}

impl std::error::Error for ConfigError {}

/// All that is wrong with a configuration: one thing at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The first, from top to bottom of the file.
    pub first: Box<ConfigError>,
    /// The others.
    pub others: Vec<ConfigError>,
}

impl ConfigErrors {
    /// Returns what is wrong; nothing where nothing is.
    pub(super) fn of(mut errors: Vec<ConfigError>) -> Option<Self> {
        errors.sort_by_key(ConfigError::position);
        let mut errors = errors.into_iter();
        Some(Self { first: Box::new(errors.next()?), others: errors.collect() })
    }

    /// Returns all of them, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        std::iter::once(&*self.first).chain(&self.others)
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(first: ConfigError) -> Self {
        Self { first: Box::new(first), others: Vec::new() }
    }
}

/// Returns `` `a`, `b` ``.
pub(super) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Returns the one of `known` that somebody who wrote `given` most likely meant; nothing where none is near.
pub(super) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&given.to_lowercase(), name), name))
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_near() {
        let known = ["gitlab", "targets", "forks"];
        assert_eq!(nearest("target", known), Some("targets"));
        assert_eq!(nearest("gitalb", known), Some("gitlab"));
        assert_eq!(nearest("FORKS", known), Some("forks"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }
}
