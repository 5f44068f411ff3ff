//! The model: what GitLab knows. One value behind a mutex; routes read and change it, tests look at it.
//!
//! Nothing here speaks HTTP, and JSON only where GitLab keeps some. Repositories are real ones on disk, and the model asks git about them.

pub mod access;
mod announcements;
pub mod ci_status;
pub(crate) mod expansion;
pub mod issues;
pub(crate) mod merge_request_pipelines;
pub mod merge_requests;
pub mod notes;
pub mod pipelines;
pub mod projects;
pub(crate) mod pushes;
pub mod runners;
pub mod schedules;
pub(crate) mod statuses;
pub mod text;
pub mod triggers;
pub mod variables;
pub mod webhooks;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::clock::{Clock, Moment};
use crate::webhooks::template::Interpolation;
use access::{Role, Token, User};
use issues::Issue;
use merge_requests::MergeRequest;
use notes::Note;
use pipelines::{Job, Pipeline};
use projects::{ForkImport, Namespace, NamespaceKind, Project};
use runners::Runner;
use schedules::Schedule;
use text::Act;
use triggers::{TriggerToken, Triggered};
use webhooks::{Announced, Webhook};

/// Where the dates of commits that are made here begin.
const FIRST_COMMIT: u64 = 1_700_000_000;

/// Everything the sandbox knows. Ids come from one counter, so an id of one kind is never valid for another.
#[derive(Debug)]
pub struct Model {
    /// The address without a slash at its end, relative URL included.
    pub base_url: String,
    /// People, bots and administrators, by id.
    pub users: BTreeMap<u64, User>,
    /// Every token, revoked ones included.
    pub tokens: Vec<Token>,
    /// Groups and the namespaces of users, by id.
    pub namespaces: BTreeMap<u64, Namespace>,
    /// Projects, by id.
    pub projects: BTreeMap<u64, Project>,
    /// Merge requests, by global id.
    pub merge_requests: BTreeMap<u64, MergeRequest>,
    /// Notes on merge requests, by id.
    pub notes: BTreeMap<u64, Note>,
    /// Issues, by global id.
    pub issues: BTreeMap<u64, Issue>,
    /// Pipelines, by id.
    pub pipelines: BTreeMap<u64, Pipeline>,
    /// Jobs, bridges and external commit statuses, by id.
    pub jobs: BTreeMap<u64, Job>,
    /// Pipeline trigger tokens.
    pub trigger_tokens: Vec<TriggerToken>,
    /// Every pipeline that was started from outside, oldest first.
    pub triggered: Vec<Triggered>,
    /// Webhooks of projects and groups, by id.
    pub webhooks: BTreeMap<u64, Webhook>,
    /// Pipeline schedules of projects, by id.
    pub schedules: BTreeMap<u64, Schedule>,
    /// Runners, by id.
    pub runners: BTreeMap<u64, Runner>,
    /// GitLab's version.
    pub version: String,
    /// Whether it is the Enterprise Edition, with a licence.
    pub enterprise: bool,
    /// How webhook templates are rendered.
    pub interpolation: Interpolation,
    /// How many pipelines one user may start in a minute for one commit of a project; as many as wanted where it is not
    /// set (`pipelines_create`).
    pub pipelines_per_minute: Option<u32>,
    /// What texts set off by themselves: quick actions, mentions, closing words.
    pub acts: Vec<Act>,
    /// How forks are imported.
    pub fork_import: ForkImport,
    /// For how many readings a new merge request stays unprepared (no head, no diff refs).
    pub unprepared_readings: u32,
    pub(crate) clock: Clock,
    /// What webhooks are still to hear of.
    pub(crate) announced: Vec<Announced>,
    /// `X-Gitlab-Event-UUID` of the request under way.
    pub(crate) chain: Option<String>,
    /// The hooks of each chain.
    pub(crate) chains: BTreeMap<String, BTreeSet<u64>>,
    /// Pipelines started, by project, user, commit and minute.
    pub(crate) starts: BTreeMap<(u64, u64, String, u64), u32>,
    /// Whether a target and a head conflict: asking git for each line of a list would be slow.
    conflicts: RefCell<BTreeMap<(String, String), bool>>,
    pub(crate) root: PathBuf,
    /// How many commits were made here, which gives each its date.
    commits_made: u64,
    last_id: u64,
}

