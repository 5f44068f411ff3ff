//! The steps that set up a package. Each is one write and holds everything that the write needs.

use std::fmt;

use secrecy::SecretString;

use crate::forge::{FileActionKind, ProjectEdit};
use crate::setup::package_facts::{Side, TokenUse};
use crate::setup::webhook::HookKind;
use crate::types::{BranchName, CommitId, ProjectPath, Visibility};

/// Whose token a step uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// The user who sets up the package.
    Operator,
    Bot,
}

/// Where a step writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetupPlace {
    Repository(Side),
    /// The bot's fork of dist-git.
    Fork,
    BotProject,
    /// The group that the source-git project is in.
    Group,
}

/// What a step depends on, and another step may provide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The project of a repository.
    Project(Side),
    /// The branches of a repository.
    Branches(Side),
    /// The bot's fork of dist-git.
    Fork,
    /// The settings that make the fork fit to hold a trigger token.
    SafeFork,
    /// A trigger token.
    Token(TokenUse),
}

/// The value that a variable is set to.
#[derive(Clone, Debug)]
pub enum VariableValue {
    /// A value that job logs mask.
    Masked(SecretString),
    /// A value that job logs may show, such as GitLab's own address.
    Plain(SecretString),
    /// The content of a file, which the job gets as a file.
    File(SecretString),
    /// The trigger token for this use, which an earlier step may have to create.
    TriggerToken(TokenUse),
}

/// Whether a variable is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableChange {
    Create,
    Update,
}

/// One write. Branches and tags are copied by several, in one step.
#[derive(Clone, Debug)]
pub enum SetupStep {
    CreateProject {
        side: Side,
        path: ProjectPath,
        namespace_id: u64,
        visibility: Visibility,
        settings: ProjectEdit<'static>,
    },
    /// Copies the branches and tags that are missing.
    CopyRefs {
        side: Side,
        path: ProjectPath,
        from: ProjectPath,
        /// Whether nobody has ever pushed to the project.
        is_empty: bool,
        /// The full names, and the commits in the original. The default branch comes first.
        refs: Vec<(String, CommitId)>,
    },
    SetDefaultBranch {
        side: Side,
        path: ProjectPath,
        branch: BranchName,
    },
    EditSettings {
        place: SetupPlace,
        path: ProjectPath,
        settings: ProjectEdit<'static>,
    },
    CommitCiFile {
        side: Side,
        path: ProjectPath,
        branch: BranchName,
        file: &'static str,
        change: FileActionKind,
        text: String,
    },
    /// Protects a branch.
    Protect {
        side: Side,
        path: ProjectPath,
        branch: BranchName,
    },
    /// Creates the bot's fork of dist-git.
    CreateFork {
        path: ProjectPath,
        /// The path of dist-git.
        of: ProjectPath,
    },
    CreateTriggerToken {
        usage: TokenUse,
        /// Where the token will be used.
        used_in: SetupPlace,
        /// Who creates the token, and owns it from then on.
        by: Actor,
        bot_project: ProjectPath,
        /// The text by which a later run finds the token.
        description: String,
    },
    SetVariable {
        place: SetupPlace,
        path: ProjectPath,
        key: &'static str,
        change: VariableChange,
        value: VariableValue,
    },
    /// Creates a webhook, or corrects one.
    SetWebhook {
        /// The source-git project or its group.
        place: SetupPlace,
        /// The path of that project or group.
        path: String,
        kind: HookKind,
        /// The webhook to correct; `None` for a new one.
        id: Option<u64>,
        /// The URL, with a placeholder for the token.
        url: String,
        template: SecretString,
    },
}

impl SetupStep {
    /// Returns where the step writes.
    pub const fn place(&self) -> SetupPlace {
        match self {
            Self::CreateProject { side, .. }
            | Self::CopyRefs { side, .. }
            | Self::SetDefaultBranch { side, .. }
            | Self::CommitCiFile { side, .. }
            | Self::Protect { side, .. } => SetupPlace::Repository(*side),
            Self::EditSettings { place, .. } | Self::SetVariable { place, .. } | Self::SetWebhook { place, .. } => {
                *place
            }
            Self::CreateFork { .. } => SetupPlace::Fork,
            Self::CreateTriggerToken { .. } => SetupPlace::BotProject,
        }
    }

    /// Returns whose token the step uses.
    pub const fn actor(&self) -> Actor {
        match self {
            Self::CreateTriggerToken { by, .. } => *by,
            other => match other.place() {
                SetupPlace::Fork => Actor::Bot,
                _ => Actor::Operator,
            },
        }
    }

