//! The comparison of what is the case with what has to be.

use std::collections::BTreeMap;

use gitlab_sandbox::State;

use super::actions::{Action, Job, Memory};
use super::jobs::Life;
use super::model::{Becomes, Expected, Holds, New, differs, expected};
use super::people::{BEGIN, BOT_FORK, By, DraftIs, People};
use crate::support::Run;
use crate::support::world::{DIST, SOURCE};

/// Lets a life happen, reconciles at its end, and checks what came of it.
pub(crate) fn check(memory: Memory, actions: &[Action]) {
    let life = Life::new(memory);
    for action in actions {
        life.happen(action);
    }
    settles(&life);
}

/// Reconciles, and checks that everything is as it should be, and that nothing more is to be done.
pub(crate) fn settles(life: &Life) {
    let (expected, before) = {
        let mut people = life.people();
        people.adopt();
        (expected(&people), branches(&people))
    };
    let run = life.reconciled();
    let _ = life.world.sandbox.take_writes();
    {
        let people = life.people();
        for one in &expected {
            of_one(&people, one, &before, &run);
        }
    }
    let again = life.reconciled();
    // But for what it leaves for the next one.
    let mut written = life.world.sandbox.take_writes();
    written.retain(|write| !write.path.contains("/issues"));
    assert_eq!(written, [], "a second time: {}{}", again.stdout, again.stderr);
    for one in expected.iter().filter(|one| one.reached) {
        let mut sync = life.command(Job::Sync(one.which)).unwrap();
        let sync = life.world.run(&mut sync);
        assert!(matches!(sync.status, Some(0 | 3)), "{}", sync.stderr);
        let left = life.world.sandbox.take_writes();
        assert_eq!(left, [], "reconcile left this to be done for {:?}: {}", one.which, sync.stderr);
    }
}

/// Where the bot's branches are.
fn branches(people: &People) -> BTreeMap<u64, Option<String>> {
    people.dists.values().map(|dist| (dist.iid, people.sandbox.tip(BOT_FORK, &dist.branch))).collect()
}

fn of_one(people: &People, expected: &Expected, before: &BTreeMap<u64, Option<String>>, run: &Run) {
    let (source, now) = people.source(expected.which).unwrap();
    let said = format!("{expected:#?}\n{}{}", run.stdout, run.stderr);
    for (iid, becomes) in &expected.dists {
        let dist = &people.dists[iid];
        match becomes {
            Becomes::Either => {}
            Becomes::Closed => assert_eq!(dist.state, State::Closed, "{DIST}!{iid}: {said}"),
            Becomes::Merged => assert_eq!(dist.state, State::Merged, "{DIST}!{iid}: {said}"),
            Becomes::Opened(holds) => {
                assert_eq!(dist.state, State::Opened, "{DIST}!{iid}: {said}");
                held(people, *iid, holds, before.get(iid).and_then(Option::as_ref), &said);
            }
        }
        told(people, *iid);
    }
    let known = |iid: &u64| expected.dists.iter().any(|(known, _)| known == iid);
    let new: Vec<u64> =
        people.dists.values().filter(|d| d.which == expected.which && !known(&d.iid)).map(|d| d.iid).collect();
    match (&expected.new, &new[..]) {
        (New::No | New::Perhaps(_), []) => {}
        (New::Yes(holds) | New::Perhaps(holds), [iid]) => held(people, *iid, holds, None, &said),
        (wanted, found) => panic!("{wanted:?}, but {found:?} are new: {said}"),
    }
    let bot = people.sandbox.inspect(|model| model.user("bot").unwrap().id);
    let (own, theirs): (Vec<_>, Vec<_>) =
        people.sandbox.notes(SOURCE, source.iid).into_iter().partition(|note| note.author == bot);
    let theirs: Vec<_> = theirs.into_iter().map(|note| (expected.which, note.id, note.body)).collect();
    let comments: Vec<_> = people.comments.iter().filter(|(which, ..)| *which == expected.which).cloned().collect();
    assert_eq!(theirs, comments, "comments");
    assert!(own.len() <= 1, "{own:#?}");
    let Some(note) = own.first() else {
        assert!(!expected.reached || now.state != State::Opened || expected.note.is_none(), "there is no note: {said}");
        return;
    };
    if let Some(text) = &expected.note {
        assert!(note.body.contains(text), "`{text}` is not in {}\n{said}", note.body);
    }
    let current = people.dists.values().find(|d| d.which == expected.which && d.target == now.target_branch);
    if let Some(current) = current.filter(|_| expected.reached) {
        assert!(note.body.contains(&format!("[{DIST}!{}]", current.iid)), "{DIST}!{}: {}", current.iid, note.body);
        tested(people, current.iid, &note.body);
    }
}

