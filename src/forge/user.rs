//! Users: who the bot is, who wrote something, and which role somebody has.

use std::borrow::Cow;

use chrono::NaiveDate;
use gitlab::api::endpoint_prelude::{Endpoint, Method};
use gitlab::api::personal_access_tokens::PersonalAccessTokenSelf;
use gitlab::api::users::CurrentUser as GetCurrentUser;
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, or_default};
use crate::forge::request::RawRequest;
use crate::types::error::ForgeError;
use crate::types::{AccessLevel, ProjectId, UserId};

/// A user, as GitLab shows one in other objects.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct User {
    /// The only property of a user that never changes.
    pub id: UserId,
    /// The name in `@name`.
    #[serde(default, deserialize_with = "or_default")]
    pub username: String,
    /// The display name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

/// The user that the token belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CurrentUser {
    #[serde(flatten)]
    pub user: User,
    /// The address that GitLab itself writes into this user's commits. A push rule may demand it.
    #[serde(default)]
    pub commit_email: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
}

/// An access token of a person, project or group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AccessToken {
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// `api`, `read_api`, `write_repository`, for example.
    #[serde(default, deserialize_with = "or_default")]
    pub scopes: Vec<String>,
    /// The last day on which the token is valid; `None` where it does not expire.
    #[serde(default)]
    pub expires_at: Option<NaiveDate>,
    /// Whether the token is valid now. A token for which GitLab answers at all is.
    #[serde(default = "yes")]
    pub active: bool,
    /// Whether somebody has revoked the token.
    #[serde(default, deserialize_with = "or_default")]
    pub revoked: bool,
    /// The user that the token acts as.
    pub user_id: UserId,
}

const fn yes() -> bool {
    true
}

/// The endpoint of a user's membership of a project: direct, through a group or by invitation.
struct Membership {
    project: ProjectId,
    user: UserId,
}

impl Endpoint for Membership {
    fn method(&self) -> Method {
        Method::GET
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/members/all/{}", self.project, self.user).into()
    }
}

#[derive(Deserialize)]
struct Member {
    access_level: AccessLevel,
    /// `awaiting` until somebody has approved the membership; former versions do not say.
    #[serde(default, deserialize_with = "or_default")]
    membership_state: String,
    /// The state of the user, not of the membership: `active`, or a state without any rights, such as `blocked`.
    #[serde(default, deserialize_with = "or_default")]
    state: String,
}

impl Forge {
    /// Returns the user that the token belongs to.
    pub fn current_user(&self) -> Result<CurrentUser, ForgeError> {
        self.query(&endpoint(GetCurrentUser::builder().build())?)
    }

    /// Returns the user with a name; `None` where there is none.
    pub fn user_by_name(&self, username: &str) -> Result<Option<User>, ForgeError> {
        let found: Vec<User> = self.query(&RawRequest::get("users".to_owned()).with("username", username))?;
        Ok(found.into_iter().find(|user| user.username.eq_ignore_ascii_case(username)))
    }

    /// Returns the properties of the connection's access token.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] or [`ForgeError::Unauthorized`] also where it is a token of another kind.
    pub fn access_token(&self) -> Result<AccessToken, ForgeError> {
        self.query(&endpoint(PersonalAccessTokenSelf::builder().build())?)
    }

    /// Returns the last day on which the token is valid; `None` where it does not expire.
    ///
    /// # Errors
    ///
    /// As [`Forge::access_token`].
    pub fn token_expiry(&self) -> Result<Option<NaiveDate>, ForgeError> {
        Ok(self.access_token()?.expires_at)
    }

    /// Returns a user's role in a project, including inherited roles. Returns the lowest one where the user is not a
    /// member, or is blocked.
    pub fn role(&self, project: ProjectId, user: UserId) -> Result<AccessLevel, ForgeError> {
        match self.query::<Member>(&Membership { project, user }) {
            Ok(Member { membership_state, .. }) if membership_state == "awaiting" => Ok(AccessLevel::default()),
            Ok(Member { state, .. }) if !matches!(state.as_str(), "active" | "") => Ok(AccessLevel::default()),
            Ok(member) => Ok(member.access_level),
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(AccessLevel::default()),
            Err(error) => Err(error),
        }
    }
}
