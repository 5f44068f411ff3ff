//! Webhooks from end to end: what people do in source-git fires the hooks that the bot project's example describes, GitLab
//! starts a pipeline there, and the program makes of its `TRIGGER_PAYLOAD` what is due, and nothing else.

use std::cell::Cell;
use std::fs;

use base64::Engine as _;
use gitlab_sandbox::{AlertStatus, HookEvent, Role, Scope, State, Triggered, Visibility};
use serde_json::Value;

use crate::support::gitlab_ci_local::{Project, Situation, read};
use crate::support::world::{DIST, FIRST_SYNC, FIXED, FORK, NOTED, PUSHED, SOURCE, World};
use crate::support::{Run, writes};

const BOT: &str = "operators/bot";
const RELAY: &str = "operators/relay";
const BOT_FORK: &str = "bot/hello";
const BOT_EXAMPLE: &str = "ci-templates/examples/bot-project.gitlab-ci.yml";
const RELAY_EXAMPLE: &str = "ci-templates/examples/relay-project.gitlab-ci.yml";

/// What an example's first comment says of a webhook under a name, its lines put together.
fn described(example: &str, name: &str) -> String {
    let text = read(example);
    let (_, from) = text.split_once(&format!("\n#   {name:<12}")).unwrap();
    let mut lines = from.lines();
    let first = lines.next().unwrap().to_owned();
    let more = lines.map_while(|line| line.strip_prefix("#                "));
    more.fold(first, |whole, line| whole + " " + line.trim_start())
}

/// The address that an example describes, at this GitLab and for this project.
fn address(world: &World, example: &str, project: &str) -> String {
    let address = described(example, "address");
    let address = address.split([' ', ',']).next().unwrap();
    address
        .replace("https://gitlab.example.com", &world.sandbox.url())
        .replace("/ID/", &format!("/{}/", id(world, project)))
}

fn id(world: &World, project: &str) -> u64 {
    world.sandbox.inspect(|model| model.project(project).unwrap().id)
}

/// A package with the bot project beside it, which is told of source-git by two hooks of the group.
struct Hooked {
    world: World,
    merge_requests: u64,
    comments: u64,
    trigger_tokens: [String; 2],
    followed: Cell<usize>,
}

impl Hooked {
    /// As the example says.
    fn new() -> Self {
        let template = described(BOT_EXAMPLE, "template");
        Self::with(Some(&template), ["maintainer", "maintainer"])
    }

    /// With this template, or none, and with trigger tokens of these people.
    fn with(template: Option<&str>, owners: [&str; 2]) -> Self {
        let world = World::new();
        let sandbox = &world.sandbox;
        sandbox.user("operator");
        sandbox.project_with(BOT, Visibility::Private);
        for person in ["maintainer", "operator"] {
            sandbox.member(BOT, person, Role::Maintainer);
        }
        sandbox.commit(BOT, "main", "Start", &[("instance.yaml", Some("x"))]);
        sandbox.setting(BOT, "ci_pipeline_variables_minimum_override_role", "no_one_allowed");
        sandbox.variable(BOT, "SGB_TOKEN", &world.token);
        let trigger_tokens = owners.map(|owner| sandbox.trigger_token(BOT, owner));
        let [merge_requests, comments] = [HookEvent::MergeRequest, HookEvent::Note].map(|event| {
            let token = &trigger_tokens[usize::from(event == HookEvent::Note)];
            let hook = sandbox.group_hook("src", &address(&world, BOT_EXAMPLE, BOT)).on(event).masked("token", token);
            template.into_iter().fold(hook, |hook, template| hook.template(template)).create()
        });
        Self { world, merge_requests, comments, trigger_tokens, followed: Cell::new(0) }
    }

    /// Pipelines of the bot project whose job has not run.
    fn waiting(&self) -> Vec<Triggered> {
        self.world.sandbox.triggered(BOT).split_off(self.followed.get())
    }

    /// Takes the jobs of the pipelines that wait for done: what they point at has been looked at.
    fn forget_waiting(&self) {
        self.followed.set(self.followed.get() + self.waiting().len());
    }

    /// Runs the job of the next pipeline that waits.
    fn follow(&self) -> Option<Run> {
        let next = self.waiting().into_iter().next()?;
        self.followed.set(self.followed.get() + 1);
        let file = self.world.home.path().join("payload.json");
        fs::write(&file, next.file).unwrap();
        Some(self.world.run(self.world.program().arg("event").env("TRIGGER_PAYLOAD", file)))
    }

