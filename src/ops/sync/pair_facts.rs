//! What there is of a pair on GitLab: the dist-git merge requests of a source-git merge request, and the bot's notes.

use anyhow::Result;

use crate::forge::{self, ForgeError, MergeRequest, MergeRequestQuery, MergeRequestState, Note, StateFilter};
use crate::ops::notes;
use crate::ops::sync::Run;
use crate::pair::commit::SourceAuthor;
use crate::pair::facts::{
    BranchOrigin, DistGitMergeRequest, LastAnnouncement, RequestState, SourceMergeRequest, SourceNote,
};
use crate::pair::title::Draft;
use crate::pair::{branch, markers, sync_plan};
use crate::types::{BranchName, CommitId, ProjectId, ProjectPath};

/// The most of the bot's merge requests that are looked at; there is one, or two after a race.
const LOOKED_AT: usize = 100;

/// The most commits of a merged merge request whose authors are asked for.
const COMMITS: usize = 200;

/// What there is.
pub(crate) struct Pairing {
    /// The dist-git project, where it has a merge request of the pair.
    pub(crate) dist_project: Option<ProjectId>,
    pub(crate) merge_requests: Vec<DistGitMergeRequest>,
    pub(crate) left_behind: Vec<DistGitMergeRequest>,
    pub(crate) notes: Vec<SourceNote>,
    pub(crate) told: Vec<LastAnnouncement>,
}

impl Pairing {
    /// Whether the bot has done and said nothing about the merge request so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.merge_requests.is_empty() && self.left_behind.is_empty() && self.notes.is_empty()
    }
}

