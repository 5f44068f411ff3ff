//! Who may do what: users, roles, tokens with scopes.

use super::Model;
use super::projects::{Project, Visibility};
use crate::clock::Moment;

/// A role in a project or group, in GitLab's order and with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// 10: sees issues, no code of private projects.
    Guest = 10,
    /// 20: reads code.
    Reporter = 20,
    /// 30: pushes to unprotected branches, sets labels.
    Developer = 30,
    /// 40: pushes to protected branches, changes settings.
    Maintainer = 40,
    /// 50: everything.
    Owner = 50,
}

impl Role {
    /// The role of an `access_level` number, where it is one.
    #[must_use]
    pub const fn from_level(level: u64) -> Option<Self> {
        match level {
            10 => Some(Self::Guest),
            20 => Some(Self::Reporter),
            30 => Some(Self::Developer),
            40 => Some(Self::Maintainer),
            50 => Some(Self::Owner),
            _ => None,
        }
    }
}

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The whole API, and git both ways.
    Api,
    /// The API's reading half, and fetching.
    ReadApi,
    /// Fetching only.
    ReadRepository,
    /// Fetching and pushing, no API.
    WriteRepository,
}

impl Scope {
    /// The scope's name as GitLab writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::ReadApi => "read_api",
            Self::ReadRepository => "read_repository",
            Self::WriteRepository => "write_repository",
        }
    }
}

/// A person or bot with an account.
#[derive(Debug, Clone)]
pub struct User {
    /// The user's id.
    pub id: u64,
    /// The name to log in and to be mentioned with.
    pub username: String,
    /// The name to show.
    pub name: String,
    /// The address, which the API shows to the user alone.
    pub email: String,
    /// Administrators may do everything.
    pub admin: bool,
    /// Whether the user may have projects in the personal namespace (service accounts may not).
    pub personal_projects: bool,
    /// When the account was made.
    pub created_at: Moment,
}

/// What kind of token it is, which decides the header it comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A personal, project or group access token: `PRIVATE-TOKEN`, `Authorization: Bearer`, git with any user name.
    Access,
    /// `CI_JOB_TOKEN` of a job in this project: `JOB-TOKEN`, git as `gitlab-ci-token`, few endpoints.
    Job {
        /// The id of the project that the job runs in.
        project: u64,
    },
}

/// A token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token's id.
    pub id: u64,
    /// The secret itself.
    pub value: String,
    /// Who it acts as.
    pub user: u64,
    /// What it is good for; ignored for job tokens.
    pub scopes: Vec<Scope>,
    /// Access token or job token.
    pub kind: TokenKind,
    /// A revoked or expired token is refused with 401 and a text of its own.
    pub expired: bool,
    /// The last day on which it is good, as the API tells; nothing follows from it.
    pub expires_at: String,
}

impl Token {
    /// Whether the token may be used for a request to the API that only reads, or for any.
    #[must_use]
    pub fn opens_api(&self, writing: bool) -> bool {
        self.scopes.contains(&Scope::Api) || (!writing && self.scopes.contains(&Scope::ReadApi))
    }

    /// Whether the token may be used to fetch, or to push.
    #[must_use]
    pub fn opens_git(&self, pushing: bool) -> bool {
        let fetch = [Scope::Api, Scope::ReadApi, Scope::ReadRepository, Scope::WriteRepository];
        let push = [Scope::Api, Scope::WriteRepository];
        let wanted: &[Scope] = if pushing { &push } else { &fetch };
        matches!(self.kind, TokenKind::Job { .. }) || self.scopes.iter().any(|scope| wanted.contains(scope))
    }
}

impl Model {
    /// Whether a user (or nobody in particular) may know that this project exists.
    #[must_use]
    pub fn can_see(&self, user: Option<u64>, project: &Project) -> bool {
        match project.visibility {
            Visibility::Public => true,
            Visibility::Internal => user.is_some(),
            Visibility::Private => user.is_some_and(|user| self.role(user, project).is_some()),
        }
    }

    /// Whether a user may read the project's code and merge requests: Guests of private projects may not.
    #[must_use]
    pub fn can_read_code(&self, user: Option<u64>, project: &Project) -> bool {
        match project.visibility {
            Visibility::Private => user.and_then(|user| self.role(user, project)) >= Some(Role::Reporter),
            Visibility::Public | Visibility::Internal => self.can_see(user, project),
        }
    }

    /// Whether job tokens of the project `from` open this one.
    #[must_use]
    pub fn job_token_reaches(&self, project: &Project, from: u64) -> bool {
        let mut next = self.projects.get(&from).map(|from| from.namespace);
        let mut around = std::iter::from_fn(|| {
            let group = self.namespaces.get(&next?)?;
            next = group.parent;
            Some(group.id)
        });
        from == project.id
            || project.open_to_job_tokens
            || project.job_token_allowlist.contains(&from)
            || around.any(|group| project.job_token_groups.contains(&group))
    }

    /// Whether a user has at least this role in the project.
    #[must_use]
    pub fn has_role(&self, user: u64, project: &Project, role: Role) -> bool {
        self.role(user, project) >= Some(role)
    }
}
