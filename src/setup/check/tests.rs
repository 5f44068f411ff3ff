//! What no instance of the tests can be brought into, and the finer points.

use std::collections::BTreeSet;

use chrono::DateTime;

use crate::ci::template_uses;
use crate::config::{Environment, Instance};
use crate::setup::check::*;
use crate::setup::webhook;

const GITLAB: &str = "https://gitlab.com/api/v4/projects/42/ref/main/trigger/pipeline";
use crate::setup::instance_facts::*;

fn hook(id: u64, event: &str) -> HookFacts {
    HookFacts {
        id,
        url: webhook::hook_url(GITLAB),
        masked: BTreeSet::from(["token".to_owned()]),
        events: BTreeSet::from([event.to_owned()]),
        template: Some(webhook::template(None)),
        verifies_tls: true,
        alert: Alert::Called,
        deliveries: Ok(vec![Some(201)]),
    }
}

fn place(of: &str, kind: PlaceKind, hooks: Visible<Vec<HookFacts>>) -> HookPlace {
    HookPlace { of: of.to_owned(), kind, hooks }
}

fn bot_project() -> BotProjectFacts {
    let include = "include: {project: g/b, ref: v0.1.0, file: /ci-templates/bot.yml, inputs: {image: 'x/y:0.1.0'}}";
    let trigger = |owner: &str| Trigger { owner: Some(owner.to_owned()) };
    BotProjectFacts {
        id: 42,
        path: "ops/bot".to_owned(),
        is_private: Some(true),
        default_branch: Some("main".to_owned()),
        role: Ok(Role::REPORTER),
        settings: Settings { variables_from: Some(VariablesFrom::NoOne), ..Settings::default() },
        protected: Ok(vec![ProtectedBranch { name: "main".to_owned(), least: Some(Role::MAINTAINER) }]),
        variables: Ok(vec![Variable {
            key: "SGB_TOKEN".to_owned(),
            protected: true,
            masked: true,
            raw: true,
            is_file: false,
            is_for_all_jobs: true,
        }]),
        job_tokens: Ok(Allowlist { is_enforced: true, others: Vec::new() }),
        schedules: Ok(vec![Schedule { active: true, branch: "main".to_owned() }]),
        runners: Ok(vec![Runner { is_own: true, is_online: true }]),
        triggers: Ok(vec![trigger("one"), trigger("other")]),
        includes: Ok(Some(template_uses(include.as_bytes()))),
        instance_file: Ok(InstanceFileFacts::Read("instance.yaml".to_owned(), Vec::new())),
    }
}

/// What is seen of an instance that is right.
fn sound() -> InstanceFacts {
    let package = PackageOverview {
        source_git: "redhat/centos-stream/src/hello".to_owned(),
        dist_git: "redhat/centos-stream/rpms/hello".to_owned(),
        has_dist_git: true,
        missing_branches: Vec::new(),
        ci_file: Ok(String::new()),
        has_template: Ok(false),
        source_role: Ok(Role::DEVELOPER),
        dist_role: Ok(Role(0)),
        dist_settings: Ok(Settings::default()),
    };
    let fork = ForkOverview {
        path: "bot/hello".to_owned(),
        settings: Settings {
            variables_from: Some(VariablesFrom::NoOne),
            job_token_push: Some(false),
            ..Settings::default()
        },
        variables: Ok(Vec::new()),
        job_tokens: Ok(Allowlist { is_enforced: true, others: Vec::new() }),
        runners: Ok(vec![Runner { is_own: false, is_online: true }]),
    };
    let hooks = vec![hook(1, "merge_requests_events"), hook(2, "note_events")];
    InstanceFacts {
        program: "0.1.0".to_owned(),
        now: DateTime::from_timestamp(1_796_644_800, 0).unwrap(), // 2026-12-07 12:00
        instance: Instance {
            bot_project: Some("ops/bot".parse().unwrap()),
            ..Instance::load("production", &Environment::default()).unwrap()
        },
        bot: "bot".to_owned(),
        user: "bot".to_owned(),
        token: Ok(TokenFacts { scopes: BTreeSet::from(["api".to_owned()]), expires: None }),
        gitlab: Ok(GitlabVersion { text: "18.4.0".to_owned(), release: Some((18, 4)) }),
        rate_limit: Some(RateLimit { limit: 2000, remaining: 1990 }),
        bot_project: Some(Ok(bot_project())),
        hooks: vec![place("redhat/centos-stream/src", PlaceKind::Group, Ok(hooks))],
        packages: Ok(PackagesOverview {
            all: vec![package],
            unlisted: Vec::new(),
            branches: Looked { at: 1, of: 1 },
            dist_git: None,
        }),
        forks: Ok(ForksOverview { all: vec![fork] }),
    }
}

