//! What becomes of the dist-git merge request when the source-git one is closed, reopened, merged or retargeted, and when
//! people decide otherwise.

use crate::pair::sync_plan::tests::*;

/// A pair that is in step.
fn pair(report: &Report) -> SyncFacts<'_> {
    let mut observed = observed(report);
    settle(&mut observed);
    observed
}

fn close(observed: &mut SyncFacts<'_>) {
    observed.source.state = RequestState::Closed;
    observed.content = WantedContent::Closed;
}

fn reopen<'a>(observed: &mut SyncFacts<'a>, report: &'a Report) {
    observed.source.state = RequestState::Opened;
    observed.content = content(report);
}

fn by_person(observed: &mut SyncFacts<'_>, state: RequestState) {
    let closed_by = (state == RequestState::Closed).then_some(PERSON);
    (observed.merge_requests[0].state, observed.merge_requests[0].closed_by) = (state, closed_by);
}

fn committed_by(observed: &mut SyncFacts<'_>, by: Committer) {
    let BranchState::At(tip) = &mut observed.branch else { unreachable!("it is a pair") };
    tip.by = by;
}

fn note<'a>(observed: &'a SyncFacts<'_>) -> &'a str {
    &observed.notes[0].body
}

#[test]
fn it_is_closed_with_it_and_opened_again_with_it_as_often_as_that_happens() {
    let report = report();
    let mut pair = pair(&report);
    for _ in 0..2 {
        close(&mut pair);
        assert_eq!(
            settle(&mut pair),
            (vec!["tell Closed".into(), "Close".into(), "edit note".into()], SyncOutcome::Done)
        );
        assert!(note(&pair).contains("was closed, and the dist-git merge request with it"));
        // The branch may be gone by then.
        pair.branch = BranchState::Missing;
        reopen(&mut pair, &report);
        assert_eq!(settle(&mut pair).0, ["push", "tell Reopened", "Reopen", "edit note"]);
        assert_eq!((pair.merge_requests.len(), pair.merge_requests[0].state), (1, RequestState::Opened));
    }
}

#[test]
fn a_run_that_broke_off_while_it_closed_or_opened_says_nothing_twice() {
    let report = report();
    let mut open = pair(&report);
    close(&mut open);
    let mut closed = open.clone();
    settle(&mut closed);
    reopen(&mut closed, &report);
    for whole in [open, closed] {
        let steps = sync(&whole).steps;
        for survived in 0..steps.len() {
            let mut observed = whole.clone();
            done(&mut observed, &steps[..survived]);
            assert_eq!(settle(&mut observed).0.len(), steps.len() - survived);
        }
    }
}

#[test]
fn what_a_person_closed_stays_closed_and_what_a_person_reopened_stays_open() {
    let report = report();
    let mut closed = pair(&report);
    by_person(&mut closed, RequestState::Closed);
    close(&mut closed);
    assert_eq!(settle(&mut closed).0, ["edit note"]);
    assert!(note(&closed).contains("was closed there"));
    reopen(&mut closed, &report);
    assert_eq!(settle(&mut closed).0, Vec::<String>::new());

    let mut reopened = pair(&report);
    close(&mut reopened);
    settle(&mut reopened);
    by_person(&mut reopened, RequestState::Opened);
    assert_eq!(settle(&mut reopened).0, ["edit note"]);
    assert!(note(&reopened).contains("opened again there"));
    // Who reopened it may close it again: then that holds, whatever the bot did before.
    by_person(&mut reopened, RequestState::Closed);
    reopen(&mut reopened, &report);
    settle(&mut reopened);
    assert_eq!(reopened.merge_requests[0].state, RequestState::Closed);
    assert!(note(&reopened).contains("was closed there"));
}

#[test]
fn what_is_merged_stays_open_for_its_maintainers_and_follows_the_target_branch() {
    let report = report();
    let mut pair = pair(&report);
    pair.source.state = RequestState::Merged;
    pair.source.merged_as = Some(commit_id(40));
    pair.source.head = commit_id(41);
    let (steps, _) = settle(&mut pair);
    let merged = format!("tell {:?}", Announcement::Merged { commit: Some(commit_id(40)) });
    // What dist-git's CI has tested stays as it is.
    assert_eq!(steps, [&merged, "edit description", "edit note"]);
    assert!(note(&pair).contains(&format!("\"commit\":\"{}\"", commit_id(7))), "{}", note(&pair));
    assert!(note(&pair).contains("This merge request was merged.") && note(&pair).contains("holds the branch `c9s`"));
    assert_eq!(pair.merge_requests[0].state, RequestState::Opened);
    // Something else was merged since.
    pair.source.head = commit_id(42);
    held(&mut pair).tree = tree(42);
    assert_eq!(settle(&mut pair).0, ["push", "edit note"]);
    by_person(&mut pair, RequestState::Merged);
    assert_eq!(settle(&mut pair).0, ["edit note"]);
    assert!(note(&pair).contains("was merged**"));
}

