//! What is done for a package, one write each, with all that it takes.

use std::fmt;

use secrecy::SecretString;
use serde::Serialize;

use crate::forge::{FileActionKind, ProjectEdit};
use crate::setup::package_facts::Count;
use crate::setup::webhook::HookKind;
use crate::types::{BranchName, CommitId, ProjectPath, Visibility};

/// One of a package's repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// source-git.
    SourceGit,
    /// dist-git.
    DistGit,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SourceGit => "source-git",
            Self::DistGit => "dist-git",
        })
    }
}

/// Whose token a step is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// Whoever sets up.
    Operator,
    /// The bot's user.
    Bot,
}

/// Where a step is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetupPlace {
    /// One of the two repositories.
    Repository(Side),
    /// The bot's fork.
    Fork,
    /// The bot project.
    Hub,
    /// The group that the source-git project is in.
    Group,
}

/// What a trigger token is for: each has one of its own, so that each can be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenUse {
    /// A webhook.
    Hook(HookKind),
    /// The job that reports dist-git's results.
    Report,
    /// The job of source-git's pipelines.
    SourceJob,
}

impl TokenUse {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Hook(HookKind::MergeRequests), Self::Hook(HookKind::Comments), Self::Report, Self::SourceJob];
}

/// What a later step may not do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The project of a repository.
    Project(Side),
    /// Its branches.
    Branches(Side),
    /// The bot's fork.
    Fork,
    /// The bot's fork with settings that make it fit to hold a trigger token.
    SafeFork,
    /// A trigger token.
    Token(TokenUse),
}

/// What a variable is set to.
#[derive(Clone, Debug)]
pub enum SetupSetting {
    /// This, which is masked in the jobs' logs.
    Value(SecretString),
    /// This, which logs may show: GitLab's own address, for one.
    Plain(SecretString),
    /// The content of a file, which the job gets in one.
    File(SecretString),
    /// A trigger token.
    Token(TokenUse),
}

/// Whether something is made, or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupChange {
    /// It is made.
    Make,
    /// It is changed.
    Alter,
}

/// One write, or in the case of branches and tags a series of them.
#[derive(Clone, Debug)]
pub enum SetupStep {
    /// Makes a project.
    CreateProject {
        /// Which.
        which: Side,
        /// Its path.
        path: ProjectPath,
        /// The number of its namespace.
        namespace: u64,
        /// Who may see it.
        visibility: Visibility,
        /// Its settings.
        settings: ProjectEdit<'static>,
    },
    /// Copies branches and tags that are missing.
    CopyRefs {
        /// Which repository.
        which: Side,
        /// Its path.
        path: ProjectPath,
        /// Where from.
        from: ProjectPath,
        /// Whether nothing was ever pushed to it.
        is_empty: bool,
        /// Full names and where they are there; what a clone checks out first.
        refs: Vec<(String, CommitId)>,
    },
    /// Sets the branch that a clone checks out.
    SetDefaultBranch {
        /// Which repository.
        which: Side,
        /// Its path.
        path: ProjectPath,
        /// The branch.
        branch: BranchName,
    },
    /// Changes settings.
    EditSettings {
        /// Where.
        place: SetupPlace,
        /// The project's path.
        path: ProjectPath,
        /// To what.
        settings: ProjectEdit<'static>,
    },
    /// Commits the CI file to a branch.
    CommitCiFile {
        /// Which repository.
        which: Side,
        /// Its path.
        path: ProjectPath,
        /// The branch.
        branch: BranchName,
        /// The file.
        file: &'static str,
        /// Whether it is new.
        change: FileActionKind,
        /// Its text.
        text: String,
    },
    /// Protects a branch.
    Protect {
        /// Which repository.
        which: Side,
        /// Its path.
        path: ProjectPath,
        /// The branch.
        branch: BranchName,
    },
    /// Makes the bot's fork of dist-git.
    CreateFork {
        /// The fork's path.
        path: ProjectPath,
        /// dist-git's.
        of: ProjectPath,
    },
    /// Makes a trigger token.
    CreateTriggerToken {
        /// What it is for.
        usage: TokenUse,
        /// Where that is.
        at: SetupPlace,
        /// Whose it is.
        by: Actor,
        /// The bot project.
        hub: ProjectPath,
        /// How it is found again.
        description: String,
    },
    /// Sets a variable.
    SetVariable {
        /// Where.
        place: SetupPlace,
        /// The project's path.
        path: ProjectPath,
        /// Its name.
        key: &'static str,
        /// Whether it is new.
        change: SetupChange,
        /// To what.
        setting: SetupSetting,
    },
    /// Makes a webhook, or sets one right.
    SetWebhook {
        /// Of the source-git project or of its group.
        place: SetupPlace,
        /// The path of that.
        path: String,
        /// What it tells of.
        kind: HookKind,
        /// The webhook that is changed; nothing for a new one.
        id: Option<u64>,
        /// The address, with the token's place.
        url: String,
        /// What it sends.
        template: SecretString,
    },
}

