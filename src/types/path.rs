//! Paths inside a repository, checked once: whoever holds a [`RepoPath`] cannot leave the repository with it.

use std::fmt;

use bstr::{BStr, BString, ByteSlice as _};
use serde::{Serialize, Serializer};

use crate::types::text::{printable, printable_whole};

/// Why some bytes are not a path inside a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path is empty")]
    Empty,
    #[error("the path is absolute")]
    Absolute,
    #[error("the path has an empty, `.` or `..` component")]
    Dots,
    /// A component is `.git`, in upper or lower case.
    #[error("the path leads into `.git`")]
    DotGit,
    #[error("the path holds a NUL byte")]
    Nul,
    #[error("the path has more than {LENGTH_LIMIT} bytes")]
    TooLong,
    #[error("the path has more than {} components", RepoPath::MOST_COMPONENTS)]
    TooDeep,
}

/// The longest path, in bytes: Linux's `PATH_MAX` without the NUL. No work tree can hold a longer one.
const LENGTH_LIMIT: usize = 4095;

/// A path inside a repository: relative, with `/` between components, none of which is empty, `.`, `..` or `.git`.
///
/// Paths are bytes, as in git, in no particular encoding. Their length and depth are limited, because the functions
/// that read and write trees call themselves for each directory, on threads with small stacks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(BString);

impl RepoPath {
    /// The most components of a path: several times as many as in the deepest known project.
    pub const MOST_COMPONENTS: usize = 200;

    pub fn parse(path: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let path = path.as_ref();
        if path.is_empty() {
            return Err(PathError::Empty);
        }
        if path.starts_with(b"/") {
            return Err(PathError::Absolute);
        }
        if path.contains(&0) {
            return Err(PathError::Nul);
        }
        if path.len() > LENGTH_LIMIT {
            return Err(PathError::TooLong);
        }
        if path.split(|b| *b == b'/').count() > Self::MOST_COMPONENTS {
            return Err(PathError::TooDeep);
        }
        for component in path.split(|b| *b == b'/') {
            if matches!(component, b"" | b"." | b"..") {
                return Err(PathError::Dots);
            }
            if component.eq_ignore_ascii_case(b".git") {
                return Err(PathError::DotGit);
            }
        }
        Ok(Self(path.into()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn as_bstr(&self) -> &BStr {
        self.0.as_bstr()
    }

    pub fn file_name(&self) -> &BStr {
        self.0.rsplit(|b| *b == b'/').next().unwrap_or_default().as_bstr()
    }

    /// Returns the directory that holds this path; `None` at the top level.
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once_str(b"/")?;
        Some(Self(parent.into()))
    }

    pub fn components(&self) -> impl Iterator<Item = &BStr> {
        self.0.split(|b| *b == b'/').map(|component| component.as_bstr())
    }

    /// Appends `name` and checks the result as [`RepoPath::parse`] does.
    pub fn join(&self, name: impl AsRef<[u8]>) -> Result<Self, PathError> {
        let mut path = self.0.clone();
        path.push(b'/');
        path.extend_from_slice(name.as_ref());
        Self::parse(path)
    }

    /// Returns the part after `directory` and its slash; `None` when the path is not below `directory`.
    pub fn below(&self, directory: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(directory.as_bytes())?.strip_prefix(b"/")?;
        Some(Self(rest.into()))
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.0))
    }
}

impl Serialize for RepoPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&printable_whole(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside_its_repository() {
        for (path, error) in [
            ("", PathError::Empty),
            ("/etc/passwd", PathError::Absolute),
            ("a/../b", PathError::Dots),
            ("..", PathError::Dots),
            ("./a", PathError::Dots),
            ("a//b", PathError::Dots),
            ("a/", PathError::Dots),
            (".git/config", PathError::DotGit),
            ("a/.GIT/hooks", PathError::DotGit),
            ("a\0b", PathError::Nul),
        ] {
            assert_eq!(RepoPath::parse(path), Err(error), "{path:?}");
        }
    }

    #[test]
    fn a_path_is_limited_in_length_and_depth() {
        let deepest = vec!["d"; 200].join("/");
        assert_eq!(RepoPath::parse(&deepest).unwrap().components().count(), 200);
        assert_eq!(RepoPath::parse(format!("d/{deepest}")), Err(PathError::TooDeep));
        assert_eq!(RepoPath::parse(&deepest).unwrap().join("x"), Err(PathError::TooDeep));
        assert!(RepoPath::parse("x".repeat(4095)).is_ok());
        assert_eq!(RepoPath::parse("x".repeat(4096)), Err(PathError::TooLong));
    }

    #[test]
    fn a_path_is_split_at_slashes() {
        let path = RepoPath::parse("a/b/c.txt").unwrap();
        assert_eq!(path.file_name(), "c.txt");
        assert_eq!(path.parent().unwrap().to_string(), "a/b");
        assert_eq!(RepoPath::parse("a").unwrap().parent(), None);
        assert_eq!(path.below(&RepoPath::parse("a").unwrap()).unwrap().to_string(), "b/c.txt");
        assert_eq!(RepoPath::parse("ab/c").unwrap().below(&RepoPath::parse("a").unwrap()), None);
    }
}
