use proptest::prelude::*;

use crate::pair::ci::Begun;
use crate::pair::note::ci_results::*;
use crate::pair::statuses::StatusFingerprint;

pub(in crate::pair::note) fn commit(digit: char) -> CommitId {
    digit.to_string().repeat(40).parse().unwrap()
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    Some(text.parse().unwrap())
}

fn job(id: u64, name: &str, state: CiState) -> CiJob {
    CiJob {
        id,
        stage: "test".to_owned(),
        name: name.to_owned(),
        state,
        url: format!("https://gitlab.com/rpms/hello/-/jobs/{id}"),
        seconds: Some(192),
        ..CiJob::default()
    }
}

pub(in crate::pair::note) fn results(jobs: Vec<CiJob>) -> CiResults {
    let pipeline = CiPipeline {
        id: PipelineId(4711),
        url: "https://gitlab.com/rpms/hello/-/pipelines/4711".to_owned(),
        state: CiState::Running,
        begun: Begun::Yes,
        changed_at: time("2026-03-04T05:06:07Z"),
        configuration_error: None,
        jobs,
    };
    CiResults {
        commit: commit('a'),
        tested: commit('d'),
        pipeline: Some(pipeline),
        merge_request: MergeRequestPhase::Open,
    }
}

pub(in crate::pair::note) fn some_results() -> CiResults {
    let failed = CiJob { failure_reason: Some("script_failure".to_owned()), ..job(3, "rpminspect", CiState::Failed) };
    let lint = CiJob { on_failure: OnFailure::Warns, ..job(2, "lint", CiState::Failed) };
    let build = CiJob {
        seconds: Some(3725),
        downstream: vec![CiJob { changed_at: time("2026-03-04T05:08:00+00:00"), ..job(9, "x86_64", CiState::Success) }],
        ..job(1, "build", CiState::Success)
    };
    let tests = CiJob { seconds: None, ..job(4, "tests", CiState::Skipped) };
    results(vec![build, lint, failed, tests])
}

#[test]
fn failures_come_first() {
    let section = CiSection::of(&some_results(), None);
    insta::assert_snapshot!(section.render(&commit('a')), @r#"
    <!-- source-git-bot v1: ci begin -->
    **dist-git CI: failed** for commit `aaaaaaaaaa` ([pipeline 4711](https://gitlab.com/rpms/hello/-/pipelines/4711), as of 2026-03-04 05:08 UTC)

    Each job's name links to its log. Push a fix here, or ask the package's maintainers if this change is not the cause.

    | Job | Stage | State | Duration |
    | --- | --- | --- | ---: |
    | [`rpminspect`](https://gitlab.com/rpms/hello/-/jobs/3) | `test` | **failed (script failure)** | 3 min 12 s |
    | [`lint`](https://gitlab.com/rpms/hello/-/jobs/2) | `test` | failed, allowed to fail | 3 min 12 s |
    | [`build`](https://gitlab.com/rpms/hello/-/jobs/1) | `test` | passed | 1 h 02 min |
    | [`x86_64`](https://gitlab.com/rpms/hello/-/jobs/9) | child pipeline of `build` | passed | 3 min 12 s |
    | [`tests`](https://gitlab.com/rpms/hello/-/jobs/4) | `test` | skipped |  |

    <!-- source-git-bot v1: results {"commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","tested":"dddddddddddddddddddddddddddddddddddddddd","pipeline":4711,"state":"failed","as_of":1772600880,"updated":1772600767000} -->
    <!-- source-git-bot v1: ci end -->
    "#);
    assert!(section.render(&commit('b')).contains("**These results are for an older commit of this merge request.**"));
}

#[test]
fn folds_up_passed_jobs_if_there_are_many() {
    let mut jobs: Vec<_> = (0..14).map(|id| job(id, &format!("job {id}"), CiState::Success)).collect();
    jobs[5].state = CiState::Failed;
    let text = CiSection::of(&results(jobs), None).render(&commit('a'));
    let (open, folded) = text.split_once("<details><summary>13 passed</summary>").unwrap();
    assert!(open.contains("| [`job 5`]") && !open.contains("`job 4`"), "{text}");
    assert_eq!(folded.matches("passed |").count(), 13);
}

#[test]
fn names_a_broken_ci_configuration() {
    let mut broken = results(Vec::new());
    let pipeline = broken.pipeline.as_mut().unwrap();
    (pipeline.state, pipeline.configuration_error) = (CiState::Failed, Some("jobs `x` <b>config".to_owned()));
    let text = CiSection::of(&broken, None).render(&commit('a'));
    assert!(text.starts_with("<!-- source-git-bot v1: ci begin -->\n**dist-git CI: failed**"), "{text}");
    assert!(text.contains("cannot be used: `jobs 'x' <b>config`"), "{text}");
}

#[test]
fn hostile_names_stay_in_their_cell() {
    for name in ["a|b", "a\\|b", "`|`", "\n| x |", "</details>", "<!-- source-git-bot v1: ci end -->", "@all", "/close"]
    {
        let jobs = vec![CiJob { stage: name.to_owned(), ..job(1, name, CiState::Success) }];
        let section = CiSection::of(&results(jobs), None);
        let text = section.render(&commit('a'));
        let row = text.lines().find(|line| line.contains("/-/jobs/1")).unwrap();
        assert_eq!(row.matches('|').count(), 5, "{row}");
        assert_eq!(CiSection::read(&text).unwrap(), section, "{name}");
    }
}

#[test]
fn makes_no_link_of_an_address_that_markdown_would_misread() {
    for bad in ["javascript:x", "https://x/)", "https://x/ y", "https://x/|", ""] {
        assert_eq!(link("text", bad), "text");
    }
}

#[test]
fn older_and_newer_bots_agree_on_the_format() {
    let place = StatusPlace::Pipeline { id: PipelineId(50), sha: commit('b') };
    let fingerprint = StatusFingerprint::of(&[]);
    let statuses = StatusesState { place, fingerprint, acceptance: Acceptance::InPart };
    let mut section = CiSection { text: String::new(), ..CiSection::waiting(commit('a')) };
    section.state.statuses = Some(statuses);
    section.state.left_open = vec![StatusPlace::Branch { name: "fix".to_owned(), sha: commit('c') }];
    insta::assert_snapshot!(section.render(&commit('a')), @r#"
    <!-- source-git-bot v1: ci begin -->

    <!-- source-git-bot v1: results {"commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","statuses":{"place":{"pipeline":{"id":50,"sha":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}},"print":{"bytes":2,"hash":"09612b07b5ecb5a5"},"taken":"in_part"},"left_open":[{"branch":{"name":"fix","sha":"cccccccccccccccccccccccccccccccccccccccc"}}]} -->
    <!-- source-git-bot v1: ci end -->
    "#);
}

#[test]
fn writes_durations_for_people() {
    for (seconds, words) in
        [(0, "0 s"), (59, "59 s"), (61, "1 min 01 s"), (3600, "1 h 00 min"), (90_061, "25 h 01 min")]
    {
        assert_eq!(duration(seconds), words);
    }
}

proptest! {
    #[test]
    fn reads_any_note_and_adds_results_to_it(
        body in "(<!-- source-git-bot v1: (ci begin|ci end|results|note) ?(-->)?|\\{\"commit\":|[^a]|\n){0,30}"
    ) {
        let section = CiSection::waiting(commit('a'));
        let _ = (CiSection::read(&body), section.replace_in(&body, &commit('a')));
        let body = body.replace("ci ", "");
        prop_assert_eq!(CiSection::read(&section.replace_in(&body, &commit('a'))), Some(section));
    }
}
