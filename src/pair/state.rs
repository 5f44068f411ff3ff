//! How a pair stands: which dist-git merge request is the one that counts, and who decided over it.

use crate::pair::facts::{DistGitMergeRequest, SourceMergeRequest, SourceState};
use crate::pair::markers::{self, Ended, Record};
use crate::types::UserId;

/// How a pair stands, seen from dist-git.
#[derive(Clone, Copy, Debug)]
pub(super) enum PairState<'a> {
    /// The bot has opened no merge request there.
    None,
    /// It is open.
    Open(&'a DistGitMergeRequest),
    /// The bot closed it, because of what became of the source-git merge request.
    Dormant(&'a DistGitMergeRequest, Ended),
    /// A person closed it.
    ClosedThere(&'a DistGitMergeRequest),
    /// A person merged it.
    MergedThere(&'a DistGitMergeRequest),
}

impl<'a> PairState<'a> {
    /// Looks at the bot's own merge requests: the open one counts, else the newest. What ended as the pair of another
    /// source-git merge request, of a project that had this path before, says nothing of this one.
    pub(super) fn of(merge_requests: &'a [DistGitMergeRequest], source: &SourceMergeRequest, bot: UserId) -> Self {
        let own = merge_requests.iter().filter(|merge_request| merge_request.author == bot);
        let counts = |of: &&DistGitMergeRequest| of.state == SourceState::Opened || !is_of_another(of, source);
        let newest = own
            .filter(counts)
            .max_by_key(|merge_request| (merge_request.state == SourceState::Opened, merge_request.iid));
        let Some(current) = newest else { return Self::None };
        match (current.state, ended(current, source)) {
            (SourceState::Opened, _) => Self::Open(current),
            (SourceState::Merged, _) => Self::MergedThere(current),
            (SourceState::Closed, Some(ended @ (Ended::Closed | Ended::Retargeted | Ended::Moved)))
                if !closed_by_person(current, bot) =>
            {
                Self::Dormant(current, ended)
            }
            (SourceState::Closed, _) => Self::ClosedThere(current),
        }
    }

    /// Returns the merge request that counts.
    pub(super) const fn merge_request(self) -> Option<&'a DistGitMergeRequest> {
        match self {
            Self::None => None,
            Self::Open(current)
            | Self::Dormant(current, _)
            | Self::ClosedThere(current)
            | Self::MergedThere(current) => Some(current),
        }
    }
}

/// Whether a dist-git merge request was made from another source-git merge request, by its own record.
fn is_of_another(merge_request: &DistGitMergeRequest, source: &SourceMergeRequest) -> bool {
    markers::read(&merge_request.description).is_some_and(|record| !is_about(&record, source))
}

/// Somebody may have reopened and closed again what the bot had closed.
fn closed_by_person(merge_request: &DistGitMergeRequest, bot: UserId) -> bool {
    merge_request.closed_by.is_some_and(|by| by != bot)
}

/// Returns what the bot did because of the source-git merge request, by its own record.
pub(super) fn ended(merge_request: &DistGitMergeRequest, source: &SourceMergeRequest) -> Option<Ended> {
    believed(merge_request, source)?.ended
}

/// Returns the record of a dist-git merge request, where it is about this source-git merge request. The path is not
/// compared: projects move.
pub(super) fn believed(merge_request: &DistGitMergeRequest, source: &SourceMergeRequest) -> Option<Record> {
    markers::read(&merge_request.description).filter(|record| is_about(record, source))
}

fn is_about(record: &Record, source: &SourceMergeRequest) -> bool {
    record.project == source.project && record.merge_request == source.iid
}
