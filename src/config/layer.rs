//! The layers that an instance is put together from: a preset, a file, the environment.

use std::path::{Path, PathBuf};

use crate::config::environment::Environment;
use crate::config::error::ConfigError;
use crate::config::file::{self, GitlabKeys, InstanceFile, SIZE_LIMIT, Wrong};
use crate::config::locate;
use crate::config::origin::Origin;
use crate::config::presets::Preset;
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
            Place::File { name, yaml } => Origin::File { name: (*name).to_owned(), line: locate::line(yaml, key) },
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
                ConfigError::new(name, text).at(&without_numbers(&path)).in_line(locate::line(yaml, &path))
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
