//! Whether and when to retry a request.
//!
//! This module only decides. It gets the outcome of an attempt, and says whether to try again, to give up, or that the
//! request may have been carried out. The loop that acts on this is in `transport`.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use chrono::DateTime;
use reqwest::Method;

/// How often to try a request, and how long to wait between attempts.
#[derive(Clone)]
pub struct RetryPolicy {
    /// The most attempts of one request, including the first.
    pub tries: u32,
    /// The pause after the first attempt. Each further pause is twice as long.
    pub first_pause: Duration,
    /// The limit of the doubling.
    pub longest_pause: Duration,
    /// The longest `Retry-After` to comply with. Where GitLab asks for more, the request fails at once: GitLab would
    /// refuse an earlier attempt.
    pub longest_retry_after: Duration,
    /// The pause after the first attempt that one of GitLab's rate limits refused without a `Retry-After`. Each further
    /// pause is twice as long.
    pub first_pause_at_limit: Duration,
    sleep: Arc<dyn Fn(Duration) + Send + Sync>,
}

impl RetryPolicy {
    /// Replaces the function that waits: tests record the pauses instead of sleeping.
    #[must_use]
    pub fn with_sleep(self, sleep: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self { sleep: Arc::new(sleep), ..self }
    }

    /// Removes all pauses, for tests.
    #[must_use]
    pub fn without_pauses(self) -> Self {
        self.with_sleep(|_| {})
    }

    pub(super) fn sleep(&self, pause: Duration) {
        (self.sleep)(pause);
    }

    /// Returns the pause after attempt `tried` (counted from 1) where GitLab asks for none. It doubles with each
    /// attempt. `chance` shortens it by up to a half, so that jobs that failed together do not retry together.
    fn backoff(&self, tried: u32, chance: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(tried.saturating_sub(1));
        let full = self.first_pause.saturating_mul(doubled).min(self.longest_pause);
        full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }

    /// Returns the pause after attempt `tried` (counted from 1) where a rate limit of GitLab refused it. These limits
    /// count per minute (`Gitlab::ApplicationRateLimiter`), so the pauses together must be somewhat longer than a
    /// minute.
    fn pause_at_limit(&self, tried: u32, chance: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(tried.saturating_sub(1));
        let full = self.first_pause_at_limit.saturating_mul(doubled).min(self.longest_pause);
        full.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0)
    }

    /// Decides what to do after attempt `tried` (counted from 1).
    pub(super) fn next_step(&self, method: &Method, trouble: TransportTrouble, tried: u32) -> RetryStep {
        self.next_step_by(method, trouble, tried, chance())
    }

    fn next_step_by(&self, method: &Method, trouble: TransportTrouble, tried: u32, chance: f64) -> RetryStep {
        if trouble.may_have_acted() && !is_idempotent(method) {
            return RetryStep::MaybeDone;
        }
        let pause = match (trouble, trouble.retry_after()) {
            (_, Some(asked)) if asked > self.longest_retry_after => return RetryStep::GiveUp,
            (_, Some(asked)) => asked.max(self.backoff(tried, chance).min(self.first_pause)),
            (TransportTrouble::TooManyRequests(None), None) => self.pause_at_limit(tried, chance),
            (_, None) => self.backoff(tried, chance),
        };
        if tried >= self.tries { RetryStep::GiveUp } else { RetryStep::Again(pause) }
    }
}

impl Default for RetryPolicy {
    /// Five attempts: within about 15 s where GitLab is only busy, within somewhat more than a minute at one of its
    /// rate limits, and with up to two minutes between them where GitLab says how long to wait.
    fn default() -> Self {
        Self {
            tries: 5,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
            longest_retry_after: Duration::from_secs(120),
            first_pause_at_limit: Duration::from_secs(5),
            sleep: Arc::new(thread::sleep),
        }
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("tries", &self.tries)
            .field("first_pause", &self.first_pause)
            .field("longest_pause", &self.longest_pause)
            .field("longest_retry_after", &self.longest_retry_after)
            .field("first_pause_at_limit", &self.first_pause_at_limit)
            .finish_non_exhaustive()
    }
}

/// What went wrong with an attempt; a later one may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransportTrouble {
    /// There was no connection: the request never reached GitLab.
    NotConnected,
    /// The connection broke or timed out. GitLab may have received the request.
    Interrupted,
    /// 429: a rate limit refused the request before GitLab did anything.
    TooManyRequests(Option<Duration>),
    /// 409 for a commit status: a lock refused the request before GitLab did anything.
    Locked(Option<Duration>),
    /// 408 or 5xx: GitLab or a proxy before it failed, at an unknown point.
    ServerError(Option<Duration>),
}

