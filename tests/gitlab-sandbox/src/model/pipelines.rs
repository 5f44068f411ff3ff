//! Pipelines and what is in them: jobs, bridges and external statuses. Tests drive the states; a pipeline's own state
//! always follows from its jobs, and a bridge's from its downstream pipeline where it depends on that.

use super::Model;
use super::ci_status::{CiStatus, Composite, composite};
use crate::clock::Moment;

/// The stage that external statuses are in, after all others.
pub(crate) const EXTERNAL_STAGE: &str = "external";

/// What a pipeline of a merge request is run for (`merge_request_event_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// `detached`: the merge request's head.
    Detached,
    /// `merged_result`: an internal commit that merges the head into the target's tip.
    MergedResult,
}

/// A pipeline.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The pipeline's id.
    pub id: u64,
    /// Its number in its project.
    pub iid: u64,
    /// The project it runs in.
    pub project: u64,
    /// The commit it runs for; of merged results the internal merge commit.
    pub sha: String,
    /// The merge request's head, where `sha` merges it.
    pub source_sha: Option<String>,
    /// The ref as stored: a branch or tag by its short name, `refs/merge-requests/N/head`, `refs/merge-requests/N/merge`.
    pub reference: String,
    /// Whether the ref is a tag.
    pub tag: bool,
    /// What started it, for example `merge_request_event`.
    pub source: String,
    /// The global id of the merge request it belongs to.
    pub merge_request: Option<u64>,
    /// What it runs for, where it belongs to a merge request.
    pub event_type: Option<EventType>,
    /// The state: of its jobs, where it has any.
    pub status: CiStatus,
    /// What is wrong with its configuration, if anything.
    pub yaml_errors: Option<String>,
    /// Who started it.
    pub user: u64,
    /// The bridge that started it.
    pub bridge: Option<u64>,
    /// The ids of its jobs, bridges and external statuses, oldest first.
    pub jobs: Vec<u64>,
    /// When it was made.
    pub created_at: Moment,
    /// When it or one of its jobs last changed.
    pub updated_at: Moment,
    /// When its first job started.
    pub started_at: Option<Moment>,
    /// When it came to its end.
    pub finished_at: Option<Moment>,
}

impl Pipeline {
    /// Whether it is one of those that count for a branch, tag or merge request (GitLab's `ci_sources`): child pipelines
    /// do not.
    #[must_use]
    pub fn is_ci_source(&self) -> bool {
        self.source != "parent_pipeline"
    }
}

/// What a new pipeline is made of.
#[derive(Debug, Clone)]
pub(crate) struct NewPipeline {
    pub(crate) project: u64,
    pub(crate) sha: String,
    pub(crate) source_sha: Option<String>,
    pub(crate) reference: String,
    pub(crate) source: &'static str,
    pub(crate) merge_request: Option<u64>,
    pub(crate) event_type: Option<EventType>,
    pub(crate) user: u64,
}

/// Whether a bridge waits for its downstream pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// No `strategy`: it has done its work once the pipeline is there.
    Forget,
    /// `strategy: depend`: it runs until the pipeline is done, and ends as that does.
    Depend,
}

/// What kind of job it is (`Ci::Build`, `Ci::Bridge`, `GenericCommitStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// A job that a runner takes.
    Build,
    /// A job that starts another pipeline.
    Bridge {
        /// The pipeline it has started.
        downstream: Option<u64>,
        /// Whether it waits for that.
        strategy: Strategy,
    },
    /// A status that an external service set through the API.
    External,
}

/// A job, bridge or external status.
#[derive(Debug, Clone)]
pub struct Job {
    /// The id.
    pub id: u64,
    /// The pipeline it is in.
    pub pipeline: u64,
    /// The stage.
    pub stage: String,
    /// The name.
    pub name: String,
    /// What kind it is.
    pub kind: JobKind,
    /// The state.
    pub status: CiStatus,
    /// Whether its failure leaves the pipeline a success.
    pub allow_failure: bool,
    /// Why it failed, for example `script_failure`.
    pub failure_reason: Option<String>,
    /// Who started it; of an external status, who set it.
    pub user: u64,
    /// Whether a newer one of the same name has taken its place.
    pub retried: bool,
    /// The description of an external status.
    pub description: Option<String>,
    /// The link of an external status.
    pub target_url: Option<String>,
    /// The test coverage in per cent.
    pub coverage: Option<f64>,
    /// When it was made.
    pub created_at: Moment,
    /// When it started.
    pub started_at: Option<Moment>,
    /// When it came to its end.
    pub finished_at: Option<Moment>,
}

