//! Members of projects: who has which role.

use std::borrow::Cow;

use gitlab::api::endpoint_prelude::{Endpoint, Method};
use serde::Deserialize;

use crate::forge::{AccessLevel, Forge, or_default};
use crate::types::error::ForgeError;
use crate::types::{ProjectId, UserId};

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
