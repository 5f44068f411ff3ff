//! What `doctor` sees of an instance.
//!
//! The facts hold GitLab's answers in the types of `forge`. Variables and trigger tokens have types of their own here,
//! because GitLab's answers about them contain secrets.

use chrono::{DateTime, Utc};

use crate::ci::TemplateUse;
use crate::config::Instance;
use crate::forge::{
    ANY_ENVIRONMENT, AccessToken, GitlabVersion, PipelineSchedule, ProjectSettings, ProtectedBranch, RateLimit, Runner,
    TriggerToken, Variable, VariableType, Webhook, WebhookDelivery,
};
use crate::setup::package_facts::JobTokenAccess;
use crate::types::AccessLevel;

/// What was seen, or why it was not.
pub type Visible<T> = Result<T, Unseen>;

/// Why something was not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// GitLab shows it to others only, or it does not exist: the answers look alike.
    NotShown,
    /// GitLab's answer to this user leaves it out, or this GitLab does not know it.
    NotReported,
    /// It was not requested, because the thing that it belongs to was not seen.
    NotAsked,
    /// GitLab failed; this is the error.
    Failed(String),
}

/// An instance, as far as it was seen.
#[derive(Clone, Debug)]
pub struct InstanceFacts {
    /// The version of this program.
    pub program_version: String,
    /// The time by GitLab's clock.
    pub now: DateTime<Utc>,
    /// The instance in use.
    pub instance: Instance,
    /// The name of the bot's user.
    pub bot: String,
    /// The name of the user whose token is in use: the bot, or somebody who looks at its instance.
    pub user: String,
    /// The token in use.
    pub token: Visible<AccessToken>,
    pub gitlab_version: Visible<GitlabVersion>,
    /// `None` if GitLab does not report it.
    pub rate_limit: Option<RateLimit>,
    /// The project that runs the bot; `None` if the instance names none.
    pub bot_project: Option<Visible<BotProjectFacts>>,
    /// The places where webhooks were looked for.
    pub hooks: Vec<HookPlace>,
    pub packages: Visible<PackagesOverview>,
    /// The bot's forks of the packages that were looked at one by one.
    pub forks: Visible<Vec<ForkOverview>>,
}

/// The project that runs the bot.
#[derive(Clone, Debug)]
pub struct BotProjectFacts {
    pub settings: ProjectSettings,
    /// The bot's role in the project.
    pub role: Visible<AccessLevel>,
    pub protected: Visible<Vec<ProtectedBranch>>,
    pub variables: Visible<Vec<VariableFlags>>,
    pub job_tokens: Visible<JobTokenAccess>,
    pub schedules: Visible<Vec<PipelineSchedule>>,
    /// The runners that may take the project's jobs.
    pub runners: Visible<Vec<Runner>>,
    pub trigger_tokens: Visible<Vec<TriggerTokenOwner>>,
    /// The bot's templates that the project's CI file includes. `Ok(None)` if there is no such file; the inner error
    /// says why the file cannot be read.
    pub includes: Visible<Option<Result<Vec<TemplateUse>, String>>>,
    pub instance_file: Visible<InstanceFileFacts>,
}

impl BotProjectFacts {
    /// Returns the path, spelled as GitLab spells it.
    pub fn path(&self) -> &str {
        self.settings.path.as_str()
    }

    /// Returns the branch that the bot runs on: the one protected branch, else the default branch.
    pub fn branch(&self) -> Option<&str> {
        match self.protected.as_deref() {
            Ok([rule]) if !is_pattern(rule) => Some(&rule.name),
            _ => self.settings.default_branch.as_deref(),
        }
    }
}

/// Whether a rule protects every branch of a pattern, and not one branch.
pub fn is_pattern(rule: &ProtectedBranch) -> bool {
    rule.name.contains('*')
}

/// Whether a runner would take a job now. GitLab may say that it is online in `status` alone.
pub fn is_online(runner: &Runner) -> bool {
    !runner.is_paused && (runner.is_online == Some(true) || runner.status == "online")
}

