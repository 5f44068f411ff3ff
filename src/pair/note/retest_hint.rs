//! The section of the bot's note that says who can start a pipeline in dist-git, after somebody asked for one that the
//! bot may not start.
//!
//! The section is about the commit and the pipeline that were the newest at that time. It goes away with the next push,
//! and with the next pipeline that somebody starts.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::pair::facts::{DistGitLink, SourceNote};
use crate::pair::note::ci_results::CiSection;
use crate::pair::note::verdict::NoteBody;
use crate::pair::{markers, sanitize};
use crate::types::{CommitId, PipelineId};

/// The least time between two pipelines of a merge request, if somebody asks for the second one.
const MIN_INTERVAL: TimeDelta = TimeDelta::minutes(10);

/// Whether the newest pipeline of a merge request is too young for another one. `now` is GitLab's time.
pub fn is_too_soon(newest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    newest.is_some_and(|created| now.signed_duration_since(created) < MIN_INTERVAL)
}

/// The hint, as a note shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetestHint {
    state: RetestHintState,
    /// What people read.
    text: String,
}

/// What the bot keeps with the section, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RetestHintState {
    /// The source-git commit that the note is about.
    commit: CommitId,
    /// The pipeline whose results the note shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pipeline: Option<PipelineId>,
}

impl RetestHint {
    /// Returns the section for the note `body`; `None` if that is not the bot's note. `reason` is GitLab's answer.
    pub fn new(body: &str, dist_git: &DistGitLink, reason: &str) -> Option<Self> {
        let commit = markers::read_note(body)?.commit;
        let pipeline = CiSection::read(body).and_then(|results| results.state.pipeline);
        let DistGitLink { project, merge_request, url } = dist_git;
        let reason = match sanitize::sentence(reason) {
            nothing if nothing.is_empty() => String::new(),
            reason => format!(" GitLab's answer to the bot: {reason}"),
        };
        let text = format!(
            "**Somebody asked for a new test run in dist-git, and the bot may not start one.** Whoever may run pipelines there \
             can, such as a Developer of {}: with the button *Run pipeline* among [the pipelines of \
             {project}!{merge_request}]({url}/pipelines).{reason}",
            sanitize::code(project.as_str().as_bytes())
        );
        Some(Self { state: RetestHintState { commit, pipeline }, text })
    }

    /// Returns the section of the first of `notes`, if it is still valid in a note with this body, commit and results.
    pub(in crate::pair) fn kept(
        notes: &[&SourceNote],
        body: &NoteBody<'_>,
        commit: CommitId,
        results: Option<&CiSection>,
    ) -> Option<Self> {
        let known = Self::read(&notes.first()?.body)?;
        let now = RetestHintState { commit, pipeline: results.and_then(|results| results.state.pipeline) };
        (matches!(body, NoteBody::Synced { .. }) && known.state == now).then_some(known)
    }

    /// Reads the section from the bot's note `body`; `None` if it has no such section.
    pub fn read(body: &str) -> Option<Self> {
        let (state, text) = markers::read_section(markers::RETEST_HINT, body)?;
        Some(Self { state, text: text.replace("\r\n", "\n") })
    }

    /// Returns the section with its markers.
    pub(super) fn render(&self) -> String {
        markers::section(markers::RETEST_HINT, &self.text, &self.state)
    }

    /// Returns the note `body` with this section in place of the old one, or in the place for a new one.
    pub fn replace_in(&self, body: &str) -> String {
        markers::replace_section(markers::RETEST_HINT, body, &self.render())
    }

    /// Returns the note `body` without this section; `None` if it has no such section.
    pub fn removed_from(body: &str) -> Option<String> {
        markers::remove_section(markers::RETEST_HINT, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pair::markers::NoteState;
    use crate::types::MergeRequestIid;

    #[test]
    fn allows_one_pipeline_in_ten_minutes() {
        let created = DateTime::from_timestamp(1_000_000, 0).unwrap();
        assert!(is_too_soon(Some(created), created + TimeDelta::seconds(599)));
        assert!(!is_too_soon(Some(created), created + TimeDelta::seconds(600)));
        assert!(!is_too_soon(None, created));
    }

    #[test]
    fn says_who_can_start_one_and_where() {
        let commit = CommitId::from_bytes([0x1a; 20]);
        let link = DistGitLink {
            project: "rpms/hello".parse().unwrap(),
            merge_request: MergeRequestIid(5),
            url: "https://gitlab.example/rpms/hello/-/merge_requests/5".to_owned(),
        };
        let body = markers::note_line(&NoteState { commit, merge_request: Some(MergeRequestIid(5)), base: None });
        let hint = RetestHint::new(&body, &link, "base Insufficient permissions <b>/merge @all").unwrap();
        insta::assert_snapshot!(hint.render(), @r#"
        <!-- source-git-bot v1: run begin -->
        **Somebody asked for a new test run in dist-git, and the bot may not start one.** Whoever may run pipelines there can, such as a Developer of `rpms/hello`: with the button *Run pipeline* among [the pipelines of rpms/hello!5](https://gitlab.example/rpms/hello/-/merge_requests/5/pipelines). GitLab's answer to the bot: base Insufficient permissions \< b\>/merge @ all
        <!-- source-git-bot v1: asked {"commit":"1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a"} -->
        <!-- source-git-bot v1: run end -->
        "#);
        assert_eq!(RetestHint::new("a comment of somebody", &link, ""), None);
    }
}
