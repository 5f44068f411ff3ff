//! States that the instances of the integration tests cannot be brought into, and details.

use chrono::{DateTime, NaiveDate};
use serde_json::{Value, json};

use crate::ci::template_uses;
use crate::config::{Environment, Forks, Instance, WebhookTokens};
use crate::forge::{GitlabVersion, HookEvent, OverrideRole, RateLimit, Webhook};
use crate::setup::check::*;
use crate::setup::instance_facts::*;
use crate::setup::package_facts::JobTokenAccess;
use crate::setup::webhook;
use crate::types::AccessLevel;

const GITLAB: &str = "https://gitlab.com/api/v4/projects/42/ref/main/trigger/pipeline";

/// Returns what GitLab answers.
fn answer<T: serde::de::DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

fn hook(id: u64, event: &str) -> HookFacts {
    HookFacts {
        webhook: answer(json!({
            "id": id,
            "url": webhook::hook_url(GITLAB),
            "url_variables": [{"key": "token"}],
            event: true,
            "custom_webhook_template": webhook::template(None),
            "enable_ssl_verification": true,
            "alert_status": "executable",
        })),
        deliveries: Ok(vec![answer(json!({"id": 1, "response_status": "201"}))]),
    }
}

fn place(path: &str, kind: HookPlaceKind, hooks: Visible<Vec<HookFacts>>) -> HookPlace {
    HookPlace { path: path.to_owned(), kind, hooks }
}

fn closed_to_job_tokens() -> Visible<JobTokenAccess> {
    Ok(JobTokenAccess { scope: answer(json!({"inbound_enabled": true})), allowlist: Vec::new() })
}

fn bot_project() -> BotProjectFacts {
    let include = "include: {project: g/b, ref: v0.1.0, file: /ci-templates/bot.yml, inputs: {image: 'x/y:0.1.0'}}";
    let owner = |username: &str| TriggerTokenOwner { username: Some(username.to_owned()) };
    BotProjectFacts {
        settings: answer(json!({
            "id": 42,
            "path_with_namespace": "ops/bot",
            "visibility": "private",
            "default_branch": "main",
            "ci_pipeline_variables_minimum_override_role": OverrideRole::NoOneAllowed,
        })),
        role: Ok(AccessLevel::REPORTER),
        protected: Ok(vec![answer(json!({
            "name": "main",
            "push_access_levels": [{"access_level": 40}],
            "merge_access_levels": [{"access_level": 40}],
        }))]),
        variables: Ok(vec![VariableFlags {
            key: "SGB_TOKEN".to_owned(),
            protected: true,
            masked: true,
            raw: true,
            is_file: false,
            is_for_all_jobs: true,
        }]),
        job_tokens: closed_to_job_tokens(),
        schedules: Ok(vec![answer(json!({"id": 1, "active": true, "ref": "refs/heads/main"}))]),
        runners: Ok(vec![answer(json!({"id": 1, "runner_type": "project_type", "online": true}))]),
        trigger_tokens: Ok(vec![owner("one"), owner("other")]),
        includes: Ok(Some(template_uses(include.as_bytes()))),
        instance_file: Ok(InstanceFileFacts::Read("instance.yaml".to_owned(), Vec::new())),
    }
}

/// Returns the facts of an instance in which nothing is wrong.
fn right() -> InstanceFacts {
    let package = PackageOverview {
        source_git: "redhat/centos-stream/src/hello".to_owned(),
        dist_git: "redhat/centos-stream/rpms/hello".to_owned(),
        has_dist_git: true,
        missing_branches: Vec::new(),
        source_git_settings: Ok(answer(json!({
            "id": 1,
            "path_with_namespace": "redhat/centos-stream/src/hello",
        }))),
        has_template: Ok(false),
        source_git_role: Ok(AccessLevel::DEVELOPER),
        dist_git_role: Ok(AccessLevel::default()),
        dist_git_settings: Ok(answer(json!({
            "id": 2,
            "path_with_namespace": "redhat/centos-stream/rpms/hello",
        }))),
    };
    let fork = ForkOverview {
        settings: answer(json!({
            "id": 3,
            "path_with_namespace": "bot/hello",
            "ci_pipeline_variables_minimum_override_role": OverrideRole::NoOneAllowed,
            "ci_push_repository_for_job_token_allowed": false,
        })),
        variables: Ok(Vec::new()),
        job_tokens: closed_to_job_tokens(),
        runners: Ok(vec![answer(json!({"id": 2, "runner_type": "instance_type", "online": true}))]),
    };
    let hooks = vec![hook(1, "merge_requests_events"), hook(2, "note_events")];
    InstanceFacts {
        program_version: "0.1.0".to_owned(),
        now: DateTime::from_timestamp(1_796_644_800, 0).unwrap(), // 2026-12-07 12:00
        instance: Instance {
            bot_project: Some("ops/bot".parse().unwrap()),
            ..Instance::load("production", &Environment::default()).unwrap()
        },
        bot: "bot".to_owned(),
        user: "bot".to_owned(),
        token: Ok(answer(json!({"scopes": ["api"], "user_id": 1}))),
        gitlab_version: Ok(version("18.4.0")),
        rate_limit: Some(RateLimit { limit: 2000, remaining: 1990 }),
        bot_project: Some(Ok(bot_project())),
        hooks: vec![place("redhat/centos-stream/src", HookPlaceKind::Group, Ok(hooks))],
        packages: Ok(PackagesOverview {
            all: vec![package],
            unlisted: Vec::new(),
            branch_sample: Sample { looked_at: 1, total: 1 },
            dist_git_unseen: None,
        }),
        forks: Ok(vec![fork]),
    }
}

