//! What `report` does not believe, and what it does not say twice.

use super::world::{Case, statuses};
use crate::support::world::{DIST, SOURCE};

#[test]
fn a_persons_commit_is_not_the_contributors_whatever_its_trailer_says() {
    let case = Case::from_branch();
    let sandbox = &case.world.sandbox;
    let pipeline = case.pipeline();
    sandbox.set_all_jobs(pipeline, "running");
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "running")]));
    let branch = format!("c9s-src-{}", case.iid);
    let forged = format!("Mine\n\nFrom-source-git-commit: {}\n", case.head());
    sandbox.commit("bot/hello", &branch, &forged, &[("mine", Some("x\n"))]);
    let forged = case.pipeline();
    sandbox.set_all_jobs(forged, "success");
    case.report(forged);
    // What the bot's own commit left open has ended, and nothing has passed.
    assert_eq!(case.shown(), statuses(&[("dist-git", "canceled")]));
    assert!(!case.note().contains("passed"), "{}", case.note());
}

#[test]
fn a_merge_request_for_an_earlier_target_has_nothing_to_say() {
    let case = Case::from_branch();
    let sandbox = &case.world.sandbox;
    for project in [SOURCE, DIST] {
        sandbox.branch_at(project, "c10s", "c9s");
    }
    let earlier = case.pipeline();
    sandbox.set_all_jobs(earlier, "success");
    case.report(earlier);
    sandbox.set_target(SOURCE, case.iid, "maintainer", "c10s");
    case.sync();
    let second = sandbox.merge_requests(DIST).last().unwrap().iid;
    let now = sandbox.mr_pipeline(DIST, second).jobs(&[("test", "tier0")]).create();
    sandbox.set_all_jobs(now, "failed");
    case.report(now);
    case.report(earlier);
    assert_eq!(case.shown(), statuses(&[("dist-git", "failed")]));
    assert!(case.note().contains("**dist-git CI: failed**"), "{}", case.note());
    case.is_settled(now);
    case.is_settled(earlier);
}

#[test]
fn a_report_from_inside_the_pipeline_needs_no_second_edit() {
    let case = Case::from_fork();
    let sandbox = &case.world.sandbox;
    let pipeline = sandbox.mr_pipeline(DIST, case.dist()).jobs(&[("test", "tier0")]).create();
    let reporting = sandbox.job(pipeline, ".post", "source-git-bot: report").status("running").create();
    sandbox.set_job(sandbox.job_named(pipeline, "tier0"), "failed");
    case.report(pipeline);
    assert!(case.note().contains("**dist-git CI: failed**"), "{}", case.note());
    sandbox.set_job(reporting, "success");
    case.is_settled(pipeline);
}

#[test]
fn what_failed_in_place_of_something_else_is_named() {
    let case = Case::from_branch();
    let sandbox = &case.world.sandbox;
    let pipeline = sandbox.mr_pipeline(DIST, case.dist()).jobs(&[("test", "a"), ("test", "b")]).create();
    let [a, b] = ["a", "b"].map(|name| sandbox.job_named(pipeline, name));
    sandbox.set_job(a, "failed");
    sandbox.set_job(b, "success");
    case.report(pipeline);
    let (a, b) = (sandbox.retry_job(a), sandbox.retry_job(b));
    sandbox.set_job(a, "success");
    sandbox.set_job(b, "failed");
    case.report(pipeline);
    let shown = sandbox.shown_statuses(SOURCE, case.iid);
    assert_eq!(shown[0].description.as_deref(), Some("failed: b"));
}
