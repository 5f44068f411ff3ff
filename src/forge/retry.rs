//! When a request is made again, and after how long.
//!
//! Decisions only, over values: what happened to a try, in; again, given up or settled, out. The one loop that acts on
//! them is in [`crate::forge::transport`].

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use chrono::DateTime;
use reqwest::Method;

/// How often and how patiently a request is tried.
#[derive(Clone)]
pub struct RetryPolicy {
    /// The most tries of one request, the first included.
    pub tries: u32,
    /// The pause after the first try; each further one is twice as long.
    pub first_pause: Duration,
    /// The longest pause that doubling leads to.
    pub longest_pause: Duration,
    /// The longest that GitLab's own `Retry-After` is waited for. Where GitLab asks for more, the request is given up
    /// at once: to come back earlier would only be refused again.
    pub longest_retry_after: Duration,
    /// The pause after the first try that one of GitLab's own limits refused, without saying for how long; each further one
    /// is twice as long.
    pub first_pause_at_limit: Duration,
    sleep: Arc<dyn Fn(Duration) + Send + Sync>,
}

impl RetryPolicy {
    /// Returns this policy with another way to wait: tests record the pauses instead of sleeping.
    #[must_use]
    pub fn with_sleep(self, sleep: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self { sleep: Arc::new(sleep), ..self }
    }

    /// Returns this policy without any pause, for tests.
    #[must_use]
    pub fn without_pauses(self) -> Self {
        self.with_sleep(|_| {})
    }

    /// Waits.
    pub(super) fn sleep(&self, pause: Duration) {
        (self.sleep)(pause);
    }

    /// Returns the pause after the try number `tried` (from 1) where GitLab asks for none: doubled from try to try, and
    /// between half and all of it by chance, so that jobs that failed together do not come back together.
    fn backoff(&self, tried: u32, chance: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(tried.saturating_sub(1));
        let full = self.first_pause.saturating_mul(doubled).min(self.longest_pause);
        full.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }

    /// Returns the pause after the try number `tried` (from 1) that one of GitLab's own limits refused. They count by the
    /// minute (`Gitlab::ApplicationRateLimiter`), so that the pauses together are to be somewhat longer.
    fn pause_at_limit(&self, tried: u32, chance: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(tried.saturating_sub(1));
        let full = self.first_pause_at_limit.saturating_mul(doubled).min(self.longest_pause);
        full.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0)
    }

    /// Decides what follows the try number `tried` (from 1).
    pub(super) fn next_step(&self, method: &Method, trouble: TransportTrouble, tried: u32) -> RetryStep {
        self.next_step_by(method, trouble, tried, chance())
    }

    fn next_step_by(&self, method: &Method, trouble: TransportTrouble, tried: u32, chance: f64) -> RetryStep {
        if trouble.may_have_acted() && !is_repeatable(method) {
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
    /// Five tries within about 15 s where GitLab is just busy, within somewhat more than a minute at one of its own limits,
    /// and up to two minutes a time where it says how long.
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

/// What went wrong with a try, in a way that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransportTrouble {
    /// No connection came about: the request never reached GitLab.
    NotConnected,
    /// The connection broke, or nothing was heard in time, after the request may have been received.
    Interrupted,
    /// 429: refused before anything was done, by a rate limit.
    TooManyRequests(Option<Duration>),
    /// 409 for a commit status: refused before anything was done, by a lock.
    Locked(Option<Duration>),
    /// 408 or 5xx: GitLab or something before it failed, at an unknown point.
    ServerError(Option<Duration>),
}

impl TransportTrouble {
    /// Returns the trouble that an answer stands for; nothing where the answer is settled. `path` is that of the request.
    pub(super) fn from_answer(status: u16, path: &str, retry_after: Option<Duration>) -> Option<Self> {
        match status {
            // The lock that GitLab takes for each commit was not to be had: nothing was done.
            409 if path.contains("/statuses/") => Some(Self::Locked(retry_after)),
            429 => Some(Self::TooManyRequests(retry_after)),
            408 | 500..=599 => Some(Self::ServerError(retry_after)),
            _ => None,
        }
    }

    /// Whether GitLab asked for a pause: it means the user, not the one request. So do its limits that say not for how
    /// long.
    pub(super) fn is_asked_of_all(self) -> bool {
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

/// Where all that share a connection wait while GitLab has asked one of them to: its limits count for the user, so that
/// whoever went on would only be refused as well, and be counted.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed_until: Mutex<Option<Instant>>,
}

impl Gate {
    /// Waits this long, and lets nobody else pass meanwhile.
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

    /// Waits until it is open.
    pub(super) fn pass(&self, policy: &RetryPolicy) {
        let closed_until = *self.lock();
        let pause = closed_until.map(|until| until.saturating_duration_since(Instant::now()));
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            policy.sleep(pause);
        }
    }
}

/// What to do after a try that met with [`TransportTrouble`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetryStep {
    /// Try again after a pause.
    Again(Duration),
    /// No more tries.
    GiveUp,
    /// The request may have been done, and doing it twice would show.
    MaybeDone,
}

