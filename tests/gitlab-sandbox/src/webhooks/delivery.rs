//! Sending what waits, each hook in its turn, and noting how it went.

use serde_json::Value;

use super::post::{Answer, post};
use super::template::render;
use crate::clock::Moment;
use crate::model::Model;
use crate::model::webhooks::{AlertStatus, Announced, Delivery, Webhook};
use crate::sandbox::Shared;

/// A request as it is to be sent.
struct Prepared {
    url: String,
    headers: Vec<(String, String)>,
    body: Result<Value, String>,
}

/// Sends everything that waits, and what that sets off. Nothing may be locked meanwhile: receivers ask questions.
pub(crate) fn deliver(shared: &Shared) {
    loop {
        let waiting = std::mem::take(&mut shared.model().announced);
        if waiting.is_empty() {
            return;
        }
        for announced in &waiting {
            for hook in &announced.hooks {
                send(shared, announced, *hook);
            }
        }
    }
}

fn send(shared: &Shared, announced: &Announced, hook: u64) {
    let Some(prepared) = prepare(&mut shared.model(), announced, hook) else { return };
    let answer = prepared.body.as_ref().map_err(Clone::clone).and_then(|body| {
        let own = is_within(&prepared.url, &shared.model().base_url).then_some(shared.address);
        post(&prepared.url, own, &prepared.headers, body.to_string().as_bytes())
    });
    let model = &mut *shared.model();
    let (id, created_at) = (model.next_id(), model.now());
    // It may have been deleted meanwhile.
    let Some(hook) = model.webhooks.get_mut(&hook) else { return };
    hook.delivered(put_down(hook, announced, prepared, answer, (id, created_at)), created_at);
}

/// Whether an address is one of the installation's.
fn is_within(url: &str, base: &str) -> bool {
    url.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// What a hook is to send; nothing where it does not fire. From here on it is in the chain.
fn prepare(model: &mut Model, announced: &Announced, hook: u64) -> Option<Prepared> {
    let (now, interpolation) = (model.clock.peek(), model.interpolation);
    let fresh = |model: &mut Model| format!("00000000-0000-4000-8000-{:012x}", model.next_id());
    let (key, event) = (fresh(model), fresh(model));
    let chain = announced.chain.clone().unwrap_or_else(|| fresh(model));
    let hook = model.webhooks.get(&hook)?;
    let off = !announced.test && hook.alert_status(now) != AlertStatus::Executable;
    if off || model.blocks(announced.chain.as_deref(), hook.id) {
        return None;
    }
    // A header of the hook's own does not take the place of one of these.
    let mut headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("User-Agent".to_owned(), "GitLab/19.5.0".to_owned()),
        ("Idempotency-Key".to_owned(), key),
        ("X-Gitlab-Event".to_owned(), announced.event.header().to_owned()),
        ("X-Gitlab-Webhook-UUID".to_owned(), event),
        ("X-Gitlab-Event-UUID".to_owned(), chain.clone()),
        ("X-Gitlab-Instance".to_owned(), model.base_url.clone()),
    ];
    headers.extend(hook.token.clone().map(|token| ("X-Gitlab-Token".to_owned(), token)));
    let own = hook.custom_headers.iter().filter(|(name, _)| !headers.iter().any(|(other, _)| other == *name));
    let own: Vec<_> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
    headers.extend(own);
    let body = match hook.template.as_deref() {
        Some(template) => render(template, &announced.body, interpolation),
        None => Ok(announced.body.clone()),
    };
    let (url, id) = (hook.full_url(), hook.id);
    model.chains.entry(chain).or_default().insert(id);
    Some(Prepared { url, headers, body })
}

fn put_down(
    hook: &Webhook,
    announced: &Announced,
    prepared: Prepared,
    answer: Result<Answer, String>,
    (id, created_at): (u64, Moment),
) -> Delivery {
    let secret = |name: &String| name == "X-Gitlab-Token" || hook.custom_headers.contains_key(name);
    let headers = prepared.headers.into_iter().map(|(name, value)| {
        let value = if secret(&name) { "[REDACTED]".to_owned() } else { value };
        (name, value)
    });
    let (headers, body) = (headers.collect(), prepared.body.unwrap_or_default());
    let (status, response_headers, response, error) = match answer {
        Ok(Answer { status, headers, body }) => (Some(status), headers, body, None),
        Err(error) => (None, Vec::new(), String::new(), Some(error)),
    };
    let (event, url) = (announced.event, hook.url.clone());
    Delivery { id, event, url, headers, body, status, response_headers, response, error, created_at }
}
