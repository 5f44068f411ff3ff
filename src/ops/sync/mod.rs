//! `sync`: opens the dist-git merge request of a source-git merge request, keeps it up to date, closes it, and opens it
//! again.
//!
//! Everything is read from GitLab; a job or a person only names the merge request. This module observes the facts,
//! `pair` makes the plan, and this module applies the plan, or returns it in a dry run.

pub(crate) mod apply;
pub(crate) mod bot_branch;
mod content;
pub(crate) mod observe;
pub(crate) mod orphan;
pub(crate) mod pair_facts;
pub(crate) mod preview;
mod run;
pub(crate) mod visibility;

use crate::ci::LogSection;
use crate::forge::MergeRequestState;
use crate::git::store::Store;
use crate::ops::find_pair::{self, PairReference};
use crate::ops::outcome::{Outcome, Preview};
use crate::ops::reference::{MergeRequestReference, NamedMergeRequest};
use crate::ops::report;
use crate::ops::session::Session;
use crate::ops::sync::observe::SyncSeen;
use crate::ops::sync::run::{SyncGoal, SyncRun};
use crate::pair::branch;
use crate::pair::facts::SyncMode;
use crate::pair::sync_plan::{self, SyncOutcome, SyncPlan, SyncStep};
use crate::types::error::{RemoteError, Result, bail};
use crate::types::{BranchName, MergeRequestIid, Refusal};

pub(crate) use crate::ops::sync::content::Unsynced;
pub(crate) use crate::ops::sync::pair_facts::texts_are_current;

#[derive(Clone, Debug)]
pub(crate) struct SyncRequest {
    pub(crate) merge_request: NamedMergeRequest,
    /// Whether to respect what people did in dist-git.
    pub(crate) mode: SyncMode,
    /// A dist-git merge request that is known to belong to the pair, whatever its target branch is.
    pub(crate) known: Option<MergeRequestIid>,
}

impl SyncRequest {
    /// Returns the request that events make.
    pub(crate) const fn new(merge_request: NamedMergeRequest) -> Self {
        Self { merge_request, mode: SyncMode::Follow, known: None }
    }
}

#[derive(Debug)]
pub(crate) struct Synced {
    pub(crate) outcome: Outcome,
    /// Why the merge request cannot be synced; its note says so too.
    pub(crate) unsynced: Option<Unsynced>,
}

impl Synced {
    const NOTHING: Self = Self { outcome: Outcome::Nothing, unsynced: None };

    /// Adds what was done to `outcomes`.
    ///
    /// # Errors
    ///
    /// The refusal, if the merge request cannot be synced.
    pub(crate) fn record_in(self, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.push(self.outcome);
        match self.unsynced {
            Some(Unsynced::Refused(refusal) | Unsynced::NoDistGit(refusal)) => bail!(refusal),
            None => Ok(()),
        }
    }
}

/// Syncs a merge request; tries once more if something changed meanwhile.
pub(crate) fn sync(session: &Session, request: &SyncRequest) -> Result<Synced> {
    match sync_once(session, request) {
        Err(error) if matches!(error.repository(), Some(RemoteError::Stale { .. })) => {
            tracing::warn!("{error}; looking at everything again");
            sync_once(session, request)
        }
        synced => synced,
    }
}

