//! What people, jobs and a failing GitLab can do, and sequences of it.

use proptest::prelude::*;
use proptest::sample::select;

/// The two source-git merge requests that there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Which {
    /// The contributor's, from a fork.
    Fork,
    /// The maintainer's, from a branch of the project itself.
    Own,
}

/// A change of content. The same number gives the same content; different ones of a kind conflict, but for `File`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edit {
    Code(u8),
    File(u8),
    Spec(u8),
    /// A commit without any change.
    Nothing,
}

/// What somebody does with a source-git merge request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    Open,
    Push(Edit),
    /// The branch becomes one commit on its target's tip.
    Rebase(Edit),
    /// The target is merged into the branch.
    TakeOver,
    Retitle,
    Describe,
    Draft,
    Retarget(&'static str),
    Close,
    Reopen,
    Merge,
    Comment,
    /// A comment that is a copy of the bot's note.
    Quote,
    /// The bot's note is deleted.
    RemoveNote,
}

/// What somebody does with a dist-git merge request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DistDeed {
    Close,
    Reopen,
    Merge,
    Retitle,
    Draft,
    WriteBetween,
    WriteBelow,
    EditCopied,
    /// Pushes to the bot's branch.
    Push,
    /// Takes that off again.
    TakeBack,
    /// dist-git's CI ends so.
    Test(&'static str),
    Comment,
}

/// A run of the program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Job {
    Sync(Which),
    /// For any event so far: late, twice or out of order.
    Event(usize),
    Report(Which),
    Reconcile,
}

/// How one request fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    Error,
    ErrorAfter,
    Limited,
    CutBefore,
    CutAfter,
}

/// What happens to a job.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    None,
    /// It is killed right after this write.
    Killed(usize),
    /// The n-th request with this method fails, so many times in a row.
    Fault(Failure, &'static str, usize, usize),
    /// Somebody does something while its n-th request is under way.
    Meanwhile(usize, Box<Action>),
}

/// One step of a life.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Source(Which, Deed),
    /// With the dist-git merge request of this number, counted round.
    Dist(usize, DistDeed),
    SourceMoves(&'static str, Edit),
    DistMoves(&'static str),
    Job(Job, Trouble),
}

/// Whether one `reconcile` remembers for the next what it looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    None,
    Kept,
}

pub(crate) fn memories() -> impl Strategy<Value = Memory> {
    select(vec![Memory::None, Memory::Kept])
}

pub(crate) const HANDLED: [&str; 2] = ["c9s", "c10s"];

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![4 => Just(Which::Fork), 1 => Just(Which::Own)]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => (0..4_u8).prop_map(Edit::Code),
        3 => (0..4_u8).prop_map(Edit::File),
        1 => (0..3_u8).prop_map(Edit::Spec),
        1 => Just(Edit::Nothing),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        1 => Just(Deed::Open),
        4 => edit().prop_map(Deed::Push),
        2 => edit().prop_map(Deed::Rebase),
        1 => Just(Deed::TakeOver),
        1 => Just(Deed::Retitle),
        1 => Just(Deed::Describe),
        2 => Just(Deed::Draft),
        4 => select(vec!["c9s", "c10s", "main"]).prop_map(Deed::Retarget),
        3 => Just(Deed::Close),
        3 => Just(Deed::Reopen),
        2 => Just(Deed::Merge),
        1 => Just(Deed::Comment),
        1 => Just(Deed::Quote),
        1 => Just(Deed::RemoveNote),
    ]
}

fn dist_deed() -> impl Strategy<Value = DistDeed> {
    prop_oneof![
        2 => Just(DistDeed::Close),
        3 => Just(DistDeed::Reopen),
        2 => Just(DistDeed::Merge),
        1 => Just(DistDeed::Retitle),
        1 => Just(DistDeed::Draft),
        1 => Just(DistDeed::WriteBetween),
        1 => Just(DistDeed::WriteBelow),
        1 => Just(DistDeed::EditCopied),
        2 => Just(DistDeed::Push),
        1 => Just(DistDeed::TakeBack),
        2 => select(vec!["success", "failed"]).prop_map(DistDeed::Test),
        1 => Just(DistDeed::Comment),
    ]
}

