//! `report` when things are not as they were: late, twice, out of order, closed, merged, deleted, moved on.

use gitlab_sandbox::Visibility;

use super::world::{BOT_FORK, Case, JOBS, statuses};
use crate::support::Run;
use crate::support::world::{DIST, FORK, SOURCE};

fn said(run: &Run) -> Vec<&str> {
    run.stderr.lines().filter(|line| !line.contains("reading the CI results")).collect()
}

#[test]
fn late_and_repeated_calls_find_nothing_to_do() {
    let case = Case::from_branch();
    let pipeline = case.pipeline();
    case.world.sandbox.set_all_jobs(pipeline, "success");
    for _ in 0..3 {
        case.report(pipeline);
    }
    assert_eq!(case.tries().len(), 1);
    assert_eq!(case.shown(), statuses(&[("dist-git", "success")]));
    case.is_settled(pipeline);
}

#[test]
fn a_call_for_the_older_of_two_pipelines_of_one_commit_reports_the_newer() {
    let case = Case::from_branch();
    let older = case.pipeline();
    case.world.sandbox.set_all_jobs(older, "failed");
    case.report(older);
    let newer = case.pipeline();
    case.world.sandbox.set_all_jobs(newer, "running");
    case.report(newer);
    assert_eq!(case.shown(), statuses(&[("dist-git", "running")]));
    case.report(older);
    assert_eq!(case.shown(), statuses(&[("dist-git", "running")]));
    assert!(case.note().contains(&case.url(newer)), "{}", case.note());
    case.world.sandbox.set_all_jobs(newer, "success");
    case.report(older);
    assert_eq!(case.shown(), statuses(&[("dist-git", "success")]));
    assert!(!case.note().contains(&case.url(older)), "{}", case.note());
    case.is_settled(older);
}

#[test]
fn a_pipeline_for_an_older_commit_ends_what_is_open_and_leaves_the_note_alone() {
    let case = Case::from_branch();
    let seen = case.source_pipeline();
    let old = case.pipeline();
    case.world.sandbox.set_all_jobs(old, "running");
    case.report(old);
    case.push();
    case.sync();
    let note = case.note();
    case.report(old);
    assert_eq!(case.note(), note);
    assert_eq!(case.shown_in(seen), statuses(&[("dist-git", "canceled")]));
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
    // How it ends after all is told where it is looked for.
    case.world.sandbox.set_all_jobs(old, "success");
    case.report(old);
    assert_eq!(case.shown_in(seen), statuses(&[("dist-git", "success")]));
    assert_eq!(case.note(), note);
    let new = case.pipeline();
    case.report(new);
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
    case.is_settled(new);
}

#[test]
fn what_an_older_commit_left_open_ends_with_the_next_report() {
    for syncs in [1, 3] {
        let case = Case::from_branch();
        let pipeline = case.pipeline();
        case.world.sandbox.set_all_jobs(pipeline, "running");
        case.report(pipeline);
        for _ in 0..syncs {
            case.push();
            case.sync();
        }
        case.report_merge_request();
        let head = case.head();
        assert_eq!(case.open_statuses(), [(head, "dist-git".to_owned())]);
    }
}

#[test]
fn a_dist_git_merge_request_that_was_closed_leaves_nothing_open() {
    for state in ["pending", "running", "success", "failed"] {
        let case = Case::from_branch().with_jobs();
        let pipeline = case.pipeline();
        case.world.sandbox.set_all_jobs(pipeline, state);
        case.report(pipeline);
        case.world.sandbox.close(DIST, case.dist(), "maintainer");
        case.report_merge_request();
        let expected = if state == "success" || state == "failed" { state } else { "canceled" };
        assert!(case.shown().iter().all(|(_, state)| state == expected), "{:?}", case.shown());
        assert_eq!(case.shown().len(), 3);
        case.is_settled(pipeline);
    }
}

