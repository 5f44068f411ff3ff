//! The bot's fork of dist-git: its pipelines run what contributors wrote, as the bot's user, so that it may hold nothing but
//! a trigger token, and its jobs may do nothing.

use crate::forge::{OverrideRole, ProjectEdit, ProjectSettings};
use crate::setup::package_facts::{ForkFacts, JobTokens};
use crate::setup::plan::Planner;
use crate::setup::step::{Need, SetupPlace, SetupStep};
use crate::setup::todo::Todo;

/// Returns the settings that make a fork safe: nobody sets its pipelines' variables, which count more than all others, and
/// its job tokens push nowhere.
pub fn safe() -> ProjectEdit<'static> {
    ProjectEdit {
        ci_pipeline_variables_minimum_override_role: Some(OverrideRole::NoOneAllowed),
        ci_push_repository_for_job_token_allowed: Some(false),
        ..ProjectEdit::default()
    }
}

/// Returns those of the safe settings that a project does not have. One that GitLab does not tell is set all the same.
pub fn unsafe_in(project: &ProjectSettings) -> ProjectEdit<'static> {
    let ProjectEdit { ci_pipeline_variables_minimum_override_role: role, .. } = safe();
    ProjectEdit {
        ci_pipeline_variables_minimum_override_role: role
            .filter(|_| project.ci_pipeline_variables_minimum_override_role != role),
        // A GitLab that does not know this setting lets no job token push.
        ci_push_repository_for_job_token_allowed: (project.ci_push_repository_for_job_token_allowed == Some(true))
            .then_some(false),
        ..ProjectEdit::default()
    }
}

/// Returns what is left where other projects' jobs reach a fork.
pub fn open_to_jobs(fork: &str, job_tokens: &JobTokens) -> Option<Todo> {
    if job_tokens.scope.inbound_enabled && job_tokens.let_in.is_empty() {
        return None;
    }
    let left = Todo::for_a_person(format!(
        "jobs of other projects reach {fork}: in its Settings, CI/CD, Job token permissions, the bot's user sets"
    ));
    let left = left.with("access", "Only this project and any groups and projects in the allowlist");
    Some(job_tokens.let_in.iter().fold(left, |left, path| left.with("take off the allowlist", path)))
}

impl Planner<'_> {
    pub(super) fn fork(&mut self) {
        let Some(ForkFacts { path, there }) = &self.seen.fork else { return };
        let of = self.seen.dist_git.path.clone();
        let Some(there) = there else {
            self.step(SetupStep::CreateFork { path: path.clone(), of });
            self.step(SetupStep::EditSettings { place: SetupPlace::Fork, path: path.clone(), settings: safe() });
            return;
        };
        if !there.is_fork {
            self.missing.0.insert(Need::Fork);
            self.left(Todo::undone(format!(
                "{path} is no fork of {of}: @{} moves it out of the way, or the instance's `forks` name another place",
                self.seen.bot
            )));
            return;
        }
        self.present(format!("{path}: the bot's fork of {of}"));
        let settings = unsafe_in(&there.settings);
        match settings.is_empty() {
            true => self.present(format!("{path}: settings")),
            false => self.step(SetupStep::EditSettings { place: SetupPlace::Fork, path: path.clone(), settings }),
        }
        let open = there.job_tokens.as_ref().and_then(|tokens| open_to_jobs(path.as_str(), tokens));
        if let Some(left) = open {
            self.left(left);
        }
    }
}
