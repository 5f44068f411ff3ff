//! The settings of a project: read, changed, and set when one is made.

use gitlab::api::common::NameOrId;
use gitlab::api::projects::Project as GetProject;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::forge::client::{Forge, endpoint, if_known, or_default};
use crate::forge::error::ForgeError;
use crate::forge::projects::{ProjectRef, RawPermissions};
use crate::forge::request::RawRequest;
use crate::types::{AccessLevel, ProjectId, ProjectPath, Visibility};

/// Who may use a part of a project (`merge_requests_access_level` and the like).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureAccess {
    /// Nobody.
    Disabled,
    /// Members only.
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

/// Who may set variables of a pipeline, which count more than all others
/// (`ci_pipeline_variables_minimum_override_role`); more is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideRole {
    /// Developers and above.
    Developer,
    /// Maintainers and above.
    Maintainer,
    /// Owners.
    Owner,
    /// Nobody, whatever trigger token they hold.
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

/// A project's settings, by GitLab's names for them (schema `API_Entities_ProjectWithAccess`). Each is nothing where
/// GitLab does not tell it: to this user, in a list, or in this version.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ProjectSettings {
    /// The project's number.
    pub id: ProjectId,
    /// Its path.
    #[serde(rename = "path_with_namespace")]
    pub path: ProjectPath,
    /// Its page.
    #[serde(default, deserialize_with = "or_default")]
    pub web_url: String,
    /// The branch that a clone checks out; nothing in an empty project as well.
    #[serde(default)]
    pub default_branch: Option<String>,
    /// Who may see it.
    #[serde(default, deserialize_with = "if_known")]
    pub visibility: Option<Visibility>,
    /// Whether nothing was ever pushed to it.
    #[serde(default)]
    pub empty_repo: Option<bool>,
    /// Whether it takes no changes any more.
    #[serde(default)]
    pub archived: Option<bool>,
    /// Where the configuration of its pipelines is; empty or nothing for `.gitlab-ci.yml`. Told to who may read its code.
    #[serde(default)]
    pub ci_config_path: Option<String>,
    /// Who may set variables of its pipelines.
    #[serde(default, deserialize_with = "if_known")]
    pub ci_pipeline_variables_minimum_override_role: Option<OverrideRole>,
    /// The same of former versions: whether only Maintainers may.
    #[serde(default)]
    pub restrict_user_defined_variables: Option<bool>,
    /// Whether its job tokens may push to it.
    #[serde(default)]
    pub ci_push_repository_for_job_token_allowed: Option<bool>,
    /// Whether merge requests from forks may have pipelines in it, with its runners and variables.
    #[serde(default)]
    pub ci_allow_fork_pipelines_to_run_in_parent_project: Option<bool>,
    /// How many commits its jobs fetch; 0 for all.
    #[serde(default)]
    pub ci_default_git_depth: Option<u64>,
    /// Whether its job tokens reach only a list of projects (a former setting).
    #[serde(default)]
    pub ci_job_token_scope_enabled: Option<bool>,
    /// Who may use its merge requests.
    #[serde(default, deserialize_with = "if_known")]
    pub merge_requests_access_level: Option<FeatureAccess>,
    /// Who may use its pipelines.
    #[serde(default, deserialize_with = "if_known")]
    pub builds_access_level: Option<FeatureAccess>,
    /// Who may see its code.
    #[serde(default, deserialize_with = "if_known")]
    pub repository_access_level: Option<FeatureAccess>,
    /// Who may fork it.
    #[serde(default, deserialize_with = "if_known")]
    pub forking_access_level: Option<FeatureAccess>,
    /// Whether runners of the installation take its jobs.
    #[serde(default)]
    pub shared_runners_enabled: Option<bool>,
    /// Whether runners of its groups take its jobs.
    #[serde(default)]
    pub group_runners_enabled: Option<bool>,
    /// Whether those who may not see its code see its pipelines and job logs.
    #[serde(default)]
    pub public_jobs: Option<bool>,
    /// Whether GitLab tests and deploys it without being told how.
    #[serde(default)]
    pub auto_devops_enabled: Option<bool>,
    /// Whether a merge needs a pipeline that passed.
    #[serde(default)]
    pub only_allow_merge_if_pipeline_succeeds: Option<bool>,
    /// Whether a skipped pipeline counts as one that passed.
    #[serde(default)]
    pub allow_merge_on_skipped_pipeline: Option<bool>,
    /// Whether merging removes the source branch unless told otherwise.
    #[serde(default)]
    pub remove_source_branch_after_merge: Option<bool>,
    /// This user's role, of itself or through a group; nothing where GitLab does not say, as in lists.
    #[serde(rename = "permissions", default, deserialize_with = "access")]
    pub access: Option<AccessLevel>,
}

