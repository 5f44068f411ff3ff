//! The bot's branch: where it is, and what it holds.

use anyhow::Result;

use crate::config::Forks;
use crate::git::remote::RemoteError;
use crate::git::store::Store;
use crate::ops::sync::Run;
use crate::pair::commit::SOURCE_TRAILER;
use crate::pair::facts::{BranchState, BranchTip, Committer};
use crate::types::CommitId;

/// The name in the store.
const BRANCH_TIP: &str = "refs/bot/branch";

/// What the repository with the bot's branch is called in messages.
pub(crate) const BRANCH_ROLE: &str = "the bot's fork";

/// The repository that holds the bot's branch, or will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BranchHome {
    /// git was let in.
    Answers,
    /// It was not: there is none yet, or it is still being filled.
    Absent,
}

impl Run<'_> {
    /// What the bot's branch holds. Only its last commit is read, in a store of its own: git would make a push's pack
    /// against files of any commit that it knows the server to have, and these files are not fetched.
    pub(crate) fn branch_state(&self) -> Result<(BranchHome, BranchState)> {
        let store = Store::create(self.git)?;
        let name = format!("refs/heads/{}", self.branch);
        let remote = self.remote(BRANCH_ROLE, &self.fork_path()?);
        if let Err(error) = remote.fetch(&store, &[(name, BRANCH_TIP.to_owned())], 1) {
            return match error.downcast::<RemoteError>()? {
                RemoteError::MissingRef { .. } => Ok((BranchHome::Answers, BranchState::Missing)),
                other => Ok((self.absent(other)?, BranchState::Missing)),
            };
        }
        let commit = store.commit_at(BRANCH_TIP)?;
        let described = store.describe(&commit)?;
        let own = described.committer_email == self.bot.person()?.email && described.message.contains(SOURCE_TRAILER);
        let tip = BranchTip {
            commit,
            by: if own { Committer::Bot } else { Committer::Person },
            parent: match described.parents[..] {
                [parent] => Some(parent),
                _ => None,
            },
            tree: described.tree,
            message: described.message,
        };
        Ok((BranchHome::Answers, BranchState::At(tip)))
    }

    /// Returns what it means that git was not let in: a fork that the bot is yet to make looks like that.
    fn absent(&self, error: RemoteError) -> Result<BranchHome> {
        match error {
            RemoteError::Denied { .. } if self.bot.instance.forks != Forks::DistGit => Ok(BranchHome::Absent),
            other => Err(other.into()),
        }
    }

    /// Where the bot's branch is.
    pub(crate) fn branch_tip(&self, store: &Store) -> Result<Option<CommitId>> {
        let name = format!("refs/heads/{}", self.branch);
        match self.remote(BRANCH_ROLE, &self.fork_path()?).list(store, std::slice::from_ref(&name)) {
            Ok(listed) => Ok(listed.into_iter().find(|(found, _)| *found == name).map(|(_, commit)| commit)),
            Err(error) => self.absent(error.downcast::<RemoteError>()?).map(|_| None),
        }
    }
}
