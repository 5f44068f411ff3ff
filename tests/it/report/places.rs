//! Where `report` puts statuses: only where the merge request's page shows them.

use gitlab_sandbox::Role;

use super::world::{BOT_FORK, Case, statuses};
use crate::support::world::{DIST, FORK, SOURCE, World};

#[test]
fn in_the_merge_requests_pipeline_in_source_git() {
    let case = Case::from_branch();
    let seen = case.source_pipeline();
    let pipeline = case.pipeline();
    case.world.sandbox.set_all_jobs(pipeline, "running");
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "running")]));
    assert_eq!(case.shown_in(seen), statuses(&[("dist-git", "running")]));
    let shown = case.world.sandbox.shown_statuses(SOURCE, case.iid);
    assert_eq!(shown[0].target_url, Some(case.url(pipeline)));
    case.is_settled(pipeline);
}

#[test]
fn on_the_branch_where_the_same_project_has_no_pipeline() {
    let case = Case::from_branch();
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
    let pipeline = case.pipeline();
    for state in ["running", "success"] {
        case.world.sandbox.set_all_jobs(pipeline, state);
        case.report(pipeline);
        assert_eq!(case.shown(), statuses(&[("dist-git", state)]));
    }
    let listed = case.world.sandbox.pipelines_shown(SOURCE, case.iid);
    assert_eq!(listed.len(), 1, "{listed:#?}");
    assert_eq!((listed[0].source.as_str(), listed[0].reference.as_str()), ("external", "fix"));
    case.is_settled(pipeline);
}

#[test]
fn a_merge_request_pipeline_that_comes_later_gets_them_and_the_old_ones_end() {
    let case = Case::from_branch();
    let pipeline = case.pipeline();
    case.world.sandbox.set_all_jobs(pipeline, "running");
    case.report(pipeline);
    let external = case.world.sandbox.pipelines_shown(SOURCE, case.iid)[0].id;
    let seen = case.source_pipeline();
    case.report_merge_request();
    assert_eq!(case.shown_in(seen), statuses(&[("dist-git", "running")]));
    case.world.sandbox.set_all_jobs(pipeline, "failed");
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "failed")]));
    assert_eq!(case.shown_in(external), statuses(&[("dist-git", "failed")]));
    assert_eq!(case.open_statuses(), []);
    case.is_settled(pipeline);
}

#[test]
fn nowhere_where_the_pipeline_ran_in_the_contributors_fork() {
    let case = Case::from_fork();
    let theirs = case.world.sandbox.mr_pipeline(SOURCE, case.iid).jobs(&[("unit", "check")]).create();
    assert!(case.url(theirs).contains(FORK));
    let pipeline = case.pipeline();
    for state in ["running", "failed"] {
        case.world.sandbox.set_all_jobs(pipeline, state);
        case.report(pipeline);
    }
    assert_eq!(case.tries(), []);
    assert_eq!(case.shown(), []);
    assert!(case.summary().starts_with("**dist-git CI: failed**"), "{}", case.summary());
    case.is_settled(pipeline);
}

#[test]
fn nowhere_where_a_fork_has_no_pipeline_at_all() {
    let case = Case::from_fork();
    let pipeline = case.pipeline();
    case.report(pipeline);
    assert_eq!(case.tries(), []);
    assert!(case.summary().starts_with("**dist-git CI: pending**"), "{}", case.summary());
    // A later pipeline in source-git gets them.
    case.source_pipeline();
    case.report_merge_request();
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
    case.is_settled(pipeline);
}

#[test]
fn in_a_pipeline_of_a_fork_that_ran_in_source_git_until_a_newer_one_runs_in_the_fork() {
    let case = Case::from_fork();
    let seen = case.source_pipeline();
    let pipeline = case.pipeline();
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
    case.world.sandbox.mr_pipeline(SOURCE, case.iid).create();
    case.report(pipeline);
    assert_eq!(case.shown(), []);
    assert_eq!(case.shown_in(seen), statuses(&[("dist-git", "canceled")]));
    assert_eq!(case.open_statuses(), []);
    case.is_settled(pipeline);
}

#[test]
fn in_the_fork_where_source_git_keeps_pipelines_of_forks_out() {
    let case = Case::from_fork();
    case.world.sandbox.keep_fork_pipelines_out(SOURCE);
    case.world.sandbox.member(FORK, "maintainer", Role::Maintainer);
    let theirs = case.source_pipeline();
    assert!(case.url(theirs).contains(FORK));
    case.report(case.pipeline());
    assert_eq!(case.tries(), []);
    assert_eq!(case.shown(), []);
}

/// A pipeline of merged results on the source-git side.
fn merged_results(case: &Case) -> u64 {
    case.world.sandbox.commit(SOURCE, "c9s", "Elsewhere\n", &[("other.c", Some("int x;\n"))]);
    let builder = case.world.sandbox.mr_pipeline(SOURCE, case.iid).by("maintainer").merged_result();
    let pipeline = builder.jobs(&[("unit", "check")]).create();
    assert_ne!(case.world.sandbox.pipeline_now(pipeline).sha, case.head());
    pipeline
}

