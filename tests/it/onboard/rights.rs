//! `onboard` where a right is missing: it says which, and who can give it, does the rest, and completes it later.

use gitlab_sandbox::{Role, Settings, Visibility};

use super::world::{DIST, FORK, HUB, ORIGINAL_SOURCE, SOURCE, World};

fn settings() -> Settings {
    Settings::default()
}

/// Runs it: it cannot do everything, and says all of `parts`.
#[track_caller]
fn lacks(world: &World, parts: &[&str]) -> String {
    let run = world.onboard(&[]);
    run.ends_with(1);
    for part in parts {
        assert!(run.stdout.contains(part), "`{part}` is not said: {}", run.stdout);
    }
    assert!(run.stderr.contains("not under the bot's care yet"), "{}", run.stderr);
    run.stdout
}

#[test]
fn without_a_role_in_the_group_nothing_is_made_and_an_owner_is_named() {
    let world = World::without_rights(&settings());
    world.sandbox.member(HUB, "operator", Role::Maintainer);
    world.sandbox.member(HUB, "bot", Role::Maintainer);
    lacks(
        &world,
        &[
            "@operator does not see the group packit-service/src",
            "@operator does not see the group packit-service/rpms",
            "which an Owner of it can give",
        ],
    );
    assert_eq!(world.written(), [], "no token is made for what is not there");
    world.sandbox.group_member("packit-service", "operator", Role::Owner);
    world.onboard(&[]).ends_with(0);
    let _ = world.written();
}

#[test]
fn a_reporter_of_the_group_sees_it_and_may_not_make_projects() {
    let world = World::without_rights(&settings());
    world.sandbox.group_member("packit-service", "operator", Role::Reporter);
    world.sandbox.member(HUB, "operator", Role::Maintainer);
    let role = "it takes the role Developer or Maintainer in packit-service/src, as the group is set; an Owner of it can \
                give @operator that";
    lacks(&world, &[role, "GitLab  POST projects: GitLab answered 400, namespace is not valid"]);
    assert_eq!(world.written(), []);
}

#[test]
fn a_developer_makes_the_projects_and_a_maintainer_is_named_for_the_rest() {
    let world = World::without_rights(&settings());
    world.sandbox.group_member("packit-service", "operator", Role::Developer);
    world.sandbox.member(HUB, "operator", Role::Maintainer);
    world.sandbox.member(HUB, "bot", Role::Maintainer);
    lacks(
        &world,
        &[&format!("it takes the role Maintainer in {SOURCE}, which a Maintainer or Owner of it can give @operator")],
    );
    assert!(world.is_there(SOURCE) && world.webhooks().is_empty());
    let _ = world.written();
    // Now that the projects are there, GitLab tells the role, and what it is needed for is said before anything is tried.
    let said = format!("@operator needs the role Maintainer in {SOURCE}, which a Maintainer or Owner of it can give");
    lacks(&world, &[&said, &format!("{SOURCE}: the webhook for comments")]);
    let made: Vec<_> = world.written().into_iter().filter(|write| write.user.as_deref() == Some("operator")).collect();
    assert!(made.iter().all(|write| write.path.ends_with("/triggers")), "{made:?}");
    world.sandbox.group_member("packit-service", "operator", Role::Maintainer);
    world.onboard(&[]).ends_with(0);
    world.tokens_are_in_their_places();
    let _ = world.written();
}

#[test]
fn without_a_role_in_the_bot_project_there_is_no_token_of_the_operators() {
    let world = World::without_rights(&settings());
    world.sandbox.group_member("packit-service", "operator", Role::Owner);
    world.sandbox.member(HUB, "bot", Role::Maintainer);
    let said = format!("@operator needs the role Maintainer in {HUB}, which a Maintainer or Owner of it can give");
    lacks(
        &world,
        &[&said, "the trigger token `source-git-bot: merge requests of", "what has to come first is missing for"],
    );
    assert_eq!(world.webhooks().len(), 1, "the bot's own token does for the other");
    assert!(!world.variable(FORK, "SGB_TRIGGER_TOKEN").is_empty());
    let _ = world.written();
    world.sandbox.member(HUB, "operator", Role::Maintainer);
    world.onboard(&[]).ends_with(0);
    world.tokens_are_in_their_places();
    let _ = world.written();
}

#[test]
fn where_the_bot_has_no_role_in_its_project_one_users_tokens_have_to_do() {
    for role in [None, Some(Role::Developer)] {
        let world = World::without_rights(&settings());
        world.sandbox.group_member("packit-service", "operator", Role::Owner);
        world.sandbox.member(HUB, "operator", Role::Maintainer);
        role.into_iter().for_each(|role| world.sandbox.member(HUB, "bot", role));
        let run = world.onboard(&[]);
        run.ends_with(0);
        for said in [
            "the trigger tokens of both webhooks are @operator's",
            "a flood of comments keeps merge requests waiting for `reconcile`",
            &format!("have another Maintainer of {HUB} run this"),
        ] {
            assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
        }
        world.tokens_are_in_their_places();
        let _ = world.written();
        world.onboard(&[]).ends_with(0);
        assert_eq!(world.written(), []);
    }
}

