//! `sync` with a GitLab behind a certificate authority of its own: API and git alike, and only as the instance says.

use std::fs;
use std::time::Duration;

use gitlab_sandbox::{Sandbox, Scheme, Settings};
use source_git_bot::cli::exit::ExitStatus;
use source_git_bot::git::Git;
use source_git_bot::git::remote::{Access, Remote, RemoteError};
use source_git_bot::git::store::Store;

use super::world::world;
use crate::support::Run;
use crate::support::world::{FIRST_SYNC, SOURCE, World};

/// Writes the certificate of the authority to trust beside the instance file.
fn trust(world: &World, pem: &str) {
    fs::write(world.home.path().join("ca.pem"), pem).unwrap();
    world.instance_reaching("ca_file: ca.pem", "");
}

/// The certificate of an authority that has nothing to do with the GitLab in question.
fn stranger() -> String {
    Sandbox::start_with(&Settings { scheme: Scheme::Https, ..Settings::default() }).ca_pem()
}

#[track_caller]
fn is_not_trusted(world: &World, run: &Run) {
    run.ends_with(2);
    assert!(run.stderr.contains("certificate is not trusted"), "{}", run.stderr);
    assert!(run.stderr.contains("hint: set `gitlab.ca_file`"), "{}", run.stderr);
    assert!(world.sandbox.requests().is_empty(), "{:#?}", world.sandbox.requests());
}

#[test]
fn a_ca_file_makes_api_and_git_work() {
    let (world, iid) = world(Scheme::Https, None);
    trust(&world, &world.sandbox.ca_pem());
    assert_eq!(world.synced(iid), FIRST_SYNC);
    assert_eq!(world.synced(iid), [""; 0]);
    assert!(world.note(iid).contains("https://127.0.0.1:"), "{}", world.note(iid));
}

#[test]
fn a_certificate_of_an_unknown_authority_is_told_with_the_remedy() {
    let (world, iid) = world(Scheme::Https, None);
    is_not_trusted(&world, &world.sync(iid, &[]));
    trust(&world, &stranger());
    is_not_trusted(&world, &world.sync(iid, &[]));
}

#[test]
fn the_environment_adds_no_authority() {
    let (world, iid) = world(Scheme::Https, None);
    let pem = world.home.path().join("environment.pem");
    fs::write(&pem, world.sandbox.ca_pem()).unwrap();
    let mut program = world.program();
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "SGB_CA_FILE"] {
        program.env(variable, &pem);
    }
    program.env("GIT_SSL_NO_VERIFY", "1");
    is_not_trusted(&world, &world.run(program.args(["sync", "--merge-request", &format!("{SOURCE}!{iid}")])));
}

#[test]
fn git_says_the_same_of_a_certificate() {
    let (world, _) = world(Scheme::Https, None);
    let git = Git::find(&std::env::var_os("PATH").unwrap()).unwrap();
    let store = Store::create(&git).unwrap();
    let list = |ca_pem: Option<String>| {
        let path = world.home.path().join("git.pem");
        fs::write(&path, ca_pem.as_deref().unwrap_or_default()).unwrap();
        let access = Access {
            token: None,
            ca_file: ca_pem.map(|_| path),
            proxy: None,
            timeout: Duration::from_secs(75),
            first_pause: Duration::ZERO,
        };
        let url = world.sandbox.git_url(SOURCE).parse().unwrap();
        Remote { role: "source-git", url, access }.list(&store, &["refs/heads/c9s".to_owned()])
    };
    for authority in [None, Some(stranger())] {
        let error = list(authority).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(RemoteError::Untrusted { .. })), "{error:?}");
        assert_eq!(ExitStatus::of(&error), ExitStatus::Usage);
    }
    assert!(world.sandbox.requests().is_empty());
    assert_eq!(list(Some(world.sandbox.ca_pem())).unwrap().len(), 1);
}
