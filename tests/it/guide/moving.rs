//! A namespace that packit's service has looked after: its dist-git merge request is open, from the branch of the same name.

use gitlab_sandbox::{MergeRequest, Role, Sandbox, Scope, State, Visibility};

use super::Scene;
use super::package::{contribute, package};
use super::shell::Shell;
use crate::support::world::{DIST, SOURCE, World};
use crate::support::{Run, SPEC};

/// What the service wrote below what the contributor had written.
const INFO: &str = "Callers need it.\n\n---\n###### Info for package maintainer\nThis MR has been automatically created from\n\
                    [this source-git MR](https://gitlab.example.com/).";

pub(super) struct Moving {
    sandbox: Sandbox,
    iid: u64,
    old: u64,
}

/// The service's user pushes and opens a merge request, as the service did.
fn serve(sandbox: &Sandbox, user: &str, dist: &str, fork: &str, branch: &str) -> u64 {
    sandbox.branch_at(fork, branch, "c9s");
    let changed = SPEC.replace("1%{?dist}", "2%{?dist}");
    let message = format!("Return success\n\nFrom-source-git-commit: {}\n", "0".repeat(40));
    sandbox.commit(fork, branch, &message, &[("hello.spec", Some(&*changed))]);
    let opened = sandbox.open(user).from(fork, branch).into(dist, "c9s");
    opened.title("Return success").description(INFO).create()
}

impl Moving {
    pub(super) fn new(shell: &mut Shell) -> Self {
        let sandbox = Sandbox::start();
        for user in ["root", "bot", "service", "contributor", "maintainer"] {
            sandbox.user(user);
        }
        package(&sandbox, "packages", "hello", "c9s");
        let iid = contribute(&sandbox, "packages", "hello", "c9s");
        let fork = sandbox.fork("packages/rpms/hello", "service");
        let old = serve(&sandbox, "service", "packages/rpms/hello", &fork, &format!("c9s-src-{iid}"));
        sandbox.project_with("packages/bot", Visibility::Private);
        sandbox.member("packages/bot", "bot", Role::Reporter);
        let token = sandbox.token("bot", &[Scope::Api]);
        shell.export("SGB_TOKEN", &token);
        shell.keep_secret(&token);
        shell.stands_for("!7", &format!("!{iid}"));
        let moving = Self { sandbox, iid, old };
        moving.instance(shell, "");
        moving
    }

    fn instance(&self, shell: &Shell, more: &str) {
        let instance = format!(
            "extends: production\ngitlab: {{url: '{}'}}\nnamespaces:\n- source_git: packages/src\n  dist_git: \
             packages/rpms\nbot_project: packages/bot\n{more}",
            self.sandbox.url()
        );
        shell.write("instance.yaml", &instance);
    }

    fn old(&self) -> MergeRequest {
        self.sandbox.merge_request("packages/rpms/hello", self.old)
    }
}

impl Scene for Moving {
    fn then(&mut self, shell: &mut Shell, what: &str) {
        match what {
            "the old merge request is as it was, and there is a new one" => {
                assert_eq!((self.old().state, &*self.old().description), (State::Opened, INFO));
                let all = self.sandbox.merge_requests("packages/rpms/hello");
                let new = all.iter().find(|found| found.iid != self.old).unwrap();
                assert_eq!((all.len(), new.state), (2, State::Opened));
                assert_eq!(new.source_branch, format!("c9s-src-{}", self.iid));
                self.sandbox.close("packages/rpms/hello", self.old, "maintainer");
            }
            "the package is taken out of the targets" => {
                let _ = self.sandbox.take_writes();
                self.instance(shell, "targets:\n- project: packages/src/other\n");
                self.sandbox.close("packages/src/hello", self.iid, "contributor");
            }
            "nothing was written" => {
                assert!(self.sandbox.take_writes().is_empty());
                let all = self.sandbox.merge_requests("packages/rpms/hello");
                assert_eq!(all.iter().filter(|found| found.state == State::Opened).count(), 1);
            }
            other => panic!("nobody knows how `{other}`"),
        }
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        let _ = self.sandbox.take_writes();
    }
}

fn recreate(world: &World, iid: u64) -> Run {
    world.run(world.program().args(["recreate", "--merge-request", &format!("{SOURCE}!{iid}")]))
}

/// "another user, the same forks"
#[test]
fn in_shared_forks_the_service_s_branch_is_somebody_s_until_it_is_asked_for() {
    let (world, iid) = World::with_merge_request();
    let sandbox = &world.sandbox;
    sandbox.user("service");
    sandbox.group("forks", Visibility::Public);
    for user in ["bot", "service"] {
        sandbox.group_member("forks", user, Role::Maintainer);
    }
    sandbox.fork(DIST, "forks");
    let old = serve(sandbox, "service", DIST, "forks/hello", &format!("c9s-src-{iid}"));
    world.instance("forks: {group: forks}\n");
    world.sync(iid, &[]).ends_with(3);
    assert!(world.note(iid).contains("**Somebody pushed to the bot's branch"), "{}", world.note(iid));
    recreate(&world, iid).ends_with(1);
    sandbox.close(DIST, old, "maintainer");
    recreate(&world, iid).ends_with(0);
    let open: Vec<_> = sandbox.merge_requests(DIST).into_iter().filter(|found| found.state == State::Opened).collect();
    assert_eq!((open.len(), open[0].iid == old), (1, false));
    let _ = world.written();
}

/// "the same user, the same forks"
#[test]
fn what_the_service_opened_as_the_same_user_is_taken_over() {
    let (world, iid) = World::with_merge_request();
    let sandbox = &world.sandbox;
    sandbox.fork(DIST, "bot");
    let old = serve(sandbox, "bot", DIST, "bot/hello", &format!("c9s-src-{iid}"));
    world.sync(iid, &[]).ends_with(3);
    assert!(world.note(iid).contains("**Somebody pushed to the bot's branch"), "it committed with another address");
    recreate(&world, iid).ends_with(0);
    let kept = world.opened();
    assert_eq!(kept.iid, old);
    assert!(
        kept.description.starts_with(INFO) && kept.description.contains("source-git-bot v1"),
        "{}",
        kept.description
    );
    let _ = world.written();
}
