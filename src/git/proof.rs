//! The proof that a patch series, applied to upstream's tree, gives the source tree.
//!
//! The patches are applied by `git apply --cached` to an index that holds no more files than the series and the
//! history touch, so the cost follows the change. git's apply knows no fuzz: a context line that differs is a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use bstr::{BString, ByteSlice as _};
use git2::{Index, IndexEntry, IndexTime};

use super::patches::pathspecs;
use super::store::{oid, raw};
use super::work_tree::changes;
use super::{History, Store};
use crate::transform::series::Prefix;
use crate::transform::{BlobId, CommitId, File, FileMode, FileTree, RepoPath, TreeId};

/// How many patch files one call of `git apply` is given; the length of a command line is limited.
const FILES_PER_CALL: usize = 500;

/// A patch file as it will be pushed.
#[derive(Clone, Copy, Debug)]
pub struct PatchFile<'a> {
    /// Its name, for messages.
    pub name: &'a [u8],
    /// Its content: one mail, or several.
    pub content: &'a [u8],
    /// How its paths are written.
    pub prefix: Prefix,
}

/// What came of applying a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It applies and gives this tree, which is the expected one.
    Holds(TreeId),
    /// This patch does not apply, for the reason that git gives.
    DoesNotApply {
        /// The name of the patch file.
        patch: BString,
        /// What git says.
        reason: String,
    },
    /// It applies and gives something else at these paths, the first few of them.
    Differs(Vec<RepoPath>),
}

/// What a series is measured by: upstream's files, and what the source tree makes of them outside the ignored paths.
#[derive(Debug)]
pub struct Measure {
    upstream: TreeId,
    /// The tree that a series has to give.
    pub expected: TreeId,
    /// upstream's files at every path that anything touches.
    before: FileTree,
    /// Each path at which the expected tree differs from upstream's, and what it has there.
    changed: BTreeMap<RepoPath, Option<File>>,
}

impl Measure {
    /// Reads what `history` comes to outside `ignored` (git pathspecs that exclude).
    pub fn take(store: &Store, history: &History, ignored: &[BString]) -> Result<Self> {
        let upstream = store.tree_of(&history.upstream)?;
        let changed = difference(store, &history.upstream, &history.head, ignored)?;
        let expected = store.tree_with(&upstream, &changed)?;
        let touched: BTreeSet<_> =
            history.commits.iter().flat_map(|commit| &commit.files).chain(changed.keys()).collect();
        let before = store.files_at(&upstream, touched)?;
        Ok(Self { upstream, expected, before, changed })
    }

