//! The CI templates: which jobs GitLab makes of them in which pipelines, as gitlab-ci-local reads them.

use regex::Regex;
use serde_json::{Value, json};

use crate::support::gitlab_ci_local::{Project, Situation, example, read};

const TEMPLATES: [&str; 4] = ["source-git", "dist-git", "bot", "fake-ci"];
const SYNC: &str = "test/source-git-bot: sync (may fail)";
const FORK: &str = "test/source-git-bot: fork (may fail)";
const REPORT: &str = ".post/source-git-bot: report always (may fail)";
const CHECKS: [&str; 4] = ["build/build", "test/rpminspect", "test/installability", "gate/gate"];

#[track_caller]
fn has(configuration: &str, expected: &[(Situation, &[&str])]) {
    let situations: Vec<Situation> = expected.iter().map(|(situation, _)| situation.clone()).collect();
    let found = Project::new(configuration).jobs(&situations);
    for ((situation, jobs), found) in expected.iter().zip(found) {
        assert_eq!(found, *jobs, "{situation:#?}");
    }
}

const SRC: &str = "packit-service/src/hello";
const RPMS: &str = "packit-service/rpms/hello";

/// The pipelines that are not of a merge request and not of a push.
fn others(project: &str) -> impl Iterator<Item = Situation> {
    ["schedule", "trigger", "api", "web", "pipeline"]
        .map(|source| Situation::branch(source, project, "main"))
        .into_iter()
}

#[test]
fn source_git_has_its_job_in_merge_request_pipelines_alone() {
    let mut expected: Vec<(Situation, &[&str])> = vec![
        (Situation::merge_request(SRC, SRC, "fix"), &[SYNC]),
        (Situation::merge_request("contributor/hello", SRC, "fix"), &[FORK]),
        (Situation::branch("push", SRC, "c9s"), &[]),
        (Situation::branch("push", SRC, "fix").with_open_merge_request(), &[]),
        (Situation::branch("push", "contributor/hello", "fix").with_open_merge_request(), &[]),
        (Situation::tag(SRC), &[]),
    ];
    expected.extend(others(SRC).map(|situation| (situation, &[][..])));
    has(&example("source-git"), &expected);
    has(&example("source-git").replace("    inputs:", "    inputs:\n      mode: direct"), &expected[..3]);
}

#[test]
fn dist_git_reports_each_pipeline_of_a_bots_branch_once() {
    // A job of the project's own, for GitLab makes no pipeline for the report alone.
    let own = format!("{}test:\n  script: ['true']\n  rules: [{{when: always}}]\n", example("dist-git"));
    let (test, both): (&[&str], &[&str]) = (&["test/test always"], &["test/test always", REPORT]);
    let mut expected: Vec<(Situation, &[&str])> = vec![
        (Situation::merge_request(RPMS, RPMS, "c9s-src-7"), both),
        (Situation::merge_request("bot/hello", RPMS, "c9s-src-7"), both),
        (Situation::merge_request("maintainer/hello", RPMS, "rebuild"), test),
        (Situation::branch("push", "bot/hello", "c9s-src-7"), both),
        (Situation::branch("push", "bot/hello", "c9s-src-7").with_open_merge_request(), test),
        (Situation::branch("web", "bot/hello", "c9s-src-7"), both),
        (Situation::branch("schedule", "bot/hello", "c9s-src-7"), test),
        (Situation::branch("parent_pipeline", "bot/hello", "c9s-src-7"), test),
        (Situation::branch("push", RPMS, "c9s"), test),
        (Situation::branch("push", RPMS, "c9s-src-x"), test),
        (Situation::tag(RPMS), test),
    ];
    expected.extend(others(RPMS).map(|situation| (situation, test)));
    has(&own, &expected);

    // Without any other job there is no pipeline.
    let alone: Vec<(Situation, &[&str])> =
        expected.into_iter().take(5).map(|(situation, _)| (situation, &[][..])).collect();
    has(&example("dist-git"), &alone);

    let always = own.replace("    inputs:", "    inputs:\n      branch_pipelines: always");
    let branch = Situation::branch("push", "bot/hello", "c9s-src-7").with_open_merge_request();
    has(&always, &[(branch, both)]);
}

