//! The status issue: opened when something needs a person, closed when nothing does, and edited in place.

use std::thread;

use gitlab_sandbox::{Fault, Role, Visibility};

use super::world::{BOT, issue, reconcile, settle, watch, watched};
use crate::support::world::{DIST, FORK, SOURCE, World};
use crate::support::{CONFIG, SPEC};

#[test]
fn it_is_confidential_closed_where_all_is_well_and_written_only_where_something_is_new() {
    let (world, _) = watched();
    reconcile(&world, &[]).ends_with(0);
    let first = issue(&world);
    assert_eq!((first.title.as_str(), first.confidential, first.open), ("Status of instance", true, false));
    assert!(first.description.starts_with("**All is well:** nothing needs a person.\n"), "{}", first.description);
    assert!(first.description.contains("| in step with dist-git | 1 |"), "{}", first.description);
    settle(&world);
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(world.written(), [""; 0]);
    let comments: Vec<_> = issue(&world).notes.into_iter().filter(|note| !note.system).collect();
    assert_eq!(comments.len(), 1, "{comments:#?}");
    assert!(comments[0].body.starts_with("`reconcile` last ran at **20"), "{}", comments[0].body);
}

#[test]
fn what_fails_again_and_again_opens_it_and_what_goes_well_closes_it() {
    let (world, _) = watched();
    settle(&world);
    world.change("Say more", &[("MORE", Some("More.\n"))]);
    for (run, open) in [(1, false), (2, true)] {
        world.sandbox.fail(Fault::on("GET", "/projects/*/repository/commits/*").times(20).status(500));
        world.sandbox.fail(Fault::on("GET", "/projects/*/merge_requests/1").times(5).status(500));
        reconcile(&world, &[]).ends_with(5);
        world.sandbox.clear_faults();
        assert_eq!(issue(&world).open, open, "run {run}: {}", issue(&world).description);
    }
    let said = issue(&world).description;
    assert!(said.starts_with("**One thing needs a person:**\n\n- [`src/hello!1`]("), "{said}");
    assert!(said.contains("failed in 2 runs in a row: ") && said.contains("| failed | 1 |"), "{said}");
    settle(&world);
    assert!(!issue(&world).open);
    assert!(issue(&world).description.starts_with("**All is well:**"));
}

#[test]
fn a_place_that_is_missing_in_dist_git_opens_it_and_a_conflict_does_not() {
    for without_graphql in [None, Some(Fault::on("POST", "/api/graphql").always().status(404))] {
        let (world, _) = watched();
        if let Some(fault) = without_graphql {
            world.sandbox.fail(fault);
        }
        let two = "int main(void)\n{\n    return 2;\n}\n";
        world.sandbox.commit(SOURCE, "c9s", "Return two", &[("hello.c", Some(two))]);
        reconcile(&world, &[]).ends_with(0);
        let said = issue(&world);
        assert!(!said.open && said.description.contains("| cannot be synced: see below | 1 |"), "{}", said.description);
        assert!(said.description.contains("### Cannot be synced: their authors were told\n\n- [`src/hello!1`]("));

        world.sandbox.branch_at(SOURCE, "c11s", "c9s");
        world.sandbox.branch_at(FORK, "other", "fix");
        world.sandbox.open("contributor").from(FORK, "other").into(SOURCE, "c11s").create();
        reconcile(&world, &[]).ends_with(0);
        let said = issue(&world);
        assert!(said.open, "{}", said.description);
        assert!(
            said.description.contains("- [`src/hello!2`](") && said.description.contains("has no place in dist-git")
        );

        world.sandbox.branch_at(DIST, "c11s", "c9s");
        settle(&world);
        assert!(!issue(&world).open, "{}", issue(&world).description);
    }
}

#[test]
fn it_warns_of_a_token_that_expires_and_of_webhooks_that_gitlab_does_not_call() {
    let (world, _) = watched();
    world.sandbox.expires_at(&world.token, "2026-01-01");
    world.sandbox.group_member("src", "bot", Role::Owner);
    let [disabled, called] =
        ["src", "src"].map(|group| world.sandbox.group_hook(group, "https://bot.example/hook").create());
    // GitLab gives up after forty failures in a row.
    world.sandbox.arrange(|model| model.webhooks.get_mut(&disabled).unwrap().recent_failures = 40);
    reconcile(&world, &[]).ends_with(0);
    let said = issue(&world);
    assert!(said.open);
    assert!(said.description.starts_with("**2 things need a person:**\n"), "{}", said.description);
    assert!(said.description.contains("The bot's token expires on **2026-01-01**"), "{}", said.description);
    assert!(
        said.description.contains(&format!("GitLab has disabled webhook {disabled} of `src` permanently")),
        "{}",
        said.description
    );
    assert!(!said.description.contains(&format!("webhook {called}")), "{}", said.description);
    settle(&world);
    // Asked once a day, and not at all where that is not allowed.
    reconcile(&world, &[]).ends_with(0);
    let asked = world.sandbox.api_requests().into_iter().filter(|request| request.path.ends_with("/hooks"));
    assert_eq!(asked.count(), 0);
}

