//! CI/CD variables of projects and groups.

use gitlab::api::common::{NameOrId, path_escaped};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::forge::client::{Forge, or_default};
use crate::forge::request::RawRequest;
use crate::types::ProjectPath;
use crate::types::error::ForgeError;

/// The environment scope of a variable for all jobs, with or without an environment.
pub const ANY_ENVIRONMENT: &str = "*";

/// The project or group that variables belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariablesOf<'a> {
    /// Only Maintainers see the variables.
    Project(&'a ProjectPath),
    /// Only Owners see the variables. The jobs of all projects in the group and its subgroups get them.
    Group(&'a str),
}

impl VariablesOf<'_> {
    fn path(self) -> String {
        match self {
            Self::Project(path) => format!("projects/{}/variables", NameOrId::from(path.as_str())),
            Self::Group(path) => format!("groups/{}/variables", NameOrId::from(path)),
        }
    }
}

/// What a job finds in the environment variable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableType {
    /// The value.
    #[default]
    EnvVar,
    /// The path of a file that holds the value.
    File,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Variable {
    /// The name.
    pub key: String,
    /// `None` where GitLab no longer shows the value to anybody.
    #[serde(default)]
    pub value: Option<SecretString>,
    /// Whether only jobs on protected branches and tags get the variable.
    #[serde(default, deserialize_with = "or_default")]
    pub protected: bool,
    /// Whether job logs mask the value.
    #[serde(default, deserialize_with = "or_default")]
    pub masked: bool,
    /// Whether GitLab leaves the value as it is, and does not expand `$NAME` in it. GitLab before 15.6 does not say.
    #[serde(default, deserialize_with = "or_default")]
    pub raw: bool,
    /// Whether GitLab shows the value to nobody.
    #[serde(default, deserialize_with = "or_default")]
    pub hidden: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub variable_type: VariableType,
    /// The environments whose jobs get the variable: a name or pattern; [`ANY_ENVIRONMENT`] for all.
    #[serde(default = "any_environment")]
    pub environment_scope: String,
}

fn any_environment() -> String {
    ANY_ENVIRONMENT.to_owned()
}

/// The settings of a CI/CD variable to create, or to change an existing one to.
#[derive(Clone, Copy, Debug)]
pub struct NewVariable<'a> {
    /// The name.
    pub key: &'a str,
    pub value: &'a SecretString,
    /// Whether only jobs on protected branches and tags get the variable.
    pub protected: bool,
    /// Whether job logs mask the value. GitLab refuses that for values with fewer than eight characters or with
    /// whitespace.
    pub masked: bool,
    /// Whether GitLab leaves the value as it is, and does not expand `$NAME` in it.
    pub raw: bool,
    pub variable_type: VariableType,
    /// The environments whose jobs get the variable: [`ANY_ENVIRONMENT`] for all.
    pub environment_scope: &'a str,
}

impl NewVariable<'_> {
    fn body(&self) -> Value {
        json!({
            "key": self.key,
            "value": self.value.expose_secret(),
            "protected": self.protected,
            "masked": self.masked,
            "raw": self.raw,
            "variable_type": self.variable_type,
            "environment_scope": self.environment_scope,
        })
    }
}

impl Forge {
    /// Returns the variables of a project or group, without those of parent groups.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is not a Maintainer of the project, or not an Owner of the
    /// group.
    pub fn variables(&self, of: VariablesOf<'_>) -> impl Iterator<Item = Result<Variable, ForgeError>> + use<'_> {
        self.list(Ok(RawRequest::get(of.path())))
    }

    /// Creates a variable.
    ///
    /// # Errors
    ///
    /// As [`Forge::variables`]; [`ForgeError::Refused`] where one with that key and scope exists, or GitLab cannot mask
    /// the value.
    pub fn create_variable(&self, of: VariablesOf<'_>, new: &NewVariable<'_>) -> Result<Variable, ForgeError> {
        self.query(&RawRequest::post(of.path(), new.body()))
    }

    /// Changes the variable with the same key and scope to the settings `new`.
    ///
    /// # Errors
    ///
    /// As [`Forge::create_variable`]; [`ForgeError::NotFoundOrNoAccess`] where there is none.
    pub fn update_variable(&self, of: VariablesOf<'_>, new: &NewVariable<'_>) -> Result<Variable, ForgeError> {
        let path = format!("{}/{}", of.path(), path_escaped(new.key));
        let request = RawRequest::put(path, new.body()).with("filter[environment_scope]", new.environment_scope);
        self.query(&request)
    }
}
