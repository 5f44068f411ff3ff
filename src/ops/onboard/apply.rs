//! Does what is planned, one write after the other. What GitLab refuses is noted, with the right that it takes, and what
//! does not depend on it goes on; where GitLab cannot be had, the run ends, and the next one completes it.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};

use crate::forge::{
    ANY_ENVIRONMENT, AccessLevel, FileAction, HookOwner, NewFork, NewProject, NewProtection, NewVariable, NewWebhook,
    ProjectEdit, ProjectSettings, VariableType, VariablesOf,
};
use crate::ops::onboard::Run;
use crate::setup::package_facts::PackageFacts;
use crate::setup::plan::calls::event;
use crate::setup::plan::fork::{open_to_jobs, unsafe_in};
use crate::setup::plan::{Missing, SetupPlan};
use crate::setup::step::{Actor, SetupChange, SetupPlace, SetupSetting, SetupStep, TokenUse, listed};
use crate::setup::todo::Todo;
use crate::setup::webhook::TOKEN_PART;
use crate::types::ProjectPath;
use crate::types::error::{Context as _, Error, ForgeError, RemoteError, Result, bail};

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// What was done.
    pub(crate) done: Vec<String>,
    /// What would be, in a dry run, or was to be when the run ended.
    pub(crate) planned: Vec<String>,
    /// What was there already.
    pub(crate) present: Vec<String>,
    /// What is left to a person.
    pub(crate) left: Vec<Todo>,
}

impl Done {
    /// What a dry run shows.
    pub(crate) fn planned(plan: SetupPlan) -> Self {
        let planned = plan.steps.iter().map(ToString::to_string).collect();
        Self { planned, present: plan.present, left: plan.left, done: Vec::new() }
    }
}

/// What was made on the way, for later steps.
struct Made {
    tokens: BTreeMap<TokenUse, SecretString>,
}

