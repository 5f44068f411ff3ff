//! What fails about a run of `reconcile` as a whole: it is remembered and told like a merge request that failed, and holds up
//! nothing that does not need it.

use gitlab_sandbox::{Fault, Repositories, Role};

use super::world::{issue, reconcile, settle, watch, watched};
use crate::support::world::{DIST, SOURCE, World};

/// Puts a second namespace into the instance, of which GitLab knows nothing.
fn with_a_namespace_that_is_gone(world: &World) {
    let path = world.home.path().join("instance.yaml");
    let instance = std::fs::read_to_string(&path).unwrap();
    let gone = "namespaces:\n- source_git: gone/src\n  dist_git: gone/rpms\n";
    std::fs::write(&path, instance.replace("namespaces:\n", gone)).unwrap();
}

#[test]
fn a_list_that_fails_again_and_again_opens_the_issue_and_what_was_known_of_it_is_kept() {
    let (world, _) = watched();
    settle(&world);
    let list = || Fault::on("GET", "/groups/src/merge_requests").always().status(404);
    for (run, open) in [(1, false), (2, true), (3, true)] {
        world.sandbox.fail(list());
        let run_said = reconcile(&world, &[]);
        run_said.ends_with(1);
        world.sandbox.clear_faults();
        let said = issue(&world);
        assert_eq!(said.open, open, "run {run}: {}", said.description);
        assert!(said.description.contains("| not looked at by the last run | 1 |"), "{}", said.description);
        assert!(run_said.stderr.contains("not everything could be looked at"), "{}", run_said.stderr);
    }
    let said = issue(&world).description;
    assert!(
        said.contains("- `src` failed in 3 runs in a row: listing the merge requests of the group src, which"),
        "{said}"
    );
    let _ = world.written();
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stdout.starts_with("1 merge request: 1 unchanged; "), "{}", run.stdout);
    assert!(!issue(&world).open && issue(&world).description.starts_with("**All is well:**"));
    let _ = world.written();
}

#[test]
fn the_pairs_of_a_namespace_that_cannot_be_listed_are_not_looked_at_and_those_of_others_are() {
    let (world, iid) = watched();
    world.synced(iid);
    with_a_namespace_that_is_gone(&world);
    world.sandbox.set_title(SOURCE, iid, "contributor", "Return zero");
    let run = reconcile(&world, &[]);
    run.ends_with(1);
    assert_eq!(world.opened().title, "Return zero");
    assert!(run.stdout.contains("gone/src     failed: listing"), "{}", run.stdout);
    reconcile(&world, &[]).ends_with(1);
    let said = issue(&world).description;
    assert!(said.starts_with("**One thing needs a person:**\n\n- `gone/src` failed in 2 runs in a row: "), "{said}");
    let _ = world.written();

    // Whatever a list leaves out would look closed: nothing is done about it.
    world.sandbox.set_title(SOURCE, iid, "contributor", "Return one");
    world.sandbox.fail(Fault::on("GET", "/groups/src/merge_requests").always().status(500));
    world.sandbox.clear_log();
    reconcile(&world, &[]).ends_with(1);
    assert_eq!(world.opened().title, "Return zero");
    assert!(world.sandbox.api_requests().iter().all(|request| !request.path.contains("hello")));
    world.sandbox.clear_faults();
    let _ = world.written();
    reconcile(&world, &[]).ends_with(1);
    assert_eq!(world.opened().title, "Return one");
    let _ = world.written();
}

#[test]
fn where_the_bots_own_merge_requests_cannot_be_listed_nothing_is_looked_at_and_that_is_told() {
    let (world, _) = watched();
    settle(&world);
    world.sandbox.fail(Fault::on("GET", "/merge_requests").always().status(500));
    for _ in 0..2 {
        reconcile(&world, &[]).ends_with(5);
    }
    let said = issue(&world).description;
    assert!(said.contains("- `dist-git` failed in 2 runs in a row: listing the bot's open merge requests"), "{said}");
    let _ = world.written();
}

#[test]
fn open_pairs_are_mended_though_what_ended_cannot_be_listed() {
    let (world, iid) = watched();
    settle(&world);
    world.sandbox.set_title(SOURCE, iid, "contributor", "Return zero");
    world.sandbox.fail(Fault::on("GET", "/merge_requests").nth(2).always().status(400));
    let run = reconcile(&world, &[]);
    run.ends_with(1);
    assert!(run.stdout.contains("failed: listing the bot's merge requests that ended in dist-git"), "{}", run.stdout);
    assert_eq!(world.sandbox.merge_requests(DIST)[0].title, "Return zero");
    let _ = world.written();
}

