use crate::pair::facts::{LastAnnouncement, PairVisibility};
use crate::pair::sync_plan::*;
use crate::pair::title::Draft;
use crate::transform::report::{AppliedBySpec, FORMAT, MergeReport, ProofReport, Report, Upstream};
use crate::types::{ProjectId, Refusal, UserId, Visibility};

const BOT: UserId = UserId(1);
const PERSON: UserId = UserId(2);

fn commit_id(n: u8) -> CommitId {
    CommitId::from_bytes([n; 20])
}

fn tree(n: u8) -> TreeId {
    TreeId::from_bytes([n; 20])
}

fn report() -> Report {
    Report {
        format: FORMAT,
        package: None,
        source: commit_id(7),
        upstream: Upstream { name: "v1".to_owned(), commit: commit_id(6) },
        patches: Vec::new(),
        files: Vec::new(),
        merges: MergeReport::None,
        proof: ProofReport {
            patches: 0,
            tree: tree(9),
            verified: true,
            applied_by_spec: AppliedBySpec::Yes,
            outside: Vec::new(),
        },
        findings: Vec::new(),
    }
}

fn content(report: &Report) -> WantedContent<'_> {
    WantedContent::Content(DistGitContent {
        tree: tree(2),
        base: commit_id(1),
        base_tree: tree(1),
        report,
        upstream: None,
    })
}

/// What dist-git should hold, to be changed.
fn held<'a, 'b>(observed: &'b mut SyncFacts<'a>) -> &'b mut DistGitContent<'a> {
    match &mut observed.content {
        WantedContent::Content(content) => content,
        _ => panic!("there is no content"),
    }
}

/// A merge request that nothing was done for yet.
fn observed(report: &Report) -> SyncFacts<'_> {
    let visibility = Visibility::Public;
    SyncFacts {
        bot: BOT,
        source: SourceMergeRequest {
            project: ProjectId(11),
            path: "src/hello".parse().unwrap(),
            iid: MergeRequestIid(7),
            url: "https://gitlab.example/src/hello/-/merge_requests/7".to_owned(),
            state: RequestState::Opened,
            merged_as: None,
            title: "Fix it".to_owned(),
            description: "It was broken.".to_owned(),
            draft: Draft::No,
            target: "c9s".parse().unwrap(),
            head: commit_id(7),
            base: Some(commit_id(4)),
            authors: Vec::new(),
            statuses: None,
        },
        notes: Vec::new(),
        visibility: PairVisibility {
            source: visibility,
            source_fork: visibility,
            dist_git: visibility,
            bot_fork: visibility,
        },
        branch: BranchState::Missing,
        branch_name: "c9s-src-7".parse().unwrap(),
        dist_git: "rpms/hello".parse().unwrap(),
        merge_requests: Vec::new(),
        left_behind: Vec::new(),
        announced: Vec::new(),
        labels: vec!["source-git".to_owned()],
        content: content(report),
        mode: SyncMode::Follow,
    }
}

/// Does the steps to what was observed, as GitLab would.
fn done(observed: &mut SyncFacts<'_>, steps: &[SyncStep<'_>]) {
    let project = observed.dist_git.clone();
    for step in steps {
        let opened = |observed: &SyncFacts<'_>| {
            observed.merge_requests.last().map(|merge_request| DistGitLink {
                project: project.clone(),
                merge_request: merge_request.iid,
                url: merge_request.url.clone(),
            })
        };
        match step {
            SyncStep::PushBranch { expected, tree, parent, message, .. } => {
                let at = match &observed.branch {
                    BranchState::Missing => None,
                    BranchState::At(tip) => Some(tip.commit),
                };
                assert_eq!(*expected, at);
                let (parent, message) = (Some(*parent), message.clone());
                observed.branch = BranchState::At(BranchTip {
                    commit: commit_id(20),
                    by: Committer::Bot,
                    parent,
                    tree: *tree,
                    message,
                });
            }
            SyncStep::OpenMergeRequest { title, description, .. } => {
                observed.merge_requests.push(DistGitMergeRequest {
                    iid: MergeRequestIid(if observed.left_behind.is_empty() { 5 } else { 6 }),
                    url: "https://gitlab.example/rpms/hello/-/merge_requests/5".to_owned(),
                    author: BOT,
                    state: RequestState::Opened,
                    closed_by: None,
                    branch: observed.branch_name.clone(),
                    origin: BranchOrigin::Exists,
                    title: title.clone(),
                    description: description.clone(),
                });
            }
            SyncStep::Announce { iid, announcement } => {
                observed.announced.retain(|announced| announced.merge_request != *iid);
                observed
                    .announced
                    .push(LastAnnouncement { merge_request: *iid, announcement: Some(announcement.clone()) });
            }
            SyncStep::EditMergeRequest { iid, title, description, state_change } => {
                let mut all = observed.merge_requests.iter_mut().chain(&mut observed.left_behind);
                let found = all.find(|m| m.iid == *iid).unwrap();
                match state_change {
                    Some(StateChange::Close) => (found.state, found.closed_by) = (RequestState::Closed, Some(BOT)),
                    Some(StateChange::Reopen) => (found.state, found.closed_by) = (RequestState::Opened, None),
                    None => {}
                }
                found.title = title.clone().unwrap_or(found.title.clone());
                found.description = description.clone().unwrap_or(found.description.clone());
            }
            SyncStep::CreateNote { note } => {
                let body = note.render(opened(observed).as_ref());
                observed.notes.push(SourceNote { id: NoteId(30), author: BOT, body });
            }
            SyncStep::EditNote { id, note } => {
                let body = note.render(opened(observed).as_ref());
                observed.notes.iter_mut().find(|n| n.id == *id).unwrap().body = body;
            }
            SyncStep::DeleteNote { id } => observed.notes.retain(|n| n.id != *id),
            SyncStep::ExpectResults { .. } => {}
        }
    }
}

