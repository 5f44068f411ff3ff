//! One short file for each command: arguments become a request, an operation does it, the result is rendered.

pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod notify;
pub(crate) mod webhook_token;
