//! Webhooks of projects and groups: their settings, whether GitLab calls them, and the outcome of the last calls.
//!
//! GitLab shows no secret of a webhook. It shows the names of URL variables and headers, and nothing of the secret
//! token.

use std::collections::BTreeSet;

use gitlab::api::common::NameOrId;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::forge::client::{Forge, or_default};
use crate::forge::request::RawRequest;
use crate::types::ProjectPath;
use crate::types::error::ForgeError;

/// The most deliveries that GitLab allows per page ("Get events for a given hook id" in the API documentation).
const DELIVERIES_PER_PAGE: u64 = 20;

/// The project or group that a webhook belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookOwner<'a> {
    /// Only Maintainers see the webhooks.
    Project(&'a ProjectPath),
    /// Only Owners see the webhooks. GitLab calls them for all projects in the group and its subgroups. Only the
    /// editions Premium and Ultimate have them.
    Group(&'a str),
}

impl HookOwner<'_> {
    fn path(self) -> String {
        match self {
            Self::Project(path) => format!("projects/{}/hooks", NameOrId::from(path.as_str())),
            Self::Group(path) => format!("groups/{}/hooks", NameOrId::from(path)),
        }
    }
}

/// A kind of event for which GitLab calls a webhook.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookEvent {
    /// A merge request is opened, changed, closed, reopened or merged.
    MergeRequests,
    /// A comment is written or edited.
    Comments,
    /// A comment that only members may read is written or edited.
    ConfidentialComments,
    /// A pipeline changes its state.
    Pipelines,
    /// A job changes its state.
    Jobs,
    Pushes,
    TagPushes,
    /// Any other event, by the name of GitLab's setting: `issues_events`.
    Other(String),
}

/// GitLab's name of the setting for each event that this program names.
const NAMED_EVENTS: [(HookEvent, &str); 7] = [
    (HookEvent::MergeRequests, "merge_requests_events"),
    (HookEvent::Comments, "note_events"),
    (HookEvent::ConfidentialComments, "confidential_note_events"),
    (HookEvent::Pipelines, "pipeline_events"),
    (HookEvent::Jobs, "job_events"),
    (HookEvent::Pushes, "push_events"),
    (HookEvent::TagPushes, "tag_push_events"),
];

/// The settings of a project's webhook for further events (schema `postApiV4ProjectsIdHooks`).
const OTHER_EVENTS: [&str; 10] = [
    "issues_events",
    "confidential_issues_events",
    "wiki_page_events",
    "deployment_events",
    "feature_flag_events",
    "releases_events",
    "milestone_events",
    "emoji_events",
    "resource_access_token_events",
    "vulnerability_events",
];

/// The additional settings of a group's webhook (API documentation, "Group webhooks API").
const GROUP_EVENTS: [&str; 3] = ["subgroup_events", "member_events", "project_events"];

impl HookEvent {
    /// Returns the name of GitLab's setting.
    pub fn setting(&self) -> &str {
        match self {
            Self::Other(name) => name,
            named => NAMED_EVENTS.iter().find(|(event, _)| event == named).map_or("", |(_, name)| name),
        }
    }

    fn from_setting(name: &str) -> Self {
        let named = NAMED_EVENTS.into_iter().find(|(_, setting)| *setting == name);
        named.map_or_else(|| Self::Other(name.to_owned()), |(event, _)| event)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "RawWebhook")]
