//! Commit statuses on a source-git commit: where they would be seen, what is there, and posting them.

use crate::forge::{CommitStatus, Forge, ForgeError, MergeRequest, NewCommitStatus, Posting};
use crate::pair::statuses::{Acceptance, PostedStatus, StatusPlace, StatusPost, StatusState};
use crate::types::{CommitId, ProjectId};

/// The most statuses of a commit that are looked at: more than a merge request has for one commit.
const LOOKED_AT: usize = 1000;

/// Returns where statuses for the head of a source-git merge request are seen; nothing where they would not be. `known`
/// is where they were before for the same head.
///
/// They are seen in the pipeline that its page shows. Where there is none, a status on the source branch makes one, which
/// the page shows only where the branch is in the same project (GitLab's `Ci::PipelinesForMergeRequestFinder`).
pub(crate) fn place_of_head(
    forge: &Forge,
    source: &MergeRequest,
    head: &CommitId,
    known: Option<&StatusPlace>,
) -> Result<Option<StatusPlace>, ForgeError> {
    let project = source.target_project_id;
    let Some(pipeline) = &source.head_pipeline else { return Ok(place_on_branch(source, head)) };
    let place = StatusPlace::Pipeline { id: pipeline.id, sha: pipeline.sha };
    if pipeline.source == "external" {
        // Statuses on the branch made it, and go on to find it.
        return Ok(place_on_branch(source, head));
    }
    if pipeline.project_id != project {
        // It runs in the contributor's fork, where the bot has no business.
        return Ok(None);
    }
    if pipeline.sha == *head {
        return Ok(Some(place));
    }
    // GitLab goes on naming the last head's pipeline until there is another. One that tests merged results is for a
    // commit of GitLab's own.
    let is_for_head = pipeline.is_of_merged_results()
        && (known == Some(&place) || forge.commit(project, &pipeline.sha)?.parent_ids.contains(head));
    if is_for_head { Ok(Some(place)) } else { Ok(place_on_branch(source, head)) }
}

/// Returns where statuses for an older commit of a source-git merge request are seen.
pub(crate) fn place_of_older(
    forge: &Forge,
    source: &MergeRequest,
    commit: &CommitId,
) -> Result<Option<StatusPlace>, ForgeError> {
    let project = source.target_project_id;
    for pipeline in forge.merge_request_pipelines(project, source.iid).take(LOOKED_AT) {
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

/// Returns the statuses on a commit that are in pipelines of a source-git merge request or its branch. Others are about
/// another merge request that holds the same commit, for example one into another branch.
pub(crate) fn posted(forge: &Forge, source: &MergeRequest, commit: &CommitId) -> Result<Vec<PostedStatus>, ForgeError> {
    let project = source.target_project_id;
    let of_merge_request = format!("refs/merge-requests/{}/", source.iid);
    let is_own_branch = |name: &str| source.source_project_id == Some(project) && name == source.source_branch;
    let is_its = |status: &CommitStatus| {
        let name = &status.reference;
        name.is_empty() || name.starts_with(&of_merge_request) || is_own_branch(name)
    };
    let mut found = Vec::new();
    for status in forge.commit_statuses(project, commit).take(LOOKED_AT) {
        let status = status?;
        if is_its(&status) {
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

/// Posts a status.
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
            state: word(status.state),
            name: &status.name,
            description: &status.description,
            target_url: status.url.as_deref(),
            pipeline,
            branch,
        },
    )
}

/// Returns GitLab's word for a state.
pub(crate) const fn word(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Running => "running",
        StatusState::Success => "success",
        StatusState::Failed => "failed",
        StatusState::Canceled => "canceled",
        StatusState::Skipped => "skipped",
    }
}

/// What GitLab refuses with a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Everything at its place: the bot may not post there, or there is no such place.
    Place,
    /// Everything new in its pipeline, which is full.
    Room,
    /// That status: a job of the pipeline has its name.
    Name,
}

impl Refused {
    /// Returns what the note is to remember of it.
    pub(crate) const fn taken(self) -> Acceptance {
        match self {
            Self::Place => Acceptance::No,
            Self::Room => Acceptance::Full,
            Self::Name => Acceptance::InPart,
        }
    }
}

/// Returns what GitLab refuses, where an error is a refusal and not a failure.
pub(crate) fn refused(error: &ForgeError) -> Option<Refused> {
    match error {
        ForgeError::Forbidden(_) | ForgeError::NotFoundOrNoAccess(_) | ForgeError::Moved { .. } => Some(Refused::Place),
        ForgeError::Refused(failure) if failure.status == Some(422) => Some(Refused::Room),
        ForgeError::Refused(_) => Some(Refused::Name),
        _ => None,
    }
}
