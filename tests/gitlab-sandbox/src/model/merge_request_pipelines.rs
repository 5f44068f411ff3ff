//! Pipelines of merge requests: where a new one runs, which ones a merge request shows, and which of them is its head
//! pipeline.

use super::Model;
use super::access::Role;
use super::merge_requests::{MergeRequest, State};
use super::pipelines::{EventType, NewPipeline, Pipeline};
use super::projects::Project;

/// The jobs of a pipeline that is asked for where no test has said what is in it.
const DEFAULT_JOB: (&str, &str) = ("test", "test");

/// Why GitLab makes no pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoPipeline {
    /// The merge request has no commits.
    NoCommits,
    /// The text of `base` in the errors.
    Refused(String),
}

pub(crate) const MAY_NOT_CREATE: &str = "Insufficient permissions to create a new pipeline";

impl Model {
    /// Why a user may not start a pipeline for a branch or tag, in GitLab's words (`chain/validate/abilities.rb`).
    pub(crate) fn check_pipeline(&self, user: u64, project: &Project, reference: &str) -> Result<(), String> {
        if !self.can_create_pipeline(user, project) {
            return Err(MAY_NOT_CREATE.to_owned());
        }
        if !reference.starts_with("refs/merge-requests/") && !self.can_update_branch(user, project, reference) {
            return Err(format!(
                "You do not have sufficient permission to run a pipeline on '{reference}'. Please select a different \
                 branch or contact your administrator for assistance."
            ));
        }
        Ok(())
    }

    /// The project and ref of a pipeline that this user starts for a merge request: the target project, where the user
    /// may run pipelines there and it lets those of forks in; otherwise the source project
    /// (`merge_requests/create_pipeline_service.rb`).
    fn pipeline_place(&self, user: u64, request: &MergeRequest) -> (u64, String) {
        let target = self.projects.get(&request.target_project);
        let in_target = target.is_some_and(|target| {
            let open_to_it = if request.source_project == target.id {
                self.can_update_branch(user, target, &request.source_branch)
            } else {
                let setting = target.settings.get("ci_allow_fork_pipelines_to_run_in_parent_project");
                setting.and_then(serde_json::Value::as_bool).unwrap_or(true)
            };
            open_to_it && self.can_create_pipeline(user, target)
        });
        if in_target {
            (request.target_project, format!("refs/merge-requests/{}/head", request.iid))
        } else {
            (request.source_project, request.source_branch.clone())
        }
    }

    /// Starts a pipeline for a merge request, and gives its id. One for merged results is made where the target project
    /// runs it and the branches do not conflict; otherwise it is one for the head alone.
    pub(crate) fn start_merge_request_pipeline(
        &mut self,
        user: u64,
        id: u64,
        event_type: EventType,
    ) -> Result<u64, NoPipeline> {
        let request = self.merge_requests.get(&id).ok_or(NoPipeline::NoCommits)?;
        let version = request.versions.last().ok_or(NoPipeline::NoCommits)?;
        if version.head == version.base {
            return Err(NoPipeline::NoCommits);
        }
        let head = version.head.clone();
        let (place, mut reference) = self.pipeline_place(user, request);
        let missing = || NoPipeline::Refused("Reference not found".to_owned());
        let project = self.projects.get(&place).ok_or_else(missing)?;
        self.check_pipeline(user, project, &reference).map_err(NoPipeline::Refused)?;
        let wants_merge = event_type == EventType::MergedResult && reference.starts_with("refs/merge-requests/");
        let merged = if wants_merge { self.merged_result(id) } else { None };
        let event_type = if merged.is_some() { EventType::MergedResult } else { EventType::Detached };
        if merged.is_some() {
            reference = reference.replace("/head", "/merge");
        }
        let (sha, source_sha) = match merged {
            Some(merge) => (merge, Some(head)),
            None => (head, None),
        };
        self.count_start(place, user, &sha).map_err(NoPipeline::Refused)?;
        Ok(self.add_pipeline(NewPipeline {
            project: place,
            sha,
            source_sha,
            reference,
            source: "merge_request_event",
            merge_request: Some(id),
            event_type: Some(event_type),
            user,
        }))
    }

    /// Makes the commit that merges a head into its target's tip, kept alive by `refs/merge-requests/N/merge`; nothing
    /// where they conflict.
    fn merged_result(&mut self, id: u64) -> Option<String> {
        let now = self.now();
        let request = self.merge_requests.get(&id)?;
        let target = self.projects.get(&request.target_project)?;
        let (tip, head) = (target.branches.get(&request.target_branch)?, request.head()?);
        let tree = target.repository.merged_tree(tip, head)?;
        let message = format!("Merge branch '{}' into '{}'\n", request.source_branch, request.target_branch);
        let commit = target.repository.commit_tree(&tree, &[tip, head], &message, now.0 / 1000);
        let reference = format!("refs/merge-requests/{}/merge", request.iid);
        target.repository.set_refs(&[(&reference, &commit), (&format!("refs/keep-around/{commit}"), &commit)]);
        Some(commit)
    }

    /// Adds the jobs that the merge request's target project runs.
    pub(crate) fn add_usual_jobs(&mut self, pipeline: u64, merge_request: u64) {
        let target = self.merge_requests.get(&merge_request).map(|request| request.target_project);
        let usual = target.and_then(|target| self.projects.get(&target)).and_then(|target| target.runs.clone());
        let (stage, name) = DEFAULT_JOB;
        let builds = usual.unwrap_or_else(|| vec![(stage.to_owned(), name.to_owned())]);
        self.add_builds(pipeline, &builds);
    }

