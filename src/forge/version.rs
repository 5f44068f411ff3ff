//! Which GitLab this is.

use serde::Deserialize;

use crate::forge::request::RawRequest;
use crate::forge::{Forge, or_default};
use crate::types::error::ForgeError;

/// A GitLab's version.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GitlabVersion {
    /// As GitLab writes it: `18.5.0-ee`, `19.0.0-pre`.
    #[serde(rename = "version", default, deserialize_with = "or_default")]
    pub text: String,
    /// Whether it is the Enterprise Edition, whatever it is licensed for; nothing where GitLab does not say.
    #[serde(rename = "enterprise", default)]
    pub is_enterprise: Option<bool>,
}

impl GitlabVersion {
    /// Returns the release: 18 and 5 of `18.5.0-ee`. Nothing where the text does not begin like that.
    pub fn release(&self) -> Option<(u32, u32)> {
        let (major, rest) = self.text.split_once('.')?;
        let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }
}

impl Forge {
    /// Returns GitLab's version (API documentation, "Metadata API"; GitLab 15.2 and later).
    pub fn version(&self) -> Result<GitlabVersion, ForgeError> {
        self.query(&RawRequest::get("metadata".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_the_first_two_numbers() {
        let of = |text: &str| GitlabVersion { text: text.to_owned(), is_enterprise: None }.release();
        assert_eq!(of("18.5.0-ee"), Some((18, 5)));
        assert_eq!(of("19.0.0-pre"), Some((19, 0)));
        assert_eq!(of("18.10"), Some((18, 10)));
        assert_eq!(of("18.4-rc1"), Some((18, 4)));
        for nonsense in ["", "18", "x.4", "18.", "v18.4"] {
            assert_eq!(of(nonsense), None, "{nonsense}");
        }
    }
}
