//! The bot's own environment variables, read from a map that `main` passes.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use crate::config::error::ConfigError;

/// The beginning of all our variables.
const PREFIX: &str = "SGB_";

/// The values of our variables. An empty variable counts as not set, as in a CI job's settings.
#[derive(Debug, Default, Deserialize)]
pub struct Environment {
    /// `SGB_INSTANCE`: the same as `--instance`.
    pub instance: Option<String>,
    /// `SGB_TOKEN`: the access token of the bot's user.
    pub token: Option<SecretString>,
    /// `SGB_OPERATOR_TOKEN`: the access token of the operator who sets up packages.
    pub operator_token: Option<SecretString>,
    /// `SGB_TRIGGER_URL`: the address where `notify` starts a pipeline of the bot project.
    pub trigger_url: Option<String>,
    /// `SGB_TRIGGER_TOKEN`: the trigger token for that address.
    pub trigger_token: Option<SecretString>,
    /// `SGB_WEBHOOK_SECRET`: the key that signs webhook tokens.
    pub webhook_secret: Option<SecretString>,
    /// `SGB_WEBHOOK_TOKEN`: the webhook token that `notify` sends.
    pub webhook_token: Option<SecretString>,
    /// `SGB_GITLAB_URL`: GitLab's address. Like the three below, it counts only without an instance file.
    pub gitlab_url: Option<String>,
    /// `SGB_CA_FILE`: the certificates (PEM) of the authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// `SGB_PROXY`: the address of the proxy.
    pub proxy: Option<String>,
    /// `SGB_BOT_PROJECT`: the project that runs the bot.
    pub bot_project: Option<String>,
    /// `SGB_TEST_NO_PAUSES`: set by tests, which cannot afford to wait.
    pub test_no_pauses: Option<String>,
}

/// Whether the program waits before it retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pauses {
    Taken,
    /// For tests.
    Skipped,
}

impl Environment {
    pub const fn pauses(&self) -> Pauses {
        if self.test_no_pauses.is_some() { Pauses::Skipped } else { Pauses::Taken }
    }

    /// Reads our variables from `variables`, and ignores all others.
    pub fn read(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let ours = variables.into_iter().filter(|(_, value)| !value.is_empty());
        envy::prefixed(PREFIX).from_iter(ours).map_err(|_| {
            // envy's text may quote a value, which may be a secret. All values are texts, so this error does not occur.
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
    fn only_variables_with_our_prefix_are_read() {
        let environment =
            read(&[("SGB_TOKEN", "glpat-secret"), ("TOKEN", "x"), ("GITLAB_URL", "y"), ("SGB_OTHER", "z")]);
        assert_eq!(environment.token.as_ref().unwrap().expose_secret(), "glpat-secret");
        assert_eq!(environment.gitlab_url, None);
        assert!(!format!("{environment:?}").contains("glpat"));
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        assert!(read(&[("SGB_TOKEN", ""), ("SGB_CA_FILE", "")]).token.is_none());
    }
}
