//! Webhooks of projects and groups: what they are set to, whether GitLab calls them, and how the last calls went.
//!
//! GitLab shows no secret of a webhook: of its URL variables and headers the names, of its secret token nothing.

use std::collections::BTreeSet;

use gitlab::api::common::NameOrId;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::forge::client::{Forge, or_default};
use crate::forge::error::ForgeError;
use crate::forge::request::RawRequest;
use crate::types::ProjectPath;

/// How many deliveries a page has: more are refused ("Get events for a given hook id" in GitLab's API).
const DELIVERIES_PER_PAGE: u64 = 20;

/// Whose webhooks are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookOwner<'a> {
    /// A project's, which its Maintainers see.
    Project(&'a ProjectPath),
    /// A group's, which its Owners see: they hear of all projects in it and in its subgroups. GitLab has them in its
    /// editions Premium and Ultimate.
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

/// What a webhook is called for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookEvent {
    /// Merge requests are opened, changed, closed, reopened, merged.
    MergeRequests,
    /// Comments are written or edited.
    Comments,
    /// The same of comments that only members may read.
    ConfidentialComments,
    /// Pipelines change their state.
    Pipelines,
    /// Jobs change their state.
    Jobs,
    /// Branches are pushed to.
    Pushes,
    /// Tags are pushed.
    TagPushes,
    /// Anything else, by the name of GitLab's setting: `issues_events`.
    Other(String),
}

/// GitLab's name of the setting for each event that has a name here.
const NAMED: [(HookEvent, &str); 7] = [
    (HookEvent::MergeRequests, "merge_requests_events"),
    (HookEvent::Comments, "note_events"),
    (HookEvent::ConfidentialComments, "confidential_note_events"),
    (HookEvent::Pipelines, "pipeline_events"),
    (HookEvent::Jobs, "job_events"),
    (HookEvent::Pushes, "push_events"),
    (HookEvent::TagPushes, "tag_push_events"),
];

