//! Formats the patches of a list of commits with a single `git format-patch`.

use std::ffi::OsString;

use bstr::{BString, ByteSlice as _};

use crate::git::Store;
use crate::git::store::os_path;
use crate::transform::series::Prefix;
use crate::types::error::{Context as _, Result, bail};
use crate::types::{CommitId, Refusal};

/// The largest patch of one commit, in bytes.
const PATCH_LIMIT: usize = 64 << 20;

/// The largest series, in bytes.
const SERIES_LIMIT: usize = 256 << 20;

/// One commit's patch, as `git format-patch` writes it.
#[derive(Clone, Debug)]
pub struct FormattedPatch {
    pub commit: CommitId,
    pub mail: Vec<u8>,
}

/// Returns the patches of `commits` in their order. None of the commits may be a merge.
///
/// A commit that changes nothing outside `ignored` (excluding git pathspecs) has no patch. The bytes are those of
/// `git format-patch --no-numbered --no-signature --full-index --binary` for each commit.
///
/// `head` is a commit that contains all of `commits`. Its id marks the end of each mail in git's output: no mail can
/// contain an id that was computed from its content.
pub fn format(
    store: &Store,
    head: &CommitId,
    commits: &[CommitId],
    ignored: &[BString],
    prefix: Prefix,
) -> Result<Vec<FormattedPatch>> {
    if commits.is_empty() {
        return Ok(Vec::new());
    }
    // format-patch collects the commits and writes them last to first. It takes a single commit for everything that
    // came after it, and the same commit given twice for that commit alone.
    let listed = commits.iter().rev().chain(commits.first());
    let input: String = listed.map(|commit| format!("{commit}\n")).collect();
    let mut command = store
        .command()
        .args(["format-patch", "--stdout", "--no-numbered", "--full-index", "--binary"])
        .arg(format!("--signature={head}"))
        .args(["--no-walk=unsorted", "--stdin"])
        .input(input.into_bytes())
        .output_limit(SERIES_LIMIT);
    if prefix == Prefix::Omitted {
        command = command.arg("--no-prefix");
    }
    let output = command.args(pathspecs(ignored)?).run()?;
    let end = format!("-- \n{head}\n\n");
    let mut patches = Vec::new();
    let mut rest = &output.stdout[..];
    while !rest.is_empty() {
        let length = rest.find(&end);
        // git separates mails by a blank line.
        let mail = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        let mail = if patches.is_empty() { mail } else { mail.strip_prefix(b"\n").unwrap_or(mail) };
        let commit = mail.get(5..45).and_then(|id| CommitId::parse(id).ok());
        let commit = commit.context("git format-patch wrote a mail that does not begin with its commit")?;
        if mail.len() > PATCH_LIMIT || output.truncated && length.is_none() {
            let text = format!(
                "the patches are too large: no patch may have more than {} MiB, the series {} MiB",
                PATCH_LIMIT >> 20,
                SERIES_LIMIT >> 20
            );
            bail!(Refusal::new(text, "put large files into an archive in the lookaside cache").about_commit(&commit));
        }
        let Some(length) = length else { bail!("git format-patch ended within a mail: {}", output.stderr) };
        patches.push(FormattedPatch { commit, mail: mail.to_vec() });
        rest = rest.get(length + end.len()..).unwrap_or_default();
    }
    if !output.status.success() {
        bail!("`git format-patch` failed ({}): {}", output.status, output.stderr);
    }
    Ok(patches)
}

/// Returns arguments that select everything except `ignored`.
pub(super) fn pathspecs(ignored: &[BString]) -> Result<Vec<OsString>> {
    let mut arguments = vec![OsString::from("--"), OsString::from(".")];
    for path in ignored {
        arguments.push(os_path(path.as_bstr())?.into_os_string());
    }
    Ok(arguments)
}
