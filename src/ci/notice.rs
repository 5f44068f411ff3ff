//! Notices: a job or a webhook tells the bot project where to look, and nothing else.
//!
//! A notice has the format of the bot's webhook template. Numbers are texts, because GitLab renders a field that an
//! event lacks as an empty text. A notice may carry a webhook token, which the caller checks. It carries no verb, no
//! name and no free text: whoever sends one can only make the bot look. A payload in any other format is no notice,
//! even if GitLab itself broke it: GitLab expands variables in payloads.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// The version of the format.
const VERSION: &str = "1";

/// The most digits that a number may have.
const DIGITS: usize = 12;

/// The kinds of events.
const KINDS: [&str; 3] = ["merge_request", "note", "pipeline"];

/// The largest payload that is read, in bytes: GitLab's limit for webhooks.
pub const PAYLOAD_LIMIT: usize = 25 << 20;

/// A notice to send.
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
    /// Returns a notice about the pipeline of this job ("Predefined CI/CD variables" in GitLab's documentation); `None`
    /// outside a GitLab job.
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

    /// Returns a notice about a pipeline. Both numbers have at most twelve digits.
    pub fn of_pipeline(project: u64, pipeline: u64) -> Self {
        Self {
            v: VERSION,
            kind: "pipeline",
            project: project.to_string(),
            id: pipeline.to_string(),
            iid: String::new(),
            mr: String::new(),
            mr_project: String::new(),
        }
    }

    /// Describes for a person what the notice is about.
    pub fn subject(&self) -> String {
        let Self { project, id, mr, mr_project, .. } = self;
        let merge_request = match (mr.as_str(), mr_project.as_str()) {
            ("", _) | (_, "") => String::new(),
            (mr, project) => format!(", of merge request !{mr} in project {project}"),
        };
        format!("pipeline {id} in project {project}{merge_request}")
    }
}

/// A notice that the bot received.
#[derive(Debug)]
pub struct IncomingNotice {
    pub look: WhereToLook,
    /// The webhook token that the notice carries, unchecked.
    pub webhook_token: Option<SecretString>,
}

/// What the bot should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhereToLook {
    MergeRequest {
        /// The target project.
        project: u64,
        iid: u64,
    },
    /// A comment on a merge request.
    Note {
        /// The target project of the merge request.
        project: u64,
        /// The number of the merge request in that project.
        merge_request: u64,
        id: u64,
    },
    Pipeline {
        /// The project that the pipeline runs in.
        project: u64,
        id: u64,
        /// The merge request that the pipeline is for: target project and number.
        merge_request: Option<(u64, u64)>,
    },
}

/// Why the bot does not follow a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoticeError {
    /// The payload has another format, or is about something else.
    #[error("{0}")]
    NotForUs(&'static str),
    /// The payload sets variables of the job. They could override those of the instance.
    #[error("it sets pipeline variables")]
    SetsVariables,
}

/// The payload that GitLab passes to the job: the parameters of the request that started the pipeline.
#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    source_git_bot: Option<Received>,
    #[serde(default)]
    variables: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Deserialize)]
struct Received {
    v: String,
    kind: String,
    #[serde(default)]
    project: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    iid: String,
    #[serde(default)]
    mr: String,
    #[serde(default)]
    mr_project: String,
    #[serde(default)]
    webhook_token: Option<SecretString>,
}

