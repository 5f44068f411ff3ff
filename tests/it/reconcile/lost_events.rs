//! `reconcile`: what events set off and what was lost of them come to the same.

use gitlab_sandbox::{Fault, Role};

use crate::support::world::{DIST, EDITED, FORK, NOTED, SOURCE, World};
use crate::support::{CONFIG, Run, SPEC, writes};

fn reconcile(world: &World, arguments: &[&str]) -> Run {
    world.run(world.program().arg("reconcile").args(arguments))
}

/// A second package with a merge request from a branch of the source-git project itself.
fn second_package(world: &World) -> u64 {
    let sandbox = &world.sandbox;
    for project in ["src/other", "rpms/other"] {
        sandbox.project(project);
        sandbox.member(project, "maintainer", Role::Maintainer);
    }
    let spec = SPEC.replace("hello", "other");
    let config = CONFIG.replace("hello", "other");
    sandbox.commit("src/other", "main", "Other 1.0", &[("other.c", Some("int x;\n"))]);
    sandbox.tag("src/other", "v1.0", "main", None);
    sandbox.branch_at("src/other", "c9s", "v1.0");
    let packaging = [(".distro/other.spec", Some(&*spec)), (".distro/source-git.yaml", Some(&*config))];
    sandbox.commit("src/other", "c9s", "Add packaging", &packaging);
    sandbox.commit("rpms/other", "c9s", "Import other", &[("other.spec", Some(&*spec)), ("sources", Some("x\n"))]);
    sandbox.branch_at("src/other", "fix", "c9s");
    sandbox.commit("src/other", "fix", "Rename", &[("other.c", Some("int y;\n"))]);
    let iid = sandbox.open("maintainer").from("src/other", "fix").into("src/other", "c9s").title("Rename").create();
    sandbox.clear_log();
    iid
}

#[test]
fn what_no_event_told_is_made_good_and_then_there_is_nothing_to_do() {
    let (world, iid) = World::with_merge_request();
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stdout.contains("src/hello!1  synced"), "{}", run.stdout);
    let pair = world.opened();
    assert!(world.note(iid).contains(&format!("{DIST}!{}", pair.iid)));
    let _ = world.written();
    // Nothing was said in vain.
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(world.written(), [""; 0]);

    let pipeline = world.sandbox.mr_pipeline(DIST, pair.iid).jobs(&[("test", "rpminspect")]).create();
    world.sandbox.set_all_jobs(pipeline, "failed");
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stdout.contains("src/hello!1  reported"), "{}", run.stdout);
    assert!(world.note(iid).contains("**dist-git CI: failed**"), "{}", world.note(iid));
    assert_eq!(world.written(), [NOTED]);

    world.sandbox.clear_log();
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert_eq!(run.stdout, "1 merge request: 1 unchanged; 13 requests\n");
    assert_eq!(world.written(), [""; 0]);
    // Six lists (four of what ended), the bot's user, and for the pair: note, both merge requests, pipelines; the tips of
    // both target branches.
    assert_eq!(world.sandbox.api_requests().len(), 13);

    world.change("Say more", &[("MORE", Some("More.\n"))]);
    reconcile(&world, &[]).ends_with(0);
    let head = world.sandbox.tip(FORK, "fix").unwrap();
    assert!(world.message(iid).contains(&head) && world.note(iid).contains(&head));
    let _ = world.written();
}

