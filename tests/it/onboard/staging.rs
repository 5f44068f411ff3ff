//! `onboard`: from two repositories in production to a pair in staging that works, and what it leaves alone.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use gitlab_sandbox::{HookEvent, Role, Scheme, Settings, State, Visibility};
use serde_json::Value;

use super::world::{DIST, FORK, HUB, IMAGE, ORIGINAL_DIST, ORIGINAL_SOURCE, SECRET, SOURCE, World};
use crate::support::Run;
use crate::support::gitlab_ci_local::{Project, Situation};
use crate::support::world::FIXED;

const CONTRIBUTORS: &str = "contributor/cloud-init";

/// What the job of the bot project does for the next pipeline that was triggered there.
struct BotProject<'a> {
    world: &'a World,
    followed: usize,
}

impl BotProject<'_> {
    /// Runs the job of the next pipeline that waits.
    fn follow(&mut self) -> Option<Run> {
        let next = self.world.sandbox.triggered(HUB).into_iter().nth(self.followed)?;
        self.followed += 1;
        let file = self.world.home.path().join("payload.json");
        fs::write(&file, next.file).unwrap();
        Some(self.world.run(self.world.program().arg("event").env("TRIGGER_PAYLOAD", file)))
    }

    /// Runs all jobs that wait, and gives how many there were.
    #[track_caller]
    fn settle(&mut self) -> usize {
        let before = self.followed;
        while let Some(run) = self.follow() {
            run.ends_with(0);
            assert!(self.followed < before + 10, "the bot keeps itself busy");
        }
        self.followed - before
    }
}

#[test]
fn from_two_repositories_to_a_pair_that_brings_results_back() {
    let world = World::new();
    let sandbox = &world.sandbox;
    world.onboard(&[]).ends_with(0);
    world.tokens_are_in_their_places();
    let _ = world.written();
    let mut bot = BotProject { world: &world, followed: 0 };

    // A contributor's merge request fires the webhook; its job opens the one in dist-git.
    sandbox.fork(SOURCE, "contributor");
    sandbox.branch_at(CONTRIBUTORS, "fix", "c9s");
    sandbox.commit(CONTRIBUTORS, "fix", "Return success\n\nCallers need it.\n", &[("hello.c", Some(FIXED))]);
    let opened = sandbox.open("contributor").from(CONTRIBUTORS, "fix").into(SOURCE, "c9s");
    let iid = opened.title("Return success").create();
    assert!(bot.settle() > 0);
    let pairs = sandbox.merge_requests(DIST);
    let [pair] = pairs.as_slice() else { panic!("{pairs:?}") };
    let branch = format!("c9s-src-{iid}");
    assert_eq!((pair.source_branch.as_str(), pair.target_branch.as_str()), (&*branch, "c9s"));
    let changed = sandbox.git(FORK, &["diff", "--name-only", &format!("c9s...{branch}")]);
    assert_eq!(changed.lines().collect::<Vec<_>>(), ["0001-Return-success.patch", "hello.spec"]);

    // Its pipeline runs in the bot's fork, whose last job asks the bot to look with nothing but the fork's variables.
    let pipeline = sandbox.mr_pipeline(DIST, pair.iid).jobs(&[("test", "rpminspect")]).create();
    sandbox.set_all_jobs(pipeline, "failed");
    let id = |project: &str| sandbox.inspect(|model| model.project(project).unwrap().id.to_string());
    let mut notify = Command::new(env!("CARGO_BIN_EXE_source-git-bot"));
    notify.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("SGB_INSTANCE", "staging").arg("notify");
    notify.env("CI_PROJECT_ID", id(FORK)).env("CI_PIPELINE_ID", pipeline.to_string());
    notify.env("CI_MERGE_REQUEST_IID", pair.iid.to_string()).env("CI_MERGE_REQUEST_PROJECT_ID", id(DIST));
    notify.envs(sandbox.variables(FORK).into_iter().map(|variable| (variable.key, variable.value)));
    world.run(&mut notify).ends_with(0);
    assert!(bot.settle() > 0);
    let bots = sandbox.inspect(|model| model.user("bot").unwrap().id);
    let notes: Vec<_> = sandbox.notes(SOURCE, iid).into_iter().filter(|note| note.author == bots).collect();
    let [note] = notes.as_slice() else { panic!("{notes:?}") };
    assert!(note.body.contains(&format!("{DIST}!{}", pair.iid)), "{}", note.body);
    assert!(note.body.contains("rpminspect") && note.body.contains("**dist-git CI: failed**"), "{}", note.body);

    // A comment fires the other webhook, whose token is the bot's own.
    sandbox.member(SOURCE, "contributor", Role::Developer);
    let before = bot.followed;
    sandbox.note(SOURCE, iid, "contributor", "What is this about?");
    assert_eq!(bot.settle(), 1);
    let users: Vec<_> = sandbox.triggered(HUB).into_iter().map(|triggered| triggered.user).collect();
    assert_eq!((users[0].as_str(), users[before].as_str()), ("operator", "bot"));
    sandbox.close(SOURCE, iid, "contributor");
    assert!(bot.settle() > 0);
    assert_eq!(sandbox.merge_request(DIST, pair.iid).state, State::Closed);
    let _ = world.written();
}

