//! Makes the content for dist-git: fetches what it takes, puts the merge request on the tip of its target branch, and
//! generates dist-git's files.

use std::collections::{HashMap, HashSet};

use crate::ci::LogSection;
use crate::config::CiFiles;
use crate::git::partial::PartialFetch;
use crate::git::replay::{self, RebaseOutcome};
use crate::git::{Store, TreeEntry, work_tree};
use crate::ops::generate::{self, GenerateRequest, Generated};
use crate::ops::sync::run::{SyncGoal, SyncRun};
use crate::pair::commit::SourceAuthor;
use crate::pair::facts::{Blocked, UpstreamChange};
use crate::transform::config;
use crate::transform::files::ReceiverFiles;
use crate::transform::message::CommentStyle;
use crate::transform::report::Upstream;
use crate::types::error::{RemoteError, Result, bail};
use crate::types::finding::quoted;
use crate::types::{BranchName, CommitId, Finding, Refusal, RepoPath, TreeId};

/// The ref in the store that holds the tip of dist-git's target branch.
pub(super) const DIST_TIP: &str = "refs/bot/dist-git";

/// The result of making content for dist-git.
pub(super) enum ContentResult {
    Generated(Box<GeneratedContent>),
    /// No content can be made.
    Blocked(Blocked),
    /// No content is needed.
    NotDue,
}

/// The content that dist-git should have.
pub(super) struct GeneratedContent {
    pub(super) generated: Generated,
    pub(super) upstream: Option<UpstreamChange>,
    /// The tip of dist-git's target branch.
    pub(super) base: CommitId,
    pub(super) base_tree: TreeId,
    pub(super) tree: TreeId,
}

/// Why a merge request cannot be synced.
#[derive(Clone, Debug)]
pub(crate) enum Unsynced {
    /// Because of its content, or of who may see it: its author can change that.
    Refused(Refusal),
    /// dist-git has no project or no branch for it: its author alone cannot change that.
    NoDistGit(Refusal),
}

impl Unsynced {
    /// Returns what the author is told.
    pub(crate) const fn refusal(&self) -> &Refusal {
        match self {
            Self::Refused(refusal) | Self::NoDistGit(refusal) => refusal,
        }
    }
}

impl ContentResult {
    /// Returns the content for dist-git and what changes there, if it could be made.
    pub(super) fn generated(&self) -> Option<&Generated> {
        match self {
            Self::Generated(content) => Some(&content.generated),
            Self::Blocked(_) | Self::NotDue => None,
        }
    }

    /// Returns why no content could be made. Who may see it is not considered here.
    pub(super) fn unsynced(&self) -> Option<Unsynced> {
        match self {
            Self::Blocked(Blocked::Refused(refusal)) => Some(Unsynced::Refused(refusal.clone())),
            Self::Blocked(Blocked::NoBranch { project, branch }) => Some(Unsynced::NoDistGit(Refusal::new(
                format!("the dist-git project {project} has no branch {}", quoted(branch.as_str().as_bytes())),
                "choose another target branch, or ask the package's maintainers to create the branch in dist-git",
            ))),
            Self::Blocked(Blocked::NoProject { project }) => Some(Unsynced::NoDistGit(Refusal::new(
                format!("there is no dist-git project {project} that the bot can see"),
                "ask the package's maintainers whether this package is meant to be kept in source-git",
            ))),
            Self::Blocked(Blocked::LessVisible) | Self::Generated(_) | Self::NotDue => None,
        }
    }
}

/// The merge request, put on the tip of its target branch.
struct BasedOnTarget {
    tip: CommitId,
    /// The contributor's commits, for the commits that stand for them.
    originals: HashMap<CommitId, CommitId>,
    findings: Vec<Finding>,
}

