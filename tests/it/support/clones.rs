//! A source-git and a dist-git clone as a packager has them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::Run;

pub(crate) const SPEC: &str = "\
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

%changelog
* Mon Jan 01 2024 A Packager <packager@example.com> - 1.0-1
- Initial
";

pub(crate) const CONFIG: &str = "\
upstream_ref: v1.0
downstream_package_name: hello
specfile_path: .distro/hello.spec
patch_generation_ignore_paths: [.distro]
sync_changelog: true
files_to_sync:
- src: .distro/
  dest: .
  delete: true
  filters: [\"protect .git*\", \"protect sources\", \"exclude source-git.yaml\", \"exclude .gitignore\"]
";

/// Two clones in a directory that goes with the value.
pub(crate) struct Clones {
    home: TempDir,
    seconds: std::cell::Cell<u64>,
}

impl Clones {
    /// source-git with upstream's v1.0 and the packaging on it, dist-git with the same spec.
    pub(crate) fn new() -> Self {
        let clones = Self { home: TempDir::new().unwrap(), seconds: std::cell::Cell::new(1_700_000_000) };
        fs::write(clones.path("gitconfig"), "[user]\nname = A Packager\nemail = packager@example.com\n").unwrap();
        for name in ["source-git", "dist-git"] {
            fs::create_dir(clones.path(name)).unwrap();
            clones.git(name, &["init", "-q", "-b", "c9s"]);
        }
        clones.write("source-git", "hello.c", "int main(void)\n{\n    return 1;\n}\n");
        clones.write("source-git", "README", "Hello.\n");
        clones.commit("Hello 1.0");
        clones.git("source-git", &["tag", "v1.0"]);
        clones.write("source-git", ".distro/hello.spec", SPEC);
        clones.write("source-git", ".distro/source-git.yaml", CONFIG);
        clones.commit("Add packaging");
        clones.write("dist-git", "hello.spec", SPEC);
        clones.write("dist-git", "sources", "SHA512 (hello-1.0.tar.gz) = 00\n");
        clones.git("dist-git", &["add", "-A", "-f"]);
        clones.git("dist-git", &["commit", "-q", "-m", "Import hello"]);
        clones
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn write(&self, clone: &str, file: &str, content: impl AsRef<[u8]>) {
        let path = self.path(clone).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Commits everything in source-git and returns the commit's id.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git("source-git", &["add", "-A", "-f"]);
        fs::write(self.path("message"), message).unwrap();
        self.git("source-git", &["commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", "../message"]);
        self.git("source-git", &["rev-parse", "HEAD"])
    }

    /// Changes a file of source-git and commits that.
    pub(crate) fn change(&self, file: &str, content: impl AsRef<[u8]>, message: &str) -> String {
        self.write("source-git", file, content);
        self.commit(message)
    }

    /// Runs git in a clone, each call a minute later than the one before, and returns what it prints.
    pub(crate) fn git(&self, clone: &str, arguments: &[&str]) -> String {
        let seconds = self.seconds.get() + 60;
        self.seconds.set(seconds);
        let date = format!("{seconds} +0000");
        let mut command = Command::new("git");
        command.arg("-C").arg(self.path(clone)).args(arguments);
        self.surround(&mut command).env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    fn surround<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home.path())
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.path("gitconfig"))
    }

    /// The program, ready to run where the clones are, without arguments.
    pub(crate) fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_source-git-bot"));
        self.surround(command.current_dir(self.home.path()));
        command
    }

    /// Runs `update-dist-git` on the two clones with further arguments.
    pub(crate) fn update(&self, arguments: &[&str]) -> Run {
        let mut command = self.program();
        command.args(["update-dist-git", "source-git", "dist-git"]).args(arguments);
        Run::of(&mut command)
    }

    /// Runs it and commits what it wrote.
    pub(crate) fn update_and_commit(&self) -> Run {
        let run = self.update(&["-m", "Update"]);
        run.ends_with(0);
        run
    }

    /// All that the dist-git clone holds: files, modes and link targets, and git's view of them.
    pub(crate) fn dist_git(&self) -> BTreeMap<OsString, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut directories = vec![self.path("dist-git")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                if metadata.is_dir() {
                    if entry.file_name() != ".git" {
                        directories.push(entry.path());
                    }
                } else if metadata.is_symlink() {
                    let target = fs::read_link(entry.path()).unwrap().into_os_string().into_encoded_bytes();
                    found.insert(entry.path().into_os_string(), (0o120_000, target));
                } else {
                    let mode = metadata.permissions().mode() & 0o777;
                    found.insert(entry.path().into_os_string(), (mode, fs::read(entry.path()).unwrap()));
                }
            }
        }
        let index = self.git("dist-git", &["ls-files", "-s"]);
        found.insert("the index".into(), (0, index.into_bytes()));
        found.insert("HEAD".into(), (0, self.git("dist-git", &["rev-parse", "HEAD"]).into_bytes()));
        found
    }

    /// Reads a file of the dist-git clone.
    pub(crate) fn read(&self, file: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path("dist-git").join(file)).unwrap()).into_owned()
    }

    pub(crate) fn has(&self, file: &str) -> bool {
        fs::symlink_metadata(self.path("dist-git").join(file)).is_ok()
    }

    /// Runs the program and checks that it refuses: exit status 3, all of `parts` said, a hint, nothing changed.
    pub(crate) fn refuses(&self, parts: &[&str]) {
        let before = self.dist_git();
        let run = self.update(&[]);
        run.ends_with(3);
        for part in parts {
            assert!(run.stderr.contains(part), "`{part}` is not said: {}", run.stderr);
        }
        assert!(run.stderr.contains("\nhint: "), "no hint: {}", run.stderr);
        assert_eq!(self.dist_git(), before);
    }
}
