//! Webhooks: what they fire on, who is told, when one is switched off, and what stops circles.
//!
//! What GitLab announces is put down here with the hooks that are to hear of it; nothing is sent. Switching off follows
//! `web_hooks/auto_disabling.rb`, circles `lib/gitlab/web_hooks/recursion_detection.rb`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Model;
use super::projects::Namespace;
use crate::clock::Moment;
use crate::log::matches_pattern;

/// After this many failures in a row the next one switches a hook off for a while.
const FREE_FAILURES: u32 = 3;
/// After this many failures in a row the next one switches a hook off for good.
const LAST_FAILURES: u32 = 39;
const FIRST_PAUSE: u64 = 60;
const LONGEST_PAUSE: u64 = 24 * 60 * 60;
/// How many hooks a chain may have.
const CHAIN_LIMIT: usize = 100;

/// The events that a hook may be set to, by the names of the API, and whether it is where nothing is said.
pub(crate) const EVENTS: [(&str, bool); 17] = [
    ("push_events", true),
    ("tag_push_events", false),
    ("issues_events", false),
    ("confidential_issues_events", false),
    ("merge_requests_events", false),
    ("note_events", false),
    ("confidential_note_events", false),
    ("job_events", false),
    ("pipeline_events", false),
    ("wiki_page_events", false),
    ("deployment_events", false),
    ("feature_flag_events", false),
    ("releases_events", false),
    ("milestone_events", false),
    ("emoji_events", false),
    ("resource_access_token_events", false),
    ("vulnerability_events", false),
];

/// An event that the sandbox announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookEvent {
    /// A branch moved.
    Push,
    /// A merge request was opened, changed, closed, reopened or merged.
    MergeRequest,
    /// A comment was written or edited.
    Note,
    /// The same, for members only.
    ConfidentialNote,
    /// A pipeline came into another state.
    Pipeline,
}

impl HookEvent {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Push, Self::MergeRequest, Self::Note, Self::ConfidentialNote, Self::Pipeline];

    /// The name of the setting, for example `merge_requests_events`.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Push => "push_events",
            Self::MergeRequest => "merge_requests_events",
            Self::Note => "note_events",
            Self::ConfidentialNote => "confidential_note_events",
            Self::Pipeline => "pipeline_events",
        }
    }

    /// What the header `X-Gitlab-Event` says.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Push => "Push Hook",
            Self::MergeRequest => "Merge Request Hook",
            Self::Note => "Note Hook",
            Self::ConfidentialNote => "Confidential Note Hook",
            Self::Pipeline => "Pipeline Hook",
        }
    }

    /// The name in the list of deliveries.
    #[must_use]
    pub const fn trigger(self) -> &'static str {
        match self {
            Self::Push => "push_hooks",
            Self::MergeRequest => "merge_request_hooks",
            Self::Note => "note_hooks",
            Self::ConfidentialNote => "confidential_note_hooks",
            Self::Pipeline => "pipeline_hooks",
        }
    }
}

/// Whose hook it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookOwner {
    /// A project's.
    Project(u64),
    /// A group's: it hears of all projects in it and in its subgroups.
    Group(u64),
}

/// A webhook.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// The id.
    pub id: u64,
    /// Whose it is.
    pub owner: HookOwner,
    /// The address, with `{name}` for its masked parts.
    pub url: String,
    /// What stands for the masked parts.
    pub url_variables: BTreeMap<String, String>,
    /// The name to show, if any.
    pub name: Option<String>,
    /// The description, if any.
    pub description: Option<String>,
    /// The names of the settings for events that are on.
    pub events: BTreeSet<String>,
    /// Which branches a push hook hears of: a pattern; all where it is empty.
    pub branch_filter: String,
    /// What is sent in `X-Gitlab-Token`.
    pub token: Option<String>,
    /// Headers of its own.
    pub custom_headers: BTreeMap<String, String>,
    /// What the body is made of, in place of the event's own.
    pub template: Option<String>,
    /// Whether certificates are checked.
    pub ssl_verification: bool,
    /// How many deliveries have failed in a row.
    pub recent_failures: u32,
    /// Until when it is switched off.
    pub disabled_until: Option<Moment>,
    /// When it was made.
    pub created_at: Moment,
    /// What was delivered, oldest first.
    pub deliveries: Vec<Delivery>,
}