pub struct Webhook {
    pub id: u64,
    /// The address that GitLab calls, with `{name}` in place of a URL variable. It may still hold a secret that
    /// somebody wrote there: show only [`Webhook::address`].
    pub url: String,
    /// `None` on older GitLabs.
    pub name: Option<String>,
    pub description: Option<String>,
    /// The events for which GitLab calls the webhook.
    pub events: BTreeSet<HookEvent>,
    /// The template of the body that replaces the event's own (`custom_webhook_template`).
    pub template: Option<String>,
    /// The names of the URL variables.
    pub url_variables: BTreeSet<String>,
    /// The names of the custom headers.
    pub custom_headers: BTreeSet<String>,
    /// Whether GitLab checks certificates; `None` where it does not say.
    pub enable_ssl_verification: Option<bool>,
    /// The branches for whose pushes GitLab calls the webhook; empty for all.
    pub push_events_branch_filter: String,
    /// Whether GitLab calls the webhook: `executable`, `temporarily_disabled` or `disabled`.
    pub alert_status: String,
    /// The end of a temporary disablement, as GitLab writes it.
    pub disabled_until: Option<String>,
}

#[derive(Deserialize)]
struct RawWebhook {
    id: u64,
    #[serde(default, deserialize_with = "or_default")]
    url: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    custom_webhook_template: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    url_variables: Vec<RawName>,
    #[serde(default, deserialize_with = "or_default")]
    custom_headers: Vec<RawName>,
    #[serde(default)]
    enable_ssl_verification: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    push_events_branch_filter: String,
    #[serde(default, deserialize_with = "or_default")]
    alert_status: String,
    #[serde(default)]
    disabled_until: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct RawName {
    key: String,
}

impl From<RawWebhook> for Webhook {
    fn from(raw: RawWebhook) -> Self {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let names = |keys: Vec<RawName>| keys.into_iter().map(|key| key.key).collect();
        let enabled = raw.rest.iter().filter(|(name, value)| name.ends_with("_events") && **value == Value::Bool(true));
        Self {
            id: raw.id,
            url: raw.url,
            name: filled(raw.name),
            description: filled(raw.description),
            events: enabled.map(|(name, _)| HookEvent::from_setting(name)).collect(),
            template: filled(raw.custom_webhook_template),
            url_variables: names(raw.url_variables),
            custom_headers: names(raw.custom_headers),
            enable_ssl_verification: raw.enable_ssl_verification,
            push_events_branch_filter: raw.push_events_branch_filter,
            alert_status: raw.alert_status,
            disabled_until: raw.disabled_until,
        }
    }
}

impl Webhook {
    /// Whether GitLab has stopped calling the webhook, temporarily or for good.
    pub fn is_disabled(&self) -> bool {
        matches!(self.alert_status.as_str(), "temporarily_disabled" | "disabled")
    }

    /// Returns the address without the parts that may hold secrets: user name, password, query and fragment.
    pub fn address(&self) -> String {
        without_secrets(&self.url)
    }
}

/// The settings of a webhook to create, or to change an existing one to.
#[derive(Clone, Copy, Debug)]
pub struct NewWebhook<'a> {
    /// The address to call, with `{name}` in place of a URL variable.
    pub url: &'a str,
    /// The name that people see.
    pub name: &'a str,
    /// The events to call the webhook for. All others are switched off: by default GitLab calls a new webhook for
    /// pushes.
    pub events: &'a [HookEvent],
    /// The template of the body; `None` for the event's own.
    pub template: Option<&'a str>,
    /// Names and values of the URL variables. GitLab never shows the values again.
    pub url_variables: &'a [(&'a str, &'a SecretString)],
}

impl NewWebhook<'_> {
    /// Returns the body of the request. GitLab must always check certificates, because the address holds a token.
    fn body(&self, owner: HookOwner<'_>) -> Value {
        let variables = self.url_variables.iter();
        let variables: Vec<Value> =
            variables.map(|(key, value)| json!({ "key": key, "value": value.expose_secret() })).collect();
        let mut body = Map::from_iter([
            ("url".to_owned(), json!(self.url)),
            ("name".to_owned(), json!(self.name)),
            ("custom_webhook_template".to_owned(), json!(self.template.unwrap_or_default())),
            ("enable_ssl_verification".to_owned(), json!(true)),
        ]);
        if !variables.is_empty() {
            body.insert("url_variables".to_owned(), Value::Array(variables));
        }
        let group_events: &[&str] = match owner {
            HookOwner::Project(_) => &[],
            HookOwner::Group(_) => &GROUP_EVENTS,
        };
        let known = NAMED_EVENTS.iter().map(|(_, name)| *name).chain(OTHER_EVENTS).chain(group_events.iter().copied());
        body.extend(known.map(|name| (name.to_owned(), json!(false))));
        body.extend(self.events.iter().map(|event| (event.setting().to_owned(), json!(true))));
        Value::Object(body)
    }
}

