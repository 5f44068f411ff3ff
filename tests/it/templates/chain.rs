//! The jobs of the CI templates at work, from a contributor's merge request to dist-git's results on it: their scripts are
//! run by gitlab-ci-local with the built program, each with the variables that GitLab would give it. The CI configuration
//! is what the repositories hold: source-git's own, and in dist-git what the bot has carried there. Only GitLab itself is a
//! model.

use std::fs;
use std::process::Output;

use gitlab_sandbox::Role;

use crate::support::gitlab_ci_local::{Project, Situation, example, read};
use crate::support::world::{DIST, FORK, SOURCE, World};

const BOT: &str = "operators/bot";
/// What source-git's setting "CI/CD configuration file" says; dist-git has the default.
const SOURCE_CI: &str = ".distro/.gitlab-ci.yml";
const DIST_CI: &str = ".gitlab-ci.yml";

/// A GitLab with a package in staging and a contributor's merge request, and what the projects have in their CI settings.
struct Chain {
    world: World,
    iid: u64,
    bot: Project,
    trigger_url: String,
    trigger_token: String,
}

impl Chain {
    fn new() -> Self {
        let world = World::new();
        let sandbox = &world.sandbox;
        // The one file for both repositories is in source-git alone.
        let staging = read("ci-templates/examples/staging.distro.gitlab-ci.yml").replace("packit-service\\/", "");
        let staging = staging.replace("packit-service/", "");
        sandbox.commit(SOURCE, "c9s", "Add CI", &[(SOURCE_CI, Some(&*staging))]);
        world.instance("ci_files: source-git\n");
        let iid = world.contribute();
        sandbox.member(SOURCE, "bot", Role::Developer);
        sandbox.project(BOT);
        sandbox.member(BOT, "maintainer", Role::Maintainer);
        sandbox.commit(BOT, "main", "Start", &[("instance.yaml", Some("x"))]);
        let trigger_token = sandbox.trigger_token(BOT, "maintainer");
        let trigger_url = format!("{}/api/v4/projects/{}/ref/main/trigger/pipeline", sandbox.url(), id(&world, BOT));
        let bot = Project::new(&read("ci-templates/examples/bot-project.gitlab-ci.yml"));
        bot.write("instance.yaml", &fs::read_to_string(world.home.path().join("instance.yaml")).unwrap());
        Self { world, iid, bot, trigger_url, trigger_token }
    }

    /// The bot project where a person has filled these fields in.
    #[track_caller]
    fn bot_for(&self, merge_request: &str, command: &str) -> Project {
        let own = read("ci-templates/examples/bot-project.gitlab-ci.yml");
        let filled = own.replacen("      default: ''\n", &format!("      default: '{merge_request}'\n"), 1).replacen(
            "      default: sync\n",
            &format!("      default: {command}\n"),
            1,
        );
        let bot = Project::new(&filled);
        bot.write("instance.yaml", &fs::read_to_string(self.world.home.path().join("instance.yaml")).unwrap());
        bot
    }

    /// What GitLab makes a pipeline of: the configuration that a branch has in this file.
    #[track_caller]
    fn configured(&self, project: &str, branch: &str, file: &str) -> Project {
        let configuration = self.world.sandbox.file(project, branch, file).unwrap();
        Project::new(std::str::from_utf8(&configuration).unwrap())
    }

    /// The configuration of the merge request's own pipeline.
    fn source_git(&self) -> Project {
        self.configured(FORK, "fix", SOURCE_CI)
    }

    /// Runs a job of the package, which has no token but the trigger's.
    fn run_in(&self, package: &Project, job: &str, situation: &Situation) -> Output {
        let secrets = [("SGB_TRIGGER_URL", &*self.trigger_url), ("SGB_TRIGGER_TOKEN", &*self.trigger_token)];
        package.run(job, &self.with_instance(situation), &secrets)
    }

    fn with_instance(&self, situation: &Situation) -> Situation {
        let instance = self.world.home.path().join("instance.yaml");
        situation.clone().and(&[("SGB_INSTANCE", instance.to_str().unwrap())])
    }