    /// Runs the jobs of all pipelines that wait, and of those that start meanwhile: the bot's own notes fire a hook, too.
    /// Each succeeds. Gives how many there were.
    #[track_caller]
    fn settled(&self) -> usize {
        let before = self.followed.get();
        while let Some(run) = self.follow() {
            run.ends_with(0);
            assert!(self.followed.get() < before + 10, "the bot keeps itself busy");
        }
        self.followed.get() - before
    }

    /// What the bot wrote since somebody looked; besides, only pipelines were started.
    fn written(&self) -> Vec<String> {
        let written = writes::lines(&self.world.sandbox, &self.world.sandbox.take_writes_of("bot"));
        for write in self.world.sandbox.take_writes() {
            assert!(write.path.ends_with("/trigger/pipeline") || write.path.ends_with("/pipeline"), "{write:?}");
        }
        written
    }

    /// Everything that others can read of what was done: requests, notes, merge requests, statuses and the bot's branches.
    fn readable(&self, iid: u64) -> Vec<String> {
        let sandbox = &self.world.sandbox;
        let bot = sandbox.inspect(|model| model.user("bot").unwrap().id);
        let notes = sandbox.notes(SOURCE, iid).into_iter().filter(|note| note.author == bot).map(|note| note.body);
        let pairs = sandbox.merge_requests(DIST).into_iter();
        let pairs = pairs.map(|pair| format!("{}\n{}\n{}", pair.title, pair.description, pair.source_branch));
        let of_bot = sandbox.requests().into_iter().filter(|request| request.user.as_deref() == Some("bot"));
        let requests = of_bot.map(|request| request.sent());
        let jobs = sandbox.inspect(|model| {
            let said = |job: &gitlab_sandbox::Job| format!("{} {:?} {:?}", job.name, job.description, job.target_url);
            model.jobs.values().map(said).collect::<Vec<_>>()
        });
        notes.chain(pairs).chain(requests).chain(jobs).collect()
    }
}

/// A secret as it stands, and as it would in a URL or in base64.
fn forms(secret: &str) -> Vec<String> {
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut forms = vec![secret.to_owned(), percent.to_lowercase(), percent];
    let standard = base64::engine::general_purpose::STANDARD_NO_PAD;
    // What stands before it shifts the rest; at both ends it mixes with its neighbours.
    forms.extend(["", "x", "xx"].map(|before| {
        let encoded = standard.encode(format!("{before}{secret}"));
        encoded[4..encoded.len() - 4].to_owned()
    }));
    forms
}

#[track_caller]
fn holds_no(secret: &str, texts: &[String]) {
    for form in forms(secret) {
        for text in texts {
            assert!(!text.contains(&form), "{form} is in {text}");
        }
    }
}

#[test]
fn what_a_contributor_does_arrives_and_is_followed() {
    let hooked = Hooked::new();
    let (world, sandbox) = (&hooked.world, &hooked.world.sandbox);
    let iid = world.contribute();
    assert_eq!(hooked.waiting().len(), 1, "opened");
    // The bot's note fires the hook for comments; there is nothing more to do then.
    assert_eq!(hooked.settled(), 2);
    assert!(world.note(iid).contains(&format!("{DIST}!{}", world.opened().iid)));
    assert_eq!(hooked.written(), FIRST_SYNC);

    let head = world.change("Say more", &[("MORE", Some("More.\n"))]);
    assert_eq!(hooked.waiting().len(), 1, "pushed");
    hooked.settled();
    assert!(world.message(iid).contains(&head));
    assert_eq!(hooked.written(), [PUSHED, NOTED]);

    sandbox.set_title(SOURCE, iid, "contributor", "Return what is expected");
    assert_eq!(hooked.waiting().len(), 1, "edited");
    hooked.settled();
    assert!(world.opened().title.contains("Return what is expected"), "{}", world.opened().title);
    let _ = hooked.written();

    sandbox.note(SOURCE, iid, "contributor", "What is this about?");
    assert_eq!(hooked.settled(), 1, "commented");
    assert_eq!(hooked.written(), [""; 0]);

    let looks_at = format!("an event about merge request !{iid} of project {}", id(world, SOURCE));
    let arrives = |what: &str, comes_to: State| {
        assert_eq!(hooked.waiting().len(), 1, "{what}");
        let run = hooked.follow().unwrap();
        run.ends_with(0);
        assert!(run.stderr.contains(&looks_at), "{what}: {}", run.stderr);
        hooked.settled();
        assert_eq!(world.opened().state, comes_to, "{what}");
        let _ = hooked.written();
    };
    sandbox.close(SOURCE, iid, "contributor");
    arrives("closed", State::Closed);
    sandbox.reopen(SOURCE, iid, "contributor");
    arrives("reopened", State::Opened);
    sandbox.merge(SOURCE, iid, "maintainer");
    arrives("merged", State::Opened);
    assert!(world.note(iid).contains("This merge request was merged."), "{}", world.note(iid));
    for hook in [hooked.merge_requests, hooked.comments] {
        assert!(sandbox.deliveries(hook).iter().all(|delivery| delivery.status == Some(201)));
    }
}

