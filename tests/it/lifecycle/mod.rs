//! The whole life of a pair, each turn of it set off by an event and, where that was lost, found by `reconcile`.

use gitlab_sandbox::{Fault, Role, State};

use crate::support::world::{DIST, SOURCE, World};
use crate::support::{CONFIG, Run};

/// What makes the bot look.
#[derive(Clone, Copy, Debug)]
enum By {
    Sync,
    Reconcile,
}

const BOTH: [By; 2] = [By::Sync, By::Reconcile];

/// A pair that is in step, with nothing to do.
fn pair() -> (World, u64) {
    let (world, iid) = World::with_merge_request();
    world.sandbox.member(SOURCE, "contributor", Role::Developer);
    world.synced(iid);
    (world, iid)
}

fn look(world: &World, iid: u64, by: By) -> Run {
    let run = match by {
        By::Sync => world.sync(iid, &[]),
        By::Reconcile => world.run(world.program().arg("reconcile")),
    };
    assert!([Some(0), Some(3)].contains(&run.status), "{by:?}: {}", run.stderr);
    let _ = world.written();
    // Whatever it was, it is done.
    let again = match by {
        By::Sync => world.sync(iid, &[]),
        By::Reconcile => world.run(world.program().arg("reconcile")),
    };
    assert_eq!(world.written(), [""; 0], "{by:?}: {}", again.stderr);
    run
}

/// What the bot said in a dist-git merge request, the first first.
fn said(world: &World, iid: u64) -> Vec<String> {
    let bot = world.sandbox.inspect(|model| model.user("bot").unwrap().id);
    let notes = world.sandbox.notes(DIST, iid).into_iter();
    notes.filter(|note| note.author == bot && !note.system).map(|note| note.body).collect()
}

/// The state of the merge requests in dist-git, and the branch that each is for.
fn dist_git(world: &World) -> Vec<(State, String)> {
    let mut found = world.sandbox.merge_requests(DIST);
    found.sort_by_key(|found| found.iid);
    found.into_iter().map(|found| (found.state, found.target_branch)).collect()
}

#[test]
fn it_is_closed_and_opened_again_with_its_original() {
    for by in BOTH {
        let (world, iid) = pair();
        world.sandbox.close(SOURCE, iid, "contributor");
        look(&world, iid, by);
        assert_eq!(dist_git(&world), [(State::Closed, "c9s".to_owned())]);
        assert!(world.note(iid).contains("was closed, and the dist-git merge request with it"), "{}", world.note(iid));
        // GitLab shows nothing that still waits.
        for status in world.sandbox.shown_statuses(SOURCE, iid) {
            assert!(!["pending", "running"].contains(&&*status.state), "{by:?}: {}", status.name);
        }
        world.sandbox.reopen(SOURCE, iid, "contributor");
        // An event or the list of open merge requests tells.
        look(&world, iid, by);
        assert_eq!(dist_git(&world), [(State::Opened, "c9s".to_owned())]);
        let said = said(&world, 1);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].contains("was closed, so the bot closes this merge request too"));
        assert!(said[1].contains("was reopened, so the bot reopens this merge request too"));
        assert!(world.note(iid).contains("The dist-git merge request holds this one"));
    }
}

#[test]
fn it_is_opened_again_with_what_was_pushed_meanwhile_where_its_branch_is_gone() {
    let (world, iid) = pair();
    world.sandbox.close(SOURCE, iid, "contributor");
    look(&world, iid, By::Sync);
    world.sandbox.delete_branch("bot/hello", &format!("c9s-src-{iid}"));
    world.sandbox.reopen(SOURCE, iid, "contributor");
    let head = world.change("Say more", &[("MORE", Some("More.\n"))]);
    look(&world, iid, By::Sync);
    assert_eq!(dist_git(&world), [(State::Opened, "c9s".to_owned())]);
    assert!(world.message(iid).contains(&head));
}

#[test]
fn what_a_person_decided_in_dist_git_holds() {
    for by in BOTH {
        let (world, iid) = pair();
        world.sandbox.close(DIST, 1, "maintainer");
        look(&world, iid, by);
        assert!(world.note(iid).contains("was closed there"));
        world.change("Say more", &[("MORE", Some("More.\n"))]);
        look(&world, iid, by);
        assert_eq!(dist_git(&world), [(State::Closed, "c9s".to_owned())]);

        let (world, iid) = pair();
        world.sandbox.close(SOURCE, iid, "contributor");
        look(&world, iid, by);
        world.sandbox.reopen(DIST, 1, "maintainer");
        look(&world, iid, by);
        assert_eq!(dist_git(&world), [(State::Opened, "c9s".to_owned())]);
        assert!(world.note(iid).contains("was opened again there"), "{by:?}: {}", world.note(iid));

        let (world, iid) = pair();
        world.sandbox.merge(DIST, 1, "maintainer");
        look(&world, iid, by);
        assert!(world.note(iid).contains("**The dist-git merge request was merged**"), "{}", world.note(iid));
    }
}