/// Whether a hook works (`alert_status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertStatus {
    /// It fires.
    Executable,
    /// Off for a while.
    TemporarilyDisabled,
    /// Off for good.
    Disabled,
}

impl AlertStatus {
    /// The name as the API writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Executable => "executable",
            Self::TemporarilyDisabled => "temporarily_disabled",
            Self::Disabled => "disabled",
        }
    }
}

/// An event that was sent, or that could not be.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The id.
    pub id: u64,
    /// What it was about.
    pub event: HookEvent,
    /// The address, masked parts masked.
    pub url: String,
    /// The headers sent, secrets left out.
    pub headers: Vec<(String, String)>,
    /// The body sent; null where none could be made.
    pub body: Value,
    /// The answer's status; nothing where there was none.
    pub status: Option<u16>,
    /// The answer's headers.
    pub response_headers: Vec<(String, String)>,
    /// The answer's body.
    pub response: String,
    /// What went wrong on this side.
    pub error: Option<String>,
    /// When it was sent.
    pub created_at: Moment,
}

impl Delivery {
    /// Whether GitLab takes it for one that arrived: 2xx and 3xx.
    #[must_use]
    pub fn arrived(&self) -> bool {
        self.status.is_some_and(|status| (200..400).contains(&status))
    }
}

/// Something that GitLab tells these hooks.
#[derive(Debug, Clone)]
pub(crate) struct Announced {
    pub(crate) event: HookEvent,
    pub(crate) hooks: Vec<u64>,
    pub(crate) body: Value,
    /// `X-Gitlab-Event-UUID` of the request that caused it, where a webhook made that.
    pub(crate) chain: Option<String>,
    /// A test, which goes out whatever state the hook is in.
    pub(crate) test: bool,
}

impl Webhook {
    /// Whether it works at this moment.
    #[must_use]
    pub fn alert_status(&self, now: Moment) -> AlertStatus {
        if self.recent_failures > LAST_FAILURES {
            AlertStatus::Disabled
        } else if self.recent_failures > FREE_FAILURES && self.disabled_until.is_some_and(|until| until >= now) {
            AlertStatus::TemporarilyDisabled
        } else {
            AlertStatus::Executable
        }
    }

    /// The address with its masked parts filled in.
    pub(crate) fn full_url(&self) -> String {
        let filled = |url: String, (name, value): (&String, &String)| url.replace(&format!("{{{name}}}"), value);
        self.url_variables.iter().fold(self.url.clone(), filled)
    }

    /// Names in the address that nothing stands for.
    pub(crate) fn missing_url_variables(&self) -> Vec<&str> {
        let names = self.url.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
        names.filter(|name| !self.url_variables.contains_key(*name)).collect()
    }

    /// Counts a failure, and switches it off for as long as GitLab does.
    fn back_off(&mut self, now: Moment) {
        if self.alert_status(now) != AlertStatus::Executable {
            return;
        }
        let doubled = self.recent_failures.saturating_sub(FREE_FAILURES).min(20);
        self.recent_failures = (self.recent_failures + 1).min(LAST_FAILURES + 1);
        if self.recent_failures > FREE_FAILURES {
            let pause = (FIRST_PAUSE << doubled).min(LONGEST_PAUSE);
            self.disabled_until = Some(Moment(now.0 + pause * 1000));
        }
    }

    /// Notes how a delivery ended.
    pub(crate) fn delivered(&mut self, delivery: Delivery, now: Moment) {
        if delivery.arrived() {
            (self.recent_failures, self.disabled_until) = (0, None);
        } else {
            self.back_off(now);
        }
        self.deliveries.push(delivery);
    }
}