impl IncomingNotice {
    pub fn read(payload: &[u8]) -> Result<Self, NoticeError> {
        let other = NoticeError::NotForUs;
        if payload.len() > PAYLOAD_LIMIT {
            return Err(other("it is larger than any that GitLab sends"));
        }
        // Nested values and duplicate keys are errors here. Guess nothing.
        let payload: Payload = serde_json::from_slice(payload).map_err(|_| other("it has another form"))?;
        if payload.variables.is_some_and(|variables| !variables.is_empty()) {
            return Err(NoticeError::SetsVariables);
        }
        let received = payload.source_git_bot.ok_or(other("it says nothing to the bot"))?;
        if received.v != VERSION {
            return Err(other("it has the form of another version"));
        }
        if !KINDS.contains(&received.kind.as_str()) {
            return Err(other("it is about something that the bot does not follow"));
        }
        let number = |text: &str| match text {
            "" | "null" => Ok(None),
            text if text.len() <= DIGITS && text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().map(Some).map_err(|_| other("it holds something that is no number"))
            }
            _ => Err(other("it holds something that is no number")),
        };
        let Received { project, id, iid, mr, mr_project, .. } = &received;
        let [project, id, iid, mr, mr_project] = [project, id, iid, mr, mr_project].map(|text| number(text));
        let (project, id, iid, merge_request) = (project?, id?, iid?, mr_project?.zip(mr?));
        let found = match received.kind.as_str() {
            "merge_request" => project.zip(iid).map(|(project, iid)| WhereToLook::MergeRequest { project, iid }),
            "note" => {
                let on = merge_request.zip(id);
                on.map(|((project, merge_request), id)| WhereToLook::Note { project, merge_request, id })
            }
            _ => project.zip(id).map(|(project, id)| WhereToLook::Pipeline { project, id, merge_request }),
        };
        let look = found.ok_or(other("it does not say where to look"))?;
        Ok(Self { look, webhook_token: received.webhook_token })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn notice(variables: &[(&str, &str)]) -> Option<String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Notice::of_job(&variables).map(|notice| serde_json::to_string(&notice).unwrap())
    }

    #[test]
    fn a_jobs_notice_holds_only_numbers() {
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

    fn read(notice: &str) -> Result<WhereToLook, NoticeError> {
        let payload = format!(r#"{{"ref": "main", "id": "12", "variables": {{}}, "source_git_bot": {notice}}}"#);
        IncomingNotice::read(payload.as_bytes()).map(|notice| notice.look)
    }

    #[test]
    fn a_notice_says_where_to_look() {
        let hook = r#"{"v": "1", "kind": "merge_request", "project": "7", "id": "70", "iid": "3", "mr": "", "mr_project": "null"}"#;
        assert_eq!(read(hook), Ok(WhereToLook::MergeRequest { project: 7, iid: 3 }));
        let note = r#"{"v": "1", "kind": "note", "project": "7", "id": "70", "iid": "", "mr": "3", "mr_project": "8"}"#;
        assert_eq!(read(note), Ok(WhereToLook::Note { project: 8, merge_request: 3, id: 70 }));
        let pipeline = r#"{"v": "1", "kind": "pipeline", "project": "7", "id": "70", "mr": "3", "mr_project": "8"}"#;
        assert_eq!(read(pipeline), Ok(WhereToLook::Pipeline { project: 7, id: 70, merge_request: Some((8, 3)) }));
        let branch = r#"{"v": "1", "kind": "pipeline", "project": "7", "id": "70", "mr": "null", "mr_project": ""}"#;
        assert_eq!(read(branch), Ok(WhereToLook::Pipeline { project: 7, id: 70, merge_request: None }));
    }

    #[test]
    fn a_notice_may_carry_a_webhook_token_that_debug_hides() {
        let incoming = |token: &str| {
            let notice = format!(r#"{{"v": "1", "kind": "merge_request", "project": "7", "iid": "3"{token}}}"#);
            IncomingNotice::read(format!(r#"{{"source_git_bot": {notice}}}"#).as_bytes()).unwrap()
        };
        let carrying = incoming(r#", "webhook_token": "a.b.c""#);
        assert_eq!(carrying.webhook_token.as_ref().unwrap().expose_secret(), "a.b.c");
        assert!(!format!("{carrying:?}").contains("a.b.c"));
        assert!(incoming("").webhook_token.is_none() && incoming(r#", "webhook_token": null"#).webhook_token.is_none());
    }

    #[test]
    fn a_sent_notice_can_be_read() {
        let sent = notice(&[("CI_PROJECT_ID", "7"), ("CI_PIPELINE_ID", "70")]).unwrap();
        assert_eq!(read(&sent), Ok(WhereToLook::Pipeline { project: 7, id: 70, merge_request: None }));
        let relayed = serde_json::to_string(&Notice::of_pipeline(7, 999_999_999_999)).unwrap();
        assert_eq!(read(&relayed), Ok(WhereToLook::Pipeline { project: 7, id: 999_999_999_999, merge_request: None }));
    }

    #[test]
    fn any_other_payload_is_refused() {
        let with = |key: &str, value: &str| {
            let good =
                r#"{"v": "1", "kind": "pipeline", "project": "7", "id": "70", "iid": "", "mr": "", "mr_project": ""}"#;
            let mut notice: serde_json::Value = serde_json::from_str(good).unwrap();
            notice[key] = serde_json::from_str(value).unwrap();
            notice.to_string()
        };
        for (key, value) in [
            ("v", "\"2\""),
            ("v", "1"),
            ("kind", "\"push\""),
            ("kind", "\"Pipeline\""),
            ("project", "\"\""),
            ("project", "\"../7\""),
            ("project", "\"$TOKEN\""),
            ("project", "7"),
            ("id", "\"-1\""),
            ("id", "\"7 \""),
            ("id", "\"1234567890123\""),
            ("id", "null"),
            ("mr", "\"x\""),
            ("mr", "{}"),
            ("webhook_token", "7"),
            ("webhook_token", "{}"),
            ("webhook_token", "[\"x\"]"),
        ] {
            assert!(matches!(read(&with(key, value)), Err(NoticeError::NotForUs(_))), "{key}: {value}");
        }
        // A note on an issue or a commit, and a note without its number.
        for missing in [r#""id": "70""#, r#""id": "", "mr": "3", "mr_project": "8""#] {
            let note = format!(r#"{{"v": "1", "kind": "note", "project": "7", {missing}}}"#);
            assert!(matches!(read(&note), Err(NoticeError::NotForUs(_))), "{note}");
        }
        for broken in ["", "{", "[]", "null", "{}", "\"x\"", r#"{"source_git_bot": null}"#] {
            assert!(matches!(IncomingNotice::read(broken.as_bytes()), Err(NoticeError::NotForUs(_))), "{broken}");
        }
        let tokens = with("webhook_token", "\"x\"").replacen("{", "{\"webhook_token\":\"y\",", 1);
        assert!(matches!(read(&tokens), Err(NoticeError::NotForUs(_))), "{tokens}");
        let twice = with("v", "\"1\"").replacen("{", "{\"project\":\"8\",", 1);
        assert!(matches!(read(&twice), Err(NoticeError::NotForUs(_))), "{twice}");
        let deep = format!(r#"{{"x": {}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(IncomingNotice::read(deep.as_bytes()), Err(NoticeError::NotForUs(_))));
        assert!(matches!(IncomingNotice::read(&vec![b' '; PAYLOAD_LIMIT + 1]), Err(NoticeError::NotForUs(_))));
        assert!(matches!(IncomingNotice::read(b"\xff"), Err(NoticeError::NotForUs(_))));
    }

    #[test]
    fn a_payload_that_sets_variables_is_refused() {
        let payload = br#"{"variables": {"CI_SERVER_URL": "https://evil.example"}, "source_git_bot": null}"#;
        assert_eq!(IncomingNotice::read(payload).unwrap_err(), NoticeError::SetsVariables);
    }
}
