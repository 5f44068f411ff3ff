//! The sandbox from outside: raw HTTP and real git against it. Expected fields, texts and statuses are GitLab's, from
//! its documentation, source and recorded answers.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests stop where something is wrong, and start git themselves"
)]

mod checks;
mod client;
mod forks;
mod git;
mod graphql;
mod issues;
mod merge_requests;
mod new_projects;
mod notes;
mod operation;
mod pipelines;
mod projects;
mod statuses;
mod trigger;
mod webhooks;
