//! Faults on demand: what a test asks the sandbox to do wrong, and with which request.

use std::fmt;

use crate::http::reply::Reply;
use crate::log::matches_pattern;

/// A fault to happen to requests of one kind; given to [`crate::Handle::fail`].
///
/// ```
/// use gitlab_sandbox::Fault;
/// let second_note_is_lost = Fault::on("POST", "*/notes").nth(2).cut_after();
/// ```
#[derive(Debug)]
pub struct Fault {
    method: String,
    pattern: String,
    skip: usize,
    times: usize,
    what: Effect,
}

type Event = Box<dyn FnMut() + Send>;

/// What happens instead of an ordinary answer.
pub(crate) enum Effect {
    /// An answer with this status; the request has no effect.
    Status(u16),
    /// The request takes effect, but the answer is this status.
    StatusAfter(u16),
    /// 429 with `Retry-After` in seconds and GitLab's plain text body.
    RateLimited(u64),
    CutBefore,
    CutAfter,
    HangBefore,
    HangAfter,
    /// Something happens to the world just before the request is answered.
    Meanwhile(Event),
    /// This answer; the request has no effect.
    Answer(Reply),
}

impl fmt::Debug for Effect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(formatter, "Status({status})"),
            Self::StatusAfter(status) => write!(formatter, "StatusAfter({status})"),
            Self::RateLimited(seconds) => write!(formatter, "RateLimited({seconds})"),
            Self::CutBefore => formatter.write_str("CutBefore"),
            Self::CutAfter => formatter.write_str("CutAfter"),
            Self::HangBefore => formatter.write_str("HangBefore"),
            Self::HangAfter => formatter.write_str("HangAfter"),
            Self::Meanwhile(_) => formatter.write_str("Meanwhile"),
            Self::Answer(reply) => write!(formatter, "Answer({})", reply.status),
        }
    }
}

impl Fault {
    /// Picks requests by method and by path, as sent, where `*` in the pattern stands for anything. The path of an
    /// API request is the one after `/api/v4`, of git the whole one (`/group/project.git/git-receive-pack`). The
    /// method `*` stands for any. Unless told otherwise, the fault happens once, to the first such request, with 500.
    #[must_use]
    pub fn on(method: &str, pattern: &str) -> Self {
        Self { method: method.to_owned(), pattern: pattern.to_owned(), skip: 0, times: 1, what: Effect::Status(500) }
    }

    /// Lets the first `n - 1` matching requests pass.
    #[must_use]
    pub const fn nth(mut self, n: usize) -> Self {
        self.skip = n.saturating_sub(1);
        self
    }

    /// Repeats the fault for this many matching requests in a row.
    #[must_use]
    pub const fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Repeats the fault for ever.
    #[must_use]
    pub const fn always(self) -> Self {
        self.times(usize::MAX)
    }