#[test]
fn webhooks_that_cannot_be_had_hold_up_neither_memory_nor_issue_and_are_asked_for_again() {
    let (world, _) = watched();
    world.sandbox.expires_at(&world.token, "2026-01-01");
    world.sandbox.fail(Fault::on("GET", "/projects/*/hooks").always().status(500));
    reconcile(&world, &[]).ends_with(0);
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    let said = issue(&world).description;
    assert!(said.starts_with("**One thing needs a person:**\n\n- The bot's token expires on"), "{said}");
    let run = reconcile(&world, &[]);
    assert!(run.stdout.starts_with("1 merge request: 1 unchanged; "), "{}", run.stdout);
    let _ = world.written();
}

#[test]
fn webhooks_of_both_sides_count_and_one_project_that_is_closed_to_the_bot_hides_no_other() {
    let (world, _) = watched();
    world.sandbox.group_member("rpms", "bot", Role::Owner);
    let hooks = [
        world.sandbox.group_hook("rpms", "https://bot.example/hook").create(),
        world.sandbox.hook(DIST, "https://bot.example/hook").create(),
    ];
    world.sandbox.arrange(|model| {
        for hook in hooks {
            model.webhooks.get_mut(&hook).unwrap().recent_failures = 40;
        }
    });
    reconcile(&world, &[]).ends_with(0);
    let said = issue(&world).description;
    for (hook, of) in hooks.iter().zip(["rpms", DIST]) {
        assert!(said.contains(&format!("GitLab has disabled webhook {hook} of `{of}`")), "{said}");
    }
    let _ = world.written();
}

#[test]
fn a_group_that_graphql_cannot_answer_for_has_only_its_own_looked_at() {
    let (world, iid) = watched();
    world.synced(iid);
    for project in ["other-src/hello", "other-rpms/hello"] {
        world.sandbox.project(project);
    }
    let path = world.home.path().join("instance.yaml");
    let instance = std::fs::read_to_string(&path).unwrap();
    let other = "namespaces:\n- source_git: other-src\n  dist_git: other-rpms\n";
    std::fs::write(&path, instance.replace("namespaces:\n", other)).unwrap();
    settle(&world);
    let unchanged = "1 merge request: 1 unchanged; ";
    assert!(reconcile(&world, &[]).stdout.starts_with(unchanged));
    // The first question is about the first group.
    let none = r#"{"data":{"group":null}}"#;
    world.sandbox.fail(Fault::on("POST", "/api/graphql").answer(200, "application/json", none));
    world.sandbox.clear_log();
    let run = reconcile(&world, &[]);
    assert!(run.stdout.starts_with(unchanged), "{}", run.stdout);
    assert!(run.stderr.contains("the pipelines of the group other-src cannot be told"), "{}", run.stderr);
    assert!(world.sandbox.api_requests().iter().all(|request| !request.path.contains("/merge_requests/1")));
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn projects_whose_branches_graphql_cannot_tell_are_looked_at_and_no_others() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    for n in 1..15 {
        world.sandbox.copy_package(
            &["src", "rpms", "bot"],
            "hello",
            &format!("package-{n}"),
            &[1],
            Repositories::Shared,
        );
    }
    watch(&world);
    settle(&world);
    // Two of the pipelines come before the tips of 25 and of 5 projects.
    let broken = r#"{"data":{"projects":null},"errors":[{"message":"Internal server error"}]}"#;
    let fault = |nth| Fault::on("POST", "/api/graphql").nth(nth).answer(200, "application/json", broken);
    world.sandbox.fail(fault(4));
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stderr.contains("the tips of c9s in 5 projects from src/package-"), "{}", run.stderr);
    assert!(run.stderr.contains(" 5 merge requests to look at, 10 unchanged"), "{}", run.stderr);
    world.sandbox.fail(fault(3));
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stderr.contains("the tips of c9s in 25 projects from rpms/hello on cannot be told"), "{}", run.stderr);
    assert!(run.stdout.starts_with("15 merge requests: 15 unchanged; ") && !issue(&world).open, "{}", run.stdout);
    let _ = world.written();
}
