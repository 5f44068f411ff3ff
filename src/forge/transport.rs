//! Sends one HTTP request to GitLab, as often as the retry policy allows, and returns the answer.
//!
//! The crate `gitlab` describes the endpoints. Its own client is not used: it follows redirections with the token,
//! reads bodies of any size, takes neither a proxy nor a time limit, and requests `/user` whenever it is made.

use std::io;
use std::io::Read as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bstr::ByteSlice as _;
use chrono::DateTime;
use gitlab::api::Endpoint;
use reqwest::blocking::{Client, Request, Response};
use reqwest::header;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};

use crate::forge::connection::{Connection, Writes, innermost_cause};
use crate::forge::error::{from_refusal, sentence};
use crate::forge::retry::{Gate, RetryPolicy, RetryStep, TransportTrouble, retry_after};
use crate::types::error::{Failure, ForgeError};
use crate::types::text::printable;

/// The longest answer that is read, in bytes. A page of 100 merge requests with the longest descriptions that GitLab
/// accepts (1 MiB each) would exceed it; a real page is a thousand times smaller.
const ANSWER_LIMIT: usize = 32 << 20;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NEXT_PAGE: HeaderName = HeaderName::from_static("x-next-page");
/// See "Response headers" in GitLab's documentation of the user and IP rate limits.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");

/// How many requests this user has left before GitLab answers 429 for a while. Does not cover limits of single
/// endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests allowed in one period.
    pub limit: u64,
    /// Requests left in the current period.
    pub remaining: u64,
}

/// A connection to one GitLab, shared by all requests.
#[derive(Debug)]
pub(super) struct Transport {
    client: Client,
    api: Url,
    token: SecretString,
    writes: Writes,
    policy: RetryPolicy,
    timeout: Duration,
    requests: AtomicU64,
    gate: Gate,
    /// GitLab's time as of its last answer, in seconds since 1970; 0 before any answer stated it.
    server_time: AtomicI64,
    /// As of the last answer that stated it.
    rate_limit: Mutex<Option<RateLimit>>,
}

/// A request that can be sent any number of times.
struct PreparedRequest {
    method: Method,
    /// The method that decides about retries: a GraphQL query uses POST, but only reads, like GET.
    acts_as: Method,
    /// The path below `/api/v4/`, without the query.
    path: String,
    url: Url,
    body: Option<(&'static str, Vec<u8>)>,
}

/// A successful answer.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) next_page: NextPage,
    failure: Failure,
    method: Method,
}

/// What an answer says about the page after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextPage {
    Number(u64),
    /// This is the last page.
    None,
    /// The header is absent.
    Unknown,
}

/// The outcome of one attempt.
enum Attempt {
    Answer(Answer),
    Refused(ForgeError),
    Trouble(TransportTrouble, Failure),
}

impl Answer {
    /// Returns the error for an answer that makes no sense. GitLab has carried out the request: where it must not be
    /// repeated blindly, the caller has to read what is there now.
    pub(super) fn unreadable(mut self, why: &str) -> ForgeError {
        self.failure.message = why.to_owned();
        if self.method == Method::POST {
            ForgeError::MaybeDone(Box::new(self.failure))
        } else {
            ForgeError::Unreadable(Box::new(self.failure))
        }
    }
}

impl Transport {
    /// Prepares everything. Sends nothing yet.
    pub(super) fn new(connection: Connection) -> Result<Self, ForgeError> {
        let api = connection.api_url()?;
        let client = connection.http_client()?;
        let Connection { token, timeout, writes, retry: policy, .. } = connection;
        Ok(Self {
            client,
            api,
            token,
            writes,
            policy,
            timeout,
            requests: AtomicU64::new(0),
            gate: Gate::default(),
            server_time: AtomicI64::new(0),
            rate_limit: Mutex::new(None),
        })
    }

    /// Returns GitLab's time as of its last answer, in seconds since 1970; `None` before any answer stated it.
    pub(super) fn server_time(&self) -> Option<i64> {
        Some(self.server_time.load(Ordering::Relaxed)).filter(|seconds| *seconds != 0)
    }

