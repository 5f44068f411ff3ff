//! Git over HTTP on the same port: authentication and permission as GitLab has them, then `git http-backend`.

use std::collections::BTreeMap;

use crate::http::Request;
use crate::http::auth::{GitCredentials, git_credentials};
use crate::http::dispatch::Answered;
use crate::http::parameters::decode;
use crate::http::reply::Reply;
use crate::log::Write;
use crate::model::Model;
use crate::model::access::{Token, TokenKind};
use crate::repository::{NO_COMMIT, Repository, git_command, output};
use crate::sandbox::{Shared, lock};

/// A request of git's protocol, taken apart.
struct GitRequest {
    project: String,
    /// The path within the repository, for example `/info/refs`.
    rest: String,
    pushing: bool,
}

/// Answers a request for git; nothing where it is none.
pub(crate) fn answer(shared: &Shared, request: &Request) -> Option<Answered> {
    let asked = take_apart(request)?;
    let (user, prepared) = {
        let mut model = shared.model();
        if let Some(project) = model.project(&asked.project).map(|project| project.id) {
            model.project_was_read(project);
        }
        let token = match git_credentials(&model, request) {
            GitCredentials::Token(token) => Some(token),
            GitCredentials::Wrong => return Some(Answered::quiet(denied())),
            GitCredentials::None => None,
        };
        let user = token.map(|token| model.username(token.user).to_owned());
        (user, prepare(&model, &asked, token))
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(reply) => return Some(Answered { user, ..Answered::quiet(reply) }),
    };
    let _pushing = asked.pushing.then(|| lock(&shared.pushing));
    let before = if asked.pushing { prepared.repository.all_refs() } else { BTreeMap::new() };
    let reply = backend(&prepared, &asked, request);
    count(shared, &prepared.path, asked.pushing, request.body.len(), reply.body.len());
    let mut writes = Vec::new();
    if asked.pushing && request.method == "POST" {
        let mut model = shared.model();
        let after = prepared.repository.all_refs();
        model.notice_push(prepared.project, crate::model::pushes::Pusher::Person(prepared.user.unwrap_or_default()));
        drop(model);
        writes = moved_refs(&before, &after, &prepared.path, user.as_deref());
    }
    Some(Answered { user, writes, ..Answered::quiet(reply) })
}

fn take_apart(request: &Request) -> Option<GitRequest> {
    let path = decode(&request.path);
    let (project, rest) = path.split_once(".git/")?;
    let service = match rest {
        "info/refs" => request.query.split('&').find_map(|pair| pair.strip_prefix("service="))?.to_owned(),
        "git-upload-pack" | "git-receive-pack" => rest.to_owned(),
        _ => return None,
    };
    let pushing = match service.as_str() {
        "git-upload-pack" => false,
        "git-receive-pack" => true,
        _ => return None,
    };
    Some(GitRequest { project: project.trim_start_matches('/').to_owned(), rest: format!("/{rest}"), pushing })
}

