//! One POST over plain HTTP on the loopback interface, as GitLab sends it: a deadline, no retry.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// GitLab's `webhook_timeout`.
const DEADLINE: Duration = Duration::from_secs(10);

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Posts a body; the text of an error says what went wrong.
pub(crate) fn post(
    url: &str,
    at: Option<SocketAddr>,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Answer, String> {
    let rest = url.strip_prefix("http://").ok_or("the sandbox sends webhooks over plain HTTP only")?;
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let address = match at {
        Some(address) => address,
        None => {
            let named = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
            let mut found = named.to_socket_addrs().map_err(|error| error.to_string())?;
            found.next().ok_or_else(|| format!("{host} has no address"))?
        }
    };
    if !address.ip().is_loopback() {
        return Err(format!("{host} is not on the loopback interface"));
    }
    send(address, host, path, headers, body).map_err(|error| error.to_string())
}

fn send(
    address: SocketAddr,
    host: &str,
    path: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let mut message = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        message += &format!("{name}: {}\r\n", value.replace(['\r', '\n'], ""));
    }
    message += &format!("Content-Length: {}\r\n\r\n", body.len());
    // In one piece: small pieces wait for each other on the wire.
    stream.write_all(&[message.as_bytes(), body].concat())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let answer = text.split_once("\r\n\r\n").and_then(|(head, body)| {
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some(Answer { status, headers, body: body.to_owned() })
    });
    answer.ok_or_else(|| std::io::Error::other("end of file reached"))
}
