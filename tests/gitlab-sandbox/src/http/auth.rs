//! Who is asking: tokens in headers, for the API and for git.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Request;
use super::reply::Refusal;
use crate::model::Model;
use crate::model::access::{Token, TokenKind};

/// Headers that hold credentials and are never logged.
pub(crate) const CREDENTIAL_HEADERS: &[&str] =
    &["private-token", "job-token", "authorization", "proxy-authorization", "cookie", "x-gitlab-token"];

/// Who is asking: a user with an access token, a job, or nobody.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Caller {
    pub(crate) user: Option<u64>,
    /// The project of the job whose token this is.
    pub(crate) job: Option<u64>,
    /// The id of the token.
    pub(crate) token: Option<u64>,
}

/// Finds the caller of an API request and checks the token's scope. `for_jobs` tells whether the endpoint takes job
/// tokens; where it does not, GitLab acts as if none had been sent.
pub(crate) fn api_caller(model: &Model, request: &Request, for_jobs: bool) -> Result<Caller, Refusal> {
    if let Some(value) = request.header("job-token") {
        if !for_jobs {
            return Ok(Caller::default());
        }
        let token = find(model, value).ok_or_else(Refusal::unauthorized)?;
        return match token.kind {
            TokenKind::Job { project } if !token.expired => {
                Ok(Caller { user: Some(token.user), job: Some(project), token: Some(token.id) })
            }
            _ => Err(Refusal::unauthorized()),
        };
    }
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let Some(value) = request.header("private-token").or(bearer) else { return Ok(Caller::default()) };
    let token = find(model, value.trim()).filter(|token| token.kind == TokenKind::Access);
    let token = token.ok_or_else(Refusal::unauthorized)?;
    if token.expired {
        let text = "Token is expired. You can either do re-authorization or token refresh.";
        return Err(Refusal::OAuth(401, "invalid_token", text, None));
    }
    if !token.opens_api(!request.only_reads()) {
        let text = "The request requires higher privileges than provided by the access token.";
        let scope = if request.only_reads() { "api read_api" } else { "api" };
        return Err(Refusal::OAuth(403, "insufficient_scope", text, Some(scope)));
    }
    Ok(Caller { user: Some(token.user), job: None, token: Some(token.id) })
}

/// What a git client's Basic credentials are worth.
#[derive(Debug)]
pub(crate) enum GitCredentials<'a> {
    None,
    Wrong,
    Token(&'a Token),
}

/// Reads Basic credentials: the password is the token, any user name that is not blank goes; job tokens need theirs.
pub(crate) fn git_credentials<'a>(model: &'a Model, request: &Request) -> GitCredentials<'a> {
    let Some(header) = request.header("authorization") else { return GitCredentials::None };
    let decoded = header.strip_prefix("Basic ").and_then(|encoded| STANDARD.decode(encoded.trim()).ok());
    let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else { return GitCredentials::Wrong };
    let Some((user, password)) = text.split_once(':') else { return GitCredentials::Wrong };
    match find(model, password).filter(|token| !token.expired && !user.trim().is_empty()) {
        Some(token) if token.kind == TokenKind::Access || user == "gitlab-ci-token" => GitCredentials::Token(token),
        _ => GitCredentials::Wrong,
    }
}

fn find<'a>(model: &'a Model, value: &str) -> Option<&'a Token> {
    model.tokens.iter().find(|token| token.value == value)
}