#[test]
fn one_that_fails_keeps_no_other_waiting() {
    let (world, hello) = World::with_merge_request();
    let other = second_package(&world);
    world.sandbox.commit(SOURCE, "c9s", "Return two", &[("hello.c", Some("int main(void)\n{\n    return 2;\n}\n"))]);
    world.sandbox.fail(Fault::on("POST", "*/fork").status(500));
    let run = reconcile(&world, &[]);
    // The conflict is the contributor's, and told there; that GitLab failed is worth a retry.
    run.ends_with(5);
    assert!(
        run.stdout.contains("src/hello!1  told its author, cannot be synced: the merge request conflicts"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("src/other!1  failed: "), "{}", run.stdout);
    assert!(world.note(hello).contains("conflicts with its target branch"));
    assert_eq!(world.sandbox.merge_requests("rpms/other").len(), 0);
    let _ = world.written();
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert_eq!(world.sandbox.merge_requests("rpms/other").len(), 1);
    assert!(run.stdout.contains(&format!("src/other!{other}  synced")), "{}", run.stdout);
    let shown = world.sandbox.shown_statuses("src/other", other);
    let shown: Vec<_> = shown.iter().map(|status| (status.name.as_str(), status.state.as_str())).collect();
    assert_eq!(shown, []);
    let _ = world.written();
}

#[test]
fn where_gitlab_is_not_to_be_had_the_run_ends() {
    let (world, _) = World::with_merge_request();
    world.sandbox.fail(Fault::on("GET", "/groups/*").times(5).status(503));
    let run = reconcile(&world, &[]);
    run.ends_with(5);
    assert!(run.stderr.contains("listing the merge requests of the group src"), "{}", run.stderr);
}

#[test]
fn the_results_of_a_merged_change_go_on_coming() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let pipeline = world.sandbox.mr_pipeline(DIST, world.opened().iid).jobs(&[("test", "tier0")]).create();
    world.sandbox.merge(SOURCE, iid, "maintainer");
    world.sandbox.set_all_jobs(pipeline, "success");
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stdout.contains("rpms/hello!1  synced, reported"), "{}", run.stdout);
    let note = world.note(iid);
    assert!(note.contains("**dist-git CI: passed**") && note.contains("This merge request was merged."), "{note}");
    assert!(!note.contains("older commit"), "{note}");
    // The merge is told in dist-git, and written down there; then the note, first without and then with the results.
    assert_eq!(world.written(), ["POST rpms/hello/merge_requests/1/notes", EDITED, NOTED, NOTED]);
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn what_the_instance_does_not_handle_is_left_alone() {
    let (world, _) = World::with_merge_request();
    world.instance("targets:\n- branch: c10s\n");
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stdout.starts_with("0 merge requests: "), "{}", run.stdout);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn a_dry_run_shows_each_plan_and_writes_nothing() {
    let (world, _) = World::with_merge_request();
    let run = reconcile(&world, &["--dry-run"]);
    run.ends_with(0);
    assert!(
        run.stdout.contains("src/hello!1  would have synced\n")
            && run.stdout.contains("would open a dist-git merge request")
    );
    let json = reconcile(&world, &["--dry-run", "--output", "json"]);
    json.ends_with(0);
    let json = json.json();
    assert_eq!(json["merge_requests"][0]["merge_request"], "src/hello!1");
    assert_eq!(json["merge_requests"][0]["outcome"], "done");
    assert!(json["merge_requests"][0]["did"][0]["plan"].as_str().unwrap().contains("would push"));
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn what_was_closed_in_dist_git_without_an_event_is_told_and_ended() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let pair = world.opened().iid;
    let pipeline = world.sandbox.mr_pipeline(DIST, pair).jobs(&[("test", "tier0")]).create();
    world.sandbox.set_all_jobs(pipeline, "running");
    reconcile(&world, &[]).ends_with(0);
    world.sandbox.close(DIST, pair, "maintainer");
    reconcile(&world, &[]).ends_with(0);
    assert!(world.note(iid).contains("was closed there"), "{}", world.note(iid));
    let _ = world.written();
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn a_branch_that_dist_git_lacked_is_tried_again() {
    let (world, _) = World::with_merge_request();
    world.sandbox.branch_at(SOURCE, "c11s", "c9s");
    world.sandbox.branch_at(FORK, "other", "fix");
    let opened = world.sandbox.open("contributor").from(FORK, "other").into(SOURCE, "c11s").create();
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stdout.contains(&format!("src/hello!{opened}  told its author, cannot be synced")), "{}", run.stdout);
    world.sandbox.branch_at(DIST, "c11s", "c9s");
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(world.sandbox.merge_requests(DIST).len(), 2);
    let _ = world.written();
}

#[test]
fn a_title_that_changed_without_an_event_follows() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    world.sandbox.set_title(SOURCE, iid, "contributor", "Return zero");
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(world.opened().title, "Return zero");
    let _ = world.written();
}

#[test]
fn a_merge_request_without_packaging_costs_two_requests() {
    let world = World::new();
    let sandbox = &world.sandbox;
    sandbox.project("src/plain");
    sandbox.member("src/plain", "maintainer", Role::Maintainer);
    sandbox.commit("src/plain", "c9s", "Start", &[("x", Some("x\n"))]);
    sandbox.branch_at("src/plain", "fix", "c9s");
    sandbox.commit("src/plain", "fix", "Fix", &[("x", Some("y\n"))]);
    sandbox.open("maintainer").from("src/plain", "fix").into("src/plain", "c9s").create();
    sandbox.clear_log();
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    // Whether there is packaging, and whether the bot has said anything there.
    assert_eq!(run.stdout, "1 merge request: 1 unchanged; 9 requests\n");
    let mut asked = writes::requests(sandbox, &sandbox.api_requests());
    asked.retain(|line| line.contains("src/plain"));
    let packaging = "HEAD src/plain/repository/files/.distro%2Fsource-git.yaml";
    assert_eq!(asked, [packaging, "GET src/plain/merge_requests/1/notes"]);
    assert_eq!(world.written(), [""; 0]);
}

#[test]
fn a_namespace_that_cannot_be_listed_keeps_no_other_waiting() {
    let (world, _) = World::with_merge_request();
    world.instance("");
    let path = world.home.path().join("instance.yaml");
    let instance = std::fs::read_to_string(&path).unwrap();
    let gone = "namespaces:\n- source_git: gone/src\n  dist_git: gone/rpms\n";
    std::fs::write(&path, instance.replace("namespaces:\n", gone)).unwrap();
    let run = reconcile(&world, &[]);
    run.ends_with(1);
    assert!(run.stderr.contains("the group gone/src, which the instance's `namespaces` name"), "{}", run.stderr);
    assert!(run.stdout.contains("src/hello!1  synced"), "{}", run.stdout);
    let _ = world.written();
}

#[test]
fn a_token_that_is_no_good_is_tried_once() {
    let (world, _) = World::with_merge_request();
    second_package(&world);
    world.sandbox.expire(&world.token);
    let run = reconcile(&world, &[]);
    run.ends_with(1);
    assert_eq!(world.sandbox.api_requests().len(), 1, "{}", run.stderr);
}
