//! Which pair of merge requests a report is about. What was named is checked against the instance first, and what is
//! found has to be the bot's own.
use crate::config::Forks;
use crate::forge::{MergeRequest, MergeRequestQuery, MergeRequestState, Pipeline, StateFilter};
use crate::ops::merge_request_reference::MergeRequestReference;
use crate::ops::pipeline_reference::PipelineReference;
use crate::ops::report::{Asked, Pair};
use crate::ops::session::Bot;
use crate::pair::report_plan::RememberedResults;
use crate::pair::{branch, markers};
use crate::types::error::{ForgeError, Result};
use crate::types::{BranchName, MergeRequestIid, ProjectPath};

/// The most of the bot's merge requests from one branch that are looked at.
const LOOKED_AT: usize = 100;

/// Finds the pair; nothing, with a line in the log, where there is none.
pub(crate) fn pair(bot: &Bot, asked: &Asked) -> Result<Option<Pair>> {
    match asked {
        Asked::MergeRequest(reference) => of_source(bot, reference),
        Asked::Pipeline(reference) => of_pipeline(bot, reference),
    }
}

fn of_source(bot: &Bot, reference: &MergeRequestReference) -> Result<Option<Pair>> {
    let MergeRequestReference { project, iid } = reference;
    let Some(dist_path) = bot.instance.namespaces.dist_git_of(project.as_str()) else { return Ok(None) };
    let dist_path: ProjectPath = dist_path.parse()?;
    let source = bot.forge.merge_request(project, *iid)?;
    let target: BranchName = source.target_branch.parse()?;
    let branch = branch::name(&target, source.iid)?;
    let Some(dist) = by_branch(bot, &dist_path, &branch)? else {
        tracing::info!("{project}!{iid} has no dist-git merge request: nothing to report");
        return Ok(None);
    };
    Ok(Some(Pair {
        source_path: project.clone(),
        source,
        dist_path,
        dist,
        note: None,
        memory: RememberedResults::Trusted,
        pipeline: None,
    }))
}

fn of_pipeline(bot: &Bot, reference: &PipelineReference) -> Result<Option<Pair>> {
    let PipelineReference { project, pipeline: id } = reference;
    let is_dist_git = bot.instance.namespaces.source_git_of(project.as_str()).is_some();
    if !is_dist_git && !may_be_fork(bot, project)? {
        let name = &bot.instance.name;
        tracing::info!(
            "{project} is neither a dist-git project of the instance {name} nor a fork of the bot: nothing to do"
        );
        return Ok(None);
    }
    let pipeline = match bot.forge.pipeline(project, *id) {
        Err(ForgeError::NotFoundOrNoAccess(_)) => {
            tracing::info!("there is no pipeline {id} in {project} any more: nothing to report");
            return Ok(None);
        }
        found => found?,
    };
    let found = match (is_dist_git, merge_request_of(&pipeline.reference)) {
        (true, Some(iid)) => Some((project.clone(), bot.forge.merge_request(project, iid)?)),
        (_, Some(_)) => None,
        (true, None) => match pipeline.reference.parse() {
            Ok(branch) => by_branch(bot, project, &branch)?.map(|dist| (project.clone(), dist)),
            Err(_) => None,
        },
        (false, None) => by_fork(bot, project, &pipeline)?,
    };
    // Anybody may have a branch of that name, in dist-git itself or in a fork.
    let is_its = |dist: &MergeRequest| {
        merge_request_of(&pipeline.reference).is_some() || dist.source_project_id == Some(pipeline.project_id)
    };
    let found = found.filter(|(_, dist)| is_its(dist));
    let Some((dist_path, dist)) = found else {
        tracing::info!("pipeline {id} belongs to no merge request of the bot: nothing to report");
        return Ok(None);
    };
    of_dist(bot, dist_path, dist, Some(pipeline))
}

/// Completes the pair of a dist-git merge request, which has to be the bot's own and agree with its record.
pub(crate) fn of_dist(
    bot: &Bot,
    dist_path: ProjectPath,
    dist: MergeRequest,
    pipeline: Option<Pipeline>,
) -> Result<Option<Pair>> {
    let named = dist.source_branch.parse().ok().and_then(|name| branch::parse(&name));
    let source_path = bot.instance.namespaces.source_git_of(dist_path.as_str());
    let (Some((target, iid)), Some(source_path)) = (named, source_path) else {
        tracing::info!("{dist_path}!{} is not made from a source-git merge request: nothing to report", dist.iid);
        return Ok(None);
    };
    if dist.author.id != bot.myself()?.user.id || dist.target_branch != target.as_str() {
        tracing::info!("{dist_path}!{} is not the bot's own: nothing to report", dist.iid);
        return Ok(None);
    }
    let source_path: ProjectPath = source_path.parse()?;
    let source = match bot.forge.merge_request(&source_path, iid) {
        Err(ForgeError::NotFoundOrNoAccess(_)) => {
            tracing::info!("{source_path}!{iid} is not there any more: nothing to report");
            return Ok(None);
        }
        source => source?,
    };
    if source.target_branch != target.as_str() {
        tracing::info!(
            "{dist_path}!{} is for a branch that {source_path}!{iid} had before: nothing to report",
            dist.iid
        );
        return Ok(None);
    }
    let record = markers::read(&dist.description);
    if record.is_some_and(|record| record.project != source.target_project_id || record.merge_request != iid) {
        tracing::info!("{dist_path}!{} was made from another merge request: nothing to report", dist.iid);
        return Ok(None);
    }
    Ok(Some(Pair { source_path, source, dist_path, dist, note: None, memory: RememberedResults::Trusted, pipeline }))
}

