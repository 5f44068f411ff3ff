//! What the forge makes and changes where a package is set up, held against a GitLab of our own: what GitLab then knows,
//! and what it refuses.

use std::collections::BTreeSet;

use gitlab_sandbox::{Role, Visibility as Seen};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use source_git_bot::forge::{
    ANY_ENVIRONMENT, FeatureAccess, FileAction, FileActionKind, HookEvent, HookOwner, NewCommitAuthor, NewProject,
    NewProtection, NewVariable, NewWebhook, OverrideRole, ProjectEdit, VariableType, VariablesOf,
};
use source_git_bot::types::AccessLevel;
use source_git_bot::types::BranchName;
use source_git_bot::types::Visibility;
use source_git_bot::types::error::ForgeError;

use super::world::{PROJECT, forge, gitlab, path};

fn branch(name: &str) -> BranchName {
    name.parse().unwrap()
}

#[track_caller]
fn refusal<T: std::fmt::Debug>(outcome: Result<T, ForgeError>) -> String {
    match outcome {
        Err(ForgeError::Refused(failure)) => failure.message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_webhook_is_what_it_was_asked_to_be_and_nothing_more() {
    let sandbox = gitlab();
    let (maintainer, token, project) =
        (forge(&sandbox, "maintainer"), SecretString::from("glptt-s3cr3t"), path(PROJECT));
    let owner = HookOwner::Project(&project);
    let new = NewWebhook {
        url: "http://127.0.0.1:1/api/v4/projects/7/ref/main/trigger/pipeline?token={token}",
        name: "source-git-bot: merge requests",
        events: &[HookEvent::MergeRequests],
        template: Some(r#"{"kind": "{{object_kind}}"}"#),
        url_variables: &[("token", &token)],
    };
    let made = maintainer.create_webhook(owner, &new).unwrap();
    let seen: Vec<_> = maintainer.webhooks(owner).map(Result::unwrap).collect();
    assert_eq!(seen, std::slice::from_ref(&made));
    assert_eq!(made.events, BTreeSet::from([HookEvent::MergeRequests]), "pushes too are off");
    assert_eq!((made.url.as_str(), made.template.as_deref()), (new.url, new.template));
    assert_eq!(made.address(), "http://127.0.0.1:1/api/v4/projects/7/ref/main/trigger/pipeline");
    assert_eq!((made.name.as_deref(), made.enable_ssl_verification), (Some(new.name), Some(true)));
    assert_eq!((made.url_variables, made.custom_headers), (BTreeSet::from(["token".to_owned()]), BTreeSet::new()));
    assert_eq!(made.alert_status, "executable");
    let kept = sandbox.inspect(|model| model.webhooks[&made.id].url_variables["token"].clone());
    assert_eq!(kept, "glptt-s3cr3t");

    let comments = NewWebhook { events: &[HookEvent::Comments], template: None, ..new };
    let changed = maintainer.update_webhook(owner, made.id, &comments).unwrap();
    assert_eq!((changed.id, changed.events), (made.id, BTreeSet::from([HookEvent::Comments])));
    assert_eq!(changed.template, None);
    assert!(refusal(maintainer.create_webhook(owner, &NewWebhook { url: "ftp://x/{token}", ..new })).contains("url"));
    let developer = forge(&sandbox, "developer");
    assert!(matches!(developer.create_webhook(owner, &new), Err(ForgeError::Forbidden(_))));
    assert!(matches!(developer.webhooks(owner).next(), Some(Err(ForgeError::Forbidden(_)))));
    assert_eq!(sandbox.take_writes().len(), 2);
}

#[test]
fn a_groups_webhook_is_for_owners_and_for_editions_that_have_it() {
    let sandbox = gitlab();
    let owner = HookOwner::Group("src");
    let events = [HookEvent::MergeRequests, HookEvent::Other("subgroup_events".to_owned())];
    let new = NewWebhook { url: "http://127.0.0.1:1/", name: "x", events: &events, template: None, url_variables: &[] };
    let made = forge(&sandbox, "owner").create_webhook(owner, &new).unwrap();
    assert_eq!(made.events, BTreeSet::from(events.clone()));
    assert!(matches!(forge(&sandbox, "maintainer").create_webhook(owner, &new), Err(ForgeError::Forbidden(_))));
    sandbox.free_edition();
    let missing = forge(&sandbox, "owner").webhooks(owner).next();
    assert!(matches!(missing, Some(Err(ForgeError::NotFoundOrNoAccess(_)))));
    let body: Value = serde_json::from_str(&sandbox.expect_write("POST", "/groups/src/hooks").body).unwrap();
    assert_eq!((&body["push_events"], &body["subgroup_events"]), (&Value::Bool(false), &Value::Bool(true)));
}

#[test]
fn a_trigger_token_is_whole_for_who_made_it_and_short_for_others() {
    let sandbox = gitlab();
    let (maintainer, project) = (forge(&sandbox, "maintainer"), path(PROJECT));
    let made = maintainer.create_trigger_token(&project, "webhook: comments").unwrap();
    let value = made.token.expose_secret();
    assert!(value.starts_with("glptt-") && !format!("{made:?}").contains(value), "nothing prints it");
    assert_eq!((made.description.as_str(), made.owner.unwrap().username.as_str()), ("webhook: comments", "maintainer"));
    assert_eq!((made.last_used, made.expires_at), (None, None));
    let seen: Vec<_> = forge(&sandbox, "owner").trigger_tokens(&project).map(Result::unwrap).collect();
    assert_eq!((seen[0].id, seen[0].token.expose_secret().len()), (made.id, 4));
    assert!(matches!(forge(&sandbox, "developer").create_trigger_token(&project, "x"), Err(ForgeError::Forbidden(_))));
    sandbox.expect_write("POST", "*/triggers");
}

#[test]
fn a_variable_is_made_found_and_changed() {
    let sandbox = gitlab();
    let (maintainer, project) = (forge(&sandbox, "maintainer"), path(PROJECT));
    let of = VariablesOf::Project(&project);
    let (old, value) = (SecretString::from("glptt-0123456789"), SecretString::from("glptt-9876543210"));
    let new = NewVariable {
        key: "SGB_TRIGGER_TOKEN",
        value: &old,
        protected: false,
        masked: true,
        raw: true,
        variable_type: VariableType::EnvVar,
        environment_scope: ANY_ENVIRONMENT,
    };
    let made = maintainer.create_variable(of, &new).unwrap();
    assert_eq!((made.key.as_str(), made.protected, made.masked, made.raw), (new.key, false, true, true));
    assert!(!format!("{made:?}").contains(old.expose_secret()), "nothing prints it");
    let scoped = NewVariable { environment_scope: "production", protected: true, ..new };
    maintainer.create_variable(of, &scoped).unwrap();
    maintainer
        .update_variable(of, &NewVariable { value: &value, variable_type: VariableType::File, ..scoped })
        .unwrap();
    let seen: Vec<_> = maintainer.variables(of).map(Result::unwrap).collect();
    let values: Vec<_> = seen.iter().map(|seen| seen.value.as_ref().unwrap().expose_secret()).collect();
    assert_eq!(values, [old.expose_secret(), value.expose_secret()]);
    assert_eq!((seen[1].environment_scope.as_str(), seen[1].variable_type), ("production", VariableType::File));

    assert_eq!(refusal(maintainer.create_variable(of, &new)), "key (SGB_TRIGGER_TOKEN) has already been taken");
    let short = SecretString::from("short");
    assert_eq!(
        refusal(maintainer.create_variable(of, &NewVariable { key: "A", value: &short, ..new })),
        "value is invalid"
    );
    let none = maintainer.update_variable(of, &NewVariable { key: "NONE", ..new });
    assert!(matches!(none, Err(ForgeError::NotFoundOrNoAccess(_))));
    let group = VariablesOf::Group("src");
    assert!(matches!(maintainer.create_variable(group, &new), Err(ForgeError::Forbidden(_))));
    let owner = forge(&sandbox, "owner");
    owner.create_variable(group, &new).unwrap();
    assert_eq!(owner.variables(group).map(|one| one.unwrap().key).collect::<Vec<_>>(), ["SGB_TRIGGER_TOKEN"]);
    assert_eq!(sandbox.take_writes().len(), 4);
}

#[test]
fn a_branch_is_protected_once() {
    let sandbox = gitlab();
    let (maintainer, project) = (forge(&sandbox, "maintainer"), path(PROJECT));
    let new = NewProtection {
        name: "c1*s",
        push: AccessLevel::NO_ONE,
        merge: AccessLevel::MAINTAINER,
        allow_force_push: false,
    };
    let made = maintainer.protect_branch(&project, &new).unwrap();
    assert_eq!((made.push[0].role(), made.merge[0].role()), (Some(AccessLevel::NO_ONE), Some(AccessLevel::MAINTAINER)));
    assert!(matches!(maintainer.protect_branch(&project, &new), Err(ForgeError::Conflict(_))));
    let names: Vec<_> = maintainer.protected_branches(&project).map(|rule| rule.unwrap().name).collect();
    assert_eq!(names, ["c9s", "c1*s"]);
    let commit = maintainer.create_branch(&project, &branch("c10s"), "c9s");
    assert_eq!(refusal(commit), "You are not allowed to create protected branches on this project.");
    sandbox.expect_write("POST", "*/protected_branches");
}

#[test]
fn a_project_is_made_and_then_gets_what_cannot_be_set_at_once() {
    let sandbox = gitlab();
    sandbox.group("hidden", Seen::Private);
    sandbox.group_member("hidden", "maintainer", Role::Maintainer);
    let maintainer = forge(&sandbox, "maintainer");
    let namespace = maintainer.namespace("hidden").unwrap();
    assert_eq!((namespace.full_path.as_str(), namespace.kind.as_str()), ("hidden", "group"));
    assert_eq!(maintainer.group("hidden").unwrap().visibility, Some(Visibility::Private));
    let settings = ProjectEdit {
        ci_config_path: Some(".distro/.gitlab-ci.yml"),
        ci_pipeline_variables_minimum_override_role: Some(OverrideRole::NoOneAllowed),
        ci_default_git_depth: Some(0),
        forking_access_level: Some(FeatureAccess::Private),
        auto_devops_enabled: Some(false),
        ..ProjectEdit::default()
    };
    let new = NewProject { namespace_id: namespace.id, path: "curl", visibility: Visibility::Private, settings };
    let made = maintainer.create_project(&new).unwrap();
    assert_eq!((made.path.as_str(), made.visibility), ("hidden/curl", Some(Visibility::Private)));
    assert_eq!(made.ci_config_path.as_deref(), Some(".distro/.gitlab-ci.yml"));
    assert_eq!((made.empty_repo, made.access), (Some(true), Some(AccessLevel::MAINTAINER)));
    assert_eq!(made.ci_default_git_depth, Some(20), "not a setting that a new project can have");
    let edited = maintainer.edit_project(made.id, &settings).unwrap();
    assert_eq!(edited.ci_pipeline_variables_minimum_override_role, Some(OverrideRole::NoOneAllowed));
    assert_eq!(edited.ci_default_git_depth, Some(0));
    assert_eq!(maintainer.project_settings(made.id).unwrap(), edited);

    assert!(refusal(maintainer.create_project(&new)).contains("has already been taken"));
    let public = NewProject { path: "other", visibility: Visibility::Public, ..new };
    assert!(refusal(maintainer.create_project(&public)).contains("public is not allowed in a private group."));
    assert_eq!(refusal(forge(&sandbox, "developer").create_project(&new)), "namespace is not valid");
    let developer = forge(&sandbox, "developer").edit_project(&path(PROJECT), &settings);
    assert!(matches!(developer, Err(ForgeError::Forbidden(_))));
    assert_eq!(sandbox.take_writes().len(), 2);
}

#[test]
fn an_edit_holds_what_is_to_change_and_no_more() {
    assert!(ProjectEdit::default().is_empty());
    let edit = ProjectEdit { shared_runners_enabled: Some(false), ..ProjectEdit::default() };
    assert!(!edit.is_empty());
    let sandbox = gitlab();
    forge(&sandbox, "maintainer").edit_project(&path(PROJECT), &edit).unwrap();
    assert_eq!(sandbox.expect_write("PUT", "/projects/*").body, r#"{"shared_runners_enabled":false}"#);
}

#[test]
fn files_are_read_and_committed_without_a_clone() {
    let sandbox = gitlab();
    let (maintainer, project, c9s) = (forge(&sandbox, "maintainer"), path(PROJECT), branch("c9s"));
    let read = |branch: &BranchName, name: &str| maintainer.raw_file(&project, branch, name);
    assert_eq!(read(&c9s, "hello.c").unwrap().as_deref(), Some(b"1\n".as_slice()));
    assert_eq!(read(&c9s, ".distro/source-git.yaml").unwrap(), None);
    assert_eq!(read(&branch("moon"), "hello.c").unwrap(), None);
    let nowhere = maintainer.raw_file(&path("src/moon"), &c9s, "hello.c");
    assert!(matches!(nowhere, Err(ForgeError::NotFoundOrNoAccess(_))));

    let bytes = [0, 255, b'\r', b'\n'];
    let files = [
        FileAction { change: FileActionKind::Update, path: "hello.c", content: b"2\n" },
        FileAction { change: FileActionKind::Create, path: ".distro/some file", content: &bytes },
    ];
    let author = NewCommitAuthor { name: "Packager", email: "packager@example.com" };
    let commit = maintainer.commit_files(&project, &c9s, "Add packaging\n", &files, Some(author)).unwrap();
    assert_eq!(sandbox.tip(PROJECT, "c9s").unwrap(), commit.to_string());
    assert_eq!(
        sandbox.git(PROJECT, &["log", "-1", "--format=%an <%ae> %cn: %s"]),
        "Packager <packager@example.com> Maintainer: Add packaging"
    );
    assert_eq!(read(&c9s, ".distro/some file").unwrap().as_deref(), Some(bytes.as_slice()));

    let again = maintainer.commit_files(&project, &c9s, "x", files.get(1..).unwrap(), None);
    assert_eq!(refusal(again), "A file with this name already exists");
    let developer = forge(&sandbox, "developer");
    let refused = developer.commit_files(&project, &c9s, "x", &files, None);
    assert!(matches!(refused, Err(ForgeError::Forbidden(_))), "the default branch is protected");
    let topic = developer.create_branch(&project, &branch("topic"), "c9s").unwrap();
    assert_eq!((topic.tip, topic.can_push), (commit, Some(true)));
    assert_eq!(refusal(developer.create_branch(&project, &branch("topic"), "c9s")), "Branch already exists");
    assert_eq!(sandbox.take_writes().len(), 2);
}
