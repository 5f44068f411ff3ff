//! `report` posts statuses as GitLab takes them: from each state to each, beside those of others, and where GitLab refuses.

use gitlab_sandbox::{Fault, Role};

use super::world::{Case, statuses};
use crate::support::world::{NOTED, SOURCE};

const STATES: [&str; 6] = ["pending", "running", "success", "failed", "canceled", "skipped"];

/// How many posts take a status from one state to another: none where nothing changes, two where GitLab takes it there
/// only through an end (running to pending, running or skipped of another run).
fn posts(previous: &str, wanted: &str) -> usize {
    match (previous, wanted) {
        ("pending", "pending") => 0,
        ("running", "pending" | "running" | "skipped") => 2,
        _ => 1,
    }
}

/// Takes the bot's status `name` from each state to each. What was there is another run: it has another link.
fn from_each_to_each(case: &Case, name: &str) {
    for previous in ["none"].iter().chain(&STATES) {
        for wanted in STATES {
            let seen = case.source_pipeline();
            if *previous != "none" {
                case.world.sandbox.commit_status(seen, "bot", name, previous);
            }
            let pipeline =
                case.world.sandbox.mr_pipeline("rpms/hello", case.dist()).jobs(&[("test", "check")]).create();
            case.world.sandbox.set_all_jobs(pipeline, wanted);
            case.forget();
            case.report(pipeline);
            let shown = case.shown();
            let found: Vec<_> = shown.iter().filter(|(shown, _)| shown == name).map(|(_, state)| state).collect();
            assert_eq!(found, [wanted], "from {previous} to {wanted}: {:#?}", case.tries());
            let of_this = format!("pipeline_id={seen}");
            let of_name = format!("name={}&", name.replace(" / ", "+%2F+"));
            let tries: Vec<_> = case.tries();
            assert!(tries.iter().all(|(_, status)| *status == 201), "from {previous} to {wanted}: {tries:#?}");
            let number = tries.iter().filter(|(body, _)| body.contains(&of_this) && body.contains(&of_name)).count();
            assert_eq!(number, posts(previous, wanted), "from {previous} to {wanted}: {tries:#?}");
            case.is_settled(pipeline);
        }
    }
}

#[test]
fn the_status_of_the_pipeline_goes_from_each_state_to_each() {
    from_each_to_each(&Case::from_fork(), "dist-git");
}

#[test]
fn the_status_of_a_job_goes_from_each_state_to_each() {
    from_each_to_each(&Case::from_fork().with_jobs(), "dist-git / test / check");
}

#[test]
fn a_status_that_is_there_is_not_posted_again_where_the_note_remembers_nothing() {
    let case = Case::from_fork().with_jobs();
    case.source_pipeline();
    let pipeline = case.pipeline();
    for state in STATES {
        case.world.sandbox.set_all_jobs(pipeline, state);
        case.report(pipeline);
        assert_eq!(case.shown().len(), 3);
        let notes = case.world.sandbox.notes(SOURCE, case.iid);
        case.world.sandbox.arrange(|model| {
            let note = model.notes.get_mut(&notes[0].id).unwrap();
            let lines = note.body.lines().filter(|line| !line.contains("source-git-bot v1: results"));
            note.body = lines.collect::<Vec<_>>().join("\n");
        });
        case.forget();
        case.report(pipeline);
        assert_eq!(case.tries(), [], "{state}");
        assert_eq!(case.world.written(), [NOTED], "{state}");
    }
}

#[test]
fn another_users_status_of_the_same_name_gives_way() {
    let case = Case::from_fork();
    let seen = case.source_pipeline();
    case.world.sandbox.commit_status(seen, "maintainer", "dist-git", "running");
    case.world.sandbox.commit_status(seen, "maintainer", "coverage", "success");
    let pipeline = case.pipeline();
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("coverage", "success"), ("dist-git", "pending")]));
    case.world.sandbox.set_all_jobs(pipeline, "success");
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("coverage", "success"), ("dist-git", "success")]));
    assert!(case.world.sandbox.shown_statuses(SOURCE, case.iid).iter().any(|status| status.author == "bot"));
    case.is_settled(pipeline);
}

#[test]
fn a_real_job_of_the_pipelines_name_keeps_that_status_out_but_not_those_of_jobs() {
    let case = Case::from_fork().with_jobs();
    let seen = case.source_pipeline();
    case.world.sandbox.job(seen, "unit", "dist-git").create();
    let pipeline = case.pipeline();
    case.report(pipeline);
    let expected = [("dist-git / build / mock", "pending"), ("dist-git / test / rpminspect", "pending")];
    assert_eq!(case.shown(), statuses(&expected));
    case.world.sandbox.set_all_jobs(pipeline, "success");
    case.report(pipeline);
    let expected = [("dist-git / build / mock", "success"), ("dist-git / test / rpminspect", "success")];
    assert_eq!(case.shown(), statuses(&expected));
    let refused: Vec<_> = case.tries().into_iter().filter(|(_, status)| *status != 201).collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert!(case.summary().starts_with("**dist-git CI: passed**"));
    case.is_settled(pipeline);
}