impl TransportTrouble {
    /// Returns the trouble that an answer reports; `None` where a retry would get the same answer. `path` is the path
    /// of the request.
    pub(super) fn from_answer(status: u16, path: &str, retry_after: Option<Duration>) -> Option<Self> {
        match status {
            // GitLab could not take its lock on the commit, and did nothing.
            409 if path.contains("/statuses/") => Some(Self::Locked(retry_after)),
            429 => Some(Self::TooManyRequests(retry_after)),
            408 | 500..=599 => Some(Self::ServerError(retry_after)),
            _ => None,
        }
    }

    /// Whether all requests must pause, not only this one: GitLab's rate limits and its `Retry-After` apply to the
    /// user.
    pub(super) fn pauses_all_requests(self) -> bool {
        matches!(self, Self::TooManyRequests(_)) || self.retry_after().is_some()
    }

    fn may_have_acted(self) -> bool {
        matches!(self, Self::Interrupted | Self::ServerError(_))
    }

    fn retry_after(self) -> Option<Duration> {
        match self {
            Self::TooManyRequests(wait) | Self::Locked(wait) | Self::ServerError(wait) => wait,
            Self::NotConnected | Self::Interrupted => None,
        }
    }
}

/// Makes all threads that share a connection wait while GitLab has asked one of them to. GitLab's limits apply to the
/// user: it would refuse the requests of the other threads too, and count them.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed_until: Mutex<Option<Instant>>,
}

impl Gate {
    /// Waits for `pause`. Meanwhile no other thread passes.
    pub(super) fn close_for(&self, pause: Duration, policy: &RetryPolicy) {
        let until = Instant::now().checked_add(pause);
        {
            let mut closed_until = self.lock();
            *closed_until = (*closed_until).max(until);
        }
        policy.sleep(pause);
        let mut closed_until = self.lock();
        if *closed_until == until {
            *closed_until = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.closed_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the gate is open.
    pub(super) fn pass(&self, policy: &RetryPolicy) {
        let closed_until = *self.lock();
        let pause = closed_until.map(|until| until.saturating_duration_since(Instant::now()));
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            policy.sleep(pause);
        }
    }
}

/// What to do after an attempt that failed with [`TransportTrouble`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryStep {
    /// Try again after this pause.
    Again(Duration),
    GiveUp,
    /// GitLab may have carried out the request. Repeating it could do it twice.
    MaybeDone,
}

/// Whether sending a request twice has the same effect as sending it once (RFC 9110, 9.2.2).
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS)
}

/// Returns how long a `Retry-After` header asks to wait. It is a number of seconds, or a date (RFC 9110, 10.2.3);
/// `None` where it is neither.
///
/// A date counts from the answer's own `Date` header, if there is one, because the clocks may differ.
pub(super) fn retry_after(value: &str, answer_date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that overflows is longer than anybody can wait.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let until = http_date(value)?;
    let now = answer_date.and_then(|date| http_date(date.trim())).unwrap_or(now);
    Some(until.duration_since(now).unwrap_or_default())
}

/// Parses an HTTP date (RFC 9110, 5.6.7): the format of RFC 2822 with the time zone `GMT`.
fn http_date(text: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc2822(text).ok().map(SystemTime::from)
}

