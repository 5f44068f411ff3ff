//! `git format-patch` for a list of commits, in one process.

use std::ffi::OsString;

use bstr::{BString, ByteSlice as _};

use crate::git::Store;
use crate::transform::series::Prefix;
use crate::types::error::{Context as _, Result, bail};
use crate::types::{CommitId, Refusal};

/// The largest patch of one commit.
const PATCH_LIMIT: usize = 64 << 20;

/// The largest series.
const SERIES_LIMIT: usize = 256 << 20;

/// One commit's patch, as `git format-patch` writes it.
#[derive(Clone, Debug)]
pub struct FormattedPatch {
    /// The commit.
    pub commit: CommitId,
    /// The mail.
    pub mail: Vec<u8>,
}

/// Returns the patches of `commits`, none of them a merge, in that order; a commit that changes nothing outside
/// `ignored` (git pathspecs that exclude) has none.
///
/// The bytes are those of `git format-patch --no-numbered --no-signature --full-index --binary` for each commit.
/// `head` is a commit that contains all of them: its id ends each mail in git's output, since no content of theirs can
/// hold an id that was computed from that content.
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
    // format-patch collects the commits and writes them last to first. A commit that stands alone would mean all that
    // came after it; named twice it means itself.
    let named = commits.iter().rev().chain(commits.first());
    let input: String = named.map(|commit| format!("{commit}\n")).collect();
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
    let finished = command.args(pathspecs(ignored)?).run()?;
    let end = format!("-- \n{head}\n\n");
    let mut patches = Vec::new();
    let mut rest = &finished.stdout[..];
    while !rest.is_empty() {
        let length = rest.find(&end);
        // git puts a blank line between mails.
        let mail = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        let mail = if patches.is_empty() { mail } else { mail.strip_prefix(b"\n").unwrap_or(mail) };
        let commit = mail.get(5..45).and_then(|id| CommitId::parse(id).ok());
        let commit = commit.context("git format-patch wrote a mail that does not begin with its commit")?;
        if mail.len() > PATCH_LIMIT || finished.truncated && length.is_none() {
            let text = format!(
                "the patches are too large: no patch may have more than {} MiB, the series {} MiB",
                PATCH_LIMIT >> 20,
                SERIES_LIMIT >> 20
            );
            bail!(Refusal::new(text, "put large files into an archive in the lookaside cache").about_commit(&commit));
        }
        let Some(length) = length else { bail!("git format-patch ended within a mail: {}", finished.stderr) };
        patches.push(FormattedPatch { commit, mail: mail.to_vec() });
        rest = rest.get(length + end.len()..).unwrap_or_default();
    }
    if !finished.status.success() {
        bail!("`git format-patch` failed ({}): {}", finished.status, finished.stderr);
    }
    Ok(patches)
}

/// Arguments that take everything but `ignored`.
pub(super) fn pathspecs(ignored: &[BString]) -> Result<Vec<OsString>> {
    let mut arguments = vec![OsString::from("--"), OsString::from(".")];
    for path in ignored {
        arguments.push(crate::git::store::os_path(path.as_bstr())?.into_os_string());
    }
    Ok(arguments)
}