#[test]
fn a_dist_git_merge_request_that_was_closed_before_any_pipeline_leaves_nothing_open() {
    let case = Case::from_branch();
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
    case.world.sandbox.close(DIST, case.dist(), "maintainer");
    case.report_merge_request();
    assert_eq!(case.shown(), statuses(&[("dist-git", "canceled")]));
    assert!(case.summary().contains("has not tested"), "{}", case.summary());
}

#[test]
fn a_dist_git_merge_request_that_was_merged_keeps_its_results() {
    let case = Case::from_branch();
    let pipeline = case.pipeline();
    case.world.sandbox.set_all_jobs(pipeline, "success");
    case.world.sandbox.merge(DIST, case.dist(), "maintainer");
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "success")]));
    assert!(case.summary().starts_with("**dist-git CI: passed**"));
    case.is_settled(pipeline);
}

#[test]
fn a_source_git_merge_request_that_was_merged_gets_the_results_that_come_later() {
    let case = Case::from_branch();
    let pipeline = case.pipeline();
    case.report(pipeline);
    case.world.sandbox.merge(SOURCE, case.iid, "maintainer");
    case.world.sandbox.set_all_jobs(pipeline, "failed");
    case.report(pipeline);
    assert!(case.summary().starts_with("**dist-git CI: failed**"));
    assert_eq!(case.open_statuses(), []);
    assert_eq!(case.shown(), statuses(&[("dist-git", "failed")]));
    case.is_settled(pipeline);
}

#[test]
fn a_source_git_merge_request_that_was_closed_leaves_nothing_open() {
    let case = Case::from_branch();
    let pipeline = case.pipeline();
    case.world.sandbox.set_all_jobs(pipeline, "running");
    case.report(pipeline);
    case.world.sandbox.close(SOURCE, case.iid, "contributor");
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "canceled")]));
    case.is_settled(pipeline);
    case.world.sandbox.set_all_jobs(pipeline, "success");
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "success")]));
    case.is_settled(pipeline);
}

#[test]
fn without_the_bots_fork_there_is_nothing_to_report() {
    let case = Case::from_branch();
    let pipeline = case.pipeline();
    case.report(pipeline);
    let (url, note) = (case.url(pipeline), case.note());
    case.world.sandbox.delete_project(BOT_FORK);
    case.forget();
    let run = case.world.run(&mut case.command_for(&url));
    run.ends_with(0);
    assert_eq!(said(&run).len(), 1, "{}", run.stderr);
    case.world.run(&mut case.command_of_merge_request()).ends_with(0);
    assert_eq!(case.note(), note);
    // Nothing will come any more of what has not ended.
    assert_eq!(case.open_statuses(), []);
    case.forget();
    case.world.run(&mut case.command_of_merge_request()).ends_with(0);
    assert_eq!(case.world.written(), [""; 0]);
}

#[test]
fn without_the_contributors_fork_results_are_in_the_note() {
    let case = Case::from_fork();
    let pipeline = case.pipeline();
    case.world.sandbox.delete_project(FORK);
    case.world.sandbox.set_all_jobs(pipeline, "failed");
    case.report(pipeline);
    assert_eq!(case.tries(), []);
    assert!(case.summary().starts_with("**dist-git CI: failed**"));
    case.is_settled(pipeline);
}

#[test]
fn a_pipeline_that_was_deleted_is_nothing_to_report() {
    let case = Case::from_branch();
    let pipeline = case.pipeline();
    case.world.sandbox.set_all_jobs(pipeline, "running");
    case.report(pipeline);
    let url = case.url(pipeline);
    case.world.sandbox.arrange(|model| {
        model.pipelines.remove(&pipeline);
        for request in model.merge_requests.values_mut().filter(|request| request.head_pipeline == Some(pipeline)) {
            request.head_pipeline = None;
        }
    });
    case.forget();
    let run = case.world.run(&mut case.command_for(&url));
    run.ends_with(0);
    assert_eq!(said(&run).len(), 1, "{}", run.stderr);
    assert_eq!(case.world.written(), [""; 0]);
    // What the merge request says now is told: nothing is being tested.
    case.report_merge_request();
    assert!(case.summary().contains("has not started yet"), "{}", case.summary());
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
}

