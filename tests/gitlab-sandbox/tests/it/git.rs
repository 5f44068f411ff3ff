//! Real git against the sandbox.

use std::path::Path;
use std::process::{Command, Output};

use gitlab_sandbox::{Fault, Role, Sandbox, Scope, Visibility};
use serde_json::json;
use tempfile::TempDir;

use crate::client::{call, furnished};

/// Runs git without any configuration of the machine's, with a token where one is given.
fn git(directory: &Path, token: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.current_dir(directory).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_TERMINAL_PROMPT", "0").env_remove("GIT_ASKPASS").env_remove("SSH_ASKPASS").env("LC_ALL", "C");
    let who = [
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@x"),
        ("GIT_COMMITTER_NAME", "A"),
        ("GIT_COMMITTER_EMAIL", "a@x"),
    ];
    command.envs(who).env("SANDBOX_TOKEN", token);
    if !token.is_empty() {
        let helper = "credential.helper=!f() { echo username=anyone; echo \"password=$SANDBOX_TOKEN\"; }; f";
        command.args(["-c", helper]);
    }
    command.args(arguments).output().unwrap()
}

#[track_caller]
fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[track_caller]
fn refused(output: &Output, text: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && stderr.contains(text), "{stderr}");
}

fn cloned(sandbox: &Sandbox, project: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    ok(&git(directory.path(), "", &["clone", "--quiet", &sandbox.git_url(project), "."]));
    directory
}

#[test]
fn a_partial_clone_leaves_blobs_behind() {
    let (sandbox, ..) = furnished();
    let directory = TempDir::new().unwrap();
    let clone = ["clone", "--quiet", "--bare", "--filter=blob:none", &sandbox.git_url("src/curl"), "."];
    ok(&git(directory.path(), "", &clone));
    let missing = ok(&git(directory.path(), "", &["rev-list", "--objects", "--missing=print", "c10s"]));
    assert_eq!(missing.lines().filter(|line| line.starts_with('?')).count(), 2);
    let traffic = sandbox.traffic("src/curl");
    assert!(traffic.fetch_sent > 0 && traffic.fetch_received > 0 && traffic.push_sent == 0, "{traffic:?}");

    sandbox.forbid_partial_clone("src/curl");
    let whole = TempDir::new().unwrap();
    ok(&git(
        whole.path(),
        "",
        &["clone", "--quiet", "--bare", "--filter=blob:none", &sandbox.git_url("src/curl"), "."],
    ));
    let missing = ok(&git(whole.path(), "", &["rev-list", "--objects", "--missing=print", "c10s"]));
    assert!(!missing.contains('?'));
}

#[test]
fn the_head_of_a_merge_request_is_fetched_from_the_target_by_ref_and_by_id() {
    let (sandbox, ..) = furnished();
    sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    let head = sandbox.tip("contributor/curl", "fix").unwrap();
    let local = cloned(&sandbox, "src/curl");
    ok(&git(local.path(), "", &["fetch", "--quiet", "origin", "refs/merge-requests/1/head"]));
    assert_eq!(ok(&git(local.path(), "", &["rev-parse", "FETCH_HEAD"])), head);
    let other = cloned(&sandbox, "src/curl");
    ok(&git(other.path(), "", &["fetch", "--quiet", "--depth=1", "origin", &head]));
    let listed = ok(&git(local.path(), "", &["ls-remote", "origin"]));
    assert!(listed.contains("refs/merge-requests/1/head") && !listed.contains("keep-around"), "{listed}");
}

#[test]
fn a_push_moves_the_merge_request() {
    let (sandbox, _, contributor, _) = furnished();
    sandbox.open("contributor").from("contributor/curl", "fix").into("src/curl", "c10s").create();
    let local = cloned(&sandbox, "contributor/curl");
    ok(&git(local.path(), "", &["checkout", "--quiet", "fix"]));
    ok(&git(local.path(), "", &["commit", "--quiet", "--allow-empty", "-m", "More"]));
    let old = sandbox.tip("contributor/curl", "fix").unwrap();
    ok(&git(local.path(), &contributor, &["push", "--quiet", "origin", "fix"]));
    let head = ok(&git(local.path(), "", &["rev-parse", "fix"]));
    assert_eq!(sandbox.merge_request("src/curl", 1).head(), Some(head.as_str()));
    assert_eq!(sandbox.git("src/curl", &["rev-parse", "refs/merge-requests/1/head"]), head);
    let write = sandbox.expect_write("PUSH", "contributor/curl");
    assert_eq!((write.user.as_deref(), write.body), (Some("contributor"), format!("refs/heads/fix {old} {head}")));
    assert!(sandbox.traffic("contributor/curl").push_received > 0);

    ok(&git(local.path(), "", &["commit", "--quiet", "--amend", "--allow-empty", "-m", "Again"]));
    sandbox.commit("contributor/curl", "fix", "By somebody else\n", &[("d", Some("d"))]);
    let lease = format!("--force-with-lease=fix:{head}");
    refused(&git(local.path(), &contributor, &["push", &lease, "origin", "fix"]), "stale info");
}