impl SyncRun<'_> {
    /// Puts the merge request on its target branch and turns it into dist-git content.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] in the error is for the contributor to fix.
    pub(super) fn make_content(
        &self,
        store: &Store,
        fetched: &mut PartialFetch<'_>,
        target: &BranchName,
        authors: &mut Vec<SourceAuthor>,
    ) -> Result<ContentResult> {
        let section = LogSection::begin(self.session.log, "fetch_distro", "fetching the packaging");
        fetched.fetch_directory(&fetched.head, &RepoPath::parse(config::DISTRO)?)?;
        drop(section);
        let section = LogSection::begin(self.session.log, "fetch_dist_git", "fetching from dist-git");
        let dist_git = self.remote("dist-git", &self.dist_path);
        if let Err(error) = dist_git.fetch_tip(store, target.as_str(), DIST_TIP) {
            return match error.into_repository()? {
                RemoteError::MissingRef { .. } => Ok(ContentResult::Blocked(Blocked::NoBranch {
                    project: self.dist_path.clone(),
                    branch: target.clone(),
                })),
                other => Err(other.into()),
            };
        }
        drop(section);
        let base = store.commit_at(DIST_TIP)?;
        let base_tree = store.tree_of(&base)?;

        let section = LogSection::begin(self.session.log, "generate", "turning source-git into dist-git");
        let (config, findings) = generate::read_config(store, &fetched.head)?;
        let Some(upstream_ref) = config.upstream_ref.clone() else {
            let remedy = "add `upstream_ref: TAG` to .distro/source-git.yaml";
            bail!(Refusal::new("the package configuration has no `upstream_ref`", remedy));
        };
        let (name, commit) = fetched.fetch_upstream(&upstream_ref, |commit| {
            Ok(self.session.forge.is_on_a_branch_or_tag(self.source.target_project_id, commit)?)
        })?;
        fetched.fetch_changes(&commit)?;
        let before = target_upstream_ref(store, fetched)?;
        let on_target = self.base_on_target(store, fetched, before.as_deref(), &upstream_ref)?;
        *authors = match self.goal {
            SyncGoal::Target => self.authors_of_merged()?,
            _ => authors_of(store, fetched, &commit)?,
        };
        // What was merged meanwhile counts for the configuration too.
        let (config, findings) = match on_target.tip == fetched.head {
            true => (config, findings),
            false => generate::read_config(store, &on_target.tip)?,
        };
        let tip_tree = store.tree_of(&on_target.tip)?;
        fetched.fetch_directory(&on_target.tip, &RepoPath::parse(config::DISTRO)?)?;
        if let Some(TreeEntry::File(spec)) = store.entry(&tip_tree, &config.spec_path)? {
            fetched.fetch_files([&spec])?;
        }
        let upstream = before
            .filter(|before| *before != upstream_ref)
            .map(|before| UpstreamChange { from: before, to: upstream_ref.clone() });
        let receiver_files = match self.session.instance.ci_files {
            CiFiles::SourceGit => ReceiverFiles::Carried,
            CiFiles::DistGit => ReceiverFiles::StayOwn,
        };
        let mut generated = generate::generate(
            store,
            GenerateRequest {
                config: &config,
                findings,
                source: on_target.tip,
                known_as: fetched.head,
                originals: on_target.originals,
                upstream: Upstream { name, commit },
                shallow: &store.shallow()?,
                dist_git: base_tree,
                comments: CommentStyle::default(),
                receiver_files,
            },
        )?;
        generated.report.findings.extend(on_target.findings);
        // So far the store knows only the names of files that are merely copied.
        fetched.fetch_files(generated.after.values())?;
        drop(section);
        let tree = store.tree_with(&base_tree, &work_tree::changes(&generated.before, &generated.after))?;
        Ok(ContentResult::Generated(Box::new(GeneratedContent { generated, upstream, base, base_tree, tree })))
    }

    /// Puts the merge request on the tip of its target, so that what was merged meanwhile is not reverted.
    fn base_on_target(
        &self,
        store: &Store,
        fetched: &PartialFetch<'_>,
        before: Option<&str>,
        upstream_ref: &str,
    ) -> Result<BasedOnTarget> {
        let mut on_target = BasedOnTarget { tip: fetched.head, originals: HashMap::new(), findings: Vec::new() };
        if before.is_some_and(|before| before != upstream_ref) {
            if !store.is_ancestor(&fetched.target, &fetched.head)? {
                let text = "it changes `upstream_ref`, and does not contain the tip of its target branch";
                bail!(Refusal::new(text, "rebase the merge request on its target branch"));
            }
            return Ok(on_target);
        }
        match replay::rebase_on_target(store, &fetched.head, &fetched.target)? {
            RebaseOutcome::UpToDate => {}
            RebaseOutcome::Replayed { steps, tip, .. } => {
                on_target.tip = tip;
                on_target.originals = steps.into_iter().map(|step| (step.replayed, step.original)).collect();
            }
            RebaseOutcome::Squashed { tip, reason, .. } => {
                let text = format!("the merge request became one patch: {reason}");
                on_target.findings.push(Finding::warning(text).remedy("rebase the merge request on its target branch"));
                on_target.tip = tip;
                on_target.originals = HashMap::from([(tip, fetched.head)]);
            }
            RebaseOutcome::Conflict { paths } => {
                let paths: Vec<_> = paths.iter().take(5).map(|path| quoted(path.as_bytes())).collect();
                let text = format!("the merge request conflicts with its target branch in {}", paths.join(", "));
                bail!(Refusal::new(text, format!("rebase it on {}", quoted(self.source.target_branch.as_bytes()))));
            }
        }
        Ok(on_target)
    }
}

/// Returns the `upstream_ref` of the target branch; `None` if its configuration is missing or cannot be read.
fn target_upstream_ref(store: &Store, fetched: &PartialFetch<'_>) -> Result<Option<String>> {
    let path = RepoPath::parse(config::PATH)?;
    let Some(TreeEntry::File(file)) = store.entry(&store.tree_of(&fetched.target)?, &path)? else {
        return Ok(None);
    };
    fetched.fetch_files([&file])?;
    let parsed = config::PackageConfig::parse(&store.read(&file.blob)?);
    Ok(parsed.ok().and_then(|(config, _)| config.upstream_ref))
}

/// Returns the authors of the merge request's commits, without those of commits that it takes over from upstream.
fn authors_of(store: &Store, fetched: &PartialFetch<'_>, upstream: &CommitId) -> Result<Vec<SourceAuthor>> {
    let downstream: HashSet<_> = store.commits_between(&[fetched.head], upstream)?.into_iter().collect();
    let commits = store.commits_between(&[fetched.head], &fetched.target)?;
    let mut authors = Vec::new();
    for commit in commits.iter().rev().filter(|commit| downstream.contains(commit)) {
        let described = store.commit_info(commit)?;
        if described.parents.len() < 2 {
            authors.push(SourceAuthor { name: described.author_name, email: described.author_email });
        }
    }
    Ok(authors)
}
