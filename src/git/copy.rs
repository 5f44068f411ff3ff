//! Copies branches and tags from one repository on a server to another, through a store.
//!
//! Only what is missing there is pushed, and only where it is missing: a lease on nothing, so that nobody's branch is ever
//! overwritten.

use std::time::Duration;

use crate::git::Store;
use crate::git::process::GitCommand;
use crate::git::remote::{NAME, Remote};
use crate::types::CommitId;
use crate::types::error::Result;

/// How long one fetch or push of a whole history may take. One in which nothing moves is given up long before.
const DEADLINE: Duration = Duration::from_secs(3 * 60 * 60);

impl Remote {
    /// Fetches these branches and tags, by their full names, with all that they hold; in the store they have the same
    /// names.
    pub fn fetch_whole(&self, store: &Store, names: &[&str]) -> Result<()> {
        let specs: String = names.iter().map(|name| format!("+{name}:{name}\n")).collect();
        self.run(|| {
            whole(self.command(store))
                // It goes through here only: the server that it is pushed to checks it once more by its own rules, and
                // the one that it comes from has done so.
                .config("transfer.fsckObjects", "false")
                .args(["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"])
                .args(["--no-filter", "--recurse-submodules=no", "--stdin", NAME])
                .input(specs.clone().into_bytes())
        })?;
        Ok(())
    }

    /// Makes these branches and tags, by their full names, which must not be there; no pipelines start for them.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Stale`](crate::types::error::RemoteError::Stale) where one of them is there.
    pub fn push_new(&self, store: &Store, refs: &[(&str, CommitId)]) -> Result<()> {
        self.run(|| {
            whole(self.command(store))
                .args(["push", "--quiet", "--porcelain", "--no-verify", "--push-option=ci.skip"])
                .args(refs.iter().map(|(name, _)| format!("--force-with-lease={name}:")))
                .arg(NAME)
                .args(refs.iter().map(|(name, id)| format!("{id}:{name}")))
        })?;
        Ok(())
    }
}

/// A command that moves a whole history.
fn whole(command: GitCommand) -> GitCommand {
    command.deadline(DEADLINE)
}
