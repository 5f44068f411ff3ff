//! Setting up and operating an instance: the groups with their packages, the bot project as the page has it made, and the
//! people who use it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use gitlab_sandbox::{ANY_ENVIRONMENT, Role, Sandbox, Scope, State, Variable, Visibility};

use super::Scene;
use super::package::{contribute, package};
use super::page::{self, Line};
use super::shell::Shell;
use crate::support::Run;

/// What the two instances differ in.
struct Kind {
    preset: &'static str,
    hub: &'static str,
    bot: &'static str,
    group: &'static str,
    name: &'static str,
}

const PRODUCTION: Kind = Kind {
    preset: "production",
    hub: "operators/source-git-bot-production",
    bot: "centos-stream-bot",
    group: "redhat/centos-stream",
    name: "redhat-internal-test-package",
};

const STAGING: Kind = Kind {
    preset: "staging",
    hub: "operators/source-git-bot-staging",
    bot: "staging-bot",
    group: "packit-service",
    name: "luksmeta",
};

/// Without an instance file.
const PRESET: Kind = Kind { hub: "packit-service/source-git-bot", name: "cloud-init", ..STAGING };

pub(super) struct Operating {
    sandbox: Sandbox,
    kind: Kind,
    token: String,
    operator_token: String,
    followed: usize,
}

impl Operating {
    pub(super) fn production(shell: &mut Shell) -> Self {
        let operating = Self::new(PRODUCTION, shell);
        let sandbox = &operating.sandbox;
        package(sandbox, "redhat/centos-stream", PRODUCTION.name, "c9s");
        sandbox.group_member("redhat/centos-stream/src", "operator", Role::Owner);
        sandbox.group_member("redhat/centos-stream/src", PRODUCTION.bot, Role::Developer);
        operating
    }

    /// Production with everything in place.
    pub(super) fn running(shell: &mut Shell) -> Self {
        let operating = Self::production(shell);
        let Self { sandbox, kind, token, operator_token, .. } = &operating;
        let example = fs::read_to_string(page::top().join("ci-templates/examples/bot-project.gitlab-ci.yml")).unwrap();
        let url = sandbox.url();
        let instance = format!("extends: {}\ngitlab: {{url: '{url}'}}\nbot_project: {}\n", kind.preset, kind.hub);
        let files = [(".gitlab-ci.yml", Some(&*example)), ("instance.yaml", Some(&*instance))];
        sandbox.commit(kind.hub, "main", "Run the bot\n", &files);
        shell.write("instance.yaml", &instance);
        operating.set_up_bot_project();
        let tokens = format!("SGB_TOKEN={token} SGB_OPERATOR_TOKEN={operator_token}");
        let onboard = format!("{tokens} source-git-bot onboard {} --instance instance.yaml", kind.name);
        shell.run(&Line { text: onboard, status: 0, number: 0 }, Path::new("the scene"));
        operating.finish();
        let doctor = |token: &str| format!("SGB_TOKEN={token} source-git-bot doctor --instance instance.yaml");
        let theirs = format!("{} --bot {}", doctor(operator_token), kind.bot);
        shell.stands_for(&format!("{} --bot BOT-USER", doctor("…")), &theirs);
        shell.stands_for("SGB_TOKEN=…", &format!("SGB_TOKEN={token}"));
        operating
    }

    /// What is left when `onboard` has run.
    fn finish(&self) {
        self.sandbox.trigger_token(self.kind.hub, "colleague");
        self.sandbox.schedule(self.kind.hub, "operator", "main", "*/15 * * * *");
        self.sandbox.instance_runner("everybody's");
    }

    pub(super) fn staging(shell: &mut Shell) -> Self {
        Self::with_copies(STAGING, shell)
    }

    /// Staging, where the bot project has its CI file, and the environment says what a preset does not.
    pub(super) fn preset(shell: &mut Shell) -> Self {
        let operating = Self::with_copies(PRESET, shell);
        let sandbox = &operating.sandbox;
        let example = fs::read_to_string(page::top().join("ci-templates/examples/bot-project.gitlab-ci.yml")).unwrap();
        sandbox.commit(PRESET.hub, "main", "Run the bot\n", &[(".gitlab-ci.yml", Some(&*example))]);
        shell.export("SGB_GITLAB_URL", &sandbox.url());
        shell.stands_for("SGB_TOKEN=...", &format!("SGB_TOKEN={}", operating.token));
        shell.stands_for("SGB_OPERATOR_TOKEN=...", &format!("SGB_OPERATOR_TOKEN={}", operating.operator_token));
        operating
    }

