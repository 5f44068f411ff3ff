//! The files of a commit, keyed by path.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::types::object_id::BlobId;
use crate::types::path::RepoPath;

/// What git records about a file besides its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileMode {
    /// `100644`
    Regular,
    /// `100755`
    Executable,
    /// `120000`: a symbolic link. The content is its target.
    Symlink,
    /// `160000`: a submodule. There is no content.
    Gitlink,
}

impl FileMode {
    /// Returns the mode for git's octal number. Of the permissions, only the owner's execute bit counts.
    pub fn from_git(mode: u32) -> Option<Self> {
        match mode & 0o170_000 {
            0o100_000 if mode & 0o100 != 0 => Some(Self::Executable),
            0o100_000 => Some(Self::Regular),
            0o120_000 => Some(Self::Symlink),
            0o160_000 => Some(Self::Gitlink),
            _ => None,
        }
    }

    pub const fn to_git(self) -> u32 {
        match self {
            Self::Regular => 0o100_644,
            Self::Executable => 0o100_755,
            Self::Symlink => 0o120_000,
            Self::Gitlink => 0o160_000,
        }
    }
}

/// A file without its content: files with equal blobs have equal content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    pub mode: FileMode,
    pub blob: BlobId,
}

/// The files of a commit, or of a part of it. A directory exists only through the files below it.
pub type FileTree = BTreeMap<RepoPath, File>;