/// Checks an open dist-git merge request: what it holds, and its texts.
fn held(people: &People, iid: u64, holds: &Holds, before: Option<&String>, said: &str) {
    let dist = &people.dists[&iid];
    let tip = people.sandbox.tip(BOT_FORK, &dist.branch);
    let Holds::Tree(tree, commit) = holds else {
        assert_eq!(tip.as_ref(), before, "the branch of {DIST}!{iid}: {said}");
        return;
    };
    let tip = tip.unwrap();
    let git = people.git(BOT_FORK);
    let base = people.sandbox.tip(DIST, &dist.target).unwrap();
    assert_eq!(git.say(&["log", "-1", "--format=%P %ce", &tip]), format!("{base} bot@example.com"), "{iid}: {said}");
    let difference = differs(&people.git(SOURCE), tree, &git, &tip, &base);
    assert_eq!(difference, None, "the branch of {DIST}!{iid}: {said}");
    let (source, _) = people.source(dist.which).unwrap();
    if let Some(commit) = commit {
        let trailers = git.say(&["log", "-1", "--format=%(trailers:key=From-source-git-commit,valueonly)", &tip]);
        assert_eq!(trailers.trim(), commit, "{said}");
        let subject = git.say(&["log", "-1", "--format=%s", &tip]);
        assert_eq!(subject, source.words, "{said}");
    }
    let now = people.sandbox.merge_request(DIST, iid);
    let words = now.title.strip_prefix("Draft: ").unwrap_or(&now.title);
    assert_eq!(words, dist.words.as_ref().unwrap_or(&source.words), "{DIST}!{iid}: {said}");
    match dist.draft {
        DraftIs::Followed => assert_eq!(now.is_draft(), source.draft, "{DIST}!{iid}: {}: {said}", now.title),
        DraftIs::Persons(draft) => assert_eq!(now.is_draft(), draft, "{DIST}!{iid}: {}: {said}", now.title),
        DraftIs::Anybodys => {}
    }
    if dist.before.is_none() {
        let (text, _) = now.description.split_once(BEGIN).unwrap();
        let copied = source.description.replace("Bugzilla: 123456", "Resolves: bz#123456");
        assert_eq!(text, format!("{copied}\n\n{}", dist.between), "{DIST}!{iid}: {said}");
    }
}

/// Checks that the bot said nothing twice in a row in a dist-git merge request.
fn told(people: &People, iid: u64) {
    let bot = people.sandbox.inspect(|model| model.user("bot").unwrap().id);
    let notes = people.sandbox.notes(DIST, iid).into_iter().filter(|note| note.author == bot);
    let notes: Vec<String> = notes.map(|note| note.body).collect();
    for pair in notes.windows(2) {
        assert_ne!(pair[0], pair[1], "said twice in {DIST}!{iid}");
    }
    let dist = &people.dists[&iid];
    let last = notes.last().map(String::as_str).unwrap_or_default();
    if let Some(By::Bot(_)) = dist.closed_by.filter(|_| dist.state == State::Closed) {
        assert!(last.contains("so the bot closes this"), "{DIST}!{iid} was closed without a word: {notes:#?}");
    }
}

/// Checks that the results of dist-git's CI for what is held are in the note.
fn tested(people: &People, iid: u64, note: &str) {
    let dist = &people.dists[&iid];
    let now = people.sandbox.merge_request(DIST, iid);
    if dist.pushed.is_some() || dist.state != State::Opened {
        return;
    }
    let pipelines = people.sandbox.pipelines(BOT_FORK);
    let newest = pipelines.iter().rev().find(|pipeline| Some(pipeline.sha.as_str()) == now.head());
    if let Some(newest) = newest {
        let word = if newest.status.name() == "success" { "passed" } else { "failed" };
        assert!(note.contains(&format!("**dist-git CI: {word}**")), "{word} is not said: {note}");
        // In a conflict dist-git still holds an older commit, and the results are of that.
        let outdated = note.contains("These results are for an older commit");
        assert!(!outdated || note.contains("cannot be carried over"), "{note}");
    }
}
