//! The runners that may take a project's jobs (`lib/api/ci/runners.rb`).

use serde_json::{Value, json};

use super::{Context, segment};
use crate::http::reply::Answer;
use crate::model::access::Role;
use crate::model::runners::{Runner, RunnerOf};

fn render(runner: &Runner) -> Value {
    let kind = match runner.of {
        RunnerOf::Instance => "instance_type",
        RunnerOf::Group(_) => "group_type",
        RunnerOf::Projects(_) => "project_type",
    };
    let status = match (runner.paused, runner.online) {
        (true, _) => "paused",
        (false, true) => "online",
        (false, false) => "offline",
    };
    json!({
        "id": runner.id,
        "description": runner.description,
        "ip_address": null,
        "active": !runner.paused,
        "paused": runner.paused,
        "is_shared": runner.of == RunnerOf::Instance,
        "runner_type": kind,
        "name": "gitlab-runner",
        "online": runner.online,
        "status": status,
        "job_execution_status": "idle",
    })
}

pub(super) fn list(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.project_as(segment(path, 1), Role::Maintainer)?;
    context.page(&context.model.runners_of(project), |runner| Some(render(runner)))
}
