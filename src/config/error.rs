//! Errors in a configuration.

use std::fmt;

use serde::Serialize;

use crate::types::error::{Error, UsageError};
use crate::types::text::printable;

/// A mistake in a configuration: exit code 2. Among the lints of an
/// [`ExaminedInstance`](crate::config::ExaminedInstance), a value that is valid but probably not meant.
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
    /// Makes an error about `place`: a file, a preset, a variable, or the environment.
    pub(super) fn new(place: &str, text: impl Into<String>) -> Self {
        Self { place: printable(place.as_bytes()), line: None, key: None, text: text.into(), remedy: None }
    }

    /// Sets the key that the error is about.
    pub(super) fn at(self, key: &str) -> Self {
        Self { key: Some(printable(key.as_bytes())), ..self }
    }

    /// Sets the line, counted from 1; `None` where it is unknown.
    pub(super) fn in_line(self, line: Option<usize>) -> Self {
        Self { line, ..self }
    }

    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// Returns the key to sort errors by: from top to bottom of the file, those without a line last.
    pub(super) fn position(&self) -> (bool, Option<usize>) {
        (self.line.is_none(), self.line)
    }

    /// Returns the key that the error is about; `None` where it is about the configuration as a whole.
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Returns what to do about the error, where the text does not say so.
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

/// All errors in a configuration: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The topmost in the file.
    pub first: Box<ConfigError>,
    pub others: Vec<ConfigError>,
}

impl ConfigErrors {
    /// Sorts errors from top to bottom of the file; `None` where there are none.
    pub(super) fn from_list(mut errors: Vec<ConfigError>) -> Option<Self> {
        errors.sort_by_key(ConfigError::position);
        let mut errors = errors.into_iter();
        Some(Self { first: Box::new(errors.next()?), others: errors.collect() })
    }

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
pub(super) fn quoted_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Returns the name among `known` that somebody who wrote `given` probably meant; `None` where none is similar.
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
    fn the_nearest_name_is_similar() {
        let known = ["gitlab", "targets", "forks"];
        assert_eq!(nearest("target", known), Some("targets"));
        assert_eq!(nearest("gitalb", known), Some("gitlab"));
        assert_eq!(nearest("FORKS", known), Some("forks"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }
}
