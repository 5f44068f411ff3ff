//! `report` from job variables, without writing, and wrongly called.

use super::world::{Case, JOBS, statuses};
use crate::support::world::{DIST, SOURCE};

/// A dist-git pipeline of which a job has failed.
fn failed(case: &Case) -> u64 {
    let pipeline = case.pipeline();
    let (_, name) = JOBS[0];
    case.world.sandbox.set_job(case.world.sandbox.job_named(pipeline, name), "failed");
    let (_, name) = JOBS[1];
    case.world.sandbox.set_job(case.world.sandbox.job_named(pipeline, name), "skipped");
    pipeline
}

#[test]
fn a_dry_run_shows_everything_and_writes_nothing() {
    let case = Case::from_branch().with_jobs();
    let pipeline = failed(&case);
    case.forget();
    let run = case.world.run(case.command(pipeline).arg("--dry-run"));
    run.ends_with(0);
    assert_eq!(case.world.written(), [""; 0]);
    assert_eq!(case.world.attempts(), [""; 0]);
    let head = case.head();
    let as_of = run.stdout.split("as of ").nth(1).unwrap().split(')').next().unwrap().to_owned();
    let mut shown = run.stdout.replace(&case.world.sandbox.url(), "https://gitlab").replace(&as_of, "<time>");
    for (long, short) in [(&head[..], "<head>"), (&head[..10], "<hea>")] {
        shown = shown.replace(long, short);
    }
    let shown: Vec<_> = shown.lines().filter(|line| !line.contains("source-git-bot v1: results")).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    would post the status "dist-git", failed (failed: mock), on <hea>, on the branch fix
    would post the status "dist-git / build / mock", failed (failed (script failure)), on <hea>, on the branch fix
    would post the status "dist-git / test / rpminspect", skipped (skipped), on <hea>, on the branch fix
    would edit the note 1021
      | @@ -5,5 +5,12 @@
      |  <!-- source-git-bot v1: ci begin -->
      | -**dist-git CI:** has not started yet for commit `<hea>`.
      | +**dist-git CI: failed** for commit `<hea>` ([pipeline 1022](https://gitlab/bot/hello/-/pipelines/1022), as of <time>)
      | +
      | +Each job's name links to its log. Push a fix here, or ask the package's maintainers if this change is not the cause.
      |
      | +| Job | Stage | State | Duration |
      | +| --- | --- | --- | ---: |
      | +| [`mock`](https://gitlab/bot/hello/-/jobs/1023) | `build` | **failed (script failure)** | 0 s |
      | +| [`rpminspect`](https://gitlab/bot/hello/-/jobs/1024) | `test` | skipped |  |
      | +
      |  <!-- source-git-bot v1: ci end -->
    "#);
    // What was shown is what is done.
    case.report(pipeline);
    let expected =
        [("dist-git", "failed"), ("dist-git / build / mock", "failed"), ("dist-git / test / rpminspect", "skipped")];
    assert_eq!(case.shown(), statuses(&expected));
    let run = case.world.run(case.command(pipeline).arg("--dry-run"));
    assert_eq!((run.status, run.stdout.as_str()), (Some(0), "nothing would be done\n"));
}

#[test]
fn a_dry_run_as_data_says_the_same() {
    let case = Case::from_fork();
    let seen = case.source_pipeline();
    let pipeline = failed(&case);
    case.forget();
    let run = case.world.run(case.command(pipeline).args(["--dry-run", "--output", "json"]));
    run.ends_with(0);
    assert_eq!(case.world.written(), [""; 0]);
    let plan = run.json();
    assert_eq!(plan["format"], 1);
    let steps = plan["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2, "{plan:#}");
    assert_eq!(steps[0]["step"], "post_status");
    assert_eq!(steps[0]["commit"], case.head().as_str());
    assert_eq!(steps[0]["pipeline"], seen);
    assert_eq!(steps[0]["branch"], serde_json::Value::Null);
    assert_eq!((&steps[0]["name"], &steps[0]["state"]), (&"dist-git".into(), &"failed".into()));
    assert_eq!(steps[0]["description"], "failed: mock");
    assert_eq!(steps[0]["url"], case.url(pipeline).as_str());
    assert_eq!(steps[1]["step"], "edit_note");
    assert!(run.stdout.contains("**dist-git CI: failed**"), "{plan:#}");
}

#[test]
fn a_job_of_dist_gits_pipeline_needs_no_arguments() {
    let case = Case::from_branch();
    for project in ["bot/hello", DIST] {
        let pipeline = if project == DIST { case.dist_git_pipeline() } else { case.pipeline() };
        case.world.sandbox.set_all_jobs(pipeline, "success");
        let report = case.world.sandbox.job(pipeline, ".post", "source-git-bot: report").status("running").create();
        let mut command = case.world.program();
        command.arg("report").env("GITLAB_CI", "true").env("CI_PROJECT_PATH", project);
        command.env("CI_PIPELINE_ID", pipeline.to_string());
        // A merge request pipeline of dist-git has these as well.
        command.env("CI_MERGE_REQUEST_PROJECT_PATH", DIST).env("CI_MERGE_REQUEST_IID", case.dist().to_string());
        case.world.run(&mut command).ends_with(0);
        assert_eq!(case.shown(), statuses(&[("dist-git", "success")]));
        assert!(case.note().contains(&case.url(pipeline)));
        case.world.sandbox.set_job(report, "success");
    }
}

#[test]
fn a_job_of_the_source_git_merge_request_needs_no_arguments() {
    let case = Case::from_branch();
    let seen = case.source_pipeline();
    let pipeline = failed(&case);
    let mut command = case.world.program();
    command.arg("report").env("GITLAB_CI", "true").env("CI_PROJECT_PATH", SOURCE);
    command.env("CI_PIPELINE_ID", seen.to_string());
    command.env("CI_MERGE_REQUEST_PROJECT_PATH", SOURCE).env("CI_MERGE_REQUEST_IID", case.iid.to_string());
    case.world.run(&mut command).ends_with(0);
    assert_eq!(case.shown_in(seen), statuses(&[("dist-git", "failed")]));
    case.is_settled(pipeline);
}

#[test]
fn what_is_named_counts_before_the_jobs_variables() {
    let case = Case::from_branch();
    let pipeline = failed(&case);
    let mut command = case.command(pipeline);
    command.env("CI_MERGE_REQUEST_PROJECT_PATH", SOURCE).env("CI_MERGE_REQUEST_IID", "77");
    case.world.run(&mut command).ends_with(0);
    assert_eq!(case.shown(), statuses(&[("dist-git", "failed")]));
}

#[test]
fn without_a_token_it_ends_so() {
    let case = Case::from_branch();
    let pipeline = case.pipeline();
    let run = case.world.run(case.command(pipeline).env_remove("SGB_TOKEN"));
    run.ends_with(4);
    assert!(run.stderr.contains("no token") && run.stderr.contains("SGB_TOKEN"), "{}", run.stderr);
    assert!(case.world.sandbox.requests().is_empty());
}

#[test]
fn wrong_usage_is_explained() {
    let case = Case::from_branch();
    for arguments in [
        &[][..],
        &["--pipeline", "7"],
        &["--pipeline", "https://elsewhere.example/rpms/hello/-/pipelines/7"],
        &["--pipeline", "rpms/hello/-/jobs/7"],
        &["--merge-request", "src/hello"],
        &["--merge-request", "src/hello!1", "--pipeline", "rpms/hello/-/pipelines/7"],
        &["src/hello!1"],
    ] {
        let run = case.world.run(case.world.program().arg("report").args(arguments));
        assert_eq!(run.status, Some(2), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains("error: "), "{}", run.stderr);
    }
    assert!(case.world.sandbox.requests().is_empty());
}

#[test]
fn a_merge_request_outside_of_the_instance_or_without_a_pair_is_nothing_to_report() {
    let case = Case::from_branch();
    for named in ["elsewhere/hello!1", "rpms/hello!1"] {
        let run = case.world.run(case.world.program().args(["report", "--merge-request", named]));
        run.ends_with(0);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
        assert!(case.world.sandbox.requests().is_empty());
    }
    case.world.sandbox.branch_at(SOURCE, "other", "fix");
    let other = case.world.sandbox.open("contributor").from(SOURCE, "other").into(SOURCE, "c9s").create();
    let run = case.world.run(case.world.program().args(["report", "--merge-request", &format!("{SOURCE}!{other}")]));
    run.ends_with(0);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
}