    /// Returns the path of the project or group that the step changes.
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
            Self::CreateTriggerToken { bot_project, .. } => bot_project.as_str(),
            Self::SetWebhook { path, .. } => path,
        }
    }

    /// Returns what the step depends on.
    pub fn needs(&self) -> Vec<Need> {
        let of_place = |place: &SetupPlace| match place {
            SetupPlace::Repository(side) => vec![Need::Project(*side)],
            SetupPlace::Fork => vec![Need::Fork],
            SetupPlace::BotProject | SetupPlace::Group => Vec::new(),
        };
        // Only a safe fork gets a token. For any other fork, none is even created.
        let of_token_in = |place: &SetupPlace| {
            let mut needs = of_place(place);
            needs.extend((*place == SetupPlace::Fork).then_some(Need::SafeFork));
            needs
        };
        match self {
            Self::CreateProject { .. } => Vec::new(),
            Self::CreateTriggerToken { used_in, .. } => of_token_in(used_in),
            Self::CopyRefs { side, .. } => vec![Need::Project(*side)],
            Self::SetDefaultBranch { side, .. } | Self::CommitCiFile { side, .. } | Self::Protect { side, .. } => {
                vec![Need::Project(*side), Need::Branches(*side)]
            }
            Self::EditSettings { place, .. } => of_place(place),
            Self::CreateFork { .. } => vec![Need::Project(Side::DistGit), Need::Branches(Side::DistGit)],
            Self::SetVariable { place, value, .. } => {
                let mut needs = of_token_in(place);
                if let VariableValue::TriggerToken(usage) = value {
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

    /// Returns the need that the step meets, and that stays unmet if it fails.
    pub const fn provides(&self) -> Option<Need> {
        match self {
            Self::CreateProject { side, .. } => Some(Need::Project(*side)),
            Self::CopyRefs { side, .. } => Some(Need::Branches(*side)),
            Self::CreateFork { .. } => Some(Need::Fork),
            Self::EditSettings { place: SetupPlace::Fork, .. } => Some(Need::SafeFork),
            Self::CreateTriggerToken { usage, .. } => Some(Need::Token(*usage)),
            _ => None,
        }
    }
}

/// A number of things: `1 branch`, `3 tags`.
struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = match (self.0, self.1.ends_with("ch")) {
            (1, _) => "",
            (_, true) => "es",
            (_, false) => "s",
        };
        write!(f, "{} {}{plural}", self.0, self.1)
    }
}

/// Returns how many of these full names are branches, and how many are tags: `1 branch and 2 tags`.
pub(super) fn count_refs<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let (tags, branches): (Vec<_>, Vec<_>) = names.partition(|name| name.starts_with("refs/tags/"));
    match (branches.len(), tags.len()) {
        (branches, 0) => Count(branches, "branch").to_string(),
        (0, tags) => Count(tags, "tag").to_string(),
        (branches, tags) => format!("{} and {}", Count(branches, "branch"), Count(tags, "tag")),
    }
}

/// Returns the settings that an edit sets, as `name: value`, with GitLab's names.
pub fn describe_settings(settings: &ProjectEdit<'_>) -> String {
    let value = serde_json::to_value(settings).unwrap_or_default();
    let each = value.as_object().into_iter().flatten().map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}: {text}"),
        None => format!("{name}: {value}"),
    });
    each.collect::<Vec<_>>().join(", ")
}

impl fmt::Display for SetupStep {
    /// Writes a text that fits after "done:" as well as after "to do:".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateProject { path, visibility, .. } => write!(f, "{path}: the project, {}", visibility.as_str()),
            Self::CopyRefs { path, from, refs, .. } => {
                write!(f, "{path}: {} from {from}", count_refs(refs.iter().map(|(name, _)| name.as_str())))
            }
            Self::SetDefaultBranch { path, branch, .. } => write!(f, "{path}: the default branch, {branch}"),
            Self::EditSettings { path, settings, .. } => {
                write!(f, "{path}: settings, {}", describe_settings(settings))
            }
            Self::CommitCiFile { path, branch, file, change, .. } => {
                let note = if *change == FileActionKind::Update { ", a new version" } else { "" };
                write!(f, "{path}: {file} on {branch}{note}")
            }
            Self::Protect { path, branch, .. } => write!(f, "{path}: protection of {branch}"),
            Self::CreateFork { path, of } => write!(f, "{path}: the bot's fork of {of}"),
            Self::CreateTriggerToken { bot_project, description, .. } => {
                write!(f, "{bot_project}: the trigger token `{description}`")
            }
            Self::SetVariable { path, key, change, .. } => {
                let note = if *change == VariableChange::Update { ", corrected" } else { "" };
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
    fn branches_and_tags_are_counted_separately() {
        for (names, text) in [
            (vec!["refs/heads/c9s"], "1 branch"),
            (vec!["refs/heads/c9s", "refs/heads/tags"], "2 branches"),
            (vec!["refs/tags/v1"], "1 tag"),
            (vec!["refs/heads/c9s", "refs/tags/v1", "refs/tags/v2"], "1 branch and 2 tags"),
        ] {
            assert_eq!(count_refs(names.into_iter()), text);
        }
    }

    #[test]
    fn a_token_for_a_fork_needs_safe_settings_first() {
        let token = SetupStep::CreateTriggerToken {
            usage: TokenUse::Report,
            used_in: SetupPlace::Fork,
            by: Actor::Bot,
            bot_project: "operators/bot".parse().unwrap(),
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
    fn a_step_shows_no_secret() {
        let step = SetupStep::SetVariable {
            place: SetupPlace::Fork,
            path: "bot/x".parse().unwrap(),
            key: "SGB_TRIGGER_TOKEN",
            change: VariableChange::Create,
            value: VariableValue::Masked("glptt-secret".into()),
        };
        assert!(!format!("{step} {step:?}").contains("glptt"));
    }
}