#[test]
fn what_a_person_pushed_is_not_overwritten() {
    for by in BOTH {
        let (world, iid) = pair();
        let branch = format!("c9s-src-{iid}");
        let theirs =
            world.sandbox.commit("bot/hello", &branch, "Fix the spec", &[("hello.spec", Some("Name: hello\n"))]);
        world.change("Say more", &[("MORE", Some("More.\n"))]);
        look(&world, iid, by);
        assert_eq!(world.sandbox.tip("bot/hello", &branch), Some(theirs));
        assert!(world.note(iid).contains("Somebody pushed to the bot's branch"), "{}", world.note(iid));
        world.sandbox.close(SOURCE, iid, "contributor");
        look(&world, iid, by);
        assert_eq!(dist_git(&world), [(State::Closed, "c9s".to_owned())]);
    }
}

#[test]
fn what_is_merged_goes_on_in_dist_git_on_its_own() {
    for by in BOTH {
        let (world, iid) = pair();
        let held = world.sandbox.tip("bot/hello", &format!("c9s-src-{iid}"));
        world.sandbox.merge(SOURCE, iid, "maintainer");
        look(&world, iid, by);
        assert_eq!(dist_git(&world), [(State::Opened, "c9s".to_owned())]);
        // Nothing new is to be tested.
        assert_eq!(world.sandbox.tip("bot/hello", &format!("c9s-src-{iid}")), held);
        let said = said(&world, 1);
        let merge = world.sandbox.merge_request(SOURCE, iid).merge_commit.unwrap();
        assert!(said.len() == 1 && said[0].contains(&format!("was merged as `{}`", &merge[..10])), "{said:?}");

        // Both target branches move on: dist-git's merge request holds what source-git's branch holds, on the new tip.
        world.sandbox.commit(SOURCE, "c9s", "Add a guide", &[("GUIDE", Some("Read.\n"))]);
        world.sandbox.commit(DIST, "c9s", "Rebuild", &[("gating.yaml", Some("x\n"))]);
        look(&world, iid, by);
        assert_eq!(world.patches(iid), ["0001-Return-success.patch", "0002-Add-a-guide.patch"]);
        let tip = world.sandbox.tip(DIST, "c9s").unwrap();
        assert_eq!(world.sandbox.git("bot/hello", &["rev-parse", &format!("c9s-src-{iid}^")]).trim(), tip);
        let target = world.sandbox.tip(SOURCE, "c9s").unwrap();
        assert!(world.message(iid).contains(&format!("From-source-git-commit: {target}")));
        assert!(world.message(iid).contains("Co-authored-by: "), "{}", world.message(iid));

        // Its results are told all the same.
        let pipeline = world.sandbox.mr_pipeline(DIST, 1).jobs(&[("test", "tier0")]).create();
        world.sandbox.set_all_jobs(pipeline, "success");
        look(&world, iid, By::Reconcile);
        let note = world.note(iid);
        assert!(note.contains("**dist-git CI: passed**") && !note.contains("older commit"), "{note}");
    }
}

