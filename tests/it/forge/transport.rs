//! The way to GitLab, held against a server that answers what a test says, or breaks off.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::Duration;

use secrecy::SecretString;
use source_git_bot::forge::{
    Connection, Forge, MergeRequestEdit, MergeRequestQuery, NewFork, NewMergeRequest, NoteOrder, RetryPolicy,
    StateFilter, TokenKind, Writes,
};
use source_git_bot::types::StateChange;
use source_git_bot::types::error::ForgeError;
use source_git_bot::types::{BranchName, MergeRequestIid, NoteId, ProjectId, ProjectPath, UserId};

const TOKEN: &str = "glpat-MoonlightSecret";
const PROJECT: ProjectId = ProjectId(3);
const IID: MergeRequestIid = MergeRequestIid(7);

/// What the server does with one request.
#[derive(Clone)]
enum Reply {
    /// Answers with a status, headers (each ending in CRLF) and a body.
    Answer(u16, String, String),
    /// Reads the request and breaks the connection.
    Cut,
    /// Answers with a length that the body does not reach, and breaks the connection.
    CutInBody(u16),
    /// Answers with a body that has no end.
    Endless,
}

fn answer(status: u16, body: &str) -> Reply {
    Reply::Answer(status, String::new(), body.to_owned())
}

fn answer_with(status: u16, headers: &str, body: &str) -> Reply {
    Reply::Answer(status, headers.to_owned(), body.to_owned())
}

/// A server on its own thread, which ends with its script: a request too many finds nobody.
struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
    pauses: Arc<Mutex<Vec<Duration>>>,
}

impl Server {
    fn start(script: Vec<Reply>) -> Self {
        start_log();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/git", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for reply in script {
                let Ok((stream, _)) = listener.accept() else { return };
                serve(stream, &reply, &log);
            }
        });
        Self { address, requests, pauses: Arc::default() }
    }

    fn connection(&self) -> Connection {
        let pauses = Arc::clone(&self.pauses);
        Connection {
            kind: TokenKind::Access,
            base_url: self.address.parse().unwrap(),
            token: SecretString::from(TOKEN),
            ca_file: None,
            proxy: None,
            timeout: Duration::from_secs(75),
            writes: Writes::Allowed,
            retry: RetryPolicy::default().with_sleep(move |pause| pauses.lock().unwrap().push(pause)),
        }
    }

    fn forge(&self) -> Forge {
        Forge::new(self.connection()).unwrap()
    }

    /// The requests so far: method, target and body.
    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn pauses(&self) -> Vec<Duration> {
        self.pauses.lock().unwrap().clone()
    }
}

/// Reads one request from a connection, notes it and does what `reply` says.
fn serve(mut stream: TcpStream, reply: &Reply, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let request = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let (mut length, mut has_token) = (0, false);
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(": ").unwrap();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "private-token" => has_token = value == TOKEN,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    assert!(has_token, "{request} came without the token");
    log.lock().unwrap().push(format!("{request} {}", String::from_utf8(body).unwrap()).trim_end().to_owned());
    match reply {
        Reply::Answer(status, headers, body) => {
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n");
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
        Reply::Cut => {}
        Reply::CutInBody(status) => {
            let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 100\r\n\r\n");
            stream.write_all(format!("{head}{{\"id\": ").as_bytes()).unwrap();
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n").unwrap();
            while stream.write_all(&[b' '; 1 << 16]).is_ok() {}
        }
    }
    // The other side may have closed already.
    let _ = stream.shutdown(Shutdown::Both);
}

fn mr(iid: u64) -> String {
    format!(
        r#"{{"id": 1{iid}, "iid": {iid}, "project_id": 3, "target_project_id": 3, "source_project_id": 4,
            "title": "T", "description": "D", "state": "opened", "draft": true, "work_in_progress": true,
            "sha": "257ce9fd8c5421d2e116337847710ba70d215aa6", "source_branch": "s", "target_branch": "c9s",
            "author": {{"id": 9, "username": "u", "name": "U"}}, "labels": ["a"], "web_url": "https://x/!7"}}"#
    )
}

