//! What the forge tells whoever looks after an instance, held against a GitLab of our own.

use chrono::NaiveDate;
use gitlab_sandbox::{HookEvent as Fired, Scope, Variable};
use source_git_bot::forge::{AccessToken, FeatureAccess, HookEvent, HookOwner, OverrideRole, RunnerType, VariablesOf};
use source_git_bot::types::AccessLevel;
use source_git_bot::types::Visibility;
use source_git_bot::types::error::ForgeError;

use super::world::{PROJECT, forge, forge_with, gitlab, path};

#[test]
fn all_settings_of_a_project_come_in_one_answer() {
    let sandbox = gitlab();
    sandbox.setting(PROJECT, "ci_config_path", ".distro/.gitlab-ci.yml");
    sandbox.setting(PROJECT, "ci_pipeline_variables_minimum_override_role", "no_one_allowed");
    sandbox.setting(PROJECT, "builds_access_level", "private");
    sandbox.archive(PROJECT);
    let maintainer = forge(&sandbox, "maintainer");
    let settings = maintainer.project_settings(&path(PROJECT)).unwrap();
    assert_eq!(maintainer.requests(), 1);
    assert_eq!(settings.path.as_str(), PROJECT);
    assert_eq!((settings.default_branch.as_deref(), settings.empty_repo), (Some("c9s"), Some(false)));
    assert_eq!((settings.visibility, settings.archived), (Some(Visibility::Public), Some(true)));
    assert_eq!(settings.ci_config_path.as_deref(), Some(".distro/.gitlab-ci.yml"));
    assert_eq!(settings.ci_pipeline_variables_minimum_override_role, Some(OverrideRole::NoOneAllowed));
    assert_eq!(
        (settings.builds_access_level, settings.access),
        (Some(FeatureAccess::Private), Some(AccessLevel::MAINTAINER))
    );
    for (name, is_told) in [
        ("restrict_user_defined_variables", settings.restrict_user_defined_variables.is_some()),
        ("ci_push_repository_for_job_token_allowed", settings.ci_push_repository_for_job_token_allowed.is_some()),
        ("ci_allow_fork_pipelines", settings.ci_allow_fork_pipelines_to_run_in_parent_project.is_some()),
        ("ci_job_token_scope_enabled", settings.ci_job_token_scope_enabled.is_some()),
        ("merge_requests_access_level", settings.merge_requests_access_level.is_some()),
        ("forking_access_level", settings.forking_access_level.is_some()),
        ("shared_runners_enabled", settings.shared_runners_enabled.is_some()),
        ("group_runners_enabled", settings.group_runners_enabled.is_some()),
        ("public_jobs", settings.public_jobs.is_some()),
        ("auto_devops_enabled", settings.auto_devops_enabled.is_some()),
        ("remove_source_branch_after_merge", settings.remove_source_branch_after_merge.is_some()),
    ] {
        assert!(is_told, "{name}");
    }
}

#[test]
fn a_group_lists_its_projects_and_those_of_its_subgroups() {
    let sandbox = gitlab();
    sandbox.project("src/sub/other");
    sandbox.project("rpms/hello");
    let found = forge(&sandbox, "maintainer");
    let found: Vec<_> = found.projects_of_group("src").map(|project| project.unwrap().path.to_string()).collect();
    assert_eq!(found, [PROJECT, "src/sub/other"]);
}

#[test]
fn the_token_in_use_tells_what_it_is_good_for() {
    let sandbox = gitlab();
    let token = sandbox.token("maintainer", &[Scope::ReadApi, Scope::WriteRepository]);
    sandbox.expires_at(&token, "2026-12-24");
    let forge = forge_with(&sandbox, &token);
    let AccessToken { scopes, expires_at, active, revoked, user_id, .. } = forge.access_token().unwrap();
    assert_eq!(scopes, ["read_api", "write_repository"]);
    assert_eq!((expires_at, active, revoked), (NaiveDate::from_ymd_opt(2026, 12, 24), true, false));
    assert_eq!(user_id, forge.current_user().unwrap().user.id);
    sandbox.expire(&token);
    assert!(matches!(forge.access_token(), Err(ForgeError::Unauthorized(_))));
}

#[test]
fn gitlab_tells_its_version_and_edition() {
    let sandbox = gitlab();
    sandbox.set_version("18.3.2-ee");
    let version = forge(&sandbox, "developer").version().unwrap();
    assert_eq!((version.release(), version.is_enterprise), (Some((18, 3)), Some(true)));
}

#[test]
fn schedules_tell_whether_when_and_as_whom_they_run() {
    let sandbox = gitlab();
    let (active, left) = (
        sandbox.schedule(PROJECT, "maintainer", "c9s", "*/15 * * * *"),
        sandbox.schedule(PROJECT, "owner", "c8s", "0 1 * * *"),
    );
    sandbox.change_schedule(left, |schedule| {
        (schedule.active, schedule.owner, schedule.next_run_at) = (false, None, None);
    });
    let seen: Vec<_> = forge(&sandbox, "developer").pipeline_schedules(&path(PROJECT)).map(Result::unwrap).collect();
    assert_eq!(seen.iter().map(|schedule| schedule.id).collect::<Vec<_>>(), [active, left]);
    assert_eq!((seen[0].branch(), seen[0].cron.as_str(), seen[0].active), ("c9s", "*/15 * * * *", true));
    assert_eq!(seen[0].owner.as_ref().unwrap().username, "maintainer");
    assert!(
        seen[0].next_run_at.is_some() && !seen[1].active && seen[1].owner.is_none() && seen[1].next_run_at.is_none()
    );
}

