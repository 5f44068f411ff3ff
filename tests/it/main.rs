//! Tests that run the program, or hold its parts against other programs that do the same.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and starts the programs that it compares with"
)]

mod files;
mod forge;
