//! What GitLab does when branches have moved: versions of merge requests, `refs/merge-requests/N/head`, merge requests
//! that were merged or lost their branch.

use super::Model;
use super::access::Role;
use super::merge_requests::{MergeRequest, State, Version};
use super::projects::ImportState;
use super::text::Place;
use crate::repository::NO_COMMIT;

/// One branch or tag that moved: its full name, from where, to where (zeros for none).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) name: String,
    pub(crate) old: String,
    pub(crate) new: String,
}

/// Who moved the branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pusher {
    /// This user.
    Person(u64),
    /// The test itself, in the name of this user.
    Test(u64),
}

impl Pusher {
    const fn name_giver(self) -> u64 {
        match self {
            Self::Person(user) | Self::Test(user) => user,
        }
    }

    /// Who starts pipelines because of it: a test stands for whoever opened the merge request.
    const fn runner(self, request: &MergeRequest) -> u64 {
        match self {
            Self::Person(user) => user,
            Self::Test(_) => request.author,
        }
    }
}

impl Model {
    /// Compares a project's branches with what is known of them, and does what follows from the difference.
    pub(crate) fn notice_push(&mut self, project: u64, pusher: Pusher) -> Vec<Moved> {
        let Some(known) = self.projects.get_mut(&project) else { return Vec::new() };
        let now = known.repository.refs("refs/heads/");
        let before = std::mem::replace(&mut known.branches, now.clone());
        if known.default_branch.is_none() && known.import == ImportState::None {
            let first = ["main", "master"].into_iter().find(|name| now.contains_key(*name)).map(str::to_owned);
            let first = first.or_else(|| now.keys().next().cloned());
            if first.is_some() {
                known.set_default_branch(first);
            }
        }
        let mut moved = Vec::new();
        for (branch, new) in &now {
            let old = before.get(branch).map_or(NO_COMMIT, String::as_str);
            if old != new {
                moved.push(Moved { name: branch.clone(), old: old.to_owned(), new: new.clone() });
            }
        }
        for (branch, old) in before.iter().filter(|(branch, _)| !now.contains_key(*branch)) {
            moved.push(Moved { name: branch.clone(), old: old.clone(), new: NO_COMMIT.to_owned() });
        }
        self.tell_push(project, pusher.name_giver(), &moved);
        for change in &moved {
            self.follow_branch(project, pusher, change);
        }
        moved
    }

    fn follow_branch(&mut self, project: u64, pusher: Pusher, change: &Moved) {
        let user = pusher.name_giver();
        let concerned = self.merge_requests.values().filter(|request| {
            let source = (request.source_project, &request.source_branch);
            let target = (request.target_project, &request.target_branch);
            request.state == State::Opened && (source == (project, &change.name) || target == (project, &change.name))
        });
        let open: Vec<MergeRequest> = concerned.cloned().collect();
        for request in open {
            if request.target_project == project && request.target_branch == change.name && change.new != NO_COMMIT {
                self.notice_merged(user, &request, change);
            }
            if request.source_project == project && request.source_branch == change.name {
                if change.new == NO_COMMIT {
                    self.close(user, request.id);
                } else {
                    self.add_version(request.id);
                    if let Some(old) = request.head().filter(|old| **old != change.new) {
                        self.tell_new_head(request.id, user, old);
                    }
                    self.system_note(request.id, user, &format!("added commits up to {:.8}", change.new));
                    self.update_head_pipeline(request.id);
                    self.run_pipeline_by_itself(pusher.runner(&request), request.id);
                }
            }
        }
    }

    /// A merge request whose head is in what was pushed to its target counts as merged.
    fn notice_merged(&mut self, user: u64, request: &MergeRequest, change: &Moved) {
        let Some(target) = self.projects.get(&request.target_project) else { return };
        let Some(head) = request.head() else { return };
        let was_there = change.old != NO_COMMIT && target.repository.is_ancestor(head, &change.old);
        if !was_there && target.repository.is_ancestor(head, &change.new) {
            self.mark_merged(user, request.id);
        }
    }

    /// Gives a merge request a new version and moves its ref in the target project, where its head has changed.
    pub(crate) fn add_version(&mut self, id: u64) {
        let (version_id, created_at) = (self.next_id(), self.now());
        let Some(request) = self.merge_requests.get(&id) else { return };
        let source = self.projects.get(&request.source_project);
        let (Some(source), Some(target)) = (source, self.projects.get(&request.target_project)) else { return };
        let Some(head) = source.branches.get(&request.source_branch).cloned() else { return };
        let start = target.branches.get(&request.target_branch).cloned().unwrap_or_default();
        let reference = format!("refs/merge-requests/{}/head", request.iid);
        if source.id != target.id {
            target.repository.borrow_objects(&source.repository);
        }
        target.repository.set_refs(&[(&reference, &head), (&format!("refs/keep-around/{head}"), &head)]);
        let base = target.repository.merge_base(&head, &start).unwrap_or_default();
        let same = request.versions.last().is_some_and(|last| (&last.head, &last.base) == (&head, &base));
        if !same {
            let commits = target.repository.commits(&base, &head, 100);
            let messages: Vec<String> = commits.into_iter().map(|commit| commit.message).collect();
            let author = request.author;
            for message in messages {
                self.act_on(author, id, Place::Commit, &message, &[]);
            }
            self.edit(id, |request| request.versions.push(Version { id: version_id, head, base, start, created_at }));
        }
    }

    /// The protected branches as the hook reads them: a line `pattern push force` each.
    pub(crate) fn protection_for_hook(&self, user: u64, project: u64) -> String {
        let Some(project) = self.projects.get(&project) else { return String::new() };
        let role = self.role(user, project).unwrap_or(Role::Guest);
        let word = |allowed: bool| if allowed { "yes" } else { "no" };
        let rules = project.protected.iter().map(|rule| {
            let push = rule.push.is_some_and(|least| role >= least);
            format!("{} {} {}\n", rule.pattern, word(push), word(push && rule.force_push))
        });
        rules.collect()
    }

    /// Whether a user may push to any branch of the project at all: Developers, and members of the target project where
    /// an open merge request from this one allows collaboration.
    pub(crate) fn can_push(&self, user: u64, project: u64) -> bool {
        let Some(project) = self.projects.get(&project).filter(|project| !project.archived) else { return false };
        let collaborates = || {
            self.merge_requests.values().any(|request| {
                let target = self.projects.get(&request.target_project);
                request.source_project == project.id
                    && request.state == State::Opened
                    && request.allow_collaboration
                    && target.is_some_and(|target| self.has_role(user, target, Role::Developer))
            })
        };
        self.has_role(user, project, Role::Developer) || collaborates()
    }
}