impl SetupStep {
    /// Returns where it is done.
    pub const fn place(&self) -> SetupPlace {
        match self {
            Self::CreateProject { which, .. }
            | Self::CopyRefs { which, .. }
            | Self::SetDefaultBranch { which, .. }
            | Self::CommitCiFile { which, .. }
            | Self::Protect { which, .. } => SetupPlace::Repository(*which),
            Self::EditSettings { place, .. } | Self::SetVariable { place, .. } | Self::SetWebhook { place, .. } => {
                *place
            }
            Self::CreateFork { .. } => SetupPlace::Fork,
            Self::CreateTriggerToken { .. } => SetupPlace::Hub,
        }
    }

    /// Returns whose token it is done with.
    pub const fn actor(&self) -> Actor {
        match self {
            Self::CreateTriggerToken { by, .. } => *by,
            other => match other.place() {
                SetupPlace::Fork => Actor::Bot,
                _ => Actor::Operator,
            },
        }
    }

    /// Returns the path of the project or group that it changes.
    pub fn path(&self) -> &str {
        match self {
            Self::CreateProject { path, .. }
            | Self::CopyRefs { path, .. }
            | Self::SetDefaultBranch { path, .. }
            | Self::EditSettings { path, .. }
            | Self::CommitCiFile { path, .. }
            | Self::Protect { path, .. }
            | Self::CreateFork { path, .. }
            | Self::SetVariable { path, .. } => path.as_str(),
            Self::CreateTriggerToken { hub, .. } => hub.as_str(),
            Self::SetWebhook { path, .. } => path,
        }
    }

    /// Returns what it may not do without.
    pub fn needs(&self) -> Vec<Need> {
        let of_place = |place: &SetupPlace| match place {
            SetupPlace::Repository(which) => vec![Need::Project(*which)],
            SetupPlace::Fork => vec![Need::Fork],
            SetupPlace::Hub | SetupPlace::Group => Vec::new(),
        };
        // A token is put into a fork that is safe, and none is made for any other.
        let of_token_at = |place: &SetupPlace| {
            let mut needs = of_place(place);
            needs.extend((*place == SetupPlace::Fork).then_some(Need::SafeFork));
            needs
        };
        match self {
            Self::CreateProject { .. } => Vec::new(),
            Self::CreateTriggerToken { at, .. } => of_token_at(at),
            Self::CopyRefs { which, .. } => vec![Need::Project(*which)],
            Self::SetDefaultBranch { which, .. } | Self::CommitCiFile { which, .. } | Self::Protect { which, .. } => {
                vec![Need::Project(*which), Need::Branches(*which)]
            }
            Self::EditSettings { place, .. } => of_place(place),
            Self::CreateFork { .. } => vec![Need::Project(Side::DistGit), Need::Branches(Side::DistGit)],
            Self::SetVariable { place, setting, .. } => {
                let mut needs = of_token_at(place);
                if let SetupSetting::Token(usage) = setting {
                    needs.push(Need::Token(*usage));
                }
                needs
            }
            Self::SetWebhook { place, kind, .. } => {
                let mut needs = of_place(place);
                needs.push(Need::Token(TokenUse::Hook(*kind)));
                needs
            }
        }
    }

    /// Returns what is missing where it fails.
    pub const fn provides(&self) -> Option<Need> {
        match self {
            Self::CreateProject { which, .. } => Some(Need::Project(*which)),
            Self::CopyRefs { which, .. } => Some(Need::Branches(*which)),
            Self::CreateFork { .. } => Some(Need::Fork),
            Self::EditSettings { place: SetupPlace::Fork, .. } => Some(Need::SafeFork),
            Self::CreateTriggerToken { usage, .. } => Some(Need::Token(*usage)),
            _ => None,
        }
    }
}

