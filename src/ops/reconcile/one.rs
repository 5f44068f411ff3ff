//! Checks one merge request and its pair, and brings them up to date.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::forge::{MergeRequest, MergeRequestState, Note};
use crate::ops::find_pair::{self, MergeRequestPair, PairReference};
use crate::ops::reconcile::found::FoundPair;
use crate::ops::reconcile::summary::SummaryLine;
use crate::ops::reference::{MergeRequestReference, NamedMergeRequest};
use crate::ops::session::Session;
use crate::ops::sync::{self, SyncRequest, Synced, Unsynced};
use crate::ops::{notes, report};
use crate::pair::note::ci_results::CiSection;
use crate::pair::{branch, commit, markers};
use crate::transform::config;
use crate::types::error::{ForgeError, Result};
use crate::types::{CiState, CommitId, MergeRequestIid, ProjectId, ProjectPath};

/// How much a check covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckDepth {
    /// Everything, including what only a new sync can tell: where `upstream_ref` points, what the settings require.
    Full,
    /// Changes that the merge requests and their branches show.
    Changes,
}

pub(crate) struct PairReconciler<'a> {
    pub(crate) session: &'a Session,
    pub(crate) tips: &'a TargetTips,
    pub(crate) depth: CheckDepth,
}

impl PairReconciler<'_> {
    /// Brings one merge request up to date. Returns why it cannot be synced, if it cannot.
    pub(crate) fn reconcile(&self, found: FoundPair, line: &mut SummaryLine) -> Result<Option<Unsynced>> {
        match found {
            FoundPair { source: Some(source), dist: Some(dist), source_path, dist_path } => {
                self.pair(&source_path, &source, dist_path, &dist, line)
            }
            FoundPair { source: Some(source), dist: None, source_path, dist_path } => {
                self.source_git_only(source_path, &source, &dist_path, line)
            }
            FoundPair { source: None, dist: Some(dist), source_path, dist_path } => {
                self.dist_git_only(source_path, dist_path, &dist, line)
            }
            FoundPair { source: None, dist: None, .. } => Ok(None),
        }
    }

    fn pair(
        &self,
        source_path: &ProjectPath,
        source: &MergeRequest,
        dist_path: ProjectPath,
        dist: &MergeRequest,
        line: &mut SummaryLine,
    ) -> Result<Option<Unsynced>> {
        let recorded = markers::read(&dist.description).and_then(|record| record.note);
        let note = notes::find(self.session, source.target_project_id, source.iid, recorded)?.into_iter().next();
        // The lists are from the beginning of the run, so read the merge request again before reporting.
        let fresh = self.session.forge.merge_request(&dist_path, dist.iid)?;
        // If the merge request was closed, the note does not say whether its pair was closed too, or has to stay open.
        let is_synced = self.depth == CheckDepth::Changes
            && source.state != MergeRequestState::Closed
            && sync::texts_are_current(source_path, source, &fresh)
            && self.note_shows_synced(note.as_ref(), source, &fresh)?;
        let synced = if is_synced { Ok(None) } else { self.sync(source_path, source, &dist_path, None, line) };
        let fresh = if line.did.is_empty() { fresh } else { self.session.forge.merge_request(&dist_path, dist.iid)? };
        // Downstream pipelines may continue after a pipeline has finished, and no list shows when they end.
        let shown_state =
            note.as_ref().and_then(|note| CiSection::read(&note.body)).and_then(|section| section.state.state);
        line.is_ongoing = shown_state == Some(CiState::Running);
        let pair = find_pair::from_dist_git(self.session, dist_path, fresh, None)?;
        let note = note.filter(|_| line.did.is_empty());
        self.report(pair.map(|pair| MergeRequestPair { note, ..pair }), line)?;
        synced
    }

    /// Handles a dist-git merge request whose source-git one is not listed: it was closed, merged or deleted, or is for
    /// another branch.
    fn dist_git_only(
        &self,
        source_path: ProjectPath,
        dist_path: ProjectPath,
        dist: &MergeRequest,
        line: &mut SummaryLine,
    ) -> Result<Option<Unsynced>> {
        let named = dist.source_branch.parse().ok().and_then(|name| branch::parse(&name));
        let Some((target, iid)) = named else { return Ok(None) };
        let source = match self.session.forge.merge_request(&source_path, iid) {
            Ok(source) => source,
            Err(ForgeError::NotFoundOrNoAccess(_)) if dist.state != MergeRequestState::Opened => return Ok(None),
            Err(error @ ForgeError::NotFoundOrNoAccess(_)) => {
                // If the bot cannot see the project or its merge requests, it cannot tell whether this one was deleted.
                if !self.session.forge.project(&source_path)?.shows_merge_requests {
                    return Err(error.into());
                }
                let of = MergeRequestReference { project: source_path, iid };
                let outcome = sync::orphan::close(self.session, &dist_path, dist.iid, &of)?;
                line.note("closed", outcome);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        // Nobody can write in an archived project, and no list of open merge requests includes it.
        if self.session.forge.project(&source_path)?.is_archived {
            tracing::info!("{source_path} is archived: left alone");
            line.leave_alone(format!("{source_path} is archived"));
            return Ok(None);
        }
        let is_open = dist.state == MergeRequestState::Opened;
        if source.target_branch != target.as_str() {
            return match is_open {
                true => self.sync(&source_path, &source, &dist_path, Some(dist.iid), line),
                false => Ok(None),
            };
        }
        if !is_open {
            let synced = self.sync(&source_path, &source, &dist_path, None, line);
            let reference = PairReference::MergeRequest(MergeRequestReference { project: source_path, iid });
            self.report(find_pair::find(self.session, &reference)?, line)?;
            return synced;
        }
        self.pair(&source_path, &source, dist_path, dist, line)
    }

    /// Handles a source-git merge request without an open dist-git one. What blocked it may be gone. One that was
    /// closed or merged may have results that were not reported. Or this one may have been merged before any job saw it
    /// open.
    fn source_git_only(
        &self,
        source_path: ProjectPath,
        source: &MergeRequest,
        dist_path: &ProjectPath,
        line: &mut SummaryLine,
    ) -> Result<Option<Unsynced>> {
        let project = source.target_project_id;
        // After the merge, what counts is whether the target branch has packaging.
        if source.state != MergeRequestState::Merged
            && let Some(head) = &source.sha
            && !self.session.forge.has_file(project, config::PATH, head)?
            && notes::find(self.session, project, source.iid, None)?.is_empty()
        {
            tracing::debug!("{} is not there: nothing to do", config::PATH);
            return Ok(None);
        }
        let synced = self.sync(&source_path, source, dist_path, None, line);
        let reference = PairReference::MergeRequest(MergeRequestReference { project: source_path, iid: source.iid });
        self.report(find_pair::find(self.session, &reference)?, line)?;
        synced
    }

    fn sync(
        &self,
        source_path: &ProjectPath,
        source: &MergeRequest,
        dist_path: &ProjectPath,
        known: Option<MergeRequestIid>,
        line: &mut SummaryLine,
    ) -> Result<Option<Unsynced>> {
        let reference = MergeRequestReference { project: source_path.clone(), iid: source.iid };
        let named = NamedMergeRequest { reference, dist_path: dist_path.clone() };
        let Synced { outcome, unsynced } = sync::sync(self.session, &SyncRequest { known, ..SyncRequest::new(named) })?;
        line.note(if unsynced.is_some() { "told its author" } else { "synced" }, outcome);
        Ok(unsynced)
    }

    fn report(&self, pair: Option<MergeRequestPair>, line: &mut SummaryLine) -> Result<()> {
        if let Some(pair) = pair {
            line.note("reported", report::report(self.session, pair)?);
        }
        Ok(())
    }

    /// Whether the note covers everything that `sync` depends on, and dist-git holds what the note says. Then there is
    /// nothing new for `sync`.
    fn note_shows_synced(&self, note: Option<&Note>, source: &MergeRequest, dist: &MergeRequest) -> Result<bool> {
        let Some(note) = note else { return Ok(false) };
        let tested = CiSection::read(&note.body).and_then(|section| section.state.tested);
        let Some(recorded) = markers::read_note(&note.body) else { return Ok(false) };
        if recorded.base.is_none() || self.tips.get(self.session, source)? != recorded.base {
            return Ok(false);
        }
        let is_held = match (tested, &dist.sha) {
            (Some(tested), head) => *head == Some(tested),
            // Nothing was tested yet, so the note does not name the commit. Somebody may have pushed another one.
            (None, Some(head)) => self.is_made_from(head, &recorded.commit, dist.target_project_id)?,
            // GitLab is still preparing the merge request.
            (None, None) => true,
        };
        if !is_held {
            return Ok(false);
        }
        let is_newest = source.state == MergeRequestState::Merged || source.sha == Some(recorded.commit);
        let based_on = dist.diff_refs.as_ref().and_then(|refs| refs.base_sha);
        Ok(is_newest && (based_on.is_none() || based_on == self.tips.get(self.session, dist)?))
    }

    /// Whether the bot made a dist-git commit from this source-git commit.
    fn is_made_from(&self, dist: &CommitId, source: &CommitId, project: ProjectId) -> Result<bool> {
        match self.session.forge.commit(project, dist) {
            Ok(found) => Ok(found.committer_email == self.session.identity()?.email
                && commit::source_of(&found.message).as_ref() == Some(source)),
            Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The tips of target branches, each read only once.
#[derive(Default)]
pub(crate) struct TargetTips(Mutex<HashMap<(ProjectId, String), Option<CommitId>>>);

impl TargetTips {
    /// Returns the tip of a merge request's target branch; `None` if the branch does not exist.
    fn get(&self, session: &Session, merge_request: &MergeRequest) -> Result<Option<CommitId>> {
        let key = (merge_request.target_project_id, merge_request.target_branch.clone());
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tip) = known().get(&key) {
            return Ok(*tip);
        }
        let tip = session.forge.branch(key.0, &key.1.parse()?)?.map(|branch| branch.tip);
        known().insert(key, tip);
        Ok(tip)
    }
}
