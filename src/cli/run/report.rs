//! `report`: brings the CI results of dist-git to the source-git merge request.

use crate::cli::Invocation;
use crate::cli::args::ReportArgs;
use crate::ops::find_pair;
use crate::ops::outcome::{Outcome, Preview};
use crate::ops::report::{self, preview::ReportPreview};
use crate::types::error::Result;

pub(crate) fn run(arguments: &ReportArgs, invocation: &Invocation<'_>) -> Result<()> {
    let settings = invocation.settings()?;
    let reference =
        report::parse_reference(arguments.pipeline.as_deref(), arguments.merge_request.as_deref(), &settings)?;
    let Some(reference) = reference else { return show(&Outcome::Nothing, invocation) };
    let session = invocation.connect(settings)?;
    let outcome = match find_pair::find(&session, &reference)? {
        Some(pair) => report::report(&session, pair)?,
        None => Outcome::Nothing,
    };
    show(&outcome, invocation)
}

/// Shows the outcome. A dry run also reports that there is nothing to do.
fn show(outcome: &Outcome, invocation: &Invocation<'_>) -> Result<()> {
    match outcome {
        Outcome::Nothing if invocation.global.dry_run => {
            invocation.show(&Outcome::Preview(Preview::Report(ReportPreview::default())))
        }
        outcome => invocation.show(outcome),
    }
}
