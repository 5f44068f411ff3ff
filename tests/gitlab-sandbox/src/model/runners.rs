//! Runners: which there are, and which take a project's jobs. None of them runs anything.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Model;
use super::projects::Project;

/// Whose jobs a runner takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunnerOf {
    /// Everybody's, where the project has `shared_runners_enabled`.
    Instance,
    /// A group's and its subgroups', where the project has `group_runners_enabled`.
    Group(u64),
    /// These projects'.
    Projects(BTreeSet<u64>),
}

/// A runner.
#[derive(Debug, Clone)]
pub struct Runner {
    /// The id.
    pub id: u64,
    /// The description.
    pub description: String,
    /// Whose jobs it takes.
    pub of: RunnerOf,
    /// Whether it takes no new jobs.
    pub paused: bool,
    /// Whether it has been heard of lately.
    pub online: bool,
}

impl Model {
    /// The runners that may take a project's jobs, oldest first (`Ci::Runner.owned_or_instance_wide`).
    pub(crate) fn runners_of(&self, project: &Project) -> Vec<&Runner> {
        let is_on = |setting: &str| project.settings.get(setting) != Some(&Value::Bool(false));
        let mut around = Vec::new();
        let mut next = Some(project.namespace);
        while let Some(namespace) = next.and_then(|id| self.namespaces.get(&id)) {
            around.push(namespace.id);
            next = namespace.parent;
        }
        let takes = |runner: &&Runner| match &runner.of {
            RunnerOf::Instance => is_on("shared_runners_enabled"),
            RunnerOf::Group(group) => is_on("group_runners_enabled") && around.contains(group),
            RunnerOf::Projects(projects) => projects.contains(&project.id),
        };
        self.runners.values().filter(takes).collect()
    }
}
