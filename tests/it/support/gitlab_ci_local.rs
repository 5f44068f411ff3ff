//! A project with a CI configuration, read and run by gitlab-ci-local as GitLab and its runners would. `tests/run` installs it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// What a template's comment gives as an example of its use.
pub(crate) fn example(template: &str) -> String {
    let text = read(&format!("ci-templates/{template}.yml"));
    let lines = text.lines().skip_while(|line| *line != "#   include:").take_while(|line| *line != "#");
    lines.map(|line| line.strip_prefix("#   ").unwrap().to_owned() + "\n").collect()
}

/// A project with a CI configuration, and the bot's templates as GitLab fetches them for `include: project` and for
/// components: what gitlab-ci-local has fetched it keeps there.
pub(crate) struct Project(TempDir);

impl Project {
    pub(crate) fn new(configuration: &str) -> Self {
        let project = Self(TempDir::new().unwrap());
        for directory in ["ci-templates", "templates"] {
            for entry in fs::read_dir(repository().join(directory)).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_file() {
                    let name = entry.file_name().into_string().unwrap();
                    let fetched =
                        format!(".gitlab-ci-local/includes/gitlab.com/group/source-git-bot/v0.1.0/{directory}");
                    project.write(&format!("{fetched}/{name}"), &fs::read_to_string(entry.path()).unwrap());
                }
            }
        }
        project.write(".gitlab-ci.yml", configuration);
        project.git(&["init", "--quiet", "--initial-branch=main"]);
        project.git(&["remote", "add", "origin", "https://gitlab.com/group/project.git"]);
        project.track(".gitlab-ci.yml");
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=T", "-c", "user.email=t@example.com"]).args(arguments).current_dir(self.path());
        assert!(command.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap().status.success(), "{arguments:?}");
    }

    /// Commits a file: only then GitLab sees it.
    pub(crate) fn track(&self, name: &str) {
        self.git(&["add", name]);
        self.git(&["commit", "--quiet", "--message=Add a file"]);
    }

    fn node(&self, script: &str) -> Command {
        let script = repository().join("tests/templates").join(script);
        assert!(repository().join("tests/templates/node_modules").exists(), "tests/run installs gitlab-ci-local");
        let mut command = Command::new("node");
        command.arg(script).current_dir(self.path());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path())
            .env("NO_COLOR", "1");
        command
    }

    /// The jobs of the pipeline for each situation, as `stage/name`, with `when` where it is not `on_success`; nothing
    /// where no pipeline is made.
    pub(crate) fn jobs(&self, situations: &[Situation]) -> Vec<Vec<String>> {
        let jobs = |answer: &Value| {
            assert_eq!(answer["error"], Value::Null);
            let created = answer["created"].as_bool().unwrap();
            answer["jobs"].as_array().unwrap().iter().filter(|_| created).map(shown).collect()
        };
        self.answers(situations).iter().map(jobs).collect()
    }

    pub(crate) fn answers(&self, situations: &[Situation]) -> Vec<Value> {
        let asked = situations.iter().enumerate().map(|(number, Situation(variables))| {
            let unset = ["CI_COMMIT_BRANCH", "CI_COMMIT_TAG"].iter().filter(|name| !variables.contains_key(**name));
            // The schema does not look at the situation.
            json!({"variables": variables, "unset": unset.collect::<Vec<_>>(), "schema": number == 0})
        });
        let asked = Value::Array(asked.collect()).to_string();
        let mut node = self.node("jobs.mjs");
        let mut node = node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        node.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
        let output = node.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a job's script as a runner with the shell executor does; the program and git are on its PATH.
    pub(crate) fn run(&self, job: &str, situation: &Situation, secrets: &[(&str, &str)]) -> std::process::Output {
        let mut command = self.node("node_modules/gitlab-ci-local/src/index.js");
        command.args([job, "--force-shell-executor", "--no-json-schema-validation"]);
        for name in ["CI_COMMIT_BRANCH", "CI_COMMIT_TAG"].iter().filter(|name| !situation.0.contains_key(**name)) {
            command.args(["--unset-variable", name]);
        }
        for (name, value) in &situation.0 {
            command.args(["--variable", &format!("{name}={value}")]);
        }
        let program = Path::new(env!("CARGO_BIN_EXE_source-git-bot")).parent().unwrap().to_owned();
        let old = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(std::iter::once(program).chain(std::env::split_paths(&old))).unwrap();
        command.env("PATH", path).env("SGB_TEST_NO_PAUSES", "1").envs(secrets.iter().copied());
        command.output().unwrap()
    }
}

fn shown(job: &Value) -> String {
    let text = |key: &str| job[key].as_str().unwrap();
    let when = if text("when") == "on_success" { String::new() } else { format!(" {}", text("when")) };
    let may_fail = match &job["allow_failure"] {
        Value::Bool(true) => " (may fail)".to_owned(),
        Value::Bool(false) => String::new(),
        codes => format!(" (may fail with {})", codes["exit_codes"]),
    };
    format!("{}/{}{when}{may_fail}", text("stage"), text("name"))
}

/// The variables that GitLab predefines for a pipeline, as far as rules look at them ("Predefined CI/CD variables").
#[derive(Clone, Debug)]
pub(crate) struct Situation(BTreeMap<String, String>);

impl Situation {
    /// A pipeline of this source in a project.
    pub(crate) fn of(source: &str, project: &str) -> Self {
        let (namespace, _) = project.rsplit_once('/').unwrap();
        let given = [("CI_PIPELINE_SOURCE", source), ("CI_PROJECT_PATH", project), ("CI_PROJECT_NAMESPACE", namespace)];
        Self(BTreeMap::new()).and(&given).and(&[("CI_PROJECT_ID", &number(project))])
    }

    pub(crate) fn and(mut self, variables: &[(&str, &str)]) -> Self {
        self.0.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// A push to a branch, or a pipeline of another source for one.
    pub(crate) fn branch(source: &str, project: &str, branch: &str) -> Self {
        Self::of(source, project).and(&[("CI_COMMIT_BRANCH", branch)])
    }

    pub(crate) fn tag(project: &str) -> Self {
        Self::of("push", project).and(&[("CI_COMMIT_TAG", "v1.0")])
    }

    /// The pipeline in a project for a merge request of a branch into `target`.
    pub(crate) fn merge_request(project: &str, target: &str, branch: &str) -> Self {
        Self::of("merge_request_event", project).and(&[
            ("CI_MERGE_REQUEST_IID", "7"),
            ("CI_MERGE_REQUEST_PROJECT_ID", &number(target)),
            ("CI_MERGE_REQUEST_PROJECT_PATH", target),
            ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", branch),
            ("CI_OPEN_MERGE_REQUESTS", &format!("{target}!7")),
        ])
    }

    pub(crate) fn with_open_merge_request(self) -> Self {
        self.and(&[("CI_OPEN_MERGE_REQUESTS", "group/project!7")])
    }
}

/// Some number, another for another project.
fn number(project: &str) -> String {
    project.bytes().fold(0u32, |sum, byte| sum * 3 % 100_003 + u32::from(byte)).to_string()
}
