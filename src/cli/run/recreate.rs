//! `recreate`: rebuilds a dist-git merge request.

use crate::cli::Invocation;
use crate::cli::args::RecreateArgs;
use crate::ops::recreate;
use crate::ops::reference::NamedMergeRequest;
use crate::types::error::{Result, bail};

pub(crate) fn run(arguments: &RecreateArgs, invocation: &Invocation<'_>) -> Result<()> {
    let settings = invocation.settings()?;
    let Some(named) = NamedMergeRequest::read(arguments.merge_request.as_deref(), &settings)? else { return Ok(()) };
    let session = invocation.connect(settings)?;
    if let Some(refusal) = recreate::refusal(&session, &named.reference)? {
        bail!(refusal);
    }
    invocation.show_synced(recreate::recreate(&session, named)?)
}
