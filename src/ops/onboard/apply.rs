//! Applies the plan, one write after the other.
//!
//! If GitLab refuses a step, the run notes that with the right that the step needs, and continues with steps that do
//! not depend on it. If GitLab is unavailable, the run ends, and the next run completes it.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use crate::forge::{
    ANY_ENVIRONMENT, FileAction, HookOwner, NewFork, NewProject, NewProtection, NewVariable, NewWebhook, ProjectEdit,
    ProjectSettings, VariableType, VariablesOf,
};
use crate::ops::onboard::run::OnboardRun;
use crate::setup::package_facts::{PackageFacts, TokenUse};
use crate::setup::plan::fork::{job_token_todo, missing_safe_settings};
use crate::setup::plan::{SetupPlan, UnmetNeeds};
use crate::setup::step::{Actor, SetupPlace, SetupStep, VariableChange, VariableValue, describe_settings};
use crate::setup::todo::Todo;
use crate::setup::webhook::TOKEN_PART;
use crate::types::error::{Context as _, Error, ForgeError, RemoteError, Result, bail};
use crate::types::{AccessLevel, ProjectPath};

#[derive(Debug, Default)]
pub(crate) struct OnboardSteps {
    pub(crate) done: Vec<String>,
    /// In a dry run, what would be done. Otherwise, what was not done yet when an error ended the run.
    pub(crate) planned: Vec<String>,
    /// What existed already.
    pub(crate) present: Vec<String>,
    /// What a person has to do.
    pub(crate) todos: Vec<Todo>,
}

impl OnboardSteps {
    /// Returns what a dry run shows.
    pub(crate) fn planned(plan: SetupPlan) -> Self {
        let planned = plan.steps.iter().map(ToString::to_string).collect();
        Self { planned, present: plan.present, todos: plan.todos, done: Vec::new() }
    }
}

/// The trigger tokens that are known: existing ones, and those that earlier steps created.
struct CreatedTokens {
    tokens: BTreeMap<TokenUse, SecretString>,
}

