//! The whole life of a package under the bot's care: whatever people do, in whatever order jobs run, however they fail, one
//! `reconcile` brings about what should be, and a second finds nothing to do.
//!
//! What should be is computed by a model of its own, from what people did and what git says.

mod actions;
mod checks;
mod git;
mod jobs;
mod model;
mod people;
mod regressions;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, RngSeed, TestRng, TestRunner};

use actions::{Action, Deed, DistDeed, Edit, Job, Memory, Which, memories, sequences};
use checks::{check, settles};
use jobs::Life;

/// How many lives are tried in each of the parts below unless PROPTEST_CASES asks for others: together 200. One takes
/// about three seconds of one processor: four runs of the program and their git processes.
const CASES: u32 = 50;

/// Tries lives; the parts run beside each other, each with others. (`proptest!` would take the same seed for each from the
/// environment.)
fn try_lives(part: u8) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    // A life takes seconds: without a limit, a failing one would be shrunk for hours.
    let max_shrink_iters = config.max_shrink_iters.min(100);
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { config.cases } else { CASES };
    let config = ProptestConfig { cases, max_shrink_iters, ..config };
    let mut runner = match config.rng_seed {
        RngSeed::Fixed(seed) => {
            let mut bytes = [part; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
        }
        RngSeed::Random => TestRunner::new(config),
    };
    let lives = (memories(), sequences());
    let tried = runner.run(&lives, |(memory, actions)| {
        check(memory, &actions);
        Ok(())
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
}

/// Whatever happens, `reconcile` brings about what should be.
mod whatever_happens {
    use super::try_lives;

    #[test]
    fn first() {
        try_lives(0);
    }

    #[test]
    fn second() {
        try_lives(1);
    }

    #[test]
    fn third() {
        try_lives(2);
    }

    #[test]
    fn fourth() {
        try_lives(3);
    }
}

#[test]
fn two_reconciles_and_several_events_at_once_lose_nothing_and_make_nothing_twice() {
    use Action::{Dist, DistMoves, Source, SourceMoves};
    use Which::{Fork, Own};
    let life = Life::new(Memory::Kept);
    for round in [
        vec![Source(Own, Deed::Open), Source(Fork, Deed::Push(Edit::File(1)))],
        vec![
            Source(Fork, Deed::Push(Edit::File(2))),
            Source(Fork, Deed::Retitle),
            Source(Own, Deed::Draft),
            SourceMoves("c9s", Edit::File(3)),
            DistMoves("c10s"),
        ],
        vec![Source(Fork, Deed::Close), Source(Own, Deed::Retarget("c9s"))],
        vec![Source(Fork, Deed::Reopen), Source(Own, Deed::Retarget("c10s")), Source(Own, Deed::Draft)],
        vec![Dist(0, DistDeed::Test("success")), Source(Fork, Deed::Describe), Source(Own, Deed::RemoveNote)],
        vec![Dist(0, DistDeed::Push), Source(Own, Deed::Merge), Source(Fork, Deed::Retitle)],
    ] {
        for action in &round {
            life.happen(action);
        }
        // Two events of one merge request, and one of the other.
        life.together(&[Job::Reconcile, Job::Reconcile, Job::Event(0), Job::Event(0), Job::Event(1)]);
        settles(&life);
    }
}
