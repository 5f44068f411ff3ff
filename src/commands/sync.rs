//! `sync`: the dist-git merge request of a source-git merge request, opened or brought up to date.
//!
//! Everything is read from GitLab; what the job or a person says only tells which merge request to look at. The plan
//! comes from `pair`; here it is observed, shown or applied.

mod apply;
mod observe;
mod show;
mod visibility;

use std::time::Duration;

use anyhow::{Result, bail};

pub(super) use observe::texts_are_current;

use super::Surroundings;
use super::bot::{Bot, Setting};
use super::effect::Effect;
use super::merge_request_reference::MergeRequestReference;
use crate::ci::Section;
use crate::cli::{self, Global};
use crate::config::Pauses;
use crate::exit::UsageError;
use crate::forge::{CurrentUser, MergeRequest, MergeRequestState, ProjectPath};
use crate::git::Git;
use crate::git::remote::{Access, Remote, RemoteError};
use crate::git::store::Store;
use crate::pair::plan::{self, Outcome};
use crate::pair::{BranchName, branch};
use crate::transform::Refusal;

/// How long to wait before a fetch is tried again.
const FETCH_PAUSE: Duration = Duration::from_secs(2);

/// What one run works with.
struct Run<'a> {
    bot: &'a Bot,
    git: &'a Git,
    myself: &'a CurrentUser,
    source: MergeRequest,
    source_path: ProjectPath,
    dist_path: ProjectPath,
    branch: BranchName,
}

/// Runs the command.
pub(super) fn run(arguments: &cli::Sync, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let setting = Setting::read(global, surroundings)?;
    let Some(named) = arguments.merge_request.as_ref().or(setting.job.merge_request.as_ref()) else {
        bail!(UsageError {
            text: "no merge request is named, and this is not a merge request pipeline".to_owned(),
            hint: "name it: `--merge-request group/project!7`".to_owned(),
        });
    };
    let instance = &setting.instance;
    let reference = MergeRequestReference::parse(named, &instance.gitlab.url)?;
    let Some(dist_path) = instance.namespaces.dist_git_of(reference.project.as_str()) else {
        tracing::info!(
            "{} is not a source-git project of the instance {}: nothing to do",
            reference.project,
            instance.name
        );
        return Ok(());
    };
    let dist_path = dist_path.parse()?;
    let bot = setting.connect(global)?;
    let git = Git::find(&surroundings.search_path)?;
    Work { bot: &bot, git: &git, reference, dist_path }.run(global, surroundings)?.finish()
}

/// What came of it.
pub(super) struct Synced {
    pub(super) effect: Effect,
    /// Why the merge request cannot be synced; its note says so.
    pub(super) refusal: Option<Refusal>,
}

impl Synced {
    const NOTHING: Self = Self { effect: Effect::Nothing, refusal: None };

    /// Shows what is to be shown, and ends with the refusal where there is one.
    pub(super) fn finish(self) -> Result<()> {
        self.effect.print()?;
        match self.refusal {
            Some(refusal) => bail!(refusal),
            None => Ok(()),
        }
    }
}

/// One merge request to be synced, and what that takes.
pub(super) struct Work<'a> {
    pub(super) bot: &'a Bot,
    pub(super) git: &'a Git,
    pub(super) reference: MergeRequestReference,
    pub(super) dist_path: ProjectPath,
}

impl Work<'_> {
    /// Syncs, twice where somebody else was at it at the same time.
    pub(super) fn run(&self, global: &Global, surroundings: &Surroundings) -> Result<Synced> {
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
            let _section = Section::begin(self.bot.log, "merge_request", &format!("reading {project}!{iid}"));
            self.bot.forge.merge_request(project, *iid)?
        };
        if source.state != MergeRequestState::Opened {
            tracing::info!("the merge request is not open: nothing to do");
            return Ok(Synced::NOTHING);
        }
        if !self.bot.instance.targets.handle(project.as_str(), &source.target_branch) {
            tracing::info!("the instance {} does not handle the target branch: nothing to do", self.bot.instance.name);
            return Ok(Synced::NOTHING);
        }
        let target: BranchName = source.target_branch.parse()?;
        let run = Run {
            bot: self.bot,
            git: self.git,
            myself: self.bot.myself()?,
            branch: branch::name(&target, source.iid)?,
            source,
            source_path: project.clone(),
            dist_path: self.dist_path.clone(),
        };
        run.sync(target, global, surroundings)
    }
}

impl Run<'_> {
    fn sync(&self, target: BranchName, global: &Global, surroundings: &Surroundings) -> Result<Synced> {
        let mut store = Store::create(self.git)?;
        let Some(seen) = self.observe(&mut store, target)? else { return Ok(Synced::NOTHING) };
        let observed = seen.observed(self)?;
        let plan = plan::sync(&observed);
        let effect = if global.dry_run {
            Effect::Shown(self.shown(&store, &seen, &observed, &plan, global.output, surroundings.paint)?)
        } else if plan.steps.is_empty() {
            tracing::info!("everything is as it should be");
            Effect::Nothing
        } else {
            self.apply(&store, &seen, &plan)?;
            Effect::Written
        };
        let refusal = match plan.outcome {
            Outcome::Done => None,
            Outcome::CannotBeSynced => Some(seen.refusal().unwrap_or_else(|| {
                let text = "the merge request cannot be synced to dist-git";
                Refusal::new(text, "see the bot's note on the merge request")
            })),
        };
        Ok(Synced { effect, refusal })
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
    fn fork_path(&self) -> Result<ProjectPath> {
        self.bot.fork_of(&self.dist_path)
    }
}