    /// Runs the job of the bot project for the newest pipeline that was triggered there.
    fn run_in_bot_project(&self) -> Output {
        let payload = self.world.sandbox.triggered(BOT).pop().unwrap().payload.to_string();
        self.bot.write("payload.json", &payload);
        let payload = self.bot.path().join("payload.json");
        let triggered =
            Situation::branch("trigger", BOT, "main").and(&[("TRIGGER_PAYLOAD", payload.to_str().unwrap())]);
        self.bot.run("source-git-bot", &triggered, &[("SGB_TOKEN", &self.world.token)])
    }

    fn of_merge_request(&self, project: &str, target: &str, iid: u64, branch: &str, pipeline: u64) -> Situation {
        Situation::merge_request(project, target, branch).and(&[
            ("CI_PROJECT_ID", &id(&self.world, project)),
            ("CI_PIPELINE_ID", &pipeline.to_string()),
            ("CI_MERGE_REQUEST_IID", &iid.to_string()),
            ("CI_MERGE_REQUEST_PROJECT_ID", &id(&self.world, target)),
        ])
    }
}

fn id(world: &World, project: &str) -> String {
    world.sandbox.inspect(|model| model.project(project).unwrap().id).to_string()
}

/// How a job ended, as gitlab-ci-local tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Passed,
    FailedAsItMay,
    Failed,
}

/// What the job's log shows, which holds no token; the job ended so.
#[track_caller]
fn ended(chain: &Chain, output: &Output, expected: End) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let log = text(&output.stdout) + &text(&output.stderr);
    assert!(!log.contains(&chain.world.token) && !log.contains(&chain.trigger_token), "a token is told");
    // Its warnings about the configuration begin like that about a job, but do not end so.
    let end = |line: &str| match line.split_whitespace().next()? {
        "PASS" => Some(End::Passed),
        "WARN" if line.ends_with("  pre_script") => Some(End::FailedAsItMay),
        "FAIL" => Some(End::Failed),
        _ => None,
    };
    let ends: Vec<End> = log.lines().filter_map(end).collect();
    assert_eq!(ends, [expected], "{log}");
    log
}

#[track_caller]
fn passed(chain: &Chain, output: &Output) -> String {
    ended(chain, output, End::Passed)
}

