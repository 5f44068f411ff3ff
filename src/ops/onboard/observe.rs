//! Looks at what there is of a package.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use secrecy::SecretString;

use crate::ci::{LogSection, Template, TemplateUse, template_uses};
use crate::config::{Forks, Instance, WebhookTokens};
use crate::forge::{
    AccessLevel, FeatureAccess, Forge, HookOwner, ProjectSettings, TriggerToken, Variable, VariablesOf, Webhook,
};
use crate::git::Store;
use crate::ops::onboard::carried::is_carried;
use crate::ops::onboard::{OnboardRun, Projects};
use crate::setup::ci_file::{DIST_GIT_PATH, SOURCE_GIT_PATH, Templates};
use crate::setup::package_facts::{
    BotProject, CiFile, ConnectionVariable, ExistingFork, ForkFacts, JobTokenAccess, OriginalFacts, PackageFacts,
    RepositoryFacts, Side, SignedTokens, TokenUse, TriggerTokenFacts,
};
use crate::setup::plan::triggers::token_description;
use crate::setup::webhook::trigger_url;
use crate::setup::webhook_token::{Secret, TokenScope};
use crate::types::error::{Context as _, ForgeError, Result, UsageError, bail};
use crate::types::{BranchName, CommitId, ProjectPath, Visibility};

/// The bot project's own CI file, and where a package has its configuration.
const HUB_CI: &str = ".gitlab-ci.yml";
const PACKAGE_CONFIG: &str = ".distro/source-git.yaml";
/// The instance file in the bot project, where its CI file does not name another.
const INSTANCE_FILE: &str = "instance.yaml";

/// What a preset says of GitLab's address.
const PRESETS_GITLAB: &str = "https://gitlab.com/";
const PRESETS: [&str; 3] = ["production", "staging", "centos-stream-staging"];

/// The most variables, webhooks, tokens or rules of one project that are looked at.
const LOOKED_AT: usize = 1000;

