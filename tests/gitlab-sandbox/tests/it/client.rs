//! A plain HTTP client, so that nothing between the test and the sandbox can hide what is on the wire.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use gitlab_sandbox::{Role, Sandbox, Scope};
use serde_json::Value;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The status and the body, for comparing both at once.
    pub(crate) fn pair(&self) -> (u16, Value) {
        (self.status, self.json())
    }
}

/// Sends a request as it stands; an error where the connection ends without an answer.
pub(crate) fn send(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Response> {
    send_to(sandbox.address(), method, path, headers, body)
}

/// The same by the address, for a sandbox that goes away meanwhile.
pub(crate) fn send_to(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect(address)?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: gitlab\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    // In one piece: small pieces wait for each other on the wire.
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Ok(Response { status, headers, body: bytes[end + 4..].to_vec() })
}

/// Calls the API with a token (none where it is empty) and a JSON body (none where it is null).
pub(crate) fn call(sandbox: &Sandbox, token: &str, method: &str, path: &str, body: &Value) -> Response {
    let mut headers = vec![];
    if !token.is_empty() {
        headers.push(("PRIVATE-TOKEN", token));
    }
    let text = if body.is_null() { String::new() } else { body.to_string() };
    if !text.is_empty() {
        headers.push(("Content-Type", "application/json"));
    }
    send(sandbox, method, &format!("/api/v4{path}"), &headers, &text).unwrap()
}

pub(crate) fn get(sandbox: &Sandbox, token: &str, path: &str) -> Response {
    call(sandbox, token, "GET", path, &Value::Null)
}

/// Fails unless an object has all of these fields.
#[track_caller]
pub(crate) fn assert_fields(value: &Value, fields: &str) {
    let missing: Vec<&str> = fields.split_whitespace().filter(|field| value.get(field).is_none()).collect();
    assert!(missing.is_empty(), "missing {missing:?} in {value:#}");
}

/// A world to start from: `src/curl` with a branch, a contributor with a fork and a branch `fix` in it, a maintainer,
/// and the bot as a Reporter. Gives the tokens of bot, contributor and maintainer.
pub(crate) fn furnished() -> (Sandbox, String, String, String) {
    let sandbox = Sandbox::start();
    for user in ["bot", "contributor", "maintainer"] {
        sandbox.user(user);
    }
    sandbox.project("src/curl");
    sandbox.member("src/curl", "maintainer", Role::Maintainer);
    sandbox.member("src/curl", "bot", Role::Reporter);
    sandbox.commit("src/curl", "c10s", "Start\n", &[("a.c", Some("1\n")), ("dir/b.c", Some("2\n"))]);
    sandbox.fork("src/curl", "contributor");
    sandbox.branch_at("contributor/curl", "fix", "c10s");
    sandbox.commit("contributor/curl", "fix", "Fix a\n", &[("a.c", Some("fixed\n"))]);
    let token = |user| sandbox.token(user, &[Scope::Api]);
    let (bot, contributor, maintainer) = (token("bot"), token("contributor"), token("maintainer"));
    (sandbox, bot, contributor, maintainer)
}
