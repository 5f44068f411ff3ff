//! A package on a GitLab of our own, under whatever paths.

use gitlab_sandbox::{Role, Sandbox};

use crate::support::world::{FIXED, HELLO};
use crate::support::{CONFIG, SPEC};

/// The configuration of source-git for a package that is called otherwise.
fn named(text: &str, name: &str) -> String {
    text.replace("hello.spec", &format!("{name}.spec")).replace(": hello", &format!(": {name}"))
}

/// Makes source-git and dist-git of a package, `<group>/src/<name>` and `<group>/rpms/<name>`, with this branch.
pub(super) fn package(sandbox: &Sandbox, group: &str, name: &str, branch: &str) {
    let (source, dist) = (format!("{group}/src/{name}"), format!("{group}/rpms/{name}"));
    let (spec_path, spec, config) = (format!("{name}.spec"), SPEC.to_owned(), named(CONFIG, name));
    for project in [&source, &dist] {
        sandbox.project(project);
        sandbox.member(project, "maintainer", Role::Maintainer);
    }
    sandbox.commit(&source, "main", "Hello 1.0", &[("hello.c", Some(HELLO)), ("README", Some("Hello.\n"))]);
    sandbox.tag(&source, "v1.0", "main", None);
    sandbox.branch_at(&source, branch, "v1.0");
    let packaging = [(&*format!(".distro/{spec_path}"), Some(&*spec)), (".distro/source-git.yaml", Some(&*config))];
    sandbox.commit(&source, branch, "Add packaging", &packaging);
    sandbox.commit(&dist, branch, "Import", &[(&spec_path, Some(&*spec)), ("sources", Some("SHA512 (x) = 00\n"))]);
}

/// A contributor forks the package's source-git, and opens a merge request.
pub(super) fn contribute(sandbox: &Sandbox, group: &str, name: &str, branch: &str) -> u64 {
    let source = format!("{group}/src/{name}");
    let fork = sandbox.fork(&source, "contributor");
    sandbox.branch_at(&fork, "fix", branch);
    sandbox.commit(&fork, "fix", "Return success\n\nCallers need it.\n", &[("hello.c", Some(FIXED))]);
    sandbox.open("contributor").from(&fork, "fix").into(&source, branch).title("Return success").create()
}
