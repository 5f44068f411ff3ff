//! What a package needs on GitLab to be under an instance's care: what of it is there, and what to do about the rest.
//!
//! Pure: what was seen comes in as values, steps come out as values. Nothing here asks GitLab, runs git or reads the
//! environment, and no text made here holds a token.

pub mod check;
pub mod ci_file;
pub mod instance_facts;
pub mod package;
pub mod package_facts;
pub mod plan;
pub mod step;
pub mod todo;
pub mod webhook;
pub mod webhook_token;