/// Returns a number between 0 and 1 that differs from call to call. Use it only to spread load.
fn chance() -> f64 {
    // The standard library gives each `RandomState` different keys. That is random enough for a pause.
    let bits = RandomState::new().hash_one(0_u8) >> 32;
    u32::try_from(bits).map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn step(method: &Method, trouble: TransportTrouble) -> RetryStep {
        RetryPolicy::default().next_step_by(method, trouble, 1, 1.0)
    }

    #[test]
    fn an_idempotent_request_is_retried_after_any_trouble() {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            for trouble in [
                TransportTrouble::NotConnected,
                TransportTrouble::Interrupted,
                TransportTrouble::Locked(None),
                TransportTrouble::ServerError(None),
            ] {
                assert_eq!(step(&method, trouble), RetryStep::Again(SECOND), "{method} {trouble:?}");
            }
        }
    }

    #[test]
    fn a_post_is_retried_only_where_gitlab_cannot_have_done_it() {
        assert_eq!(step(&Method::POST, TransportTrouble::NotConnected), RetryStep::Again(SECOND));
        assert_eq!(step(&Method::POST, TransportTrouble::Locked(None)), RetryStep::Again(SECOND));
        assert_eq!(step(&Method::POST, TransportTrouble::Interrupted), RetryStep::MaybeDone);
        assert_eq!(step(&Method::POST, TransportTrouble::ServerError(None)), RetryStep::MaybeDone);
        assert_eq!(step(&Method::PATCH, TransportTrouble::Interrupted), RetryStep::MaybeDone);
    }

    #[test]
    fn only_overload_and_server_errors_are_transient() {
        for status in [200, 201, 301, 400, 401, 403, 404, 405, 409, 422] {
            assert_eq!(TransportTrouble::from_answer(status, "projects/7", None), None, "{status}");
        }
        assert_eq!(
            TransportTrouble::from_answer(429, "projects/7", Some(SECOND)),
            Some(TransportTrouble::TooManyRequests(Some(SECOND)))
        );
        for status in [408, 500, 502, 503, 504, 522] {
            assert_eq!(
                TransportTrouble::from_answer(status, "projects/7", None),
                Some(TransportTrouble::ServerError(None)),
                "{status}"
            );
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_vary() {
        let policy = RetryPolicy { longest_pause: 5 * SECOND, ..RetryPolicy::default() };
        let pauses: Vec<_> = (1..=5).map(|tried| policy.backoff(tried, 1.0).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 5, 5]);
        assert_eq!(policy.backoff(1, 0.0), SECOND / 2);
        assert_eq!(policy.backoff(u32::MAX, 1.0), 5 * SECOND);
    }

    #[test]
    fn pauses_at_a_rate_limit_without_retry_after_exceed_a_minute() {
        let policy = RetryPolicy::default();
        for (chance, sum) in [(0.0, 65..=66), (1.0, 80..=82)] {
            let step =
                |tried| policy.next_step_by(&Method::POST, TransportTrouble::TooManyRequests(None), tried, chance);
            let pauses = (1..5).map(|tried| match step(tried) {
                RetryStep::Again(pause) => pause,
                other => panic!("{other:?}"),
            });
            let pauses: Duration = pauses.sum();
            assert!(sum.contains(&pauses.as_secs()), "{pauses:?}");
            assert_eq!(step(5), RetryStep::GiveUp);
        }
        assert!(
            TransportTrouble::TooManyRequests(None).pauses_all_requests()
                && !TransportTrouble::Locked(None).pauses_all_requests()
        );
    }

    #[test]
    fn no_attempt_follows_the_last() {
        let policy = RetryPolicy { tries: 3, ..RetryPolicy::default() };
        let step = |tried| policy.next_step_by(&Method::GET, TransportTrouble::NotConnected, tried, 1.0);
        assert_eq!(step(2), RetryStep::Again(2 * SECOND));
        assert_eq!(step(3), RetryStep::GiveUp);
    }

    #[test]
    fn retry_after_is_complied_with_up_to_a_limit() {
        let asked = |seconds| TransportTrouble::TooManyRequests(Some(Duration::from_secs(seconds)));
        assert_eq!(step(&Method::POST, asked(60)), RetryStep::Again(60 * SECOND));
        assert_eq!(step(&Method::POST, asked(121)), RetryStep::GiveUp);
        // "Retry-After: 0" does not permit to retry without a pause.
        assert_eq!(step(&Method::GET, asked(0)), RetryStep::Again(SECOND));
    }

    #[test]
    fn a_closed_gate_holds_other_threads() {
        let waited = Arc::new(Mutex::new(Vec::new()));
        let gate = Arc::new(Gate::default());
        let other = {
            let waited = Arc::clone(&waited);
            RetryPolicy::default().with_sleep(move |pause| waited.lock().unwrap().push(pause))
        };
        gate.pass(&other);
        assert_eq!(waited.lock().unwrap().len(), 0);
        let one = {
            let (gate, other) = (Arc::clone(&gate), other.clone());
            RetryPolicy::default().with_sleep(move |_| gate.pass(&other))
        };
        // So long that nothing a machine does in between counts.
        let day = 24 * 3600 * SECOND;
        gate.close_for(day, &one);
        let pause = *waited.lock().unwrap().first().unwrap();
        assert!(pause > day / 2 && pause <= day, "{pause:?}");
        gate.pass(&other);
        assert_eq!(waited.lock().unwrap().len(), 1, "it opens when the pause is over");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let of = |value| retry_after(value, None, now);
        assert_eq!(of("30"), Some(30 * SECOND));
        assert_eq!(of(" 0 "), Some(Duration::ZERO));
        assert_eq!(of("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60 * SECOND));
        assert_eq!(of("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(of("99999999999999999999999"), Some(Duration::from_secs(u64::from(u32::MAX))));
        for nonsense in ["", "-1", "1.5", "soon", "+3"] {
            assert_eq!(of(nonsense), None, "{nonsense}");
        }
        let dated = retry_after("Sun, 06 Nov 1994 08:50:37 GMT", Some("Sun, 06 Nov 1994 08:50:32 GMT"), now);
        assert_eq!(dated, Some(5 * SECOND));
    }
}