impl Model {
    pub(crate) fn new(base_url: String, root: PathBuf) -> Self {
        Self {
            base_url,
            root,
            users: BTreeMap::new(),
            tokens: Vec::new(),
            namespaces: BTreeMap::new(),
            projects: BTreeMap::new(),
            merge_requests: BTreeMap::new(),
            notes: BTreeMap::new(),
            issues: BTreeMap::new(),
            pipelines: BTreeMap::new(),
            jobs: BTreeMap::new(),
            trigger_tokens: Vec::new(),
            triggered: Vec::new(),
            webhooks: BTreeMap::new(),
            schedules: BTreeMap::new(),
            runners: BTreeMap::new(),
            version: "19.5.0-ee".to_owned(),
            enterprise: true,
            interpolation: Interpolation::default(),
            pipelines_per_minute: None,
            acts: Vec::new(),
            fork_import: ForkImport::AfterReadings(1),
            unprepared_readings: 0,
            clock: Clock::default(),
            announced: Vec::new(),
            chain: None,
            chains: BTreeMap::new(),
            starts: BTreeMap::new(),
            conflicts: RefCell::default(),
            commits_made: 0,
            last_id: 1000,
        }
    }

    /// The date (seconds since 1970) of the next commit that is made here and not pushed: each a minute after the one
    /// before, so that the same calls always give the same ids.
    pub(crate) const fn next_commit_date(&mut self) -> u64 {
        self.commits_made += 1;
        FIRST_COMMIT + 60 * self.commits_made
    }

    pub(crate) const fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn now(&mut self) -> Moment {
        self.clock.tick()
    }

    /// Whether merging a head into the tip of a target branch conflicts.
    pub(crate) fn conflict(&self, target: &Project, tip: &str, head: &str) -> bool {
        let mut known = self.conflicts.borrow_mut();
        let conflict = known.entry((tip.to_owned(), head.to_owned()));
        *conflict.or_insert_with(|| target.repository.merged_tree(tip, head).is_none())
    }

    /// The same where somebody has asked before.
    pub(crate) fn known_conflict(&self, tip: &str, head: &str) -> Option<bool> {
        self.conflicts.borrow().get(&(tip.to_owned(), head.to_owned())).copied()
    }

    /// Finds a user by name, in any case, as GitLab does.
    #[must_use]
    pub fn user(&self, username: &str) -> Option<&User> {
        self.users.values().find(|user| user.username.eq_ignore_ascii_case(username))
    }

    /// Finds a group or a user's namespace by full path, in any case.
    #[must_use]
    pub fn namespace(&self, path: &str) -> Option<&Namespace> {
        self.namespaces.values().find(|namespace| namespace.path.eq_ignore_ascii_case(path))
    }

    /// Finds a project by full path, in any case.
    #[must_use]
    pub fn project(&self, path: &str) -> Option<&Project> {
        self.projects.values().find(|project| self.path_of(project).eq_ignore_ascii_case(path))
    }

    /// The full path of a project, for example `redhat/centos-stream/src/curl`.
    #[must_use]
    pub fn path_of(&self, project: &Project) -> String {
        let namespace = self.namespaces.get(&project.namespace).map_or("", |namespace| namespace.path.as_str());
        format!("{namespace}/{}", project.path)
    }

    /// The name of a user, for logs and texts.
    #[must_use]
    pub fn username(&self, user: u64) -> &str {
        self.users.get(&user).map_or("ghost", |user| user.username.as_str())
    }

    /// Finds a merge request by its target project's id and its number there.
    #[must_use]
    pub fn merge_request(&self, project: u64, iid: u64) -> Option<&MergeRequest> {
        self.merge_requests.values().find(|request| request.target_project == project && request.iid == iid)
    }

    /// The notes of a merge request, oldest first, system notes included.
    #[must_use]
    pub fn notes_of(&self, merge_request: u64) -> Vec<&Note> {
        self.notes.values().filter(|note| note.merge_request == merge_request).collect()
    }

    /// The role of a user in a project: the highest that the project and the groups around it give.
    #[must_use]
    pub fn role(&self, user: u64, project: &Project) -> Option<Role> {
        let inherited = self.role_in_namespace(user, project.namespace);
        project.members.get(&user).copied().max(inherited)
    }

    /// The role of a user in a group, inherited ones included; the owner of a personal namespace is its Owner.
    #[must_use]
    pub fn role_in_namespace(&self, user: u64, namespace: u64) -> Option<Role> {
        if self.users.get(&user).is_some_and(|user| user.admin) {
            return Some(Role::Owner);
        }
        let (mut role, mut next) = (None, Some(namespace));
        while let Some(namespace) = next.and_then(|id| self.namespaces.get(&id)) {
            let own = match namespace.kind {
                NamespaceKind::User(owner) => (owner == user).then_some(Role::Owner),
                NamespaceKind::Group => namespace.members.get(&user).copied(),
            };
            role = role.max(own);
            next = namespace.parent;
        }
        role
    }
}
