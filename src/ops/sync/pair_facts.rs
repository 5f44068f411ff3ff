//! Observes a pair on GitLab: the dist-git merge requests of a source-git merge request, and the bot's notes.

use crate::forge::{self, MergeRequest, MergeRequestQuery, MergeRequestState, Note, StateFilter};
use crate::ops::notes;
use crate::ops::sync::run::SyncRun;
use crate::pair::commit::SourceAuthor;
use crate::pair::facts::{
    BranchOrigin, DistGitMergeRequest, LastAnnouncement, RequestState, SourceMergeRequest, SourceNote,
};
use crate::pair::title::Draft;
use crate::pair::{branch, markers, sync_plan};
use crate::types::error::{ForgeError, Result};
use crate::types::{BranchName, CommitId, ProjectId, ProjectPath};

/// The most merge requests from the bot's branch that are read. There is one, or two after a race.
const MAX_MERGE_REQUESTS: usize = 100;

/// The most commits of a merged merge request whose authors are read.
const MAX_COMMITS: usize = 200;

pub(crate) struct PairFacts {
    /// The dist-git project, if it has a merge request of the pair.
    pub(crate) dist_project: Option<ProjectId>,
    pub(crate) merge_requests: Vec<DistGitMergeRequest>,
    /// Those for targets that the source-git merge request had before, and those from a project where the bot's
    /// branches no longer are.
    pub(crate) left_behind: Vec<DistGitMergeRequest>,
    pub(crate) notes: Vec<SourceNote>,
    pub(crate) announced: Vec<LastAnnouncement>,
}

impl PairFacts {
    /// Whether the bot has not acted on the merge request so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.merge_requests.is_empty() && self.left_behind.is_empty() && self.notes.is_empty()
    }
}

