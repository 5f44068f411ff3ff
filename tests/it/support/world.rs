//! A package under the bot's care on a GitLab of our own, and the built program to run there as a CI job would.

use std::fs;
use std::process::Command;

use gitlab_sandbox::{MergeRequest, Moment, Note, Role, Sandbox, Scope, Settings, Visibility};
use tempfile::TempDir;

use super::{CONFIG, Run, SPEC, writes};

pub(crate) const SOURCE: &str = "src/hello";
pub(crate) const DIST: &str = "rpms/hello";
pub(crate) const FORK: &str = "contributor/hello";
pub(crate) const HELLO: &str = "int main(void)\n{\n    return 1;\n}\n";
pub(crate) const FIXED: &str = "int main(void)\n{\n    return 0;\n}\n";

/// What the first `sync` of the first merge request writes: the fork and its settings, the branch, the merge request in
/// dist-git, the note. `PUSH` is git's; a `*` stands for an id.
pub(crate) const FIRST_SYNC: [&str; 5] =
    ["POST rpms/hello/fork", "PUT bot/hello", PUSHED, OPENED, "POST src/hello/merge_requests/1/notes"];
pub(crate) const PUSHED: &str = "PUSH bot/hello c9s-src-1";
pub(crate) const OPENED: &str = "POST bot/hello/merge_requests";
/// The dist-git merge request is edited.
pub(crate) const EDITED: &str = "PUT rpms/hello/merge_requests/1";
/// The note is edited.
pub(crate) const NOTED: &str = "PUT src/hello/merge_requests/1/notes/*";

/// A moment that no real clock has reached when the tests run.
pub(crate) const IN_2096: Moment = Moment(4_000_000_000_000);

