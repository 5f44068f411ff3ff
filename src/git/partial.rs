//! Fetches as little of a merge request's project into a store as the transformation needs.

use std::collections::BTreeSet;

use bstr::ByteSlice as _;

use crate::git::Store;
use crate::git::remote::Remote;
use crate::git::upstream_ref::{self, RefPlace, ResolvedRef};
use crate::types::error::{RemoteError, Result, bail};
use crate::types::finding::quoted;
use crate::types::{BlobId, CommitId, File, FileMode, Refusal, RepoPath};

/// How many commits of history the first fetch asks for: more than most packages have downstream commits.
const FIRST_DEPTH: u32 = 50;

/// The factor by which each further fetch is deeper than the one before.
const DEEPENING: u32 = 8;

/// The depth that `git fetch` takes for the whole history.
const WHOLE_HISTORY: u32 = 0x7fff_ffff;

/// The most bytes that `git log` may print for the changes of all commits: half a million files.
const CHANGES_LIMIT: usize = 64 << 20;

/// The names of the fetched refs in the store, apart from all other refs.
const HEAD: &str = "refs/bot/head";
const TARGET: &str = "refs/bot/target";
const UPSTREAM: &str = "refs/bot/upstream";

/// The remedy for an upstream ref that the project does not have.
const REMEDY: &str = "set `upstream_ref` in .distro/source-git.yaml to a tag or branch of the project";

/// A merge request's project, as far as it was fetched.
#[derive(Debug)]
pub struct PartialFetch<'a> {
    store: &'a Store,
    remote: &'a Remote,
    refs: Vec<(String, String)>,
    depth: u32,
    /// The head of the merge request.
    pub head: CommitId,
    /// The tip of its target branch.
    pub target: CommitId,
}

fn target_ref(branch: &str) -> (String, String) {
    (format!("refs/heads/{branch}"), TARGET.to_owned())
}

impl<'a> PartialFetch<'a> {
    /// Fetches the head of merge request `iid` and the tip of its target branch, with some history.
    pub fn of_merge_request(store: &'a Store, remote: &'a Remote, iid: u64, target_branch: &str) -> Result<Self> {
        let head = (format!("refs/merge-requests/{iid}/head"), HEAD.to_owned());
        Self::start(store, remote, vec![head, target_ref(target_branch)])
    }

    /// Fetches the tip of a branch, with some history. It is both head and target.
    pub fn of_branch(store: &'a Store, remote: &'a Remote, branch: &str) -> Result<Self> {
        Self::start(store, remote, vec![target_ref(branch)])
    }

    fn start(store: &'a Store, remote: &'a Remote, refs: Vec<(String, String)>) -> Result<Self> {
        remote.fetch(store, &refs, FIRST_DEPTH)?;
        let target = store.commit_at(TARGET)?;
        let head = if refs.iter().any(|(_, name)| name == HEAD) { store.commit_at(HEAD)? } else { target };
        Ok(Self { store, remote, refs, depth: FIRST_DEPTH, head, target })
    }

    /// Fetches the content of all files below `directory` in `commit`.
    pub fn fetch_directory(&self, commit: &CommitId, directory: &RepoPath) -> Result<()> {
        let tree = self.store.tree_of(commit)?;
        self.fetch_files(self.store.files(&tree, Some(directory))?.values())
    }

