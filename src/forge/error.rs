//! What can go wrong with GitLab, in kinds that a caller can branch on.
//!
//! The texts are for people: GitLab's own sentence, the request it answered and the id under which GitLab logged
//! it. They never hold a query string, nor the token: the transport masks it before a text gets here.

use std::fmt;
use std::time::Duration;

use bstr::ByteSlice as _;
use serde_json::Value;

use crate::types::text::printable;

/// The most of an error's body that is looked at, in bytes. GitLab's own are far shorter; a proxy's page is not.
const BODY_LIMIT: usize = 64 << 10;

/// The most values of a structured error body that become part of its sentence.
const VALUES_LIMIT: usize = 10;

/// The deepest that a structured error body is looked into.
const DEPTH_LIMIT: usize = 4;

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
            Self::ReadOnly { .. } | Self::Misconfigured(_) => None,
        }
    }

    /// Turns the answer to a request that was refused for good into its kind. `location` is that of a redirection.
    pub(super) fn from_refusal(failure: Failure, location: Option<String>) -> Self {
        let status = failure.status;
        let failure = Box::new(failure);
        match status {
            Some(300..=399) => Self::Moved { failure, location },
            Some(401) => Self::Unauthorized(failure),
            Some(403) => Self::Forbidden(failure),
            Some(404) => Self::NotFoundOrNoAccess(failure),
            Some(409) => Self::Conflict(failure),
            _ => Self::Refused(failure),
        }
    }
}

/// Returns GitLab's own sentence from the body of an error, as one printable line; empty where the body says nothing.
///
/// GitLab uses these forms (API documentation, "REST API troubleshooting"): `{"message": "…"}`, `{"message": ["…"]}`,
/// `{"message": {"field": ["…"]}}`, `{"error": "…", "error_description": "…"}`. Rack::Attack and proxies send plain text.
pub(super) fn sentence(body: &[u8]) -> String {
    let body = body.get(..BODY_LIMIT).unwrap_or(body).trim();
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return if body.starts_with(b"<") { page_title(body) } else { printable(body) };
    };
    let mut said = Vec::new();
    match &value {
        Value::Object(object) => {
            for key in ["message", "error", "error_description", "errors"] {
                if let Some(value) = object.get(key) {
                    collect(value, "", DEPTH_LIMIT, &mut said);
                }
            }
            if said.is_empty() {
                collect(&value, "", DEPTH_LIMIT, &mut said);
            }
        }
        value => collect(value, "", DEPTH_LIMIT, &mut said),
    }
    printable(said.join("; ").as_bytes())
}

/// Adds the texts in `value` to `said`, each with the name of its field.
fn collect(value: &Value, field: &str, depth: usize, said: &mut Vec<String>) {
    if depth == 0 || said.len() >= VALUES_LIMIT {
        return;
    }
    match value {
        Value::Null => {}
        Value::Array(values) => values.iter().for_each(|value| collect(value, field, depth - 1, said)),
        Value::Object(object) => {
            for (key, value) in object {
                // These two are no fields: they are about the request as a whole.
                let field = if matches!(key.as_str(), "base" | "error") { "" } else { key };
                collect(value, field, depth - 1, said);
            }
        }
        Value::String(text) if field.is_empty() => said.push(text.clone()),
        Value::String(text) => said.push(format!("{field} {text}")),
        value => said.push(format!("{field} {value}").trim_start().to_owned()),
    }
}

/// Returns the title of an HTML page, in which a proxy or load balancer says what happened.
fn page_title(page: &[u8]) -> String {
    let lower = page.to_ascii_lowercase();
    let title = lower.find(b"<title>").map(|start| start + b"<title>".len()).and_then(|start| {
        let length = lower.get(start..)?.find(b"</title>")?;
        page.get(start..start.checked_add(length)?)
    });
    match title {
        Some(title) => format!("a page titled \"{}\"", printable(title.trim())),
        None => "an HTML page".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, message: &str) -> Failure {
        Failure {
            method: "GET".into(),
            path: "projects/7".into(),
            status: Some(status),
            message: message.into(),
            request_id: Some("01FRF".into()),
            tries: 1,
            retry_after: None,
        }
    }

    #[test]
    fn gitlabs_sentence_is_found_in_every_shape_of_body() {
        for (body, expected) in [
            (r#"{"message":"404 Project Not Found"}"#, "404 Project Not Found"),
            (
                r#"{"message":["Another open merge request already exists for this source branch: !1"]}"#,
                "Another open merge request already exists for this source branch: !1",
            ),
            (
                r#"{"message":{"name":["has already been taken"],"path":["has already been taken"]}}"#,
                "name has already been taken; path has already been taken",
            ),
            (r#"{"message":{"base":["Reference not found"]}}"#, "Reference not found"),
            (
                r#"{"message":{"error":"This endpoint has been requested too many times. Try again later."}}"#,
                "This endpoint has been requested too many times. Try again later.",
            ),
            (r#"{"error":"state is missing"}"#, "state is missing"),
            (
                r#"{"error":"insufficient_scope","error_description":"needs api","scope":"api"}"#,
                "insufficient_scope; needs api",
            ),
            ("Retry later\n", "Retry later"),
            ("", ""),
            ("<html>\n<head><TITLE>502 Bad Gateway</TITLE></head>", "a page titled \"502 Bad Gateway\""),
            ("<!doctype html>", "an HTML page"),
            ("<title>", "an HTML page"),
            (r#"{"weird":{"key":1}}"#, "key 1"),
            ("[]", ""),
            ("null", ""),
        ] {
            assert_eq!(sentence(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_hostile_body_stays_one_short_line() {
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(sentence(deep.as_bytes()), "");
        let wide = serde_json::json!({"message": vec!["x"; 10_000]}).to_string();
        assert_eq!(sentence(wide.as_bytes()).matches('x').count(), VALUES_LIMIT);
        assert_eq!(sentence(b"{\"message\":\"a\\n\\u001b[31mb\"}"), "a\\n\\x1b[31mb");
        assert!(sentence(&vec![b'y'; 1 << 20]).chars().count() <= 201);
        assert_eq!(sentence(b"\xff\xfe"), "\\xff\\xfe");
    }

    #[test]
    fn each_status_has_its_kind() {
        let kind = |status| ForgeError::from_refusal(failure(status, ""), None);
        assert!(matches!(kind(401), ForgeError::Unauthorized(_)));
        assert!(matches!(kind(403), ForgeError::Forbidden(_)));
        assert!(matches!(kind(404), ForgeError::NotFoundOrNoAccess(_)));
        assert!(matches!(kind(409), ForgeError::Conflict(_)));
        assert!(matches!(kind(301), ForgeError::Moved { .. }));
        assert!(matches!(kind(400), ForgeError::Refused(_)));
        assert!(matches!(kind(422), ForgeError::Refused(_)));
    }

    #[test]
    fn a_404_says_that_it_may_be_about_access() {
        let error = ForgeError::from_refusal(failure(404, "404 Project Not Found"), None);
        assert_eq!(
            error.to_string(),
            "GET projects/7: GitLab answered 404, Project Not Found (request 01FRF): it does not exist, or this token \
             has no access to it"
        );
    }

    #[test]
    fn a_301_says_where_the_project_went() {
        let error = ForgeError::from_refusal(failure(301, ""), Some("https://gitlab.com/api/v4/projects/9".into()));
        assert_eq!(
            error.to_string(),
            "GET projects/7: GitLab answered 301 (request 01FRF): moved to https://gitlab.com/api/v4/projects/9"
        );
    }
}