#[test]
fn the_copies_hold_what_production_holds_and_start_no_pipelines() {
    let world = World::new();
    world.onboard(&[]).ends_with(0);
    for (copy, original) in [(SOURCE, ORIGINAL_SOURCE), (DIST, ORIGINAL_DIST)] {
        let (there, wanted) = (world.refs(copy), world.refs(original));
        let only_wanted: Vec<_> = wanted.difference(&there).map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(only_wanted, ["refs/heads/c9s"], "but for the CI file all is the same: {copy}");
        assert_eq!(there.len(), wanted.len());
        let base = world.sandbox.tip(original, "c9s").unwrap();
        assert_eq!(world.sandbox.git(copy, &["rev-list", "--count", &format!("{base}..c9s")]).trim(), "1");
        assert!(world.sandbox.git(copy, &["log", "-1", "--format=%B", "c9s"]).contains("[skip ci]"));
        let default = |path: &str| world.sandbox.inspect(|model| model.project(path).unwrap().default_branch.clone());
        assert_eq!(default(copy), default(original));
    }
    let pushes = world.sandbox.requests().into_iter().filter(|request| request.path.ends_with("/git-receive-pack"));
    let pushes: Vec<_> = pushes.filter(|request| request.method == "POST" && request.body.len() > 4).collect();
    assert!(pushes.len() >= 4, "{}", pushes.len());
    for push in pushes {
        assert!(String::from_utf8_lossy(&push.body).contains("ci.skip"), "{}", push.path);
    }
    assert_eq!(world.setting(SOURCE, "ci_config_path"), ".distro/.gitlab-ci.yml");
    assert_eq!(world.setting(FORK, "ci_pipeline_variables_minimum_override_role"), "no_one_allowed");
    assert_eq!(world.setting(FORK, "ci_push_repository_for_job_token_allowed"), false);
    assert_eq!(world.variable(FORK, "SGB_GITLAB_URL"), world.sandbox.url());
    assert_eq!(world.variable(FORK, "SGB_TRIGGER_URL"), world.variable(SOURCE, "SGB_TRIGGER_URL"));
    world.sandbox.inspect(|model| {
        let rules =
            |path: &str| model.project(path).unwrap().protected.iter().map(|r| r.pattern.clone()).collect::<Vec<_>>();
        assert_eq!(rules(SOURCE), ["main", "c9s"]);
        assert_eq!(rules(DIST), ["c9s"]);
    });
    let _ = world.written();
}

#[test]
fn the_ci_file_makes_the_jobs_of_both_repositories() {
    let world = World::new();
    world.onboard(&[]).ends_with(0);
    let file =
        |project: &str, path: &str| String::from_utf8(world.sandbox.file(project, "c9s", path).unwrap()).unwrap();
    let text = file(SOURCE, ".distro/.gitlab-ci.yml");
    assert_eq!(text, file(DIST, ".gitlab-ci.yml"));
    assert_eq!(text, file(FORK, ".gitlab-ci.yml"));
    assert_eq!(world.sandbox.file(DIST, "c8s", ".gitlab-ci.yml"), None, "source-git does not maintain that one");
    let jobs = Project::new(&text)
        .jobs(&[Situation::merge_request(SOURCE, SOURCE, "fix"), Situation::merge_request(FORK, DIST, "c9s-src-7")]);
    assert_eq!(jobs[0], ["test/source-git-bot: sync (may fail)"]);
    assert_eq!(
        jobs[1],
        [
            "build/build",
            "test/rpminspect",
            "test/installability",
            "gate/gate",
            ".post/source-git-bot: report always (may fail)"
        ]
    );
    let _ = world.written();
}

