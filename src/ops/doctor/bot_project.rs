//! Observes the project that runs the bot.

use crate::ci::{Template, template_uses};
use crate::forge::{ProjectRef, ProjectSettings, VariablesOf};
use crate::ops::doctor::instance_file;
use crate::ops::doctor::observer::Observer;
use crate::setup::instance_facts::{BotProjectFacts, TriggerTokenOwner, Unseen, VariableFlags, Visible};
use crate::setup::package_facts::JobTokenAccess;
use crate::types::error::Result;
use crate::types::{BranchName, ProjectPath};

/// The CI file of a project that names no other.
const DEFAULT_CI_FILE: &str = ".gitlab-ci.yml";
/// The default value of the template's input `instance`.
const DEFAULT_INSTANCE_FILE: &str = "instance.yaml";

/// Observes the project that the instance names as its bot project, if any.
pub(crate) fn observe(observer: &Observer<'_>) -> Result<Option<Visible<BotProjectFacts>>> {
    let Some(named) = &observer.session.instance.bot_project else { return Ok(None) };
    observer.progress("the bot project");
    let path: ProjectPath = named.as_str().parse()?;
    let settings = match observer.visible(observer.session.forge.project_settings(&path))? {
        Ok(settings) => settings,
        Err(why) => return Ok(Some(Err(why))),
    };
    let forge = &observer.session.forge;
    let bot_project = ProjectRef::Id(settings.id);
    let protected = observer.visible_list(forge.protected_branches(bot_project))?;
    let schedules = observer.visible_list(forge.pipeline_schedules(bot_project))?;
    let trigger_tokens = observer.visible_list(forge.trigger_tokens(bot_project))?;
    let mut project = BotProjectFacts {
        role: observer.role(settings.id, Some(&settings))?,
        protected,
        variables: variables(observer, &settings.path)?,
        job_tokens: job_tokens(observer, &settings)?,
        schedules,
        runners: observer.visible_list(forge.runners_of_project(bot_project))?,
        trigger_tokens: trigger_tokens.map(|all| all.into_iter().map(TriggerTokenOwner::from).collect()),
        settings,
        includes: Err(Unseen::NotAsked),
        instance_file: Err(Unseen::NotAsked),
    };
    let Some(branch) = project.branch().and_then(|branch| branch.parse::<BranchName>().ok()) else {
        project.includes = Ok(None);
        return Ok(Some(Ok(project)));
    };
    let is_here = |path: &&str| !path.is_empty() && !path.contains(['@', ':']);
    let ci_file = project.settings.ci_config_path.as_deref().filter(is_here).unwrap_or(DEFAULT_CI_FILE);
    let text = observer.visible(forge.raw_file(bot_project, &branch, ci_file))?;
    project.includes = text.map(|text| text.map(|text| template_uses(&text)));
    if let Ok(Some(Ok(uses))) = &project.includes
        && let Some(used) = uses.iter().find(|used| used.template == Template::Bot)
    {
        let name = used.instance().unwrap_or(DEFAULT_INSTANCE_FILE);
        project.instance_file = match observer.visible(forge.raw_file(bot_project, &branch, name))? {
            Ok(content) => Ok(instance_file::compare(name, content, &observer.session.instance)?),
            Err(why) => Err(why),
        };
    }
    Ok(Some(Ok(project)))
}

/// Returns the variables of a project, without their values.
pub(crate) fn variables(observer: &Observer<'_>, project: &ProjectPath) -> Result<Visible<Vec<VariableFlags>>> {
    let variables = observer.visible_list(observer.session.forge.variables(VariablesOf::Project(project)))?;
    Ok(variables.map(|variables| variables.into_iter().map(VariableFlags::from).collect()))
}

/// Returns the projects and groups whose jobs may use their job tokens with a project.
pub(crate) fn job_tokens(observer: &Observer<'_>, project: &ProjectSettings) -> Result<Visible<JobTokenAccess>> {
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
        Ok(JobTokenAccess { scope, allowlist: projects.chain(groups).collect() })
    }))
}
