//! `notify`: from a job, ask the bot project to look at the job's pipeline or merge request, or at a pipeline that the
//! job was told of.
//!
//! One call to the trigger URL of the bot project, with a trigger token that is worth no more than that, and with a
//! webhook token where there is one. The access token is neither needed nor used.
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::ci::Notice;
use crate::cli::args::{self, Global};
use crate::forge::{TokenKind, TriggerAddress};
use crate::ops::Surroundings;
use crate::ops::session::Setting;
use crate::setup::webhook_token::UnverifiedToken;
use crate::types::error::{NoCredentials, Result, UsageError, bail};

/// Where in the payload the notice stands.
const KEY: &str = "source_git_bot";

/// The notice, with the token for instances that require one.
#[derive(Serialize)]
struct Sent<'a> {
    #[serde(flatten)]
    notice: &'a Notice,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_token: Option<&'a str>,
}

/// Runs the command.
pub(crate) fn run(arguments: &args::Notify, global: &Global, surroundings: &Surroundings) -> Result<()> {
    let setting = Setting::read(global, surroundings)?;
    let notice = match arguments.project.zip(arguments.pipeline) {
        Some((project, pipeline)) => Notice::of_pipeline(project, pipeline),
        None => Notice::of_job(&surroundings.variables).ok_or_else(|| {
            UsageError::new(
                "this is no GitLab job, so there is nothing to tell the bot",
                "call it from a job, or name a pipeline with `--project` and `--pipeline`",
            )
        })?,
    };
    let environment = setting.environment();
    let Some(token) = environment.trigger_token.clone() else { bail!(NoCredentials::TriggerToken) };
    let Some(address) = &environment.trigger_url else {
        bail!(UsageError::new(
            "SGB_TRIGGER_URL is not set",
            "set it to the bot project's trigger URL: GITLAB/api/v4/projects/ID/ref/BRANCH/trigger/pipeline"
        ));
    };
    let address = TriggerAddress::parse(address, &setting.instance.gitlab.url).map_err(|why| {
        UsageError::new(
            format!("SGB_TRIGGER_URL {why}"),
            "see the trigger tokens in the CI/CD settings of the bot project",
        )
    })?;
    let webhook_token = environment.webhook_token.clone();
    let webhook_token = webhook_token.as_ref().map(|token| token.expose_secret());
    if webhook_token.is_some_and(|token| UnverifiedToken::parse(token).is_err()) {
        bail!(UsageError::new(
            "SGB_WEBHOOK_TOKEN is no webhook token",
            "set it to what `source-git-bot webhook-token NAMESPACE [PROJECT]` prints, or to nothing"
        ));
    }
    if global.dry_run {
        tracing::info!("would ask the bot to look at {}", notice.subject());
        return Ok(());
    }
    let sent = Sent { notice: &notice, webhook_token };
    let pipeline = setting.forge(token, TokenKind::Trigger, global)?.trigger(&address, KEY, &sent)?;
    tracing::info!("asked the bot to look at {}: its pipeline {pipeline} does", notice.subject());
    Ok(())
}
