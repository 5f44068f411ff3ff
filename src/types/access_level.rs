//! Roles.

use serde::{Deserialize, Serialize};

/// A role in a project, by GitLab's number for it; more is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccessLevel(pub u64);

impl AccessLevel {
    /// Nobody: where the role is named from which on something is allowed.
    pub const NO_ONE: Self = Self(0);
    /// May push branches and run pipelines.
    pub const DEVELOPER: Self = Self(30);
    /// May change a project's settings.
    pub const MAINTAINER: Self = Self(40);
    /// May do everything, to a group as well.
    pub const OWNER: Self = Self(50);
}
