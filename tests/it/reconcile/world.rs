//! What the tests of `reconcile` share: a bot project beside the packages, and an instance of hundreds of them.

use gitlab_sandbox::{Issue, Repositories, RequestRecord, Role, Visibility};

use crate::support::Run;
use crate::support::world::{DIST, FORK, HELLO, SOURCE, World};

pub(crate) const BOT: &str = "ops/bot";

pub(crate) fn reconcile(world: &World, arguments: &[&str]) -> Run {
    world.run(world.program().arg("reconcile").args(arguments))
}

/// A package with a merge request, and a private project that runs the bot.
pub(crate) fn watched() -> (World, u64) {
    let (world, iid) = World::with_merge_request();
    watch(&world);
    (world, iid)
}

pub(crate) fn watch(world: &World) {
    world.sandbox.project_with(BOT, Visibility::Private);
    world.sandbox.member(BOT, "bot", Role::Reporter);
    world.sandbox.member(BOT, "maintainer", Role::Maintainer);
    world.instance("bot_project: ops/bot\n");
}

/// The one issue of the bot project.
#[track_caller]
pub(crate) fn issue(world: &World) -> Issue {
    let issues = world.sandbox.issues(BOT);
    assert_eq!(issues.len(), 1, "{issues:#?}");
    issues.into_iter().next().unwrap()
}

/// The requests of a run, which has to succeed.
#[track_caller]
pub(crate) fn requests(world: &World, arguments: &[&str]) -> Vec<RequestRecord> {
    world.sandbox.clear_log();
    reconcile(world, arguments).ends_with(0);
    world.sandbox.api_requests()
}

/// Runs until all is in order, and looks at what was written.
#[track_caller]
pub(crate) fn settle(world: &World) {
    // Once for what is to be done, and once to see that it is done.
    reconcile(world, &[]).ends_with(0);
    reconcile(world, &[]).ends_with(0);
    let _ = world.written();
    world.sandbox.clear_log();
}

/// 300 packages with 1 000 open source-git merge requests, 500 of them with a dist-git merge request in step.
pub(crate) fn big() -> World {
    let (world, first) = World::with_merge_request();
    let sandbox = &world.sandbox;
    sandbox.branch_at(FORK, "second", "c9s");
    sandbox.commit(FORK, "second", "Return two", &[("hello.c", Some(&HELLO.replace('1', "2")))]);
    let second = sandbox.open("contributor").from(FORK, "second").into(SOURCE, "c9s").title("Return two").create();
    for iid in [first, second] {
        world.synced(iid);
    }
    // These come from before the packaging: nothing is to be done for them.
    for branch in ["plain-1", "plain-2"] {
        sandbox.branch_at(FORK, branch, "v1.0");
        sandbox.commit(FORK, branch, branch, &[("README", Some(branch))]);
        sandbox.open("contributor").from(FORK, branch).into(SOURCE, "c9s").title(branch).create();
    }
    let namespaces = ["src", "rpms", "bot", "contributor"];
    for n in 1..300 {
        let requests: &[u64] = if n < 200 { &[1, 2, 3, 4] } else { &[1, 3] };
        sandbox.copy_package(&namespaces, "hello", &format!("package-{n}"), requests, Repositories::Shared);
    }
    watch(&world);
    let open = |group: &str| {
        sandbox.inspect(|model| {
            let within = |id: &u64| model.projects.get(id).is_some_and(|p| model.path_of(p).starts_with(group));
            model.merge_requests.values().filter(|request| within(&request.target_project)).count()
        })
    };
    assert_eq!((open("src/"), open("rpms/")), (1000, 500));
    assert_eq!(sandbox.merge_requests(DIST).len(), 2);
    world
}