#[test]
fn webhooks_that_are_not_to_be_seen_are_said_to_be_so() {
    let (world, _) = watched();
    reconcile(&world, &[]).ends_with(0);
    let said = issue(&world).description;
    assert!(said.contains("The bot's role does not let it see whether GitLab has disabled webhooks"), "{said}");
    let _ = world.written();
}

#[test]
fn what_a_person_writes_into_it_goes_and_what_they_write_below_stays() {
    let (world, _) = watched();
    settle(&world);
    let before = issue(&world);
    world.sandbox.set_issue_description(BOT, before.iid, "maintainer", &format!("Mine.\n\n{}", before.description));
    world.sandbox.issue_note(BOT, before.iid, "maintainer", "I see to it.");
    reconcile(&world, &[]).ends_with(0);
    assert_eq!(issue(&world).description, before.description);
    assert!(issue(&world).notes.iter().any(|note| note.body == "I see to it."));
    assert_eq!(world.written(), ["PUT ops/bot/issues/1"]);
}

#[test]
fn an_issue_whose_whole_text_somebody_overwrote_stays_the_only_one() {
    let (world, _) = watched();
    settle(&world);
    let before = issue(&world);
    world.sandbox.set_issue_description(BOT, before.iid, "maintainer", "Mine.");
    reconcile(&world, &[]).ends_with(0);
    assert_eq!((issue(&world).iid, issue(&world).description), (before.iid, before.description));
    assert_eq!(world.written(), ["PUT ops/bot/issues/1"]);
}

#[test]
fn a_dry_run_shows_it_and_writes_nothing() {
    let (world, _) = watched();
    let run = reconcile(&world, &["--dry-run"]);
    run.ends_with(0);
    assert!(run.stdout.contains("the status issue, not written (dry run):\n  **All is well:**"), "{}", run.stdout);
    let json = reconcile(&world, &["--dry-run", "--output", "json"]).json();
    assert!(json["status_issue"].as_str().unwrap().starts_with("**All is well:**"));
    assert_eq!(world.written(), [""; 0]);
    assert!(world.sandbox.issues(BOT).is_empty());
}

#[test]
fn a_bot_project_that_cannot_be_read_fails_the_run_and_holds_nothing_up() {
    let (world, _) = World::with_merge_request();
    watch(&world);
    world.sandbox.remove_member(BOT, "bot");
    let run = reconcile(&world, &[]);
    run.ends_with(1);
    assert!(
        run.stderr.contains("the status issue in ops/bot, which the instance's `bot_project` names"),
        "{}",
        run.stderr
    );
    assert!(run.stdout.contains("src/hello!1  synced"), "{}", run.stdout);
    let _ = world.written();
}

#[test]
fn several_runs_and_events_at_once_lose_and_double_nothing() {
    let (world, iid) = watched();
    let sandbox = &world.sandbox;
    for project in ["src/other", "rpms/other"] {
        sandbox.project_with(project, Visibility::Public);
        sandbox.member(project, "maintainer", Role::Maintainer);
    }
    let (spec, config) = (SPEC.replace("hello", "other"), CONFIG.replace("hello", "other"));
    sandbox.commit("src/other", "main", "Other 1.0", &[("other.c", Some("int x;\n"))]);
    sandbox.tag("src/other", "v1.0", "main", None);
    sandbox.branch_at("src/other", "c9s", "v1.0");
    let packaging = [(".distro/other.spec", Some(&*spec)), (".distro/source-git.yaml", Some(&*config))];
    sandbox.commit("src/other", "c9s", "Add packaging", &packaging);
    sandbox.commit("rpms/other", "c9s", "Import other", &[("other.spec", Some(&*spec)), ("sources", Some("x\n"))]);
    sandbox.branch_at("src/other", "fix", "c9s");
    sandbox.commit("src/other", "fix", "Rename", &[("other.c", Some("int y;\n"))]);
    sandbox.open("maintainer").from("src/other", "fix").into("src/other", "c9s").title("Rename").create();

    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| reconcile(&world, &[]));
            // What an event comes to.
            scope.spawn(|| world.sync(iid, &[]));
        }
    });
    // Whoever was in whose way: what is missing is made good.
    settle(&world);
    settle(&world);
    for (project, source) in [(DIST, SOURCE), ("rpms/other", "src/other")] {
        assert_eq!(world.sandbox.merge_requests(project).len(), 1, "{project}");
        let own =
            world.sandbox.notes(source, 1).into_iter().filter(|note| note.body.contains("source-git-bot v1: note"));
        assert_eq!(own.count(), 1, "{source}");
    }
    let kept: Vec<_> = world
        .sandbox
        .issues(BOT)
        .into_iter()
        .filter(|issue| issue.description.contains("source-git-bot v1: status \"instance\""))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:#?}");
    let memories = kept[0].notes.iter().filter(|note| note.body.contains("source-git-bot v1: memory"));
    assert_eq!(memories.count(), 1);
    assert!(world.sandbox.issues(BOT).iter().all(|issue| !issue.open));
    let run = reconcile(&world, &[]);
    assert!(run.stdout.starts_with("2 merge requests: 2 unchanged; "), "{}", run.stdout);
    assert_eq!(world.written(), [""; 0]);
}
