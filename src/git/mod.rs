//! The git process and git's objects.
//!
//! Patches, proofs, lists of commits and everything else that git defines come from the `git` process ([`process`]).
//! Objects are read and written with git2 ([`store`], [`trees`]). Nothing here decides what becomes of a package: that
//! is the job of [`crate::transform`].
//!
//! The bot never opens a contributor's repository in place. A temporary bare store borrows its objects, so that none of
//! its configuration, hooks or attributes apply.

pub mod history;
pub mod local;
pub mod partial;
pub mod patches;
pub mod process;
pub mod program;
pub mod proof;
pub mod remote;
pub mod replay;
pub mod store;
pub mod trees;
pub mod upstream_ref;
pub mod work_tree;

pub use crate::git::history::{DownstreamCommit, History};
pub use crate::git::local::LocalRepository;
pub use crate::git::program::Git;
pub use crate::git::store::Store;
pub use crate::git::trees::TreeEntry;

impl From<git2::Error> for crate::types::error::Error {
    fn from(error: git2::Error) -> Self {
        anyhow::Error::from(error).into()
    }
}
