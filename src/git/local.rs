//! A clone that a person keeps on this machine: what it has, without changing it.

use std::path::{Path, PathBuf};

use bstr::ByteSlice as _;

use crate::git::process::Git;
use crate::git::store::os_path;
use crate::git::upstream_ref::{self, RefPlace, ResolvedRef};
use crate::types::CommitId;
use crate::types::error::{Context as _, Result, UsageError, bail};

/// A clone, and what was checked out in it when it was opened.
#[derive(Clone, Debug)]
pub struct LocalRepository {
    /// The directory that the person named.
    pub directory: PathBuf,
    /// The top of the work tree.
    pub top: PathBuf,
    /// The commit that is checked out.
    pub head: CommitId,
    /// Where its objects are.
    pub objects: PathBuf,
    /// Commits whose parents were not fetched.
    pub shallow: Vec<CommitId>,
    git: Git,
}

impl LocalRepository {
    /// Opens the clone whose work tree holds `directory`. An error names `role`, which is what the person calls it.
    pub fn open(git: &Git, directory: &Path, role: &str) -> Result<Self> {
        let named = format!("{role} {}", directory.display());
        if !directory.is_dir() {
            bail!(UsageError::new(
                format!("{named} is not a directory"),
                format!("name the directory of a {role} clone")
            ));
        }
        let finished = git
            .in_clone(directory)
            .args([
                "rev-parse",
                "--path-format=absolute",
                "--show-object-format",
                "--show-toplevel",
                "--git-common-dir",
            ])
            .args(["--verify", "--end-of-options", "HEAD^{commit}"])
            .run()?;
        let lines: Vec<_> = finished.stdout.lines().collect();
        let [format, top, common, .., head] = lines[..] else {
            let without_commit = finished.stdout.lines().count() == 3;
            bail!(match without_commit {
                true =>
                    UsageError::new(format!("{named} has no commit checked out"), "check out the branch that is meant"),
                false => UsageError::new(
                    format!("{named} is not a git clone with a work tree: {}", finished.stderr),
                    format!("name the directory of a {role} clone that is not bare")
                ),
            });
        };
        if format != b"sha1" {
            bail!(UsageError::new(
                format!("{named} uses {} for object names", format.as_bstr()),
                "use a clone with sha1 names: no other are supported"
            ));
        }
        let common = os_path(common.as_bstr())?;
        let shallow = match std::fs::read(common.join("shallow")) {
            Ok(lines) => lines.lines().map(CommitId::parse).collect::<Result<_, _>>().context("reading `shallow`")?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| format!("reading {}", common.join("shallow").display())),
        };
        Ok(Self {
            directory: directory.to_owned(),
            top: os_path(top.as_bstr())?,
            head: CommitId::parse(head).with_context(|| format!("reading HEAD of {}", directory.display()))?,
            objects: common.join("objects"),
            shallow,
            git: git.clone(),
        })
    }

    /// A git command in the clone, with its configuration and nobody's else.
    pub fn command(&self) -> crate::git::process::GitCommand {
        self.git.in_clone(&self.top)
    }

    /// A git command in the clone as the person would type it.
    pub fn persons_command(&self) -> crate::git::process::GitCommand {
        self.git.as_person(&self.top)
    }

    /// Finds what `upstream_ref` names in this clone.
    pub fn resolve(&self, upstream_ref: &str) -> Result<ResolvedRef> {
        let patterns = upstream_ref::patterns(upstream_ref, RefPlace::Clone)?;
        let listed =
            self.command().args(["for-each-ref", "--format=%(objectname) %(refname)"]).args(patterns).output()?;
        let mut refs = Vec::new();
        for line in listed.lines() {
            let Some((object, name)) = line.split_once_str(b" ") else { continue };
            refs.push((name.to_str_lossy().into_owned(), CommitId::parse(object).context("reading the list of refs")?));
        }
        Ok(upstream_ref::choose(upstream_ref, refs, &self.directory.display().to_string())?)
    }
}
