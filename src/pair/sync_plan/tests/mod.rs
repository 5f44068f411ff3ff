use crate::pair::announcement::Announcement;
use crate::pair::facts::{BranchOrigin, LastAnnouncement, PairVisibility, SourceMergeRequest, SourceNote};
use crate::pair::markers;
use crate::pair::sync_plan::*;
use crate::pair::title::Draft;
use crate::transform::report::{AppliedBySpec, MergeReport, ProofReport, TransformReport, Upstream};
use crate::types::{CommitId, MergeRequestIid, NoteId, ProjectId, Refusal, StateChange, TreeId, UserId, Visibility};

const BOT: UserId = UserId(1);
const PERSON: UserId = UserId(2);

fn commit_id(n: u8) -> CommitId {
    CommitId::from_bytes([n; 20])
}

fn tree(n: u8) -> TreeId {
    TreeId::from_bytes([n; 20])
}

fn report() -> TransformReport {
    TransformReport {
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

fn content(report: &TransformReport) -> WantedContent<'_> {
    WantedContent::Content(DistGitContent {
        tree: tree(2),
        base: commit_id(1),
        base_tree: tree(1),
        report,
        upstream: None,
    })
}

/// Returns the wanted content, for a change.
fn wanted<'a, 'b>(facts: &'b mut SyncFacts<'a>) -> &'b mut DistGitContent<'a> {
    match &mut facts.content {
        WantedContent::Content(content) => content,
        _ => panic!("there is no content"),
    }
}

/// Returns the facts of a merge request that has no pair yet.
fn facts(report: &TransformReport) -> SyncFacts<'_> {
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

/// Applies the steps to the facts, as GitLab would.
fn apply(facts: &mut SyncFacts<'_>, steps: &[SyncStep<'_>]) {
    let project = facts.dist_git.clone();
    for step in steps {
        let opened = |facts: &SyncFacts<'_>| {
            facts.merge_requests.last().map(|merge_request| DistGitLink {
                project: project.clone(),
                merge_request: merge_request.iid,
                url: merge_request.url.clone(),
            })
        };
        match step {
            SyncStep::PushBranch { expected, tree, parent, message, .. } => {
                let at = match &facts.branch {
                    BranchState::Missing => None,
                    BranchState::At(tip) => Some(tip.commit),
                };
                assert_eq!(*expected, at);
                let (parent, message) = (Some(*parent), message.clone());
                facts.branch = BranchState::At(BranchTip {
                    commit: commit_id(20),
                    by: Committer::Bot,
                    parent,
                    tree: *tree,
                    message,
                });
            }
            SyncStep::OpenMergeRequest { title, description, .. } => {
                facts.merge_requests.push(DistGitMergeRequest {
                    iid: MergeRequestIid(if facts.left_behind.is_empty() { 5 } else { 6 }),
                    url: "https://gitlab.example/rpms/hello/-/merge_requests/5".to_owned(),
                    author: BOT,
                    state: RequestState::Opened,
                    closed_by: None,
                    branch: facts.branch_name.clone(),
                    origin: BranchOrigin::Exists,
                    title: title.clone(),
                    description: description.clone(),
                });
            }
            SyncStep::Announce { iid, announcement } => {
                facts.announced.retain(|announced| announced.merge_request != *iid);
                facts
                    .announced
                    .push(LastAnnouncement { merge_request: *iid, announcement: Some(announcement.clone()) });
            }
            SyncStep::EditMergeRequest { iid, title, description, state_change } => {
                let mut all = facts.merge_requests.iter_mut().chain(&mut facts.left_behind);
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
                let body = note.render(opened(facts).as_ref());
                facts.notes.push(SourceNote { id: NoteId(30), author: BOT, body });
            }
            SyncStep::EditNote { id, note } => {
                let body = note.render(opened(facts).as_ref());
                facts.notes.iter_mut().find(|n| n.id == *id).unwrap().body = body;
            }
            SyncStep::DeleteNote { id } => facts.notes.retain(|n| n.id != *id),
            SyncStep::ExpectResults { .. } => {}
        }
    }
}

/// Carries out the plan for `facts`, and checks that the next plan has no steps. Returns the steps and the outcome.
fn settle(facts: &mut SyncFacts<'_>) -> (Vec<String>, SyncOutcome) {
    let before = facts.clone();
    let first = plan(&before);
    apply(facts, &first.steps);
    let second = plan(facts);
    assert!(second.steps.is_empty(), "{:#?}", second.steps);
    assert_eq!(second.outcome, first.outcome);
    (names(&first), first.outcome)
}