#[test]
fn a_merge_is_told_in_dist_git_although_dist_git_cannot_follow_it() {
    for by in BOTH {
        // Somebody's commit is on the bot's branch.
        let (world, iid) = pair();
        let branch = format!("c9s-src-{iid}");
        let theirs = world.sandbox.commit("bot/hello", &branch, "Mine", &[("MINE", Some("x\n"))]);
        world.sandbox.merge(SOURCE, iid, "maintainer");
        look(&world, iid, by);
        let merge = world.sandbox.merge_request(SOURCE, iid).merge_commit.unwrap();
        let told = said(&world, 1);
        assert!(told.len() == 1 && told[0].contains(&format!("was merged as `{}`", &merge[..10])), "{by:?}: {told:?}");
        assert!(told[0].contains("may differ from what was merged") && !told[0].contains("in step"), "{told:?}");
        assert_eq!(world.sandbox.tip("bot/hello", &branch), Some(theirs));
        assert!(world.note(iid).contains("Somebody pushed to the bot's branch"), "{}", world.note(iid));

        // What was merged has nothing that dist-git could hold.
        let (world, iid) = pair();
        world.sandbox.merge(SOURCE, iid, "maintainer");
        let broken = [(".distro/source-git.yaml", Some("upstream_ref: v9.9\n"))];
        world.sandbox.commit(SOURCE, "c9s", "Break it", &broken);
        look(&world, iid, by);
        let told = said(&world, 1);
        assert!(told.len() == 1 && told[0].contains("may differ from what was merged"), "{by:?}: {told:?}");
        assert!(world.note(iid).contains("cannot be carried over"), "{}", world.note(iid));
        // Mended, it goes on without another word.
        world.sandbox.commit(SOURCE, "c9s", "Mend it", &[(".distro/source-git.yaml", Some(CONFIG))]);
        look(&world, iid, by);
        assert!(world.note(iid).contains("This merge request was merged."), "{by:?}: {}", world.note(iid));
        assert_eq!(said(&world, 1), told);
    }
}

#[test]
fn what_was_closed_and_then_merged_goes_on_in_dist_git() {
    for by in BOTH {
        let (world, iid) = pair();
        world.sandbox.close(SOURCE, iid, "contributor");
        look(&world, iid, by);
        // No job comes between the two.
        world.sandbox.reopen(SOURCE, iid, "contributor");
        world.sandbox.merge(SOURCE, iid, "maintainer");
        look(&world, iid, by);
        assert_eq!(dist_git(&world), [(State::Opened, "c9s".to_owned())]);
        assert!(world.note(iid).contains("This merge request was merged."), "{by:?}: {}", world.note(iid));
        let said = said(&world, 1);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[1].contains(" was merged as ") && said[1].contains("You can merge this merge request now"),
            "{said:?}"
        );
    }
}

#[test]
fn what_was_merged_before_any_job_saw_it_gets_its_pair() {
    for by in BOTH {
        let (world, iid) = World::with_merge_request();
        world.sandbox.merge(SOURCE, iid, "maintainer");
        look(&world, iid, by);
        assert_eq!(dist_git(&world), [(State::Opened, "c9s".to_owned())], "{by:?}");
        assert_eq!(world.patches(iid), ["0001-Return-success.patch"]);
    }
}

/// A second branch in both repositories.
fn second_branch(world: &World) {
    world.sandbox.branch_at(SOURCE, "c10s", "c9s");
    world.sandbox.branch_at(DIST, "c10s", "c9s");
}

#[test]
fn for_another_target_there_is_another_one_and_back_again() {
    for by in BOTH {
        let (world, iid) = pair();
        second_branch(&world);
        world.sandbox.set_target(SOURCE, iid, "contributor", "c10s");
        look(&world, iid, by);
        let (closed, opened) = (State::Closed, State::Opened);
        assert_eq!(dist_git(&world), [(closed, "c9s".to_owned()), (opened, "c10s".to_owned())]);
        assert!(said(&world, 1)[0].contains("is for the branch `c10s` now"));
        assert!(world.note(iid).contains("rpms/hello!2"));
        world.sandbox.set_target(SOURCE, iid, "contributor", "c9s");
        look(&world, iid, by);
        assert_eq!(dist_git(&world), [(opened, "c9s".to_owned()), (closed, "c10s".to_owned())]);
        assert!(world.note(iid).contains("rpms/hello!1"));
    }
}

#[test]
fn what_somebody_had_merged_into_another_branch_of_dist_git_stays_the_pair() {
    for by in BOTH {
        let (world, iid) = pair();
        second_branch(&world);
        world.sandbox.set_target(DIST, 1, "maintainer", "c10s");
        look(&world, iid, by);
        assert_eq!(dist_git(&world), [(State::Opened, "c10s".to_owned())], "{by:?}");
        world.sandbox.close(SOURCE, iid, "contributor");
        look(&world, iid, by);
        assert_eq!(dist_git(&world), [(State::Closed, "c10s".to_owned())], "{by:?}");
        assert!(world.note(iid).contains("was closed, and the dist-git merge request with it"), "{}", world.note(iid));
        world.sandbox.reopen(SOURCE, iid, "contributor");
        look(&world, iid, by);
        assert_eq!(dist_git(&world), [(State::Opened, "c10s".to_owned())], "{by:?}");
    }
}

