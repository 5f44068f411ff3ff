//! The layers that an instance is put together from: a preset, a file, the environment.

use std::cell::Cell;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::config::environment::Environment;
use crate::config::error::ConfigError;
use crate::config::file::{self, GitlabKeys, InstanceFile, SIZE_LIMIT, Wrong, below};
use crate::config::instance::Preset;
use crate::config::origin::Origin;

use crate::types::text::printable;

/// The keys that the environment may say, where a preset is named, and the variable for each.
pub(super) const VARIABLES: [(&str, &str); 4] = [
    ("gitlab.url", "SGB_GITLAB_URL"),
    ("gitlab.ca_file", "SGB_CA_FILE"),
    ("gitlab.proxy", "SGB_PROXY"),
    ("bot_project", "SGB_BOT_PROJECT"),
];

/// What one place says of an instance.
#[derive(Debug)]
pub(super) struct Layer<'a> {
    place: Place<'a>,
    pub(super) says: InstanceFile,
    /// Where relative paths start; nothing for the working directory.
    pub(super) directory: Option<&'a Path>,
    /// The keys without a value.
    pub(super) empty: Vec<String>,
}

#[derive(Debug)]
enum Place<'a> {
    Preset(&'static Preset),
    File { name: &'a str, yaml: &'a str },
    Environment,
}

impl<'a> Layer<'a> {
    /// What a preset says.
    pub(super) fn preset(preset: &'static Preset, errors: &mut Vec<ConfigError>) -> Self {
        Self::read(Place::Preset(preset), preset.yaml.as_bytes(), None, errors)
    }

    /// What a file says, which was named `name`.
    pub(super) fn file(
        name: &'a str,
        yaml: &'a [u8],
        directory: Option<&'a Path>,
        errors: &mut Vec<ConfigError>,
    ) -> Self {
        let place = Place::File { name, yaml: std::str::from_utf8(yaml).unwrap_or_default() };
        Self::read(place, yaml, directory, errors)
    }

    /// What the environment says.
    pub(super) fn environment(environment: &Environment) -> Self {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let gitlab = GitlabKeys {
            url: environment.gitlab_url.clone(),
            ca_file: environment.ca_file.as_ref().map(path),
            proxy: environment.proxy.clone(),
            timeout: None,
        };
        let says = InstanceFile { gitlab, bot_project: environment.bot_project.clone(), ..InstanceFile::default() };
        Self { place: Place::Environment, says, directory: None, empty: Vec::new() }
    }

    fn read(place: Place<'a>, yaml: &[u8], directory: Option<&'a Path>, errors: &mut Vec<ConfigError>) -> Self {
        let mut layer = Self { place, says: InstanceFile::default(), directory, empty: Vec::new() };
        let wrong = |text: String| Wrong { path: String::new(), text, remedy: None };
        let read = if yaml.len() > SIZE_LIMIT {
            Err(wrong(format!("longer than {} KiB", SIZE_LIMIT >> 10)))
        } else {
            std::str::from_utf8(yaml)
                .map_err(|error| wrong(format!("is not UTF-8: {error}")))
                .and_then(|yaml| file::read(yaml).map_err(|error| wrong(printable(error.to_string().as_bytes()))))
        };
        match read {
            Ok(read) => {
                errors.extend(read.wrong.into_iter().map(|wrong| layer.error(wrong)));
                layer.says = read.file;
                layer.empty = read.empty;
            }
            Err(wrong) => errors.push(layer.error(wrong)),
        }
        layer
    }

    /// Whether this is a file.
    pub(super) const fn is_file(&self) -> bool {
        matches!(self.place, Place::File { .. })
    }

    /// Returns where the value of `key` comes from, if from here.
    pub(super) fn origin(&self, key: &str) -> Origin {
        match &self.place {
            Place::Preset(preset) => Origin::Preset { name: preset.name.to_owned() },
            Place::File { name, yaml } => Origin::File { name: (*name).to_owned(), line: line(yaml, key) },
            Place::Environment => Origin::Variable { name: variable(key).to_owned() },
        }
    }

    /// Returns the error for something that is wrong here.
    pub(super) fn error(&self, wrong: Wrong) -> ConfigError {
        let Wrong { path, text, remedy } = wrong;
        let error = match &self.place {
            Place::Environment => ConfigError::new(variable(&path), text),
            Place::Preset(preset) => ConfigError::new(preset.name, text).at(&without_numbers(&path)),
            Place::File { name, .. } if path.is_empty() => ConfigError::new(name, text),
            Place::File { name, yaml } => {
                ConfigError::new(name, text).at(&without_numbers(&path)).in_line(line(yaml, &path))
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

/// Returns a path as people write it, without the numbers of list items: the line tells which one it is.
fn without_numbers(path: &str) -> String {
    path.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect()
}

/// Returns the line, from 1, of the key or list item at `path` (`targets[0].branch`); of what it is in, where it is not
/// there itself; nothing where that is the whole file.
fn line(yaml: &str, path: &str) -> Option<usize> {
    let mut wanted = path;
    loop {
        let found = Cell::new(false);
        let look = Look { wanted, here: String::new(), found: &found };
        let end = yaml_serde::Deserializer::from_str(yaml).deserialize_any(look);
        if found.get() {
            return Some(end.err()?.location()?.line());
        }
        wanted = wanted.get(..wanted.rfind(['.', '['])?)?;
    }
}

/// Looks into the value at `here`.
struct Look<'a> {
    wanted: &'a str,
    here: String,
    found: &'a Cell<bool>,
}

impl Look<'_> {
    fn is_it<E: Error>(&self) -> Result<(), E> {
        if self.here == self.wanted {
            self.found.set(true);
            return Err(E::custom("found"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.here.ends_with(']') {
            self.is_it()?;
        }
        while let Some(here) = map.next_key_seed(LookAtKey(&self))? {
            map.next_value_seed(Look { wanted: self.wanted, here, found: self.found })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0_usize;
        while items
            .next_element_seed(Look {
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
        self.is_it()
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.is_it()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.is_it()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.is_it()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.is_it()
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.is_it()
    }
}

/// Looks at a key of the mapping that this looks into, and returns its path.
struct LookAtKey<'a, 'b>(&'a Look<'b>);

impl LookAtKey<'_, '_> {
    fn path<E: Error>(&self, key: &str) -> Result<String, E> {
        let here = below(&self.0.here, key);
        let look = Look { wanted: self.0.wanted, here, found: self.0.found };
        look.is_it().map(|()| look.here)
    }
}

impl<'de> DeserializeSeed<'de> for LookAtKey<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LookAtKey<'_, '_> {
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
    fn a_key_is_where_its_name_is() {
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
    fn what_is_not_there_is_where_it_would_be() {
        assert_eq!(line(YAML, "gitlab.proxy"), Some(2));
        assert_eq!(line(YAML, "namespaces[0].source"), Some(6));
        assert_eq!(line(YAML, "namespaces[7].source"), Some(5));
        assert_eq!(line(YAML, "label"), None);
        assert_eq!(line("", "label"), None);
        assert_eq!(line("a: [", "b"), None);
    }
}
