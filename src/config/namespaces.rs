//! Which source-git project belongs to which dist-git project. Their namespaces decide.

use std::fmt;
use std::str::FromStr;

use crate::types::error::Error;

/// The longest path of a namespace, in bytes.
const LENGTH_LIMIT: usize = 1024;

/// The path of a group or user: `redhat/centos-stream/src`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(String);

/// A text that is not the path of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the path of a group or user, such as `redhat/centos-stream/src`")]
pub struct NamespaceError;

impl From<NamespaceError> for Error {
    fn from(error: NamespaceError) -> Self {
        Self::msg(error)
    }
}

impl Namespace {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path of `project` relative to this namespace; `None` where the project is not in it, at any depth.
    ///
    /// The comparison is case-sensitive: GitLab finds a project by any spelling, but answers with its own.
    pub fn name_within<'a>(&self, project: &'a str) -> Option<&'a str> {
        project.strip_prefix(&self.0)?.strip_prefix('/').filter(|name| !name.is_empty())
    }

    /// Whether a project could be in both namespaces.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self == other || self.name_within(&other.0).is_some() || other.name_within(&self.0).is_some()
    }
}

impl FromStr for Namespace {
    type Err = NamespaceError;

    fn from_str(text: &str) -> Result<Self, NamespaceError> {
        let part = |part: &str| {
            !part.starts_with('-')
                && !matches!(part, "" | "." | "..")
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        };
        if text.len() <= LENGTH_LIMIT && text.split('/').all(part) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NamespaceError)
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A namespace of source-git projects and the one of their dist-git projects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespacePair {
    pub source_git: Namespace,
    pub dist_git: Namespace,
    /// The namespaces from which `onboard` copies a package's two projects; `None` where it makes no copies.
    pub copy_of: Option<CopyOf>,
}

/// The namespaces of the projects from which `onboard` copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOf {
    pub source_git: Namespace,
    pub dist_git: Namespace,
}

/// The pairs of namespaces of an instance: at least one. No project is in two of these namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceMap(Vec<NamespacePair>);

impl NamespaceMap {
    /// Makes a map of pairs.
    ///
    /// # Errors
    ///
    /// Says why, where a project could be in two of the namespaces: then a merge request could be its own counterpart,
    /// or have two.
    pub(super) fn new(pairs: Vec<NamespacePair>) -> Result<Self, String> {
        if pairs.is_empty() {
            return Err("must name at least one pair of namespaces".to_owned());
        }
        let all: Vec<&Namespace> = pairs.iter().flat_map(|pair| [&pair.source_git, &pair.dist_git]).collect();
        for (index, one) in all.iter().enumerate() {
            if let Some(other) = all.iter().skip(index.saturating_add(1)).find(|other| one.overlaps(other)) {
                return Err(format!("`{one}` and `{other}` overlap, so that a project could be in both"));
            }
        }
        for pair in &pairs {
            let copied = pair.copy_of.iter().flat_map(|copy_of| [&copy_of.source_git, &copy_of.dist_git]);
            for from in copied {
                if let Some(to) = [&pair.source_git, &pair.dist_git].into_iter().find(|to| to.overlaps(from)) {
                    return Err(format!("`{to}` and `{from}`, which it is a copy of, overlap"));
                }
            }
        }
        Ok(Self(pairs))
    }

    pub fn pairs(&self) -> &[NamespacePair] {
        &self.0
    }

    /// Returns the path of a source-git project's dist-git project; `None` where the instance does not have it.
    pub fn dist_git_of(&self, source_git: &str) -> Option<String> {
        self.0.iter().find_map(|pair| Some(format!("{}/{}", pair.dist_git, pair.source_git.name_within(source_git)?)))
    }

    /// Returns the path of a dist-git project's source-git project; `None` where the instance does not have it.
    pub fn source_git_of(&self, dist_git: &str) -> Option<String> {
        self.0.iter().find_map(|pair| Some(format!("{}/{}", pair.source_git, pair.dist_git.name_within(dist_git)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Result<NamespaceMap, String> {
        let pair = |(source_git, dist_git): &(&str, &str)| NamespacePair {
            source_git: source_git.parse().unwrap(),
            dist_git: dist_git.parse().unwrap(),
            copy_of: None,
        };
        NamespaceMap::new(pairs.iter().map(pair).collect())
    }

    #[test]
    fn projects_map_by_their_path_within_the_namespace() {
        let map = map(&[("g/src", "g/rpms"), ("g/modules/src", "g/modules/rpms")]).unwrap();
        assert_eq!(map.dist_git_of("g/src/bash").as_deref(), Some("g/rpms/bash"));
        assert_eq!(map.dist_git_of("g/src/lang/perl").as_deref(), Some("g/rpms/lang/perl"));
        assert_eq!(map.dist_git_of("g/modules/src/x").as_deref(), Some("g/modules/rpms/x"));
        assert_eq!(map.source_git_of("g/rpms/bash").as_deref(), Some("g/src/bash"));
    }

    #[test]
    fn a_project_elsewhere_has_no_counterpart() {
        let map = map(&[("g/src", "g/rpms")]).unwrap();
        for path in
            ["g/src", "g/src/", "g/srcs/bash", "g/src-evil/bash", "x/g/src/bash", "G/src/bash", "g/rpms/bash", ""]
        {
            assert_eq!(map.dist_git_of(path), None, "{path}");
        }
    }

    #[test]
    fn overlapping_namespaces_are_refused() {
        assert!(map(&[]).is_err());
        for pairs in [
            &[("g", "g")][..],
            &[("g/src", "g/src/rpms")],
            &[("g/src", "g")],
            &[("a", "b"), ("a/c", "d")],
            &[("a", "b"), ("c", "a")],
            &[("a", "b"), ("c", "b")],
        ] {
            assert!(map(pairs).is_err(), "{pairs:?}");
        }
        assert!(map(&[("g/src", "g/src2")]).is_ok());
    }

    #[test]
    fn a_namespace_is_the_path_of_a_group_or_user() {
        for good in ["g", "redhat/centos-stream/src", "a_b.c-d/_e"] {
            assert!(good.parse::<Namespace>().is_ok(), "{good}");
        }
        for bad in ["", "/g", "g/", "g//h", "g/..", ".", "-g", "g h", "g\n", "https://x/g", "g?", "é"] {
            assert_eq!(bad.parse::<Namespace>(), Err(NamespaceError), "{bad:?}");
        }
    }
}