fn of(facts: &InstanceFacts, state: CheckState) -> Vec<(&'static str, String)> {
    let findings = judge(facts).into_iter().filter(|finding| finding.state == state);
    findings.map(|finding| (finding.check, finding.says)).collect()
}

/// The checks that are wrong where one thing is changed.
fn wrong(change: impl FnOnce(&mut InstanceFacts)) -> Vec<&'static str> {
    let mut facts = sound();
    change(&mut facts);
    of(&facts, CheckState::Wrong).into_iter().map(|(check, _)| check).collect()
}

fn change_project(facts: &mut InstanceFacts, change: impl FnOnce(&mut BotProjectFacts)) {
    change(facts.bot_project.as_mut().unwrap().as_mut().unwrap());
}

fn first_hook(facts: &mut InstanceFacts) -> &mut HookFacts {
    &mut facts.hooks[0].hooks.as_mut().unwrap()[0]
}

#[test]
fn what_is_right_is_neither_wrong_nor_unseen() {
    assert_eq!(of(&sound(), CheckState::Wrong), []);
    assert_eq!(of(&sound(), CheckState::Unseen), []);
}

#[test]
fn a_bot_project_in_a_hooked_group_is_out_of_place() {
    for path in ["redhat/centos-stream/src/bot", "redhat/centos-stream/rpms/x/bot"] {
        assert_eq!(wrong(|facts| change_project(facts, |p| p.path = path.to_owned())), ["bot-project.place"]);
    }
    // A webhook of a group around counts, and its name's beginning alone does not.
    let around = |facts: &mut InstanceFacts, path: &str| {
        facts.hooks[0].of = "redhat".to_owned();
        change_project(facts, |project| project.path = path.to_owned());
    };
    assert_eq!(wrong(|facts| around(facts, "redhat/bot")), ["bot-project.place"]);
    assert_eq!(wrong(|facts| around(facts, "redhat-ops/bot")), [""; 0]);
}

#[test]
fn few_requests_that_are_left_are_told() {
    let left = |remaining| wrong(|facts| facts.rate_limit = Some(RateLimit { limit: 2000, remaining }));
    assert_eq!(left(199), ["gitlab.rate-limit"]);
    assert_eq!(left(200), [""; 0]);
    assert_eq!(wrong(|facts| facts.rate_limit = None), [""; 0]);
}

#[test]
fn a_token_is_told_two_weeks_before_it_expires_and_one_that_may_do_anything_at_once() {
    let expiring = |day: u32| {
        wrong(|facts| {
            let expires = chrono::NaiveDate::from_ymd_opt(2026, 12, day);
            facts.token = facts.token.clone().map(|token| TokenFacts { expires, ..token });
        })
    };
    assert_eq!(expiring(20), ["token.expiry"]);
    assert_eq!(expiring(21), [""; 0]);
    let with_sudo = |facts: &mut InstanceFacts| _ = facts.token.as_mut().unwrap().scopes.insert("sudo".to_owned());
    assert_eq!(wrong(with_sudo), ["token.scope"]);
}

#[test]
fn a_commit_pins_a_template_and_a_digest_an_image() {
    let yaml = format!(
        "include: {{project: g/b, ref: {}, file: /ci-templates/bot.yml, inputs: {{image: 'x/y@sha256:{}'}}}}",
        "a1".repeat(20),
        "0f".repeat(32)
    );
    let mut facts = sound();
    change_project(&mut facts, |project| project.includes = Ok(Some(template_uses(yaml.as_bytes()))));
    assert_eq!(of(&facts, CheckState::Wrong), []);
    let unseen: Vec<_> = of(&facts, CheckState::Unseen).into_iter().map(|(check, _)| check).collect();
    assert_eq!(unseen, ["bot-project.image-version"]);
}

