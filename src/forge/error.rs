//! Reads GitLab's refusals: their kind, and GitLab's own sentence.
//!
//! People read the texts: GitLab's own sentence, the request, and the id under which GitLab logged it. No text holds a
//! query string or the token: the transport masks the token before a text gets here.

use bstr::ByteSlice as _;
use serde_json::Value;

use crate::types::error::{Failure, ForgeError};
use crate::types::text::printable;

/// How much of an error's body is read, in bytes. GitLab's own errors are far shorter; a proxy's page may be longer.
const BODY_LIMIT: usize = 64 << 10;

/// How many values of a structured error body go into the sentence.
const VALUES_LIMIT: usize = 10;

/// How many levels of a structured error body are read.
const DEPTH_LIMIT: usize = 4;

/// Returns the error for a request that GitLab refused for good. `location` is the target of a redirection.
pub(super) fn from_refusal(failure: Failure, location: Option<String>) -> ForgeError {
    let status = failure.status;
    let failure = Box::new(failure);
    match status {
        Some(300..=399) => ForgeError::Moved { failure, location },
        Some(401) => ForgeError::Unauthorized(failure),
        Some(403) => ForgeError::Forbidden(failure),
        Some(404) => ForgeError::NotFoundOrNoAccess(failure),
        Some(409) => ForgeError::Conflict(failure),
        _ => ForgeError::Refused(failure),
    }
}

/// Returns GitLab's own sentence from the body of an error, as one printable line; empty where the body says nothing.
///
/// GitLab uses these forms (API documentation, "REST API troubleshooting"): `{"message": "…"}`, `{"message": ["…"]}`,
/// `{"message": {"field": ["…"]}}`, `{"error": "…", "error_description": "…"}`. Rack::Attack and proxies send plain
/// text.
pub(super) fn sentence(body: &[u8]) -> String {
    let body = body.get(..BODY_LIMIT).unwrap_or(body).trim();
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return if body.starts_with(b"<") { page_title(body) } else { printable(body) };
    };
    let mut said = Vec::new();
    match &value {
        Value::Object(object) => {
            for key in ["message", "error", "error_description", "errors"] {
                if let Some(value) = object.get(key) {
                    collect(value, "", DEPTH_LIMIT, &mut said);
                }
            }
            if said.is_empty() {
                collect(&value, "", DEPTH_LIMIT, &mut said);
            }
        }
        value => collect(value, "", DEPTH_LIMIT, &mut said),
    }
    printable(said.join("; ").as_bytes())
}

/// Adds the texts in `value` to `said`, each with the name of its field.
fn collect(value: &Value, field: &str, depth: usize, said: &mut Vec<String>) {
    if depth == 0 || said.len() >= VALUES_LIMIT {
        return;
    }
    match value {
        Value::Null => {}
        Value::Array(values) => values.iter().for_each(|value| collect(value, field, depth - 1, said)),
        Value::Object(object) => {
            for (key, value) in object {
                // These two are no fields: they are about the request as a whole.
                let field = if matches!(key.as_str(), "base" | "error") { "" } else { key };
                collect(value, field, depth - 1, said);
            }
        }
        Value::String(text) if field.is_empty() => said.push(text.clone()),
        Value::String(text) => said.push(format!("{field} {text}")),
        value => said.push(format!("{field} {value}").trim_start().to_owned()),
    }
}

/// Returns the title of an HTML page, in which a proxy or load balancer says what happened.
fn page_title(page: &[u8]) -> String {
    let lower = page.to_ascii_lowercase();
    let title = lower.find(b"<title>").map(|start| start + b"<title>".len()).and_then(|start| {
        let length = lower.get(start..)?.find(b"</title>")?;
        page.get(start..start.checked_add(length)?)
    });
    match title {
        Some(title) => format!("a page titled \"{}\"", printable(title.trim())),
        None => "an HTML page".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, message: &str) -> Failure {
        Failure {
            method: "GET".into(),
            path: "projects/7".into(),
            status: Some(status),
            message: message.into(),
            request_id: Some("01FRF".into()),
            tries: 1,
            retry_after: None,
        }
    }

    #[test]
    fn gitlabs_sentence_is_found_in_every_shape_of_body() {
        for (body, expected) in [
            (r#"{"message":"404 Project Not Found"}"#, "404 Project Not Found"),
            (
                r#"{"message":["Another open merge request already exists for this source branch: !1"]}"#,
                "Another open merge request already exists for this source branch: !1",
            ),
            (
                r#"{"message":{"name":["has already been taken"],"path":["has already been taken"]}}"#,
                "name has already been taken; path has already been taken",
            ),
            (r#"{"message":{"base":["Reference not found"]}}"#, "Reference not found"),
            (
                r#"{"message":{"error":"This endpoint has been requested too many times. Try again later."}}"#,
                "This endpoint has been requested too many times. Try again later.",
            ),
            (r#"{"error":"state is missing"}"#, "state is missing"),
            (
                r#"{"error":"insufficient_scope","error_description":"needs api","scope":"api"}"#,
                "insufficient_scope; needs api",
            ),
            ("Retry later\n", "Retry later"),
            ("", ""),
            ("<html>\n<head><TITLE>502 Bad Gateway</TITLE></head>", "a page titled \"502 Bad Gateway\""),
            ("<!doctype html>", "an HTML page"),
            ("<title>", "an HTML page"),
            (r#"{"weird":{"key":1}}"#, "key 1"),
            ("[]", ""),
            ("null", ""),
        ] {
            assert_eq!(sentence(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_hostile_body_stays_one_short_line() {
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(sentence(deep.as_bytes()), "");
        let wide = serde_json::json!({"message": vec!["x"; 10_000]}).to_string();
        assert_eq!(sentence(wide.as_bytes()).matches('x').count(), VALUES_LIMIT);
        assert_eq!(sentence(b"{\"message\":\"a\\n\\u001b[31mb\"}"), "a\\n\\x1b[31mb");
        assert!(sentence(&vec![b'y'; 1 << 20]).chars().count() <= 201);
        assert_eq!(sentence(b"\xff\xfe"), "\\xff\\xfe");
    }

    #[test]
    fn each_status_has_its_kind() {
        let kind = |status| from_refusal(failure(status, ""), None);
        assert!(matches!(kind(401), ForgeError::Unauthorized(_)));
        assert!(matches!(kind(403), ForgeError::Forbidden(_)));
        assert!(matches!(kind(404), ForgeError::NotFoundOrNoAccess(_)));
        assert!(matches!(kind(409), ForgeError::Conflict(_)));
        assert!(matches!(kind(301), ForgeError::Moved { .. }));
        assert!(matches!(kind(400), ForgeError::Refused(_)));
        assert!(matches!(kind(422), ForgeError::Refused(_)));
    }

    #[test]
    fn a_404_says_that_it_may_be_about_access() {
        let error = from_refusal(failure(404, "404 Project Not Found"), None);
        assert_eq!(
            error.to_string(),
            "GET projects/7: GitLab answered 404, Project Not Found (request 01FRF): it does not exist, or this token \
             has no access to it"
        );
    }

    #[test]
    fn a_301_says_where_the_project_went() {
        let error = from_refusal(failure(301, ""), Some("https://gitlab.com/api/v4/projects/9".into()));
        assert_eq!(
            error.to_string(),
            "GET projects/7: GitLab answered 301 (request 01FRF): moved to https://gitlab.com/api/v4/projects/9"
        );
    }
}
