//! The transformation from source-git to dist-git as pure functions: values in, values out.
//!
//! Nothing here touches a repository, the network, the environment, a clock or the file system, and nothing is
//! executed: no spec macro is expanded and no action of a package configuration is run. The callers in `ops` read the
//! inputs and write the outputs.

pub mod config;
pub mod dist_git;
pub mod files;
pub mod keep;
pub mod mail;
pub mod message;
pub mod report;
pub mod series;
pub mod spec;
mod yaml;
