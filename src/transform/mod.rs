//! The transformation from source-git to dist-git, as pure functions: values in, values out.
//!
//! Nothing here touches a repository, the network, the environment, a clock or the file system, and
//! nothing is executed: no spec macro is expanded, no action of a package configuration is run.
//! Whoever calls these functions has read the inputs (`git`) and writes the outputs (`commands`).

pub mod config;
pub mod dist_git;
pub mod files;
pub mod keep;
pub mod mail;
pub mod message;
pub mod report;
pub mod series;
pub mod spec;
