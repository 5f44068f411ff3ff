//! Starts git, with an environment of our own, a deadline and bounded output.
//!
//! The only place that starts a process. git(1) and its configuration mechanism are described in git(1),
//! ENVIRONMENT VARIABLES, and git-config(1), FILES.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
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

/// The oldest git that works: Debian 12's. It brought `merge-tree --write-tree` (2.38) and
/// `cat-file -z` (2.38); `--attr-source` (2.41) is used where it is there.
pub const OLDEST_GIT: GitVersion = GitVersion { major: 2, minor: 39 };

/// `--attr-source` came with this version; before it, a bare repository without a work tree reads no attributes.
const ATTR_SOURCE_GIT: GitVersion = GitVersion { major: 2, minor: 41 };

/// SHA-1 of the empty tree, which git knows without having it.
pub const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// How long one git command may take, unless it says otherwise. Only a repository built to exhaust us needs longer.
const DEADLINE: Duration = Duration::from_secs(600);

/// How much a command may print, unless it says otherwise.
const OUTPUT_LIMIT: usize = 64 << 20;

/// How much of what git says on standard error is kept.
const STDERR_LIMIT: usize = 64 << 10;

/// What `git rev-parse --local-env-vars` lists: variables that tie git to one repository.
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

/// A version of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitVersion {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl GitVersion {
    /// Reads what `git --version` prints: `git version 2.39.5`, with more behind it on some systems.
    fn parse(output: &str) -> Option<Self> {
        let mut numbers = output.strip_prefix("git version ")?.split(['.', ' ', '-']);
        Some(Self { major: numbers.next()?.trim().parse().ok()?, minor: numbers.next()?.trim().parse().ok()? })
    }
}

impl fmt::Display for GitVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A git that works, with an empty home of its own.
#[derive(Clone, Debug)]
pub struct Git {
    version: GitVersion,
    search_path: OsString,
    home: Arc<TempDir>,
}

impl Git {
    /// Finds git on `search_path` (the variable `PATH`) and checks its version.
    pub fn find(search_path: &OsStr) -> Result<Self> {
        let home = TempDir::with_prefix("source-git-bot-home-").context("making a temporary directory")?;
        fs::write(home.path().join("gitconfig"), "").context("making an empty git configuration")?;
        let oldest = GitVersion { major: 0, minor: 0 };
        let git = Self { version: oldest, search_path: search_path.to_owned(), home: Arc::new(home) };
        let output = git.anywhere().arg("--version").output()?;
        let output = String::from_utf8_lossy(&output);
        let version = GitVersion::parse(&output)
            .ok_or_else(|| anyhow!("`git --version` says {}, which is no version", printable(output.as_bytes())))?;
        if version < OLDEST_GIT {
            bail!("git {version} is too old: install git {OLDEST_GIT} or newer");
        }
        Ok(Self { version, ..git })
    }

    /// A command outside any repository.
    pub fn anywhere(&self) -> GitCommand {
        GitCommand::new(self)
    }

    /// A command in the bare repository `git_dir`, blind to attributes.
    pub fn in_store(&self, git_dir: &Path) -> GitCommand {
        let mut command = GitCommand::new(self).env("GIT_DIR", git_dir);
        if self.version >= ATTR_SOURCE_GIT {
            command = command.arg(format!("--attr-source={EMPTY_TREE}"));
        }
        command
    }

    /// A command in the clone that a person keeps at `directory`, with that clone's configuration and nobody else's.
    pub fn in_clone(&self, directory: &Path) -> GitCommand {
        // The person named this directory: whose files they are is not for git to question here.
        GitCommand::new(self).arg("-c").arg("safe.directory=*").directory(directory)
    }

