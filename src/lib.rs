//! Keeps the source-git and dist-git repositories of an RPM distribution in step.
//!
//! `transform` is the heart: pure functions that turn source-git content into dist-git content. `git` runs the
//! git process and reads objects; `commands` puts both to work.

pub mod config;
pub mod forge;
pub mod transform;
