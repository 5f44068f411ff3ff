//! Operations: each one observes, plans, and then applies the plan or returns it.
//!
//! An operation returns what it did as a value. Nothing here prints, and nothing knows how arguments are written.

pub(crate) mod commit_statuses;
pub(crate) mod context;
pub(crate) mod doctor;
pub(crate) mod event;
pub(crate) mod find_pair;
pub(crate) mod generate;
pub(crate) mod notes;
pub(crate) mod onboard;
pub(crate) mod outcome;
pub mod reconcile;
pub(crate) mod recreate;
pub(crate) mod reference;
pub(crate) mod report;
pub(crate) mod retest;
pub(crate) mod session;
pub(crate) mod slash_command;
pub(crate) mod sync;
pub(crate) mod text_change;
pub(crate) mod update_dist_git;

pub use context::ProcessContext;
