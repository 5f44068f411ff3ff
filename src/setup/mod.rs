//! What a package and an instance need on GitLab: the plan of `onboard` and the checks of `doctor`.
//!
//! Pure: facts go in, steps and check results come out, all of them values. Nothing here calls GitLab, runs git, or
//! reads the environment or the clock. No text made here contains a token.

pub mod check;
pub mod ci_file;
pub mod instance_facts;
pub mod package_facts;
pub mod package_name;
pub mod plan;
pub mod step;
pub mod todo;
pub mod webhook;
pub mod webhook_token;
