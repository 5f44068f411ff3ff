//! The instance: which GitLab, which projects, and how the bot works there (design: a preset, or a YAML file that
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
mod namespaces;
mod targets;

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

pub use environment::{Environment, Pauses};
pub use error::ConfigError;
pub use namespaces::{CopyOf, Namespace, NamespaceError, NamespaceMap, NamespacePair};
pub use targets::{NamePattern, Target, Targets};

use error::nearest;
use file::{ForksKey, InstanceFile, listed};

/// For how many days branches stay where the instance says nothing, and at most.
const KEPT: u32 = 14;
const LONGEST_KEPT: u32 = 3650;

/// The longest label that GitLab takes, in characters.
const LABEL_LIMIT: usize = 255;

/// How long GitLab may take, in seconds: up to the time that one git command has in all.
const TIMEOUTS: RangeInclusive<u64> = 1..=600;

/// The time where an instance says nothing. GitLab itself gives a request up after 60 s (Puma's worker timeout).
const TIMEOUT: Duration = Duration::from_secs(75);

/// The instances that come with the program.
const PRESETS: [(&str, &str); 3] = [
    ("production", include_str!("presets/production.yaml")),
    ("staging", include_str!("presets/staging.yaml")),
    ("centos-stream-staging", include_str!("presets/centos-stream-staging.yaml")),
];

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CiFiles {
    /// dist-git keeps its own, whatever source-git says.
    DistGit,
    /// Those of source-git are carried over.
    SourceGit,
}

/// How dist-git's results are shown on a source-git commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Results {
    /// One status for the pipeline.
    Pipeline,
    /// One for the pipeline and one for each of its jobs.
    Jobs,
}

