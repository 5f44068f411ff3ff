//! Runs git commands in a controlled environment, with a deadline and with bounded output.
//!
//! Nothing else in the program starts a process. For the variables see git(1), ENVIRONMENT VARIABLES; for git's
//! configuration see git-config(1), FILES.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::io::{IsTerminal as _, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use bstr::ByteSlice as _;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, prlimit};
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;
use wait_timeout::ChildExt as _;

use crate::types::Refusal;
use crate::types::error::{Context as _, Result, bail};
use crate::types::text::printable;

/// The default deadline of a git command. Only a repository built to exhaust the bot needs longer.
const DEADLINE: Duration = Duration::from_secs(600);

/// The default limit of what a command may print, in bytes.
const OUTPUT_LIMIT: usize = 64 << 20;

/// How many bytes of standard error are kept.
const STDERR_LIMIT: usize = 64 << 10;

/// Variables that tie git to one repository, as `git rev-parse --local-env-vars` lists them.
const REPOSITORY_VARIABLES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// The environment variables and configuration that git starts with.
#[derive(Clone, Debug)]
pub(super) enum GitEnvironment {
    /// Nothing of the caller's: only this search path, and a home with an empty `gitconfig`.
    Isolated { search_path: OsString, home: Arc<TempDir> },
    /// Everything of the caller's, except what ties git to another repository.
    Inherited,
}

/// One call of git; a builder.
pub struct GitCommand {
    environment: GitEnvironment,
    directory: Option<PathBuf>,
    arguments: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
    /// Configuration that is passed in the environment, because everybody on the machine can see arguments.
    configuration: Vec<(String, String)>,
    /// What is masked in the command's standard error.
    secrets: Vec<SecretString>,
    input: Vec<u8>,
    output_limit: usize,
    deadline: Duration,
    process_group: ProcessGroup,
    /// The size of the largest file that the command may write, in bytes.
    file_limit: Option<u64>,
}

/// The process group that a command runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProcessGroup {
    /// The program's group, all of which Ctrl-C at a terminal reaches.
    Shared,
    /// A group of its own, so that the processes it starts can be stopped with it.
    Own,
}

