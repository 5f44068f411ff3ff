//! `onboard`: puts a package under an instance's care, whatever of it is done already, and says what is left to a person.
//!
//! What there is is read, the plan comes from `setup`, and is shown or applied. Everything can be run again: what was made
//! is found, nothing is made twice, and nothing that people did is undone.

pub(crate) mod apply;
pub(crate) mod copy;
pub(crate) mod observe;
use secrecy::SecretString;

use crate::cli::args::{self, Global};
use crate::cli::render::onboard as onboard_render;
use crate::config::{CopyOf, Instance, NamespacePair, Pauses};
use crate::forge::{Forge, TokenKind};
use crate::git::Git;
use crate::git::remote::{Access, Remote};
use crate::ops::Surroundings;
use crate::ops::session::{Bot, Setting};
use crate::setup::ci_file::Templates;
use crate::setup::package::PackageName;
use crate::setup::plan;
use crate::setup::step::Actor;
use crate::setup::todo::Why;
use crate::types::ProjectPath;
use crate::types::error::{NoCredentials, Result, UsageError, bail};
use crate::types::finding::quoted;

/// Runs the command.
pub(crate) fn run(arguments: &args::Onboard, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let package: PackageName = arguments.package.parse().map_err(|error| {
        UsageError::new(
            format!("{} {error}", quoted(arguments.package.as_bytes())),
            "name the package as GitLab has it in its projects' addresses, such as `bash` or `python3.12`: letters, \
               digits, `_`, `-` and `.`",
        )
    })?;
    let setting = Setting::read(global, surroundings)?;
    let templates = named_templates(arguments)?;
    let projects = Projects::of(&package, &setting.instance, arguments.namespace.as_deref())?;
    let environment = setting.environment();
    let secret = environment.webhook_secret.clone();
    let operator_token = environment.operator_token.clone();
    if environment.token.is_none() {
        bail!(NoCredentials::AccessToken);
    }
    let operator = operator_token.clone().map(|token| setting.forge(token, TokenKind::Access, global)).transpose()?;
    let bot = setting.connect(global)?;
    let git = Git::find(&surroundings.search_path)?;
    let run = Run { bot: &bot, operator: operator.as_ref(), operator_token, git: &git, projects };
    let seen = run.observe(templates, secret.as_ref())?;
    let plan = plan::plan(&seen);
    let (done, ended) = if global.dry_run { (apply::Done::planned(plan), Ok(())) } else { run.apply(&seen, plan) };
    let shown =
        onboard_render::Shown { package: &package, instance: &bot.instance, projects: &run.projects, done: &done };
    shown.print(global, surroundings.paint)?;
    ended?;
    let undone = done.left.iter().filter(|left| left.why == Why::Undone).count();
    if undone > 0 {
        bail!("{package} is not under the bot's care yet: not all could be done, see above");
    }
    Ok(())
}

/// What one run works with.
struct Run<'a> {
    bot: &'a Bot,
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

/// Reads where the templates are, where the command line says that.
fn named_templates(arguments: &args::Onboard) -> Result<Option<Templates>> {
    let Some((templates, image)) = arguments.templates.as_deref().zip(arguments.image.as_deref()) else {
        return Ok(None);
    };
    let (project, reference) = templates.rsplit_once('@').unwrap_or((templates, ""));
    let templates = Templates::new(project, reference, image).map_err(|text| UsageError::new(text, "give both: `--templates group/source-git-bot@v0.1.0 --image registry.example.com/group/source-git-bot:0.1.0`"))?;
    Ok(Some(templates))
}

impl Run<'_> {
    /// GitLab as whoever sets up sees it.
    fn operator(&self) -> &Forge {
        self.operator.unwrap_or(&self.bot.forge)
    }

    fn forge(&self, actor: Actor) -> &Forge {
        match actor {
            Actor::Operator => self.operator(),
            Actor::Bot => &self.bot.forge,
        }
    }

    /// A repository as whoever sets up reaches it.
    fn remote(&self, role: &'static str, project: &ProjectPath) -> Remote {
        let gitlab = &self.bot.instance.gitlab;
        let access = Access {
            token: Some(self.operator_token.clone().unwrap_or_else(|| self.bot.token.clone())),
            ca_file: gitlab.ca_file.clone(),
            proxy: gitlab.proxy.clone(),
            timeout: gitlab.timeout,
            first_pause: match self.bot.pauses {
                Pauses::Taken => crate::ops::sync::FETCH_PAUSE,
                Pauses::Skipped => std::time::Duration::ZERO,
            },
        };
        Remote { role, url: self.operator().git_url(project), access }
    }
}
