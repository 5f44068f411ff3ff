//! The settings of projects: reads and changes them, and creates projects with them.

use gitlab::api::common::NameOrId;
use gitlab::api::projects::Project as GetProject;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::forge::client::{Forge, endpoint, if_known, or_default};
use crate::forge::projects::{ProjectRef, RawPermissions};
use crate::forge::request::RawRequest;
use crate::types::error::ForgeError;
use crate::types::{AccessLevel, ProjectId, ProjectPath, Visibility};

/// Who may use a feature of a project (`merge_requests_access_level` and similar settings).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureAccess {
    Disabled,
    /// Only members.
    Private,
    /// Everybody who may see the project.
    Enabled,
}

impl std::str::FromStr for FeatureAccess {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "disabled" => Ok(Self::Disabled),
            "private" => Ok(Self::Private),
            "enabled" | "public" => Ok(Self::Enabled),
            _ => Err(()),
        }
    }
}

/// Who may set variables of a pipeline (`ci_pipeline_variables_minimum_override_role`). Such variables override all
/// others. A greater value is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideRole {
    Developer,
    Maintainer,
    Owner,
    /// Not even the holder of a trigger token.
    NoOneAllowed,
}

impl std::str::FromStr for OverrideRole {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "developer" => Ok(Self::Developer),
            "maintainer" => Ok(Self::Maintainer),
            "owner" => Ok(Self::Owner),
            "no_one_allowed" => Ok(Self::NoOneAllowed),
            _ => Err(()),
        }
    }
}

/// A project's settings, with GitLab's names (schema `API_Entities_ProjectWithAccess`). A setting is `None` where
/// GitLab does not show it to this user, in a list, or in this version.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ProjectSettings {
    pub id: ProjectId,
    #[serde(rename = "path_with_namespace")]
    pub path: ProjectPath,
    #[serde(default, deserialize_with = "or_default")]
    pub web_url: String,
    /// The branch that a clone checks out; `None` also in an empty project.
    #[serde(default)]
    pub default_branch: Option<String>,
    #[serde(default, deserialize_with = "if_known")]
    pub visibility: Option<Visibility>,
    /// Whether nobody ever pushed to the project.
    #[serde(default)]
    pub empty_repo: Option<bool>,
    /// Whether the project is read-only.
    #[serde(default)]
    pub archived: Option<bool>,
    /// Where the configuration of the pipelines is; empty or `None` for `.gitlab-ci.yml`. Only users who may read the
    /// code see it.
    #[serde(default)]
    pub ci_config_path: Option<String>,
    /// Who may set variables of the pipelines.
    #[serde(default, deserialize_with = "if_known")]
    pub ci_pipeline_variables_minimum_override_role: Option<OverrideRole>,
    /// The older form of that setting: whether only Maintainers may.
    #[serde(default)]
    pub restrict_user_defined_variables: Option<bool>,
    /// Whether the project's own job tokens may push to it.
    #[serde(default)]
    pub ci_push_repository_for_job_token_allowed: Option<bool>,
    /// Whether merge requests from forks may run pipelines in this project, with its runners and variables.
    #[serde(default)]
    pub ci_allow_fork_pipelines_to_run_in_parent_project: Option<bool>,
    /// How many commits a job fetches; 0 for all.
    #[serde(default)]
    pub ci_default_git_depth: Option<u64>,
    /// Whether the project's job tokens have access only to a list of projects (a former setting).
    #[serde(default)]
    pub ci_job_token_scope_enabled: Option<bool>,
    #[serde(default, deserialize_with = "if_known")]
    pub merge_requests_access_level: Option<FeatureAccess>,
    /// Who may use pipelines.
    #[serde(default, deserialize_with = "if_known")]
    pub builds_access_level: Option<FeatureAccess>,
    /// Who may see the code.
    #[serde(default, deserialize_with = "if_known")]
    pub repository_access_level: Option<FeatureAccess>,
    #[serde(default, deserialize_with = "if_known")]
    pub forking_access_level: Option<FeatureAccess>,
    /// Whether runners of the installation run the project's jobs.
    #[serde(default)]
    pub shared_runners_enabled: Option<bool>,
    /// Whether runners of the project's groups run its jobs.
    #[serde(default)]
    pub group_runners_enabled: Option<bool>,
    /// Whether people who may not see the code see pipelines and job logs.
    #[serde(default)]
    pub public_jobs: Option<bool>,
    /// Whether GitLab builds, tests and deploys a project that has no CI configuration.
    #[serde(default)]
    pub auto_devops_enabled: Option<bool>,
    /// Whether a merge requires a pipeline that passed.
    #[serde(default)]
    pub only_allow_merge_if_pipeline_succeeds: Option<bool>,
    /// Whether a skipped pipeline counts as passed.
    #[serde(default)]
    pub allow_merge_on_skipped_pipeline: Option<bool>,
    /// Whether a merge deletes the source branch by default.
    #[serde(default)]
    pub remove_source_branch_after_merge: Option<bool>,
    /// This user's role, direct or through a group; `None` where GitLab does not say, as in lists.
    #[serde(rename = "permissions", default, deserialize_with = "access")]
    pub access: Option<AccessLevel>,
}