impl Run<'_> {
    /// The bot's dist-git merge requests from its branch for this merge request, in any state; `None` where there is no
    /// dist-git project.
    pub(crate) fn merge_requests(&self) -> Result<Option<Vec<MergeRequest>>> {
        let query = MergeRequestQuery {
            source_branch: Some(self.branch.as_str()),
            target_branch: None,
            author: Some(self.myself.user.id),
            state: StateFilter::Any,
        };
        let found = self.bot.forge.merge_requests(&self.dist_path, query).take(LOOKED_AT);
        match found.collect::<Result<Vec<_>, _>>() {
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(None),
            found => Ok(Some(found?)),
        }
    }

    /// Completes the pair: the notes, and what was made for targets that the merge request had before.
    pub(crate) fn pairing(&self, found: &[MergeRequest]) -> Result<Pairing> {
        let mut merge_requests: Vec<_> = found.iter().filter_map(dist_git).collect();
        let notes = self.own_notes(&merge_requests)?;
        let named = notes.iter().filter_map(|note| markers::read_note(&note.body)?.merge_request);
        let mut left_behind = Vec::new();
        let mut dist_project = found.first().map(|found| found.target_project_id);
        if let Some(known) = self.known {
            // Whoever knows of it has it from a list, which may be old by now.
            let known = self.bot.forge.merge_request(&self.dist_path, known)?;
            dist_project = Some(known.target_project_id);
            left_behind.extend(self.of_other_target(&known));
        }
        for iid in named {
            let is_known = |there: &DistGitMergeRequest| there.iid == iid;
            if merge_requests.iter().chain(&left_behind).any(is_known) {
                continue;
            }
            match self.bot.forge.merge_request(&self.dist_path, iid) {
                Ok(found) => {
                    dist_project = Some(found.target_project_id);
                    left_behind.extend(self.of_other_target(&found));
                }
                Err(ForgeError::NotFoundOrNoAccess(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        merge_requests.retain(|there| there.branch == self.branch);
        Ok(Pairing { dist_project, merge_requests, left_behind, notes, told: Vec::new() })
    }

    /// Sets apart what is from another project than the one where the bot's branches are, because the instance's `forks`
    /// were changed. `found` is what GitLab told of the merge requests, `tip` where the bot's branch is.
    pub(crate) fn set_apart_what_moved(
        &self,
        pair: &mut Pairing,
        found: &[MergeRequest],
        tip: Option<CommitId>,
    ) -> Result<()> {
        let is_open = |found: &MergeRequest| found.state == MergeRequestState::Opened;
        let counts = |one: &&MergeRequest| is_open(one) || !found.iter().any(is_open);
        // GitLab tells the commit of the branch that each is from: where that is the tip, it is from here.
        let is_in_doubt = |one: &MergeRequest| may_have_moved(one) && one.sha.is_some() && one.sha != tip;
        if !found.iter().filter(counts).any(is_in_doubt) {
            return Ok(());
        }
        let home = match self.bot.forge.project(&self.fork_path()?) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => None,
            home => Some(home?.id),
        };
        let moved = found.iter().filter(|one| may_have_moved(one) && one.source_project_id != home);
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

    /// Returns a dist-git merge request of the bot that was made from this merge request for another target.
    fn of_other_target(&self, found: &MergeRequest) -> Option<DistGitMergeRequest> {
        let found = dist_git(found)?;
        let (target, iid) = branch::parse(&found.branch)?;
        let record = markers::read(&found.description);
        let is_its = record.is_none_or(|record| {
            record.project == self.source.target_project_id && record.merge_request == self.source.iid
        });
        let is_own = found.author == self.myself.user.id && iid == self.source.iid;
        (is_own && is_its && target.as_str() != self.source.target_branch).then_some(found)
    }

    /// The bot's own notes on the merge request.
    fn own_notes(&self, merge_requests: &[DistGitMergeRequest]) -> Result<Vec<SourceNote>> {
        let (project, iid) = (self.source.target_project_id, self.source.iid);
        let own = merge_requests.iter().filter(|merge_request| merge_request.author == self.myself.user.id);
        let records = own.filter_map(|merge_request| markers::read(&merge_request.description));
        let mut records = records.filter(|record| record.project == project && record.merge_request == iid);
        let found = notes::find(self.bot, project, iid, records.find_map(|record| record.note))?;
        let seen = |note: Note| SourceNote { id: note.id, author: note.author.id, body: note.body };
        Ok(found.into_iter().map(seen).collect())
    }

    /// Who wrote the commits of a merged merge request, whose branch may be gone.
    pub(crate) fn authors_of_merged(&self) -> Result<Vec<SourceAuthor>> {
        let commits = self.bot.forge.merge_request_commits(self.source.target_project_id, self.source.iid);
        let mut authors = Vec::new();
        for commit in commits.take(COMMITS) {
            let forge::Commit { author_name, author_email, parent_ids, .. } = commit?;
            if parent_ids.len() < 2 {
                authors.push(SourceAuthor { name: author_name.into(), email: author_email.into() });
            }
        }
        authors.reverse();
        Ok(authors)
    }
}

/// Whether it matters where the branch of a merge request is: not of one that was merged, or whose branch is gone.
fn may_have_moved(found: &MergeRequest) -> bool {
    found.state != MergeRequestState::Merged && found.source_project_id.is_some()
}

/// Returns a source-git merge request as plans see it, but for its authors.
pub(crate) fn source(seen: &MergeRequest, path: ProjectPath, target: BranchName, head: CommitId) -> SourceMergeRequest {
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

/// Returns a dist-git merge request as plans see it; nothing where its branch has no name that a branch can have.
pub(crate) fn dist_git(seen: &MergeRequest) -> Option<DistGitMergeRequest> {
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

/// Whether title and description of a dist-git merge request are what its source-git merge request makes them.
pub(crate) fn texts_are_current(path: &ProjectPath, of: &MergeRequest, dist: &MergeRequest) -> bool {
    let (Some(head), Ok(target), Some(dist)) = (of.sha, of.target_branch.parse(), dist_git(dist)) else { return true };
    sync_plan::texts_are_current(&source(of, path.clone(), target, head), &dist)
}

fn state_of(state: MergeRequestState) -> RequestState {
    match state {
        MergeRequestState::Opened => RequestState::Opened,
        MergeRequestState::Merged => RequestState::Merged,
        // It is being merged: whatever comes of that, nobody closed it.
        MergeRequestState::Locked => RequestState::Opened,
        MergeRequestState::Closed | MergeRequestState::Unknown => RequestState::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_is_named_by_the_commit_that_the_target_branch_got() {
        let (merge, squashed, head) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        let named = |merge: Option<&str>, squashed: Option<&str>| {
            let seen: MergeRequest = serde_json::from_value(serde_json::json!({
                "id": 1, "iid": 7, "target_project_id": 11, "author": {"id": 3, "username": "x"}, "state": "merged",
                "sha": head, "merge_commit_sha": merge, "squash_commit_sha": squashed,
            }))
            .unwrap();
            let source = source(&seen, "src/hello".parse().unwrap(), "c9s".parse().unwrap(), seen.sha.unwrap());
            source.merged_as.unwrap().to_string()
        };
        assert_eq!(named(Some(&merge), None), merge);
        assert_eq!(named(Some(&merge), Some(&squashed)), merge);
        // Fast-forward: no merge commit; squashed, the branch's own commits are not in the target branch.
        assert_eq!(named(None, Some(&squashed)), squashed);
        assert_eq!(named(None, None), head);
    }
}
