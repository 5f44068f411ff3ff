//! The bot's fork of dist-git.
//!
//! Its pipelines run code of contributors as the bot's user. So the fork may hold no secret but a trigger token, and
//! its jobs may do nothing.

use crate::forge::{OverrideRole, ProjectEdit, ProjectSettings};
use crate::setup::package_facts::{ForkFacts, JobTokenAccess};
use crate::setup::plan::Planner;
use crate::setup::step::{Need, SetupPlace, SetupStep};
use crate::setup::todo::Todo;

/// Returns the settings that make a fork safe. Nobody may set variables of its pipelines, which override all others,
/// and its job tokens may not push.
pub fn safe_settings() -> ProjectEdit<'static> {
    ProjectEdit {
        ci_pipeline_variables_minimum_override_role: Some(OverrideRole::NoOneAllowed),
        ci_push_repository_for_job_token_allowed: Some(false),
        ..ProjectEdit::default()
    }
}

/// Returns the safe settings that a project lacks. The role is set as well if GitLab does not report it.
pub fn missing_safe_settings(project: &ProjectSettings) -> ProjectEdit<'static> {
    let ProjectEdit { ci_pipeline_variables_minimum_override_role: role, .. } = safe_settings();
    ProjectEdit {
        ci_pipeline_variables_minimum_override_role: role
            .filter(|_| project.ci_pipeline_variables_minimum_override_role != role),
        // A GitLab that does not know this setting lets no job token push.
        ci_push_repository_for_job_token_allowed: (project.ci_push_repository_for_job_token_allowed == Some(true))
            .then_some(false),
        ..ProjectEdit::default()
    }
}

/// Returns the todo for a fork that job tokens of other projects can reach; `None` if they cannot.
pub fn job_token_todo(fork: &str, job_tokens: &JobTokenAccess) -> Option<Todo> {
    if job_tokens.scope.inbound_enabled && job_tokens.allowlist.is_empty() {
        return None;
    }
    let todo = Todo::for_a_person(format!(
        "jobs of other projects reach {fork}: in its Settings, CI/CD, Job token permissions, the bot's user sets"
    ));
    let todo = todo.with("access", "Only this project and any groups and projects in the allowlist");
    Some(job_tokens.allowlist.iter().fold(todo, |todo, name| todo.with("take off the allowlist", name)))
}

impl Planner<'_> {
    pub(super) fn plan_fork(&mut self) {
        let Some(ForkFacts { path, existing }) = &self.facts.fork else { return };
        let of = self.facts.dist_git.path.clone();
        let Some(existing) = existing else {
            self.add_step(SetupStep::CreateFork { path: path.clone(), of });
            let settings = safe_settings();
            self.add_step(SetupStep::EditSettings { place: SetupPlace::Fork, path: path.clone(), settings });
            return;
        };
        if !existing.is_fork {
            self.add_unmet(Need::Fork);
            self.add_todo(Todo::undone(format!(
                "{path} is no fork of {of}: @{} moves it out of the way, or the instance's `forks` name another place",
                self.facts.bot
            )));
            return;
        }
        self.add_present(format!("{path}: the bot's fork of {of}"));
        let settings = missing_safe_settings(&existing.settings);
        match settings.is_empty() {
            true => self.add_present(format!("{path}: settings")),
            false => self.add_step(SetupStep::EditSettings { place: SetupPlace::Fork, path: path.clone(), settings }),
        }
        let todo = existing.job_tokens.as_ref().and_then(|tokens| job_token_todo(path.as_str(), tokens));
        if let Some(todo) = todo {
            self.add_todo(todo);
        }
    }
}