#[test]
fn the_second_run_writes_nothing_and_says_so() {
    let world = World::new();
    let first = world.onboard(&[]);
    first.ends_with(0);
    assert!(first.stdout.contains("\ndone\n") && !first.stdout.contains("left to a person"), "{}", first.stdout);
    let _ = world.written();
    let second = world.onboard(&[]);
    second.ends_with(0);
    assert_eq!(world.written(), []);
    assert!(second.stdout.contains("\nNothing was to be done.\n"), "{}", second.stdout);
    assert!(second.stdout.contains("was there already") && !second.stdout.contains("\ndone\n"), "{}", second.stdout);
    let data = world.onboard(&["--output", "json"]);
    data.ends_with(0);
    let data = data.json();
    assert_eq!((&data["format"], &data["package"], &data["dry_run"]), (&2.into(), &"cloud-init".into(), &false.into()));
    assert_eq!(data["done"], Value::Array(Vec::new()));
    assert_eq!(data["left"], Value::Array(Vec::new()));
    assert_eq!(data["there_already"].as_array().map(Vec::is_empty), Some(false));
    assert_eq!(world.written(), []);
}

#[test]
fn a_dry_run_writes_nothing_and_shows_the_plan() {
    let world = World::new();
    let run = world.onboard(&["--dry-run"]);
    run.ends_with(0);
    assert_eq!(world.written(), []);
    let planned: Vec<_> = run.stdout.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect();
    let trigger = |what: &str| format!("{HUB}: the trigger token `source-git-bot: {what}`");
    let settings =
        "ci_pipeline_variables_minimum_override_role: no_one_allowed, ci_push_repository_for_job_token_allowed: false";
    let expected = [
        format!("{SOURCE}: the project, public"),
        format!("{SOURCE}: 3 branches and 2 tags from {ORIGINAL_SOURCE}"),
        format!("{SOURCE}: the default branch, main"),
        format!("{DIST}: the project, public"),
        format!("{DIST}: 2 branches from {ORIGINAL_DIST}"),
        format!("{DIST}: the default branch, c9s"),
        format!("{SOURCE}: .distro/.gitlab-ci.yml on c9s"),
        format!("{SOURCE}: protection of c9s"),
        format!("{DIST}: .gitlab-ci.yml on c9s"),
        format!("{DIST}: protection of c9s"),
        format!("{FORK}: the bot's fork of {DIST}"),
        format!("{FORK}: settings, {settings}"),
        format!("{FORK}: the variable SGB_TRIGGER_URL"),
        trigger(&format!("dist-git results from {FORK}")),
        format!("{FORK}: the variable SGB_TRIGGER_TOKEN"),
        format!("{FORK}: the variable SGB_GITLAB_URL"),
        format!("{SOURCE}: the variable SGB_TRIGGER_URL"),
        trigger(&format!("pipelines of {SOURCE}")),
        format!("{SOURCE}: the variable SGB_TRIGGER_TOKEN"),
        format!("{SOURCE}: the variable SGB_GITLAB_URL"),
        trigger(&format!("merge requests of {SOURCE}")),
        format!("{SOURCE}: the webhook for merge requests"),
        trigger(&format!("comments in {SOURCE}")),
        format!("{SOURCE}: the webhook for comments"),
    ];
    assert_eq!(planned, expected);
    assert!(run.stdout.contains("to do (dry run)"), "{}", run.stdout);
    assert!(!world.is_there(SOURCE) && !world.is_there(DIST) && !world.is_there(FORK));
    let data = world.onboard(&["--dry-run", "--output", "json"]).json();
    assert_eq!(data["to_do"].as_array().unwrap().len(), expected.len());
    assert_eq!(world.written(), []);
}