/// The GitLab, the bot's token and where the bot runs.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) token: String,
    pub(crate) home: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&Settings::default(), Visibility::Public)
    }

    /// The package in projects that these people can see, on a GitLab with these settings.
    pub(crate) fn with(settings: &Settings, visibility: Visibility) -> Self {
        let sandbox = Sandbox::start_with(settings);
        for user in ["root", "bot", "contributor", "maintainer"] {
            sandbox.user(user);
        }
        for project in [SOURCE, DIST] {
            sandbox.project_with(project, visibility);
            sandbox.member(project, "maintainer", Role::Maintainer);
        }
        sandbox.commit(SOURCE, "main", "Hello 1.0", &[("hello.c", Some(HELLO)), ("README", Some("Hello.\n"))]);
        sandbox.tag(SOURCE, "v1.0", "main", None);
        sandbox.branch_at(SOURCE, "c9s", "v1.0");
        let packaging = [(".distro/hello.spec", Some(SPEC)), (".distro/source-git.yaml", Some(CONFIG))];
        sandbox.commit(SOURCE, "c9s", "Add packaging", &packaging);
        let sources = "SHA512 (hello-1.0.tar.gz) = 00\n";
        sandbox.commit(DIST, "c9s", "Import hello", &[("hello.spec", Some(SPEC)), ("sources", Some(sources))]);
        let token = sandbox.token("bot", &[Scope::Api]);
        let world = Self { sandbox, token, home: TempDir::new().unwrap() };
        world.instance("");
        world
    }

    /// A contributor's merge request from a fork, with one commit.
    pub(crate) fn with_merge_request() -> (Self, u64) {
        let world = Self::new();
        let iid = world.contribute();
        (world, iid)
    }

    /// The contributor forks, commits a fix and opens a merge request for it.
    pub(crate) fn contribute(&self) -> u64 {
        self.sandbox.fork(SOURCE, "contributor");
        self.sandbox.branch_at(FORK, "fix", "c9s");
        self.change("Return success\n\nCallers need it.\n", &[("hello.c", Some(FIXED))]);
        let opened = self.sandbox.open("contributor").from(FORK, "fix").into(SOURCE, "c9s");
        let iid = opened.title("Return success").description("Callers need it.\n\nBugzilla: 123456\n").create();
        self.sandbox.clear_log();
        iid
    }

    /// The contributor pushes a commit to the branch of the merge request.
    pub(crate) fn change(&self, message: &str, changes: &[(&str, Option<&str>)]) -> String {
        self.sandbox.commit(FORK, "fix", message, changes)
    }

    /// Writes the instance file, with these lines at its end.
    pub(crate) fn instance(&self, more: &str) {
        self.instance_reaching("", more);
    }

    /// Writes the instance file, with these keys besides GitLab's address, such as `timeout: 1, proxy: …`, and these
    /// lines at its end.
    pub(crate) fn instance_reaching(&self, gitlab: &str, more: &str) {
        let mut lines = format!(
            "extends: production\ngitlab: {{url: '{}', {gitlab}}}\nnamespaces:\n- source_git: src\n  dist_git: rpms\n",
            self.sandbox.url()
        );
        if !more.contains("targets:") {
            lines.push_str("targets:\n- branch: c[0-9]+s\n");
        }
        fs::write(self.home.path().join("instance.yaml"), lines + more).unwrap();
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

    /// Runs a command of the program and checks that nothing it says is the token or acts on a terminal.
    pub(crate) fn run(&self, command: &mut Command) -> Run {
        let run = Run::of(command);
        for said in [&run.stdout, &run.stderr] {
            assert!(!said.contains(&self.token), "the token is told");
            assert!(!said.contains(['\u{7}', '\u{9b}', '\u{202e}']), "{said:?}");
        }
        run
    }

    pub(crate) fn sync(&self, iid: u64, arguments: &[&str]) -> Run {
        self.run(self.program().args(["sync", "--merge-request", &format!("{SOURCE}!{iid}")]).args(arguments))
    }

    /// Syncs, which has to succeed, and looks at what was written.
    #[track_caller]
    pub(crate) fn synced(&self, iid: u64) -> Vec<String> {
        self.sync(iid, &[]).ends_with(0);
        self.written()
    }

    /// What was written since somebody looked, as [`FIRST_SYNC`] has it.
    pub(crate) fn written(&self) -> Vec<String> {
        writes::lines(&self.sandbox, &self.sandbox.take_writes())
    }

    /// The requests since the log was cleared that may write, whether GitLab granted them or not.
    pub(crate) fn attempts(&self) -> Vec<String> {
        writes::attempts(&self.sandbox, &self.sandbox.requests())
    }

    /// Syncs, which must not be possible: exit status 3, and a note that says all of `parts`, and nothing else written.
    #[track_caller]
    pub(crate) fn refused(&self, iid: u64, parts: &[&str]) -> Run {
        let run = self.sync(iid, &[]);
        run.ends_with(3);
        let note = self.note(iid);
        for part in parts {
            assert!(note.contains(part), "`{part}` is not said: {note}");
        }
        assert!(note.contains("**How to fix it:**"), "{note}");
        for write in self.sandbox.take_writes() {
            assert!(write.path.contains("/notes"), "{write:?}");
        }
        run
    }

    /// The one note of the bot.
    #[track_caller]
    pub(crate) fn note(&self, iid: u64) -> String {
        let bot = self.sandbox.inspect(|model| model.user("bot").unwrap().id);
        let notes: Vec<Note> = self.sandbox.notes(SOURCE, iid).into_iter().filter(|note| note.author == bot).collect();
        assert_eq!(notes.len(), 1, "{notes:#?}");
        notes[0].body.clone()
    }

    /// The one merge request in dist-git.
    #[track_caller]
    pub(crate) fn opened(&self) -> MergeRequest {
        let opened = self.sandbox.merge_requests(DIST);
        assert_eq!(opened.len(), 1, "{opened:#?}");
        opened[0].clone()
    }

    /// A file of the bot's branch.
    pub(crate) fn pushed(&self, iid: u64, file: &str) -> Option<String> {
        let content = self.sandbox.file("bot/hello", &format!("c9s-src-{iid}"), file)?;
        Some(String::from_utf8(content).unwrap())
    }

    /// The patches of the bot's branch, by name.
    pub(crate) fn patches(&self, iid: u64) -> Vec<String> {
        let listed = self.sandbox.git("bot/hello", &["ls-tree", "--name-only", &format!("c9s-src-{iid}")]);
        listed.lines().filter(|name| name.ends_with(".patch")).map(str::to_owned).collect()
    }

    /// The message of the bot's commit.
    pub(crate) fn message(&self, iid: u64) -> String {
        self.sandbox.git("bot/hello", &["log", "-1", "--format=%B", &format!("c9s-src-{iid}")])
    }
}
