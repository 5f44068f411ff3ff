//! `reconcile` over an instance of hundreds of packages: only what changed since last time costs more than listing.

use super::world::{big, issue, reconcile, requests, settle, watched};
use crate::support::world::SOURCE;

#[test]
fn three_hundred_packages_with_nothing_to_do_cost_a_handful_of_requests_and_a_stale_pair_its_own() {
    let world = big();
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(run.stdout.starts_with("1000 merge requests: 1000 unchanged; "), "{}", run.stdout);
    let memory = issue(&world).notes.iter().filter(|note| !note.system).map(|note| note.body.len()).sum::<usize>();
    assert!(memory < 60_000, "{memory} bytes");
    let _ = world.written();

    let quiet = requests(&world, &[]);
    assert_eq!(quiet.len(), 61, "for 500 pairs");
    assert_eq!(world.written(), [""; 0]);

    world.sandbox.set_title("src/package-7", 2, "contributor", "Return three");
    world.sandbox.clear_log();
    let run = reconcile(&world, &[]);
    run.ends_with(0);
    assert!(
        run.stdout.starts_with("src/package-7!2  synced\n1000 merge requests: 999 unchanged, 1 changed; "),
        "{}",
        run.stdout
    );
    let stale = world.sandbox.api_requests();
    let pair = ["PUSH bot/package-7 c9s-src-2", "PUT rpms/package-7/merge_requests/2"];
    assert_eq!(world.written(), [pair[0], pair[1], "PUT ops/bot/issues/1/notes/*"]);
    // One pair's work: as for a pair of an instance that has no other.
    let more = stale.len() - quiet.len();
    assert_eq!(more, cost_of_a_stale_pair_alone());

    // The pair is looked at once more, and then it is as quiet as before.
    let again = requests(&world, &[]);
    assert!(again.len() > quiet.len() && again.len() < stale.len());
    let _ = world.written();
    assert_eq!(requests(&world, &[]).len(), quiet.len());
    assert_eq!(world.written(), [""; 0]);
}

/// What the same change costs more than nothing in an instance that has no other pair.
fn cost_of_a_stale_pair_alone() -> usize {
    let (world, iid) = watched();
    settle(&world);
    let quiet = requests(&world, &[]).len();
    world.sandbox.set_title(SOURCE, iid, "contributor", "Return three");
    let stale = requests(&world, &[]).len();
    let _ = world.written();
    stale - quiet
}
