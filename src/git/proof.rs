//! The proof that a patch series, applied to upstream's tree, gives the source tree.
//!
//! The patches are applied by `git apply --cached` to an index that holds no more files than the series and the
//! history touch, so the cost follows the change. git's apply knows no fuzz: a context line that differs is a failure.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use bstr::{BString, ByteSlice as _};
use git2::{Index, IndexEntry, IndexTime};

use crate::git::patches::pathspecs;
use crate::git::store::{oid, raw, refused_path};
use crate::git::work_tree::changes;
use crate::git::{History, Store};
use crate::transform::mail::{self, PatchedFile};
use crate::transform::series::Prefix;
use crate::types::error::{Context as _, Result, bail};
use crate::types::{BlobId, CommitId, File, FileMode, FileTree, Refusal, RepoPath, TreeId};

/// How much git may print for the files that differ between upstream and the merge request.
const DIFFERENCE_LIMIT: usize = 512 << 20;

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
pub struct TreeProof {
    /// The tree that a series has to give.
    pub expected: TreeId,
    /// upstream's files at every path that anything touches.
    before: FileTree,
    /// What the expected tree has at these paths; elsewhere it is upstream's.
    after: FileTree,
}

impl TreeProof {
    /// Reads what `history` comes to outside `ignored` (git pathspecs that exclude).
    pub fn take(store: &Store, history: &History, ignored: &[BString]) -> Result<Self> {
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

    /// Applies `series` to upstream's files and compares the outcome.
    pub fn prove(&self, store: &Store, series: &[PatchFile<'_>]) -> Result<Proof> {
        // As few calls as can be is what costs little. Where that fails nothing is said yet: one call for each mail
        // tells which patch it is.
        let holds = |applied: &Applied| matches!(applied, Applied::Gives(after) if *after == self.after);
        if holds(&self.apply(store, series, Calls::Few)?) {
            return Ok(Proof::Holds(self.expected));
        }
        Ok(match self.apply(store, series, Calls::OneForEach)? {
            Applied::Stopped { patch, reason } => Proof::DoesNotApply { patch, reason },
            Applied::Gives(after) if after == self.after => Proof::Holds(self.expected),
            Applied::Gives(after) => Proof::Differs(changes(&self.after, &after).into_keys().take(5).collect()),
        })
    }

    /// Whether `series` applies at all; where not, which patch stops it and why.
    pub fn stops_at(&self, store: &Store, series: &[PatchFile<'_>]) -> Result<Option<(BString, String)>> {
        Ok(match self.apply(store, series, Calls::OneForEach)? {
            Applied::Stopped { patch, reason } => Some((patch, reason)),
            Applied::Gives(_) => None,
        })
    }

    fn apply(&self, store: &Store, series: &[PatchFile<'_>], calls: Calls) -> Result<Applied> {
        let directory = tempfile::tempdir_in(store.scratch("")).context("making a directory for the proof")?;
        let index = directory.path().join("index");
        write_index(&index, &self.before)?;
        for run in runs(series, calls)? {
            if let Some(reason) = apply_mails(store, &index, &run)? {
                let patch = run.first().map(|mail| mail.file.name).unwrap_or_default().into();
                return Ok(Applied::Stopped { patch, reason });
            }
        }
        read_index(&index).map(Applied::Gives)
    }
}

/// How often git is called to apply a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Calls {
    /// As seldom as says the same.
    Few,
    /// Once for each mail.
    OneForEach,
}

/// A mail of a patch file: the change of one commit.
#[derive(Clone, Copy)]
struct Mail<'a> {
    file: PatchFile<'a>,
    content: &'a [u8],
}

/// Divides the mails of a series into runs, each of which is one call of git.
///
/// Within a call git holds what comes, goes or is renamed against the index as it was before the call: a file could be
/// made twice. So a mail that does this to a path which its run touches already begins another run.
fn runs<'a>(series: &[PatchFile<'a>], calls: Calls) -> Result<Vec<Vec<Mail<'a>>>> {
    let mut runs: Vec<Vec<Mail<'_>>> = Vec::new();
    let mut touched = HashSet::new();
    let mails = series.iter().flat_map(|file| mail::split(file.content).into_iter().map(|content| (*file, content)));
    for (file, content) in mails {
        let changed = mail::diff_of(content)
            .map_err(|error| mail::unreadable(format!("reading {}: {error}", file.name.as_bstr())))?;
        let paths = |file: &PatchedFile| [file.old.clone(), file.new.clone()].into_iter().flatten();
        let moves = |file: &PatchedFile| file.old != file.new && paths(file).any(|path| touched.contains(&path));
        let mail = Mail { file, content };
        match runs.last_mut() {
            Some(run)
                if calls == Calls::Few
                    && run.first().is_some_and(|first| first.file.prefix == file.prefix)
                    && !changed.iter().any(moves) =>
            {
                run.push(mail);
            }
            _ => {
                runs.push(vec![mail]);
                touched.clear();
            }
        }
        touched.extend(changed.iter().flat_map(paths));
    }
    Ok(runs)
}

enum Applied {
    Gives(FileTree),
    Stopped { patch: BString, reason: String },
}

/// Applies mails that agree on the prefix; returns what git says where it will not.
fn apply_mails(store: &Store, index: &Path, mails: &[Mail<'_>]) -> Result<Option<String>> {
    let Some(first) = mails.first() else { return Ok(None) };
    let strip = match first.file.prefix {
        Prefix::Shown => "-p1",
        Prefix::Omitted => "-p0",
    };
    let finished = store
        .command()
        .env("GIT_INDEX_FILE", index)
        .args(["apply", "--cached", "--whitespace=nowarn", "--allow-empty", strip, "-"])
        .input(mails.iter().flat_map(|mail| mail.content).copied().collect())
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
        .listing(&too_long)?;
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