#[test]
fn in_a_merged_results_pipeline_of_source_git() {
    for case in [Case::from_branch(), Case::from_fork()] {
        let seen = merged_results(&case);
        let pipeline = case.pipeline();
        for state in ["pending", "running", "success"] {
            case.world.sandbox.set_all_jobs(pipeline, state);
            case.report(pipeline);
            assert_eq!(case.shown_in(seen), statuses(&[("dist-git", state)]));
            assert_eq!(case.shown(), statuses(&[("dist-git", state)]));
            case.is_settled(pipeline);
        }
        assert_eq!(case.open_statuses(), []);
    }
}

#[test]
fn a_merged_results_pipeline_of_an_earlier_head_gets_none_and_ends_what_it_has() {
    let case = Case::from_fork();
    let seen = merged_results(&case);
    case.report(case.pipeline());
    assert_eq!(case.shown_in(seen), statuses(&[("dist-git", "pending")]));
    case.push();
    case.sync();
    case.report_merge_request();
    assert_eq!(case.shown_in(seen), statuses(&[("dist-git", "canceled")]));
    assert_eq!(case.shown(), []);
    assert_eq!(case.open_statuses(), []);
}

#[test]
fn a_head_pipeline_of_an_earlier_head_gets_none() {
    for case in [Case::from_fork(), Case::from_branch()] {
        let stale = case.source_pipeline();
        case.push();
        case.sync();
        let pipeline = case.pipeline();
        case.world.sandbox.set_all_jobs(pipeline, "running");
        case.report(pipeline);
        assert_eq!(case.shown_in(stale), [], "from {}", case.from);
        let expected = if case.from == FORK { statuses(&[]) } else { statuses(&[("dist-git", "running")]) };
        assert_eq!(case.shown(), expected, "from {}", case.from);
        case.is_settled(pipeline);
    }
}

#[test]
fn what_a_merged_results_pipeline_of_dist_git_says_is_of_the_commit_that_was_merged() {
    let case = Case::from_branch();
    case.world.sandbox.commit(DIST, "c9s", "Elsewhere\n", &[("README", Some("Hello.\n"))]);
    let builder = case.world.sandbox.mr_pipeline(DIST, case.dist()).by("maintainer").merged_result();
    let pipeline = builder.jobs(&[("test", "rpminspect")]).create();
    let tested = case.world.sandbox.pipeline_now(pipeline);
    assert_ne!(Some(tested.sha), case.world.sandbox.tip(BOT_FORK, &format!("c9s-src-{}", case.iid)));
    case.world.sandbox.set_all_jobs(pipeline, "failed");
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "failed")]));
    assert!(case.summary().contains(&case.head()[..10]), "{}", case.summary());
    case.is_settled(pipeline);

    // One of an earlier head says nothing of the new one.
    let old = case.head();
    case.push();
    case.sync();
    case.report(pipeline);
    assert!(case.summary().contains(&case.head()[..10]), "{}", case.summary());
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
    assert!(!case.summary().contains(&old[..10]));
}

#[test]
fn a_merge_request_into_a_project_with_a_pipeline_of_its_branch_alone_has_them_there() {
    let case = Case::from_branch();
    case.push();
    let branch = case.world.sandbox.branch_pipeline(SOURCE, "fix");
    case.sync();
    let pipeline = case.pipeline();
    case.world.sandbox.set_all_jobs(pipeline, "success");
    case.report(pipeline);
    assert_eq!(case.shown_in(branch), statuses(&[("dist-git", "success")]));
    case.is_settled(pipeline);
}

#[test]
fn a_second_merge_request_with_the_same_commit_keeps_its_own() {
    let case = Case::from_branch();
    let sandbox = &case.world.sandbox;
    let first = case.source_pipeline();
    sandbox.branch_at(SOURCE, "again", "fix");
    let other = sandbox.open("contributor").from(SOURCE, "again").into(SOURCE, "c9s").create();
    let second = sandbox.mr_pipeline(SOURCE, other).by("maintainer").jobs(&[("unit", "check")]).create();
    sandbox.commit_status(second, "bot", "dist-git", "running");
    let pipeline = case.pipeline();
    case.report(pipeline);
    assert_eq!(case.shown_in(first), statuses(&[("dist-git", "pending")]));
    let of_other = sandbox.shown_statuses(SOURCE, other);
    assert_eq!((of_other.len(), of_other[0].state.as_str()), (1, "running"));
    sandbox.set_all_jobs(pipeline, "success");
    case.report(pipeline);
    assert_eq!(case.shown_in(first), statuses(&[("dist-git", "success")]));
    assert_eq!(sandbox.shown_statuses(SOURCE, other), of_other);
    case.is_settled(pipeline);
}

#[test]
fn the_first_pending_of_sync_is_where_results_will_be() {
    let world = World::new();
    let iid = world.contribute();
    world.sandbox.member(SOURCE, "bot", Role::Developer);
    let seen = world.sandbox.mr_pipeline(SOURCE, iid).by("maintainer").jobs(&[("unit", "check")]).create();
    let case = Case::synced(world, iid, FORK);
    assert_eq!(case.shown_in(seen), statuses(&[("dist-git", "pending")]));
    case.report_merge_request();
    assert_eq!(case.tries(), []);
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
}
