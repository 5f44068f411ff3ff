//! `webhook-token`: makes the token that a webhook or a job proves itself with, or says what one is good for.
//!
//! Neither GitLab nor an access token is needed, and no instance: a token is the secret's and nothing else's. The secret
//! comes from a file or the environment, never from an argument, which everybody on the machine can read.

use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::cli::args::{self, Global, Output};
use crate::cli::terminal;
use crate::config::Environment;
use crate::ops::Surroundings;
use crate::setup::webhook_token::{LENGTH_LIMIT, SECRET_LENGTH, Secret, TokenError, TokenScope, UnverifiedToken};
use crate::types::error::{Context as _, Error, Result, UsageError, bail};

/// The longest secret in a file, in bytes.
const SECRET_LIMIT: usize = 4 << 10;

/// The format of the JSON output.
const FORMAT: u8 = 1;

/// Runs the command.
pub(crate) fn run(arguments: &args::WebhookToken, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let asked = arguments.namespace.as_deref().map(|namespace| scope(namespace, arguments.project.as_deref()));
    let asked = asked.transpose()?;
    let secret = secret(arguments.secret_file.as_deref(), surroundings)?;
    if secret.is_short() {
        tracing::warn!(
            "the secret is shorter than {SECRET_LENGTH} bytes, the least for HS256 (RFC 7518): with one token at hand it \
             may be guessed"
        );
    }
    match (&arguments.verify, asked) {
        (Some(token), asked) => verify(&given(token)?, asked.as_ref(), &secret, global),
        (None, Some(scope)) => make(&scope, &secret, global),
        (None, None) => {
            bail!(UsageError::new("no namespace is named", "name the group or user whose projects the token is for"))
        }
    }
}

fn make(scope: &TokenScope, secret: &Secret, global: &Global) -> Result<()> {
    #[derive(Serialize)]
    struct Made<'a> {
        format: u8,
        namespace: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        project: Option<&'a str>,
        token: &'a str,
    }
    let token = secret.sign(scope);
    let token = token.expose_secret();
    show(
        global,
        format!("{token}\n"),
        &Made { format: FORMAT, namespace: scope.namespace().as_str(), project: scope.project(), token },
    )
}

fn verify(token: &str, asked: Option<&TokenScope>, secret: &Secret, global: &Global) -> Result<()> {
    #[derive(Serialize)]
    struct Found<'a> {
        format: u8,
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
        (Ok(scope), Some(asked)) if !scope.covers_scope(asked) => Some(format!("it is not for {}", words(asked))),
        (Ok(_), _) => None,
    };
    let text = format!("for        {}\nsignature  {signature}\n", words(scope));
    show(
        global,
        text,
        &Found {
            format: FORMAT,
            namespace: scope.namespace().as_str(),
            project: scope.project(),
            signature,
            good: problem.is_none(),
            problem: problem.clone(),
        },
    )?;
    match problem {
        Some(problem) => Err(Error::msg(problem).context("the token is not good")),
        None => Ok(()),
    }
}

fn show(global: &Global, text: String, data: &impl Serialize) -> Result<()> {
    let text = match global.output {
        Output::Text => text,
        Output::Json => serde_json::to_string_pretty(data).context("writing JSON")? + "\n",
    };
    terminal::print_token(&text).context("writing to standard output")
}

fn words(scope: &TokenScope) -> String {
    match scope.project() {
        Some(project) => format!("the project {}/{project}", scope.namespace()),
        None => format!("every project in {}", scope.namespace()),
    }
}

fn scope(namespace: &str, project: Option<&str>) -> Result<TokenScope, UsageError> {
    TokenScope::new(namespace, project).map_err(|_| UsageError::new("this is no namespace, or no project of one", "name a group or user by its whole path, such as `redhat/centos-stream/src`, and a project by its last part \
               alone, such as `bash`"))
}

/// Returns the token that was typed, or is on standard input.
fn given(token: &str) -> Result<String> {
    if token != "-" {
        return Ok(token.to_owned());
    }
    let text = text_of(io::stdin().lock(), LENGTH_LIMIT).context("reading the token from standard input")?;
    Ok(text.trim_end().to_owned())
}

/// Returns the secret: of this file, else of the environment.
fn secret(file: Option<&Path>, surroundings: &Surroundings) -> Result<Secret> {
    let missing = |text: String| {
        UsageError::new(
            text,
            "set SGB_WEBHOOK_SECRET, or name a file with `--secret-file`; `openssl rand -hex 32` makes one",
        )
    };
    let Some(path) = file else {
        let secret = Environment::read(surroundings.variables.clone())?.webhook_secret.and_then(Secret::new);
        return Ok(secret.ok_or_else(|| missing("there is no secret for webhook tokens".to_owned()))?);
    };
    let text = File::open(path).map_err(Error::from).and_then(|file| text_of(file, SECRET_LIMIT));
    let unread = |error: Error| Error::from(missing(format!("`{}` cannot be read", path.display()))).caused_by(&error);
    let text = text.map_err(unread)?;
    // Editors end a file with a line end; it is none of the secret's.
    let text = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
    let secret = Secret::new(SecretString::from(text));
    Ok(secret.ok_or_else(|| missing(format!("`{}` is empty", path.display())))?)
}

/// Reads a short text.
fn text_of(from: impl Read, limit: usize) -> Result<String> {
    let mut text = String::new();
    let length = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    from.take(length).read_to_string(&mut text)?;
    if text.len() > limit {
        bail!("it is longer than {limit} bytes");
    }
    Ok(text)
}

/// Returns the time that tokens are held against, in seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
