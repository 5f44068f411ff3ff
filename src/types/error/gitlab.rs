//! What can go wrong with a request to GitLab, in kinds that a caller can branch on.
//!
//! The texts are for people: GitLab's own sentence, the request it answered and the id under which GitLab logged it. They
//! never hold a query string, nor the token: the transport masks it before a text gets here.

use std::fmt;
use std::time::Duration;

/// What to do about a certificate that is not trusted.
const CA_REMEDY: &str = "set `gitlab.ca_file` of the instance to a file with the certificate (PEM) of the authority \
    behind the server's";

/// A request that GitLab did not answer as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The request's method.
    pub method: String,
    /// The request's path below `/api/v4/`, without its query.
    pub path: String,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// GitLab's own sentence, or what happened to the connection: one line, fit to be shown.
    pub message: String,
    /// The id under which GitLab logged the request.
    pub request_id: Option<String>,
    /// How often the request was made.
    pub tries: u32,
    /// How long GitLab asked to wait before the next try.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.method, self.path)?;
        if let Some(status) = self.status {
            write!(f, "GitLab answered {status}")?;
            // GitLab's sentences often begin with the status: "404 Project Not Found".
            let message = self.message.strip_prefix(&status.to_string()).unwrap_or(&self.message).trim_start();
            if !message.is_empty() {
                write!(f, ", {message}")?;
            }
        } else {
            f.write_str(&self.message)?;
        }
        if let Some(wait) = self.retry_after {
            write!(f, ", and asks to wait {} s", wait.as_secs())?;
        }
        if self.tries > 1 {
            write!(f, " (after {} tries)", self.tries)?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

/// Why an operation on GitLab did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// 404: GitLab does not tell what is absent from what this token may not see.
    #[error("{0}: it does not exist, or this token has no access to it")]
    NotFoundOrNoAccess(Box<Failure>),
    /// 401: the token is unknown, expired or revoked.
    #[error("{0}")]
    Unauthorized(Box<Failure>),
    /// 403: the token is good, but its scopes or its user's role do not allow this.
    #[error("{0}")]
    Forbidden(Box<Failure>),
    /// 409: it exists already, or somebody else was faster.
    #[error("{0}")]
    Conflict(Box<Failure>),
    /// A redirection, which is never followed: a project has another path now, or this is not GitLab's address.
    #[error("{failure}: moved to {}", .location.as_deref().unwrap_or("a place that the answer does not name"))]
    Moved {
        /// The request and its answer.
        failure: Box<Failure>,
        /// Where to, without user name, password and query.
        location: Option<String>,
    },
    /// GitLab could not be reached, or was too busy, for as long as the retry policy allows. Nothing was done.
    #[error("{0}")]
    Unavailable(Box<Failure>),
    /// The answer to a request that must not be repeated blindly (POST) was lost or is of no use: it may have been
    /// done. The caller can find out by reading.
    #[error("{0}: it may have been done all the same")]
    MaybeDone(Box<Failure>),
    /// Any other refusal, with GitLab's reason.
    #[error("{0}")]
    Refused(Box<Failure>),
    /// An answer that makes no sense: not JSON, a field that is missing.
    #[error("{0}")]
    Unreadable(Box<Failure>),
    /// An answer that is longer than 32 MiB.
    #[error("{0}")]
    TooLong(Box<Failure>),
    /// A write was asked for where nothing may be written (`--dry-run`). It was not sent.
    #[error("{method} {path}: not sent, nothing is to be written")]
    ReadOnly {
        /// The request's method.
        method: String,
        /// The request's path below `/api/v4/`.
        path: String,
    },
    /// GitLab answered well, and passed over a setting without a word.
    #[error("GitLab did not take {0}: it is too old for that, or the group or the installation forbids it")]
    NotTaken(String),
    /// The server's certificate comes from no authority that is trusted. Nothing was sent.
    #[error("{0}")]
    Untrusted(Box<Failure>),
    /// The connection cannot be used as it is configured: address, CA file, proxy or token.
    #[error("{0}")]
    Misconfigured(String),
}

impl ForgeError {
    /// Whether the same run may well succeed later: exit code 5.
    pub fn is_worth_a_retry(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::MaybeDone(_))
    }

    /// Whether any other request would fail in the same way: the token or the connection is no good.
    pub fn concerns_every_request(&self) -> bool {
        matches!(self, Self::Unauthorized(_) | Self::Untrusted(_) | Self::Misconfigured(_))
    }

    /// Returns what to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotFoundOrNoAccess(_) => "check the address, and that the token's user is a member of the project",
            Self::Unauthorized(_) => "the token is wrong, expired or revoked: provide a new one with the scope `api`",
            Self::Forbidden(_) => "give the token the scope `api` and its user the role that this needs",
            Self::Conflict(_) => "run again: somebody else changed the same thing",
            Self::Moved { .. } => "use the new address, in the instance as well",
            Self::Unavailable(_) | Self::MaybeDone(_) => "run again later: nothing is done twice",
            Self::Refused(_) => "see GitLab's reason above",
            Self::TooLong(_) => "something in it that a person wrote is too long: shorten it",
            Self::Unreadable(_) => "check that the instance's address is that of a GitLab, and of one that works",
            Self::ReadOnly { .. } => "run without `--dry-run`",
            Self::NotTaken(_) => "set it by hand, where that is allowed",
            Self::Untrusted(_) => CA_REMEDY,
            Self::Misconfigured(_) => "check the address, CA file, proxy and token of the instance",
        }
    }

    /// Returns the request and its answer, where a request was made.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::NotFoundOrNoAccess(failure)
            | Self::Unauthorized(failure)
            | Self::Forbidden(failure)
            | Self::Conflict(failure)
            | Self::Moved { failure, .. }
            | Self::Unavailable(failure)
            | Self::MaybeDone(failure)
            | Self::Refused(failure)
            | Self::Untrusted(failure)
            | Self::TooLong(failure)
            | Self::Unreadable(failure) => Some(failure),
            Self::ReadOnly { .. } | Self::NotTaken(_) | Self::Misconfigured(_) => None,
        }
    }
}
