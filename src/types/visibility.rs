//! The visibility of a project on GitLab.

use serde::{Deserialize, Serialize};

/// Who may see a project. The order is from fewer people to more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    Private,
    /// Everybody who is signed in.
    Internal,
    Public,
}

impl Visibility {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Internal => "internal",
            Self::Public => "public",
        }
    }
}

impl std::str::FromStr for Visibility {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Private, Self::Internal, Self::Public].into_iter().find(|known| known.as_str() == text).ok_or(())
    }
}
