//! The project's own pipeline: which jobs GitLab makes of `.gitlab-ci.yml` when, and what they may read.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use crate::support::gitlab_ci_local::{Project, Situation, read};

const PROJECT: &str = "group/source-git-bot";
const TESTS: &[&str] = &["test/test", "test/container"];
const ALL: &[&str] = &["test/test", "test/container", "publish/publish", "publish/release"];

fn tag(source: &str, name: &str, protected: &str) -> Situation {
    Situation::of(source, PROJECT).and(&[("CI_COMMIT_TAG", name), ("CI_COMMIT_REF_PROTECTED", protected)])
}

#[test]
fn only_a_protected_version_tag_publishes_and_only_when_it_is_pushed() {
    let protected = |situation: Situation| situation.and(&[("CI_COMMIT_REF_PROTECTED", "true")]);
    let mut expected: Vec<(Situation, &[&str])> = vec![
        (Situation::merge_request(PROJECT, PROJECT, "fix"), TESTS),
        (Situation::merge_request("contributor/source-git-bot", PROJECT, "fix"), TESTS),
        (protected(Situation::merge_request(PROJECT, PROJECT, "v1.2.3")), TESTS),
        (protected(Situation::branch("push", PROJECT, "main")), TESTS),
        (Situation::branch("push", PROJECT, "fix"), &[]),
        (protected(Situation::branch("push", PROJECT, "v1.2.3")), &[]),
        (Situation::branch("web", PROJECT, "fix"), &[]),
        (tag("push", "v1.2.3", "true"), ALL),
        (tag("push", "v0.10.0", "true"), ALL),
        (tag("push", "v1.2.3", "false"), &[]),
    ];
    for name in ["1.2.3", "v1.2", "v01.2.3", "v1.2.3-rc.1", "v1.2.3;x", "xv1.2.3", "v1.2.3\nv1.2.3", "nightly", "main"]
    {
        expected.push((tag("push", name, "true"), &[]));
    }
    for source in ["schedule", "web", "api", "trigger", "pipeline"] {
        expected.push((tag(source, "v1.2.3", "true"), &[]));
        expected.push((protected(Situation::branch(source, PROJECT, "main")), TESTS));
    }
    let default = |situation: &Situation| situation.clone().and(&[("CI_DEFAULT_BRANCH", "main")]);
    let situations: Vec<Situation> = expected.iter().map(|(situation, _)| default(situation)).collect();
    let found = Project::new(&read(".gitlab-ci.yml")).jobs(&situations);
    for ((situation, jobs), found) in expected.iter().zip(found) {
        assert_eq!(found, *jobs, "{:#?}", situation);
    }
}

fn jobs() -> BTreeMap<String, Value> {
    let file: BTreeMap<String, Value> = yaml_serde::from_str(&read(".gitlab-ci.yml")).unwrap();
    file.into_iter().filter(|(_, value)| value.get("script").is_some()).collect()
}

#[test]
fn images_are_pinned_and_the_builder_has_the_containerfiles_rust() {
    let jobs = jobs();
    assert_eq!(jobs.len(), 4);
    let pinned = Regex::new(r"^[a-z0-9.]+\.[a-z]+/[a-z/-]+:v?[0-9]+\.[0-9]+\.[0-9]+(-[a-z-]+)?$").unwrap();
    for (name, job) in &jobs {
        assert!(pinned.is_match(job["image"].as_str().unwrap()), "{name}");
    }
    let containerfile = read("container/Containerfile");
    let of = |text: &str| text.split_once("/rust:").unwrap().1.split_once("-slim").unwrap().0.to_owned();
    assert_eq!(of(jobs["test"]["image"].as_str().unwrap()), of(&containerfile));
}

#[test]
fn nothing_that_others_write_is_on_a_shell_line() {
    let variable = Regex::new(r"\$\{?([A-Za-z_]+)").unwrap();
    let secret = ["CI_REGISTRY_PASSWORD"];
    let known = ["CI_COMMIT_TAG", "CI_REGISTRY", "CI_REGISTRY_IMAGE", "CI_REGISTRY_USER", "image", "version"];
    for (name, job) in jobs() {
        for used in variable.captures_iter(&job["script"].to_string()).map(|found| found[1].to_owned()) {
            assert!(known.contains(&&*used) || (name == "publish" && secret.contains(&&*used)), "{name}: {used}");
        }
    }
}
