//! Builds an instance from layers: for each key, the last layer that sets it wins. Each value keeps its origin.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::config::error::ConfigError;
use crate::config::file::{CopyOfKeys, ForksKey, ForksWord, Mistake, PairKeys, TargetKeys};
use crate::config::instance::{CiFiles, Forks, Gitlab, Instance, Results, WebhookTokens};
use crate::config::layer::Layer;
use crate::config::namespaces::{CopyOf, Namespace, NamespaceError, NamespaceMap, NamespacePair};
use crate::config::origin::{SettingList, Sourced};
use crate::config::targets::{NameRegex, Target, Targets};

/// The default of `keep_branches`, in days.
const DEFAULT_KEEP_BRANCHES: u32 = 14;

/// The longest label that GitLab accepts, in characters.
const LABEL_LIMIT: usize = 255;

/// The default of `gitlab.timeout`. GitLab itself gives up a request after 60 s (Puma's worker timeout).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(75);

/// An instance that may lack some values yet.
#[derive(Default)]
pub(super) struct InstanceBuilder {
    url: Option<Sourced<Url>>,
    ca_file: Option<Sourced<PathBuf>>,
    proxy: Option<Sourced<Url>>,
    timeout: Option<Sourced<Duration>>,
    namespaces: Option<Sourced<NamespaceMap>>,
    forks: Option<Sourced<Forks>>,
    targets: Option<Sourced<Targets>>,
    ci_files: Option<Sourced<CiFiles>>,
    results: Option<Sourced<Results>>,
    label: Option<Sourced<String>>,
    webhook_tokens: Option<Sourced<WebhookTokens>>,
    bot_project: Option<Sourced<Namespace>>,
    test_package: Option<Sourced<String>>,
    keep_branches: Option<Sourced<u32>>,
}

/// A mistake in the value of a key: the path below the key, empty for the value as a whole, and the text.
struct PartMistake(String, String);

impl<T: ToString> From<T> for PartMistake {
    fn from(text: T) -> Self {
        Self(String::new(), text.to_string())
    }
}

/// All mistakes in a value that is of no use; empty where they are reported already.
type PartMistakes = Vec<PartMistake>;

/// Reads the values of one layer into the builder.
struct LayerReader<'a> {
    layer: &'a Layer<'a>,
    errors: &'a mut Vec<ConfigError>,
}

impl LayerReader<'_> {
    /// Reads the layer's value of `key` into `target`. Does nothing where the layer does not set the key.
    fn read<S, T>(
        &mut self,
        target: &mut Option<Sourced<T>>,
        key: &str,
        raw: Option<&S>,
        parse: impl FnOnce(&S) -> Result<T, PartMistakes>,
    ) {
        match raw.map(parse) {
            None => {}
            Some(Ok(value)) => *target = Some(Sourced { value, origin: self.layer.origin(key) }),
            Some(Err(mistakes)) => self.errors.extend(mistakes.into_iter().map(|PartMistake(below, text)| {
                self.layer.error(Mistake { path: format!("{key}{below}"), text, remedy: None })
            })),
        }
    }
}

/// Turns the single error of a value into the list of its mistakes.
fn single<T, E: Into<PartMistake>>(result: Result<T, E>) -> Result<T, PartMistakes> {
    result.map_err(|error| vec![error.into()])
}

