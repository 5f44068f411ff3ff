//! The name of a package, which its projects on GitLab share.

use std::fmt;
use std::str::FromStr;

/// The longest name of a project, in bytes: GitLab's limit for a project's path.
const LENGTH_LIMIT: usize = 255;

/// The last part of the paths of a package's projects: `bash`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageName(String);

/// A text that cannot be the name of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not the name of a project")]
pub struct PackageNameError;

impl PackageName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PackageName {
    type Err = PackageNameError;

    /// Parses a name by GitLab's rules for the path of a project (`Gitlab::PathRegex`). It consists of letters, digits,
    /// `_`, `-` and `.`, begins with a letter, a digit or `_`, and has no ending that GitLab's own addresses use.
    fn from_str(text: &str) -> Result<Self, PackageNameError> {
        let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let good = text.len() <= LENGTH_LIMIT
            && text.starts_with(first)
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
            && !text.ends_with('.')
            && ![".git", ".atom"].iter().any(|ending| text.to_ascii_lowercase().ends_with(ending));
        if good { Ok(Self(text.to_owned())) } else { Err(PackageNameError) }
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_name_follows_gitlabs_rules_for_projects() {
        for good in ["bash", "gcc-toolset-14", "python3.12", "389-ds-base", "_x", "libgit2_1.7"] {
            assert_eq!(good.parse::<PackageName>().unwrap().as_str(), good);
        }
        for bad in [
            "", ".", "..", "-x", ".x", "x.", "a/b", "../x", "gcc-c++", "x.git", "x.GIT", "x.atom", "a b", "a\nb", "é",
            "a%2fb", "a?b", "a#b", "a\u{0}",
        ] {
            assert!(bad.parse::<PackageName>().is_err(), "{bad:?}");
        }
        assert!("a".repeat(256).parse::<PackageName>().is_err());
    }
}
