//! Observes the bot's branch: its repository, its tip and its content.

use crate::config::Forks;
use crate::git::store::Store;
use crate::ops::sync::run::SyncRun;
use crate::pair::commit::SOURCE_TRAILER;
use crate::pair::facts::{BranchState, BranchTip, Committer};
use crate::types::CommitId;
use crate::types::error::{RemoteError, Result};

/// The ref in the store that holds the tip of the bot's branch.
const BRANCH_TIP: &str = "refs/bot/branch";

/// The name of the bot's repository in messages.
pub(crate) const BRANCH_ROLE: &str = "the bot's fork";

/// Whether git can read the repository that holds, or will hold, the bot's branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BranchRepository {
    Accessible,
    /// The repository does not exist yet, or GitLab is still importing it.
    Absent,
}

impl SyncRun<'_> {
    /// Reads the last commit of the bot's branch into a store of its own. In the main store, git would build the pack
    /// of a push against files of any commit that it knows the server to have, and these files are not fetched.
    pub(crate) fn observe_branch(&self) -> Result<(BranchRepository, BranchState)> {
        let store = Store::create(self.git)?;
        let name = format!("refs/heads/{}", self.branch);
        let remote = self.remote(BRANCH_ROLE, &self.fork_path()?);
        if let Err(error) = remote.fetch(&store, &[(name, BRANCH_TIP.to_owned())], 1) {
            return match error.into_repository()? {
                RemoteError::MissingRef { .. } => Ok((BranchRepository::Accessible, BranchState::Missing)),
                other => Ok((self.absent_or_error(other)?, BranchState::Missing)),
            };
        }
        let commit = store.commit_at(BRANCH_TIP)?;
        let described = store.commit_info(&commit)?;
        let is_own =
            described.committer_email == self.session.identity()?.email && described.message.contains(SOURCE_TRAILER);
        let tip = BranchTip {
            commit,
            by: if is_own { Committer::Bot } else { Committer::Person },
            parent: match described.parents[..] {
                [parent] => Some(parent),
                _ => None,
            },
            tree: described.tree,
            message: described.message,
        };
        Ok((BranchRepository::Accessible, BranchState::At(tip)))
    }

    /// Returns `Absent` if the error means that the fork does not exist yet; otherwise the error. GitLab denies access
    /// to a missing repository.
    fn absent_or_error(&self, error: RemoteError) -> Result<BranchRepository> {
        match error {
            RemoteError::Denied { .. } if self.session.instance.forks != Forks::DistGit => Ok(BranchRepository::Absent),
            other => Err(other.into()),
        }
    }

    /// Lists the current tip of the bot's branch on the server.
    pub(crate) fn list_branch_tip(&self, store: &Store) -> Result<Option<CommitId>> {
        let name = format!("refs/heads/{}", self.branch);
        match self.remote(BRANCH_ROLE, &self.fork_path()?).list(store, std::slice::from_ref(&name)) {
            Ok(listed) => Ok(listed.into_iter().find(|(found, _)| *found == name).map(|(_, commit)| commit)),
            Err(error) => self.absent_or_error(error.into_repository()?).map(|_| None),
        }
    }
}
