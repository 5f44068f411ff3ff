//! Pipeline triggers: tokens that can only start pipelines, and starting a pipeline with one.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use gitlab::api::common::NameOrId;
use gitlab::api::endpoint_prelude::{BodyError, Endpoint, Method};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::forge::client::{Forge, if_known, or_default};
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;
use crate::forge::user::User;
use crate::types::PipelineId;
use crate::types::error::ForgeError;

/// GitLab's address for starting a pipeline, in the form for webhooks: its path names the branch or tag ("Trigger
/// pipelines with the API" in GitLab's documentation).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerAddress {
    /// The project's number or path, escaped as in the address.
    project: String,
    /// The branch or tag, escaped as in the address.
    reference: String,
}

impl TriggerAddress {
    /// Parses an address on the GitLab at `gitlab`. The error says what an address must be.
    pub fn parse(text: &str, gitlab: &Url) -> Result<Self, &'static str> {
        const FORM: &str = "must be `<GitLab's address>/api/v4/projects/ID/ref/BRANCH/trigger/pipeline`";
        let url = Url::parse(text).map_err(|_| FORM)?;
        if url.origin() != gitlab.origin() {
            return Err("must be on the instance's GitLab");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must end in `/trigger/pipeline`: the token has a variable of its own");
        }
        let base = gitlab.path().trim_end_matches('/');
        let path = url.path().strip_prefix(base).and_then(|path| path.strip_prefix("/api/v4/projects/"));
        let parts = path.and_then(|path| path.strip_suffix("/trigger/pipeline")?.split_once("/ref/"));
        match parts {
            Some((project, reference)) if [project, reference].iter().all(|p| !p.is_empty() && !p.contains('/')) => {
                Ok(Self { project: project.to_owned(), reference: reference.to_owned() })
            }
            _ => Err(FORM),
        }
    }
}

/// A trigger token. It starts pipelines in one project, which run as the token's owner.
#[derive(Clone, Debug, Deserialize)]
pub struct TriggerToken {
    pub id: u64,
    /// The creator's description.
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    /// The token, where this user owns it; otherwise its first four characters.
    pub token: SecretString,
    /// `None` where the token does not expire, or GitLab is too old to say.
    #[serde(default, deserialize_with = "if_known")]
    pub expires_at: Option<DateTime<Utc>>,
    /// The creator of the token. The pipelines run as this user.
    #[serde(default)]
    pub owner: Option<User>,
    /// When the token last started a pipeline.
    #[serde(default, deserialize_with = "if_known")]
    pub last_used: Option<DateTime<Utc>>,
}

fn tokens_path(project: ProjectRef<'_>) -> String {
    format!("projects/{}/triggers", NameOrId::from(project))
}

/// The endpoint that starts a pipeline with a trigger token.
struct StartPipeline<'a> {
    address: &'a TriggerAddress,
    body: Vec<u8>,
}

impl Endpoint for StartPipeline<'_> {
    fn method(&self) -> Method {
        Method::POST
    }

    fn endpoint(&self) -> Cow<'static, str> {
        let TriggerAddress { project, reference } = self.address;
        format!("projects/{project}/ref/{reference}/trigger/pipeline").into()
    }

    fn body(&self) -> Result<Option<(&'static str, Vec<u8>)>, BodyError> {
        Ok(Some(("application/json", self.body.clone())))
    }
}

#[derive(Deserialize)]
struct StartedPipeline {
    id: PipelineId,
}

impl Forge {
    /// Returns the trigger tokens of a project.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is not a Maintainer of the project.
    pub fn trigger_tokens<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
    ) -> impl Iterator<Item = Result<TriggerToken, ForgeError>> {
        self.list(Ok(RawRequest::get(tokens_path(project.into()))))
    }

    /// Creates a trigger token. This user owns it.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is not a Maintainer of the project.
    pub fn create_trigger_token<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        description: &str,
    ) -> Result<TriggerToken, ForgeError> {
        self.query(&RawRequest::post(tokens_path(project.into()), json!({ "description": description })))
    }

    /// Starts a pipeline and returns its number. Its jobs find `payload` under `key` in their `TRIGGER_PAYLOAD`. The
    /// connection's token must be a trigger token of that project.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where the project does not exist, or the token does not belong to it;
    /// [`ForgeError::Refused`], with GitLab's reason, where it starts no pipeline; [`ForgeError::MaybeDone`] where it
    /// may have started one.
    pub fn trigger(
        &self,
        address: &TriggerAddress,
        key: &str,
        payload: &impl serde::Serialize,
    ) -> Result<PipelineId, ForgeError> {
        let body = json!({ "token": self.transport.token().expose_secret(), key: payload }).to_string().into_bytes();
        let started: StartedPipeline = self.query(&StartPipeline { address, body })?;
        Ok(started.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, gitlab: &str) -> Result<(String, String), &'static str> {
        let found = TriggerAddress::parse(text, &Url::parse(gitlab).unwrap())?;
        Ok((found.project, found.reference))
    }

    #[test]
    fn a_trigger_address_names_project_and_branch() {
        let found = Ok(("7".to_owned(), "main".to_owned()));
        assert_eq!(
            parse("https://gitlab.com/api/v4/projects/7/ref/main/trigger/pipeline", "https://gitlab.com"),
            found
        );
        let relative = "https://host/gitlab/api/v4/projects/a%2Fb/ref/x%2Fy/trigger/pipeline";
        assert_eq!(parse(relative, "https://host/gitlab/"), Ok(("a%2Fb".to_owned(), "x%2Fy".to_owned())));
    }

    #[test]
    fn any_other_address_is_refused() {
        for bad in [
            "https://evil.example/api/v4/projects/7/ref/main/trigger/pipeline",
            "http://gitlab.com/api/v4/projects/7/ref/main/trigger/pipeline",
            "https://gitlab.com/api/v4/projects/7/ref/main/trigger/pipeline?token=x",
            "https://gitlab.com/api/v4/projects/7/trigger/pipeline",
            "https://gitlab.com/api/v4/projects/7/ref/a/b/trigger/pipeline",
            "https://gitlab.com/api/v4/projects/7/pipeline",
            "https://gitlab.com/x/api/v4/projects/7/ref/main/trigger/pipeline",
            "main",
        ] {
            assert!(parse(bad, "https://gitlab.com").is_err(), "{bad}");
        }
    }
}