    /// Returns how many requests are left; `None` before any answer stated it.
    pub(super) fn rate_limit(&self) -> Option<RateLimit> {
        *self.rate_limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many requests were sent, including retries.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns the token. It is masked in every text that comes back.
    pub(super) const fn token(&self) -> &SecretString {
        &self.token
    }

    /// Returns the retry policy. Its clock also serves other waiting.
    pub(super) fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// Sends a request for `endpoint`, with additional query parameters, until GitLab answers or the policy gives up.
    pub(super) fn send(&self, endpoint: &impl Endpoint, query: &[(&str, u64)]) -> Result<Answer, ForgeError> {
        self.send_prepared(&self.prepare(endpoint, query)?)
    }

    /// Sends a GraphQL query: `body` is JSON with the query and its variables. A query only reads, so it is retried
    /// like GET.
    pub(super) fn send_query(&self, body: Vec<u8>) -> Result<Answer, ForgeError> {
        let path = "../graphql";
        let url = self.api.join(path).map_err(|e| ForgeError::Misconfigured(format!("GraphQL: {e}")))?;
        let request = PreparedRequest {
            method: Method::POST,
            acts_as: Method::GET,
            path: path.trim_start_matches("../").to_owned(),
            url,
            body: Some(("application/json", body)),
        };
        self.send_prepared(&request)
    }

    fn send_prepared(&self, request: &PreparedRequest) -> Result<Answer, ForgeError> {
        let mut tried = 1;
        loop {
            self.gate.pass(&self.policy);
            let (trouble, mut failure) = match self.send_once(request, tried) {
                Attempt::Answer(answer) => return Ok(answer),
                Attempt::Refused(error) => return Err(error),
                Attempt::Trouble(trouble, failure) => (trouble, failure),
            };
            match self.policy.next_step(&request.acts_as, trouble, tried) {
                RetryStep::Again(pause) => {
                    let left = self.policy.tries.saturating_sub(tried);
                    failure.tries = 1;
                    let seconds = pause.as_secs_f32();
                    tracing::warn!("{failure}; trying again in {seconds:.1} s ({left} tries left)");
                    if trouble.pauses_all_requests() {
                        self.gate.close_for(pause, &self.policy);
                    } else {
                        self.policy.sleep(pause);
                    }
                    tried = tried.saturating_add(1);
                }
                RetryStep::GiveUp => return Err(ForgeError::Unavailable(Box::new(failure))),
                RetryStep::MaybeDone => return Err(ForgeError::MaybeDone(Box::new(failure))),
            }
        }
    }

    fn prepare(&self, endpoint: &impl Endpoint, query: &[(&str, u64)]) -> Result<PreparedRequest, ForgeError> {
        let method = endpoint.method();
        let path = endpoint.endpoint().into_owned();
        if self.writes == Writes::Refused && !method.is_safe() {
            return Err(ForgeError::ReadOnly { method: method.to_string(), path });
        }
        let wrong = |what: String| ForgeError::Misconfigured(format!("{method} {path}: {what}"));
        let mut url = self.api.join(&path).map_err(|e| wrong(e.to_string()))?;
        // No name in the path may lead out of it (`..`). The names are validated; this check covers one that is not.
        if !url.as_str().starts_with(self.api.as_str()) || url.path().len() != self.api.path().len() + path.len() {
            return Err(wrong("a name that an address cannot hold".to_owned()));
        }
        endpoint.parameters().add_to_url(&mut url);
        url.query_pairs_mut().extend_pairs(query.iter().map(|(key, value)| (*key, value.to_string())));
        if url.query() == Some("") {
            url.set_query(None);
        }
        let body = endpoint.body().map_err(|e| wrong(e.to_string()))?;
        Ok(PreparedRequest { acts_as: method.clone(), method, path, url, body })
    }

    fn send_once(&self, prepared: &PreparedRequest, tries: u32) -> Attempt {
        let number = self.requests.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let mut request = Request::new(prepared.method.clone(), prepared.url.clone());
        if let Some((mime, body)) = &prepared.body {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
            *request.body_mut() = Some(body.clone().into());
        }
        let mut failure = Failure {
            method: prepared.method.to_string(),
            path: prepared.path.clone(),
            status: None,
            message: String::new(),
            request_id: None,
            tries,
            retry_after: None,
        };
        let start = Instant::now();
        let response = match self.client.execute(request) {
            Ok(response) => response,
            Err(error) => return self.unanswered(error, failure, number),
        };
        let status = response.status();
        failure.status = Some(status.as_u16());
        failure.request_id = self.header(&response, &REQUEST_ID);
        if let Some(date) = date(&response).and_then(|date| DateTime::parse_from_rfc2822(date).ok()) {
            self.server_time.store(date.timestamp(), Ordering::Relaxed);
        }
        if let Some(rate_limit) = rate_limit(&response) {
            *self.rate_limit.lock().unwrap_or_else(PoisonError::into_inner) = Some(rate_limit);
        }
        let took = start.elapsed().as_millis();
        tracing::trace!(
            "request {number}: {} {} -> {} in {took} ms, request id {}",
            prepared.method,
            prepared.path,
            status.as_u16(),
            failure.request_id.as_deref().unwrap_or("none"),
        );
        failure.retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after(value, date(&response), SystemTime::now()));
        let location = response.headers().get(header::LOCATION).map(|value| self.location(value, &prepared.url));
        let next_page = next_page(response.headers());
        let body = match read_bounded(response) {
            Ok(body) => body,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                failure.message = "the answer is longer than 32 MiB".to_owned();
                let failure = Box::new(failure);
                return Attempt::Refused(if prepared.acts_as == Method::POST {
                    ForgeError::MaybeDone(failure)
                } else {
                    ForgeError::TooLong(failure)
                });
            }
            Err(_) => {
                failure.message = "the connection broke in the middle of the answer".to_owned();
                failure.status = None;
                return Attempt::Trouble(TransportTrouble::Interrupted, failure);
            }
        };
        if status.is_success() {
            failure.retry_after = None;
            return Attempt::Answer(Answer { body, next_page, failure, method: prepared.acts_as.clone() });
        }
        failure.message = sentence(&self.masked(body));
        match TransportTrouble::from_answer(status.as_u16(), &prepared.path, failure.retry_after) {
            Some(trouble) => Attempt::Trouble(trouble, failure),
            None => Attempt::Refused(from_refusal(failure, location)),
        }
    }

    /// Classifies a request that got no answer.
    fn unanswered(&self, error: reqwest::Error, mut failure: Failure, number: u64) -> Attempt {
        let (is_connect, is_timeout) = (error.is_connect(), error.is_timeout());
        let cause = String::from_utf8_lossy(&self.masked(innermost_cause(error).into_bytes())).into_owned();
        tracing::trace!("request {number}: {} {} -> {cause}", failure.method, failure.path);
        if is_connect && cause.contains("certificate") {
            failure.message = format!("the server's certificate is not trusted: {cause}");
            return Attempt::Refused(ForgeError::Untrusted(Box::new(failure)));
        }
        failure.message = if is_connect {
            format!("no connection to GitLab: {cause}")
        } else if is_timeout {
            format!("no answer from GitLab within {} s", self.timeout.as_secs())
        } else {
            format!("the connection to GitLab broke: {cause}")
        };
        Attempt::Trouble(
            if is_connect { TransportTrouble::NotConnected } else { TransportTrouble::Interrupted },
            failure,
        )
    }

    /// Returns a header as printable text.
    fn header(&self, response: &Response, name: &HeaderName) -> Option<String> {
        response.headers().get(name).map(|value| printable(&self.masked(value.as_bytes().to_vec())))
    }

    /// Returns where a redirection leads, as printable text without the parts of an address that could be secret.
    fn location(&self, value: &HeaderValue, url: &Url) -> String {
        let text = String::from_utf8_lossy(value.as_bytes());
        let Ok(mut location) = url.join(&text) else { return "an address that cannot be read".to_owned() };
        location.set_query(None);
        location.set_fragment(None);
        // These fail only for an address without a host, which has neither user name nor password.
        let _ = location.set_username("");
        let _ = location.set_password(None);
        printable(&self.masked(location.as_str().into()))
    }

    /// Masks the token in text that came back, in case a server or a proxy echoed it.
    fn masked(&self, text: Vec<u8>) -> Vec<u8> {
        let token = self.token.expose_secret().as_bytes();
        if text.contains_str(token) { text.replace(token, b"[MASKED]") } else { text }
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        tracing::debug!("requests to {}: {}", self.api, self.requests());
    }
}

