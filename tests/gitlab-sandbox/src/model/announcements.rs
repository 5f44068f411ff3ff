//! What GitLab tells webhooks of, put down where it happens: of a push, of what is done to a merge request, of comments,
//! of pipelines. Who hears of it is for [`super::webhooks`] to say.

use serde_json::{Map, Value, json};

use super::Model;
use super::merge_requests::MergeRequest;
use super::pushes::Moved;
use super::webhooks::HookEvent;
use crate::webhooks::bodies;

/// Of a push that moves more branches than this no webhook hears (`push_event_hooks_limit`).
const PUSH_EVENT_HOOKS_LIMIT: usize = 3;

impl Model {
    /// Tells webhooks of the branches that a push moved.
    pub(crate) fn tell_push(&mut self, project: u64, by: u64, moved: &[Moved]) {
        if moved.len() > PUSH_EVENT_HOOKS_LIMIT {
            return;
        }
        for change in moved {
            let body = |model: &Self| bodies::push(model, project, by, change);
            self.announce(project, HookEvent::Push, Some(&change.name), body);
        }
    }

    /// Tells webhooks what was done to a merge request.
    pub(crate) fn tell(&mut self, id: u64, by: u64, action: &str, changes: &Value) {
        let target = self.merge_requests.get(&id).map_or(0, |request| request.target_project);
        let body = |model: &Self| bodies::merge_request(model, id, by, action, changes, None);
        self.announce(target, HookEvent::MergeRequest, None, body);
    }

    /// Tells webhooks of a new head.
    pub(crate) fn tell_new_head(&mut self, id: u64, by: u64, old: &str) {
        let target = self.merge_requests.get(&id).map_or(0, |request| request.target_project);
        let body = |model: &Self| bodies::merge_request(model, id, by, "update", &json!({}), Some(old));
        self.announce(target, HookEvent::MergeRequest, None, body);
    }

    /// Tells webhooks what is another than it was, where anything is.
    pub(crate) fn tell_changes(&mut self, old: &MergeRequest, by: u64) {
        let Some(new) = self.merge_requests.get(&old.id) else { return };
        let fields = |request: &MergeRequest| {
            json!({
                "title": request.title, "description": request.description, "draft": request.is_draft(),
                "target_branch": request.target_branch, "labels": request.labels,
            })
        };
        let (before, after) = (fields(old), fields(new));
        let mut changes = Map::new();
        for (name, previous) in before.as_object().into_iter().flatten() {
            if let Some(current) = after.get(name).filter(|current| *current != previous) {
                changes.insert(name.clone(), json!({ "previous": previous, "current": current }));
            }
        }
        if !changes.is_empty() {
            self.tell(old.id, by, "update", &Value::Object(changes));
        }
    }

    /// Tells webhooks of a note, which is none of GitLab's own.
    pub(crate) fn tell_note(&mut self, id: u64, action: &str) {
        let Some(note) = self.notes.get(&id) else { return };
        let event = if note.internal { HookEvent::ConfidentialNote } else { HookEvent::Note };
        let project = self.merge_requests.get(&note.merge_request).map_or(0, |request| request.target_project);
        self.announce(project, event, None, |model| bodies::note(model, model.notes.get(&id)?, action));
    }

    /// Tells webhooks of the project that a pipeline runs in of its new state.
    pub(crate) fn tell_pipeline(&mut self, id: u64, project: u64) {
        self.announce(project, HookEvent::Pipeline, None, |model| bodies::pipeline(model, id));
    }
}
