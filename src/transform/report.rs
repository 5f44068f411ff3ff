//! The report: what changes in dist-git, what was proven, and what a person should know.
//!
//! As data it is the output of `--output json`; docs/json-output.md describes the format.
//! `commands::show` shows it to people.

use bstr::BString;
use serde::{Serialize, Serializer};

use crate::types::text::printable;
use crate::types::{CommitId, FileTree, Finding, RepoPath, TreeId};

/// What the transformation did and found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The package's name, where the configuration has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The source-git commit.
    pub source: CommitId,
    /// What it sits on.
    pub upstream: Upstream,
    /// The patch files, in the order of the series; then those that are dropped.
    pub patches: Vec<PatchReport>,
    /// The other files that change in dist-git.
    pub files: Vec<FileReport>,
    /// How merges were turned into patches.
    pub merges: MergeReport,
    /// What was proven.
    pub proof: ProofReport,
    /// What a person should know, in the order of the steps.
    pub findings: Vec<Finding>,
}

/// The upstream ref and what it names.
#[derive(Clone, Debug, Serialize)]
pub struct Upstream {
    /// The tag or branch, or the commit's own name.
    #[serde(rename = "ref")]
    pub name: String,
    /// The commit.
    pub commit: CommitId,
}

/// What becomes of a patch file in dist-git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum PatchChange {
    /// It is new.
    Added,
    /// dist-git has a file of this name with other content.
    Changed,
    /// dist-git has the same content under another name.
    Renamed {
        /// That name.
        from: RepoPath,
    },
    /// dist-git has it as it is.
    Kept,
    /// dist-git has it, and no longer needs it.
    Dropped,
    /// Its commits ask not to become a patch file.
    Ignored,
}

/// A patch file, and what becomes of it.
#[derive(Clone, Debug, Serialize)]
pub struct PatchReport {
    /// Its name.
    pub file: String,
    /// What becomes of it.
    #[serde(flatten)]
    pub change: PatchChange,
    /// Its number in the spec, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// The commits it was made from, oldest first.
    pub commits: Vec<PatchCommit>,
}

/// A commit that a patch file was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PatchCommit {
    /// The commit.
    pub id: CommitId,
    /// Its subject, printable.
    #[serde(serialize_with = "as_printable")]
    pub subject: BString,
}

fn as_printable<S: Serializer>(text: &BString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&printable(text))
}

/// What becomes of a file in dist-git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileChange {
    /// It is new.
    Added,
    /// Its content or its mode changes.
    Changed,
    /// It goes.
    Removed,
}

/// A file that changes in dist-git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// Where it is.
    pub path: RepoPath,
    /// What becomes of it.
    pub change: FileChange,
}

/// How merges between the upstream ref and the head were turned into patches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "handling", rename_all = "snake_case")]
pub enum MergeReport {
    /// There are none.
    None,
    /// Each other commit is a patch; the merges themselves change nothing.
    EveryCommit {
        /// How many merges there are.
        merges: usize,
    },
    /// Each step of the first-parent line is a patch, since the commits one by one do not give the source tree.
    FirstParent {
        /// How many merges there are.
        merges: usize,
        /// Why the commits one by one would not do.
        reason: String,
    },
    /// Everything is one patch, since nothing finer gives the source tree.
    OnePatch {
        /// How many merges there are.
        merges: usize,
        /// Why nothing finer would do.
        reason: String,
    },
}

/// What was proven of the series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProofReport {
    /// How many patch files the proven series has; the ignored ones count.
    pub patches: usize,
    /// The tree that they give on the upstream commit: the source tree without the ignored paths.
    pub tree: TreeId,
    /// Whether that holds for the build as well: the spec's own way of applying patches applies each of them.
    pub verified: bool,
    /// What is known of that way.
    pub applied_by_spec: AppliedBySpec,
    /// Patches that the spec names and no commit stands for; nothing is known of them.
    pub outside: Vec<String>,
}

/// Whether the spec's own way of applying patches applies each patch of the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AppliedBySpec {
    /// It does.
    Yes,
    /// It cannot apply some; a problem each says which and why.
    No,
    /// How the spec applies some of them cannot be told from its text.
    Unknown,
}

impl Report {
    /// Whether anything changes in dist-git.
    pub fn changes_anything(&self) -> bool {
        !self.files.is_empty()
            || self.patches.iter().any(|patch| !matches!(patch.change, PatchChange::Kept | PatchChange::Ignored))
    }
}

/// Returns what becomes of each file that differs, but for those that are `reported` elsewhere.
pub fn file_changes(before: &FileTree, after: &FileTree, reported: impl Fn(&RepoPath) -> bool) -> Vec<FileReport> {
    let mut changes: Vec<_> = before
        .keys()
        .filter(|path| !after.contains_key(*path))
        .map(|path| FileReport { path: path.clone(), change: FileChange::Removed })
        .chain(after.iter().filter_map(|(path, file)| match before.get(path) {
            Some(old) if old == file => None,
            Some(_) => Some(FileReport { path: path.clone(), change: FileChange::Changed }),
            None => Some(FileReport { path: path.clone(), change: FileChange::Added }),
        }))
        .filter(|report| !reported(&report.path))
        .collect();
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}
