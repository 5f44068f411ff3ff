//! `event` in a job whose variables somebody else chose: whoever may start a pipeline of the bot project may, where its
//! settings are wrong, set any variable of the job. With an instance file on the command line none of them brings the
//! token anywhere but to the instance's GitLab.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use gitlab_sandbox::{Role, Scope};
use serde_json::json;

use crate::support::world::{FIRST_SYNC, FIXED, PUSHED, SOURCE, World};

/// What a stranger has ready: an address that listens, and a directory of files that name it.
struct Stranger {
    listener: TcpListener,
    files: tempfile::TempDir,
}

impl Stranger {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let stranger = Self { listener, files: tempfile::TempDir::new().unwrap() };
        let url = stranger.url();
        let instance = format!("extends: production\ngitlab: {{url: '{url}'}}\n");
        stranger.write("instance.yaml", &instance);
        let config = format!("[http]\n proxy = {url}\n[url \"{url}/\"]\n insteadOf = http://127.0.0.1\n");
        stranger.write("gitconfig", &config);
        stranger.write(".gitconfig", &config);
        stranger.write("git/config", &config);
        stranger.write("curlrc", &format!("proxy = {url}\n"));
        stranger.write(".curlrc", &format!("proxy = {url}\n"));
        for program in ["program", "bin/git-remote-http", "bin/git-fetch", "bin/git-push", "template/hooks/pre-push"] {
            stranger.write(program, &format!("#!/bin/sh\nenv >{}\n", stranger.path("ran")));
            fs::set_permissions(stranger.path(program), fs::Permissions::from_mode(0o755)).unwrap();
        }
        stranger
    }

    fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Nobody has come, no program of the stranger's was run, and no trace was left.
    fn learned_nothing(&self, of: &[&str]) {
        match self.listener.accept() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            came => panic!("{of:?}: somebody connected: {came:?}"),
        }
        for file in ["ran", "trace"] {
            assert!(!Path::new(&self.path(file)).exists(), "{of:?}: {file}");
        }
    }
}

/// A job of the bot project for an event of the merge request.
fn event(world: &World, iid: u64) -> Command {
    let source = world.sandbox.inspect(|model| model.project(SOURCE).unwrap().id);
    let notice = json!({
        "v": "1", "kind": "merge_request", "project": source.to_string(), "id": "7", "iid": iid.to_string(), "mr": "", "mr_project": ""
    });
    let payload = json!({"source_git_bot": notice, "ref": "main", "id": "42", "variables": {}});
    let file = world.home.path().join("payload.json");
    fs::write(&file, payload.to_string()).unwrap();
    let mut command = world.program();
    command.arg("event").env("TRIGGER_PAYLOAD", file).env("GITLAB_CI", "true");
    command
}

