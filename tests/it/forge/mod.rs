//! The GitLab client, against servers that a test controls.

mod doctor_calls;
mod onboard_calls;
mod transport;
mod world;
