//! A package in production and an instance to try the bot on, into which it is to be put.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use gitlab_sandbox::{Role, Sandbox, Scope, Settings, Visibility, Webhook, Write};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::world::HELLO;
use crate::support::{CONFIG, Run, SPEC};

pub(crate) const PACKAGE: &str = "cloud-init";
pub(crate) const ORIGINAL_SOURCE: &str = "redhat/centos-stream/src/cloud-init";
pub(crate) const ORIGINAL_DIST: &str = "redhat/centos-stream/rpms/cloud-init";
pub(crate) const SOURCE: &str = "packit-service/src/cloud-init";
pub(crate) const DIST: &str = "packit-service/rpms/cloud-init";
pub(crate) const FORK: &str = "bot/cloud-init";
pub(crate) const HUB: &str = "operators/bot";
pub(crate) const IMAGE: &str = "registry.example.com/group/source-git-bot:0.1.0";
const BOT_EXAMPLE: &str = include_str!("../../../ci-templates/examples/bot-project.gitlab-ci.yml");

/// The GitLab, the two tokens and where the program runs.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) token: String,
    pub(crate) operator_token: String,
    pub(crate) home: TempDir,
}

impl World {
    /// Nothing is set up yet, and everybody has the rights that it takes.
    pub(crate) fn new() -> Self {
        Self::with(&Settings::default())
    }

    pub(crate) fn with(settings: &Settings) -> Self {
        let world = Self::without_rights(settings);
        world.sandbox.group_member("packit-service", "operator", Role::Owner);
        world.sandbox.member(HUB, "operator", Role::Maintainer);
        world.sandbox.member(HUB, "bot", Role::Maintainer);
        world
    }

    /// The same, where neither the bot nor the operator has a role anywhere.
    pub(crate) fn without_rights(settings: &Settings) -> Self {
        let sandbox = Sandbox::start_with(settings);
        for user in ["root", "bot", "operator", "contributor", "maintainer"] {
            sandbox.user(user);
        }
        for group in ["packit-service/src", "packit-service/rpms"] {
            sandbox.group(group, Visibility::Public);
        }
        for project in [ORIGINAL_SOURCE, ORIGINAL_DIST] {
            sandbox.project(project);
            sandbox.member(project, "maintainer", Role::Maintainer);
        }
        let upstream = [("hello.c", Some(HELLO)), ("README", Some("Hello.\n"))];
        sandbox.commit(ORIGINAL_SOURCE, "main", "Hello 1.0", &upstream);
        sandbox.tag(ORIGINAL_SOURCE, "v1.0", "main", None);
        sandbox.tag(ORIGINAL_SOURCE, "v1.0-signed", "main", Some("Version 1.0"));
        sandbox.branch_at(ORIGINAL_SOURCE, "c9s", "v1.0");
        let packaging = [(".distro/hello.spec", Some(SPEC)), (".distro/source-git.yaml", Some(CONFIG))];
        sandbox.commit(ORIGINAL_SOURCE, "c9s", "Add packaging", &packaging);
        sandbox.branch_at(ORIGINAL_SOURCE, "next/c10s", "main");
        let sources = "SHA512 (hello-1.0.tar.gz) = 00\n";
        let files = [("hello.spec", Some(SPEC)), ("sources", Some(sources))];
        sandbox.commit(ORIGINAL_DIST, "c9s", "Import hello", &files);
        sandbox.branch_at(ORIGINAL_DIST, "c8s", "c9s");
        sandbox.project_with(HUB, Visibility::Private);
        let files = [(".gitlab-ci.yml", Some(BOT_EXAMPLE)), ("instance.yaml", Some("extends: staging\n"))];
        sandbox.commit(HUB, "main", "Start", &files);
        sandbox.setting(HUB, "ci_pipeline_variables_minimum_override_role", "no_one_allowed");
        let token = sandbox.token("bot", &[Scope::Api]);
        let operator_token = sandbox.token("operator", &[Scope::Api]);
        sandbox.clear_log();
        Self { sandbox, token, operator_token, home: TempDir::new().unwrap() }
    }

