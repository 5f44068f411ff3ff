//! `notify`: run in a job, asks the bot project to look at the job's pipeline or merge request, or at a given pipeline.
//!
//! It makes one call to the trigger URL of the bot project, with a trigger token that permits nothing else, and with a
//! webhook token if there is one. It neither needs nor uses an access token.

use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::ci::Notice;
use crate::cli::Invocation;
use crate::cli::args::NotifyArgs;
use crate::forge::{TokenKind, TriggerAddress};
use crate::setup::webhook_token::UnverifiedToken;
use crate::types::error::{NoCredentials, Result, UsageError, bail};

/// The key of the notice in the payload.
const NOTICE_KEY: &str = "source_git_bot";

/// The notice, with the webhook token for instances that require one.
#[derive(Serialize)]
struct SentNotice<'a> {
    #[serde(flatten)]
    notice: &'a Notice,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_token: Option<&'a str>,
}

pub(crate) fn run(arguments: &NotifyArgs, invocation: &Invocation<'_>) -> Result<()> {
    let settings = invocation.settings()?;
    let notice = match arguments.project.zip(arguments.pipeline) {
        Some((project, pipeline)) => Notice::of_pipeline(project, pipeline),
        None => Notice::of_job(&invocation.context.variables).ok_or_else(|| {
            UsageError::new(
                "this is no GitLab job, so there is nothing to tell the bot",
                "call it from a job, or name a pipeline with `--project` and `--pipeline`",
            )
        })?,
    };
    let environment = settings.environment();
    let Some(token) = environment.trigger_token.clone() else { bail!(NoCredentials::TriggerToken) };
    let Some(address) = &environment.trigger_url else {
        bail!(UsageError::new(
            "SGB_TRIGGER_URL is not set",
            "set it to the bot project's trigger URL: GITLAB/api/v4/projects/ID/ref/BRANCH/trigger/pipeline"
        ));
    };
    let address = TriggerAddress::parse(address, &settings.instance.gitlab.url).map_err(|why| {
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
    if invocation.global.dry_run {
        tracing::info!("would ask the bot to look at {}", notice.subject());
        return Ok(());
    }
    let sent = SentNotice { notice: &notice, webhook_token };
    let pipeline =
        settings.forge(token, TokenKind::Trigger, invocation.mode())?.trigger(&address, NOTICE_KEY, &sent)?;
    tracing::info!("asked the bot to look at {}: its pipeline {pipeline} does", notice.subject());
    Ok(())
}
