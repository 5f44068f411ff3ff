//! What every story of the demo is told with: a directory of its own, git, files, the page to print on, and checks.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use source_git_bot::cli::terminal::Paint;
use tempfile::TempDir;

/// A directory that goes with the value, and how many checks were made in it.
pub(crate) struct Stage {
    home: TempDir,
    /// The time of the next commit: the same in every run, and so are the commits' ids.
    seconds: Cell<u32>,
    checks: Cell<u32>,
    pub(crate) paint: Paint,
}

impl Stage {
    pub(crate) fn new(paint: Paint) -> Result<Self> {
        let home = TempDir::with_prefix("source-git-bot-demo-")?;
        fs::write(home.path().join("gitconfig"), "[advice]\ndetachedHead = false\n")?;
        Ok(Self { home, seconds: Cell::new(1_700_000_000), checks: Cell::new(0), paint })
    }

    pub(crate) fn check(&self, what: &str, holds: bool) -> Result<()> {
        ensure!(holds, "not as it should be: {what}");
        self.checks.set(self.checks.get() + 1);
        Ok(())
    }

    pub(crate) fn checks(&self) -> u32 {
        self.checks.get()
    }

    /// Says what the story is about.
    pub(crate) fn title(&self, text: &str) {
        println!("\n{}\n{}", self.paint.bold(text), self.paint.bold("═".repeat(text.chars().count())));
    }

    /// Says what the next part is about.
    pub(crate) fn heading(&self, text: &str) {
        println!("\n{}", self.paint.bold(format_args!("== {text}")));
    }

    /// Shows what somebody types.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./=:,~".contains(&b);
        let quoted = arguments.iter().map(|argument| match argument.bytes().all(plain) {
            true => (*argument).to_owned(),
            false => format!("'{argument}'"),
        });
        println!("\n$ {program} {}", quoted.collect::<Vec<_>>().join(" "));
    }

    /// Runs git and shows what was typed and what it says.
    pub(crate) fn shown(&self, clone: &str, arguments: &[&str]) -> Result<()> {
        match clone {
            "." => self.command("git", arguments),
            clone => self.command(&format!("git -C {clone}"), arguments),
        }
        let said = self.quiet(clone, arguments)?;
        if !said.is_empty() {
            println!("{said}");
        }
        Ok(())
    }

    /// Runs git, and returns what it prints.
    pub(crate) fn quiet(&self, clone: &str, arguments: &[&str]) -> Result<String> {
        let output = Command::new("git")
            .args(["-C", clone])
            .args(arguments)
            .current_dir(self.home.path())
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .envs(self.surroundings())
            .output()
            .context("starting git")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "git {} in {clone}: {said}", arguments.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// The variables with which git does the same on every machine and in every run.
    pub(crate) fn surroundings(&self) -> Vec<(&'static str, String)> {
        let date = format!("{} +0000", self.seconds.get());
        let home = self.home.path().display().to_string();
        vec![
            ("HOME", home),
            ("LC_ALL", "C".to_owned()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("GIT_CONFIG_GLOBAL", self.path("gitconfig").display().to_string()),
            ("GIT_AUTHOR_DATE", date.clone()),
            ("GIT_COMMITTER_DATE", date),
        ]
    }

    pub(crate) fn init(&self, clone: &str, person: &str) -> Result<()> {
        self.quiet(".", &["init", "-q", "-b", "main", clone])?;
        self.identify(clone, person)
    }

    /// Makes a clone's commits those of `person`.
    pub(crate) fn identify(&self, clone: &str, person: &str) -> Result<()> {
        let (name, address) = person.trim_end_matches('>').split_once(" <").context("a name and an address")?;
        self.quiet(clone, &["config", "user.name", name])?;
        self.quiet(clone, &["config", "user.email", address]).map(drop)
    }

    /// Commits everything, an hour after what was committed before.
    pub(crate) fn commit(&self, clone: &str, message: &str) -> Result<()> {
        self.later();
        self.quiet(clone, &["add", "-A"])?;
        self.quiet(clone, &["commit", "-q", "-m", message]).map(drop)
    }

    /// Lets an hour pass.
    pub(crate) fn later(&self) {
        self.seconds.set(self.seconds.get() + 3600);
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.home.path().join(file)
    }

    pub(crate) fn read(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.path(file)).with_context(|| format!("reading {file}"))
    }

    pub(crate) fn write(&self, file: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::write(path, content).with_context(|| format!("writing {file}"))
    }

    /// Edits a file and shows what changes.
    pub(crate) fn shown_edit(&self, file: &str, (old, new): (&str, &str)) -> Result<()> {
        println!("\n{file}, edited:");
        for line in old.lines() {
            println!("{}", self.paint.red(format_args!("- {}", line.trim())));
        }
        for line in new.lines() {
            println!("{}", self.paint.green(format_args!("+ {}", line.trim())));
        }
        self.edit(file, (old, new))
    }

    pub(crate) fn edit(&self, file: &str, (old, new): (&str, &str)) -> Result<()> {
        let content = self.read(file)?;
        ensure!(content.contains(old), "{file} does not hold {old}");
        self.write(file, content.replace(old, new))
    }
}
