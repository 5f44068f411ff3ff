//! What has to be the case after `reconcile`, by hand from the design: computed from what people did and what git says, and
//! from nothing of the program.

use gitlab_sandbox::{MergeRequest, State};

use super::actions::{HANDLED, Which};
use super::git::Git;
use super::people::{By, Dist, People, Reason};
use crate::support::world::{DIST, SOURCE};

/// What a dist-git branch has to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// This tree of source-git, on the tip of dist-git's branch, from this commit where there is one alone.
    Tree(String, Option<String>),
    /// What it held before.
    AsBefore,
}

/// What has to become of a dist-git merge request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Becomes {
    Opened(Holds),
    Closed,
    Merged,
    /// The bot may have begun another turn, and nobody can say whether it has.
    Either,
}

/// What has to be the case for one source-git merge request.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) which: Which,
    /// The dist-git merge requests that are there, by number.
    pub(crate) dists: Vec<(u64, Becomes)>,
    /// Whether a new one is opened.
    pub(crate) new: New,
    /// What the note says; nothing where nobody looks, or where that is open.
    pub(crate) note: Option<String>,
    /// Whether `reconcile` comes by: one of the two is open, or the source-git one was merged, which was lately.
    pub(crate) reached: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum New {
    No,
    Yes(Holds),
    /// dist-git holds the content already, if perhaps not in the same bytes.
    Perhaps(Holds),
}

