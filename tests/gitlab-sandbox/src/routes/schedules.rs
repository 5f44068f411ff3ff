//! Pipeline schedules of a project (`lib/api/ci/pipeline_schedules.rb`): members who may read code see them.

use serde_json::{Value, json};

use super::{Context, segment, users};
use crate::clock::Moment;
use crate::http::reply::Answer;
use crate::model::Model;
use crate::model::access::Role;
use crate::model::schedules::Schedule;

fn render(model: &Model, schedule: &Schedule) -> Value {
    json!({
        "id": schedule.id,
        "description": schedule.description,
        "ref": schedule.reference,
        "cron": schedule.cron,
        "cron_timezone": "UTC",
        "next_run_at": schedule.next_run_at.map(Moment::iso),
        "active": schedule.active,
        "created_at": schedule.created_at.iso(),
        "updated_at": schedule.created_at.iso(),
        "owner": schedule.owner.map(|owner| users::basic(model, owner)),
        "inputs": [],
    })
}

pub(super) fn list(context: &mut Context<'_>, path: &[&str]) -> Answer {
    let project = context.project_as(segment(path, 1), Role::Reporter)?.id;
    let scope = context.parameters.choice("scope", &["", "active", "inactive"])?;
    let wanted = |schedule: &&Schedule| {
        schedule.project == project && (scope.is_empty() || schedule.active == (scope == "active"))
    };
    let found: Vec<&Schedule> = context.model.schedules.values().filter(wanted).collect();
    context.page(&found, |schedule| Some(render(context.model, schedule)))
}
