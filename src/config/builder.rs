//! An instance while it is put together: later layers win key by key, and each value keeps where it comes from.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::config::error::ConfigError;
use crate::config::file::{CopyOfKeys, ForksKey, ForksWord, PairKeys, TargetKeys, Wrong};
use crate::config::instance::{CiFiles, Forks, Gitlab, Instance, Results, WebhookTokens};
use crate::config::layer::Layer;
use crate::config::namespaces::{CopyOf, Namespace, NamespaceError, NamespaceMap, NamespacePair};
use crate::config::origin::{Given, Settings};
use crate::config::targets::{NamePattern, Target, Targets};

/// For how many days branches stay where the instance says nothing.
const KEPT: u32 = 14;

/// The longest label that GitLab takes, in characters.
const LABEL_LIMIT: usize = 255;

/// The time where an instance says nothing. GitLab itself gives a request up after 60 s (Puma's worker timeout).
const TIMEOUT: Duration = Duration::from_secs(75);

/// An instance of which some things are not known yet.
#[derive(Default)]
pub(super) struct Parts {
    url: Option<Given<Url>>,
    ca_file: Option<Given<PathBuf>>,
    proxy: Option<Given<Url>>,
    timeout: Option<Given<Duration>>,
    namespaces: Option<Given<NamespaceMap>>,
    forks: Option<Given<Forks>>,
    targets: Option<Given<Targets>>,
    ci_files: Option<Given<CiFiles>>,
    results: Option<Given<Results>>,
    label: Option<Given<String>>,
    webhook_tokens: Option<Given<WebhookTokens>>,
    bot_project: Option<Given<Namespace>>,
    test_package: Option<Given<String>>,
    keep_branches: Option<Given<u32>>,
}

/// What is wrong with the value of a key: where below it, and what.
struct Below(String, String);

impl<T: ToString> From<T> for Below {
    fn from(text: T) -> Self {
        Self(String::new(), text.to_string())
    }
}

/// All that is wrong with a value; nothing where that is told already.
type AllBelow = Vec<Below>;

/// One layer that is taken over.
struct Taking<'a> {
    layer: &'a Layer<'a>,
    errors: &'a mut Vec<ConfigError>,
}

impl Taking<'_> {
    /// Takes over what the layer says of `key`, where it says something, and reads it.
    fn take<S, T>(
        &mut self,
        part: &mut Option<Given<T>>,
        key: &str,
        said: Option<&S>,
        read: impl FnOnce(&S) -> Result<T, AllBelow>,
    ) {
        match said.map(read) {
            None => {}
            Some(Ok(value)) => *part = Some(Given { value, origin: self.layer.origin(key) }),
            Some(Err(wrong)) => self.errors.extend(wrong.into_iter().map(|Below(below, text)| {
                self.layer.error(Wrong { path: format!("{key}{below}"), text, remedy: None })
            })),
        }
    }
}

/// Returns what is wrong where that is one thing.
fn one<T, E: Into<Below>>(result: Result<T, E>) -> Result<T, AllBelow> {
    result.map_err(|error| vec![error.into()])
}

impl Parts {
    /// Takes over what a layer says; adds what is wrong with it to `errors`.
    pub(super) fn apply(&mut self, layer: &Layer<'_>, errors: &mut Vec<ConfigError>) {
        let says = &layer.says;
        let gitlab = &says.gitlab;
        let mut taking = Taking { layer, errors };
        taking.take(&mut self.url, "gitlab.url", gitlab.url.as_ref(), |text| one(address(text)));
        taking.take(&mut self.ca_file, "gitlab.ca_file", gitlab.ca_file.as_ref(), |text| {
            match (&**text, layer.directory) {
                ("", _) => one(Err("must be the path of a file")),
                (path, Some(directory)) => Ok(directory.join(path)),
                (path, None) => Ok(PathBuf::from(path)),
            }
        });
        taking.take(&mut self.proxy, "gitlab.proxy", gitlab.proxy.as_ref(), |text| one(address(text)));
        taking.take(&mut self.timeout, "gitlab.timeout", gitlab.timeout.as_ref(), |s| Ok(Duration::from_secs(*s)));
        taking.take(&mut self.namespaces, "namespaces", says.namespaces.as_ref(), |pairs| namespaces(pairs));
        taking.take(&mut self.forks, "forks", says.forks.as_ref(), |forks| match forks {
            ForksKey::Word(ForksWord::Bot) => Ok(Forks::BotUser),
            ForksKey::Word(ForksWord::DistGit) => Ok(Forks::DistGit),
            ForksKey::Group { group: None } => Err(Vec::new()),
            ForksKey::Group { group: Some(group) } => {
                let group = group.parse().map(Forks::Group);
                one(group.map_err(|error: NamespaceError| Below(".group".to_owned(), error.to_string())))
            }
        });
        taking.take(&mut self.targets, "targets", says.targets.as_ref(), |items| targets(items));
        taking.take(&mut self.ci_files, "ci_files", says.ci_files.as_ref(), |word| Ok(*word));
        taking.take(&mut self.results, "results", says.results.as_ref(), |word| Ok(*word));
        taking.take(&mut self.label, "label", says.label.as_ref(), |text| one(label(text)));
        taking.take(&mut self.webhook_tokens, "webhook_tokens", says.webhook_tokens.as_ref(), |word| Ok(*word));
        taking.take(&mut self.bot_project, "bot_project", says.bot_project.as_ref(), |path| {
            let project = path.parse::<Namespace>().ok().filter(|project| project.as_str().contains('/'));
            one(project.ok_or("must be a project's path: `group/project`"))
        });
        taking.take(&mut self.test_package, "test_package", says.test_package.as_ref(), |name| {
            let is_good = is_project_name(name);
            one(is_good
                .then(|| name.clone())
                .ok_or("must be a project's name, the last part of its path, such as `bash`"))
        });
        taking.take(&mut self.keep_branches, "keep_branches", says.keep_branches.as_ref(), |days| Ok(*days));
    }