/// Plans, does it, and shows that nothing is left to do.
fn settle(observed: &mut SyncFacts<'_>) -> (Vec<String>, SyncOutcome) {
    let before = observed.clone();
    let plan = sync(&before);
    done(observed, &plan.steps);
    let again = sync(observed);
    assert!(again.steps.is_empty(), "{:#?}", again.steps);
    assert_eq!(again.outcome, plan.outcome);
    (names(&plan), plan.outcome)
}

fn names(plan: &SyncPlan<'_>) -> Vec<String> {
    let name = |step: &SyncStep<'_>| match step {
        SyncStep::PushBranch { .. } => "push".to_owned(),
        SyncStep::OpenMergeRequest { .. } => "open".to_owned(),
        SyncStep::Announce { announcement, .. } => format!("tell {announcement:?}"),
        SyncStep::EditMergeRequest { state_change: Some(state_change), .. } => format!("{state_change:?}"),
        SyncStep::EditMergeRequest { title, description, .. } => {
            format!(
                "edit{}{}",
                if title.is_some() { " title" } else { "" },
                if description.is_some() { " description" } else { "" }
            )
        }
        SyncStep::CreateNote { .. } => "note".to_owned(),
        SyncStep::EditNote { .. } => "edit note".to_owned(),
        SyncStep::DeleteNote { id } => format!("delete note {id}"),
        SyncStep::ExpectResults { earlier, .. } => format!("expect results, earlier {earlier:?}"),
    };
    plan.steps.iter().map(name).collect()
}

#[test]
fn a_merge_request_first_seen_gets_its_pair() {
    let report = report();
    let mut observed = observed(&report);
    assert_eq!(settle(&mut observed), (vec!["push".into(), "open".into(), "note".into()], SyncOutcome::Done));
    assert!(observed.notes[0].body.contains("(https://gitlab.example/rpms/hello/-/merge_requests/5)"));
}

#[test]
fn a_run_that_broke_off_is_completed() {
    let report = report();
    let whole = observed(&report);
    let steps = sync(&whole).steps;
    for survived in 0..steps.len() {
        let mut observed = whole.clone();
        done(&mut observed, &steps[..survived]);
        assert_eq!(settle(&mut observed).0.len(), steps.len() - survived);
    }
}

#[test]
fn what_changed_in_source_git_follows_and_nothing_else() {
    let report = report();
    let mut observed = observed(&report);
    settle(&mut observed);
    observed.source.head = commit_id(8);
    assert_eq!(settle(&mut observed).0, ["push", "edit note"]);
    held(&mut observed).base = commit_id(3);
    assert_eq!(settle(&mut observed).0, ["push"]);
    held(&mut observed).tree = tree(5);
    assert_eq!(settle(&mut observed).0, ["push"]);
    observed.source.draft = Draft::Yes;
    assert_eq!(settle(&mut observed).0, ["edit title description"]);
    assert_eq!(observed.merge_requests[0].title, "Draft: Fix it");
    observed.source.description = "It crashed.".to_owned();
    assert_eq!(settle(&mut observed).0, ["push", "edit description"]);
    assert!(observed.merge_requests[0].description.starts_with("It crashed.\n\n<!--"));
}

#[test]
fn what_a_person_wrote_in_dist_git_stays() {
    let report = report();
    let mut observed = observed(&report);
    settle(&mut observed);
    observed.merge_requests[0].title = "hello: fix it".to_owned();
    assert_eq!(settle(&mut observed).0, Vec::<String>::new());
    observed.source.title = "Fix it well".to_owned();
    settle(&mut observed);
    assert_eq!(observed.merge_requests[0].title, "hello: fix it");
}