#[test]
fn for_a_target_that_is_not_handled_there_is_none() {
    let (world, iid) = pair();
    world.sandbox.set_target(SOURCE, iid, "maintainer", "main");
    look(&world, iid, By::Reconcile);
    assert_eq!(dist_git(&world), [(State::Closed, "c9s".to_owned())]);
    assert!(world.note(iid).contains("for the branch `main` now"), "{}", world.note(iid));
}

#[test]
fn what_is_closed_for_want_of_a_target_is_told_though_somebody_removed_the_note() {
    let (world, iid) = pair();
    world.sandbox.set_target(SOURCE, iid, "maintainer", "main");
    let note =
        world.sandbox.notes(SOURCE, iid).into_iter().find(|note| note.body.contains("source-git-bot v1")).unwrap();
    world.sandbox.arrange(|model| model.notes.remove(&note.id));
    look(&world, iid, By::Reconcile);
    assert!(world.note(iid).contains("for the branch `main` now"), "{}", world.note(iid));
}

#[test]
fn what_ended_as_the_pair_of_another_project_of_this_path_does_not_count() {
    for by in BOTH {
        for end in [State::Closed, State::Merged] {
            let (world, iid) = pair();
            // The source-git project was removed and made anew: the numbers of its merge requests begin at one again.
            let project = world.sandbox.inspect(|model| model.project(SOURCE).unwrap().id);
            let id = world.opened().id;
            world.sandbox.arrange(|model| {
                let description = &mut model.merge_requests.get_mut(&id).unwrap().description;
                assert!(description.contains(&format!("{{\"project\":{project},")));
                *description = description.replace(&format!("{{\"project\":{project},"), "{\"project\":1,");
            });
            match end {
                State::Merged => world.sandbox.merge(DIST, 1, "maintainer"),
                _ => world.sandbox.close(DIST, 1, "maintainer"),
            }
            let head = world.change("Say more", &[("MORE", Some("More.\n"))]);
            look(&world, iid, by);
            assert_eq!(dist_git(&world), [(end, "c9s".to_owned()), (State::Opened, "c9s".to_owned())], "{by:?}");
            assert!(world.message(iid).contains(&head));
            assert!(world.note(iid).contains("rpms/hello!2"), "{}", world.note(iid));
        }
    }
}

#[test]
fn where_a_target_branch_moved_it_is_made_anew() {
    let (world, iid) = pair();
    world.sandbox.commit(DIST, "c9s", "Rebuild", &[("gating.yaml", Some("x\n"))]);
    look(&world, iid, By::Reconcile);
    let tip = world.sandbox.tip(DIST, "c9s").unwrap();
    assert_eq!(world.sandbox.git("bot/hello", &["rev-parse", &format!("c9s-src-{iid}^")]).trim(), tip);
    world.sandbox.commit(SOURCE, "c9s", "Add a guide", &[("GUIDE", Some("Read.\n"))]);
    look(&world, iid, By::Reconcile);
    assert_eq!(world.patches(iid).len(), 2);
}

#[test]
fn what_lost_its_original_is_closed() {
    let (world, iid) = pair();
    world.sandbox.delete_merge_request(SOURCE, iid);
    look(&world, iid, By::Reconcile);
    assert_eq!(dist_git(&world), [(State::Closed, "c9s".to_owned())]);
    assert!(said(&world, 1)[0].contains("does not exist any more"));
    world.sandbox.reopen(DIST, 1, "maintainer");
    look(&world, iid, By::Reconcile);
    assert_eq!(dist_git(&world), [(State::Opened, "c9s".to_owned())]);
}

#[test]
fn where_the_source_project_cannot_be_seen_nothing_is_closed() {
    let (world, _) = pair();
    world.sandbox.set_visibility(SOURCE, gitlab_sandbox::Visibility::Private);
    let run = world.run(world.program().arg("reconcile"));
    assert_eq!(run.status, Some(1), "{}", run.stdout);
    assert_eq!(world.written(), [""; 0]);
    assert_eq!(dist_git(&world), [(State::Opened, "c9s".to_owned())]);
}

#[test]
fn where_the_merge_requests_of_the_source_project_cannot_be_seen_nothing_is_closed() {
    let (world, _) = pair();
    // Somebody made them visible to members only: to anybody else GitLab answers that there is no such merge request.
    world.sandbox.arrange(|model| {
        let id = model.project(SOURCE).unwrap().id;
        model.projects.get_mut(&id).unwrap().takes_merge_requests = false;
    });
    world.sandbox.fail(Fault::on("GET", "/projects/*/merge_requests/1").always().status(404));
    world.sandbox.fail(Fault::on("GET", "/groups/src/merge_requests").answer(200, "application/json", "[]"));
    let run = world.run(world.program().arg("reconcile"));
    assert_eq!(run.status, Some(1), "{}", run.stdout);
    assert_eq!(world.written(), [""; 0]);
    assert_eq!(dist_git(&world), [(State::Opened, "c9s".to_owned())]);
}

