use crate::pair::ci::*;

fn states(words: &str, on_failure: OnFailure) -> Vec<(CiState, OnFailure)> {
    let state = |word: &str| serde_json::from_value(serde_json::Value::from(word)).unwrap();
    words.split(' ').map(|word| (state(word), on_failure)).collect()
}

/// The rows of GitLab's own test of this state (composite_spec.rb).
#[test]
fn combines_states_by_gitlabs_rules() {
    for (words, expected) in [
        ("skipped", "skipped"),
        ("skipped success", "success"),
        ("created", "created"),
        ("preparing", "preparing"),
        ("canceled success skipped", "canceled"),
        ("pending created skipped", "pending"),
        ("pending created skipped success", "running"),
        ("running created skipped success", "running"),
        ("success waiting_for_resource", "waiting_for_resource"),
        ("success manual", "manual"),
        ("success scheduled", "scheduled"),
        ("created preparing", "preparing"),
        ("created success pending", "running"),
        ("skipped success failed", "failed"),
    ] {
        let found = composite(states(words, OnFailure::Fails)).unwrap();
        assert_eq!(serde_json::to_value(found.state).unwrap(), expected, "{words}");
        assert!(!found.has_warnings);
    }
    for (words, expected, has_warnings) in [
        ("manual", "skipped", false),
        ("skipped failed", "success", true),
        ("created failed", "created", true),
        ("preparing manual", "preparing", false),
    ] {
        let found = composite(states(words, OnFailure::Warns)).unwrap();
        assert_eq!(serde_json::to_value(found.state).unwrap(), expected, "{words}");
        assert_eq!(found.has_warnings, has_warnings, "{words}");
    }
    assert_eq!(composite([]), None);
}

#[test]
fn takes_an_unknown_state_for_pending() {
    let found = composite(states("success teleporting", OnFailure::Fails)).unwrap();
    assert_eq!(found.state, CiState::Running);
    assert_eq!(composite(states("teleporting", OnFailure::Fails)).unwrap().state, CiState::Pending);
}

fn pipeline(jobs: &[(&str, CiState)]) -> CiPipeline {
    let job = |(name, state): &(&str, CiState)| CiJob { name: (*name).to_owned(), state: *state, ..CiJob::default() };
    CiPipeline {
        id: PipelineId(1),
        url: String::new(),
        state: CiState::Running,
        begun: Begun::Yes,
        changed_at: None,
        configuration_error: None,
        jobs: jobs.iter().map(job).collect(),
    }
}

#[test]
fn the_reporting_job_does_not_count() {
    let reported = pipeline(&[("build", CiState::Success), (REPORT_JOB, CiState::Running)]);
    assert_eq!(reported.composite().state, CiState::Success);
    assert_eq!(pipeline(&[(REPORT_JOB, CiState::Running)]).composite().state, CiState::Running);
}

#[test]
fn a_pipeline_is_running_between_two_jobs() {
    let between = pipeline(&[("build", CiState::Pending)]);
    assert_eq!(between.composite().state, CiState::Running);
    assert_eq!(CiPipeline { begun: Begun::No, ..between }.composite().state, CiState::Pending);
}
