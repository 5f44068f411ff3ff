//! `update-dist-git`: turns a source-git clone into the content of a dist-git clone.

use std::io::Read as _;
use std::path::Path;

use serde::Serialize;

use crate::cli::Invocation;
use crate::cli::args::{OutputFormat, UpdateDistGitArgs};
use crate::cli::render::transformation;
use crate::ops::generate::diffs::FileDiff;
use crate::ops::update_dist_git::{self, UpdateDistGitRequest, Updated};
use crate::transform::report::TransformReport;
use crate::types::error::{Context as _, Result, UsageError, bail};

/// The longest commit message that is read from a file, in bytes.
const MESSAGE_LIMIT: u64 = 1 << 20;

pub(crate) fn run(arguments: &UpdateDistGitArgs, invocation: &Invocation<'_>) -> Result<()> {
    let request = UpdateDistGitRequest {
        source_git: arguments.source_git.clone(),
        dist_git: arguments.dist_git.clone(),
        message: read_message(arguments)?,
        upstream_ref: arguments.upstream_ref.clone(),
        comments: arguments.patch_comments.into(),
    };
    let mode = invocation.mode();
    let Updated { report, diffs } = update_dist_git::update_dist_git(&request, invocation.context, mode)?;
    let is_quiet =
        invocation.global.quiet && !invocation.global.dry_run && invocation.global.output == OutputFormat::Text;
    if is_quiet {
        return Ok(());
    }
    #[derive(Serialize)]
    struct JsonReport<'a> {
        #[serde(flatten)]
        report: &'a TransformReport,
        #[serde(skip_serializing_if = "<[FileDiff]>::is_empty")]
        diffs: &'a [FileDiff],
    }
    let data = JsonReport { report: &report, diffs: &diffs };
    invocation.printer.print(&data, |paint| transformation::report_text(&report, &diffs, paint))
}

fn read_message(arguments: &UpdateDistGitArgs) -> Result<Option<Vec<u8>>> {
    let message = match (&arguments.message, &arguments.file) {
        (Some(message), _) => message.clone().into_bytes(),
        (None, Some(path)) => read_file(path).with_context(|| format!("reading the message in {}", path.display()))?,
        (None, None) => return Ok(None),
    };
    if message.trim_ascii().is_empty() {
        bail!(UsageError::new("the commit message is empty", "say what changes and why"));
    }
    Ok(Some(message))
}

/// Reads a file, or standard input for `-`.
fn read_file(path: &Path) -> Result<Vec<u8>> {
    let mut message = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(MESSAGE_LIMIT + 1).read_to_end(&mut message)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MESSAGE_LIMIT + 1).read_to_end(&mut message))
    };
    let size = read.map_err(|error| UsageError::new(error.to_string(), "name a file that can be read"))?;
    if size as u64 > MESSAGE_LIMIT {
        bail!(UsageError::new(format!("it has more than {MESSAGE_LIMIT} bytes"), "shorten it"));
    }
    Ok(message)
}
