//! `sync` with a GitLab behind a proxy: API and git alike, and only as the instance says.

use std::fs;

use gitlab_sandbox::Scheme;

use super::proxy_server::Proxy;
use super::world::world;
use crate::support::Run;
use crate::support::world::{FIRST_SYNC, SOURCE, World};

/// A host that no name server knows: only a proxy leads there.
const HOST: &str = "gitlab.invalid";

/// Runs with an environment that would lead elsewhere, or nowhere.
fn sync_misled(world: &World, iid: u64, elsewhere: &Proxy) -> Run {
    let mut program = world.program();
    for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "SGB_PROXY"] {
        program.env(variable, elsewhere.url());
    }
    program.env("no_proxy", "*").env("NO_PROXY", "*");
    world.run(program.args(["sync", "--merge-request", &format!("{SOURCE}!{iid}")]))
}

#[test]
fn everything_goes_through_the_proxy_in_the_clear() {
    let (world, iid) = world(Scheme::Http, Some(&format!("http://{HOST}")));
    let (proxy, elsewhere) = (Proxy::to(world.sandbox.address()), Proxy::to(world.sandbox.address()));
    world.instance_reaching(&format!("proxy: '{}'", proxy.url()), "");
    sync_misled(&world, iid, &elsewhere).ends_with(0);
    assert_eq!(world.written(), FIRST_SYNC);
    let asked = proxy.asked();
    for start in ["/api/v4/", "/src/hello.git/", "/rpms/hello.git/", "/bot/hello.git/"] {
        let through = |head: &&String| head.split(' ').nth(1).unwrap().starts_with(&format!("http://{HOST}{start}"));
        assert!(asked.iter().any(|head| through(&head)), "{start}: {asked:#?}");
    }
    assert_eq!(elsewhere.asked(), [""; 0]);
}

#[test]
fn everything_goes_through_the_proxy_in_tunnels() {
    let (world, iid) = world(Scheme::Https, Some(&format!("https://{HOST}")));
    let (proxy, elsewhere) = (Proxy::to(world.sandbox.address()), Proxy::to(world.sandbox.address()));
    fs::write(world.home.path().join("ca.pem"), world.sandbox.ca_pem()).unwrap();
    world.instance_reaching(&format!("ca_file: ca.pem, proxy: '{}'", proxy.url()), "");
    sync_misled(&world, iid, &elsewhere).ends_with(0);
    assert_eq!(world.written(), FIRST_SYNC);
    let asked = proxy.asked();
    let (git, api): (Vec<_>, Vec<_>) = asked.iter().partition(|head| head.to_lowercase().contains("user-agent: git/"));
    assert!(!git.is_empty() && !api.is_empty(), "{asked:#?}");
    for head in &asked {
        assert!(head.starts_with(&format!("CONNECT {HOST}:443 ")), "{head}");
        // The token is for GitLab, not for the proxy.
        assert!(!head.to_lowercase().contains("authorization") && !head.contains(&world.token), "{head}");
    }
    assert_eq!(elsewhere.asked(), [""; 0]);
}

#[test]
fn without_a_proxy_of_the_instance_the_environments_is_not_used() {
    let (world, iid) = world(Scheme::Http, None);
    let elsewhere = Proxy::to(world.sandbox.address());
    sync_misled(&world, iid, &elsewhere).ends_with(0);
    assert_eq!(world.written(), FIRST_SYNC);
    assert_eq!(elsewhere.asked(), [""; 0]);
}
