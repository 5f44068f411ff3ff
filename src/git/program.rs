//! The git program: finds it, checks its version, and prepares commands for stores and clones.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use tempfile::TempDir;

use crate::git::process::{GitCommand, GitEnvironment};
use crate::types::error::{Context as _, Result, bail};
use crate::types::text::printable;

/// The oldest git that works: Debian 12's. The bot needs `merge-tree --write-tree` and `cat-file -z`, which came with
/// 2.38. It uses `--attr-source` (2.41) where git has it.
pub const OLDEST_GIT: GitVersion = GitVersion { major: 2, minor: 39 };

/// The first git with `--attr-source`. An older git reads no attributes in a bare repository without a work tree.
const ATTR_SOURCE_GIT: GitVersion = GitVersion { major: 2, minor: 41 };

/// The id (SHA-1) of the empty tree, which git knows even where no repository has it.
pub const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitVersion {
    pub major: u32,
    pub minor: u32,
}

impl GitVersion {
    /// Parses the output of `git --version`: `git version 2.39.5`, followed by more on some systems.
    fn parse(output: &str) -> Option<Self> {
        let mut numbers = output.strip_prefix("git version ")?.split(['.', ' ', '-']);
        Some(Self { major: numbers.next()?.trim().parse().ok()?, minor: numbers.next()?.trim().parse().ok()? })
    }
}

impl fmt::Display for GitVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A git that is new enough, with an empty home directory of its own.
#[derive(Clone, Debug)]
pub struct Git {
    version: GitVersion,
    search_path: OsString,
    home: Arc<TempDir>,
}

impl Git {
    /// Finds git on `search_path` (the variable `PATH`).
    ///
    /// It is an error if there is none or if it is older than [`OLDEST_GIT`].
    pub fn find(search_path: &OsStr) -> Result<Self> {
        let home = TempDir::with_prefix("source-git-bot-home-").context("making a temporary directory")?;
        fs::write(home.path().join("gitconfig"), "").context("making an empty git configuration")?;
        let oldest = GitVersion { major: 0, minor: 0 };
        let git = Self { version: oldest, search_path: search_path.to_owned(), home: Arc::new(home) };
        let output = git.command().arg("--version").output()?;
        let output = String::from_utf8_lossy(&output);
        let version = GitVersion::parse(&output)
            .ok_or_else(|| anyhow!("`git --version` says {}, which is no version", printable(output.as_bytes())))?;
        if version < OLDEST_GIT {
            bail!("git {version} is too old: install git {OLDEST_GIT} or newer");
        }
        Ok(Self { version, ..git })
    }

    /// Returns a command that is not tied to a repository.
    fn command(&self) -> GitCommand {
        let (search_path, home) = (self.search_path.clone(), Arc::clone(&self.home));
        GitCommand::new(GitEnvironment::Isolated { search_path, home })
    }

    /// Returns a command in the bare repository `git_dir` that ignores attributes.
    pub fn in_store(&self, git_dir: &Path) -> GitCommand {
        let mut command = self.command().env("GIT_DIR", git_dir);
        if self.version >= ATTR_SOURCE_GIT {
            command = command.arg(format!("--attr-source={EMPTY_TREE}"));
        }
        command
    }

    /// Returns a command in the clone that a person keeps at `directory`, with that clone's configuration only.
    pub fn in_clone(&self, directory: &Path) -> GitCommand {
        // The person named this directory, so git need not check who owns it.
        self.command().arg("-c").arg("safe.directory=*").directory(directory)
    }

    /// Returns a command in the clone that a person keeps at `directory`, as if they had typed it: with their
    /// configuration, identity and hooks.
    pub fn as_person(&self, directory: &Path) -> GitCommand {
        GitCommand::new(GitEnvironment::Inherited).directory(directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        let version = |text| GitVersion::parse(text).unwrap();
        assert_eq!(version("git version 2.39.5\n"), GitVersion { major: 2, minor: 39 });
        assert_eq!(version("git version 2.50.1 (Apple Git-155)"), GitVersion { major: 2, minor: 50 });
        assert_eq!(version("git version 3.0-rc1"), GitVersion { major: 3, minor: 0 });
        assert!(version("git version 2.9.0") < OLDEST_GIT);
        assert_eq!(GitVersion::parse("git version banana"), None);
        assert_eq!(GitVersion::parse(""), None);
    }

    #[test]
    fn a_missing_git_is_said_so() {
        let error = Git::find(OsStr::new("/nonexistent")).unwrap_err();
        assert!(format!("{error:#}").starts_with("starting git on the search path"), "{error:#}");
    }
}