fn version(text: &str) -> GitlabVersion {
    GitlabVersion { text: text.to_owned(), is_enterprise: None }
}

fn of(facts: &InstanceFacts, state: CheckState) -> Vec<(&'static str, String)> {
    let results = judge(facts).into_iter().filter(|result| result.state == state);
    results.map(|result| (result.check, result.says)).collect()
}

/// Returns the checks that are wrong after one change.
fn wrong(change: impl FnOnce(&mut InstanceFacts)) -> Vec<&'static str> {
    let mut facts = right();
    change(&mut facts);
    of(&facts, CheckState::Wrong).into_iter().map(|(check, _)| check).collect()
}

fn change_project(facts: &mut InstanceFacts, change: impl FnOnce(&mut BotProjectFacts)) {
    change(facts.bot_project.as_mut().unwrap().as_mut().unwrap());
}

fn first_hook(facts: &mut InstanceFacts) -> &mut Webhook {
    &mut facts.hooks[0].hooks.as_mut().unwrap()[0].webhook
}

#[test]
fn a_right_instance_has_nothing_wrong_or_unseen() {
    assert_eq!(of(&right(), CheckState::Wrong), []);
    assert_eq!(of(&right(), CheckState::Unseen), []);
}

#[test]
fn a_bot_project_in_a_group_with_webhooks_is_wrong() {
    for path in ["redhat/centos-stream/src/bot", "redhat/centos-stream/rpms/x/bot"] {
        assert_eq!(
            wrong(|facts| change_project(facts, |p| p.settings.path = path.parse().unwrap())),
            ["bot-project.place"]
        );
    }
    // A webhook of a containing group counts. A group does not contain a project whose path only begins with the same
    // text.
    let in_group = |facts: &mut InstanceFacts, path: &str| {
        facts.hooks[0].path = "redhat".to_owned();
        change_project(facts, |project| project.settings.path = path.parse().unwrap());
    };
    assert_eq!(wrong(|facts| in_group(facts, "redhat/bot")), ["bot-project.place"]);
    assert_eq!(wrong(|facts| in_group(facts, "redhat-ops/bot")), [""; 0]);
}

#[test]
fn few_remaining_requests_are_wrong() {
    let with = |remaining| wrong(|facts| facts.rate_limit = Some(RateLimit { limit: 2000, remaining }));
    assert_eq!(with(199), ["gitlab.rate-limit"]);
    assert_eq!(with(200), [""; 0]);
    assert_eq!(wrong(|facts| facts.rate_limit = None), [""; 0]);
}

#[test]
fn a_token_is_wrong_two_weeks_before_it_expires_or_with_the_scope_sudo() {
    let expiring = |day: u32| {
        wrong(|facts| {
            facts.token.as_mut().unwrap().expires_at = NaiveDate::from_ymd_opt(2026, 12, day);
        })
    };
    assert_eq!(expiring(20), ["token.expiry"]);
    assert_eq!(expiring(21), [""; 0]);
    let with_sudo = |facts: &mut InstanceFacts| facts.token.as_mut().unwrap().scopes.push("sudo".to_owned());
    assert_eq!(wrong(with_sudo), ["token.scope"]);
}

#[test]
fn a_commit_pins_a_template_and_a_digest_pins_an_image() {
    let yaml = format!(
        "include: {{project: g/b, ref: {}, file: /ci-templates/bot.yml, inputs: {{image: 'x/y@sha256:{}'}}}}",
        "a1".repeat(20),
        "0f".repeat(32)
    );
    let mut facts = right();
    change_project(&mut facts, |project| project.includes = Ok(Some(template_uses(yaml.as_bytes()))));
    assert_eq!(of(&facts, CheckState::Wrong), []);
    let unseen: Vec<_> = of(&facts, CheckState::Unseen).into_iter().map(|(check, _)| check).collect();
    assert_eq!(unseen, ["bot-project.image-version"]);
}

