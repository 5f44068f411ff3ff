//! `sync`: the dist-git merge request of a source-git merge request, opened, brought up to date, closed with it or opened
//! again.
//!
//! Everything is read from GitLab; what the job or a person says only tells which merge request to look at. The plan
//! comes from `pair`; here it is observed, shown or applied.

pub(crate) mod apply;
pub(crate) mod bot_branch;
pub(crate) mod dist_notes;
pub(crate) mod observe;
pub(crate) mod orphan;
pub(crate) mod pair_facts;
pub(crate) mod visibility;

use std::time::Duration;

use anyhow::{Result, bail};

use crate::ops::sync::observe::Seen;
pub(crate) use crate::ops::sync::pair_facts::texts_are_current;

use crate::ci::LogSection;
use crate::cli::args::{self, Global};
use crate::config::Pauses;
use crate::forge::{CurrentUser, MergeRequest, MergeRequestState};
use crate::git::Git;
use crate::git::remote::{Access, Remote, RemoteError};
use crate::git::store::Store;
use crate::ops::Surroundings;
use crate::ops::merge_request_reference::MergeRequestReference;
use crate::ops::named::Named;
use crate::ops::outcome::Effect;
use crate::ops::report::{self, Asked};
use crate::ops::session::{Bot, Setting};
use crate::pair::branch;
use crate::pair::facts::SyncMode;
use crate::pair::sync_plan::{self, SyncOutcome, SyncPlan, SyncStep};
use crate::types::{BranchName, MergeRequestIid, ProjectPath, Refusal};

/// How long to wait before a fetch is tried again.
pub(crate) const FETCH_PAUSE: Duration = Duration::from_secs(2);

/// What one run works with.
pub(crate) struct Run<'a> {
    bot: &'a Bot,
    git: &'a Git,
    myself: &'a CurrentUser,
    source: MergeRequest,
    source_path: ProjectPath,
    pub(crate) dist_path: ProjectPath,
    branch: BranchName,
    due: Due,
    manner: SyncMode,
    known: Option<MergeRequestIid>,
}

/// Runs the command.
pub(crate) fn run(arguments: &args::Sync, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let setting = Setting::read(global, surroundings)?;
    let Some(Named { reference, dist_path }) = Named::read(arguments.merge_request.as_deref(), &setting)? else {
        return Ok(());
    };
    let bot = setting.connect(global)?;
    let git = Git::find(&surroundings.search_path)?;
    Work::new(&bot, &git, reference, dist_path).run(global, surroundings)?.finish()
}

/// What came of it.
pub(crate) struct Synced {
    pub(crate) effect: Effect,
    /// Why the merge request cannot be synced; its note says so.
    pub(crate) unsynced: Option<Unsynced>,
}

/// Why a merge request cannot be synced.
#[derive(Clone, Debug)]
pub(crate) enum Unsynced {
    /// For what is in it, or who may see it: its author's to mend.
    Refused(Refusal),
    /// dist-git has no project or no branch for it: not its author's alone.
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
    const NOTHING: Self = Self { effect: Effect::Nothing, unsynced: None };

    /// Shows what is to be shown, and ends with the refusal where there is one.
    pub(crate) fn finish(self) -> Result<()> {
        self.effect.print()?;
        match self.unsynced {
            Some(Unsynced::Refused(refusal) | Unsynced::NoDistGit(refusal)) => bail!(refusal),
            None => Ok(()),
        }
    }
}

/// One merge request to be synced, and what that takes.
pub(crate) struct Work<'a> {
    pub(crate) bot: &'a Bot,
    pub(crate) git: &'a Git,
    pub(crate) reference: MergeRequestReference,
    pub(crate) dist_path: ProjectPath,
    /// Whether what people did in dist-git is respected.
    pub(crate) manner: SyncMode,
    /// A dist-git merge request that is known to be made from it, whatever its target.
    pub(crate) known: Option<MergeRequestIid>,
}

impl<'a> Work<'a> {
    /// What it takes to sync a merge request as events do.
    pub(crate) const fn new(
        bot: &'a Bot,
        git: &'a Git,
        reference: MergeRequestReference,
        dist_path: ProjectPath,
    ) -> Self {
        Self { bot, git, reference, dist_path, manner: SyncMode::Follow, known: None }
    }

    /// Syncs, twice where somebody else was at it at the same time.
    pub(crate) fn run(&self, global: &Global, surroundings: &Surroundings) -> Result<Synced> {
        match self.once(global, surroundings) {
            Err(error) if matches!(error.downcast_ref(), Some(RemoteError::Stale { .. })) => {
                tracing::warn!("{error}; looking at everything again");
                self.once(global, surroundings)
            }
            outcome => outcome,
        }
    }