    /// Fetches the content of files. Submodules have none.
    pub fn fetch_files<'b>(&self, files: impl IntoIterator<Item = &'b File>) -> Result<()> {
        self.fetch_missing(files.into_iter().filter(|file| file.mode != FileMode::Gitlink).map(|file| file.blob))
    }

    /// Resolves `upstream_ref` in this project, never in a fork, and fetches it; returns its name and its commit.
    ///
    /// A commit id is accepted only if the target branch contains the commit, or if `is_on_a_ref` says that another
    /// branch or a tag of this project does: a server also hands out objects of forks and of merge requests.
    pub fn fetch_upstream(
        &mut self,
        upstream_ref: &str,
        is_on_a_ref: impl FnOnce(&CommitId) -> Result<bool>,
    ) -> Result<(String, CommitId)> {
        let patterns = upstream_ref::patterns(upstream_ref, RefPlace::Server)?;
        let listed = self.remote.list(self.store, &patterns)?;
        let listed = listed.into_iter().filter(|(name, _)| !name.ends_with("^{}")).collect();
        let ResolvedRef { name, full_name, object } =
            upstream_ref::choose(upstream_ref, listed, "the source-git project")?;
        let theirs = full_name.clone().unwrap_or_else(|| object.to_string());
        self.refs.push((theirs, UPSTREAM.to_owned()));
        if let Err(error) = self.remote.fetch(self.store, &self.refs, self.depth) {
            return Err(match error.repository() {
                Some(RemoteError::MissingRef { .. }) => unknown_commit(upstream_ref).into(),
                _ => error,
            });
        }
        let Some(commit) = self.store.peel_to_commit(&self.store.object_at(UPSTREAM)?)? else {
            let text = format!("`upstream_ref` {} is no commit", quoted(upstream_ref.as_bytes()));
            bail!(Refusal::new(text, "set it to a tag, a branch or a full commit id"));
        };
        self.deepen(&commit)?;
        if full_name.is_none() && !self.store.is_ancestor(&commit, &self.target)? && !is_on_a_ref(&commit)? {
            let short = commit.short();
            let text =
                format!("`upstream_ref` is commit {short}, which no branch or tag of the source-git project contains");
            bail!(Refusal::new(text, REMEDY));
        }
        Ok((name, commit))
    }

    /// Fetches more history until it is complete between the upstream ref and both the head and the target.
    fn deepen(&mut self, upstream: &CommitId) -> Result<()> {
        loop {
            let cut: BTreeSet<_> = self.store.shallow()?.into_iter().collect();
            let between = self.store.commits_between(&[self.head, self.target], upstream)?;
            if cut.is_empty() || self.depth == WHOLE_HISTORY || !between.iter().any(|commit| cut.contains(commit)) {
                return Ok(());
            }
            self.depth = if self.depth > 100_000 { WHOLE_HISTORY } else { self.depth.saturating_mul(DEEPENING) };
            tracing::info!("fetching more of the history");
            self.remote.fetch(self.store, &self.refs, self.depth)?;
        }
    }

    /// Fetches the content of the files that the commits since `upstream` change, both before and after each change.
    pub fn fetch_changes(&self, upstream: &CommitId) -> Result<()> {
        let raw = self
            .store
            .command()
            .args([
                "log",
                "-z",
                "--raw",
                "-r",
                "--no-abbrev",
                "--no-renames",
                "--diff-merges=first-parent",
                "--format=",
            ])
            .args([self.head.to_string(), self.target.to_string(), format!("^{upstream}"), "--".to_owned()])
            .output_limit(CHANGES_LIMIT)
            .output_or_refusal(&too_many_changes())?;
        let blobs =
            raw.split(|b| *b == 0).filter_map(|field| field.trim_start().strip_prefix(b":")).flat_map(|change| {
                let fields: Vec<_> = change.fields().collect();
                match fields[..] {
                    [old_mode, new_mode, old, new, _] => [(old_mode, old), (new_mode, new)]
                        .into_iter()
                        .filter(|(mode, _)| *mode != b"160000" && *mode != b"000000")
                        .filter_map(|(_, blob)| BlobId::parse(blob).ok())
                        .collect(),
                    _ => Vec::new(),
                }
            });
        self.fetch_missing(blobs)
    }

    /// Fetches those of `blobs` that the store does not have.
    fn fetch_missing(&self, blobs: impl Iterator<Item = BlobId>) -> Result<()> {
        let missing: BTreeSet<_> = blobs.filter(|blob| !self.store.has(blob)).collect();
        self.remote.fetch_blobs(self.store, &missing.into_iter().collect::<Vec<_>>())
    }
}

/// Returns the refusal for more changes than [`CHANGES_LIMIT`] allows.
fn too_many_changes() -> Refusal {
    Refusal::new(
        format!(
            "the commits since `upstream_ref` change too much: the list of their files has more than {} MiB",
            CHANGES_LIMIT >> 20
        ),
        "set `upstream_ref` to the newest tag or branch that the downstream commits sit on, and take large numbers of files \
         out of the branch",
    )
}

/// Returns the refusal for a commit id that the server does not know. Its author may have the commit, but the project
/// does not.
fn unknown_commit(upstream_ref: &str) -> Refusal {
    let text = format!("`upstream_ref` {} is no commit of the source-git project", quoted(upstream_ref.as_bytes()));
    Refusal::new(text, REMEDY)
}