#[test]
fn a_group_around_or_each_project_can_have_the_webhooks() {
    let hooks = |facts: &InstanceFacts| facts.hooks[0].hooks.clone();
    let mut facts = sound();
    facts.hooks = vec![
        place("redhat/centos-stream/src", PlaceKind::Group, Ok(Vec::new())),
        place("redhat", PlaceKind::Group, hooks(&facts)),
    ];
    assert_eq!(of(&facts, CheckState::Wrong), []);
    facts.hooks[1] = place("redhat/centos-stream/src/hello", PlaceKind::Project, hooks(&sound()));
    assert_eq!(of(&facts, CheckState::Wrong), []);
    facts.hooks.push(place("redhat/centos-stream/src/other", PlaceKind::Project, Ok(Vec::new())));
    let checks: Vec<_> = of(&facts, CheckState::Wrong).into_iter().map(|(check, _)| check).collect();
    assert_eq!(checks, ["hooks.merge-requests", "hooks.comments"]);
    // Somebody else may see what is missing here.
    facts.hooks[0].hooks = Err(Unseen::NotShown);
    assert_eq!(of(&facts, CheckState::Wrong), []);
}

#[test]
fn an_address_is_held_against_the_whole_of_what_it_has_to_be() {
    let with = |url: &str| wrong(|facts| first_hook(facts).url = url.to_owned());
    for good in [
        format!("{GITLAB}?token={{token}}"),
        "https://gitlab.com/api/v4/projects/ops%2Fbot/ref/main/trigger/pipeline?token={token}".to_owned(),
    ] {
        assert_eq!(with(&good), [""; 0], "{good}");
    }
    for bad in [
        format!("{GITLAB}?token=glptt-x"),
        format!("{GITLAB}?token={{other}}"),
        format!("{GITLAB}?token={{token}}&ref=x"),
        GITLAB.to_owned(),
        GITLAB.replace("https", "http"),
        GITLAB.replace("gitlab.com", "gitlab.com.evil.example"),
        GITLAB.replace("gitlab.com", "x:y@gitlab.com"),
        String::new(),
    ] {
        assert_eq!(with(&bad), ["hooks.address"], "{bad}");
    }
}

#[test]
fn no_address_is_shown_for_it_may_hold_a_token() {
    let mut facts = sound();
    first_hook(&mut facts).url = format!("{GITLAB}?token=glptt-secret");
    assert!(!format!("{:?}", judge(&facts)).contains("glptt"));
}

#[test]
fn a_webhook_that_is_not_the_bots_is_nobodys_business_here() {
    let other = HookFacts {
        url: "https://ci.example.com/hook".to_owned(),
        template: None,
        verifies_tls: false,
        alert: Alert::Never,
        ..hook(9, "pipeline_events")
    };
    assert!(!is_ours(&other, Some(&bot_project())));
    assert_eq!(wrong(|facts| facts.hooks[0].hooks.as_mut().unwrap().push(other)), [""; 0]);
}

#[test]
fn where_the_bot_pushes_to_dist_git_it_has_to_be_developer_and_has_no_forks() {
    let pushes = |facts: &mut InstanceFacts| facts.instance.forks = crate::config::Forks::DistGit;
    assert_eq!(wrong(pushes), ["role.dist-git"]);
    let may = |facts: &mut InstanceFacts| {
        pushes(facts);
        facts.packages.as_mut().unwrap().all[0].dist_role = Ok(Role::DEVELOPER);
        facts.forks.as_mut().unwrap().all[0].settings.job_token_push = Some(true);
    };
    assert_eq!(wrong(may), [""; 0]);
}

#[test]
fn a_template_may_carry_a_webhook_token_and_has_to_where_the_instance_wants_it() {
    let token = Some(&"eyJ.x.y".into());
    assert_eq!(wrong(|facts| first_hook(facts).template = Some(webhook::template(token))), [""; 0]);
    let wanted = wrong(|facts| facts.instance.webhook_tokens = crate::config::WebhookTokens::Required);
    assert_eq!(wanted, ["bot-project.webhook-secret", "hooks.template"]);
}

#[test]
fn a_version_is_held_against_18_4() {
    let with = |release| wrong(|facts| facts.gitlab = Ok(GitlabVersion { text: "x".to_owned(), release }));
    assert_eq!(with(Some((18, 3))), ["gitlab.version"]);
    assert_eq!(with(Some((17, 11))), ["gitlab.version"]);
    for release in [Some((18, 4)), Some((18, 10)), Some((19, 0)), None] {
        assert_eq!(with(release), [""; 0], "{release:?}");
    }
}