fn sync_once(session: &Session, request: &SyncRequest) -> Result<Synced> {
    let NamedMergeRequest { reference: MergeRequestReference { project, iid }, dist_path } = &request.merge_request;
    let source = {
        let _section = LogSection::begin(session.log, "merge_request", &format!("reading {project}!{iid}"));
        session.forge.merge_request(project, *iid)?
    };
    let is_handled = session.instance.targets.handle(project.as_str(), &source.target_branch);
    if !is_handled && request.known.is_none() {
        tracing::info!("the instance {} does not handle the target branch: nothing to do", session.instance.name);
        return Ok(Synced::NOTHING);
    }
    let goal = match source.state {
        _ if !is_handled => SyncGoal::NotHandled,
        MergeRequestState::Opened | MergeRequestState::Locked => SyncGoal::MergeRequest,
        MergeRequestState::Merged => SyncGoal::Target,
        MergeRequestState::Closed => SyncGoal::Close,
        MergeRequestState::Unknown => {
            tracing::info!("the merge request is in a state that this program does not know: nothing to do");
            return Ok(Synced::NOTHING);
        }
    };
    let target: BranchName = source.target_branch.parse()?;
    let run = SyncRun {
        session,
        git: session.git()?,
        bot: session.current_user()?,
        branch: branch::name(&target, source.iid)?,
        source,
        source_path: project.clone(),
        dist_path: dist_path.clone(),
        goal,
        mode: request.mode,
        known: request.known,
    };
    run.sync(target)
}

impl SyncRun<'_> {
    fn sync(&self, target: BranchName) -> Result<Synced> {
        let mut store = Store::create(self.git)?;
        let Some(mut seen) = self.observe(&mut store, target)? else { return Ok(Synced::NOTHING) };
        seen.observe_announcements(self)?;
        let facts = seen.facts(self)?;
        let plan = sync_plan::plan(&facts);
        let unsynced = match plan.outcome {
            SyncOutcome::Done => None,
            SyncOutcome::CannotBeSynced => Some(seen.unsynced().unwrap_or_else(|| {
                let text = "the merge request cannot be synced to dist-git";
                Unsynced::Refused(Refusal::new(text, "see the bot's note on the merge request"))
            })),
        };
        let outcome = if self.session.is_dry_run() {
            let refusal = unsynced.as_ref().map(|unsynced| unsynced.refusal().clone());
            Outcome::Preview(Preview::Sync(Box::new(self.preview(&store, &seen, &facts, &plan, refusal)?)))
        } else if plan.steps.is_empty() {
            tracing::info!("everything is as it should be");
            Outcome::Nothing
        } else {
            self.apply(&store, &seen, &plan)?;
            self.check_source_state(&plan)?;
            Outcome::Written
        };
        let outcome = if self.goal == SyncGoal::Close { self.end_results(&seen, outcome)? } else { outcome };
        Ok(Synced { outcome, unsynced })
    }

    /// Reads the source-git merge request again after the plan announced something or changed the state of a dist-git
    /// merge request. Somebody may have done the opposite meanwhile, and the job for that may have run before this one
    /// wrote.
    ///
    /// # Errors
    ///
    /// [`RemoteError::Stale`] if its state or its target branch has changed.
    fn check_source_state(&self, plan: &SyncPlan<'_>) -> Result<()> {
        let changes_state = |step: &SyncStep<'_>| {
            matches!(step, SyncStep::Announce { .. } | SyncStep::EditMergeRequest { state_change: Some(_), .. })
        };
        if !plan.steps.iter().any(changes_state) {
            return Ok(());
        }
        let now = self.session.forge.merge_request(self.source.target_project_id, self.source.iid)?;
        if (now.state, &now.target_branch) == (self.source.state, &self.source.target_branch) {
            return Ok(());
        }
        Err(RemoteError::Stale { role: "the source-git merge request" }.into())
    }

    /// Ends statuses that still wait for results of a closed merge request.
    fn end_results(&self, seen: &SyncSeen, outcome: Outcome) -> Result<Outcome> {
        if self.session.is_dry_run() || !seen.has_open_results() {
            return Ok(outcome);
        }
        let reference = MergeRequestReference { project: self.source_path.clone(), iid: self.source.iid };
        let pair = find_pair::find(self.session, &PairReference::MergeRequest(reference))?;
        let Some(pair) = pair else { return Ok(outcome) };
        match report::report(self.session, pair)? {
            Outcome::Nothing => Ok(outcome),
            done => Ok(done),
        }
    }
}
