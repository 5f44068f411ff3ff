//! A GitLab of our own, for tests, for the demo and by hand.
//!
//! It is a *model* (users, tokens, groups, projects, forks, merge requests, notes, pipelines, statuses, …) behind a
//! mutex, served over real HTTP together with real git repositories. It has the routes that source-git-bot uses, with
//! GitLab's status codes, error bodies, paging and permissions; a request for anything else fails the test.
//!
//! ```
//! use gitlab_sandbox::{Role, Sandbox, Scope};
//!
//! let sandbox = Sandbox::start();
//! sandbox.user("bot");
//! let token = sandbox.token("bot", &[Scope::Api]);
//! sandbox.project("rpms/curl");
//! sandbox.member("rpms/curl", "bot", Role::Developer);
//! sandbox.commit("rpms/curl", "c10s", "start", &[("curl.spec", Some("Name: curl\n"))]);
//! // … run the program against sandbox.url() with the token, then look:
//! assert!(sandbox.merge_requests("rpms/curl").is_empty());
//! assert!(sandbox.take_writes().is_empty());
//! # assert!(token.starts_with("glpat-"));
//! ```
//!
//! When a [`Sandbox`] is dropped, it fails the test if a write was made that the test has not looked at
//! ([`Handle::take_writes`], [`Handle::expect_write`]), if something was asked of it that it does not model, or if a
//! fault was ordered that never happened.
//!
//! By hand: `cargo run -p gitlab-sandbox [PORT]`.
//!
//! Where to find what: `model` is what GitLab knows and does by itself, `routes` the REST API, `http` the server,
//! `git_http` git over HTTP, `webhooks` what is sent to others, `world` how tests set things up, `sandbox` how they look at what happened.

#![recursion_limit = "256"]
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test tool: a broken set-up stops the test where it stands, with a text"
)]

mod clock;
mod faults;
mod git_http;
mod graphql;
mod http;
mod log;
pub mod model;
mod repository;
mod routes;
mod sandbox;
mod webhooks;
mod world;

pub use clock::Moment;
pub use faults::Fault;
pub use log::{GitTraffic, RequestRecord, Write};
pub use model::access::{Role, Scope};
pub use model::ci_status::CiStatus;
pub use model::issues::{Issue, IssueNote};
pub use model::merge_requests::{MergeRequest, State};
pub use model::notes::Note;
pub use model::pipelines::{EventType, Job, JobKind, Pipeline, Strategy};
pub use model::projects::{ForkImport, Visibility};
pub use model::runners::{Runner, RunnerOf};
pub use model::schedules::Schedule;
pub use model::text::{Act, ActKind, Place};
pub use model::triggers::Triggered;
pub use model::variables::{ANY_ENVIRONMENT, Variable};
pub use model::webhooks::{AlertStatus, Delivery, HookEvent, HookOwner, Webhook};
pub use repository::NO_COMMIT;
pub use sandbox::{Handle, Sandbox, Scheme, Settings};
pub use webhooks::template::Interpolation;
pub use world::{HookBuilder, JobBuilder, MergeRequestPipelineBuilder, ShownPipeline, ShownStatus};
pub use world::{MergeRequestBuilder, Repositories};