#[test]
fn from_a_contributors_merge_request_to_the_results_on_it() {
    let chain = Chain::new();
    let (world, sandbox) = (&chain.world, &chain.world.sandbox);
    let words = "Callers need it.\n\n[fake-ci: warn rpminspect]\n[fake-ci: fail gate]\n";
    sandbox.set_description(SOURCE, chain.iid, "contributor", words);

    // The merge request's pipeline in source-git asks the bot project; its job opens the dist-git merge request.
    let pipeline = sandbox.mr_pipeline(SOURCE, chain.iid).by("maintainer").jobs(&[("test", "source-git-bot: sync")]);
    let situation = chain.of_merge_request(SOURCE, SOURCE, chain.iid, "fix", pipeline.create());
    let source_git = chain.source_git();
    assert_eq!(source_git.jobs(std::slice::from_ref(&situation)), [["test/source-git-bot: sync (may fail)"]]);
    passed(&chain, &chain.run_in(&source_git, "source-git-bot: sync", &situation));
    let log = passed(&chain, &chain.run_in_bot_project());
    assert!(log.contains("An event came in."), "{log}");
    let pair = world.opened();
    assert!(world.note(chain.iid).contains(&format!("{DIST}!{}", pair.iid)));

    // Its pipeline runs in the bot's fork, with the file that came from source-git: dist-git has none of its own. The jobs
    // are what that makes of the words in the bot's commit.
    let branch = format!("c9s-src-{}", chain.iid);
    assert_eq!(sandbox.file(DIST, "c9s", DIST_CI), None);
    assert_eq!(sandbox.file("bot/hello", &branch, DIST_CI), sandbox.file(SOURCE, "c9s", SOURCE_CI));
    let dist_git = chain.configured("bot/hello", &branch, DIST_CI);
    let situation = chain
        .of_merge_request("bot/hello", DIST, pair.iid, &branch, 0)
        .and(&[("CI_COMMIT_MESSAGE", &world.message(chain.iid))]);
    let jobs = dist_git.jobs(std::slice::from_ref(&situation)).concat();
    let expected = [
        "build/build",
        "test/rpminspect (may fail)",
        "test/installability",
        "gate/gate",
        ".post/source-git-bot: report always (may fail)",
    ];
    assert_eq!(jobs, expected);
    let pipeline = sandbox.mr_pipeline(DIST, pair.iid).create();
    let situation = situation.and(&[("CI_PIPELINE_ID", &pipeline.to_string())]);
    for (stage, name, allowed, state) in [
        ("build", "build", false, "success"),
        ("test", "rpminspect", true, "failed"),
        ("test", "installability", false, "success"),
        ("gate", "gate", false, "failed"),
    ] {
        let job = sandbox.job(pipeline, stage, name);
        let job = if allowed { job.allow_failure().create() } else { job.create() };
        let end = match (state, allowed) {
            ("success", _) => End::Passed,
            (_, true) => End::FailedAsItMay,
            (_, false) => End::Failed,
        };
        ended(&chain, &chain.run_in(&dist_git, name, &situation), end);
        sandbox.set_job(job, state);
    }

    // The last job of it asks the bot project again, which brings the results.
    let report = sandbox.job(pipeline, ".post", "source-git-bot: report").allow_failure().create();
    sandbox.set_job(report, "running");
    passed(&chain, &chain.run_in(&dist_git, "source-git-bot: report", &situation));
    assert_eq!(sandbox.triggered(BOT).len(), 2);
    passed(&chain, &chain.run_in_bot_project());
    let note = world.note(chain.iid);
    assert!(note.contains("**dist-git CI: failed**"), "{note}");
    for shown in ["`gate`", "`rpminspect`", "`build`", "`installability`"] {
        assert!(note.contains(shown), "{shown}: {note}");
    }
    let shown = sandbox.shown_statuses(SOURCE, chain.iid);
    let shown: Vec<_> = shown.iter().map(|status| (status.name.as_str(), status.state.as_str())).collect();
    assert!(shown.contains(&("dist-git", "failed")), "{shown:?}");
    let _ = world.written();
}

#[test]
fn in_a_contributors_fork_the_job_explains_and_passes() {
    let chain = Chain::new();
    let situation = chain.of_merge_request(FORK, SOURCE, chain.iid, "fix", 345);
    let log = passed(&chain, &chain.source_git().run("source-git-bot: fork", &situation, &[]));
    assert!(log.contains("The bot finds the merge request by itself"), "{log}");
    assert_eq!(chain.world.sandbox.api_requests().len(), 0);
}

#[test]
fn a_schedule_looks_at_all_and_a_person_names_one() {
    let chain = Chain::new();
    let world = &chain.world;
    let secrets = [("SGB_TOKEN", &*world.token)];
    let log = passed(
        &chain,
        &chain.bot.run("source-git-bot: reconcile", &Situation::branch("schedule", BOT, "main"), &secrets),
    );
    assert!(
        log.contains("Every merge request of the instance is looked at, by part 1 of 1.") && log.contains("synced"),
        "{log}"
    );
    let _ = world.written();

    let pipeline = world.sandbox.mr_pipeline(DIST, world.opened().iid).jobs(&[("test", "rpminspect")]).create();
    world.sandbox.set_all_jobs(pipeline, "success");
    world.change("Say more", &[("MORE", Some("More.\n"))]);
    let bot = chain.bot_for(&format!("{SOURCE}!{}", chain.iid), "sync");
    let log = passed(&chain, &bot.run("source-git-bot", &Situation::branch("web", BOT, "main"), &secrets));
    assert!(log.contains("A person named a merge request."), "{log}");
    let head = world.sandbox.tip(FORK, "fix").unwrap();
    assert!(world.message(chain.iid).contains(&head) && world.note(chain.iid).contains(&head));
    let _ = world.written();
}

