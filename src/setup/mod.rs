//! What a package needs on GitLab to be under an instance's care: what of it is there, and what to do about the rest.
//!
//! Pure: what was seen comes in as values, steps come out as values. Nothing here asks GitLab, runs git or reads the
//! environment, and no text made here holds a token.

pub mod ci_file;
pub mod left;
pub mod observed;
pub mod package;
pub mod plan;
pub mod step;
pub mod webhook;
