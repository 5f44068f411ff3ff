//! The transformation, against the tools whose rules it follows: git, patch, rpm and rsync.

mod files;
mod message;
mod spec;
