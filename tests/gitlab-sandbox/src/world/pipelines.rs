//! Pipelines that a test drives: started where GitLab would start them, filled with jobs, put through their states.
//! Pipelines and jobs go by id; states by GitLab's names, for example `waiting_for_resource`.

use super::{project_id, project_mut, request_id, user_id};
use crate::model::Model;
use crate::model::ci_status::CiStatus;
use crate::model::pipelines::{EventType, Job, JobKind, NewPipeline, Pipeline, Strategy};
use crate::sandbox::Handle;

fn status_named(name: &str) -> CiStatus {
    CiStatus::from_name(name).unwrap_or_else(|| panic!("GitLab has no state {name}"))
}

fn pipeline_of(model: &Model, id: u64) -> &Pipeline {
    model.pipelines.get(&id).unwrap_or_else(|| panic!("there is no pipeline {id}"))
}

fn job_of(model: &Model, id: u64) -> &Job {
    model.jobs.get(&id).unwrap_or_else(|| panic!("there is no job {id}"))
}

impl Handle {
    /// Adds a pipeline as it stands and gives its id; with a merge request (by number in `of`'s project) it is one of
    /// that. Once it has jobs, its state follows from them.
    pub fn pipeline(&self, project: &str, sha: &str, reference: &str, status: &str, of: Option<(&str, u64)>) -> u64 {
        let model = &mut *self.0.model();
        let merge_request = of.map(|(project, iid)| request_id(model, project, iid));
        let user = model.users.keys().next().copied().unwrap_or_default();
        let id = model.add_pipeline(NewPipeline {
            project: project_id(model, project),
            sha: sha.to_owned(),
            source_sha: None,
            reference: reference.to_owned(),
            source: if of.is_some() { "merge_request_event" } else { "push" },
            merge_request,
            event_type: of.map(|_| EventType::Detached),
            user,
        });
        if let Some(pipeline) = model.pipelines.get_mut(&id) {
            pipeline.status = status_named(status);
        }
        id
    }

    /// Starts a pipeline without jobs for the tip of a branch, as a push does, and gives its id.
    pub fn branch_pipeline(&self, project: &str, branch: &str) -> u64 {
        let model = &mut *self.0.model();
        let user = model.users.keys().next().copied().unwrap_or_default();
        let tip = project_mut(model, project).branches.get(branch).cloned();
        let sha = tip.unwrap_or_else(|| panic!("{project} has no branch {branch}"));
        model.add_pipeline(plain(project_id(model, project), sha, branch, "push", user))
    }

    /// Starts a pipeline for a merge request's head, where GitLab would; see [`MergeRequestPipelineBuilder`].
    pub fn mr_pipeline(&self, project: &str, iid: u64) -> MergeRequestPipelineBuilder {
        MergeRequestPipelineBuilder {
            handle: self.clone(),
            project: project.to_owned(),
            iid,
            user: None,
            event_type: EventType::Detached,
            jobs: Vec::new(),
        }
    }

    /// Starts a job in a pipeline; see [`JobBuilder`].
    pub fn job(&self, pipeline: u64, stage: &str, name: &str) -> JobBuilder {
        self.new_job(pipeline, stage, name, JobKind::Build)
    }

    /// Starts a bridge (a job with `trigger:`) in a pipeline; see [`JobBuilder`].
    pub fn bridge(&self, pipeline: u64, stage: &str, name: &str) -> JobBuilder {
        self.new_job(pipeline, stage, name, JobKind::Bridge { downstream: None, strategy: Strategy::Forget })
    }

    fn new_job(&self, pipeline: u64, stage: &str, name: &str, kind: JobKind) -> JobBuilder {
        JobBuilder {
            handle: self.clone(),
            pipeline,
            stage: stage.to_owned(),
            name: name.to_owned(),
            kind,
            status: CiStatus::Pending,
            allow_failure: false,
            failure_reason: None,
        }
    }

    /// Adds an external commit status to a pipeline as it stands, and gives its id; an older one of that name gives way.
    pub fn commit_status(&self, pipeline: u64, author: &str, name: &str, status: &str) -> u64 {
        let model = &mut *self.0.model();
        let (author, pipeline) = (user_id(model, author), pipeline_of(model, pipeline).id);
        let id = model.add_job(pipeline, crate::model::pipelines::EXTERNAL_STAGE, name, JobKind::External, author);
        model.retire_others(pipeline, id);
        model.set_job_status(id, status_named(status), None);
        id
    }

