//! What exists of a package on GitLab, as the plan needs it: projects, branches, settings, variables, webhooks, tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use secrecy::SecretString;

use crate::forge::{JobTokenScope, ProjectSettings, Variable, Webhook};
use crate::setup::ci_file::Templates;
use crate::setup::webhook::HookKind;
use crate::types::{AccessLevel, BranchName, CommitId, ProjectPath, Visibility};

/// Everything that the plan is made from.
#[derive(Debug)]
pub struct PackageFacts {
    /// The name of the user who sets up projects, branches and webhooks.
    pub operator: String,
    /// The name of the bot's user, who owns the fork. The same as `operator` where there is only one token.
    pub bot: String,
    pub bot_project: BotProject,
    /// Where the templates are, or what the bot project's CI file lacks to say so.
    pub templates: Result<Templates, String>,
    /// The preset that stands for the instance in the package's CI jobs, which have no instance file.
    pub preset: &'static str,
    pub source_git: RepositoryFacts,
    pub dist_git: RepositoryFacts,
    /// The fork that holds the bot's branches; `None` if the bot pushes them to dist-git itself.
    pub fork: Option<ForkFacts>,
    /// The branches that the instance handles, that have packaging in source-git, and that dist-git has or will have.
    pub maintained: Vec<BranchName>,
    /// The maintained branches whose packaging does not have the CI file copied to dist-git.
    pub not_carried: Vec<BranchName>,
    /// Whether the instance handles merge requests of the source-git project.
    pub is_handled: bool,
    /// The webhooks of the source-git project; `None` if the operator may not read them.
    pub project_hooks: Option<Vec<Webhook>>,
    /// The webhooks of the group that the source-git project is in; `None` if the operator may not read them.
    pub group_hooks: Option<Vec<Webhook>>,
    /// The webhooks of the groups above that group, as far as the operator may read them, each with its group's path.
    pub ancestor_hooks: Vec<(String, Webhook)>,
    /// The trigger tokens of the bot project that were made for this package.
    pub tokens: BTreeMap<TokenUse, TriggerTokenFacts>,
    /// The variables of the source-git project; `None` if the operator may not read them.
    pub source_variables: Option<Vec<Variable>>,
    /// The variables of the project whose pipelines report; `None` if they cannot be read.
    pub report_variables: Option<Vec<Variable>>,
    /// Whether source-git's CI file calls the bot already. The file that the plan may write does not count.
    pub calls_the_bot: bool,
    pub webhook_tokens: SignedTokens,
    /// The variables that tell a job how to reach GitLab, where its preset says something else.
    pub connection: Vec<ConnectionVariable>,
}

/// One of a package's two repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    SourceGit,
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

/// What a trigger token is for. Each use has a token of its own, so that each can be revoked alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenUse {
    Hook(HookKind),
    /// The job that reports dist-git's results.
    Report,
    /// The job in source-git's pipelines.
    SourceJob,
}

impl TokenUse {
    pub const ALL: [Self; 4] =
        [Self::Hook(HookKind::MergeRequests), Self::Hook(HookKind::Comments), Self::Report, Self::SourceJob];
}

/// A variable that tells a job how to reach GitLab.
#[derive(Clone, Debug)]
pub struct ConnectionVariable {
    pub key: &'static str,
    pub value: SecretString,
    /// Whether the job gets the value in a file.
    pub is_file: bool,
}

/// The project that runs the bot.
#[derive(Clone, Debug)]
pub struct BotProject {
    pub path: ProjectPath,
    /// The name of the instance file in it.
    pub instance_file: String,
    /// The trigger URL without a token; `None` if nobody at hand sees the project, or if it has no branch.
    pub trigger_url: Option<String>,
    pub operator_role: AccessLevel,
    pub bot_role: AccessLevel,
}

/// The webhook tokens that the package's webhooks and jobs send to the bot.
#[derive(Clone, Debug)]
pub enum SignedTokens {
    /// The instance ignores webhook tokens.
    NotRequired,
    /// The instance requires them, and there is no secret to sign them with.
    NoSecret,
    /// The instance requires these.
    Signed {
        /// For the group or project that has the webhooks.
        hooks: SecretString,
        /// For source-git's jobs.
        source_git: SecretString,
        /// For the jobs that report.
        report: SecretString,
    },
}

/// One of a package's two repositories, and its project.
#[derive(Clone, Debug)]
pub struct RepositoryFacts {
    pub side: Side,
    pub path: ProjectPath,
    /// The project's settings; `None` if there is no project.
    pub project: Option<ProjectSettings>,
    /// The id of the namespace for a new project; `None` if the operator does not see the namespace.
    pub namespace_id: Option<u64>,
    /// What the repository is a copy of; `None` if it is no copy.
    pub original: Option<OriginalFacts>,
    /// The branches and tags, by full name.
    pub refs: BTreeMap<String, CommitId>,
    /// The full names of the branches that contain the original's branch, and more.
    pub ahead: BTreeSet<String>,
    /// The names and patterns of the protected branches; `None` if the operator may not read them.
    pub protected: Option<Vec<String>>,
    /// The CI file on each maintained branch.
    pub ci_files: BTreeMap<BranchName, CiFile>,
}

impl RepositoryFacts {
    /// Whether the repository has this branch, or gets it from its original.
    pub fn will_have(&self, branch: &str) -> bool {
        let name = format!("refs/heads/{branch}");
        let will_copy = |original: &OriginalFacts| original.refs.contains_key(&name) && !self.excludes(&name);
        self.refs.contains_key(&name) || self.original.as_ref().is_some_and(will_copy)
    }

    /// Whether a branch or tag of the repository excludes the one of this full name: git cannot hold `a` beside `a/b`.
    pub fn excludes(&self, name: &str) -> bool {
        let below = format!("{name}/");
        let is_below = self.refs.range(below.clone()..).next().is_some_and(|(there, _)| there.starts_with(&below));
        is_below || name.match_indices('/').any(|(end, _)| name.get(..end).is_some_and(|n| self.refs.contains_key(n)))
    }
}

/// What a repository is a copy of.
#[derive(Clone, Debug)]
pub struct OriginalFacts {
    pub path: ProjectPath,
    /// Who may see the original. Nobody else may see the copy.
    pub visibility: Visibility,
    pub default_branch: Option<String>,
    /// The branches and tags, by full name.
    pub refs: BTreeMap<String, CommitId>,
}

/// The CI file of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CiFile {
    Missing,
    /// The original has the same file.
    Original(Vec<u8>),
    /// The file differs from the original's, or there is no original.
    Other(Vec<u8>),
}

/// The bot's fork of dist-git, which holds the bot's branches.
#[derive(Clone, Debug)]
pub struct ForkFacts {
    pub path: ProjectPath,
    /// The project at this path; `None` if there is none yet.
    pub existing: Option<ExistingFork>,
}

/// The project at the fork's path.
#[derive(Clone, Debug)]
pub struct ExistingFork {
    pub settings: ProjectSettings,
    /// Whether it is a fork of dist-git, and not some other project.
    pub is_fork: bool,
    /// `None` if the bot may not read it.
    pub job_tokens: Option<JobTokenAccess>,
}

/// Whose CI job tokens reach a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobTokenAccess {
    pub scope: JobTokenScope,
    /// The other projects and the groups on the allowlist, as a reader knows them.
    pub allowlist: Vec<String>,
}

/// A trigger token of the bot project.
#[derive(Clone, Debug)]
pub struct TriggerTokenFacts {
    /// The owner's name.
    pub owner: String,
    /// The token; `None` if GitLab shows it neither to the operator nor to the bot.
    pub token: Option<SecretString>,
}
