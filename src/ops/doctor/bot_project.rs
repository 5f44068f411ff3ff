//! What is to be seen of the project that runs the bot.
use crate::ci::{Template, template_uses};
use crate::forge::{
    self, ANY_ENVIRONMENT, OverrideRole, ProjectRef, ProjectSettings, RunnerType, VariableType, VariablesOf,
};
use crate::ops::doctor::instance_file;
use crate::ops::doctor::look::Look;
use crate::setup::instance_facts::{
    Allowlist, BotProjectFacts, ProtectedBranch, Role, Runner, Schedule, Settings, Trigger, Unseen, Variable,
    VariablesFrom, Visible,
};
use crate::types::error::Result;
use crate::types::{BranchName, ProjectPath, Visibility};

/// Where GitLab looks for a CI file where a project says nothing.
const CI_FILE: &str = ".gitlab-ci.yml";
/// The default of the template's input `instance`.
const INSTANCE: &str = "instance.yaml";

/// Looks at the project that the instance names.
pub(crate) fn observe(look: &Look<'_>) -> Result<Option<Visible<BotProjectFacts>>> {
    let Some(named) = &look.bot.instance.bot_project else { return Ok(None) };
    look.at("the bot project");
    let path: ProjectPath = named.as_str().parse()?;
    let shown = match look.seen(look.bot.forge.project_settings(&path))? {
        Ok(shown) => shown,
        Err(why) => return Ok(Some(Err(why))),
    };
    let forge = &look.bot.forge;
    let of = ProjectRef::Id(shown.id);
    let protected = look.listed(forge.protected_branches(of))?;
    let schedules = look.listed(forge.pipeline_schedules(of))?;
    let triggers = look.listed(forge.trigger_tokens(of))?;
    let mut project = BotProjectFacts {
        id: shown.id.0,
        path: shown.path.to_string(),
        is_private: shown.visibility.map(|visibility| visibility == Visibility::Private),
        default_branch: shown.default_branch.clone(),
        role: look.role(shown.id, Some(&shown))?,
        settings: settings(&shown),
        protected: protected.map(|rules| rules.into_iter().map(protection).collect()),
        variables: variables(look, &shown.path)?,
        job_tokens: job_tokens(look, &shown)?,
        schedules: schedules.map(|all| all.iter().map(schedule).collect()),
        runners: runners(look, of)?,
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
    let ci_file = shown.ci_config_path.as_deref().filter(is_here).unwrap_or(CI_FILE);
    let text = look.seen(forge.raw_file(of, &branch, ci_file))?;
    project.includes = text.map(|text| text.map(|text| template_uses(&text)));
    if let Ok(Some(Ok(uses))) = &project.includes
        && let Some(used) = uses.iter().find(|used| used.template == Template::Bot)
    {
        let name = used.instance().unwrap_or(INSTANCE);
        project.instance_file = match look.seen(forge.raw_file(of, &branch, name))? {
            Ok(content) => Ok(instance_file::compare(name, content, &look.bot.instance)?),
            Err(why) => Err(why),
        };
    }
    Ok(Some(Ok(project)))
}

/// The settings that matter.
pub(crate) fn settings(shown: &ProjectSettings) -> Settings {
    let role = |role| match role {
        OverrideRole::NoOneAllowed => VariablesFrom::NoOne,
        OverrideRole::Owner => VariablesFrom::Role(Role(50)),
        OverrideRole::Maintainer => VariablesFrom::Role(Role::MAINTAINER),
        OverrideRole::Developer => VariablesFrom::Role(Role::DEVELOPER),
    };
    Settings {
        variables_from: shown.ci_pipeline_variables_minimum_override_role.map(role),
        job_token_push: shown.ci_push_repository_for_job_token_allowed,
        fork_pipelines: shown.ci_allow_fork_pipelines_to_run_in_parent_project,
    }
}

fn protection(rule: forge::ProtectedBranch) -> ProtectedBranch {
    let levels = rule.push.iter().chain(&rule.merge).filter_map(forge::BranchAccess::role);
    // Nobody is written as the lowest role of all.
    let least = levels.filter(|level| level.0 > 0).min().map(|level| Role(level.0));
    ProtectedBranch { name: rule.name, least }
}

fn schedule(schedule: &forge::PipelineSchedule) -> Schedule {
    Schedule { active: schedule.active, branch: schedule.branch().to_owned() }
}

/// The variables of a project: what they are called and how they are kept. Their values go no further than this.
pub(crate) fn variables(look: &Look<'_>, project: &ProjectPath) -> Result<Visible<Vec<Variable>>> {
    let variables = look.listed(look.bot.forge.variables(VariablesOf::Project(project)))?;
    let known = |variable: forge::Variable| {
        let forge::Variable { key, protected, masked, raw, variable_type, environment_scope, .. } = variable;
        let is_file = variable_type == VariableType::File;
        Variable { key, protected, masked, raw, is_file, is_for_all_jobs: environment_scope == ANY_ENVIRONMENT }
    };
    Ok(variables.map(|variables| variables.into_iter().map(known).collect()))
}

/// Who may use a job token with a project.
pub(crate) fn job_tokens(look: &Look<'_>, project: &ProjectSettings) -> Result<Visible<Allowlist>> {
    let forge = &look.bot.forge;
    let scope = match look.seen(forge.job_token_scope(project.id))? {
        Ok(scope) => scope,
        Err(why) => return Ok(Err(why)),
    };
    let projects = look.listed(forge.job_token_projects(project.id))?;
    let groups = look.listed(forge.job_token_groups(project.id))?;
    Ok(projects.and_then(|projects| {
        let projects = projects.into_iter().filter(|other| other.id != project.id).map(|other| other.path.to_string());
        let groups = groups?.into_iter().map(|group| format!("the group {}", group.name));
        Ok(Allowlist { is_enforced: scope.inbound_enabled, others: projects.chain(groups).collect() })
    }))
}

/// The runners that take a project's jobs.
pub(crate) fn runners(look: &Look<'_>, project: ProjectRef<'_>) -> Result<Visible<Vec<Runner>>> {
    let runners = look.listed(look.bot.forge.runners_of_project(project))?;
    let known = |runner: &forge::Runner| Runner {
        is_own: runner.runner_type == RunnerType::ProjectType,
        is_online: !runner.is_paused && (runner.is_online == Some(true) || runner.status == "online"),
    };
    Ok(runners.map(|runners| runners.iter().map(known).collect()))
}
