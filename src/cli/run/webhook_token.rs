//! `webhook-token`: makes the token with which a webhook or a job authenticates, or says what a token is good for.
//!
//! It needs neither GitLab nor an access token nor an instance, because a token depends on the secret alone. The secret
//! comes from a file or the environment, never from an argument, which everybody on the machine can read.

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::cli::Invocation;
use crate::cli::args::WebhookTokenArgs;
use crate::cli::printer::Printer;
use crate::config::Environment;
use crate::ops::ProcessContext;
use crate::setup::webhook_token::{LENGTH_LIMIT, SECRET_LENGTH, Secret, TokenError, TokenScope, UnverifiedToken};
use crate::types::error::{Context as _, Error, Result, UsageError, bail};

/// The longest secret in a file, in bytes.
const SECRET_LIMIT: usize = 4 << 10;

pub(crate) fn run(arguments: &WebhookTokenArgs, invocation: &Invocation<'_>) -> Result<()> {
    let asked = arguments.namespace.as_deref().map(|namespace| scope(namespace, arguments.project.as_deref()));
    let asked = asked.transpose()?;
    let secret = read_secret(arguments.secret_file.as_deref(), invocation.context)?;
    if secret.is_short() {
        tracing::warn!(
            "the secret is shorter than {SECRET_LENGTH} bytes, the least for HS256 (RFC 7518): with one token at hand it \
             may be guessed"
        );
    }
    match (&arguments.verify, asked) {
        (Some(token), asked) => verify(&read_token(token)?, asked.as_ref(), &secret, invocation.printer),
        (None, Some(scope)) => make(&scope, &secret, invocation.printer),
        (None, None) => {
            bail!(UsageError::new("no namespace is named", "name the group or user whose projects the token is for"))
        }
    }
}

fn make(scope: &TokenScope, secret: &Secret, printer: &Printer) -> Result<()> {
    #[derive(Serialize)]
    struct JsonToken<'a> {
        namespace: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        project: Option<&'a str>,
        token: &'a str,
    }
    let token = secret.sign(scope);
    let token = token.expose_secret();
    let data = JsonToken { namespace: scope.namespace().as_str(), project: scope.project(), token };
    printer.print_token(&data, format!("{token}\n"))
}

fn verify(token: &str, asked: Option<&TokenScope>, secret: &Secret, printer: &Printer) -> Result<()> {
    #[derive(Serialize)]
    struct JsonVerification<'a> {
        namespace: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        project: Option<&'a str>,
        signature: &'static str,
        good: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<String>,
    }
    let parsed = UnverifiedToken::parse(token).map_err(|error| Error::msg(error).context("the token is not good"))?;
    let scope = parsed.claimed();
    let verified = parsed.verify(secret, now());
    let signature = if verified == Err(TokenError::Signature) { "does not hold" } else { "holds" };
    let problem = match (verified, asked) {
        (Err(error), _) => Some(error.to_string()),
        (Ok(scope), Some(asked)) if !scope.covers_scope(asked) => Some(format!("it is not for {}", describe(asked))),
        (Ok(_), _) => None,
    };
    let text = format!("for        {}\nsignature  {signature}\n", describe(scope));
    let data = JsonVerification {
        namespace: scope.namespace().as_str(),
        project: scope.project(),
        signature,
        good: problem.is_none(),
        problem: problem.clone(),
    };
    printer.print(&data, |_| text)?;
    match problem {
        Some(problem) => Err(Error::msg(problem).context("the token is not good")),
        None => Ok(()),
    }
}

fn describe(scope: &TokenScope) -> String {
    match scope.project() {
        Some(project) => format!("the project {}/{project}", scope.namespace()),
        None => format!("every project in {}", scope.namespace()),
    }
}

fn scope(namespace: &str, project: Option<&str>) -> Result<TokenScope, UsageError> {
    TokenScope::new(namespace, project).map_err(|_| UsageError::new("this is no namespace, or no project of one", "name a group or user by its whole path, such as `redhat/centos-stream/src`, and a project by its last part \
               alone, such as `bash`"))
}

/// Returns the token that was typed, or for `-` reads it from standard input.
fn read_token(token: &str) -> Result<String> {
    if token != "-" {
        return Ok(token.to_owned());
    }
    let text = read_at_most(io::stdin().lock(), LENGTH_LIMIT).context("reading the token from standard input")?;
    Ok(text.trim_end().to_owned())
}

/// Reads the secret from `file`, or else from the environment.
fn read_secret(file: Option<&Path>, context: &ProcessContext) -> Result<Secret> {
    let missing = |text: String| {
        UsageError::new(
            text,
            "set SGB_WEBHOOK_SECRET, or name a file with `--secret-file`; `openssl rand -hex 32` makes one",
        )
    };
    let Some(path) = file else {
        let secret = Environment::read(context.variables.clone())?.webhook_secret.and_then(Secret::new);
        return Ok(secret.ok_or_else(|| missing("there is no secret for webhook tokens".to_owned()))?);
    };
    let text = File::open(path).map_err(Error::from).and_then(|file| read_at_most(file, SECRET_LIMIT));
    let unread = |error: Error| Error::from(missing(format!("`{}` cannot be read", path.display()))).caused_by(&error);
    let text = text.map_err(unread)?;
    // Editors add a line end to a file. It is not part of the secret.
    let text = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
    let secret = Secret::new(SecretString::from(text));
    Ok(secret.ok_or_else(|| missing(format!("`{}` is empty", path.display())))?)
}

/// Reads a text of at most `limit` bytes. A longer one is an error.
fn read_at_most(from: impl Read, limit: usize) -> Result<String> {
    let mut text = String::new();
    let length = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    from.take(length).read_to_string(&mut text)?;
    if text.len() > limit {
        bail!("it is longer than {limit} bytes");
    }
    Ok(text)
}

/// Returns the time for checking when tokens expire, in seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
