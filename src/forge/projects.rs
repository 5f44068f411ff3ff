//! Projects, and forks of them.

use std::borrow::Cow;
use std::time::Duration;

use gitlab::api::common::NameOrId;
use gitlab::api::endpoint_prelude::{BodyError, Endpoint, FormParams, Method};
use gitlab::api::projects::Project as GetProject;
use serde::Deserialize;

use crate::forge::client::{Forge, endpoint, if_known, or_default};
use crate::forge::error::{Failure, ForgeError};
use crate::forge::request::RawRequest;
use crate::types::text::printable;
use crate::types::{AccessLevel, ProjectId, ProjectPath, Visibility};

/// How often a project that is being imported is looked at, and the longest pause between two looks: nine minutes in
/// all, for the largest repositories of a distribution (a kernel) are forked in less.
const IMPORT_LOOKS: u32 = 60;
const IMPORT_LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A project by its number or by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectRef<'a> {
    /// By number.
    Id(ProjectId),
    /// By path.
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

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "RawProject")]
pub struct Project {
    /// Its number.
    pub id: ProjectId,
    /// Its path.
    pub path: ProjectPath,
    /// Its page.
    pub web_url: String,
    /// The branch that a clone checks out; nothing in an empty project.
    pub default_branch: Option<String>,
    /// Who may see it; nothing where GitLab does not say.
    pub visibility: Option<Visibility>,
    /// Whether it takes no changes any more.
    pub is_archived: bool,
    /// Whether it has merge requests that this user may see. Where it has not, each of them looks as if it were gone.
    pub shows_merge_requests: bool,
    /// The project that it is a fork of, where this user may see that.
    pub forked_from: Option<Parent>,
    /// This user's role, of itself or through a group.
    pub access: AccessLevel,
    import: Import,
}

/// How far the copying of a repository into a new project has come.
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

/// The project that another one is a fork of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Parent {
    /// Its number.
    pub id: ProjectId,
    /// Its path; nothing where GitLab does not say.
    #[serde(rename = "path_with_namespace", default, deserialize_with = "if_known")]
    pub path: Option<ProjectPath>,
    /// Who may see it; nothing where GitLab does not say, as it did not in former versions.
    #[serde(default, deserialize_with = "if_known")]
    pub visibility: Option<Visibility>,
}

/// What this user may do, as GitLab shows it with a project.
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
    /// Returns the higher of both roles.
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
                // `none` is a project that was not imported.
                _ => Import::Done,
            },
        }
    }
}

/// What can hold projects.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GitlabNamespace {
    /// Its number; of a group, the group's.
    pub id: u64,
    /// Its path with those around it.
    pub full_path: String,
    /// What it is: `group` or `user`.
    #[serde(default, deserialize_with = "or_default")]
    pub kind: String,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Group {
    /// Its number.
    pub id: u64,
    /// Its path with those around it.
    pub full_path: String,
    /// Who may see it; projects in it can be no more visible. Nothing where GitLab does not say.
    #[serde(default, deserialize_with = "if_known")]
    pub visibility: Option<Visibility>,
    /// The group around it.
    #[serde(default)]
    pub parent_id: Option<u64>,
}

/// A fork to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewFork<'a> {
    /// The path of the group to put it in; nothing for the user's own namespace.
    pub namespace: Option<&'a str>,
    /// Its name in URLs and on pages; nothing for the original's.
    pub name: Option<&'a str>,
    /// Who may see it; nothing for the original's.
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
    /// Returns a project.
    pub fn project<'a>(&self, project: impl Into<ProjectRef<'a>>) -> Result<Project, ForgeError> {
        self.query(&endpoint(GetProject::builder().project(project.into()).build())?)
    }

    /// Returns a group or a user's namespace, by its full path.
    pub fn namespace(&self, path: &str) -> Result<GitlabNamespace, ForgeError> {
        self.query(&RawRequest::get(format!("namespaces/{}", NameOrId::from(path))))
    }

    /// Returns a group, by its full path.
    pub fn group(&self, path: &str) -> Result<Group, ForgeError> {
        // Without this GitLab lists up to 100 of its projects in the answer.
        self.query(&RawRequest::get(format!("groups/{}", NameOrId::from(path))).with("with_projects", "false"))
    }

    /// Starts a fork. Its repository is filled later: [`Forge::wait_for_import`].
    ///
    /// # Errors
    ///
    /// [`ForgeError::Conflict`] where the namespace has a project of that name already.
    pub fn create_fork<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        fork: NewFork<'a>,
    ) -> Result<Project, ForgeError> {
        self.query(&CreateFork { project: project.into(), fork })
    }

    /// Waits until a new project has its repository, and returns it then.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Refused`] where the import failed, [`ForgeError::Unavailable`] where it takes more than nine
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
        for look in 0..IMPORT_LOOKS {
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
            if look == 0 {
                tracing::info!("waiting until GitLab has filled `{}`", project.path);
            }
            self.transport.policy().sleep(pause);
            pause = pause.mul_f32(1.5).min(IMPORT_LONGEST_PAUSE);
            project = match self.project(id) {
                // A replica of GitLab's database may not know of a new project yet.
                Err(ForgeError::NotFoundOrNoAccess(_)) => project,
                looked_at => looked_at?,
            };
        }
        let message = "GitLab is still copying the repository".to_owned();
        Err(ForgeError::Unavailable(failure(message, IMPORT_LOOKS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(json: &str) -> Project {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_project_needs_no_more_than_its_number_and_path() {
        let project = project(r#"{"id": 7, "path_with_namespace": "g/p", "unknown": {"x": []}}"#);
        assert_eq!(project.visibility, None);
        assert_eq!(project.default_branch, None);
        assert_eq!(project.access, AccessLevel(0));
        assert_eq!(project.import, Import::Done);
    }

    #[test]
    fn a_fork_tells_its_parent_and_that_it_is_not_ready() {
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
    fn the_higher_role_counts() {
        let project = project(
            r#"{"id": 1, "path_with_namespace": "g/p",
                "permissions": {"project_access": {"access_level": 20}, "group_access": {"access_level": 30}}}"#,
        );
        assert_eq!(project.access, AccessLevel::DEVELOPER);
    }

    #[test]
    fn visibility_is_ordered_and_an_unknown_one_is_not_guessed() {
        assert!(Visibility::Private < Visibility::Internal && Visibility::Internal < Visibility::Public);
        assert_eq!(project(r#"{"id": 1, "path_with_namespace": "g/p", "visibility": "secret"}"#).visibility, None);
    }

    #[test]
    fn a_path_that_would_change_an_address_is_no_path() {
        let json = r#"{"id": 1, "path_with_namespace": "../../user"}"#;
        assert!(serde_json::from_str::<Project>(json).is_err());
    }
}
