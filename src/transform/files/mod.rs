//! `files_to_sync` of a package configuration: which files of source-git go where in dist-git.
//!
//! Each item means what `rsync --archive [--delete] [--mkpath] --filter … --ignore-missing-args src… dest` means.
//! packit starts one rsync for each item, one after the other. Here they run on values: files are compared by content,
//! no symbolic link is ever followed, and, as in git, a directory exists only through the files below it. If rsync
//! would end with an error, the item is refused and nothing changes.
//!
//! `item` and `plan` have the items as written and as checked. `sender` decides what is sent, `receiver` where it lands
//! and what goes. `filter` has rsync's filter rules, `pattern` rsync's wildcards, and `glob` the globs of `src`.

mod filter;
mod glob;
mod item;
mod obstacle;
mod open_directories;
mod pattern;
mod plan;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;
mod tree;

pub use crate::transform::files::item::{CopyItem, Delete, MakePath};
pub use crate::transform::files::plan::{CopyPlan, SourcesNeeded};
pub use crate::transform::files::receiver::{CopiedFiles, ReceiverFiles};
use crate::transform::files::receiver::{Receiver, transfer_target};
use crate::transform::files::sender::SentEntries;
use crate::types::{FileTree, Refusal};

/// Copies the files of `source` into `dist` as `plan` says. Each item sees the result of the one before.
///
/// Refused is what makes rsync end with an error:
///
/// - a `dest` whose parent is missing, without `mkpath`
/// - a file where a directory has to be
/// - a directory where a file has to be, if the item does not delete the files in it
/// - a `src` below a directory that does not exist
///
/// Paths through symbolic links, and submodules that are in the way, are refused too.
pub fn sync(
    plan: &CopyPlan,
    source: &FileTree,
    dist: &FileTree,
    receiver_files: ReceiverFiles,
) -> Result<CopiedFiles, Refusal> {
    let mut receiver = Receiver::new(dist, receiver_files);
    for item in &plan.items {
        let sent = SentEntries::collect(item, source, &mut receiver.findings)?;
        if !item.sources.is_empty() {
            let target = transfer_target(item, &sent, &receiver.files)?;
            receiver.receive(item, &sent, &target)?;
        }
    }
    Ok(receiver.finish())
}
