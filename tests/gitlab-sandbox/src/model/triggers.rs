//! Trigger tokens, and pipelines that are started with one (`ci/pipeline_trigger_service.rb`).

use serde_json::{Map, Value};

use super::Model;
use super::access::TokenKind;
use super::merge_request_pipelines::MAY_NOT_CREATE;
use super::pipelines::NewPipeline;

/// A pipeline trigger token: it starts pipelines in one project, as its owner.
#[derive(Debug, Clone)]
pub struct TriggerToken {
    /// The secret itself.
    pub value: String,
    /// The project whose pipelines it starts.
    pub project: u64,
    /// Who made it, and who starts the pipelines therefore.
    pub owner: u64,
}

/// A pipeline that was started from outside.
#[derive(Debug, Clone)]
pub struct Triggered {
    /// The pipeline.
    pub pipeline: u64,
    /// The project it runs in.
    pub project: u64,
    /// The branch or tag it runs for.
    pub reference: String,
    /// The name of the user it runs as.
    pub user: String,
    /// What its jobs find in the file `TRIGGER_PAYLOAD`.
    pub payload: Value,
    /// The variables that were passed.
    pub variables: Map<String, Value>,
}

/// Why nothing is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotTriggered {
    /// 404: no such token, or not one for this project.
    UnknownToken,
    /// 400 with this text of `base` in the errors.
    Refused(String),
}

/// A call of the trigger endpoint.
#[derive(Debug, Clone)]
pub(crate) struct TriggerCall {
    pub(crate) project: u64,
    pub(crate) token: String,
    pub(crate) reference: String,
    pub(crate) payload: Value,
    pub(crate) variables: Map<String, Value>,
}

impl Model {
    /// Starts a pipeline with one job, and gives its id.
    pub(crate) fn trigger(&mut self, call: TriggerCall) -> Result<u64, NotTriggered> {
        let project = self.projects.get(&call.project).ok_or(NotTriggered::UnknownToken)?;
        let trigger = self.trigger_tokens.iter().find(|token| token.value == call.token);
        let (user, source) = match trigger {
            Some(trigger) if trigger.project == project.id => (trigger.owner, "trigger"),
            Some(_) => return Err(NotTriggered::UnknownToken),
            None => (self.job_user(project, &call.token).ok_or(NotTriggered::UnknownToken)?, "pipeline"),
        };
        let refused = |text: &str| NotTriggered::Refused(text.to_owned());
        if !self.can_create_pipeline(user, project) {
            return Err(refused(MAY_NOT_CREATE));
        }
        let full = call.reference;
        let short = |kind: &str| full.strip_prefix(&format!("refs/{kind}/")).map(str::to_owned);
        let reference = short("heads").or_else(|| short("tags")).unwrap_or_else(|| full.clone());
        let tag = || {
            let tag = project.repository.refs("refs/tags/").remove(&reference)?;
            project.repository.commit_id(&tag)
        };
        let sha = project.branches.get(&reference).cloned().or_else(tag);
        let sha = sha.ok_or_else(|| refused("Reference not found"))?;
        self.check_pipeline(user, project, &reference).map_err(NotTriggered::Refused)?;
        let least = project.settings.get("ci_pipeline_variables_minimum_override_role").and_then(Value::as_str);
        if least == Some("no_one_allowed") && !call.variables.is_empty() {
            return Err(refused("Insufficient permissions to set pipeline variables"));
        }
        let pipeline = self.add_pipeline(NewPipeline {
            project: call.project,
            sha,
            source_sha: None,
            reference: reference.clone(),
            source,
            merge_request: None,
            event_type: None,
            user,
        });
        self.add_builds(pipeline, &[("test".to_owned(), "event".to_owned())]);
        self.triggered.push(Triggered {
            pipeline,
            project: call.project,
            reference,
            user: self.username(user).to_owned(),
            payload: call.payload,
            variables: call.variables,
        });
        Ok(pipeline)
    }

    /// A text without any trigger token in it, as the log keeps it.
    pub(crate) fn without_trigger_tokens(&self, text: &str) -> String {
        self.trigger_tokens.iter().fold(text.to_owned(), |text, token| text.replace(&token.value, "[credentials]"))
    }

    /// The user of a running job that may reach a project with its token.
    fn job_user(&self, project: &super::projects::Project, token: &str) -> Option<u64> {
        let token = self.tokens.iter().find(|known| known.value == token && !known.expired)?;
        let TokenKind::Job { project: from } = token.kind else { return None };
        let reaches = from == project.id || project.job_token_allowlist.contains(&from);
        (reaches && self.can_see(Some(token.user), project)).then_some(token.user)
    }
}