#[test]
fn a_person_in_the_bot_project_asks_for_another_pipeline() {
    let chain = Chain::new();
    let world = &chain.world;
    world.synced(chain.iid);
    let bot = chain.bot_for(&format!("{SOURCE}!{}", chain.iid), "retest");
    let by_hand = Situation::branch("web", BOT, "main");
    passed(&chain, &bot.run("source-git-bot", &by_hand, &[("SGB_TOKEN", &*world.token)]));
    assert_eq!(world.sandbox.pipelines("bot/hello").len(), 1);
    let _ = world.written();
}

#[test]
fn a_contributors_conflict_and_a_missing_token_are_warnings_in_the_bot_project() {
    let chain = Chain::new();
    let world = &chain.world;
    let bot = chain.bot_for(&format!("{SOURCE}!{}", chain.iid), "sync");
    let by_hand = Situation::branch("web", BOT, "main");
    let log = ended(&chain, &bot.run("source-git-bot", &by_hand, &[]), End::FailedAsItMay);
    assert!(log.contains("there is no token to act with as the bot"), "{log}");
    let conflict = [("hello.c", Some("int main(void)\n{\n    return 2;\n}\n"))];
    world.sandbox.commit(SOURCE, "c9s", "Return two", &conflict);
    let secrets = [("SGB_TOKEN", &*world.token)];
    let log = ended(&chain, &bot.run("source-git-bot", &by_hand, &secrets), End::FailedAsItMay);
    assert!(log.contains("conflicts with its target branch"), "{log}");
    let _ = world.written();
    let wrong = chain.bot_for("src/hello", "sync");
    ended(&chain, &wrong.run("source-git-bot", &by_hand, &secrets), End::Failed);
}

#[test]
fn the_relay_hands_on_what_has_come_to_its_end() {
    let chain = Chain::new();
    for (status, triggered) in [("running", 0), ("failed", 1)] {
        let inputs = format!("inputs: {{project: '77', pipeline: '4711', status: {status}}}");
        let relay = Project::new(&format!("include:\n- local: relay.yml\n  {inputs}\n"));
        relay.write("relay.yml", &read("ci-templates/examples/relay-project.gitlab-ci.yml"));
        relay.track("relay.yml");
        relay.write("instance.yaml", &fs::read_to_string(chain.bot.path().join("instance.yaml")).unwrap());
        let situation = Situation::branch("api", "operators/relay", "main").and(&[("SGB_INSTANCE", "instance.yaml")]);
        let secrets = [("SGB_TRIGGER_URL", &*chain.trigger_url), ("SGB_TRIGGER_TOKEN", &*chain.trigger_token)];
        passed(&chain, &relay.run("relay", &situation, &secrets));
        assert_eq!(chain.world.sandbox.triggered(BOT).len(), triggered);
    }
    let payload = chain.world.sandbox.triggered(BOT)[0].payload["source_git_bot"].clone();
    assert_eq!((&payload["project"], &payload["id"]), (&"77".into(), &"4711".into()));
    let _ = chain.world.written();
}

#[test]
fn the_webhook_of_the_ready_made_bot_project_syncs_its_merge_request() {
    let chain = Chain::new();
    let text = read("ci-templates/examples/bot-project.gitlab-ci.yml");
    let (_, template) = text.split_once("#   template    ").unwrap();
    let (template, _) = template.split_once("\n#\n").unwrap();
    // What GitLab makes of it for an event of a merge request; a field that the event lacks is empty.
    let rendered = template
        .replace("\n#", "")
        .replace("{{object_kind}}", "merge_request")
        .replace("{{project.id}}", &id(&chain.world, SOURCE))
        .replace("{{object_attributes.id}}", "70")
        .replace("{{object_attributes.iid}}", &chain.iid.to_string())
        .replace("{{merge_request.iid}}", "")
        .replace("{{merge_request.target_project_id}}", "");
    let mut payload: serde_json::Value = serde_json::from_str(&rendered).unwrap();
    payload["ref"] = "main".into();
    payload["variables"] = serde_json::json!({});
    chain.bot.write("payload.json", &payload.to_string());
    let file = chain.bot.path().join("payload.json");
    let triggered = Situation::branch("trigger", BOT, "main").and(&[("TRIGGER_PAYLOAD", file.to_str().unwrap())]);
    passed(&chain, &chain.bot.run("source-git-bot", &triggered, &[("SGB_TOKEN", &*chain.world.token)]));
    assert!(chain.world.note(chain.iid).contains(&format!("{DIST}!{}", chain.world.opened().iid)));
    let _ = chain.world.written();
}

