//! The bot at work for an instance: what the commands that talk to GitLab begin with.

use std::sync::OnceLock;

use secrecy::SecretString;

use crate::ci::{JobContext, Log};
use crate::cli::args::Global;
use crate::config::{Environment, Forks, Instance, Pauses};
use crate::forge::{Connection, CurrentUser, Forge, RetryPolicy, TokenKind, Writes};
use crate::git::store::Identity;
use crate::ops::Surroundings;
use crate::types::ProjectPath;
use crate::types::error::{ForgeError, NoCredentials, Result, bail};

/// The instance where none is named.
pub(crate) const DEFAULT_INSTANCE: &str = "production";

/// What arguments and environment say, before anything is asked of GitLab.
pub(crate) struct Setting {
    environment: Environment,
    pub(crate) job: JobContext,
    pub(crate) instance: Instance,
}

impl Setting {
    /// Reads the environment and the instance that is named there or on the command line.
    pub(crate) fn read(global: &Global, surroundings: &Surroundings) -> Result<Self> {
        let environment = Environment::read(surroundings.variables.clone())?;
        let job = JobContext::read(&surroundings.variables);
        let name = global.instance.as_deref().or(environment.instance.as_deref()).unwrap_or(DEFAULT_INSTANCE);
        let instance = Instance::load(name, &environment)?;
        Ok(Self { environment, job, instance })
    }

    /// Returns what the environment says.
    pub(crate) const fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Prepares for talking to GitLab with a token.
    pub(crate) fn forge(&self, token: SecretString, kind: TokenKind, global: &Global) -> Result<Forge, ForgeError> {
        let gitlab = &self.instance.gitlab;
        Forge::new(Connection {
            base_url: gitlab.url.clone(),
            token,
            kind,
            ca_file: gitlab.ca_file.clone(),
            proxy: gitlab.proxy.clone(),
            timeout: gitlab.timeout,
            writes: if global.dry_run { Writes::Refused } else { Writes::Allowed },
            retry: match self.environment.pauses() {
                Pauses::Taken => RetryPolicy::default(),
                Pauses::Skipped => RetryPolicy::default().without_pauses(),
            },
        })
    }

    /// Connects the bot; [`NoCredentials`] in the error where there is no token.
    pub(crate) fn connect(self, global: &Global) -> Result<Bot> {
        let Some(token) = self.environment.token.clone() else { bail!(NoCredentials::AccessToken) };
        let forge = self.forge(token.clone(), TokenKind::Access, global)?;
        let pauses = self.environment.pauses();
        Ok(Bot { instance: self.instance, forge, token, pauses, log: self.job.log, myself: OnceLock::new() })
    }
}

/// The bot, connected to its instance's GitLab.
pub(crate) struct Bot {
    pub(crate) instance: Instance,
    pub(crate) forge: Forge,
    pub(crate) token: SecretString,
    pub(crate) pauses: Pauses,
    pub(crate) log: Log,
    myself: OnceLock<CurrentUser>,
}

impl Bot {
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
    pub(crate) fn person(&self) -> Result<Identity, ForgeError> {
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