fn date(response: &Response) -> Option<&str> {
    response.headers().get(header::DATE)?.to_str().ok()
}

fn rate_limit(response: &Response) -> Option<RateLimit> {
    let number = |name| response.headers().get(name)?.to_str().ok()?.trim().parse().ok();
    Some(RateLimit { limit: number(RATE_LIMIT)?, remaining: number(RATE_REMAINING)? })
}

fn next_page(headers: &HeaderMap) -> NextPage {
    let Some(value) = headers.get(NEXT_PAGE) else { return NextPage::Unknown };
    match value.to_str().ok().and_then(|text| text.trim().parse().ok()) {
        Some(number) => NextPage::Number(number),
        None => NextPage::None,
    }
}

/// Reads a body.
///
/// # Errors
///
/// `FileTooLarge` where it exceeds [`ANSWER_LIMIT`].
fn read_bounded(response: Response) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(ANSWER_LIMIT).unwrap_or(u64::MAX);
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut body = Vec::new();
    response.take(limit.saturating_add(1)).read_to_end(&mut body)?;
    if body.len() > ANSWER_LIMIT { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_a_number_or_none_or_unknown() {
        let of = |value: &'static str| next_page(&HeaderMap::from_iter([(NEXT_PAGE, HeaderValue::from_static(value))]));
        assert_eq!(of("2"), NextPage::Number(2));
        assert_eq!(of(""), NextPage::None);
        assert_eq!(of("x"), NextPage::None);
        assert_eq!(next_page(&HeaderMap::new()), NextPage::Unknown);
    }
}