    /// A command in the clone that a person keeps at `directory`, as if they had typed it: with their configuration,
    /// identity and hooks.
    pub fn as_person(&self, directory: &Path) -> GitCommand {
        let mut command = GitCommand::new(self).directory(directory);
        command.environment = Environment::Inherited;
        command
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Environment {
    Ours,
    Inherited,
}

/// One call of git, as it is put together.
pub struct GitCommand {
    git: Git,
    environment: Environment,
    directory: Option<PathBuf>,
    arguments: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
    /// Configuration that is handed over by the environment, since an argument can be seen by everybody.
    configuration: Vec<(String, String)>,
    /// What the command knows and may not say.
    secrets: Vec<SecretString>,
    input: Vec<u8>,
    output_limit: usize,
    deadline: Duration,
    group: Group,
    /// How large a file the command may write, in bytes.
    file_limit: Option<u64>,
}

/// Which process group a command runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// The program's, which Ctrl-C at a terminal reaches as a whole.
    Shared,
    /// One of its own, so that what it starts ends with it.
    Own,
}

impl fmt::Debug for GitCommand {
    /// Leaves out the configuration, which may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitCommand").field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

/// How a call ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit status.
    pub status: ExitStatus,
    /// Standard output, up to the limit.
    pub stdout: Vec<u8>,
    /// Whether the command printed more than the limit; it was stopped then.
    pub truncated: bool,
    /// Standard error, printable, its beginning where it is long.
    pub stderr: String,
}

impl GitCommand {
    fn new(git: &Git) -> Self {
        Self {
            git: git.clone(),
            environment: Environment::Ours,
            directory: None,
            arguments: Vec::new(),
            variables: Vec::new(),
            configuration: Vec::new(),
            secrets: Vec::new(),
            input: Vec::new(),
            output_limit: OUTPUT_LIMIT,
            deadline: DEADLINE,
            group: Group::Shared,
            file_limit: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name, value.as_ref().to_owned()));
        self
    }