    /// Puts a job or bridge into a state; its pipeline follows. A job fails of `script_failure`.
    pub fn set_job(&self, job: u64, status: &str) {
        let model = &mut *self.0.model();
        let (id, status) = (job_of(model, job).id, status_named(status));
        model.set_job_status(id, status, (status == CiStatus::Failed).then_some("script_failure"));
    }

    /// Lets a job fail for a reason by GitLab's name, for example `runner_system_failure`.
    pub fn fail_job(&self, job: u64, reason: &str) {
        let model = &mut *self.0.model();
        let id = job_of(model, job).id;
        model.set_job_status(id, CiStatus::Failed, Some(reason));
    }

    /// Puts every job of a pipeline that is not retried into one state.
    pub fn set_all_jobs(&self, pipeline: u64, status: &str) {
        let jobs: Vec<u64> = self.jobs(pipeline).into_iter().filter(|job| !job.retried).map(|job| job.id).collect();
        for job in jobs {
            self.set_job(job, status);
        }
    }

    /// Retries a job: a new one, waiting for a runner, takes its place. Gives the new one's id.
    pub fn retry_job(&self, job: u64) -> u64 {
        let retried = self.0.model().retry_job(job);
        retried.unwrap_or_else(|| panic!("there is no job {job}"))
    }

    /// Starts the child pipeline of a bridge, in the same project and for the same commit, and gives its id.
    pub fn child_pipeline(&self, bridge: u64) -> u64 {
        let model = &mut *self.0.model();
        let parent = pipeline_of(model, job_of(model, bridge).pipeline).clone();
        let child = model.add_pipeline(NewPipeline {
            project: parent.project,
            sha: parent.sha,
            source_sha: parent.source_sha,
            reference: parent.reference,
            source: "parent_pipeline",
            merge_request: parent.merge_request,
            event_type: parent.event_type,
            user: parent.user,
        });
        model.attach_downstream(bridge, child);
        child
    }

    /// Starts the pipeline that a bridge triggers for a branch of another project, and gives its id.
    pub fn downstream_pipeline(&self, bridge: u64, project: &str, branch: &str) -> u64 {
        let model = &mut *self.0.model();
        let user = job_of(model, bridge).user;
        let tip = project_mut(model, project).branches.get(branch).cloned();
        let sha = tip.unwrap_or_else(|| panic!("{project} has no branch {branch}"));
        let downstream = model.add_pipeline(plain(project_id(model, project), sha, branch, "pipeline", user));
        model.attach_downstream(bridge, downstream);
        downstream
    }

    /// Lets a pipeline fail because its configuration is wrong; it has no jobs then.
    pub fn yaml_error(&self, pipeline: u64, text: &str) {
        let model = &mut *self.0.model();
        let id = pipeline_of(model, pipeline).id;
        model.fail_configuration(id, text);
    }

    /// Lets every merge request into a project start a pipeline with these jobs (stage, name) when it is opened and
    /// whenever its head moves, where GitLab would, by and for who did it: the jobs of the first stage wait for a runner,
    /// the others for their stage. Commits that the test itself makes count as made by who opened the merge request.
    pub fn run_pipelines(&self, project: &str, jobs: &[(&str, &str)]) {
        let jobs = jobs.iter().map(|(stage, name)| ((*stage).to_owned(), (*name).to_owned()));
        project_mut(&mut self.0.model(), project).runs = Some(jobs.collect());
    }

    /// Keeps pipelines of merge requests from forks out of a project, whoever starts them
    /// (`ci_allow_fork_pipelines_to_run_in_parent_project` off).
    pub fn keep_fork_pipelines_out(&self, project: &str) {
        let name = "ci_allow_fork_pipelines_to_run_in_parent_project".to_owned();
        project_mut(&mut self.0.model(), project).settings.insert(name, false.into());
    }

    /// Limits how many jobs a pipeline of a project takes (`ci_pipeline_size`); statuses count as well.
    pub fn limit_pipeline_size(&self, project: &str, jobs: usize) {
        project_mut(&mut self.0.model(), project).pipeline_size_limit = Some(jobs);
    }

    /// One pipeline as it stands.
    #[must_use]
    pub fn pipeline_now(&self, pipeline: u64) -> Pipeline {
        pipeline_of(&self.0.model(), pipeline).clone()
    }

    /// Every pipeline of a project, child pipelines included, oldest first.
    #[must_use]
    pub fn pipelines(&self, project: &str) -> Vec<Pipeline> {
        let model = self.0.model();
        let id = project_id(&model, project);
        model.pipelines.values().filter(|pipeline| pipeline.project == id).cloned().collect()
    }