/// The settings for further events that a webhook of a project has (schema `postApiV4ProjectsIdHooks`).
const OTHERS: [&str; 10] = [
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

/// The settings that a webhook of a group has besides (API documentation, "Group webhooks API").
const OF_GROUPS: [&str; 3] = ["subgroup_events", "member_events", "project_events"];

impl HookEvent {
    /// Returns GitLab's name of the setting.
    pub fn setting(&self) -> &str {
        match self {
            Self::Other(name) => name,
            named => NAMED.iter().find(|(event, _)| event == named).map_or("", |(_, name)| name),
        }
    }

    fn from_setting(name: &str) -> Self {
        let named = NAMED.into_iter().find(|(_, setting)| *setting == name);
        named.map_or_else(|| Self::Other(name.to_owned()), |(event, _)| event)
    }
}

/// A webhook of a project or group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "RawWebhook")]
pub struct Webhook {
    /// Its number.
    pub id: u64,
    /// The address that is called, with `{name}` where a URL variable stands. Whoever set it up may have put a secret
    /// into it all the same: [`Webhook::address`] is what may be shown.
    pub url: String,
    /// Its name; older GitLabs have none.
    pub name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// What it is called for.
    pub events: BTreeSet<HookEvent>,
    /// What the body is made of, in place of the event's own (`custom_webhook_template`).
    pub template: Option<String>,
    /// The names of its URL variables.
    pub url_variables: BTreeSet<String>,
    /// The names of its own headers.
    pub custom_headers: BTreeSet<String>,
    /// Whether certificates are checked; nothing where GitLab does not say.
    pub enable_ssl_verification: Option<bool>,
    /// Which branches it hears of pushes to; empty for all.
    pub push_events_branch_filter: String,
    /// Whether GitLab calls it: `executable`, `temporarily_disabled` or `disabled`.
    pub alert_status: String,
    /// Until when it does not, as GitLab writes it.
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
    url_variables: Vec<Key>,
    #[serde(default, deserialize_with = "or_default")]
    custom_headers: Vec<Key>,
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
struct Key {
    key: String,
}

impl From<RawWebhook> for Webhook {
    fn from(raw: RawWebhook) -> Self {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let names = |keys: Vec<Key>| keys.into_iter().map(|key| key.key).collect();
        let on = raw.rest.iter().filter(|(name, value)| name.ends_with("_events") && **value == Value::Bool(true));
        Self {
            id: raw.id,
            url: raw.url,
            name: filled(raw.name),
            description: filled(raw.description),
            events: on.map(|(name, _)| HookEvent::from_setting(name)).collect(),
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
    /// Whether GitLab has stopped calling it, for a while or for good.
    pub fn is_disabled(&self) -> bool {
        matches!(self.alert_status.as_str(), "temporarily_disabled" | "disabled")
    }

    /// Returns the address without user name, password and query, where secrets could be.
    pub fn address(&self) -> String {
        without_secrets(&self.url)
    }
}

/// A webhook as it is to be: made so, or changed to be so.
#[derive(Clone, Copy, Debug)]
pub struct NewWebhook<'a> {
    /// The address to call, with `{name}` where the value of a URL variable belongs.
    pub url: &'a str,
    /// Its name, which people see.
    pub name: &'a str,
    /// What it is called for; all else is switched off, for GitLab calls a new webhook for pushes if not told otherwise.
    pub events: &'a [HookEvent],
    /// What the body is made of; nothing for the event's own.
    pub template: Option<&'a str>,
    /// The URL variables, which GitLab does not show again.
    pub url_variables: &'a [(&'a str, &'a SecretString)],
}

impl NewWebhook<'_> {
    /// Returns the body of the request. Certificates are always checked: the address holds a token.
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
        let of_groups: &[&str] = match owner {
            HookOwner::Project(_) => &[],
            HookOwner::Group(_) => &OF_GROUPS,
        };
        let known = NAMED.iter().map(|(_, name)| *name).chain(OTHERS).chain(of_groups.iter().copied());
        body.extend(known.map(|name| (name.to_owned(), json!(false))));
        body.extend(self.events.iter().map(|event| (event.setting().to_owned(), json!(true))));
        Value::Object(body)
    }
}

/// A call that GitLab made for a webhook. What was sent and answered is left out: tokens may be in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WebhookDelivery {
    /// Its number.
    pub id: u64,
    /// What it was about: `merge_request_hooks`, `note_hooks`.
    #[serde(default, deserialize_with = "or_default")]
    pub trigger: String,
    /// The address, without user name, password and query.
    #[serde(default, deserialize_with = "address")]
    pub url: String,
    /// The status of the answer, or a word such as `internal error` where there was none.
    #[serde(default, deserialize_with = "or_default")]
    pub response_status: String,
}

impl WebhookDelivery {
    /// Whether GitLab takes it for one that arrived: 2xx and 3xx (`WebHookService`).
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
    // Only an address without a host refuses these, and such an address has neither.
    let _ = parsed.set_username("");
    let _ = parsed.set_password(None);
    // A URL variable's place is shown as it is set, not as an address has to write it.
    String::from(parsed).replace("%7B", "{").replace("%7D", "}")
}

impl Forge {
    /// Returns the webhooks of a project or group; read page by page.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] or [`ForgeError::Forbidden`] where the token's user is no Maintainer of the
    /// project, or no Owner of the group; the former as well where this GitLab's edition has none for groups.
    pub fn webhooks(&self, owner: HookOwner<'_>) -> impl Iterator<Item = Result<Webhook, ForgeError>> + use<'_> {
        self.list(Ok(RawRequest::get(owner.path())))
    }

    /// Makes a webhook.
    ///
    /// # Errors
    ///
    /// As [`Forge::webhooks`]; [`ForgeError::Refused`] where GitLab takes the address or the template for wrong.
    pub fn create_webhook(&self, owner: HookOwner<'_>, new: &NewWebhook<'_>) -> Result<Webhook, ForgeError> {
        self.query(&RawRequest::post(owner.path(), new.body(owner)))
    }

    /// Changes a webhook into `new`. URL variables that `new` does not name stay, unless the address is another
    /// (`API::Helpers::WebHooksHelpers`).
    ///
    /// # Errors
    ///
    /// As [`Forge::create_webhook`].
    pub fn update_webhook(&self, owner: HookOwner<'_>, id: u64, new: &NewWebhook<'_>) -> Result<Webhook, ForgeError> {
        self.query(&RawRequest::put(format!("{}/{id}", owner.path()), new.body(owner)))
    }

    /// Returns the calls made for a webhook in the last days (GitLab keeps seven), the newest first; read page by page,
    /// of 20 each.
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
