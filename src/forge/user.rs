//! Users: who the bot is, and who wrote what.

use std::borrow::Cow;

use chrono::NaiveDate;
use gitlab::api::endpoint_prelude::{Endpoint, Method};
use gitlab::api::personal_access_tokens::PersonalAccessTokenSelf;
use gitlab::api::users::CurrentUser as GetCurrentUser;
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, or_default};
use crate::forge::error::ForgeError;
use crate::forge::request::RawRequest;
use crate::types::{AccessLevel, ProjectId, UserId};

/// A user, as GitLab shows one in other things.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct User {
    /// The user's number: the one thing about a user that stays.
    pub id: UserId,
    /// The name in `@name`.
    #[serde(default, deserialize_with = "or_default")]
    pub username: String,
    /// The name that the user chose to show.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
}

/// The user that the token belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CurrentUser {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// The address that GitLab itself puts into this user's commits; a push rule may demand it.
    #[serde(default)]
    pub commit_email: Option<String>,
    /// The user's address.
    #[serde(default)]
    pub email: Option<String>,
}

/// An access token: personal, or of a project or group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AccessToken {
    /// Its name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// What it is good for: `api`, `read_api`, `write_repository`.
    #[serde(default, deserialize_with = "or_default")]
    pub scopes: Vec<String>,
    /// The last day on which it is good; nothing where it does not expire.
    #[serde(default)]
    pub expires_at: Option<NaiveDate>,
    /// Whether it is good today.
    #[serde(default = "yes")]
    pub active: bool,
    /// Whether somebody has revoked it.
    #[serde(default, deserialize_with = "or_default")]
    pub revoked: bool,
    /// The user that it acts as.
    pub user_id: UserId,
}

/// A token that answers is good.
const fn yes() -> bool {
    true
}

/// A user's membership of a project, of itself, through a group or by invitation.
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
    /// `awaiting` until somebody has agreed to it; former versions do not say.
    #[serde(default, deserialize_with = "or_default")]
    membership_state: String,
    /// The user's, not the membership's: `active`, or what keeps them from doing anything, such as `blocked`.
    #[serde(default, deserialize_with = "or_default")]
    state: String,
}

impl Forge {
    /// Returns the user that the token belongs to.
    pub fn current_user(&self) -> Result<CurrentUser, ForgeError> {
        self.query(&endpoint(GetCurrentUser::builder().build())?)
    }

    /// Returns the user of a name; nothing where there is none.
    pub fn user_named(&self, username: &str) -> Result<Option<User>, ForgeError> {
        let found: Vec<User> = self.query(&RawRequest::get("users".to_owned()).with("username", username))?;
        Ok(found.into_iter().find(|user| user.username.eq_ignore_ascii_case(username)))
    }

    /// Returns what the token is and is good for.
    ///
    /// # Errors
    ///
    /// [`ForgeError::NotFoundOrNoAccess`] or [`ForgeError::Unauthorized`] also where the token is of another kind.
    pub fn access_token(&self) -> Result<AccessToken, ForgeError> {
        self.query(&endpoint(PersonalAccessTokenSelf::builder().build())?)
    }

    /// Returns the last day on which the token is good; nothing where it does not expire.
    ///
    /// # Errors
    ///
    /// As [`Forge::access_token`].
    pub fn token_expiry(&self) -> Result<Option<NaiveDate>, ForgeError> {
        Ok(self.access_token()?.expires_at)
    }

    /// Returns a user's role in a project, inherited roles included; the lowest of all where the user is no member, or may
    /// not do anything any more.
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
