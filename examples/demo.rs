//! Makes a small upstream, source-git and dist-git, and shows what the program makes of them.
//!
//!     cargo run --release --example demo
//!     cargo run --release --example demo -- --check
//!
//! Everything happens in a temporary directory, with git alone. What is shown behind a `$` is what a person would type;
//! the program itself is called as `main.rs` calls it. What is shown is also checked; what is not as it should be ends
//! the demo with status 1. With `--check` it says at the end how much was checked.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a demo plays the person: it starts git, reads the environment and prints"
)]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Parser as _;
use source_git_bot::cli::Cli;
use source_git_bot::commands::{self, Surroundings};
use source_git_bot::exit::ExitStatus;
use source_git_bot::terminal;
use tempfile::TempDir;

const SPEC: &str = "\
Name:           hello
Version:        1.0
Release:        1%{?dist}
Summary:        Says hello
License:        MIT
Source0:        hello-%{version}.tar.gz

%description
It says hello.

%prep
%autosetup -p1

%build
%{__cc} %{build_cflags} -o hello hello.c

%install
install -D -m 0755 hello %{buildroot}%{_bindir}/hello

%files
%{_bindir}/hello

%changelog
* Mon Jan 01 2024 A Packager <packager@example.com> - 1.0-1
- Initial package
";

const CONFIG: &str = "\
upstream_ref: v1.0
downstream_package_name: hello
specfile_path: .distro/hello.spec
patch_generation_ignore_paths: [.distro]
sync_changelog: true
files_to_sync:
- src: .distro/
  dest: .
  delete: true
  filters: [protect .git*, protect sources, exclude source-git.yaml]
";

const HELLO: &str = "\
#include <stdio.h>

