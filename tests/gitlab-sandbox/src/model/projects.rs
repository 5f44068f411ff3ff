//! Projects, groups, forks and protected branches.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Model;
use super::access::Role;
use super::variables::Variable;
use super::webhooks::HookOwner;
use crate::clock::Moment;
use crate::repository::Repository;

/// Who can see a project or group, in GitLab's order and with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// 0: members only.
    Private = 0,
    /// 10: everyone who is logged in.
    Internal = 10,
    /// 20: everyone.
    Public = 20,
}

impl Visibility {
    /// The name as the API writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Internal => "internal",
            Self::Public => "public",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Private, Self::Internal, Self::Public].into_iter().find(|visibility| visibility.name() == name)
    }
}

/// What a namespace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamespaceKind {
    /// The personal namespace of this user.
    User(u64),
    /// A group or subgroup.
    Group,
}

/// A group, or the namespace that each user has.
#[derive(Debug, Clone)]
pub struct Namespace {
    /// The namespace's id; a group's id as well.
    pub id: u64,
    /// The full path.
    pub path: String,
    /// Group or user.
    pub kind: NamespaceKind,
    /// The group around it.
    pub parent: Option<u64>,
    /// Who can see it; projects in it cannot be more visible.
    pub visibility: Visibility,
    /// Direct members.
    pub members: BTreeMap<u64, Role>,
    /// CI/CD variables of the jobs of all projects in it.
    pub variables: Vec<Variable>,
    /// When it was made.
    pub created_at: Moment,
}

/// How a fork's repository comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForkImport {
    /// When the project is read once more than this, by API or git: `scheduled`, then `started`, then `finished`.
    AfterReadings(u32),
    /// When the test calls `finish_import`.
    ByHand,
    /// Never: after the given number of readings it has failed, with this text.
    Fails(u32, String),
}

/// Where a fork's import stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportState {
    /// Not a fork.
    None,
    /// Waiting; the number of readings left until it is finished.
    Scheduled(Option<u32>),
    /// Done.
    Finished,
    /// Failed, with its text.
    Failed(String),
}

/// A rule for branches whose name matches a pattern (`*` stands for anything).
#[derive(Debug, Clone)]
pub struct ProtectedBranch {
    /// The id.
    pub id: u64,
    /// The name or pattern.
    pub pattern: String,
    /// The least role that may push; nobody where `None`.
    pub push: Option<Role>,
    /// The least role that may merge; nobody where `None`.
    pub merge: Option<Role>,
    /// Whether those may force-push.
    pub force_push: bool,
}

/// A project and its repository.
#[derive(Debug)]
pub struct Project {
    /// The project's id.
    pub id: u64,
    /// The namespace it is in.
    pub namespace: u64,
    /// The last part of the path.
    pub path: String,
    /// The name to show.
    pub name: String,
    /// The description, if any.
    pub description: Option<String>,
    /// Who can see it.
    pub visibility: Visibility,
    /// Who made it.
    pub creator: u64,
    /// When it was made.
    pub created_at: Moment,
    /// The default branch, once there is one.
    pub default_branch: Option<String>,
    /// Direct members.
    pub members: BTreeMap<u64, Role>,
    /// The project that this is a fork of.
    pub forked_from: Option<u64>,
    /// Where its import stands.
    pub import: ImportState,
    /// Branches and their commits, as of the last push.
    pub branches: BTreeMap<String, String>,
    /// Rules for branches.
    pub protected: Vec<ProtectedBranch>,
    /// Names of labels.
    pub labels: BTreeSet<String>,
    /// Ids of projects whose job tokens may reach this one, besides its own.
    pub job_token_allowlist: BTreeSet<u64>,
    /// Ids of groups whose projects' job tokens may reach this one.
    pub job_token_groups: BTreeSet<u64>,
    /// Whether job tokens of every project may reach this one.
    pub open_to_job_tokens: bool,
    /// Whether it takes no changes any more.
    pub archived: bool,
    /// Whether others may fork it.
    pub forking: bool,
    /// Whether it takes merge requests.
    pub takes_merge_requests: bool,
    /// Settings that have no meaning to the sandbox: kept and shown.
    pub settings: Map<String, Value>,
    /// The jobs (stage, name) of pipelines that merge requests into this project start by themselves; none are started
    /// where it is not set.
    pub runs: Option<Vec<(String, String)>>,
    /// How many jobs a pipeline may have before it takes no more (`ci_pipeline_size`).
    pub pipeline_size_limit: Option<usize>,
    /// CI/CD variables of its jobs.
    pub variables: Vec<Variable>,
    /// Names of the inputs that its pipelines want, all of them (`spec: inputs` without defaults).
    pub inputs: BTreeSet<String>,
    /// What starts no job here (`rules` on `CI_PIPELINE_SOURCE`), for example `trigger`.
    pub without_jobs: BTreeSet<String>,
    pub(crate) only_branch: Option<String>,
    pub(crate) last_iid: u64,
    pub(crate) repository: Repository,
}

