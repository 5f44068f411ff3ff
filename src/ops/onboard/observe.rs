//! Observes what exists of a package.

use std::fs;

use secrecy::SecretString;

use crate::ci::LogSection;
use crate::config::{Forks, Instance, WebhookTokens};
use crate::forge::{Forge, HookOwner, ProjectSettings, Variable, VariablesOf, Webhook};
use crate::git::Store;
use crate::ops::onboard::carried::is_carried;
use crate::ops::onboard::repository::branches;
use crate::ops::onboard::run::{OnboardRun, PackageProjects, if_found, if_readable};
use crate::setup::ci_file::{DIST_GIT_PATH, SOURCE_GIT_PATH, Templates};
use crate::setup::package_facts::{
    ConnectionVariable, ExistingFork, ForkFacts, JobTokenAccess, PackageFacts, Side, SignedTokens,
};
use crate::setup::plan::triggers::token_description;
use crate::setup::webhook_token::{Secret, TokenScope};
use crate::types::error::{Context as _, ForgeError, Result};
use crate::types::{BranchName, ProjectPath};

/// The package's own configuration in source-git.
const PACKAGE_CONFIG: &str = ".distro/source-git.yaml";

/// The presets, and the address of GitLab that they set.
const PRESETS: [&str; 3] = ["production", "staging", "centos-stream-staging"];
const PRESETS_GITLAB: &str = "https://gitlab.com/";