impl Model {
    /// Adds a pipeline without jobs, and gives its id.
    pub(crate) fn add_pipeline(&mut self, new: NewPipeline) -> u64 {
        let (id, created_at) = (self.next_id(), self.now());
        let NewPipeline { project, sha, source_sha, reference, source, merge_request, event_type, user } = new;
        let others = self.pipelines.values().filter(|other| other.project == project);
        let iid = others.map(|other| other.iid).max().unwrap_or_default() + 1;
        let known = self.projects.get(&project);
        let tag = known.is_some_and(|project| {
            !project.branches.contains_key(&reference) && project.repository.refs("refs/tags/").contains_key(&reference)
        });
        let pipeline = Pipeline {
            id,
            iid,
            project,
            sha,
            source_sha,
            reference,
            tag,
            source: source.to_owned(),
            merge_request,
            event_type,
            status: CiStatus::Created,
            yaml_errors: None,
            user,
            bridge: None,
            jobs: Vec::new(),
            created_at,
            updated_at: created_at,
            started_at: None,
            finished_at: None,
        };
        self.pipelines.insert(id, pipeline);
        self.update_head_pipelines(id);
        id
    }

    /// The jobs, bridges and external statuses of a pipeline that no newer ones have taken the place of, oldest first.
    pub fn latest_jobs(&self, pipeline: u64) -> impl Iterator<Item = &Job> {
        self.jobs_of(pipeline).filter(|job| !job.retried)
    }

    /// All jobs, bridges and external statuses of a pipeline, oldest first.
    pub fn jobs_of(&self, pipeline: u64) -> impl Iterator<Item = &Job> {
        let ids = self.pipelines.get(&pipeline).map(|pipeline| pipeline.jobs.as_slice()).unwrap_or_default();
        ids.iter().filter_map(|id| self.jobs.get(id))
    }

    /// What the jobs of a pipeline come to; nothing where it has none.
    #[must_use]
    pub fn composite_of(&self, pipeline: u64) -> Option<Composite> {
        composite(self.latest_jobs(pipeline).map(|job| (job.status, job.allow_failure)))
    }

    /// Adds a job in the state `created`; no other takes its place or gives way to it.
    pub(crate) fn add_job(&mut self, pipeline: u64, stage: &str, name: &str, kind: JobKind, user: u64) -> u64 {
        let (id, created_at) = (self.next_id(), self.now());
        let job = Job {
            id,
            pipeline,
            stage: stage.to_owned(),
            name: name.to_owned(),
            kind,
            status: CiStatus::Created,
            allow_failure: false,
            failure_reason: None,
            user,
            retried: false,
            description: None,
            target_url: None,
            coverage: None,
            created_at,
            started_at: None,
            finished_at: None,
        };
        self.jobs.insert(id, job);
        if let Some(pipeline) = self.pipelines.get_mut(&pipeline) {
            pipeline.jobs.push(id);
        }
        id
    }

    /// Adds builds to a new pipeline: those of the first stage wait for a runner, the others for their stage.
    pub(crate) fn add_builds(&mut self, pipeline: u64, builds: &[(String, String)]) {
        let user = self.pipelines.get(&pipeline).map_or(0, |pipeline| pipeline.user);
        let first = builds.first().map(|(stage, _)| stage.clone());
        for (stage, name) in builds {
            let job = self.add_job(pipeline, stage, name, JobKind::Build, user);
            let status = if Some(stage) == first.as_ref() { CiStatus::Pending } else { CiStatus::Created };
            self.set_job_status(job, status, None);
        }
    }

    /// Puts a job into a state, with the times that go with it, and lets its pipeline follow. A build that ends has run.
    pub(crate) fn set_job_status(&mut self, id: u64, status: CiStatus, reason: Option<&str>) {
        let now = self.now();
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.status = status;
        job.failure_reason = reason.map(str::to_owned);
        let ends = matches!(status, CiStatus::Success | CiStatus::Failed | CiStatus::Canceled);
        let has_run = matches!(status, CiStatus::Success | CiStatus::Failed) && job.kind == JobKind::Build;
        if status == CiStatus::Running || has_run {
            job.started_at = job.started_at.or(Some(now));
        }
        job.finished_at = ends.then_some(now);
        let pipeline = job.pipeline;
        self.refresh_pipeline(pipeline);
    }

