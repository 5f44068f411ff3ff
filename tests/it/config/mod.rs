//! `config`: what it shows, that its schema judges files as the program does, and that no secret is told.
//!
//! The schema is held against ajv, and files are read by js-yaml there; both come with gitlab-ci-local, which `tests/run`
//! installs.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use serde_json::{Value, json};
use source_git_bot::config::{Environment, Instance, Namespace, PRESETS};
use tempfile::TempDir;

use crate::support::Run;
use crate::support::gitlab_ci_local::read;

/// A directory with an instance file.
struct Home(TempDir);

impl Home {
    fn new(yaml: &str) -> Self {
        let home = Self(TempDir::new().unwrap());
        fs::write(home.path("instance.yaml"), yaml).unwrap();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program with an environment of nothing.
    fn config(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_source-git-bot"));
        command.env_clear().current_dir(self.0.path()).arg("config");
        command
    }

    fn of_file(&self, arguments: &[&str]) -> Run {
        Run::of(self.config().args(["--instance", "instance.yaml"]).args(arguments))
    }
}

#[test]
fn a_file_is_shown_with_where_each_value_is_from() {
    let home = Home::new(
        "extends: staging\ngitlab:\n  url: https://gitlab.example.com\n  ca_file: /etc/bot/ca.pem\nforks:\n  group: packages/forks\n",
    );
    let run = home.of_file(&[]);
    run.ends_with(0);
    assert_eq!(run.stderr, "");
    assert_snapshot!(run.stdout, @r"
    # instance.yaml: a file that extends the preset staging, named by --instance
    gitlab:
      url: https://gitlab.example.com/  # instance.yaml:3
      ca_file: /etc/bot/ca.pem          # instance.yaml:4
      # proxy: none                     # default
      timeout: 75                       # default
    namespaces:                         # preset staging
    - source_git: packit-service/src
      dist_git: packit-service/rpms
      copy_of:
        source_git: redhat/centos-stream/src
        dist_git: redhat/centos-stream/rpms
    forks:                              # instance.yaml:5
      group: packages/forks
    targets:                            # preset staging
    - project: packit-service/src/open-vm-tools
    - project: packit-service/src/luksmeta
    - project: packit-service/src/glibc
    - project: packit-service/src/cloud-init
    ci_files: source-git                # preset staging
    results: jobs                       # preset staging
    label: source-git                   # preset staging
    webhook_tokens: ignored             # default
    # bot_project: none                 # default
    # test_package: none                # default
    keep_branches: 14                   # default
    ");
}

#[test]
fn a_preset_is_shown_with_what_the_environment_says() {
    let home = Home::new("");
    let mut command = home.config();
    command
        .args(["--output", "json"])
        .env("SGB_GITLAB_URL", "https://gitlab.example.com")
        .env("SGB_INSTANCE", "staging");
    let run = Run::of(&mut command);
    run.ends_with(0);
    let shown = run.json();
    assert_eq!((&shown["format"], &shown["instance"]), (&json!(2), &json!("staging")));
    assert_eq!((&shown["named_by"], &shown["preset"]), (&json!("SGB_INSTANCE"), &json!("staging")));
    let settings = shown["settings"].as_object().unwrap();
    assert_eq!(settings.len(), 14);
    for (key, value, origin) in [
        ("gitlab.url", json!("https://gitlab.example.com/"), json!({"kind": "variable", "name": "SGB_GITLAB_URL"})),
        ("results", json!("jobs"), json!({"kind": "preset", "name": "staging"})),
        ("keep_branches", json!(14), json!({"kind": "default"})),
        ("bot_project", Value::Null, json!({"kind": "default"})),
    ] {
        assert_eq!(settings[key], json!({"value": value, "origin": origin}), "{key}");
    }
    let file = Home::new("extends: staging\n\nresults: jobs\n").of_file(&["--output", "json"]).json();
    let origin = json!({"kind": "file", "name": "instance.yaml", "line": 3});
    assert_eq!(file["settings"]["results"], json!({"value": "jobs", "origin": origin}));
}

#[test]
fn where_nothing_is_named_production_is_shown() {
    let run = Run::of(&mut Home::new("").config());
    run.ends_with(0);
    let head = "# production: a preset, which is taken where neither --instance nor SGB_INSTANCE names one\n";
    assert!(run.stdout.starts_with(head), "{}", run.stdout);
}

/// What an instance has come to, less its name.
fn loaded(path: &Path) -> Instance {
    let instance = Instance::load(path.to_str().unwrap(), &Environment::default()).unwrap();
    Instance { name: String::new(), ..instance }
}

#[test]
fn what_is_shown_is_an_instance_file_that_says_the_same() {
    let mut files: Vec<String> = PRESETS.iter().map(|preset| format!("extends: {}\n", preset.name)).collect();
    files.push(readme_example());
    files.push(
        "gitlab: {url: 'http://127.0.0.1:8080/x', timeout: 5, ca_file: /ca.pem}\nnamespaces:\n- {source_git: a, dist_git: b}\n\
         - source_git: c\n  dist_git: d\n  copy_of: {source_git: a, dist_git: b}\nforks: dist-git\nresults: jobs\n\
         targets: [{}, {project: \"a/\\u202e\", branch: \"x\\n# y: 'z'\"}, {branch: 'true'}]\nlabel: ''\nkeep_branches: 1\n\
         webhook_tokens: required\ntest_package: '7'\n"
            .to_owned(),
    );
    for yaml in files {
        let home = Home::new(&yaml);
        let run = home.of_file(&[]);
        run.ends_with(0);
        assert!(!run.stdout.contains('\u{202e}'));
        let pasted = Home::new(&run.stdout);
        assert_eq!(loaded(&pasted.path("instance.yaml")), whole(loaded(&home.path("instance.yaml"))), "{}", run.stdout);
        let again = pasted.of_file(&["--validate", "--output", "json"]).json();
        let empty = |doubt: &Value| doubt["text"].as_str().unwrap().contains("has no value");
        assert!(!again["doubts"].as_array().unwrap().iter().any(empty), "{again}");
    }
}

/// The path of the authorities' file is shown in full.
fn whole(mut instance: Instance) -> Instance {
    instance.gitlab.ca_file = instance.gitlab.ca_file.map(|path| std::path::absolute(path).unwrap());
    instance
}

#[test]
fn all_mistakes_are_named_with_what_to_do() {
    let home = Home::new(
        "extends: production\ngitlab:\n  ulr: https://gitlab.example.com\ntargets:\n- branch: '('\n- branch: 9\nresult: jobs\n",
    );
    let run = home.of_file(&["--validate"]);
    run.ends_with(2);
    assert_snapshot!(run.stdout, @r"
    error: instance.yaml:3: `gitlab.ulr`: unknown key
      hint: did you mean `url`?
    error: instance.yaml:5: `targets.branch`: is not a regular expression: unclosed group
    error: instance.yaml:6: `targets.branch`: must be text
      hint: put the value in quotes
    error: instance.yaml:7: `result`: unknown key
      hint: did you mean `results`?
    ");
    assert_eq!(
        run.stderr,
        "error: instance.yaml cannot be used as an instance: it has 4 errors\nhint: mend what is named, and check again\n"
    );
    let judged = home.of_file(&["--validate", "--output", "json"]);
    judged.ends_with(2);
    let judged = judged.json();
    assert_eq!((&judged["good"], &judged["doubts"]), (&json!(false), &json!([])));
    let expected = json!({
        "place": "instance.yaml", "line": 3, "key": "gitlab.ulr", "text": "unknown key", "remedy": "did you mean `url`?"
    });
    assert_eq!(judged["errors"][0], expected);
    assert_eq!(judged["errors"].as_array().unwrap().len(), 4);
    // As any other command does, showing it names the first.
    let shown = home.of_file(&[]);
    shown.ends_with(2);
    assert_eq!(shown.stdout, "");
    assert!(shown.stderr.contains("error: instance.yaml:3: `gitlab.ulr`: unknown key\nhint: did you mean `url`?\n"));
    assert!(shown.stderr.contains("`config --validate` names 3 more errors"), "{}", shown.stderr);
}

#[test]
fn what_is_hardly_meant_is_a_warning_and_no_failure() {
    let home = Home::new(
        "extends: staging\nnamespaces: [{source_git: p/src, dist_git: p/rpms}]\ntargets:\n- project: src/.+\n",
    );
    let run = home.of_file(&["--validate"]);
    run.ends_with(0);
    assert_eq!(run.stderr, "");
    assert_snapshot!(run.stdout, @r"
    warning: instance.yaml:4: `targets.project`: `src/.+` matches no project of any source-git namespace
      hint: write a pattern for the whole path of projects, such as `group/src/.+`
    instance.yaml can be used, with a warning
    ");
    let good = Home::new("extends: staging\n").of_file(&["--validate"]);
    good.ends_with(0);
    assert_eq!(good.stdout, "instance.yaml can be used\n");
    assert_eq!(Home::new("").of_file(&["--validate"]).status, Some(2));
    Run::of(Home::new("").config().args(["--validate", "--instance", "missing.yaml"])).ends_with(2);
}

#[test]
fn presets_are_listed() {
    let home = Home::new("");
    let run = Run::of(home.config().arg("--list"));
    run.ends_with(0);
    assert_snapshot!(run.stdout, @r"
    production             CentOS Stream's packages on gitlab.com
    staging                Copies of a few packages to try the bot on, with their CI files carried to dist-git
    centos-stream-staging  A copy of CentOS Stream's packages, prepared and not in use
    ");
    let listed = Run::of(home.config().args(["--list", "--output", "json"])).json();
    let names: Vec<&str> = listed["presets"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["production", "staging", "centos-stream-staging"]);
    Run::of(home.config().args(["--list", "--validate"])).ends_with(2);
    Run::of(home.config().args(["--schema", "--validate"])).ends_with(2);
}

#[test]
fn no_secret_is_told() {
    let secrets = [
        "glpat-aaaaaaaaaaaaaaaa",
        "glptt-bbbbbbbbbbbbbbbb",
        "cccccccccccccccccccccccc",
        "dddddddddddddddd",
        "glpat-eeeeeeeeeeeeeeee",
    ];
    let home = Home::new("extends: production\ngitlab: {url: 'https://bot:glpat-aaaaaaaaaaaaaaaa@gitlab.com'}\n");
    for arguments in [&[][..], &["--validate"], &["--output", "json"], &["--validate", "--output", "json"]] {
        for instance in ["production", "instance.yaml"] {
            let mut command = home.config();
            for (name, secret) in
                ["SGB_TOKEN", "SGB_TRIGGER_TOKEN", "SGB_WEBHOOK_SECRET", "SGB_WEBHOOK_TOKEN", "SGB_OPERATOR_TOKEN"]
                    .iter()
                    .zip(secrets)
            {
                command.env(name, secret);
            }
            command.env("SGB_PROXY", "http://p:glpat-aaaaaaaaaaaaaaaa@proxy.example.com");
            let run = Run::of(command.args(["--instance", instance]).args(arguments));
            run.ends_with(2);
            for secret in secrets {
                assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{arguments:?}: {secret}");
            }
        }
    }
}

/// The example in the guide's page on instances.
fn readme_example() -> String {
    let page = read("docs/instances.md");
    let (_, example) = page.split_once("```yaml\n").unwrap();
    example.split_once("```").unwrap().0.to_owned()
}

const SCHEMA: &str = "docs/instance.schema.json";

#[test]
fn the_published_schema_is_the_programs() {
    let run = Run::of(Home::new("").config().arg("--schema"));
    run.ends_with(0);
    let fresh = read(SCHEMA) == run.stdout;
    assert!(fresh, "run this: cargo run --quiet -- config --schema > {SCHEMA}");
}

const AJV: &str = r#"
import {createRequire} from "node:module";
import {readFileSync} from "node:fs";
const require = createRequire(process.cwd() + "/");
const Ajv = require("ajv/dist/2020").default;
const yaml = require("js-yaml");
const {schema, files} = JSON.parse(readFileSync(0, "utf8"));
const validate = new Ajv({allowUnionTypes: true}).compile(schema);
const judge = (file) => validate(typeof file === "string" ? yaml.load(file) : file);
process.stdout.write(JSON.stringify(files.map(judge)));
"#;

/// What ajv says of each file by the published schema: of a text as YAML, or of data. The schema itself has to be good by
/// the dialect's own.
fn judged(files: &[Value]) -> Vec<bool> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates");
    assert!(directory.join("node_modules").exists(), "tests/run installs ajv");
    let mut node = Command::new("node");
    let node = node.args(["--input-type=module", "-e", AJV]).current_dir(directory);
    let mut node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let schema: Value = serde_json::from_str(&read(SCHEMA)).unwrap();
    let asked = json!({"schema": schema, "files": files}).to_string();
    node.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Holds what the schema and what the program say of files against what is expected of both.
#[track_caller]
fn judge(files: &[&str], by_schema: bool, by_program: bool) {
    let judged = judged(&files.iter().map(|yaml| json!(yaml)).collect::<Vec<_>>());
    for (yaml, judged) in files.iter().zip(judged) {
        let home = Home::new(yaml);
        let program = Instance::load(home.path("instance.yaml").to_str().unwrap(), &Environment::default());
        assert_eq!(judged, by_schema, "the schema on: {yaml}");
        assert_eq!(program.is_ok(), by_program, "the program on: {yaml} {program:?}");
    }
}

#[test]
fn the_schema_takes_what_the_program_takes() {
    let example = readme_example();
    let presets = PRESETS.map(|preset| preset.yaml);
    let mut files = vec![&*example];
    files.extend(presets);
    files.extend([
        "extends: production\n",
        "extends: staging\ngitlab:\n  timeout:\nlabel:\nforks:\ntargets:\nresults:\nnamespaces:\n",
        "extends: production\ngitlab: {url: 'http://[::1]:80/a/b', proxy: 'http://p', timeout: 600, ca_file: /a b.pem}\n",
        "gitlab: {url: 'https://x'}\nnamespaces: [{source_git: a, dist_git: b, copy_of: {source_git: c, dist_git: d}}]\n",
        "gitlab: {url: 'https://x'}\nnamespaces: [{source_git: a, dist_git: b, copy_of: }]\n",
        "extends: production\nforks: {group: a/b}\n",
        "extends: production\nforks: dist-git\n",
        "extends: production\ntargets: [{}, {project: 'a/(b|c)', branch: }, {branch: '(?i)MAIN'}]\n",
        "extends: production\nlabel: 'source git'\n",
        "extends: production\nlabel: ''\n",
        "extends: production\nkeep_branches: 3650\nwebhook_tokens: required\nci_files: source-git\n",
        "extends: production\nbot_project: a/b.c/d\ntest_package: _x.y-z\n",
    ]);
    judge(&files, true, true);
}

#[test]
fn the_schema_refuses_what_the_program_refuses() {
    judge(
        &[
            "",
            "[]",
            "text",
            "1: x\n",
            "extends:\n",
            "extends: other.yaml\n",
            "gitlab: {url: 'https://x'}\n",
            "gitlab:\nnamespaces: [{source_git: a, dist_git: b}]\n",
            "gitlab: {url: }\nnamespaces: [{source_git: a, dist_git: b}]\n",
            "namespaces: [{source_git: a, dist_git: b}]\n",
            "extends: production\ntarget: []\n",
            "extends: production\ngitlab: {colour: x}\n",
            "extends: production\ngitlab: https://x\n",
            "extends: production\ngitlab: {url: gitlab.com}\n",
            "extends: production\ngitlab: {url: 'ssh://x'}\n",
            "extends: production\ngitlab: {url: 'https://a:b@x'}\n",
            "extends: production\ngitlab: {url: 'https://a@x'}\n",
            "extends: production\ngitlab: {url: 'https://x/?t=1'}\n",
            "extends: production\ngitlab: {url: 'https://x#y'}\n",
            "extends: production\ngitlab: {proxy: 'http://u:p@x'}\n",
            "extends: production\ngitlab: {ca_file: ''}\n",
            "extends: production\ngitlab: {timeout: 0}\n",
            "extends: production\ngitlab: {timeout: 601}\n",
            "extends: production\ngitlab: {timeout: 1.5}\n",
            "extends: production\ngitlab: {timeout: '75'}\n",
            "extends: production\nnamespaces: []\n",
            "extends: production\nnamespaces: {source_git: a, dist_git: b}\n",
            "extends: production\nnamespaces: [{source_git: a}]\n",
            "extends: production\nnamespaces: [{source_git: a, dist_git: }]\n",
            "extends: production\nnamespaces: [{source_git: a/, dist_git: b}]\n",
            "extends: production\nnamespaces: [{source_git: a, dist_git: b, copy: c}]\n",
            "extends: production\nnamespaces: [{source_git: a, dist_git: b, copy_of: {source_git: c}}]\n",
            "extends: production\nnamespaces: [a]\n",
            "extends: production\nforks: nowhere\n",
            "extends: production\nforks: []\n",
            "extends: production\nforks: {}\n",
            "extends: production\nforks: {group: ../x}\n",
            "extends: production\nforks: {groups: x}\n",
            "extends: production\ntargets: c9s\n",
            "extends: production\ntargets: [c9s]\n",
            "extends: production\ntargets: [null]\n",
            "extends: production\ntargets: [{branch: 9}]\n",
            "extends: production\ntargets: [{branches: c9s}]\n",
            "extends: production\nci_files: both\n",
            "extends: production\nresults: all\n",
            "extends: production\nresults: true\n",
            "extends: production\nlabel: 'a,b'\n",
            "extends: production\nlabel: ' a'\n",
            "extends: production\nlabel: 'a '\n",
            "extends: production\nlabel: \"a\\tb\\n\"\n",
            "extends: production\nlabel: 7\n",
            "extends: production\nwebhook_tokens: true\n",
            "extends: production\nbot_project: bot\n",
            "extends: production\nbot_project: https://x/y/z\n",
            "extends: production\ntest_package: src/bash\n",
            "extends: production\ntest_package: bash.git\n",
            "extends: production\ntest_package: ..\n",
            "extends: production\ntest_package: ''\n",
            "extends: production\nkeep_branches: 0\n",
            "extends: production\nkeep_branches: -1\n",
            &format!("extends: production\nlabel: {}\n", "x".repeat(256)),
        ],
        false,
        false,
    );
}

#[test]
fn some_things_the_program_alone_refuses() {
    judge(
        &[
            "extends: production\nnamespaces: [{source_git: a, dist_git: a/b}]\n",
            "extends: production\nnamespaces: [{source_git: a, dist_git: b, copy_of: {source_git: a, dist_git: c}}]\n",
            "extends: production\ntargets: [{branch: '('}]\n",
            "extends: production\nlabel: \"a\\u202eb\"\n",
            &format!("extends: production\n#{}\n", "x".repeat(16 << 10)),
        ],
        true,
        false,
    );
}

#[test]
fn the_schemas_pattern_for_namespaces_is_the_programs() {
    let alphabet = ["a", "-", ".", "_", "/"];
    let mut texts = vec![String::new()];
    let mut longest = texts.clone();
    for _ in 0..5 {
        longest = longest.iter().flat_map(|text| alphabet.map(|letter| format!("{text}{letter}"))).collect();
        texts.extend(longest.iter().cloned());
    }
    texts.extend(["a\n", "é", "a b", "a/../b", "A9"].map(str::to_owned));
    let files = texts.iter().map(|text| json!({"extends": "production", "forks": {"group": text}}));
    let judged = judged(&files.collect::<Vec<_>>());
    assert!(judged.contains(&true) && judged.len() == texts.len());
    for (text, judged) in texts.iter().zip(judged) {
        assert_eq!(text.parse::<Namespace>().is_ok(), judged, "{text:?}");
    }
}