/// What the source-git merge request gives.
enum Content {
    /// Nothing, and the note says so in these words.
    Nothing(&'static str),
    /// This tree, which dist-git's target branch holds or does not hold.
    Tree(String, DistGit),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum DistGit {
    HoldsIt,
    Differs,
}

/// Returns what has to be the case for each.
pub(crate) fn expected(people: &People) -> Vec<Expected> {
    people.sources.keys().map(|which| of(people, *which)).collect()
}

fn of(people: &People, which: Which) -> Expected {
    let (_, source) = people.source(which).unwrap();
    let handled = HANDLED.contains(&source.target_branch.as_str());
    let all: Vec<&Dist> = people.dists.values().filter(|dist| dist.which == which).collect();
    let (current, left): (Vec<&Dist>, Vec<&Dist>) = all.iter().partition(|dist| dist.target == source.target_branch);
    let current = current.first().copied();
    let any_open = all.iter().any(|dist| dist.state == State::Opened);
    // A branch without packaging is the bot's business only where it has had to do with the merge request.
    let is_known = current.is_some() || any_open || has_note(people, &source);
    let is_ours = is_known || source.state != State::Opened || is_packaged(people, &source);
    let reached = any_open || (handled && source.state != State::Closed && is_ours);
    let mut dists: Vec<_> = left.into_iter().map(|dist| (dist.iid, left_behind(dist))).collect();
    let mut new = New::No;
    let mut note = None;
    if handled {
        let content = content(people, &source);
        match current {
            Some(current) => {
                let (becomes, says) = of_current(current, &source, &content);
                dists.push((current.iid, becomes));
                note = says;
            }
            None if source.state == State::Opened && is_ours => (new, note) = of_new(&source, &content),
            // It was merged before any job could see it open for this branch.
            None if source.state == State::Merged => (new, note) = of_merged(&content),
            None => {}
        }
    } else if reached {
        note = Some(format!("is for the branch `{}` now", source.target_branch));
    }
    Expected { which, dists, new, note: note.filter(|_| reached), reached }
}

/// One for a target that the source-git merge request had before: the bot closes it, but a person's reopening stands.
fn left_behind(dist: &Dist) -> Becomes {
    match dist.state {
        State::Merged => Becomes::Merged,
        State::Closed => Becomes::Closed,
        State::Opened => stays(dist, Reason::Retargeted),
    }
}

/// An open one that the bot would close for this reason.
fn stays(dist: &Dist, reason: Reason) -> Becomes {
    match dist.kept {
        Some(kept) if kept.reason == reason && kept.sure => Becomes::Opened(Holds::AsBefore),
        Some(kept) if kept.reason == reason => Becomes::Either,
        _ => Becomes::Closed,
    }
}

fn says(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn of_current(dist: &Dist, source: &MergeRequest, content: &Content) -> (Becomes, Option<String>) {
    const CLOSED_THERE: &str = "**The dist-git merge request was closed there**";
    const MERGED_THERE: &str = "**The dist-git merge request was merged**";
    const CLOSED: &str = "**This merge request was closed, and the dist-git merge request with it.**";
    const KEPT: &str = "**This merge request was closed, but the dist-git merge request was opened again there**";
    const PUSHED: &str = "**Somebody pushed to the bot's branch";
    match (dist.state, source.state) {
        (State::Merged, _) => (Becomes::Merged, says(MERGED_THERE)),
        (State::Closed, _) if dist.closed_by == Some(By::Person) => (Becomes::Closed, says(CLOSED_THERE)),
        (State::Closed, State::Closed) => (Becomes::Closed, says(CLOSED)),
        // What ended lately `reconcile` sees once more: the change goes on, unless dist-git has it already.
        (State::Closed, State::Merged) => (Becomes::Either, None),
        (State::Opened, State::Closed) => {
            let becomes = stays(dist, Reason::Closed);
            let note = match becomes {
                Becomes::Closed => says(CLOSED),
                Becomes::Opened(_) => says(KEPT),
                Becomes::Either | Becomes::Merged => None,
            };
            (becomes, note)
        }
        _ if dist.pushed.is_some() => (Becomes::Opened(Holds::AsBefore), says(PUSHED)),
        (State::Opened, State::Merged) => {
            let Content::Tree(tree, _) = content else { unreachable!("there is always something in a branch") };
            (Becomes::Opened(Holds::Tree(tree.clone(), None)), says("**This merge request was merged.** The dist-git"))
        }
        (state, State::Opened) => match content {
            Content::Nothing(why) if state == State::Closed => (Becomes::Closed, says(why)),
            Content::Nothing(why) => (Becomes::Opened(Holds::AsBefore), says(why)),
            Content::Tree(_, DistGit::HoldsIt) if state == State::Closed => (Becomes::Either, None),
            Content::Tree(tree, _) => {
                let head = source.head().unwrap();
                (Becomes::Opened(Holds::Tree(tree.clone(), Some(head.to_owned()))), Some(in_step(head)))
            }
        },
    }
}

const CONFLICT: &str = "conflicts with its target branch";
const NOT_PACKAGED: &str = "has no package configuration";

/// Whether the bot has said something on the merge request.
fn has_note(people: &People, source: &MergeRequest) -> bool {
    let bot = people.sandbox.inspect(|model| model.user("bot").unwrap().id);
    people.sandbox.notes(SOURCE, source.iid).iter().any(|note| note.author == bot)
}

/// Whether there is packaging in the merge request's branch.
fn is_packaged(people: &People, source: &MergeRequest) -> bool {
    people.git(SOURCE).files(source.head().unwrap()).contains_key(".distro/source-git.yaml")
}

fn in_step(head: &str) -> String {
    format!("The dist-git merge request holds this one up to commit `{}`", &head[..10])
}

fn of_new(source: &MergeRequest, content: &Content) -> (New, Option<String>) {
    let head = source.head().unwrap();
    let holds = |tree: &String| Holds::Tree(tree.clone(), Some(head.to_owned()));
    match content {
        Content::Nothing(why) => (New::No, says(why)),
        Content::Tree(tree, DistGit::Differs) => (New::Yes(holds(tree)), Some(in_step(head))),
        Content::Tree(tree, DistGit::HoldsIt) => (New::Perhaps(holds(tree)), None),
    }
}

/// What was merged lately and has no pair gets one, which holds the target branch.
fn of_merged(content: &Content) -> (New, Option<String>) {
    match content {
        Content::Nothing(_) => unreachable!("there is always something in a branch"),
        Content::Tree(tree, DistGit::Differs) => {
            (New::Yes(Holds::Tree(tree.clone(), None)), says("**This merge request was merged.** The dist-git"))
        }
        Content::Tree(tree, DistGit::HoldsIt) => (New::Perhaps(Holds::Tree(tree.clone(), None)), None),
    }
}

fn content(people: &People, source: &MergeRequest) -> Content {
    let git = people.git(SOURCE);
    let target = people.sandbox.tip(SOURCE, &source.target_branch).unwrap();
    let tree = match source.state {
        State::Merged => git.say(&["rev-parse", &format!("{target}^{{tree}}")]),
        State::Opened if !is_packaged(people, source) => return Content::Nothing(NOT_PACKAGED),
        State::Opened | State::Closed => match git.merged(&target, source.head().unwrap()) {
            Some(tree) => tree,
            None => return Content::Nothing(CONFLICT),
        },
    };
    let tip = people.sandbox.tip(DIST, &source.target_branch).unwrap();
    let dist = people.git(DIST);
    let holds = if differs(&git, &tree, &dist, &tip, &tip).is_none() { DistGit::HoldsIt } else { DistGit::Differs };
    Content::Tree(tree, holds)
}

/// Compares dist-git content with what a source-git tree makes of it, with git alone; says what differs. What `.distro` does
/// not hold comes from `base`.
pub(crate) fn differs(source: &Git, tree: &str, dist: &Git, revision: &str, base: &str) -> Option<String> {
    let files = dist.files(revision);
    let spec = String::from_utf8(dist.file(revision, "hello.spec")?).unwrap();
    let (ours, theirs): (Vec<&str>, Vec<&str>) =
        spec.lines().partition(|line| line.starts_with("Patch") || line.starts_with('#'));
    let wanted = String::from_utf8(source.file(tree, ".distro/hello.spec")?).unwrap();
    if theirs != wanted.lines().collect::<Vec<_>>() {
        return Some(format!("the spec file is not that of source-git:\n{spec}"));
    }
    let named = ours.iter().filter_map(|line| line.strip_prefix("Patch")?.split_once(':'));
    let named: Vec<&str> = named.map(|(_, file)| file.trim()).collect();
    let mut there: Vec<&str> = files.keys().map(String::as_str).collect();
    there.retain(|file| !named.contains(file));
    if there != ["hello.spec", "sources"] {
        return Some(format!("there are other files: {there:?}"));
    }
    if files["sources"] != dist.files(base)["sources"] {
        return Some("`sources` is not that of dist-git".to_owned());
    }
    let patches: Option<Vec<_>> = named.iter().map(|name| dist.file(revision, name)).collect();
    let Some(patches) = patches else { return Some(format!("a patch is missing among {named:?}")) };
    let Some(made) = source.patched("v1.0", &patches) else { return Some(format!("{named:?} do not apply")) };
    let mut wanted = source.files(tree);
    wanted.retain(|file, _| !file.starts_with(".distro/"));
    (source.files(&made) != wanted).then(|| format!("{named:?} give something else"))
}
