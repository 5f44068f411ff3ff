//! GitLab: the operations that the bot needs, and nothing of what they are for.
//!
//! Thin on purpose: a call is one request (a list: one a page), its result holds what the bot reads of GitLab's answer,
//! and nothing is decided. The endpoints are those of the crate `gitlab`, or in its manner where it lacks one. Retries,
//! limits and errors are the same for all of them ([`retry`](RetryPolicy), [`ForgeError`]).
//!
//! Whatever a person wrote (titles, descriptions, notes, names) is handed on as it is: it is hostile, and to be made fit
//! for its next place by whoever puts it there.

mod authorities;
mod awards;
mod branches;
mod commits;
mod error;
mod files;
mod graphql;
mod hooks;
mod issues;
mod job_token_scope;
mod members;
mod merge_requests;
mod namespaces;
mod notes;
mod open_merge_requests;
mod pipeline_schedules;
mod pipelines;
mod project_settings;
mod projects;
mod protected_branches;
mod request;
mod retry;
mod runners;
mod statuses;
mod transport;
mod trigger_tokens;
mod triggers;
mod user;
mod variables;
mod version;

use std::fmt::Display;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use gitlab::api::Endpoint;
use reqwest::Url;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::forge::transport::{Answer, NextPage, Transport};
use crate::types::ProjectPath;
use crate::types::error::ForgeError;

pub use crate::forge::awards::{Award, AwardId};
pub use crate::forge::branches::Branch;
pub use crate::forge::files::{CommitAuthor, FileAction, FileActionKind};
pub use crate::forge::graphql::{BRANCH_TIPS_AT_ONCE, HeadPipelineOf, PipelineGlance};
pub use crate::forge::hooks::{HookEvent, HookOwner, NewWebhook, Webhook, WebhookDelivery};
pub use crate::forge::issues::{Issue, IssueEdit};
pub use crate::forge::job_token_scope::{AllowedGroup, AllowedProject, JobTokenScope};
pub use crate::forge::merge_requests::{
    Commit, MergeRequest, MergeRequestEdit, MergeRequestQuery, MergeRequestState, MergeRequestVersion, NewMergeRequest,
    References, StateFilter,
};
pub use crate::forge::namespaces::{GitlabNamespace, Group};
pub use crate::forge::notes::{Note, NoteOrder};
pub use crate::forge::pipeline_schedules::PipelineSchedule;
pub use crate::forge::pipelines::{Job, Pipeline};
pub use crate::forge::project_settings::{FeatureAccess, NewProject, OverrideRole, ProjectEdit, ProjectSettings};
pub use crate::forge::projects::{AccessLevel, NewFork, Parent, Project, ProjectRef};
pub use crate::forge::protected_branches::{BranchAccess, NewProtection, ProtectedBranch};
pub use crate::forge::retry::RetryPolicy;
pub use crate::forge::runners::{Runner, RunnerType};
pub use crate::forge::statuses::{CommitStatus, NewCommitStatus, Posting};
pub use crate::forge::trigger_tokens::TriggerToken;
pub use crate::forge::triggers::TriggerAddress;
pub use crate::forge::user::{AccessToken, CurrentUser, User};
pub use crate::forge::variables::{ANY_ENVIRONMENT, NewVariable, Variable, VariableType, VariablesOf};
pub use crate::forge::version::GitlabVersion;

/// How many items a page of a list has: GitLab's maximum.
const PER_PAGE: u64 = 100;

/// The most pages of one list. A list that goes on is taken for a server that counts wrong.
const PAGES_LIMIT: u64 = 1000;

/// How to reach a GitLab.
#[derive(Debug)]
pub struct Connection {
    /// GitLab's address: `https://gitlab.com`, or with the path of an installation below one.
    pub base_url: Url,
    /// The token.
    pub token: SecretString,
    /// What kind of token it is.
    pub kind: TokenKind,
    /// A file of certificates (PEM) of the only authorities to trust, instead of the system's. The environment's never
    /// count.
    pub ca_file: Option<PathBuf>,
    /// The proxy to go through. The environment's is never used.
    pub proxy: Option<Url>,
    /// How long one try of a request may take, the connecting included.
    pub timeout: Duration,
    /// Whether anything may be changed.
    pub writes: Writes,
    /// How often and how patiently to try.
    pub retry: RetryPolicy,
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// An access token (personal, project or group) of the user to act as: sent with each request.
    Access,
    /// A trigger token: sent by [`Forge::trigger`] alone.
    Trigger,
}

/// Whether requests that change something are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// They are.
    Allowed,
    /// They are refused, with [`ForgeError::ReadOnly`]: for `--dry-run`.
    Refused,
}

/// How many requests this user has left before GitLab answers 429 for a while. Limits of single endpoints are not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// In all, in one period.
    pub limit: u64,
    /// Of these, in the present one.
    pub remaining: u64,
}

/// A GitLab, seen as one user.
#[derive(Debug)]
pub struct Forge {
    transport: Transport,
    base_url: Url,
}

impl Forge {
    /// Prepares for talking to a GitLab. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Misconfigured`] where the address, the CA file, the proxy or the token cannot be used.
    pub fn new(connection: Connection) -> Result<Self, ForgeError> {
        let mut base_url = connection.base_url.clone();
        base_url.set_path(&format!("{}/", connection.base_url.path().trim_end_matches('/')));
        Ok(Self { transport: Transport::new(connection)?, base_url })
    }

    /// Returns how many requests were sent so far, repeated ones included.
    pub fn requests(&self) -> u64 {
        self.transport.requests()
    }