/// What `git http-backend` is to be run with.
struct Prepared {
    project: u64,
    path: String,
    repository: Repository,
    user: Option<u64>,
    hook: Vec<(&'static str, String)>,
}

/// Checks permission in GitLab's order: who is not logged in learns nothing but that credentials are wanted.
fn prepare(model: &Model, asked: &GitRequest, token: Option<&Token>) -> Result<Prepared, Reply> {
    let user = token.map(|token| token.user);
    let project = model.project(&asked.project);
    let readable = project.filter(|project| model.can_read_code(user, project) && project.has_repository());
    if token.is_none() && (asked.pushing || readable.is_none()) {
        return Err(denied());
    }
    let readable = readable.filter(|project| match token.map(|token| &token.kind) {
        Some(TokenKind::Job { project: job }) => model.job_token_reaches(project, *job),
        _ => true,
    });
    let Some(project) = readable else {
        let text = "The project you were looking for could not be found or you don't have permission to view it.";
        return Err(Reply::text(404, "text/plain", text));
    };
    if token.is_some_and(|token| !token.opens_git(asked.pushing)) {
        return Err(Reply::text(403, "text/plain", "You are not allowed to access this project with this token."));
    }
    let job_pushes = token.is_some_and(|token| matches!(token.kind, TokenKind::Job { .. }));
    let mut hook = Vec::new();
    if asked.pushing {
        let user = user.unwrap_or_default();
        if job_pushes || !model.can_push(user, project.id) {
            return Err(Reply::text(403, "text/plain", "You are not allowed to push code to this project."));
        }
        hook = vec![
            ("SANDBOX_PUSHER", model.username(user).to_owned()),
            ("SANDBOX_PROTECTED", model.protection_for_hook(user, project.id)),
            ("SANDBOX_PROJECT_URL", format!("{}/{}", model.base_url, model.path_of(project))),
            ("SANDBOX_DEFAULT_BRANCH", project.default_branch.clone().unwrap_or_default()),
        ];
    }
    let repository = project.repository.clone();
    Ok(Prepared { project: project.id, path: model.path_of(project), repository, user, hook })
}

fn denied() -> Reply {
    let text = "HTTP Basic: Access denied. If a password was provided for Git authentication, the password was incorrect \
                or you're required to use a token instead of a password.";
    Reply::text(401, "text/plain", text).with_header("www-authenticate", "Basic realm=\"GitLab\"")
}

/// Runs `git http-backend` as a web server would.
fn backend(prepared: &Prepared, asked: &GitRequest, request: &Request) -> Reply {
    let directory = prepared.repository.path();
    let mut command = git_command(directory);
    command.args(["-c", "receive.advertisePushOptions=true", "http-backend"]).envs([
        ("GIT_PROJECT_ROOT", directory.as_os_str()),
        ("GIT_HTTP_EXPORT_ALL", "1".as_ref()),
        ("PATH_INFO", asked.rest.as_ref()),
        ("REQUEST_METHOD", request.method.as_ref()),
        ("QUERY_STRING", request.query.as_ref()),
        ("REMOTE_USER", "sandbox".as_ref()),
        ("REMOTE_ADDR", "127.0.0.1".as_ref()),
        ("CONTENT_LENGTH", request.body.len().to_string().as_ref()),
    ]);
    for (header, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ] {
        if let Some(value) = request.header(header) {
            command.env(variable, value);
        }
    }
    command.envs(prepared.hook.iter().map(|(name, value)| (name, value)));
    match output(command, &request.body) {
        // A service that refuses tells the client so, and then fails.
        Ok(output) if output.stdout.windows(4).any(|window| window == b"\r\n\r\n") => cgi_reply(&output.stdout),
        Ok(output) => failed(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => failed(&error),
    }
}

fn failed(why: &str) -> Reply {
    Reply::text(500, "text/plain", format!("git http-backend: {why}"))
}

fn cgi_reply(output: &[u8]) -> Reply {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(output.len());
    let (head, body) = output.split_at(end);
    let mut reply = Reply::empty(200);
    for line in String::from_utf8_lossy(head).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        if name.eq_ignore_ascii_case("status") {
            reply.status = value.split(' ').next().and_then(|status| status.parse().ok()).unwrap_or(500);
        } else {
            reply.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }
    reply.body = body.get(4..).unwrap_or_default().to_vec();
    reply
}

fn count(shared: &Shared, project: &str, pushing: bool, received: usize, sent: usize) {
    let mut log = shared.log();
    let traffic = log.traffic.entry(project.to_owned()).or_default();
    traffic.requests += 1;
    let (total_received, total_sent) = if pushing {
        (&mut traffic.push_received, &mut traffic.push_sent)
    } else {
        (&mut traffic.fetch_received, &mut traffic.fetch_sent)
    };
    *total_received += received as u64;
    *total_sent += sent as u64;
}

fn moved_refs(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    project: &str,
    user: Option<&str>,
) -> Vec<Write> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let id = |refs: &BTreeMap<String, String>, name: &str| refs.get(name).map_or(NO_COMMIT, String::as_str).to_owned();
    let moved = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let writes = moved.map(|name| Write {
        method: "PUSH".to_owned(),
        path: project.to_owned(),
        user: user.map(str::to_owned),
        status: 200,
        body: format!("{name} {} {}", id(before, name), id(after, name)),
    });
    writes.collect()
}
