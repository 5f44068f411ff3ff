//! `git format-patch` for a list of commits, in one process.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read as _;

use anyhow::{Context as _, Result, bail};
use bstr::{BString, ByteSlice as _};

use super::Store;
use crate::transform::series::Prefix;
use crate::transform::{CommitId, Refusal};

/// The largest patch of one commit.
const PATCH_LIMIT: u64 = 64 << 20;

/// The largest series.
const SERIES_LIMIT: u64 = 512 << 20;

/// One commit's patch, as `git format-patch` writes it.
#[derive(Clone, Debug)]
pub struct FormattedPatch {
    /// The commit.
    pub commit: CommitId,
    /// The file name that git gives it: `0001-subject.patch`.
    pub file_name: BString,
    /// The mail.
    pub mail: Vec<u8>,
}

/// Returns the patches of `commits`, none of them a merge, in that order; a commit that changes nothing outside
/// `ignored` (git pathspecs that exclude) has none.
///
/// The bytes are those of `git format-patch --no-numbered --no-signature --full-index --binary` for each commit.
pub fn format(store: &Store, commits: &[CommitId], ignored: &[BString], prefix: Prefix) -> Result<Vec<FormattedPatch>> {
    if commits.is_empty() {
        return Ok(Vec::new());
    }
    let directory = tempfile::tempdir_in(store.scratch("")).context("making a directory for patches")?;
    let output = directory.path();
    // format-patch collects the commits and writes them last to first.
    let input: String = commits.iter().rev().map(|commit| format!("{commit}\n")).collect();
    let mut command = store
        .command()
        .args(["format-patch", "--no-numbered", "--no-signature", "--full-index", "--binary"])
        // A single commit without a count would mean all that came after it. A count makes git walk on to the parents,
        // so what stops it comes later.
        .args([&format!("--max-count={}", commits.len()), "--no-walk=unsorted", "--stdin", "-o"])
        .arg(output)
        .input(input.into_bytes());
    if prefix == Prefix::Omitted {
        command = command.arg("--no-prefix");
    }
    let printed = command.args(pathspecs(ignored)?).output()?;
    let mut patches = Vec::new();
    let mut left = SERIES_LIMIT;
    for path in printed.lines() {
        let path = super::store::os_path(path.as_bstr())?;
        let file = File::open(&path).with_context(|| format!("reading {}", path.display()))?;
        let mut mail = Vec::new();
        file.take(PATCH_LIMIT + 1).read_to_end(&mut mail).with_context(|| format!("reading {}", path.display()))?;
        let commit = mail.get(5..45).and_then(|id| CommitId::parse(id).ok());
        let commit = commit.with_context(|| format!("{} does not begin with its commit", path.display()))?;
        let size = mail.len() as u64;
        if size > PATCH_LIMIT || size > left {
            let text = format!(
                "the patches are too large: no patch may have more than {} MiB, the series {} MiB",
                PATCH_LIMIT >> 20,
                SERIES_LIMIT >> 20
            );
            bail!(Refusal::new(text, "put large files into an archive in the lookaside cache").about_commit(&commit));
        }
        left -= size;
        // The files are needed no longer than they are read: a series has them only once on disk.
        fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        let file_name = path.file_name().and_then(<[u8]>::from_os_str).unwrap_or_default().into();
        patches.push(FormattedPatch { commit, file_name, mail });
    }
    Ok(patches)
}

/// Arguments that take everything but `ignored`.
pub(super) fn pathspecs(ignored: &[BString]) -> Result<Vec<OsString>> {
    let mut arguments = vec![OsString::from("--"), OsString::from(".")];
    for path in ignored {
        arguments.push(super::store::os_path(path.as_bstr())?.into_os_string());
    }
    Ok(arguments)
}