#[test]
fn what_people_did_in_the_copies_stays() {
    let world = World::new();
    let sandbox = &world.sandbox;
    for path in [SOURCE, DIST] {
        sandbox.project(path);
    }
    // Another main, a tag of the same name elsewhere, a CI file of their own, and a branch of theirs.
    let theirs = sandbox.commit(SOURCE, "main", "Ours", &[("OURS", Some("Ours.\n"))]);
    sandbox.tag(SOURCE, "v1.0", "main", None);
    sandbox.branch_at(SOURCE, "own", "main");
    let own = "job: {script: [make]}\n";
    sandbox.commit(DIST, "c9s", "Own CI", &[(".gitlab-ci.yml", Some(own))]);
    let run = world.onboard(&[]);
    run.ends_with(0);
    assert_eq!(sandbox.tip(SOURCE, "main").as_deref(), Some(&*theirs));
    assert_eq!(sandbox.tip(SOURCE, "own").as_deref(), Some(&*theirs));
    assert_eq!(sandbox.git(SOURCE, &["rev-parse", "v1.0"]).trim(), theirs);
    assert_eq!(sandbox.file(DIST, "c9s", ".gitlab-ci.yml"), Some(own.into()));
    assert!(sandbox.tip(SOURCE, "next/c10s").is_some() && sandbox.tip(DIST, "c8s").is_some());
    for said in [
        format!("not all that {ORIGINAL_SOURCE} has is in {SOURCE}"),
        "     main\n     tags/v1.0\n".to_owned(),
        format!("not all that {ORIGINAL_DIST} has is in {DIST}"),
        format!("{DIST} has a .gitlab-ci.yml of somebody's own on c9s"),
    ] {
        assert!(run.stdout.contains(&said), "{said}: {}", run.stdout);
    }
    let _ = world.written();
    let again = world.onboard(&[]);
    again.ends_with(0);
    assert_eq!(world.written(), []);
    assert!(again.stdout.contains("Nothing was written."), "{}", again.stdout);
    assert_eq!(again.stdout.matches("It stays as it is").count(), 3, "{}", again.stdout);
}

#[test]
fn what_somebody_pushes_to_a_copy_meanwhile_is_not_overwritten() {
    let world = World::new();
    let sandbox = world.sandbox.handle();
    let fault = gitlab_sandbox::Fault::on("GET", &format!("/{SOURCE}.git/info/refs")).nth(2);
    world.sandbox.fail(fault.meanwhile(move || {
        sandbox.commit(SOURCE, "c9s", "Theirs", &[("THEIRS", Some("Theirs.\n"))]);
    }));
    let run = world.onboard(&[]);
    run.ends_with(5);
    assert!(run.stdout.contains("not done yet"), "{}", run.stdout);
    let theirs = world.sandbox.tip(SOURCE, "c9s").unwrap();
    assert!(world.sandbox.git(SOURCE, &["log", "-1", "--format=%s", &theirs]).contains("Theirs"));
    world.onboard(&[]).ends_with(0);
    assert!(world.sandbox.git(SOURCE, &["log", "--format=%s", "c9s"]).contains("Theirs"));
    let _ = world.written();
}

#[test]
fn a_new_version_of_the_bot_gets_into_the_ci_files_and_wrong_settings_are_mended() {
    let world = World::new();
    let sandbox = &world.sandbox;
    world.onboard(&[]).ends_with(0);
    let _ = world.written();
    let newer = ["--templates", "group/source-git-bot@v0.2.0", "--image", "registry.example.com/bot:0.2.0"];
    sandbox.setting(SOURCE, "ci_config_path", "");
    sandbox.setting(FORK, "ci_pipeline_variables_minimum_override_role", "developer");
    sandbox.variable(FORK, "SGB_TRIGGER_URL", "https://elsewhere.example/");
    let hooks = world.webhooks();
    sandbox.arrange(|model| {
        for hook in hooks {
            let hook = model.webhooks.get_mut(&hook.id).unwrap();
            hook.events.insert("push_events".to_owned());
            hook.template = None;
        }
    });
    let run = world.onboard(&newer);
    run.ends_with(0);
    // The webhooks that are called for pushes by mistake are, once more.
    let writes = world.written().into_iter().filter(|write| !write.path.ends_with("/trigger/pipeline"));
    assert_eq!(writes.count(), 7, "{}", run.stdout);
    assert_eq!(run.stdout.matches("a new version").count(), 2, "{}", run.stdout);
    assert_eq!(run.stdout.matches("corrected").count(), 3, "{}", run.stdout);
    world.tokens_are_in_their_places();
    assert_ne!(world.variable(FORK, "SGB_TRIGGER_URL"), "https://elsewhere.example/");
    let text = String::from_utf8(sandbox.file(SOURCE, "c9s", ".distro/.gitlab-ci.yml").unwrap()).unwrap();
    assert!(text.contains("v0.2.0") && !text.contains("0.1.0"), "{text}");
    world.onboard(&newer).ends_with(0);
    assert_eq!(world.written(), []);
}

