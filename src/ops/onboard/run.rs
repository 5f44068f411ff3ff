//! What a run of `onboard` works with.

use secrecy::SecretString;

use crate::config::{CopyOf, Instance, Namespace, NamespacePair};
use crate::forge::Forge;
use crate::git::Git;
use crate::git::remote::Remote;
use crate::ops::session::Session;
use crate::setup::package_name::PackageName;
use crate::setup::step::Actor;
use crate::types::ProjectPath;
use crate::types::error::{ForgeError, Result, UsageError, bail};
use crate::types::finding::quoted;

/// The CI file of a project that names no other.
pub(super) const DEFAULT_CI_FILE: &str = ".gitlab-ci.yml";

/// The most variables, webhooks, tokens or branch rules that are read of one project.
const MAX_LISTED: usize = 1000;

/// One package, to be put under the instance's care.
pub(super) struct OnboardRun<'a> {
    pub(super) session: &'a Session,
    /// GitLab as the operator; `None` if the bot's user does everything.
    pub(super) operator: Option<&'a Forge>,
    pub(super) operator_token: Option<SecretString>,
    pub(super) git: &'a Git,
    pub(super) projects: PackageProjects,
}

/// The projects of a package, and of the bot.
pub(crate) struct PackageProjects {
    pub(crate) source_git: ProjectPath,
    pub(crate) dist_git: ProjectPath,
    /// The source-git and dist-git projects that these are copies of.
    pub(super) originals: Option<(ProjectPath, ProjectPath)>,
    pub(crate) bot_project: ProjectPath,
}

impl PackageProjects {
    pub(super) fn of(package: &PackageName, instance: &Instance, namespace: Option<&str>) -> Result<Self> {
        let pair = namespace_pair(instance, namespace)?;
        let within = |namespace: &Namespace| format!("{namespace}/{package}").parse::<ProjectPath>();
        let originals = match &pair.copy_of {
            Some(CopyOf { source_git, dist_git }) => Some((within(source_git)?, within(dist_git)?)),
            None => None,
        };
        let Some(bot_project) = &instance.bot_project else {
            bail!(UsageError::new(
                "the instance does not say which project runs the bot",
                "set `bot_project` in the instance file; with a preset, set SGB_BOT_PROJECT to its path"
            ));
        };
        Ok(Self {
            source_git: within(&pair.source_git)?,
            dist_git: within(&pair.dist_git)?,
            originals,
            bot_project: bot_project.as_str().parse()?,
        })
    }
}

/// Returns the pair with the given source-git namespace, or the only pair.
fn namespace_pair<'a>(instance: &'a Instance, namespace: Option<&str>) -> Result<&'a NamespacePair> {
    let pairs = instance.namespaces.pairs();
    let listed = || pairs.iter().map(|pair| format!("`{}`", pair.source_git)).collect::<Vec<_>>().join(", ");
    let found = match (namespace, pairs) {
        (Some(namespace), pairs) => pairs.iter().find(|pair| pair.source_git.as_str() == namespace),
        (None, [pair]) => Some(pair),
        (None, _) => None,
    };
    match (found, namespace) {
        (Some(pair), _) => Ok(pair),
        (None, Some(namespace)) => bail!(UsageError::new(
            format!("{} is no source-git namespace of the instance", quoted(namespace.as_bytes())),
            format!("its source-git namespaces are {}", listed())
        )),
        (None, None) => bail!(UsageError::new(
            "the instance has several namespaces that the package could be in",
            format!("name its source-git namespace with `--namespace`: {}", listed())
        )),
    }
}

impl OnboardRun<'_> {
    /// Returns GitLab as the operator, or else as the bot.
    pub(super) fn operator(&self) -> &Forge {
        self.operator.unwrap_or(&self.session.forge)
    }

    pub(super) fn forge(&self, actor: Actor) -> &Forge {
        match actor {
            Actor::Operator => self.operator(),
            Actor::Bot => &self.session.forge,
        }
    }

    /// Returns a repository, to be reached with the operator's token, or else with the bot's.
    pub(super) fn remote(&self, role: &'static str, project: &ProjectPath) -> Remote {
        let token = self.operator_token.clone().unwrap_or_else(|| self.session.token.clone());
        let access = self.session.git_access(token);
        Remote { role, url: self.operator().git_url(project), access }
    }
}

/// Turns "not found" into `None`: it may not exist, or this user may not see it.
pub(super) fn if_found<T>(found: Result<T, ForgeError>) -> Result<Option<T>, ForgeError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Collects a list; `None` if this user may not read it.
pub(super) fn if_readable<T>(list: impl Iterator<Item = Result<T, ForgeError>>) -> Result<Option<Vec<T>>> {
    match list.take(MAX_LISTED).collect::<Result<Vec<T>, _>>() {
        Ok(items) => Ok(Some(items)),
        Err(ForgeError::NotFoundOrNoAccess(_) | ForgeError::Forbidden(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
