//! The files of a commit, by path.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::types::{BlobId, RepoPath};

/// What git knows of a file besides its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileMode {
    /// `100644`
    Regular,
    /// `100755`
    Executable,
    /// `120000`; the content is the target.
    Symlink,
    /// `160000`: a submodule; there is no content.
    Gitlink,
}

impl FileMode {
    /// Returns the mode for git's octal number; other permission bits than the owner's execute bit do not count.
    pub fn from_git(mode: u32) -> Option<Self> {
        match mode & 0o170_000 {
            0o100_000 if mode & 0o100 != 0 => Some(Self::Executable),
            0o100_000 => Some(Self::Regular),
            0o120_000 => Some(Self::Symlink),
            0o160_000 => Some(Self::Gitlink),
            _ => None,
        }
    }

    /// Returns git's number.
    pub const fn to_git(self) -> u32 {
        match self {
            Self::Regular => 0o100_644,
            Self::Executable => 0o100_755,
            Self::Symlink => 0o120_000,
            Self::Gitlink => 0o160_000,
        }
    }
}

/// A file: its mode and the name of its content. Equal names mean equal content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its mode.
    pub mode: FileMode,
    /// Its content.
    pub blob: BlobId,
}

/// Files by path, as they stand in a commit or part of one; directories are there by their files.
pub type FileTree = BTreeMap<RepoPath, File>;
