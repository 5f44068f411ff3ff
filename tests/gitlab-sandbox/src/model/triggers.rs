//! Trigger tokens, and pipelines that are started from outside: with one (`ci/pipeline_trigger_service.rb`), or with an
//! access token. The order of the checks is that of `lib/gitlab/ci/pipeline/chain`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Model;
use super::access::{Role, TokenKind};
use super::expansion::expand;
use super::merge_request_pipelines::MAY_NOT_CREATE;
use super::pipelines::NewPipeline;
use super::projects::Project;
use crate::clock::Moment;

/// The variable that every trigger sets.
pub(crate) const PAYLOAD: &str = "TRIGGER_PAYLOAD";
const MAY_NOT_SET_VARIABLES: &str = "Insufficient permissions to set pipeline variables";
const TOO_MANY: &str = "Too many pipelines created in the last minute. Try again later.";
const NO_JOBS: &str = "Pipeline will not run for the selected trigger. The rules configuration prevented any jobs from \
                       being added to the pipeline.";

/// A pipeline trigger token: it starts pipelines in one project, as its owner.
#[derive(Debug, Clone)]
pub struct TriggerToken {
    /// The id.
    pub id: u64,
    /// The secret itself.
    pub value: String,
    /// The project whose pipelines it starts.
    pub project: u64,
    /// Who made it, and who starts the pipelines therefore.
    pub owner: u64,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created_at: Moment,
    /// When it ends, if ever.
    pub expires_at: Option<Moment>,
    /// When it last started a pipeline.
    pub last_used: Option<Moment>,
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
    /// What started it (`CI_PIPELINE_SOURCE`): `trigger`, `pipeline` or `api`.
    pub source: String,
    /// What the trigger hands over as `TRIGGER_PAYLOAD`; null where no trigger did.
    pub payload: Value,
    /// What its jobs find in the file `TRIGGER_PAYLOAD`: the payload's text with the jobs' variables put in for `$VAR`.
    pub file: String,
    /// The variables that were passed.
    pub variables: Map<String, Value>,
    /// The inputs that were passed.
    pub inputs: Map<String, Value>,
}

/// Why nothing is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotTriggered {
    /// 404: no such token, or not one for this project.
    UnknownToken,
    /// 400 with this text of `base` in the errors.
    Refused(String),
    /// 422 with this text of `base` in the errors; a failed pipeline is left.
    Failed(String),
}

/// A call of the trigger endpoint.
#[derive(Debug, Clone)]
pub(crate) struct TriggerCall {
    pub(crate) project: u64,
    pub(crate) token: String,
    pub(crate) reference: String,
    pub(crate) payload: Value,
    pub(crate) variables: Map<String, Value>,
    pub(crate) inputs: Map<String, Value>,
}

