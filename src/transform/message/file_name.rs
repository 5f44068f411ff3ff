//! The names that a patch file may have.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The longest name, in bytes. It fits any file system and leaves room for the names of temporary files.
const LONGEST: usize = 200;

/// Why a text cannot be the name of a patch file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchFileNameError {
    #[error("it is empty")]
    Empty,
    #[error("it is longer than 200 bytes")]
    TooLong,
    /// A byte is none of `A-Za-z0-9._+:@-`. A slash is such a byte.
    #[error("it holds a character that is not allowed")]
    Character,
    #[error("it begins with `.` or `-`")]
    Start,
    #[error("it ends in neither `.patch` nor `.diff`")]
    Suffix,
}

/// The name of a patch file, without a directory and without anything that is special for a shell, rpm or a file
/// system.
///
/// It has only `A-Za-z0-9._+:@-`, does not begin with `.` or `-`, and ends in `.patch` or `.diff`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatchFileName(String);

impl PatchFileName {
    pub fn parse(name: &[u8]) -> Result<Self, PatchFileNameError> {
        let Some(first) = name.first() else { return Err(PatchFileNameError::Empty) };
        if name.len() > LONGEST {
            return Err(PatchFileNameError::TooLong);
        }
        if !name.iter().all(|b| b.is_ascii_alphanumeric() || b"._+:@-".contains(b)) {
            return Err(PatchFileNameError::Character);
        }
        if b".-".contains(first) {
            return Err(PatchFileNameError::Start);
        }
        if !(name.ends_with(b".patch") || name.ends_with(b".diff")) {
            return Err(PatchFileNameError::Suffix);
        }
        let name = std::str::from_utf8(name).map_err(|_| PatchFileNameError::Character)?;
        Ok(Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PatchFileName {
    type Err = PatchFileNameError;

    fn from_str(name: &str) -> Result<Self, PatchFileNameError> {
        Self::parse(name.as_bytes())
    }
}

impl fmt::Display for PatchFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for PatchFileName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_file_name_stays_in_its_directory() {
        for (name, error) in [
            ("", PatchFileNameError::Empty),
            ("../../escaped.patch", PatchFileNameError::Character),
            ("/etc/x.patch", PatchFileNameError::Character),
            ("..patch", PatchFileNameError::Start),
            ("-rf.patch", PatchFileNameError::Start),
            (".patch", PatchFileNameError::Start),
            ("hello.spec", PatchFileNameError::Suffix),
            ("a b.patch", PatchFileNameError::Character),
            ("a%{b}.patch", PatchFileNameError::Character),
            ("a\n.patch", PatchFileNameError::Character),
            ("é.patch", PatchFileNameError::Character),
            ("a\0.patch", PatchFileNameError::Character),
        ] {
            assert_eq!(PatchFileName::parse(name.as_bytes()), Err(error), "{name:?}");
        }
        assert_eq!(
            PatchFileName::parse(&[b"a".repeat(195), b".patch".to_vec()].concat()),
            Err(PatchFileNameError::TooLong)
        );
        for name in ["clev:er.patch", "0001-Fix-it.patch", "a@b+c_d.diff", "CVE-2024-1.patch"] {
            assert_eq!(name.parse::<PatchFileName>().unwrap().as_str(), name);
        }
    }
}