    /// Starts a pipeline as a push or a new merge request does by itself, where the target project runs any; without a
    /// word where the user may not, and not twice for one head.
    pub(crate) fn run_pipeline_by_itself(&mut self, user: u64, merge_request: u64) {
        let Some(request) = self.merge_requests.get(&merge_request) else { return };
        if self.projects.get(&request.target_project).is_none_or(|target| target.runs.is_none()) {
            return;
        }
        if self.actual_head_pipeline(request).is_some_and(|pipeline| pipeline.merge_request.is_some()) {
            return;
        }
        if let Ok(pipeline) = self.start_merge_request_pipeline(user, merge_request, EventType::Detached) {
            self.add_usual_jobs(pipeline, merge_request);
        }
    }

    /// The pipelines that a merge request shows, whoever looks: its own in the source or target project, newest first,
    /// then those of its branch in the source project for one of its commits, newest first
    /// (`ci/pipelines_for_merge_request_finder.rb`). A merge request whose source project is gone has none.
    #[must_use]
    pub fn pipelines_of(&self, request: &MergeRequest) -> Vec<&Pipeline> {
        let projects = [request.source_project, request.target_project];
        if !self.projects.contains_key(&request.source_project) {
            return Vec::new();
        }
        let newest_first = || self.pipelines.values().rev();
        let is_event = |pipeline: &Pipeline| pipeline.source == "merge_request_event";
        let own = newest_first().filter(|pipeline| {
            is_event(pipeline) && pipeline.merge_request == Some(request.id) && projects.contains(&pipeline.project)
        });
        let branch = newest_first().filter(|pipeline| {
            !is_event(pipeline)
                && pipeline.is_ci_source()
                && !pipeline.tag
                && pipeline.project == request.source_project
                && pipeline.reference == request.source_branch
                && self.is_commit_of(request, &pipeline.sha)
        });
        own.chain(branch).collect()
    }

    /// The pipelines that a merge request shows to this user, who may not see those of each project.
    pub(crate) fn visible_pipelines_of(&self, user: Option<u64>, request: &MergeRequest) -> Vec<&Pipeline> {
        let readable = |id: u64| self.projects.get(&id).is_some_and(|project| self.can_read_builds(user, project));
        self.pipelines_of(request).into_iter().filter(|pipeline| readable(pipeline.project)).collect()
    }

    /// Whether a commit is or was one of a merge request's, in any version of it.
    fn is_commit_of(&self, request: &MergeRequest, sha: &str) -> bool {
        let Some(target) = self.projects.get(&request.target_project) else { return false };
        request.versions.iter().any(|version| {
            target.repository.is_ancestor(sha, &version.head) && !target.repository.is_ancestor(sha, &version.base)
        })
    }

    /// The pipeline that a merge request's page shows: the first of its pipelines that ran for its head, or for a merge
    /// of its head (`MergeRequest#find_actual_head_pipeline`).
    #[must_use]
    pub fn actual_head_pipeline(&self, request: &MergeRequest) -> Option<&Pipeline> {
        let head = request.head()?;
        let runs_for_head = |pipeline: &&Pipeline| pipeline.sha == head || pipeline.source_sha.as_deref() == Some(head);
        self.pipelines_of(request).into_iter().find(runs_for_head)
    }

    /// Remembers a new pipeline as head pipeline of the merge requests that it is one of.
    pub(crate) fn update_head_pipelines(&mut self, pipeline: u64) {
        let Some(pipeline) = self.pipelines.get(&pipeline) else { return };
        let concerned = self.merge_requests.values().filter(|request| {
            let of_branch = (pipeline.project, &pipeline.reference) == (request.source_project, &request.source_branch);
            request.state == State::Opened && (pipeline.merge_request == Some(request.id) || of_branch)
        });
        let concerned: Vec<u64> = concerned.map(|request| request.id).collect();
        for request in concerned {
            self.update_head_pipeline(request);
        }
    }

    /// Remembers the head pipeline of a merge request. GitLab keeps the old one until there is one for the new head
    /// (`MergeRequest#update_head_pipeline`), and the REST API shows what is kept.
    pub(crate) fn update_head_pipeline(&mut self, request: u64) {
        let Some(request) = self.merge_requests.get(&request) else { return };
        let (request, found) = (request.id, self.actual_head_pipeline(request).map(|pipeline| pipeline.id));
        if let (Some(request), Some(found)) = (self.merge_requests.get_mut(&request), found) {
            request.head_pipeline = Some(found);
        }
    }
}

impl Model {
    /// Whether a user may see a project's pipelines and jobs: who reads its code, unless the project keeps them for
    /// Reporters (`public_jobs`, `builds_access_level`).
    #[must_use]
    pub fn can_read_builds(&self, user: Option<u64>, project: &Project) -> bool {
        let level = project.settings.get("builds_access_level").and_then(serde_json::Value::as_str);
        let public = project.settings.get("public_jobs").and_then(serde_json::Value::as_bool).unwrap_or(true);
        let reporter = || user.is_some_and(|user| self.has_role(user, project, Role::Reporter));
        let open = public && level != Some("private");
        level != Some("disabled") && self.can_read_code(user, project) && (open || reporter())
    }

    /// Whether a user may start pipelines in a project (`create_pipeline`: Developers).
    pub(crate) fn can_create_pipeline(&self, user: u64, project: &Project) -> bool {
        self.can_read_builds(Some(user), project) && self.has_role(user, project, Role::Developer)
    }

    /// Whether a user may push to or merge into a branch, protected or not; for refs that are no branches, whether the
    /// user may push at all.
    pub(crate) fn can_update_branch(&self, user: u64, project: &Project, branch: &str) -> bool {
        let role = self.role(user, project);
        match project.protection(branch) {
            Some(_) => project.push_allowed(branch, role) || project.merge_allowed(branch, role),
            None => self.can_push(user, project.id),
        }
    }
}