/// Whether events have to carry a webhook token that is good for the project that they are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookTokens {
    /// They have to.
    Required,
    /// A token that one carries is not looked at.
    Ignored,
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
        let Some(preset) = preset(name) else { return Self::load_file(name, environment) };
        let mut layers = vec![(name, None, preset?)];
        let from_environment = file::GitlabKeys {
            url: environment.gitlab_url.clone(),
            proxy: environment.proxy.clone(),
            ..file::GitlabKeys::default()
        };
        let overlay = InstanceFile {
            gitlab: Some(from_environment),
            bot_project: environment.bot_project.clone(),
            ..InstanceFile::default()
        };
        layers.push(("the environment", None, overlay));
        let mut instance = Self::from_layers(name, layers)?;
        instance.gitlab.ca_file.clone_from(&environment.ca_file);
        Ok(instance)
    }

    fn load_file(name: &str, environment: &Environment) -> Result<Self, ConfigError> {
        let path = Path::new(name);
        let yaml = fs::read(path).map_err(|error| {
            let wrong = ConfigError::new(name, format!("cannot be read: {error}"));
            let presets = PRESETS.map(|(preset, _)| preset);
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
        let directory = path.parent().map(Path::to_owned);
        Self::parse(name, directory, &yaml)
    }

    /// Reads an instance file's text. Relative paths in it start from `directory`.
    fn parse(name: &str, directory: Option<PathBuf>, yaml: &[u8]) -> Result<Self, ConfigError> {
        let overlay = InstanceFile::parse(name, yaml)?;
        let mut layers = Vec::new();
        if let Some(extended) = &overlay.extends {
            let presets = PRESETS.map(|(preset, _)| preset);
            let Some((preset, _)) = PRESETS.iter().find(|(preset, _)| preset == extended) else {
                let error = ConfigError::new(name, "must be the name of a preset").at("extends");
                return Err(match nearest(extended, presets) {
                    Some(preset) => error.remedy(format!("did you mean `{preset}`?")),
                    None => error.remedy(format!("the presets are {}", listed(&presets))),
                });
            };
            layers.extend(self::preset(preset).transpose()?.map(|file| (*preset, None, file)));
        }
        layers.push((name, directory, overlay));
        Self::from_layers(name, layers)
    }

    /// Puts an instance together from layers, the later of which win key by key.
    fn from_layers(name: &str, layers: Vec<(&str, Option<PathBuf>, InstanceFile)>) -> Result<Self, ConfigError> {
        let mut parts = Parts::default();
        for (place, directory, file) in layers {
            parts.apply(place, directory.as_deref(), file)?;
        }
        parts.complete(name)
    }
}

/// Returns a preset; nothing where none has this name.
fn preset(name: &str) -> Option<Result<InstanceFile, ConfigError>> {
    let (_, yaml) = PRESETS.iter().find(|(preset, _)| *preset == name)?;
    Some(InstanceFile::parse(name, yaml.as_bytes()))
}

/// An instance of which some things are not known yet.
#[derive(Default)]
struct Parts {
    url: Option<Url>,
    ca_file: Option<PathBuf>,
    proxy: Option<Url>,
    timeout: Option<Duration>,
    namespaces: Option<NamespaceMap>,
    forks: Option<Forks>,
    targets: Option<Targets>,
    ci_files: Option<CiFiles>,
    results: Option<Results>,
    label: Option<String>,
    webhook_tokens: Option<WebhookTokens>,
    bot_project: Option<Namespace>,
    test_package: Option<String>,
    keep_branches: Option<u32>,
}

impl Parts {
    /// Takes over what `file` says, which is at `place`.
    fn apply(&mut self, place: &str, directory: Option<&Path>, file: InstanceFile) -> Result<(), ConfigError> {
        let wrong = |key: &str, text: &str| ConfigError::new(place, text).at(key);
        let gitlab = file.gitlab.unwrap_or_default();
        if let Some(text) = gitlab.url {
            self.url = Some(address(&text).map_err(|why| wrong("gitlab.url", why))?);
        }
        if let Some(text) = gitlab.ca_file {
            if text.is_empty() {
                return Err(wrong("gitlab.ca_file", "must be the path of a file"));
            }
            self.ca_file = Some(directory.map_or_else(|| PathBuf::from(&text), |directory| directory.join(&text)));
        }
        if let Some(text) = gitlab.proxy {
            self.proxy = Some(address(&text).map_err(|why| wrong("gitlab.proxy", why))?);
        }
        if let Some(value) = gitlab.timeout {
            let seconds = value.as_u64().filter(|seconds| TIMEOUTS.contains(seconds));
            let seconds =
                seconds.ok_or_else(|| wrong("gitlab.timeout", "must be a whole number of seconds from 1 to 600"));
            self.timeout = Some(Duration::from_secs(seconds?));
        }
        if let Some(pairs) = file.namespaces {
            let parse = |key: &str, text: &str| {
                text.parse::<Namespace>().map_err(|error| wrong(&format!("namespaces.{key}"), &error.to_string()))
            };
            let pairs = pairs.iter().map(|pair| {
                let copy_of = pair.copy_of.as_ref().map(|copy_of| {
                    Ok::<_, ConfigError>(CopyOf {
                        source_git: parse("copy_of.source_git", &copy_of.source_git)?,
                        dist_git: parse("copy_of.dist_git", &copy_of.dist_git)?,
                    })
                });
                Ok(NamespacePair {
                    source_git: parse("source_git", &pair.source_git)?,
                    dist_git: parse("dist_git", &pair.dist_git)?,
                    copy_of: copy_of.transpose()?,
                })
            });
            let pairs = pairs.collect::<Result<_, ConfigError>>()?;
            self.namespaces = Some(NamespaceMap::new(pairs).map_err(|why| wrong("namespaces", &why))?);
        }
        if let Some(forks) = file.forks {
            self.forks = Some(match forks {
                ForksKey::Word(word) => choice(&word, &[("bot", Forks::BotUser), ("dist-git", Forks::DistGit)])
                    .map_err(|error| wrong("forks", &format!("{error} or `group: PATH`")))?,
                ForksKey::Group(keys) => {
                    let group = keys.group.parse().map_err(|e: NamespaceError| wrong("forks.group", &e.to_string()))?;
                    Forks::Group(group)
                }
            });
        }
        if let Some(targets) = file.targets {
            let pattern = |key: &str, text: Option<String>| {
                let new = |text: String| NamePattern::new(&text).map_err(|why| wrong(&format!("targets.{key}"), &why));
                text.map(new).transpose()
            };
            let targets = targets.into_iter().map(|keys| {
                Ok(Target { project: pattern("project", keys.project)?, branch: pattern("branch", keys.branch)? })
            });
            self.targets = Some(Targets(targets.collect::<Result<_, ConfigError>>()?));
        }
        if let Some(word) = file.ci_files {
            let choices = [("dist-git", CiFiles::DistGit), ("source-git", CiFiles::SourceGit)];
            self.ci_files = Some(choice(&word, &choices).map_err(|error| wrong("ci_files", &error))?);
        }
        if let Some(word) = file.results {
            let choices = [("pipeline", Results::Pipeline), ("jobs", Results::Jobs)];
            self.results = Some(choice(&word, &choices).map_err(|error| wrong("results", &error))?);
        }
        if let Some(label) = file.label {
            let is_good = label.chars().count() <= LABEL_LIMIT
                && label.trim() == label
                && !label.contains(',')
                && !label.contains(crate::transform::text::is_unseen);
            if !is_good {
                return Err(wrong(
                    "label",
                    "must be a label of at most 255 characters without comma; or empty for none",
                ));
            }
            self.label = Some(label);
        }
        if let Some(word) = file.webhook_tokens {
            let choices = [("required", WebhookTokens::Required), ("ignored", WebhookTokens::Ignored)];
            self.webhook_tokens = Some(choice(&word, &choices).map_err(|error| wrong("webhook_tokens", &error))?);
        }
        if let Some(days) = file.keep_branches {
            let days = Some(days).filter(|days| (1..=LONGEST_KEPT).contains(days));
            self.keep_branches =
                Some(days.ok_or_else(|| wrong("keep_branches", "must be a number of days, from 1 to 3650"))?);
        }
        if let Some(path) = file.bot_project {
            let project = path.parse::<Namespace>().ok().filter(|project| project.as_str().contains('/'));
            let project = project.ok_or_else(|| wrong("bot_project", "must be a project's path: `group/project`"));
            self.bot_project = Some(project?);
        }
        if let Some(name) = file.test_package {
            if !is_project_name(&name) {
                return Err(wrong(
                    "test_package",
                    "must be a project's name, the last part of its path, such as `bash`",
                ));
            }
            self.test_package = Some(name);
        }
        Ok(())
    }

    /// Returns the instance, where all that has no default is known.
    fn complete(self, name: &str) -> Result<Instance, ConfigError> {
        let missing = |key: &'static str| {
            move || ConfigError::new(name, "missing").at(key).remedy("set it, or let the file extend a preset")
        };
        Ok(Instance {
            name: name.to_owned(),
            gitlab: Gitlab {
                url: self.url.ok_or_else(missing("gitlab.url"))?,
                ca_file: self.ca_file,
                proxy: self.proxy,
                timeout: self.timeout.unwrap_or(TIMEOUT),
            },
            namespaces: self.namespaces.ok_or_else(missing("namespaces"))?,
            forks: self.forks.unwrap_or(Forks::BotUser),
            targets: self.targets.unwrap_or_default(),
            ci_files: self.ci_files.unwrap_or(CiFiles::DistGit),
            results: self.results.unwrap_or(Results::Pipeline),
            label: self.label.filter(|label| !label.is_empty()),
            webhook_tokens: self.webhook_tokens.unwrap_or(WebhookTokens::Ignored),
            bot_project: self.bot_project,
            test_package: self.test_package,
            keep_branches: self.keep_branches.unwrap_or(KEPT),
        })
    }
}

/// Reads the address of a server; an error says what it has to be, without showing what could be a password.
fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be an address such as `https://gitlab.com`")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must begin with `https://` or `http://`");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold neither user name nor password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with its path, without `?` or `#`");
    }
    Ok(url)
}

/// Says whether a project can be called so in its path: one part of it, and not with an ending that GitLab's own addresses
/// have after a project's path.
fn is_project_name(name: &str) -> bool {
    let is_part = !name.contains('/') && name.parse::<Namespace>().is_ok();
    is_part && ![".git", ".atom"].iter().any(|ending| name.ends_with(ending))
}

/// Reads one of a few words; an error lists them.
fn choice<T: Clone>(word: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let found = choices.iter().find(|(known, _)| *known == word);
    found.map(|(_, meaning)| meaning.clone()).ok_or_else(|| format!("must be one of {}", listed(&words)))
}

#[cfg(test)]
mod tests;
