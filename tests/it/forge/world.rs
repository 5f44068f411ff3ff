//! What the tests of the forge's calls start from: a GitLab of our own, and a forge for one of its users.

use std::time::Duration;

use gitlab_sandbox::{Role, Sandbox, Scope};
use secrecy::SecretString;
use source_git_bot::forge::{Connection, Forge, RetryPolicy, TokenKind, Writes};
use source_git_bot::types::ProjectPath;

/// A project with a branch `c9s`, of which `maintainer` is Maintainer and `developer` Developer, in a group of which
/// `owner` is Owner.
pub(crate) const PROJECT: &str = "src/hello";

pub(crate) fn gitlab() -> Sandbox {
    let sandbox = Sandbox::start();
    for user in ["root", "owner", "maintainer", "developer"] {
        sandbox.user(user);
    }
    sandbox.project(PROJECT);
    sandbox.group_member("src", "owner", Role::Owner);
    sandbox.member(PROJECT, "maintainer", Role::Maintainer);
    sandbox.member(PROJECT, "developer", Role::Developer);
    sandbox.commit(PROJECT, "c9s", "Start\n", &[("hello.c", Some("1\n"))]);
    sandbox
}

/// A forge that acts as this user. It tries everything once: what has to be repeated here is wrong.
pub(crate) fn forge(sandbox: &Sandbox, user: &str) -> Forge {
    forge_with(sandbox, &sandbox.token(user, &[Scope::Api]))
}

/// The same with a token of the caller's.
pub(crate) fn forge_with(sandbox: &Sandbox, token: &str) -> Forge {
    let mut retry = RetryPolicy::default().without_pauses();
    retry.tries = 1;
    let connection = Connection {
        base_url: sandbox.url().parse().unwrap(),
        token: SecretString::from(token),
        kind: TokenKind::Access,
        ca_file: None,
        proxy: None,
        timeout: Duration::from_secs(60),
        writes: Writes::Allowed,
        retry,
    };
    Forge::new(connection).unwrap()
}

pub(crate) fn path(text: &str) -> ProjectPath {
    text.parse().unwrap()
}
