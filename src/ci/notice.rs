//! What a job or a webhook tells the bot project: where to look, and nothing else.
//!
//! The form is that of the bot's webhook template: numbers as text, because GitLab renders a field that an event lacks as
//! an empty text; besides them perhaps a webhook token, which is for the caller to judge. It carries no verb, no name and
//! no free text, so whoever sends one can do no more than make the bot look. Whatever has another form is none, for
//! whatever reason: GitLab expands variables in what it hands over, and may break it.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// The version of the form.
const VERSION: &str = "1";

/// The most digits of a number.
const DIGITS: usize = 12;

/// What events can be about.
const KINDS: [&str; 3] = ["merge_request", "note", "pipeline"];

/// The largest payload that is read, in bytes: GitLab's limit for what a webhook sends.
pub const PAYLOAD_LIMIT: usize = 25 << 20;

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

    /// Returns the notice about a pipeline, by the numbers of its project and its own, of twelve digits at most.
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

/// A notice, as it was received.
#[derive(Debug)]
pub struct IncomingNotice {
    /// Where to look.
    pub look: WhereToLook,
    /// The webhook token that it carries. Nothing of it has been looked at.
    pub webhook_token: Option<SecretString>,
}

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhereToLook {
    /// At this merge request, by the numbers of its project and within it.
    MergeRequest {
        /// The target project.
        project: u64,
        /// The merge request.
        iid: u64,
    },
    /// At this comment.
    Note {
        /// The target project of the merge request.
        project: u64,
        /// The merge request that it is on.
        merge_request: u64,
        /// The note.
        id: u64,
    },
    /// At this pipeline.
    Pipeline {
        /// The project that it runs in.
        project: u64,
        /// The pipeline.
        id: u64,
        /// The merge request that it is for, by target project and number.
        merge_request: Option<(u64, u64)>,
    },
}

/// Why a payload is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFollowed {
    /// It has another form, or is about something else.
    #[error("{0}")]
    NotForUs(&'static str),
    /// Whoever sent it wanted to set variables of the job: they could take the place of the instance's own.
    #[error("it sets pipeline variables")]
    SetsVariables,
}

/// What GitLab hands over: the parameters of the request that started the pipeline.
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
    /// Reads a payload.
    pub fn read(payload: &[u8]) -> Result<Self, NotFollowed> {
        let other = NotFollowed::NotForUs;
        if payload.len() > PAYLOAD_LIMIT {
            return Err(other("it is larger than any that GitLab sends"));
        }
        // Nesting and duplicated keys are errors here: nothing is guessed.
        let payload: Payload = serde_json::from_slice(payload).map_err(|_| other("it has another form"))?;
        if payload.variables.is_some_and(|variables| !variables.is_empty()) {
            return Err(NotFollowed::SetsVariables);
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

    fn read(notice: &str) -> Result<WhereToLook, NotFollowed> {
        let payload = format!(r#"{{"ref": "main", "id": "12", "variables": {{}}, "source_git_bot": {notice}}}"#);
        IncomingNotice::read(payload.as_bytes()).map(|call| call.look)
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
    fn a_notice_may_carry_a_webhook_token_which_is_not_shown() {
        let call = |token: &str| {
            let notice = format!(r#"{{"v": "1", "kind": "merge_request", "project": "7", "iid": "3"{token}}}"#);
            IncomingNotice::read(format!(r#"{{"source_git_bot": {notice}}}"#).as_bytes()).unwrap()
        };
        let carrying = call(r#", "webhook_token": "a.b.c""#);
        assert_eq!(carrying.webhook_token.as_ref().unwrap().expose_secret(), "a.b.c");
        assert!(!format!("{carrying:?}").contains("a.b.c"));
        assert!(call("").webhook_token.is_none() && call(r#", "webhook_token": null"#).webhook_token.is_none());
    }

    #[test]
    fn what_a_job_sends_is_read_back() {
        let sent = notice(&[("CI_PROJECT_ID", "7"), ("CI_PIPELINE_ID", "70")]).unwrap();
        assert_eq!(read(&sent), Ok(WhereToLook::Pipeline { project: 7, id: 70, merge_request: None }));
        let relayed = serde_json::to_string(&Notice::of_pipeline(7, 999_999_999_999)).unwrap();
        assert_eq!(read(&relayed), Ok(WhereToLook::Pipeline { project: 7, id: 999_999_999_999, merge_request: None }));
    }

    #[test]
    fn anything_else_is_not_followed() {
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
            assert!(matches!(read(&with(key, value)), Err(NotFollowed::NotForUs(_))), "{key}: {value}");
        }
        // On an issue or a commit, and one that is not named.
        for missing in [r#""id": "70""#, r#""id": "", "mr": "3", "mr_project": "8""#] {
            let note = format!(r#"{{"v": "1", "kind": "note", "project": "7", {missing}}}"#);
            assert!(matches!(read(&note), Err(NotFollowed::NotForUs(_))), "{note}");
        }
        for broken in ["", "{", "[]", "null", "{}", "\"x\"", r#"{"source_git_bot": null}"#] {
            assert!(matches!(IncomingNotice::read(broken.as_bytes()), Err(NotFollowed::NotForUs(_))), "{broken}");
        }
        let tokens = with("webhook_token", "\"x\"").replacen("{", "{\"webhook_token\":\"y\",", 1);
        assert!(matches!(read(&tokens), Err(NotFollowed::NotForUs(_))), "{tokens}");
        let twice = with("v", "\"1\"").replacen("{", "{\"project\":\"8\",", 1);
        assert!(matches!(read(&twice), Err(NotFollowed::NotForUs(_))), "{twice}");
        let deep = format!(r#"{{"x": {}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(IncomingNotice::read(deep.as_bytes()), Err(NotFollowed::NotForUs(_))));
        assert!(matches!(IncomingNotice::read(&vec![b' '; PAYLOAD_LIMIT + 1]), Err(NotFollowed::NotForUs(_))));
        assert!(matches!(IncomingNotice::read(b"\xff"), Err(NotFollowed::NotForUs(_))));
    }

    #[test]
    fn variables_of_the_job_are_nobodys_to_set() {
        let payload = br#"{"variables": {"CI_SERVER_URL": "https://evil.example"}, "source_git_bot": null}"#;
        assert_eq!(IncomingNotice::read(payload).unwrap_err(), NotFollowed::SetsVariables);
    }
}
