//! Observes what exists: the merge request's content as dist-git content, and what the bot did for it before.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};

use crate::ci::LogSection;
use crate::forge::MergeRequest;
use crate::git::partial::PartialFetch;
use crate::git::store::Store;
use crate::ops::generate::Generated;
use crate::ops::sync::bot_branch::BranchRepository;
use crate::ops::sync::content::{ContentResult, Unsynced};
use crate::ops::sync::pair_facts::{self, PairFacts};
use crate::ops::sync::run::{SyncGoal, SyncRun};
use crate::ops::sync::visibility::ForkVisibility;
use crate::ops::{commit_statuses, notes};
use crate::pair::commit::SourceAuthor;
use crate::pair::facts::{
    Blocked, BranchOrigin, BranchState, DistGitContent, LastAnnouncement, PairVisibility, RequestState,
    SourceMergeRequest, SyncFacts, WantedContent,
};
use crate::pair::markers;
use crate::pair::note::ci_results::CiSection;
use crate::pair::sync_plan::{self, SyncStep};
use crate::transform::config;
use crate::types::error::{Error, RemoteError, Result};
use crate::types::finding::quoted;
use crate::types::{BranchName, CiState, CommitId, Refusal, RepoPath, Visibility};

/// How long after its merge a merge request without a pair still gets one. It may have been merged before any job saw
/// it open.
const LATE_PAIR_WINDOW: TimeDelta = TimeDelta::days(3);

pub(crate) struct SyncSeen {
    target: BranchName,
    /// The commit that was fetched as the merge request's head.
    head: CommitId,
    content: ContentResult,
    branch: BranchState,
    branch_repository: BranchRepository,
    pub(crate) pair: PairFacts,
    /// The tip of source-git's target branch, if that was fetched or the note names it.
    base: Option<CommitId>,
    authors: Vec<SourceAuthor>,
}

impl SyncSeen {
    /// Returns the content for dist-git and what changes there, if it could be made.
    pub(crate) fn generated(&self) -> Option<&Generated> {
        self.content.generated()
    }

    /// Returns why no content could be made.
    pub(crate) fn unsynced(&self) -> Option<Unsynced> {
        self.content.unsynced()
    }

    /// Whether the bot's branch was observed.
    pub(crate) fn has_observed_branch(&self) -> bool {
        !matches!(self.content, ContentResult::NotDue | ContentResult::Blocked(Blocked::NoProject { .. }))
    }

    /// Whether statuses on the source-git merge request may still wait for results.
    pub(crate) fn has_open_results(&self) -> bool {
        let known = self.pair.notes.iter().find_map(|note| CiSection::read(&note.body));
        known
            .is_some_and(|known| !known.state.state.is_some_and(CiState::is_final) || !known.state.left_open.is_empty())
    }

    pub(crate) fn has_branch_repository(&self) -> bool {
        self.branch_repository == BranchRepository::Accessible
    }

    /// Whether the pair has an open merge request from the repository with the bot's branch. GitLab accepted it, so
    /// that repository is dist-git itself or a fork of it.
    pub(crate) fn is_branch_repository_in_use(&self) -> bool {
        let mut own = self.pair.merge_requests.iter().filter(|own| own.origin == BranchOrigin::Exists);
        own.any(|own| own.state == RequestState::Opened)
    }

    pub(crate) fn branch_tip(&self) -> Option<CommitId> {
        match &self.branch {
            BranchState::At(tip) => Some(tip.commit),
            BranchState::Missing => None,
        }
    }

    /// Returns the facts as if everybody could see everything, and without the place of statuses: enough to tell
    /// whether these have to be asked for.
    fn preliminary_facts<'a>(&'a self, run: &SyncRun<'_>) -> SyncFacts<'a> {
        let content = match &self.content {
            ContentResult::Generated(content) => WantedContent::Content(DistGitContent {
                tree: content.tree,
                base: content.base,
                base_tree: content.base_tree,
                report: &content.generated.report,
                upstream: content.upstream.as_ref(),
            }),
            ContentResult::Blocked(blocked) => WantedContent::Blocked(blocked.clone()),
            ContentResult::NotDue if run.goal == SyncGoal::NotHandled => WantedContent::NotHandled,
            ContentResult::NotDue => WantedContent::Closed,
        };
        let everybody = Visibility::Public;
        SyncFacts {
            bot: run.bot.user.id,
            source: self.source_facts(run),
            notes: self.pair.notes.clone(),
            visibility: PairVisibility {
                source: everybody,
                source_fork: everybody,
                dist_git: everybody,
                bot_fork: everybody,
            },
            branch: self.branch.clone(),
            branch_name: run.branch.clone(),
            dist_git: run.dist_path.clone(),
            merge_requests: self.pair.merge_requests.clone(),
            left_behind: self.pair.left_behind.clone(),
            announced: self.pair.announced.clone(),
            labels: run.session.instance.label.iter().cloned().collect(),
            content,
            mode: run.mode,
        }
    }

