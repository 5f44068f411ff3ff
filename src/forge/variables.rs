//! CI/CD variables of projects and groups.

use gitlab::api::common::{NameOrId, path_escaped};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::forge::client::{Forge, or_default};
use crate::forge::error::ForgeError;
use crate::forge::request::RawRequest;
use crate::types::ProjectPath;

/// The scope of a variable that jobs with any environment, and with none, get.
pub const ANY_ENVIRONMENT: &str = "*";

/// Whose variables are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariablesOf<'a> {
    /// A project's, which its Maintainers see.
    Project(&'a ProjectPath),
    /// A group's, which its Owners see; the jobs of all projects in it and its subgroups get them.
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

/// What a job finds in the environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableType {
    /// The value.
    #[default]
    EnvVar,
    /// The path of a file that holds the value.
    File,
}

/// A CI/CD variable.
#[derive(Clone, Debug, Deserialize)]
pub struct Variable {
    /// Its name.
    pub key: String,
    /// Its value; nothing where GitLab shows it to nobody any more.
    #[serde(default)]
    pub value: Option<SecretString>,
    /// Whether only jobs on protected branches and tags get it.
    #[serde(default, deserialize_with = "or_default")]
    pub protected: bool,
    /// Whether job logs mask it.
    #[serde(default, deserialize_with = "or_default")]
    pub masked: bool,
    /// Whether its value is taken as it is; else `$NAME` in it is replaced. GitLab before 15.6 does not say.
    #[serde(default, deserialize_with = "or_default")]
    pub raw: bool,
    /// Whether GitLab shows its value to nobody.
    #[serde(default, deserialize_with = "or_default")]
    pub hidden: bool,
    /// What a job finds in the environment.
    #[serde(default, deserialize_with = "or_default")]
    pub variable_type: VariableType,
    /// Which environments' jobs get it: a name or pattern, [`ANY_ENVIRONMENT`] for all.
    #[serde(default = "any_environment")]
    pub environment_scope: String,
}

fn any_environment() -> String {
    ANY_ENVIRONMENT.to_owned()
}

/// A CI/CD variable as it is to be: made so, or changed to be so.
#[derive(Clone, Copy, Debug)]
pub struct NewVariable<'a> {
    /// Its name.
    pub key: &'a str,
    /// Its value.
    pub value: &'a SecretString,
    /// Whether only jobs on protected branches and tags get it.
    pub protected: bool,
    /// Whether job logs mask it. GitLab refuses that for values of fewer than eight characters and those that hold
    /// whitespace.
    pub masked: bool,
    /// Whether its value is taken as it is; else `$NAME` in it is replaced.
    pub raw: bool,
    /// What a job finds in the environment.
    pub variable_type: VariableType,
    /// Which environments' jobs get it: [`ANY_ENVIRONMENT`] for all.
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
    /// Returns the variables of a project or group, those of groups around it not included; read page by page.
    ///
    /// # Errors
    ///
    /// [`ForgeError::Forbidden`] where the token's user is no Maintainer of the project, or no Owner of the group.
    pub fn variables(&self, of: VariablesOf<'_>) -> impl Iterator<Item = Result<Variable, ForgeError>> + use<'_> {
        self.list(Ok(RawRequest::get(of.path())))
    }

    /// Makes a variable.
    ///
    /// # Errors
    ///
    /// As [`Forge::variables`]; [`ForgeError::Refused`] where there is one of that key and scope, or where the value
    /// cannot be masked.
    pub fn create_variable(&self, of: VariablesOf<'_>, new: &NewVariable<'_>) -> Result<Variable, ForgeError> {
        self.query(&RawRequest::post(of.path(), new.body()))
    }

    /// Changes the variable of the same key and scope into `new`.
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