fn note(id: u64) -> String {
    format!(r#"{{"id": {id}, "body": "b", "author": {{"id": 9, "username": "u", "name": "U"}}, "system": false}}"#)
}

fn notes(ids: std::ops::Range<u64>) -> String {
    format!("[{}]", ids.map(note).collect::<Vec<_>>().join(","))
}

#[test]
fn a_read_is_repeated_until_gitlab_is_well_again() {
    let server = Server::start(vec![answer(503, ""), Reply::Cut, Reply::CutInBody(200), answer(200, &mr(7))]);
    let forge = server.forge();
    let mr = forge.merge_request(PROJECT, IID).unwrap();
    assert_eq!(mr.sha.unwrap().to_string(), "257ce9fd8c5421d2e116337847710ba70d215aa6");
    assert!(mr.draft);
    assert_eq!(server.requests(), ["GET /git/api/v4/projects/3/merge_requests/7"; 4]);
    assert_eq!(forge.requests(), 4);
    let longest = [1, 2, 4].map(Duration::from_secs);
    let pauses = server.pauses();
    assert_eq!(pauses.len(), longest.len());
    assert!(pauses.iter().zip(longest).all(|(pause, longest)| (longest / 2..=longest).contains(pause)), "{pauses:?}");
}

#[test]
fn the_pause_that_gitlab_asks_for_is_made_even_before_a_post() {
    let server = Server::start(vec![answer_with(429, "retry-after: 17\r\n", "Retry later\n"), answer(201, &note(5))]);
    assert_eq!(server.forge().create_note(PROJECT, IID, "text & more").unwrap().id, NoteId(5));
    assert_eq!(server.pauses(), [Duration::from_secs(17)]);
    assert_eq!(
        server.requests(),
        ["POST /git/api/v4/projects/3/merge_requests/7/notes body=text+%26+more"; 2],
        "a throttled request was not done, so it is made again"
    );
}

#[test]
fn a_pause_without_end_is_not_made() {
    let server = Server::start(vec![answer_with(429, "retry-after: 3600\r\n", "Retry later\n")]);
    let error = server.forge().current_user().unwrap_err();
    assert!(error.is_worth_a_retry());
    assert_eq!(error.to_string(), "GET user: GitLab answered 429, Retry later, and asks to wait 3600 s");
    assert!(server.pauses().is_empty());
}

#[test]
fn the_last_error_is_the_one_that_is_told() {
    let mut script = vec![answer(502, "<html><head><title>Bad gateway</title>"); 4];
    script.push(answer_with(503, "x-request-id: 01FRF\r\n", r#"{"message": "Down for upgrade"}"#));
    let server = Server::start(script);
    let error = server.forge().current_user().unwrap_err();
    assert!(matches!(&error, ForgeError::Unavailable(_)), "{error:?}");
    assert_eq!(error.to_string(), "GET user: GitLab answered 503, Down for upgrade (after 5 tries) (request 01FRF)");
}

#[test]
fn a_post_whose_answer_is_lost_is_not_repeated() {
    for reply in
        [Reply::Cut, Reply::CutInBody(201), answer(502, ""), answer(500, ""), answer(201, "{}"), Reply::Endless]
    {
        let server = Server::start(vec![reply, answer(201, &note(5))]);
        let error = server.forge().create_note(PROJECT, IID, "x").unwrap_err();
        assert!(matches!(&error, ForgeError::MaybeDone(_)), "{error:?}");
        assert!(error.is_worth_a_retry());
        assert_eq!(server.requests().len(), 1);
        assert!(server.pauses().is_empty());
    }
}

#[test]
fn an_edit_whose_answer_is_lost_is_repeated() {
    let server = Server::start(vec![Reply::Cut, answer(500, ""), answer(200, &mr(7))]);
    let edit =
        MergeRequestEdit { title: Some("a b".into()), state: Some(StateChange::Reopen), ..MergeRequestEdit::default() };
    server.forge().edit_merge_request(PROJECT, IID, &edit).unwrap();
    assert_eq!(
        server.requests(),
        ["PUT /git/api/v4/projects/3/merge_requests/7 title=a+b&state_event=reopen"; 3],
        "only what is to be changed is sent"
    );
}

#[test]
fn where_nobody_listens_nothing_was_done() {
    let server = Server::start(Vec::new());
    // Port 1 (tcpmux) is below those that are handed out, so no other test is behind it.
    let base_url = "http://127.0.0.1:1".parse().unwrap();
    let forge = Forge::new(Connection { base_url, ..server.connection() }).unwrap();
    let error = forge.create_note(PROJECT, IID, "x").unwrap_err();
    assert!(matches!(&error, ForgeError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("no connection to GitLab: Connection refused"), "{error}");
    assert_eq!(server.pauses().len(), 4);
}

#[test]
fn a_list_is_read_page_by_page_as_gitlab_says() {
    let next = |page: &str| format!("x-next-page: {page}\r\n");
    // Pages of notes may be shorter than asked for.
    let server = Server::start(vec![
        answer_with(200, &next("2"), &notes(0..98)),
        answer_with(200, &next("3"), &notes(98..198)),
        answer_with(200, &next(""), &notes(198..298)),
    ]);
    let forge = server.forge();
    let read: Vec<_> = forge.notes(PROJECT, IID, NoteOrder::OldestFirst).map(|note| note.unwrap().id).collect();
    assert_eq!(read, (0..298).map(NoteId).collect::<Vec<_>>());
    let page = |page| {
        format!(
            "GET /git/api/v4/projects/3/merge_requests/7/notes?order_by=created_at&sort=asc&page={page}&per_page=100"
        )
    };
    assert_eq!(server.requests(), [page(1), page(2), page(3)]);
}

#[test]
fn a_list_is_read_no_further_than_it_is_followed() {
    let server = Server::start(vec![answer_with(200, "x-next-page: 2\r\n", &notes(0..100))]);
    let forge = server.forge();
    let mut all = forge.notes(PROJECT, IID, NoteOrder::NewestFirst);
    assert!(all.any(|note| note.unwrap().id == NoteId(99)));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn the_length_of_a_page_counts_where_its_header_was_dropped() {
    let server = Server::start(vec![answer(200, &notes(0..100)), answer(200, &notes(100..101))]);
    assert_eq!(server.forge().notes(PROJECT, IID, NoteOrder::NewestFirst).count(), 101);
}

#[test]
fn a_list_ends_with_its_first_error() {
    let server = Server::start(vec![
        answer_with(200, "x-next-page: 2\r\n", &notes(0..1)),
        answer(403, r#"{"message":"403 Forbidden"}"#),
    ]);
    let forge = server.forge();
    let all: Vec<_> = forge.notes(PROJECT, IID, NoteOrder::NewestFirst).collect();
    assert!(matches!(all.as_slice(), [Ok(_), Err(ForgeError::Forbidden(_))]), "{all:?}");
}

#[test]
fn merge_requests_are_found_by_branch_and_author() {
    let server = Server::start(vec![answer(200, &format!("[{}]", mr(7)))]);
    let query = MergeRequestQuery {
        source_branch: Some("c9s-src-7"),
        author: Some(UserId(9)),
        state: StateFilter::Opened,
        ..MergeRequestQuery::default()
    };
    assert_eq!(server.forge().merge_requests(PROJECT, query).count(), 1);
    assert_eq!(
        server.requests(),
        ["GET /git/api/v4/projects/3/merge_requests?state=opened&source_branch=c9s-src-7&order_by=created_at\
          &author_id=9&page=1&per_page=100"]
    );
}

#[test]
fn a_merge_request_is_opened_from_the_fork() {
    let server = Server::start(vec![
        answer(409, r#"{"message":["Another open merge request already exists for this source branch: !1"]}"#),
        answer(201, &mr(8)),
    ]);
    let forge = server.forge();
    let new = NewMergeRequest {
        source_project: ProjectId(4),
        source_branch: "c9s-src-7",
        target_project: PROJECT,
        target_branch: "c9s",
        title: "Draft: x",
        description: "a\nb",
        labels: &["one", "two"],
    };
    let error = forge.create_merge_request(new).unwrap_err();
    assert!(matches!(&error, ForgeError::Conflict(failure) if failure.message.ends_with("!1")), "{error:?}");
    assert_eq!(forge.create_merge_request(new).unwrap().iid, MergeRequestIid(8));
    assert_eq!(
        server.requests(),
        ["POST /git/api/v4/projects/4/merge_requests source_branch=c9s-src-7&target_branch=c9s&title=Draft%3A+x\
          &description=a%0Ab&target_project_id=3&labels=one%2Ctwo"; 2]
    );
}

#[test]
fn a_fork_is_waited_for() {
    let project = |status| format!(r#"{{"id": 4, "path_with_namespace": "forks/x", "import_status": "{status}"}}"#);
    let server = Server::start(vec![
        answer(201, &project("scheduled")),
        answer(404, r#"{"message":"404 Project Not Found"}"#),
        answer(200, &project("started")),
        answer(200, &project("finished")),
    ]);
    let forge = server.forge();
    let fork = forge.create_fork(PROJECT, NewFork { namespace: Some("forks"), name: None, visibility: None }).unwrap();
    let fork = forge.wait_for_import(fork).unwrap();
    assert_eq!(forge.git_url(&fork.path).as_str(), format!("{}/forks/x.git", server.address));
    assert_eq!(server.requests()[0], "POST /git/api/v4/projects/3/fork namespace_path=forks");
    assert_eq!(server.requests()[1..], ["GET /git/api/v4/projects/4"; 3]);
}

#[test]
fn a_fork_that_cannot_be_filled_is_told() {
    let failed =
        r#"{"id": 4, "path_with_namespace": "forks/x", "import_status": "failed", "import_error": "disk full"}"#;
    let server = Server::start(vec![answer(201, failed)]);
    let forge = server.forge();
    let fork = forge.create_fork(PROJECT, NewFork { namespace: None, name: None, visibility: None }).unwrap();
    let error = forge.wait_for_import(fork).unwrap_err();
    assert_eq!(error.to_string(), "GET projects/4: GitLab could not copy the repository: disk full");
}

#[test]
fn a_missing_branch_is_not_a_missing_project() {
    let server = Server::start(vec![
        answer(404, r#"{"message":"404 Branch Not Found"}"#),
        answer(404, r#"{"message":"404 Project Not Found"}"#),
        answer(200, r#"{"name": "a/b", "commit": {"id": "257ce9fd8c5421d2e116337847710ba70d215aa6"}}"#),
    ]);
    let forge = server.forge();
    let name: BranchName = "a/b#ü".parse().unwrap();
    assert_eq!(forge.branch(PROJECT, &name).unwrap(), None);
    assert!(matches!(forge.branch(PROJECT, &name), Err(ForgeError::NotFoundOrNoAccess(_))));
    assert!(forge.branch(PROJECT, &name).unwrap().is_some());
    assert_eq!(server.requests(), ["GET /git/api/v4/projects/3/repository/branches/a%2Fb%23%C3%BC"; 3]);
}

#[test]
fn a_project_is_found_by_its_path() {
    let server = Server::start(vec![answer(200, r#"{"id": 3, "path_with_namespace": "a/b/c"}"#)]);
    let path: ProjectPath = "a/b/c".parse().unwrap();
    assert_eq!(server.forge().project(&path).unwrap().id, PROJECT);
    assert_eq!(server.requests(), ["GET /git/api/v4/projects/a%2Fb%2Fc"]);
}

#[test]
fn a_note_that_is_gone_is_removed() {
    let server = Server::start(vec![answer(204, ""), Reply::Cut, answer(404, r#"{"message":"404 Note Not Found"}"#)]);
    let forge = server.forge();
    forge.delete_note(PROJECT, IID, NoteId(5)).unwrap();
    forge.delete_note(PROJECT, IID, NoteId(5)).unwrap();
    assert_eq!(server.requests(), ["DELETE /git/api/v4/projects/3/merge_requests/7/notes/5"; 3]);
}

#[test]
fn a_redirection_is_told_and_not_followed_with_the_token() {
    let elsewhere = Server::start(vec![answer(200, &mr(7))]);
    let location = elsewhere.address.replace("http://", "http://user:hush@");
    let server = Server::start(vec![answer_with(301, &format!("location: {location}/p?private_token=hush\r\n"), "")]);
    let error = server.forge().merge_request(PROJECT, IID).unwrap_err();
    assert!(matches!(&error, ForgeError::Moved { .. }), "{error:?}");
    assert!(error.to_string().ends_with(&format!("moved to {}/p", elsewhere.address)), "{error}");
    assert!(elsewhere.requests().is_empty());
}

#[test]
fn a_dry_run_writes_nothing() {
    let server = Server::start(vec![answer(200, &mr(7))]);
    let forge = Forge::new(Connection { writes: Writes::Refused, ..server.connection() }).unwrap();
    forge.merge_request(PROJECT, IID).unwrap();
    let fork = NewFork { namespace: None, name: None, visibility: None };
    let close = MergeRequestEdit { state: Some(StateChange::Close), ..MergeRequestEdit::default() };
    for error in [
        forge.create_note(PROJECT, IID, "x").unwrap_err(),
        forge.edit_note(PROJECT, IID, NoteId(1), "x").unwrap_err(),
        forge.delete_note(PROJECT, IID, NoteId(1)).unwrap_err(),
        forge.create_fork(PROJECT, fork).unwrap_err(),
        forge.edit_merge_request(PROJECT, IID, &close).unwrap_err(),
    ] {
        assert!(matches!(&error, ForgeError::ReadOnly { .. }), "{error:?}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_answer_without_end_is_not_read_to_it() {
    let server = Server::start(vec![Reply::Endless]);
    let error = server.forge().current_user().unwrap_err();
    assert!(matches!(&error, ForgeError::TooLong(_)), "{error:?}");
    assert_eq!(error.to_string(), "GET user: GitLab answered 200, the answer is longer than 32 MiB");
}

#[test]
fn a_page_that_is_too_long_is_read_in_parts() {
    let server = Server::start(vec![Reply::Endless, Reply::Endless, answer(200, "[]")]);
    let notes = server.forge().notes(PROJECT, MergeRequestIid(7), NoteOrder::OldestFirst).count();
    assert_eq!(notes, 0);
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    for (request, size) in requests.iter().zip([100, 50, 25]) {
        assert!(request.contains(&format!("page=1&per_page={size}")), "{request}");
    }
}

#[test]
fn an_answer_that_is_no_gitlabs_is_told_so() {
    let server = Server::start(vec![answer(200, "<html>Sign in</html>")]);
    let error = server.forge().current_user().unwrap_err();
    assert!(matches!(&error, ForgeError::Unreadable(_)), "{error:?}");
}

#[test]
fn a_ca_file_that_holds_none_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    let server = Server::start(Vec::new());
    for content in [None, Some(""), Some("nonsense")] {
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let error = Forge::new(Connection { ca_file: Some(path.clone()), ..server.connection() }).unwrap_err();
        assert!(matches!(&error, ForgeError::Misconfigured(text) if text.contains("ca.pem")), "{error:?}");
    }
}

/// Everything that any of these tests logs, at any level.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts the log, for the whole process: a subscriber of one thread misses what another thread, which has none, made
/// tracing believe nobody wants.
fn start_log() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(|| Log).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

#[test]
fn the_token_is_in_no_error_and_no_log_line() {
    // A server or a proxy that sends the request back, as some do for debugging.
    let echo = format!(r#"{{"message":"bad header private-token: {TOKEN}"}}"#);
    let headers = format!("x-request-id: {TOKEN}\r\nlocation: http://127.0.0.1/{TOKEN}\r\n");
    let mut script: Vec<Reply> =
        [400, 401, 403, 404, 409, 301, 422].map(|status| answer_with(status, &headers, &echo)).into_iter().collect();
    script.extend([answer_with(503, &headers, &echo), Reply::Cut, answer(200, "{}")]);
    let server = Server::start(script);
    let forge = server.forge();
    let mut said = format!("{forge:?} {:?}", server.connection());
    for _ in 0..8 {
        let error = forge.current_user().unwrap_err();
        said.push_str(&format!("\n{error} {error:?} {}", error.remedy()));
    }
    assert_eq!(server.requests().len(), 10);
    said.push_str(&String::from_utf8(LOG.lock().unwrap().clone()).unwrap());
    assert!(said.contains("trying again") && said.contains("[MASKED]"), "{said}");
    assert!(!said.contains("MoonlightSecret"), "{said}");
}

#[test]
fn the_requests_that_are_left_are_those_of_the_last_answer_that_tells() {
    // The names are those of GitLab's recorded answer (user_head_200_ratelimit_headers).
    let limits = |remaining: u64| format!("ratelimit-limit: 2000\r\nratelimit-remaining: {remaining}\r\n");
    let server = Server::start(vec![
        answer(200, "[]"),
        answer_with(200, &limits(1999), "[]"),
        answer_with(200, &limits(7), "[]"),
        answer_with(200, "ratelimit-limit: 2000\r\nratelimit-remaining: many\r\n", "[]"),
    ]);
    let forge = server.forge();
    let left: Vec<_> = (0..4)
        .map(|_| {
            assert_eq!(forge.user_by_name("nobody").unwrap(), None);
            forge.rate_limit().map(|rate| (rate.limit, rate.remaining))
        })
        .collect();
    assert_eq!(left, [None, Some((2000, 1999)), Some((2000, 7)), Some((2000, 7))]);
}

#[test]
fn users_and_branches_are_found_by_name() {
    let server = Server::start(vec![
        answer(200, r#"[{"id": 4, "username": "Bot", "name": "A Bot"}]"#),
        answer(200, r#"[{"name": "c9s", "commit": {}}, {"name": "bad..name"}, {"name": "a/b"}]"#),
    ]);
    let forge = server.forge();
    assert_eq!(forge.user_by_name("bot").unwrap().map(|user| user.id), Some(UserId(4)));
    let names: Vec<_> = forge.branch_names(PROJECT).map(|name| name.unwrap().to_string()).collect();
    assert_eq!(names, ["c9s", "a/b"]);
}
