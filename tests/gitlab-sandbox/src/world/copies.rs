//! Many packages out of one, in no time: for tests of what hundreds of projects cost.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Model;
use crate::model::merge_requests::MergeRequest;
use crate::model::projects::Project;
use crate::sandbox::Handle;

/// What copies have for repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repositories {
    /// Those of the originals: for hundreds of copies, to which nothing is pushed and whose forks nothing is opened from.
    /// (A merge request has its target borrow the fork's objects. If the same commit is then pushed to the fork of another
    /// copy, git may find it there in one moment and not in the next.)
    Shared,
    /// Their own.
    Own,
}

impl Handle {
    /// Copies the projects `<namespace>/<from>` of these namespaces as `<namespace>/<to>`, with the merge requests into them
    /// whose numbers are named and the notes there. Texts that name the originals by path or id name the copies.
    ///
    /// # Panics
    ///
    /// If one of the projects does not exist.
    pub fn copy_package(
        &self,
        namespaces: &[&str],
        from: &str,
        to: &str,
        merge_requests: &[u64],
        repositories: Repositories,
    ) {
        let model = &mut *self.0.model();
        let mut projects = BTreeMap::new();
        let mut texts = Vec::new();
        for namespace in namespaces {
            let path = format!("{namespace}/{from}");
            let old = model.project(&path).unwrap_or_else(|| panic!("there is no project {path}")).id;
            let new = model.next_id();
            projects.insert(old, new);
            texts.push((path, format!("{namespace}/{to}")));
            texts.push((format!("\"project\":{old},"), format!("\"project\":{new},")));
        }
        let copied = model
            .merge_requests
            .values()
            .filter(|request| projects.contains_key(&request.target_project) && merge_requests.contains(&request.iid));
        let copied: Vec<MergeRequest> = copied.cloned().collect();
        let requests: BTreeMap<u64, u64> = copied.iter().map(|request| (request.id, model.next_id())).collect();
        let notes = model.notes.values().filter(|note| requests.contains_key(&note.merge_request));
        let notes: Vec<_> = notes.cloned().collect();
        let notes: Vec<_> = notes.into_iter().map(|note| (model.next_id(), note)).collect();
        for (new, note) in &notes {
            for end in [",", "}"] {
                texts.push((format!("\"note\":{}{end}", note.id), format!("\"note\":{new}{end}")));
            }
        }
        let renamed = |text: &str| texts.iter().fold(text.to_owned(), |text, (old, new)| text.replace(old, new));
        for (old, new) in &projects {
            let parent = model.projects.get(old).and_then(|project| project.forked_from);
            let parent = parent.map(|parent| projects.get(&parent).copied().unwrap_or(parent));
            let mut copy = copy(model, *old, *new, to, parent);
            if repositories == Repositories::Own {
                copy.repository = copy.repository.copied_to(model.root.join(format!("{new}.git")));
            }
            model.projects.insert(*new, copy);
        }
        for request in copied {
            let project = |old: u64| projects.get(&old).copied().unwrap_or(old);
            let id = requests.get(&request.id).copied().unwrap_or_default();
            let copy = MergeRequest {
                id,
                target_project: project(request.target_project),
                source_project: project(request.source_project),
                description: renamed(&request.description),
                ..request
            };
            model.merge_requests.insert(id, copy);
        }
        for (id, mut note) in notes {
            note.id = id;
            note.body = renamed(&note.body);
            note.merge_request = requests.get(&note.merge_request).copied().unwrap_or_default();
            model.notes.insert(id, note);
        }
    }
}

fn copy(model: &Model, old: u64, id: u64, name: &str, forked_from: Option<u64>) -> Project {
    let Some(old) = model.projects.get(&old) else { panic!("there is no such project") };
    Project {
        id,
        namespace: old.namespace,
        path: name.to_owned(),
        name: name.to_owned(),
        description: old.description.clone(),
        visibility: old.visibility,
        creator: old.creator,
        created_at: old.created_at,
        default_branch: old.default_branch.clone(),
        members: old.members.clone(),
        forked_from,
        import: old.import.clone(),
        branches: old.branches.clone(),
        protected: old.protected.clone(),
        labels: old.labels.clone(),
        job_token_allowlist: BTreeSet::new(),
        job_token_groups: BTreeSet::new(),
        open_to_job_tokens: old.open_to_job_tokens,
        archived: old.archived,
        forking: old.forking,
        takes_merge_requests: old.takes_merge_requests,
        settings: old.settings.clone(),
        variables: old.variables.clone(),
        inputs: old.inputs.clone(),
        without_jobs: old.without_jobs.clone(),
        runs: old.runs.clone(),
        pipeline_size_limit: old.pipeline_size_limit,
        only_branch: old.only_branch.clone(),
        last_iid: old.last_iid,
        repository: old.repository.clone(),
    }
}