int main(int argc, char **argv)
{
    (void) argc;
    (void) argv;
    puts(\"Hello, world\");
    return 1;
}
";

const SUCCESS: (&str, &str) = ("return 1;", "return 0;");
const GREETING: (&str, &str) = (
    "    (void) argc;\n    (void) argv;\n    puts(\"Hello, world\");\n",
    "    printf(\"Hello, %s\\n\", argc > 1 ? argv[1] : \"world\");\n",
);

fn main() -> Result<()> {
    let check = match &env::args().skip(1).collect::<Vec<_>>()[..] {
        [] => false,
        [only] if only == "--check" => true,
        _ => bail!("usage: demo [--check]"),
    };
    let demo = Demo::new()?;
    demo.make_repositories()?;
    demo.dry_run()?;
    demo.update()?;
    demo.apply_by_hand()?;
    demo.nothing_to_do()?;
    demo.new_upstream()?;
    demo.problem()?;
    demo.mistake()?;
    if check {
        println!("\n{} checks hold", demo.checks.get());
    }
    Ok(())
}

/// The repositories, in a directory that goes with the value.
struct Demo {
    home: TempDir,
    /// The time of the next commit: the same in every run, and so are the commits' ids.
    seconds: Cell<u32>,
    checks: Cell<u32>,
}

impl Demo {
    fn new() -> Result<Self> {
        let home = TempDir::with_prefix("source-git-bot-demo-")?;
        fs::write(home.path().join("gitconfig"), "[advice]\ndetachedHead = false\n")?;
        env::set_current_dir(home.path())?;
        Ok(Self { home, seconds: Cell::new(1_700_000_000), checks: Cell::new(0) })
    }

    fn make_repositories(&self) -> Result<()> {
        heading("Upstream: a git repository with a tag for each release");
        self.init("upstream", "A Developer <developer@example.com>")?;
        self.write("upstream/hello.c", HELLO)?;
        self.commit("upstream", "Say hello")?;
        self.write("upstream/README", "hello says hello.\n")?;
        self.commit("upstream", "Add a README")?;
        self.quiet("upstream", &["tag", "v1.0"])?;
        self.shown("upstream", &["log", "--oneline", "--decorate"])?;

        heading("source-git: upstream's history, the packaging in .distro, and downstream changes as commits");
        self.quiet(".", &["clone", "-q", "-b", "main", "upstream", "source-git"])?;
        self.identify("source-git", "A Packager <packager@example.com>")?;
        self.quiet("source-git", &["checkout", "-q", "-b", "c10s"])?;
        self.write("source-git/.distro/hello.spec", SPEC)?;
        self.write("source-git/.distro/source-git.yaml", CONFIG)?;
        self.write("source-git/.distro/gating.yaml", "--- !Policy\nproduct_versions: [rhel-10]\n")?;
        self.commit("source-git", "Add packaging")?;
        self.edit("source-git/hello.c", SUCCESS)?;
        self.commit(
            "source-git",
            "Return success\n\n100% of the callers test the exit status.\n\nPatch-name: exit-status.patch",
        )?;
        self.edit("source-git/hello.c", GREETING)?;
        self.commit("source-git", "Greet whoever is named")?;
        self.shown("source-git", &["log", "--stat", "--format=%h %s", "v1.0..c10s"])?;

        heading("dist-git: the spec, and the name of upstream's archive in the lookaside cache");
        self.init("dist-git", "A Packager <packager@example.com>")?;
        self.quiet("dist-git", &["checkout", "-q", "-b", "c10s"])?;
        self.write("dist-git/hello.spec", SPEC)?;
        self.write("dist-git/sources", "SHA512 (hello-1.0.tar.gz) = 3b8e8c\n")?;
        self.commit("dist-git", "Import hello 1.0")?;
        self.shown("dist-git", &["ls-files"])
    }

    fn dry_run(&self) -> Result<()> {
        heading("What would change?");
        self.program(&["update-dist-git", "source-git", "dist-git", "--dry-run"], ExitStatus::Done)?;
        self.check("a dry run writes nothing", self.quiet("dist-git", &["status", "--porcelain"])?.is_empty())
    }

    fn update(&self) -> Result<()> {
        heading("Do it, and commit");
        self.update_dist_git("Return success and greet by name")?;
        self.shown("dist-git", &["show", "--stat", "--format=%an <%ae>%n%n%B"])?;
        println!("\nhello.spec:\n");
        let spec = self.read("dist-git/hello.spec")?;
        for line in spec.lines().skip_while(|line| !line.starts_with("Source0")).take_while(|line| !line.is_empty()) {
            println!("    {line}");
        }
        let named = "# 100%% of the callers test the exit status.\nPatch0001:      exit-status.patch\n";
        self.check("the spec names the patch below its comment", spec.contains(named))
    }

    fn apply_by_hand(&self) -> Result<()> {
        heading("`verified` means: the patches on the upstream ref give the source tree; once more by hand");
        self.shown("source-git", &["worktree", "add", "-q", "--detach", "../by-hand", "v1.0"])?;
        let patches = ["../dist-git/exit-status.patch", "../dist-git/0002-Greet-whoever-is-named.patch"];
        self.shown("by-hand", &[&["am"], &patches[..]].concat())?;
        self.shown("by-hand", &["diff", "--stat", "HEAD", "c10s"])?;
        let left = self.quiet("by-hand", &["diff", "--name-only", "HEAD", "c10s", "--", ".", ":(exclude).distro"])?;
        self.check("nothing but the packaging differs", left.is_empty())?;
        self.quiet("source-git", &["worktree", "remove", "../by-hand"]).map(drop)
    }

    fn nothing_to_do(&self) -> Result<()> {
        heading("Again: nothing to do, no commit");
        let head = self.quiet("dist-git", &["rev-parse", "HEAD"])?;
        self.update_dist_git("Again")?;
        self.check("nothing is committed", self.quiet("dist-git", &["rev-parse", "HEAD"])? == head)
    }

    fn new_upstream(&self) -> Result<()> {
        heading("Upstream releases 1.1 with one of the changes; source-git is rebased");
        self.edit("upstream/hello.c", SUCCESS)?;
        self.commit("upstream", "Return success")?;
        self.quiet("upstream", &["tag", "v1.1"])?;
        self.quiet("source-git", &["fetch", "-q", "--tags", "origin"])?;
        self.shown("source-git", &["rebase", "-q", "--onto", "v1.1", "v1.0"])?;
        self.edit("source-git/.distro/hello.spec", ("Version:        1.0", "Version:        1.1"))?;
        self.edit("source-git/.distro/source-git.yaml", ("v1.0", "v1.1"))?;
        self.commit("source-git", "Rebase to 1.1")?;
        self.shown("source-git", &["log", "--format=%h %s%d", "--decorate-refs=refs/tags", "v1.0..c10s"])?;
        let old = self.read("dist-git/0002-Greet-whoever-is-named.patch")?;
        self.update_dist_git("Update to 1.1")?;
        self.shown("dist-git", &["show", "--stat", "--format=%s"])?;
        let new = self.read("dist-git/0001-Greet-whoever-is-named.patch")?;
        self.check("the patch that moves keeps its bytes", old == new)?;
        self.check("the patch that upstream took goes", !self.home.path().join("dist-git/exit-status.patch").exists())
    }

    fn problem(&self) -> Result<()> {
        heading("A problem: the package would not build; the report says so, and what to change");
        self.write("source-git/logo.png", [&b"\x89PNG\r\n\x1a\n"[..], &[0; 40]].concat())?;
        self.commit("source-git", "Add a logo")?;
        self.program(&["update-dist-git", "source-git", "dist-git"], ExitStatus::Done)?;
        self.quiet("dist-git", &["reset", "-q", "--hard"])?;
        self.quiet("source-git", &["reset", "-q", "--hard", "HEAD~1"]).map(drop)
    }

    fn mistake(&self) -> Result<()> {
        heading("A mistake: nothing is written, and the error names the commit and the remedy");
        self.edit("source-git/README", ("says hello", "says hello to you"))?;
        self.commit("source-git", "Reword the README\n\nPatch-name: ../../x.patch")?;
        self.shown("source-git", &["show", "--no-patch", "--format=%h%n%n%B"])?;
        self.program(&["update-dist-git", "source-git", "dist-git"], ExitStatus::CannotBeSynced)?;
        self.check("nothing is written", self.quiet("dist-git", &["status", "--porcelain"])?.is_empty())
    }

    fn update_dist_git(&self, message: &str) -> Result<()> {
        self.program(&["update-dist-git", "source-git", "dist-git", "-m", message], ExitStatus::Done)?;
        self.check("everything is committed", self.quiet("dist-git", &["status", "--porcelain"])?.is_empty())
    }

    /// Runs the program as `main.rs` does, and checks how it ends.
    fn program(&self, arguments: &[&str], expected: ExitStatus) -> Result<()> {
        shown_command("source-git-bot", arguments);
        let cli = Cli::try_parse_from([&["source-git-bot"], arguments].concat())?;
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let paint = terminal::stdout_paint(cli.global.color, no_color);
        let search_path = env::var_os("PATH").unwrap_or_default();
        let surroundings = Surroundings { search_path, variables: BTreeMap::new(), paint };
        let status = match commands::run(&cli, &surroundings) {
            Ok(()) => ExitStatus::Done,
            Err(error) => {
                terminal::print(&terminal::error_lines(&error, paint))?;
                println!("(exit status {})", ExitStatus::of(&error) as u8);
                ExitStatus::of(&error)
            }
        };
        self.check("the program ends as it should", status == expected)
    }

    fn check(&self, what: &str, holds: bool) -> Result<()> {
        ensure!(holds, "not as it should be: {what}");
        self.checks.set(self.checks.get() + 1);
        Ok(())
    }

    /// Runs git and shows what was typed and what it says.
    fn shown(&self, clone: &str, arguments: &[&str]) -> Result<()> {
        shown_command(&format!("git -C {clone}"), arguments);
        let said = self.quiet(clone, arguments)?;
        if !said.is_empty() {
            println!("{said}");
        }
        Ok(())
    }

    /// Runs git, and returns what it prints.
    fn quiet(&self, clone: &str, arguments: &[&str]) -> Result<String> {
        let date = format!("{} +0000", self.seconds.get());
        let output = Command::new("git")
            .args(["-C", clone])
            .args(arguments)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .envs([("LC_ALL", "C"), ("GIT_CONFIG_NOSYSTEM", "1")])
            .envs([("GIT_AUTHOR_DATE", &date), ("GIT_COMMITTER_DATE", &date)])
            .env("GIT_CONFIG_GLOBAL", self.path("gitconfig"))
            .output()
            .context("starting git")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "git {} in {clone}: {said}", arguments.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    fn init(&self, clone: &str, person: &str) -> Result<()> {
        self.quiet(".", &["init", "-q", "-b", "main", clone])?;
        self.identify(clone, person)
    }

    /// Makes a clone's commits those of `person`; the program commits with the configuration of whoever runs the demo.
    fn identify(&self, clone: &str, person: &str) -> Result<()> {
        let (name, address) = person.trim_end_matches('>').split_once(" <").context("a name and an address")?;
        let hooks = self.path("no-hooks").display().to_string();
        for (key, value) in
            [("user.name", name), ("user.email", address), ("commit.gpgSign", "false"), ("core.hooksPath", &hooks)]
        {
            self.quiet(clone, &["config", key, value])?;
        }
        Ok(())
    }

    /// Commits everything, an hour after what was committed before.
    fn commit(&self, clone: &str, message: &str) -> Result<()> {
        self.seconds.set(self.seconds.get() + 3600);
        self.quiet(clone, &["add", "-A"])?;
        self.quiet(clone, &["commit", "-q", "-m", message]).map(drop)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.home.path().join(file)
    }

    fn read(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.path(file)).with_context(|| format!("reading {file}"))
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        fs::write(path, content).with_context(|| format!("writing {file}"))
    }

    fn edit(&self, file: &str, (old, new): (&str, &str)) -> Result<()> {
        let content = self.read(file)?;
        ensure!(content.contains(old), "{file} does not hold {old}");
        self.write(file, content.replace(old, new))
    }
}

fn heading(text: &str) {
    println!("\n== {text}");
}

fn shown_command(program: &str, arguments: &[&str]) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./=:,".contains(&b);
    let quoted = arguments.iter().map(|argument| match argument.bytes().all(plain) {
        true => (*argument).to_owned(),
        false => format!("'{argument}'"),
    });
    println!("\n$ {program} {}", quoted.collect::<Vec<_>>().join(" "));
}