#[test]
fn a_push_or_a_decision_of_a_person_in_dist_git_is_respected() {
    let report = report();
    let mut synced = observed(&report);
    settle(&mut synced);
    synced.source.head = commit_id(8);
    synced.source.description = "New.".to_owned();

    let mut pushed = synced.clone();
    let BranchState::At(tip) = &mut pushed.branch else { panic!() };
    tip.by = Committer::Person;
    assert_eq!(settle(&mut pushed), (vec!["edit note".to_owned()], SyncOutcome::CannotBeSynced));
    assert!(pushed.notes[0].body.contains("Somebody pushed"));

    for (state, says) in [(RequestState::Closed, "was closed there"), (RequestState::Merged, "was merged")] {
        let mut decided = synced.clone();
        decided.merge_requests[0].state = state;
        assert_eq!(settle(&mut decided), (vec!["edit note".to_owned()], SyncOutcome::Done));
        assert!(decided.notes[0].body.contains(says));
    }
}

#[test]
fn what_cannot_be_synced_leaves_dist_git_as_it_is() {
    let report = report();
    let mut synced = observed(&report);
    settle(&mut synced);
    for mut observed in [observed(&report), synced] {
        observed.content = WantedContent::Blocked(Blocked::Refused(Refusal::new("it conflicts", "rebase it")));
        let (steps, outcome) = settle(&mut observed);
        assert!(["note", "edit note"].contains(&&*steps.concat()), "{steps:?}");
        assert_eq!(outcome, SyncOutcome::CannotBeSynced);
        assert!(observed.notes[0].body.contains("it conflicts.\n\n**How to fix it:** rebase it."));
        // The tag that it lacks may come without anybody pushing here: nobody takes the note for current.
        assert_eq!(markers::read_note(&observed.notes[0].body).unwrap().base, None);
        // Mended, it is synced after all.
        observed.content = content(&report);
        assert_eq!(settle(&mut observed).1, SyncOutcome::Done);
        assert!(observed.notes[0].body.contains("The dist-git merge request holds"));
    }
}

#[test]
fn nothing_is_shown_to_more_people_than_may_see_it() {
    let report = report();
    for (source, source_fork, dist_git, bot_fork, shown) in [
        (Visibility::Private, Visibility::Public, Visibility::Public, Visibility::Public, false),
        (Visibility::Public, Visibility::Private, Visibility::Public, Visibility::Private, false),
        (Visibility::Public, Visibility::Internal, Visibility::Internal, Visibility::Public, false),
        (Visibility::Private, Visibility::Private, Visibility::Private, Visibility::Private, true),
        (Visibility::Public, Visibility::Public, Visibility::Private, Visibility::Private, true),
    ] {
        let mut observed = observed(&report);
        observed.visibility = PairVisibility { source, source_fork, dist_git, bot_fork };
        let (steps, outcome) = settle(&mut observed);
        let expected: &[&str] = if shown { &["push", "open", "note"] } else { &["note"] };
        assert_eq!(steps, expected);
        assert_eq!(outcome == SyncOutcome::Done, shown);
    }
}

#[test]
fn a_merge_request_without_effect_opens_none() {
    let report = report();
    let mut observed = observed(&report);
    held(&mut observed).tree = tree(1);
    assert_eq!(settle(&mut observed), (vec!["note".to_owned()], SyncOutcome::Done));
    assert!(observed.notes[0].body.contains("changes nothing in dist-git"));
}

#[test]
fn only_what_the_bot_wrote_counts() {
    let report = report();
    let mut observed = observed(&report);
    settle(&mut observed);
    let forged = SourceNote { id: NoteId(1), author: PERSON, body: observed.notes[0].body.clone() };
    let second = SourceNote { id: NoteId(31), author: BOT, body: observed.notes[0].body.clone() };
    let other = SourceNote { id: NoteId(2), author: BOT, body: "something else by the bot".to_owned() };
    observed.notes.extend([forged, second, other]);
    let stranger =
        DistGitMergeRequest { iid: MergeRequestIid(99), author: PERSON, ..observed.merge_requests[0].clone() };
    observed.merge_requests.insert(0, stranger);
    assert_eq!(settle(&mut observed).0, ["delete note 31"]);

    // A record that names another merge request is not believed: title and text are not the bot's to change.
    let foreign = observed.merge_requests[1].description.replace("\"merge_request\":7", "\"merge_request\":8");
    observed.merge_requests[1].description = foreign;
    observed.source.title = "Another".to_owned();
    settle(&mut observed);
    assert_eq!(observed.merge_requests[1].title, "Fix it");
}

#[test]
fn an_open_merge_request_comes_before_a_closed_one() {
    let report = report();
    let mut observed = observed(&report);
    settle(&mut observed);
    let closed = DistGitMergeRequest {
        iid: MergeRequestIid(9),
        state: RequestState::Closed,
        ..observed.merge_requests[0].clone()
    };
    observed.merge_requests.push(closed);
    assert_eq!(sync(&observed).merge_request.unwrap().merge_request, MergeRequestIid(5));
}

mod lifecycle;