#[test]
fn a_merge_is_told_once_where_dist_git_cannot_follow_it_and_nothing_is_promised() {
    let report = report();
    let merged = |case: &dyn Fn(&mut SyncFacts<'_>)| {
        let mut pair = pair(&report);
        pair.source.state = RequestState::Merged;
        pair.source.merged_as = Some(commit_id(40));
        pair.source.head = commit_id(41);
        case(&mut pair);
        let before = pair.merge_requests[0].clone();
        let (steps, outcome) = settle(&mut pair);
        let announced = format!("tell {:?}", Announcement::MergedApart { commit: Some(commit_id(40)) });
        assert_eq!(
            (steps, outcome),
            (vec![announced, "edit description".into(), "edit note".into()], SyncOutcome::CannotBeSynced)
        );
        assert_eq!(pair.merge_requests[0].title, before.title);
        pair
    };
    let mut pushed = merged(&|pair| committed_by(pair, Committer::Person));
    merged(&|pair| pair.content = WantedContent::Blocked(Blocked::LessVisible));
    merged(&|pair| {
        held(pair).tree = tree(42);
        pair.visibility.source = Visibility::Private;
    });
    // Once it can follow, it does without another word.
    committed_by(&mut pushed, Committer::Bot);
    assert_eq!(settle(&mut pushed).0, ["edit note"]);
}

#[test]
fn what_was_merged_before_it_had_a_pair_gets_one() {
    let report = report();
    let mut observed = observed(&report);
    observed.source.state = RequestState::Merged;
    assert_eq!(settle(&mut observed).0, ["push", "open", "note"]);
}

/// The pair of a merge request that is for another branch now.
fn retargeted(report: &Report) -> SyncFacts<'_> {
    let mut pair = pair(report);
    pair.left_behind = std::mem::take(&mut pair.merge_requests);
    pair.branch = BranchState::Missing;
    pair.source.target = "c10s".parse().unwrap();
    pair.branch_name = "c10s-src-7".parse().unwrap();
    pair
}

#[test]
fn for_another_branch_there_is_another_one() {
    let report = report();
    let mut pair = retargeted(&report);
    let announced = format!("tell {:?}", Announcement::Retargeted { to: "c10s".parse().unwrap() });
    assert_eq!(settle(&mut pair).0, [&*announced, "Close", "push", "open", "edit note"]);
    assert_eq!(pair.left_behind[0].state, RequestState::Closed);
    // Back again: what the bot closed is opened.
    std::mem::swap(&mut pair.left_behind, &mut pair.merge_requests);
    pair.source.target = "c9s".parse().unwrap();
    pair.branch_name = "c9s-src-7".parse().unwrap();
    pair.branch = BranchState::Missing;
    let (steps, _) = settle(&mut pair);
    assert!(steps.contains(&"tell Returned".to_owned()) && steps.contains(&"Reopen".to_owned()), "{steps:?}");
    assert_eq!(pair.merge_requests[0].state, RequestState::Opened);
    assert_eq!(pair.left_behind[0].state, RequestState::Closed);
}

#[test]
fn for_a_branch_that_is_not_handled_there_is_none() {
    let report = report();
    let mut pair = retargeted(&report);
    pair.content = WantedContent::NotHandled;
    let (steps, _) = settle(&mut pair);
    assert_eq!(steps[1..], ["Close", "edit note"]);
    assert!(note(&pair).contains("for the branch `c10s` now"));
}

#[test]
fn recreate_overrules_people_and_says_so() {
    let report = report();
    let mut closed = pair(&report);
    by_person(&mut closed, RequestState::Closed);
    closed.mode = SyncMode::Recreate;
    let steps = sync(&closed).steps;
    let mut after = closed.clone();
    done(&mut after, &steps);
    assert_eq!(after.merge_requests[0].state, RequestState::Opened);

    let mut merged = pair(&report);
    by_person(&mut merged, RequestState::Merged);
    merged.mode = SyncMode::Recreate;
    assert_eq!(names(&sync(&merged)), ["open", "edit note"]);

    let mut pushed = pair(&report);
    let BranchState::At(tip) = &mut pushed.branch else { panic!() };
    (tip.by, tip.commit, tip.tree) = (Committer::Person, commit_id(66), tree(66));
    assert_eq!(settle(&mut pushed), (vec!["edit note".to_owned()], SyncOutcome::CannotBeSynced));
    pushed.mode = SyncMode::Recreate;
    let overwritten = format!("tell {:?}", Announcement::Overwritten { was: commit_id(66) });
    assert_eq!(settle(&mut pushed), (vec![overwritten, "push".into(), "edit note".into()], SyncOutcome::Done));
}

#[test]
fn what_lost_its_fork_cannot_be_opened_again_so_there_is_a_new_one() {
    let report = report();
    let mut pair = pair(&report);
    close(&mut pair);
    settle(&mut pair);
    pair.merge_requests[0].origin = BranchOrigin::Gone;
    pair.branch = BranchState::Missing;
    reopen(&mut pair, &report);
    assert_eq!(names(&sync(&pair)), ["push", "open", "edit note"]);
}
