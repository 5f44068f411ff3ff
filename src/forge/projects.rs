//! Projects, forks of them, and the groups and namespaces that hold projects.

use std::borrow::Cow;
use std::time::Duration;

use gitlab::api::common::NameOrId;
use gitlab::api::endpoint_prelude::{BodyError, Endpoint, FormParams, Method};
use gitlab::api::projects::Project as GetProject;
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, if_known, or_default};
use crate::forge::request::RawRequest;
use crate::types::error::{Failure, ForgeError};
use crate::types::text::printable;
use crate::types::{AccessLevel, ProjectId, ProjectPath, Visibility};

/// How often [`Forge::wait_for_import`] asks for the project. With the pauses between, that takes nine minutes. GitLab
/// forks the largest repositories of a distribution (a kernel) in less.
const IMPORT_ATTEMPTS: u32 = 60;
/// The longest pause between two of these requests.
const IMPORT_LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A project by its number or by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectRef<'a> {
    Id(ProjectId),
    Path(&'a ProjectPath),
}

impl From<ProjectId> for ProjectRef<'_> {
    fn from(id: ProjectId) -> Self {
        Self::Id(id)
    }
}

impl<'a> From<&'a ProjectPath> for ProjectRef<'a> {
    fn from(path: &'a ProjectPath) -> Self {
        Self::Path(path)
    }
}

impl<'a> From<ProjectRef<'a>> for NameOrId<'a> {
    fn from(project: ProjectRef<'a>) -> Self {
        match project {
            ProjectRef::Id(id) => Self::Id(id.0),
            ProjectRef::Path(path) => Self::Name(path.as_str().into()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "RawProject")]
pub struct Project {
    pub id: ProjectId,
    pub path: ProjectPath,
    pub web_url: String,
    /// The branch that a clone checks out; `None` in an empty project.
    pub default_branch: Option<String>,
    /// `None` where GitLab does not say.
    pub visibility: Option<Visibility>,
    /// Whether the project is read-only.
    pub is_archived: bool,
    /// Whether the feature merge requests is on for this user. Where it is off, each merge request seems not to exist.
    pub shows_merge_requests: bool,
    /// The project that this is a fork of, where this user may see it.
    pub forked_from: Option<Parent>,
    /// This user's role, direct or through a group.
    pub access: AccessLevel,
    import: Import,
}

/// The state of copying a repository into a new project.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Import {
    Done,
    Running,
    Failed(String),
}

#[derive(Deserialize)]
struct RawProject {
    id: ProjectId,
    path_with_namespace: ProjectPath,
    #[serde(default, deserialize_with = "or_default")]
    web_url: String,
    #[serde(default)]
    default_branch: Option<String>,
    #[serde(default, deserialize_with = "if_known")]
    visibility: Option<Visibility>,
    #[serde(default, deserialize_with = "or_default")]
    archived: bool,
    #[serde(default)]
    merge_requests_enabled: Option<bool>,
    #[serde(default)]
    forked_from_project: Option<Parent>,
    #[serde(default, deserialize_with = "or_default")]
    permissions: RawPermissions,
    #[serde(default, deserialize_with = "or_default")]
    import_status: String,
    #[serde(default, deserialize_with = "or_default")]
    import_error: String,
}

/// The project that another project is a fork of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Parent {
    pub id: ProjectId,
    /// `None` where GitLab does not say.
    #[serde(rename = "path_with_namespace", default, deserialize_with = "if_known")]
    pub path: Option<ProjectPath>,
    /// `None` where GitLab does not say. Former versions did not.
    #[serde(default, deserialize_with = "if_known")]
    pub visibility: Option<Visibility>,
}

/// This user's roles, as GitLab shows them with a project.
#[derive(Default, Deserialize)]
pub(super) struct RawPermissions {
    #[serde(default)]
    project_access: Option<RawAccess>,
    #[serde(default)]
    group_access: Option<RawAccess>,
}

#[derive(Deserialize)]
struct RawAccess {
    #[serde(default)]
    access_level: AccessLevel,
}

impl RawPermissions {
    pub(super) fn highest(&self) -> AccessLevel {
        let access = [&self.project_access, &self.group_access];
        access.into_iter().flatten().map(|access| access.access_level).max().unwrap_or_default()
    }
}

impl From<RawProject> for Project {
    fn from(raw: RawProject) -> Self {
        Self {
            id: raw.id,
            path: raw.path_with_namespace,
            web_url: raw.web_url,
            default_branch: raw.default_branch.filter(|name| !name.is_empty()),
            visibility: raw.visibility,
            is_archived: raw.archived,
            shows_merge_requests: raw.merge_requests_enabled.unwrap_or(true),
            forked_from: raw.forked_from_project,
            access: raw.permissions.highest(),
            import: match raw.import_status.as_str() {
                "scheduled" | "started" => Import::Running,
                "failed" => Import::Failed(printable(raw.import_error.as_bytes())),
                // `none`: the project was not imported.
                _ => Import::Done,
            },
        }
    }
}

/// A group or a user's namespace: it can hold projects.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GitlabNamespace {
    /// For a group, the number of the group.
    pub id: u64,
    /// The path, including parent groups.
    pub full_path: String,
    /// `group` or `user`.
    #[serde(default, deserialize_with = "or_default")]
    pub kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Group {
    pub id: u64,
    /// The path, including parent groups.
    pub full_path: String,
    /// Its projects cannot be more visible than this. `None` where GitLab does not say.
    #[serde(default, deserialize_with = "if_known")]
    pub visibility: Option<Visibility>,
    /// The number of the parent group.
    #[serde(default)]
    pub parent_id: Option<u64>,
}

