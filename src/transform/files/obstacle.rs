//! Refusals for paths that have to be directories and are not.

use crate::transform::files::tree;
use crate::types::{File, FileMode, FileTree, Refusal, RepoPath};

/// The repository in which a path lies.
#[derive(Clone, Copy, Debug)]
pub(super) enum TransferEnd {
    SourceGit,
    DistGit,
}

/// Refuses a path that leads through a file, a symbolic link or a submodule.
pub(super) fn refuse_file_on_the_way(tree: &FileTree, path: &RepoPath, end: TransferEnd) -> Result<(), Refusal> {
    match tree::file_on_the_way(tree, path) {
        Some((path, file)) => Err(not_a_directory(&path, file, end)),
        None => Ok(()),
    }
}

/// Returns the refusal for `path`, which is `file` and has to be a directory.
pub(super) fn not_a_directory(path: &RepoPath, file: &File, end: TransferEnd) -> Refusal {
    let (repository, key) = match end {
        TransferEnd::SourceGit => ("source-git", "src"),
        TransferEnd::DistGit => ("dist-git", "dest"),
    };
    let what = match file.mode {
        FileMode::Regular | FileMode::Executable => "a file",
        FileMode::Symlink => "a symbolic link",
        FileMode::Gitlink => "a submodule",
    };
    Refusal::new(
        format!("files_to_sync needs a directory here, and {repository} has {what}"),
        format!("give a `{key}` that does not lead through it"),
    )
    .about_file(path)
}