impl OnboardRun<'_> {
    /// Looks at everything. Writes nothing.
    pub(crate) fn observe(&self, templates: Option<Templates>, secret: Option<&SecretString>) -> Result<PackageFacts> {
        let Projects { source_git, dist_git, originals, hub } = &self.projects;
        let _section =
            LogSection::begin(self.session.log, "onboard", &format!("looking at {source_git} and {dist_git}"));
        let bot = self.session.myself()?.user.username.clone();
        let operator = match self.operator {
            Some(operator) => operator.current_user()?.user.username,
            None => bot.clone(),
        };
        let (hub, hub_uses) = self.hub(hub)?;
        let templates = match (templates, hub_uses) {
            (Some(templates), _) => Ok(templates),
            (None, Ok(yaml)) => Templates::of_bot_project(&yaml),
            (None, Err(lacking)) => Err(lacking),
        };
        let (of_source, of_dist) = originals.as_ref().map(|(source, dist)| (source, dist)).unzip();
        let store = Store::create(self.git)?;
        let mut source = self.repository(&store, Side::SourceGit, source_git, of_source)?;
        let mut dist = self.repository(&store, Side::DistGit, dist_git, of_dist)?;
        let fork = self.fork(dist_git)?;
        let branches = branches(&source);
        let handles = |branch: &String| self.session.instance.targets.handle(source_git.as_str(), branch);
        let is_handled = branches.iter().any(handles);
        let mut maintained = Vec::new();
        let mut not_carried = Vec::new();
        if originals.is_some() {
            // What the instance is to handle yet is set up as if it did.
            let candidates = branches.iter().filter(|branch| !is_handled || handles(branch));
            for branch in candidates.filter(|branch| dist.will_have(branch)) {
                let Ok(branch) = branch.parse::<BranchName>() else { continue };
                let Some(config) = self.file(&source, &branch, PACKAGE_CONFIG)? else { continue };
                if !is_carried(&config) {
                    not_carried.push(branch.clone());
                }
                maintained.push(branch);
            }
            for branch in &maintained {
                for (repository, file) in [(&mut source, SOURCE_GIT_PATH), (&mut dist, DIST_GIT_PATH)] {
                    let there = self.ci_file(repository, branch, file)?;
                    repository.ci_files.insert(branch.clone(), there);
                }
            }
        }
        let calls_the_bot = self.calls_the_bot(&source, &maintained)?;
        let report = fork.as_ref().map_or(dist_git, |fork| &fork.path).clone();
        let report_variables = match &fork {
            Some(ForkFacts { existing: Some(there), .. }) if there.is_fork => variables(&self.session.forge, &report)?,
            Some(_) => None,
            None => variables(self.operator(), &report)?,
        };
        let source_variables = match source.project {
            Some(_) => variables(self.operator(), source_git)?,
            None => None,
        };
        let project_hooks = match source.project {
            Some(_) => self.hooks(HookOwner::Project(source_git))?,
            None => None,
        };
        let is_copy = originals.is_some();
        let hooks_of = if is_copy { source_git.as_str() } else { source_git.namespace() };
        Ok(PackageFacts {
            preset: preset(&self.session.instance, is_copy),
            tokens: self
                .tokens(&hub, |usage| token_description(usage, hooks_of, source_git.as_str(), report.as_str()))?,
            webhook_tokens: proofs(&self.session.instance, secret, source_git, is_copy, &report)?,
            connection: reach(&self.session.instance)?,
            group_hooks: self.hooks(HookOwner::Group(source_git.namespace()))?,
            ancestor_hooks: self.hooks_around(source_git.namespace())?,
            operator,
            bot,
            bot_project: hub,
            templates,
            source_git: source,
            dist_git: dist,
            fork,
            maintained,
            not_carried,
            is_handled: is_handled || branches.is_empty() && handles(&"main".to_owned()),
            project_hooks,
            source_variables,
            report_variables,
            calls_the_bot,
        })
    }

    /// The bot project, and its CI file or what it lacks.
    fn hub(&self, path: &ProjectPath) -> Result<(BotProject, Result<Vec<u8>, String>)> {
        let mine = seen(self.operator().project_settings(path))?;
        let bots = match self.operator {
            Some(_) => seen(self.session.forge.project_settings(path))?,
            None => mine.clone(),
        };
        let role = |settings: &Option<ProjectSettings>| settings.as_ref().and_then(|s| s.access).unwrap_or_default();
        let (operator, bot) = (role(&mine), role(&bots));
        let reader = if mine.is_some() { self.operator() } else { &self.session.forge };
        let settings = mine.or(bots);
        let branch: Option<BranchName> =
            settings.as_ref().and_then(|settings| settings.default_branch.as_deref()?.parse().ok());
        let mut hub = BotProject {
            path: path.clone(),
            instance_file: INSTANCE_FILE.to_owned(),
            trigger_url: None,
            operator_role: operator,
            bot_role: bot,
        };
        let Some((settings, branch)) = settings.zip(branch) else {
            return Ok((hub, Err("it cannot be read".to_owned())));
        };
        hub.trigger_url = Some(trigger_url(&self.session.instance.gitlab.url, settings.id, &branch));
        let yaml = match reader.raw_file(path, &branch, HUB_CI) {
            Ok(Some(yaml)) => yaml,
            Ok(None) => return Ok((hub, Err(format!("there is none on {branch}")))),
            Err(ForgeError::NotFoundOrNoAccess(_) | ForgeError::Forbidden(_)) => {
                return Ok((hub, Err("it cannot be read".to_owned())));
            }
            Err(error) => return Err(error.into()),
        };
        let uses = template_uses(&yaml).unwrap_or_default();
        let instance = uses.iter().find(|used| used.template == Template::Bot).and_then(TemplateUse::instance);
        if let Some(instance) = instance {
            hub.instance_file = crate::types::text::printable(instance.as_bytes());
        }
        Ok((hub, Ok(yaml)))
    }

    /// One of the two repositories, without its CI files.
    fn repository(
        &self,
        store: &Store,
        which: Side,
        path: &ProjectPath,
        original: Option<&ProjectPath>,
    ) -> Result<RepositoryFacts> {
        let forge = self.operator();
        let project = seen(forge.project_settings(path))?;
        if let Some(project) = &project {
            same_spelling(path, &project.path)?;
        }
        let mut repository = RepositoryFacts {
            side: which,
            path: path.clone(),
            project,
            namespace_id: None,
            original: None,
            refs: BTreeMap::new(),
            ahead: BTreeSet::new(),
            protected: None,
            ci_files: BTreeMap::new(),
        };
        let Some(original) = original else {
            if repository.project.is_none() {
                bail!(UsageError::new(
                    format!("there is no {which} project {path}, or your token has no access to it"),
                    "an Owner of its group makes it, or gives you a role in it; check the package's name as well"
                ));
            }
            repository.refs = match which {
                Side::SourceGit => self.refs(store, "source-git", path)?,
                Side::DistGit => BTreeMap::new(),
            };
            return Ok(repository);
        };
        let Some(settings) = seen(forge.project_settings(original))? else {
            bail!(UsageError::new(
                format!("there is no {which} project {original} to copy, or your token has no access to it"),
                "check the package's name; somebody with a role in that project can run this"
            ));
        };
        same_spelling(original, &settings.path)?;
        let visibility = match settings.repository_access_level {
            Some(FeatureAccess::Private | FeatureAccess::Disabled) => Visibility::Private,
            Some(FeatureAccess::Enabled) | None => {
                settings.visibility.context("GitLab does not say who may see the original")?
            }
        };
        let refs = self.refs(store, "the original", original)?;
        let default_branch = settings.default_branch;
        repository.original = Some(OriginalFacts { path: original.clone(), visibility, default_branch, refs });
        match &repository.project {
            None => {
                repository.namespace_id = seen(forge.namespace(path.namespace()))?.map(|namespace| namespace.id);
            }
            Some(_) => {
                repository.refs = self.refs(store, "the copy", path)?;
                repository.ahead = self.ahead(&repository)?;
                repository.protected = readable(forge.protected_branches(path))?
                    .map(|rules| rules.into_iter().map(|rule| rule.name).collect());
            }
        }
        Ok(repository)
    }

    /// All branches and tags.
    fn refs(&self, store: &Store, role: &'static str, path: &ProjectPath) -> Result<BTreeMap<String, CommitId>> {
        let patterns = ["refs/heads/*".to_owned(), "refs/tags/*".to_owned()];
        let listed = self.remote(role, path).list(store, &patterns)?;
        // To git a pattern fits the end of a name too: that of a note, for one.
        let is_one = |name: &str| ["refs/heads/", "refs/tags/"].iter().any(|place| name.starts_with(place));
        Ok(listed.into_iter().filter(|(name, _)| is_one(name) && !name.ends_with("^{}")).collect())
    }

    /// The branches of a copy that hold what the original's hold, and more: onboarding's own commit for one.
    fn ahead(&self, repository: &RepositoryFacts) -> Result<BTreeSet<String>> {
        let mut ahead = BTreeSet::new();
        let Some(original) = &repository.original else { return Ok(ahead) };
        for (name, id) in original.refs.iter().filter(|(name, _)| name.starts_with("refs/heads/")) {
            let differs = repository.refs.get(name).is_some_and(|there| there != id);
            let Some(branch) = name.strip_prefix("refs/heads/").filter(|_| differs) else { continue };
            if self.operator().branches_containing(&repository.path, id)?.iter().any(|with| with == branch) {
                ahead.insert(name.clone());
            }
        }
        Ok(ahead)
    }

    /// A file of a branch: of the copy's where that has the branch, else of the original's, of which it will be a copy.
    fn file(&self, repository: &RepositoryFacts, branch: &BranchName, file: &str) -> Result<Option<Vec<u8>>> {
        let is_there = repository.refs.contains_key(&format!("refs/heads/{branch}"));
        let path = match &repository.original {
            Some(original) if !is_there => &original.path,
            _ => &repository.path,
        };
        Ok(self.operator().raw_file(path, branch, file)?)
    }

    fn ci_file(&self, repository: &RepositoryFacts, branch: &BranchName, file: &str) -> Result<CiFile> {
        let Some(there) = self.file(repository, branch, file)? else { return Ok(CiFile::Missing) };
        let is_the_originals = match &repository.original {
            Some(original) => self.operator().raw_file(&original.path, branch, file)?.as_ref() == Some(&there),
            None => false,
        };
        Ok(if is_the_originals { CiFile::Original(there) } else { CiFile::Other(there) })
    }

    /// Whether source-git's CI file includes the job that asks the bot to look; not where that has the bot's own token.
    fn calls_the_bot(&self, source: &RepositoryFacts, maintained: &[BranchName]) -> Result<bool> {
        let Some(project) = &source.project else { return Ok(false) };
        let file = project.ci_config_path.as_deref().filter(|path| !path.is_empty()).unwrap_or(HUB_CI);
        // In another project, or somewhere in the net: not ours to follow.
        if file.contains(['@', ':']) {
            return Ok(false);
        }
        let default = project.default_branch.as_deref().and_then(|branch| branch.parse().ok());
        for branch in maintained.iter().chain(&default) {
            let yaml = match self.operator().raw_file(&source.path, branch, file) {
                Err(ForgeError::Forbidden(_)) => None,
                found => found?,
            };
            let uses = yaml.and_then(|yaml| template_uses(&yaml).ok()).unwrap_or_default();
            let asks = |used: &TemplateUse| {
                used.template == Template::SourceGit && used.inputs.get("mode").is_none_or(|mode| mode != "direct")
            };
            if uses.iter().any(asks) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fork(&self, dist_git: &ProjectPath) -> Result<Option<ForkFacts>> {
        if self.session.instance.forks == Forks::DistGit {
            return Ok(None);
        }
        let (path, forge) = (self.session.fork_of(dist_git)?, &self.session.forge);
        let Some(settings) = seen(forge.project_settings(&path))? else {
            return Ok(Some(ForkFacts { path, existing: None }));
        };
        let parent = forge.project(&path)?.forked_from;
        let is_fork = match parent {
            Some(parent) => match parent.path {
                Some(path) => path == *dist_git,
                None => seen(forge.project(dist_git))?.is_some_and(|dist_git| dist_git.id == parent.id),
            },
            None => false,
        };
        let job_tokens = self.job_tokens(&path, &settings)?;
        Ok(Some(ForkFacts { path, existing: Some(ExistingFork { settings, is_fork, job_tokens }) }))
    }

    /// How far a project of the bot's is open to other projects' jobs.
    pub(crate) fn job_tokens(&self, path: &ProjectPath, settings: &ProjectSettings) -> Result<Option<JobTokenAccess>> {
        let forge = &self.session.forge;
        let scope = match forge.job_token_scope(path) {
            Ok(scope) => scope,
            Err(ForgeError::Forbidden(_) | ForgeError::NotFoundOrNoAccess(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let projects = readable(forge.job_token_projects(path))?.unwrap_or_default();
        let groups = readable(forge.job_token_groups(path))?.unwrap_or_default();
        let projects = projects.into_iter().filter(|project| project.id != settings.id);
        let let_in = projects.map(|project| project.path.to_string()).chain(groups.into_iter().map(|group| group.name));
        Ok(Some(JobTokenAccess { scope, allowlist: let_in.collect() }))
    }

    fn hooks(&self, owner: HookOwner<'_>) -> Result<Option<Vec<Webhook>>> {
        readable(self.operator().webhooks(owner))
    }

    /// The webhooks of the groups around a group, as far as they may be read, each with its group.
    fn hooks_around(&self, group: &str) -> Result<Vec<(String, Webhook)>> {
        let around = |group: &str| group.rsplit_once('/').map(|(around, _)| around.to_owned());
        let mut found = Vec::new();
        for group in std::iter::successors(around(group), |group| around(group)) {
            let hooks = self.hooks(HookOwner::Group(&group))?.unwrap_or_default();
            found.extend(hooks.into_iter().map(|hook| (group.clone(), hook)));
        }
        Ok(found)
    }

    /// The trigger tokens that are there, each as its owner sees it where that is somebody whose token is at hand.
    fn tokens(
        &self,
        hub: &BotProject,
        description: impl Fn(TokenUse) -> String,
    ) -> Result<BTreeMap<TokenUse, TriggerTokenFacts>> {
        let viewers = [(self.operator, hub.operator_role), (Some(&self.session.forge), hub.bot_role)];
        let mut found = BTreeMap::new();
        for (forge, role) in viewers {
            let Some(forge) = forge.filter(|_| role >= AccessLevel::MAINTAINER) else { continue };
            let viewer = forge.current_user()?.user.id;
            let tokens: Vec<TriggerToken> = readable(forge.trigger_tokens(&hub.path))?.unwrap_or_default();
            for usage in TokenUse::ALL {
                let wanted = description(usage);
                let of_use = tokens.iter().filter(|token| token.description == wanted);
                for token in of_use {
                    let is_own = token.owner.as_ref().is_some_and(|owner| owner.id == viewer);
                    let owner = token.owner.as_ref().map(|owner| owner.username.clone()).unwrap_or_default();
                    let seen = TriggerTokenFacts { owner, token: is_own.then(|| token.token.clone()) };
                    let slot = found.entry(usage).or_insert_with(|| seen.clone());
                    if slot.token.is_none() && seen.token.is_some() {
                        *slot = seen;
                    }
                }
            }
        }
        Ok(found)
    }
}

/// The names of the branches that a source-git project has, or will have.
fn branches(source: &RepositoryFacts) -> BTreeSet<String> {
    let original = source.original.iter().flat_map(|original| original.refs.keys());
    let names = source.refs.keys().chain(original);
    names.filter_map(|name| Some(name.strip_prefix("refs/heads/")?.to_owned())).collect()
}

/// GitLab finds a project whatever the case of the letters; namespaces and the bot's own lists know one spelling.
fn same_spelling(asked: &ProjectPath, found: &ProjectPath) -> Result<()> {
    if asked == found {
        return Ok(());
    }
    bail!(UsageError::new(
        format!("there is no {asked} on this GitLab, but there is {found}"),
        "spell the package, and the instance's namespaces, as GitLab does"
    ));
}

/// What may not be there, or not for this user.
fn seen<T>(found: Result<T, ForgeError>) -> Result<Option<T>, ForgeError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(ForgeError::NotFoundOrNoAccess(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A list, where it may be read.
fn readable<T>(list: impl Iterator<Item = Result<T, ForgeError>>) -> Result<Option<Vec<T>>> {
    match list.take(LOOKED_AT).collect::<Result<Vec<T>, _>>() {
        Ok(items) => Ok(Some(items)),
        Err(ForgeError::NotFoundOrNoAccess(_) | ForgeError::Forbidden(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn variables(forge: &Forge, path: &ProjectPath) -> Result<Option<Vec<Variable>>> {
    readable(forge.variables(VariablesOf::Project(path)))
}

/// The preset that jobs outside the bot project, which have no instance file, know the instance by.
fn preset(instance: &Instance, is_copy: bool) -> &'static str {
    let named = PRESETS.into_iter().find(|preset| *preset == instance.name);
    named.unwrap_or(if is_copy { "staging" } else { "production" })
}

/// What such a job has to be told of GitLab, since the preset says something else.
fn reach(instance: &Instance) -> Result<Vec<ConnectionVariable>> {
    let mut reach = Vec::new();
    if instance.gitlab.url.as_str() != PRESETS_GITLAB {
        let value = instance.gitlab.url.as_str().trim_end_matches('/').into();
        reach.push(ConnectionVariable { key: "SGB_GITLAB_URL", value, is_file: false });
    }
    if let Some(file) = &instance.gitlab.ca_file {
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        reach.push(ConnectionVariable { key: "SGB_CA_FILE", value: text.into(), is_file: true });
    }
    Ok(reach)
}

/// Makes the webhook tokens that the instance demands.
fn proofs(
    instance: &Instance,
    secret: Option<&SecretString>,
    source_git: &ProjectPath,
    is_copy: bool,
    report: &ProjectPath,
) -> Result<SignedTokens> {
    if instance.webhook_tokens == WebhookTokens::Ignored {
        return Ok(SignedTokens::NotRequired);
    }
    let Some(secret) = secret.cloned().and_then(Secret::new) else { return Ok(SignedTokens::NoSecret) };
    let of = |path: &ProjectPath| TokenScope::new(path.namespace(), Some(path.name())).map(|scope| secret.sign(&scope));
    let group = TokenScope::new(source_git.namespace(), None).map(|scope| secret.sign(&scope));
    Ok(SignedTokens::Signed {
        hooks: if is_copy { of(source_git)? } else { group? },
        source_git: of(source_git)?,
        report: of(report)?,
    })
}
