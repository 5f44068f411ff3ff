//! Observes a package's repositories: their refs, and the files on their branches.

use std::collections::{BTreeMap, BTreeSet};

use crate::ci::{Template, TemplateUse, template_uses};
use crate::forge::FeatureAccess;
use crate::git::Store;
use crate::ops::onboard::run::{DEFAULT_CI_FILE, OnboardRun, if_found, if_readable};
use crate::setup::package_facts::{CiFile, OriginalFacts, RepositoryFacts, Side};
use crate::types::error::{Context as _, ForgeError, Result, UsageError, bail};
use crate::types::{BranchName, CommitId, ProjectPath, Visibility};

impl OnboardRun<'_> {
    /// Observes one of the two repositories, without its CI files.
    pub(super) fn repository(
        &self,
        store: &Store,
        side: Side,
        path: &ProjectPath,
        original: Option<&ProjectPath>,
    ) -> Result<RepositoryFacts> {
        let forge = self.operator();
        let project = if_found(forge.project_settings(path))?;
        if let Some(project) = &project {
            check_spelling(path, &project.path)?;
        }
        let mut repository = RepositoryFacts {
            side,
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
                    format!("there is no {side} project {path}, or your token has no access to it"),
                    "an Owner of its group makes it, or gives you a role in it; check the package's name as well"
                ));
            }
            repository.refs = match side {
                Side::SourceGit => self.refs(store, "source-git", path)?,
                Side::DistGit => BTreeMap::new(),
            };
            return Ok(repository);
        };
        let Some(settings) = if_found(forge.project_settings(original))? else {
            bail!(UsageError::new(
                format!("there is no {side} project {original} to copy, or your token has no access to it"),
                "check the package's name; somebody with a role in that project can run this"
            ));
        };
        check_spelling(original, &settings.path)?;
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
                repository.namespace_id = if_found(forge.namespace(path.namespace()))?.map(|namespace| namespace.id);
            }
            Some(_) => {
                repository.refs = self.refs(store, "the copy", path)?;
                repository.ahead = self.ahead(&repository)?;
                repository.protected = if_readable(forge.protected_branches(path))?
                    .map(|rules| rules.into_iter().map(|rule| rule.name).collect());
            }
        }
        Ok(repository)
    }

    /// Lists all branches and tags.
    fn refs(&self, store: &Store, role: &'static str, path: &ProjectPath) -> Result<BTreeMap<String, CommitId>> {
        let patterns = ["refs/heads/*".to_owned(), "refs/tags/*".to_owned()];
        let listed = self.remote(role, path).list(store, &patterns)?;
        // For git, a pattern also matches the end of a longer name, for example that of a git note.
        let is_one = |name: &str| ["refs/heads/", "refs/tags/"].iter().any(|place| name.starts_with(place));
        Ok(listed.into_iter().filter(|(name, _)| is_one(name) && !name.ends_with("^{}")).collect())
    }

    /// Returns the branches of a copy that contain the original's branch and more, for example the commit of an earlier
    /// onboarding.
    fn ahead(&self, repository: &RepositoryFacts) -> Result<BTreeSet<String>> {
        let mut ahead = BTreeSet::new();
        let Some(original) = &repository.original else { return Ok(ahead) };
        for (name, id) in original.refs.iter().filter(|(name, _)| name.starts_with("refs/heads/")) {
            let differs = repository.refs.get(name).is_some_and(|existing| existing != id);
            let Some(branch) = name.strip_prefix("refs/heads/").filter(|_| differs) else { continue };
            if self.operator().branches_containing(&repository.path, id)?.iter().any(|with| with == branch) {
                ahead.insert(name.clone());
            }
        }
        Ok(ahead)
    }

    /// Reads a file on a branch: from the copy if it has the branch, or else from the original, which will be copied.
    pub(super) fn file(
        &self,
        repository: &RepositoryFacts,
        branch: &BranchName,
        file: &str,
    ) -> Result<Option<Vec<u8>>> {
        let is_there = repository.refs.contains_key(&format!("refs/heads/{branch}"));
        let path = match &repository.original {
            Some(original) if !is_there => &original.path,
            _ => &repository.path,
        };
        Ok(self.operator().raw_file(path, branch, file)?)
    }

    pub(super) fn ci_file(&self, repository: &RepositoryFacts, branch: &BranchName, file: &str) -> Result<CiFile> {
        let Some(existing) = self.file(repository, branch, file)? else { return Ok(CiFile::Missing) };
        let is_the_originals = match &repository.original {
            Some(original) => self.operator().raw_file(&original.path, branch, file)?.as_ref() == Some(&existing),
            None => false,
        };
        Ok(if is_the_originals { CiFile::Original(existing) } else { CiFile::Other(existing) })
    }

    /// Whether source-git's CI file includes the job that notifies the bot. Not if the job runs the bot itself, with
    /// the bot's token.
    pub(super) fn calls_the_bot(&self, source: &RepositoryFacts, maintained: &[BranchName]) -> Result<bool> {
        let Some(project) = &source.project else { return Ok(false) };
        let file = project.ci_config_path.as_deref().filter(|path| !path.is_empty()).unwrap_or(DEFAULT_CI_FILE);
        // A file in another project or on the web is not followed.
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
}

/// Returns the names of the branches that a source-git project has, or will have.
pub(super) fn branches(source: &RepositoryFacts) -> BTreeSet<String> {
    let original = source.original.iter().flat_map(|original| original.refs.keys());
    let names = source.refs.keys().chain(original);
    names.filter_map(|name| Some(name.strip_prefix("refs/heads/")?.to_owned())).collect()
}

/// Refuses a path in another case than GitLab's. GitLab finds a project in any case, but namespaces and the bot's own
/// lists know one spelling.
fn check_spelling(given: &ProjectPath, found: &ProjectPath) -> Result<()> {
    if given == found {
        return Ok(());
    }
    bail!(UsageError::new(
        format!("there is no {given} on this GitLab, but there is {found}"),
        "spell the package, and the instance's namespaces, as GitLab does"
    ));
}
