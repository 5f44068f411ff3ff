//! `onboard` where the repositories are people's own: only the bot's part is done, and the rest said exactly.

use gitlab_sandbox::{HookOwner, Role, Settings, Webhook};

use super::world::{DIST, FORK, HUB, ORIGINAL_DIST, ORIGINAL_SOURCE, SOURCE, World};
use crate::support::Run;

const GROUP: &str = "redhat/centos-stream/src";
const TEMPLATE: &str = r#"{"source_git_bot": {"v": "1", "kind": "{{object_kind}}", "project": "{{project.id}}", "id": "{{object_attributes.id}}", "iid": "{{object_attributes.iid}}", "mr": "{{merge_request.iid}}", "mr_project": "{{merge_request.target_project_id}}"}}"#;

fn world() -> World {
    let world = World::without_rights(&Settings::default());
    world.sandbox.member(HUB, "operator", Role::Maintainer);
    world.sandbox.member(HUB, "bot", Role::Maintainer);
    world
}

fn onboard(world: &World, package: &str) -> Run {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_source-git-bot"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("SGB_TEST_NO_PAUSES", "1");
    command.env("SGB_TOKEN", &world.token).env("SGB_OPERATOR_TOKEN", &world.operator_token);
    let instance = world.instance("");
    world.run(command.current_dir(world.home.path()).args(["--instance", &instance, "onboard", package]))
}

fn group_hooks(world: &World) -> Vec<Webhook> {
    world.sandbox.inspect(|model| {
        let group = model.namespace(GROUP).unwrap().id;
        model.webhooks.values().filter(|hook| hook.owner == HookOwner::Group(group)).cloned().collect()
    })
}

#[test]
fn an_owner_of_the_group_gets_its_webhooks_and_the_bot_its_fork() {
    let world = world();
    world.sandbox.group_member(GROUP, "operator", Role::Owner);
    let before = (world.refs(ORIGINAL_SOURCE), world.refs(ORIGINAL_DIST));
    let run = onboard(&world, "cloud-init");
    run.ends_with(0);
    assert!(!run.stdout.contains("left to a person"), "{}", run.stdout);
    let hooks = group_hooks(&world);
    let events: Vec<_> = hooks.iter().map(|hook| hook.events.iter().cloned().collect::<Vec<_>>()).collect();
    assert_eq!(events, [["merge_requests_events"], ["note_events"]]);
    let owners: Vec<_> = world.trigger_tokens().into_iter().map(|(what, who, _)| (what, who)).collect();
    let token = |what: String, who: &str| (format!("source-git-bot: {what}"), who.to_owned());
    assert_eq!(
        owners,
        [
            token(format!("dist-git results from {FORK}"), "bot"),
            token(format!("merge requests of {GROUP}"), "operator"),
            token(format!("comments in {GROUP}"), "bot"),
        ]
    );
    for hook in &hooks {
        assert_eq!(hook.template.as_deref(), Some(TEMPLATE));
        let token = &hook.url_variables["token"];
        assert!(world.trigger_tokens().iter().any(|(.., value)| value == token));
    }
    assert_eq!(world.setting(FORK, "ci_pipeline_variables_minimum_override_role"), "no_one_allowed");
    assert!(!world.variable(FORK, "SGB_TRIGGER_TOKEN").is_empty());
    assert_eq!((world.refs(ORIGINAL_SOURCE), world.refs(ORIGINAL_DIST)), before, "the repositories are people's own");
    assert!(!world.is_there(SOURCE) && !world.is_there(DIST));
    let _ = world.written();
    let again = onboard(&world, "cloud-init");
    again.ends_with(0);
    assert!(again.stdout.contains("Nothing was to be done."), "{}", again.stdout);
    assert_eq!(world.written(), []);
}

#[test]
fn who_does_not_own_the_group_is_told_what_an_owner_has_to_enter() {
    let world = world();
    world.sandbox.group_member(GROUP, "operator", Role::Maintainer);
    let run = onboard(&world, "cloud-init");
    run.ends_with(0);
    let hub = world.sandbox.inspect(|model| model.project(HUB).unwrap().id);
    let url = format!("{}/api/v4/projects/{hub}/ref/main/trigger/pipeline?token={{token}}", world.sandbox.url());
    for said in [
        &format!("an Owner of the group {GROUP} adds a webhook for merge requests"),
        &format!("an Owner of the group {GROUP} adds a webhook for comments"),
        &format!("     URL       {url}\n"),
        &format!("     token     a trigger token of {HUB} for this webhook alone, as a masked part of the URL\n"),
        "     events    Merge request events\n",
        "     events    Comments\n",
        &format!("     template  {TEMPLATE}\n"),
    ] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
    }
    assert!(group_hooks(&world).is_empty() && world.trigger_tokens().len() == 1);
    let _ = world.written();
    let again = onboard(&world, "cloud-init");
    again.ends_with(0);
    assert_eq!(world.written(), []);
    assert!(again.stdout.contains("Nothing was written."), "{}", again.stdout);
}

#[test]
fn a_ci_file_that_calls_the_bot_gets_its_variables_from_a_maintainer() {
    let world = world();
    world.sandbox.group_member(GROUP, "operator", Role::Owner);
    let template = "ci-templates/source-git.yml";
    let include = format!(
        "include:\n- {{project: group/source-git-bot, ref: v0.1.0, file: /{template}, inputs: {{image: 'x:1'}}}}\n"
    );
    world.sandbox.setting(ORIGINAL_SOURCE, "ci_config_path", ".distro/.gitlab-ci.yml");
    world.sandbox.commit(ORIGINAL_SOURCE, "main", "CI", &[(".distro/.gitlab-ci.yml", Some(&*include))]);
    onboard(&world, "cloud-init").ends_with(0);
    assert!(!world.variable(ORIGINAL_SOURCE, "SGB_TRIGGER_TOKEN").is_empty());
    let _ = world.written();
}

#[test]
fn in_a_project_of_others_the_variables_are_theirs_to_set() {
    let world = world();
    let include = "include:\n- {project: group/source-git-bot, ref: v0.1.0, file: /ci-templates/source-git.yml}\n";
    world.sandbox.commit(ORIGINAL_SOURCE, "main", "CI", &[(".gitlab-ci.yml", Some(include))]);
    let run = onboard(&world, "cloud-init");
    run.ends_with(0);
    let said = format!("@operator needs the role Maintainer in {ORIGINAL_SOURCE}");
    assert!(run.stdout.contains(&said), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("{ORIGINAL_SOURCE}: the variable SGB_TRIGGER_TOKEN")), "{}", run.stdout);
    assert!(world.sandbox.variables(ORIGINAL_SOURCE).is_empty());
    let _ = world.written();
}

#[test]
fn a_package_that_is_not_there_or_is_spelt_otherwise_is_refused() {
    let world = world();
    for (package, said) in [
        ("bash", "there is no source-git project redhat/centos-stream/src/bash"),
        ("Cloud-Init", "but there is redhat/centos-stream/src/cloud-init"),
    ] {
        let run = onboard(&world, package);
        run.ends_with(2);
        assert!(run.stderr.contains(said), "{package}: {}", run.stderr);
    }
    assert_eq!(world.written(), []);
}
