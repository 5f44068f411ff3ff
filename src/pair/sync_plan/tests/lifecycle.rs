//! What happens to the dist-git merge request when the source-git one is closed, reopened, merged or retargeted, and
//! when people decide otherwise.

use crate::pair::sync_plan::tests::*;

/// Returns the facts of a pair that is up to date.
fn pair(report: &TransformReport) -> SyncFacts<'_> {
    let mut facts = facts(report);
    settle(&mut facts);
    facts
}

fn close(facts: &mut SyncFacts<'_>) {
    facts.source.state = RequestState::Closed;
    facts.content = WantedContent::Closed;
}

fn reopen<'a>(facts: &mut SyncFacts<'a>, report: &'a TransformReport) {
    facts.source.state = RequestState::Opened;
    facts.content = content(report);
}

fn by_person(facts: &mut SyncFacts<'_>, state: RequestState) {
    let closed_by = (state == RequestState::Closed).then_some(PERSON);
    (facts.merge_requests[0].state, facts.merge_requests[0].closed_by) = (state, closed_by);
}

fn committed_by(facts: &mut SyncFacts<'_>, by: Committer) {
    let BranchState::At(tip) = &mut facts.branch else { unreachable!("it is a pair") };
    tip.by = by;
}

fn note<'a>(facts: &'a SyncFacts<'_>) -> &'a str {
    &facts.notes[0].body
}

#[test]
fn closes_and_reopens_with_the_source_git_one_any_number_of_times() {
    let report = report();
    let mut pair = pair(&report);
    for _ in 0..2 {
        close(&mut pair);
        assert_eq!(
            settle(&mut pair),
            (vec!["announce Closed".into(), "Close".into(), "edit note".into()], SyncOutcome::Done)
        );
        assert!(note(&pair).contains("was closed, and the dist-git merge request with it"));
        // The branch may be gone by then.
        pair.branch = BranchState::Missing;
        reopen(&mut pair, &report);
        assert_eq!(settle(&mut pair).0, ["push", "announce Reopened", "Reopen", "edit note"]);
        assert_eq!((pair.merge_requests.len(), pair.merge_requests[0].state), (1, RequestState::Opened));
    }
}

#[test]
fn announces_nothing_twice_after_a_run_that_broke_off() {
    let report = report();
    let mut open = pair(&report);
    close(&mut open);
    let mut closed = open.clone();
    settle(&mut closed);
    reopen(&mut closed, &report);
    for whole in [open, closed] {
        let steps = plan(&whole).steps;
        for survived in 0..steps.len() {
            let mut facts = whole.clone();
            apply(&mut facts, &steps[..survived]);
            assert_eq!(settle(&mut facts).0.len(), steps.len() - survived);
        }
    }
}

#[test]
fn what_people_closed_stays_closed_and_what_they_reopened_stays_open() {
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
    // Whoever reopened it may close it again. That decides, whatever the bot did before.
    by_person(&mut reopened, RequestState::Closed);
    reopen(&mut reopened, &report);
    settle(&mut reopened);
    assert_eq!(reopened.merge_requests[0].state, RequestState::Closed);
    assert!(note(&reopened).contains("was closed there"));
}

#[test]
fn after_a_merge_stays_open_for_the_maintainers_and_follows_the_target_branch() {
    let report = report();
    let mut pair = pair(&report);
    pair.source.state = RequestState::Merged;
    pair.source.merged_as = Some(commit_id(40));
    pair.source.head = commit_id(41);
    let (steps, _) = settle(&mut pair);
    let merged = format!("announce {:?}", Announcement::Merged { commit: Some(commit_id(40)) });
    // What dist-git's CI has tested stays as it is.
    assert_eq!(steps, [&merged, "edit description", "edit note"]);
    assert!(note(&pair).contains(&format!("\"commit\":\"{}\"", commit_id(7))), "{}", note(&pair));
    assert!(note(&pair).contains("This merge request was merged.") && note(&pair).contains("holds the branch `c9s`"));
    assert_eq!(pair.merge_requests[0].state, RequestState::Opened);
    // Something else was merged since.
    pair.source.head = commit_id(42);
    wanted(&mut pair).tree = tree(42);
    assert_eq!(settle(&mut pair).0, ["push", "edit note"]);
    by_person(&mut pair, RequestState::Merged);
    assert_eq!(settle(&mut pair).0, ["edit note"]);
    assert!(note(&pair).contains("was merged**"));
}

