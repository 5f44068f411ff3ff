//! What was written to GitLab, and what was asked of it, as lines that tests can compare.

use gitlab_sandbox::{Handle, RequestRecord, Write};

/// What follows these parts of a path is a number or an id that differs from run to run.
const NUMBERED: [&str; 4] = ["notes", "statuses", "award_emoji", "pipelines"];

/// Returns `METHOD path` for each write: the project by its path, `*` for ids that differ from run to run. A push is
/// `PUSH project branch`.
pub(crate) fn lines(sandbox: &Handle, writes: &[Write]) -> Vec<String> {
    let line = |write: &Write| match write.method.as_str() {
        "PUSH" => {
            let moved = write.body.split(' ').next().unwrap();
            format!("PUSH {} {}", write.path, moved.trim_start_matches("refs/heads/"))
        }
        method => format!("{method} {}", readable(sandbox, &write.path)),
    };
    writes.iter().map(line).collect()
}

/// Returns `METHOD path` for each request that may write: neither a read nor a query nor a fetch.
pub(crate) fn attempts(sandbox: &Handle, requests: &[RequestRecord]) -> Vec<String> {
    let reads = |request: &&RequestRecord| {
        ["GET", "HEAD"].contains(&&*request.method)
            || ["/git-upload-pack", "/api/graphql"].iter().any(|end| request.path.ends_with(end))
    };
    let attempts: Vec<_> = requests.iter().filter(|request| !reads(request)).cloned().collect();
    self::requests(sandbox, &attempts)
}

/// Returns `METHOD path` for each request.
pub(crate) fn requests(sandbox: &Handle, requests: &[RequestRecord]) -> Vec<String> {
    let line = |request: &RequestRecord| {
        format!("{} {}", request.method, readable(sandbox, request.path.trim_start_matches("/api/v4")))
    };
    requests.iter().map(line).collect()
}

/// A path of the REST API, without `/projects/`: `src/hello/merge_requests/1/notes/*`.
fn readable(sandbox: &Handle, path: &str) -> String {
    let Some(path) = path.strip_prefix("/projects/") else { return path.to_owned() };
    let (project, rest) = path.split_once('/').map_or((path, None), |(project, rest)| (project, Some(rest)));
    let known = project
        .parse()
        .ok()
        .and_then(|id: u64| sandbox.inspect(|model| model.projects.get(&id).map(|project| model.path_of(project))));
    let mut line = known.unwrap_or_else(|| project.replace("%2F", "/"));
    let mut before = "";
    for part in rest.into_iter().flat_map(|rest| rest.split('/')) {
        line = format!("{line}/{}", if NUMBERED.contains(&before) { "*" } else { part });
        before = part;
    }
    line
}
