//! Keeps the source-git and dist-git repositories of an RPM distribution in step.
//!
//! Rooms, from the inside out; a room uses only those before it (`tests/it/layers.rs` checks that):
//!
//! - [`types`]: values that every room shares.
//! - [`transform`]: source-git content becomes dist-git content. Pure.
//! - [`pair`]: what to do about a pair of merge requests, and what people read about it. Pure.
//! - [`git`], [`forge`], [`config`], [`ci`]: adapters to git, GitLab, the instance file and the CI job. None knows another.
//! - [`setup`]: what a package and an instance need on GitLab. Pure.
//! - [`ops`]: operations; each observes, plans and applies.
//! - [`cli`]: the command line: arguments in, text or JSON out.

pub mod ci;
pub mod cli;
pub mod config;
pub mod forge;
pub mod git;
pub mod ops;
pub mod pair;
pub mod setup;
pub mod transform;
pub mod types;