#[test]
fn runners_tell_whose_they_are_and_whether_they_work() {
    let sandbox = gitlab();
    sandbox.instance_runner("shared");
    let groups = sandbox.group_runner("src", "group's");
    sandbox.change_runner(groups, |runner| (runner.paused, runner.online) = (true, false));
    sandbox.project_runner(PROJECT, "own");
    let project = path(PROJECT);
    let seen: Vec<_> = forge(&sandbox, "maintainer").runners_of_project(&project).map(Result::unwrap).collect();
    let kinds: Vec<_> = seen.iter().map(|runner| (runner.description.as_str(), runner.runner_type)).collect();
    let expected =
        [("shared", RunnerType::InstanceType), ("group's", RunnerType::GroupType), ("own", RunnerType::ProjectType)];
    assert_eq!(kinds, expected);
    assert!(seen[0].is_shared && !seen[0].is_paused && seen[0].is_online == Some(true));
    assert!(!seen[1].is_shared && seen[1].is_paused && seen[1].is_online == Some(false));
    let forbidden = forge(&sandbox, "developer").runners_of_project(&project).next().unwrap();
    assert!(matches!(forbidden, Err(ForgeError::Forbidden(_))));
}

#[test]
fn a_project_tells_whose_job_tokens_it_lets_in() {
    let sandbox = gitlab();
    sandbox.project("bots/bot");
    sandbox.allow_job_tokens(PROJECT, "bots/bot");
    sandbox.allow_job_tokens_of_group(PROJECT, "bots");
    let (maintainer, project) = (forge(&sandbox, "maintainer"), path(PROJECT));
    assert!(maintainer.job_token_scope(&project).unwrap().inbound_enabled);
    let projects: Vec<_> = maintainer.job_token_projects(&project).map(|one| one.unwrap().path.to_string()).collect();
    assert_eq!(projects, [PROJECT, "bots/bot"]);
    let groups: Vec<_> = maintainer.job_token_groups(&project).map(|one| one.unwrap().web_url).collect();
    assert_eq!(groups, [format!("{}/groups/bots", sandbox.url())]);
    sandbox.open_to_job_tokens(PROJECT);
    assert!(!maintainer.job_token_scope(&project).unwrap().inbound_enabled);
}

#[test]
fn deliveries_come_newest_first_page_by_page_and_without_secrets() {
    let sandbox = gitlab();
    let hook = sandbox.hook(PROJECT, "http://user:s3cr3t@127.0.0.1:1/in?token=s3cr3t").on(Fired::Note).create();
    for _ in 0..25 {
        sandbox.hook_was_answered(hook, Fired::Note, Some(201));
    }
    sandbox.hook_was_answered(hook, Fired::Note, Some(404));
    sandbox.hook_was_answered(hook, Fired::Note, None);
    let (maintainer, project) = (forge(&sandbox, "maintainer"), path(PROJECT));
    let owner = HookOwner::Project(&project);
    let seen: Vec<_> = maintainer.webhook_deliveries(owner, hook).map(Result::unwrap).collect();
    assert_eq!((seen.len(), maintainer.requests()), (27, 2));
    let first: Vec<_> = seen.iter().take(3).map(|one| (one.response_status.as_str(), one.has_arrived())).collect();
    assert_eq!(first, [("internal error", false), ("404", false), ("201", true)]);
    assert_eq!((seen[0].url.as_str(), seen[0].trigger.as_str()), ("http://127.0.0.1:1/in", "note_hooks"));
    let webhook = maintainer.webhooks(owner).next().unwrap().unwrap();
    assert_eq!((webhook.address(), webhook.is_disabled()), ("http://127.0.0.1:1/in".to_owned(), false));
    assert_eq!(webhook.events.into_iter().collect::<Vec<_>>(), [HookEvent::Comments]);
    sandbox.hook_was_answered(hook, Fired::Note, Some(500));
    sandbox.hook_was_answered(hook, Fired::Note, Some(500));
    assert!(maintainer.webhooks(owner).next().unwrap().unwrap().is_disabled());
}

#[test]
fn a_hidden_variable_has_no_value_to_show() {
    let sandbox = gitlab();
    sandbox.variable(PROJECT, "SGB_TOKEN", "12345678");
    let variable = sandbox.variables(PROJECT).pop().unwrap();
    sandbox.set_variable(PROJECT, Variable { hidden: true, masked: true, ..variable });
    let project = path(PROJECT);
    let seen = forge(&sandbox, "maintainer").variables(VariablesOf::Project(&project)).next().unwrap().unwrap();
    assert!(seen.value.is_none() && seen.hidden && seen.masked && !seen.raw);
}
