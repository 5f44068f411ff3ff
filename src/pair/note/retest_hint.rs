//! The part of the bot's note that says who can start a pipeline in dist-git, after somebody has asked for one that the
//! bot may not start.
//!
//! It holds for the commit and the pipeline that were the newest then: a push, or a pipeline that somebody started, makes
//! it go away.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::pair::facts::SourceNote;
use crate::pair::note::ci_results::CiSection;
use crate::pair::note::{DistGitLink, NoteBody};
use crate::pair::{markers, sanitize};
use crate::types::{CommitId, PipelineId};

/// The least time between the newest pipeline of a merge request and one that is asked for.
const LEAST: TimeDelta = TimeDelta::minutes(10);

/// Whether the newest pipeline of a merge request was made so lately that there is no use for another one, at
/// GitLab's time `now`.
pub fn is_too_soon(newest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    newest.is_some_and(|made| now.signed_duration_since(made) < LEAST)
}

/// The part, as a note shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetestHint {
    state: RetestHintState,
    /// What people read.
    said: String,
}

/// What the bot keeps with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RetestHintState {
    /// The source-git commit that the note speaks of.
    commit: CommitId,
    /// The pipeline whose results it shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pipeline: Option<PipelineId>,
}

impl RetestHint {
    /// Returns the part for the note `body`; `reason` is GitLab's. Nothing where the note is none of the bot's.
    pub fn new(body: &str, dist_git: &DistGitLink, reason: &str) -> Option<Self> {
        let commit = markers::read_note(body)?.commit;
        let pipeline = CiSection::read(body).and_then(|results| results.state.pipeline);
        let DistGitLink { project, merge_request, url } = dist_git;
        let reason = match sanitize::sentence(reason) {
            nothing if nothing.is_empty() => String::new(),
            reason => format!(" GitLab's answer to the bot: {reason}"),
        };
        let said = format!(
            "**Somebody asked for a new test run in dist-git, and the bot may not start one.** Whoever may run pipelines there \
             can, such as a Developer of {}: with the button *Run pipeline* among [the pipelines of \
             {project}!{merge_request}]({url}/pipelines).{reason}",
            sanitize::code(project.as_str().as_bytes())
        );
        Some(Self { state: RetestHintState { commit, pipeline }, said })
    }

    /// Returns the part that a note goes on to show: the one that it has, where it still holds.
    pub(crate) fn of_note(
        notes: &[&SourceNote],
        body: &NoteBody<'_>,
        commit: CommitId,
        results: Option<&CiSection>,
    ) -> Option<Self> {
        let known = Self::read(&notes.first()?.body)?;
        let now = RetestHintState { commit, pipeline: results.and_then(|results| results.state.pipeline) };
        (matches!(body, NoteBody::Synced { .. }) && known.state == now).then_some(known)
    }

    /// Returns the part in the bot's note `body`, where it has one.
    pub fn read(body: &str) -> Option<Self> {
        let (state, said) = markers::read_section(markers::RETEST_HINT, body)?;
        Some(Self { state, said: said.replace("\r\n", "\n") })
    }

    /// Returns the text for a note, markers included.
    pub(super) fn text(&self) -> String {
        markers::section(markers::RETEST_HINT, &self.said, &self.state)
    }

    /// Returns the note `body` with this part in the place of its own, or where a note has it.
    pub fn replace_in(&self, body: &str) -> String {
        markers::replace_section(markers::RETEST_HINT, body, &self.text())
    }

