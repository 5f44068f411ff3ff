//! Pipeline triggers: starting a pipeline with a token that is good for nothing else.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use gitlab::api::common::NameOrId;
use gitlab::api::endpoint_prelude::{BodyError, Endpoint, Method};
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use crate::forge::client::{Forge, if_known, or_default};
use crate::forge::error::ForgeError;
use crate::forge::projects::ProjectRef;
use crate::forge::request::RawRequest;
use crate::forge::user::User;
use crate::types::PipelineId;

/// Where a pipeline is started: GitLab's trigger URL in the form that names the branch or tag in its path, which is
/// the one for webhooks ("Trigger pipelines with the API" in GitLab's documentation).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerAddress {
    /// The number of the project, or its path, as they stand in the address.
    project: String,
    /// The branch or tag, as it stands in the address.
    reference: String,
}

impl TriggerAddress {
    /// Reads an address, which has to be one of the GitLab at `gitlab`; an error says what it has to be.
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

/// A trigger token: it starts pipelines in one project, as its owner.
#[derive(Clone, Debug, Deserialize)]
pub struct TriggerToken {
    /// Its number.
    pub id: u64,
    /// What it is for, in its maker's words.
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    /// The token, where this user owns it; else its first four characters.
    pub token: SecretString,
    /// When it ends; nothing where it does not, or where GitLab is too old to say.
    #[serde(default, deserialize_with = "if_known")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Who made it, and who starts the pipelines therefore.
    #[serde(default)]
    pub owner: Option<User>,
    /// When a pipeline was last started with it.
    #[serde(default, deserialize_with = "if_known")]
    pub last_used: Option<DateTime<Utc>>,
}

fn path(project: ProjectRef<'_>) -> String {
    format!("projects/{}/triggers", NameOrId::from(project))
}

struct Triggering<'a> {
    address: &'a TriggerAddress,
    body: Vec<u8>,
}

impl Endpoint for Triggering<'_> {
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
struct Triggered {
    id: PipelineId,
}

impl Forge {
    /// Returns the trigger tokens of a project; read page by page.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is no Maintainer of it.
    pub fn trigger_tokens<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
    ) -> impl Iterator<Item = Result<TriggerToken, ForgeError>> {
        self.list(Ok(RawRequest::get(path(project.into()))))
    }

    /// Makes a trigger token, which this user then owns.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is no Maintainer of the project.
    pub fn create_trigger_token<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        description: &str,
    ) -> Result<TriggerToken, ForgeError> {
        self.query(&RawRequest::post(path(project.into()), json!({ "description": description })))
    }

    /// Starts a pipeline, whose jobs find `payload` below `key` in their `TRIGGER_PAYLOAD`; the connection's token has to
    /// be a trigger token of that project. Returns the pipeline's number.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] where there is no such project, or the token is not one of its own;
    /// [`ForgeError::Refused`] where no pipeline was made, with GitLab's reason; [`ForgeError::MaybeDone`] where one may
    /// have been started.
    pub fn trigger(
        &self,
        address: &TriggerAddress,
        key: &str,
        payload: &impl serde::Serialize,
    ) -> Result<PipelineId, ForgeError> {
        let body = json!({ "token": self.transport.token().expose_secret(), key: payload }).to_string().into_bytes();
        let started: Triggered = self.query(&Triggering { address, body })?;
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
    fn the_address_names_project_and_branch() {
        let found = Ok(("7".to_owned(), "main".to_owned()));
        assert_eq!(
            parse("https://gitlab.com/api/v4/projects/7/ref/main/trigger/pipeline", "https://gitlab.com"),
            found
        );
        let relative = "https://host/gitlab/api/v4/projects/a%2Fb/ref/x%2Fy/trigger/pipeline";
        assert_eq!(parse(relative, "https://host/gitlab/"), Ok(("a%2Fb".to_owned(), "x%2Fy".to_owned())));
    }

    #[test]
    fn the_token_goes_to_no_other_address() {
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
