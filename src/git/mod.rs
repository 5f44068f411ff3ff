//! The git process and git's objects.
//!
//! Patches, proofs, lists of commits and everything else that git defines come from the `git` process
//! ([`process`]); objects are read and written with git2 ([`store`]). Nothing here decides what becomes of a
//! package: that is `transform`'s. No repository of a contributor is ever opened in place: its objects are borrowed
//! by a temporary bare store, where none of its configuration, hooks or attributes count.

pub mod copy;
pub mod history;
pub mod local;
pub mod partial;
pub mod patches;
pub mod process;
pub mod proof;
pub mod remote;
pub mod replay;
pub mod store;
pub mod upstream_ref;
pub mod work_tree;

pub use crate::git::history::{DownstreamCommit, History};
pub use crate::git::local::LocalRepository;
pub use crate::git::process::Git;
pub use crate::git::store::Store;

impl From<git2::Error> for crate::types::error::Error {
    fn from(error: git2::Error) -> Self {
        anyhow::Error::from(error).into()
    }
}
