//! Keeps the source-git and dist-git repositories of an RPM distribution in step.
//!
<<<<<<< HEAD
//! `transform` is the heart: pure functions that turn source-git content into dist-git content. `git` runs the git
//! process and reads objects, `forge` talks to GitLab, `config` says which instance is served; `commands` puts them to
//! work.
=======
//! `transform` is the heart: pure functions that turn source-git content into dist-git content. `pair` is as pure,
//! and ties a source-git merge request to its dist-git merge request. `git` runs the git process and reads objects;
//! `commands` puts them to work.
>>>>>>> pair

pub mod ci;
pub mod cli;
pub mod commands;
pub mod config;
pub mod exit;
pub mod forge;
pub mod git;
pub mod pair;
pub mod terminal;
pub mod transform;
