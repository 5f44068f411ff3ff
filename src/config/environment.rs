//! Our own environment variables, read from what `main` hands over.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use crate::config::error::ConfigError;

/// What all of our variables begin with.
const PREFIX: &str = "SGB_";

/// What the environment says. A variable that is set to nothing counts as not set, as in a CI job's settings.
#[derive(Debug, Default, Deserialize)]
pub struct Environment {
    /// `SGB_INSTANCE`: what `--instance` says.
    pub instance: Option<String>,
    /// `SGB_TOKEN`: the access token of the bot's user.
    pub token: Option<SecretString>,
    /// `SGB_OPERATOR_TOKEN`: the access token of whoever sets up packages.
    pub operator_token: Option<SecretString>,
    /// `SGB_TRIGGER_URL`: where `notify` starts a pipeline of the bot project.
    pub trigger_url: Option<String>,
    /// `SGB_TRIGGER_TOKEN`: the trigger token for it.
    pub trigger_token: Option<SecretString>,
    /// `SGB_WEBHOOK_SECRET`: what webhook tokens are signed with.
    pub webhook_secret: Option<SecretString>,
    /// `SGB_WEBHOOK_TOKEN`: the webhook token that `notify` sends along.
    pub webhook_token: Option<SecretString>,
    /// `SGB_GITLAB_URL`: GitLab's address. Counts only where no instance file is given, like the three below.
    pub gitlab_url: Option<String>,
    /// `SGB_CA_FILE`: the certificates (PEM) of the authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// `SGB_PROXY`: the address of the proxy.
    pub proxy: Option<String>,
    /// `SGB_BOT_PROJECT`: the project that runs the bot.
    pub bot_project: Option<String>,
    /// `SGB_TEST_NO_PAUSES`: set by tests, which have no time to wait.
    pub test_no_pauses: Option<String>,
}

/// Whether the program waits before it tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pauses {
    /// It does, so that GitLab comes to rest.
    Taken,
    /// It does not: for tests.
    Skipped,
}

impl Environment {
    /// Whether to wait before trying again.
    pub const fn pauses(&self) -> Pauses {
        if self.test_no_pauses.is_some() { Pauses::Skipped } else { Pauses::Taken }
    }

    /// Reads our variables among `variables`; the others do not matter.
    pub fn read(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let ours = variables.into_iter().filter(|(_, value)| !value.is_empty());
        envy::prefixed(PREFIX).from_iter(ours).map_err(|_| {
            // envy's text may quote the value, which may be a secret; with texts only, there is nothing to say.
            ConfigError::new("the environment", "variables that begin with `SGB_` cannot be read")
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Environment {
        Environment::read(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))).unwrap()
    }

    #[test]
    fn ours_are_read_and_others_are_not() {
        let environment =
            read(&[("SGB_TOKEN", "glpat-secret"), ("TOKEN", "x"), ("GITLAB_URL", "y"), ("SGB_OTHER", "z")]);
        assert_eq!(environment.token.as_ref().unwrap().expose_secret(), "glpat-secret");
        assert_eq!(environment.gitlab_url, None);
        assert!(!format!("{environment:?}").contains("glpat"));
    }

    #[test]
    fn a_variable_set_to_nothing_is_not_set() {
        assert!(read(&[("SGB_TOKEN", ""), ("SGB_CA_FILE", "")]).token.is_none());
    }
}