    /// Applies `series` to upstream's files and compares the outcome.
    pub fn prove(&self, store: &Store, series: &[PatchFile<'_>]) -> Result<Proof> {
        match self.apply(store, series)? {
            Applied::Stopped { patch, reason } => Ok(Proof::DoesNotApply { patch, reason }),
            Applied::Gives(after) => {
                let got = store.tree_with(&self.upstream, &changes(&self.before, &after))?;
                if got == self.expected {
                    return Ok(Proof::Holds(got));
                }
                let mut expected = self.before.clone();
                for (path, file) in &self.changed {
                    match file {
                        Some(file) => drop(expected.insert(path.clone(), *file)),
                        None => drop(expected.remove(path)),
                    }
                }
                Ok(Proof::Differs(changes(&expected, &after).into_keys().take(5).collect()))
            }
        }
    }

    /// Says whether `series` applies at all; where not, which patch stops it and why.
    pub fn stops_at(&self, store: &Store, series: &[PatchFile<'_>]) -> Result<Option<(BString, String)>> {
        Ok(match self.apply(store, series)? {
            Applied::Stopped { patch, reason } => Some((patch, reason)),
            Applied::Gives(_) => None,
        })
    }

    fn apply(&self, store: &Store, series: &[PatchFile<'_>]) -> Result<Applied> {
        let directory = tempfile::tempdir_in(store.scratch("")).context("making a directory for the proof")?;
        let index = directory.path().join("index");
        write_index(&index, &self.before)?;
        let mut files: Vec<(&PatchFile<'_>, PathBuf)> = Vec::new();
        for (number, patch) in series.iter().enumerate() {
            let path = directory.path().join(format!("{number}.patch"));
            fs::write(&path, patch.content).context("writing a patch for the proof")?;
            files.push((patch, path));
        }
        for group in files.chunk_by(|a, b| a.0.prefix == b.0.prefix).flat_map(|group| group.chunks(FILES_PER_CALL)) {
            let saved = fs::read(&index).context("reading the proof's index")?;
            if apply_files(store, &index, group)?.is_none() {
                continue;
            }
            // Something in this group stops: once more from where it started, one by one, to learn what and why. All
            // may apply now, as they do in the build: in one call git thinks of links that an earlier patch makes as
            // there, although a later one takes them away.
            fs::write(&index, saved).context("writing the proof's index")?;
            for one in group {
                if let Some(reason) = apply_files(store, &index, std::slice::from_ref(one))? {
                    return Ok(Applied::Stopped { patch: one.0.name.into(), reason });
                }
            }
        }
        read_index(&index).map(Applied::Gives)
    }
}

enum Applied {
    Gives(FileTree),
    Stopped { patch: BString, reason: String },
}

/// Applies patch files that agree on the prefix; returns what git says where it will not.
fn apply_files(store: &Store, index: &std::path::Path, files: &[(&PatchFile<'_>, PathBuf)]) -> Result<Option<String>> {
    let Some((first, _)) = files.first() else { return Ok(None) };
    let strip = match first.prefix {
        Prefix::Shown => "-p1",
        Prefix::Omitted => "-p0",
    };
    let finished = store
        .command()
        .env("GIT_INDEX_FILE", index)
        .args(["apply", "--cached", "--whitespace=nowarn", "--allow-empty", strip])
        .args(files.iter().map(|(_, path)| path))
        .run()?;
    Ok(if finished.status.success() { None } else { Some(finished.stderr) })
}

/// Returns what `head` has, or no longer has, where it differs from `upstream` outside `ignored`.
fn difference(
    store: &Store,
    upstream: &CommitId,
    head: &CommitId,
    ignored: &[BString],
) -> Result<BTreeMap<RepoPath, Option<File>>> {
    let raw = store
        .command()
        .args([
            "diff-tree",
            "-r",
            "-z",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            &upstream.to_string(),
            &head.to_string(),
        ])
        .args(pathspecs(ignored)?)
        .output_limit(512 << 20)
        .output()?;
    let mut fields = raw.split(|b| *b == 0).filter(|field| !field.is_empty());
    let mut changed = BTreeMap::new();
    while let (Some(change), Some(path)) = (fields.next(), fields.next()) {
        let path = RepoPath::parse(path).with_context(|| format!("reading {}", path.as_bstr()))?;
        let change: Vec<_> = change.fields().collect();
        let [_, mode, _, blob, _] = change[..] else { bail!("`git diff-tree` says something unknown of {path}") };
        let mode =
            std::str::from_utf8(mode).ok().and_then(|mode| u32::from_str_radix(mode, 8).ok()).unwrap_or_default();
        let blob = BlobId::parse(blob).with_context(|| format!("reading the change to {path}"))?;
        changed.insert(path, FileMode::from_git(mode).map(|mode| File { mode, blob }));
    }
    Ok(changed)
}

fn write_index(path: &std::path::Path, files: &FileTree) -> Result<()> {
    let mut index = Index::open(path).context("making an index")?;
    for (path, file) in files {
        let zero = IndexTime::new(0, 0);
        let entry = IndexEntry {
            ctime: zero,
            mtime: zero,
            dev: 0,
            ino: 0,
            mode: file.mode.to_git(),
            uid: 0,
            gid: 0,
            file_size: 0,
            id: oid(file.blob.as_bytes()),
            flags: 0,
            flags_extended: 0,
            path: path.as_bytes().to_vec(),
        };
        index.add(&entry).with_context(|| format!("adding {path} to an index"))?;
    }
    index.write().context("writing an index")
}

fn read_index(path: &std::path::Path) -> Result<FileTree> {
    let index = Index::open(path).context("reading the proof's index")?;
    let mut files = FileTree::new();
    for entry in index.iter() {
        let path = RepoPath::parse(&entry.path).with_context(|| format!("reading {}", entry.path.as_bstr()))?;
        let mode = FileMode::from_git(entry.mode).with_context(|| format!("{path} has an unknown mode"))?;
        files.insert(path, File { mode, blob: BlobId::from_bytes(raw(entry.id)) });
    }
    Ok(files)
}