    /// Returns everything that the plan depends on. Asks who may see what only if the plan shows content.
    pub(crate) fn facts<'a>(&'a self, run: &SyncRun<'_>) -> Result<SyncFacts<'a>> {
        let mut facts = self.preliminary_facts(run);
        let steps = sync_plan::plan(&facts).steps;
        let shows = steps.iter().any(SyncStep::shows_content);
        let pushes = steps.iter().any(|step| matches!(step, SyncStep::PushBranch { .. }));
        if shows && self.generated().is_some() {
            // A new fork gets the visibility of dist-git. A fork with an open merge request is no more visible than
            // dist-git: when the original becomes less visible, GitLab detaches its forks and closes their merge
            // requests.
            let is_linked =
                self.pair.merge_requests.iter().any(|merge_request| merge_request.state == RequestState::Opened);
            let same_as_dist_git = is_linked || !self.has_branch_repository();
            facts.visibility = run.observe_visibility(if same_as_dist_git {
                ForkVisibility::SameAsDistGit
            } else {
                ForkVisibility::Own
            })?;
        }
        if pushes && run.source.sha == Some(self.head) {
            facts.source.statuses = commit_statuses::place_for_head(&run.session.forge, &run.source, &self.head, None)?;
        }
        Ok(facts)
    }

    fn source_facts(&self, run: &SyncRun<'_>) -> SourceMergeRequest {
        SourceMergeRequest {
            authors: self.authors.clone(),
            base: self.base,
            ..pair_facts::source_facts(&run.source, run.source_path.clone(), self.target.clone(), self.head)
        }
    }

    /// Reads the bot's last announcement in each dist-git merge request in which the plan announces something.
    pub(crate) fn observe_announcements(&mut self, run: &SyncRun<'_>) -> Result<()> {
        let facts = self.preliminary_facts(run);
        let iids = sync_plan::plan(&facts).steps.into_iter().filter_map(|step| match step {
            SyncStep::Announce { iid, .. } => Some(iid),
            _ => None,
        });
        let iids: BTreeSet<_> = iids.collect();
        let Some(project) = self.pair.dist_project else { return Ok(()) };
        let last = |iid| {
            Ok(LastAnnouncement {
                merge_request: iid,
                announcement: notes::last_announcement(run.session, project, iid)?,
            })
        };
        self.pair.announced = iids.into_iter().map(last).collect::<Result<_>>()?;
        Ok(())
    }
}

