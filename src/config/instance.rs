//! The values of an instance, and the presets: the instances that come with the program.

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

impl Instance {
    /// Returns the name that people know it by, wherever its file is: the preset's, or the file's without its ending.
    pub fn short_name(&self) -> String {
        let stem = Path::new(&self.name).file_stem().and_then(|stem| stem.to_str());
        stem.unwrap_or(&self.name).to_owned()
    }
}

/// A preset: its name, what it is for, and its text, which is an instance file's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What `--instance` and `extends` call it.
    pub name: &'static str,
    /// What it is for: a sentence without its full stop.
    pub about: &'static str,
    /// An instance file that extends nothing.
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

/// Returns the preset of this name.
pub(super) fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// Returns the names of the presets.
pub(super) fn preset_names() -> [&'static str; 3] {
    PRESETS.map(|preset| preset.name)
}
