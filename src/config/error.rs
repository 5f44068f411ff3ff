//! What is wrong with a configuration.

use std::fmt;

use crate::transform::text::printable;

/// A configuration that cannot be used: exit code 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    place: String,
    key: Option<String>,
    text: String,
    remedy: Option<String>,
}

impl ConfigError {
    /// An error in `place`: a file, a preset, the environment.
    pub(super) fn new(place: &str, text: impl Into<String>) -> Self {
        Self { place: printable(place.as_bytes()), key: None, text: text.into(), remedy: None }
    }

    /// Says which key it is about.
    pub(super) fn at(self, key: &str) -> Self {
        Self { key: Some(printable(key.as_bytes())), ..self }
    }

    /// Says what to do about it.
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// Returns what to do about it, where that does not follow from the text.
    pub fn hint(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if let Some(key) = &self.key {
            write!(f, "`{key}`: ")?;
        }
        f.write_str(&self.text)
    }
}

impl std::error::Error for ConfigError {}

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