impl Model {
    /// Tells the hooks of a project and of the groups around it, where any listen.
    pub(crate) fn announce(
        &mut self,
        project: u64,
        event: HookEvent,
        branch: Option<&str>,
        body: impl FnOnce(&Self) -> Option<Value>,
    ) {
        let hooks = self.listening(project, event, branch);
        if hooks.is_empty() {
            return;
        }
        let Some(body) = body(self) else { return };
        self.announced.push(Announced { event, hooks, body, chain: self.chain.clone(), test: false });
    }

    fn listening(&self, project: u64, event: HookEvent, branch: Option<&str>) -> Vec<u64> {
        if self.webhooks.is_empty() {
            return Vec::new();
        }
        let mut owners = vec![HookOwner::Project(project)];
        let mut next = self.projects.get(&project).map(|project| project.namespace);
        while let Some(Namespace { id, parent, .. }) = next.and_then(|id| self.namespaces.get(&id)) {
            owners.push(HookOwner::Group(*id));
            next = *parent;
        }
        let now = self.clock.peek();
        let listening = self.webhooks.values().filter(|hook| {
            owners.contains(&hook.owner)
                && hook.events.contains(event.setting())
                && branch.is_none_or(|branch| hook.hears_of(branch))
                && hook.alert_status(now) == AlertStatus::Executable
                && !self.blocks(self.chain.as_deref(), hook.id)
        });
        listening.map(|hook| hook.id).collect()
    }

    /// Whether a hook is in this chain already, or the chain too long.
    pub(crate) fn blocks(&self, chain: Option<&str>, hook: u64) -> bool {
        let hooks = chain.and_then(|chain| self.chains.get(chain));
        hooks.is_some_and(|hooks| hooks.contains(&hook) || hooks.len() >= CHAIN_LIMIT)
    }
}

impl Webhook {
    fn hears_of(&self, branch: &str) -> bool {
        self.branch_filter.is_empty() || matches_pattern(&self.branch_filter, branch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook() -> Webhook {
        Webhook {
            id: 1,
            owner: HookOwner::Project(1),
            url: "http://x/{a}?token={t}".to_owned(),
            url_variables: BTreeMap::from([("t".to_owned(), "secret".to_owned())]),
            name: None,
            description: None,
            events: BTreeSet::new(),
            branch_filter: String::new(),
            token: None,
            custom_headers: BTreeMap::new(),
            template: None,
            ssl_verification: true,
            recent_failures: 0,
            disabled_until: None,
            created_at: Moment(0),
            deliveries: Vec::new(),
        }
    }

    /// `web_hooks/auto_disabling.rb`: three failures are free, the fourth costs a minute, each further one twice as much,
    /// a day at most, and the fortieth ends it.
    #[test]
    fn failures_switch_a_hook_off_for_longer_and_longer() {
        let (mut hook, mut now, mut pauses) = (hook(), 0, Vec::new());
        for failure in 1..=40 {
            hook.back_off(Moment(now));
            let status = hook.alert_status(Moment(now));
            let expected = match failure {
                1..=3 => AlertStatus::Executable,
                40 => AlertStatus::Disabled,
                _ => AlertStatus::TemporarilyDisabled,
            };
            assert_eq!(status, expected, "{failure}");
            hook.back_off(Moment(now));
            assert_eq!(hook.recent_failures, if failure < 4 { failure + 1 } else { failure }, "off, none is counted");
            hook.recent_failures = failure;
            pauses.extend(hook.disabled_until.filter(|_| failure > 3).map(|until| (until.0 - now) / 60_000));
            now = hook.disabled_until.map_or(now, |until| until.0) + 1;
        }
        assert_eq!(pauses.get(..12), Some([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1440].as_slice()));
    }

    #[test]
    fn masked_parts_of_an_address_are_filled_in() {
        assert_eq!(hook().full_url(), "http://x/{a}?token=secret");
        assert_eq!(hook().missing_url_variables(), ["a"]);
    }
}
