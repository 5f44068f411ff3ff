//! `report`: shows what dist-git's CI says on the source-git merge request.
//!
//! A named pipeline only says where to look; the report is about what GitLab says now. After writing, everything is
//! read again, because another job may have acted on older or newer data.

pub(crate) mod apply;
pub(crate) mod observe;
pub(crate) mod preview;

use crate::ci::JobContext;
use crate::ops::find_pair::{self, MergeRequestPair, PairReference};
use crate::ops::outcome::{Outcome, Preview};
use crate::ops::reference::{MergeRequestReference, PipelineReference};
use crate::ops::report::apply::WriteOutcome;
use crate::ops::report::preview::ReportPreview;
use crate::ops::session::{Session, SessionSettings};
use crate::pair::report_plan::RememberedResults;
use crate::types::error::{ForgeError, Result, UsageError, bail};

/// How many times a report is repeated because something changed meanwhile.
const MAX_ROUNDS: usize = 4;

/// Returns what to report about: what the arguments name, or else what the job's own pipeline is about. Returns `None`,
/// and logs why, if that does not belong to the instance.
pub(crate) fn parse_reference(
    pipeline: Option<&str>,
    merge_request: Option<&str>,
    settings: &SessionSettings,
) -> Result<Option<PairReference>> {
    let gitlab = &settings.instance.gitlab.url;
    let reference = match (pipeline, merge_request) {
        (Some(pipeline), _) => PairReference::Pipeline(PipelineReference::parse(pipeline, gitlab)?),
        (None, Some(named)) => PairReference::MergeRequest(MergeRequestReference::parse(named, gitlab)?),
        (None, None) => reference_from_job(&settings.job, settings)?,
    };
    if let PairReference::MergeRequest(MergeRequestReference { project, .. }) = &reference
        && settings.instance.namespaces.dist_git_of(project.as_str()).is_none()
    {
        let name = &settings.instance.name;
        tracing::info!("{project} is not a source-git project of the instance {name}: nothing to do");
        return Ok(None);
    }
    Ok(Some(reference))
}

fn reference_from_job(job: &JobContext, settings: &SessionSettings) -> Result<PairReference> {
    let is_source_git = |project: &str| settings.instance.namespaces.dist_git_of(project).is_some();
    if let Some(named) = &job.merge_request {
        let reference = MergeRequestReference::parse(named, &settings.instance.gitlab.url)?;
        if is_source_git(reference.project.as_str()) {
            return Ok(PairReference::MergeRequest(reference));
        }
    }
    match &job.pipeline {
        Some(pipeline) => {
            Ok(PairReference::Pipeline(PipelineReference::parse(pipeline, &settings.instance.gitlab.url)?))
        }
        None => bail!(UsageError::new(
            "no pipeline is named, and this is no GitLab job",
            "name it by its address with `--pipeline`, or a source-git merge request with `--merge-request`"
        )),
    }
}

/// Reports what dist-git's CI says about a pair. Repeats that if something changed meanwhile.
pub(crate) fn report(session: &Session, pair: MergeRequestPair) -> Result<Outcome> {
    let mut pair = pair;
    let mut outcome = Outcome::Nothing;
    let mut unconfirmed = None;
    for _ in 0..MAX_ROUNDS {
        let Some(seen) = observe::observe(session, &mut pair)? else { return Ok(outcome) };
        if session.is_dry_run() {
            return Ok(Outcome::Preview(Preview::Report(ReportPreview::of(&seen))));
        }
        unconfirmed = None;
        match apply::apply(session, &pair, &seen) {
            Ok(WriteOutcome::Nothing) => return Ok(outcome),
            Ok(WriteOutcome::Written) => {
                outcome = Outcome::Written;
                if observe::is_unchanged(session, &seen)? {
                    return Ok(outcome);
                }
                tracing::info!("it has changed meanwhile; looking again");
                pair.remembered = RememberedResults::Trusted;
            }
            Ok(WriteOutcome::Overtaken) => {
                tracing::info!("another job has written the note meanwhile; looking again");
                pair.remembered = RememberedResults::Doubted;
            }
            // Reading everything again shows whether the write succeeded.
            Err(error) if matches!(error.gitlab(), Some(ForgeError::MaybeDone(_))) => {
                tracing::warn!("{error}; looking again");
                unconfirmed = Some(error);
            }
            Err(error) => return Err(error),
        }
        pair = find_pair::reread(session, pair)?;
    }
    if let Some(error) = unconfirmed {
        return Err(error);
    }
    tracing::warn!("it goes on changing: the next report will tell the rest");
    Ok(outcome)
}
