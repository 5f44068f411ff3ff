//! Tests that drive the program as a person would, or hold its parts against the tools whose rules they follow.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise, and runs the tools that it asks"
)]

mod cli;
mod config;
mod doctor;
mod event;
mod forge;
mod git;
mod guide;
mod life_model;
mod lifecycle;
mod network;
mod notify;
mod onboard;
mod pair;
mod project;
mod reconcile;
mod report;
mod slash_commands;
mod support;
mod sync;
mod templates;
mod transform;
mod update_dist_git;
mod webhook_token;
