//! `sync`: the dist-git merge request of a source-git merge request, opened or brought up to date.
//!
//! Everything is read from GitLab; what the job or a person says only tells which merge request to look at. The plan
//! comes from `pair`; here it is observed, shown or applied.

mod apply;
mod observe;
mod show;

use std::time::Duration;

use anyhow::{Result, bail};
use secrecy::SecretString;

use super::Surroundings;
use super::merge_request_reference::MergeRequestReference;
use crate::ci::{Job, Log, Section};
use crate::cli::{self, Global};
use crate::config::{Environment, Forks, Instance, Pauses};
use crate::exit::{NoCredentials, UsageError};
use crate::forge::{Connection, CurrentUser, Forge, MergeRequest, MergeRequestState, ProjectPath, RetryPolicy, Writes};
use crate::git::Git;
use crate::git::remote::{Access, Remote, RemoteError};
use crate::git::store::{Person, Store};
use crate::pair::plan::{self, Outcome};
use crate::pair::{BranchName, branch};
use crate::transform::Refusal;

/// The instance where none is named.
const DEFAULT_INSTANCE: &str = "production";

/// How long to wait before a fetch is tried again.
const FETCH_PAUSE: Duration = Duration::from_secs(2);

/// What one run works with.
struct Run<'a> {
    instance: &'a Instance,
    forge: &'a Forge,
    pauses: Pauses,
    token: &'a SecretString,
    git: &'a Git,
    log: Log,
    bot: CurrentUser,
    source: MergeRequest,
    source_path: ProjectPath,
    dist_path: ProjectPath,
    branch: BranchName,
}

/// Runs the command.
pub(super) fn run(arguments: &cli::Sync, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let environment = Environment::read(surroundings.variables.clone())?;
    let job = Job::read(&surroundings.variables);
    let name = global.instance.as_deref().or(environment.instance.as_deref()).unwrap_or(DEFAULT_INSTANCE);
    let instance = Instance::load(name, &environment)?;
    let Some(named) = arguments.merge_request.as_ref().or(job.merge_request.as_ref()) else {
        bail!(UsageError {
            text: "no merge request is named, and this is not a merge request pipeline".to_owned(),
            hint: "name it: `--merge-request group/project!7`".to_owned(),
        });
    };
    let reference = MergeRequestReference::parse(named, &instance.gitlab.url)?;
    let Some(dist_path) = instance.namespaces.dist_git_of(reference.project.as_str()) else {
        tracing::info!(
            "{} is not a source-git project of the instance {}: nothing to do",
            reference.project,
            instance.name
        );
        return Ok(());
    };
    let Some(token) = &environment.token else { bail!(NoCredentials) };
    let git = Git::find(&surroundings.search_path)?;
    let forge = Forge::new(Connection {
        base_url: instance.gitlab.url.clone(),
        token: token.clone(),
        ca_file: instance.gitlab.ca_file.clone(),
        proxy: instance.gitlab.proxy.clone(),
        writes: if global.dry_run { Writes::Refused } else { Writes::Allowed },
        retry: match environment.pauses() {
            Pauses::Taken => RetryPolicy::default(),
            Pauses::Skipped => RetryPolicy::default().without_pauses(),
        },
    })?;
    let work = Work {
        instance: &instance,
        forge: &forge,
        pauses: environment.pauses(),
        token,
        git: &git,
        log: job.log,
        reference,
        dist_path: dist_path.parse()?,
    };
    match work.once(global, surroundings) {
        Err(error) if matches!(error.downcast_ref(), Some(RemoteError::Stale { .. })) => {
            tracing::warn!("{error}; looking at everything again");
            work.once(global, surroundings)
        }
        outcome => outcome,
    }
}

/// One merge request to be synced, and what that takes.
struct Work<'a> {
    instance: &'a Instance,
    forge: &'a Forge,
    pauses: Pauses,
    token: &'a SecretString,
    git: &'a Git,
    log: Log,
    reference: MergeRequestReference,
    dist_path: ProjectPath,
}

impl Work<'_> {
    /// Syncs what is there now.
    fn once(&self, global: &Global, surroundings: &Surroundings) -> Result<()> {
        let MergeRequestReference { project, iid, .. } = &self.reference;
        let source = {
            let _section = Section::begin(self.log, "merge_request", &format!("reading {project}!{iid}"));
            self.forge.merge_request(project, *iid)?
        };
        if source.state != MergeRequestState::Opened {
            tracing::info!("the merge request is not open: nothing to do");
            return Ok(());
        }
        if !self.instance.targets.handle(project.as_str(), &source.target_branch) {
            tracing::info!("the instance {} does not handle the target branch: nothing to do", self.instance.name);
            return Ok(());
        }
        let target: BranchName = source.target_branch.parse()?;
        let run = Run {
            instance: self.instance,
            forge: self.forge,
            token: self.token,
            git: self.git,
            log: self.log,
            pauses: self.pauses,
            bot: self.forge.current_user()?,
            branch: branch::name(&target, source.iid)?,
            source,
            source_path: project.clone(),
            dist_path: self.dist_path.clone(),
        };
        run.sync(target, global, surroundings)
    }
}

impl Run<'_> {
    fn sync(&self, target: BranchName, global: &Global, surroundings: &Surroundings) -> Result<()> {
        let mut store = Store::create(self.git)?;
        let Some(seen) = self.observe(&mut store, target)? else { return Ok(()) };
        let observed = seen.observed(self)?;
        let plan = plan::sync(&observed);
        if global.dry_run {
            self.show(&store, &seen, &observed, &plan, global.output, surroundings.paint)?;
        } else {
            self.apply(&store, &seen, &plan)?;
        }
        match (plan.outcome, seen.refusal()) {
            (Outcome::Done, _) => Ok(()),
            (Outcome::CannotBeSynced, Some(refusal)) => bail!(refusal),
            (Outcome::CannotBeSynced, None) => bail!(Refusal::new(
                "the merge request cannot be synced to dist-git",
                "see the bot's note on the merge request",
            )),
        }
    }

    /// How the servers of this instance are reached.
    fn access(&self) -> Access {
        Access {
            token: Some(self.token.clone()),
            ca_file: self.instance.gitlab.ca_file.clone(),
            proxy: self.instance.gitlab.proxy.clone(),
            first_pause: match self.pauses {
                Pauses::Taken => FETCH_PAUSE,
                Pauses::Skipped => Duration::ZERO,
            },
        }
    }

    fn remote(&self, role: &'static str, project: &ProjectPath) -> Remote {
        Remote { role, url: self.forge.git_url(project), access: self.access() }
    }

    /// The project that holds the bot's branch, or will.
    fn fork_path(&self) -> Result<ProjectPath> {
        let name = self.dist_path.name();
        Ok(match &self.instance.forks {
            Forks::BotUser => format!("{}/{name}", self.bot.user.username).parse()?,
            Forks::Group(group) => format!("{}/{name}", group.as_str()).parse()?,
            Forks::DistGit => self.dist_path.clone(),
        })
    }

    /// Who the bot's commits are by.
    fn person(&self) -> Person {
        let user = &self.bot.user;
        let email = self.bot.commit_email.clone().or_else(|| self.bot.email.clone());
        let email = email.filter(|email| !email.is_empty());
        Person {
            name: user.name.clone(),
            email: email.unwrap_or_else(|| format!("{}@users.noreply.invalid", user.username)),
        }
    }
}
