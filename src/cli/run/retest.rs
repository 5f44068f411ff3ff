//! `retest`: starts a new pipeline for a dist-git merge request.

use crate::cli::Invocation;
use crate::cli::args::RetestArgs;
use crate::ops::outcome::Outcome;
use crate::ops::reference::NamedMergeRequest;
use crate::ops::retest::{self, Retested};
use crate::types::error::{Result, bail};

pub(crate) fn run(arguments: &RetestArgs, invocation: &Invocation<'_>) -> Result<()> {
    let settings = invocation.settings()?;
    let Some(named) = NamedMergeRequest::read(arguments.merge_request.as_deref(), &settings)? else { return Ok(()) };
    let session = invocation.connect(settings)?;
    match retest::retest(&session, &named.reference)? {
        Retested::Started(pair) => invocation.show(&retest::update_note(&session, *pair)?),
        Retested::Refused(refusal) => bail!(refusal),
        Retested::Unknown(error) => bail!(error),
        Retested::Preview(preview) => invocation.show(&Outcome::Preview(*preview)),
    }
}