/// A pipeline that somebody wants, whose right to ask is known.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) user: u64,
    pub(crate) source: &'static str,
    pub(crate) project: u64,
    pub(crate) reference: String,
    pub(crate) payload: Value,
    pub(crate) variables: Map<String, Value>,
    pub(crate) inputs: Map<String, Value>,
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
        let TriggerCall { project, reference, payload, variables, inputs, .. } = call;
        let token = trigger.map(|trigger| trigger.id);
        let pipeline = self.start(Wanted { user, source, project, reference, payload, variables, inputs })?;
        let now = self.clock.peek();
        if let Some(token) = self.trigger_tokens.iter_mut().find(|other| Some(other.id) == token) {
            token.last_used = Some(now);
        }
        Ok(pipeline)
    }

    /// Starts a pipeline with one job for a branch or tag, and gives its id.
    pub(crate) fn start(&mut self, wanted: Wanted) -> Result<u64, NotTriggered> {
        let project = self.projects.get(&wanted.project).ok_or(NotTriggered::UnknownToken)?;
        let refused = |text: &str| NotTriggered::Refused(text.to_owned());
        self.check_variables(&wanted, project)?;
        if !self.can_create_pipeline(wanted.user, project) {
            return Err(refused(MAY_NOT_CREATE));
        }
        let full = &wanted.reference;
        let short = |kind: &str| full.strip_prefix(&format!("refs/{kind}/")).map(str::to_owned);
        let reference = short("heads").or_else(|| short("tags")).unwrap_or_else(|| full.clone());
        let tag = || {
            let tag = project.repository.refs("refs/tags/").remove(&reference)?;
            project.repository.commit_id(&tag)
        };
        let sha = project.branches.get(&reference).cloned().or_else(tag);
        let sha = sha.ok_or_else(|| refused("Reference not found"))?;
        self.check_pipeline(wanted.user, project, &reference).map_err(NotTriggered::Refused)?;
        let duplicate = wanted.variables.contains_key(PAYLOAD) && !wanted.payload.is_null();
        let (without_jobs, inputs) =
            (project.without_jobs.contains(wanted.source), check_inputs(project, &wanted.inputs));
        self.count_start(wanted.project, wanted.user, &sha).map_err(NotTriggered::Refused)?;
        inputs.map_err(NotTriggered::Refused)?;
        if without_jobs {
            return Err(refused(NO_JOBS));
        }
        let pipeline = self.add_pipeline(NewPipeline {
            project: wanted.project,
            sha,
            source_sha: None,
            reference: reference.clone(),
            source: wanted.source,
            merge_request: None,
            event_type: None,
            user: wanted.user,
        });
        if duplicate {
            let text = format!("Duplicate variable name: {PAYLOAD}");
            self.fail_configuration(pipeline, &text);
            return Err(NotTriggered::Failed(text));
        }
        let file = if wanted.payload.is_null() { String::new() } else { self.payload_file(pipeline, &wanted) };
        self.triggered.push(Triggered {
            pipeline,
            project: wanted.project,
            reference,
            user: self.username(wanted.user).to_owned(),
            source: wanted.source.to_owned(),
            payload: wanted.payload,
            file,
            variables: wanted.variables,
            inputs: wanted.inputs,
        });
        self.add_builds(pipeline, &[("test".to_owned(), "event".to_owned())]);
        Ok(pipeline)
    }

    /// Who may pass variables (`ci_pipeline_variables_minimum_override_role`). A trigger's payload is a variable that
    /// counts, except for a trigger token that passes no other.
    fn check_variables(&self, wanted: &Wanted, project: &Project) -> Result<(), NotTriggered> {
        let counts = !wanted.variables.is_empty() || (!wanted.payload.is_null() && wanted.source != "trigger");
        let least = project.settings.get("ci_pipeline_variables_minimum_override_role").and_then(Value::as_str);
        let may = match least {
            Some("no_one_allowed") => false,
            Some("owner") => self.has_role(wanted.user, project, Role::Owner),
            Some("maintainer") => self.has_role(wanted.user, project, Role::Maintainer),
            _ => true,
        };
        if counts && !may { Err(NotTriggered::Refused(MAY_NOT_SET_VARIABLES.to_owned())) } else { Ok(()) }
    }

    /// Counts a pipeline against `pipelines_create`, refused ones too; minutes go by the clock.
    pub(crate) fn count_start(&mut self, project: u64, user: u64, sha: &str) -> Result<(), String> {
        let Some(limit) = self.pipelines_per_minute else { return Ok(()) };
        let minute = self.clock.peek().0 / 60_000;
        let started = self.starts.entry((project, user, sha.to_owned(), minute)).or_default();
        *started += 1;
        if *started > limit { Err(TOO_MANY.to_owned()) } else { Ok(()) }
    }

    /// The payload as jobs find it, whose variables are the project's, those passed, and GitLab's own.
    fn payload_file(&self, pipeline: u64, wanted: &Wanted) -> String {
        let Some(project) = self.projects.get(&wanted.project) else { return String::new() };
        let path = self.path_of(project);
        let own = [
            ("CI", "true".to_owned()),
            ("CI_JOB_TOKEN", format!("glcbt-{pipeline}_s3cr3t")),
            ("CI_PIPELINE_ID", pipeline.to_string()),
            ("CI_PIPELINE_SOURCE", wanted.source.to_owned()),
            ("CI_PROJECT_ID", project.id.to_string()),
            ("CI_PROJECT_PATH", path),
            ("CI_SERVER_URL", self.base_url.clone()),
        ];
        let mut variables: BTreeMap<String, String> = own.map(|(name, value)| (name.to_owned(), value)).into();
        variables.extend(self.variables_of_jobs(project, &wanted.reference));
        let passed = wanted.variables.iter();
        variables.extend(passed.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))));
        expand(&wanted.payload.to_string(), &variables)
    }

    /// A text without any trigger token in it, as the log keeps it.
    pub(crate) fn without_trigger_tokens(&self, text: &str) -> String {
        self.trigger_tokens.iter().fold(text.to_owned(), |text, token| text.replace(&token.value, "[credentials]"))
    }

    /// The user of a running job that may reach a project with its token.
    fn job_user(&self, project: &Project, token: &str) -> Option<u64> {
        let token = self.tokens.iter().find(|known| known.value == token && !known.expired)?;
        let TokenKind::Job { project: from } = token.kind else { return None };
        (self.job_token_reaches(project, from) && self.can_see(Some(token.user), project)).then_some(token.user)
    }
}

/// Whether these are the inputs that the project's pipelines want, in the words of `ci/input/inputs.rb`.
fn check_inputs(project: &Project, inputs: &Map<String, Value>) -> Result<(), String> {
    let unknown: Vec<&str> = inputs.keys().map(String::as_str).filter(|name| !project.inputs.contains(*name)).collect();
    let mut wrong = Vec::new();
    if !unknown.is_empty() {
        wrong.push(format!("unknown input arguments: {}", unknown.join(", ")));
    }
    let missing = project.inputs.iter().filter(|name| !inputs.contains_key(*name));
    wrong.extend(missing.map(|name| format!("`{name}` input: required value has not been provided")));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join(", ")) }
}
