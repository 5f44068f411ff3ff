//! `doctor`: an instance that is set up right, one that cannot be seen, a large one, and one that does not want to be read.

use gitlab_sandbox::{Fault, HookEvent, Repositories, Role, Scope, Visibility};

use super::world::{BOT, BOT_FORK, VERSION, bot_ci, doctor, found, hook, sound};
use crate::support::Run;
use crate::support::world::World;

/// The table, whatever this program's version is.
fn table(run: &Run) -> String {
    run.stdout.replace(VERSION, "VERSION")
}

fn unseen(world: &World, arguments: &[&str]) -> Vec<String> {
    let run = doctor(world, &[&["--output", "json"], arguments].concat());
    run.ends_with(0);
    let json = run.json();
    assert_eq!(found(&json, "wrong"), []);
    found(&json, "unseen").into_iter().map(|(check, _)| check).collect()
}

#[test]
fn an_instance_that_is_set_up_right_has_nothing_wrong() {
    let world = sound();
    let run = doctor(&world, &[]);
    run.ends_with(0);
    insta::assert_snapshot!(table(&run), @r#"
    right   token.user                      the token: is @bot's
    right   token.scope                     the bot's token: has the scope `api`
    right   token.expiry                    the bot's token: expires on 2099-12-31
    right   role.source-git                 src/hello: @bot is Developer there, or more
    right   role.dist-git                   rpms/hello: @bot is less than Developer there
    right   gitlab.version                  GitLab: 19.5.0-ee
    right   bot-project.found               ops/bot: exists
    right   bot-project.role                ops/bot: @bot is Maintainer there
    right   bot-project.visibility          ops/bot: is private
    right   bot-project.place               ops/bot: is outside the groups with webhooks
    right   bot-project.protected-branch    ops/bot: `main` is its one protected branch
    right   bot-project.token-variable      ops/bot: SGB_TOKEN is protected, masked and not expanded
    right   bot-project.pipeline-variables  ops/bot: no one may set pipeline variables
    right   bot-project.job-tokens          ops/bot: is closed to the job tokens of other projects
    right   bot-project.schedule            ops/bot: a schedule runs on `main`
    right   bot-project.runner              ops/bot: a runner of its own is online
    right   bot-project.include             ops/bot: includes bot.yml of group/source-git-bot
    right   bot-project.template-version    ops/bot: the template is vVERSION, as this program
    right   bot-project.image-version       ops/bot: the image is VERSION, as this program
    right   bot-project.instance-file       ops/bot: `instance.yaml` there is the instance in use
    right   hooks.merge-requests            src: a webhook starts the bot for merge requests
    right   hooks.comments                  src: a webhook starts the bot for comments
    right   hooks.address                   2 webhooks: the address is the bot project's, and hides its
                                            token
    right   hooks.events                    2 webhooks: called for one kind of event each
    right   hooks.template                  2 webhooks: identifiers alone are sent
    right   hooks.tls                       2 webhooks: certificates are verified
    right   hooks.called                    2 webhooks: GitLab calls them
    right   hooks.deliveries                2 webhooks: deliveries arrive
    right   hooks.tokens                    ops/bot: has 2 trigger tokens for 2 webhooks
    right   hooks.token-owners              ops/bot: the trigger tokens are of 2 users
    right   packages.listed                 packages: 1 of 1 projects are handled; the branches of 1
                                            were listed
    right   packages.dist-git               src/hello: the dist-git project is there
    right   packages.branches               src/hello: dist-git has each branch that is handled
    right   packages.ci-file                src/hello: GitLab reads .distro/.gitlab-ci.yml
    right   forks.job-token-push            bot/hello: job tokens cannot push
    right   forks.job-tokens                bot/hello: closed to the job tokens of other projects
    right   forks.variables                 bot/hello: no secret among the variables
    right   forks.pipeline-variables        bot/hello: no one may set pipeline variables
    right   forks.runners                   bot/hello: pipelines run there, and runners take the jobs
    instance.yaml: 39 right, 0 unseen, 0 wrong; 31 requests
    "#);
    assert_eq!(unseen(&world, &["--dry-run"]), [""; 0]);
}

#[test]
fn what_is_wrong_comes_last_with_its_remedy() {
    let world = sound();
    world.sandbox.set_version("18.3.2-ee");
    world.sandbox.commit(BOT, "main", "Be bold", &[(".gitlab-ci.yml", Some(&bot_ci("main", VERSION)))]);
    world.sandbox.remove_member(BOT, "root");
    world.sandbox.arrange(|model| model.webhooks.values_mut().for_each(|hook| hook.ssl_verification = false));
    world.sandbox.fail(Fault::on("GET", "/projects/*/variables").times(9).status(403));
    let run = doctor(&world, &[]);
    world.sandbox.clear_faults();
    run.ends_with(1);
    let table = table(&run);
    let (_, told) = table.split_once("\nunseen").unwrap();
    insta::assert_snapshot!(format!("unseen{told}"), @r#"
    unseen  bot-project.token-variable      ops/bot: not shown to the token's user
                                            -> its Maintainers see it: Settings, CI/CD, Variables
    unseen  forks.variables                 bot/hello: not shown to the token's user
                                            -> its Maintainers see it: Settings, CI/CD, Variables
    wrong   gitlab.version                  GitLab: 18.3.2-ee refuses triggers where nobody may set
                                            pipeline variables
                                            -> its administrator: update it to 18.4 or later
    wrong   bot-project.template-version    ops/bot: the template is `main`, whatever that is today
                                            -> in its `.gitlab-ci.yml`, set `ref: vVERSION`, or update
                                               this program
    wrong   hooks.tls                       webhook 1020 of src, webhook 1021 of src: does not verify
                                            certificates: its token could go to anybody
                                            -> Settings, Webhooks: switch `Enable SSL verification` on
    instance.yaml: 34 right, 2 unseen, 3 wrong; 31 requests
    "#);
    assert!(run.stderr.contains("3 things are wrong with the instance instance.yaml"), "{}", run.stderr);
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 100), "{}", run.stdout);
}

