//! The one error type of the program.
//!
//! It carries what was being done, why that ended, and with that the two things that a caller and a person need: the kind,
//! by which the program ends, and what to do about it. Callers branch on the cause ([`Error::gitlab`],
//! [`Error::repository`], [`Error::refusal`]), never on a text or an exit status.
//!
//! Errors that nobody branches on stay `anyhow`'s, and become [`Cause::Other`]. `Error` is on purpose no
//! `std::error::Error`: `?` in a function that returns `anyhow::Result` would lose the kind, and does not compile.

mod gitlab;
mod repository;

use std::fmt;

use crate::types::Refusal;

pub use gitlab::{Failure, ForgeError};
pub use repository::RemoteError;

/// A result whose error tells its kind.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was being done, and why it ended.
#[derive(Debug)]
pub struct Error(Box<Story>);

#[derive(Debug)]
struct Story {
    /// Innermost first.
    doing: Vec<String>,
    cause: Cause,
    /// What lies behind the cause, where that is known.
    sources: Vec<String>,
}

/// Why an operation ended.
#[derive(Debug)]
pub enum Cause {
    /// The input cannot be synced: its author can change that.
    Refused(Refusal),
    /// The program was called, or is configured, in a way that cannot work.
    Usage(UsageError),
    /// There is no token to act with.
    NoCredentials(NoCredentials),
    /// GitLab did not do what it was asked for.
    Gitlab(ForgeError),
    /// A repository on a server could not be reached or changed.
    Repository(RemoteError),
    /// Anything else.
    Other(anyhow::Error),
}

/// How a failure ends the program. [`crate::cli::exit`] gives each its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// None of the others.
    Failed,
    /// Wrong usage or configuration of the program.
    Usage,
    /// The input cannot be synced.
    CannotBeSynced,
    /// There is no token.
    NoCredentials,
    /// GitLab cannot be reached, or is overloaded: the same run may well succeed later.
    Unavailable,
}

/// Something in how the program was called, or is configured, that has to change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct UsageError {
    /// What is the case.
    pub text: String,
    /// What to do about it, where that does not follow from the text.
    pub hint: Option<String>,
}

impl UsageError {
    /// A mistake, and what to do about it.
    pub fn new(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { text: text.into(), hint: Some(hint.into()) }
    }
}

/// There is no token to act with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCredentials {
    /// To act as the bot's user.
    #[error("there is no token to act with as the bot")]
    AccessToken,
    /// To call the bot.
    #[error("there is no token to call the bot with")]
    TriggerToken,
}

impl NoCredentials {
    /// Returns what to do about it, fit for a contributor: nothing.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::AccessToken => {
                "in a fork this is as it should be: the bot looks at the merge request from its own project soon. \
                 Elsewhere, set SGB_TOKEN to a token of the bot's user with the scope `api`"
            }
            Self::TriggerToken => {
                "in a fork this is as it should be: the bot comes by on its own soon. Elsewhere, set SGB_TRIGGER_TOKEN \
                 to a trigger token of the bot project"
            }
        }
    }
}

impl Error {
    /// An error that nobody branches on.
    pub fn msg(text: impl fmt::Display) -> Self {
        anyhow::Error::msg(text.to_string()).into()
    }

    /// Adds what was being done.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.0.doing.push(doing.to_string());
        self
    }

    /// Adds what lies behind the cause.
    #[must_use]
    pub fn caused_by(mut self, source: &Self) -> Self {
        self.0.sources = source.chain();
        self
    }

    /// Returns why it ended.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// Returns how it ends the program.
    pub fn kind(&self) -> ErrorKind {
        match &self.0.cause {
            Cause::Refused(_) => ErrorKind::CannotBeSynced,
            Cause::Usage(_)
            | Cause::Gitlab(ForgeError::Misconfigured(_) | ForgeError::Untrusted(_))
            | Cause::Repository(RemoteError::Untrusted { .. }) => ErrorKind::Usage,
            Cause::NoCredentials(_) => ErrorKind::NoCredentials,
            Cause::Repository(RemoteError::Unavailable { .. } | RemoteError::Stale { .. }) => ErrorKind::Unavailable,
            Cause::Gitlab(error) if error.is_worth_a_retry() => ErrorKind::Unavailable,
            Cause::Gitlab(_) | Cause::Repository(_) | Cause::Other(_) => ErrorKind::Failed,
        }
    }

    /// Returns what to do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Refused(refusal) => Some(&refusal.remedy),
            Cause::Usage(usage) => usage.hint.as_deref(),
            Cause::NoCredentials(missing) => Some(missing.hint()),
            Cause::Gitlab(error) => Some(error.remedy()),
            Cause::Repository(error) => error.remedy(),
            Cause::Other(_) => None,
        }
    }

    /// Returns what was being done, outermost first, then the cause and what lies behind it.
    pub fn chain(&self) -> Vec<String> {
        let mut chain: Vec<_> = self.0.doing.iter().rev().cloned().collect();
        match &self.0.cause {
            Cause::Refused(refusal) => chain.push(refusal.to_string()),
            Cause::Usage(usage) => chain.push(usage.to_string()),
            Cause::NoCredentials(missing) => chain.push(missing.to_string()),
            Cause::Gitlab(error) => chain.push(error.to_string()),
            Cause::Repository(error) => chain.push(error.to_string()),
            Cause::Other(error) => chain.extend(error.chain().map(ToString::to_string)),
        }
        chain.extend(self.0.sources.iter().cloned());
        chain
    }

    /// Returns what GitLab said, where that is the cause.
    pub fn gitlab(&self) -> Option<&ForgeError> {
        match &self.0.cause {
            Cause::Gitlab(error) => Some(error),
            _ => None,
        }
    }

    /// Returns what became of a repository on a server, where that is the cause.
    pub fn repository(&self) -> Option<&RemoteError> {
        match &self.0.cause {
            Cause::Repository(error) => Some(error),
            _ => None,
        }
    }

    /// Returns why the input cannot be synced, where that is the cause.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.0.cause {
            Cause::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Takes out what became of a repository on a server.
    ///
    /// # Errors
    ///
    /// The error itself, where something else is the cause.
    pub fn into_repository(self) -> Result<RemoteError> {
        let Story { doing, cause, sources } = *self.0;
        match cause {
            Cause::Repository(error) => Ok(error),
            cause => Err(Self(Box::new(Story { doing, cause, sources }))),
        }
    }

    /// Takes out why the input cannot be synced.
    ///
    /// # Errors
    ///
    /// The error itself, where something else is the cause.
    pub fn into_refusal(self) -> Result<Refusal> {
        let Story { doing, cause, sources } = *self.0;
        match cause {
            Cause::Refused(refusal) => Ok(refusal),
            cause => Err(Self(Box::new(Story { doing, cause, sources }))),
        }
    }
}