#[test]
fn where_the_target_branch_was_deleted_the_note_says_so_and_nobody_is_called() {
    for by in BOTH {
        let (world, iid) = pair();
        let tip = world.sandbox.tip(SOURCE, "c9s").unwrap();
        let held = world.sandbox.tip("bot/hello", &format!("c9s-src-{iid}"));
        world.sandbox.delete_branch(SOURCE, "c9s");
        look(&world, iid, by);
        assert!(world.note(iid).contains("its target branch `c9s` is not there any more"), "{}", world.note(iid));
        assert_eq!(dist_git(&world), [(State::Opened, "c9s".to_owned())]);
        assert_eq!(world.sandbox.tip("bot/hello", &format!("c9s-src-{iid}")), held);
        world.sandbox.branch_at(SOURCE, "c9s", &tip);
        look(&world, iid, by);
        assert!(world.note(iid).contains("The dist-git merge request holds this one"), "{by:?}: {}", world.note(iid));

        // So it is where it was merged before.
        world.sandbox.merge(SOURCE, iid, "maintainer");
        look(&world, iid, by);
        world.sandbox.delete_branch(SOURCE, "c9s");
        look(&world, iid, by);
        assert!(world.note(iid).contains("its target branch `c9s` is not there any more"), "{}", world.note(iid));
        assert_eq!(dist_git(&world), [(State::Opened, "c9s".to_owned())]);
    }
}

#[test]
fn what_may_be_seen_again_is_carried_over_although_no_commit_moved() {
    let (world, iid) = pair();
    let pipeline = world.sandbox.mr_pipeline(DIST, 1).jobs(&[("test", "tier0")]).create();
    world.sandbox.set_all_jobs(pipeline, "success");
    look(&world, iid, By::Reconcile);
    world.sandbox.set_visibility(SOURCE, gitlab_sandbox::Visibility::Internal);
    let head = world.change("Say more", &[("MORE", Some("More.\n"))]);
    look(&world, iid, By::Reconcile);
    assert!(world.note(iid).contains("fewer people may see"), "{}", world.note(iid));
    assert!(!world.message(iid).contains(&head));
    world.sandbox.set_visibility(SOURCE, gitlab_sandbox::Visibility::Public);
    look(&world, iid, By::Reconcile);
    assert!(world.message(iid).contains(&head), "{}", world.note(iid));
}

#[test]
fn what_cannot_be_synced_for_want_of_a_tag_is_once_the_tag_is_there() {
    let (world, iid) = pair();
    let pipeline = world.sandbox.mr_pipeline(DIST, 1).jobs(&[("test", "tier0")]).create();
    world.sandbox.set_all_jobs(pipeline, "success");
    look(&world, iid, By::Reconcile);
    let config = CONFIG.replace("upstream_ref: v1.0", "upstream_ref: v1.0.1");
    let head = world.change("Use the tag of the fix", &[(".distro/source-git.yaml", Some(&config))]);
    for _ in 0..2 {
        let run = look(&world, iid, By::Reconcile);
        assert!(run.stdout.contains("cannot be synced"), "{}", run.stdout);
    }
    world.sandbox.tag(SOURCE, "v1.0.1", "v1.0", None);
    look(&world, iid, By::Reconcile);
    assert!(world.message(iid).contains(&head), "{}", world.note(iid));
}

#[test]
fn where_what_was_merged_cannot_be_carried_over_the_note_names_that_commit() {
    let (world, iid) = pair();
    let broken = CONFIG.replace("upstream_ref: v1.0", "upstream_ref: v9");
    world.change("Break it", &[(".distro/source-git.yaml", Some(&broken))]);
    world.sandbox.merge(SOURCE, iid, "maintainer");
    let tip = world.sandbox.tip(SOURCE, "c9s").unwrap();
    for by in BOTH {
        look(&world, iid, by);
        let note = world.note(iid);
        assert!(note.contains(&format!("**Commit `{}` cannot be carried over:**", &tip[..10])), "{note}");
    }
}

