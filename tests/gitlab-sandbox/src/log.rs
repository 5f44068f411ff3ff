//! What the sandbox remembers of its traffic: every request in order, every write, the bytes that git moved, and
//! whatever was asked of it that it does not know.

use std::collections::BTreeMap;

/// One request as it came in, and how it ended. Credentials are never kept: their headers read `[credentials]`.
#[derive(Debug, Clone)]
pub struct RequestRecord {
    /// The HTTP method.
    pub method: String,
    /// The path as sent, percent-encoding and all.
    pub path: String,
    /// The query string as sent, without the `?`.
    pub query: String,
    /// The request's headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The request's body.
    pub body: Vec<u8>,
    /// Who asked, by user name; nobody where there were no valid credentials.
    pub user: Option<String>,
    /// The status answered; `None` while under way, or where the connection was cut.
    pub status: Option<u16>,
    /// The size of the answer's body in bytes.
    pub response_size: u64,
}

impl RequestRecord {
    /// Tells whether this is a request to the REST or the GraphQL API, in contrast to git.
    #[must_use]
    pub fn is_api(&self) -> bool {
        self.path.contains("/api/v4/") || self.path.ends_with("/api/graphql")
    }

    /// Everything the client sent, credentials excepted, as one text: for tests that look for what must not be in it.
    #[must_use]
    pub fn sent(&self) -> String {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        format!("{} {}?{}\n{headers}\n{}", self.method, self.path, self.query, String::from_utf8_lossy(&self.body))
    }
}

/// A request that changed something: an API call that succeeded, or one ref that a push moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The HTTP method; `PUSH` for a ref moved by git.
    pub method: String,
    /// The API's path without `/api/v4`, percent-encoding as sent; for a push the project's full path.
    pub path: String,
    /// Who did it, by user name.
    pub user: Option<String>,
    /// The status that the sandbox answered, or would have, had a fault not come in between.
    pub status: u16,
    /// The request's body; for a push `<ref> <old> <new>`, with zeros for "none".
    pub body: String,
}

/// Bytes that git moved over HTTP for one project, bodies only, as on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GitTraffic {
    /// Requests of any kind.
    pub requests: u64,
    /// Sent by clients that fetch.
    pub fetch_received: u64,
    /// Sent to clients that fetch, ref advertisement included.
    pub fetch_sent: u64,
    /// Sent by clients that push.
    pub push_received: u64,
    /// Sent to clients that push, ref advertisement included.
    pub push_sent: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) requests: Vec<RequestRecord>,
    /// Each write, and whether a test has looked at it.
    pub(crate) writes: Vec<(Write, bool)>,
    pub(crate) traffic: BTreeMap<String, GitTraffic>,
    /// Requests for routes or with parameters that the sandbox does not model.
    pub(crate) unknown: Vec<String>,
}

impl Log {
    pub(crate) fn unlooked(&self) -> Vec<Write> {
        self.writes.iter().filter(|(_, looked)| !looked).map(|(write, _)| write.clone()).collect()
    }
}

/// Matches a path against a pattern in which `*` stands for any run of characters, slashes included.
pub(crate) fn matches_pattern(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::matches_pattern;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches_pattern("/projects/*/notes", "/projects/7/merge_requests/1/notes"));
        assert!(matches_pattern("*", ""));
        assert!(matches_pattern("*/notes*", "/a/notes"));
        assert!(!matches_pattern("/projects/*/notes", "/projects/7/notes/1"));
        assert!(!matches_pattern("/user", "/users"));
        assert!(!matches_pattern("a*a", "a"));
    }
}