/// Returns how many branches and how many tags there are among full names.
pub(super) fn counted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let (tags, branches): (Vec<_>, Vec<_>) = names.partition(|name| name.starts_with("refs/tags/"));
    match (branches.len(), tags.len()) {
        (branches, 0) => Count(branches, "branch").to_string(),
        (0, tags) => Count(tags, "tag").to_string(),
        (branches, tags) => format!("{} and {}", Count(branches, "branch"), Count(tags, "tag")),
    }
}

/// Returns what is set, as `name: value`, by GitLab's names.
pub fn listed(settings: &ProjectEdit<'_>) -> String {
    let value = serde_json::to_value(settings).unwrap_or_default();
    let each = value.as_object().into_iter().flatten().map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}: {text}"),
        None => format!("{name}: {value}"),
    });
    each.collect::<Vec<_>>().join(", ")
}

const fn name(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Private => "private",
        Visibility::Internal => "internal",
        Visibility::Public => "public",
    }
}

impl fmt::Display for SetupStep {
    /// Says what it does, to be read behind "done:" and "to do:" alike.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateProject { path, visibility, .. } => write!(f, "{path}: the project, {}", name(*visibility)),
            Self::CopyRefs { path, from, refs, .. } => {
                write!(f, "{path}: {} from {from}", counted(refs.iter().map(|(name, _)| name.as_str())))
            }
            Self::SetDefaultBranch { path, branch, .. } => write!(f, "{path}: the default branch, {branch}"),
            Self::EditSettings { path, settings, .. } => write!(f, "{path}: settings, {}", listed(settings)),
            Self::CommitCiFile { path, branch, file, change, .. } => {
                let note = if *change == FileActionKind::Update { ", a new version" } else { "" };
                write!(f, "{path}: {file} on {branch}{note}")
            }
            Self::Protect { path, branch, .. } => write!(f, "{path}: protection of {branch}"),
            Self::CreateFork { path, of } => write!(f, "{path}: the bot's fork of {of}"),
            Self::CreateTriggerToken { hub, description, .. } => write!(f, "{hub}: the trigger token `{description}`"),
            Self::SetVariable { path, key, change, .. } => {
                let note = if *change == SetupChange::Alter { ", corrected" } else { "" };
                write!(f, "{path}: the variable {key}{note}")
            }
            Self::SetWebhook { path, kind, id, .. } => {
                let note = if id.is_some() { ", corrected" } else { "" };
                write!(f, "{path}: the webhook for {kind}{note}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_and_tags_are_counted_apart() {
        for (names, said) in [
            (vec!["refs/heads/c9s"], "1 branch"),
            (vec!["refs/heads/c9s", "refs/heads/tags"], "2 branches"),
            (vec!["refs/tags/v1"], "1 tag"),
            (vec!["refs/heads/c9s", "refs/tags/v1", "refs/tags/v2"], "1 branch and 2 tags"),
        ] {
            assert_eq!(counted(names.into_iter()), said);
        }
    }

    #[test]
    fn a_token_is_made_for_a_fork_only_where_that_is_safe() {
        let token = SetupStep::CreateTriggerToken {
            usage: TokenUse::Report,
            at: SetupPlace::Fork,
            by: Actor::Bot,
            hub: "operators/bot".parse().unwrap(),
            description: "x".to_owned(),
        };
        assert_eq!(token.needs(), [Need::Fork, Need::SafeFork]);
        assert_eq!((token.provides(), token.actor()), (Some(Need::Token(TokenUse::Report)), Actor::Bot));
        let settings = ProjectEdit { ci_push_repository_for_job_token_allowed: Some(false), ..ProjectEdit::default() };
        let safe = SetupStep::EditSettings { place: SetupPlace::Fork, path: "bot/x".parse().unwrap(), settings };
        assert_eq!((safe.provides(), safe.actor()), (Some(Need::SafeFork), Actor::Bot));
        assert_eq!(safe.to_string(), "bot/x: settings, ci_push_repository_for_job_token_allowed: false");
    }

    #[test]
    fn what_is_shown_of_a_step_is_no_secret() {
        let step = SetupStep::SetVariable {
            place: SetupPlace::Fork,
            path: "bot/x".parse().unwrap(),
            key: "SGB_TRIGGER_TOKEN",
            change: SetupChange::Make,
            setting: SetupSetting::Value("glptt-secret".into()),
        };
        assert!(!format!("{step} {step:?}").contains("glptt"));
    }
}