    /// Returns GitLab's time as of its last answer, to the second: what GitLab dates is to be held against that, and not
    /// against this machine's clock. Nothing where no answer has told it.
    pub fn server_time(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(self.transport.server_time()?, 0)
    }

    /// Returns how many requests are left, as of the last answer that told it; nothing where none did, as on a GitLab
    /// without limits.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.transport.rate_limit()
    }

    /// Returns the address that git fetches a project from and pushes it to.
    ///
    /// Put together from the instance's address, not taken from an answer: the token goes nowhere else.
    pub fn git_url(&self, project: &ProjectPath) -> Url {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}{project}.git", self.base_url.path()));
        url
    }

    /// Sends one request and reads its answer.
    fn query<T: DeserializeOwned>(&self, endpoint: &impl Endpoint) -> Result<T, ForgeError> {
        decode(self.transport.send(endpoint, &[])?)
    }

    /// Sends one request whose answer has no content.
    fn execute(&self, endpoint: &impl Endpoint) -> Result<(), ForgeError> {
        self.transport.send(endpoint, &[]).map(drop)
    }

    /// Reads a list, page by page as far as it is asked for.
    fn list<'a, T, E>(
        &'a self,
        endpoint: Result<E, ForgeError>,
    ) -> impl Iterator<Item = Result<T, ForgeError>> + use<'a, T, E>
    where
        T: DeserializeOwned + 'a,
        E: Endpoint + 'a,
    {
        self.list_by(PER_PAGE, endpoint)
    }

    /// The same, by pages of another length: some lists allow only shorter ones.
    fn list_by<'a, T, E>(
        &'a self,
        per_page: u64,
        endpoint: Result<E, ForgeError>,
    ) -> impl Iterator<Item = Result<T, ForgeError>> + use<'a, T, E>
    where
        T: DeserializeOwned + 'a,
        E: Endpoint + 'a,
    {
        let (endpoint, failed) = match endpoint {
            Ok(endpoint) => (Some(endpoint), None),
            Err(error) => (None, Some(Err(error))),
        };
        let pages = endpoint.into_iter().flat_map(move |endpoint| Pages { per_page, ..self.pages(endpoint) });
        failed.into_iter().chain(pages.flat_map(items))
    }

    /// Reads the pages of a list as far as they are asked for.
    fn pages<T, E>(&self, endpoint: E) -> Pages<'_, T, E> {
        Pages { transport: &self.transport, endpoint, page: Some(1), per_page: PER_PAGE, items: PhantomData }
    }
}

fn items<T>(page: Result<Vec<T>, ForgeError>) -> impl Iterator<Item = Result<T, ForgeError>> {
    let (items, failed) = match page {
        Ok(items) => (items, None),
        Err(error) => (Vec::new(), Some(Err(error))),
    };
    items.into_iter().map(Ok).chain(failed)
}

/// The pages of a list.
struct Pages<'a, T, E> {
    transport: &'a Transport,
    endpoint: E,
    /// The number of the page to read next.
    page: Option<u64>,
    /// How many items a page has.
    per_page: u64,
    items: PhantomData<T>,
}

impl<T: DeserializeOwned, E: Endpoint> Pages<'_, T, E> {
    fn read(&mut self, mut page: u64) -> Result<Vec<T>, ForgeError> {
        let answer = loop {
            match self.transport.send(&self.endpoint, &[("page", page), ("per_page", self.per_page)]) {
                // People wrote what is in it, and some write much: fewer at a time, from the same item on.
                Err(ForgeError::TooLong(_)) if self.per_page > 1 => {
                    let parts = if self.per_page.is_multiple_of(2) { 2 } else { self.per_page };
                    self.per_page /= parts;
                    page = page.saturating_sub(1).saturating_mul(parts).saturating_add(1);
                }
                answer => break answer?,
            }
        };
        if page >= PAGES_LIMIT {
            return Err(answer.unreadable("the list has no end"));
        }
        let next = answer.next_page;
        let items: Vec<T> = decode(answer)?;
        // A page may be shorter than asked for and not be the last (notes): only GitLab knows. The length decides only
        // where something on the way dropped GitLab's header.
        let is_full = u64::try_from(items.len()).is_ok_and(|length| length >= self.per_page);
        self.page = match next {
            NextPage::Number(next) => Some(next).filter(|next| *next > page),
            NextPage::Unsaid if is_full => Some(page.saturating_add(1)),
            NextPage::Unsaid | NextPage::None => None,
        };
        Ok(items)
    }
}

impl<T: DeserializeOwned, E: Endpoint> Iterator for Pages<'_, T, E> {
    type Item = Result<Vec<T>, ForgeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let page = self.page.take()?;
        Some(self.read(page))
    }
}

/// Reads the body of an answer.
fn decode<T: DeserializeOwned>(answer: Answer) -> Result<T, ForgeError> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        // serde's text may quote a value of the body, of any length.
        let why = crate::types::text::printable(error.to_string().as_bytes());
        answer.unreadable(&format!("the answer cannot be understood: {why}"))
    })
}

/// Turns the outcome of one of the crate `gitlab`'s builders into ours: it fails only where a field was forgotten.
fn endpoint<E>(built: Result<E, impl Display>) -> Result<E, ForgeError> {
    built.map_err(|error| ForgeError::Misconfigured(format!("the request cannot be made: {error}")))
}

/// Reads a field that may be `null` as its default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads a field whose value may be `null` or of no form that is known as nothing.
fn if_known<'de, D: Deserializer<'de>, T: std::str::FromStr>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| text.parse().ok()))
}
