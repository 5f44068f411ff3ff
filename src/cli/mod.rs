//! The command line: what a person types and sees.
//!
//! Arguments become requests, operations of [`crate::ops`] do the work, and what they return becomes text or JSON. Nothing
//! is decided here about packages or merge requests.

pub mod args;
pub mod dispatch;
pub mod exit;
pub(crate) mod render;
pub(crate) mod run;
pub mod terminal;
pub mod variables;