fn names(plan: &SyncPlan<'_>) -> Vec<String> {
    let name = |step: &SyncStep<'_>| match step {
        SyncStep::PushBranch { .. } => "push".to_owned(),
        SyncStep::OpenMergeRequest { .. } => "open".to_owned(),
        SyncStep::Announce { announcement, .. } => format!("announce {announcement:?}"),
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
fn a_new_merge_request_gets_its_pair() {
    let report = report();
    let mut facts = facts(&report);
    assert_eq!(settle(&mut facts), (vec!["push".into(), "open".into(), "note".into()], SyncOutcome::Done));
    assert!(facts.notes[0].body.contains("(https://gitlab.example/rpms/hello/-/merge_requests/5)"));
}

#[test]
fn completes_a_run_that_broke_off() {
    let report = report();
    let whole = facts(&report);
    let steps = plan(&whole).steps;
    for survived in 0..steps.len() {
        let mut facts = whole.clone();
        apply(&mut facts, &steps[..survived]);
        assert_eq!(settle(&mut facts).0.len(), steps.len() - survived);
    }
}

#[test]
fn updates_what_changed_in_source_git_and_nothing_else() {
    let report = report();
    let mut facts = facts(&report);
    settle(&mut facts);
    facts.source.head = commit_id(8);
    assert_eq!(settle(&mut facts).0, ["push", "edit note"]);
    wanted(&mut facts).base = commit_id(3);
    assert_eq!(settle(&mut facts).0, ["push"]);
    wanted(&mut facts).tree = tree(5);
    assert_eq!(settle(&mut facts).0, ["push"]);
    facts.source.draft = Draft::Yes;
    assert_eq!(settle(&mut facts).0, ["edit title description"]);
    assert_eq!(facts.merge_requests[0].title, "Draft: Fix it");
    facts.source.description = "It crashed.".to_owned();
    assert_eq!(settle(&mut facts).0, ["push", "edit description"]);
    assert!(facts.merge_requests[0].description.starts_with("It crashed.\n\n<!--"));
}

#[test]
fn keeps_what_a_person_wrote_in_dist_git() {
    let report = report();
    let mut facts = facts(&report);
    settle(&mut facts);
    facts.merge_requests[0].title = "hello: fix it".to_owned();
    assert_eq!(settle(&mut facts).0, Vec::<String>::new());
    facts.source.title = "Fix it well".to_owned();
    settle(&mut facts);
    assert_eq!(facts.merge_requests[0].title, "hello: fix it");
}

#[test]
fn respects_a_persons_push_or_decision_in_dist_git() {
    let report = report();
    let mut synced = facts(&report);
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
fn leaves_dist_git_alone_if_it_cannot_sync() {
    let report = report();
    let mut synced = facts(&report);
    settle(&mut synced);
    for mut facts in [facts(&report), synced] {
        facts.content = WantedContent::Blocked(Blocked::Refused(Refusal::new("it conflicts", "rebase it")));
        let (steps, outcome) = settle(&mut facts);
        assert!(["note", "edit note"].contains(&&*steps.concat()), "{steps:?}");
        assert_eq!(outcome, SyncOutcome::CannotBeSynced);
        assert!(facts.notes[0].body.contains("it conflicts.\n\n**How to fix it:** rebase it."));
        // Somebody may push the missing tag without pushing here. So the note must not count as up to date.
        assert_eq!(markers::read_note(&facts.notes[0].body).unwrap().base, None);
        // After the fix it can be synced.
        facts.content = content(&report);
        assert_eq!(settle(&mut facts).1, SyncOutcome::Done);
        assert!(facts.notes[0].body.contains("The dist-git merge request holds"));
    }
}

#[test]
fn shows_nothing_to_people_who_may_not_see_it() {
    let report = report();
    for (source, source_fork, dist_git, bot_fork, shown) in [
        (Visibility::Private, Visibility::Public, Visibility::Public, Visibility::Public, false),
        (Visibility::Public, Visibility::Private, Visibility::Public, Visibility::Private, false),
        (Visibility::Public, Visibility::Internal, Visibility::Internal, Visibility::Public, false),
        (Visibility::Private, Visibility::Private, Visibility::Private, Visibility::Private, true),
        (Visibility::Public, Visibility::Public, Visibility::Private, Visibility::Private, true),
    ] {
        let mut facts = facts(&report);
        facts.visibility = PairVisibility { source, source_fork, dist_git, bot_fork };
        let (steps, outcome) = settle(&mut facts);
        let expected: &[&str] = if shown { &["push", "open", "note"] } else { &["note"] };
        assert_eq!(steps, expected);
        assert_eq!(outcome == SyncOutcome::Done, shown);
    }
}

#[test]
fn opens_nothing_for_a_merge_request_without_effect() {
    let report = report();
    let mut facts = facts(&report);
    wanted(&mut facts).tree = tree(1);
    assert_eq!(settle(&mut facts), (vec!["note".to_owned()], SyncOutcome::Done));
    assert!(facts.notes[0].body.contains("changes nothing in dist-git"));
}

#[test]
fn only_what_the_bot_wrote_counts() {
    let report = report();
    let mut facts = facts(&report);
    settle(&mut facts);
    let forged = SourceNote { id: NoteId(1), author: PERSON, body: facts.notes[0].body.clone() };
    let second = SourceNote { id: NoteId(31), author: BOT, body: facts.notes[0].body.clone() };
    let other = SourceNote { id: NoteId(2), author: BOT, body: "something else by the bot".to_owned() };
    facts.notes.extend([forged, second, other]);
    let stranger = DistGitMergeRequest { iid: MergeRequestIid(99), author: PERSON, ..facts.merge_requests[0].clone() };
    facts.merge_requests.insert(0, stranger);
    assert_eq!(settle(&mut facts).0, ["delete note 31"]);

    // The bot does not believe a record of another merge request, so it leaves title and text alone.
    let foreign = facts.merge_requests[1].description.replace("\"merge_request\":7", "\"merge_request\":8");
    facts.merge_requests[1].description = foreign;
    facts.source.title = "Another".to_owned();
    settle(&mut facts);
    assert_eq!(facts.merge_requests[1].title, "Fix it");
}

#[test]
fn an_open_merge_request_comes_before_a_closed_one() {
    let report = report();
    let mut facts = facts(&report);
    settle(&mut facts);
    let closed =
        DistGitMergeRequest { iid: MergeRequestIid(9), state: RequestState::Closed, ..facts.merge_requests[0].clone() };
    facts.merge_requests.push(closed);
    assert_eq!(plan(&facts).merge_request.unwrap().merge_request, MergeRequestIid(5));
}

mod lifecycle;
