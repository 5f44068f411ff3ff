//! The bot at work: for which instance, with which GitLab and git, and whether it may write.
//!
//! [`SessionSettings`] holds what options, variables and the instance file say. With a token it becomes a [`Session`],
//! which every operation on GitLab takes.

use std::ffi::OsString;
use std::sync::OnceLock;
use std::time::Duration;

use secrecy::SecretString;

use crate::ci::{JobContext, Log};
use crate::config::{Environment, Forks, Instance, Pauses};
use crate::forge::{Connection, CurrentUser, Forge, RetryPolicy, TokenKind, Writes};
use crate::git::Git;
use crate::git::remote::Access;
use crate::git::store::Identity;
use crate::ops::ProcessContext;
use crate::types::ProjectPath;
use crate::types::error::{ForgeError, NoCredentials, Result, bail};

/// The instance to use when none is named.
pub(crate) const DEFAULT_INSTANCE: &str = "production";

/// How long to wait before git tries a fetch again.
const FETCH_PAUSE: Duration = Duration::from_secs(2);

/// Whether to carry out a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Apply,
    /// Only return the plan. The connection refuses to write.
    DryRun,
}

/// What options, variables and the instance file say, before the first request to GitLab.
pub(crate) struct SessionSettings {
    environment: Environment,
    search_path: OsString,
    pub(crate) job: JobContext,
    pub(crate) instance: Instance,
}

impl SessionSettings {
    /// Reads the environment, and loads the instance that the argument or the environment names.
    pub(crate) fn read(instance: Option<&str>, context: &ProcessContext) -> Result<Self> {
        let environment = Environment::read(context.variables.clone())?;
        let job = JobContext::read(&context.variables);
        let name = instance.or(environment.instance.as_deref()).unwrap_or(DEFAULT_INSTANCE);
        let instance = Instance::load(name, &environment)?;
        Ok(Self { environment, search_path: context.search_path.clone(), job, instance })
    }

    pub(crate) const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Returns a GitLab client that uses `token`.
    pub(crate) fn forge(&self, token: SecretString, kind: TokenKind, mode: Mode) -> Result<Forge, ForgeError> {
        let gitlab = &self.instance.gitlab;
        Forge::new(Connection {
            base_url: gitlab.url.clone(),
            token,
            kind,
            ca_file: gitlab.ca_file.clone(),
            proxy: gitlab.proxy.clone(),
            timeout: gitlab.timeout,
            writes: match mode {
                Mode::DryRun => Writes::Refused,
                Mode::Apply => Writes::Allowed,
            },
            retry: match self.environment.pauses() {
                Pauses::Taken => RetryPolicy::default(),
                Pauses::Skipped => RetryPolicy::default().without_pauses(),
            },
        })
    }

    /// Starts a session with the bot's own token.
    ///
    /// # Errors
    ///
    /// [`NoCredentials`] if there is no token.
    pub(crate) fn connect(self, mode: Mode) -> Result<Session> {
        let Some(token) = self.environment.token.clone() else { bail!(NoCredentials::AccessToken) };
        let forge = self.forge(token.clone(), TokenKind::Access, mode)?;
        let pauses = self.environment.pauses();
        Ok(Session {
            instance: self.instance,
            forge,
            token,
            pauses,
            mode,
            log: self.job.log,
            search_path: self.search_path,
            git: OnceLock::new(),
            current_user: OnceLock::new(),
        })
    }
}

/// The bot, connected to its instance's GitLab.
pub(crate) struct Session {
    pub(crate) instance: Instance,
    pub(crate) forge: Forge,
    pub(crate) token: SecretString,
    pauses: Pauses,
    pub(crate) log: Log,
    mode: Mode,
    search_path: OsString,
    git: OnceLock<Git>,
    current_user: OnceLock<CurrentUser>,
}

impl Session {
    /// Whether the session must not write.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.mode == Mode::DryRun
    }

    /// Returns git, which it looks for only once.
    ///
    /// # Errors
    ///
    /// Git is missing or too old.
    pub(crate) fn git(&self) -> Result<&Git> {
        match self.git.get() {
            Some(git) => Ok(git),
            None => {
                let git = Git::find(&self.search_path)?;
                Ok(self.git.get_or_init(|| git))
            }
        }
    }

    /// Returns how git reaches repositories on this GitLab with `token`.
    pub(crate) fn git_access(&self, token: SecretString) -> Access {
        let gitlab = &self.instance.gitlab;
        Access {
            token: Some(token),
            ca_file: gitlab.ca_file.clone(),
            proxy: gitlab.proxy.clone(),
            timeout: gitlab.timeout,
            first_pause: match self.pauses {
                Pauses::Taken => FETCH_PAUSE,
                Pauses::Skipped => Duration::ZERO,
            },
        }
    }

    /// Returns the user that the session's token belongs to, usually the bot. Asks GitLab only once.
    pub(crate) fn current_user(&self) -> Result<&CurrentUser, ForgeError> {
        match self.current_user.get() {
            Some(user) => Ok(user),
            None => {
                let user = self.forge.current_user()?;
                Ok(self.current_user.get_or_init(|| user))
            }
        }
    }

    /// Returns the author and committer of the bot's commits.
    pub(crate) fn identity(&self) -> Result<Identity, ForgeError> {
        let CurrentUser { user, commit_email, email } = self.current_user()?;
        let email = commit_email.as_ref().or(email.as_ref()).filter(|email| !email.is_empty()).cloned();
        Ok(Identity {
            name: user.name.clone(),
            email: email.unwrap_or_else(|| format!("{}@users.noreply.invalid", user.username)),
        })
    }

    /// Returns the project that holds, or will hold, the bot's branches for a dist-git project.
    pub(crate) fn fork_of(&self, dist_git: &ProjectPath) -> Result<ProjectPath> {
        let name = dist_git.name();
        Ok(match &self.instance.forks {
            Forks::BotUser => format!("{}/{name}", self.current_user()?.user.username).parse()?,
            Forks::Group(group) => format!("{}/{name}", group.as_str()).parse()?,
            Forks::DistGit => dist_git.clone(),
        })
    }
}
