//! Lives that once ended otherwise than they should, each shrunk to what matters. What should be is said by `life_model`.

use crate::life_model::actions::{
    Action::{Dist, Job},
    DistDeed,
    Job::Sync,
    Trouble,
    Which::Fork,
};
use crate::life_model::checks::check;

#[test]
fn a_push_to_the_bots_branch_is_noticed_although_nothing_was_tested_yet() {
    check(&[Job(Sync(Fork), Trouble::None), Dist(0, DistDeed::Push)]);
}
