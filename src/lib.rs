//! Keeps the source-git and dist-git repositories of an RPM distribution in step.
//!
//! `transform` and `pair` are the heart: pure functions that turn source-git content into dist-git content, and tell
//! what to do about a pair of merge requests. `git` runs the git process and reads objects, `forge` talks to GitLab,
//! `config` says which instance is served, `ci` what the job around us is, `webhook_token` who may speak of which
//! projects, `setup` what a package needs to be served; `commands` puts them to work. `variables` tells users which
//! variables all of these read.

pub mod ci;
pub mod cli;
pub mod commands;
pub mod config;
pub mod doctor;
pub mod exit;
pub mod forge;
pub mod git;
pub mod pair;
pub mod setup;
pub mod terminal;
pub mod transform;
pub mod variables;
pub mod webhook_token;
