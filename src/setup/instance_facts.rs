//! What was seen of an instance.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};

use crate::ci::TemplateUse;
use crate::config::Instance;

/// What was seen, or why it was not.
pub type Visible<T> = Result<T, Unseen>;

/// Why something was not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// GitLab shows it to others than the token's user, or it does not exist: the two look alike.
    NotShown,
    /// GitLab's answer to this user leaves it out, or this GitLab does not know of it.
    NotSaid,
    /// It was not asked for, because what it belongs to was not seen.
    NotAsked,
    /// GitLab failed: its sentence.
    Failed(String),
}

/// An instance, as far as it was seen.
#[derive(Clone, Debug)]
pub struct InstanceFacts {
    /// The version of this program.
    pub program: String,
    /// The time, as GitLab has it.
    pub now: DateTime<Utc>,
    /// The instance in use.
    pub instance: Instance,
    /// The name of the bot's user.
    pub bot: String,
    /// The name of the token's user.
    pub user: String,
    /// The token.
    pub token: Visible<TokenFacts>,
    /// GitLab's version.
    pub gitlab: Visible<GitlabVersion>,
    /// How many requests are left before GitLab refuses some.
    pub rate_limit: Option<RateLimit>,
    /// The project that runs the bot; nothing where the instance names none.
    pub bot_project: Option<Visible<BotProjectFacts>>,
    /// Webhooks, of the groups first.
    pub hooks: Vec<HookPlace>,
    /// The packages of the instance.
    pub packages: Visible<PackagesOverview>,
    /// The bot's forks.
    pub forks: Visible<ForksOverview>,
}

/// The token that everything was seen with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// What it is good for.
    pub scopes: BTreeSet<String>,
    /// The last day on which it is good; nothing where it does not expire.
    pub expires: Option<NaiveDate>,
}

/// GitLab's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitlabVersion {
    /// As it says: `18.5.0-ee`.
    pub text: String,
    /// 18 and 5 of that; nothing where it says something else.
    pub release: Option<(u32, u32)>,
}

/// How many requests are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// In all, in one period.
    pub limit: u64,
    /// Of these, in the present one.
    pub remaining: u64,
}

/// A role in a project, by GitLab's number for it; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role(pub u64);

impl Role {
    /// May read what is not public, and open confidential issues.
    pub const REPORTER: Self = Self(20);
    /// May push branches and run pipelines.
    pub const DEVELOPER: Self = Self(30);
    /// May change settings.
    pub const MAINTAINER: Self = Self(40);

    /// Returns GitLab's word for it.
    pub const fn word(self) -> &'static str {
        match self.0 {
            0..10 => "no member",
            10..15 => "Guest",
            15..20 => "Planner",
            20..30 => "Reporter",
            30..40 => "Developer",
            40..50 => "Maintainer",
            _ => "Owner",
        }
    }
}

/// Settings of a project; nothing where GitLab does not show one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Who may set variables of a pipeline.
    pub variables_from: Option<VariablesFrom>,
    /// Whether the token of a job may push.
    pub job_token_push: Option<bool>,
    /// Whether merge requests from forks run here where who starts them may.
    pub fork_pipelines: Option<bool>,
}

/// Who may set variables of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariablesFrom {
    /// No one, whatever trigger token they hold.
    NoOne,
    /// Everybody from this role on.
    Role(Role),
}

/// The project that runs the bot.
#[derive(Clone, Debug)]
pub struct BotProjectFacts {
    /// Its number.
    pub id: u64,
    /// Its path, as GitLab spells it.
    pub path: String,
    /// Whether only members see it; nothing where GitLab does not say.
    pub is_private: Option<bool>,
    /// Its default branch.
    pub default_branch: Option<String>,
    /// The bot's role in it.
    pub role: Visible<Role>,
    /// Its settings.
    pub settings: Settings,
    /// Its protected branches.
    pub protected: Visible<Vec<ProtectedBranch>>,
    /// Its variables.
    pub variables: Visible<Vec<Variable>>,
    /// Which jobs of other projects reach it.
    pub job_tokens: Visible<Allowlist>,
    /// Its schedules.
    pub schedules: Visible<Vec<Schedule>>,
    /// The runners that take its jobs.
    pub runners: Visible<Vec<Runner>>,
    /// Its trigger tokens.
    pub triggers: Visible<Vec<Trigger>>,
    /// What its CI file includes of the bot's, or why that is no CI file; nothing where there is no such file.
    pub includes: Visible<Option<Result<Vec<TemplateUse>, String>>>,
    /// The instance file that it gives the bot.
    pub instance_file: Visible<InstanceFileFacts>,
}

impl BotProjectFacts {
    /// Returns the branch that the bot runs on: the protected one, else the default branch.
    pub fn branch(&self) -> Option<&str> {
        match self.protected.as_deref() {
            Ok([one]) if !one.is_pattern() => Some(&one.name),
            _ => self.default_branch.as_deref(),
        }
    }
}