impl OnboardRun<'_> {
    /// Applies the steps. If an error ends the run, it is returned with what was done before.
    pub(crate) fn apply(&self, seen: &PackageFacts, plan: SetupPlan) -> (OnboardSteps, Option<Error>) {
        let SetupPlan { steps, present, todos } = plan;
        let mut done = OnboardSteps { present, todos, ..OnboardSteps::default() };
        let known = seen.tokens.iter().filter_map(|(usage, seen)| Some((*usage, seen.token.clone()?)));
        let mut created = CreatedTokens { tokens: known.collect() };
        let mut missing = UnmetNeeds::default();
        let mut blocked = Vec::new();
        let mut steps = steps.into_iter();
        for step in steps.by_ref() {
            if missing.blocks(&step) {
                blocked.push(step.to_string());
                missing.note(&step);
                continue;
            }
            match self.apply_step(&step, &mut created) {
                Ok(todo) => {
                    tracing::info!("{step}");
                    done.done.push(step.to_string());
                    done.todos.extend(todo);
                }
                Err(error) if is_refusal(&error) => {
                    missing.note(&step);
                    done.todos.push(self.refusal_todo(seen, &step, &error));
                }
                Err(error) => {
                    let error = error.context(format!("{step}"));
                    done.planned = std::iter::once(step).chain(steps).map(|step| step.to_string()).collect();
                    return (done, Some(error));
                }
            }
        }
        if !blocked.is_empty() {
            let todo = Todo::undone("what has to come first is missing for");
            done.todos.push(blocked.into_iter().fold(todo, Todo::line));
        }
        (done, None)
    }

    /// Applies one step; returns what it leaves to a person.
    fn apply_step(&self, step: &SetupStep, created: &mut CreatedTokens) -> Result<Option<Todo>> {
        let forge = self.forge(step.actor());
        match step {
            SetupStep::CreateProject { path, namespace_id, visibility, settings, .. } => {
                let new = NewProject {
                    namespace_id: *namespace_id,
                    path: path.name(),
                    visibility: *visibility,
                    settings: *settings,
                };
                let project = forge.create_project(&new)?;
                let rest = missing_settings(settings, &project);
                if !rest.is_empty() {
                    forge.edit_project(project.id, &rest)?;
                }
            }
            SetupStep::CopyRefs { path, from, is_empty, refs, .. } => {
                let pushed_alone = usize::from(*is_empty);
                self.copy(from, path, refs, pushed_alone)?;
            }
            SetupStep::SetDefaultBranch { path, branch, .. } => {
                // GitLab itself makes the first pushed branch the default branch.
                if forge.project_settings(path)?.default_branch.as_deref() != Some(branch.as_str()) {
                    let edit = ProjectEdit { default_branch: Some(branch.as_str()), ..ProjectEdit::default() };
                    forge.edit_project(path, &edit)?;
                }
            }
            SetupStep::EditSettings { place, path, settings } => {
                let now = forge.edit_project(path, settings)?;
                if *place == SetupPlace::Fork {
                    if !missing_safe_settings(&now).is_empty() {
                        bail!(ForgeError::NotTaken(describe_settings(&missing_safe_settings(&now))));
                    }
                    let open = self.job_tokens(path, &now)?;
                    return Ok(open.and_then(|tokens| job_token_todo(path.as_str(), &tokens)));
                }
            }
            SetupStep::CommitCiFile { path, branch, file, change, text, .. } => {
                let action = FileAction { change: *change, path: file, content: text.as_bytes() };
                // The commit must not start builds or checks.
                let message = "Add the CI file for source-git-bot\n\n[skip ci]\n";
                forge.commit_files(path, branch, message, &[action], None)?;
            }
            SetupStep::Protect { path, branch, .. } => {
                let new = NewProtection {
                    name: branch.as_str(),
                    push: AccessLevel::MAINTAINER,
                    merge: AccessLevel::MAINTAINER,
                    allow_force_push: false,
                };
                match forge.protect_branch(path, &new) {
                    // GitLab itself protects a default branch.
                    Ok(_) | Err(ForgeError::Conflict(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            SetupStep::CreateFork { path, of } => self.create_fork(path, of)?,
            SetupStep::CreateTriggerToken { usage, bot_project, description, .. } => {
                let token = forge.create_trigger_token(bot_project, description)?;
                created.tokens.insert(*usage, token.token);
            }
            SetupStep::SetVariable { path, key, change, value, .. } => {
                let (value, masked, variable_type) = match value {
                    VariableValue::Masked(value) => (value, true, VariableType::EnvVar),
                    VariableValue::Plain(value) => (value, false, VariableType::EnvVar),
                    VariableValue::File(value) => (value, false, VariableType::File),
                    VariableValue::TriggerToken(usage) => (created.token(*usage)?, true, VariableType::EnvVar),
                };
                let environment_scope = ANY_ENVIRONMENT;
                let new =
                    NewVariable { key, value, protected: false, masked, raw: true, variable_type, environment_scope };
                let of = VariablesOf::Project(path);
                match change {
                    VariableChange::Create => forge.create_variable(of, &new)?,
                    VariableChange::Update => forge.update_variable(of, &new)?,
                };
            }
            SetupStep::SetWebhook { place, path, kind, id, url, template } => {
                let project: ProjectPath;
                let owner = match place {
                    SetupPlace::Group => HookOwner::Group(path),
                    _ => {
                        project = path.parse()?;
                        HookOwner::Project(&project)
                    }
                };
                let token = match id {
                    None => Some(created.token(TokenUse::Hook(*kind))?),
                    // Without a new token, the webhook keeps the one it has.
                    Some(_) => created.tokens.get(&TokenUse::Hook(*kind)),
                };
                let variables: Vec<_> = token.into_iter().map(|token| (TOKEN_PART, token)).collect();
                let new = NewWebhook {
                    url,
                    name: &format!("source-git-bot: {kind}"),
                    events: &[kind.event()],
                    template: Some(template.expose_secret()),
                    url_variables: &variables,
                };
                match id {
                    None => forge.create_webhook(owner, &new)?,
                    Some(id) => forge.update_webhook(owner, *id, &new)?,
                };
            }
        }
        Ok(None)
    }

    fn create_fork(&self, path: &ProjectPath, of: &ProjectPath) -> Result<()> {
        let forge = &self.session.forge;
        let namespace = Some(path.namespace()).filter(|namespace| *namespace != self.bot_name());
        // Without a given visibility, GitLab makes the fork as visible as the original, or less.
        let fork = forge.create_fork(of, NewFork { namespace, name: None, visibility: None })?;
        forge.wait_for_import(fork)?;
        Ok(())
    }

    fn bot_name(&self) -> String {
        self.session.current_user().map(|bot| bot.user.username.clone()).unwrap_or_default()
    }

    /// Returns what is left to a person because GitLab refused a step.
    fn refusal_todo(&self, seen: &PackageFacts, step: &SetupStep, error: &Error) -> Todo {
        let user = match step.actor() {
            Actor::Operator => &seen.operator,
            Actor::Bot => &seen.bot,
        };
        let path = step.path();
        let right = match step {
            SetupStep::CreateProject { path, .. } => format!(
                "it takes the role Developer or Maintainer in {}, as the group is set; an Owner of it can give @{user} \
                 that",
                path.namespace()
            ),
            SetupStep::CreateFork { path, of } => format!(
                "it takes a role in {of}, if that is not public, which a Maintainer or Owner of it can give @{user}, \
                 and the right to make projects in {}",
                path.namespace()
            ),
            SetupStep::SetWebhook { place: SetupPlace::Group, .. } => {
                format!("it takes the role Owner in {path}, which an Owner of it can give @{user}")
            }
            _ => format!("it takes the role Maintainer in {path}, which a Maintainer or Owner of it can give @{user}"),
        };
        let message = format!("{error:#}");
        match is_for_lack_of_rights(step, error) {
            true => Todo::undone(format!("{step}: {right}")).with("GitLab", message),
            false => Todo::undone(format!("{step}: GitLab refuses that")).with("GitLab", message),
        }
    }
}

impl CreatedTokens {
    fn token(&self, usage: TokenUse) -> Result<&SecretString> {
        self.tokens.get(&usage).context("the trigger token is not known")
    }
}

/// Returns the one setting that matters and that older GitLab versions ignore when they create a project.
fn missing_settings(wanted: &ProjectEdit<'static>, project: &ProjectSettings) -> ProjectEdit<'static> {
    let is_other = |path: &&str| project.ci_config_path.as_deref() != Some(*path);
    ProjectEdit { ci_config_path: wanted.ci_config_path.filter(is_other), ..ProjectEdit::default() }
}

/// Whether the next step can be tried: GitLab is available, and refused this step.
fn is_refusal(error: &Error) -> bool {
    let by_api = matches!(
        error.gitlab(),
        Some(
            ForgeError::Forbidden(_)
                | ForgeError::NotFoundOrNoAccess(_)
                | ForgeError::Refused(_)
                | ForgeError::Conflict(_)
                | ForgeError::TooLong(_)
                | ForgeError::Moved { .. }
                | ForgeError::NotTaken(_)
        )
    );
    let by_git = matches!(error.repository(), Some(RemoteError::Denied { .. } | RemoteError::Refused { .. }));
    by_api || by_git
}

/// Whether GitLab refused a step because the user lacks a right.
fn is_for_lack_of_rights(step: &SetupStep, error: &Error) -> bool {
    match error.gitlab() {
        Some(ForgeError::Forbidden(_) | ForgeError::NotFoundOrNoAccess(_)) => return true,
        // If the user may not create projects in the namespace, GitLab says "namespace is not valid".
        Some(ForgeError::Refused(failure)) => {
            return matches!(step, SetupStep::CreateProject { .. })
                && failure.message.contains("namespace is not valid");
        }
        _ => {}
    }
    match error.repository() {
        Some(RemoteError::Denied { .. }) => true,
        // GitLab also refuses branches for their names or their content. No role helps against that.
        Some(RemoteError::Refused { said, .. }) => said.contains("not allowed"),
        _ => false,
    }
}