#[test]
fn the_bot_project_has_a_job_for_whatever_starts_a_pipeline() {
    const BOT: &str = "operators/bot";
    let event: &[&str] = &["test/source-git-bot (may fail with [3,4])"];
    // gitlab-ci-local's spelling of the parts of a parallel job.
    let all: &[&str] = &["test/source-git-bot: reconcile: [1/1] (may fail with [3,4])"];
    let expected: [(Situation, &[&str]); 8] = [
        (Situation::branch("push", BOT, "main"), &[]),
        (Situation::merge_request(BOT, BOT, "fix"), &[]),
        (Situation::tag(BOT), &[]),
        (Situation::branch("trigger", BOT, "main"), event),
        // A job's token on the trigger URL.
        (Situation::branch("pipeline", BOT, "main"), event),
        (Situation::branch("schedule", BOT, "main"), all),
        (Situation::branch("api", BOT, "main"), all),
        (Situation::branch("web", BOT, "main"), all),
    ];
    has(&example("bot"), &expected);
    let own = read("ci-templates/examples/bot-project.gitlab-ci.yml");
    has(&own, &expected);

    // With a merge request in the field. In a call of the trigger's address it gets no job: the payload, and with it the
    // webhook token that an instance may require, would not be looked at.
    let named = own.replacen("      default: ''\n", "      default: 'group/project!7'\n", 1);
    assert_ne!(named, own);
    let people = ["schedule", "api", "web"];
    let expected = ["trigger", "pipeline", "schedule", "api", "web", "chat", "parent_pipeline", "external"]
        .map(|source| (Situation::branch(source, BOT, "main"), if people.contains(&source) { event } else { &[] }));
    has(&named, &expected);
}

#[test]
fn several_jobs_of_the_bot_project_share_the_merge_requests() {
    let own = read("ci-templates/examples/bot-project.gitlab-ci.yml");
    let shared =
        own.replace("      instance: instance.yaml\n", "      instance: instance.yaml\n      reconcile_jobs: 3\n");
    assert_ne!(shared, own);
    let parts = [1, 2, 3].map(|part| format!("test/source-git-bot: reconcile: [{part}/3] (may fail with [3,4])"));
    has(&shared, &[(Situation::branch("schedule", "operators/bot", "main"), &parts.each_ref().map(String::as_str))]);
}

#[test]
fn only_a_person_in_the_bot_project_can_ask_for_more_than_sync() {
    const BOT: &str = "operators/bot";
    let job: &[&str] = &["test/source-git-bot (may fail with [3,4])"];
    let own = read("ci-templates/examples/bot-project.gitlab-ci.yml");
    let own = own.replacen("      default: ''\n", "      default: 'group/project!7'\n", 1);
    for command in ["recreate", "retest"] {
        // As with `inputs[command]=…` in a call of the trigger's address.
        let chosen = own.replace("      default: sync\n", &format!("      default: {command}\n"));
        assert_ne!(chosen, own);
        let expected = ["trigger", "schedule", "api", "pipeline", "push", "web"]
            .map(|source| (Situation::branch(source, BOT, "main"), if source == "web" { job } else { &[] }));
        has(&chosen, &expected);
    }
}

#[test]
fn the_relay_has_its_job_whatever_the_state() {
    let project =
        Project::new("include:\n- {local: relay.yml, inputs: {project: '7', pipeline: '70', status: running}}\n");
    project.write("relay.yml", &read("ci-templates/examples/relay-project.gitlab-ci.yml"));
    project.track("relay.yml");
    assert_eq!(project.jobs(&[Situation::branch("api", "operators/relay", "main")]), [["test/relay"]]);
}

#[test]
fn fake_checks_run_once_for_each_push() {
    let expected: Vec<(Situation, &[&str])> = vec![
        (Situation::merge_request("bot/hello", RPMS, "c9s-src-7"), &CHECKS),
        (Situation::branch("push", RPMS, "c9s"), &CHECKS),
        (Situation::branch("push", "bot/hello", "c9s-src-7").with_open_merge_request(), &[]),
        (Situation::tag(RPMS), &[]),
    ];
    has(&example("fake-ci").replace("'[fake-ci: warn gate]'", "''"), &expected);
}

#[test]
fn outcomes_of_fake_checks_are_chosen_in_three_ways() {
    let branch = || Situation::branch("push", RPMS, "c9s");
    let said = |words: &str| branch().and(&[("CI_COMMIT_MESSAGE", &format!("Fix it\n\n{words}\nThe end.\n"))]);
    let [build, rpminspect, installability, _] = CHECKS;
    has(
        &example("fake-ci"),
        &[
            (branch(), &[build, rpminspect, installability, "gate/gate (may fail)"]),
            (
                said("[fake-ci: manual gate]\n[fake-ci: warn rpminspect]").and(&[("FAKE_CI", "")]),
                &[build, "test/rpminspect (may fail)", installability, "gate/gate manual (may fail)"],
            ),
            (
                said("[fake-ci: block installability]").and(&[("FAKE_CI", "[fake-ci: manual build]")]),
                &["build/build manual (may fail)", rpminspect, "test/installability manual", "gate/gate"],
            ),
            (said("fake-ci: manual gate $(touch x)").and(&[("FAKE_CI", "manual gate")]), &CHECKS),
        ],
    );
}

