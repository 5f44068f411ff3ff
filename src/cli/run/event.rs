//! `event`: handles an event from a webhook or a job.

use serde::Serialize;

use crate::cli::Invocation;
use crate::cli::args::EventArgs;
use crate::cli::render::preview;
use crate::cli::run::webhook_token::now;
use crate::ops::event;
use crate::ops::outcome::{Outcome, Preview};
use crate::types::error::Result;

/// What a dry run would do.
#[derive(Serialize)]
struct JsonPlans<'a> {
    plans: Vec<&'a Preview>,
}

pub(crate) fn run(arguments: &EventArgs, invocation: &Invocation<'_>) -> Result<()> {
    let payload = event::read_payload(arguments.payload.as_deref(), invocation.context)?;
    let Some(notice) = event::parse_notice(&payload)? else { return Ok(()) };
    let settings = invocation.settings()?;
    let mut outcomes = Vec::new();
    let ended = event::event(&notice, settings, invocation.mode(), now(), &mut outcomes);
    let previews = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Preview(preview) => Some(preview),
        Outcome::Nothing | Outcome::Written => None,
    });
    let plans = JsonPlans { plans: previews.collect() };
    if !plans.plans.is_empty() {
        invocation
            .printer
            .print(&plans, |paint| plans.plans.iter().map(|plan| preview::text(plan, paint)).collect())?;
    }
    ended
}
