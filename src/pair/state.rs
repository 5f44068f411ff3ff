//! The state of a pair: which of the dist-git merge requests is current, and who decided about it.

use crate::pair::facts::{DistGitMergeRequest, RequestState, SourceMergeRequest};
use crate::pair::markers::{self, EndReason, PairRecord};
use crate::types::UserId;

/// The state of a pair, seen from dist-git.
#[derive(Clone, Copy, Debug)]
pub(super) enum PairState<'a> {
    /// The bot has not opened a merge request there.
    None,
    /// It is open.
    Open(&'a DistGitMergeRequest),
    /// The bot closed it, because of what happened to the source-git merge request.
    ClosedByBot(&'a DistGitMergeRequest, EndReason),
    /// A person closed it.
    ClosedByPerson(&'a DistGitMergeRequest),
    /// A person merged it.
    Merged(&'a DistGitMergeRequest),
}

impl<'a> PairState<'a> {
    /// Picks the current one of the bot's own merge requests: the open one, or else the newest.
    ///
    /// A closed or merged one that was made from another source-git merge request does not count. It belongs to a
    /// project that had this path before.
    pub(super) fn of(merge_requests: &'a [DistGitMergeRequest], source: &SourceMergeRequest, bot: UserId) -> Self {
        let own = merge_requests.iter().filter(|merge_request| merge_request.author == bot);
        let counts = |of: &&DistGitMergeRequest| of.state == RequestState::Opened || !is_of_another(of, source);
        let newest = own
            .filter(counts)
            .max_by_key(|merge_request| (merge_request.state == RequestState::Opened, merge_request.iid));
        let Some(current) = newest else { return Self::None };
        match (current.state, end_reason(current, source)) {
            (RequestState::Opened, _) => Self::Open(current),
            (RequestState::Merged, _) => Self::Merged(current),
            (RequestState::Closed, Some(reason @ (EndReason::Closed | EndReason::Retargeted | EndReason::Moved)))
                if !closed_by_person(current, bot) =>
            {
                Self::ClosedByBot(current, reason)
            }
            (RequestState::Closed, _) => Self::ClosedByPerson(current),
        }
    }

    /// Returns the current merge request.
    pub(super) const fn merge_request(self) -> Option<&'a DistGitMergeRequest> {
        match self {
            Self::None => None,
            Self::Open(current)
            | Self::ClosedByBot(current, _)
            | Self::ClosedByPerson(current)
            | Self::Merged(current) => Some(current),
        }
    }
}

/// Whether a dist-git merge request was made from another source-git merge request, according to its own record.
fn is_of_another(merge_request: &DistGitMergeRequest, source: &SourceMergeRequest) -> bool {
    markers::read(&merge_request.description).is_some_and(|record| !is_about(&record, source))
}

/// Whether a person closed it. Somebody may have reopened what the bot had closed, and closed it again.
fn closed_by_person(merge_request: &DistGitMergeRequest, bot: UserId) -> bool {
    merge_request.closed_by.is_some_and(|by| by != bot)
}

/// Returns what the bot did when the source-git merge request ended, according to the record of the dist-git one.
pub(super) fn end_reason(merge_request: &DistGitMergeRequest, source: &SourceMergeRequest) -> Option<EndReason> {
    own_record(merge_request, source)?.ended
}

/// Returns the record of a dist-git merge request, if it is about this source-git merge request. Paths are not
/// compared, because projects move.
pub(super) fn own_record(merge_request: &DistGitMergeRequest, source: &SourceMergeRequest) -> Option<PairRecord> {
    markers::read(&merge_request.description).filter(|record| is_about(record, source))
}

fn is_about(record: &PairRecord, source: &SourceMergeRequest) -> bool {
    record.project == source.project && record.merge_request == source.iid
}
