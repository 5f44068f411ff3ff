//! GitLab: the operations that the bot needs, without knowledge of what they are for.
//!
//! This room is thin on purpose. A call sends one request. A list is an iterator that requests the next page when the
//! caller gets there. The result holds the part of GitLab's answer that the bot reads. Nothing is decided here. The
//! endpoints come from the crate `gitlab`; where it lacks one, an endpoint here works in the same way. All requests
//! share retries, limits and errors ([`RetryPolicy`], [`ForgeError`](crate::types::error::ForgeError)).
//!
//! Text that a person wrote (titles, descriptions, notes, names) is passed on unchanged. It may be hostile: whoever
//! puts it somewhere must make it safe for that place.

mod awards;
mod branches;
mod client;
mod commits;
mod connection;
mod error;
mod files;
mod graphql;
mod hooks;
mod issues;
mod job_token_scope;
mod merge_requests;
mod notes;
mod pipelines;
mod project_settings;
mod projects;
mod protected_branches;
mod request;
mod retry;
mod runners;
mod statuses;
mod transport;
mod triggers;
mod user;
mod variables;

pub use crate::forge::awards::{Award, AwardId};
pub use crate::forge::branches::Branch;
pub use crate::forge::client::{Forge, GitlabVersion};
pub use crate::forge::commits::Commit;
pub use crate::forge::connection::{Connection, TokenKind, Writes};
pub use crate::forge::files::{FileAction, FileActionKind, NewCommitAuthor};
pub use crate::forge::graphql::{BRANCH_TIPS_AT_ONCE, HeadPipeline, PipelineSummary};
pub use crate::forge::hooks::{HookEvent, HookOwner, NewWebhook, Webhook, WebhookDelivery};
pub use crate::forge::issues::{Issue, IssueEdit};
pub use crate::forge::job_token_scope::{AllowedGroup, AllowedProject, JobTokenScope};
pub use crate::forge::merge_requests::{
    MergeRequest, MergeRequestEdit, MergeRequestQuery, MergeRequestState, MergeRequestVersion, NewMergeRequest,
    References, StateFilter,
};
pub use crate::forge::notes::{Note, NoteOrder};
pub use crate::forge::pipelines::{Job, Pipeline, PipelineSchedule};
pub use crate::forge::project_settings::{FeatureAccess, NewProject, OverrideRole, ProjectEdit, ProjectSettings};
pub use crate::forge::projects::{GitlabNamespace, Group, NewFork, Parent, Project, ProjectRef};
pub use crate::forge::protected_branches::{BranchAccess, NewProtection, ProtectedBranch};
pub use crate::forge::retry::RetryPolicy;
pub use crate::forge::runners::{Runner, RunnerType};
pub use crate::forge::statuses::{CommitStatus, NewCommitStatus, Posting};
pub use crate::forge::transport::RateLimit;
pub use crate::forge::triggers::{TriggerAddress, TriggerToken};
pub use crate::forge::user::{AccessToken, CurrentUser, User};
pub use crate::forge::variables::{ANY_ENVIRONMENT, NewVariable, Variable, VariableType, VariablesOf};
