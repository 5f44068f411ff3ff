//! A patch that is to be added to a spec.

use bstr::BString;

use crate::types::CommitId;

/// How many leading components of a patch's file names are not part of the names in the source tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strip {
    /// None, as `git format-patch --no-prefix` writes.
    P0,
    /// One, `a/` or `b/`, as git writes by default.
    P1,
}

impl Strip {
    /// Returns the number for the option `-p` of `patch` and `git apply`.
    pub const fn level(self) -> u32 {
        match self {
            Self::P0 => 0,
            Self::P1 => 1,
        }
    }
}

/// A patch that a spec is to name.
#[derive(Clone, Debug)]
pub struct NewPatch {
    /// The file, beside the spec.
    pub file_name: BString,
    /// The number that the commit asks for (`Patch-id`).
    pub number: Option<u32>,
    /// The commit that it comes from, for messages.
    pub commit: CommitId,
    /// The lines of the comment above it, as text: neither `# ` before them nor anything escaped.
    pub comment: Vec<BString>,
    /// What its file names need.
    pub strip: Strip,
}
