//! How little `report` asks of GitLab, counted by the sandbox.

use gitlab_sandbox::Role;

use super::world::Case;
use crate::support::world::{DIST, SOURCE};

/// The most requests of a call that changes nothing.
const LIMIT: usize = 8;

/// A dist-git pipeline of a hundred jobs.
fn large(case: &Case) -> u64 {
    let jobs: Vec<_> = (0..100).map(|number| ("test", format!("job {number}"))).collect();
    let jobs: Vec<_> = jobs.iter().map(|(stage, name)| (*stage, name.as_str())).collect();
    case.world.sandbox.mr_pipeline(DIST, case.dist()).jobs(&jobs).create()
}

/// Counts the requests of calls by pipeline and by merge request in which nothing has changed.
#[track_caller]
fn stays_within(case: &Case, pipeline: u64, circumstances: &str) {
    for by_pipeline in [true, false] {
        case.forget();
        if by_pipeline {
            case.report(pipeline);
        } else {
            case.report_merge_request();
        }
        let asked = case.world.sandbox.api_requests();
        let asked: Vec<_> =
            asked.iter().map(|request| format!("{} {}?{}", request.method, request.path, request.query)).collect();
        assert!(asked.len() <= LIMIT, "{circumstances}: {} requests: {asked:#?}", asked.len());
        assert_eq!(case.world.written(), [""; 0], "{circumstances}");
    }
}

#[test]
fn a_call_that_changes_nothing_stays_within_eight_requests_in_any_state() {
    for (name, case) in [
        ("from a fork", Case::from_fork()),
        ("from a branch", Case::from_branch()),
        ("from a branch, with jobs", Case::from_branch().with_jobs()),
    ] {
        let pipeline = large(&case);
        for state in ["pending", "running", "success", "failed", "canceled", "skipped"] {
            case.world.sandbox.set_all_jobs(pipeline, state);
            case.report(pipeline);
            stays_within(&case, pipeline, &format!("{name}, {state}"));
        }
    }
}

#[test]
fn so_it_does_with_a_pipeline_of_its_own_one_of_merged_results_and_a_refusal() {
    let case = Case::from_fork().with_jobs();
    case.source_pipeline();
    let pipeline = large(&case);
    for state in ["pending", "running", "failed"] {
        case.world.sandbox.set_all_jobs(pipeline, state);
        case.report(pipeline);
        stays_within(&case, pipeline, &format!("in a pipeline of source-git, {state}"));
    }
    case.world.sandbox.commit(SOURCE, "c9s", "Elsewhere\n", &[("other.c", Some("int x;\n"))]);
    case.world.sandbox.mr_pipeline(SOURCE, case.iid).by("maintainer").merged_result().create();
    case.world.sandbox.commit(DIST, "c9s", "Elsewhere\n", &[("README", Some("Hello.\n"))]);
    let builder = case.world.sandbox.mr_pipeline(DIST, case.dist()).by("maintainer").merged_result();
    let merged = builder.jobs(&[("test", "rpminspect")]).create();
    for state in ["pending", "running", "failed"] {
        case.world.sandbox.set_all_jobs(merged, state);
        case.report(merged);
        stays_within(&case, merged, &format!("merged results on both sides, {state}"));
    }

    let case = Case::from_fork();
    case.world.sandbox.member(SOURCE, "bot", Role::Reporter);
    case.source_pipeline();
    let pipeline = large(&case);
    for state in ["pending", "running", "success"] {
        case.world.sandbox.set_all_jobs(pipeline, state);
        case.report(pipeline);
        stays_within(&case, pipeline, &format!("where statuses are refused, {state}"));
    }
}

#[test]
fn so_it_does_without_any_pipeline_and_among_many() {
    let case = Case::from_branch();
    case.report_merge_request();
    case.forget();
    case.report_merge_request();
    assert!(case.world.sandbox.api_requests().len() <= LIMIT);
    for number in 0..40 {
        case.world.sandbox.note(SOURCE, case.iid, "contributor", &format!("What about {number}?"));
        let older = case.pipeline();
        case.world.sandbox.set_all_jobs(older, "canceled");
    }
    let pipeline = large(&case);
    case.world.sandbox.set_all_jobs(pipeline, "running");
    case.report(pipeline);
    stays_within(&case, pipeline, "among many");
}

#[test]
fn no_status_is_posted_twice() {
    let case = Case::from_branch().with_jobs();
    let pipeline = case.pipeline();
    case.world.sandbox.clear_log();
    for state in ["pending", "running", "success"] {
        case.world.sandbox.set_all_jobs(pipeline, state);
        for _ in 0..3 {
            case.report(pipeline);
            case.report_merge_request();
        }
    }
    let mut tries = case.tries();
    let all = tries.len();
    tries.sort();
    tries.dedup();
    // Of the first three, that for the pipeline is there since the merge request was synced.
    assert_eq!((all, tries.len()), (2 + 3 + 3, 8), "{tries:#?}");
}
