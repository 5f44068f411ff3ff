//! Answers, and refusals in the shapes that GitLab uses.

use serde_json::{Value, json};

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::text(status, "application/json", value.to_string())
    }

    pub(crate) fn text(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body: body.into() }
    }

    pub(crate) const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// A refusal: GitLab's error bodies have five shapes, and one more from OAuth.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// `{"message": "404 Project Not Found"}`
    Message(u16, String),
    /// `{"message": ["Another open merge request …"]}`
    Messages(u16, Vec<String>),
    /// `{"message": {"name": ["has already been taken"]}}`
    Fields(u16, Value),
    /// `{"error": "title is missing"}`, always 400
    Parameter(String),
    /// The same with 422: `{"error": "Invalid url given"}`
    Unprocessable(String),
    /// `{"error": "insufficient_scope", "error_description": …}`
    OAuth(u16, &'static str, &'static str, Option<&'static str>),
    /// No such route: `{"error": "404 Not Found"}`
    NoRoute,
}

pub(crate) type Answer = Result<Reply, Refusal>;

impl Refusal {
    pub(crate) fn unauthorized() -> Self {
        Self::Message(401, "401 Unauthorized".to_owned())
    }

    pub(crate) fn forbidden() -> Self {
        Self::Message(403, "403 Forbidden".to_owned())
    }

    /// `404 <what> Not Found`; GitLab says plain `404 Not found` for things below a project, such as merge requests.
    pub(crate) fn not_found(what: &str) -> Self {
        let text = if what.is_empty() { "404 Not found".to_owned() } else { format!("404 {what} Not Found") };
        Self::Message(404, text)
    }

    pub(crate) fn field(status: u16, field: &str, text: &str) -> Self {
        Self::Fields(status, json!({ field: [text] }))
    }

    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::Message(status, text) => Reply::json(*status, &json!({ "message": text })),
            Self::Messages(status, texts) => Reply::json(*status, &json!({ "message": texts })),
            Self::Fields(status, fields) => Reply::json(*status, &json!({ "message": fields })),
            Self::Parameter(text) => Reply::json(400, &json!({ "error": text })),
            Self::Unprocessable(text) => Reply::json(422, &json!({ "error": text })),
            Self::OAuth(status, error, description, scope) => {
                let mut body = json!({ "error": error, "error_description": description });
                if let (Some(scope), Some(body)) = (scope, body.as_object_mut()) {
                    body.insert("scope".to_owned(), json!(scope));
                }
                Reply::json(*status, &body)
            }
            Self::NoRoute => Reply::json(404, &json!({ "error": "404 Not Found" })),
        }
    }
}
