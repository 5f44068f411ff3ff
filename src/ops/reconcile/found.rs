//! The merge requests that a run finds, and how later runs recognize them.

use crate::forge::{MergeRequest, MergeRequestState};
use crate::pair::branch;
use crate::pair::cache::CacheKey;
use crate::types::{BranchName, MergeRequestIid, ProjectPath};

/// A source-git merge request with the dist-git merge request that was made from it, or one of the two.
pub(crate) struct FoundPair {
    pub(crate) source_path: ProjectPath,
    pub(crate) source: Option<MergeRequest>,
    pub(crate) dist_path: ProjectPath,
    pub(crate) dist: Option<MergeRequest>,
}

impl FoundPair {
    /// Returns the name that people use.
    pub(crate) fn name(&self) -> String {
        match (&self.source, &self.dist) {
            (Some(source), _) => format!("{}!{}", self.source_path, source.iid),
            (None, Some(dist)) => format!("{}!{}", self.dist_path, dist.iid),
            (None, None) => self.source_path.to_string(),
        }
    }

    /// Returns what identifies the pair. A dist-git merge request is identified by its source branch, because people
    /// may retarget it.
    pub(crate) fn identity(&self) -> Option<PairIdentity> {
        if let Some(source) = &self.source {
            return Some((self.source_path.clone(), source.iid, source.target_branch.parse().ok()?));
        }
        let (target, iid) = branch::parse(&self.dist.as_ref()?.source_branch.parse().ok()?)?;
        Some((self.source_path.clone(), iid, target))
    }

    /// Returns the bot's branch for the pair.
    pub(crate) fn branch(&self) -> Option<BranchName> {
        let (_, iid, target) = self.identity()?;
        branch::name(&target, iid).ok()
    }

    /// Returns the key by which runs remember the pair.
    pub(crate) fn key(&self) -> CacheKey {
        let target = self.source.as_ref().or(self.dist.as_ref()).map(|request| request.target_branch.as_str());
        CacheKey::of([self.name().as_str(), target.unwrap_or_default()])
    }
}

/// What identifies a pair: the source-git project, the merge request there and its target branch.
pub(crate) type PairIdentity = (ProjectPath, MergeRequestIid, BranchName);

/// Which of the two merge requests are open, according to the lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundKind {
    Pair,
    SourceGitOnly,
    DistGitOnly,
    Neither,
}

impl FoundKind {
    pub(crate) fn of(found: &FoundPair) -> Self {
        match (&found.source, &found.dist) {
            (Some(_), Some(_)) => Self::Pair,
            (Some(source), None) if source.state == MergeRequestState::Merged => Self::Neither,
            (Some(_), None) => Self::SourceGitOnly,
            (None, Some(dist)) if dist.state == MergeRequestState::Opened => Self::DistGitOnly,
            (None, _) => Self::Neither,
        }
    }
}

/// Whether a run has handled every merge request that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    Complete,
    /// Something failed or was not reached, and no list of open merge requests would show it again.
    Partial,
}