#[test]
fn what_a_merge_request_changes_in_the_file_counts_in_its_dist_git_pipeline() {
    let chain = Chain::new();
    let (world, sandbox) = (&chain.world, &chain.world.sandbox);
    let theirs = String::from_utf8(sandbox.file(FORK, "fix", SOURCE_CI).unwrap()).unwrap();
    let lint =
        format!("{theirs}\nlint:\n  script: [\"test -f hello.spec && echo All is well.\"]\n  rules: *dist-git\n");
    world.change("Lint the spec", &[(SOURCE_CI, Some(&lint))]);
    world.synced(chain.iid);
    let branch = format!("c9s-src-{}", chain.iid);
    let dist_git = chain.configured("bot/hello", &branch, DIST_CI);
    let situation = chain.of_merge_request("bot/hello", DIST, world.opened().iid, &branch, 345);
    let jobs = dist_git.jobs(std::slice::from_ref(&situation)).concat();
    assert!(jobs.contains(&"test/lint".to_owned()), "{jobs:?}");
    dist_git.write("hello.spec", &world.pushed(chain.iid, "hello.spec").unwrap());
    dist_git.track("hello.spec");
    let log = passed(&chain, &dist_git.run("lint", &situation, &[]));
    assert!(log.contains("All is well."), "{log}");
}

#[test]
fn where_the_instance_carries_none_dist_git_has_no_file_of_source_gits() {
    let chain = Chain::new();
    chain.world.instance("");
    chain.world.synced(chain.iid);
    assert_eq!(chain.world.pushed(chain.iid, DIST_CI), None);
}

#[test]
fn in_mode_direct_the_job_syncs_itself() {
    let chain = Chain::new();
    let (world, sandbox) = (&chain.world, &chain.world.sandbox);
    let direct = Project::new(&example("source-git").replace("    inputs:", "    inputs:\n      mode: direct"));
    let pipeline = sandbox.mr_pipeline(SOURCE, chain.iid).by("maintainer").jobs(&[("test", "source-git-bot: sync")]);
    let situation = chain.of_merge_request(SOURCE, SOURCE, chain.iid, "fix", pipeline.create());
    let situation = chain.with_instance(&situation);
    let (job, secrets) = ("source-git-bot: sync", [("SGB_TOKEN", &*world.token)]);
    passed(&chain, &direct.run(job, &situation, &secrets));
    assert!(world.note(chain.iid).contains(&format!("{DIST}!{}", world.opened().iid)));
    assert!(world.message(chain.iid).contains(&sandbox.tip(FORK, "fix").unwrap()));
    assert_eq!(sandbox.triggered(BOT).len(), 0);
    let _ = world.written();

    // Again, with nothing to do; and where the token is missing or the contribution cannot be synced.
    passed(&chain, &direct.run(job, &situation, &secrets));
    assert_eq!(world.written(), [""; 0]);
    let log = ended(&chain, &direct.run(job, &situation, &[]), End::FailedAsItMay);
    assert!(log.contains("there is no token to act with as the bot"), "{log}");
    let conflict = [("hello.c", Some("int main(void)\n{\n    return 2;\n}\n"))];
    sandbox.commit(SOURCE, "c9s", "Return two", &conflict);
    let log = ended(&chain, &direct.run(job, &situation, &secrets), End::FailedAsItMay);
    assert!(log.contains("conflicts with its target branch"), "{log}");
    let _ = world.written();
}