    /// Syncs what is there now.
    fn once(&self, global: &Global, surroundings: &Surroundings) -> Result<Synced> {
        let MergeRequestReference { project, iid, .. } = &self.reference;
        let source = {
            let _section = LogSection::begin(self.bot.log, "merge_request", &format!("reading {project}!{iid}"));
            self.bot.forge.merge_request(project, *iid)?
        };
        let is_handled = self.bot.instance.targets.handle(project.as_str(), &source.target_branch);
        if !is_handled && self.known.is_none() {
            tracing::info!("the instance {} does not handle the target branch: nothing to do", self.bot.instance.name);
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
        let run = Run {
            bot: self.bot,
            git: self.git,
            myself: self.bot.myself()?,
            branch: branch::name(&target, source.iid)?,
            source,
            source_path: project.clone(),
            dist_path: self.dist_path.clone(),
            due,
            manner: self.manner,
            known: self.known,
        };
        run.sync(target, global, surroundings)
    }
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

impl Run<'_> {
    fn sync(&self, target: BranchName, global: &Global, surroundings: &Surroundings) -> Result<Synced> {
        let mut store = Store::create(self.git)?;
        let Some(mut seen) = self.observe(&mut store, target)? else { return Ok(Synced::NOTHING) };
        seen.observe_told(self)?;
        let observed = seen.observed(self)?;
        let plan = sync_plan::plan(&observed);
        let effect = if global.dry_run {
            Effect::Shown(self.shown(&store, &seen, &observed, &plan, global.output, surroundings.paint)?)
        } else if plan.steps.is_empty() {
            tracing::info!("everything is as it should be");
            Effect::Nothing
        } else {
            self.apply(&store, &seen, &plan)?;
            self.check_state(&plan)?;
            Effect::Written
        };
        let effect =
            if self.due == Due::Close { self.end_results(&seen, effect, global, surroundings)? } else { effect };
        let unsynced = match plan.outcome {
            SyncOutcome::Done => None,
            SyncOutcome::CannotBeSynced => Some(seen.unsynced().unwrap_or_else(|| {
                let text = "the merge request cannot be synced to dist-git";
                Unsynced::Refused(Refusal::new(text, "see the bot's note on the merge request"))
            })),
        };
        Ok(Synced { effect, unsynced })
    }

    /// Looks whether what opened, closed or was told of a dist-git merge request still holds: somebody may have done the
    /// opposite meanwhile, and the job that was to follow may have come first.
    fn check_state(&self, plan: &SyncPlan<'_>) -> Result<()> {
        let turns = |step: &SyncStep<'_>| {
            matches!(step, SyncStep::Announce { .. } | SyncStep::EditMergeRequest { state_change: Some(_), .. })
        };
        if !plan.steps.iter().any(turns) {
            return Ok(());
        }
        let now = self.bot.forge.merge_request(self.source.target_project_id, self.source.iid)?;
        if (now.state, &now.target_branch) == (self.source.state, &self.source.target_branch) {
            return Ok(());
        }
        Err(RemoteError::Stale { role: "the source-git merge request" }.into())
    }

    /// Ends the statuses that wait for results of a closed merge request.
    fn end_results(&self, seen: &Seen, effect: Effect, global: &Global, surroundings: &Surroundings) -> Result<Effect> {
        if global.dry_run || !seen.has_open_results() {
            return Ok(effect);
        }
        let reference = MergeRequestReference { project: self.source_path.clone(), iid: self.source.iid };
        let Some(pair) = report::find(self.bot, &Asked::MergeRequest(reference))? else { return Ok(effect) };
        match report::report(self.bot, pair, global, surroundings)? {
            Effect::Nothing => Ok(effect),
            done => Ok(done),
        }
    }

    /// How the servers of this instance are reached.
    fn access(&self) -> Access {
        Access {
            token: Some(self.bot.token.clone()),
            ca_file: self.bot.instance.gitlab.ca_file.clone(),
            proxy: self.bot.instance.gitlab.proxy.clone(),
            timeout: self.bot.instance.gitlab.timeout,
            first_pause: match self.bot.pauses {
                Pauses::Taken => FETCH_PAUSE,
                Pauses::Skipped => Duration::ZERO,
            },
        }
    }

    fn remote(&self, role: &'static str, project: &ProjectPath) -> Remote {
        Remote { role, url: self.bot.forge.git_url(project), access: self.access() }
    }

    /// The project that holds the bot's branch, or will.
    pub(crate) fn fork_path(&self) -> Result<ProjectPath> {
        self.bot.fork_of(&self.dist_path)
    }
}