impl fmt::Debug for GitCommand {
    /// Omits the configuration, which may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitCommand").field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

/// The exit status and the output of a git command that has ended.
#[derive(Debug)]
pub struct GitOutput {
    pub status: ExitStatus,
    /// Standard output, up to the limit.
    pub stdout: Vec<u8>,
    /// Whether the command printed more than the limit. It was stopped in that case.
    pub truncated: bool,
    /// Standard error as one printable line with secrets masked; only its beginning where it is long.
    pub stderr: String,
}

impl GitCommand {
    pub(super) fn new(environment: GitEnvironment) -> Self {
        Self {
            environment,
            directory: None,
            arguments: Vec::new(),
            variables: Vec::new(),
            configuration: Vec::new(),
            secrets: Vec::new(),
            input: Vec::new(),
            output_limit: OUTPUT_LIMIT,
            deadline: DEADLINE,
            process_group: ProcessGroup::Shared,
            file_limit: None,
        }
    }

    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name, value.as_ref().to_owned()));
        self
    }

    /// Sets a configuration variable through the environment (git-config(1), `GIT_CONFIG_COUNT`).
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.configuration.push((key.into(), value.into()));
        self
    }

    /// Masks `secrets` in what the command prints on standard error.
    #[must_use]
    pub fn secrets(mut self, secrets: impl IntoIterator<Item = SecretString>) -> Self {
        self.secrets.extend(secrets);
        self
    }

    /// Runs the command as if it had been started in `directory` (`-C` of git(1)).
    pub(super) fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Sets what the command reads from standard input.
    #[must_use]
    pub fn input(mut self, input: Vec<u8>) -> Self {
        self.input = input;
        self
    }

    /// Sets how many bytes the command may print on standard output.
    #[must_use]
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    /// Sets how long the command may take.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the size in bytes of the largest file that the command, or a process it starts, may write. A process that
    /// writes more dies of SIGXFSZ.
    ///
    /// Only for commands that act on their standard input: the limit is set once the command runs.
    #[must_use]
    pub fn file_limit(mut self, bytes: u64) -> Self {
        self.file_limit = Some(bytes);
        self
    }

    /// Stops the processes that the command has started too, if the command runs into its deadline: `git push` talks to
    /// the server through another process, which has the token and would carry on.
    ///
    /// Does nothing at a terminal: Ctrl-C reaches the foreground process group only, and would leave git running.
    #[must_use]
    pub fn stop_with_children(mut self) -> Self {
        if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
            self.process_group = ProcessGroup::Own;
        }
        self
    }

    /// Runs the command and returns its standard output.
    ///
    /// Any exit status but 0 is an error with git's standard error, and so is output beyond the limit.
    pub fn output(self) -> Result<Vec<u8>> {
        let subcommand = self.subcommand();
        let output = self.run()?;
        if output.truncated {
            bail!("`git {subcommand}` prints more than expected");
        }
        if !output.status.success() {
            bail!("`git {subcommand}` failed ({}): {}", output.status, output.stderr);
        }
        Ok(output.stdout)
    }

    /// Like [`GitCommand::output`], for lists whose length a contributor controls.
    ///
    /// A list that is longer than the limit is refused with `too_long`. Directories that are nested deeper than git
    /// accepts are refused too.
    pub fn output_or_refusal(self, too_long: &Refusal) -> Result<Vec<u8>> {
        let subcommand = self.subcommand();
        let output = self.run()?;
        if output.truncated {
            bail!(too_long.clone());
        }
        if output.stderr.contains("maximum allowed tree depth") {
            let text = "a commit holds directories that are nested deeper than git takes";
            bail!(Refusal::new(text, "take them out of the branch, and out of its history"));
        }
        if !output.status.success() {
            bail!("`git {subcommand}` failed ({}): {}", output.status, output.stderr);
        }
        Ok(output.stdout)
    }

    /// Runs the command to its end and returns its output, whatever its exit status.
    ///
    /// It is an error if git cannot be started or misses its deadline.
    pub fn run(self) -> Result<GitOutput> {
        let subcommand = self.subcommand();
        tracing::trace!(arguments = ?self.arguments, "git");
        let mut child = self.spawn().with_context(|| format!("starting git on the search path ({subcommand})"))?;
        if let Some(bytes) = self.file_limit {
            // The processes that git starts inherit the limit. git starts none before it has read its input, which is
            // written only after this. A git that has ended already needs no limit.
            let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
            if let Err(error) = prlimit(Some(Pid::from_child(&child)), Resource::Fsize, limit) {
                tracing::debug!("limiting what `git {subcommand}` writes: {error}");
            }
        }
        let reader = child.stdout.take().map(|pipe| {
            let limit = self.output_limit;
            thread::spawn(move || read_up_to(pipe, limit))
        });
        let stderr_reader = child.stderr.take().map(|pipe| thread::spawn(move || read_up_to(pipe, STDERR_LIMIT)));
        let writer = child.stdin.take().map(|mut pipe| {
            let input = self.input;
            // Ignore a failed write: a command that ends before it has read everything says why on standard error.
            thread::spawn(move || drop(pipe.write_all(&input)))
        });
        let status = child.wait_timeout(self.deadline).with_context(|| format!("waiting for `git {subcommand}`"))?;
        let Some(status) = status else {
            if self.process_group == ProcessGroup::Own {
                // Nobody has waited for the group's leader yet, so its process id cannot belong to another process.
                if let Err(error) = kill_process_group(Pid::from_child(&child), Signal::KILL) {
                    tracing::debug!("stopping all that `git {subcommand}` has started: {error}");
                }
            }
            child.kill().with_context(|| format!("stopping `git {subcommand}`"))?;
            child.wait().with_context(|| format!("waiting for `git {subcommand}`"))?;
            // This error gives exit status 1. Not 5, because a retry would take just as long. Not 3 either, because the
            // cause may be the server, or a merge request made to be slow: a person has to find out which.
            bail!("`git {subcommand}` took longer than {} s and was stopped", self.deadline.as_secs());
        };
        if let Some(writer) = writer {
            drop(writer.join());
        }
        let (stdout, truncated) = join_reader(reader)?;
        let (mut stderr, cut) = join_reader(stderr_reader)?;
        if cut {
            // The last line may end inside a secret, which would then not be masked.
            stderr.truncate(stderr.rfind_byte(b'\n').unwrap_or_default());
        }
        let stderr = masked(&stderr, &self.secrets);
        let lines = stderr.lines().filter(|line| !line.trim().is_empty()).map(printable);
        Ok(GitOutput { status, stdout, truncated, stderr: lines.collect::<Vec<_>>().join("; ") })
    }

    /// Returns the subcommand, for messages. Other arguments may hold text of a contributor and are never shown.
    fn subcommand(&self) -> String {
        let mut arguments = self.arguments.iter().map(|argument| argument.to_string_lossy());
        while let Some(argument) = arguments.next() {
            match &*argument {
                "-c" => drop(arguments.next()),
                option if option.starts_with('-') && option != "--version" => {}
                name => return name.to_owned(),
            }
        }
        String::new()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that starts git")]
    fn spawn(&self) -> io::Result<Child> {
        let mut command = Command::new("git");
        match &self.environment {
            GitEnvironment::Isolated { search_path, home } => {
                let home = home.path();
                command
                    .env_clear()
                    .env("PATH", search_path)
                    .env("HOME", home)
                    .env("LC_ALL", "C")
                    .env("GIT_CONFIG_NOSYSTEM", "1")
                    .env("GIT_CONFIG_GLOBAL", home.join("gitconfig"))
                    .env("GIT_ATTR_NOSYSTEM", "1")
                    .env("GIT_NO_REPLACE_OBJECTS", "1")
                    .env("GIT_NO_LAZY_FETCH", "1")
                    .env("GIT_OPTIONAL_LOCKS", "0")
                    .env("GIT_TERMINAL_PROMPT", "0");
            }
            GitEnvironment::Inherited => {
                // git sets these for what it starts, such as hooks. They would lead to another repository.
                for name in REPOSITORY_VARIABLES {
                    command.env_remove(name);
                }
            }
        }
        if !self.configuration.is_empty() {
            command.env("GIT_CONFIG_COUNT", self.configuration.len().to_string());
        }
        for (number, (key, value)) in self.configuration.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{number}"), key).env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        if let Some(directory) = &self.directory {
            command.arg("-C").arg(directory);
        }
        if self.process_group == ProcessGroup::Own {
            command.process_group(0);
        }
        command
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

/// Returns `text` with `secrets` masked. Mask before shortening: a secret that is cut in two is not found.
pub(super) fn masked(text: &[u8], secrets: &[SecretString]) -> Vec<u8> {
    let secrets = secrets.iter().map(|secret| secret.expose_secret().as_bytes()).filter(|secret| !secret.is_empty());
    secrets.fold(text.to_owned(), |text, secret| text.replace(secret, b"[MASKED]"))
}

/// The bytes that were read from a pipe, and whether there were more.
type BoundedRead = io::Result<(Vec<u8>, bool)>;

/// Reads to the end, or up to `limit` bytes. Then it closes the pipe, which stops the writer.
fn read_up_to(pipe: impl Read, limit: usize) -> BoundedRead {
    let mut bytes = Vec::new();
    pipe.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    let truncated = bytes.len() > limit;
    bytes.truncate(limit);
    Ok((bytes, truncated))
}

fn join_reader(reader: Option<thread::JoinHandle<BoundedRead>>) -> Result<(Vec<u8>, bool)> {
    let Some(reader) = reader else { return Ok((Vec::new(), false)) };
    let read = reader.join().map_err(|_| anyhow!("the thread that reads from git ended early"))?;
    read.context("reading what git prints")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Returns the environment of a git that runs `script`, and the directory that is `$HERE` in it, with the pipe
    /// `said`.
    fn stand_in(script: &str) -> (GitEnvironment, TempDir) {
        let home = TempDir::new().unwrap();
        let here = home.path().display();
        let text = format!(
            "#!/bin/sh\nHERE='{here}'\nif [ \"$1\" = --version ]; then mkfifo $HERE/said; echo git version 2.45.0; exit; fi\n{script}\n"
        );
        let path = home.path().join("git");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let search_path = OsString::from(format!("{here}:/usr/local/bin:/usr/bin:/bin"));
        let git = GitEnvironment::Isolated { search_path, home: Arc::new(TempDir::new().unwrap()) };
        GitCommand::new(git.clone()).arg("--version").output().unwrap();
        (git, home)
    }

    #[test]
    fn what_a_stopped_command_has_started_stops_too() {
        let (git, home) = stand_in("(exec 9>$HERE/said; tail -f /dev/null; echo alive >&9) & wait");
        let said = home.path().join("said");
        // Reading ends when no process is left that could write.
        let last_words = thread::spawn(move || fs::read_to_string(said).unwrap());
        let mut command = GitCommand::new(git).arg("push").deadline(Duration::from_secs(1));
        // The test may run at a terminal.
        command.process_group = ProcessGroup::Own;
        let error = command.run().unwrap_err();
        assert!(error.to_string().contains("took longer than 1 s"), "{error:#}");
        assert_eq!(last_words.join().unwrap(), "");
    }

    #[test]
    fn a_command_writes_no_larger_file_than_it_may() {
        let (git, home) = stand_in("read go; head -c 3000000 /dev/zero >$HERE/large");
        let finished = GitCommand::new(git).arg("fetch").input(b"go\n".to_vec()).file_limit(1 << 20).run().unwrap();
        assert!(!finished.status.success());
        assert_eq!(fs::metadata(home.path().join("large")).unwrap().len(), 1 << 20);
    }

    #[test]
    fn a_secret_is_masked_before_it_is_cut() {
        let secret = "s3cr3t-".repeat(10);
        let (git, _home) = stand_in(&format!("echo {}{secret} >&2; exit 1", "x".repeat(170)));
        let finished = GitCommand::new(git).arg("fetch").secrets([SecretString::from(secret.clone())]).run().unwrap();
        assert!(finished.stderr.ends_with("xxx[MASKED]"), "{}", finished.stderr);
        // The limit of what is kept falls inside the secret.
        let script = format!("echo first >&2; printf %{}s{secret} x >&2; exit 1", STDERR_LIMIT - 20);
        let (git, _home) = stand_in(&script);
        let finished = GitCommand::new(git).arg("fetch").secrets([SecretString::from(secret)]).run().unwrap();
        assert_eq!(finished.stderr, "first");
    }
}