#[test]
fn a_revoked_token_is_replaced_where_it_was() {
    let world = World::new();
    world.onboard(&[]).ends_with(0);
    world.sandbox.arrange(|model| model.trigger_tokens.clear());
    let hooks = world.webhooks();
    // What is there may be somebody's good token: only what is taken away comes back.
    world.sandbox.arrange(|model| {
        for hook in hooks {
            model.webhooks.remove(&hook.id);
        }
        let project = model.project(SOURCE).unwrap().id;
        model.projects.get_mut(&project).unwrap().variables.clear();
    });
    let _ = world.written();
    world.onboard(&[]).ends_with(0);
    assert_eq!(world.trigger_tokens().len(), 3);
    let hooks = world.webhooks();
    let tokens = world.trigger_tokens();
    for hook in &hooks {
        let token = &hook.url_variables["token"];
        assert!(tokens.iter().any(|(.., value)| value == token));
    }
    let _ = world.written();
}

#[test]
fn no_name_of_a_package_leads_anywhere_else() {
    let world = World::new();
    for bad in ["../x", "a/b", "-x", "", ".", "..", "x.git", "a b", "a%2fb", "a?b", "gcc-c++", "\u{202e}x", "a\nb"] {
        let run = world.run(world.program().args(["onboard", "--", bad]));
        run.ends_with(2);
        assert!(run.stderr.contains("is not the name of a project"), "{bad:?}: {}", run.stderr);
    }
    assert_eq!(world.sandbox.requests().len(), 0);
}

#[test]
fn what_is_missing_for_a_start_is_said_before_anything_is_asked() {
    let world = World::new();
    let run = world.run(world.command().env_remove("SGB_TOKEN"));
    run.ends_with(4);
    assert!(run.stderr.contains("SGB_TOKEN"), "{}", run.stderr);
    let run = world.run(world.command().env_remove("SGB_BOT_PROJECT"));
    run.ends_with(2);
    assert!(run.stderr.contains("`bot_project`") && run.stderr.contains("SGB_BOT_PROJECT"), "{}", run.stderr);
    let run = world.onboard(&["--templates", "group/bot", "--image", IMAGE]);
    run.ends_with(2);
    assert!(run.stderr.contains("a tag, a branch or a commit"), "{}", run.stderr);
    let run = world.onboard(&["--namespace", "packit-service/rpms"]);
    run.ends_with(2);
    assert!(run.stderr.contains("packit-service/src"), "{}", run.stderr);
    assert_eq!(world.sandbox.requests().len(), 0);
}

#[test]
fn without_a_token_of_their_own_the_bots_user_does_everything() {
    let world = World::new();
    world.sandbox.group_member("packit-service", "bot", Role::Owner);
    let run = world.run(world.command().env_remove("SGB_OPERATOR_TOKEN"));
    run.ends_with(0);
    world.tokens_are_in_their_places();
    assert!(world.written().iter().all(|write| write.user.as_deref() == Some("bot")));
    for said in ["the trigger tokens of both webhooks are @bot's", "run this with an SGB_OPERATOR_TOKEN of their own"] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
    }
    let again = world.run(world.command().env_remove("SGB_OPERATOR_TOKEN"));
    again.ends_with(0);
    assert!(again.stdout.contains("the trigger tokens of both webhooks are @bot's"), "{}", again.stdout);
    assert_eq!(world.written(), []);
}

