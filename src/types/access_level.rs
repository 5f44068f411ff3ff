//! Roles in projects and groups.

use serde::{Deserialize, Serialize};

/// A role in a project or group, by GitLab's number (`Gitlab::Access`). A greater number allows more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccessLevel(pub u64);

impl AccessLevel {
    /// In a rule that names the lowest role with a right: nobody has it. Of a user: not a member.
    pub const NO_ONE: Self = Self(0);
    /// May read what is not public, and open confidential issues.
    pub const REPORTER: Self = Self(20);
    /// May push branches and run pipelines.
    pub const DEVELOPER: Self = Self(30);
    /// May change a project's settings.
    pub const MAINTAINER: Self = Self(40);
    /// May do everything, also to a group.
    pub const OWNER: Self = Self(50);

    /// Returns GitLab's word for the role of a user.
    pub const fn word(self) -> &'static str {
        match self.0 {
            0..10 => "no member",
            10..15 => "Guest",
            15..20 => "Planner",
            20..30 => "Reporter",
            30..40 => "Developer",
            40..50 => "Maintainer",
            _ => "Owner",
        }
    }
}
