//! What a dry run would do, as text.

use crate::cli::render::{report, sync};
use crate::cli::terminal::Paint;
use crate::ops::outcome::Preview;

pub(crate) fn text(preview: &Preview, paint: Paint) -> String {
    match preview {
        Preview::Sync(preview) => sync::text(preview, paint),
        Preview::Report(preview) => report::text(preview, paint),
        Preview::Retest { merge_request } => format!("would start a pipeline for {merge_request}\n"),
        Preview::Close { merge_request, source_git } => format!("would close {merge_request}: {source_git} is gone\n"),
        Preview::RemoveBranch { branch } => format!("would remove the branch {branch}\n"),
    }
}
