//! Lives that once ended otherwise than they should, each shrunk to what matters. What should be is said by the model.

use super::actions::{
    Action::{self, Dist, Source},
    Deed, DistDeed, Edit,
    Job::{Reconcile, Sync},
    Memory, Trouble,
    Which::Fork,
};
use super::checks;

/// Whether `reconcile` remembers or not.
fn check(actions: &[Action]) {
    for memory in [Memory::None, Memory::Kept] {
        checks::check(memory, actions);
    }
}

/// A job that nothing comes in between.
const SYNC: Action = Action::Job(Sync(Fork), Trouble::None);

const RECONCILE: Action = Action::Job(Reconcile, Trouble::None);

/// One that is killed right after its second write.
const KILLED: Action = Action::Job(Sync(Fork), Trouble::Killed(2));

#[test]
fn a_push_to_the_bots_branch_is_noticed_although_nothing_was_tested_yet() {
    check(&[SYNC, Dist(0, DistDeed::Push)]);
}

#[test]
fn a_push_that_was_taken_back_is_no_longer_in_the_note() {
    check(&[SYNC, Dist(0, DistDeed::Push), SYNC, Dist(0, DistDeed::TakeBack)]);
    let tested = Dist(0, DistDeed::Test("success"));
    check(&[SYNC, tested, SYNC, Dist(0, DistDeed::Push), SYNC, Dist(0, DistDeed::TakeBack)]);
}

#[test]
fn what_a_person_closed_and_opened_again_goes_on() {
    check(&[SYNC, Dist(0, DistDeed::Close), SYNC, Dist(0, DistDeed::Reopen)]);
}

#[test]
fn the_note_follows_where_the_job_that_opened_again_was_killed_before() {
    check(&[SYNC, Source(Fork, Deed::Close), SYNC, Source(Fork, Deed::Reopen), KILLED]);
}

#[test]
fn a_branch_that_has_lost_its_packaging_is_told_so_where_the_bot_was_at_work() {
    let onto_upstream = [Source(Fork, Deed::Retarget("main")), Source(Fork, Deed::Rebase(Edit::Code(8)))];
    let back = |target| Source(Fork, Deed::Retarget(target));
    check(&[&[SYNC], &onto_upstream[..], &[back("c9s")]].concat());
    check(&[&[SYNC], &onto_upstream[..], &[SYNC, back("c10s"), SYNC, back("c9s")]].concat());
    // Where it was not, nothing is said.
    check(&[&onto_upstream[..], &[back("c9s"), SYNC]].concat());
}

#[test]
fn results_of_a_pair_that_stays_open_without_its_original_are_told() {
    let reopened = [SYNC, Source(Fork, Deed::Close), SYNC, Dist(0, DistDeed::Reopen)];
    let tested = |state| Dist(0, DistDeed::Test(state));
    check(&[&reopened[..], &[RECONCILE, tested("success"), RECONCILE, tested("failed")]].concat());
}