#[test]
fn a_real_job_of_a_jobs_name_leaves_no_other_status_open() {
    let case = Case::from_fork().with_jobs();
    let seen = case.source_pipeline();
    case.world.sandbox.job(seen, "unit", "dist-git / build / mock").create();
    let pipeline = case.pipeline();
    case.report(pipeline);
    case.world.sandbox.set_all_jobs(pipeline, "failed");
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "failed"), ("dist-git / test / rpminspect", "failed")]));
    let refused: Vec<_> = case.tries().into_iter().filter(|(_, status)| *status != 201).collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    case.is_settled(pipeline);
}

/// Reports through three states where nothing can be posted; each time all is in the note.
fn all_is_in_the_note(case: &Case, pipeline: u64) {
    for (state, said) in [("pending", "pending"), ("running", "running"), ("failed", "failed")] {
        case.world.sandbox.set_all_jobs(pipeline, state);
        case.report(pipeline);
        assert_eq!(case.shown(), []);
        assert!(case.summary().starts_with(&format!("**dist-git CI: {said}**")), "{}", case.summary());
    }
}

#[test]
fn without_the_role_it_is_tried_once_and_the_note_has_everything() {
    let case = Case::from_fork().with_jobs();
    case.world.sandbox.remove_member(SOURCE, "bot");
    case.source_pipeline();
    let pipeline = case.pipeline();
    case.forget();
    all_is_in_the_note(&case, pipeline);
    let tries = case.tries();
    assert_eq!(tries.len(), 1, "{tries:#?}");
    assert_eq!(tries[0].1, 403);
    case.is_settled(pipeline);
}

#[test]
fn on_a_protected_ref_it_is_tried_once_and_the_note_has_everything() {
    let case = Case::from_branch().with_jobs();
    case.world.sandbox.protect(SOURCE, "fix", Some(Role::Maintainer));
    // A pipeline of the branch, as there is where the project has no merge request pipelines.
    case.world.sandbox.branch_pipeline(SOURCE, "fix");
    case.push();
    case.world.sandbox.branch_pipeline(SOURCE, "fix");
    case.sync();
    let pipeline = case.pipeline();
    case.forget();
    all_is_in_the_note(&case, pipeline);
    let tries = case.tries();
    assert_eq!(tries.len(), 1, "{tries:#?}");
    assert_eq!(tries[0].1, 403);
    case.is_settled(pipeline);
}

#[test]
fn no_such_commit_or_reference_is_tried_once_and_the_note_has_everything() {
    for text in ["404 Commit Not Found", "404 References for commit Not Found"] {
        let case = Case::from_fork().with_jobs();
        case.source_pipeline();
        let pipeline = case.pipeline();
        let body = format!("{{\"message\":\"{text}\"}}");
        case.world.sandbox.fail(Fault::on("POST", "*/statuses/*").answer(404, "application/json", &body).always());
        case.forget();
        all_is_in_the_note(&case, pipeline);
        assert_eq!(case.tries().len(), 1, "{text}");
        case.is_settled(pipeline);
        case.world.sandbox.clear_faults();
    }
}

#[test]
fn a_lock_that_is_busy_for_a_moment_is_waited_for() {
    let case = Case::from_fork();
    case.source_pipeline();
    let pipeline = case.pipeline();
    case.world.sandbox.fail(Fault::on("POST", "*/statuses/*").status_lock_busy().times(3));
    case.forget();
    case.report(pipeline);
    assert_eq!(case.tries().iter().map(|(_, status)| *status).collect::<Vec<_>>(), [409, 409, 409, 201]);
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
    case.is_settled(pipeline);
}

#[test]
fn a_lock_that_stays_busy_is_worth_a_retry() {
    let case = Case::from_fork();
    case.source_pipeline();
    let pipeline = case.pipeline();
    case.world.sandbox.fail(Fault::on("POST", "*/statuses/*").status_lock_busy().always());
    case.world.run(&mut case.command(pipeline)).ends_with(5);
    case.world.sandbox.clear_faults();
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
    assert!(case.summary().starts_with("**dist-git CI: pending**"));
    case.is_settled(pipeline);
}

#[test]
fn a_full_pipeline_takes_the_statuses_that_it_has_room_for_and_those_end() {
    let case = Case::from_fork().with_jobs();
    case.source_pipeline();
    // Its own job and one status.
    case.world.sandbox.limit_pipeline_size(SOURCE, 2);
    let pipeline = case.pipeline();
    case.forget();
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "pending")]));
    case.world.sandbox.set_all_jobs(pipeline, "success");
    case.report(pipeline);
    assert_eq!(case.shown(), statuses(&[("dist-git", "success")]));
    let refused: Vec<_> = case.tries().into_iter().filter(|(_, status)| *status != 201).collect();
    assert_eq!(refused.len(), 1, "{refused:#?}");
    assert_eq!(refused[0].1, 422);
    assert_eq!(case.rows().len(), 2);
    case.is_settled(pipeline);
}
