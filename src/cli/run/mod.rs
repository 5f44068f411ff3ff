//! One short file for each command: it turns arguments into a request, runs the operation, and renders the result.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod event;
pub(crate) mod notify;
pub(crate) mod onboard;
pub(crate) mod reconcile;
pub(crate) mod recreate;
pub(crate) mod report;
pub(crate) mod retest;
pub(crate) mod sync;
pub(crate) mod update_dist_git;
pub(crate) mod webhook_token;
