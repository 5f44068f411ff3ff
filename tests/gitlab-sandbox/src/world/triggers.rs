//! Trigger tokens that a test hands out, and what was started with them.

use super::{project_id, user_id};
use crate::model::triggers::{TriggerToken, Triggered};
use crate::sandbox::Handle;

impl Handle {
    /// Makes a pipeline trigger token of a project, owned by a user, and gives its value.
    pub fn trigger_token(&self, project: &str, owner: &str) -> String {
        let model = &mut *self.0.model();
        let (project, owner_id, id) = (project_id(model, project), user_id(model, owner), model.next_id());
        let value = format!("glptt-{owner}-{id}_s3cr3t");
        model.trigger_tokens.push(TriggerToken { value: value.clone(), project, owner: owner_id });
        value
    }

    /// What was started in a project through the trigger endpoint, oldest first.
    #[must_use]
    pub fn triggered(&self, project: &str) -> Vec<Triggered> {
        let model = self.0.model();
        let id = project_id(&model, project);
        model.triggered.iter().filter(|triggered| triggered.project == id).cloned().collect()
    }
}
