//! Finds the pair of merge requests that a report is about.
//!
//! What was named is checked against the instance first, and a merge request that is found must be the bot's own.

use crate::config::Forks;
use crate::forge::{MergeRequest, MergeRequestQuery, MergeRequestState, Note, Pipeline, StateFilter};
use crate::ops::reference::{MergeRequestReference, PipelineReference};
use crate::ops::session::Session;
use crate::pair::report_plan::RememberedResults;
use crate::pair::{branch, markers};
use crate::types::error::{ForgeError, Result};
use crate::types::{BranchName, MergeRequestIid, ProjectPath};

/// The most merge requests from one of the bot's branches that are read.
const MAX_MERGE_REQUESTS: usize = 100;

/// How a pair was named.
#[derive(Clone, Debug)]
pub(crate) enum PairReference {
    /// A pipeline in dist-git or in one of the bot's forks.
    Pipeline(PipelineReference),
    /// A source-git merge request.
    MergeRequest(MergeRequestReference),
}

/// A source-git merge request and the dist-git merge request that was found for it.
pub(crate) struct MergeRequestPair {
    pub(crate) source_path: ProjectPath,
    pub(crate) source: MergeRequest,
    pub(crate) dist_path: ProjectPath,
    pub(crate) dist: MergeRequest,
    /// The bot's note on the source-git merge request, if it was read already.
    pub(crate) note: Option<Note>,
    /// Whether the statuses still are as the note records them.
    pub(crate) remembered: RememberedResults,
    /// The pipeline that was named; `None` for the newest.
    pub(crate) pipeline: Option<Pipeline>,
}

/// Finds the pair. Returns `None`, and logs why, if there is none.
pub(crate) fn find(session: &Session, reference: &PairReference) -> Result<Option<MergeRequestPair>> {
    match reference {
        PairReference::MergeRequest(reference) => from_source_git(session, reference),
        PairReference::Pipeline(reference) => from_pipeline(session, reference),
    }
}

fn from_source_git(session: &Session, reference: &MergeRequestReference) -> Result<Option<MergeRequestPair>> {
    let MergeRequestReference { project, iid } = reference;
    let Some(dist_path) = session.instance.namespaces.dist_git_of(project.as_str()) else { return Ok(None) };
    let dist_path: ProjectPath = dist_path.parse()?;
    let source = session.forge.merge_request(project, *iid)?;
    let target: BranchName = source.target_branch.parse()?;
    let branch = branch::name(&target, source.iid)?;
    let Some(dist) = find_on_branch(session, &dist_path, &branch)? else {
        tracing::info!("{project}!{iid} has no dist-git merge request: nothing to report");
        return Ok(None);
    };
    Ok(Some(MergeRequestPair {
        source_path: project.clone(),
        source,
        dist_path,
        dist,
        note: None,
        remembered: RememberedResults::Trusted,
        pipeline: None,
    }))
}

fn from_pipeline(session: &Session, reference: &PipelineReference) -> Result<Option<MergeRequestPair>> {
    let PipelineReference { project, pipeline: id } = reference;
    let is_dist_git = session.instance.namespaces.source_git_of(project.as_str()).is_some();
    if !is_dist_git && !may_be_bot_fork(session, project)? {
        let name = &session.instance.name;
        tracing::info!(
            "{project} is neither a dist-git project of the instance {name} nor a fork of the bot: nothing to do"
        );
        return Ok(None);
    }
    let pipeline = match session.forge.pipeline(project, *id) {
        Err(ForgeError::NotFoundOrNoAccess(_)) => {
            tracing::info!("there is no pipeline {id} in {project} any more: nothing to report");
            return Ok(None);
        }
        found => found?,
    };
    let found = match (is_dist_git, iid_from_ref(&pipeline.reference)) {
        (true, Some(iid)) => Some((project.clone(), session.forge.merge_request(project, iid)?)),
        (_, Some(_)) => None,
        (true, None) => match pipeline.reference.parse() {
            Ok(branch) => find_on_branch(session, project, &branch)?.map(|dist| (project.clone(), dist)),
            Err(_) => None,
        },
        (false, None) => find_for_fork_pipeline(session, project, &pipeline)?,
    };
    // Anybody can have a branch of that name, in dist-git itself or in a fork.
    let is_from_pipeline_project = |dist: &MergeRequest| {
        iid_from_ref(&pipeline.reference).is_some() || dist.source_project_id == Some(pipeline.project_id)
    };
    let found = found.filter(|(_, dist)| is_from_pipeline_project(dist));
    let Some((dist_path, dist)) = found else {
        tracing::info!("pipeline {id} belongs to no merge request of the bot: nothing to report");
        return Ok(None);
    };
    from_dist_git(session, dist_path, dist, Some(pipeline))
}

