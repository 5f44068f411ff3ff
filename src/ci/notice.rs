//! What a job or a webhook tells the bot project: where to look, and nothing else.
//!
//! The form is that of the bot's webhook template: numbers as text, because GitLab renders a field that an event lacks as
//! an empty text. It carries no verb, no name and no free text, so whoever sends one can do no more than make the bot
//! look.

use std::collections::BTreeMap;

use serde::Serialize;

/// The version of the form.
const VERSION: &str = "1";

/// The most digits of a number.
const DIGITS: usize = 12;

/// A notice, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    v: &'static str,
    kind: &'static str,
    project: String,
    id: String,
    iid: String,
    mr: String,
    mr_project: String,
}

impl Notice {
    /// Returns the notice about the pipeline of this job ("Predefined CI/CD variables" in GitLab's documentation);
    /// nothing where this is no job of GitLab's.
    pub fn of_job(variables: &BTreeMap<String, String>) -> Option<Self> {
        let number = |name: &str| {
            let value = variables.get(name).map(String::as_str).unwrap_or_default();
            let good = value.len() <= DIGITS && value.bytes().all(|b| b.is_ascii_digit());
            if good { value.to_owned() } else { String::new() }
        };
        let notice = Self {
            v: VERSION,
            kind: "pipeline",
            project: number("CI_PROJECT_ID"),
            id: number("CI_PIPELINE_ID"),
            iid: number("CI_PIPELINE_IID"),
            mr: number("CI_MERGE_REQUEST_IID"),
            mr_project: number("CI_MERGE_REQUEST_PROJECT_ID"),
        };
        (!notice.project.is_empty() && !notice.id.is_empty()).then_some(notice)
    }

    /// Returns what it is about, for a person.
    pub fn subject(&self) -> String {
        let Self { project, id, mr, mr_project, .. } = self;
        let merge_request = match (mr.as_str(), mr_project.as_str()) {
            ("", _) | (_, "") => String::new(),
            (mr, project) => format!(", of merge request !{mr} in project {project}"),
        };
        format!("pipeline {id} in project {project}{merge_request}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(variables: &[(&str, &str)]) -> Option<String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Notice::of_job(&variables).map(|notice| serde_json::to_string(&notice).unwrap())
    }

    #[test]
    fn a_job_tells_numbers_and_nothing_else() {
        let variables = [
            ("CI_PROJECT_ID", "12"),
            ("CI_PIPELINE_ID", "345"),
            ("CI_PIPELINE_IID", "6"),
            ("CI_MERGE_REQUEST_IID", "7"),
            ("CI_MERGE_REQUEST_PROJECT_ID", "$SECRET"),
            ("CI_MERGE_REQUEST_TITLE", "x"),
        ];
        let expected = r#"{"v":"1","kind":"pipeline","project":"12","id":"345","iid":"6","mr":"7","mr_project":""}"#;
        assert_eq!(notice(&variables).as_deref(), Some(expected));
        assert_eq!(notice(&variables[1..]), None);
        assert_eq!(notice(&[("CI_PROJECT_ID", "12"), ("CI_PIPELINE_ID", "1234567890123")]), None);
    }
}
