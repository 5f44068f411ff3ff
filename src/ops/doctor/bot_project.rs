//! Observes the project that runs the bot.

use crate::ci::{Template, template_uses};
use crate::forge::{
    self, ANY_ENVIRONMENT, OverrideRole, ProjectRef, ProjectSettings, RunnerType, VariableType, VariablesOf,
};
use crate::ops::doctor::instance_file;
use crate::ops::doctor::observer::Observer;
use crate::setup::instance_facts::{
    Allowlist, BotProjectFacts, ProtectedBranch, Role, Runner, Schedule, Settings, Trigger, Unseen, Variable,
    VariablesFrom, Visible,
};
use crate::types::error::Result;
use crate::types::{BranchName, ProjectPath, Visibility};

/// The CI file of a project that names no other.
const DEFAULT_CI_FILE: &str = ".gitlab-ci.yml";
/// The default value of the template's input `instance`.
const DEFAULT_INSTANCE_FILE: &str = "instance.yaml";

/// Observes the project that the instance names as its bot project, if any.
pub(crate) fn observe(observer: &Observer<'_>) -> Result<Option<Visible<BotProjectFacts>>> {
    let Some(named) = &observer.session.instance.bot_project else { return Ok(None) };
    observer.progress("the bot project");
    let path: ProjectPath = named.as_str().parse()?;
    let project_settings = match observer.visible(observer.session.forge.project_settings(&path))? {
        Ok(project_settings) => project_settings,
        Err(why) => return Ok(Some(Err(why))),
    };
    let forge = &observer.session.forge;
    let project_ref = ProjectRef::Id(project_settings.id);
    let protected = observer.visible_list(forge.protected_branches(project_ref))?;
    let schedules = observer.visible_list(forge.pipeline_schedules(project_ref))?;
    let triggers = observer.visible_list(forge.trigger_tokens(project_ref))?;
    let mut project = BotProjectFacts {
        id: project_settings.id.0,
        path: project_settings.path.to_string(),
        is_private: project_settings.visibility.map(|visibility| visibility == Visibility::Private),
        default_branch: project_settings.default_branch.clone(),
        role: observer.role(project_settings.id, Some(&project_settings))?,
        settings: settings(&project_settings),
        protected: protected.map(|rules| rules.into_iter().map(protection).collect()),
        variables: variables(observer, &project_settings.path)?,
        job_tokens: job_tokens(observer, &project_settings)?,
        schedules: schedules.map(|all| all.iter().map(schedule).collect()),
        runners: runners(observer, project_ref)?,
        triggers: triggers.map(|all| {
            let owner = |token: forge::TriggerToken| Trigger { owner: token.owner.map(|owner| owner.username) };
            all.into_iter().map(owner).collect()
        }),
        includes: Err(Unseen::NotAsked),
        instance_file: Err(Unseen::NotAsked),
    };
    let Some(branch) = project.branch().and_then(|branch| branch.parse::<BranchName>().ok()) else {
        project.includes = Ok(None);
        return Ok(Some(Ok(project)));
    };
    let is_here = |path: &&str| !path.is_empty() && !path.contains(['@', ':']);
    let ci_file = project_settings.ci_config_path.as_deref().filter(is_here).unwrap_or(DEFAULT_CI_FILE);
    let text = observer.visible(forge.raw_file(project_ref, &branch, ci_file))?;
    project.includes = text.map(|text| text.map(|text| template_uses(&text)));
    if let Ok(Some(Ok(uses))) = &project.includes
        && let Some(used) = uses.iter().find(|used| used.template == Template::Bot)
    {
        let name = used.instance().unwrap_or(DEFAULT_INSTANCE_FILE);
        project.instance_file = match observer.visible(forge.raw_file(project_ref, &branch, name))? {
            Ok(content) => Ok(instance_file::compare(name, content, &observer.session.instance)?),
            Err(why) => Err(why),
        };
    }
    Ok(Some(Ok(project)))
}

pub(crate) fn settings(project_settings: &ProjectSettings) -> Settings {
    let role = |role| match role {
        OverrideRole::NoOneAllowed => VariablesFrom::NoOne,
        OverrideRole::Owner => VariablesFrom::Role(Role(50)),
        OverrideRole::Maintainer => VariablesFrom::Role(Role::MAINTAINER),
        OverrideRole::Developer => VariablesFrom::Role(Role::DEVELOPER),
    };
    Settings {
        variables_from: project_settings.ci_pipeline_variables_minimum_override_role.map(role),
        job_token_push: project_settings.ci_push_repository_for_job_token_allowed,
        fork_pipelines: project_settings.ci_allow_fork_pipelines_to_run_in_parent_project,
    }
}

fn protection(rule: forge::ProtectedBranch) -> ProtectedBranch {
    let levels = rule.push.iter().chain(&rule.merge).filter_map(forge::BranchAccess::role);
    // GitLab writes "nobody" as role 0, lower than all others.
    let least = levels.filter(|level| level.0 > 0).min().map(|level| Role(level.0));
    ProtectedBranch { name: rule.name, least }
}

fn schedule(schedule: &forge::PipelineSchedule) -> Schedule {
    Schedule { active: schedule.active, branch: schedule.branch().to_owned() }
}

/// Returns the variables of a project, without their values.
pub(crate) fn variables(observer: &Observer<'_>, project: &ProjectPath) -> Result<Visible<Vec<Variable>>> {
    let variables = observer.visible_list(observer.session.forge.variables(VariablesOf::Project(project)))?;
    let known = |variable: forge::Variable| {
        let forge::Variable { key, protected, masked, raw, variable_type, environment_scope, .. } = variable;
        let is_file = variable_type == VariableType::File;
        Variable { key, protected, masked, raw, is_file, is_for_all_jobs: environment_scope == ANY_ENVIRONMENT }
    };
    Ok(variables.map(|variables| variables.into_iter().map(known).collect()))
}

/// Returns the projects and groups whose jobs may use their job tokens with a project.
pub(crate) fn job_tokens(observer: &Observer<'_>, project: &ProjectSettings) -> Result<Visible<Allowlist>> {
    let forge = &observer.session.forge;
    let scope = match observer.visible(forge.job_token_scope(project.id))? {
        Ok(scope) => scope,
        Err(why) => return Ok(Err(why)),
    };
    let projects = observer.visible_list(forge.job_token_projects(project.id))?;
    let groups = observer.visible_list(forge.job_token_groups(project.id))?;
    Ok(projects.and_then(|projects| {
        let projects = projects.into_iter().filter(|other| other.id != project.id).map(|other| other.path.to_string());
        let groups = groups?.into_iter().map(|group| format!("the group {}", group.name));
        Ok(Allowlist { is_enforced: scope.inbound_enabled, others: projects.chain(groups).collect() })
    }))
}

/// Returns the runners that take a project's jobs.
pub(crate) fn runners(observer: &Observer<'_>, project: ProjectRef<'_>) -> Result<Visible<Vec<Runner>>> {
    let runners = observer.visible_list(observer.session.forge.runners_of_project(project))?;
    let known = |runner: &forge::Runner| Runner {
        is_own: runner.runner_type == RunnerType::ProjectType,
        is_online: !runner.is_paused && (runner.is_online == Some(true) || runner.status == "online"),
    };
    Ok(runners.map(|runners| runners.iter().map(known).collect()))
}