type Variables = Vec<(&'static str, String)>;

/// Sets these, each lot in a job of its own that has something to fetch and to push. The job does what it would have done
/// without, and the stranger learns nothing.
fn are_without_effect(hostile: impl Fn(&Stranger) -> Vec<Variables>) {
    let (world, iid) = World::with_merge_request();
    world.synced(iid);
    let stranger = Stranger::new();
    for (number, variables) in hostile(&stranger).into_iter().enumerate() {
        let head = world.change(&format!("Change {number}"), &[("hello.c", Some(&format!("{FIXED}// {number}\n")))]);
        world.sandbox.clear_log();
        let run = world.run(event(&world, iid).envs(variables.iter().map(|(name, value)| (name, value))));
        let names: Vec<_> = variables.iter().map(|(name, _)| *name).collect();
        stranger.learned_nothing(&names);
        run.ends_with(0);
        assert!(world.message(iid).contains(&head), "{names:?}: the change did not arrive");
        assert!(world.written().contains(&PUSHED.to_owned()), "{names:?}");
        let users: Vec<_> = world.sandbox.api_requests().into_iter().map(|request| request.user).collect();
        assert!(users.iter().all(|user| user.as_deref() == Some("bot")), "{names:?}: {users:?}");
    }
}

#[test]
fn our_own_and_gitlabs_variables_move_nothing() {
    are_without_effect(|stranger| {
        let host = stranger.url().replace("http://", "");
        let ours = vec![
            ("SGB_INSTANCE", stranger.path("instance.yaml")),
            ("SGB_GITLAB_URL", stranger.url()),
            ("SGB_PROXY", stranger.url()),
            ("SGB_CA_FILE", stranger.path("gitconfig")),
            ("SGB_TRIGGER_URL", format!("{}/api/v4/projects/1/ref/main/trigger/pipeline", stranger.url())),
            ("SGB_TRIGGER_TOKEN", "glptt-stranger".to_owned()),
            ("SGB_MERGE_REQUEST", "elsewhere/hello!1".to_owned()),
        ];
        let gitlabs = vec![
            ("CI_SERVER_URL", stranger.url()),
            ("CI_SERVER_HOST", host.clone()),
            ("CI_SERVER_FQDN", host),
            ("CI_API_V4_URL", format!("{}/api/v4", stranger.url())),
            ("CI_API_GRAPHQL_URL", format!("{}/api/graphql", stranger.url())),
            ("CI_SERVER_TLS_CA_FILE", stranger.path("gitconfig")),
            ("CI_PIPELINE_SOURCE", "schedule".to_owned()),
            ("CI_PROJECT_PATH", "elsewhere/hello".to_owned()),
            ("CI_PIPELINE_ID", "$SGB_TOKEN".to_owned()),
            ("CI_MERGE_REQUEST_PROJECT_PATH", "elsewhere/hello".to_owned()),
            ("CI_MERGE_REQUEST_IID", "1".to_owned()),
        ];
        vec![ours, gitlabs]
    });
}

#[test]
fn proxies_and_certificates_of_the_environment_move_nothing() {
    are_without_effect(|stranger| {
        let proxies = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
        let general = ["all_proxy", "ALL_PROXY"];
        let certificates = ["SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSLKEYLOGFILE"];
        vec![
            proxies.map(|variable| (variable, stranger.url())).into(),
            // Alone, for the others go before them.
            general.map(|variable| (variable, stranger.url())).into(),
            certificates.map(|variable| (variable, stranger.path("trace"))).into(),
        ]
    });
}

#[test]
fn gits_variables_that_lead_elsewhere_move_nothing() {
    are_without_effect(|stranger| {
        let files = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG"];
        let homes = ["HOME", "XDG_CONFIG_HOME", "CURL_HOME"];
        let parameters = format!("'http.proxy'='{}'", stranger.url());
        vec![
            files.map(|variable| (variable, stranger.path("gitconfig"))).into(),
            homes.map(|variable| (variable, stranger.path(""))).into(),
            vec![
                ("GIT_CONFIG_PARAMETERS", parameters),
                ("GIT_CONFIG_COUNT", "1".to_owned()),
                ("GIT_CONFIG_KEY_0", "http.proxy".to_owned()),
                ("GIT_CONFIG_VALUE_0", stranger.url()),
            ],
            vec![("GIT_EXEC_PATH", stranger.path("bin")), ("GIT_TEMPLATE_DIR", stranger.path("template"))],
        ]
    });
}

#[test]
fn gits_variables_that_run_or_write_something_move_nothing() {
    are_without_effect(|stranger| {
        let programs = ["GIT_ASKPASS", "SSH_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_PROXY_COMMAND", "GIT_EDITOR"];
        let traces = ["GIT_TRACE", "GIT_TRACE_CURL", "GIT_CURL_VERBOSE", "GIT_TRACE2_EVENT", "GIT_TRACE_PACKET"];
        let mut traces: Variables = traces.map(|variable| (variable, stranger.path("trace"))).into();
        traces.extend([("GIT_TRACE_REDACT", "0".to_owned()), ("GIT_SSL_NO_VERIFY", "1".to_owned())]);
        vec![
            programs.map(|variable| (variable, stranger.path("program"))).into(),
            traces,
            vec![("GIT_DIR", stranger.path("")), ("GIT_OBJECT_DIRECTORY", stranger.path("objects"))],
        ]
    });
}

#[test]
fn all_of_them_at_once_move_nothing_either() {
    let (world, iid) = World::with_merge_request();
    let stranger = Stranger::new();
    let mut command = event(&world, iid);
    for variable in ["SGB_GITLAB_URL", "SGB_PROXY", "CI_SERVER_URL", "http_proxy", "https_proxy", "ALL_PROXY"] {
        command.env(variable, stranger.url());
    }
    command
        .env("SGB_INSTANCE", stranger.path("instance.yaml"))
        .env("HOME", stranger.path(""))
        .env("GIT_CONFIG_GLOBAL", stranger.path("gitconfig"))
        .env("GIT_CONFIG_COUNT", "2")
        .env("GIT_CONFIG_KEY_0", "http.proxy")
        .env("GIT_CONFIG_VALUE_0", stranger.url())
        .env("GIT_CONFIG_KEY_1", "credential.helper")
        .env("GIT_CONFIG_VALUE_1", stranger.path("program"))
        .env("GIT_TRACE_CURL", stranger.path("trace"))
        .env("GIT_TRACE_REDACT", "0");
    let run = world.run(&mut command);
    stranger.learned_nothing(&["all"]);
    run.ends_with(0);
    assert_eq!(world.written(), FIRST_SYNC);
}

#[test]
fn a_token_that_somebody_else_set_is_their_own_and_no_other_is_used() {
    let (world, iid) = World::with_merge_request();
    world.sandbox.member(SOURCE, "contributor", Role::Guest);
    let theirs = world.sandbox.token("contributor", &[Scope::ReadApi]);
    world.run(event(&world, iid).env("SGB_TOKEN", &theirs));
    let users: Vec<_> = world.sandbox.requests().into_iter().filter_map(|request| request.user).collect();
    assert!(!users.is_empty() && users.iter().all(|user| user == "contributor"), "{users:?}");
    assert_eq!(world.written(), [""; 0]);
}