    /// Puts a new job of the same name into the place of one, waiting for a runner, and gives its id.
    pub(crate) fn retry_job(&mut self, id: u64) -> Option<u64> {
        let old = self.jobs.get_mut(&id)?;
        old.retried = true;
        let old = old.clone();
        let kind = match old.kind {
            JobKind::Bridge { strategy, .. } => JobKind::Bridge { downstream: None, strategy },
            kind => kind,
        };
        let new = self.add_job(old.pipeline, &old.stage, &old.name, kind, old.user);
        if let Some(job) = self.jobs.get_mut(&new) {
            job.allow_failure = old.allow_failure;
        }
        self.set_job_status(new, CiStatus::Pending, None);
        Some(new)
    }

    /// Lets a pipeline's state follow its jobs, and the bridge that started it its state (`strategy: depend`).
    pub(crate) fn refresh_pipeline(&mut self, id: u64) {
        let composite = self.composite_of(id);
        let now = self.now();
        let Some(pipeline) = self.pipelines.get_mut(&id) else { return };
        let before = pipeline.status;
        pipeline.updated_at = now;
        if let Some(Composite { status, .. }) = composite.filter(|_| pipeline.yaml_errors.is_none()) {
            if status == CiStatus::Running {
                pipeline.started_at = pipeline.started_at.or(Some(now));
            }
            if !status.is_complete() {
                pipeline.finished_at = None;
            } else if pipeline.status != status {
                pipeline.finished_at = Some(now);
            }
            pipeline.status = status;
        }
        let (status, project, bridge) = (pipeline.status, pipeline.project, pipeline.bridge);
        if status != before {
            self.tell_pipeline(id, project);
        }
        let bridge = bridge.and_then(|bridge| self.jobs.get(&bridge));
        let depends =
            matches!(bridge.map(|bridge| bridge.kind), Some(JobKind::Bridge { strategy: Strategy::Depend, .. }));
        if let Some(bridge) = bridge.filter(|_| depends).map(|bridge| bridge.id) {
            match status {
                CiStatus::Success | CiStatus::Canceled => self.set_job_status(bridge, status, None),
                CiStatus::Failed | CiStatus::Skipped => {
                    self.set_job_status(bridge, CiStatus::Failed, None);
                }
                _ => self.set_job_status(bridge, CiStatus::Running, None),
            }
        }
    }

    /// Makes a pipeline the downstream one of a bridge.
    pub(crate) fn attach_downstream(&mut self, bridge: u64, pipeline: u64) {
        let Some(job) = self.jobs.get_mut(&bridge) else { return };
        let JobKind::Bridge { downstream, strategy } = &mut job.kind else { return };
        *downstream = Some(pipeline);
        let waits = *strategy == Strategy::Depend;
        if let Some(pipeline) = self.pipelines.get_mut(&pipeline) {
            pipeline.bridge = Some(bridge);
        }
        self.set_job_status(bridge, if waits { CiStatus::Running } else { CiStatus::Success }, None);
    }

    /// Lets a pipeline fail because of its configuration; it has no jobs then.
    pub(crate) fn fail_configuration(&mut self, id: u64, text: &str) {
        let now = self.now();
        self.jobs.retain(|_, job| job.pipeline != id);
        let Some(pipeline) = self.pipelines.get_mut(&id) else { return };
        pipeline.jobs.clear();
        pipeline.yaml_errors = Some(text.to_owned());
        let (before, project) = (pipeline.status, pipeline.project);
        pipeline.status = CiStatus::Failed;
        pipeline.finished_at = Some(now);
        if before != CiStatus::Failed {
            self.tell_pipeline(id, project);
        }
        self.refresh_pipeline(id);
    }

    /// Forgets a project's pipelines, when the project is deleted.
    pub(crate) fn delete_pipelines_of(&mut self, project: u64) {
        self.pipelines.retain(|_, pipeline| pipeline.project != project);
        let pipelines = &self.pipelines;
        self.jobs.retain(|_, job| pipelines.contains_key(&job.pipeline));
    }
}
