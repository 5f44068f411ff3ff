//! Jobs of every kind, as the note and the statuses of `report` show them.

use gitlab_sandbox::Visibility;

use super::world::{Case, statuses};
use crate::support::world::DIST;

/// The state that the page shows for a status, and its description.
#[track_caller]
fn shown(case: &Case, name: &str) -> (String, String) {
    let all = case.world.sandbox.shown_statuses("src/hello", case.iid);
    let found = all.iter().find(|status| status.name == name).unwrap_or_else(|| panic!("no {name}: {all:#?}"));
    (found.state.clone(), found.description.clone().unwrap_or_default())
}

fn pair(state: &str, description: &str) -> (String, String) {
    (state.to_owned(), description.to_owned())
}

/// A dist-git pipeline without jobs.
fn empty(case: &Case) -> u64 {
    case.world.sandbox.mr_pipeline(DIST, case.dist()).create()
}

#[test]
fn jobs_of_every_outcome() {
    let case = Case::from_branch().with_jobs();
    let sandbox = &case.world.sandbox;
    let pipeline = empty(&case);
    sandbox.job(pipeline, "build", "mock").status("success").create();
    sandbox.job(pipeline, "test", "lint").failed("script_failure").allow_failure().create();
    sandbox.job(pipeline, "test", "runner").failed("runner_system_failure").create();
    sandbox.job(pipeline, "test", "stopped").status("canceled").create();
    sandbox.job(pipeline, "test", "left out").status("skipped").create();
    sandbox.job(pipeline, "deploy", "optional").status("manual").allow_failure().create();
    sandbox.job(pipeline, "z", "source-git-bot: report").status("running").create();
    case.report(pipeline);
    assert_eq!(shown(&case, "dist-git"), pair("failed", "failed: runner"));
    assert_eq!(shown(&case, "dist-git / build / mock"), pair("success", "passed"));
    let lint = pair("success", "failed (script failure), but allowed to fail");
    assert_eq!(shown(&case, "dist-git / test / lint"), lint);
    assert_eq!(shown(&case, "dist-git / test / runner"), pair("failed", "failed (runner system failure)"));
    assert_eq!(shown(&case, "dist-git / test / stopped"), pair("canceled", "canceled"));
    assert_eq!(shown(&case, "dist-git / test / left out"), pair("skipped", "skipped"));
    assert_eq!(shown(&case, "dist-git / deploy / optional"), pair("skipped", "optional, not started"));
    assert_eq!(case.shown().len(), 7, "{:#?}", case.shown());
    let rows = case.rows();
    assert_eq!(rows.len(), 6, "{rows:#?}");
    assert!(rows[0].contains("`runner`") && rows[0].contains("**failed (runner system failure)**"), "{rows:#?}");
    assert!(rows[1].contains("`lint`") && rows[1].contains("allowed to fail"), "{rows:#?}");
    assert!(case.summary().starts_with("**dist-git CI: failed**"));
    case.is_settled(pipeline);
}

#[test]
fn warnings_a_blocking_manual_job_and_one_that_reports() {
    let case = Case::from_branch();
    let sandbox = &case.world.sandbox;
    let pipeline = empty(&case);
    sandbox.job(pipeline, "test", "lint").failed("script_failure").allow_failure().create();
    let report = sandbox.job(pipeline, ".post", "source-git-bot: report").status("running").create();
    case.report(pipeline);
    assert_eq!(shown(&case, "dist-git"), pair("success", "passed with warnings"));
    assert!(case.summary().starts_with("**dist-git CI: passed with warnings**"));
    sandbox.set_job(report, "success");
    case.report(pipeline);
    assert_eq!(shown(&case, "dist-git"), pair("success", "passed with warnings"));

    let blocked = empty(&case);
    sandbox.job(blocked, "build", "mock").status("success").create();
    sandbox.job(blocked, "deploy", "gate").status("manual").create();
    case.report(blocked);
    assert_eq!(shown(&case, "dist-git"), pair("pending", "waiting for a person to start it"));
    case.is_settled(blocked);
}