    fn with_copies(kind: Kind, shell: &mut Shell) -> Self {
        let operating = Self::new(kind, shell);
        let (sandbox, kind) = (&operating.sandbox, &operating.kind);
        package(sandbox, "redhat/centos-stream", kind.name, "c9s");
        for group in ["packit-service/src", "packit-service/rpms"] {
            sandbox.group(group, Visibility::Public);
            sandbox.group_member(group, "operator", Role::Owner);
        }
        sandbox.group_member("packit-service/src", kind.bot, Role::Developer);
        operating
    }

    fn new(kind: Kind, shell: &mut Shell) -> Self {
        let sandbox = Sandbox::start();
        for user in ["root", "operator", "colleague", "contributor", "maintainer", kind.bot] {
            sandbox.user(user);
        }
        sandbox.project_with(kind.hub, Visibility::Private);
        for person in ["operator", "colleague"] {
            sandbox.member(kind.hub, person, Role::Maintainer);
        }
        sandbox.member(kind.hub, kind.bot, Role::Reporter);
        sandbox.commit(kind.hub, "main", "Start\n", &[("README.md", Some("The bot.\n"))]);
        sandbox.protect(kind.hub, "main", Some(Role::Maintainer));
        let token = sandbox.token(kind.bot, &[Scope::Api]);
        let operator_token = sandbox.token("operator", &[Scope::Api]);
        let contributor_token = sandbox.token("contributor", &[Scope::Api]);
        let instead = |namespace: &str, user: &str, token: &str| {
            let (scheme, host) = sandbox.url().split_once("://").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            format!(
                "[url \"{scheme}://{user}:{token}@{host}/{namespace}/\"]\n    insteadOf = https://gitlab.com/{namespace}/\n"
            )
        };
        let known = fs::read_to_string(shell.path(".gitconfig")).unwrap();
        let known = known + &instead("operators", "operator", &operator_token);
        shell.write(".gitconfig", &(known + &instead("contributor", "contributor", &contributor_token)));
        symlink(page::top(), shell.path("source-git-bot")).unwrap();
        let extends = format!("extends: {}\\n", kind.preset);
        shell.stands_for(&extends, &format!("{extends}gitlab: {{url: \"{}\"}}\\n", sandbox.url()));
        shell.stands_for("gitlab.com/YOU/", "gitlab.com/contributor/");
        for secret in [&token, &operator_token] {
            shell.keep_secret(secret);
        }
        Self { sandbox, kind, token, operator_token, followed: 0 }
    }

    fn source(&self) -> String {
        format!("{}/src/{}", self.kind.group, self.kind.name)
    }

    fn dist(&self) -> String {
        format!("{}/rpms/{}", self.kind.group, self.kind.name)
    }

    /// What a Maintainer does on the pages of the bot project.
    fn set_up_bot_project(&self) {
        let Kind { hub, .. } = self.kind;
        self.sandbox.setting(hub, "ci_pipeline_variables_minimum_override_role", "no_one_allowed");
        self.sandbox.project_runner(hub, "the bot's own");
        let variable = Variable {
            key: "SGB_TOKEN".to_owned(),
            value: self.token.clone(),
            protected: true,
            masked: true,
            hidden: false,
            raw: true,
            kind: "env_var".to_owned(),
            scope: ANY_ENVIRONMENT.to_owned(),
            description: None,
        };
        self.sandbox.set_variable(hub, variable);
    }

    fn files_are_pushed(&self) {
        let there = |file: &str| self.sandbox.file(self.kind.hub, "main", file);
        assert!(there("instance.yaml").is_some(), "both were pushed");
        let ci_file = String::from_utf8(there(".gitlab-ci.yml").expect("both were pushed")).unwrap();
        for placeholder in ["group/source-git-bot", "registry.example.com"] {
            assert!(!ci_file.contains(placeholder), "{placeholder} of the example is left: {ci_file}");
        }
        assert!(ci_file.contains("image: registry.gitlab.com/operators/source-git-bot:"), "{ci_file}");
    }

    /// Whether each event has its webhook, in the project or a group around it, and the fork its token.
    fn is_under_care(&self) {
        for event in ["merge_requests_events", "note_events"] {
            let hooks = self.sandbox.inspect(|model| {
                model.webhooks.values().filter(|hook| hook.events.iter().any(|on| on == event)).count()
            });
            assert_eq!(hooks, 1, "{event}");
        }
        let variables = self.sandbox.variables(&self.fork());
        assert!(variables.iter().any(|variable| variable.key == "SGB_TRIGGER_TOKEN"), "{variables:#?}");
    }

    fn fork(&self) -> String {
        format!("{}/{}", self.kind.bot, self.kind.name)
    }

