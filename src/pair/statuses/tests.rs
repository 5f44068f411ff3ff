use proptest::prelude::*;

use crate::pair::ci::Begun;
use crate::pair::statuses::*;

const BOT: UserId = UserId(7);
const HERE: PipelineId = PipelineId(50);
const ELSEWHERE: PipelineId = PipelineId(40);

fn commit() -> CommitId {
    "0123456789abcdef0123456789abcdef01234567".parse().unwrap()
}

fn place() -> StatusPlace {
    StatusPlace::Pipeline { id: HERE, sha: commit() }
}

fn job(id: u64, name: &str, state: CiState) -> CiJob {
    let url = format!("https://gitlab.example/rpms/hello/-/jobs/{id}");
    CiJob { id, stage: "test".to_owned(), name: name.to_owned(), state, url, ..CiJob::default() }
}

fn pipeline(jobs: Vec<CiJob>) -> CiPipeline {
    CiPipeline {
        id: PipelineId(11),
        url: "https://gitlab.example/rpms/hello/-/pipelines/11".to_owned(),
        state: CiState::Running,
        begun: Begun::Yes,
        changed_at: None,
        configuration_error: None,
        jobs,
    }
}

fn results(jobs: Vec<CiJob>) -> CiResults {
    let pipeline = Some(pipeline(jobs));
    CiResults { commit: commit(), tested: commit(), pipeline, merge_request: MergeRequestPhase::Open }
}

fn shown(results: &CiResults) -> Vec<(String, StatusState, String)> {
    let statuses = wanted(results, StatusDetail::Jobs, "https://gitlab.example/rpms/hello/-/merge_requests/1");
    statuses.into_iter().map(|status| (status.name, status.state, status.description)).collect()
}

#[test]
fn each_job_has_a_status_named_for_its_stage() {
    let failed = CiJob { failure_reason: Some("script_failure".to_owned()), ..job(2, "rpminspect", CiState::Failed) };
    let found = shown(&results(vec![job(1, "build", CiState::Success), failed, job(3, "gate", CiState::Manual)]));
    let expected = [
        ("dist-git", StatusState::Pending, "waiting for a person to start it"),
        ("dist-git / test / build", StatusState::Success, "passed"),
        ("dist-git / test / rpminspect", StatusState::Failed, "failed (script failure)"),
        ("dist-git / test / gate", StatusState::Pending, "waiting for a person to start it"),
    ];
    let expected: Vec<_> = expected.map(|(name, state, said)| (name.to_owned(), state, said.to_owned())).into();
    assert_eq!(found, expected);
}

#[test]
fn a_failed_pipeline_names_the_failed_jobs() {
    let jobs = ["a", "b", "c", "d", "e"].iter().enumerate();
    let found = shown(&results(jobs.map(|(id, name)| job(id as u64, name, CiState::Failed)).collect()));
    assert_eq!(found[0].2, "failed: a, b, c and 2 more");
}

#[test]
fn a_job_that_may_fail_makes_nothing_fail_or_wait() {
    let warns = |id, name, state| CiJob { on_failure: OnFailure::Warns, ..job(id, name, state) };
    let jobs =
        vec![warns(1, "lint", CiState::Failed), warns(2, "deploy", CiState::Manual), job(3, "build", CiState::Success)];
    let found = shown(&results(jobs));
    assert_eq!((found[0].1, &*found[0].2), (StatusState::Success, "passed with warnings"));
    assert_eq!((found[1].1, &*found[1].2), (StatusState::Success, "failed, but allowed to fail"));
    assert_eq!((found[2].1, &*found[2].2), (StatusState::Skipped, "optional, not started"));
}

#[test]
fn names_and_descriptions_fit_gitlabs_limits_and_names_differ() {
    let long = "é|".repeat(300);
    let found = shown(&results(vec![job(1, &long, CiState::Failed), job(2, &long, CiState::Failed)]));
    for (name, _, said) in &found {
        assert!(name.chars().count() <= 255 && said.chars().count() <= 255);
    }
    assert_ne!(found[1].0, found[2].0);
    assert!(found[2].0.ends_with(" (2)"), "{}", found[2].0);
    let lines = shown(&results(vec![job(1, "a\nb\u{202e}", CiState::Success), job(2, "", CiState::Success)]));
    assert_eq!(lines[1].0, "dist-git / test / a b");
    assert_eq!(lines[2].0, "dist-git / test / (unnamed)");
}

#[test]
fn sums_up_many_jobs_by_stage() {
    let mut jobs: Vec<_> = (0..60).map(|id| job(id, "build", CiState::Success)).collect();
    jobs[7].state = CiState::Failed;
    jobs.push(CiJob { stage: "gate".to_owned(), ..job(99, "gate", CiState::Skipped) });
    let found: Vec<_> = shown(&results(jobs)).into_iter().skip(1).collect();
    let expected = [
        ("dist-git / test".to_owned(), StatusState::Failed, "1 of 60 jobs failed".to_owned()),
        ("dist-git / gate".to_owned(), StatusState::Skipped, "1 jobs, skipped".to_owned()),
    ];
    assert_eq!(found, expected);
}

