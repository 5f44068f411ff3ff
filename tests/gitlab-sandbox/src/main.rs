//! The sandbox by hand: starts it with a small world, says how to reach it, and runs until interrupted.

#![allow(clippy::print_stdout, reason = "it talks to the person who started it")]

use gitlab_sandbox::{Role, Sandbox, Scope, Settings};

const SOURCE: &str = "redhat/centos-stream/src/hello";
const DIST: &str = "redhat/centos-stream/rpms/hello";

fn main() {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(0);
    let mut sandbox = Sandbox::start_with(&Settings { port, ..Settings::default() });
    sandbox.leave_unchecked();
    let tokens = furnish(&sandbox);
    let (url, api) = (sandbox.url(), sandbox.api_url());
    println!("GitLab sandbox at {url}\n");
    for (user, what, token) in &tokens {
        println!("  {user:<12} {what:<44} {token}");
    }
    println!(
        "\n  source-git   {url}/{SOURCE}.git\n  dist-git     {url}/{DIST}.git\n  a fork       {url}/contributor/hello.git"
    );
    println!("  open         {SOURCE}!1\n\nTry:\n");
    if let Some((_, _, token)) = tokens.first() {
        println!(
            "  curl -s -H 'PRIVATE-TOKEN: {token}' {api}/projects/{}/merge_requests/1",
            SOURCE.replace('/', "%2F")
        );
        println!("  git clone --filter=blob:none {url}/{SOURCE}.git\n");
    }
    println!("Runs until interrupted (ctrl-c).");
    loop {
        std::thread::park();
    }
}

/// A source-git and a dist-git project, a contributor with a fork and an open merge request, a maintainer and the bot.
fn furnish(sandbox: &Sandbox) -> Vec<(&'static str, &'static str, String)> {
    for user in ["bot", "contributor", "maintainer"] {
        sandbox.user(user);
    }
    sandbox.project(SOURCE);
    sandbox.project(DIST);
    for project in [SOURCE, DIST] {
        sandbox.member(project, "maintainer", Role::Maintainer);
    }
    sandbox.member(SOURCE, "bot", Role::Reporter);

    sandbox.commit(SOURCE, "main", "Say hello", &[("hello.c", Some("int main(void) { return 0; }\n"))]);
    sandbox.tag(SOURCE, "v1.0", "main", Some("1.0"));
    sandbox.branch_at(SOURCE, "c10s", "v1.0");
    let configuration = "upstream_ref: v1.0\nspecfile_path: .distro/hello.spec\n\
                         files_to_sync:\n  - src: .distro/\n    dest: .\n    delete: true\n    filters:\n      - protect .git*\n      - exclude source-git.yaml\n";
    let spec = "Name: hello\nVersion: 1.0\nRelease: 1%{?dist}\nSummary: Says hello\nLicense: MIT\n\
                Source0: hello-1.0.tar.gz\n\n%description\nSays hello.\n\n%prep\n%autosetup -p1\n";
    let packaging = [(".distro/source-git.yaml", Some(configuration)), (".distro/hello.spec", Some(spec))];
    sandbox.commit(SOURCE, "c10s", "Add packaging", &packaging);
    sandbox.commit(DIST, "c10s", "Import hello-1.0", &[("hello.spec", Some(spec))]);

    let fork = sandbox.fork(SOURCE, "contributor");
    sandbox.branch_at(&fork, "fix", "c10s");
    sandbox.commit(&fork, "fix", "Return a value\n", &[("hello.c", Some("int main(void) { return 42; }\n"))]);
    sandbox.open("contributor").from(&fork, "fix").into(SOURCE, "c10s").title("Return a value").create();
    vec![
        ("bot", "api", sandbox.token("bot", &[Scope::Api])),
        ("contributor", "api", sandbox.token("contributor", &[Scope::Api])),
        (
            "contributor",
            "read_api, read_repository",
            sandbox.token("contributor", &[Scope::ReadApi, Scope::ReadRepository]),
        ),
        ("maintainer", "api", sandbox.token("maintainer", &[Scope::Api])),
    ]
}
