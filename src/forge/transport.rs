//! One HTTP request to GitLab and its answer, tried as often as the retry policy says.
//!
//! The crate `gitlab` describes the endpoints; its own client is not used, for it follows redirections with the token,
//! reads bodies of any size, takes neither proxy nor time limit, and asks for `/user` whenever it is made.

use std::error::Error as _;
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
use reqwest::{Method, Proxy, Url, redirect, retry};
use secrecy::{ExposeSecret as _, SecretString};

use crate::forge::error::{from_refusal, sentence};
use crate::forge::retry::{Gate, RetryPolicy, RetryStep, TransportTrouble, retry_after};
use crate::forge::{Connection, RateLimit, TokenKind, Writes, authorities};
use crate::types::error::{Failure, ForgeError};
use crate::types::text::printable;

/// The longest answer that is read, in bytes. A page of 100 merge requests with the longest descriptions that GitLab
/// takes (1 MiB) could pass it; a real one is a thousand times smaller.
pub(super) const BODY_LIMIT: usize = 32 << 20;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const TOKEN: HeaderName = HeaderName::from_static("private-token");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NEXT_PAGE: HeaderName = HeaderName::from_static("x-next-page");
/// "Response headers" of GitLab's user and IP rate limits.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");

/// The way to one GitLab.
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
    /// GitLab's time as of its last answer, in seconds since 1970; 0 where none has told it.
    server_time: AtomicI64,
    /// What the last answer that told it said of the requests that are left.
    rate_limit: Mutex<Option<RateLimit>>,
}

/// A request, ready to be sent any number of times.
struct Call {
    method: Method,
    /// The method whose meaning it has: a GraphQL query is posted, and reads like GET.
    acts_as: Method,
    /// Below `/api/v4/`, without the query.
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
    /// There is one, with this number.
    Number(u64),
    /// This is the last.
    None,
    /// The header is absent.
    Unsaid,
}

/// What became of one try.
enum Try {
    Answer(Answer),
    Refused(ForgeError),
    Trouble(TransportTrouble, Failure),
}

