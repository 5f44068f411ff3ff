//! Webhooks: which of them GitLab does not call any more.

use gitlab::api::{groups, projects};
use serde::Deserialize;

use super::{Forge, ForgeError, ProjectPath, endpoint, or_default};

/// A webhook of a project or group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Webhook {
    /// Its number.
    pub id: u64,
    /// Whether GitLab calls it: `executable`, `temporarily_disabled` or `disabled`.
    #[serde(default, deserialize_with = "or_default")]
    pub alert_status: String,
    /// Until when it does not, as GitLab writes it.
    #[serde(default)]
    pub disabled_until: Option<String>,
}

impl Webhook {
    /// Says whether GitLab has stopped calling it, for a while or for good.
    pub fn is_disabled(&self) -> bool {
        matches!(self.alert_status.as_str(), "temporarily_disabled" | "disabled")
    }
}

impl Forge {
    /// Returns the webhooks of a group; read page by page.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] or [`ForgeError::Forbidden`] where the token's user is no Owner of it.
    pub fn group_webhooks<'a>(&'a self, group: &'a str) -> impl Iterator<Item = Result<Webhook, ForgeError>> + use<'a> {
        self.list(endpoint(groups::hooks::Hooks::builder().group(group).build()))
    }

    /// Returns the webhooks of a project; read page by page.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] or [`ForgeError::Forbidden`] where the token's user is no Maintainer of it.
    pub fn project_webhooks<'a>(
        &'a self,
        project: &'a ProjectPath,
    ) -> impl Iterator<Item = Result<Webhook, ForgeError>> + use<'a> {
        self.list(endpoint(projects::hooks::Hooks::builder().project(project.as_str()).build()))
    }
}