/// Reports a pipeline that is nobody's of ours: no more requests than these, one line, nothing written.
#[track_caller]
fn is_not_ours(case: &Case, pipeline: u64, requests: usize) {
    case.forget();
    let run = case.report(pipeline);
    assert_eq!(said(&run).len(), 1, "{}", run.stderr);
    let asked: Vec<_> = case.world.sandbox.api_requests().into_iter().map(|request| request.path).collect();
    assert!(asked.len() <= requests, "{asked:#?}");
    assert_eq!(case.world.written(), [""; 0]);
}

#[test]
fn a_pipeline_that_is_none_of_the_bots_is_left_alone() {
    let case = Case::from_branch();
    let sandbox = &case.world.sandbox;
    // A branch of dist-git: only the pipeline is read.
    is_not_ours(&case, sandbox.branch_pipeline(DIST, "c9s"), 1);
    // A person's branch with a name like the bot's.
    sandbox.branch_at(DIST, "c9s-src-1", "c9s");
    is_not_ours(&case, sandbox.branch_pipeline(DIST, "c9s-src-1"), 5);
    // Another author's merge request into dist-git.
    sandbox.commit(DIST, "other", "Other\n", &[("other", Some("x"))]);
    let other = sandbox.open("maintainer").from(DIST, "other").into(DIST, "c9s").create();
    let theirs = sandbox.mr_pipeline(DIST, other).by("maintainer").create();
    is_not_ours(&case, theirs, 2);
    // The same from a branch named like the bot's.
    sandbox.commit(DIST, "c9s-src-77", "Other\n", &[("other", Some("x"))]);
    let other = sandbox.open("maintainer").from(DIST, "c9s-src-77").into(DIST, "c9s").create();
    let theirs = sandbox.mr_pipeline(DIST, other).by("maintainer").create();
    is_not_ours(&case, theirs, 3);
    // Another project of the bot's, and a branch of its fork without a merge request.
    sandbox.project_with("bot/notes", Visibility::Public);
    sandbox.commit("bot/notes", "main", "Start\n", &[("README", Some("x"))]);
    is_not_ours(&case, sandbox.branch_pipeline("bot/notes", "main"), 4);
    sandbox.branch_at(BOT_FORK, "stray", "c9s");
    is_not_ours(&case, sandbox.branch_pipeline(BOT_FORK, "stray"), 4);
    // Outside of the instance.
    sandbox.project("elsewhere/hello");
    sandbox.commit("elsewhere/hello", "main", "Start\n", &[("README", Some("x"))]);
    is_not_ours(&case, sandbox.branch_pipeline("elsewhere/hello", "main"), 1);
    // source-git itself.
    is_not_ours(&case, sandbox.branch_pipeline(SOURCE, "c9s"), 1);
}

#[test]
fn without_the_record_the_branch_tells_the_pair() {
    let case = Case::from_branch();
    let pipeline = case.pipeline();
    case.world.sandbox.set_description(DIST, case.dist(), "maintainer", "Nothing of the bot is left here.");
    case.world.sandbox.set_all_jobs(pipeline, "success");
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "success")]));
    assert!(case.summary().starts_with("**dist-git CI: passed**"));
    case.is_settled(pipeline);
}

#[test]
fn a_record_that_disagrees_keeps_results_away() {
    let case = Case::from_branch();
    let pipeline = case.pipeline();
    let description = case.world.opened().description;
    let other = description.replace("\"merge_request\":1", "\"merge_request\":2");
    assert_ne!(description, other);
    case.world.sandbox.set_description(DIST, case.dist(), "bot", &other);
    is_not_ours(&case, pipeline, 4);
}