/// What somebody writes who wants the token.
const WISH: &str = "$SGB_TOKEN ${SGB_TOKEN} %SGB_TOKEN%";

/// A contributor opens a merge request that says it everywhere, edits it, and comments.
fn wish_everywhere(hooked: &Hooked) -> u64 {
    let sandbox = &hooked.world.sandbox;
    let branch = WISH.replace(' ', "-");
    sandbox.fork(SOURCE, "contributor");
    sandbox.branch_at(FORK, &branch, "c9s");
    sandbox.commit(FORK, &branch, &format!("Return {WISH}\n\n{WISH}\n"), &[("hello.c", Some(FIXED))]);
    let opened = sandbox.open("contributor").from(FORK, &branch).into(SOURCE, "c9s");
    let iid = opened.title(&format!("Return {WISH}")).description(WISH).create();
    sandbox.note(SOURCE, iid, "contributor", WISH);
    iid
}

#[test]
fn a_wish_for_the_token_does_not_get_into_the_payload() {
    let hooked = Hooked::new();
    let iid = wish_everywhere(&hooked);
    let mut said = Vec::new();
    assert_eq!(hooked.waiting().len(), 2);
    while let Some(run) = hooked.follow() {
        run.ends_with(0);
        said.extend([run.stdout, run.stderr]);
    }
    let sandbox = &hooked.world.sandbox;
    for started in sandbox.triggered(BOT) {
        assert!(!started.file.contains("SGB_TOKEN"), "{}", started.file);
        assert_eq!(started.file, started.payload.to_string(), "nothing was put in");
        said.push(started.file);
    }
    assert!(hooked.world.opened().title.contains("$SGB_TOKEN"), "the wish is carried over, and stays one");
    said.extend(hooked.readable(iid));
    said.push(sandbox.git(BOT_FORK, &["log", "-p", "--all", "--format=raw"]));
    assert!(said.len() > 20, "{}", said.len());
    for secret in [&hooked.world.token, &hooked.trigger_tokens[0], &hooked.trigger_tokens[1]] {
        holds_no(secret, &said);
    }
    let _ = hooked.written();
}

#[test]
fn of_a_careless_hooks_payload_nothing_is_followed_and_nothing_told() {
    for broken in [false, true] {
        let hooked = Hooked::with(None, ["maintainer", "maintainer"]);
        let sandbox = &hooked.world.sandbox;
        let iid = wish_everywhere(&hooked);
        if broken {
            sandbox.set_description(SOURCE, iid, "contributor", &format!("{WISH} and ${{ what is no name"));
        }
        let started = hooked.waiting();
        assert_eq!(started.len(), if broken { 3 } else { 2 });
        let holding = started.iter().filter(|started| started.file.contains(&hooked.world.token)).count();
        assert_eq!(holding, started.len(), "GitLab has put the token in");
        let whole = started.last().map(|started| serde_json::from_str::<Value>(&started.file).is_ok());
        assert_eq!(whole, Some(!broken));
        sandbox.clear_log();
        let mut said = Vec::new();
        while let Some(run) = hooked.follow() {
            run.ends_with(0);
            assert_eq!((run.stderr.lines().count(), run.stdout.as_str()), (1, ""), "{}", run.stderr);
            assert!(run.stderr.contains("payload is not followed"), "{}", run.stderr);
            said.push(run.stderr);
        }
        assert_eq!(sandbox.requests().len(), 0);
        said.extend(hooked.readable(iid));
        holds_no(&hooked.world.token, &said);
        assert_eq!(hooked.written(), [""; 0]);
        assert!(sandbox.merge_requests(DIST).is_empty() && sandbox.notes(SOURCE, iid).len() == 1);
    }
}