#[test]
fn what_the_instance_does_not_handle_yet_comes_with_the_lines_for_it() {
    let world = World::new();
    let package = "python3.12";
    for (path, original) in [
        (format!("redhat/centos-stream/src/{package}"), ORIGINAL_SOURCE),
        (format!("redhat/centos-stream/rpms/{package}"), ORIGINAL_DIST),
    ] {
        world.sandbox.project(&path);
        let repository = world.sandbox.repository(original);
        world.sandbox.push(&repository, &path, &["refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"]);
    }
    let mut command = world.program();
    command.args(["onboard", package]).env("SGB_OPERATOR_TOKEN", &world.operator_token);
    let run = world.run(&mut command);
    run.ends_with(0);
    let said = format!("add to the list `targets` of instance.yaml in {HUB}");
    assert!(run.stdout.contains(&said), "{}", run.stdout);
    let line = r"     - project: packit-service/src/python3\.12";
    assert!(run.stdout.lines().any(|found| found == line), "{}", run.stdout);
    // The rest is as if it were there.
    let copy = format!("packit-service/src/{package}");
    assert!(world.sandbox.file(&copy, "c9s", ".distro/.gitlab-ci.yml").is_some());
    let _ = world.written();
}

#[test]
fn templates_that_are_nowhere_named_are_asked_for_and_the_rest_is_done() {
    let world = World::new();
    world.sandbox.commit(HUB, "main", "Other CI", &[(".gitlab-ci.yml", Some("job: {script: [make]}\n"))]);
    let run = world.onboard(&[]);
    run.ends_with(1);
    for said in [
        "it does not include `bot.yml`",
        "`--templates PROJECT@REF` and `--image IMAGE`",
        "error: cloud-init is not under the bot's care yet",
    ] {
        assert!((run.stdout.clone() + &run.stderr).contains(said), "{said}: {} {}", run.stdout, run.stderr);
    }
    assert_eq!(world.sandbox.file(SOURCE, "c9s", ".distro/.gitlab-ci.yml"), None);
    assert_eq!(world.webhooks().len(), 2);
    let _ = world.written();
    world.onboard(&["--templates", "group/source-git-bot@v0.1.0", "--image", IMAGE]).ends_with(0);
    assert!(world.sandbox.file(SOURCE, "c9s", ".distro/.gitlab-ci.yml").is_some());
    let _ = world.written();
}

#[test]
fn a_package_that_does_not_carry_the_ci_file_is_told_so() {
    let world = World::new();
    let config = "upstream_ref: v1.0\nspecfile_path: .distro/hello.spec\n";
    world.sandbox.commit(ORIGINAL_SOURCE, "c9s", "Say less", &[(".distro/source-git.yaml", Some(config))]);
    let run = world.onboard(&[]);
    run.ends_with(0);
    assert!(
        run.stdout.contains("`files_to_sync` in `.distro/source-git.yaml` does not name the CI file"),
        "{}",
        run.stdout
    );
    let _ = world.written();
}