    /// Answers with this status; the request has no effect.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.what = Effect::Status(status);
        self
    }

    /// Answers with this status although the request has taken effect.
    #[must_use]
    pub fn status_after(mut self, status: u16) -> Self {
        self.what = Effect::StatusAfter(status);
        self
    }

    /// Answers 429 with `Retry-After` in seconds; the request has no effect.
    #[must_use]
    pub fn rate_limited(mut self, retry_after: u64) -> Self {
        self.what = Effect::RateLimited(retry_after);
        self
    }

    /// Answers with just this; the request has no effect.
    #[must_use]
    pub fn answer(mut self, status: u16, content_type: &str, body: &str) -> Self {
        self.what = Effect::Answer(Reply::text(status, content_type, body));
        self
    }

    /// Answers 429 as GitLab's own limits do (notes, projects, …): JSON, and nothing in the headers.
    #[must_use]
    pub fn limited_by_gitlab(self) -> Self {
        let text = "This endpoint has been requested too many times. Try again later.";
        self.answer(429, "application/json", &format!("{{\"message\":{{\"error\":\"{text}\"}}}}"))
    }

    /// Answers as GitLab does where it does not get the lock for a commit's statuses in time.
    #[must_use]
    pub fn status_lock_busy(self) -> Self {
        let text = "Another update to this commit status is in progress";
        self.answer(409, "application/json", &format!("{{\"message\":\"{text}\"}}"))
    }

    /// Cuts the connection without an answer, before the request has taken effect.
    #[must_use]
    pub fn cut_before(mut self) -> Self {
        self.what = Effect::CutBefore;
        self
    }

    /// Cuts the connection without an answer, after the request has taken effect.
    #[must_use]
    pub fn cut_after(mut self) -> Self {
        self.what = Effect::CutAfter;
        self
    }

    /// Never answers, and the request has no effect: the client's timeout ends it.
    #[must_use]
    pub fn hang_before(mut self) -> Self {
        self.what = Effect::HangBefore;
        self
    }

    /// Never answers although the request has taken effect: the client's timeout ends it.
    #[must_use]
    pub fn hang_after(mut self) -> Self {
        self.what = Effect::HangAfter;
        self
    }

    /// Runs this just before the request is answered, and then answers it as usual: for races, for example a push by
    /// somebody else between a client's reading and writing. It may use a [`crate::Handle`].
    #[must_use]
    pub fn meanwhile(mut self, event: impl FnMut() + Send + 'static) -> Self {
        self.what = Effect::Meanwhile(Box::new(event));
        self
    }
}

/// The faults that are waiting for their request.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Tells how many are still waiting for their (first) request; those that go on for ever do not count once hit.
    pub(crate) fn waiting(&self) -> usize {
        self.0.iter().filter(|fault| fault.times != 0 && fault.times < usize::MAX / 2).count()
    }

    /// Takes what is to happen to this request: at most one fault, and any number of events besides.
    pub(crate) fn take(&mut self, method: &str, path: &str) -> (Vec<Event>, Option<Effect>) {
        let (mut events, mut effect) = (Vec::new(), None);
        for fault in &mut self.0 {
            let matches = (fault.method == "*" || fault.method == method) && matches_pattern(&fault.pattern, path);
            if !matches || fault.times == 0 {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            if matches!(fault.what, Effect::Meanwhile(_)) {
                fault.times = 0;
                if let Effect::Meanwhile(event) = std::mem::replace(&mut fault.what, Effect::CutBefore) {
                    events.push(event);
                }
            } else if effect.is_none() {
                fault.times -= 1;
                effect = Some(fault.what.again());
            }
        }
        self.0.retain(|fault| fault.times > 0);
        (events, effect)
    }
}

impl Effect {
    /// A copy; an event, which cannot be copied, is taken out by its owner before this is called.
    fn again(&self) -> Self {
        match self {
            Self::Status(status) => Self::Status(*status),
            Self::StatusAfter(status) => Self::StatusAfter(*status),
            Self::RateLimited(seconds) => Self::RateLimited(*seconds),
            Self::CutAfter => Self::CutAfter,
            Self::HangBefore => Self::HangBefore,
            Self::HangAfter => Self::HangAfter,
            Self::Answer(reply) => Self::Answer(reply.clone()),
            Self::CutBefore | Self::Meanwhile(_) => Self::CutBefore,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_for_its_request_and_is_over() {
        let mut faults = Faults::default();
        faults.add(Fault::on("POST", "*/notes").nth(2).status(502));
        assert!(faults.take("POST", "/a/notes").1.is_none());
        assert!(faults.take("GET", "/a/notes").1.is_none());
        assert!(matches!(faults.take("POST", "/a/notes").1, Some(Effect::Status(502))));
        assert!(faults.take("POST", "/a/notes").1.is_none());
    }

    #[test]
    fn an_event_happens_once_and_leaves_the_request_alone() {
        let mut faults = Faults::default();
        faults.add(Fault::on("*", "/user").meanwhile(|| ()));
        let (events, effect) = faults.take("GET", "/user");
        assert_eq!((events.len(), effect.is_none()), (1, true));
        assert_eq!(faults.take("GET", "/user").0.len(), 0);
    }
}