#[test]
fn one_file_serves_both_repositories_in_staging() {
    let [build, rpminspect, installability, gate] = CHECKS;
    let with_report: &[&str] = &[build, rpminspect, installability, gate, REPORT];
    has(
        &read("ci-templates/examples/staging.distro.gitlab-ci.yml"),
        &[
            (Situation::merge_request(SRC, SRC, "fix"), &[SYNC]),
            (Situation::merge_request("contributor/hello", SRC, "fix"), &[FORK]),
            (Situation::branch("push", SRC, "c9s"), &[]),
            (Situation::branch("push", "contributor/hello", "fix").with_open_merge_request(), &[]),
            (Situation::tag(SRC), &[]),
            (Situation::branch("schedule", SRC, "c9s"), &[]),
            (Situation::merge_request("bot/hello", RPMS, "c9s-src-7"), with_report),
            (Situation::merge_request(RPMS, RPMS, "c9s-src-7"), with_report),
            (Situation::merge_request("maintainer/hello", RPMS, "rebuild"), &CHECKS),
            (Situation::branch("push", RPMS, "c9s"), &CHECKS),
            (Situation::branch("push", "bot/hello", "c9s-src-7").with_open_merge_request(), &[]),
            (Situation::branch("push", "bot/hello", "c9s-src-7"), &[]),
            (Situation::tag(RPMS), &[]),
            // A namespace that only begins alike.
            (Situation::branch("push", "packit-service/rpms-old/hello", "c9s"), &[]),
        ],
    );
}

#[test]
fn as_components_they_are_the_same() {
    for template in TEMPLATES {
        assert_eq!(read(&format!("templates/{template}.yml")), read(&format!("ci-templates/{template}.yml")));
    }
    let component =
        "include:\n- component: gitlab.com/group/source-git-bot/source-git@v0.1.0\n  inputs: {image: 'x:1'}\n";
    has(component, &[(Situation::merge_request(SRC, SRC, "fix"), &[SYNC])]);
}

#[test]
fn values_that_no_input_takes_are_refused() {
    let wrong = |template: &str, input: &str| {
        let configuration = example(template).replace("    inputs:", &format!("    inputs:\n      {input}"));
        let answers = Project::new(&configuration).answers(&[Situation::branch("push", RPMS, "c9s")]);
        answers[0]["error"].as_str().unwrap().to_owned()
    };
    assert!(wrong("source-git", "mode: both").contains("not in the list of allowed options"));
    assert!(wrong("source-git", "instance: ../x").contains("not in the list of allowed options"));
    assert!(wrong("dist-git", "branch_pipelines: never").contains("not in the list of allowed options"));
    assert!(wrong("fake-ci", "seconds: soon").contains("not a number"));
}

/// The jobs of a template, by name, with inputs as they stand.
fn defined(file: &str) -> Vec<(String, Value)> {
    let text = read(file);
    let (_, body) = text.split_once("\n---\n").unwrap();
    let body: serde_json::Map<String, Value> = yaml_serde::from_str(body).unwrap();
    let hidden = body.clone();
    let whole = |mut job: Value| {
        let Some(base) = job.get("extends").and_then(|name| hidden.get(name.as_str()?)).cloned() else { return job };
        merge(&mut job, base);
        job
    };
    body.into_iter().map(|(name, job)| (name, whole(job))).filter(|(_, job)| job.get("script").is_some()).collect()
}

/// Adds to a job what it has from the one that it extends; of mappings each key by itself, as GitLab does.
fn merge(job: &mut Value, base: Value) {
    let (Value::Object(job), Value::Object(base)) = (job, base) else { return };
    for (key, value) in base {
        match job.get_mut(&key) {
            Some(own) => merge(own, value),
            None => drop(job.insert(key, value)),
        }
    }
}