#[test]
fn pushes_are_refused_in_gitlabs_words() {
    let (sandbox, bot, contributor, maintainer) = furnished();
    let local = cloned(&sandbox, "src/curl");
    ok(&git(local.path(), "", &["commit", "--quiet", "--allow-empty", "-m", "More"]));
    let push = |token: &str, refspec: &str| git(local.path(), token, &["push", "origin", refspec]);
    refused(&push("", "HEAD:c10s"), "could not read");
    refused(&push("glpat-wrong", "HEAD:c10s"), "Authentication failed");
    refused(&push(&contributor, "HEAD:c10s"), "403");
    sandbox.member("src/curl", "contributor", Role::Developer);
    let not_protected = "GitLab: You are not allowed to push code to protected branches on this project.";
    refused(&push(&contributor, "HEAD:c10s"), not_protected);
    let pushed = push(&contributor, "HEAD:topic");
    ok(&pushed);
    assert!(String::from_utf8_lossy(&pushed.stderr).contains("remote: To create a merge request for topic, visit:"));
    refused(&push(&contributor, "HEAD:refs/merge-requests/9/head"), "hidden ref");
    let hexadecimal = format!("HEAD:refs/heads/{}", "a".repeat(40));
    refused(&push(&contributor, &hexadecimal), "40-character hexadecimal branch name");
    ok(&push(&maintainer, "HEAD:c10s"));
    refused(&push(&maintainer, "+HEAD~1:c10s"), "You are not allowed to force push code to a protected branch");
    refused(&push(&maintainer, ":c10s"), "The default branch of a project cannot be deleted.");
    sandbox.protect("src/curl", "release-*", None);
    refused(&push(&maintainer, "HEAD:release-1"), "You are not allowed to create protected branches");
    let read = sandbox.token("maintainer", &[Scope::ReadRepository]);
    refused(&push(&read, "HEAD:topic2"), "403");
    let write = sandbox.token("maintainer", &[Scope::WriteRepository]);
    ok(&push(&write, "HEAD:topic2"));
    let pushed: Vec<String> = sandbox.take_writes().into_iter().map(|write| write.body).collect();
    assert_eq!(pushed.len(), 3, "{pushed:?}");
    drop(bot);
}

#[test]
fn private_projects_hide() {
    let (sandbox, bot, contributor, _) = furnished();
    sandbox.set_visibility("src/curl", Visibility::Private);
    let list = |token: &str, project: &str| git(Path::new("/"), token, &["ls-remote", &sandbox.git_url(project)]);
    refused(&list("", "src/curl"), "could not read");
    refused(&list(&contributor, "src/curl"), "not found");
    refused(&list(&bot, "src/moon"), "not found");
    ok(&list(&bot, "src/curl"));
    let job = sandbox.job_token("maintainer", "src/curl");
    refused(&list(&job, "src/curl"), "Authentication failed");
}

#[test]
fn an_unfinished_fork_has_no_repository() {
    let (sandbox, bot, ..) = furnished();
    sandbox.set_fork_import(gitlab_sandbox::ForkImport::ByHand);
    call(&sandbox, &bot, "POST", "/projects/src%2Fcurl/fork", &json!({}));
    let list = || git(Path::new("/"), &bot, &["ls-remote", &sandbox.git_url("bot/curl")]);
    refused(&list(), "not found");
    sandbox.finish_import("bot/curl");
    assert!(ok(&list()).contains("refs/heads/c10s"));
    sandbox.expect_write("POST", "*/fork");
}

