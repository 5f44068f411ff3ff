//! Keeps the source-git and dist-git repositories of an RPM distribution in step.
//!
//! The rooms, from the inside out. A room uses only those before it, and a test checks that:
//!
//! - [`types`]: values that all rooms share.
//! - [`transform`]: turns source-git content into dist-git content. Pure.
//! - [`pair`]: decides what to do about a pair of merge requests, and writes what people read about it. Pure.
//! - [`git`], [`forge`], [`config`], [`ci`]: adapters to git, GitLab, the instance file and the CI job. None uses
//!   another.
//! - [`setup`]: decides what a package and an instance need on GitLab. Pure.
//! - [`ops`]: the operations. Each observes, plans and applies.
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
