//! What README.md and the pages about commands show: the commands by hand, on two clones and on a GitLab where
//! everything is there.

use std::path::Path;

use gitlab_sandbox::{Role, Sandbox, Scope, Visibility};
use serde_json::json;

use super::Scene;
use super::package::{contribute, package};
use super::page::Line;
use super::shell::Shell;
use crate::support::Clones;

const BOT: &str = "packages/bot";
const SOURCE: &str = "packages/src/hello";
const DIST: &str = "packages/rpms/hello";

/// A source-git clone with a change, and a dist-git clone.
pub(super) struct Local(Clones);

impl Local {
    pub(super) fn new(shell: &Shell) -> Self {
        let clones = Clones::new();
        clones.change("hello.c", "int main(void)\n{\n    return 0;\n}\n", "Return success\n");
        shell.stand_in(&clones.path(""));
        Self(clones)
    }
}

impl Scene for Local {
    fn then(&mut self, _: &mut Shell, what: &str) {
        match what {
            "it is committed" => {
                assert!(self.0.git("dist-git", &["log", "-1"]).contains("From-source-git-commit: "));
                assert!(self.0.has("0001-Return-success.patch"));
            }
            other => panic!("nobody knows how `{other}`"),
        }
    }
}

/// A package with a merge request in namespaces of an instance file, one in those of the preset, and a bot project.
pub(super) struct ByHand {
    sandbox: Sandbox,
    iid: u64,
}

impl ByHand {
    /// With nothing done yet, and no token in the shell.
    pub(super) fn new(shell: &mut Shell) -> Self {
        let sandbox = Sandbox::start();
        for user in ["root", "bot", "contributor", "maintainer"] {
            sandbox.user(user);
        }
        package(&sandbox, "redhat/centos-stream", "curl", "c9s");
        let preset = contribute(&sandbox, "redhat/centos-stream", "curl", "c9s");
        package(&sandbox, "packages", "hello", "c9s");
        let iid = contribute(&sandbox, "packages", "hello", "c9s");
        assert_eq!(preset, iid);
        sandbox.project_with(BOT, Visibility::Private);
        sandbox.member(BOT, "bot", Role::Reporter);
        sandbox.member(BOT, "maintainer", Role::Maintainer);
        sandbox.commit(BOT, "main", "Start", &[("instance.yaml", Some("extends: production\n"))]);
        let token = sandbox.token("bot", &[Scope::Api]);
        let trigger_token = sandbox.trigger_token(BOT, "maintainer");
        let instance = format!(
            "extends: production\ngitlab: {{url: '{}'}}\nnamespaces:\n- source_git: packages/src\n  dist_git: \
             packages/rpms\nbot_project: {BOT}\n",
            sandbox.url()
        );
        shell.write("instance.yaml", &instance);
        shell.export("SGB_GITLAB_URL", &sandbox.url());
        shell.stands_for("https://gitlab.example.com", &sandbox.url());
        shell.stands_for("SGB_TOKEN=...", &format!("SGB_TOKEN={token}"));
        shell.stands_for("SGB_TRIGGER_TOKEN=...", &format!("SGB_TRIGGER_TOKEN={trigger_token}"));
        shell.stands_for("projects/42/", &format!("projects/{}/", id(&sandbox, BOT)));
        shell.stands_for("!7", &format!("!{iid}"));
        shell.stands_for("merge_requests/7", &format!("merge_requests/{iid}"));
        shell.keep_secret(&token);
        shell.keep_secret(&trigger_token);
        Self { sandbox, iid }
    }

    /// Where the bot has done its work, and dist-git's CI has failed.
    pub(super) fn tested(shell: &mut Shell) -> Self {
        let scene = Self::with_token(shell);
        let sync = "source-git-bot sync --instance instance.yaml --merge-request packages/src/hello!7 -q";
        shell.run(&Line { text: sync.to_owned(), status: 0, number: 0 }, Path::new("the scene"));
        scene.fail(shell);
        scene
    }

    /// With the bot's token in the shell.
    pub(super) fn with_token(shell: &mut Shell) -> Self {
        let scene = Self::new(shell);
        shell.export("SGB_TOKEN", &scene.sandbox.token("bot", &[Scope::Api]));
        scene
    }

    fn fail(&self, shell: &mut Shell) {
        let pipeline = self.sandbox.mr_pipeline(DIST, self.dist()).by("maintainer");
        let pipeline = pipeline.jobs(&[("test", "rpminspect")]).create();
        self.sandbox.set_all_jobs(pipeline, "failed");
        shell.stands_for("pipelines/4711", &format!("pipelines/{pipeline}"));
    }

    fn dist(&self) -> u64 {
        let opened = self.sandbox.merge_requests(DIST);
        opened.first().expect("there is a dist-git merge request").iid
    }

    fn note(&self) -> String {
        let bot = self.sandbox.inspect(|model| model.user("bot").unwrap().id);
        let mut notes = self.sandbox.notes(SOURCE, self.iid);
        notes.retain(|note| note.author == bot);
        assert_eq!(notes.len(), 1, "{notes:#?}");
        notes.remove(0).body
    }
}

pub(super) fn id(sandbox: &Sandbox, project: &str) -> u64 {
    sandbox.inspect(|model| model.project(project).unwrap().id)
}

impl Scene for ByHand {
    fn then(&mut self, shell: &mut Shell, what: &str) {
        match what {
            "the merge request is synced" => {
                assert!(self.note().contains(&format!("{DIST}!{}", self.dist())));
            }
            "dist-git's CI fails" => self.fail(shell),
            "the note tells of the failure" => assert!(self.note().contains("**dist-git CI: failed**")),
            "ten minutes pass" => self.sandbox.arrange(|model| {
                model.pipelines.values_mut().for_each(|pipeline| pipeline.created_at.0 -= 11 * 60_000);
            }),
            "a webhook is fired" => {
                let project = id(&self.sandbox, SOURCE).to_string();
                let notice = json!({
                    "v": "1", "kind": "merge_request", "project": project, "id": "70", "iid": self.iid.to_string(),
                    "mr": "", "mr_project": "null"
                });
                shell.write("payload.json", &json!({"source_git_bot": notice, "variables": {}}).to_string());
            }
            "it is a job of dist-git" => {
                shell.export("CI_PROJECT_ID", &id(&self.sandbox, DIST).to_string());
                shell.export("CI_PIPELINE_ID", "345");
            }
            "the bot project is asked" => assert_eq!(self.sandbox.triggered(BOT).len(), 1),
            "a token is printed" => shell.put_token(),
            other => panic!("nobody knows how `{other}`"),
        }
    }
}

/// A shell alone, in which webhook tokens are made.
pub(super) struct Secret;

impl Scene for Secret {
    fn then(&mut self, shell: &mut Shell, what: &str) {
        match what {
            "a token is printed" => shell.put_token(),
            other => panic!("nobody knows how `{other}`"),
        }
    }
}

/// What was written is looked at on the pages.
impl Drop for ByHand {
    fn drop(&mut self) {
        let _ = self.sandbox.take_writes();
    }
}
