//! `notify`: from a job, ask the bot project to look at the job's pipeline or merge request, or at a pipeline that the
//! job was told of.
//!
//! One call to the trigger address of the bot project, with a trigger token that is worth no more than that. The access
//! token is neither needed nor used.

use anyhow::{Result, bail};

use super::Surroundings;
use super::bot::Setting;
use crate::ci::Notice;
use crate::cli::{self, Global};
use crate::exit::{NoCredentials, UsageError};
use crate::forge::{TokenKind, TriggerAddress};

/// Where in the payload the notice stands.
const KEY: &str = "source_git_bot";

/// Runs the command.
pub(super) fn run(arguments: &cli::Notify, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let setting = Setting::read(global, surroundings)?;
    let notice = match arguments.project.zip(arguments.pipeline) {
        Some((project, pipeline)) => Notice::of_pipeline(project, pipeline),
        None => Notice::of_job(&surroundings.variables).ok_or_else(|| UsageError {
            text: "this is no GitLab job, so there is nothing to tell the bot".to_owned(),
            hint: "call it from a job, or name a pipeline with `--project` and `--pipeline`".to_owned(),
        })?,
    };
    let environment = setting.environment();
    let Some(token) = environment.trigger_token.clone() else { bail!(NoCredentials::TriggerToken) };
    let Some(address) = &environment.trigger_url else {
        bail!(UsageError {
            text: "SGB_TRIGGER_URL is not set".to_owned(),
            hint: "set it to the bot project's trigger address: GITLAB/api/v4/projects/ID/ref/BRANCH/trigger/pipeline"
                .to_owned(),
        });
    };
    let address = TriggerAddress::parse(address, &setting.instance.gitlab.url).map_err(|why| UsageError {
        text: format!("SGB_TRIGGER_URL {why}"),
        hint: "see the trigger tokens in the CI/CD settings of the bot project".to_owned(),
    })?;
    if global.dry_run {
        tracing::info!("would ask the bot to look at {}", notice.subject());
        return Ok(());
    }
    let pipeline = setting.forge(token, TokenKind::Trigger, global)?.trigger(&address, KEY, &notice)?;
    tracing::info!("asked the bot to look at {}: its pipeline {pipeline} does", notice.subject());
    Ok(())
}
