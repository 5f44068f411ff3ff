//! `sync`: the dist-git merge request of a source-git merge request, opened, brought up to date, closed with it or opened
//! again.
//!
//! Everything is read from GitLab; what the job or a person says only tells which merge request to look at. The plan comes
//! from `pair`; here the facts are gathered and the plan is applied, or returned in a dry run.

pub(crate) mod apply;
pub(crate) mod bot_branch;
pub(crate) mod observe;
pub(crate) mod orphan;
pub(crate) mod pair_facts;
pub(crate) mod preview;
pub(crate) mod visibility;

use std::time::Duration;

use crate::ci::LogSection;
use crate::config::Pauses;
use crate::forge::{CurrentUser, MergeRequest, MergeRequestState};
use crate::git::Git;
use crate::git::remote::{Access, Remote};
use crate::git::store::Store;
use crate::ops::find_pair::{self, PairReference};
use crate::ops::outcome::{Outcome, Preview};
use crate::ops::reference::{MergeRequestReference, NamedMergeRequest};
use crate::ops::report;
use crate::ops::session::Session;
use crate::ops::sync::observe::SyncSeen;
use crate::pair::branch;
use crate::pair::facts::SyncMode;
use crate::pair::sync_plan::{self, SyncOutcome, SyncPlan, SyncStep};
use crate::types::error::{RemoteError, Result, bail};
use crate::types::{BranchName, MergeRequestIid, ProjectPath, Refusal};

pub(crate) use crate::ops::sync::pair_facts::texts_are_current;

/// How long to wait before a fetch is tried again.
pub(crate) const FETCH_PAUSE: Duration = Duration::from_secs(2);

/// Which merge request to sync, and how.
#[derive(Clone, Debug)]
pub(crate) struct SyncRequest {
    pub(crate) merge_request: NamedMergeRequest,
    /// Whether what people did in dist-git is respected.
    pub(crate) mode: SyncMode,
    /// A dist-git merge request that is known to be made from it, whatever its target.
    pub(crate) known: Option<MergeRequestIid>,
}

impl SyncRequest {
    /// Syncs as events do.
    pub(crate) const fn new(merge_request: NamedMergeRequest) -> Self {
        Self { merge_request, mode: SyncMode::Follow, known: None }
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Synced {
    pub(crate) outcome: Outcome,
    /// Why the merge request cannot be synced; its note says so.
    pub(crate) unsynced: Option<Unsynced>,
}

/// Why a merge request cannot be synced.
#[derive(Clone, Debug)]
pub(crate) enum Unsynced {
    /// For what is in it, or who may see it: its author can change that.
    Refused(Refusal),
    /// dist-git has no project or no branch for it: its author alone cannot change that.
    NoDistGit(Refusal),
}

impl Unsynced {
    /// Returns what its author is told.
    pub(crate) const fn refusal(&self) -> &Refusal {
        match self {
            Self::Refused(refusal) | Self::NoDistGit(refusal) => refusal,
        }
    }
}

impl Synced {
    const NOTHING: Self = Self { outcome: Outcome::Nothing, unsynced: None };

    /// Adds what was done to `outcomes`.
    ///
    /// # Errors
    ///
    /// The refusal, where the merge request cannot be synced.
    pub(crate) fn end(self, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.push(self.outcome);
        match self.unsynced {
            Some(Unsynced::Refused(refusal) | Unsynced::NoDistGit(refusal)) => bail!(refusal),
            None => Ok(()),
        }
    }
}

/// Syncs, twice where somebody else was at it at the same time.
pub(crate) fn sync(session: &Session, request: &SyncRequest) -> Result<Synced> {
    match once(session, request) {
        Err(error) if matches!(error.repository(), Some(RemoteError::Stale { .. })) => {
            tracing::warn!("{error}; looking at everything again");
            once(session, request)
        }
        synced => synced,
    }
}

/// Syncs what is there now.
fn once(session: &Session, request: &SyncRequest) -> Result<Synced> {
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
    let due = match source.state {
        _ if !is_handled => Due::NotHandled,
        MergeRequestState::Opened | MergeRequestState::Locked => Due::MergeRequest,
        MergeRequestState::Merged => Due::Target,
        MergeRequestState::Closed => Due::Close,
        MergeRequestState::Unknown => {
            tracing::info!("the merge request is in a state that this program does not know: nothing to do");
            return Ok(Synced::NOTHING);
        }
    };
    let target: BranchName = source.target_branch.parse()?;
    let run = SyncRun {
        session,
        git: session.git()?,
        myself: session.myself()?,
        branch: branch::name(&target, source.iid)?,
        source,
        source_path: project.clone(),
        dist_path: dist_path.clone(),
        due,
        mode: request.mode,
        known: request.known,
    };
    run.sync(target)
}

/// What one run works with.
pub(crate) struct SyncRun<'a> {
    session: &'a Session,
    git: &'a Git,
    myself: &'a CurrentUser,
    source: MergeRequest,
    source_path: ProjectPath,
    dist_path: ProjectPath,
    branch: BranchName,
    due: Due,
    mode: SyncMode,
    known: Option<MergeRequestIid>,
}

/// What becomes of the dist-git merge request, by the state of the source-git one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// It holds the merge request.
    MergeRequest,
    /// It holds the target branch, for the merge request was merged into it.
    Target,
    /// It is closed too.
    Close,
    /// It is none of this instance's.
    NotHandled,
}