/// A call that GitLab made for a webhook, without request and response: these may hold tokens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WebhookDelivery {
    pub id: u64,
    /// The kind of event: `merge_request_hooks`, `note_hooks`.
    #[serde(default, deserialize_with = "or_default")]
    pub trigger: String,
    /// The address without user name, password, query and fragment.
    #[serde(default, deserialize_with = "address")]
    pub url: String,
    /// The status of the response, or a text such as `internal error` where there was none.
    #[serde(default, deserialize_with = "or_default")]
    pub response_status: String,
}

impl WebhookDelivery {
    /// Whether GitLab counts the call as successful: 2xx and 3xx (`WebHookService`).
    pub fn has_arrived(&self) -> bool {
        self.response_status.parse::<u16>().is_ok_and(|status| (200..400).contains(&status))
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    or_default::<_, String>(deserializer).map(|url| without_secrets(&url))
}

fn without_secrets(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else {
        return url.split(['?', '#']).next().unwrap_or_default().to_owned();
    };
    parsed.set_query(None);
    parsed.set_fragment(None);
    // These fail only for an address without a host, which has neither user name nor password.
    let _ = parsed.set_username("");
    let _ = parsed.set_password(None);
    // Show the place of a URL variable as the user wrote it, not in its escaped form.
    String::from(parsed).replace("%7B", "{").replace("%7D", "}")
}

impl Forge {
    /// Returns the webhooks of a project or group.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] or [`ForgeError::Forbidden`] where the token's user is not a Maintainer of
    /// the project, or not an Owner of the group; [`ForgeError::NotFoundOrNoAccess`] also where this GitLab's edition
    /// has no webhooks for groups.
    pub fn webhooks(&self, owner: HookOwner<'_>) -> impl Iterator<Item = Result<Webhook, ForgeError>> + use<'_> {
        self.list(Ok(RawRequest::get(owner.path())))
    }

    /// Creates a webhook.
    ///
    /// # Errors
    ///
    /// As [`Forge::webhooks`]; [`ForgeError::Refused`] where GitLab does not accept the address or the template.
    pub fn create_webhook(&self, owner: HookOwner<'_>, new: &NewWebhook<'_>) -> Result<Webhook, ForgeError> {
        self.query(&RawRequest::post(owner.path(), new.body(owner)))
    }

    /// Changes a webhook to the settings `new`. URL variables that `new` does not name stay, unless the address changes
    /// (`API::Helpers::WebHooksHelpers`).
    ///
    /// # Errors
    ///
    /// As [`Forge::create_webhook`].
    pub fn update_webhook(&self, owner: HookOwner<'_>, id: u64, new: &NewWebhook<'_>) -> Result<Webhook, ForgeError> {
        self.query(&RawRequest::put(format!("{}/{id}", owner.path()), new.body(owner)))
    }

    /// Returns the calls for a webhook in the last seven days (GitLab keeps no more), newest first, in pages of 20.
    ///
    /// # Errors
    ///
    /// As [`Forge::webhooks`].
    pub fn webhook_deliveries(
        &self,
        owner: HookOwner<'_>,
        id: u64,
    ) -> impl Iterator<Item = Result<WebhookDelivery, ForgeError>> + use<'_> {
        self.list_by(DELIVERIES_PER_PAGE, Ok(RawRequest::get(format!("{}/{id}/events", owner.path()))))
    }
}