/// A CI/CD variable without its value, which may be the bot's own token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableFlags {
    pub key: String,
    /// Whether only protected branches get the variable.
    pub protected: bool,
    /// Whether job logs mask the value.
    pub masked: bool,
    /// Whether GitLab takes the value as it is, and expands nothing in it.
    pub raw: bool,
    /// Whether jobs get the path of a file that holds the value.
    pub is_file: bool,
    /// Whether jobs of every environment, and of none, get the variable.
    pub is_for_all_jobs: bool,
}

impl From<Variable> for VariableFlags {
    fn from(variable: Variable) -> Self {
        Self {
            key: variable.key,
            protected: variable.protected,
            masked: variable.masked,
            raw: variable.raw,
            is_file: variable.variable_type == VariableType::File,
            is_for_all_jobs: variable.environment_scope == ANY_ENVIRONMENT,
        }
    }
}

/// The owner of a trigger token, without the token: GitLab shows users the tokens that they own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerTokenOwner {
    /// The owner's name; `None` if GitLab does not report it.
    pub username: Option<String>,
}

impl From<TriggerToken> for TriggerTokenOwner {
    fn from(token: TriggerToken) -> Self {
        Self { username: token.owner.map(|owner| owner.username) }
    }
}

/// The instance file in the bot project. Each variant begins with the file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceFileFacts {
    Missing(String),
    /// The file cannot be used; the second text says why.
    Bad(String, String),
    /// The file is good. These are the keys in which it differs from the instance in use.
    Read(String, Vec<&'static str>),
}

/// A group or project, and its webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookPlace {
    pub path: String,
    pub kind: HookPlaceKind,
    pub hooks: Visible<Vec<HookFacts>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookPlaceKind {
    /// A group. Its webhooks are called for all projects in it.
    Group,
    Project,
}

/// A webhook, and what became of its last calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFacts {
    /// The webhook. No check may show its URL: somebody may have written a token into that.
    pub webhook: Webhook,
    /// The newest deliveries, newest first.
    pub deliveries: Visible<Vec<WebhookDelivery>>,
}

/// The packages of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackagesOverview {
    pub all: Vec<PackageOverview>,
    /// The source-git namespaces whose projects cannot be listed, and why.
    pub unlisted: Vec<(String, Unseen)>,
    /// The source-git projects whose branches were listed. The names found there were then looked for in all projects.
    pub branch_sample: Sample,
    /// Why dist-git's projects and branches were not seen; `None` if they were.
    pub dist_git_unseen: Option<Unseen>,
}

/// How many of how many things were looked at one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    pub looked_at: usize,
    pub total: usize,
}

/// A source-git project with at least one branch that the instance handles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageOverview {
    /// The path of the source-git project.
    pub source_git: String,
    /// The path of the dist-git project.
    pub dist_git: String,
    /// Whether the dist-git project exists.
    pub has_dist_git: bool,
    /// The branches that the instance handles and dist-git lacks.
    pub missing_branches: Vec<String>,
    pub source_git_settings: Visible<ProjectSettings>,
    /// Whether `.distro/.gitlab-ci.yml` includes the bot's template.
    pub has_template: Visible<bool>,
    /// The bot's role in source-git.
    pub source_git_role: Visible<AccessLevel>,
    /// The bot's role in dist-git.
    pub dist_git_role: Visible<AccessLevel>,
    pub dist_git_settings: Visible<ProjectSettings>,
}

/// One of the bot's forks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkOverview {
    pub settings: ProjectSettings,
    pub variables: Visible<Vec<VariableFlags>>,
    pub job_tokens: Visible<JobTokenAccess>,
    /// The runners that may take the fork's jobs.
    pub runners: Visible<Vec<Runner>>,
}

impl ForkOverview {
    /// Returns the fork's path.
    pub fn path(&self) -> &str {
        self.settings.path.as_str()
    }
}
