//! The bot's webhooks: where they call, for what, and what they send.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::types::{BranchName, ProjectId};

/// The name of the masked part of the address, which is the trigger token.
pub const TOKEN_PART: &str = "token";

/// What one webhook tells of. Each has a webhook of its own, so that a flood of the one cannot switch the other off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookKind {
    /// Merge requests: opened, pushed to, edited, closed, merged.
    MergeRequests,
    /// Comments.
    Comments,
}

impl HookKind {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::MergeRequests, Self::Comments];

    /// Returns the name of the event in GitLab's forms.
    pub const fn event(self) -> &'static str {
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

/// Returns the address that starts a pipeline of the bot project, in the form whose path names the branch; without a
/// token ("Trigger pipelines with the API" in GitLab's documentation).
pub fn trigger_url(gitlab: &Url, project: ProjectId, branch: &BranchName) -> String {
    let base = gitlab.as_str().trim_end_matches('/');
    format!("{base}/api/v4/projects/{project}/ref/{}/trigger/pipeline", encoded(branch.as_str()))
}

/// Returns the address of a webhook, with the place of its token.
pub fn hook_url(trigger_url: &str) -> String {
    format!("{trigger_url}?token={{{TOKEN_PART}}}")
}

/// Whether a webhook of this address starts pipelines at `trigger_url`, with whatever token.
pub fn calls(address: &str, trigger_url: &str) -> bool {
    address.strip_prefix(trigger_url).is_some_and(|rest| rest.is_empty() || rest.starts_with('?'))
}

/// Returns an address with the number of the bot project, where it names that by its path as GitLab's API lets it.
pub fn by_number(address: &str, trigger_url: &str, project: &str) -> String {
    const PROJECTS: &str = "/api/v4/projects/";
    let Some((gitlab, rest)) = trigger_url.split_once(PROJECTS) else { return address.to_owned() };
    let number = rest.split('/').next().unwrap_or_default();
    let path = project.replace('/', "%2F");
    match address.strip_prefix(&format!("{gitlab}{PROJECTS}{path}/")) {
        Some(rest) => format!("{gitlab}{PROJECTS}{number}/{rest}"),
        None => address.to_owned(),
    }
}

/// Returns what a webhook sends: identifiers alone, all quoted, because a field that an event lacks renders as nothing and
/// would break the JSON. With a webhook token where the instance requires them.
pub fn template(webhook_token: Option<&SecretString>) -> String {
    let token = webhook_token.map(|token| format!(r#", "webhook_token": "{}""#, token.expose_secret()));
    format!(
        r#"{{"source_git_bot": {{"v": "1", "kind": "{{{{object_kind}}}}", "project": "{{{{project.id}}}}", "id": "{{{{object_attributes.id}}}}", "iid": "{{{{object_attributes.iid}}}}", "mr": "{{{{merge_request.iid}}}}", "mr_project": "{{{{merge_request.target_project_id}}}}"{}}}}}"#,
        token.unwrap_or_default()
    )
}

/// A branch's name as one part of a path.
fn encoded(name: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let part = |byte: u8| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::TriggerAddress;

    #[test]
    fn the_address_is_one_that_notify_takes() {
        let gitlab = Url::parse("https://host:8443/gitlab/").unwrap();
        let url = trigger_url(&gitlab, ProjectId(42), &"release/é".parse().unwrap());
        assert_eq!(url, "https://host:8443/gitlab/api/v4/projects/42/ref/release%2F%C3%A9/trigger/pipeline");
        assert!(TriggerAddress::parse(&url, &gitlab).is_ok());
        assert_eq!(hook_url("https://x/trigger/pipeline"), "https://x/trigger/pipeline?token={token}");
        assert!(calls(&hook_url(&url), &url) && calls(&url, &url));
        assert!(!calls(&format!("{url}s?token=x"), &url) && !calls("https://elsewhere", &url));
    }

    #[test]
    fn what_is_sent_is_what_the_example_of_a_bot_project_describes() {
        let example = include_str!("../../ci-templates/examples/bot-project.gitlab-ci.yml");
        let (_, described) = example.split_once("#   template    ").unwrap();
        let (described, _) = described.split_once("\n#\n").unwrap();
        let lines = described.lines().map(|line| line.trim_start_matches('#').trim());
        assert_eq!(template(None), lines.collect::<Vec<_>>().join(" "));
    }

    #[test]
    fn a_webhook_token_stands_among_the_identifiers() {
        let sent = template(Some(&"eyJ.x.y".into()));
        let value: serde_json::Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(value["source_git_bot"]["webhook_token"], "eyJ.x.y");
        assert_eq!(value["source_git_bot"]["v"], "1");
        assert_eq!(value.as_object().unwrap().len(), 1);
    }
}
