//! `onboard`: puts a package under an instance's care, whatever of it is done already, and says what is left to a person.
//!
//! What there is is read, the plan comes from `setup`, and is shown or applied. Everything can be run again: what was made
//! is found, nothing is made twice, and nothing that people did is undone.

pub(crate) mod apply;
mod carried;
pub(crate) mod copy;
pub(crate) mod observe;

use secrecy::SecretString;

use crate::config::{CopyOf, Instance, NamespacePair, Pauses};
use crate::forge::{Forge, TokenKind};
use crate::git::Git;
use crate::git::remote::{Access, Remote};
use crate::ops::onboard::apply::OnboardSteps;
use crate::ops::session::{Mode, Session, SessionSettings};
use crate::setup::ci_file::Templates;
use crate::setup::package_name::PackageName;
use crate::setup::plan;
use crate::setup::step::Actor;
use crate::types::ProjectPath;
use crate::types::error::{Error, NoCredentials, Result, UsageError, bail};
use crate::types::finding::quoted;

/// Which package to put under an instance's care.
#[derive(Clone, Debug)]
pub(crate) struct OnboardRequest {
    pub(crate) package: PackageName,
    /// The source-git namespace that it is in, where the instance has several.
    pub(crate) namespace: Option<String>,
    /// Where the package's CI file has the templates from; else as the bot project.
    pub(crate) templates: Option<Templates>,
}

/// What came of it.
pub(crate) struct Onboarded {
    /// The instance's short name.
    pub(crate) instance: String,
    pub(crate) projects: Projects,
    pub(crate) steps: OnboardSteps,
    /// What ended the run before all was done.
    pub(crate) error: Option<Error>,
}

/// Puts a package under the instance's care.
pub(crate) fn onboard(request: &OnboardRequest, settings: SessionSettings, mode: Mode) -> Result<Onboarded> {
    let projects = Projects::of(&request.package, &settings.instance, request.namespace.as_deref())?;
    let environment = settings.environment();
    let secret = environment.webhook_secret.clone();
    let operator_token = environment.operator_token.clone();
    if environment.token.is_none() {
        bail!(NoCredentials::AccessToken);
    }
    let operator = operator_token.clone().map(|token| settings.forge(token, TokenKind::Access, mode)).transpose()?;
    let session = settings.connect(mode)?;
    let git = session.git()?;
    let run = OnboardRun { session: &session, operator: operator.as_ref(), operator_token, git, projects };
    let seen = run.observe(request.templates.clone(), secret.as_ref())?;
    let plan = plan::plan(&seen);
    let (steps, error) = match mode {
        Mode::DryRun => (OnboardSteps::planned(plan), None),
        Mode::Apply => run.apply(&seen, plan),
    };
    Ok(Onboarded { instance: session.instance.short_name(), projects: run.projects, steps, error })
}

/// What one run works with.
struct OnboardRun<'a> {
    session: &'a Session,
    /// Whoever sets up; nothing where the bot's user does everything.
    operator: Option<&'a Forge>,
    operator_token: Option<SecretString>,
    git: &'a Git,
    projects: Projects,
}

/// The projects of a package, and of the bot.
pub(crate) struct Projects {
    pub(crate) source_git: ProjectPath,
    pub(crate) dist_git: ProjectPath,
    /// What they are copies of.
    originals: Option<(ProjectPath, ProjectPath)>,
    pub(crate) hub: ProjectPath,
}

impl Projects {
    fn of(package: &PackageName, instance: &Instance, namespace: Option<&str>) -> Result<Self> {
        let pair = pair(instance, namespace)?;
        let within = |namespace: &crate::config::Namespace| format!("{namespace}/{package}").parse::<ProjectPath>();
        let originals = match &pair.copy_of {
            Some(CopyOf { source_git, dist_git }) => Some((within(source_git)?, within(dist_git)?)),
            None => None,
        };
        let Some(hub) = &instance.bot_project else {
            bail!(UsageError::new(
                "the instance does not say which project runs the bot",
                "set `bot_project` in the instance file; with a preset, set SGB_BOT_PROJECT to its path"
            ));
        };
        Ok(Self {
            source_git: within(&pair.source_git)?,
            dist_git: within(&pair.dist_git)?,
            originals,
            hub: hub.as_str().parse()?,
        })
    }
}

/// Returns the pair of namespaces that is meant.
fn pair<'a>(instance: &'a Instance, namespace: Option<&str>) -> Result<&'a NamespacePair> {
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
    /// GitLab as whoever sets up sees it.
    fn operator(&self) -> &Forge {
        self.operator.unwrap_or(&self.session.forge)
    }

    fn forge(&self, actor: Actor) -> &Forge {
        match actor {
            Actor::Operator => self.operator(),
            Actor::Bot => &self.session.forge,
        }
    }

    /// A repository as whoever sets up reaches it.
    fn remote(&self, role: &'static str, project: &ProjectPath) -> Remote {
        let gitlab = &self.session.instance.gitlab;
        let access = Access {
            token: Some(self.operator_token.clone().unwrap_or_else(|| self.session.token.clone())),
            ca_file: gitlab.ca_file.clone(),
            proxy: gitlab.proxy.clone(),
            timeout: gitlab.timeout,
            first_pause: match self.session.pauses {
                Pauses::Taken => crate::ops::sync::FETCH_PAUSE,
                Pauses::Skipped => std::time::Duration::ZERO,
            },
        };
        Remote { role, url: self.operator().git_url(project), access }
    }
}
