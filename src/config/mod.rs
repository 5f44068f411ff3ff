//! The instance: which GitLab, which projects, and how the bot works there (a preset, or a YAML file that
//! extends one).
//!
//! Reading and checking only. Nothing here connects anywhere, and no variable of the environment is read but through
//! [`Environment`], which is filled from a map.
//!
//! ```yaml
//! extends: production
//! gitlab:
//!   url: https://gitlab.example.com
//!   ca_file: ca.pem            # beside this file
//! namespaces:
//!   - source_git: packages/src
//!     dist_git: packages/rpms
//! forks: {group: packages/forks}   # or `bot`: the bot user's namespace; or `dist-git`: no forks
//! targets:
//!   - project: packages/src/.+     # regular expressions, for the whole name
//!     branch: c[0-9]+s
//! bot_project: packages/bot      # where `reconcile` keeps its status issue
//! test_package: hello            # what an operator tries the bot on
//! ```

mod environment;
mod error;
mod file;
mod keys;
mod layer;
mod lints;
mod locate;
mod namespaces;
mod origin;
mod parts;
mod presets;
mod schema;
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

pub use crate::config::environment::{Environment, Pauses};
pub use crate::config::error::{ConfigError, ConfigErrors};
pub use crate::config::namespaces::{CopyOf, Namespace, NamespaceError, NamespaceMap, NamespacePair};
pub use crate::config::origin::{Origin, Setting};
pub use crate::config::presets::{PRESETS, Preset};
pub use crate::config::schema::schema;
pub use crate::config::targets::{NamePattern, Target, Targets};

use crate::config::error::{listed, nearest};
use crate::config::file::Wrong;
use crate::config::layer::Layer;
use crate::config::parts::Parts;

/// Where the bot works, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The preset's name, or the file's path.
    pub name: String,
    /// How to reach GitLab.
    pub gitlab: Gitlab,
    /// Which source-git project belongs to which dist-git project.
    pub namespaces: NamespaceMap,
    /// Where the bot's branches live.
    pub forks: Forks,
    /// Which merge requests are handled.
    pub targets: Targets,
    /// Whose CI files dist-git gets.
    pub ci_files: CiFiles,
    /// How dist-git's results are shown on a source-git commit.
    pub results: Results,
    /// The label of the bot's dist-git merge requests.
    pub label: Option<String>,
    /// Whether events have to carry a webhook token.
    pub webhook_tokens: WebhookTokens,
    /// The project that runs the bot, and holds the issue in which it tells how it fares; a path like a namespace's.
    pub bot_project: Option<Namespace>,
    /// The package to try things on, by its name: the last part of its projects' paths.
    pub test_package: Option<String>,
    /// For how many days the bot's branch stays once its dist-git merge request is closed or merged.
    pub keep_branches: u32,
}

/// How to reach GitLab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gitlab {
    /// Its address, `http` or `https`, without user name and password; with a path where it is installed below one.
    pub url: Url,
    /// A file of certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy to go through, without user name and password.
    pub proxy: Option<Url>,
    /// How long one request to its API may take, and how long git may receive nothing.
    pub timeout: Duration,
}

/// Where the branches live that the bot opens dist-git merge requests from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forks {
    /// In forks in the namespace of the bot's user.
    BotUser,
    /// In forks in a group.
    Group(Namespace),
    /// In the dist-git projects themselves.
    DistGit,
}

/// Whose CI files dist-git gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CiFiles {
    /// dist-git keeps its own, whatever source-git says.
    DistGit,
    /// Those of source-git are carried over.
    SourceGit,
}

/// How dist-git's results are shown on a source-git commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Results {
    /// One status for the pipeline.
    Pipeline,
    /// One for the pipeline and one for each of its jobs.
    Jobs,
}

/// Whether events have to carry a webhook token that is good for the project that they are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookTokens {
    /// They have to.
    Required,
    /// A token that one carries is not looked at.
    Ignored,
}

/// An instance with all that can be said about it.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The instance.
    pub instance: Instance,
    /// The preset that it is or extends; nothing where the file stands alone.
    pub preset: Option<&'static Preset>,
    /// Every key with its value and where that comes from, in the order in which the keys are documented.
    pub settings: Vec<Setting>,
    /// What it may say and hardly means.
    pub doubts: Vec<ConfigError>,
}

impl Instance {
    /// Returns the name that people know it by, wherever its file is: the preset's, or the file's without its ending.
    pub fn short_name(&self) -> String {
        let stem = Path::new(&self.name).file_stem().and_then(|stem| stem.to_str());
        stem.unwrap_or(&self.name).to_owned()
    }