impl SyncRun<'_> {
    fn sync(&self, target: BranchName) -> Result<Synced> {
        let mut store = Store::create(self.git)?;
        let Some(mut seen) = self.observe(&mut store, target)? else { return Ok(Synced::NOTHING) };
        seen.observe_told(self)?;
        let facts = seen.observed(self)?;
        let plan = sync_plan::sync(&facts);
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
            self.check_state(&plan)?;
            Outcome::Written
        };
        let outcome = if self.due == Due::Close { self.end_results(&seen, outcome)? } else { outcome };
        Ok(Synced { outcome, unsynced })
    }

    /// Looks whether what opened, closed or was told of a dist-git merge request still holds: somebody may have done the
    /// opposite meanwhile, and the job that was to follow may have come first.
    fn check_state(&self, plan: &SyncPlan<'_>) -> Result<()> {
        let turns = |step: &SyncStep<'_>| {
            matches!(step, SyncStep::Tell { .. } | SyncStep::EditMergeRequest { turn: Some(_), .. })
        };
        if !plan.steps.iter().any(turns) {
            return Ok(());
        }
        let now = self.session.forge.merge_request(self.source.target_project_id, self.source.iid)?;
        if (now.state, &now.target_branch) == (self.source.state, &self.source.target_branch) {
            return Ok(());
        }
        Err(RemoteError::Stale { role: "the source-git merge request" }.into())
    }

    /// Ends the statuses that wait for results of a closed merge request.
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

    /// How the servers of this instance are reached.
    fn access(&self) -> Access {
        Access {
            token: Some(self.session.token.clone()),
            ca_file: self.session.instance.gitlab.ca_file.clone(),
            proxy: self.session.instance.gitlab.proxy.clone(),
            timeout: self.session.instance.gitlab.timeout,
            first_pause: match self.session.pauses {
                Pauses::Taken => FETCH_PAUSE,
                Pauses::Skipped => Duration::ZERO,
            },
        }
    }

    fn remote(&self, role: &'static str, project: &ProjectPath) -> Remote {
        Remote { role, url: self.session.forge.git_url(project), access: self.access() }
    }

    /// The project that holds the bot's branch, or will.
    pub(crate) fn fork_path(&self) -> Result<ProjectPath> {
        self.session.fork_of(&self.dist_path)
    }
}