impl Project {
    /// The rule that holds for a branch, if any.
    #[must_use]
    pub fn protection(&self, branch: &str) -> Option<&ProtectedBranch> {
        self.protected.iter().find(|rule| crate::log::matches_pattern(&rule.pattern, branch))
    }

    /// Whether somebody of this role may push to a branch, as far as the rules for branches say. Where several fit it, the
    /// most permissive one counts.
    #[must_use]
    pub fn push_allowed(&self, branch: &str, role: Option<Role>) -> bool {
        self.allowed(branch, role, |rule| rule.push)
    }

    /// The same of merging.
    #[must_use]
    pub fn merge_allowed(&self, branch: &str, role: Option<Role>) -> bool {
        self.allowed(branch, role, |rule| rule.merge)
    }

    fn allowed(&self, branch: &str, role: Option<Role>, least: impl Fn(&ProtectedBranch) -> Option<Role>) -> bool {
        let fits = |rule: &&ProtectedBranch| crate::log::matches_pattern(&rule.pattern, branch);
        let mut rules = self.protected.iter().filter(fits).peekable();
        rules.peek().is_none() || rules.any(|rule| least(rule).is_some_and(|least| role >= Some(least)))
    }

    /// Whether git can reach it: a fork whose import is not finished has no repository yet.
    #[must_use]
    pub const fn has_repository(&self) -> bool {
        matches!(self.import, ImportState::None | ImportState::Finished)
    }
}

/// What a new project is made of.
#[derive(Debug)]
pub(crate) struct NewProject {
    pub(crate) namespace: u64,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) visibility: Visibility,
    pub(crate) creator: u64,
}

impl Model {
    /// Makes a group with all groups around it, where they do not exist, and gives the id.
    pub(crate) fn ensure_group(&mut self, path: &str, visibility: Visibility) -> u64 {
        if let Some(namespace) = self.namespace(path) {
            return namespace.id;
        }
        let parent = path.rsplit_once('/').map(|(parent, _)| self.ensure_group(parent, visibility));
        self.add_namespace(path, NamespaceKind::Group, parent, visibility)
    }

    pub(crate) fn add_namespace(
        &mut self,
        path: &str,
        kind: NamespaceKind,
        parent: Option<u64>,
        visibility: Visibility,
    ) -> u64 {
        let (id, created_at) = (self.next_id(), self.now());
        let (path, members, variables) = (path.to_owned(), BTreeMap::new(), Vec::new());
        let namespace = Namespace { id, path, kind, parent, visibility, members, variables, created_at };
        self.namespaces.insert(id, namespace);
        id
    }

