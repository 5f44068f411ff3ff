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

mod builder;
mod environment;
mod error;
mod file;
mod instance;
mod keys;
mod layer;
mod lints;
mod namespaces;
mod origin;
mod schema;
mod targets;

use std::fs;
use std::path::Path;

pub use crate::config::environment::{Environment, Pauses};
pub use crate::config::error::{ConfigError, ConfigErrors};
pub use crate::config::instance::{CiFiles, Forks, Gitlab, Instance, PRESETS, Preset, Results, WebhookTokens};
pub use crate::config::namespaces::{CopyOf, Namespace, NamespaceError, NamespaceMap, NamespacePair};
pub use crate::config::origin::{Origin, Setting};
pub use crate::config::schema::schema;
pub use crate::config::targets::{NamePattern, Target, Targets};

use crate::config::builder::Parts;
use crate::config::error::{listed, nearest};
use crate::config::file::Wrong;
use crate::config::layer::Layer;

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
    /// Reads the instance that `--instance` names: a preset by its bare name, else a file.
    ///
    /// Where a preset is named, the environment may replace GitLab's address, CA file and proxy, and the bot project. A
    /// file alone decides about them: then what the environment says is left aside, with a warning.
    pub fn load(name: &str, environment: &Environment) -> Result<Self, ConfigError> {
        Self::examine(name, environment).map(|examined| examined.instance).map_err(|errors| *errors.first)
    }

    /// Reads the same instance, and says where each value comes from and what is doubtful; or all that is wrong.
    pub fn examine(name: &str, environment: &Environment) -> Result<Examined, ConfigErrors> {
        if let Some(preset) = instance::preset(name) {
            let mut errors = Vec::new();
            let layers = [Layer::preset(preset, &mut errors), Layer::environment(environment)];
            return Self::from_layers(name, Some(preset), &layers, errors);
        }
        let path = Path::new(name);
        let yaml = fs::read(path).map_err(|error| {
            let wrong = ConfigError::new(name, format!("cannot be read: {error}"));
            let presets = instance::preset_names();
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
        match file.says.extends.as_deref().and_then(instance::preset) {
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
