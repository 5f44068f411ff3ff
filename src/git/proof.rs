//! The proof that a patch series, applied to upstream's tree, gives the source tree.
//!
//! `git apply --cached` applies the patches to an index that contains only the files that the series and the history
//! touch, so the cost depends on the size of the change. git apply knows no fuzz: a context line that differs is a
//! failure.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use bstr::{BString, ByteSlice as _};
use git2::{Index, IndexEntry, IndexTime};

use crate::git::patches::pathspecs;
use crate::git::store::{oid, raw};
use crate::git::trees::refused_path;
use crate::git::work_tree::changes;
use crate::git::{History, Store};
use crate::transform::mail::{self, PatchedFile};
use crate::transform::series::Prefix;
use crate::types::error::{Context as _, Result, bail};
use crate::types::{BlobId, CommitId, File, FileMode, FileTree, Refusal, RepoPath, TreeId};

/// The most bytes that git may print for the files that differ between upstream and the merge request.
const DIFFERENCE_LIMIT: usize = 512 << 20;

/// A patch file as it will be pushed.
#[derive(Clone, Copy, Debug)]
pub struct PatchFile<'a> {
    /// The name of the file, for messages.
    pub name: &'a [u8],
    /// One or more mails.
    pub content: &'a [u8],
    /// Whether its paths have the prefixes `a/` and `b/`.
    pub prefix: Prefix,
}

/// The result of applying a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The series gives the expected tree, which is this one.
    Holds(TreeId),
    /// A patch does not apply.
    DoesNotApply {
        /// The name of the patch file.
        patch: BString,
        /// git's message.
        reason: String,
    },
    /// The series applies, but gives something else at these paths. At most five are listed.
    Differs(Vec<RepoPath>),
}

/// What a series is checked against: upstream's files, and the files of the source tree outside the ignored paths.
#[derive(Debug)]
pub struct TreeProof {
    /// The tree that a series must give.
    pub expected: TreeId,
    /// Upstream's files at every path that the history or the merge request's whole change touches.
    before: FileTree,
    /// The files of the expected tree at these paths. Everywhere else it equals upstream's tree.
    after: FileTree,
}

impl TreeProof {
    /// Reads the result of `history` outside `ignored` (excluding git pathspecs).
    pub fn read(store: &Store, history: &History, ignored: &[BString]) -> Result<Self> {
        let upstream = store.tree_of(&history.upstream)?;
        let changed = difference(store, &history.upstream, &history.head, ignored)?;
        let expected = store.tree_with(&upstream, &changed)?;
        let touched: BTreeSet<_> =
            history.commits.iter().flat_map(|commit| &commit.files).chain(changed.keys()).collect();
        let before = store.files_at(&upstream, touched)?;
        let mut after = before.clone();
        for (path, file) in changed {
            match file {
                Some(file) => drop(after.insert(path, file)),
                None => drop(after.remove(&path)),
            }
        }
        Ok(Self { expected, before, after })
    }

    /// Applies `series` to upstream's files and compares the result with the expected tree.
    pub fn prove(&self, store: &Store, series: &[PatchFile<'_>]) -> Result<Proof> {
        // Few calls of git are fast, but a failure of theirs does not show which patch is to blame. One call for each
        // mail does.
        let holds = |outcome: &ApplyOutcome| matches!(outcome, ApplyOutcome::Gives(after) if *after == self.after);
        if holds(&self.apply(store, series, Batching::FewCalls)?) {
            return Ok(Proof::Holds(self.expected));
        }
        Ok(match self.apply(store, series, Batching::CallPerMail)? {
            ApplyOutcome::Stopped { patch, reason } => Proof::DoesNotApply { patch, reason },
            ApplyOutcome::Gives(after) if after == self.after => Proof::Holds(self.expected),
            ApplyOutcome::Gives(after) => Proof::Differs(changes(&self.after, &after).into_keys().take(5).collect()),
        })
    }

    /// Returns the first patch of `series` that does not apply, and why; `None` if all of them apply.
    pub fn first_failure(&self, store: &Store, series: &[PatchFile<'_>]) -> Result<Option<(BString, String)>> {
        Ok(match self.apply(store, series, Batching::CallPerMail)? {
            ApplyOutcome::Stopped { patch, reason } => Some((patch, reason)),
            ApplyOutcome::Gives(_) => None,
        })
    }

    fn apply(&self, store: &Store, series: &[PatchFile<'_>], batching: Batching) -> Result<ApplyOutcome> {
        let directory = tempfile::tempdir_in(store.scratch("")).context("making a directory for the proof")?;
        let index = directory.path().join("index");
        write_index(&index, &self.before)?;
        for batch in batches(series, batching)? {
            if let Some(reason) = apply_batch(store, &index, &batch)? {
                let patch = batch.first().map(|mail| mail.file.name).unwrap_or_default().into();
                return Ok(ApplyOutcome::Stopped { patch, reason });
            }
        }
        read_index(&index).map(ApplyOutcome::Gives)
    }
}

/// How many calls of git apply a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batching {
    /// As few as give the same result as one for each mail.
    FewCalls,
    CallPerMail,
}

/// A mail of a patch file: the change of one commit.
#[derive(Clone, Copy)]
struct PatchMail<'a> {
    file: PatchFile<'a>,
    content: &'a [u8],
}

/// Divides the mails of a series into batches, each for one call of git.
///
/// git checks added, deleted and renamed files against the index as it was before the call, so within one call a file
/// could be added twice. A mail that adds, deletes or renames a path which its batch touches therefore starts a new
/// batch.
fn batches<'a>(series: &[PatchFile<'a>], batching: Batching) -> Result<Vec<Vec<PatchMail<'a>>>> {
    let mut batches: Vec<Vec<PatchMail<'_>>> = Vec::new();
    let mut touched = HashSet::new();
    let mails = series.iter().flat_map(|file| mail::split(file.content).into_iter().map(|content| (*file, content)));
    for (file, content) in mails {
        let changed = mail::diff_of(content)
            .map_err(|error| mail::unreadable(format!("reading {}: {error}", file.name.as_bstr())))?;
        let paths = |file: &PatchedFile| [file.old.clone(), file.new.clone()].into_iter().flatten();
        let moves = |file: &PatchedFile| file.old != file.new && paths(file).any(|path| touched.contains(&path));
        let mail = PatchMail { file, content };
        match batches.last_mut() {
            Some(batch)
                if batching == Batching::FewCalls
                    && batch.first().is_some_and(|first| first.file.prefix == file.prefix)
                    && !changed.iter().any(moves) =>
            {
                batch.push(mail);
            }
            _ => {
                batches.push(vec![mail]);
                touched.clear();
            }
        }
        touched.extend(changed.iter().flat_map(paths));
    }
    Ok(batches)
}

