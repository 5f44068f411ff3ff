//! The bot at work: for which instance, with which GitLab and git, and whether it may write.
//!
//! [`SessionSettings`] is what options, variables and the instance file say; with a token it becomes a [`Session`], which
//! every operation on GitLab gets.

use std::ffi::OsString;
use std::sync::OnceLock;

use secrecy::SecretString;

use crate::ci::{JobContext, Log};
use crate::config::{Environment, Forks, Instance, Pauses};
use crate::forge::{Connection, CurrentUser, Forge, RetryPolicy, TokenKind, Writes};
use crate::git::Git;
use crate::git::store::Identity;
use crate::ops::ProcessContext;
use crate::types::ProjectPath;
use crate::types::error::{ForgeError, NoCredentials, Result, bail};

/// The instance where none is named.
pub(crate) const DEFAULT_INSTANCE: &str = "production";

/// Whether what is planned is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is.
    Apply,
    /// It is only returned. The connection refuses to write.
    DryRun,
}

/// What options, variables and the instance file say, before anything is asked of GitLab.
pub(crate) struct SessionSettings {
    environment: Environment,
    search_path: OsString,
    pub(crate) job: JobContext,
    pub(crate) instance: Instance,
}

impl SessionSettings {
    /// Reads the environment, and the instance that is named here or there.
    pub(crate) fn read(instance: Option<&str>, context: &ProcessContext) -> Result<Self> {
        let environment = Environment::read(context.variables.clone())?;
        let job = JobContext::read(&context.variables);
        let name = instance.or(environment.instance.as_deref()).unwrap_or(DEFAULT_INSTANCE);
        let instance = Instance::load(name, &environment)?;
        Ok(Self { environment, search_path: context.search_path.clone(), job, instance })
    }

    /// Returns what the environment says.
    pub(crate) const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Prepares for talking to GitLab with a token.
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

    /// Connects the bot.
    ///
    /// # Errors
    ///
    /// [`NoCredentials`] where there is no token.
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
            myself: OnceLock::new(),
        })
    }
}

/// The bot, connected to its instance's GitLab.
pub(crate) struct Session {
    pub(crate) instance: Instance,
    pub(crate) forge: Forge,
    pub(crate) token: SecretString,
    pub(crate) pauses: Pauses,
    pub(crate) log: Log,
    mode: Mode,
    search_path: OsString,
    git: OnceLock<Git>,
    myself: OnceLock<CurrentUser>,
}

impl Session {
    /// Whether nothing is to be written.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.mode == Mode::DryRun
    }

    /// Returns git; looks for it once.
    ///
    /// # Errors
    ///
    /// There is none, or one that is too old.
    pub(crate) fn git(&self) -> Result<&Git> {
        match self.git.get() {
            Some(git) => Ok(git),
            None => {
                let git = Git::find(&self.search_path)?;
                Ok(self.git.get_or_init(|| git))
            }
        }
    }

    /// Returns the bot's own user; asks GitLab once.
    pub(crate) fn myself(&self) -> Result<&CurrentUser, ForgeError> {
        match self.myself.get() {
            Some(myself) => Ok(myself),
            None => {
                let myself = self.forge.current_user()?;
                Ok(self.myself.get_or_init(|| myself))
            }
        }
    }

    /// Returns who the bot's commits are by.
    pub(crate) fn identity(&self) -> Result<Identity, ForgeError> {
        let CurrentUser { user, commit_email, email } = self.myself()?;
        let email = commit_email.as_ref().or(email.as_ref()).filter(|email| !email.is_empty()).cloned();
        Ok(Identity {
            name: user.name.clone(),
            email: email.unwrap_or_else(|| format!("{}@users.noreply.invalid", user.username)),
        })
    }

    /// Returns the project that holds the bot's branches for a dist-git project, or will.
    pub(crate) fn fork_of(&self, dist_git: &ProjectPath) -> Result<ProjectPath> {
        let name = dist_git.name();
        Ok(match &self.instance.forks {
            Forks::BotUser => format!("{}/{name}", self.myself()?.user.username).parse()?,
            Forks::Group(group) => format!("{}/{name}", group.as_str()).parse()?,
            Forks::DistGit => dist_git.clone(),
        })
    }
}
