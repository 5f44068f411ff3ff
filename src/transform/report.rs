//! The report of a transformation: what changes in dist-git, what was proven, and what people should know.
//!
//! Serialized, it is the output of `--output json`; docs/json-output.md describes the format. `cli::render` shows it to
//! people.

use bstr::BString;
use serde::{Serialize, Serializer};

use crate::types::text::printable;
use crate::types::{CommitId, FileTree, Finding, RepoPath, TreeId};

#[derive(Clone, Debug, Serialize)]
pub struct TransformReport {
    /// `None` when the configuration does not name the package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The source-git commit that was transformed.
    pub source: CommitId,
    pub upstream: Upstream,
    /// The patch files in the order of the series, then the dropped ones.
    pub patches: Vec<PatchReport>,
    /// The other files that change in dist-git.
    pub files: Vec<FileReport>,
    pub merges: MergeReport,
    pub proof: ProofReport,
    /// In the order of the steps of the transformation.
    pub findings: Vec<Finding>,
}

/// The upstream ref, resolved.
#[derive(Clone, Debug, Serialize)]
pub struct Upstream {
    /// The name of a tag or branch, or the object name of the commit.
    #[serde(rename = "ref")]
    pub name: String,
    pub commit: CommitId,
}

/// What happens to a patch file in dist-git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum PatchChange {
    Added,
    /// dist-git has a file of this name with other content.
    Changed,
    /// dist-git has the same content under another name.
    Renamed {
        from: RepoPath,
    },
    /// dist-git has it already.
    Kept,
    /// dist-git has it and no longer needs it.
    Dropped,
    /// Its commits ask for no patch file (`Ignore-patch`).
    Ignored,
}

#[derive(Clone, Debug, Serialize)]
pub struct PatchReport {
    pub file: String,
    #[serde(flatten)]
    pub change: PatchChange,
    /// The number of its Patch tag; `None` when the spec gives it none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// The commits that it was made from, oldest first.
    pub commits: Vec<PatchCommit>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PatchCommit {
    pub id: CommitId,
    /// Serialized as printable text.
    #[serde(serialize_with = "as_printable")]
    pub subject: BString,
}

fn as_printable<S: Serializer>(text: &BString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&printable(text))
}

/// What happens to a file in dist-git that is not a patch file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileChange {
    Added,
    /// Its content or its mode changes.
    Changed,
    Removed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileReport {
    pub path: RepoPath,
    pub change: FileChange,
}

/// How the merges between the upstream ref and the source-git commit became patches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "handling", rename_all = "snake_case")]
pub enum MergeReport {
    /// There are no merges.
    None,
    /// Each commit that is not a merge is a patch; the merges themselves change nothing.
    EveryCommit { merges: usize },
    /// Each step of the first-parent history is a patch, because the single commits do not give the source tree.
    FirstParent {
        merges: usize,
        /// Why the single commits cannot be the patches.
        reason: String,
    },
    /// Everything is one patch, because no smaller patches give the source tree.
    OnePatch {
        merges: usize,
        /// Why there are no smaller patches.
        reason: String,
    },
}

/// What was proven about the series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProofReport {
    /// How many patch files the series has, including the ignored ones.
    pub patches: usize,
    /// The tree that they give when applied to the upstream commit: the source tree without the ignored paths.
    pub tree: TreeId,
    /// Whether the build gets the same tree: the spec applies each patch, in its own way.
    pub verified: bool,
    pub applied_by_spec: AppliedBySpec,
    /// Patches that the spec names but no commit makes; nothing is proven about them.
    pub outside: Vec<String>,
}

/// Whether the spec's own way of applying patches can apply each patch of the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AppliedBySpec {
    Yes,
    /// It cannot apply some of them. Each has a finding that says why.
    No,
    /// The text of the spec does not show how it applies some of them.
    Unknown,
}

impl TransformReport {
    /// Whether anything changes in dist-git.
    pub fn changes_anything(&self) -> bool {
        !self.files.is_empty()
            || self.patches.iter().any(|patch| !matches!(patch.change, PatchChange::Kept | PatchChange::Ignored))
    }
}

/// Returns the files that differ, except those that are `reported` elsewhere.
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