impl Run<'_> {
    /// Does the steps. Where one ends the run, that comes with what was done until then.
    pub(crate) fn apply(&self, seen: &PackageFacts, plan: SetupPlan) -> (Done, Result<()>) {
        let SetupPlan { steps, present, left } = plan;
        let mut done = Done { present, left, ..Done::default() };
        let known = seen.tokens.iter().filter_map(|(usage, seen)| Some((*usage, seen.token.clone()?)));
        let mut made = Made { tokens: known.collect() };
        let mut missing = Missing::default();
        let mut blocked = Vec::new();
        let mut steps = steps.into_iter();
        for step in steps.by_ref() {
            if missing.blocks(&step) {
                blocked.push(step.to_string());
                missing.note(&step);
                continue;
            }
            match self.step(&step, &mut made) {
                Ok(left) => {
                    tracing::info!("{step}");
                    done.done.push(step.to_string());
                    done.left.extend(left);
                }
                Err(error) if is_refusal(&error) => {
                    missing.note(&step);
                    done.left.push(self.refused(seen, &step, &error));
                }
                Err(error) => {
                    let error = error.context(format!("{step}"));
                    done.planned = std::iter::once(step).chain(steps).map(|step| step.to_string()).collect();
                    return (done, Err(error));
                }
            }
        }
        if !blocked.is_empty() {
            let left = Todo::undone("what has to come first is missing for");
            done.left.push(blocked.into_iter().fold(left, Todo::line));
        }
        (done, Ok(()))
    }

    /// Does one step; returns what it leaves to a person.
    fn step(&self, step: &SetupStep, made: &mut Made) -> Result<Option<Todo>> {
        let forge = self.forge(step.actor());
        match step {
            SetupStep::CreateProject { path, namespace, visibility, settings, .. } => {
                let new = NewProject {
                    namespace_id: *namespace,
                    path: path.name(),
                    visibility: *visibility,
                    settings: *settings,
                };
                let project = forge.create_project(&new)?;
                let rest = lacking(settings, &project);
                if !rest.is_empty() {
                    forge.edit_project(project.id, &rest)?;
                }
            }
            SetupStep::CopyRefs { path, from, is_empty, refs, .. } => {
                let alone = usize::from(*is_empty);
                self.copy(from, path, refs, alone)?;
            }
            SetupStep::SetDefaultBranch { path, branch, .. } => {
                // GitLab takes the first branch that is pushed for it, by itself.
                if forge.project_settings(path)?.default_branch.as_deref() != Some(branch.as_str()) {
                    let edit = ProjectEdit { default_branch: Some(branch.as_str()), ..ProjectEdit::default() };
                    forge.edit_project(path, &edit)?;
                }
            }
            SetupStep::EditSettings { place, path, settings } => {
                let now = forge.edit_project(path, settings)?;
                if *place == SetupPlace::Fork {
                    if !unsafe_in(&now).is_empty() {
                        bail!(ForgeError::NotTaken(listed(&unsafe_in(&now))));
                    }
                    let open = self.job_tokens(path, &now)?;
                    return Ok(open.and_then(|tokens| open_to_jobs(path.as_str(), &tokens)));
                }
            }
            SetupStep::CommitCiFile { path, branch, file, change, text, .. } => {
                let action = FileAction { change: *change, path: file, content: text.as_bytes() };
                // Nothing is to be built or checked because of it.
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
                    // GitLab protects a default branch by itself.
                    Ok(_) | Err(ForgeError::Conflict(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            SetupStep::CreateFork { path, of } => self.create_fork(path, of)?,
            SetupStep::CreateTriggerToken { usage, hub, description, .. } => {
                let token = forge.create_trigger_token(hub, description)?;
                made.tokens.insert(*usage, token.token);
            }
            SetupStep::SetVariable { path, key, change, setting, .. } => {
                let (value, masked, variable_type) = match setting {
                    SetupSetting::Value(value) => (value, true, VariableType::EnvVar),
                    SetupSetting::Plain(value) => (value, false, VariableType::EnvVar),
                    SetupSetting::File(value) => (value, false, VariableType::File),
                    SetupSetting::Token(usage) => (made.token(*usage)?, true, VariableType::EnvVar),
                };
                let environment_scope = ANY_ENVIRONMENT;
                let new =
                    NewVariable { key, value, protected: false, masked, raw: true, variable_type, environment_scope };
                let of = VariablesOf::Project(path);
                match change {
                    SetupChange::Make => forge.create_variable(of, &new)?,
                    SetupChange::Alter => forge.update_variable(of, &new)?,
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
                    None => Some(made.token(TokenUse::Hook(*kind))?),
                    // Else it keeps the one it has.
                    Some(_) => made.tokens.get(&TokenUse::Hook(*kind)),
                };
                let variables: Vec<_> = token.into_iter().map(|token| (TOKEN_PART, token)).collect();
                let new = NewWebhook {
                    url,
                    name: &format!("source-git-bot: {kind}"),
                    events: &[event(*kind)],
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
        let forge = &self.bot.forge;
        let namespace = Some(path.namespace()).filter(|namespace| *namespace != self.bot_name());
        // Nothing is said of who may see it: as many as may see the original, or fewer.
        let fork = forge.create_fork(of, NewFork { namespace, name: None, visibility: None })?;
        forge.wait_for_import(fork)?;
        Ok(())
    }

    fn bot_name(&self) -> String {
        self.bot.myself().map(|myself| myself.user.username.clone()).unwrap_or_default()
    }

    /// What is left where GitLab refused a step.
    fn refused(&self, seen: &PackageFacts, step: &SetupStep, error: &Error) -> Todo {
        let who = match step.actor() {
            Actor::Operator => &seen.operator,
            Actor::Bot => &seen.bot,
        };
        let path = step.path();
        let right = match step {
            SetupStep::CreateProject { path, .. } => format!(
                "it takes the role Developer or Maintainer in {}, as the group is set; an Owner of it can give @{who} that",
                path.namespace()
            ),
            SetupStep::CreateFork { path, of } => format!(
                "it takes a role in {of}, if that is not public, which a Maintainer or Owner of it can give @{who}, and the \
                 right to make projects in {}",
                path.namespace()
            ),
            SetupStep::SetWebhook { place: SetupPlace::Group, .. } => {
                format!("it takes the role Owner in {path}, which an Owner of it can give @{who}")
            }
            _ => format!("it takes the role Maintainer in {path}, which a Maintainer or Owner of it can give @{who}"),
        };
        let said = format!("{error:#}");
        match is_about_rights(step, error) {
            true => Todo::undone(format!("{step}: {right}")).with("GitLab", said),
            false => Todo::undone(format!("{step}: GitLab refuses that")).with("GitLab", said),
        }
    }
}

impl Made {
    fn token(&self, usage: TokenUse) -> Result<&SecretString> {
        self.tokens.get(&usage).context("the trigger token is not known")
    }
}

/// The one setting that matters and that older GitLabs do not take when a project is made.
fn lacking(wanted: &ProjectEdit<'static>, project: &ProjectSettings) -> ProjectEdit<'static> {
    let is_other = |path: &&str| project.ci_config_path.as_deref() != Some(*path);
    ProjectEdit { ci_config_path: wanted.ci_config_path.filter(is_other), ..ProjectEdit::default() }
}

/// Whether the next step can be tried: GitLab answered, and this is what it does not let happen.
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

/// Whether that is for want of a right.
fn is_about_rights(step: &SetupStep, error: &Error) -> bool {
    match error.gitlab() {
        Some(ForgeError::Forbidden(_) | ForgeError::NotFoundOrNoAccess(_)) => return true,
        // Of a namespace without that right GitLab says "namespace is not valid".
        Some(ForgeError::Refused(failure)) => {
            return matches!(step, SetupStep::CreateProject { .. })
                && failure.message.contains("namespace is not valid");
        }
        _ => {}
    }
    match error.repository() {
        Some(RemoteError::Denied { .. }) => true,
        // Branches are refused for their names or what they hold as well, which no role helps against.
        Some(RemoteError::Refused { said, .. }) => said.contains("not allowed"),
        _ => false,
    }
}