    /// The program for the preset `staging`, as the environment changes it.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_source-git-bot"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("SGB_TEST_NO_PAUSES", "1")
            .env("SGB_TOKEN", &self.token)
            .env("SGB_GITLAB_URL", self.sandbox.url())
            .env("SGB_BOT_PROJECT", HUB)
            .current_dir(self.home.path())
            .args(["--instance", "staging"]);
        command
    }

    /// `onboard cloud-init`, not started yet.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.program();
        command.args(["onboard", PACKAGE]).env("SGB_OPERATOR_TOKEN", &self.operator_token);
        command
    }

    pub(crate) fn onboard(&self, arguments: &[&str]) -> Run {
        self.run(self.command().args(arguments))
    }

    /// Runs a command and checks that nothing it says is a token or acts on a terminal.
    pub(crate) fn run(&self, command: &mut Command) -> Run {
        let run = Run::of(command);
        self.tells_no_secret(&run);
        run
    }

    pub(crate) fn tells_no_secret(&self, run: &Run) {
        let mut secrets: Vec<String> = vec![self.token.clone(), self.operator_token.clone(), SECRET.to_owned()];
        secrets.extend(self.trigger_tokens().into_iter().map(|(_, _, value)| value));
        let variables = [SOURCE, FORK].into_iter().filter(|path| self.is_there(path));
        let proofs = variables.flat_map(|path| self.sandbox.variables(path));
        secrets.extend(proofs.filter(|variable| variable.key == "SGB_WEBHOOK_TOKEN").map(|variable| variable.value));
        for said in [&run.stdout, &run.stderr] {
            for secret in &secrets {
                assert!(!said.contains(secret.as_str()), "a secret is told: {said}");
            }
            assert!(!said.contains("glptt-") && !said.contains(['\u{7}', '\u{9b}', '\u{202e}']), "{said:?}");
        }
    }

    pub(crate) fn is_there(&self, project: &str) -> bool {
        self.sandbox.inspect(|model| model.project(project).is_some())
    }

    /// The trigger tokens of the bot project that the program made: what they are for, whose they are, and the tokens.
    pub(crate) fn trigger_tokens(&self) -> Vec<(String, String, String)> {
        self.sandbox.inspect(|model| {
            let tokens = model.trigger_tokens.iter().filter(|token| token.description != "made by the test");
            let shown = tokens
                .map(|token| (token.description.clone(), model.username(token.owner).to_owned(), token.value.clone()));
            shown.collect()
        })
    }

    /// The webhooks of the source-git project.
    pub(crate) fn webhooks(&self) -> Vec<Webhook> {
        self.sandbox.inspect(|model| {
            let Some(project) = model.project(SOURCE).map(|project| project.id) else { return Vec::new() };
            let of_project = |hook: &&Webhook| hook.owner == gitlab_sandbox::HookOwner::Project(project);
            model.webhooks.values().filter(of_project).cloned().collect()
        })
    }

    /// A variable's value, which is as a variable of the bot's has to be.
    #[track_caller]
    pub(crate) fn variable(&self, project: &str, key: &str) -> String {
        let found: Vec<_> = self.sandbox.variables(project).into_iter().filter(|found| found.key == key).collect();
        let [variable] = found.as_slice() else { panic!("{project} has {} variables {key}", found.len()) };
        assert!(variable.raw && !variable.protected && variable.scope == "*", "{key}");
        variable.value.clone()
    }

    /// A project's setting, as its own pages would show it.
    pub(crate) fn setting(&self, project: &str, name: &str) -> Value {
        self.sandbox.inspect(|model| model.project(project).unwrap().settings.get(name).cloned().unwrap_or_default())
    }

    /// What was written since somebody looked.
    pub(crate) fn written(&self) -> Vec<Write> {
        self.sandbox.take_writes()
    }

    /// All branches and tags of a project.
    pub(crate) fn refs(&self, project: &str) -> BTreeSet<String> {
        let listed = self.sandbox.git(project, &["for-each-ref", "--format=%(refname) %(objectname)"]);
        listed.lines().filter(|line| !line.starts_with("refs/merge-requests/")).map(str::to_owned).collect()
    }

    /// Everything that matters of the end state, without what differs from one world to the next.
    pub(crate) fn state(&self) -> Vec<String> {
        let mut state = Vec::new();
        for project in [SOURCE, DIST, FORK] {
            let known = self.sandbox.inspect(|model| {
                let project = model.project(project)?;
                let mut rules: Vec<_> = project.protected.iter().map(|rule| rule.pattern.clone()).collect();
                rules.sort();
                Some(format!("{} {:?} {:?} {rules:?}", project.path, project.visibility, project.default_branch))
            });
            state.push(format!("{project}: {known:?}"));
            if known.is_none() {
                continue;
            }
            for name in ["ci_config_path", "ci_pipeline_variables_minimum_override_role"] {
                state.push(format!("{name}: {}", self.setting(project, name)));
            }
            let names = self.refs(project);
            let trees = names.iter().map(|line| {
                let name = line.split(' ').next().unwrap();
                let tree = self.sandbox.git(project, &["rev-parse", &format!("{name}^{{tree}}")]);
                let count = self.sandbox.git(project, &["rev-list", "--count", name]);
                format!("{name} {} {}", tree.trim(), count.trim())
            });
            state.extend(trees);
            let variables = self.sandbox.variables(project);
            let mut keys: Vec<_> =
                variables.iter().map(|v| format!("{} {} {} {}", v.key, v.masked, v.raw, v.protected)).collect();
            keys.sort();
            state.extend(keys);
        }
        let mut tokens: Vec<_> =
            self.trigger_tokens().into_iter().map(|(what, who, _)| format!("{what} @{who}")).collect();
        tokens.sort();
        state.extend(tokens);
        let mut hooks: Vec<_> = self
            .webhooks()
            .iter()
            .map(|hook| format!("{:?} {:?} {:?}", hook.name, hook.events, hook.template))
            .collect();
        hooks.sort();
        state.extend(hooks);
        state
    }

    /// Checks that what calls the bot does so with the token that is meant for it.
    #[track_caller]
    pub(crate) fn tokens_are_in_their_places(&self) {
        let tokens = self.trigger_tokens();
        let of = |what: &str| {
            let found: Vec<_> = tokens.iter().filter(|(description, ..)| description.contains(what)).collect();
            assert_eq!(found.len(), 1, "{what}: {found:?}");
            found[0].2.clone()
        };
        assert_eq!(tokens.len(), 4, "{tokens:?}");
        let hooks = self.webhooks();
        assert_eq!(hooks.len(), 2, "{hooks:?}");
        for (event, what) in [("merge_requests_events", "merge requests of"), ("note_events", "comments in")] {
            let hook = hooks.iter().find(|hook| hook.events.contains(event)).unwrap();
            assert_eq!(hook.events.len(), 1, "{:?}", hook.events);
            assert_eq!(hook.url_variables.get("token"), Some(&of(what)));
        }
        assert_eq!(self.variable(FORK, "SGB_TRIGGER_TOKEN"), of("dist-git results from"));
        assert_eq!(self.variable(SOURCE, "SGB_TRIGGER_TOKEN"), of("pipelines of"));
    }

    /// Writes an instance file for production's namespaces, with these lines at its end.
    pub(crate) fn instance(&self, more: &str) -> String {
        let text =
            format!("extends: production\ngitlab: {{url: '{}'}}\nbot_project: {HUB}\n{more}", self.sandbox.url());
        fs::write(self.home.path().join("instance.yaml"), text).unwrap();
        "./instance.yaml".to_owned()
    }
}

/// What webhook tokens are signed with.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
