//! `reconcile`: brings all merge requests of an instance up to date.

use std::time::SystemTime;

use chrono::{DateTime, Utc};

use crate::cli::Invocation;
use crate::cli::args::ReconcileArgs;
use crate::cli::render::reconcile as render;
use crate::ops::reconcile::{self, Reconciled, scope::ReconcileRequest};
use crate::types::error::Result;

pub(crate) fn run(arguments: &ReconcileArgs, invocation: &Invocation<'_>) -> Result<()> {
    let now = DateTime::<Utc>::from(SystemTime::now());
    let request = ReconcileRequest {
        max_changes: arguments.max_changes,
        since: arguments.since,
        only: arguments.only.clone(),
        shard: arguments.shard,
        jobs: arguments.jobs,
    };
    let Reconciled { summary, error } = reconcile::reconcile(&request, invocation.settings()?, invocation.mode(), now)?;
    invocation.printer.print(&render::data(&summary), |paint| render::text(&summary, paint))?;
    error.map_or(Ok(()), Err)
}