/// A fork to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewFork<'a> {
    /// The path of a group; `None` for the user's own namespace.
    pub namespace: Option<&'a str>,
    /// The name in addresses and on pages; `None` for that of the original project.
    pub name: Option<&'a str>,
    /// `None` for that of the original project.
    pub visibility: Option<Visibility>,
}

struct CreateFork<'a> {
    project: ProjectRef<'a>,
    fork: NewFork<'a>,
}

impl Endpoint for CreateFork<'_> {
    fn method(&self) -> Method {
        Method::POST
    }

    fn endpoint(&self) -> Cow<'static, str> {
        format!("projects/{}/fork", NameOrId::from(self.project)).into()
    }

    fn body(&self) -> Result<Option<(&'static str, Vec<u8>)>, BodyError> {
        let mut params = FormParams::default();
        params
            .push_opt("namespace_path", self.fork.namespace)
            .push_opt("path", self.fork.name)
            .push_opt("name", self.fork.name)
            .push_opt("visibility", self.fork.visibility.map(Visibility::as_str));
        params.into_body()
    }
}

impl Forge {
    pub fn project<'a>(&self, project: impl Into<ProjectRef<'a>>) -> Result<Project, ForgeError> {
        self.query(&endpoint(GetProject::builder().project(project.into()).build())?)
    }

    /// Returns a group or a user's namespace. `path` includes parent groups.
    pub fn namespace(&self, path: &str) -> Result<GitlabNamespace, ForgeError> {
        self.query(&RawRequest::get(format!("namespaces/{}", NameOrId::from(path))))
    }

    /// Returns a group. `path` includes parent groups.
    pub fn group(&self, path: &str) -> Result<Group, ForgeError> {
        // Without this parameter the answer lists up to 100 of the group's projects.
        self.query(&RawRequest::get(format!("groups/{}", NameOrId::from(path))).with("with_projects", "false"))
    }

    /// Creates a fork. GitLab copies the repository later: see [`Forge::wait_for_import`].
    ///
    /// # Errors
    ///
    /// [`ForgeError::Conflict`] where the namespace already has a project of that name.
    pub fn create_fork<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        fork: NewFork<'a>,
    ) -> Result<Project, ForgeError> {
        self.query(&CreateFork { project: project.into(), fork })
    }

    /// Waits until GitLab has copied a new project's repository, and returns the project.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Refused`] where the copying failed; [`ForgeError::Unavailable`] where it takes more than nine
    /// minutes.
    pub fn wait_for_import(&self, mut project: Project) -> Result<Project, ForgeError> {
        let id = project.id;
        let failure = |message: String, tries| {
            Box::new(Failure {
                method: Method::GET.to_string(),
                path: format!("projects/{id}"),
                status: None,
                message,
                request_id: None,
                tries,
                retry_after: None,
            })
        };
        let mut pause = Duration::from_secs(1);
        for attempt in 0..IMPORT_ATTEMPTS {
            match &project.import {
                Import::Done => return Ok(project),
                Import::Failed(why) => {
                    return Err(ForgeError::Refused(failure(
                        format!("GitLab could not copy the repository: {why}"),
                        1,
                    )));
                }
                Import::Running => {}
            }
            if attempt == 0 {
                tracing::info!("waiting until GitLab has filled `{}`", project.path);
            }
            self.transport.policy().sleep(pause);
            pause = pause.mul_f32(1.5).min(IMPORT_LONGEST_PAUSE);
            project = match self.project(id) {
                // A replica of GitLab's database may not have a new project yet.
                Err(ForgeError::NotFoundOrNoAccess(_)) => project,
                result => result?,
            };
        }
        let message = "GitLab is still copying the repository".to_owned();
        Err(ForgeError::Unavailable(failure(message, IMPORT_ATTEMPTS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(json: &str) -> Project {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn number_and_path_are_enough_for_a_project() {
        let project = project(r#"{"id": 7, "path_with_namespace": "g/p", "unknown": {"x": []}}"#);
        assert_eq!(project.visibility, None);
        assert_eq!(project.default_branch, None);
        assert_eq!(project.access, AccessLevel(0));
        assert_eq!(project.import, Import::Done);
    }

    #[test]
    fn a_new_fork_has_a_parent_and_a_running_import() {
        let project = project(
            r#"{"id": 20772752, "path_with_namespace": "mfocko/ogr-tests", "default_branch": null,
                "import_status": "scheduled", "import_error": null, "visibility": "public", "archived": false,
                "forked_from_project": {"id": 14233409},
                "permissions": {"project_access": {"access_level": 40}, "group_access": null}}"#,
        );
        assert_eq!(project.forked_from, Some(Parent { id: ProjectId(14_233_409), path: None, visibility: None }));
        assert_eq!(project.import, Import::Running);
        assert_eq!(project.access, AccessLevel::MAINTAINER);
        assert_eq!(project.visibility, Some(Visibility::Public));
    }

    #[test]
    fn the_higher_of_two_roles_counts() {
        let project = project(
            r#"{"id": 1, "path_with_namespace": "g/p",
                "permissions": {"project_access": {"access_level": 20}, "group_access": {"access_level": 30}}}"#,
        );
        assert_eq!(project.access, AccessLevel::DEVELOPER);
    }

    #[test]
    fn visibility_is_ordered_and_an_unknown_one_is_none() {
        assert!(Visibility::Private < Visibility::Internal && Visibility::Internal < Visibility::Public);
        assert_eq!(project(r#"{"id": 1, "path_with_namespace": "g/p", "visibility": "secret"}"#).visibility, None);
    }

    #[test]
    fn a_path_that_would_change_an_address_is_refused() {
        let json = r#"{"id": 1, "path_with_namespace": "../../user"}"#;
        assert!(serde_json::from_str::<Project>(json).is_err());
    }
}
