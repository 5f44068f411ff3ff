//! Trigger tokens that a test hands out, what was started from outside, and what decides whether it is.

use super::{project_id, project_mut, user_id};
use crate::model::triggers::{TriggerToken, Triggered};
use crate::model::variables::{Variable, put};
use crate::sandbox::Handle;

impl Handle {
    /// Makes a pipeline trigger token of a project, owned by a user, and gives its value.
    pub fn trigger_token(&self, project: &str, owner: &str) -> String {
        let model = &mut *self.0.model();
        let (project, owner_id, id) = (project_id(model, project), user_id(model, owner), model.next_id());
        let value = format!("glptt-{owner}-{id}_s3cr3t");
        let created_at = model.now();
        model.trigger_tokens.push(TriggerToken {
            id,
            value: value.clone(),
            description: "made by the test".to_owned(),
            project,
            owner: owner_id,
            created_at,
            expires_at: None,
            last_used: None,
        });
        value
    }

    /// What was started in a project from outside, oldest first: through the trigger endpoint, or by `POST …/pipeline`.
    #[must_use]
    pub fn triggered(&self, project: &str) -> Vec<Triggered> {
        self.deliver_webhooks();
        let model = self.0.model();
        let id = project_id(&model, project);
        model.triggered.iter().filter(|triggered| triggered.project == id).cloned().collect()
    }

    /// Gives the jobs of a project a variable.
    pub fn variable(&self, project: &str, name: &str, value: &str) {
        put(&mut project_mut(&mut self.0.model(), project).variables, Variable::plain(name, value));
    }

    /// Lets the pipelines of a project want these inputs, all of them.
    pub fn want_inputs(&self, project: &str, names: &[&str]) {
        project_mut(&mut self.0.model(), project).inputs = names.iter().map(|name| (*name).to_owned()).collect();
    }

    /// Lets a project have no job for what starts a pipeline so (`CI_PIPELINE_SOURCE`), for example `trigger`.
    pub fn without_jobs_for(&self, project: &str, source: &str) {
        project_mut(&mut self.0.model(), project).without_jobs.insert(source.to_owned());
    }

    /// Changes a setting of a project, as `PUT /projects/:id` has them.
    pub fn setting(&self, project: &str, name: &str, value: &str) {
        project_mut(&mut self.0.model(), project).settings.insert(name.to_owned(), value.into());
    }

    /// Limits how many pipelines a user may start in a minute for one commit of a project: gitlab.com has 25.
    pub fn limit_pipelines_per_minute(&self, limit: u32) {
        self.0.model().pipelines_per_minute = Some(limit);
    }
}
