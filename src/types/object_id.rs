//! Object names of git: the SHA-1 of a commit, a tree or a blob.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a git object name of 40 hexadecimal digits")]
pub struct IdError;

fn parse(text: &[u8]) -> Result<[u8; 20], IdError> {
    let mut id = [0; 20];
    if text.len() != 2 * id.len() {
        return Err(IdError);
    }
    for (byte, pair) in id.iter_mut().zip(text.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| IdError)?;
        if !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(IdError);
        }
        *byte = u8::from_str_radix(pair, 16).map_err(|_| IdError)?;
    }
    Ok(id)
}

macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 20]);

        impl $name {
            pub const fn from_bytes(bytes: [u8; 20]) -> Self {
                Self(bytes)
            }

            pub const fn as_bytes(&self) -> &[u8; 20] {
                &self.0
            }

            /// Parses 40 hexadecimal digits.
            pub fn parse(text: &[u8]) -> Result<Self, IdError> {
                parse(text).map(Self)
            }

            /// Returns the first ten digits, for people.
            pub fn short(&self) -> String {
                self.to_string().chars().take(10).collect()
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text.as_bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

object_id! {
    /// The object name of a commit.
    ///
    /// Ids of different types do not mix:
    ///
    /// ```compile_fail,E0308
    /// use source_git_bot::types::{CommitId, TreeId};
    /// let tree: TreeId = CommitId::from_bytes([0; 20]);
    /// ```
    CommitId
}
object_id! {
    /// The object name of a tree.
    TreeId
}
object_id! {
    /// The object name of a blob: the content of a file, or the target of a symbolic link.
    BlobId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_40_hexadecimal_digits() {
        let text = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(text.parse::<CommitId>().unwrap().to_string(), text);
        for bad in ["", "0123", "+123456789abcdef0123456789abcdef01234567", &text.replace('0', "g")] {
            assert_eq!(bad.parse::<CommitId>(), Err(IdError), "{bad}");
        }
    }
}
