//! What there is of a package, as plans see it: projects, branches, settings, variables, webhooks and tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use secrecy::SecretString;

use crate::forge::{AccessLevel, JobTokenScope, ProjectSettings, Variable, Webhook};
use crate::setup::ci_file::Templates;
use crate::setup::step::{Side, TokenUse};
use crate::types::{BranchName, CommitId, ProjectPath, Visibility};

/// Everything that a plan is made of.
#[derive(Debug)]
pub struct PackageFacts {
    /// Who sets up: projects, branches, webhooks.
    pub operator: String,
    /// The bot's user, whose fork it is. The same as `operator` where there is one token only.
    pub bot: String,
    /// The project that runs the bot.
    pub hub: Hub,
    /// Where the templates are; else what the bot project's CI file lacks.
    pub templates: Result<Templates, String>,
    /// The preset that the CI jobs of the package know the instance by.
    pub preset: &'static str,
    /// The source-git project.
    pub source_git: RepositoryFacts,
    /// The dist-git project.
    pub dist_git: RepositoryFacts,
    /// The project with the bot's branches; nothing where they are in dist-git itself.
    pub fork: Option<ForkFacts>,
    /// The branches that are handled, that source-git has packaging on, and that dist-git has.
    pub maintained: Vec<BranchName>,
    /// Those among them whose packaging does not name the CI file among what is copied to dist-git.
    pub not_carried: Vec<BranchName>,
    /// Whether the instance handles merge requests of the source-git project.
    pub is_handled: bool,
    /// The webhooks of the source-git project; nothing where they may not be read.
    pub project_hooks: Option<Vec<Webhook>>,
    /// The webhooks of its group; nothing where they may not be read.
    pub group_hooks: Option<Vec<Webhook>>,
    /// The webhooks of the groups around that one, as far as they may be read, each with its group.
    pub hooks_around: Vec<(String, Webhook)>,
    /// The bot's trigger tokens in the bot project.
    pub tokens: BTreeMap<TokenUse, TriggerTokenSeen>,
    /// The variables of the source-git project; nothing where they may not be read.
    pub source_variables: Option<Vec<Variable>>,
    /// The variables of the project whose pipelines report; nothing where they may not be read.
    pub report_variables: Option<Vec<Variable>>,
    /// Whether source-git's CI file calls the bot, in what is there and nobody is going to change.
    pub calls_the_bot: bool,
    /// What webhooks and jobs have to prove themselves with.
    pub proofs: Proofs,
    /// What a job has to be told to reach GitLab, besides its preset: names of variables, values, and whether these are a
    /// file's content.
    pub reach: Vec<Reach>,
}

/// A variable that tells a job how GitLab is reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Its name.
    pub key: &'static str,
    /// Its value.
    pub value: SecretString,
    /// Whether the job gets the value in a file.
    pub is_file: bool,
}

/// The project that runs the bot.
#[derive(Clone, Debug)]
pub struct Hub {
    /// Its path.
    pub path: ProjectPath,
    /// Its instance file.
    pub instance_file: String,
    /// Its trigger URL without a token; nothing where the project cannot be seen, or has no branch.
    pub trigger_url: Option<String>,
    /// The role of whoever sets up.
    pub operator: AccessLevel,
    /// The bot's role.
    pub bot: AccessLevel,
}

/// Webhook tokens.
#[derive(Clone, Debug)]
pub enum Proofs {
    /// The instance does not look at them.
    NotAsked,
    /// It demands them, and there is no secret to make them with.
    NoSecret,
    /// Those that are demanded: for the webhooks and jobs of source-git, and for the project whose pipelines report.
    Made {
        /// For the group or project that the webhooks are of.
        hooks: SecretString,
        /// For source-git's jobs.
        source_git: SecretString,
        /// For the jobs that report.
        report: SecretString,
    },
}

/// One of a package's two repositories.
#[derive(Clone, Debug)]
pub struct RepositoryFacts {
    /// Which of both.
    pub which: Side,
    /// Its path.
    pub path: ProjectPath,
    /// The project; nothing where there is none.
    pub project: Option<ProjectSettings>,
    /// The number of the namespace for a project to be made; nothing where it cannot be seen.
    pub namespace: Option<u64>,
    /// What it is a copy of; nothing where it is none.
    pub original: Option<OriginalFacts>,
    /// Its branches and tags, by their full names.
    pub refs: BTreeMap<String, CommitId>,
    /// The branches that hold everything that the original's branch holds, and more.
    pub ahead: BTreeSet<String>,
    /// The names and patterns of its rules for branches; nothing where they may not be read.
    pub protected: Option<Vec<String>>,
    /// Its CI file on each branch that is maintained.
    pub ci_files: BTreeMap<BranchName, CiFile>,
}

impl RepositoryFacts {
    /// Whether it has a branch, or its original has.
    pub fn will_have(&self, branch: &str) -> bool {
        let name = format!("refs/heads/{branch}");
        let has = |original: &OriginalFacts| original.refs.contains_key(&name) && !self.has_no_room_for(&name);
        self.refs.contains_key(&name) || self.original.as_ref().is_some_and(has)
    }

    /// Whether a branch or tag is there that excludes the one of this full name: git has no `a` beside an `a/b`.
    pub fn has_no_room_for(&self, name: &str) -> bool {
        let below = format!("{name}/");
        let is_below = self.refs.range(below.clone()..).next().is_some_and(|(there, _)| there.starts_with(&below));
        is_below || name.match_indices('/').any(|(end, _)| name.get(..end).is_some_and(|n| self.refs.contains_key(n)))
    }
}

/// What a repository is a copy of.
#[derive(Clone, Debug)]
pub struct OriginalFacts {
    /// Its path.
    pub path: ProjectPath,
    /// Who may see it: nobody else is to see the copy.
    pub visibility: Visibility,
    /// The branch that a clone checks out.
    pub default_branch: Option<String>,
    /// Its branches and tags, by their full names.
    pub refs: BTreeMap<String, CommitId>,
}

/// The CI file of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CiFile {
    /// There is none.
    Missing,
    /// There is one, and nobody has changed what the original has.
    Original(Vec<u8>),
    /// There is another.
    Other(Vec<u8>),
}

/// The project with the bot's branches.
#[derive(Clone, Debug)]
pub struct ForkFacts {
    /// Its path.
    pub path: ProjectPath,
    /// The project; nothing where there is none.
    pub there: Option<ForkThere>,
}

/// A project that is where the fork belongs.
#[derive(Clone, Debug)]
pub struct ForkThere {
    /// Its settings.
    pub settings: ProjectSettings,
    /// Whether it is a fork of dist-git.
    pub is_fork: bool,
    /// How far it is open to job tokens of others; nothing where that may not be read.
    pub job_tokens: Option<JobTokens>,
}

/// How far a project is open to the job tokens of other projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobTokens {
    /// GitLab's setting.
    pub scope: JobTokenScope,
    /// Others that are let in, by path or name.
    pub let_in: Vec<String>,
}

/// A trigger token of the bot's in the bot project.
#[derive(Clone, Debug)]
pub struct TriggerTokenSeen {
    /// Who owns it.
    pub owner: String,
    /// The token; nothing where GitLab shows it to nobody at hand.
    pub token: Option<SecretString>,
}

/// Names things of a number: `3 branches`.
pub(super) struct Count(pub(super) usize, pub(super) &'static str);

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
