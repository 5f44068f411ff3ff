//! Commit statuses that external services post: the pipeline that one joins, and the states it may go through
//! (`ci/create_commit_status_service.rb`, `commit_status.rb`, `generic_commit_status.rb`).

use super::Model;
use super::ci_status::CiStatus;
use super::pipelines::{EXTERNAL_STAGE, Job, JobKind, NewPipeline, Pipeline};

/// How many of a commit's pipelines are looked at, newest first.
const PIPELINES_LOOKED_AT: usize = 100;
/// The longest name, ref, description or link, in characters.
const MAX_TEXT: usize = 255;

/// What a service posts.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) sha: String,
    pub(crate) state: CiStatus,
    pub(crate) reference: Option<String>,
    pub(crate) name: String,
    pub(crate) target_url: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) coverage: Option<f64>,
    pub(crate) pipeline: Option<u64>,
}

/// Why GitLab refuses a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StatusRefusal {
    /// 404 with this in the middle of the text.
    NotFound(&'static str),
    /// 403.
    Forbidden,
    /// 422.
    TooManyJobs,
    /// 400 with texts by field.
    Invalid(&'static str, String),
    /// 400 with this text.
    Transition(String),
}

impl Model {
    /// Sets a status, and gives its id. The order of the checks is GitLab's; as there, a pipeline that was made for it
    /// stays even where the status is then refused.
    pub(crate) fn post_status(&mut self, user: u64, project: u64, post: Post) -> Result<u64, StatusRefusal> {
        let known = self.projects.get(&project).ok_or(StatusRefusal::NotFound("Commit"))?;
        let sha = known.repository.commit_id(&post.sha).ok_or(StatusRefusal::NotFound("Commit"))?;
        let matching = self.matching_pipeline(project, &sha, &post).cloned();
        let first_branch = || known.repository.branch_containing(&sha);
        let reference = post.reference.clone().or_else(|| matching.as_ref().map(|found| found.reference.clone()));
        let reference = reference.or_else(first_branch).ok_or(StatusRefusal::NotFound("References for commit"))?;
        let has_room = matching.as_ref().is_none_or(|pipeline| self.has_room(user, pipeline, &post.name));
        if post.pipeline.is_some() {
            if matching.is_none() {
                return Err(StatusRefusal::NotFound("Pipeline for pipeline_id, sha and ref"));
            }
            if !has_room {
                return Err(StatusRefusal::TooManyJobs);
            }
        }
        let pipeline = match matching {
            Some(pipeline) if has_room => pipeline.id,
            Some(_) | None => self.external_pipeline(user, project, sha, reference),
        };
        self.set_status(user, pipeline, post)
    }

    /// The newest pipeline of the project for this commit that fits what is asked for.
    fn matching_pipeline(&self, project: u64, sha: &str, post: &Post) -> Option<&Pipeline> {
        let limit = if post.pipeline.is_some() { usize::MAX } else { PIPELINES_LOOKED_AT };
        let newest_first = self.pipelines.values().rev();
        let of_commit = newest_first
            .filter(|pipeline| pipeline.project == project && pipeline.sha == sha && pipeline.is_ci_source());
        of_commit
            .take(limit)
            .filter(|pipeline| post.reference.as_ref().is_none_or(|reference| pipeline.reference == *reference))
            .find(|pipeline| post.pipeline.is_none_or(|id| pipeline.id == id))
    }

    /// Whether a pipeline takes this status: it is below the project's limit of jobs, or has the status already.
    fn has_room(&self, user: u64, pipeline: &Pipeline, name: &str) -> bool {
        let limit = self.projects.get(&pipeline.project).and_then(|project| project.pipeline_size_limit);
        limit.is_none_or(|limit| self.jobs_of(pipeline.id).count() < limit)
            || self.open_status(user, pipeline.id, name).is_some()
    }

    /// The status of this user and name that has not ended.
    fn open_status(&self, user: u64, pipeline: u64, name: &str) -> Option<&Job> {
        self.jobs_of(pipeline).find(|job| {
            job.kind == JobKind::External
                && matches!(job.status, CiStatus::Pending | CiStatus::Running)
                && job.name == name
                && job.user == user
        })
    }

    fn external_pipeline(&mut self, user: u64, project: u64, sha: String, reference: String) -> u64 {
        self.add_pipeline(NewPipeline {
            project,
            sha,
            source_sha: None,
            reference,
            source: "external",
            merge_request: None,
            event_type: None,
            user,
        })
    }

    fn set_status(&mut self, user: u64, pipeline: u64, post: Post) -> Result<u64, StatusRefusal> {
        let pipeline = self.pipelines.get(&pipeline).ok_or(StatusRefusal::Forbidden)?;
        let project = self.projects.get(&pipeline.project).ok_or(StatusRefusal::Forbidden)?;
        if !self.can_update_branch(user, project, &pipeline.reference) {
            return Err(StatusRefusal::Forbidden);
        }
        self.check_status(pipeline, &post)?;
        let pipeline = pipeline.id;
        let open = self.open_status(user, pipeline, &post.name).map(|open| (open.id, open.status));
        check_transition(open.map_or(CiStatus::Created, |(_, status)| status), post.state)
            .map_err(StatusRefusal::Transition)?;
        let id = match open {
            Some((id, _)) => id,
            None => self.add_job(pipeline, EXTERNAL_STAGE, &post.name, JobKind::External, user),
        };
        if let Some(status) = self.jobs.get_mut(&id) {
            status.target_url = post.target_url.or_else(|| status.target_url.take());
            status.description = post.description.or_else(|| status.description.take());
            status.coverage = post.coverage.or(status.coverage);
        }
        self.retire_others(pipeline, id);
        let reason = (post.state == CiStatus::Failed).then_some("api_failure");
        self.set_job_status(id, post.state, reason);
        Ok(id)
    }

    fn check_status(&self, pipeline: &Pipeline, post: &Post) -> Result<(), StatusRefusal> {
        let invalid = |field, text: &str| Err(StatusRefusal::Invalid(field, text.to_owned()));
        if post.name.trim().is_empty() {
            return invalid("name", "can't be blank");
        }
        let texts = [
            ("name", Some(&post.name)),
            ("ref", post.reference.as_ref()),
            ("target_url", post.target_url.as_ref()),
            ("description", post.description.as_ref()),
        ];
        for (field, text) in texts {
            if text.is_some_and(|text| text.chars().count() > MAX_TEXT) {
                return invalid(field, "is too long (maximum is 255 characters)");
            }
        }
        let is_link = |url: &String| url.starts_with("http://") || url.starts_with("https://");
        if post.target_url.as_ref().is_some_and(|url| !is_link(url)) {
            return invalid("target_url", "is blocked: Only allowed schemes are http, https");
        }
        let taken = |job: &Job| job.name == post.name && job.kind != JobKind::External;
        if self.jobs_of(pipeline.id).any(taken) {
            return invalid("name", "has already been taken");
        }
        Ok(())
    }

    /// Marks others of the same name as retried, whoever set them.
    pub(crate) fn retire_others(&mut self, pipeline: u64, id: u64) {
        let Some(name) = self.jobs.get(&id).map(|job| job.name.clone()) else { return };
        for job in self.jobs.values_mut().filter(|job| job.pipeline == pipeline && job.name == name && job.id != id) {
            job.retried = true;
        }
    }
}

/// Whether a status may go from one state to another, in the words of GitLab's refusal. A new one starts as `created`.
fn check_transition(from: CiStatus, to: CiStatus) -> Result<(), String> {
    use CiStatus::{Canceled, Created, Failed, Pending, Running, Skipped, Success};
    let (event, allowed) = match to {
        Pending => ("enqueue", from == Created),
        // GitLab enqueues first and does not mind if that fails, so that a new one may run at once.
        Running => ("run", matches!(from, Created | Pending)),
        Success => ("success", matches!(from, Created | Pending | Running)),
        Failed => ("drop", matches!(from, Created | Pending | Running)),
        Canceled => ("cancel", matches!(from, Created | Pending | Running)),
        Skipped => ("skip", matches!(from, Created | Pending)),
        _ => return Err("invalid state".to_owned()),
    };
    if allowed {
        return Ok(());
    }
    let from = from.name();
    Err(format!(
        "Cannot transition status via :{event} from :{from} (Reason(s): Status cannot transition via \"{event}\")"
    ))
}