fn access<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<AccessLevel>, D::Error> {
    Ok(Option::<RawPermissions>::deserialize(deserializer)?.map(|permissions| permissions.highest()))
}

/// What is to change in a project's settings: only what is set here is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each is described at `ProjectSettings`")]
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
    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        *self == ProjectEdit::default()
    }
}

/// A project to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewProject<'a> {
    /// The number of the group or the user's namespace to put it in: [`Forge::namespace`].
    pub namespace_id: u64,
    /// Its name in URLs and on pages.
    pub path: &'a str,
    /// Who may see it.
    pub visibility: Visibility,
    /// Its settings, as far as GitLab takes them in this place: what [`Forge::create_project`] returns tells the rest.
    pub settings: ProjectEdit<'a>,
}

/// The settings of [`ProjectEdit`] that `POST /projects` does not know (schema `postApiV4Projects`): GitLab would pass over
/// them in silence. The default branch it knows only together with a first commit.
const NOT_AT_FIRST: [&str; 5] = [
    "default_branch",
    "ci_pipeline_variables_minimum_override_role",
    "ci_push_repository_for_job_token_allowed",
    "ci_allow_fork_pipelines_to_run_in_parent_project",
    "ci_default_git_depth",
];

/// Returns what is set, by GitLab's names.
fn settings(edit: &ProjectEdit<'_>) -> Result<Map<String, Value>, ForgeError> {
    match endpoint(serde_json::to_value(edit))? {
        Value::Object(settings) => Ok(settings),
        _ => Ok(Map::new()),
    }
}

impl Forge {
    /// Returns a project's settings.
    pub fn project_settings<'a>(&self, project: impl Into<ProjectRef<'a>>) -> Result<ProjectSettings, ForgeError> {
        self.query(&endpoint(GetProject::builder().project(project.into()).build())?)
    }

    /// Returns the projects of a group and its subgroups with their settings, by number, those that are only shared with
    /// it left out; read page by page.
    ///
    /// This is the long form, of about 4 KiB a project: a page of 100 is 400 KiB. The short one (`simple`) lacks everything
    /// but names and addresses. Neither tells this user's role ([`ProjectSettings::access`]) nor what only Maintainers
    /// see: [`Forge::project_settings`] does.
    pub fn projects_of_group(&self, path: &str) -> impl Iterator<Item = Result<ProjectSettings, ForgeError>> + use<'_> {
        let request = RawRequest::get(format!("groups/{}/projects", NameOrId::from(path)))
            .with("include_subgroups", "true")
            .with("with_shared", "false")
            .with("order_by", "id")
            .with("sort", "asc");
        self.list(Ok(request))
    }

    /// Changes a project's settings, and returns what they are then. GitLab passes over settings that it does not know:
    /// whether a change took is for the caller to see in that.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is no Maintainer of it, or where the setting takes an Owner;
    /// [`ForgeError::Refused`] where GitLab does not take a value, or `edit` is empty.
    pub fn edit_project<'a>(
        &self,
        project: impl Into<ProjectRef<'a>>,
        edit: &ProjectEdit<'_>,
    ) -> Result<ProjectSettings, ForgeError> {
        let path = format!("projects/{}", NameOrId::from(project.into()));
        self.query(&RawRequest::put(path, Value::Object(settings(edit)?)))
    }

    /// Makes an empty project, and returns its settings: not all that are wanted can be set in the same request, so that
    /// the caller has to compare, and to [`Forge::edit_project`].
    ///
    /// # Errors
    ///
    /// [`ForgeError::Refused`] where the name is taken, where the group is less visible than that, or where this user may
    /// not make projects there; [`ForgeError::MaybeDone`] where it may have been made.
    pub fn create_project(&self, new: &NewProject<'_>) -> Result<ProjectSettings, ForgeError> {
        let mut body = settings(&new.settings)?;
        for name in NOT_AT_FIRST {
            body.remove(name);
        }
        body.insert("namespace_id".to_owned(), json!(new.namespace_id));
        body.insert("path".to_owned(), json!(new.path));
        body.insert("name".to_owned(), json!(new.path));
        body.insert("visibility".to_owned(), json!(new.visibility));
        self.query(&RawRequest::post("projects".to_owned(), Value::Object(body)))
    }
}
