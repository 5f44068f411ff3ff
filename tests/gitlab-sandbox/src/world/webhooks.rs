//! Webhooks that a test sets up, and what was sent to them.

use super::project_id;
use crate::model::Model;
use crate::model::webhooks::{AlertStatus, Delivery, HookEvent, HookOwner, Webhook};
use crate::routes::new_hook;
use crate::sandbox::Handle;
use crate::webhooks::template::Interpolation;

fn hook_of(model: &Model, id: u64) -> &Webhook {
    model.webhooks.get(&id).unwrap_or_else(|| panic!("there is no webhook {id}"))
}

impl Handle {
    /// Starts a webhook of a project; see [`HookBuilder`].
    pub fn hook(&self, project: &str, url: &str) -> HookBuilder {
        let model = &mut *self.0.model();
        let owner = HookOwner::Project(project_id(model, project));
        self.new_hook(model, owner, url)
    }

    /// Starts a webhook of a group.
    pub fn group_hook(&self, group: &str, url: &str) -> HookBuilder {
        let model = &mut *self.0.model();
        let id = model.namespace(group).unwrap_or_else(|| panic!("there is no group {group}")).id;
        self.new_hook(model, HookOwner::Group(id), url)
    }

    fn new_hook(&self, model: &mut Model, owner: HookOwner, url: &str) -> HookBuilder {
        let mut hook = new_hook(model, owner);
        hook.events.clear();
        url.clone_into(&mut hook.url);
        HookBuilder { handle: self.clone(), hook }
    }

    /// Sends what webhooks are still to hear of. What requests cause goes out before they are answered; this is for what
    /// a test did itself, and whoever looks at requests, writes, deliveries or what was started, has it done.
    pub fn deliver_webhooks(&self) {
        crate::webhooks::delivery::deliver(&self.0);
    }

    /// What was sent to a webhook, or could not be, oldest first.
    #[must_use]
    pub fn deliveries(&self, hook: u64) -> Vec<Delivery> {
        self.deliver_webhooks();
        hook_of(&self.0.model(), hook).deliveries.clone()
    }

    /// Whether a webhook works at this moment.
    #[must_use]
    pub fn alert_status(&self, hook: u64) -> AlertStatus {
        self.deliver_webhooks();
        let model = self.0.model();
        hook_of(&model, hook).alert_status(model.clock.peek())
    }

    /// Says how webhook templates are rendered: since 18.6 as JSON.
    pub fn set_interpolation(&self, how: Interpolation) {
        self.0.model().interpolation = how;
    }

    /// Goes to where a minute begins, some minutes ahead: from there on each event is a millisecond after the one before,
    /// so that many happen within that minute.
    pub fn begin_minute(&self) {
        self.0.model().clock.begin_minute();
    }

    /// Lets time pass.
    pub fn pass_time(&self, seconds: u64) {
        self.0.model().clock.pass(seconds);
    }
}

/// A webhook in the making: it fires on nothing until it is told on what.
#[derive(Debug, Clone)]
#[must_use = "`create` makes it"]
pub struct HookBuilder {
    handle: Handle,
    hook: Webhook,
}

impl HookBuilder {
    /// One more event that it fires on.
    pub fn on(mut self, event: HookEvent) -> Self {
        self.hook.events.insert(event.setting().to_owned());
        self
    }

    /// A masked part of the address, `{name}` there.
    pub fn masked(mut self, name: &str, value: &str) -> Self {
        self.hook.url_variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A header of its own.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.hook.custom_headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// What it sends in place of the event's own body.
    pub fn template(mut self, template: &str) -> Self {
        self.hook.template = Some(template.to_owned());
        self
    }

    /// The secret that it sends in `X-Gitlab-Token`.
    pub fn token(mut self, token: &str) -> Self {
        self.hook.token = Some(token.to_owned());
        self
    }

    /// Makes it, and gives its id.
    ///
    /// # Panics
    ///
    /// If a part of the address has no value.
    pub fn create(self) -> u64 {
        let missing = self.hook.missing_url_variables();
        assert!(missing.is_empty(), "the address has parts without a value: {missing:?}");
        let id = self.hook.id;
        self.handle.0.model().webhooks.insert(id, self.hook);
        id
    }
}