impl SyncRun<'_> {
    /// Observes everything. Returns `None` if there is nothing to do.
    pub(crate) fn observe(&self, store: &mut Store, target: BranchName) -> Result<Option<SyncSeen>> {
        match self.goal {
            SyncGoal::MergeRequest | SyncGoal::Target => self.observe_content(store, target),
            SyncGoal::Close | SyncGoal::NotHandled => self.observe_ended(target),
        }
    }

    /// Observes what remains of a merge request that is not synced any more.
    fn observe_ended(&self, target: BranchName) -> Result<Option<SyncSeen>> {
        let Some(merge_requests) = self.list_merge_requests()? else { return Ok(None) };
        if merge_requests.is_empty() && self.known.is_none() {
            tracing::info!("the merge request is closed, and has no pair in dist-git: nothing to do");
            return Ok(None);
        }
        let pair = self.observe_pair(&merge_requests)?;
        let recorded = pair.notes.iter().find_map(|note| markers::read_note(&note.body));
        let Some(head) = self.source.sha.or(recorded.as_ref().map(|recorded| recorded.commit)) else { return Ok(None) };
        Ok(Some(SyncSeen {
            content: ContentResult::NotDue,
            target,
            head,
            base: recorded.and_then(|recorded| recorded.base),
            branch: BranchState::Missing,
            branch_repository: BranchRepository::Absent,
            pair,
            authors: Vec::new(),
        }))
    }

    fn observe_content(&self, store: &mut Store, target: BranchName) -> Result<Option<SyncSeen>> {
        let merged_early = match self.goal {
            SyncGoal::Target => Some(self.list_merge_requests()?),
            _ => None,
        };
        if let Some(merge_requests) = &merged_early
            && merge_requests.as_ref().is_none_or(Vec::is_empty)
            && !was_merged_recently(&self.source)
        {
            tracing::info!("it was merged some time ago, and has no pair in dist-git: nothing to do");
            return Ok(None);
        }
        let remote = self.remote("source-git", &self.source_path);
        let section = LogSection::begin(self.session.log, "fetch_source_git", "fetching from source-git");
        let begun = match self.goal {
            SyncGoal::Target => PartialFetch::of_branch(store, &remote, target.as_str()),
            _ => PartialFetch::of_merge_request(store, &remote, self.source.iid.0, target.as_str()),
        };
        let mut fetched = match begun {
            Err(error) if self.is_target_deleted(&error, &target)? => return self.observe_without_target(target),
            Err(error) => return self.observe_without_content(target, refusal_of(error)?),
            Ok(begun) => begun,
        };
        let path = RepoPath::parse(config::PATH)?;
        let is_configured = store.entry(&store.tree_of(&fetched.head)?, &path)?.is_some();
        drop(section);
        let mut authors = Vec::new();
        let (merge_requests, content) = match merged_early {
            Some(known) => (known, None),
            None if !is_configured => (self.list_merge_requests()?, None),
            // Making content takes a while. Listing the merge requests afterwards catches what people write in dist-git
            // meanwhile.
            None => {
                let content = self.make_content(store, &mut fetched, &target, &mut authors);
                (self.list_merge_requests()?, Some(content))
            }
        };
        let has_dist_git = merge_requests.is_some();
        let found = merge_requests.unwrap_or_default();
        let mut seen = SyncSeen {
            content: ContentResult::Blocked(Blocked::NoProject { project: self.dist_path.clone() }),
            target,
            head: fetched.head,
            base: Some(fetched.target),
            branch: BranchState::Missing,
            branch_repository: BranchRepository::Absent,
            pair: self.observe_pair(&found)?,
            authors: Vec::new(),
        };
        // Not every branch has packaging. If the bot did something here before, its note has to say that there is none
        // now.
        if !is_configured && seen.pair.is_empty() {
            tracing::info!("{path} is not there: nothing to do");
            return Ok(None);
        }
        if has_dist_git {
            let content = content.unwrap_or_else(|| self.make_content(store, &mut fetched, &seen.target, &mut authors));
            seen.authors = authors;
            seen.content = match content {
                Ok(content) => content,
                Err(error) => ContentResult::Blocked(Blocked::Refused(refusal_of(error)?)),
            };
            (seen.branch_repository, seen.branch) = self.observe_branch()?;
            let tip = seen.branch_tip();
            self.separate_moved(&mut seen.pair, &found, tip)?;
        }
        Ok(Some(seen))
    }

    /// Whether the fetch failed because the target branch was deleted.
    fn is_target_deleted(&self, error: &Error, target: &BranchName) -> Result<bool> {
        let is_missing = matches!(error.repository(), Some(RemoteError::MissingRef { .. }));
        Ok(is_missing && self.session.forge.branch(self.source.target_project_id, target)?.is_none())
    }

    /// Observes what remains of a merge request whose target branch was deleted: no content can be made of it.
    fn observe_without_target(&self, target: BranchName) -> Result<Option<SyncSeen>> {
        let text = format!("its target branch {} is not there any more", quoted(target.as_str().as_bytes()));
        let remedy = "choose another target branch for the merge request, or have that one made again";
        self.observe_without_content(target, Refusal::new(text, remedy))
    }

    /// Observes what remains of a merge request that cannot be fetched.
    fn observe_without_content(&self, target: BranchName, refusal: Refusal) -> Result<Option<SyncSeen>> {
        let Some(head) = self.source.sha else { return Ok(None) };
        let Some(merge_requests) = self.list_merge_requests()? else { return Ok(None) };
        if merge_requests.is_empty()
            && !self.session.forge.has_file(self.source.target_project_id, config::PATH, &head)?
        {
            tracing::info!("{} is not there: nothing to do", config::PATH);
            return Ok(None);
        }
        let (branch_repository, branch) = self.observe_branch()?;
        Ok(Some(SyncSeen {
            content: ContentResult::Blocked(Blocked::Refused(refusal)),
            target,
            head,
            base: None,
            branch,
            branch_repository,
            pair: self.observe_pair(&merge_requests)?,
            authors: Vec::new(),
        }))
    }
}

/// Returns what the contributor has to fix, if the error is about the content of the merge request; otherwise the
/// error.
fn refusal_of(error: Error) -> Result<Refusal> {
    match error.repository() {
        Some(remote) if remote.is_about_content() => {
            let remedy = "take the commits that hold such directories or objects out of the branch and its history";
            Ok(Refusal::new(format!("git does not take what was committed: {remote}"), remedy))
        }
        _ => error.into_refusal(),
    }
}

/// Whether a merge request was merged so recently that no job may have seen it open.
fn was_merged_recently(source: &MergeRequest) -> bool {
    source.merged_at.is_some_and(|merged| Utc::now().signed_duration_since(merged) < LATE_PAIR_WINDOW)
}
