//! The description of a dist-git merge request: what the contributor wrote, then the bot's block.
//!
//! Everything outside the block belongs to people. The copied text follows the source-git merge request as long as it
//! stands at the beginning as the bot wrote it; once a person edited it, it is theirs and stays.

use super::fingerprint::Fingerprint;
use super::record::{self, Record};
use super::references;
use super::{MergeRequestIid, NoteId, ProjectId, ProjectPath, copied};

/// GitLab's limit for a description, in characters.
const LIMIT: usize = 1_048_576;

/// How many characters are kept free for the block.
const BLOCK_ROOM: usize = 16 * 1024;

/// Where a dist-git merge request comes from, and what is copied from there.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The source-git project.
    pub project: ProjectId,
    /// Its path.
    pub path: &'a ProjectPath,
    /// The source-git merge request.
    pub merge_request: MergeRequestIid,
    /// Its address.
    pub url: &'a str,
    /// Its description, as the contributor wrote it.
    pub description: &'a str,
    /// The bot's note there, where it is known.
    pub note: Option<NoteId>,
    /// The title that [`super::title::title`] makes of its title.
    pub title: &'a str,
}

/// Returns the description of a new dist-git merge request.
pub fn new(origin: &Origin<'_>) -> String {
    following("", None, origin)
}

/// Returns the description that a dist-git merge request should have, which has `current` now.
///
/// `record` is what the bot knows from `current`, where it may be believed.
pub fn following(current: &str, record: Option<&Record>, origin: &Origin<'_>) -> String {
    let divided = record::divide(current);
    let theirs = match record {
        Some(record) => record.copied.after(divided.before),
        None => divided.before.trim().is_empty().then_some(divided.before),
    };
    let others = divided.after.chars().count() + theirs.unwrap_or(divided.before).chars().count();
    let room = LIMIT.saturating_sub(BLOCK_ROOM).saturating_sub(others);
    let copied = copied::markdown(&references::converted(origin.description), room);
    let block = record::block(&said(origin), &of(origin, Fingerprint::of(&copied)));
    match theirs.filter(|theirs| !theirs.trim().is_empty()) {
        Some(theirs) if !divided.block.is_empty() => [&joined(&copied, theirs), &block, divided.after].concat(),
        Some(theirs) => record::replace_block(&joined(&copied, theirs), &block),
        None if theirs.is_some() => [record::replace_block(&copied, &block).as_str(), divided.after].concat(),
        None => record::replace_block(current, &block),
    }
}

/// Puts the copied text before what a person wrote below it.
fn joined(copied: &str, theirs: &str) -> String {
    let gap = if copied.is_empty() || theirs.starts_with(['\n', '\r']) { "" } else { "\n\n" };
    [copied, gap, theirs].concat()
}

fn of(origin: &Origin<'_>, copied: Fingerprint) -> Record {
    Record {
        project: origin.project,
        path: origin.path.clone(),
        merge_request: origin.merge_request,
        note: origin.note,
        title: origin.title.to_owned(),
        copied,
    }
}

fn said(origin: &Origin<'_>) -> String {
    let Origin { path, merge_request, url, .. } = origin;
    format!(
        "---\n\
         ###### Information for the package maintainer\n\
         \n\
         A bot made this merge request from the source-git merge request [{path}!{merge_request}]({url}), and pushes to \
         it again whenever that one changes. Comments on the change itself reach its author there.\n\
         \n\
         Title and description are copied from there and follow it until you edit them here: what you change, or write \
         outside of this section, stays as you left it. Commits that you push to the branch of this merge request are not \
         overwritten, but the bot then stops updating it."
    )
}
