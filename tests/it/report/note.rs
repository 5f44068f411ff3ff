//! `report`: dist-git's CI results on the source-git merge request, as its page shows them.

use crate::support::world::{DIST, NOTED, World};

#[test]
fn results_of_a_pipeline_in_the_bots_fork_are_in_the_note() {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let pipeline = world.sandbox.mr_pipeline(DIST, world.opened().iid).jobs(&[("test", "rpminspect")]).create();
    let url = format!("{}/bot/hello/-/pipelines/{pipeline}", world.sandbox.url());
    world.sandbox.set_all_jobs(pipeline, "failed");
    world.run(world.program().args(["report", "--pipeline", &url])).ends_with(0);
    let note = world.note(iid);
    assert!(note.contains("**dist-git CI: failed**") && note.contains("`rpminspect`"), "{note}");
    assert_eq!(world.written(), [NOTED]);
}
