//! Names and numbers of things on GitLab. Each has a type of its own, so that nobody can mix them up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest path of a project, in bytes. GitLab allows 255 characters.
const PATH_LIMIT: usize = 1024;

/// The longest name of a branch, in bytes. git may store it as a path below `refs/heads/`.
const BRANCH_LIMIT: usize = 1024;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// The number of a project, unique on its GitLab instance. A project keeps it when it moves.
    ///
    /// ```compile_fail,E0308
    /// use source_git_bot::types::{ProjectId, UserId};
    /// let user: UserId = ProjectId(7);
    /// ```
    ProjectId
}
number! {
    /// The number of a merge request within its target project: the 7 of `group/project!7`.
    MergeRequestIid
}
number! {
    /// The number of a merge request, unique on its GitLab instance.
    MergeRequestId
}
number! {
    /// The number of a pipeline, unique on its GitLab instance.
    PipelineId
}
number! {
    /// The number of a user, unique on their GitLab instance.
    UserId
}
number! {
    /// The number of an issue within its project.
    IssueIid
}
number! {
    /// The number of a note (a comment), unique on its GitLab instance.
    NoteId
}

/// A text that is not the name of what it should name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {0}")]
pub struct NameError(&'static str);

/// The path of a project: `group/subgroup/project`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectPath(String);

impl ProjectPath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last part of the path: the project's own name in URLs.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.0.as_str(), |(_, name)| name)
    }

    /// Returns the path of the group or user that owns the project.
    pub fn namespace(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(namespace, _)| namespace)
    }
}

impl FromStr for ProjectPath {
    type Err = NameError;

    /// Accepts what GitLab accepts (`Gitlab::PathRegex`): two or more parts of letters, digits, `_`, `-` and `.`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let part = |part: &str| {
            !part.starts_with('-')
                && !matches!(part, "" | "." | "..")
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        };
        if text.len() <= PATH_LIMIT && text.contains('/') && text.split('/').all(part) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError("the path of a project, such as `group/project`"))
        }
    }
}

/// The name of a branch, such as `c9s`; without `refs/heads/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BranchName(String);

impl BranchName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BranchName {
    type Err = NameError;

    /// Accepts what git accepts for a branch (git-check-ref-format(1)).
    fn from_str(text: &str) -> Result<Self, NameError> {
        let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
        let forbidden = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
        let good = text.len() <= BRANCH_LIMIT
            && text.split('/').all(part)
            && !text.contains(forbidden)
            && !text.contains("..")
            && !text.contains("@{")
            && !text.starts_with('-')
            && !text.ends_with('.')
            && text != "@"
            && text != "HEAD";
        if good { Ok(Self(text.to_owned())) } else { Err(NameError("the name of a branch")) }
    }
}

macro_rules! string_conversions {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }
    };
}

string_conversions!(ProjectPath);
string_conversions!(BranchName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_path_has_a_namespace_and_a_name() {
        let path: ProjectPath = "redhat/centos-stream/rpms/gcc-c++.x".replace("++", "").parse().unwrap();
        assert_eq!(path.name(), "gcc-c.x");
        assert_eq!(path.namespace(), "redhat/centos-stream/rpms");
        for bad in [
            "", "a", "/a", "a/", "a//b", "a/../b", "a/./b", "a/-b", "a/b c", "a/b?x", "a/b%2f", "a/b#", "a\\b/c",
            "a/é", "a/b\n",
        ] {
            assert!(bad.parse::<ProjectPath>().is_err(), "{bad:?}");
        }
        assert!(format!("a/{}", "b".repeat(PATH_LIMIT)).parse::<ProjectPath>().is_err());
    }

    #[test]
    fn a_branch_name_is_what_git_accepts() {
        for good in ["c9s", "c9s-src-7", "feature/é", "a@b", "#1", "x.y", "%2e%2e"] {
            assert!(good.parse::<BranchName>().is_ok(), "{good:?}");
        }
        for bad in [
            "", "/", "a/", "/a", "a//b", "..", "a..b", ".a", "a/.b", "a.lock", "a.lock/b", "a.", "a b", "a~1", "a^",
            "a:b", "a?", "a*", "a[", "a\\b", "a@{1}", "@", "HEAD", "-d", "a\n", "a\u{7f}",
        ] {
            assert!(bad.parse::<BranchName>().is_err(), "{bad:?}");
        }
        assert!("b".repeat(BRANCH_LIMIT + 1).parse::<BranchName>().is_err());
    }
}