#[test]
fn what_was_reopened_and_cannot_be_carried_over_says_that_dist_gits_stays_closed() {
    let (world, iid) = pair();
    world.sandbox.close(SOURCE, iid, "contributor");
    look(&world, iid, By::Sync);
    world.sandbox.commit(SOURCE, "c9s", "Return two", &[("hello.c", Some("int main(void)\n{\n    return 2;\n}\n"))]);
    world.sandbox.reopen(SOURCE, iid, "contributor");
    look(&world, iid, By::Sync);
    assert!(world.note(iid).contains("its merge request stays closed until"), "{}", world.note(iid));
}

#[test]
fn a_text_is_shown_to_nobody_who_may_not_see_where_it_comes_from() {
    let (world, iid) = pair();
    world.sandbox.set_visibility(SOURCE, gitlab_sandbox::Visibility::Private);
    world.sandbox.member(SOURCE, "bot", Role::Reporter);
    world.sandbox.set_title(SOURCE, iid, "contributor", "Fix the hole that nobody may know of");
    for by in BOTH {
        look(&world, iid, by);
        assert_eq!(world.opened().title, "Return success");
        assert!(world.note(iid).contains("fewer people may see"), "{}", world.note(iid));
    }
    world.sandbox.merge(SOURCE, iid, "maintainer");
    world.sandbox.set_description(SOURCE, iid, "contributor", "CVE-2026-0001, and how to use it.");
    for by in BOTH {
        look(&world, iid, by);
        assert!(!world.opened().description.contains("CVE"), "{}", world.opened().description);
    }
}

#[test]
fn what_a_person_writes_while_a_job_is_at_work_is_not_lost() {
    let (world, iid) = pair();
    world.sandbox.set_title(SOURCE, iid, "contributor", "Return 0");
    world.change("Say more", &[("MORE", Some("More.\n"))]);
    let (handle, written) = (world.sandbox.handle(), "See RHEL-9 first.\n\n");
    let before = world.opened().description;
    // While dist-git is fetched, or right before the bot closes its merge request.
    world.sandbox.fail(Fault::on("GET", "*/rpms/hello.git/info/refs*").meanwhile(move || {
        handle.set_description(DIST, 1, "maintainer", &format!("{written}{before}"));
    }));
    look(&world, iid, By::Sync);
    let opened = world.opened();
    assert!(opened.description.starts_with(written), "{}", opened.description);
    assert_eq!(opened.title, "Return 0");

    world.sandbox.close(SOURCE, iid, "contributor");
    let (handle, before, more) = (world.sandbox.handle(), opened.description, "\n\nSee RHEL-10, too.");
    world.sandbox.after_each_write(move |write| {
        if write.path.ends_with("/notes") {
            handle.set_description(DIST, 1, "maintainer", &format!("{before}{more}"));
        }
    });
    world.sync(iid, &[]).ends_with(0);
    world.sandbox.clear_write_hooks();
    look(&world, iid, By::Sync);
    let closed = world.opened();
    assert!(closed.state == State::Closed && closed.description.ends_with(more), "{}", closed.description);
}

#[test]
fn where_the_bots_forks_are_elsewhere_now_the_change_goes_on_from_there() {
    let (world, iid) = pair();
    world.sandbox.group("rpms/forks", gitlab_sandbox::Visibility::Public);
    world.sandbox.group_member("rpms/forks", "bot", Role::Maintainer);
    world.instance("forks: {group: rpms/forks}\n");
    look(&world, iid, By::Sync);
    let both = [(State::Closed, "c9s".to_owned()), (State::Opened, "c9s".to_owned())];
    assert_eq!(dist_git(&world), both);
    assert!(said(&world, 1)[0].contains("The bot's branches are in another project now"));
    assert!(world.note(iid).contains(&format!("[{DIST}!2]")), "{}", world.note(iid));
    assert!(world.sandbox.tip("rpms/forks/hello", &format!("c9s-src-{iid}")).is_some());
    // Whoever opens the old one again wants it open; closed again by a person or not, it is not the bot's any more.
    world.sandbox.reopen(DIST, 1, "maintainer");
    look(&world, iid, By::Sync);
    assert_eq!(dist_git(&world)[0].0, State::Opened);
    world.sandbox.close(DIST, 1, "maintainer");
    // Closed with its original, the new one is opened again, not the old one.
    world.sandbox.close(SOURCE, iid, "contributor");
    look(&world, iid, By::Sync);
    world.sandbox.reopen(SOURCE, iid, "contributor");
    look(&world, iid, By::Sync);
    assert_eq!(dist_git(&world), both);
}
