//! The CI job around the program: which merge request it runs for, and how its log is folded.
//!
//! GitLab's predefined variables give identifiers only. Whoever can start a pipeline can set variables, so nothing
//! that decides about trust is taken from here, and no text that a person wrote.

mod notice;
mod template_use;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

pub use notice::{Call, Look, NoNotice, Notice, PAYLOAD_LIMIT};
pub use template_use::{Template, TemplateUse, template_uses};

/// Set to `true` in every job ("Predefined CI/CD variables" in GitLab's documentation; so are those below).
const GITLAB_CI: &str = "GITLAB_CI";
/// The path of the project that the merge request targets.
const CI_MERGE_REQUEST_PROJECT_PATH: &str = "CI_MERGE_REQUEST_PROJECT_PATH";
/// The number of the merge request in that project.
const CI_MERGE_REQUEST_IID: &str = "CI_MERGE_REQUEST_IID";

/// The path of the project that the pipeline runs in.
const CI_PROJECT_PATH: &str = "CI_PROJECT_PATH";
/// Which of the jobs that `parallel` made this is, from 1.
const CI_NODE_INDEX: &str = "CI_NODE_INDEX";
/// How many jobs `parallel` made; 1 where it is not used.
const CI_NODE_TOTAL: &str = "CI_NODE_TOTAL";
/// The number of the pipeline.
const CI_PIPELINE_ID: &str = "CI_PIPELINE_ID";

/// What a job's variables say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// Where the output goes.
    pub log: Log,
    /// The merge request of the pipeline, as `path!number`.
    pub merge_request: Option<String>,
    /// The pipeline, as `path/-/pipelines/number`.
    pub pipeline: Option<String>,
    /// Which of several jobs beside each other this is, and of how many, as `1/4`.
    pub node: Option<String>,
}

/// What shows the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Log {
    /// A terminal, a file, or another CI system.
    #[default]
    Plain,
    /// The log of a GitLab job, which folds sections.
    GitlabJob,
}

impl Job {
    /// Reads the variables of the process.
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
        }
    }
}

/// A part of the log that GitLab shows folded under its title; plain output has only the title.
///
/// The format is that of "Custom collapsible sections" in GitLab's documentation. The section ends with the value.
#[derive(Debug)]
pub struct Section {
    log: Log,
    name: &'static str,
}

impl Section {
    /// Begins a section; `name` is for GitLab and made of letters and `_`.
    pub fn begin(log: Log, name: &'static str, title: &str) -> Self {
        match log {
            Log::Plain => tracing::info!("{title}"),
            Log::GitlabJob => mark(&format!("section_start:{}:{name}\r\x1b[0K{title}\n", seconds())),
        }
        Self { log, name }
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        if self.log == Log::GitlabJob {
            mark(&format!("section_end:{}:{}\r\x1b[0K\n", seconds(), self.name));
        }
    }
}

fn mark(text: &str) {
    // A log that cannot be written is no reason to stop.
    drop(write!(io::stderr().lock(), "\x1b[0K{text}"));
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(variables: &[(&str, &str)]) -> Job {
        Job::read(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_merge_request_is_that_of_the_target_project() {
        let found = job(&[
            ("GITLAB_CI", "true"),
            ("CI_PROJECT_PATH", "contributor/hello"),
            (CI_MERGE_REQUEST_PROJECT_PATH, "src/hello"),
            (CI_MERGE_REQUEST_IID, "7"),
        ]);
        let merge_request = Some("src/hello!7".to_owned());
        assert_eq!(found, Job { log: Log::GitlabJob, merge_request, ..Job::default() });
    }

    #[test]
    fn without_a_merge_request_there_is_none() {
        assert_eq!(job(&[]), Job::default());
        assert_eq!(job(&[(CI_MERGE_REQUEST_IID, "7"), (CI_MERGE_REQUEST_PROJECT_PATH, "")]).merge_request, None);
    }
}
