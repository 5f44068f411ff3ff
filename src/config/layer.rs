//! The layers that an instance is built from: a preset, a file, the environment.
//!
//! Errors and origins name the line of a key. The YAML parser reports lines only in its errors. So [`line()`] reads the
//! file once more, with a reader that ignores all values and reports the wanted key as an error.

use std::cell::Cell;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::config::environment::Environment;
use crate::config::error::ConfigError;
use crate::config::file::{self, GitlabKeys, InstanceFile, Mistake, SIZE_LIMIT, below};
use crate::config::instance::Preset;
use crate::config::origin::Origin;
use crate::types::text::printable;

/// The keys that the environment may set for a preset, and the variable for each.
pub(super) const VARIABLES: [(&str, &str); 4] = [
    ("gitlab.url", "SGB_GITLAB_URL"),
    ("gitlab.ca_file", "SGB_CA_FILE"),
    ("gitlab.proxy", "SGB_PROXY"),
    ("bot_project", "SGB_BOT_PROJECT"),
];

/// The values that one source sets.
#[derive(Debug)]
pub(super) struct Layer<'a> {
    source: LayerSource<'a>,
    pub(super) values: InstanceFile,
    /// The start of relative paths; `None` for the working directory.
    pub(super) directory: Option<&'a Path>,
    /// The keys without a value. They count as absent.
    pub(super) empty_keys: Vec<String>,
}

#[derive(Debug)]
enum LayerSource<'a> {
    Preset(&'static Preset),
    File { name: &'a str, yaml: &'a str },
    Environment,
}

impl<'a> Layer<'a> {
    pub(super) fn preset(preset: &'static Preset, errors: &mut Vec<ConfigError>) -> Self {
        Self::read(LayerSource::Preset(preset), preset.yaml.as_bytes(), None, errors)
    }

    /// Reads a file's text. `name` is the path as the caller wrote it.
    pub(super) fn file(
        name: &'a str,
        yaml: &'a [u8],
        directory: Option<&'a Path>,
        errors: &mut Vec<ConfigError>,
    ) -> Self {
        let source = LayerSource::File { name, yaml: std::str::from_utf8(yaml).unwrap_or_default() };
        Self::read(source, yaml, directory, errors)
    }

    pub(super) fn environment(environment: &Environment) -> Self {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let gitlab = GitlabKeys {
            url: environment.gitlab_url.clone(),
            ca_file: environment.ca_file.as_ref().map(path),
            proxy: environment.proxy.clone(),
            timeout: None,
        };
        let values = InstanceFile { gitlab, bot_project: environment.bot_project.clone(), ..InstanceFile::default() };
        Self { source: LayerSource::Environment, values, directory: None, empty_keys: Vec::new() }
    }

    fn read(source: LayerSource<'a>, yaml: &[u8], directory: Option<&'a Path>, errors: &mut Vec<ConfigError>) -> Self {
        let mut layer = Self { source, values: InstanceFile::default(), directory, empty_keys: Vec::new() };
        let mistake = |text: String| Mistake { path: String::new(), text, remedy: None };
        let read = if yaml.len() > SIZE_LIMIT {
            Err(mistake(format!("longer than {} KiB", SIZE_LIMIT >> 10)))
        } else {
            std::str::from_utf8(yaml)
                .map_err(|error| mistake(format!("is not UTF-8: {error}")))
                .and_then(|yaml| file::read(yaml).map_err(|error| mistake(printable(error.to_string().as_bytes()))))
        };
        match read {
            Ok(read) => {
                errors.extend(read.mistakes.into_iter().map(|mistake| layer.error(mistake)));
                layer.values = read.file;
                layer.empty_keys = read.empty_keys;
            }
            Err(mistake) => errors.push(layer.error(mistake)),
        }
        layer
    }

    pub(super) const fn is_file(&self) -> bool {
        matches!(self.source, LayerSource::File { .. })
    }

    /// Returns the origin of the value of `key`, provided that this layer sets it.
    pub(super) fn origin(&self, key: &str) -> Origin {
        match &self.source {
            LayerSource::Preset(preset) => Origin::Preset { name: preset.name.to_owned() },
            LayerSource::File { name, yaml } => Origin::File { name: (*name).to_owned(), line: line(yaml, key) },
            LayerSource::Environment => Origin::Variable { name: variable(key).to_owned() },
        }
    }

    /// Turns a mistake in this layer into an error that names the layer and the line.
    pub(super) fn error(&self, mistake: Mistake) -> ConfigError {
        let Mistake { path, text, remedy } = mistake;
        let error = match &self.source {
            LayerSource::Environment => ConfigError::new(variable(&path), text),
            LayerSource::Preset(preset) => ConfigError::new(preset.name, text).at(&without_indices(&path)),
            LayerSource::File { name, .. } if path.is_empty() => ConfigError::new(name, text),
            LayerSource::File { name, yaml } => {
                ConfigError::new(name, text).at(&without_indices(&path)).in_line(line(yaml, &path))
            }
        };
        match remedy {
            Some(remedy) => error.remedy(remedy),
            None => error,
        }
    }
}

