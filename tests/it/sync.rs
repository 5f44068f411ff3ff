//! `sync` as a CI job of the bot runs it, against a GitLab of our own.

use std::fs;
use std::process::Command;

use gitlab_sandbox::{Role, Sandbox, Scope};
use tempfile::TempDir;

use crate::support::{CONFIG, Run, SPEC};

pub(crate) const SOURCE: &str = "src/hello";
pub(crate) const DIST: &str = "rpms/hello";
pub(crate) const FIXED: &str = "int main(void)\n{\n    return 0;\n}\n";

/// A package under the bot's care, and a contributor's merge request for it.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) token: String,
    pub(crate) home: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let sandbox = Sandbox::start();
        for user in ["root", "bot", "contributor", "maintainer"] {
            sandbox.user(user);
        }
        sandbox.project(SOURCE);
        sandbox.project(DIST);
        for project in [SOURCE, DIST] {
            sandbox.member(project, "maintainer", Role::Maintainer);
        }
        let hello = "int main(void)\n{\n    return 1;\n}\n";
        sandbox.commit(SOURCE, "main", "Hello 1.0", &[("hello.c", Some(hello)), ("README", Some("Hello.\n"))]);
        sandbox.tag(SOURCE, "v1.0", "main", None);
        sandbox.branch_at(SOURCE, "c9s", "v1.0");
        let packaging = [(".distro/hello.spec", Some(SPEC)), (".distro/source-git.yaml", Some(CONFIG))];
        sandbox.commit(SOURCE, "c9s", "Add packaging", &packaging);
        let sources = "SHA512 (hello-1.0.tar.gz) = 00\n";
        sandbox.commit(DIST, "c9s", "Import hello", &[("hello.spec", Some(SPEC)), ("sources", Some(sources))]);
        let token = sandbox.token("bot", &[Scope::Api]);
        let home = TempDir::new().unwrap();
        let instance = format!(
            "extends: production\ngitlab:\n  url: {}\nnamespaces:\n- source_git: src\n  dist_git: rpms\ntargets:\n- branch: c[0-9]+s\n",
            sandbox.url()
        );
        fs::write(home.path().join("instance.yaml"), instance).unwrap();
        Self { sandbox, token, home }
    }

    /// A contributor's merge request from a fork, with one commit.
    pub(crate) fn with_merge_request() -> (Self, u64) {
        let world = Self::new();
        let fork = world.sandbox.fork(SOURCE, "contributor");
        world.sandbox.branch_at(&fork, "fix", "c9s");
        world.sandbox.commit(&fork, "fix", "Return success\n\nCallers need it.\n", &[("hello.c", Some(FIXED))]);
        let opened = world.sandbox.open("contributor").from(&fork, "fix").into(SOURCE, "c9s");
        let iid = opened.title("Return success").description("Callers need it.\n\nBugzilla: 123456\n").create();
        world.sandbox.clear_log();
        (world, iid)
    }

    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_source-git-bot"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("SGB_TOKEN", &self.token)
            .env("SGB_TEST_NO_PAUSES", "1")
            .current_dir(self.home.path())
            .args(["--instance", "instance.yaml"]);
        command
    }

    pub(crate) fn sync(&self, iid: u64, arguments: &[&str]) -> Run {
        let run = Run::of(self.program().args(["sync", "--merge-request", &format!("{SOURCE}!{iid}")]).args(arguments));
        assert!(!run.stdout.contains(&self.token) && !run.stderr.contains(&self.token), "the token is told");
        run
    }
}

#[test]
fn a_merge_request_gets_its_pair_and_a_rerun_changes_nothing() {
    let (world, iid) = World::with_merge_request();
    let run = world.sync(iid, &[]);
    run.ends_with(0);
    let opened = world.sandbox.merge_requests(DIST);
    assert_eq!(opened.len(), 1, "{}", run.stderr);
    assert_eq!(opened[0].title, "Return success");
    assert_eq!(opened[0].source_branch, format!("c9s-src-{iid}"));
    assert!(opened[0].description.contains("Resolves: bz#123456"), "{}", opened[0].description);
    let notes = world.sandbox.notes(SOURCE, iid);
    assert_eq!(notes.len(), 1);
    let patch = world.sandbox.file("bot/hello", &format!("c9s-src-{iid}"), "0001-Return-success.patch").unwrap();
    let head = world.sandbox.tip("contributor/hello", "fix").unwrap();
    assert!(patch.starts_with(format!("From {head} ").as_bytes()));
    let writes: Vec<_> = world.sandbox.take_writes().into_iter().map(|write| write.method).collect();
    assert_eq!(writes, ["POST", "PUSH", "POST", "POST"]);

    world.sandbox.clear_log();
    let run = world.sync(iid, &[]);
    run.ends_with(0);
    assert_eq!(world.sandbox.take_writes(), []);
    assert!(run.stderr.contains("everything is as it should be"), "{}", run.stderr);
}