/// Forty comments within a minute, on a GitLab that starts 25 pipelines a minute for one user and commit.
fn flooded(owners: [&str; 2]) -> (Hooked, u64) {
    let hooked = Hooked::with(Some(&described(BOT_EXAMPLE, "template")), owners);
    let iid = hooked.world.contribute();
    hooked.settled();
    let _ = hooked.written();
    let sandbox = &hooked.world.sandbox;
    sandbox.limit_pipelines_per_minute(25);
    sandbox.begin_minute();
    let before = sandbox.deliveries(hooked.comments).len();
    for number in 0..40 {
        sandbox.note(SOURCE, iid, "contributor", &format!("Comment {number}"));
        sandbox.deliver_webhooks();
    }
    let answers: Vec<_> = sandbox.deliveries(hooked.comments).split_off(before);
    let answers: Vec<_> = answers.iter().map(|delivery| delivery.status.unwrap()).collect();
    assert_eq!(answers, [vec![201; 25], vec![400; 4]].concat(), "then it is off, and nothing is sent");
    assert_eq!(sandbox.alert_status(hooked.comments), AlertStatus::TemporarilyDisabled);
    assert_eq!(sandbox.alert_status(hooked.merge_requests), AlertStatus::Executable);
    (hooked, iid)
}

#[test]
fn a_flood_of_comments_takes_the_other_hooks_pipelines_of_that_minute_and_reconcile_heals_it() {
    let (hooked, iid) = flooded(["maintainer", "maintainer"]);
    let (world, sandbox) = (&hooked.world, &hooked.world.sandbox);
    let head = world.change("Say more", &[("MORE", Some("More.\n"))]);
    let last = sandbox.deliveries(hooked.merge_requests).pop().unwrap();
    assert_eq!(last.status, Some(400), "two tokens of one person share the limit");
    assert!(last.response.contains("Too many pipelines"), "{}", last.response);
    assert_eq!(sandbox.alert_status(hooked.merge_requests), AlertStatus::Executable);
    // The comments ask for nothing, so the push of that minute is lost; the schedule finds it.
    while let Some(run) = hooked.follow() {
        run.ends_with(0);
    }
    assert!(!world.message(iid).contains(&head));
    assert_eq!(hooked.written(), [""; 0]);
    world.run(world.program().arg("reconcile")).ends_with(0);
    assert!(world.message(iid).contains(&head));
    let _ = hooked.written();

    // A minute later both fire again.
    sandbox.pass_time(61);
    let head = world.change("Say most", &[("MORE", Some("Most.\n"))]);
    hooked.settled();
    assert!(world.message(iid).contains(&head));
    sandbox.note(SOURCE, iid, "contributor", "Sorry");
    assert_eq!(hooked.settled(), 1);
    assert_eq!(sandbox.alert_status(hooked.comments), AlertStatus::Executable);
    let _ = hooked.written();
}

#[test]
fn four_lost_events_of_that_minute_switch_the_other_hook_off_for_a_minute() {
    let (hooked, _) = flooded(["maintainer", "maintainer"]);
    let sandbox = &hooked.world.sandbox;
    for number in 0..4 {
        hooked.world.change(&format!("Say {number}"), &[("MORE", Some(&number.to_string()))]);
    }
    assert_eq!(sandbox.alert_status(hooked.merge_requests), AlertStatus::TemporarilyDisabled);
    sandbox.pass_time(61);
    hooked.world.change("Say more", &[("MORE", Some("More.\n"))]);
    assert_eq!(sandbox.alert_status(hooked.merge_requests), AlertStatus::Executable);
    assert_eq!(sandbox.deliveries(hooked.merge_requests).pop().unwrap().status, Some(201));
    let _ = hooked.written();
}

#[test]
fn with_trigger_tokens_of_two_people_a_flood_of_comments_leaves_the_other_hook_alone() {
    let (hooked, iid) = flooded(["maintainer", "operator"]);
    let (world, sandbox) = (&hooked.world, &hooked.world.sandbox);
    hooked.forget_waiting();
    let head = world.change("Say more", &[("MORE", Some("More.\n"))]);
    assert_eq!(sandbox.deliveries(hooked.merge_requests).pop().unwrap().status, Some(201));
    assert_eq!(hooked.waiting()[0].user, "maintainer");
    assert_eq!(hooked.settled(), 1);
    assert!(world.message(iid).contains(&head));
    let _ = hooked.written();
}

