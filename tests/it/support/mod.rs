//! What tests of several commands use. What only one directory uses stands there, mostly in its `world.rs`.

pub(crate) mod clones;
pub(crate) mod gitlab_ci_local;
mod run;
pub(crate) mod world;
pub(crate) mod writes;

pub(crate) use clones::{CONFIG, Clones, SPEC};
pub(crate) use run::Run;
