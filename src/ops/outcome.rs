//! What came of an operation on one merge request, and what would come of it.

use serde::Serialize;

use crate::ops::report::preview::ReportPreview;
use crate::ops::sync::preview::SyncPreview;

/// What was done.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Nothing: everything is up to date, or the bot has nothing to do with it.
    Nothing,
    /// Something was written.
    Written,
    /// Nothing, because this is a dry run; this is what would be done.
    Preview(Preview),
}

/// What an operation would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "operation")]
pub(crate) enum Preview {
    Sync(Box<SyncPreview>),
    Report(ReportPreview),
    /// Start a pipeline for a dist-git merge request.
    Retest {
        merge_request: String,
    },
    /// Close a dist-git merge request whose source-git merge request was deleted.
    Close {
        merge_request: String,
        source_git: String,
    },
    /// Remove the bot's branch of a merge request that ended long ago.
    RemoveBranch {
        branch: String,
    },
}

/// A text on GitLab before and after.
#[derive(Debug, Serialize)]
pub(crate) struct TextChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<String>,
    pub(crate) after: String,
}

impl TextChange {
    /// A text that is not there yet.
    pub(crate) fn new(after: impl Into<String>) -> Self {
        Self { before: None, after: after.into() }
    }

    /// A text that may be there already.
    pub(crate) fn from(before: Option<&str>, after: impl Into<String>) -> Self {
        Self { before: before.map(str::to_owned), after: after.into() }
    }
}
