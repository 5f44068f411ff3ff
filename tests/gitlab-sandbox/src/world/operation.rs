//! What whoever operates an installation sets up and keeps an eye on: schedules, runners, variables, whose job tokens are
//! let in, GitLab's version, and webhooks that fail.

use std::collections::BTreeSet;

use super::{project_id, project_mut, user_id};
use crate::model::runners::{Runner, RunnerOf};
use crate::model::schedules::Schedule;
use crate::model::variables::{Variable, put};
use crate::model::webhooks::{Delivery, HookEvent};
use crate::sandbox::Handle;

/// Schedules, variables, and the installation itself.
impl Handle {
    /// Makes an active pipeline schedule of a project for a branch, owned by a user, which runs next in an hour; gives its
    /// id.
    pub fn schedule(&self, project: &str, owner: &str, branch: &str, cron: &str) -> u64 {
        let model = &mut *self.0.model();
        let (project, owner) = (project_id(model, project), user_id(model, owner));
        let (id, created_at) = (model.next_id(), model.now());
        let schedule = Schedule {
            id,
            project,
            description: "schedule".to_owned(),
            reference: format!("refs/heads/{branch}"),
            cron: cron.to_owned(),
            active: true,
            next_run_at: Some(crate::clock::Moment(created_at.0 + 3_600_000)),
            owner: Some(owner),
            created_at,
        };
        model.schedules.insert(id, schedule);
        id
    }

    /// Changes a pipeline schedule in any way.
    ///
    /// # Panics
    ///
    /// If there is none of that id.
    pub fn change_schedule(&self, schedule: u64, change: impl FnOnce(&mut Schedule)) {
        let model = &mut *self.0.model();
        change(model.schedules.get_mut(&schedule).unwrap_or_else(|| panic!("there is no schedule {schedule}")));
    }

    /// Gives a project a variable in every detail, in place of one of that key and scope.
    pub fn set_variable(&self, project: &str, variable: Variable) {
        put(&mut project_mut(&mut self.0.model(), project).variables, variable);
    }

    /// Gives a group a variable, which the jobs of all projects in it get.
    ///
    /// # Panics
    ///
    /// If there is no such group.
    pub fn group_variable(&self, group: &str, name: &str, value: &str) {
        let model = &mut *self.0.model();
        let id = model.namespace(group).unwrap_or_else(|| panic!("there is no group {group}")).id;
        if let Some(group) = model.namespaces.get_mut(&id) {
            put(&mut group.variables, Variable::plain(name, value));
        }
    }

    /// Every variable of a project itself.
    #[must_use]
    pub fn variables(&self, project: &str) -> Vec<Variable> {
        project_mut(&mut self.0.model(), project).variables.clone()
    }

    /// Lets GitLab have another version, for example `18.3.2-ee`.
    pub fn set_version(&self, version: &str) {
        version.clone_into(&mut self.0.model().version);
    }

    /// Makes it the free edition, which has no webhooks of groups.
    pub fn free_edition(&self) {
        self.0.model().enterprise = false;
    }

    /// Archives a project: nobody pushes to it any more, its merge requests can only be read, and the lists of its groups
    /// leave them out.
    pub fn archive(&self, project: &str) {
        project_mut(&mut self.0.model(), project).archived = true;
    }
}

/// Runners. They run nothing.
impl Handle {
    /// Adds a runner of the whole installation, and gives its id.
    pub fn instance_runner(&self, description: &str) -> u64 {
        self.add_runner(description, RunnerOf::Instance)
    }

    /// Adds a runner of a group, and gives its id.
    ///
    /// # Panics
    ///
    /// If there is no such group.
    pub fn group_runner(&self, group: &str, description: &str) -> u64 {
        let found = self.0.model().namespace(group).map(|group| group.id);
        self.add_runner(description, RunnerOf::Group(found.unwrap_or_else(|| panic!("there is no group {group}"))))
    }

    /// Adds a runner of one project, and gives its id.
    pub fn project_runner(&self, project: &str, description: &str) -> u64 {
        let project = project_id(&self.0.model(), project);
        self.add_runner(description, RunnerOf::Projects(BTreeSet::from([project])))
    }

    fn add_runner(&self, description: &str, of: RunnerOf) -> u64 {
        let model = &mut *self.0.model();
        let id = model.next_id();
        let description = description.to_owned();
        model.runners.insert(id, Runner { id, description, of, paused: false, online: true });
        id
    }

    /// Changes a runner in any way: pauses it, takes it offline.
    ///
    /// # Panics
    ///
    /// If there is none of that id.
    pub fn change_runner(&self, runner: u64, change: impl FnOnce(&mut Runner)) {
        let model = &mut *self.0.model();
        change(model.runners.get_mut(&runner).unwrap_or_else(|| panic!("there is no runner {runner}")));
    }
}

/// Job tokens and webhooks.
impl Handle {
    /// Lets the jobs of all projects in a group and its subgroups use their token with a project.
    ///
    /// # Panics
    ///
    /// If there is no such group.
    pub fn allow_job_tokens_of_group(&self, project: &str, group: &str) {
        let model = &mut *self.0.model();
        let group = model.namespace(group).unwrap_or_else(|| panic!("there is no group {group}")).id;
        project_mut(model, project).job_token_groups.insert(group);
    }

    /// Lets the jobs of every project use their token with a project.
    pub fn open_to_job_tokens(&self, project: &str) {
        project_mut(&mut self.0.model(), project).open_to_job_tokens = true;
    }

    /// Puts down a call of a webhook that was answered so, without calling anybody; nothing stands for no answer. What
    /// follows from it follows: failures switch the hook off.
    ///
    /// # Panics
    ///
    /// If there is no such webhook.
    pub fn hook_was_answered(&self, hook: u64, event: HookEvent, status: Option<u16>) {
        let model = &mut *self.0.model();
        let (id, created_at) = (model.next_id(), model.now());
        let hook = model.webhooks.get_mut(&hook).unwrap_or_else(|| panic!("there is no webhook {hook}"));
        let delivery = Delivery {
            id,
            event,
            url: hook.url.clone(),
            headers: Vec::new(),
            body: serde_json::Value::Null,
            status,
            response_headers: Vec::new(),
            response: String::new(),
            error: status.is_none().then(|| "Net::ReadTimeout".to_owned()),
            created_at,
        };
        hook.delivered(delivery, created_at);
    }
}