#[test]
fn where_neither_sees_the_bot_project_all_else_is_done() {
    let world = World::without_rights(&settings());
    world.sandbox.group_member("packit-service", "operator", Role::Owner);
    let named = ["--templates", "group/source-git-bot@v0.1.0", "--image", super::world::IMAGE];
    let run = world.onboard(&named);
    run.ends_with(1);
    let said = format!("neither @operator nor @bot sees {HUB}");
    assert!(run.stdout.contains(&said), "{}", run.stdout);
    assert!(world.is_there(FORK) && world.webhooks().is_empty());
    assert!(world.sandbox.file(DIST, "c9s", ".gitlab-ci.yml").is_some());
    let _ = world.written();
}

#[test]
fn a_token_of_somebody_elses_is_asked_for_and_no_second_one_made() {
    let world = World::new();
    world.sandbox.member(HUB, "maintainer", Role::Maintainer);
    world.sandbox.group_member("packit-service", "maintainer", Role::Owner);
    world.sandbox.fail(gitlab_sandbox::Fault::on("POST", "*/hooks").cut_before());
    let other = world.sandbox.token("maintainer", &[gitlab_sandbox::Scope::Api]);
    world.run(world.command().env("SGB_OPERATOR_TOKEN", &other)).ends_with(5);
    let before = world.trigger_tokens().len();
    let said = format!("the trigger token `source-git-bot: merge requests of {SOURCE}` in {HUB} is @maintainer's");
    lacks(&world, &[&said, "revoke it there and run this again"]);
    assert_eq!(world.trigger_tokens().len(), before + 1, "that for comments is the bot's");
    let _ = world.written();
    world.run(world.command().env("SGB_OPERATOR_TOKEN", &other)).ends_with(0);
    world.tokens_are_in_their_places();
    let _ = world.written();
}

#[test]
fn a_project_in_the_place_of_the_fork_is_left_alone() {
    let world = World::new();
    world.sandbox.project(FORK);
    lacks(&world, &[&format!("{FORK} is no fork of {DIST}"), "@bot moves it out of the way"]);
    assert!(world.sandbox.variables(FORK).is_empty());
    let _ = world.written();
}

#[test]
fn a_fork_that_other_projects_jobs_reach_is_told() {
    let world = World::new();
    world.onboard(&[]).ends_with(0);
    world.sandbox.open_to_job_tokens(FORK);
    world.sandbox.allow_job_tokens(FORK, SOURCE);
    let _ = world.written();
    let run = world.onboard(&[]);
    run.ends_with(0);
    for said in [&format!("jobs of other projects reach {FORK}"), SOURCE, "Only this project"] {
        assert!(run.stdout.contains(said), "{said}: {}", run.stdout);
    }
    assert_eq!(world.written(), []);
}

#[test]
fn an_archived_copy_and_a_more_visible_one_are_told() {
    let world = World::new();
    world.onboard(&[]).ends_with(0);
    world.sandbox.archive(DIST);
    world.sandbox.member(super::world::ORIGINAL_SOURCE, "operator", Role::Reporter);
    world.sandbox.set_visibility(super::world::ORIGINAL_SOURCE, Visibility::Internal);
    let _ = world.written();
    lacks(&world, &[&format!("{DIST} is archived"), &format!("more people can see {SOURCE} than")]);
    assert_eq!(world.written(), []);
}

#[test]
fn nothing_is_copied_to_where_more_people_would_see_it() {
    let world = World::new();
    world.sandbox.set_visibility(ORIGINAL_SOURCE, Visibility::Private);
    world.sandbox.member(ORIGINAL_SOURCE, "operator", Role::Reporter);
    // Somebody has made the project already, as everything around it is: public.
    world.sandbox.project(SOURCE);
    let said = lacks(&world, &[&format!("more people can see {SOURCE} than {ORIGINAL_SOURCE}")]);
    assert_eq!(world.refs(SOURCE), Default::default(), "{said}");
    let _ = world.written();
    world.sandbox.set_visibility(SOURCE, Visibility::Private);
    world.onboard(&[]).ends_with(0);
    assert!(world.sandbox.tip(SOURCE, "c9s").is_some());
    let _ = world.written();
}

#[test]
fn a_copy_of_code_for_members_only_is_private() {
    let world = World::new();
    world.sandbox.setting(ORIGINAL_SOURCE, "repository_access_level", "private");
    world.sandbox.member(ORIGINAL_SOURCE, "operator", Role::Reporter);
    world.onboard(&[]).ends_with(0);
    let visibility = |path| world.sandbox.inspect(|model| model.project(path).unwrap().visibility);
    assert_eq!((visibility(SOURCE), visibility(DIST)), (Visibility::Private, Visibility::Public));
    let _ = world.written();
}