#[test]
fn a_push_can_succeed_without_its_answer() {
    let (sandbox, _, contributor, _) = furnished();
    sandbox.fail(Fault::on("POST", "/contributor/curl.git/git-receive-pack").cut_after());
    let local = cloned(&sandbox, "contributor/curl");
    let push = || git(local.path(), &contributor, &["push", "origin", "HEAD:refs/heads/new"]);
    assert!(!push().status.success());
    assert_eq!(sandbox.tip("contributor/curl", "new"), sandbox.tip("contributor/curl", "c10s"));
    sandbox.expect_write("PUSH", "contributor/curl");
    let again = push();
    ok(&again);
    assert!(String::from_utf8_lossy(&again.stderr).contains("Everything up-to-date"));
}

#[test]
fn histories_of_ones_own_can_be_pushed_in() {
    let (sandbox, ..) = furnished();
    let local = cloned(&sandbox, "src/curl");
    ok(&git(local.path(), "", &["commit", "--quiet", "--allow-empty", "-m", "Mine"]));
    sandbox.push(local.path(), "src/curl", &["HEAD:refs/heads/c10s"]);
    assert_eq!(sandbox.tip("src/curl", "c10s").unwrap(), ok(&git(local.path(), "", &["rev-parse", "HEAD"])));
    assert_eq!(sandbox.file("src/curl", "c10s", "a.c"), Some(b"1\n".to_vec()));
}

/// A mirror of a history that is elsewhere: every branch and tag in one push. `main` and `master` go before others as the
/// default branch, which is protected then (Gitaly's `GetDefaultBranch`, "Default branch").
#[test]
fn an_empty_project_takes_all_branches_and_tags_at_once() {
    let (sandbox, _, contributor, maintainer) = furnished();
    sandbox.tag("src/curl", "v1", "c10s", Some("One"));
    sandbox.branch_at("src/curl", "c9s", "c10s");
    let local = TempDir::new().unwrap();
    ok(&git(local.path(), "", &["clone", "--quiet", "--mirror", &sandbox.git_url("src/curl"), "."]));
    for (project, head) in [("src/new", "c10s"), ("src/main", "main")] {
        sandbox.project(project);
        sandbox.member(project, "maintainer", Role::Maintainer);
        sandbox.member(project, "contributor", Role::Developer);
        if head == "main" {
            ok(&git(local.path(), "", &["branch", "main", "c10s"]));
        }
        let all =
            ["push", "--quiet", &sandbox.git_url(project), "refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"];
        ok(&git(local.path(), &maintainer, &all));
        let refs = |project: &str| sandbox.git(project, &["for-each-ref", "--format=%(refname) %(objectname)"]);
        let pushed = ok(&git(
            local.path(),
            "",
            &["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags"],
        ));
        assert_eq!(refs(project), pushed);
        assert_eq!(sandbox.inspect(|model| model.project(project).unwrap().default_branch.clone()).unwrap(), head);
        assert_eq!(sandbox.git(project, &["symbolic-ref", "HEAD"]), format!("refs/heads/{head}"));
        let tree = format!("{head}^{{tree}}");
        let more = ok(&git(local.path(), "", &["commit-tree", &tree, "-p", head, "-m", "More"]));
        let onto_default = ["push", &sandbox.git_url(project), &format!("{more}:refs/heads/{head}")];
        refused(&git(local.path(), &contributor, &onto_default), "protected branches");
    }
    assert_eq!(sandbox.take_writes().len(), 3 + 4);
}

#[test]
fn the_most_permissive_rule_for_a_branch_counts() {
    let (sandbox, _, contributor, maintainer) = furnished();
    sandbox.member("src/curl", "contributor", Role::Developer);
    let local = cloned(&sandbox, "src/curl");
    let push = |token: &str, refspec: &str| git(local.path(), token, &["push", "origin", refspec]);
    sandbox.protect("src/curl", "c*", None);
    refused(&push(&contributor, "HEAD:c9s"), "You are not allowed to create protected branches");
    ok(&push(&maintainer, "HEAD:c10s"));
    sandbox.protect("src/curl", "c9*", Some(Role::Developer));
    ok(&push(&contributor, "HEAD:c9s"));
    sandbox.archive("src/curl");
    refused(&push(&maintainer, "HEAD:c8s"), "403");
    sandbox.expect_write("PUSH", "src/curl");
}