    /// Returns the note `body` without this part; nothing where it has none.
    pub fn removed_from(body: &str) -> Option<String> {
        markers::remove_section(markers::RETEST_HINT, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::note::{Blocked, DistGitState, PairNote};
    use crate::types::MergeRequestIid;

    const COMMIT: CommitId = CommitId::from_bytes([0x1a; 20]);

    fn link() -> DistGitLink {
        DistGitLink {
            project: "rpms/hello".parse().unwrap(),
            merge_request: MergeRequestIid(5),
            url: "https://gitlab.example/rpms/hello/-/merge_requests/5".to_owned(),
        }
    }

    fn note(run: Option<RetestHint>) -> PairNote<'static> {
        let body = NoteBody::Blocked { why: &Blocked::LessVisible, commit: COMMIT, left: DistGitState::Open };
        PairNote { commit: COMMIT, base: None, body, results: None, retest_hint: run }
    }

    #[test]
    fn there_is_one_pipeline_in_ten_minutes() {
        let made = DateTime::from_timestamp(1_000_000, 0).unwrap();
        assert!(is_too_soon(Some(made), made + TimeDelta::seconds(599)));
        assert!(!is_too_soon(Some(made), made + TimeDelta::seconds(600)));
        assert!(!is_too_soon(None, made));
    }

    #[test]
    fn it_says_who_can_and_where() {
        let body = note(None).render(Some(&link()));
        let run = RetestHint::new(&body, &link(), "base Insufficient permissions <b>/merge @all").unwrap();
        insta::assert_snapshot!(run.text(), @r#"
        <!-- source-git-bot v1: run begin -->
        **Somebody asked for a new test run in dist-git, and the bot may not start one.** Whoever may run pipelines there can, such as a Developer of `rpms/hello`: with the button *Run pipeline* among [the pipelines of rpms/hello!5](https://gitlab.example/rpms/hello/-/merge_requests/5/pipelines). GitLab's answer to the bot: base Insufficient permissions \< b\>/merge @ all
        <!-- source-git-bot v1: asked {"commit":"1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a"} -->
        <!-- source-git-bot v1: run end -->
        "#);
        assert_eq!(RetestHint::new("a comment of somebody", &link(), ""), None);
    }

    #[test]
    fn it_stands_where_a_note_puts_it_and_leaves_no_trace() {
        let without = note(None).render(Some(&link()));
        let run = RetestHint::new(&without, &link(), "").unwrap();
        let with = run.replace_in(&without);
        assert_eq!(with, note(Some(run.clone())).render(Some(&link())));
        assert_eq!(RetestHint::read(&with.replace('\n', "\r\n")), Some(run.clone()));
        assert_eq!(run.replace_in(&with), with);
        assert_eq!(RetestHint::removed_from(&with).unwrap(), without);
        assert_eq!(RetestHint::removed_from(&without), None);
        // CI results that come later stand where they would.
        let results = CiSection::waiting(COMMIT);
        let later = results.replace_in(&with, &COMMIT);
        let expected = PairNote { results: Some(results), ..note(Some(run)) };
        assert_eq!(later, expected.render(Some(&link())));
    }

    #[test]
    fn it_goes_with_the_next_commit_or_pipeline() {
        let body = note(None).render(Some(&link()));
        let run = RetestHint::new(&body, &link(), "").unwrap();
        let there =
            SourceNote { id: crate::types::NoteId(1), author: crate::types::UserId(1), body: run.replace_in(&body) };
        let report = crate::pair::note::tests::report();
        let synced = NoteBody::Synced {
            report: &report,
            upstream: None,
            synced_with: crate::pair::note::SyncedWith::MergeRequest,
        };
        let waiting = CiSection::waiting(COMMIT);
        assert_eq!(RetestHint::of_note(&[&there], &synced, COMMIT, Some(&waiting)), Some(run));
        let mut tested = waiting.clone();
        tested.state.pipeline = Some(PipelineId(7));
        assert_eq!(RetestHint::of_note(&[&there], &synced, COMMIT, Some(&tested)), None);
        let next = CommitId::from_bytes([2; 20]);
        assert_eq!(RetestHint::of_note(&[&there], &synced, next, Some(&waiting)), None);
        assert_eq!(RetestHint::of_note(&[&there], &NoteBody::Closed, COMMIT, Some(&waiting)), None);
    }
}