/// Finds the pair of a dist-git merge request, which must be the bot's own and agree with the record in its
/// description.
pub(crate) fn from_dist_git(
    session: &Session,
    dist_path: ProjectPath,
    dist: MergeRequest,
    pipeline: Option<Pipeline>,
) -> Result<Option<MergeRequestPair>> {
    let named = dist.source_branch.parse().ok().and_then(|name| branch::parse(&name));
    let source_path = session.instance.namespaces.source_git_of(dist_path.as_str());
    let (Some((target, iid)), Some(source_path)) = (named, source_path) else {
        tracing::info!("{dist_path}!{} is not made from a source-git merge request: nothing to report", dist.iid);
        return Ok(None);
    };
    if dist.author.id != session.current_user()?.user.id || dist.target_branch != target.as_str() {
        tracing::info!("{dist_path}!{} is not the bot's own: nothing to report", dist.iid);
        return Ok(None);
    }
    let source_path: ProjectPath = source_path.parse()?;
    let source = match session.forge.merge_request(&source_path, iid) {
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
    Ok(Some(MergeRequestPair {
        source_path,
        source,
        dist_path,
        dist,
        note: None,
        remembered: RememberedResults::Trusted,
        pipeline,
    }))
}

/// Reads a pair again, because it has changed.
pub(crate) fn reread(session: &Session, pair: MergeRequestPair) -> Result<MergeRequestPair> {
    let pipeline = match &pair.pipeline {
        None => None,
        Some(pipeline) => match session.forge.pipeline(pipeline.project_id, pipeline.id) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => None,
            found => Some(found?),
        },
    };
    let source = session.forge.merge_request(&pair.source_path, pair.source.iid)?;
    let dist = session.forge.merge_request(&pair.dist_path, pair.dist.iid)?;
    Ok(MergeRequestPair { source, dist, pipeline, note: None, ..pair })
}

/// Whether a project may be one of the bot's forks, judging by its path.
fn may_be_bot_fork(session: &Session, project: &ProjectPath) -> Result<bool> {
    Ok(match &session.instance.forks {
        Forks::BotUser => project.namespace() == session.current_user()?.user.username,
        Forks::Group(group) => project.namespace() == group.as_str(),
        Forks::DistGit => false,
    })
}

/// Returns the merge request that the ref of a pipeline names: `refs/merge-requests/7/head`, or `…/merge` for merged
/// results, or `…/train` in a merge train.
fn iid_from_ref(reference: &str) -> Option<MergeRequestIid> {
    let (number, kind) = reference.strip_prefix("refs/merge-requests/")?.split_once('/')?;
    let known = matches!(kind, "head" | "merge" | "train") && number.bytes().all(|b| b.is_ascii_digit());
    number.parse().ok().filter(|_| known).map(MergeRequestIid)
}

/// Finds the bot's merge request from `branch`: the open one, or else the newest.
fn find_on_branch(session: &Session, dist_path: &ProjectPath, branch: &BranchName) -> Result<Option<MergeRequest>> {
    if branch::parse(branch).is_none() {
        return Ok(None);
    }
    let query = MergeRequestQuery {
        source_branch: Some(branch.as_str()),
        target_branch: None,
        author: Some(session.current_user()?.user.id),
        state: StateFilter::Any,
    };
    let mut best: Option<MergeRequest> = None;
    for found in session.forge.merge_requests(dist_path, query).take(MAX_MERGE_REQUESTS) {
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

/// Finds the merge request of a pipeline that ran in a fork. The name of the fork tells the dist-git project in most
/// cases; otherwise GitLab is asked.
fn find_for_fork_pipeline(
    session: &Session,
    fork: &ProjectPath,
    pipeline: &Pipeline,
) -> Result<Option<(ProjectPath, MergeRequest)>> {
    let Ok(branch) = pipeline.reference.parse::<BranchName>() else { return Ok(None) };
    for pair in session.instance.namespaces.pairs() {
        let dist_path: ProjectPath = format!("{}/{}", pair.dist_git, fork.name()).parse()?;
        let found = find_on_branch(session, &dist_path, &branch)?;
        if let Some(dist) = found.filter(|dist| dist.source_project_id == Some(pipeline.project_id)) {
            return Ok(Some((dist_path, dist)));
        }
    }
    let forked_from = session.forge.project(pipeline.project_id)?.forked_from;
    let Some(dist_path) = forked_from.and_then(|parent| parent.path) else { return Ok(None) };
    if session.instance.namespaces.source_git_of(dist_path.as_str()).is_none() {
        return Ok(None);
    }
    Ok(find_on_branch(session, &dist_path, &branch)?.map(|dist| (dist_path, dist)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ref_of_a_pipeline_names_its_merge_request() {
        for reference in ["refs/merge-requests/7/head", "refs/merge-requests/7/merge", "refs/merge-requests/7/train"] {
            assert_eq!(iid_from_ref(reference), Some(MergeRequestIid(7)));
        }
        for reference in
            ["c9s-src-7", "refs/merge-requests/7", "refs/merge-requests/+7/head", "refs/merge-requests/7/x"]
        {
            assert_eq!(iid_from_ref(reference), None, "{reference}");
        }
    }
}
