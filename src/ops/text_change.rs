//! A text on GitLab before and after a change.

use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct TextChange {
    /// Nothing if the text is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<String>,
    pub(crate) after: String,
}

impl TextChange {
    /// A text that does not exist yet.
    pub(crate) fn new(after: impl Into<String>) -> Self {
        Self { before: None, after: after.into() }
    }

    /// A text that may exist already.
    pub(crate) fn from(before: Option<&str>, after: impl Into<String>) -> Self {
        Self { before: before.map(str::to_owned), after: after.into() }
    }
}