#[test]
fn omits_an_address_that_gitlab_would_refuse() {
    let found = status("x", StatusState::Failed, "", &format!("https://x/{}", "y".repeat(255)));
    assert_eq!(found.url, None);
    assert_eq!(status("x", StatusState::Failed, "", "javascript:x").url, None);
}

#[test]
fn open_statuses_end_with_the_merge_request() {
    let mut ended = results(vec![job(1, "build", CiState::Running), job(2, "lint", CiState::Success)]);
    ended.merge_request = MergeRequestPhase::Ended;
    let states: Vec<_> = shown(&ended).into_iter().map(|(_, state, _)| state).collect();
    assert_eq!(states, [StatusState::Canceled, StatusState::Canceled, StatusState::Success]);
    ended.pipeline = None;
    assert_eq!(shown(&ended)[0].1, StatusState::Canceled);
}

#[test]
fn only_the_bots_own_statuses_count() {
    assert!(is_ours("dist-git") && is_ours("dist-git / a / b"));
    assert!(!is_ours("dist-git2") && !is_ours("Dist-git") && !is_ours("x"));
    let other = PostedStatus {
        name: NAME.to_owned(),
        state: CiState::Success,
        description: Some("passed".to_owned()),
        url: Some("https://gitlab.example/rpms/hello/-/pipelines/11".to_owned()),
        author: Some(UserId(8)),
        pipeline: Some(HERE),
    };
    let wanted = wanted(&results(vec![job(1, "a", CiState::Success)]), StatusDetail::Pipeline, "");
    assert_eq!(to_post(&wanted, std::slice::from_ref(&other), &place(), BOT).len(), 1);
    assert_eq!(to_post(&wanted, &[PostedStatus { author: Some(BOT), ..other }], &place(), BOT), []);
}

/// Which state GitLab lets follow which (the state machine of `CommitStatus`, for posted statuses).
fn is_accepted(there: Option<CiState>, post: StatusState) -> bool {
    match (there, post) {
        (Some(CiState::Pending), StatusState::Pending) => false,
        (Some(CiState::Running), post) => {
            !matches!(post, StatusState::Running | StatusState::Pending | StatusState::Skipped)
        }
        _ => true,
    }
}

fn ci_state(state: StatusState) -> CiState {
    serde_json::from_value(serde_json::to_value(state).unwrap()).unwrap()
}

/// Posts like GitLab, which keeps the newest status of each name and pipeline.
fn accept(posted: &mut Vec<PostedStatus>, post: &StatusPost) {
    let StatusPlace::Pipeline { id, .. } = post.place else { unreachable!() };
    let there = posted.iter().position(|there| there.pipeline == Some(id) && there.name == post.status.name);
    let state = there.map(|at| posted[at].state);
    assert!(is_accepted(state, post.status.state), "{:?} after {state:?} is refused", post.status);
    if let Some(at) = there {
        posted.remove(at);
    }
    posted.push(PostedStatus {
        name: post.status.name.clone(),
        state: ci_state(post.status.state),
        description: Some(post.status.description.clone()),
        url: post.status.url.clone(),
        author: Some(BOT),
        pipeline: Some(id),
    });
}

fn any_state() -> impl Strategy<Value = CiState> {
    use CiState::{Canceled, Created, Failed, Manual, Pending, Running, Skipped, Success, Unknown};
    prop::sample::select(vec![Created, Pending, Running, Success, Failed, Canceled, Skipped, Manual, Unknown])
}

fn any_results() -> impl Strategy<Value = CiResults> {
    let jobs = prop::collection::vec((0_u64..4, "[abc]", any_state(), any::<bool>()), 0..4);
    (jobs, any::<bool>(), any::<bool>()).prop_map(|(jobs, is_open, has_pipeline)| {
        let jobs = jobs.into_iter().map(|(id, name, state, warns)| CiJob {
            on_failure: if warns { OnFailure::Warns } else { OnFailure::Fails },
            ..job(id, &name, state)
        });
        let mut results = results(jobs.collect());
        if !is_open {
            results.merge_request = MergeRequestPhase::Ended;
        }
        if !has_pipeline {
            results.pipeline = None;
        }
        results
    })
}

proptest! {
    #[test]
    fn gitlab_refuses_nothing_and_nothing_remains_to_post(
        history in prop::collection::vec((any_results(), any::<bool>()), 1..6)
    ) {
        let mut posted = Vec::new();
        for (results, is_elsewhere) in &history {
            let place = match is_elsewhere {
                true => StatusPlace::Pipeline { id: ELSEWHERE, sha: commit() },
                false => place(),
            };
            let wanted = wanted(results, StatusDetail::Jobs, "https://gitlab.example/mr");
            for post in to_post(&wanted, &posted, &place, BOT) {
                accept(&mut posted, &post);
            }
            prop_assert_eq!(to_post(&wanted, &posted, &place, BOT), []);
            let StatusPlace::Pipeline { id, .. } = place else { unreachable!() };
            for status in &wanted {
                let there = posted.iter().find(|there| there.pipeline == Some(id) && there.name == status.name);
                let there = there.map(|there| StatusState::of(there.state));
                prop_assert_eq!(there, Some(status.state), "{}", status.name);
            }
        }
    }
}