    pub(crate) fn add_project(&mut self, new: NewProject) -> u64 {
        let (id, created_at) = (self.next_id(), self.now());
        let repository = Repository::create(self.root.join(format!("{id}.git")));
        let NewProject { namespace, path, name, description, visibility, creator } = new;
        let project = Project {
            id,
            namespace,
            path,
            name,
            description,
            visibility,
            creator,
            created_at,
            default_branch: None,
            members: BTreeMap::new(),
            forked_from: None,
            import: ImportState::None,
            branches: BTreeMap::new(),
            protected: Vec::new(),
            labels: BTreeSet::new(),
            job_token_allowlist: BTreeSet::new(),
            job_token_groups: BTreeSet::new(),
            open_to_job_tokens: false,
            archived: false,
            forking: true,
            takes_merge_requests: true,
            settings: Map::new(),
            runs: None,
            pipeline_size_limit: None,
            variables: Vec::new(),
            inputs: BTreeSet::new(),
            without_jobs: BTreeSet::new(),
            only_branch: None,
            last_iid: 0,
            repository,
        };
        self.projects.insert(id, project);
        id
    }

    /// Removes a project with all that is in it; merge requests from it into others stay, without a source.
    pub(crate) fn delete_project(&mut self, id: u64) {
        self.projects.remove(&id);
        self.delete_pipelines_of(id);
        self.merge_requests.retain(|_, request| request.target_project != id);
        let left = &self.merge_requests;
        self.notes.retain(|_, note| left.contains_key(&note.merge_request));
        self.issues.retain(|_, issue| issue.project != id);
        self.webhooks.retain(|_, hook| hook.owner != HookOwner::Project(id));
        self.trigger_tokens.retain(|token| token.project != id);
    }

    /// Starts a fork: the project is there at once, its repository only when the import is finished.
    pub(crate) fn start_fork(&mut self, parent: u64, new: NewProject, only_branch: Option<String>) -> u64 {
        let id = self.add_project(new);
        let readings = match &self.fork_import {
            ForkImport::AfterReadings(readings) | ForkImport::Fails(readings, _) => Some(*readings),
            ForkImport::ByHand => None,
        };
        let inherited = self.projects.get(&parent).map(|parent| parent.settings.clone());
        if let Some(fork) = self.projects.get_mut(&id) {
            fork.forked_from = Some(parent);
            fork.import = ImportState::Scheduled(readings);
            fork.only_branch = only_branch;
            fork.settings = inherited.unwrap_or_default();
        }
        id
    }

    /// Counts a reading of a project, by API or git: an import that waits for readings goes on.
    pub(crate) fn project_was_read(&mut self, id: u64) {
        let Some(project) = self.projects.get_mut(&id) else { return };
        if let ImportState::Scheduled(Some(readings)) = &mut project.import {
            if *readings > 0 {
                *readings -= 1;
                return;
            }
            match self.fork_import.clone() {
                ForkImport::Fails(_, text) => project.import = ImportState::Failed(text),
                ForkImport::AfterReadings(_) | ForkImport::ByHand => self.finish_import(id),
            }
        }
    }

    pub(crate) fn finish_import(&mut self, id: u64) {
        let Some(fork) = self.projects.get(&id) else { return };
        let Some(parent) = fork.forked_from.and_then(|parent| self.projects.get(&parent)) else { return };
        fork.repository.borrow_objects(&parent.repository);
        let mut refs = parent.repository.all_refs();
        if let Some(branch) = &fork.only_branch {
            refs.retain(|name, _| *name == format!("refs/heads/{branch}"));
        }
        let refs: Vec<(&str, &str)> = refs.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
        fork.repository.set_refs(&refs);
        let default_branch = fork.only_branch.clone().or_else(|| parent.default_branch.clone());
        let branches = fork.repository.refs("refs/heads/");
        if let Some(fork) = self.projects.get_mut(&id) {
            fork.import = ImportState::Finished;
            fork.branches = branches;
            fork.set_default_branch(default_branch);
        }
    }
}

impl Project {
    /// Sets the default branch, which GitLab protects: Maintainers push, nobody forces.
    pub(crate) fn set_default_branch(&mut self, branch: Option<String>) {
        if let Some(branch) = &branch {
            self.repository.set_head(branch);
            if self.protection(branch).is_none() {
                let (pattern, role) = (branch.clone(), Some(Role::Maintainer));
                self.protected.push(ProtectedBranch {
                    id: self.id,
                    pattern,
                    push: role,
                    merge: role,
                    force_push: false,
                });
            }
        }
        self.default_branch = branch;
    }
}
