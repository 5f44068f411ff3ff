//! `event`: looks where a webhook or a job says, and does what is due there.
//!
//! What GitLab hands over is hostile: numbers are taken from it and nothing else, and everything is read from GitLab
//! afresh. A payload that is not for this instance ends with a line in the log, for it is nobody's failure.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use super::Surroundings;
use super::bot::{Bot, Setting};
use super::merge_request_reference::MergeRequestReference;
use super::pipeline_reference::PipelineReference;
use super::report::{self, Asked};
use super::sync;
use crate::ci::{Look, NoNotice, PAYLOAD_LIMIT};
use crate::cli::{self, Global};
use crate::exit::UsageError;
use crate::forge::{ForgeError, MergeRequestIid, PipelineId, ProjectId, ProjectPath};
use crate::git::Git;

/// The variable with the payload, or with the path of the file that holds it ("Access webhook payload" in GitLab's
/// documentation).
const TRIGGER_PAYLOAD: &str = "TRIGGER_PAYLOAD";

/// Runs the command.
pub(super) fn run(arguments: &cli::Event, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let payload = payload(arguments, surroundings)?;
    let look = match Look::read(&payload) {
        Ok(look) => look,
        Err(NoNotice::NotForUs(why)) => {
            tracing::info!("the event's payload is not followed: {why}");
            return Ok(());
        }
        Err(error @ NoNotice::SetsVariables) => bail!(UsageError {
            text: format!("the event's payload is refused: {error}"),
            hint: "forbid it in the bot project: Settings, CI/CD, Variables, minimum role to use pipeline variables: \
                   no one allowed"
                .to_owned(),
        }),
    };
    tracing::info!("an event about {}", words(&look));
    let bot = Setting::read(global, surroundings)?.connect(global)?;
    let project = match look {
        Look::MergeRequest { project, .. } | Look::Pipeline { project, .. } => ProjectId(project),
    };
    let path = match bot.forge.project(project) {
        Ok(found) => found.path,
        Err(ForgeError::NotFoundOrNoAccess(_)) => {
            tracing::info!("project {project} is none that the bot can see: nothing to do");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let namespaces = &bot.instance.namespaces;
    let (is_source_git, is_dist_git) =
        (namespaces.dist_git_of(path.as_str()).is_some(), namespaces.source_git_of(path.as_str()).is_some());
    let work = Working { bot: &bot, global, surroundings };
    match look {
        Look::MergeRequest { iid, .. } if is_source_git => work.sync(path, MergeRequestIid(iid)),
        Look::MergeRequest { iid, .. } if is_dist_git => work.report_dist_git(path, MergeRequestIid(iid)),
        Look::MergeRequest { .. } => {
            tracing::info!("{path} is no project of the instance {}: nothing to do", bot.instance.name);
            Ok(())
        }
        // A job of a source-git merge request asks to look at that.
        Look::Pipeline { merge_request: Some((of, iid)), .. } if is_source_git && ProjectId(of) == project => {
            work.sync(path, MergeRequestIid(iid))
        }
        Look::Pipeline { .. } if is_source_git => {
            tracing::info!("a pipeline of {path} without a merge request: nothing to do");
            Ok(())
        }
        // Whether it is of the instance is looked at there.
        Look::Pipeline { id, .. } => work.report(PipelineReference { project: path, pipeline: PipelineId(id) }),
    }
}

/// Doing what is due.
struct Working<'a> {
    bot: &'a Bot,
    global: &'a Global,
    surroundings: &'a Surroundings,
}

impl Working<'_> {
    fn sync(&self, project: ProjectPath, iid: MergeRequestIid) -> Result<()> {
        let Some(dist_path) = self.bot.instance.namespaces.dist_git_of(project.as_str()) else { return Ok(()) };
        let git = Git::find(&self.surroundings.search_path)?;
        let reference = MergeRequestReference { project, iid };
        sync::Work::new(self.bot, &git, reference, dist_path.parse()?).run(self.global, self.surroundings)?.finish()
    }

    fn report_dist_git(&self, project: ProjectPath, iid: MergeRequestIid) -> Result<()> {
        let dist = match self.bot.forge.merge_request(&project, iid) {
            Err(ForgeError::NotFoundOrNoAccess(_)) => {
                tracing::info!("{project}!{iid} is not there any more: nothing to do");
                return Ok(());
            }
            dist => dist?,
        };
        let Some(pair) = report::of_dist(self.bot, project, dist)? else { return Ok(()) };
        report::report(self.bot, pair, self.global, self.surroundings)?.print()
    }

    fn report(&self, reference: PipelineReference) -> Result<()> {
        let Some(pair) = report::find(self.bot, &Asked::Pipeline(reference))? else { return Ok(()) };
        report::report(self.bot, pair, self.global, self.surroundings)?.print()
    }
}

/// Reads what GitLab handed over.
fn payload(arguments: &cli::Event, surroundings: &Surroundings) -> Result<Vec<u8>> {
    if let Some(path) = &arguments.payload {
        return read(path);
    }
    match surroundings.variables.get(TRIGGER_PAYLOAD).map(String::as_str) {
        None | Some("") => bail!(UsageError {
            text: format!("there is no event: {TRIGGER_PAYLOAD} is not set"),
            hint: "run it in a triggered pipeline, or name a file with `--payload`".to_owned(),
        }),
        Some(value) if value.trim_start().starts_with('{') => Ok(value.as_bytes().to_vec()),
        Some(path) => read(Path::new(path)),
    }
}

/// Reads a file, of which no more than the limit and one byte counts.
fn read(path: &Path) -> Result<Vec<u8>> {
    let cannot = || format!("reading the event's payload from `{}`", path.display());
    let file = File::open(path).with_context(cannot)?;
    if !file.metadata().with_context(cannot)?.is_file() {
        bail!("`{}` is no file", path.display());
    }
    let mut payload = Vec::new();
    let limit = u64::try_from(PAYLOAD_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut payload).with_context(cannot)?;
    Ok(payload)
}

fn words(look: &Look) -> String {
    match look {
        Look::MergeRequest { project, iid } => format!("merge request !{iid} of project {project}"),
        Look::Pipeline { project, id, .. } => format!("pipeline {id} of project {project}"),
    }
}
