//! What the message of a downstream commit says about its patch.
//!
//! There are two notations, and each commit may use either: git trailers in the last paragraph, or, if none of the six
//! tokens is there, the older YAML at the end of the message:
//!
//! ```text
//! Read the configuration from /etc            Read the configuration from /etc
//!
//! Patch-name: etc.patch                       patch_name: etc.patch
//! Patch-status: |                             description: Upstream declined it.
//!     # Upstream declined it.
//! ```
//!
//! Values are read as YAML, as packit's users know them, but they always stay text. Nothing here knows about the spec
//! or about other commits. Whether two patches may share a name is decided in [`crate::transform::series`].

mod comment;
mod file_name;
mod legacy;
mod metadata;
mod near_miss;
mod read;
mod scalar;
#[cfg(test)]
mod tests;
mod trailers;
mod value;

pub use crate::transform::message::comment::{CommentStyle, comment};
pub use crate::transform::message::file_name::{PatchFileName, PatchFileNameError};
pub use crate::transform::message::metadata::{MetadataSource, PatchMetadata};
pub use crate::transform::message::read::read;