    /// Reads the instance that `--instance` names: a preset by its bare name, else a file.
    ///
    /// Where a preset is named, the environment may replace GitLab's address, CA file and proxy, and the bot project. A
    /// file alone decides about them: then what the environment says is left aside, with a warning.
    pub fn load(name: &str, environment: &Environment) -> Result<Self, ConfigError> {
        Self::examine(name, environment).map(|examined| examined.instance).map_err(|errors| *errors.first)
    }

    /// Reads the same instance, and says where each value comes from and what is doubtful; or all that is wrong.
    pub fn examine(name: &str, environment: &Environment) -> Result<Examined, ConfigErrors> {
        if let Some(preset) = presets::preset(name) {
            let mut errors = Vec::new();
            let layers = [Layer::preset(preset, &mut errors), Layer::environment(environment)];
            return Self::from_layers(name, Some(preset), &layers, errors);
        }
        let path = Path::new(name);
        let yaml = fs::read(path).map_err(|error| {
            let wrong = ConfigError::new(name, format!("cannot be read: {error}"));
            let presets = presets::names();
            match nearest(name, presets) {
                Some(preset) => wrong.remedy(format!("did you mean the preset `{preset}`?")),
                None => wrong.remedy(format!("name a file, or one of the presets {}", listed(&presets))),
            }
        })?;
        const REACHED: &str = "how GitLab is reached";
        for (variable, is_set, what) in [
            ("SGB_GITLAB_URL", environment.gitlab_url.is_some(), REACHED),
            ("SGB_CA_FILE", environment.ca_file.is_some(), REACHED),
            ("SGB_PROXY", environment.proxy.is_some(), REACHED),
            ("SGB_BOT_PROJECT", environment.bot_project.is_some(), "which project runs the bot"),
        ] {
            if is_set {
                tracing::warn!("{variable} is not used: the instance file alone decides {what}");
            }
        }
        Self::parse(name, path.parent(), &yaml)
    }

    /// Reads an instance file's text. Relative paths in it start from `directory`.
    fn parse(name: &str, directory: Option<&Path>, yaml: &[u8]) -> Result<Examined, ConfigErrors> {
        let mut errors = Vec::new();
        let file = Layer::file(name, yaml, directory, &mut errors);
        match file.says.extends.as_deref().and_then(presets::preset) {
            None => Self::from_layers(name, None, &[file], errors),
            Some(preset) => {
                let layers = [Layer::preset(preset, &mut errors), file];
                Self::from_layers(name, Some(preset), &layers, errors)
            }
        }
    }

    /// Puts an instance together from layers, the later of which win key by key.
    fn from_layers(
        name: &str,
        preset: Option<&'static Preset>,
        layers: &[Layer<'_>],
        mut errors: Vec<ConfigError>,
    ) -> Result<Examined, ConfigErrors> {
        let mut parts = Parts::default();
        for layer in layers {
            parts.apply(layer, &mut errors);
        }
        let complete = parts.complete(name, &mut errors);
        match (ConfigErrors::of(errors), complete) {
            (None, Some((instance, settings))) => {
                let doubts = lints::doubts(&instance);
                Ok(Examined { doubts: placed(doubts, &settings.0, layers), instance, preset, settings: settings.0 })
            }
            (Some(errors), _) => Err(errors),
            (None, None) => Err(ConfigError::new(name, "is not complete").into()),
        }
    }
}

/// Says of each doubt which layer the value comes from; adds the keys of the layers that have no value.
fn placed(doubts: Vec<Wrong>, settings: &[Setting], layers: &[Layer<'_>]) -> Vec<ConfigError> {
    let valued = doubts.into_iter().filter_map(|doubt| {
        let setting = settings.iter().find(|setting| doubt.path.starts_with(setting.key))?;
        let layer = layers.iter().find(|layer| layer.origin(setting.key) == setting.origin)?;
        let error = layer.error(doubt);
        match (&setting.origin, layers) {
            // By itself a preset is what it means to be.
            (Origin::Preset { .. }, [_, file]) if file.is_file() => {
                Some(error.remedy(format!("this is the preset's: set `{}` in the file too", setting.key)))
            }
            _ => Some(error),
        }
    });
    let empty = layers.iter().flat_map(|layer| {
        layer.empty.iter().map(|path| {
            let text = "has no value, and counts as not there".to_owned();
            let remedy = Some("give it a value, or take it out".to_owned());
            layer.error(Wrong { path: path.clone(), text, remedy })
        })
    });
    let mut placed: Vec<ConfigError> = valued.chain(empty).collect();
    placed.sort_by_key(ConfigError::position);
    placed
}

#[cfg(test)]
mod tests;
