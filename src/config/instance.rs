//! The settings of an instance, and the presets: the instances that come with the program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::namespaces::{Namespace, NamespaceMap};
use crate::config::targets::Targets;

/// Where the bot works, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The preset's name, or the file's path.
    pub name: String,
    pub gitlab: Gitlab,
    /// Which source-git project belongs to which dist-git project.
    pub namespaces: NamespaceMap,
    pub forks: Forks,
    pub targets: Targets,
    pub ci_files: CiFiles,
    pub results: Results,
    /// The label of the bot's dist-git merge requests.
    pub label: Option<String>,
    pub webhook_tokens: WebhookTokens,
    /// The project that runs the bot and holds its status issue. Its path has the same form as a namespace's.
    pub bot_project: Option<Namespace>,
    /// The package to try things on: the last part of its projects' paths.
    pub test_package: Option<String>,
    /// How many days the bot's branch stays after its dist-git merge request was closed or merged.
    pub keep_branches: u32,
}

/// How to reach GitLab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gitlab {
    /// An address with `http` or `https`, without user name and password; with a path where GitLab is installed below
    /// one.
    pub url: Url,
    /// A file of certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Without user name and password.
    pub proxy: Option<Url>,
    /// How long one request to the API may take, and how long git may receive nothing.
    pub timeout: Duration,
}

/// Where the branches are from which the bot opens dist-git merge requests.
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
    /// The bot copies those of source-git.
    SourceGit,
}

/// How the bot shows dist-git's results on a source-git commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Results {
    /// One status for the pipeline.
    Pipeline,
    /// One status for the pipeline and one for each of its jobs.
    Jobs,
}

/// Whether an event must carry a webhook token that is valid for its project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookTokens {
    Required,
    /// The bot does not check a token that an event carries.
    Ignored,
}

impl Instance {
    /// Returns the name that people know the instance by, wherever its file is: the preset's name, or the file's name
    /// without its extension.
    pub fn short_name(&self) -> String {
        let stem = Path::new(&self.name).file_stem().and_then(|stem| stem.to_str());
        stem.unwrap_or(&self.name).to_owned()
    }
}

/// An instance that comes with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// The name for `--instance` and `extends`.
    pub name: &'static str,
    /// What the preset is for: a sentence without its period.
    pub about: &'static str,
    /// The text of an instance file that extends nothing.
    pub yaml: &'static str,
}

/// The presets, the usual one first.
pub const PRESETS: [Preset; 3] = [
    Preset {
        name: "production",
        about: "CentOS Stream's packages on gitlab.com",
        yaml: include_str!("presets/production.yaml"),
    },
    Preset {
        name: "staging",
        about: "Copies of a few packages to try the bot on, with their CI files carried to dist-git",
        yaml: include_str!("presets/staging.yaml"),
    },
    Preset {
        name: "centos-stream-staging",
        about: "A copy of CentOS Stream's packages, prepared and not in use",
        yaml: include_str!("presets/centos-stream-staging.yaml"),
    },
];

/// Returns the preset called `name`.
pub(super) fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

pub(super) fn preset_names() -> [&'static str; 3] {
    PRESETS.map(|preset| preset.name)
}
