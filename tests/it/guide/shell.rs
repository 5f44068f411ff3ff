//! The shell in which a reader types: bash, with the built program on its path, and what was exported, and where one
//! stands, kept from line to line.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::page::Line;
use crate::support::Run;

/// Runs a line where the one before ended.
const SESSION: &str = r#"
. "$0/variables"
cd "$(cat "$0/directory")" || exit 99
trap 'status=$?; export -p >"$0/variables"; pwd >"$0/directory"; exit $status' EXIT
eval "$1"
"#;

pub(super) struct Shell {
    home: TempDir,
    state: TempDir,
    /// What the page writes for something that only a reader can know, and what stands there here.
    stands_for: Vec<(String, String)>,
    /// What is typed where lines read it, in this order.
    typed: VecDeque<String>,
    secrets: Vec<String>,
    /// What the line before printed.
    printed: String,
}

impl Shell {
    pub(super) fn new() -> Self {
        let (home, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        fs::create_dir(state.path().join("bin")).unwrap();
        fs::create_dir_all(home.path().join(".local/share/bash-completion/completions")).unwrap();
        symlink(env!("CARGO_BIN_EXE_source-git-bot"), state.path().join("bin/source-git-bot")).unwrap();
        fs::write(state.path().join("variables"), "").unwrap();
        let shell = Self {
            home,
            state,
            stands_for: Vec::new(),
            typed: VecDeque::new(),
            secrets: Vec::new(),
            printed: String::new(),
        };
        shell.stand_in(shell.home.path());
        shell.write(".gitconfig", "[user]\nname = A Packager\nemail = packager@example.com\n");
        shell
    }

    pub(super) fn stand_in(&self, directory: &Path) {
        fs::write(self.state.path().join("directory"), directory.to_str().unwrap()).unwrap();
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.home.path().join(file)
    }

    /// Writes a file in the home directory, where the shell stands at first.
    pub(super) fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    /// Exports a variable.
    pub(super) fn export(&self, name: &str, value: &str) {
        let file = self.state.path().join("variables");
        let mut variables = fs::OpenOptions::new().append(true).open(file).unwrap();
        writeln!(variables, "declare -x {name}='{value}'").unwrap();
    }

    /// From now on, this stands where the page writes that.
    pub(super) fn stands_for(&mut self, written: &str, value: &str) {
        self.stands_for.retain(|(known, _)| known != written);
        self.stands_for.push((written.to_owned(), value.to_owned()));
    }

    /// What the line before printed stands where the page writes the beginning of a webhook token.
    pub(super) fn put_token(&mut self) {
        assert!(self.printed.starts_with("eyJ"), "{}", self.printed);
        self.stands_for("eyJ…", &self.printed.clone());
    }

    /// This value is printed by no line.
    pub(super) fn keep_secret(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    /// What the next line that reads is given, or the one after those that have something already.
    pub(super) fn type_in(&mut self, text: &str) {
        self.typed.push_back(format!("{text}\n"));
    }

    /// What the line before printed.
    pub(super) fn printed(&self) -> &str {
        &self.printed
    }

    /// Runs a line, which ends as the page promises.
    pub(super) fn run(&mut self, line: &Line, page: &Path) -> Run {
        let text = self.stands_for.iter().fold(line.text.clone(), |text, (from, to)| text.replace(from, to));
        let path = [self.state.path().join("bin").into_os_string(), std::env::var_os("PATH").unwrap()];
        let mut bash = Command::new("bash");
        bash.args(["-c", SESSION]).arg(self.state.path()).arg(&text).stdin(Stdio::piped());
        bash.env_clear()
            .env("PATH", path.join(OsStr::new(":")))
            .env("HOME", self.home.path())
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("SGB_TEST_NO_PAUSES", "1");
        let mut child = bash.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let typed = if text.starts_with("read ") { self.typed.pop_front().unwrap() } else { String::new() };
        child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
        let run = Run { status: output.status.code(), stdout, stderr };
        let place = format!("{}:{}: {text}", page.display(), line.number);
        assert_eq!(run.status, Some(line.status), "{place}\n{}{}", run.stdout, run.stderr);
        for secret in &self.secrets {
            assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "a token is told: {place}");
        }
        self.printed = run.stdout.trim_end().to_owned();
        run
    }
}
