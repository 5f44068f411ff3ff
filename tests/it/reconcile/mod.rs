//! `reconcile`.

mod cache;
mod cleanup;
mod faults;
mod lost_events;
mod requests;
mod scope;
mod status_issue;
pub(crate) mod world;