    /// Every job, bridge and external status of a pipeline, retried ones included, oldest first.
    #[must_use]
    pub fn jobs(&self, pipeline: u64) -> Vec<Job> {
        self.0.model().jobs_of(pipeline).cloned().collect()
    }

    /// The id of a pipeline's job of this name, not retried.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn job_named(&self, pipeline: u64, name: &str) -> u64 {
        let found = self.jobs(pipeline).into_iter().find(|job| job.name == name && !job.retried);
        found.unwrap_or_else(|| panic!("pipeline {pipeline} has no job {name}")).id
    }
}

fn plain(project: u64, sha: String, reference: &str, source: &'static str, user: u64) -> NewPipeline {
    let reference = reference.to_owned();
    NewPipeline { project, sha, source_sha: None, reference, source, merge_request: None, event_type: None, user }
}

/// A pipeline of a merge request in the making.
#[derive(Debug, Clone)]
#[must_use = "`create` makes it"]
pub struct MergeRequestPipelineBuilder {
    handle: Handle,
    project: String,
    iid: u64,
    user: Option<String>,
    event_type: EventType,
    jobs: Vec<(String, String)>,
}

impl MergeRequestPipelineBuilder {
    /// Who starts it, which decides where it runs: in the target project only for those who may run pipelines there.
    /// Unless told otherwise, it is who opened the merge request.
    pub fn by(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// Runs it for an internal commit that merges the head into the target's tip, where it runs in the target project
    /// and nothing conflicts.
    pub const fn merged_result(mut self) -> Self {
        self.event_type = EventType::MergedResult;
        self
    }

    /// Its jobs (stage, name): those of the first stage `pending`, the others `created`. None unless told otherwise.
    pub fn jobs(mut self, jobs: &[(&str, &str)]) -> Self {
        self.jobs = jobs.iter().map(|(stage, name)| ((*stage).to_owned(), (*name).to_owned())).collect();
        self
    }

    /// Makes it, and gives its id.
    ///
    /// # Panics
    ///
    /// If the user may run pipelines neither in the target project nor in the source project.
    pub fn create(self) -> u64 {
        let model = &mut *self.handle.0.model();
        let id = request_id(model, &self.project, self.iid);
        let author = model.merge_requests.get(&id).map_or(0, |request| request.author);
        let user = self.user.map_or(author, |user| user_id(model, &user));
        let made = model.start_merge_request_pipeline(user, id, self.event_type);
        let pipeline = made.unwrap_or_else(|refusal| panic!("GitLab makes no pipeline: {refusal:?}"));
        model.add_builds(pipeline, &self.jobs);
        pipeline
    }
}

/// A job or bridge in the making.
#[derive(Debug, Clone)]
#[must_use = "`create` makes it"]
pub struct JobBuilder {
    handle: Handle,
    pipeline: u64,
    stage: String,
    name: String,
    kind: JobKind,
    status: CiStatus,
    allow_failure: bool,
    failure_reason: Option<String>,
}

impl JobBuilder {
    /// The state to begin with; `pending` unless told otherwise.
    pub fn status(mut self, status: &str) -> Self {
        self.status = status_named(status);
        self
    }

    /// Its failure leaves the pipeline a success with warnings; as a manual job, it is not waited for.
    pub const fn allow_failure(mut self) -> Self {
        self.allow_failure = true;
        self
    }

    /// It has failed, for this reason by GitLab's name.
    pub fn failed(mut self, reason: &str) -> Self {
        self.status = CiStatus::Failed;
        self.failure_reason = Some(reason.to_owned());
        self
    }

    /// A bridge waits for its downstream pipeline and ends as that does (`strategy: depend`).
    pub const fn depend(mut self) -> Self {
        if let JobKind::Bridge { strategy, .. } = &mut self.kind {
            *strategy = Strategy::Depend;
        }
        self
    }

    /// Makes it, and gives its id.
    pub fn create(self) -> u64 {
        let model = &mut *self.handle.0.model();
        let user = pipeline_of(model, self.pipeline).user;
        let id = model.add_job(self.pipeline, &self.stage, &self.name, self.kind, user);
        if let Some(job) = model.jobs.get_mut(&id) {
            job.allow_failure = self.allow_failure;
        }
        let script_failed = (self.status == CiStatus::Failed).then(|| "script_failure".to_owned());
        model.set_job_status(id, self.status, self.failure_reason.or(script_failed).as_deref());
        id
    }
}