fn access<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<AccessLevel>, D::Error> {
    Ok(Option::<RawPermissions>::deserialize(deserializer)?.map(|permissions| permissions.highest()))
}

/// Changes to a project's settings, which [`ProjectSettings`] describes. `None` leaves a setting as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProjectEdit<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci_config_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci_pipeline_variables_minimum_override_role: Option<OverrideRole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci_push_repository_for_job_token_allowed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci_allow_fork_pipelines_to_run_in_parent_project: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ci_default_git_depth: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge_requests_access_level: Option<FeatureAccess>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub builds_access_level: Option<FeatureAccess>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forking_access_level: Option<FeatureAccess>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_runners_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_runners_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_jobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_devops_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_allow_merge_if_pipeline_succeeds: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_merge_on_skipped_pipeline: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove_source_branch_after_merge: Option<bool>,
}

impl ProjectEdit<'_> {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        *self == ProjectEdit::default()
    }
}

/// A project to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewProject<'a> {
    /// The number of the group or user's namespace: [`Forge::namespace`].
    pub namespace_id: u64,
    /// The name in addresses and on pages.
    pub path: &'a str,
    pub visibility: Visibility,
    /// GitLab does not accept all of them when it creates a project: see [`Forge::create_project`].
    pub settings: ProjectEdit<'a>,
}

/// The settings of [`ProjectEdit`] that `POST /projects` does not know (schema `postApiV4Projects`): GitLab would
/// ignore them silently. It knows the default branch only together with a first commit.
const NOT_ON_CREATION: [&str; 5] = [
    "default_branch",
    "ci_pipeline_variables_minimum_override_role",
    "ci_push_repository_for_job_token_allowed",
    "ci_allow_fork_pipelines_to_run_in_parent_project",
    "ci_default_git_depth",
];

/// Returns the settings to send, by GitLab's names.
fn settings(edit: &ProjectEdit<'_>) -> Result<Map<String, Value>, ForgeError> {
    match endpoint(serde_json::to_value(edit))? {
        Value::Object(settings) => Ok(settings),
        _ => Ok(Map::new()),
    }
}

impl Forge {
    pub fn project_settings<'a>(&self, project: impl Into<ProjectRef<'a>>) -> Result<ProjectSettings, ForgeError> {
        self.query(&endpoint(GetProject::builder().project(project.into()).build())?)
    }

    /// Returns the projects of a group and its subgroups with their settings, ordered by number. Leaves out projects
    /// that are only shared with the group.
    ///
    /// GitLab sends about 4 KiB per project, so a page of 100 has 400 KiB. Its short form (`simple`) has nothing but
    /// names and addresses. The list contains neither this user's role ([`ProjectSettings::access`]) nor what only
    /// Maintainers see: for these use [`Forge::project_settings`].
    pub fn projects_of_group(&self, path: &str) -> impl Iterator<Item = Result<ProjectSettings, ForgeError>> + use<'_> {
        let request = RawRequest::get(format!("groups/{}/projects", NameOrId::from(path)))
            .with("include_subgroups", "true")
            .with("with_shared", "false")
            .with("order_by", "id")
            .with("sort", "asc");
        self.list(Ok(request))
    }

    /// Changes a project's settings, and returns the new ones. GitLab ignores settings that it does not know: the
    /// caller must check in the result whether a change took effect.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is not a Maintainer of the project, or the setting requires an
    /// Owner; [`ForgeError::Refused`] where GitLab does not accept a value, or `edit` is empty.
    pub fn edit_project<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        edit: &ProjectEdit<'_>,
    ) -> Result<ProjectSettings, ForgeError> {
        let path = format!("projects/{}", NameOrId::from(project.into()));
        self.query(&RawRequest::put(path, Value::Object(settings(edit)?)))
    }

    /// Creates an empty project, and returns its settings. The same request cannot set all of them: the caller must
    /// compare them with the wanted ones, and call [`Forge::edit_project`] for the rest.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Refused`] where the name is taken, the group is less visible than the project would be, or this
    /// user may not create projects there; [`ForgeError::MaybeDone`] where GitLab may have created it.
    pub fn create_project(&self, new: &NewProject<'_>) -> Result<ProjectSettings, ForgeError> {
        let mut body = settings(&new.settings)?;
        for name in NOT_ON_CREATION {
            body.remove(name);
        }
        body.insert("namespace_id".to_owned(), json!(new.namespace_id));
        body.insert("path".to_owned(), json!(new.path));
        body.insert("name".to_owned(), json!(new.path));
        body.insert("visibility".to_owned(), json!(new.visibility));
        self.query(&RawRequest::post("projects".to_owned(), Value::Object(body)))
    }
}