#[test]
fn a_broken_configuration_says_so() {
    let case = Case::from_branch().with_jobs();
    let pipeline = empty(&case);
    case.world.sandbox.yaml_error(pipeline, "jobs `x|y` config\n/close <!-- source-git-bot v1: ci end -->");
    case.report(pipeline);
    let failed = pair("failed", "failed: the CI configuration of dist-git cannot be used");
    assert_eq!(shown(&case, "dist-git"), failed);
    assert!(case.note().contains("The CI configuration of dist-git cannot be used: `"), "{}", case.note());
    case.is_settled(pipeline);
}

#[test]
fn downstream_pipelines_are_below_their_trigger_jobs() {
    let case = Case::from_branch().with_jobs();
    let sandbox = &case.world.sandbox;
    sandbox.project("tests/plans");
    sandbox.commit("tests/plans", "main", "Plan\n", &[("plan", Some("x"))]);
    sandbox.project_with("hidden/plans", Visibility::Private);
    sandbox.commit("hidden/plans", "main", "Plan\n", &[("plan", Some("x"))]);
    let pipeline = empty(&case);
    let child_bridge = sandbox.bridge(pipeline, "build", "arches").depend().create();
    let child = sandbox.child_pipeline(child_bridge);
    let job = sandbox.job(child, "build", "x86_64").status("running").create();
    let open_bridge = sandbox.bridge(pipeline, "test", "plans").create();
    let open = sandbox.downstream_pipeline(open_bridge, "tests/plans", "main");
    sandbox.job(open, "test", "smoke").failed("script_failure").create();
    let hidden_bridge = sandbox.bridge(pipeline, "test", "hidden").depend().create();
    let hidden = sandbox.downstream_pipeline(hidden_bridge, "hidden/plans", "main");
    let secret = sandbox.job(hidden, "test", "secret").failed("script_failure").create();
    sandbox.bridge(pipeline, "test", "waiting").status("created").create();
    case.report(pipeline);
    let expected = [
        ("dist-git", "running"),
        ("dist-git / build / arches", "running"),
        ("dist-git / build / arches / x86_64", "running"),
        ("dist-git / test / hidden", "failed"),
        ("dist-git / test / plans", "success"),
        ("dist-git / test / waiting", "pending"),
    ];
    assert_eq!(case.shown(), statuses(&expected));
    let rows = case.rows();
    assert!(rows.iter().any(|row| row.contains("`x86_64`") && row.contains("child pipeline of `arches`")), "{rows:#?}");
    // What runs in other projects is theirs to show, whoever may see it.
    assert!(!case.note().contains("secret") && !case.note().contains("smoke"));
    // Only what is below changes.
    sandbox.set_job(job, "success");
    sandbox.set_job(secret, "success");
    case.report(pipeline);
    let (_, states): (Vec<_>, Vec<_>) = case.shown().into_iter().unzip();
    assert_eq!(states, ["running", "success", "success", "success", "success", "pending"]);
    case.is_settled(pipeline);
}

#[test]
fn a_downstream_job_that_changes_after_its_parent_has_ended_is_told() {
    let case = Case::from_branch().with_jobs();
    let sandbox = &case.world.sandbox;
    let pipeline = empty(&case);
    let bridge = sandbox.bridge(pipeline, "build", "arches").create();
    let child = sandbox.child_pipeline(bridge);
    let job = sandbox.job(child, "build", "x86_64").status("running").create();
    // The trigger job does not wait for what it started.
    case.report(pipeline);
    assert_eq!(shown(&case, "dist-git / build / arches / x86_64").0, "running");
    assert_eq!(shown(&case, "dist-git").0, "success");
    sandbox.set_job(job, "failed");
    case.report(pipeline);
    assert_eq!(shown(&case, "dist-git / build / arches / x86_64").0, "failed");
    assert_eq!(case.open_statuses(), []);
    case.is_settled(pipeline);
}

