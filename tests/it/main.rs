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

mod comments;
mod comments_faults;
mod comments_world;
mod completions;
mod config;
mod doctor;
mod doctor_cases;
mod doctor_world;
mod event;
mod event_hostile;
mod event_tokens;
mod files;
mod forge;
mod forge_operation;
mod forge_setup;
mod forge_world;
mod guide;
mod histories;
mod licences;
mod life_model;
mod lifecycle;
mod lifecycle_cases;
mod live_check;
mod message;
mod notify;
mod onboard;
mod onboard_copy;
mod onboard_faults;
mod onboard_production;
mod onboard_rights;
mod onboard_webhooks;
mod onboard_world;
mod own_pipeline;
mod pair;
mod proxy;
mod reconcile;
mod reconcile_bounds;
mod reconcile_economy;
mod reconcile_ended;
mod reconcile_faults;
mod reconcile_memory;
mod reconcile_status;
mod reconcile_world;
mod reference;
mod replay;
mod report;
mod report_any_order;
mod report_cases;
mod report_dry_run;
mod report_economy;
mod report_faults;
mod report_jobs;
mod report_places;
mod report_statuses;
mod report_trust;
mod report_world;
mod spec;
mod support;
mod sync;
mod sync_bounds;
mod sync_dry_run;
mod sync_economy;
mod sync_faults;
mod sync_faults_world;
mod sync_hangs;
mod sync_refusals;
mod sync_tls;
mod templates;
mod templates_chain;
mod update_dist_git;
mod update_dist_git_refusals;
mod usage;
mod webhook_token;
mod webhooks;
mod world;
