//! `sync`: opens or updates the dist-git merge request of a source-git merge request.

use crate::cli::Invocation;
use crate::cli::args::SyncArgs;
use crate::ops::reference::NamedMergeRequest;
use crate::ops::sync::{self, SyncRequest};
use crate::types::error::Result;

pub(crate) fn run(arguments: &SyncArgs, invocation: &Invocation<'_>) -> Result<()> {
    let settings = invocation.settings()?;
    let Some(named) = NamedMergeRequest::read(arguments.merge_request.as_deref(), &settings)? else { return Ok(()) };
    let session = invocation.connect(settings)?;
    session.git()?;
    let synced = sync::sync(&session, &SyncRequest::new(named))?;
    invocation.show_synced(synced)
}
