//! The CI templates.

mod chain;
mod jobs;
