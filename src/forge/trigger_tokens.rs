//! The trigger tokens of a project: which there are, and making one. Starting a pipeline with one is in `triggers`.

use chrono::{DateTime, Utc};
use gitlab::api::common::NameOrId;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use crate::forge::request::RawRequest;
use crate::forge::{Forge, ProjectRef, User, if_known, or_default};
use crate::types::error::ForgeError;

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
}