#[test]
fn what_the_bot_may_not_see_is_not_wrong() {
    let world = sound();
    world.sandbox.group_member("src", "bot", Role::Developer);
    world.sandbox.member(BOT, "bot", Role::Reporter);
    let unseen = unseen(&world, &[]);
    for check in
        ["bot-project.protected-branch", "bot-project.token-variable", "bot-project.job-tokens", "bot-project.runner"]
    {
        assert!(unseen.iter().any(|other| other == check), "{check}: {unseen:?}");
    }
    for check in ["hooks.merge-requests", "hooks.comments"] {
        assert!(unseen.iter().any(|other| other == check), "{check}: {unseen:?}");
    }
    assert!(!unseen.iter().any(|check| check.starts_with("packages.") || check.starts_with("token.")), "{unseen:?}");
}

#[test]
fn an_operators_token_shows_what_the_bots_does_not() {
    let mut world = sound();
    world.sandbox.group_member("src", "bot", Role::Developer);
    world.sandbox.member(BOT, "bot", Role::Reporter);
    world.sandbox.user("operator");
    world.sandbox.group_member("src", "operator", Role::Owner);
    world.sandbox.group_member("rpms", "operator", Role::Owner);
    world.sandbox.member(BOT, "operator", Role::Maintainer);
    world.token = world.sandbox.token("operator", &[Scope::Api]);
    // The roles that are told are those of the bot, and its forks are its own.
    let unseen = unseen(&world, &["--bot", "bot"]);
    assert_eq!(unseen, ["token.scope", "token.expiry", "forks.job-tokens", "forks.variables", "forks.runners"]);

    world.sandbox.remove_member(BOT, "bot");
    let json = doctor(&world, &["--bot", "bot", "--output", "json"]).json();
    let told = (
        "bot-project.role".to_owned(),
        "ops/bot: @bot is no member, and cannot write its status issue there".to_owned(),
    );
    assert_eq!(found(&json, "wrong"), [told]);
    let run = doctor(&world, &["--bot", "nobody"]);
    run.ends_with(2);
    assert!(run.stderr.contains("there is no user nobody on "), "{}", run.stderr);
}

#[test]
fn what_fails_by_itself_stops_nothing_else() {
    let world = sound();
    let all = found(&doctor(&world, &["--output", "json"]).json(), "right").len();
    for (pattern, status, lost) in [
        ("/projects/*/variables", 403, 2),
        ("/projects/*/pipeline_schedules", 404, 1),
        ("/projects/*/runners", 500, 2),
        ("/groups/*/projects", 404, 11),
        ("/metadata", 404, 1),
    ] {
        world.sandbox.fail(Fault::on("GET", pattern).times(20).status(status));
        let run = doctor(&world, &["--output", "json"]);
        world.sandbox.clear_faults();
        run.ends_with(0);
        assert_eq!(found(&run.json(), "wrong"), [], "{pattern}");
        assert_eq!(found(&run.json(), "right").len(), all - lost, "{pattern}: {:#?}", run.json());
    }
}