    /// Returns the instance and where each of its values comes from, where all that has no default is known.
    ///
    /// Nothing is called missing that is there and wrong, or that what is extended may say: `errors` has that already.
    pub(super) fn complete(self, name: &str, errors: &mut Vec<ConfigError>) -> Option<(Instance, Settings)> {
        let mut settings = Settings::default();
        let url = settings.optional("gitlab.url", self.url);
        let ca_file = settings.optional("gitlab.ca_file", self.ca_file);
        let proxy = settings.optional("gitlab.proxy", self.proxy);
        let timeout = settings.or("gitlab.timeout", self.timeout, TIMEOUT);
        let namespaces = settings.optional("namespaces", self.namespaces);
        for (key, is_there) in [("gitlab.url", url.is_some()), ("namespaces", namespaces.is_some())] {
            let is_in = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('.'));
            let is_about = |error: &ConfigError| {
                error
                    .key()
                    .is_none_or(|wrong| wrong == "extends" || wrong == key || is_in(wrong, key) || is_in(key, wrong))
            };
            if !is_there && !errors.iter().any(is_about) {
                let missing = ConfigError::new(name, "missing").at(key);
                errors.push(missing.remedy("set it, or let the file extend a preset"));
            }
        }
        let instance = Instance {
            name: name.to_owned(),
            gitlab: Gitlab { url: url?, ca_file, proxy, timeout },
            namespaces: namespaces?,
            forks: settings.or("forks", self.forks, Forks::BotUser),
            targets: settings.or("targets", self.targets, Targets::default()),
            ci_files: settings.or("ci_files", self.ci_files, CiFiles::DistGit),
            results: settings.or("results", self.results, Results::Pipeline),
            label: Some(settings.or("label", self.label, String::new())).filter(|label| !label.is_empty()),
            webhook_tokens: settings.or("webhook_tokens", self.webhook_tokens, WebhookTokens::Ignored),
            bot_project: settings.optional("bot_project", self.bot_project),
            test_package: settings.optional("test_package", self.test_package),
            keep_branches: settings.or("keep_branches", self.keep_branches, KEPT),
        };
        Some((instance, settings))
    }
}

/// Reads the pairs; where one says too little, which is told already, there is nothing more to tell.
fn namespaces(pairs: &[PairKeys]) -> Result<NamespaceMap, AllBelow> {
    let mut wrong = Vec::new();
    let mut read = |index: usize, key: &str, text: Option<&String>| {
        let parsed = text?.parse::<Namespace>();
        parsed.map_err(|error| wrong.push(Below(format!("[{index}].{key}"), error.to_string()))).ok()
    };
    let mut good = Some(Vec::new());
    for (index, pair) in pairs.iter().enumerate() {
        let source_git = read(index, "source_git", pair.source_git.as_ref());
        let dist_git = read(index, "dist_git", pair.dist_git.as_ref());
        let copy_of = match &pair.copy_of {
            None => Some(None),
            Some(CopyOfKeys { source_git, dist_git }) => {
                let source_git = read(index, "copy_of.source_git", source_git.as_ref());
                let dist_git = read(index, "copy_of.dist_git", dist_git.as_ref());
                source_git.zip(dist_git).map(|(source_git, dist_git)| Some(CopyOf { source_git, dist_git }))
            }
        };
        match (source_git, dist_git, copy_of, &mut good) {
            (Some(source_git), Some(dist_git), Some(copy_of), Some(good)) => {
                good.push(NamespacePair { source_git, dist_git, copy_of });
            }
            _ => good = None,
        }
    }
    one(NamespaceMap::new(good.ok_or(wrong)?))
}

fn targets(items: &[TargetKeys]) -> Result<Targets, AllBelow> {
    let mut wrong = Vec::new();
    let mut targets = Vec::new();
    for (index, keys) in items.iter().enumerate() {
        let mut pattern = |key: &str, text: &Option<String>| {
            let pattern = NamePattern::new(text.as_deref()?);
            pattern.map_err(|error| wrong.push(Below(format!("[{index}].{key}"), error))).ok()
        };
        targets.push(Target { project: pattern("project", &keys.project), branch: pattern("branch", &keys.branch) });
    }
    if wrong.is_empty() { Ok(Targets(targets)) } else { Err(wrong) }
}

fn label(text: &str) -> Result<String, &'static str> {
    let is_good = text.chars().count() <= LABEL_LIMIT
        && text.trim() == text
        && !text.contains(',')
        && !text.contains(crate::types::text::is_unseen);
    is_good.then(|| text.to_owned()).ok_or("must be a label of at most 255 characters without comma; or empty for none")
}

/// Reads the address of a server; an error says what it has to be, without showing what could be a password.
fn address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "must be an address such as `https://gitlab.com`")?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must begin with `https://` or `http://`");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must hold neither user name nor password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with its path, without `?` or `#`");
    }
    Ok(url)
}

/// Whether a project can be called so in its path: one part of it, and not with an ending that GitLab's own addresses
/// have after a project's path.
fn is_project_name(name: &str) -> bool {
    let is_part = !name.contains('/') && name.parse::<Namespace>().is_ok();
    is_part && ![".git", ".atom"].iter().any(|ending| name.ends_with(ending))
}