impl InstanceBuilder {
    /// Adds the values of a layer to the instance, and the layer's mistakes to `errors`.
    pub(super) fn apply(&mut self, layer: &Layer<'_>, errors: &mut Vec<ConfigError>) {
        let values = &layer.values;
        let gitlab = &values.gitlab;
        let mut reader = LayerReader { layer, errors };
        reader.read(&mut self.url, "gitlab.url", gitlab.url.as_ref(), |text| single(address(text)));
        reader.read(&mut self.ca_file, "gitlab.ca_file", gitlab.ca_file.as_ref(), |text| {
            match (&**text, layer.directory) {
                ("", _) => single(Err("must be the path of a file")),
                (path, Some(directory)) => Ok(directory.join(path)),
                (path, None) => Ok(PathBuf::from(path)),
            }
        });
        reader.read(&mut self.proxy, "gitlab.proxy", gitlab.proxy.as_ref(), |text| single(address(text)));
        reader.read(&mut self.timeout, "gitlab.timeout", gitlab.timeout.as_ref(), |s| Ok(Duration::from_secs(*s)));
        reader.read(&mut self.namespaces, "namespaces", values.namespaces.as_ref(), |pairs| namespaces(pairs));
        reader.read(&mut self.forks, "forks", values.forks.as_ref(), |forks| match forks {
            ForksKey::Word(ForksWord::Bot) => Ok(Forks::BotUser),
            ForksKey::Word(ForksWord::DistGit) => Ok(Forks::DistGit),
            ForksKey::Group { group: None } => Err(Vec::new()),
            ForksKey::Group { group: Some(group) } => {
                let group = group.parse().map(Forks::Group);
                single(group.map_err(|error: NamespaceError| PartMistake(".group".to_owned(), error.to_string())))
            }
        });
        reader.read(&mut self.targets, "targets", values.targets.as_ref(), |items| targets(items));
        reader.read(&mut self.ci_files, "ci_files", values.ci_files.as_ref(), |word| Ok(*word));
        reader.read(&mut self.results, "results", values.results.as_ref(), |word| Ok(*word));
        reader.read(&mut self.label, "label", values.label.as_ref(), |text| single(label(text)));
        reader.read(&mut self.webhook_tokens, "webhook_tokens", values.webhook_tokens.as_ref(), |word| Ok(*word));
        reader.read(&mut self.bot_project, "bot_project", values.bot_project.as_ref(), |path| {
            let project = path.parse::<Namespace>().ok().filter(|project| project.as_str().contains('/'));
            single(project.ok_or("must be a project's path: `group/project`"))
        });
        reader.read(&mut self.test_package, "test_package", values.test_package.as_ref(), |name| {
            let is_good = is_project_name(name);
            single(
                is_good
                    .then(|| name.clone())
                    .ok_or("must be a project's name, the last part of its path, such as `bash`"),
            )
        });
        reader.read(&mut self.keep_branches, "keep_branches", values.keep_branches.as_ref(), |days| Ok(*days));
    }

    /// Returns the instance and the origin of each value; `None` where a value without a default is missing.
    ///
    /// Adds no error for a value that is present but wrong, or that a preset may set whose name is wrong: `errors` has
    /// one for these already.
    pub(super) fn build(self, name: &str, errors: &mut Vec<ConfigError>) -> Option<(Instance, SettingList)> {
        let mut settings = SettingList::default();
        let url = settings.optional("gitlab.url", self.url);
        let ca_file = settings.optional("gitlab.ca_file", self.ca_file);
        let proxy = settings.optional("gitlab.proxy", self.proxy);
        let timeout = settings.or("gitlab.timeout", self.timeout, DEFAULT_TIMEOUT);
        let namespaces = settings.optional("namespaces", self.namespaces);
        for (key, is_there) in [("gitlab.url", url.is_some()), ("namespaces", namespaces.is_some())] {
            let is_in = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
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
            keep_branches: settings.or("keep_branches", self.keep_branches, DEFAULT_KEEP_BRANCHES),
        };
        Some((instance, settings))
    }
}

/// Reads the pairs of namespaces. Adds no mistake for a pair that lacks a key: `file` has reported that already.
fn namespaces(pairs: &[PairKeys]) -> Result<NamespaceMap, PartMistakes> {
    let mut wrong = Vec::new();
    let mut read = |index: usize, key: &str, text: Option<&String>| {
        let parsed = text?.parse::<Namespace>();
        parsed.map_err(|error| wrong.push(PartMistake(format!("[{index}].{key}"), error.to_string()))).ok()
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
    single(NamespaceMap::new(good.ok_or(wrong)?))
}

fn targets(items: &[TargetKeys]) -> Result<Targets, PartMistakes> {
    let mut wrong = Vec::new();
    let mut targets = Vec::new();
    for (index, keys) in items.iter().enumerate() {
        let mut pattern = |key: &str, text: &Option<String>| {
            let pattern = NameRegex::new(text.as_deref()?);
            pattern.map_err(|error| wrong.push(PartMistake(format!("[{index}].{key}"), error))).ok()
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

/// Reads the address of a server. The error says what an address must be, and never shows the text: it could hold a
/// password.
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

/// Whether `name` can be the last part of a project's path. GitLab's own addresses append `.git` and `.atom` to that
/// path, so no name ends in these.
fn is_project_name(name: &str) -> bool {
    let is_part = !name.contains('/') && name.parse::<Namespace>().is_ok();
    is_part && ![".git", ".atom"].iter().any(|ending| name.ends_with(ending))
}