impl Answer {
    /// Returns the error for an answer that makes no sense. What it answered has been done: for a request that must not
    /// be repeated blindly, the caller has to look.
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
    /// Prepares everything, without asking GitLab anything.
    pub(super) fn new(connection: Connection) -> Result<Self, ForgeError> {
        let Connection { base_url, token, kind, ca_file, proxy, timeout, writes, retry: policy } = connection;
        let wrong = |what: String| ForgeError::Misconfigured(what);
        let api = api_url(&base_url)?;
        if api.scheme() == "http" && !is_loopback(&api) {
            tracing::warn!("the token goes to {api} unencrypted, for its address begins with `http`");
        }
        let header = token_header(&token)?;
        let headers = match kind {
            TokenKind::Access => HeaderMap::from_iter([(TOKEN, header)]),
            TokenKind::Trigger => HeaderMap::new(),
        };
        let mut client = Client::builder()
            .user_agent(concat!("source-git-bot/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout);
        // A CA file replaces the system's authorities, as it does for git (http.sslCAInfo).
        client = client.tls_certs_only(match ca_file {
            Some(path) => authorities::of_file(&path)?,
            None => authorities::of_system(),
        });
        if let Some(proxy) = proxy {
            let proxy = Proxy::all(proxy).map_err(|e| wrong(format!("proxy: {}", describe(e))))?;
            client = client.proxy(proxy);
        }
        let client = client.build().map_err(|e| wrong(format!("TLS: {}", describe(e))))?;
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

    /// Returns GitLab's time as of its last answer, in seconds since 1970; nothing where no answer has told it.
    pub(super) fn server_time(&self) -> Option<i64> {
        Some(self.server_time.load(Ordering::Relaxed)).filter(|seconds| *seconds != 0)
    }

    /// Returns how many requests are left; nothing where no answer has told it.
    pub(super) fn rate_limit(&self) -> Option<RateLimit> {
        *self.rate_limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many requests were sent, repeated ones included.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Returns the token, which is masked in whatever comes back.
    pub(super) const fn token(&self) -> &SecretString {
        &self.token
    }

    /// Returns the retry policy, whose clock also serves other waiting.
    pub(super) fn policy(&self) -> &RetryPolicy {
        &self.policy
    }

    /// Sends a request for `endpoint`, with additional query parameters, until there is an answer or the policy's end.
    pub(super) fn send(&self, endpoint: &impl Endpoint, query: &[(&str, u64)]) -> Result<Answer, ForgeError> {
        self.send_call(&self.call(endpoint, query)?)
    }

    /// Sends a GraphQL query: JSON with the query and its variables. It only reads, and is repeated like GET.
    pub(super) fn send_query(&self, body: Vec<u8>) -> Result<Answer, ForgeError> {
        let path = "../graphql";
        let url = self.api.join(path).map_err(|e| ForgeError::Misconfigured(format!("GraphQL: {e}")))?;
        let call = Call {
            method: Method::POST,
            acts_as: Method::GET,
            path: path.trim_start_matches("../").to_owned(),
            url,
            body: Some(("application/json", body)),
        };
        self.send_call(&call)
    }

    fn send_call(&self, call: &Call) -> Result<Answer, ForgeError> {
        let mut tried = 1;
        loop {
            self.gate.pass(&self.policy);
            let (trouble, mut failure) = match self.try_once(call, tried) {
                Try::Answer(answer) => return Ok(answer),
                Try::Refused(error) => return Err(error),
                Try::Trouble(trouble, failure) => (trouble, failure),
            };
            match self.policy.next_step(&call.acts_as, trouble, tried) {
                RetryStep::Again(pause) => {
                    let left = self.policy.tries.saturating_sub(tried);
                    failure.tries = 1;
                    let seconds = pause.as_secs_f32();
                    tracing::warn!("{failure}; trying again in {seconds:.1} s ({left} tries left)");
                    if trouble.is_asked_of_all() {
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

    fn call(&self, endpoint: &impl Endpoint, query: &[(&str, u64)]) -> Result<Call, ForgeError> {
        let method = endpoint.method();
        let path = endpoint.endpoint().into_owned();
        if self.writes == Writes::Refused && !method.is_safe() {
            return Err(ForgeError::ReadOnly { method: method.to_string(), path });
        }
        let wrong = |what: String| ForgeError::Misconfigured(format!("{method} {path}: {what}"));
        let mut url = self.api.join(&path).map_err(|e| wrong(e.to_string()))?;
        // A name in the path must not have climbed out of it: the URL is put together from validated names, and this
        // holds should one of them not be.
        if !url.as_str().starts_with(self.api.as_str()) || url.path().len() != self.api.path().len() + path.len() {
            return Err(wrong("a name that an address cannot hold".to_owned()));
        }
        endpoint.parameters().add_to_url(&mut url);
        url.query_pairs_mut().extend_pairs(query.iter().map(|(key, value)| (*key, value.to_string())));
        if url.query() == Some("") {
            url.set_query(None);
        }
        let body = endpoint.body().map_err(|e| wrong(e.to_string()))?;
        Ok(Call { acts_as: method.clone(), method, path, url, body })
    }

    fn try_once(&self, call: &Call, tries: u32) -> Try {
        let number = self.requests.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let mut request = Request::new(call.method.clone(), call.url.clone());
        if let Some((mime, body)) = &call.body {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
            *request.body_mut() = Some(body.clone().into());
        }
        let mut failure = Failure {
            method: call.method.to_string(),
            path: call.path.clone(),
            status: None,
            message: String::new(),
            request_id: None,
            tries,
            retry_after: None,
        };
        let start = Instant::now();
        let response = match self.client.execute(request) {
            Ok(response) => response,
            Err(error) => return self.not_answered(error, failure, number),
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
            call.method,
            call.path,
            status.as_u16(),
            failure.request_id.as_deref().unwrap_or("none"),
        );
        failure.retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after(value, date(&response), SystemTime::now()));
        let location = response.headers().get(header::LOCATION).map(|value| self.location(value, &call.url));
        let next_page = next_page(response.headers());
        let body = match read_bounded(response) {
            Ok(body) => body,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                failure.message = "the answer is longer than 32 MiB".to_owned();
                let failure = Box::new(failure);
                return Try::Refused(if call.acts_as == Method::POST {
                    ForgeError::MaybeDone(failure)
                } else {
                    ForgeError::TooLong(failure)
                });
            }
            Err(_) => {
                failure.message = "the connection broke in the middle of the answer".to_owned();
                failure.status = None;
                return Try::Trouble(TransportTrouble::Interrupted, failure);
            }
        };
        if status.is_success() {
            failure.retry_after = None;
            return Try::Answer(Answer { body, next_page, failure, method: call.acts_as.clone() });
        }
        failure.message = sentence(&self.masked(body));
        match TransportTrouble::from_answer(status.as_u16(), &call.path, failure.retry_after) {
            Some(trouble) => Try::Trouble(trouble, failure),
            None => Try::Refused(from_refusal(failure, location)),
        }
    }

    /// Judges a request that got no answer.
    fn not_answered(&self, error: reqwest::Error, mut failure: Failure, number: u64) -> Try {
        let (is_connect, is_timeout) = (error.is_connect(), error.is_timeout());
        let cause = String::from_utf8_lossy(&self.masked(describe(error).into_bytes())).into_owned();
        tracing::trace!("request {number}: {} {} -> {cause}", failure.method, failure.path);
        if is_connect && cause.contains("certificate") {
            failure.message = format!("the server's certificate is not trusted: {cause}");
            return Try::Refused(ForgeError::Untrusted(Box::new(failure)));
        }
        failure.message = if is_connect {
            format!("no connection to GitLab: {cause}")
        } else if is_timeout {
            format!("no answer from GitLab within {} s", self.timeout.as_secs())
        } else {
            format!("the connection to GitLab broke: {cause}")
        };
        Try::Trouble(if is_connect { TransportTrouble::NotConnected } else { TransportTrouble::Interrupted }, failure)
    }

    /// Returns a header as a text fit to be shown.
    fn header(&self, response: &Response, name: &HeaderName) -> Option<String> {
        response.headers().get(name).map(|value| printable(&self.masked(value.as_bytes().to_vec())))
    }

    /// Returns where a redirection leads, as a text fit to be shown: without what could be secret in an address.
    fn location(&self, value: &HeaderValue, url: &Url) -> String {
        let text = String::from_utf8_lossy(value.as_bytes());
        let Ok(mut location) = url.join(&text) else { return "an address that cannot be read".to_owned() };
        location.set_query(None);
        location.set_fragment(None);
        // Only an address without a host refuses these, and such an address has neither.
        let _ = location.set_username("");
        let _ = location.set_password(None);
        printable(&self.masked(location.as_str().into()))
    }

    /// Returns text that came back with the token masked, should a server or a proxy have echoed it.
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

/// Returns `<base>/api/v4/`.
fn api_url(base: &Url) -> Result<Url, ForgeError> {
    let wrong = |why: &str| ForgeError::Misconfigured(format!("GitLab's address {why}"));
    if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
        return Err(wrong("must begin with `https://` (or `http://`) and a host"));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(wrong("must hold neither user name nor password"));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(wrong("must end with its path"));
    }
    let mut url = base.clone();
    url.set_path(&format!("{}/api/v4/", base.path().trim_end_matches('/')));
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn token_header(token: &SecretString) -> Result<HeaderValue, ForgeError> {
    let text = token.expose_secret();
    let wrong = |why: &str| ForgeError::Misconfigured(format!("the token {why}"));
    if text.is_empty() {
        return Err(wrong("is empty"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("holds a space, a line end or another character that no token has"));
    }
    let mut value = HeaderValue::from_str(text).map_err(|_| wrong("cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn date(response: &Response) -> Option<&str> {
    response.headers().get(header::DATE)?.to_str().ok()
}

fn rate_limit(response: &Response) -> Option<RateLimit> {
    let number = |name| response.headers().get(name)?.to_str().ok()?.trim().parse().ok();
    Some(RateLimit { limit: number(RATE_LIMIT)?, remaining: number(RATE_REMAINING)? })
}

fn next_page(headers: &HeaderMap) -> NextPage {
    let Some(value) = headers.get(NEXT_PAGE) else { return NextPage::Unsaid };
    match value.to_str().ok().and_then(|text| text.trim().parse().ok()) {
        Some(number) => NextPage::Number(number),
        None => NextPage::None,
    }
}

/// Reads a body; an error of the kind `FileTooLarge` where it is longer than the limit.
fn read_bounded(response: Response) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(BODY_LIMIT).unwrap_or(u64::MAX);
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut body = Vec::new();
    response.take(limit.saturating_add(1)).read_to_end(&mut body)?;
    if body.len() > BODY_LIMIT { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(body) }
}

/// Returns the innermost cause of an error, which is the one that says something; never the URL.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    printable(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(base: &str) -> Result<String, ForgeError> {
        api_url(&base.parse().unwrap()).map(String::from)
    }

    #[test]
    fn the_api_is_below_the_address_relative_ones_included() {
        assert_eq!(api("https://gitlab.com").unwrap(), "https://gitlab.com/api/v4/");
        assert_eq!(api("https://example.com/gitlab/").unwrap(), "https://example.com/gitlab/api/v4/");
        assert_eq!(api("http://127.0.0.1:8080/a/b").unwrap(), "http://127.0.0.1:8080/a/b/api/v4/");
    }

    #[test]
    fn an_address_that_is_no_gitlabs_is_refused() {
        for bad in ["ftp://x", "file:///x", "https://u:secret@x", "https://u@x", "https://x/?a=b", "https://x/#a"] {
            let error = api(bad).unwrap_err();
            assert!(matches!(&error, ForgeError::Misconfigured(_)), "{bad}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_refused_without_being_shown() {
        for bad in ["", "glpat-x\n", "glpat x", "glpat-é"] {
            let error = token_header(&SecretString::from(bad)).unwrap_err().to_string();
            assert!(!error.contains("glpat"), "{error}");
        }
        assert!(token_header(&SecretString::from("glpat-x_y.z")).unwrap().is_sensitive());
    }

    #[test]
    fn the_next_page_is_a_number_or_none_or_not_said() {
        let of = |value: &'static str| next_page(&HeaderMap::from_iter([(NEXT_PAGE, HeaderValue::from_static(value))]));
        assert_eq!(of("2"), NextPage::Number(2));
        assert_eq!(of(""), NextPage::None);
        assert_eq!(of("x"), NextPage::None);
        assert_eq!(next_page(&HeaderMap::new()), NextPage::Unsaid);
    }
}