#[test]
fn where_the_instance_requires_webhook_tokens_everything_carries_its_own() {
    let world = World::new();
    let pairs = "namespaces:\n- source_git: packit-service/src\n  dist_git: packit-service/rpms\n  \
                 copy_of: {source_git: redhat/centos-stream/src, dist_git: redhat/centos-stream/rpms}\n";
    let instance = world.instance(&format!("{pairs}targets: []\nci_files: source-git\nwebhook_tokens: required\n"));
    let command = || {
        let mut command = world.program();
        command.args(["onboard", "cloud-init", "--instance", &instance]).env_remove("SGB_GITLAB_URL");
        command.env_remove("SGB_BOT_PROJECT").env("SGB_OPERATOR_TOKEN", &world.operator_token);
        command
    };
    // `--instance staging` stands first in the program's arguments; the one of a command line counts once.
    let run = |secret: Option<&str>| {
        let mut fresh = Command::new(env!("CARGO_BIN_EXE_source-git-bot"));
        fresh.env_clear().envs(command().get_envs().filter_map(|(name, value)| Some((name, value?))));
        fresh.current_dir(world.home.path()).args(["--instance", &instance, "onboard", "cloud-init"]);
        fresh.envs(secret.map(|secret| ("SGB_WEBHOOK_SECRET", secret)));
        world.run(&mut fresh)
    };
    let without = run(None);
    without.ends_with(1);
    assert!(without.stdout.contains("set SGB_WEBHOOK_SECRET and run this again"), "{}", without.stdout);
    assert!(world.webhooks().is_empty());
    run(Some(SECRET)).ends_with(0);
    let scopes = |project: &str| {
        let token = world.variable(project, "SGB_WEBHOOK_TOKEN");
        let mut verify = world.program();
        verify.args(["webhook-token", "--verify", "-", "--output", "json"]).env("SGB_WEBHOOK_SECRET", SECRET);
        let mut child =
            verify.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), token.as_bytes()).unwrap();
        let found: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
        assert_eq!(found["signature"], "holds");
        format!("{}/{}", found["namespace"].as_str().unwrap(), found["project"].as_str().unwrap())
    };
    assert_eq!((scopes(SOURCE).as_str(), scopes(FORK).as_str()), (SOURCE, FORK));
    for hook in world.webhooks() {
        let sent: Value = serde_json::from_str(hook.template.as_deref().unwrap()).unwrap();
        assert_eq!(sent["source_git_bot"]["webhook_token"], world.variable(SOURCE, "SGB_WEBHOOK_TOKEN"));
    }
    let _ = world.written();
    run(Some(SECRET)).ends_with(0);
    assert_eq!(world.written(), []);
}

#[test]
fn jobs_learn_of_an_authority_that_only_the_instance_knows() {
    let world = World::with(&Settings { scheme: Scheme::Https, ..Settings::default() });
    let file = world.home.path().join("ca.pem");
    fs::write(&file, world.sandbox.ca_pem()).unwrap();
    world.run(world.command().env("SGB_CA_FILE", &file)).ends_with(0);
    for project in [SOURCE, FORK] {
        let variables: BTreeMap<_, _> =
            world.sandbox.variables(project).into_iter().map(|variable| (variable.key.clone(), variable)).collect();
        let authority = &variables["SGB_CA_FILE"];
        assert_eq!((authority.kind.as_str(), &authority.value), ("file", &world.sandbox.ca_pem()));
    }
    let _ = world.written();
    world.run(world.command().env("SGB_CA_FILE", &file)).ends_with(0);
    assert_eq!(world.written(), []);
}

#[test]
fn a_private_original_has_private_copies() {
    let world = World::new();
    for original in [ORIGINAL_SOURCE, ORIGINAL_DIST] {
        world.sandbox.set_visibility(original, Visibility::Private);
        world.sandbox.member(original, "operator", Role::Reporter);
    }
    let run = world.onboard(&[]);
    run.ends_with(1);
    world.sandbox.inspect(|model| {
        for path in [SOURCE, DIST] {
            assert_eq!(model.project(path).unwrap().visibility, Visibility::Private);
        }
    });
    let said =
        format!("it takes a role in {DIST}, if that is not public, which a Maintainer or Owner of it can give @bot");
    assert!(run.stdout.contains(&said), "{}", run.stdout);
    let _ = world.written();
    world.sandbox.member(DIST, "bot", Role::Reporter);
    world.onboard(&[]).ends_with(0);
    let _ = world.written();
}

#[test]
fn webhooks_of_the_group_that_do_it_already_are_not_doubled() {
    let world = World::new();
    let url = |token: &str| {
        let hub = world.sandbox.inspect(|model| model.project(HUB).unwrap().id);
        format!("{}/api/v4/projects/{hub}/ref/main/trigger/pipeline?token={token}", world.sandbox.url())
    };
    let token = world.sandbox.trigger_token(HUB, "operator");
    for event in [HookEvent::MergeRequest, HookEvent::Note] {
        world.sandbox.group_hook("packit-service/src", &url("{token}")).on(event).masked("token", &token).create();
    }
    let run = world.onboard(&[]);
    run.ends_with(0);
    assert!(world.webhooks().is_empty());
    assert!(run.stdout.contains("packit-service/src: the webhook for comments"), "{}", run.stdout);
    let _ = world.written();
}
