//! A clone that a person keeps on this machine. Nothing here changes it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bstr::ByteSlice as _;

use crate::git::process::GitCommand;
use crate::git::program::Git;
use crate::git::store::os_path;
use crate::git::upstream_ref::{self, RefPlace, ResolvedRef};
use crate::types::CommitId;
use crate::types::error::{Context as _, Result, UsageError, bail};

/// A clone, and the commit that was checked out when it was opened.
#[derive(Clone, Debug)]
pub struct LocalRepository {
    /// The directory as the person named it.
    pub directory: PathBuf,
    /// The top directory of the work tree.
    pub top: PathBuf,
    /// The commit that is checked out.
    pub head: CommitId,
    /// The `objects` directory of the repository.
    pub objects: PathBuf,
    /// Commits whose parents were not fetched.
    pub shallow: Vec<CommitId>,
    git: Git,
}

impl LocalRepository {
    /// Opens the clone whose work tree contains `directory`. Errors call it a `role` clone, such as `source-git`.
    pub fn open(git: &Git, directory: &Path, role: &str) -> Result<Self> {
        let named = format!("{role} {}", directory.display());
        if !directory.is_dir() {
            bail!(UsageError::new(
                format!("{named} is not a directory"),
                format!("name the directory of a {role} clone")
            ));
        }
        let output = git
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
        let lines: Vec<_> = output.stdout.lines().collect();
        let [format, top, common, .., head] = lines[..] else {
            let without_commit = output.stdout.lines().count() == 3;
            bail!(match without_commit {
                true =>
                    UsageError::new(format!("{named} has no commit checked out"), "check out the branch that is meant"),
                false => UsageError::new(
                    format!("{named} is not a git clone with a work tree: {}", output.stderr),
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
        let shallow = match fs::read(common.join("shallow")) {
            Ok(lines) => lines.lines().map(CommitId::parse).collect::<Result<_, _>>().context("reading `shallow`")?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
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

    /// Returns a git command in the clone, with the clone's configuration only.
    pub fn command(&self) -> GitCommand {
        self.git.in_clone(&self.top)
    }

    /// Returns a git command in the clone as the person would type it.
    pub fn command_as_person(&self) -> GitCommand {
        self.git.as_person(&self.top)
    }

    /// Resolves `upstream_ref` in this clone.
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