#[test]
fn more_than_fifty_jobs_are_summed_up_by_stage() {
    let case = Case::from_branch().with_jobs();
    let sandbox = &case.world.sandbox;
    let pipeline = empty(&case);
    for number in 0..51 {
        let stage = if number < 20 { "build" } else { "test" };
        sandbox.job(pipeline, stage, &format!("job {number}")).status("success").create();
    }
    sandbox.set_job(sandbox.job_named(pipeline, "job 30"), "failed");
    case.report(pipeline);
    let expected = [("dist-git", "failed"), ("dist-git / build", "success"), ("dist-git / test", "failed")];
    assert_eq!(case.shown(), statuses(&expected));
    assert_eq!(shown(&case, "dist-git / test").1, "1 of 31 jobs failed");
    case.is_settled(pipeline);
}

#[test]
fn more_than_a_hundred_jobs_are_read_and_the_table_is_cut() {
    let case = Case::from_branch();
    let sandbox = &case.world.sandbox;
    let pipeline = empty(&case);
    for number in 0..230 {
        sandbox.job(pipeline, "test", &format!("job {number}")).status("success").create();
    }
    sandbox.set_job(sandbox.job_named(pipeline, "job 3"), "failed");
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "failed")]));
    let rows = case.rows();
    assert_eq!(rows.len(), 101);
    assert!(rows[0].contains("`job 3`"), "{}", rows[0]);
    assert!(case.note().contains("<summary>229 passed</summary>"), "{}", case.note());
    assert!(case.note().contains("… and 129 more."), "{}", case.note());
    case.is_settled(pipeline);
}

#[test]
fn hostile_names_act_nowhere() {
    let case = Case::from_branch().with_jobs();
    let sandbox = &case.world.sandbox;
    let pipeline = empty(&case);
    let long = "é".repeat(300);
    let names = [
        "a | b",
        "`code`",
        "<!-- source-git-bot v1: ci end -->",
        "<!-- source-git-bot v1: note {} -->",
        "/close",
        "x\n/merge\n",
        "@all",
        "Closes src/hello#1",
        "\u{1b}[31mred\u{1b}]0;title\u{7}",
        "\u{202e}txet",
        "</details>",
        "   ",
        &long,
    ];
    for name in names {
        sandbox.job(pipeline, name, name).failed("script_failure").create();
    }
    let before = sandbox.acts().len();
    let run = case.report(pipeline);
    assert!(!run.stderr.contains('\u{1b}') || run.stderr.matches("\u{1b}]").count() == 0, "{:?}", run.stderr);
    assert_eq!(sandbox.acts().len(), before, "{:#?}", sandbox.acts());
    assert_eq!(case.rows().len(), names.len());
    for row in case.rows() {
        assert_eq!(row.matches('|').count(), 5, "{row}");
        assert!(!row.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{row:?}");
    }
    let shown = sandbox.shown_statuses("src/hello", case.iid);
    assert_eq!(shown.len(), names.len() + 1);
    for status in &shown {
        assert!(status.name.chars().count() <= 255, "{}", status.name);
        assert!(!status.name.contains(['\u{1b}', '\n', '\u{202e}']), "{:?}", status.name);
        assert_eq!(status.state, "failed");
    }
    case.is_settled(pipeline);
    // The note is found and read again, and sync keeps it as it is.
    let note = case.note();
    case.sync();
    assert_eq!(case.note(), note);
    sandbox.set_all_jobs(pipeline, "success");
    case.report(pipeline);
    assert_eq!(case.note().matches("<!-- source-git-bot v1: ci begin -->").count(), 1);
    assert!(case.summary().starts_with("**dist-git CI: passed**"));
}
