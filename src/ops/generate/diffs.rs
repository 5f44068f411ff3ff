//! The changes in dist-git, line by line.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use bstr::ByteSlice as _;
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use crate::git::Store;
use crate::ops::generate::Generated;
use crate::types::error::Result;
use crate::types::text::printable_whole;
use crate::types::{File, FileMode, RepoPath};

/// The largest file, in bytes, that is shown as a diff. For a larger file, only the size is shown.
const DIFF_LIMIT: usize = 1 << 20;

/// How long to search for the shortest diff of one file. After that, a longer diff is shown. Without this limit, files
/// that share no unique line would take minutes.
const DIFF_TIME: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
pub(crate) struct FileDiff {
    pub(crate) path: RepoPath,
    pub(crate) diff: String,
}

/// Returns the diffs of all files that change, the spec file first. Leaves out patches that are added or removed: the
/// report names them.
pub(crate) fn diffs(store: &Store, generated: &Generated) -> Result<Vec<FileDiff>> {
    let Generated { before, after, spec, .. } = generated;
    let paths: BTreeSet<_> =
        before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)).collect();
    let is_patch = |path: &RepoPath| [".patch", ".diff"].iter().any(|end| path.as_bytes().ends_with_str(end));
    let mut paths: Vec<_> = paths
        .into_iter()
        .filter(|path| !is_patch(path) || (before.contains_key(*path) && after.contains_key(*path)))
        .collect();
    paths.sort_by_key(|path| *path != spec);
    paths
        .into_iter()
        .map(|path| Ok(FileDiff { path: path.clone(), diff: diff(store, path, before.get(path), after.get(path))? }))
        .collect()
}

fn diff(store: &Store, path: &RepoPath, old: Option<&File>, new: Option<&File>) -> Result<String> {
    let content = |file: Option<&File>| match file {
        Some(File { mode: FileMode::Gitlink, .. }) | None => Ok(Vec::new()),
        Some(file) => store.read(&file.blob),
    };
    let mut text = String::new();
    let name = |file: Option<&File>, side| file.map_or("/dev/null".to_owned(), |_| format!("{side}/{path}"));
    writeln!(text, "--- {}\n+++ {}", name(old, "a"), name(new, "b"))?;
    if let (Some(old), Some(new)) = (old, new)
        && old.mode != new.mode
    {
        writeln!(text, "mode {:o} becomes {:o}", old.mode.to_git(), new.mode.to_git())?;
    }
    let (old, new) = (content(old)?, content(new)?);
    if old.len().max(new.len()) > DIFF_LIMIT || old.contains(&0) || new.contains(&0) {
        writeln!(text, "{} bytes become {} bytes", old.len(), new.len())?;
        return Ok(text);
    }
    let changes =
        TextDiff::configure().algorithm(similar::Algorithm::Patience).timeout(DIFF_TIME).diff_lines(&old[..], &new[..]);
    for hunk in changes.unified_diff().context_radius(3).iter_hunks() {
        writeln!(text, "{}", hunk.header())?;
        for change in hunk.iter_changes() {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            writeln!(text, "{sign}{}", printable_line(change.value()))?;
            if change.missing_newline() {
                text.push_str("\\ No newline at end of file\n");
            }
        }
    }
    Ok(text)
}

/// Returns a line of a file without characters that a terminal would act on. Keeps tabs.
fn printable_line(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let parts: Vec<_> = line.split(|b| *b == b'\t').map(printable_whole).collect();
    parts.join("\t")
}
