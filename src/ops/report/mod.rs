//! `report`: what dist-git's CI says, on the source-git merge request.
//!
//! A pipeline that is named only tells where to look: what is reported is what GitLab says now. After something was
//! written, it is looked whether it still holds, because another job may have seen something older or newer.

pub(crate) mod apply;
pub(crate) mod observe;
use crate::ci::JobContext;
use crate::cli::args::{self, Global};
use crate::cli::render::report as report_render;
use crate::forge::{MergeRequest, Note};
use crate::ops::merge_request_reference::MergeRequestReference;
use crate::ops::outcome::Effect;
use crate::ops::pipeline_reference::PipelineReference;
use crate::ops::session::{Bot, Setting};
use crate::ops::{Surroundings, find_pair};
use crate::pair::report_plan::RememberedResults;
use crate::types::ProjectPath;
use crate::types::error::{ForgeError, Result, UsageError, bail};

/// How often everything is looked at again because it changed meanwhile.
const ROUNDS: usize = 4;

/// Where to look.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// A pipeline in dist-git or in one of the bot's forks.
    Pipeline(PipelineReference),
    /// A source-git merge request.
    MergeRequest(MergeRequestReference),
}

/// Runs the command.
pub(crate) fn run(arguments: &args::Report, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let setting = Setting::read(global, surroundings)?;
    let gitlab = &setting.instance.gitlab.url;
    let asked = match (&arguments.pipeline, &arguments.merge_request) {
        (Some(pipeline), _) => Asked::Pipeline(PipelineReference::parse(pipeline, gitlab)?),
        (None, Some(named)) => Asked::MergeRequest(MergeRequestReference::parse(named, gitlab)?),
        (None, None) => asked_by(&setting.job, &setting)?,
    };
    if let Asked::MergeRequest(reference) = &asked
        && setting.instance.namespaces.dist_git_of(reference.project.as_str()).is_none()
    {
        let name = &setting.instance.name;
        tracing::info!("{} is not a source-git project of the instance {name}: nothing to do", reference.project);
        return nothing(global)?.print();
    }
    let bot = setting.connect(global)?;
    let effect = match find(&bot, &asked)? {
        Some(pair) => report(&bot, pair, global, surroundings)?,
        None => Effect::Nothing,
    };
    if matches!(effect, Effect::Nothing) { nothing(global)?.print() } else { effect.print() }
}

/// Says that there is nothing to do, where that was asked.
fn nothing(global: &Global) -> Result<Effect> {
    Ok(if global.dry_run { Effect::Shown(report_render::nothing(global.output)?) } else { Effect::Nothing })
}

/// Returns what the job's own pipeline is about.
fn asked_by(job: &JobContext, setting: &Setting) -> Result<Asked> {
    let is_source_git = |project: &str| setting.instance.namespaces.dist_git_of(project).is_some();
    if let Some(named) = &job.merge_request {
        let reference = MergeRequestReference::parse(named, &setting.instance.gitlab.url)?;
        if is_source_git(reference.project.as_str()) {
            return Ok(Asked::MergeRequest(reference));
        }
    }
    match &job.pipeline {
        Some(pipeline) => Ok(Asked::Pipeline(PipelineReference::parse(pipeline, &setting.instance.gitlab.url)?)),
        None => bail!(UsageError::new(
            "no pipeline is named, and this is no GitLab job",
            "name it by its address with `--pipeline`, or a source-git merge request with `--merge-request`"
        )),
    }
}

/// Finds the pair; nothing, with a line in the log, where there is none.
pub(crate) fn find(bot: &Bot, asked: &Asked) -> Result<Option<Pair>> {
    find_pair::pair(bot, asked)
}

/// Returns the pair of a dist-git merge request; nothing, with a line in the log, where it is not the bot's own.
pub(crate) fn of_dist(bot: &Bot, dist_path: ProjectPath, dist: MergeRequest) -> Result<Option<Pair>> {
    find_pair::of_dist(bot, dist_path, dist, None)
}

/// A source-git merge request and the dist-git merge request that was found for it.
pub(crate) struct Pair {
    pub(crate) source_path: ProjectPath,
    pub(crate) source: MergeRequest,
    pub(crate) dist_path: ProjectPath,
    pub(crate) dist: MergeRequest,
    /// The bot's note on the source-git merge request, where somebody has read it already.
    pub(crate) note: Option<Note>,
    /// Whether the statuses are as the note remembers them.
    pub(crate) memory: RememberedResults,
    /// The pipeline that was named; nothing for the newest.
    pub(crate) pipeline: Option<crate::forge::Pipeline>,
}

/// Reports what dist-git's CI says of a pair, and again where that has changed meanwhile.
pub(crate) fn report(bot: &Bot, pair: Pair, global: &Global, surroundings: &Surroundings) -> Result<Effect> {
    let mut pair = pair;
    let mut effect = Effect::Nothing;
    let mut lost = None;
    for _ in 0..ROUNDS {
        let Some(seen) = observe::observe(bot, &mut pair)? else { return Ok(effect) };
        if global.dry_run {
            return Ok(Effect::Shown(report_render::shown(&seen, global.output, surroundings.paint)?));
        }
        lost = None;
        match apply::apply(bot, &pair, &seen) {
            Ok(apply::Applied::Nothing) => return Ok(effect),
            Ok(apply::Applied::Something) => {
                effect = Effect::Written;
                if observe::is_still_so(bot, &seen)? {
                    return Ok(effect);
                }
                tracing::info!("it has changed meanwhile; looking again");
                pair.memory = RememberedResults::Trusted;
            }
            Ok(apply::Applied::Overtaken) => {
                tracing::info!("another job has written the note meanwhile; looking again");
                pair.memory = RememberedResults::Doubted;
            }
            // Whether it was done shows when everything is looked at again.
            Err(error) if matches!(error.gitlab(), Some(ForgeError::MaybeDone(_))) => {
                tracing::warn!("{error}; looking again");
                lost = Some(error);
            }
            Err(error) => return Err(error),
        }
        pair = find_pair::again(bot, pair)?;
    }
    if let Some(error) = lost {
        return Err(error);
    }
    tracing::warn!("it goes on changing: the next report will tell the rest");
    Ok(effect)
}