/// Whether making a request twice has the effect of making it once (RFC 9110, 9.2.2).
fn is_repeatable(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE | Method::OPTIONS)
}

/// Returns how long a `Retry-After` header asks to wait: seconds, or a date (RFC 9110, 10.2.3).
///
/// A date is taken against the answer's own `Date` header where there is one, for the clocks may differ. Nothing where
/// it is neither.
pub(super) fn retry_after(value: &str, answer_date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a longer wait than anybody has.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let until = http_date(value)?;
    let now = answer_date.and_then(|date| http_date(date.trim())).unwrap_or(now);
    Some(until.duration_since(now).unwrap_or_default())
}

/// Reads a date as HTTP writes it (RFC 9110, 5.6.7), which is RFC 2822's way with `GMT` as the zone.
fn http_date(text: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc2822(text).ok().map(SystemTime::from)
}

/// Returns a number between 0 and 1 that differs from call to call. For spreading load only.
fn chance() -> f64 {
    // The standard library keys each `RandomState` differently: as much randomness as a pause needs.
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
    fn what_can_be_repeated_is_repeated_after_any_trouble() {
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
    fn a_post_is_repeated_only_where_it_cannot_have_happened() {
        assert_eq!(step(&Method::POST, TransportTrouble::NotConnected), RetryStep::Again(SECOND));
        assert_eq!(step(&Method::POST, TransportTrouble::Locked(None)), RetryStep::Again(SECOND));
        assert_eq!(step(&Method::POST, TransportTrouble::Interrupted), RetryStep::MaybeDone);
        assert_eq!(step(&Method::POST, TransportTrouble::ServerError(None)), RetryStep::MaybeDone);
        assert_eq!(step(&Method::PATCH, TransportTrouble::Interrupted), RetryStep::MaybeDone);
    }

    #[test]
    fn only_overload_and_failure_are_transient() {
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
    fn gitlabs_own_limits_say_not_for_how_long_and_are_waited_for_longer_than_a_minute() {
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
            TransportTrouble::TooManyRequests(None).is_asked_of_all()
                && !TransportTrouble::Locked(None).is_asked_of_all()
        );
    }

    #[test]
    fn the_last_try_is_the_last() {
        let policy = RetryPolicy { tries: 3, ..RetryPolicy::default() };
        let step = |tried| policy.next_step_by(&Method::GET, TransportTrouble::NotConnected, tried, 1.0);
        assert_eq!(step(2), RetryStep::Again(2 * SECOND));
        assert_eq!(step(3), RetryStep::GiveUp);
    }

    #[test]
    fn gitlabs_own_pause_is_kept_but_not_without_end() {
        let asked = |seconds| TransportTrouble::TooManyRequests(Some(Duration::from_secs(seconds)));
        assert_eq!(step(&Method::POST, asked(60)), RetryStep::Again(60 * SECOND));
        assert_eq!(step(&Method::POST, asked(121)), RetryStep::GiveUp);
        // "Retry-After: 0" is no licence to hammer.
        assert_eq!(step(&Method::GET, asked(0)), RetryStep::Again(SECOND));
    }

    #[test]
    fn a_pause_that_gitlab_asks_of_one_holds_the_others() {
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
        gate.close_for(60 * SECOND, &one);
        let pause = *waited.lock().unwrap().first().unwrap();
        assert!(pause > 50 * SECOND && pause <= 60 * SECOND, "{pause:?}");
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