fn by_people() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (which(), deed()).prop_map(|(which, deed)| Action::Source(which, deed)),
        4 => (0..4_usize, dist_deed()).prop_map(|(number, deed)| Action::Dist(number, deed)),
        1 => (select(HANDLED.to_vec()), edit()).prop_map(|(branch, edit)| Action::SourceMoves(branch, edit)),
        1 => select(HANDLED.to_vec()).prop_map(Action::DistMoves),
    ]
}

/// What somebody may do at any moment of a job without losing it: GitLab has no way to change a title or a description only
/// if it still is what was read.
fn meanwhile() -> impl Strategy<Value = Action> {
    by_people().prop_filter("a text that a job writes is lost", |action| {
        !matches!(
            action,
            Action::Dist(
                _,
                DistDeed::Retitle
                    | DistDeed::Draft
                    | DistDeed::WriteBetween
                    | DistDeed::WriteBelow
                    | DistDeed::EditCopied
            )
        )
    })
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let failure =
        select(vec![Failure::Error, Failure::ErrorAfter, Failure::Limited, Failure::CutBefore, Failure::CutAfter]);
    prop_oneof![
        6 => Just(Trouble::None),
        2 => (1..5_usize).prop_map(Trouble::Killed),
        2 => (failure, select(vec!["POST", "POST", "PUT", "PUT", "GET"]), 1..8_usize, select(vec![1, 1, 20]))
            .prop_map(|(failure, method, nth, times)| Trouble::Fault(failure, method, nth, times)),
        1 => (1..30_usize, meanwhile()).prop_map(|(nth, action)| Trouble::Meanwhile(nth, Box::new(action))),
    ]
}

fn job() -> impl Strategy<Value = Job> {
    prop_oneof![
        5 => which().prop_map(Job::Sync),
        3 => (0..8_usize).prop_map(Job::Event),
        1 => which().prop_map(Job::Report),
        2 => Just(Job::Reconcile),
    ]
}

/// How a life begins.
fn beginnings() -> impl Strategy<Value = Vec<Action>> {
    let synced = |which| Action::Job(Job::Sync(which), Trouble::None);
    let open = Action::Source(Which::Own, Deed::Open);
    prop_oneof![
        2 => Just(Vec::new()),
        4 => Just(vec![synced(Which::Fork)]),
        1 => Just(vec![open.clone()]),
        2 => Just(vec![open, Action::Job(Job::Reconcile, Trouble::None)]),
    ]
}

/// Something, a job that sees it, and the reverse of it: what the bot wrote down must not outlive its reason.
fn there_and_back() -> impl Strategy<Value = Vec<Action>> {
    let both = select(vec![
        (Action::Source(Which::Fork, Deed::Close), Action::Source(Which::Fork, Deed::Reopen)),
        (Action::Source(Which::Fork, Deed::Retarget("c10s")), Action::Source(Which::Fork, Deed::Retarget("c9s"))),
        (Action::Source(Which::Fork, Deed::Retarget("main")), Action::Source(Which::Fork, Deed::Retarget("c9s"))),
        (Action::Source(Which::Fork, Deed::Draft), Action::Source(Which::Fork, Deed::Draft)),
        (Action::SourceMoves("c9s", Edit::Code(7)), Action::Source(Which::Fork, Deed::Rebase(Edit::Code(8)))),
        (Action::Dist(0, DistDeed::Close), Action::Dist(0, DistDeed::Reopen)),
        (Action::Dist(0, DistDeed::Push), Action::Dist(0, DistDeed::TakeBack)),
        (Action::Source(Which::Fork, Deed::Close), Action::Dist(0, DistDeed::Reopen)),
    ]);
    let job = || (job(), trouble()).prop_map(|(job, trouble)| Action::Job(job, trouble));
    (both, job(), prop::option::of(job())).prop_map(|((there, back), seen, then)| {
        let mut all = vec![there, seen, back];
        all.extend(then);
        all
    })
}

/// A beginning and some actions, a job after every second one or so.
pub(crate) fn sequences() -> impl Strategy<Value = Vec<Action>> {
    let one = prop_oneof![
        3 => by_people(),
        2 => (job(), trouble()).prop_map(|(job, trouble)| Action::Job(job, trouble)),
    ];
    let some = prop_oneof![5 => one.prop_map(|one| vec![one]), 1 => there_and_back()];
    let then = prop::collection::vec(some, 2..9);
    (beginnings(), then).prop_map(|(beginning, then)| [beginning, then.concat()].concat())
}