enum ApplyOutcome {
    /// All patches apply and give these files.
    Gives(FileTree),
    /// This patch does not apply, for the reason that git gives.
    Stopped { patch: BString, reason: String },
}

/// Applies mails with the same prefix. Returns git's message if they do not apply.
fn apply_batch(store: &Store, index: &Path, mails: &[PatchMail<'_>]) -> Result<Option<String>> {
    let Some(first) = mails.first() else { return Ok(None) };
    let strip = match first.file.prefix {
        Prefix::Shown => "-p1",
        Prefix::Omitted => "-p0",
    };
    let output = store
        .command()
        .env("GIT_INDEX_FILE", index)
        .args(["apply", "--cached", "--whitespace=nowarn", "--allow-empty", strip, "-"])
        .input(mails.iter().flat_map(|mail| mail.content).copied().collect())
        .run()?;
    Ok(if output.status.success() { None } else { Some(output.stderr) })
}

/// Returns the files of `head` that differ from `upstream` outside `ignored`; `None` for those that it no longer has.
fn difference(
    store: &Store,
    upstream: &CommitId,
    head: &CommitId,
    ignored: &[BString],
) -> Result<BTreeMap<RepoPath, Option<File>>> {
    let too_long = Refusal::new(
        format!(
            "the merge request and `upstream_ref` differ in more files than are read ({} MiB)",
            DIFFERENCE_LIMIT >> 20
        ),
        "set `upstream_ref` to the tag or branch that the downstream commits sit on",
    );
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
        .output_limit(DIFFERENCE_LIMIT)
        .output_or_refusal(&too_long)?;
    let mut fields = raw.split(|b| *b == 0).filter(|field| !field.is_empty());
    let mut changed = BTreeMap::new();
    while let (Some(change), Some(path)) = (fields.next(), fields.next()) {
        let path = RepoPath::parse(path).map_err(|error| refused_path(path, &error))?;
        let change: Vec<_> = change.fields().collect();
        let [_, mode, _, blob, _] = change[..] else { bail!("`git diff-tree` says something unknown of {path}") };
        let mode =
            std::str::from_utf8(mode).ok().and_then(|mode| u32::from_str_radix(mode, 8).ok()).unwrap_or_default();
        let blob = BlobId::parse(blob).with_context(|| format!("reading the change to {path}"))?;
        changed.insert(path, FileMode::from_git(mode).map(|mode| File { mode, blob }));
    }
    Ok(changed)
}

fn write_index(path: &Path, files: &FileTree) -> Result<()> {
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

fn read_index(path: &Path) -> Result<FileTree> {
    let index = Index::open(path).context("reading the proof's index")?;
    let mut files = FileTree::new();
    for entry in index.iter() {
        let path = RepoPath::parse(&entry.path).with_context(|| format!("reading {}", entry.path.as_bstr()))?;
        let mode = FileMode::from_git(entry.mode).with_context(|| format!("{path} has an unknown mode"))?;
        files.insert(path, File { mode, blob: BlobId::from_bytes(raw(entry.id)) });
    }
    Ok(files)
}
