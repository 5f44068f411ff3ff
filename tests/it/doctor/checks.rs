//! `doctor`, on an instance with one thing wrong: that one is named, and no other.

use gitlab_sandbox::{HookEvent, Role, Scope, Variable, Visibility, Webhook};
use serde_json::{Value, json};

use super::world::{BOT, BOT_FORK, SECRET, TEMPLATE, VERSION, address, bot_ci, doctor, found, hook, sound, variable};
use crate::support::world::{DIST, IN_2096, SOURCE, World};

/// The check, and what makes it wrong.
type Case = (&'static str, fn(&mut World));

#[track_caller]
fn each(cases: &[Case]) {
    for (number, (check, break_it)) in cases.iter().enumerate() {
        let mut world = sound();
        break_it(&mut world);
        let run = doctor(&world, &["--output", "json"]);
        let json = run.json();
        let wrong: Vec<_> = found(&json, "wrong");
        let checks: Vec<_> = wrong.iter().map(|(check, _)| check.as_str()).collect();
        assert_eq!(checks, [*check], "case {number}: {wrong:#?}\n{}", run.stderr);
        run.ends_with(1);
        let remedies = json["findings"].as_array().unwrap().iter().filter(|finding| finding["state"] == "wrong");
        assert!(remedies.into_iter().all(|finding| finding["remedy"].as_str().is_some_and(|r| r.len() > 20)), "{json}");
    }
}

/// Changes the webhook for merge requests, which was made first.
fn change_hook(world: &World, change: impl FnOnce(&mut Webhook)) {
    world.sandbox.arrange(|model| change(model.webhooks.values_mut().next().unwrap()));
}

fn set(world: &World, project: &str, name: &str, value: Value) {
    world.sandbox.arrange(|model| {
        let id = model.project(project).unwrap().id;
        model.projects.get_mut(&id).unwrap().settings.insert(name.to_owned(), value);
    });
}

fn commit(world: &World, file: &str, content: Option<&str>) {
    world.sandbox.commit(BOT, "main", "Change it", &[(file, content)]);
}

#[test]
fn token_and_roles() {
    each(&[
        ("token.user", |world| world.token = "glpat-nobodys-token".to_owned()),
        ("token.scope", |world| world.token = world.sandbox.token("bot", &[Scope::ReadApi])),
        ("token.expiry", |world| {
            // Five days later.
            world.sandbox.fix_clock(IN_2096);
            world.sandbox.expires_at(&world.token, "2096-10-07");
        }),
        ("role.source-git", |world| world.sandbox.group_member("src", "bot", Role::Reporter)),
        ("role.dist-git", |world| world.sandbox.member(DIST, "bot", Role::Developer)),
        ("gitlab.version", |world| world.sandbox.set_version("18.3.2-ee")),
    ]);
}

#[test]
fn the_bot_project_itself() {
    each(&[
        ("bot-project.found", |world| world.instance("")),
        ("bot-project.found", |world| world.sandbox.remove_member(BOT, "bot")),
        ("bot-project.visibility", |world| world.sandbox.set_visibility(BOT, Visibility::Internal)),
        ("bot-project.protected-branch", |world| world.sandbox.protect(BOT, "release/*", Some(Role::Maintainer))),
        ("bot-project.protected-branch", |world| world.sandbox.protect(BOT, "main", Some(Role::Developer))),
        ("bot-project.protected-branch", |world| {
            // All is on the branch that is protected, and GitLab's own pages and `onboard` go by the default branch.
            world.sandbox.branch_at(BOT, "release", "main");
            world.sandbox.arrange(|model| {
                let id = model.project(BOT).unwrap().id;
                model.projects.get_mut(&id).unwrap().protected.clear();
                let hooks = model.webhooks.values_mut();
                hooks.for_each(|hook| hook.url = hook.url.replace("/ref/main/", "/ref/release/"));
            });
            world.sandbox.protect(BOT, "release", Some(Role::Maintainer));
            world.sandbox.schedule(BOT, "maintainer", "release", "*/15 * * * *");
        }),
        ("bot-project.protected-branch", |world| {
            world.sandbox.arrange(|model| {
                let id = model.project(BOT).unwrap().id;
                model.projects.get_mut(&id).unwrap().protected.clear();
            });
        }),
        ("bot-project.pipeline-variables", |world| {
            world.sandbox.setting(BOT, "ci_pipeline_variables_minimum_override_role", "maintainer");
        }),
        ("bot-project.job-tokens", |world| world.sandbox.allow_job_tokens(BOT, DIST)),
        ("bot-project.job-tokens", |world| world.sandbox.allow_job_tokens_of_group(BOT, "rpms")),
        ("bot-project.job-tokens", |world| world.sandbox.open_to_job_tokens(BOT)),
    ]);
}

#[test]
fn the_variables_of_the_bot_project() {
    each(&[
        ("bot-project.token-variable", |world| {
            world.sandbox.set_variable(BOT, Variable { protected: false, ..variable("SGB_TOKEN") });
        }),
        ("bot-project.token-variable", |world| {
            world.sandbox.set_variable(BOT, Variable { masked: false, ..variable("SGB_TOKEN") });
        }),
        ("bot-project.token-variable", |world| {
            world.sandbox.set_variable(BOT, Variable { raw: false, ..variable("SGB_TOKEN") });
        }),
        ("bot-project.token-variable", |world| {
            world.sandbox.set_variable(BOT, Variable { kind: "file".to_owned(), ..variable("SGB_TOKEN") });
        }),
        ("bot-project.token-variable", |world| {
            world.sandbox.arrange(|model| {
                let id = model.project(BOT).unwrap().id;
                let variables = &mut model.projects.get_mut(&id).unwrap().variables;
                variables.iter_mut().for_each(|variable| variable.scope = "production".to_owned());
            });
        }),
        ("bot-project.token-variable", |world| {
            world.sandbox.arrange(|model| {
                let id = model.project(BOT).unwrap().id;
                model.projects.get_mut(&id).unwrap().variables.clear();
            });
        }),
        ("bot-project.webhook-secret", |world| {
            // All that the instance asks for besides is there.
            require_webhook_tokens(world);
            let with_token = TEMPLATE.replace("}}\"}}", "}}\", \"webhook_token\": \"eyJ.x.y\"}}");
            world.sandbox.arrange(|model| {
                model.webhooks.values_mut().for_each(|hook| hook.template = Some(with_token.clone()));
            });
        }),
    ]);
}

fn require_webhook_tokens(world: &World) {
    world.instance("bot_project: ops/bot\nwebhook_tokens: required\n");
    let file = std::fs::read_to_string(world.home.path().join("instance.yaml")).unwrap();
    commit(world, "instance.yaml", Some(&file));
}

#[test]
fn what_runs_in_the_bot_project() {
    fn schedule(world: &World, change: impl FnOnce(&mut gitlab_sandbox::Schedule)) {
        let id = world.sandbox.inspect(|model| *model.schedules.keys().next().unwrap());
        world.sandbox.change_schedule(id, change);
    }
    each(&[
        ("bot-project.schedule", |world| schedule(world, |schedule| schedule.active = false)),
        ("bot-project.schedule", |world| {
            schedule(world, |schedule| schedule.reference = "refs/heads/other".to_owned());
        }),
        ("bot-project.schedule", |world| world.sandbox.arrange(|model| model.schedules.clear())),
        ("bot-project.runner", |world| {
            let id = world.sandbox.inspect(|model| *model.runners.keys().next().unwrap());
            world.sandbox.change_runner(id, |runner| runner.online = false);
        }),
        ("bot-project.runner", |world| {
            let id = world.sandbox.inspect(|model| *model.runners.keys().next().unwrap());
            world.sandbox.arrange(|model| drop(model.runners.remove(&id)));
        }),
        ("bot-project.include", |world| commit(world, ".gitlab-ci.yml", Some("job: {script: ['true']}\n"))),
        ("bot-project.include", |world| commit(world, ".gitlab-ci.yml", Some("include: [\n"))),
        ("bot-project.include", |world| commit(world, ".gitlab-ci.yml", None)),
        ("bot-project.template-version", |world| commit(world, ".gitlab-ci.yml", Some(&bot_ci("v0.0.9", VERSION)))),
        ("bot-project.template-version", |world| commit(world, ".gitlab-ci.yml", Some(&bot_ci("main", VERSION)))),
        ("bot-project.image-version", |world| {
            commit(world, ".gitlab-ci.yml", Some(&bot_ci(&format!("v{VERSION}"), "0.0.9")));
        }),
        ("bot-project.image-version", |world| {
            commit(world, ".gitlab-ci.yml", Some(&bot_ci(&format!("v{VERSION}"), "latest")));
        }),
        ("bot-project.instance-file", |world| commit(world, "instance.yaml", Some("extends: production\n"))),
        ("bot-project.instance-file", |world| commit(world, "instance.yaml", Some("extend: production\n"))),
        ("bot-project.instance-file", |world| commit(world, "instance.yaml", None)),
    ]);
}

#[test]
fn where_webhooks_call() {
    each(&[
        ("hooks.merge-requests", |world| _ = world.sandbox.arrange(|model| model.webhooks.pop_first())),
        ("hooks.comments", |world| _ = world.sandbox.arrange(|model| model.webhooks.pop_last())),
        ("hooks.address", |world| change_hook(world, |hook| hook.url = hook.url.replace("{token}", SECRET))),
        ("hooks.address", |world| change_hook(world, |hook| hook.url = hook.url.replace("?token={token}", ""))),
        ("hooks.address", |world| change_hook(world, |hook| hook.url = hook.url.replace("/ref/main/", "/ref/other/"))),
        ("hooks.address", |world| {
            change_hook(world, |hook| hook.url = hook.url.replace("/ref/main/", "/").replace('?', "?ref=main&"));
        }),
        ("hooks.address", |world| change_hook(world, |hook| hook.url = hook.url.replace("/projects/", "/projects/9"))),
        ("hooks.address", |world| change_hook(world, |hook| hook.url = "https://elsewhere.example/{token}".to_owned())),
        ("hooks.tls", |world| change_hook(world, |hook| hook.ssl_verification = false)),
        ("hooks.once", |world| {
            let url = address(&world.sandbox);
            let own = world.sandbox.hook(SOURCE, &url).masked("token", SECRET).template(TEMPLATE);
            own.on(HookEvent::MergeRequest).create();
            world.sandbox.trigger_token(BOT, "root");
        }),
        ("hooks.once", |world| {
            hook(&world.sandbox, "src").on(HookEvent::Note).create();
            world.sandbox.trigger_token(BOT, "root");
        }),
        ("hooks.tokens", |world| _ = world.sandbox.arrange(|model| model.trigger_tokens.pop())),
        ("hooks.token-owners", |world| {
            world.sandbox.arrange(|model| {
                let owner = model.trigger_tokens[0].owner;
                model.trigger_tokens.iter_mut().for_each(|token| token.owner = owner);
            });
        }),
    ]);
}

#[test]
fn what_webhooks_are_called_for_and_send() {
    fn on(world: &World, event: HookEvent) {
        change_hook(world, |hook| _ = hook.events.insert(event.setting().to_owned()));
    }
    each(&[
        ("hooks.events", |world| on(world, HookEvent::Pipeline)),
        ("hooks.events", |world| on(world, HookEvent::Push)),
        ("hooks.events", |world| on(world, HookEvent::Note)),
        ("hooks.template", |world| change_hook(world, |hook| hook.template = None)),
        ("hooks.template", |world| {
            let title = TEMPLATE.replace("{{object_kind}}", "{{object_attributes.title}}");
            change_hook(world, |hook| hook.template = Some(title));
        }),
        ("hooks.called", |world| change_hook(world, |hook| hook.recent_failures = 40)),
        ("hooks.deliveries", |world| {
            let id = world.sandbox.inspect(|model| *model.webhooks.keys().next().unwrap());
            world.sandbox.hook_was_answered(id, HookEvent::MergeRequest, Some(404));
        }),
        ("hooks.deliveries", |world| {
            // Some time ago, but often; GitLab calls it again since.
            let id = world.sandbox.inspect(|model| *model.webhooks.keys().next().unwrap());
            for answer in [Some(400), Some(400), None, Some(400), Some(201)] {
                world.sandbox.hook_was_answered(id, HookEvent::MergeRequest, answer);
            }
        }),
    ]);
}

#[test]
fn packages_and_forks() {
    each(&[
        ("packages.dist-git", |world| world.sandbox.delete_project(DIST)),
        ("packages.branches", |world| world.sandbox.branch_at(SOURCE, "c10s", "c9s")),
        ("packages.ci-file", |world| world.sandbox.setting(SOURCE, "ci_config_path", "")),
        ("packages.listed", |world| {
            world.instance("bot_project: ops/bot\ntargets:\n- branch: nothing\n");
            let file = std::fs::read_to_string(world.home.path().join("instance.yaml")).unwrap();
            commit(world, "instance.yaml", Some(&file));
        }),
        ("forks.job-token-push", |world| {
            set(world, BOT_FORK, "ci_push_repository_for_job_token_allowed", json!(true));
        }),
        ("forks.job-tokens", |world| world.sandbox.allow_job_tokens(BOT_FORK, BOT)),
        ("forks.variables", |world| world.sandbox.set_variable(BOT_FORK, variable("SGB_TOKEN"))),
        ("forks.pipeline-variables", |world| {
            world.sandbox.setting(BOT_FORK, "ci_pipeline_variables_minimum_override_role", "developer");
        }),
        ("forks.runners", |world| set(world, BOT_FORK, "shared_runners_enabled", json!(false))),
    ]);
}
