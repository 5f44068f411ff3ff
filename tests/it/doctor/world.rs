//! An instance that is set up right in every respect, seen by a bot that is allowed to see all of it.

use gitlab_sandbox::{ANY_ENVIRONMENT, HookBuilder, HookEvent, Role, Sandbox, Variable, Visibility};
use serde_json::Value;

use crate::support::Run;
use crate::support::world::{DIST, SOURCE, World};

pub(crate) const BOT: &str = "ops/bot";
pub(crate) const BOT_FORK: &str = "bot/hello";

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The masked part of a webhook's address.
pub(crate) const SECRET: &str = "glptt-0123456789-secret";

/// What the example of a bot project (ci-templates/examples) says that webhooks send.
pub(crate) const TEMPLATE: &str = r#"{"source_git_bot": {"v": "1", "kind": "{{object_kind}}", "project": "{{project.id}}",
    "id": "{{object_attributes.id}}", "iid": "{{object_attributes.iid}}", "mr": "{{merge_request.iid}}",
    "mr_project": "{{merge_request.target_project_id}}"}}"#;

pub(crate) fn bot_ci(reference: &str, image: &str) -> String {
    format!(
        "include:\n- project: group/source-git-bot\n  ref: {reference}\n  file: /ci-templates/bot.yml\n  inputs:\n    \
         image: registry.example.com/group/source-git-bot:{image}\n"
    )
}

pub(crate) fn variable(key: &str) -> Variable {
    Variable {
        key: key.to_owned(),
        value: format!("value-of-{key}"),
        protected: true,
        masked: true,
        hidden: false,
        raw: true,
        kind: "env_var".to_owned(),
        scope: ANY_ENVIRONMENT.to_owned(),
        description: None,
    }
}

/// The address that the webhooks have, with `{token}` in it.
pub(crate) fn address(sandbox: &Sandbox) -> String {
    let id = sandbox.inspect(|model| model.project(BOT).unwrap().id);
    format!("{}/api/v4/projects/{id}/ref/main/trigger/pipeline?token={{token}}", sandbox.url())
}

/// A webhook of a group as it has to be, but for what it is called for.
pub(crate) fn hook(sandbox: &Sandbox, group: &str) -> HookBuilder {
    sandbox.group_hook(group, &address(sandbox)).masked("token", SECRET).template(TEMPLATE)
}

/// An instance that is set up right.
pub(crate) fn sound() -> World {
    let world = World::new();
    let sandbox = &world.sandbox;
    world.instance("bot_project: ops/bot\n");
    sandbox.group_member("src", "bot", Role::Owner);

    sandbox.project_with(BOT, Visibility::Private);
    sandbox.member(BOT, "bot", Role::Maintainer);
    for user in ["maintainer", "root"] {
        sandbox.member(BOT, user, Role::Maintainer);
        sandbox.trigger_token(BOT, user);
    }
    let instance = std::fs::read_to_string(world.home.path().join("instance.yaml")).unwrap();
    let ci = bot_ci(&format!("v{VERSION}"), VERSION);
    sandbox.commit(BOT, "main", "Set up", &[(".gitlab-ci.yml", Some(&ci)), ("instance.yaml", Some(&instance))]);
    sandbox.set_variable(BOT, variable("SGB_TOKEN"));
    sandbox.setting(BOT, "ci_pipeline_variables_minimum_override_role", "no_one_allowed");
    sandbox.schedule(BOT, "maintainer", "main", "*/15 * * * *");
    sandbox.project_runner(BOT, "its own");

    hook(sandbox, "src").on(HookEvent::MergeRequest).create();
    hook(sandbox, "src").on(HookEvent::Note).create();

    let ci = "include: {project: group/source-git-bot, ref: v0.1.0, file: /ci-templates/source-git.yml}\n";
    sandbox.commit(SOURCE, "c9s", "Call the bot", &[(".distro/.gitlab-ci.yml", Some(ci))]);
    sandbox.setting(SOURCE, "ci_config_path", ".distro/.gitlab-ci.yml");

    sandbox.fork(DIST, "bot");
    sandbox.setting(BOT_FORK, "ci_pipeline_variables_minimum_override_role", "no_one_allowed");
    for key in ["SGB_TRIGGER_URL", "SGB_TRIGGER_TOKEN"] {
        sandbox.set_variable(BOT_FORK, Variable { protected: false, ..variable(key) });
    }
    sandbox.instance_runner("everybody's");
    sandbox.clear_log();
    world
}

/// Runs the command, and sees that it neither writes nor tells a secret.
pub(crate) fn doctor(world: &World, arguments: &[&str]) -> Run {
    let run = world.run(world.program().arg("doctor").args(arguments));
    assert_eq!(world.written(), [""; 0]);
    for secret in ["value-of-", "glptt-", "s3cr3t", "glpat-"] {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{secret}: {}", run.stdout);
    }
    run
}

/// The findings of one state: check and what is said.
pub(crate) fn found(json: &Value, state: &str) -> Vec<(String, String)> {
    let findings = json["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let of_it = findings.filter(|finding| finding["state"] == state);
    of_it
        .map(|finding| (text(finding, "check"), format!("{}: {}", text(finding, "subject"), text(finding, "says"))))
        .collect()
}
