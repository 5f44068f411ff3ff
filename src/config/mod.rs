//! The instance: which GitLab, which projects, and how the bot works there (a preset, or a YAML file that
//! extends one).
//!
//! This module only reads and checks. It connects nowhere. It reads variables of the environment only through
//! [`Environment`], which the caller fills from a map.
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
//!   - project: packages/src/.+     # regular expressions for the whole name
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
pub use crate::config::targets::{NameRegex, Target, Targets};

use crate::config::builder::InstanceBuilder;
use crate::config::error::{nearest, quoted_list};
use crate::config::file::Mistake;
use crate::config::layer::Layer;

/// An instance, and what `config` shows about it.
#[derive(Clone, Debug)]
pub struct ExaminedInstance {
    pub instance: Instance,
    /// The preset that the instance is or extends; `None` for a file that extends nothing.
    pub preset: Option<&'static Preset>,
    /// Every key with its value and origin, in the order of the documentation.
    pub settings: Vec<Setting>,
    /// Values that are valid but probably not meant.
    pub lints: Vec<ConfigError>,
}

impl Instance {
    /// Reads the instance that `--instance` names: a preset by its bare name, else a file.
    ///
    /// For a preset, the environment may replace GitLab's address, CA file and proxy, and the bot project. A file alone
    /// decides about them: there the environment's values are ignored, with a warning.
    pub fn load(name: &str, environment: &Environment) -> Result<Self, ConfigError> {
        Self::examine(name, environment).map(|examined| examined.instance).map_err(|errors| *errors.first)
    }

    /// Reads the same instance as [`Instance::load`]. Returns also where each value comes from, and lints.
    ///
    /// # Errors
    ///
    /// All errors of the configuration, not only the first.
    pub fn examine(name: &str, environment: &Environment) -> Result<ExaminedInstance, ConfigErrors> {
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
                None => wrong.remedy(format!("name a file, or one of the presets {}", quoted_list(&presets))),
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
    fn parse(name: &str, directory: Option<&Path>, yaml: &[u8]) -> Result<ExaminedInstance, ConfigErrors> {
        let mut errors = Vec::new();
        let file = Layer::file(name, yaml, directory, &mut errors);
        match file.values.extends.as_deref().and_then(instance::preset) {
            None => Self::from_layers(name, None, &[file], errors),
            Some(preset) => {
                let layers = [Layer::preset(preset, &mut errors), file];
                Self::from_layers(name, Some(preset), &layers, errors)
            }
        }
    }

    /// Combines layers into an instance. For each key, the last layer that sets it wins.
    fn from_layers(
        name: &str,
        preset: Option<&'static Preset>,
        layers: &[Layer<'_>],
        mut errors: Vec<ConfigError>,
    ) -> Result<ExaminedInstance, ConfigErrors> {
        let mut builder = InstanceBuilder::default();
        for layer in layers {
            builder.apply(layer, &mut errors);
        }
        let built = builder.build(name, &mut errors);
        match (ConfigErrors::from_list(errors), built) {
            (None, Some((instance, settings))) => {
                let lints = located(lints::lint(&instance), &settings.0, layers);
                Ok(ExaminedInstance { instance, preset, settings: settings.0, lints })
            }
            (Some(errors), _) => Err(errors),
            (None, None) => Err(ConfigError::new(name, "is not complete").into()),
        }
    }
}

/// Adds to each lint the layer that the value comes from, and a lint for each key without a value.
fn located(lints: Vec<Mistake>, settings: &[Setting], layers: &[Layer<'_>]) -> Vec<ConfigError> {
    let with_value = lints.into_iter().filter_map(|lint| {
        let setting = settings.iter().find(|setting| lint.path.starts_with(setting.key))?;
        let layer = layers.iter().find(|layer| layer.origin(setting.key) == setting.origin)?;
        let error = layer.error(lint);
        match (&setting.origin, layers) {
            // On its own, a preset means what it says: only in combination with the file is its value a mistake.
            (Origin::Preset { .. }, [_, file]) if file.is_file() => {
                Some(error.remedy(format!("this is the preset's: set `{}` in the file too", setting.key)))
            }
            _ => Some(error),
        }
    });
    let without_value = layers.iter().flat_map(|layer| {
        layer.empty_keys.iter().map(|path| {
            let text = "has no value, and counts as not there".to_owned();
            let remedy = Some("give it a value, or take it out".to_owned());
            layer.error(Mistake { path: path.clone(), text, remedy })
        })
    });
    let mut located: Vec<ConfigError> = with_value.chain(without_value).collect();
    located.sort_by_key(ConfigError::position);
    located
}

#[cfg(test)]
mod tests;
