//! The bot's webhooks: which URL they call, for which events, and what they send.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::forge::HookEvent;
use crate::types::{BranchName, ProjectId};

/// The name of the masked part of the URL. Its value is the trigger token.
pub const TOKEN_PART: &str = "token";

/// What a webhook is called for. Each kind has a webhook of its own, so that GitLab does not stop both when one kind
/// floods the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookKind {
    /// Merge requests that are opened, pushed to, edited, closed or merged.
    MergeRequests,
    Comments,
}

impl HookKind {
    pub const ALL: [Self; 2] = [Self::MergeRequests, Self::Comments];

    /// Returns the event in GitLab's API.
    pub const fn event(self) -> HookEvent {
        match self {
            Self::MergeRequests => HookEvent::MergeRequests,
            Self::Comments => HookEvent::Comments,
        }
    }

    /// Returns the label of the event in GitLab's forms.
    pub const fn form_label(self) -> &'static str {
        match self {
            Self::MergeRequests => "Merge request events",
            Self::Comments => "Comments",
        }
    }
}

impl fmt::Display for HookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MergeRequests => "merge requests",
            Self::Comments => "comments",
        })
    }
}

/// Returns the URL that starts a pipeline of the bot project, without a token. Of the two forms it is the one whose
/// path names the branch ("Trigger pipelines with the API" in GitLab's documentation).
pub fn trigger_url(gitlab: &Url, project: ProjectId, branch: &BranchName) -> String {
    let base = gitlab.as_str().trim_end_matches('/');
    format!("{base}/api/v4/projects/{project}/ref/{}/trigger/pipeline", percent_encoded(branch.as_str()))
}

/// Returns the URL of a webhook, with a placeholder for the token.
pub fn hook_url(trigger_url: &str) -> String {
    format!("{trigger_url}?token={{{TOKEN_PART}}}")
}

/// Whether a webhook with this URL calls `trigger_url`, with any token.
pub fn calls(url: &str, trigger_url: &str) -> bool {
    url.strip_prefix(trigger_url).is_some_and(|rest| rest.is_empty() || rest.starts_with('?'))
}

/// Returns a webhook's URL with the bot project's id in the place of its path. GitLab's API takes either.
pub fn with_project_id(url: &str, trigger_url: &str, project: &str) -> String {
    const PROJECTS: &str = "/api/v4/projects/";
    let Some((gitlab, rest)) = trigger_url.split_once(PROJECTS) else { return url.to_owned() };
    let id = rest.split('/').next().unwrap_or_default();
    let path = project.replace('/', "%2F");
    match url.strip_prefix(&format!("{gitlab}{PROJECTS}{path}/")) {
        Some(rest) => format!("{gitlab}{PROJECTS}{id}/{rest}"),
        None => url.to_owned(),
    }
}

/// Returns what a webhook sends: only identifiers, and the webhook token where the instance requires one. All values
/// are quoted, because a field that an event lacks renders as nothing and would break the JSON.
pub fn template(webhook_token: Option<&SecretString>) -> String {
    let token = webhook_token.map(|token| format!(r#", "webhook_token": "{}""#, token.expose_secret()));
    format!(
        r#"{{"source_git_bot": {{"v": "1", "kind": "{{{{object_kind}}}}", "project": "{{{{project.id}}}}", "id": "{{{{object_attributes.id}}}}", "iid": "{{{{object_attributes.iid}}}}", "mr": "{{{{merge_request.iid}}}}", "mr_project": "{{{{merge_request.target_project_id}}}}"{}}}}}"#,
        token.unwrap_or_default()
    )
}

/// Returns a branch's name as one part of a path.
fn percent_encoded(name: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let part = |byte: u8| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::TriggerAddress;

    #[test]
    fn notify_accepts_the_trigger_url() {
        let gitlab = Url::parse("https://host:8443/gitlab/").unwrap();
        let url = trigger_url(&gitlab, ProjectId(42), &"release/é".parse().unwrap());
        assert_eq!(url, "https://host:8443/gitlab/api/v4/projects/42/ref/release%2F%C3%A9/trigger/pipeline");
        assert!(TriggerAddress::parse(&url, &gitlab).is_ok());
        assert_eq!(hook_url("https://x/trigger/pipeline"), "https://x/trigger/pipeline?token={token}");
        assert!(calls(&hook_url(&url), &url) && calls(&url, &url));
        assert!(!calls(&format!("{url}s?token=x"), &url) && !calls("https://elsewhere", &url));
    }

    #[test]
    fn the_template_is_the_one_in_the_bot_projects_example() {
        let example = include_str!("../../ci-templates/examples/bot-project.gitlab-ci.yml");
        let (_, described) = example.split_once("#   template    ").unwrap();
        let (described, _) = described.split_once("\n#\n").unwrap();
        let lines = described.lines().map(|line| line.trim_start_matches('#').trim());
        assert_eq!(template(None), lines.collect::<Vec<_>>().join(" "));
    }

    #[test]
    fn the_template_holds_the_webhook_token_beside_the_identifiers() {
        let sent = template(Some(&"eyJ.x.y".into()));
        let value: serde_json::Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(value["source_git_bot"]["webhook_token"], "eyJ.x.y");
        assert_eq!(value["source_git_bot"]["v"], "1");
        assert_eq!(value.as_object().unwrap().len(), 1);
    }
}