/// A rule about branches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedBranch {
    /// The branch, or a pattern with `*`.
    pub name: String,
    /// The least role that may push to it or merge into it; nothing where no role may, or nobody knows.
    pub least: Option<Role>,
}

impl ProtectedBranch {
    /// Whether it is about more branches than one.
    pub fn is_pattern(&self) -> bool {
        self.name.contains('*')
    }
}

/// A variable of a project, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub key: String,
    /// Whether only protected branches see it.
    pub protected: bool,
    /// Whether job logs do not show it.
    pub masked: bool,
    /// Whether GitLab takes its value as it is.
    pub raw: bool,
    /// Whether jobs get the path of a file that holds the value.
    pub is_file: bool,
    /// Whether jobs get it whatever their environment, and those without one.
    pub is_for_all_jobs: bool,
}

/// Which jobs of other projects may use their token with a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowlist {
    /// Whether only those of the list may; else all may.
    pub is_enforced: bool,
    /// The projects and groups on the list, but for the project itself.
    pub others: Vec<String>,
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Whether it runs.
    pub active: bool,
    /// The branch.
    pub branch: String,
}

/// A runner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runner {
    /// Whether it is a project's own, and not a group's or the whole GitLab's.
    pub is_own: bool,
    /// Whether it would take a job now.
    pub is_online: bool,
}

/// A trigger token, without the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The name of the user whose it is.
    pub owner: Option<String>,
}

/// The instance file in the bot project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceFileFacts {
    /// There is none of this name.
    Missing(String),
    /// This name's file cannot be used, and why.
    Bad(String, String),
    /// This name's file, and the keys in which it differs from the instance in use.
    Read(String, Vec<&'static str>),
}

/// A group or project, and its webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookPlace {
    /// Its path.
    pub of: String,
    /// What it is.
    pub kind: PlaceKind,
    /// Its webhooks.
    pub hooks: Visible<Vec<HookFacts>>,
}

/// What has webhooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// A group: its webhooks are for all projects in it.
    Group,
    /// A project.
    Project,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFacts {
    /// Its number.
    pub id: u64,
    /// Its address, in which masked parts are named. Somebody may have written a token into it: it is never shown.
    pub url: String,
    /// The names of its masked parts.
    pub masked: BTreeSet<String>,
    /// What it is called for: GitLab's names, `merge_requests_events`.
    pub events: BTreeSet<String>,
    /// What it sends, where that is not GitLab's own form.
    pub template: Option<String>,
    /// Whether it wants a certificate that is trusted.
    pub verifies_tls: bool,
    /// Whether GitLab calls it.
    pub alert: Alert,
    /// The statuses of its newest deliveries, newest first; nothing for one that got no answer.
    pub deliveries: Visible<Vec<Option<u16>>>,
}

/// Whether GitLab calls a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alert {
    /// It does.
    Called,
    /// It does not until then, as GitLab writes it.
    Until(String),
    /// It does not any more.
    Never,
}

/// How many of how many were looked at one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// So many.
    pub at: usize,
    /// There are.
    pub of: usize,
}

/// The packages of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackagesOverview {
    /// They.
    pub all: Vec<PackageOverview>,
    /// Source-git namespaces whose projects cannot be listed, and why.
    pub unlisted: Vec<(String, Unseen)>,
    /// The branches of how many source-git projects were listed: their names were then looked for in all of them.
    pub branches: Looked,
    /// Whether dist-git's projects and branches were seen.
    pub dist_git: Option<Unseen>,
}

/// A source-git project, some branch of which the instance handles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageOverview {
    /// The path of its source-git project.
    pub source_git: String,
    /// The path of its dist-git project.
    pub dist_git: String,
    /// Whether that exists.
    pub has_dist_git: bool,
    /// The branches that are handled and that dist-git does not have.
    pub missing_branches: Vec<String>,
    /// The setting "CI/CD configuration file" of source-git; empty where it has GitLab's default.
    pub ci_file: Visible<String>,
    /// Whether `.distro/.gitlab-ci.yml` includes the bot's template.
    pub has_template: Visible<bool>,
    /// The bot's role in source-git.
    pub source_role: Visible<Role>,
    /// The bot's role in dist-git.
    pub dist_role: Visible<Role>,
    /// dist-git's settings.
    pub dist_settings: Visible<Settings>,
}

/// The bot's forks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForksOverview {
    /// Those of the instance's packages.
    pub all: Vec<ForkOverview>,
}

/// A fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkOverview {
    /// Its path.
    pub path: String,
    /// Its settings.
    pub settings: Settings,
    /// Its variables.
    pub variables: Visible<Vec<Variable>>,
    /// Which jobs of other projects reach it.
    pub job_tokens: Visible<Allowlist>,
    /// The runners that take its jobs.
    pub runners: Visible<Vec<Runner>>,
}
