//! Pipeline schedules: what is set, for those who look. None of them runs by itself.

use crate::clock::Moment;

/// A pipeline schedule of a project.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The id.
    pub id: u64,
    /// The project.
    pub project: u64,
    /// The description.
    pub description: String,
    /// The branch or tag, in full: `refs/heads/main`.
    pub reference: String,
    /// When it runs.
    pub cron: String,
    /// Whether it runs.
    pub active: bool,
    /// When it is to run next.
    pub next_run_at: Option<Moment>,
    /// Who its pipelines run as; nobody where the account is gone.
    pub owner: Option<u64>,
    /// When it was made.
    pub created_at: Moment,
}