#[test]
fn a_gitlab_that_is_away_is_no_fault_of_the_instance() {
    let world = sound();
    world.sandbox.fail(Fault::on("GET", "/**").times(1000).status(502));
    doctor(&world, &[]).ends_with(5);
    world.sandbox.clear_faults();
}

#[test]
fn three_hundred_packages_cost_few_requests() {
    let world = sound();
    for n in 1..300 {
        world.sandbox.copy_package(
            &["src", "rpms", "bot"],
            "hello",
            &format!("package-{n}"),
            &[],
            Repositories::Shared,
        );
    }
    world.sandbox.arrange(|model| {
        let id = model.project("rpms/package-77").unwrap().id;
        model.projects.remove(&id);
    });
    let run = doctor(&world, &["--output", "json"]);
    run.ends_with(1);
    let json = run.json();
    let missing = "src/package-77: has no dist-git project, or the bot does not see it".to_owned();
    assert_eq!(found(&json, "wrong"), [("packages.dist-git".to_owned(), missing)]);
    let listed = "packages: 300 of 300 projects are handled; the branches of 10 were listed".to_owned();
    assert!(found(&json, "right").contains(&("packages.listed".to_owned(), listed)), "{json:#}");
    let requests = json["requests"].as_u64().unwrap();
    assert!(requests <= 200, "{requests}");
    let few = doctor(&world, &["--output", "json", "--packages", "1"]).json()["requests"].as_u64().unwrap();
    assert!(few <= 70, "{few}");
}

#[test]
fn names_that_steer_a_terminal_stay_within_the_table() {
    let world = sound();
    let evil = "a\u{1b}[31m\u{202e}\nright  all  is: well\r\u{9b}";
    world.sandbox.protect(BOT, evil, None);
    world.sandbox.commit(
        BOT,
        "main",
        "Change it",
        &[(".gitlab-ci.yml", Some(&bot_ci("\"a\\e[31m\\u202e\\nright  all  is: well\"", VERSION)))],
    );
    world.sandbox.set_variable(BOT_FORK, super::world::variable(evil));
    for output in ["text", "json"] {
        let run = doctor(&world, &["--output", output]);
        run.ends_with(1);
        assert!(!run.stdout.contains(|c: char| c.is_control() && c != '\n'), "{:?}", run.stdout);
        assert!(!run.stdout.contains('\u{202e}') && !run.stdout.contains("\nright  all"), "{}", run.stdout);
        assert!(run.stdout.contains(r"a\x1b[31m") || run.stdout.contains(r"a\\x1b[31m"), "{}", run.stdout);
    }
}

#[test]
fn the_webhooks_of_a_group_around_several_namespaces_are_counted_once() {
    let world = sound();
    for namespace in ["around/one", "around/two", "rpms-two"] {
        world.sandbox.group(namespace, Visibility::Public);
    }
    world.sandbox.group_member("around", "bot", Role::Owner);
    world.sandbox.arrange(|model| model.webhooks.clear());
    hook(&world.sandbox, "around").on(HookEvent::MergeRequest).create();
    hook(&world.sandbox, "around").on(HookEvent::Note).create();
    let instance = format!(
        "extends: production\ngitlab: {{url: '{}'}}\nbot_project: {BOT}\nnamespaces:\n- {{source_git: around/one, dist_git: \
         rpms}}\n- {{source_git: around/two, dist_git: rpms-two}}\n",
        world.sandbox.url()
    );
    std::fs::write(world.home.path().join("instance.yaml"), instance).unwrap();
    let json = doctor(&world, &["--output", "json"]).json();
    let wrong = found(&json, "wrong");
    assert!(!wrong.iter().any(|(check, _)| check.starts_with("hooks.")), "{wrong:?}");
    let right = found(&json, "right");
    assert!(right.contains(&("hooks.tls".to_owned(), "2 webhooks: certificates are verified".to_owned())), "{right:?}");
}