/// The outermost of [`Error::chain`]; with `{:#}` all of it.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = self.chain();
        if f.alternate() {
            return f.write_str(&chain.join(": "));
        }
        f.write_str(chain.first().map(String::as_str).unwrap_or_default())
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self(Box::new(Story { doing: Vec::new(), cause, sources: Vec::new() }))
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Cause::Other(error).into()
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Cause::Refused(refusal).into()
    }
}

impl From<UsageError> for Error {
    fn from(usage: UsageError) -> Self {
        Cause::Usage(usage).into()
    }
}

impl From<NoCredentials> for Error {
    fn from(missing: NoCredentials) -> Self {
        Cause::NoCredentials(missing).into()
    }
}

impl From<ForgeError> for Error {
    fn from(error: ForgeError) -> Self {
        Cause::Gitlab(error).into()
    }
}

impl From<RemoteError> for Error {
    fn from(error: RemoteError) -> Self {
        Cause::Repository(error).into()
    }
}

/// Errors of which nobody asks more than what they say.
macro_rules! other {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Cause::Other(error.into()).into()
            }
        })*
    };
}

other!(
    std::io::Error,
    std::fmt::Error,
    std::string::FromUtf8Error,
    serde_json::Error,
    yaml_serde::Error,
    tempfile::PersistError,
    tempfile::PathPersistError,
    crate::types::NameError,
    crate::types::object_id::IdError,
    crate::types::path::PathError,
);

/// Adds what was being done to what went wrong.
pub trait Context<T> {
    /// Adds `doing`.
    fn context(self, doing: impl fmt::Display) -> Result<T>;

    /// Adds what `doing` returns; it is asked only where something went wrong.
    fn with_context<D: fmt::Display>(self, doing: impl FnOnce() -> D) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for Result<T, E> {
    fn context(self, doing: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().context(doing))
    }

    fn with_context<D: fmt::Display>(self, doing: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| error.into().context(doing()))
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, doing: impl fmt::Display) -> Result<T> {
        self.ok_or_else(|| Error::msg(doing))
    }

    fn with_context<D: fmt::Display>(self, doing: impl FnOnce() -> D) -> Result<T> {
        self.ok_or_else(|| Error::msg(doing()))
    }
}

/// Returns early with an error: of a text, with arguments as for `format!`, or of anything that becomes an [`Error`].
macro_rules! bail {
    ($text:literal $(, $argument:expr)* $(,)?) => {
        return Err($crate::types::error::Error::msg(format!($text $(, $argument)*)))
    };
    ($error:expr $(,)?) => {
        return Err($crate::types::error::Error::from($error))
    };
}
pub(crate) use bail;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_shows_through_what_was_being_done() {
        let refused: Result<()> = Err(Refusal::new("no", "yes")).context("reading a file");
        let error = refused.unwrap_err();
        assert_eq!((error.kind(), error.hint()), (ErrorKind::CannotBeSynced, Some("yes")));
        let usage: Result<()> = Err(UsageError::new("no", "yes")).context("starting");
        assert_eq!(usage.unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(Error::msg("no").kind(), ErrorKind::Failed);
    }

    #[test]
    fn a_chain_goes_from_what_was_done_to_what_lies_behind() {
        let error = Error::from(UsageError::new("`x` cannot be read", "name a file"))
            .caused_by(&std::io::Error::other("it is gone").into())
            .context("reading the secret")
            .context("starting");
        assert_eq!(error.chain(), ["starting", "reading the secret", "`x` cannot be read", "it is gone"]);
        assert_eq!(error.to_string(), "starting");
        assert_eq!(format!("{error:#}"), "starting: reading the secret: `x` cannot be read: it is gone");
    }

    #[test]
    fn the_cause_can_be_taken_out_or_the_error_goes_on_as_it_was() {
        let stale = || Error::from(RemoteError::Stale { role: "dist-git" }).context("pushing");
        assert_eq!(stale().into_repository().unwrap(), RemoteError::Stale { role: "dist-git" });
        let same = stale().into_refusal().unwrap_err();
        assert_eq!((same.kind(), same.to_string().as_str()), (ErrorKind::Unavailable, "pushing"));
    }
}
