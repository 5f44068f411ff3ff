//! The CI job that the program runs in: its merge request, and the folding of its log.
//!
//! This module takes only identifiers from GitLab's predefined variables. Whoever can start a pipeline can set
//! variables: nothing read here decides about trust, and no text that a person wrote is read.

mod notice;
mod template_use;

use std::collections::BTreeMap;
use std::io;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};

pub use crate::ci::notice::{IncomingNotice, Notice, NoticeError, PAYLOAD_LIMIT, WhereToLook};
pub use crate::ci::template_use::{Template, TemplateUse, template_uses};

// "Predefined CI/CD variables" in GitLab's documentation describes these variables.

/// `true` in every job.
const GITLAB_CI: &str = "GITLAB_CI";
/// The path of the project that the merge request targets.
const CI_MERGE_REQUEST_PROJECT_PATH: &str = "CI_MERGE_REQUEST_PROJECT_PATH";
/// The number of the merge request in that project.
const CI_MERGE_REQUEST_IID: &str = "CI_MERGE_REQUEST_IID";
/// The path of the project that the pipeline runs in.
const CI_PROJECT_PATH: &str = "CI_PROJECT_PATH";
/// The number of this job among those that `parallel` made, counted from 1.
const CI_NODE_INDEX: &str = "CI_NODE_INDEX";
/// The number of jobs that `parallel` made; 1 without `parallel`.
const CI_NODE_TOTAL: &str = "CI_NODE_TOTAL";
/// The seconds after which GitLab ends the job.
const CI_JOB_TIMEOUT: &str = "CI_JOB_TIMEOUT";
/// The time when the job began, in ISO 8601.
const CI_JOB_STARTED_AT: &str = "CI_JOB_STARTED_AT";
const CI_PIPELINE_ID: &str = "CI_PIPELINE_ID";

/// What a job's variables say about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobContext {
    pub log: Log,
    /// The merge request of the pipeline, as `path!number`.
    pub merge_request: Option<String>,
    /// The pipeline, as `path/-/pipelines/number`.
    pub pipeline: Option<String>,
    /// The number of this job among parallel ones, and their number, as `1/4`.
    pub node: Option<String>,
    /// The time after which GitLab ends the job.
    pub timeout: Option<Duration>,
    /// When the job began, by GitLab's clock.
    pub started: Option<DateTime<Utc>>,
}

/// Where people read the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Log {
    /// A terminal, a file, or another CI system.
    #[default]
    Plain,
    /// The log of a GitLab job, which folds sections.
    GitlabJob,
}

impl JobContext {
    /// Reads the variables of the process. An empty variable counts as absent.
    pub fn read(variables: &BTreeMap<String, String>) -> Self {
        let value = |name| variables.get(name).filter(|value| !value.is_empty());
        let merge_request = value(CI_MERGE_REQUEST_PROJECT_PATH).zip(value(CI_MERGE_REQUEST_IID));
        let node = value(CI_NODE_INDEX).zip(value(CI_NODE_TOTAL));
        let pipeline = value(CI_PROJECT_PATH).zip(value(CI_PIPELINE_ID));
        Self {
            log: if value(GITLAB_CI).is_some_and(|value| value == "true") { Log::GitlabJob } else { Log::Plain },
            merge_request: merge_request.map(|(path, iid)| format!("{path}!{iid}")),
            pipeline: pipeline.map(|(path, id)| format!("{path}/-/pipelines/{id}")),
            node: node.map(|(index, total)| format!("{index}/{total}")),
            timeout: value(CI_JOB_TIMEOUT).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs),
            started: value(CI_JOB_STARTED_AT)
                .and_then(|moment| DateTime::parse_from_rfc3339(moment).ok())
                .map(|moment| moment.to_utc()),
        }
    }

    /// Returns how much is left of the first three quarters of the job's time; `None` where the job has no time limit.
    pub fn time_to_begin(&self, now: DateTime<Utc>) -> Option<Duration> {
        let timeout = self.timeout?;
        let gone = self.started.and_then(|started| (now - started).to_std().ok());
        // GitLab would have ended a job whose time is over. So the clocks differ, and the start is of no use.
        let gone = gone.filter(|gone| *gone <= timeout).unwrap_or_default();
        Some((timeout - timeout / 4).saturating_sub(gone))
    }
}

/// A section of the log that GitLab can fold under its title. Plain output has only the title.
///
/// For the format see "Custom collapsible sections" in GitLab's documentation. The section ends when the value is
/// dropped.
#[derive(Debug)]
pub struct LogSection {
    log: Log,
    name: &'static str,
}

impl LogSection {
    /// Begins a section. `name` identifies it for GitLab: only letters and `_`.
    pub fn begin(log: Log, name: &'static str, title: &str) -> Self {
        match log {
            Log::Plain => tracing::info!("{title}"),
            Log::GitlabJob => write_marker(&format!("section_start:{}:{name}\r\x1b[0K{title}\n", unix_time())),
        }
        Self { log, name }
    }
}

impl Drop for LogSection {
    fn drop(&mut self) {
        if self.log == Log::GitlabJob {
            write_marker(&format!("section_end:{}:{}\r\x1b[0K\n", unix_time(), self.name));
        }
    }
}

fn write_marker(text: &str) {
    // Go on where the log cannot be written.
    drop(write!(io::stderr().lock(), "\x1b[0K{text}"));
}

fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(variables: &[(&str, &str)]) -> JobContext {
        JobContext::read(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_merge_request_is_named_by_its_target_project() {
        let found = job(&[
            ("GITLAB_CI", "true"),
            ("CI_PROJECT_PATH", "contributor/hello"),
            (CI_MERGE_REQUEST_PROJECT_PATH, "src/hello"),
            (CI_MERGE_REQUEST_IID, "7"),
        ]);
        let merge_request = Some("src/hello!7".to_owned());
        assert_eq!(found, JobContext { log: Log::GitlabJob, merge_request, ..JobContext::default() });
    }

    #[test]
    fn the_time_left_counts_from_the_jobs_start() {
        let now = DateTime::parse_from_rfc3339("2026-12-07T12:00:00Z").unwrap().to_utc();
        let left = |timeout, started| {
            let job = job(&[(CI_JOB_TIMEOUT, timeout), (CI_JOB_STARTED_AT, started)]);
            job.time_to_begin(now).map(|left| left.as_secs())
        };
        assert_eq!(left("3600", "2026-12-07T11:50:00Z"), Some(2700 - 600));
        assert_eq!(left("3600", "2026-12-07T11:05:00+00:00"), Some(0));
        assert_eq!(left("3600", ""), Some(2700));
        for elsewhen in ["2026-12-07T12:30:00Z", "2026-12-07T10:30:00Z", "yesterday"] {
            assert_eq!(left("3600", elsewhen), Some(2700), "the clocks differ: {elsewhen}");
        }
        assert_eq!((left("", "2026-12-07T11:50:00Z"), left("1h", "")), (None, None));
    }

    #[test]
    fn without_its_variables_there_is_no_merge_request() {
        assert_eq!(job(&[]), JobContext::default());
        assert_eq!(job(&[(CI_MERGE_REQUEST_IID, "7"), (CI_MERGE_REQUEST_PROJECT_PATH, "")]).merge_request, None);
    }
}