/// Reads a pair again that has changed since.
pub(crate) fn again(bot: &Bot, pair: Pair) -> Result<Pair> {
    let pipeline = match &pair.pipeline {
        None => None,
        Some(pipeline) => match bot.forge.pipeline(pipeline.project_id, pipeline.id) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => None,
            found => Some(found?),
        },
    };
    let source = bot.forge.merge_request(&pair.source_path, pair.source.iid)?;
    let dist = bot.forge.merge_request(&pair.dist_path, pair.dist.iid)?;
    Ok(Pair { source, dist, pipeline, note: None, ..pair })
}

/// Whether a project may be one of the bot's forks, by its path.
fn may_be_fork(bot: &Bot, project: &ProjectPath) -> Result<bool> {
    Ok(match &bot.instance.forks {
        Forks::BotUser => project.namespace() == bot.myself()?.user.username,
        Forks::Group(group) => project.namespace() == group.as_str(),
        Forks::DistGit => false,
    })
}

/// Returns the number in the ref of a merge request's pipeline: `refs/merge-requests/7/head`, `…/merge` for merged
/// results, `…/train` in a merge train.
fn merge_request_of(reference: &str) -> Option<MergeRequestIid> {
    let (number, kind) = reference.strip_prefix("refs/merge-requests/")?.split_once('/')?;
    let known = matches!(kind, "head" | "merge" | "train") && number.bytes().all(|b| b.is_ascii_digit());
    number.parse().ok().filter(|_| known).map(MergeRequestIid)
}

/// Finds the bot's merge request from `branch`: the open one, else the newest.
fn by_branch(bot: &Bot, dist_path: &ProjectPath, branch: &BranchName) -> Result<Option<MergeRequest>> {
    if branch::parse(branch).is_none() {
        return Ok(None);
    }
    let query = MergeRequestQuery {
        source_branch: Some(branch.as_str()),
        target_branch: None,
        author: Some(bot.myself()?.user.id),
        state: StateFilter::Any,
    };
    let mut best: Option<MergeRequest> = None;
    for found in bot.forge.merge_requests(dist_path, query).take(LOOKED_AT) {
        let found = match found {
            Err(ForgeError::NotFoundOrNoAccess(_)) => return Ok(None),
            found => found?,
        };
        let rank = |merge_request: &MergeRequest| (merge_request.state == MergeRequestState::Opened, merge_request.iid);
        if best.as_ref().is_none_or(|best| rank(&found) > rank(best)) {
            best = Some(found);
        }
    }
    Ok(best)
}

/// Finds the merge request of a pipeline that ran in a fork. Which project the fork is of follows from its name in most
/// cases, and is asked else.
fn by_fork(bot: &Bot, fork: &ProjectPath, pipeline: &Pipeline) -> Result<Option<(ProjectPath, MergeRequest)>> {
    let Ok(branch) = pipeline.reference.parse::<BranchName>() else { return Ok(None) };
    for pair in bot.instance.namespaces.pairs() {
        let dist_path: ProjectPath = format!("{}/{}", pair.dist_git, fork.name()).parse()?;
        let found = by_branch(bot, &dist_path, &branch)?;
        if let Some(dist) = found.filter(|dist| dist.source_project_id == Some(pipeline.project_id)) {
            return Ok(Some((dist_path, dist)));
        }
    }
    let forked_from = bot.forge.project(pipeline.project_id)?.forked_from;
    let Some(dist_path) = forked_from.and_then(|parent| parent.path) else { return Ok(None) };
    if bot.instance.namespaces.source_git_of(dist_path.as_str()).is_none() {
        return Ok(None);
    }
    Ok(by_branch(bot, &dist_path, &branch)?.map(|dist| (dist_path, dist)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ref_of_a_pipeline_names_its_merge_request() {
        for reference in ["refs/merge-requests/7/head", "refs/merge-requests/7/merge", "refs/merge-requests/7/train"] {
            assert_eq!(merge_request_of(reference), Some(MergeRequestIid(7)));
        }
        for reference in
            ["c9s-src-7", "refs/merge-requests/7", "refs/merge-requests/+7/head", "refs/merge-requests/7/x"]
        {
            assert_eq!(merge_request_of(reference), None, "{reference}");
        }
    }
}