#[test]
fn without_the_note_the_statuses_tell() {
    let case = Case::from_branch();
    let bot = case.world.sandbox.inspect(|model| model.user("bot").unwrap().id);
    case.world.sandbox.arrange(|model| model.notes.retain(|_, note| note.author != bot));
    let pipeline = case.pipeline();
    for state in ["pending", "running", "success"] {
        case.world.sandbox.set_all_jobs(pipeline, state);
        case.report(pipeline);
        assert_eq!(case.shown(), statuses(&[("dist-git", state)]));
        case.is_settled(pipeline);
    }
    assert_eq!(case.world.sandbox.notes(SOURCE, case.iid).len(), 0);
    case.sync();
    case.report(pipeline);
    assert!(case.summary().starts_with("**dist-git CI: passed**"));
}

#[test]
fn a_persons_push_to_the_bots_branch_is_nobodys_result() {
    let case = Case::from_branch();
    let pipeline = case.pipeline();
    case.world.sandbox.set_all_jobs(pipeline, "success");
    case.report(pipeline);
    let branch = format!("c9s-src-{}", case.iid);
    case.world.sandbox.commit(BOT_FORK, &branch, "By hand\n", &[("by-hand", Some("mine\n"))]);
    let note = case.note();
    let theirs = case.pipeline();
    case.world.sandbox.set_all_jobs(theirs, "failed");
    case.report(theirs);
    assert_eq!(case.shown(), statuses(&[("dist-git", "success")]));
    assert_eq!(case.note(), note);
}

#[test]
fn results_that_come_after_a_push_are_said_to_be_of_an_older_commit() {
    let case = Case::from_branch();
    let pipeline = case.pipeline();
    case.world.sandbox.set_all_jobs(pipeline, "running");
    case.report(pipeline);
    let old = case.head();
    case.push();
    case.world.sandbox.set_all_jobs(pipeline, "success");
    case.report(pipeline);
    let note = case.note();
    assert!(note.contains("**These results are for an older commit of this merge request.**"), "{note}");
    assert!(case.summary().contains(&old[..10]), "{}", case.summary());
    assert_eq!(case.shown(), []);
    case.is_settled(pipeline);
    case.sync();
    assert!(!case.note().contains("older commit of this"), "{}", case.note());
    assert!(case.summary().contains(&case.head()[..10]), "{}", case.summary());
    case.report_merge_request();
    let head = case.head();
    assert_eq!(case.open_statuses(), [(head, "dist-git".to_owned())]);
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
}

#[test]
fn what_is_open_when_the_head_moves_on_ends_once_dist_git_has_moved_on() {
    let case = Case::from_fork();
    let seen = case.source_pipeline();
    let pipeline = case.pipeline();
    case.world.sandbox.set_all_jobs(pipeline, "running");
    case.report(pipeline);
    case.push();
    case.report(pipeline);
    assert_eq!(case.shown_in(seen), statuses(&[("dist-git", "running")]));
    case.sync();
    case.report_merge_request();
    assert_eq!(case.shown_in(seen), statuses(&[("dist-git", "canceled")]));
    assert_eq!(case.open_statuses(), []);
}

#[test]
fn a_retried_job_starts_again() {
    let case = Case::from_branch().with_jobs();
    let pipeline = case.pipeline();
    case.world.sandbox.set_all_jobs(pipeline, "failed");
    case.report(pipeline);
    let (stage, name) = JOBS[0];
    let again = case.world.sandbox.retry_job(case.world.sandbox.job_named(pipeline, name));
    case.report(pipeline);
    let named = format!("dist-git / {stage} / {name}");
    let state = |wanted: &str| case.shown().into_iter().find(|(name, _)| name == wanted).unwrap().1;
    assert_eq!((state(&named), state("dist-git")), ("pending".to_owned(), "running".to_owned()));
    case.world.sandbox.set_job(again, "success");
    case.report(pipeline);
    assert_eq!((state(&named), state("dist-git")), ("success".to_owned(), "failed".to_owned()));
    assert_eq!(case.rows().len(), 2);
    case.is_settled(pipeline);
}