    /// Runs the jobs of the bot project's pipelines that webhooks have started meanwhile.
    fn follow(&mut self, shell: &Shell) {
        self.sandbox.deliver_webhooks();
        let triggered = self.sandbox.triggered(self.kind.hub);
        assert!(triggered.len() > self.followed, "no webhook has started anything");
        for started in &triggered[self.followed..] {
            shell.write("payload.json", &started.file);
            let mut job = Command::new(env!("CARGO_BIN_EXE_source-git-bot"));
            job.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("SGB_TEST_NO_PAUSES", "1");
            job.env("SGB_TOKEN", &self.token).env("TRIGGER_PAYLOAD", shell.path("payload.json"));
            job.current_dir(shell.path("bot-project")).args(["--instance", "instance.yaml", "event"]);
            Run::of(&mut job).ends_with(0);
        }
        self.followed = triggered.len();
    }

    /// The number of the one open dist-git merge request.
    fn pair(&self) -> u64 {
        let all = self.sandbox.merge_requests(&self.dist());
        assert_eq!(all.iter().filter(|found| found.state == State::Opened).count(), 1, "{all:#?}");
        all[0].iid
    }

    fn note(&self, iid: u64) -> String {
        let bot = self.sandbox.inspect(|model| model.user(self.kind.bot).unwrap().id);
        let mut notes = self.sandbox.notes(&self.source(), iid);
        notes.retain(|note| note.author == bot);
        assert_eq!(notes.len(), 1, "{notes:#?}");
        notes.remove(0).body
    }
}

impl Scene for Operating {
    fn then(&mut self, shell: &mut Shell, what: &str) {
        match what {
            "the bot project is set up" => {
                self.set_up_bot_project();
                self.files_are_pushed();
            }
            "both tokens are there, and the settings" => {
                self.set_up_bot_project();
                shell.export("SGB_TOKEN", &self.token);
                shell.export("SGB_OPERATOR_TOKEN", &self.operator_token);
            }
            "the webhooks are there" => {
                self.files_are_pushed();
                self.is_under_care();
            }
            "the operator's token is typed" => shell.type_in(&self.operator_token),
            "the bot's token is typed" => shell.type_in(&self.token),
            "the package is under the bot's care" => {
                self.is_under_care();
                assert!(shell.printed().contains("Nothing was written."), "{}", shell.printed());
            }
            "the package is there" => {
                self.is_under_care();
                let has = |project: &str, file: &str| self.sandbox.file(project, "c9s", file).is_some();
                assert!(has(&self.source(), ".distro/.gitlab-ci.yml") && has(&self.dist(), ".gitlab-ci.yml"));
                assert_eq!(self.sandbox.file(&self.source(), "v1.0", ".distro/source-git.yaml"), None);
            }
            "a colleague makes a token, and the schedule is there" => {
                self.finish();
            }
            "somebody opens a merge request" => {
                assert_eq!(contribute(&self.sandbox, self.kind.group, self.kind.name, "c9s"), 1);
            }
            "the merge request has its pair" => {
                assert!(self.note(1).contains(&format!("{}!{}", self.dist(), self.pair())));
            }
            "the package is forked" => {
                let _ = self.sandbox.fork(&self.source(), "contributor");
            }
            "the merge request is opened" => {
                let fork = format!("contributor/{}", self.kind.name);
                let opened = self.sandbox.open("contributor").from(&fork, "try-the-bot").into(&self.source(), "c9s");
                let opened = opened.title("Try the bot").description("[fake-ci: fail rpminspect]");
                assert_eq!(opened.create(), 1);
                self.follow(shell);
                assert!(self.note(1).contains(&format!("{}!{}", self.dist(), self.pair())));
                let patch = self.sandbox.file(&self.fork(), "c9s-src-1", "0001-Try-the-bot.patch");
                assert!(patch.is_some());
            }
            "dist-git's CI has failed" => {
                let pipeline = self.sandbox.mr_pipeline(&self.dist(), self.pair()).jobs(&[("test", "rpminspect")]);
                let pipeline = pipeline.create();
                let fork = self.sandbox.inspect(|model| model.project(&self.fork()).unwrap().id);
                assert_eq!(self.sandbox.pipeline_now(pipeline).project, fork, "it runs in the bot's fork");
                self.sandbox.set_all_jobs(pipeline, "failed");
            }
            "the note tells of the failure" => {
                let note = self.note(1);
                assert!(note.contains("**dist-git CI: failed**") && note.contains("rpminspect"), "{note}");
            }
            "the merge request is closed" => {
                self.sandbox.close(&self.source(), 1, "contributor");
                self.follow(shell);
                let all = self.sandbox.merge_requests(&self.dist());
                assert!(all.iter().all(|found| found.state == State::Closed), "{all:#?}");
            }
            other => panic!("nobody knows how `{other}`"),
        }
    }
}

/// What was written is looked at on the pages.
impl Drop for Operating {
    fn drop(&mut self) {
        self.sandbox.deliver_webhooks();
        let _ = self.sandbox.take_writes();
    }
}
