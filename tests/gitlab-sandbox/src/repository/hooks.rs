//! The server's side of a push, as real hooks with GitLab's wording (`lib/gitlab/checks/branch_check.rb`).
//!
//! `git_http` hands over what a hook cannot know: who pushes (`SANDBOX_PUSHER`), the default branch, the protected
//! branches (`SANDBOX_PROTECTED`, a line `pattern push force` each, of which the most permissive that fits counts), and the project's address. Without a pusher (a
//! push by the test itself) everything is allowed.

use std::path::Path;

const PRE_RECEIVE: &str = r#"#!/bin/sh
[ -n "$SANDBOX_PUSHER" ] || exit 0
zeros=0000000000000000000000000000000000000000
refuse() { echo "GitLab: $1" >&2; exit 1; }
while read -r old new ref; do
    case $ref in refs/heads/*) name=${ref#refs/heads/} ;; *) continue ;; esac
    if [ "$new" = "$zeros" ] && [ "$name" = "$SANDBOX_DEFAULT_BRANCH" ]; then
        refuse "The default branch of a project cannot be deleted."
    fi
    if [ "$old" = "$zeros" ] && echo "$name" | grep -Eq '^[0-9a-f]{40}([-/].*)?$'; then
        refuse "You cannot create a branch with a 40-character hexadecimal branch name."
    fi
    protected=no may_push=no may_force=no
    while read -r pattern push force; do
        [ -n "$pattern" ] || continue
        case $name in $pattern) ;; *) continue ;; esac
        protected=yes
        [ "$push" = yes ] && may_push=yes
        [ "$force" = yes ] && may_force=yes
    done <<EOF
$SANDBOX_PROTECTED
EOF
    [ "$protected" = yes ] || continue
    if [ "$new" = "$zeros" ]; then
        refuse "You are not allowed to delete protected branches from this project. Only a project maintainer or owner can delete a protected branch."
    fi
    if [ "$may_push" = no ]; then
        [ "$old" = "$zeros" ] && refuse "You are not allowed to create protected branches on this project."
        refuse "You are not allowed to push code to protected branches on this project."
    fi
    if [ "$may_force" = no ] && [ "$old" != "$zeros" ] && ! git merge-base --is-ancestor "$old" "$new"; then
        refuse "You are not allowed to force push code to a protected branch on this project."
    fi
done
exit 0
"#;

/// GitLab answers a push to a branch without a merge request with a way to one.
const POST_RECEIVE: &str = r#"#!/bin/sh
[ -n "$SANDBOX_PUSHER" ] || exit 0
while read -r old new ref; do
    case $ref in refs/heads/*) name=${ref#refs/heads/} ;; *) continue ;; esac
    [ "$name" = "$SANDBOX_DEFAULT_BRANCH" ] && continue
    echo
    echo "To create a merge request for $name, visit:"
    echo "  $SANDBOX_PROJECT_URL/-/merge_requests/new?merge_request%5Bsource_branch%5D=$name"
    echo
done
exit 0
"#;

/// Writes both hooks into a repository's directory for hooks.
pub(super) fn write(directory: &Path) {
    std::fs::create_dir_all(directory).expect("the repository is writable");
    for (name, script) in [("pre-receive", PRE_RECEIVE), ("post-receive", POST_RECEIVE)] {
        let path = directory.join(name);
        std::fs::write(&path, script).expect("the repository is writable");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("the hook is ours");
    }
}
