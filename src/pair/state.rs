//! How a pair stands: which dist-git merge request is the one that counts, and who decided over it.

use crate::pair::facts::{DistGitMergeRequest, RequestState, SourceMergeRequest};
use crate::pair::markers::{self, EndReason, PairRecord};
use crate::types::UserId;

/// How a pair stands, seen from dist-git.
#[derive(Clone, Copy, Debug)]
pub(super) enum PairState<'a> {
    /// The bot has opened no merge request there.
    None,
    /// It is open.
    Open(&'a DistGitMergeRequest),
    /// The bot closed it, because of what became of the source-git merge request.
    ClosedByBot(&'a DistGitMergeRequest, EndReason),
    /// A person closed it.
    ClosedByPerson(&'a DistGitMergeRequest),
    /// A person merged it.
    Merged(&'a DistGitMergeRequest),
}

impl<'a> PairState<'a> {
    /// Looks at the bot's own merge requests: the open one counts, else the newest. What ended as the pair of another
    /// source-git merge request, of a project that had this path before, says nothing of this one.
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
            (RequestState::Closed, Some(ended @ (EndReason::Closed | EndReason::Retargeted | EndReason::Moved)))
                if !closed_by_person(current, bot) =>
            {
                Self::ClosedByBot(current, ended)
            }
            (RequestState::Closed, _) => Self::ClosedByPerson(current),
        }
    }

    /// Returns the merge request that counts.
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

/// Whether a dist-git merge request was made from another source-git merge request, by its own record.
fn is_of_another(merge_request: &DistGitMergeRequest, source: &SourceMergeRequest) -> bool {
    markers::read(&merge_request.description).is_some_and(|record| !is_about(&record, source))
}

/// Somebody may have reopened and closed again what the bot had closed.
fn closed_by_person(merge_request: &DistGitMergeRequest, bot: UserId) -> bool {
    merge_request.closed_by.is_some_and(|by| by != bot)
}

/// Returns what the bot did because of the source-git merge request, by its own record.
pub(super) fn end_reason(merge_request: &DistGitMergeRequest, source: &SourceMergeRequest) -> Option<EndReason> {
    own_record(merge_request, source)?.ended
}

/// Returns the record of a dist-git merge request, where it is about this source-git merge request. The path is not
/// compared: projects move.
pub(super) fn own_record(merge_request: &DistGitMergeRequest, source: &SourceMergeRequest) -> Option<PairRecord> {
    markers::read(&merge_request.description).filter(|record| is_about(record, source))
}

fn is_about(record: &PairRecord, source: &SourceMergeRequest) -> bool {
    record.project == source.project && record.merge_request == source.iid
}