#[test]
fn announces_a_merge_once_if_dist_git_cannot_follow_it() {
    let report = report();
    let merged = |case: &dyn Fn(&mut SyncFacts<'_>)| {
        let mut pair = pair(&report);
        pair.source.state = RequestState::Merged;
        pair.source.merged_as = Some(commit_id(40));
        pair.source.head = commit_id(41);
        case(&mut pair);
        let before = pair.merge_requests[0].clone();
        let (steps, outcome) = settle(&mut pair);
        let announced = format!("announce {:?}", Announcement::MergedApart { commit: Some(commit_id(40)) });
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
        wanted(pair).tree = tree(42);
        pair.visibility.source = Visibility::Private;
    });
    // Once it can follow, it does without another word.
    committed_by(&mut pushed, Committer::Bot);
    assert_eq!(settle(&mut pushed).0, ["edit note"]);
}

#[test]
fn a_merge_request_that_was_merged_without_a_pair_gets_one() {
    let report = report();
    let mut facts = facts(&report);
    facts.source.state = RequestState::Merged;
    assert_eq!(settle(&mut facts).0, ["push", "open", "note"]);
}

/// Returns the facts of a merge request that is for another branch now.
fn retargeted(report: &TransformReport) -> SyncFacts<'_> {
    let mut pair = pair(report);
    pair.left_behind = std::mem::take(&mut pair.merge_requests);
    pair.branch = BranchState::Missing;
    pair.source.target = "c10s".parse().unwrap();
    pair.branch_name = "c10s-src-7".parse().unwrap();
    pair
}

#[test]
fn another_target_branch_gets_another_merge_request() {
    let report = report();
    let mut pair = retargeted(&report);
    let announced = format!("announce {:?}", Announcement::Retargeted { to: "c10s".parse().unwrap() });
    assert_eq!(settle(&mut pair).0, [&*announced, "Close", "push", "open", "edit note"]);
    assert_eq!(pair.left_behind[0].state, RequestState::Closed);
    // Back again: what the bot closed is opened.
    std::mem::swap(&mut pair.left_behind, &mut pair.merge_requests);
    pair.source.target = "c9s".parse().unwrap();
    pair.branch_name = "c9s-src-7".parse().unwrap();
    pair.branch = BranchState::Missing;
    let (steps, _) = settle(&mut pair);
    assert!(steps.contains(&"announce Returned".to_owned()) && steps.contains(&"Reopen".to_owned()), "{steps:?}");
    assert_eq!(pair.merge_requests[0].state, RequestState::Opened);
    assert_eq!(pair.left_behind[0].state, RequestState::Closed);
}

#[test]
fn a_branch_that_is_not_handled_gets_no_merge_request() {
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
    let steps = plan(&closed).steps;
    let mut after = closed.clone();
    apply(&mut after, &steps);
    assert_eq!(after.merge_requests[0].state, RequestState::Opened);

    let mut merged = pair(&report);
    by_person(&mut merged, RequestState::Merged);
    merged.mode = SyncMode::Recreate;
    assert_eq!(names(&plan(&merged)), ["open", "edit note"]);

    let mut pushed = pair(&report);
    let BranchState::At(tip) = &mut pushed.branch else { panic!() };
    (tip.by, tip.commit, tip.tree) = (Committer::Person, commit_id(66), tree(66));
    assert_eq!(settle(&mut pushed), (vec!["edit note".to_owned()], SyncOutcome::CannotBeSynced));
    pushed.mode = SyncMode::Recreate;
    let overwritten = format!("announce {:?}", Announcement::Overwritten { was: commit_id(66) });
    assert_eq!(settle(&mut pushed), (vec![overwritten, "push".into(), "edit note".into()], SyncOutcome::Done));
}

#[test]
fn opens_a_new_merge_request_if_the_fork_of_the_old_one_is_gone() {
    let report = report();
    let mut pair = pair(&report);
    close(&mut pair);
    settle(&mut pair);
    pair.merge_requests[0].origin = BranchOrigin::Gone;
    pair.branch = BranchState::Missing;
    reopen(&mut pair, &report);
    assert_eq!(names(&plan(&pair)), ["push", "open", "edit note"]);
}