impl SyncRun<'_> {
    /// Lists the dist-git merge requests from the bot's branch, in any state; `None` if there is no dist-git project.
    pub(crate) fn list_merge_requests(&self) -> Result<Option<Vec<MergeRequest>>> {
        let query = MergeRequestQuery {
            source_branch: Some(self.branch.as_str()),
            target_branch: None,
            author: Some(self.bot.user.id),
            state: StateFilter::Any,
        };
        let found = self.session.forge.merge_requests(&self.dist_path, query).take(MAX_MERGE_REQUESTS);
        match found.collect::<Result<Vec<_>, _>>() {
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(None),
            found => Ok(Some(found?)),
        }
    }

    /// Observes the notes, and the dist-git merge requests for targets that the merge request had before. `found` are
    /// those from the bot's branch.
    pub(crate) fn observe_pair(&self, found: &[MergeRequest]) -> Result<PairFacts> {
        let mut merge_requests: Vec<_> = found.iter().filter_map(dist_git_facts).collect();
        let notes = self.bot_notes(&merge_requests)?;
        let named_in_notes = notes.iter().filter_map(|note| markers::read_note(&note.body)?.merge_request);
        let mut left_behind = Vec::new();
        let mut dist_project = found.first().map(|found| found.target_project_id);
        if let Some(known) = self.known {
            // The caller knows it from a list, which may be out of date by now.
            let known = self.session.forge.merge_request(&self.dist_path, known)?;
            dist_project = Some(known.target_project_id);
            left_behind.extend(self.for_other_target(&known));
        }
        for iid in named_in_notes {
            let is_known = |known: &DistGitMergeRequest| known.iid == iid;
            if merge_requests.iter().chain(&left_behind).any(is_known) {
                continue;
            }
            match self.session.forge.merge_request(&self.dist_path, iid) {
                Ok(found) => {
                    dist_project = Some(found.target_project_id);
                    left_behind.extend(self.for_other_target(&found));
                }
                Err(ForgeError::NotFoundOrNoAccess(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        merge_requests.retain(|found| found.branch == self.branch);
        Ok(PairFacts { dist_project, merge_requests, left_behind, notes, announced: Vec::new() })
    }

    /// Moves merge requests from another project than the one with the bot's branches to `left_behind`: the instance's
    /// `forks` were changed. `found` is what GitLab says about the merge requests, `tip` the tip of the bot's branch.
    pub(crate) fn separate_moved(
        &self,
        pair: &mut PairFacts,
        found: &[MergeRequest],
        tip: Option<CommitId>,
    ) -> Result<()> {
        let is_open = |found: &MergeRequest| found.state == MergeRequestState::Opened;
        let counts = |request: &&MergeRequest| is_open(request) || !found.iter().any(is_open);
        // GitLab says the last commit of each merge request. If that is the tip, its branch is in the right project.
        let may_be_elsewhere =
            |request: &MergeRequest| may_have_moved(request) && request.sha.is_some() && request.sha != tip;
        if !found.iter().filter(counts).any(may_be_elsewhere) {
            return Ok(());
        }
        let branch_project = match self.session.forge.project(&self.fork_path()?) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => None,
            branch_project => Some(branch_project?.id),
        };
        let moved =
            found.iter().filter(|request| may_have_moved(request) && request.source_project_id != branch_project);
        for moved in moved {
            if is_open(moved) {
                pair.left_behind.extend(pair.merge_requests.extract_if(.., |known| known.iid == moved.iid));
            }
            for known in pair.merge_requests.iter_mut().filter(|known| known.iid == moved.iid) {
                known.origin = BranchOrigin::Gone;
            }
        }
        Ok(())
    }

    /// Returns `found` if the bot made it from this merge request for another target.
    fn for_other_target(&self, found: &MergeRequest) -> Option<DistGitMergeRequest> {
        let found = dist_git_facts(found)?;
        let (target, iid) = branch::parse(&found.branch)?;
        let record = markers::read(&found.description);
        let matches_record = record.is_none_or(|record| {
            record.project == self.source.target_project_id && record.merge_request == self.source.iid
        });
        let is_own = found.author == self.bot.user.id && iid == self.source.iid;
        (is_own && matches_record && target.as_str() != self.source.target_branch).then_some(found)
    }

    fn bot_notes(&self, merge_requests: &[DistGitMergeRequest]) -> Result<Vec<SourceNote>> {
        let (project, iid) = (self.source.target_project_id, self.source.iid);
        let own = merge_requests.iter().filter(|merge_request| merge_request.author == self.bot.user.id);
        let records = own.filter_map(|merge_request| markers::read(&merge_request.description));
        let mut records = records.filter(|record| record.project == project && record.merge_request == iid);
        let found = notes::find(self.session, project, iid, records.find_map(|record| record.note))?;
        let seen = |note: Note| SourceNote { id: note.id, author: note.author.id, body: note.body };
        Ok(found.into_iter().map(seen).collect())
    }

    /// Returns the authors of a merged merge request's commits. Asks GitLab, because the branch may be gone.
    pub(crate) fn authors_of_merged(&self) -> Result<Vec<SourceAuthor>> {
        let commits = self.session.forge.merge_request_commits(self.source.target_project_id, self.source.iid);
        let mut authors = Vec::new();
        for commit in commits.take(MAX_COMMITS) {
            let forge::Commit { author_name, author_email, parent_ids, .. } = commit?;
            if parent_ids.len() < 2 {
                authors.push(SourceAuthor { name: author_name.into(), email: author_email.into() });
            }
        }
        authors.reverse();
        Ok(authors)
    }
}

/// Whether the branch of a merge request may be in another project now. That does not matter if the merge request was
/// merged, or if the project is gone.
fn may_have_moved(found: &MergeRequest) -> bool {
    found.state != MergeRequestState::Merged && found.source_project_id.is_some()
}

/// Returns a source-git merge request as plans see it, without its authors, base and statuses.
pub(crate) fn source_facts(
    seen: &MergeRequest,
    path: ProjectPath,
    target: BranchName,
    head: CommitId,
) -> SourceMergeRequest {
    let state = state_of(seen.state);
    SourceMergeRequest {
        project: seen.target_project_id,
        path,
        iid: seen.iid,
        url: seen.web_url.clone(),
        state,
        merged_as: seen
            .merge_commit_sha
            .or(seen.squash_commit_sha)
            .or(seen.sha)
            .filter(|_| state == RequestState::Merged),
        title: seen.title.clone(),
        description: seen.description.clone(),
        draft: if seen.draft { Draft::Yes } else { Draft::No },
        target,
        head,
        base: None,
        authors: Vec::new(),
        statuses: None,
    }
}

/// Returns a dist-git merge request as plans see it; `None` if its branch does not have a valid name.
pub(crate) fn dist_git_facts(seen: &MergeRequest) -> Option<DistGitMergeRequest> {
    Some(DistGitMergeRequest {
        iid: seen.iid,
        url: seen.web_url.clone(),
        author: seen.author.id,
        state: state_of(seen.state),
        closed_by: seen.closed_by.as_ref().map(|user| user.id),
        branch: seen.source_branch.parse().ok()?,
        origin: if seen.source_project_id.is_some() { BranchOrigin::Exists } else { BranchOrigin::Gone },
        title: seen.title.clone(),
        description: seen.description.clone(),
    })
}

/// Whether title and description of a dist-git merge request follow from its source-git merge request. True if that
/// cannot be told.
pub(crate) fn texts_are_current(path: &ProjectPath, of: &MergeRequest, dist: &MergeRequest) -> bool {
    let (Some(head), Ok(target), Some(dist)) = (of.sha, of.target_branch.parse(), dist_git_facts(dist)) else {
        return true;
    };
    sync_plan::texts_are_current(&source_facts(of, path.clone(), target, head), &dist)
}

fn state_of(state: MergeRequestState) -> RequestState {
    match state {
        MergeRequestState::Opened => RequestState::Opened,
        MergeRequestState::Merged => RequestState::Merged,
        // GitLab is merging it. Whatever the result, nobody closed it.
        MergeRequestState::Locked => RequestState::Opened,
        MergeRequestState::Closed | MergeRequestState::Unknown => RequestState::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_as_is_the_commit_that_the_target_branch_got() {
        let (merge, squashed, head) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        let merged_as = |merge: Option<&str>, squashed: Option<&str>| {
            let seen: MergeRequest = serde_json::from_value(serde_json::json!({
                "id": 1, "iid": 7, "target_project_id": 11, "author": {"id": 3, "username": "x"}, "state": "merged",
                "sha": head, "merge_commit_sha": merge, "squash_commit_sha": squashed,
            }))
            .unwrap();
            let source = source_facts(&seen, "src/hello".parse().unwrap(), "c9s".parse().unwrap(), seen.sha.unwrap());
            source.merged_as.unwrap().to_string()
        };
        assert_eq!(merged_as(Some(&merge), None), merge);
        assert_eq!(merged_as(Some(&merge), Some(&squashed)), merge);
        // Fast-forward: no merge commit; squashed, the branch's own commits are not in the target branch.
        assert_eq!(merged_as(None, Some(&squashed)), squashed);
        assert_eq!(merged_as(None, None), head);
    }
}
