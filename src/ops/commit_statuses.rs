//! Commit statuses on a source-git commit: where people see them, which exist, and how to post them.

use crate::forge::{CommitStatus, Forge, MergeRequest, NewCommitStatus, Posting};
use crate::pair::statuses::{Acceptance, PostedStatus, StatusPlace, StatusPost, StatusState};
use crate::types::error::ForgeError;
use crate::types::{CommitId, ProjectId};

/// The most statuses of a commit, or pipelines of a merge request, that are read: more than a merge request has for one
/// commit.
const MAX_LISTED: usize = 1000;

/// Returns where people see statuses for the head of a source-git merge request; `None` if they would see them nowhere.
/// `known` is where earlier statuses for the same head are.
///
/// People see the statuses of the pipeline that the merge request's page shows. If there is no pipeline, a status on
/// the source branch creates one. The page shows that pipeline only if the branch is in the same project (GitLab's
/// `Ci::PipelinesForMergeRequestFinder`).
pub(crate) fn place_for_head(
    forge: &Forge,
    source: &MergeRequest,
    head: &CommitId,
    known: Option<&StatusPlace>,
) -> Result<Option<StatusPlace>, ForgeError> {
    let project = source.target_project_id;
    let Some(pipeline) = &source.head_pipeline else { return Ok(place_on_branch(source, head)) };
    let place = StatusPlace::Pipeline { id: pipeline.id, sha: pipeline.sha };
    if pipeline.source == "external" {
        // Statuses on the branch created this pipeline, and more of them end up in it.
        return Ok(place_on_branch(source, head));
    }
    if pipeline.project_id != project {
        // It runs in the contributor's fork, where the bot must not post.
        return Ok(None);
    }
    if pipeline.sha == *head {
        return Ok(Some(place));
    }
    // GitLab names the pipeline of the previous head until there is a new one. A pipeline for merged results tests a
    // commit of GitLab's own.
    let is_for_head = pipeline.is_of_merged_results()
        && (known == Some(&place) || forge.commit(project, &pipeline.sha)?.parent_ids.contains(head));
    if is_for_head { Ok(Some(place)) } else { Ok(place_on_branch(source, head)) }
}

/// Returns where people see statuses for an older commit of a source-git merge request.
pub(crate) fn place_for_older(
    forge: &Forge,
    source: &MergeRequest,
    commit: &CommitId,
) -> Result<Option<StatusPlace>, ForgeError> {
    let project = source.target_project_id;
    for pipeline in forge.merge_request_pipelines(project, source.iid).take(MAX_LISTED) {
        let pipeline = pipeline?;
        if pipeline.sha == *commit && pipeline.project_id == project {
            return Ok(Some(StatusPlace::Pipeline { id: pipeline.id, sha: pipeline.sha }));
        }
    }
    Ok(place_on_branch(source, commit))
}

fn place_on_branch(source: &MergeRequest, commit: &CommitId) -> Option<StatusPlace> {
    let is_own = source.source_project_id == Some(source.target_project_id);
    is_own.then(|| StatusPlace::Branch { name: source.source_branch.clone(), sha: *commit })
}

/// Returns the statuses on a commit that are in pipelines of a source-git merge request or of its branch. Other
/// statuses belong to another merge request with the same commit, for example one into another branch.
pub(crate) fn list(forge: &Forge, source: &MergeRequest, commit: &CommitId) -> Result<Vec<PostedStatus>, ForgeError> {
    let project = source.target_project_id;
    let of_merge_request = format!("refs/merge-requests/{}/", source.iid);
    let is_own_branch = |name: &str| source.source_project_id == Some(project) && name == source.source_branch;
    let is_own = |status: &CommitStatus| {
        let name = &status.reference;
        name.is_empty() || name.starts_with(&of_merge_request) || is_own_branch(name)
    };
    let mut found = Vec::new();
    for status in forge.commit_statuses(project, commit).take(MAX_LISTED) {
        let status = status?;
        if is_own(&status) {
            found.push(PostedStatus {
                name: status.name,
                state: status.status,
                description: status.description,
                url: status.target_url,
                author: status.author.map(|author| author.id),
                pipeline: status.pipeline_id,
            });
        }
    }
    Ok(found)
}

pub(crate) fn post(forge: &Forge, project: ProjectId, post: &StatusPost) -> Result<Posting, ForgeError> {
    let StatusPost { place, status } = post;
    let (pipeline, branch) = match place {
        StatusPlace::Pipeline { id, .. } => (Some(*id), None),
        StatusPlace::Branch { name, .. } => (None, Some(name.as_str())),
    };
    forge.post_commit_status(
        project,
        NewCommitStatus {
            commit: &place.sha(),
            state: gitlab_state(status.state),
            name: &status.name,
            description: &status.description,
            target_url: status.url.as_deref(),
            pipeline,
            branch,
        },
    )
}

/// Returns GitLab's name for a state.
pub(crate) const fn gitlab_state(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Running => "running",
        StatusState::Success => "success",
        StatusState::Failed => "failed",
        StatusState::Canceled => "canceled",
        StatusState::Skipped => "skipped",
    }
}

/// What else GitLab refuses when it refuses a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusRefusal {
    /// Every status at this place: the bot may not post there, or the place does not exist.
    Place,
    /// Every new status in this pipeline.
    PipelineFull,
    /// This status only: a job of the pipeline has the same name.
    Name,
}

impl StatusRefusal {
    /// Returns what the note records about the refusal.
    pub(crate) const fn acceptance(self) -> Acceptance {
        match self {
            Self::Place => Acceptance::No,
            Self::PipelineFull => Acceptance::Full,
            Self::Name => Acceptance::InPart,
        }
    }
}

/// Returns what GitLab refuses, if the error is a refusal and not a failure.
pub(crate) fn refusal(error: &ForgeError) -> Option<StatusRefusal> {
    match error {
        ForgeError::Forbidden(_) | ForgeError::NotFoundOrNoAccess(_) | ForgeError::Moved { .. } => {
            Some(StatusRefusal::Place)
        }
        ForgeError::Refused(failure) if failure.status == Some(422) => Some(StatusRefusal::PipelineFull),
        ForgeError::Refused(_) => Some(StatusRefusal::Name),
        _ => None,
    }
}