    /// Sets a configuration variable, by the environment (git-config(1), `GIT_CONFIG_COUNT`).
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.configuration.push((key.into(), value.into()));
        self
    }

    /// Names what is masked in all that the command says on standard error.
    #[must_use]
    pub fn secrets(mut self, secrets: impl IntoIterator<Item = SecretString>) -> Self {
        self.secrets.extend(secrets);
        self
    }

    fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Sets what the command reads from standard input.
    #[must_use]
    pub fn input(mut self, input: Vec<u8>) -> Self {
        self.input = input;
        self
    }

    /// Sets how many bytes the command may print.
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

    /// Sets how large a file may be that a command writes which acts on its input, or what it starts then; what writes more
    /// dies of SIGXFSZ.
    #[must_use]
    pub fn file_limit(mut self, bytes: u64) -> Self {
        self.file_limit = Some(bytes);
        self
    }

    /// Has the command stopped with all that it has started, where it is stopped: `git push` talks to the server through
    /// another process, which has the token and would go on.
    ///
    /// Not for a person at a terminal: Ctrl-C reaches the group in the foreground alone, and they would leave git at work.
    #[must_use]
    pub fn stopped_whole(mut self) -> Self {
        if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
            self.group = Group::Own;
        }
        self
    }

    /// Runs the command and returns what it prints; ending with anything but 0 is an error that says what git said.
    pub fn output(self) -> Result<Vec<u8>> {
        let name = self.name();
        let finished = self.run()?;
        if finished.truncated {
            bail!("`git {name}` prints more than expected");
        }
        if !finished.status.success() {
            bail!("`git {name}` failed ({}): {}", finished.status, finished.stderr);
        }
        Ok(finished.stdout)
    }

    /// Like [`GitCommand::output`], for lists whose length is a contributor's: one that is longer than the limit ends with
    /// `too_long`, and directories deeper than git takes with a refusal as well.
    pub fn listing(self, too_long: &Refusal) -> Result<Vec<u8>> {
        let name = self.name();
        let finished = self.run()?;
        if finished.truncated {
            bail!(too_long.clone());
        }
        if finished.stderr.contains("maximum allowed tree depth") {
            let text = "a commit holds directories that are nested deeper than git takes";
            bail!(Refusal::new(text, "take them out of the branch, and out of its history"));
        }
        if !finished.status.success() {
            bail!("`git {name}` failed ({}): {}", finished.status, finished.stderr);
        }
        Ok(finished.stdout)
    }

    /// Runs the command to its end, however it ends.
    pub fn run(self) -> Result<Finished> {
        let name = self.name();
        tracing::trace!(arguments = ?self.arguments, "git");
        let mut child = self.spawn().with_context(|| format!("starting git on the search path ({name})"))?;
        if let Some(bytes) = self.file_limit {
            // What git starts inherits it, and git starts nothing before it has read its input, which comes after this. One
            // that has ended needs none.
            let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
            if let Err(error) = prlimit(Some(Pid::from_child(&child)), Resource::Fsize, limit) {
                tracing::debug!("limiting what `git {name}` writes: {error}");
            }
        }
        let reader = child.stdout.take().map(|pipe| {
            let limit = self.output_limit;
            thread::spawn(move || read_up_to(pipe, limit))
        });
        let complaints = child.stderr.take().map(|pipe| thread::spawn(move || read_up_to(pipe, STDERR_LIMIT)));
        let writer = child.stdin.take().map(|mut pipe| {
            let input = self.input;
            // A command that ends before it has read everything says why on its standard error.
            thread::spawn(move || drop(pipe.write_all(&input)))
        });
        let status = child.wait_timeout(self.deadline).with_context(|| format!("waiting for `git {name}`"))?;
        let Some(status) = status else {
            if self.group == Group::Own {
                // Its leader was not waited for yet, so that the number is still its own.
                if let Err(error) = kill_process_group(Pid::from_child(&child), Signal::KILL) {
                    tracing::debug!("stopping all that `git {name}` has started: {error}");
                }
            }
            child.kill().with_context(|| format!("stopping `git {name}`"))?;
            child.wait().with_context(|| format!("waiting for `git {name}`"))?;
            // Exit status 1, and not 5: whatever took so long takes as long in the next try. Not 3 either: it may be the
            // server, and it may be a merge request built for it. Which of them it is somebody has to look at.
            bail!("`git {name}` took longer than {} s and was stopped", self.deadline.as_secs());
        };
        if let Some(writer) = writer {
            drop(writer.join());
        }
        let (stdout, truncated) = joined(reader)?;
        let (mut stderr, cut) = joined(complaints)?;
        if cut {
            // The last line may end within a secret.
            stderr.truncate(stderr.rfind_byte(b'\n').unwrap_or_default());
        }
        let stderr = masked(&stderr, &self.secrets);
        let lines = stderr.lines().filter(|line| !line.trim().is_empty()).map(printable);
        Ok(Finished { status, stdout, truncated, stderr: lines.collect::<Vec<_>>().join("; ") })
    }

    /// The subcommand, for messages: never an argument that may hold what a contributor wrote.
    fn name(&self) -> String {
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
        if self.environment == Environment::Inherited {
            // Set where git itself started us, such as in a hook: they would lead to another repository.
            for name in REPOSITORY_VARIABLES {
                command.env_remove(name);
            }
        } else {
            let home = self.git.home.path();
            command
                .env_clear()
                .env("PATH", &self.git.search_path)
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
        if !self.configuration.is_empty() {
            command.env("GIT_CONFIG_COUNT", self.configuration.len().to_string());
        }
        for (number, (key, value)) in self.configuration.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{number}"), key).env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        if let Some(directory) = &self.directory {
            command.arg("-C").arg(directory);
        }
        if self.group == Group::Own {
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

/// Returns what was said with `secrets` masked: before any of it is cut.
pub(super) fn masked(said: &[u8], secrets: &[SecretString]) -> Vec<u8> {
    let secrets = secrets.iter().map(|secret| secret.expose_secret().as_bytes()).filter(|secret| !secret.is_empty());
    secrets.fold(said.to_owned(), |said, secret| said.replace(secret, b"[MASKED]"))
}

/// What was read from a pipe, and whether there was more.
type ReadUpTo = io::Result<(Vec<u8>, bool)>;

/// Reads to the end, or to `limit` bytes: then the pipe is closed, which stops the writer.
fn read_up_to(pipe: impl Read, limit: usize) -> ReadUpTo {
    let mut bytes = Vec::new();
    pipe.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    let truncated = bytes.len() > limit;
    bytes.truncate(limit);
    Ok((bytes, truncated))
}

fn joined(reader: Option<thread::JoinHandle<ReadUpTo>>) -> Result<(Vec<u8>, bool)> {
    let Some(reader) = reader else { return Ok((Vec::new(), false)) };
    let read = reader.join().map_err(|_| anyhow!("the thread that reads from git ended early"))?;
    read.context("reading what git prints")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        let version = |text| GitVersion::parse(text).unwrap();
        assert_eq!(version("git version 2.39.5\n"), GitVersion { major: 2, minor: 39 });
        assert_eq!(version("git version 2.50.1 (Apple Git-155)"), GitVersion { major: 2, minor: 50 });
        assert_eq!(version("git version 3.0-rc1"), GitVersion { major: 3, minor: 0 });
        assert!(version("git version 2.9.0") < OLDEST_GIT);
        assert_eq!(GitVersion::parse("git version banana"), None);
        assert_eq!(GitVersion::parse(""), None);
    }

    /// A git that does what `script` says, with a directory of its own at `$HERE` and a pipe, `said`, in it.
    fn stand_in(script: &str) -> (Git, TempDir) {
        let home = TempDir::new().unwrap();
        let here = home.path().display();
        let text = format!(
            "#!/bin/sh\nHERE='{here}'\nif [ \"$1\" = --version ]; then mkfifo $HERE/said; echo git version 2.45.0; exit; fi\n{script}\n"
        );
        let path = home.path().join("git");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let git = Git::find(OsStr::new(&format!("{here}:/usr/local/bin:/usr/bin:/bin"))).unwrap();
        (git, home)
    }

    #[test]
    fn what_a_stopped_command_has_started_stops_too() {
        let (git, home) = stand_in("(exec 9>$HERE/said; sleep 60; echo alive >&9) & wait");
        let said = home.path().join("said");
        // Reading ends where nobody is left who could write.
        let last_words = thread::spawn(move || fs::read_to_string(said).unwrap());
        let mut command = git.anywhere().arg("push").deadline(Duration::from_secs(1));
        // The test may run at a terminal.
        command.group = Group::Own;
        let error = command.run().unwrap_err();
        assert!(error.to_string().contains("took longer than 1 s"), "{error:#}");
        assert_eq!(last_words.join().unwrap(), "");
    }

    #[test]
    fn a_command_writes_no_larger_file_than_it_may() {
        let (git, home) = stand_in("read go; head -c 3000000 /dev/zero >$HERE/large");
        let finished = git.anywhere().arg("fetch").input(b"go\n".to_vec()).file_limit(1 << 20).run().unwrap();
        assert!(!finished.status.success());
        assert_eq!(fs::metadata(home.path().join("large")).unwrap().len(), 1 << 20);
    }

    #[test]
    fn a_secret_is_masked_before_it_is_cut() {
        let secret = "s3cr3t-".repeat(10);
        let (git, _home) = stand_in(&format!("echo {}{secret} >&2; exit 1", "x".repeat(170)));
        let finished = git.anywhere().arg("fetch").secrets([SecretString::from(secret.clone())]).run().unwrap();
        assert!(finished.stderr.ends_with("xxx[MASKED]"), "{}", finished.stderr);
        // Where what is kept ends within it.
        let script = format!("echo first >&2; printf %{}s{secret} x >&2; exit 1", STDERR_LIMIT - 20);
        let (git, _home) = stand_in(&script);
        let finished = git.anywhere().arg("fetch").secrets([SecretString::from(secret)]).run().unwrap();
        assert_eq!(finished.stderr, "first");
    }

    #[test]
    fn a_missing_git_is_said_so() {
        let error = Git::find(OsStr::new("/nonexistent")).unwrap_err();
        assert!(format!("{error:#}").starts_with("starting git on the search path"), "{error:#}");
    }
}
