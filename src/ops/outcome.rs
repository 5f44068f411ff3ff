//! What an operation did for one merge request, or would do.

use serde::Serialize;

use crate::ops::report::preview::ReportPreview;
use crate::ops::sync::preview::SyncPreview;

#[derive(Debug)]
pub(crate) enum Outcome {
    /// Everything is up to date, or the bot has nothing to do here.
    Nothing,
    Written,
    /// A dry run: nothing was written, and this is what would be done.
    Preview(Preview),
}

/// What an operation would do. JSON output shows it, so names of variants and fields are part of its format.
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
    /// Remove the bot's branch for a merge request that ended long ago.
    RemoveBranch {
        branch: String,
    },
}