fn variable(key: &str) -> &'static str {
    VARIABLES.iter().find(|(known, _)| *known == key).map_or("the environment", |(_, variable)| variable)
}

/// Returns a path without the numbers of list items, as people write it. The line identifies the item.
fn without_indices(path: &str) -> String {
    path.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect()
}

/// Returns the line, counted from 1, of the key or list item at `path` (`targets[0].branch`). Where there is none,
/// returns the line of the nearest key or item around it; `None` where only the file is around it.
fn line(yaml: &str, path: &str) -> Option<usize> {
    let mut wanted = path;
    loop {
        let found = Cell::new(false);
        let search = KeySearch { wanted, here: String::new(), found: &found };
        let end = yaml_serde::Deserializer::from_str(yaml).deserialize_any(search);
        if found.get() {
            return Some(end.err()?.location()?.line());
        }
        wanted = wanted.get(..wanted.rfind(['.', '['])?)?;
    }
}

/// Searches the value at the path `here` for the key or item at the path `wanted`.
struct KeySearch<'a> {
    wanted: &'a str,
    here: String,
    found: &'a Cell<bool>,
}

impl KeySearch<'_> {
    /// Fails where `here` is the wanted path: the error carries the line.
    fn check<E: Error>(&self) -> Result<(), E> {
        if self.here == self.wanted {
            self.found.set(true);
            return Err(E::custom("found"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for KeySearch<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeySearch<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.here.ends_with(']') {
            self.check()?;
        }
        while let Some(here) = map.next_key_seed(KeyReader(&self))? {
            map.next_value_seed(KeySearch { wanted: self.wanted, here, found: self.found })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0_usize;
        while items
            .next_element_seed(KeySearch {
                wanted: self.wanted,
                here: format!("{}[{index}]", self.here),
                found: self.found,
            })?
            .is_some()
        {
            index = index.saturating_add(1);
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.check()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.check()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.check()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.check()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.check()
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.check()
    }
}

/// Reads a key of the mapping that a search is in, and returns the key's path.
struct KeyReader<'a, 'b>(&'a KeySearch<'b>);

impl KeyReader<'_, '_> {
    fn path<E: Error>(&self, key: &str) -> Result<String, E> {
        let here = below(&self.0.here, key);
        let search = KeySearch { wanted: self.0.wanted, here, found: self.0.found };
        search.check().map(|()| search.here)
    }
}

impl<'de> DeserializeSeed<'de> for KeyReader<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeyReader<'_, '_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<String, E> {
        self.path(key)
    }

    fn visit_bool<E: Error>(self, key: bool) -> Result<String, E> {
        self.path(&key.to_string())
    }

    fn visit_i64<E: Error>(self, key: i64) -> Result<String, E> {
        self.path(&key.to_string())
    }

    fn visit_u64<E: Error>(self, key: u64) -> Result<String, E> {
        self.path(&key.to_string())
    }

    fn visit_unit<E: Error>(self) -> Result<String, E> {
        self.path("null")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "\
# a comment
gitlab:
  url: https://x

namespaces:
- source_git: a
  dist_git: b
-
  source_git: c
  copy_of:
    dist_git: d
targets: [{project: x}, {
  branch: y}]
forks:
  group: z
1: 2
";

    #[test]
    fn the_line_of_a_key_is_that_of_its_name() {
        for (path, expected) in [
            ("gitlab", 2),
            ("gitlab.url", 3),
            ("namespaces", 5),
            ("namespaces[0]", 6),
            ("namespaces[0].dist_git", 7),
            ("namespaces[1].source_git", 9),
            ("namespaces[1].copy_of", 10),
            ("namespaces[1].copy_of.dist_git", 11),
            ("targets[0].project", 12),
            ("targets[1].branch", 13),
            ("forks.group", 15),
            ("1", 16),
        ] {
            assert_eq!(line(YAML, path), Some(expected), "{path}");
        }
    }

    #[test]
    fn a_missing_key_has_the_line_of_what_is_around_it() {
        assert_eq!(line(YAML, "gitlab.proxy"), Some(2));
        assert_eq!(line(YAML, "namespaces[0].source"), Some(6));
        assert_eq!(line(YAML, "namespaces[7].source"), Some(5));
        assert_eq!(line(YAML, "label"), None);
        assert_eq!(line("", "label"), None);
        assert_eq!(line("a: [", "b"), None);
    }
}
