//! `report`: what dist-git's CI says, on the source-git merge request.
//!
//! A pipeline that is named only tells where to look: what is reported is what GitLab says now. After writing, everything is
//! read again, because another job may have acted on older or newer data.

pub(crate) mod apply;
pub(crate) mod observe;
pub(crate) mod preview;

use crate::ci::JobContext;
use crate::ops::find_pair::{self, Pair, PairReference};
use crate::ops::outcome::{Outcome, Preview};
use crate::ops::reference::{MergeRequestReference, PipelineReference};
use crate::ops::report::preview::ReportPreview;
use crate::ops::session::{Session, SessionSettings};
use crate::pair::report_plan::RememberedResults;
use crate::types::error::{ForgeError, Result, UsageError, bail};

/// How often everything is looked at again because it changed meanwhile.
const ROUNDS: usize = 4;

/// Returns what to report: what is named, else what the job's own pipeline is about; nothing, with a line in the log, where
/// that is none of the instance's.
pub(crate) fn named(
    pipeline: Option<&str>,
    merge_request: Option<&str>,
    settings: &SessionSettings,
) -> Result<Option<PairReference>> {
    let gitlab = &settings.instance.gitlab.url;
    let reference = match (pipeline, merge_request) {
        (Some(pipeline), _) => PairReference::Pipeline(PipelineReference::parse(pipeline, gitlab)?),
        (None, Some(named)) => PairReference::MergeRequest(MergeRequestReference::parse(named, gitlab)?),
        (None, None) => named_by_job(&settings.job, settings)?,
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

/// Returns what the job's own pipeline is about.
fn named_by_job(job: &JobContext, settings: &SessionSettings) -> Result<PairReference> {
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

/// Reports what dist-git's CI says of a pair, and again where that has changed meanwhile.
pub(crate) fn report(session: &Session, pair: Pair) -> Result<Outcome> {
    let mut pair = pair;
    let mut outcome = Outcome::Nothing;
    let mut lost = None;
    for _ in 0..ROUNDS {
        let Some(seen) = observe::observe(session, &mut pair)? else { return Ok(outcome) };
        if session.is_dry_run() {
            return Ok(Outcome::Preview(Preview::Report(ReportPreview::of(&seen))));
        }
        lost = None;
        match apply::apply(session, &pair, &seen) {
            Ok(apply::Applied::Nothing) => return Ok(outcome),
            Ok(apply::Applied::Something) => {
                outcome = Outcome::Written;
                if observe::is_still_so(session, &seen)? {
                    return Ok(outcome);
                }
                tracing::info!("it has changed meanwhile; looking again");
                pair.memory = RememberedResults::Trusted;
            }
            Ok(apply::Applied::Overtaken) => {
                tracing::info!("another job has written the note meanwhile; looking again");
                pair.memory = RememberedResults::Doubted;
            }
            // Whether it was done shows when everything is looked at again.
            Err(error) if matches!(error.gitlab(), Some(ForgeError::MaybeDone(_))) => {
                tracing::warn!("{error}; looking again");
                lost = Some(error);
            }
            Err(error) => return Err(error),
        }
        pair = find_pair::again(session, pair)?;
    }
    if let Some(error) = lost {
        return Err(error);
    }
    tracing::warn!("it goes on changing: the next report will tell the rest");
    Ok(outcome)
}