#[test]
fn a_containing_group_or_each_project_can_have_the_webhooks() {
    let hooks = |facts: &InstanceFacts| facts.hooks[0].hooks.clone();
    let mut facts = right();
    facts.hooks = vec![
        place("redhat/centos-stream/src", HookPlaceKind::Group, Ok(Vec::new())),
        place("redhat", HookPlaceKind::Group, hooks(&facts)),
    ];
    assert_eq!(of(&facts, CheckState::Wrong), []);
    facts.hooks[1] = place("redhat/centos-stream/src/hello", HookPlaceKind::Project, hooks(&right()));
    assert_eq!(of(&facts, CheckState::Wrong), []);
    facts.hooks.push(place("redhat/centos-stream/src/other", HookPlaceKind::Project, Ok(Vec::new())));
    let checks: Vec<_> = of(&facts, CheckState::Wrong).into_iter().map(|(check, _)| check).collect();
    assert_eq!(checks, ["hooks.merge-requests", "hooks.comments"]);
    // A webhook that the user does not see may be the missing one.
    facts.hooks[0].hooks = Err(Unseen::NotShown);
    assert_eq!(of(&facts, CheckState::Wrong), []);
}

#[test]
fn a_webhook_url_has_to_match_completely() {
    let with = |url: &str| wrong(|facts| first_hook(facts).url = url.to_owned());
    for good in [
        format!("{GITLAB}?token={{token}}"),
        "https://gitlab.com/api/v4/projects/ops%2Fbot/ref/main/trigger/pipeline?token={token}".to_owned(),
    ] {
        assert_eq!(with(&good), [""; 0], "{good}");
    }
    for bad in [
        format!("{GITLAB}?token=glptt-x"),
        format!("{GITLAB}?token={{other}}"),
        format!("{GITLAB}?token={{token}}&ref=x"),
        GITLAB.to_owned(),
        GITLAB.replace("https", "http"),
        GITLAB.replace("gitlab.com", "gitlab.com.evil.example"),
        GITLAB.replace("gitlab.com", "x:y@gitlab.com"),
        String::new(),
    ] {
        assert_eq!(with(&bad), ["hooks.address"], "{bad}");
    }
}

#[test]
fn no_webhook_url_is_shown() {
    let mut facts = right();
    first_hook(&mut facts).url = format!("{GITLAB}?token=glptt-secret");
    assert!(!format!("{:?}", judge(&facts)).contains("glptt"));
}

#[test]
fn webhooks_of_others_are_ignored() {
    let mut other = hook(9, "pipeline_events");
    other.webhook = Webhook {
        url: "https://ci.example.com/hook".to_owned(),
        template: None,
        enable_ssl_verification: Some(false),
        alert_status: "disabled".to_owned(),
        ..other.webhook
    };
    assert_eq!(other.webhook.events, [HookEvent::Pipelines].into());
    assert!(!is_ours(&other.webhook, Some(&bot_project())));
    assert_eq!(wrong(|facts| facts.hooks[0].hooks.as_mut().unwrap().push(other)), [""; 0]);
}

#[test]
fn a_bot_that_pushes_to_dist_git_has_to_be_developer_and_needs_no_forks() {
    let pushes = |facts: &mut InstanceFacts| facts.instance.forks = Forks::DistGit;
    assert_eq!(wrong(pushes), ["role.dist-git"]);
    let may = |facts: &mut InstanceFacts| {
        pushes(facts);
        facts.packages.as_mut().unwrap().all[0].dist_git_role = Ok(AccessLevel::DEVELOPER);
        facts.forks.as_mut().unwrap()[0].settings.ci_push_repository_for_job_token_allowed = Some(true);
    };
    assert_eq!(wrong(may), [""; 0]);
}

#[test]
fn a_webhook_token_is_allowed_in_a_template_and_mandatory_if_the_instance_requires_it() {
    let token = Some(&"eyJ.x.y".into());
    assert_eq!(wrong(|facts| first_hook(facts).template = Some(webhook::template(token))), [""; 0]);
    let wanted = wrong(|facts| facts.instance.webhook_tokens = WebhookTokens::Required);
    assert_eq!(wanted, ["bot-project.webhook-secret", "hooks.template"]);
}

#[test]
fn gitlab_has_to_be_18_4_or_later() {
    let with = |text| wrong(|facts| facts.gitlab_version = Ok(version(text)));
    assert_eq!(with("18.3.0"), ["gitlab.version"]);
    assert_eq!(with("17.11.0"), ["gitlab.version"]);
    for text in ["18.4.0", "18.10.0", "19.0.0", "x"] {
        assert_eq!(with(text), [""; 0], "{text}");
    }
}