#[test]
fn jobs_are_retried_where_that_helps_and_hold_nothing_up() {
    for (template, jobs) in [("source-git", 2), ("dist-git", 1), ("bot", 2)] {
        let file = format!("ci-templates/{template}.yml");
        let text = read(&file);
        assert!(!text.contains("\nworkflow:") && !text.contains("\nstages:") && !text.contains("\ndefault:"), "{file}");
        let defined = defined(&file);
        assert_eq!(defined.len(), jobs, "{file}");
        for (name, job) in defined {
            if name != "source-git-bot: fork" {
                assert_eq!(job["retry"]["exit_codes"], json!([5]), "{name}");
                let trouble = json!(["runner_system_failure", "scheduler_failure", "api_failure", "unknown_failure"]);
                assert_eq!(job["retry"]["when"], trouble, "{name}");
            }
            assert_eq!(job.get("image").is_none(), name == "source-git-bot: fork", "{name}");
            assert_eq!(job["variables"]["GIT_STRATEGY"], if template == "bot" { "clone" } else { "none" }, "{name}");
            assert_eq!(job.get("artifacts"), None);
            if template == "bot" {
                let whole = name == "source-git-bot: reconcile";
                assert_eq!(job["timeout"], if whole { "1 hour" } else { "30 minutes" }, "{name}");
            }
            // The report waits for the jobs of all stages, the others for none.
            let needs = file.contains("source-git").then(|| json!([]));
            assert_eq!(job.get("needs").cloned(), needs, "{name}");
        }
    }
}

#[test]
fn no_text_of_a_merge_request_is_on_a_shell_line() {
    let variable = Regex::new(r"\$\{?([A-Za-z_]+)").unwrap();
    let examples = ["bot-project", "relay-project"].map(|name| format!("ci-templates/examples/{name}.gitlab-ci.yml"));
    for file in TEMPLATES.map(|name| format!("ci-templates/{name}.yml")).iter().chain(&examples) {
        for (name, job) in defined(file) {
            let script = job["script"].to_string();
            for used in variable.captures_iter(&script).map(|found| found[1].to_owned()) {
                assert!(
                    ["SGB_MERGE_REQUEST", "CI_NODE_INDEX", "CI_NODE_TOTAL", "OUTCOME"].contains(&&*used),
                    "{name}: {used}"
                );
            }
        }
    }
}

/// The forms that GitLab itself checks, which gitlab-ci-local does not.
#[test]
fn the_forms_of_inputs_let_no_other_image_or_shell_text_in() {
    let form = |file: &str, input: &str| {
        let text = read(file);
        let (_, after) = text.split_once(&format!("\n    {input}:\n")).unwrap();
        let (_, after) = after.split_once("regex: '").unwrap();
        Regex::new(after.split_once('\'').unwrap().0).unwrap()
    };
    for template in ["source-git", "dist-git", "bot"] {
        let image = form(&format!("ci-templates/{template}.yml"), "image");
        assert!(image.is_match("registry.example.com:5050/group/source-git-bot:0.1.0"));
        assert!(image.is_match(&format!("registry.example.com/group/source-git-bot@sha256:{}", "0a".repeat(32))));
        for bad in
            ["source-git-bot", "source-git-bot:latest", "$IMAGE:1", "${CI_REGISTRY}/x:1", "x:1 y", "x:1\nscript:"]
        {
            assert!(!image.is_match(bad), "{bad}");
        }
    }
    let instance = form("ci-templates/bot.yml", "instance");
    assert!(instance.is_match("instance.yaml") && instance.is_match("instances/production.yml"));
    for bad in ["$SGB.yaml", "-v.yaml", "a b.yaml", "\"; x.yaml", "/etc/x.yaml", "production"] {
        assert!(!instance.is_match(bad), "{bad}");
    }
    for file in ["ci-templates/bot.yml", "ci-templates/examples/bot-project.gitlab-ci.yml"] {
        let named = form(file, "merge_request");
        assert!(named.is_match("") && named.is_match("packit-service/src/hello!7"));
        for bad in ["$(x)!7", "--help!7", "a b!7", "hello!7; x", "a`x`!7", "${X}!7", "hello!7\n"] {
            assert!(!named.is_match(bad), "{bad}");
        }
    }
    let relay = "ci-templates/examples/relay-project.gitlab-ci.yml";
    for (input, good) in [("project", "7"), ("pipeline", "999999999999"), ("status", "waiting_for_resource")] {
        let form = form(relay, input);
        assert!(form.is_match(good));
        for bad in ["$SGB_TRIGGER_TOKEN", "7\" x", "7;", "`x`", "", "1\n"] {
            assert!(!form.is_match(bad), "{input}: {bad}");
        }
    }
}
