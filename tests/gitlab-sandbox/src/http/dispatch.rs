//! From a request to its outcome: log, faults, route, writes.

use super::Request;
use super::auth::CREDENTIAL_HEADERS;
use super::reply::{Refusal, Reply};
use crate::faults::Effect;
use crate::log::{RequestRecord, Write};
use crate::sandbox::Shared;
use crate::webhooks::delivery;
use crate::{git_http, graphql, routes};

/// How a request ends.
#[derive(Debug)]
pub(crate) enum Outcome {
    Reply(Reply),
    Cut,
    Hang,
}

/// What answering a request came to, before faults spoil the answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    pub(crate) user: Option<String>,
    pub(crate) writes: Vec<Write>,
    /// Complaints about what the sandbox does not model.
    pub(crate) unknown: Vec<String>,
    /// The webhook whose test was asked for: the answer says how that went.
    pub(crate) tested: Option<u64>,
}

impl Answered {
    pub(crate) const fn quiet(reply: Reply) -> Self {
        Self { reply, user: None, writes: Vec::new(), unknown: Vec::new(), tested: None }
    }
}

/// Answers a request; runs on a thread that may block. The answer is dated by the model's clock.
pub(crate) fn answer(shared: &Shared, request: Request) -> Outcome {
    let outcome = undated(shared, request);
    let Outcome::Reply(reply) = outcome else { return outcome };
    let now = shared.model().clock.peek();
    Outcome::Reply(reply.with_header("date", now.http_date()))
}

fn undated(shared: &Shared, mut request: Request) -> Outcome {
    let number = begin(shared, &request);
    if let Some(rest) = request.path.strip_prefix(&shared.relative_url) {
        request.path = rest.to_owned();
    }
    let api_path = request.path.strip_prefix("/api/v4").map(str::to_owned);
    let faulty_path = api_path.as_deref().unwrap_or(&request.path).to_owned();
    let (events, fault) = shared.faults().take(&request.method, &faulty_path);
    for mut event in events {
        event();
    }
    let instead = match &fault {
        Some(Effect::CutBefore) => Some(Outcome::Cut),
        Some(Effect::HangBefore) => Some(Outcome::Hang),
        Some(Effect::Status(status)) => Some(Outcome::Reply(failure(*status))),
        Some(Effect::Answer(reply)) => Some(Outcome::Reply(reply.clone())),
        Some(Effect::RateLimited(seconds)) => Some(Outcome::Reply(
            Reply::text(429, "text/plain", "Retry later\n").with_header("retry-after", seconds.to_string()),
        )),
        _ => None,
    };
    if let Some(outcome) = instead {
        finish(shared, number, None, &outcome);
        return outcome;
    }

    let answered = match &api_path {
        Some(path) => routes::answer(shared, &request, path),
        None if request.path == "/api/graphql" => graphql::answer(shared, &request),
        None => git_http::answer(shared, &request).unwrap_or_else(|| {
            let unknown = vec![format!("{} {}", request.method, request.path)];
            Answered { unknown, ..Answered::quiet(Refusal::NoRoute.reply()) }
        }),
    };
    let Answered { mut reply, user, writes, unknown, tested } = answered;
    shared.log().unknown.extend(unknown);
    shared.log().writes.extend(writes.iter().map(|write| (write.clone(), false)));
    shared.after_writes(&writes);
    delivery::deliver(shared);
    if let Some(refusal) = tested.and_then(|hook| failed_test(shared, hook)) {
        reply = refusal.reply();
    }
    if request.method == "HEAD" {
        reply.body.clear();
    }
    reply.headers.push(("x-request-id".to_owned(), format!("sandbox-{number}")));
    let outcome = match fault {
        Some(Effect::CutAfter) => Outcome::Cut,
        Some(Effect::HangAfter) => Outcome::Hang,
        Some(Effect::StatusAfter(status)) => Outcome::Reply(failure(status)),
        _ => Outcome::Reply(reply),
    };
    finish(shared, number, user, &outcome);
    outcome
}

/// What a webhook's test answers where the receiver did not answer 2xx (`lib/api/hooks/trigger_test.rb`).
fn failed_test(shared: &Shared, hook: u64) -> Option<Refusal> {
    let model = shared.model();
    let delivery = model.webhooks.get(&hook)?.deliveries.last()?;
    let arrived = delivery.status.is_some_and(|status| (200..300).contains(&status));
    let text = delivery.error.clone().unwrap_or_else(|| delivery.response.clone());
    (!arrived).then_some(Refusal::Message(422, text))
}

fn begin(shared: &Shared, request: &Request) -> usize {
    let headers = request.headers.iter().map(|(name, value)| {
        let secret = CREDENTIAL_HEADERS.contains(&name.as_str());
        (name.clone(), if secret { "[credentials]".to_owned() } else { value.clone() })
    });
    let mut record = RequestRecord {
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        headers: headers.collect(),
        body: request.body.to_vec(),
        user: None,
        status: None,
        response_size: 0,
    };
    // A trigger token is at its place in a call of the trigger endpoint, and nowhere else.
    if request.path.ends_with("/trigger/pipeline") {
        let model = shared.model();
        record.query = model.without_trigger_tokens(&record.query);
        record.body = model.without_trigger_tokens(&String::from_utf8_lossy(&record.body)).into_bytes();
    }
    let mut log = shared.log();
    log.requests.push(record);
    log.requests.len() - 1
}

fn finish(shared: &Shared, number: usize, user: Option<String>, outcome: &Outcome) {
    if let Some(record) = shared.log().requests.get_mut(number) {
        record.user = user;
        if let Outcome::Reply(reply) = outcome {
            record.status = Some(reply.status);
            record.response_size = reply.body.len() as u64;
        }
    }
}

/// A failure of GitLab or of a proxy before it, in the words that each uses.
fn failure(status: u16) -> Reply {
    match status {
        429 => Reply::text(429, "text/plain", "Retry later\n").with_header("retry-after", "0"),
        500 => Refusal::Message(500, "500 Internal Server Error".to_owned()).reply(),
        502 => Reply::text(502, "text/html", "<html><head><title>GitLab is not responding (502)</title></head></html>"),
        503 => Reply::text(503, "text/html", "<html><head><title>GitLab is not available (503)</title></head></html>"),
        _ => Refusal::Message(status, format!("{status} on request")).reply(),
    }
}