#[test]
fn pipeline_events_at_a_trigger_address_switch_the_whole_hook_off() {
    let hooked = Hooked::new();
    let (world, sandbox) = (&hooked.world, &hooked.world.sandbox);
    let careless = sandbox.group_hook("src", &address(world, BOT_EXAMPLE, BOT)).on(HookEvent::MergeRequest);
    let careless = careless.on(HookEvent::Pipeline).masked("token", &hooked.trigger_tokens[0]);
    let careless = careless.template(&described(BOT_EXAMPLE, "template")).create();
    let iid = world.contribute();
    let pipeline =
        sandbox.mr_pipeline(SOURCE, iid).by("maintainer").jobs(&[("test", "unit"), ("late", "more")]).create();
    let [first, second] = ["unit", "more"].map(|name| sandbox.job_named(pipeline, name));
    sandbox.set_job(first, "running");
    sandbox.set_job(first, "success");
    sandbox.set_job(second, "failed");
    sandbox.retry_job(second);
    let answers: Vec<_> = sandbox.deliveries(careless).iter().map(|delivery| delivery.status.unwrap()).collect();
    assert_eq!(answers, [201, 403, 403, 403, 403]);
    assert_eq!(sandbox.alert_status(careless), AlertStatus::TemporarilyDisabled);
    let before = sandbox.deliveries(hooked.merge_requests).len();
    world.change("Say more", &[("MORE", Some("More.\n"))]);
    assert_eq!(sandbox.deliveries(careless).len(), 5, "it does not hear of the push");
    assert_eq!(sandbox.deliveries(hooked.merge_requests).len(), before + 1, "one without pipelines does");
    let _ = hooked.written();
}

#[test]
fn a_relay_brings_what_pipelines_come_to() {
    let hooked = Hooked::new();
    let (world, sandbox) = (&hooked.world, &hooked.world.sandbox);
    let iid = world.contribute();
    hooked.settled();
    let _ = hooked.written();
    sandbox.user("relay");
    sandbox.project_with(RELAY, Visibility::Private);
    sandbox.member(RELAY, "relay", Role::Developer);
    sandbox.commit(RELAY, "main", "Start", &[("README", Some("x"))]);
    sandbox.want_inputs(RELAY, &["project", "pipeline", "status"]);
    let token = sandbox.token("relay", &[Scope::Api]);
    let (url, template) = (address(world, RELAY_EXAMPLE, RELAY), described(RELAY_EXAMPLE, "template"));
    let hook = sandbox.hook(BOT_FORK, &url).on(HookEvent::Pipeline).header("PRIVATE-TOKEN", &token).template(&template);
    let hook = hook.create();
    let pair = world.opened().iid;

    // GitLab protects the default branch, so that a Developer may not run pipelines there: it has to be let.
    let pipeline = sandbox.mr_pipeline(DIST, pair).jobs(&[("test", "rpminspect")]).create();
    assert_eq!(sandbox.deliveries(hook).pop().unwrap().status, Some(400));
    sandbox.protect(RELAY, "main", Some(Role::Developer));
    sandbox.set_all_jobs(pipeline, "running");
    sandbox.set_all_jobs(pipeline, "failed");
    let relayed = sandbox.triggered(RELAY);
    let states: Vec<_> = relayed.iter().map(|started| started.inputs["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["running", "failed"]);
    let inputs = &relayed[1].inputs;
    let expected = [id(world, BOT_FORK).to_string(), pipeline.to_string()];
    assert_eq!([&inputs["project"], &inputs["pipeline"]], [expected[0].as_str(), expected[1].as_str()]);
    assert!(!sandbox.requests().iter().any(|request| request.sent().contains(&token)));

    let relay = Project::new(&format!("include:\n- local: relay.yml\n  inputs: {}\n", Value::Object(inputs.clone())));
    relay.write("relay.yml", &read(RELAY_EXAMPLE));
    relay.track("relay.yml");
    relay.write("instance.yaml", &fs::read_to_string(world.home.path().join("instance.yaml")).unwrap());
    let situation = Situation::branch("api", RELAY, "main").and(&[("SGB_INSTANCE", "instance.yaml")]);
    let trigger = address(world, BOT_EXAMPLE, BOT).replace("?token={token}", "");
    let secrets = [("SGB_TRIGGER_URL", &*trigger), ("SGB_TRIGGER_TOKEN", &*hooked.trigger_tokens[0])];
    let output = relay.run("relay", &situation, &secrets);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(hooked.waiting().len(), 1);
    hooked.settled();
    assert!(world.note(iid).contains("**dist-git CI: failed**"), "{}", world.note(iid));
    let _ = hooked.written();
}
