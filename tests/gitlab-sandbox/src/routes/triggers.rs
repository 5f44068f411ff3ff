//! The trigger endpoint: a token in the request starts a pipeline, nobody is logged in (`lib/api/ci/triggers.rb`).

use serde_json::{Map, Value, json};

use super::{Context, pipelines, segment, users};
use crate::clock::Moment;
use crate::http::reply::{Answer, Refusal, Reply};
use crate::model::Model;
use crate::model::access::Role;
use crate::model::triggers::{NotTriggered, TriggerCall, TriggerToken, Wanted};

/// A trigger token as the API shows it: all of it to its owner alone.
fn render(model: &Model, user: u64, token: &TriggerToken) -> Value {
    let short: String = token.value.trim_start_matches("glptt-").chars().take(4).collect();
    json!({
        "id": token.id,
        "token": if token.owner == user { token.value.clone() } else { short },
        "description": token.description,
        "created_at": token.created_at.iso(),
        "updated_at": token.created_at.iso(),
        "last_used": token.last_used.map(Moment::iso),
        "expires_at": token.expires_at.map(Moment::iso),
        "owner": users::basic(model, token.owner),
    })
}

pub(super) fn list(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let (user, project) = (context.user()?, context.project_as(segment(path, 1), Role::Maintainer)?.id);
    let tokens = context.model.trigger_tokens.iter().filter(|token| token.project == project);
    let tokens: Vec<&TriggerToken> = tokens.collect();
    context.page(&tokens, |token| Some(render(context.model, user, token)))
}

pub(super) fn create(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let (owner, project) = (context.user()?, context.project_as(segment(path, 1), Role::Maintainer)?.id);
    let (description, expires_at) = (context.parameters.required("description")?, context.moment("expires_at")?);
    let (id, created_at) = (context.model.next_id(), context.model.now());
    let value = format!("glptt-{}-{id}_s3cr3t", context.model.username(owner));
    let token = TriggerToken { id, value, project, owner, description, created_at, expires_at, last_used: None };
    let shown = render(context.model, owner, &token);
    context.model.trigger_tokens.push(token);
    Ok(Reply::json(201, &shown))
}

/// `…/trigger/pipeline`, with the ref as a parameter.
pub(super) fn trigger(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let reference = context.parameters.text("ref").filter(|reference| !reference.is_empty());
    start(context, path, reference)
}

/// `…/ref/:ref/trigger/pipeline`: the ref of the path wins.
pub(super) fn trigger_ref(context: &mut Context<'_>, path: &[&str]) -> Answer {
    start(context, path, Some(segment(path, 3).to_owned()))
}

fn start(context: &mut Context<'_>, path: &[&str], reference: Option<String>) -> Answer {
    let reference = reference.ok_or_else(|| Refusal::Parameter("ref is missing".to_owned()))?;
    let token = context.parameters.required("token")?;
    if context.hook_event.as_deref() == Some("Pipeline Hook") {
        return Err(Refusal::forbidden());
    }
    let id = segment(path, 1);
    let (mut payload, variables) = parameters(context);
    let inputs = payload.get("inputs").and_then(Value::as_object).cloned().unwrap_or_default();
    let strings = |variables: &Map<String, Value>| variables.values().all(Value::is_string);
    let variables = variables.as_object().filter(|variables| strings(variables)).cloned();
    let text = "variables needs to be a map of key-valued strings";
    let variables = variables.ok_or_else(|| Refusal::Message(400, text.to_owned()))?;
    payload.insert("id".to_owned(), json!(id));
    payload.insert("ref".to_owned(), json!(reference));
    payload.insert("variables".to_owned(), Value::Object(variables.clone()));
    let unknown = || Refusal::Message(404, "404 Not Found".to_owned());
    let model = &mut *context.model;
    let by_number = id.parse::<u64>().ok().and_then(|id| model.projects.get(&id));
    let project = by_number.or_else(|| model.project(id)).ok_or_else(unknown)?.id;
    let call = TriggerCall { project, token, reference, payload: Value::Object(payload), variables, inputs };
    let pipeline = model.trigger(call)?;
    let pipeline = model.pipelines.get(&pipeline).ok_or_else(unknown)?;
    let shown = pipelines::full(model, pipeline);
    context.caller.user = Some(pipeline.user);
    Ok(Reply::json(201, &shown))
}

impl From<NotTriggered> for Refusal {
    fn from(refusal: NotTriggered) -> Self {
        match refusal {
            NotTriggered::UnknownToken => Self::Message(404, "404 Not Found".to_owned()),
            NotTriggered::Refused(text) => Self::field(400, "base", &text),
            NotTriggered::Failed(text) => Self::field(422, "base", &text),
        }
    }
}

/// `POST …/pipeline`, for who may run pipelines, webhooks about pipelines included (`lib/api/ci/pipelines.rb`).
pub(super) fn create_pipeline(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let (user, project) = (context.user()?, context.project(segment(path, 1))?);
    if !context.model.can_create_pipeline(user, project) {
        return Err(Refusal::forbidden());
    }
    let project = project.id;
    let reference = context.parameters.required("ref")?;
    let inputs = context.parameters.value("inputs").and_then(Value::as_object).cloned().unwrap_or_default();
    let invalid = || Refusal::Parameter("variables is invalid".to_owned());
    let mut variables = Map::new();
    for item in context.parameters.value("variables").and_then(Value::as_array).into_iter().flatten() {
        let text = |key| item.get(key).and_then(Value::as_str).map(str::to_owned);
        variables.insert(text("key").ok_or_else(invalid)?, json!(text("value").ok_or_else(invalid)?));
    }
    let payload = Value::Null;
    let model = &mut *context.model;
    let pipeline = model.start(Wanted { user, source: "api", project, reference, payload, variables, inputs })?;
    let shown = model.pipelines.get(&pipeline).map(|pipeline| pipelines::full(model, pipeline));
    Ok(Reply::json(201, &shown.unwrap_or_default()))
}

/// Every parameter but the token, forms' `name[key]` put together, and the variables among them.
fn parameters(context: &Context<'_>) -> (Map<String, Value>, Value) {
    let mut payload = Map::new();
    let mut names = Vec::new();
    for (name, value) in context.parameters.pairs() {
        names.push(name);
        if name == "token" {
            continue;
        }
        match name.split_once('[').and_then(|(name, key)| Some((name, key.strip_suffix(']')?))) {
            Some((name, key)) => {
                let map = payload.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if let Some(map) = map.as_object_mut() {
                    map.insert(key.to_owned(), value.clone());
                }
            }
            None => drop(payload.insert(name.to_owned(), value.clone())),
        }
    }
    context.parameters.accept(&names);
    let variables = payload.get("variables").filter(|variables| !variables.is_null()).cloned();
    (payload, variables.unwrap_or_else(|| Value::Object(Map::new())))
}