impl OnboardRun<'_> {
    /// Observes everything, and writes nothing.
    pub(crate) fn observe(&self, templates: Option<Templates>, secret: Option<&SecretString>) -> Result<PackageFacts> {
        let PackageProjects { source_git, dist_git, originals, bot_project } = &self.projects;
        let _section =
            LogSection::begin(self.session.log, "onboard", &format!("looking at {source_git} and {dist_git}"));
        let bot = self.session.current_user()?.user.username.clone();
        let operator = match self.operator {
            Some(operator) => operator.current_user()?.user.username,
            None => bot.clone(),
        };
        let (bot_project, bot_ci_file) = self.bot_project(bot_project)?;
        let templates = match (templates, bot_ci_file) {
            (Some(templates), _) => Ok(templates),
            (None, Ok(yaml)) => Templates::of_bot_project(&yaml),
            (None, Err(lacking)) => Err(lacking),
        };
        let (source_original, dist_original) = originals.as_ref().map(|(source, dist)| (source, dist)).unzip();
        let store = Store::create(self.git)?;
        let mut source = self.repository(&store, Side::SourceGit, source_git, source_original)?;
        let mut dist = self.repository(&store, Side::DistGit, dist_git, dist_original)?;
        let fork = self.fork(dist_git)?;
        let branches = branches(&source);
        let handles = |branch: &String| self.session.instance.targets.handle(source_git.as_str(), branch);
        let is_handled = branches.iter().any(handles);
        let mut maintained = Vec::new();
        let mut not_carried = Vec::new();
        if originals.is_some() {
            // If the instance handles no branch of the package yet, every branch is set up as if it did.
            let candidates = branches.iter().filter(|branch| !is_handled || handles(branch));
            for branch in candidates.filter(|branch| dist.will_have(branch)) {
                let Ok(branch) = branch.parse::<BranchName>() else { continue };
                let Some(config) = self.file(&source, &branch, PACKAGE_CONFIG)? else { continue };
                if !is_carried(&config) {
                    not_carried.push(branch.clone());
                }
                maintained.push(branch);
            }
            for branch in &maintained {
                for (repository, file) in [(&mut source, SOURCE_GIT_PATH), (&mut dist, DIST_GIT_PATH)] {
                    let existing = self.ci_file(repository, branch, file)?;
                    repository.ci_files.insert(branch.clone(), existing);
                }
            }
        }
        let calls_the_bot = self.calls_the_bot(&source, &maintained)?;
        let report = fork.as_ref().map_or(dist_git, |fork| &fork.path).clone();
        let report_variables = match &fork {
            Some(ForkFacts { existing: Some(existing), .. }) if existing.is_fork => {
                variables(&self.session.forge, &report)?
            }
            Some(_) => None,
            None => variables(self.operator(), &report)?,
        };
        let source_variables = match source.project {
            Some(_) => variables(self.operator(), source_git)?,
            None => None,
        };
        let project_hooks = match source.project {
            Some(_) => self.hooks(HookOwner::Project(source_git))?,
            None => None,
        };
        let is_copy = originals.is_some();
        let hooks_of = if is_copy { source_git.as_str() } else { source_git.namespace() };
        Ok(PackageFacts {
            preset: preset(&self.session.instance, is_copy),
            tokens: self.tokens(&bot_project, |usage| {
                token_description(usage, hooks_of, source_git.as_str(), report.as_str())
            })?,
            webhook_tokens: webhook_tokens(&self.session.instance, secret, source_git, is_copy, &report)?,
            connection: connection_variables(&self.session.instance)?,
            group_hooks: self.hooks(HookOwner::Group(source_git.namespace()))?,
            ancestor_hooks: self.hooks_around(source_git.namespace())?,
            operator,
            bot,
            bot_project,
            templates,
            source_git: source,
            dist_git: dist,
            fork,
            maintained,
            not_carried,
            is_handled: is_handled || branches.is_empty() && handles(&"main".to_owned()),
            project_hooks,
            source_variables,
            report_variables,
            calls_the_bot,
        })
    }

    fn fork(&self, dist_git: &ProjectPath) -> Result<Option<ForkFacts>> {
        if self.session.instance.forks == Forks::DistGit {
            return Ok(None);
        }
        let (path, forge) = (self.session.fork_of(dist_git)?, &self.session.forge);
        let Some(settings) = if_found(forge.project_settings(&path))? else {
            return Ok(Some(ForkFacts { path, existing: None }));
        };
        let parent = forge.project(&path)?.forked_from;
        let is_fork = match parent {
            Some(parent) => match parent.path {
                Some(path) => path == *dist_git,
                None => if_found(forge.project(dist_git))?.is_some_and(|dist_git| dist_git.id == parent.id),
            },
            None => false,
        };
        let job_tokens = self.job_tokens(&path, &settings)?;
        Ok(Some(ForkFacts { path, existing: Some(ExistingFork { settings, is_fork, job_tokens }) }))
    }

    /// Returns which other projects' jobs may use their job tokens with a project of the bot.
    pub(crate) fn job_tokens(&self, path: &ProjectPath, settings: &ProjectSettings) -> Result<Option<JobTokenAccess>> {
        let forge = &self.session.forge;
        let scope = match forge.job_token_scope(path) {
            Ok(scope) => scope,
            Err(ForgeError::Forbidden(_) | ForgeError::NotFoundOrNoAccess(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let projects = if_readable(forge.job_token_projects(path))?.unwrap_or_default();
        let groups = if_readable(forge.job_token_groups(path))?.unwrap_or_default();
        let projects = projects.into_iter().filter(|project| project.id != settings.id);
        let allowed =
            projects.map(|project| project.path.to_string()).chain(groups.into_iter().map(|group| group.name));
        Ok(Some(JobTokenAccess { scope, allowlist: allowed.collect() }))
    }

    fn hooks(&self, owner: HookOwner<'_>) -> Result<Option<Vec<Webhook>>> {
        if_readable(self.operator().webhooks(owner))
    }

    /// Returns the webhooks of the groups around a group, each with its group, as far as the operator may read them.
    fn hooks_around(&self, group: &str) -> Result<Vec<(String, Webhook)>> {
        let around = |group: &str| group.rsplit_once('/').map(|(around, _)| around.to_owned());
        let mut found = Vec::new();
        for group in std::iter::successors(around(group), |group| around(group)) {
            let hooks = self.hooks(HookOwner::Group(&group))?.unwrap_or_default();
            found.extend(hooks.into_iter().map(|hook| (group.clone(), hook)));
        }
        Ok(found)
    }
}

fn variables(forge: &Forge, path: &ProjectPath) -> Result<Option<Vec<Variable>>> {
    if_readable(forge.variables(VariablesOf::Project(path)))
}

/// Returns the preset by which jobs outside the bot project know the instance. They have no instance file.
fn preset(instance: &Instance, is_copy: bool) -> &'static str {
    let named = PRESETS.into_iter().find(|preset| *preset == instance.name);
    named.unwrap_or(if is_copy { "staging" } else { "production" })
}

/// Returns the variables by which these jobs reach this instance's GitLab, if the preset says something else.
fn connection_variables(instance: &Instance) -> Result<Vec<ConnectionVariable>> {
    let mut reach = Vec::new();
    if instance.gitlab.url.as_str() != PRESETS_GITLAB {
        let value = instance.gitlab.url.as_str().trim_end_matches('/').into();
        reach.push(ConnectionVariable { key: "SGB_GITLAB_URL", value, is_file: false });
    }
    if let Some(file) = &instance.gitlab.ca_file {
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        reach.push(ConnectionVariable { key: "SGB_CA_FILE", value: text.into(), is_file: true });
    }
    Ok(reach)
}

/// Signs the webhook tokens that the instance requires.
fn webhook_tokens(
    instance: &Instance,
    secret: Option<&SecretString>,
    source_git: &ProjectPath,
    is_copy: bool,
    report: &ProjectPath,
) -> Result<SignedTokens> {
    if instance.webhook_tokens == WebhookTokens::Ignored {
        return Ok(SignedTokens::NotRequired);
    }
    let Some(secret) = secret.cloned().and_then(Secret::new) else { return Ok(SignedTokens::NoSecret) };
    let of = |path: &ProjectPath| TokenScope::new(path.namespace(), Some(path.name())).map(|scope| secret.sign(&scope));
    let group = TokenScope::new(source_git.namespace(), None).map(|scope| secret.sign(&scope));
    Ok(SignedTokens::Signed {
        hooks: if is_copy { of(source_git)? } else { group? },
        source_git: of(source_git)?,
        report: of(report)?,
    })
}
