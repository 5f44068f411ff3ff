//! Builds a history and a dist-git clone to go with it, with libgit2; runs the program on them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bstr::ByteSlice as _;
use git2::{Index, IndexEntry, IndexTime, ObjectType, Oid, Repository, RepositoryInitOptions};
use serde_json::Value;
use tempfile::TempDir;

use super::given::{
    Change, EXECUTABLE, Encoding, Files, History, Metadata, Node, REGULAR, SYMLINK, Step, latin1_text, merge, put,
    without_packaging,
};

const SPEC: &str = "Name: pkg\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\nSource0: pkg-1.tar.gz\n\n%description\nd\n\n\
                    %prep\n%autosetup -p1\n\n%files\n\n%changelog\n";

const CONFIG: &str = "upstream_ref: v1\ndownstream_package_name: pkg\nspecfile_path: .distro/pkg.spec\n\
                      patch_generation_ignore_paths: [.distro]\nsync_changelog: true\nfiles_to_sync:\n\
                      - {src: .distro/, dest: ., delete: true, filters: [\"protect .git*\", \"protect sources\", \
                      \"exclude source-git.yaml\"]}\n";

/// When the commits of a history are committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) start: i64,
    /// The seconds from one to the next.
    pub(super) step: i64,
}

/// What a commit was made from, and the files it has.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) id: Oid,
    pub(super) change: Change,
    pub(super) files: Files,
}

/// A source-git clone and a dist-git clone.
pub(super) struct Clones {
    directory: TempDir,
    /// The commits of the downstream branch and of its topics, in the order in which they were made; no merges.
    pub(super) made: Vec<Made>,
    pub(super) upstream: Files,
    pub(super) upstream_id: Oid,
    pub(super) head: Files,
    last_committed: i64,
    head_id: Oid,
}

/// A successful run's report, and what dist-git holds.
#[derive(Debug)]
pub(super) struct Updated {
    pub(super) report: Value,
    pub(super) dist_git: Files,
}

/// A patch file of the report.
#[derive(Debug)]
pub(super) struct Patch {
    pub(super) file: String,
    pub(super) commits: Vec<Oid>,
    pub(super) ignored: bool,
    /// The report says that the spec cannot apply it.
    pub(super) problem: bool,
    pub(super) no_prefix: bool,
}

impl Clones {
    pub(super) fn build(history: &History, clock: Clock) -> Self {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("gitconfig"), "").unwrap();
        let source = init(&directory.path().join("source"));
        let numbered = b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n".to_vec();
        let mut files = Files::new();
        put(&mut files, b"plain.txt", Node { mode: REGULAR, content: numbered.clone() });
        put(&mut files, b"dir/plain.c", Node { mode: REGULAR, content: [&numbered[..], b"21\n"].concat() });
        put(&mut files, b"run", Node { mode: EXECUTABLE, content: b"#!/bin/sh\necho\n".to_vec() });
        put(&mut files, b"blob.bin", Node { mode: REGULAR, content: b"\x00\x01\x02binary\xff\xfe\x00\n".repeat(9) });
        put(&mut files, b"link", Node { mode: SYMLINK, content: b"plain.txt".to_vec() });
        put(&mut files, b"empty", Node { mode: REGULAR, content: Vec::new() });
        let mut builder = Builder { repository: &source, clock, made: Vec::new(), named: None };
        let first = builder.plain(&files, &[], "Upstream");
        let mut line = vec![(first, files.clone())];
        history.release.iter().for_each(|edit| edit.apply(&mut files));
        let released = builder.plain(&files, &[first], "Release");
        let mut upstream = (released, files.clone());
        line.push(upstream.clone());
        files.insert(b".distro/pkg.spec".to_vec(), Node { mode: REGULAR, content: SPEC.into() });
        files.insert(b".distro/source-git.yaml".to_vec(), Node { mode: REGULAR, content: CONFIG.into() });
        line.push((builder.plain(&files, &[released], "Packaging"), files));
        for step in &history.steps {
            let (head, ours) = line.last().unwrap().clone();
            let next = match step {
                Step::Commit(change) => builder.commit(change, head, ours),
                Step::Topic { back, changes, resolution, evil } => {
                    let fork = line[line.len().saturating_sub(1 + back)].clone();
                    let (mut tip, mut theirs) = fork.clone();
                    for change in changes {
                        (tip, theirs) = builder.commit(change, tip, theirs);
                    }
                    let mut merged = merge(&fork.1, &ours, &theirs, *resolution);
                    evil.iter().for_each(|edit| edit.apply(&mut merged));
                    (builder.plain(&merged, &[head, tip], "Merge a topic"), merged)
                }
                Step::Release { edits, resolution } => {
                    let mut theirs = upstream.1.clone();
                    edits.iter().for_each(|edit| edit.apply(&mut theirs));
                    let released = builder.plain(&theirs, &[upstream.0], "Release again");
                    let merged = merge(&upstream.1, &ours, &theirs, *resolution);
                    upstream = (released, theirs);
                    (builder.plain(&merged, &[head, released], "Merge a release"), merged)
                }
            };
            line.push(next);
        }
        let (head_id, head) = line.pop().unwrap();
        let (made, last_committed) = (builder.made, builder.clock.start);
        source.reference("refs/heads/main", head_id, true, "").unwrap();
        source.reference("refs/tags/v1", upstream.0, true, "").unwrap();

        let dist_git = init(&directory.path().join("dist"));
        let mut files = Files::new();
        put(&mut files, b"pkg.spec", Node { mode: REGULAR, content: SPEC.into() });
        put(&mut files, b"sources", Node { mode: REGULAR, content: b"SHA512 (pkg-1.tar.gz) = 0\n".to_vec() });
        let mut builder = Builder { repository: &dist_git, clock, made: Vec::new(), named: None };
        let id = builder.plain(&files, &[], "dist-git");
        dist_git.reference("refs/heads/main", id, true, "").unwrap();
        let mut checkout = git2::build::CheckoutBuilder::new();
        dist_git.checkout_head(Some(checkout.force())).unwrap();
        drop((source, dist_git));
        Self { directory, made, upstream: upstream.1, upstream_id: upstream.0, head, last_committed, head_id }
    }

    /// Puts one more commit on top of source-git.
    pub(super) fn commit(&mut self, change: &Change) {
        let source = self.source();
        let clock = Clock { start: self.last_committed, step: 60 };
        let mut builder = Builder { repository: &source, clock, made: Vec::new(), named: None };
        let (id, files) = builder.commit(change, self.head_id, self.head.clone());
        let made = builder.made;
        source.reference("refs/heads/main", id, true, "").unwrap();
        (self.head_id, self.head) = (id, files);
        self.made.extend(made);
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn source(&self) -> Repository {
        Repository::open(self.path("source")).unwrap()
    }

    /// A program in an environment in which nothing else has a say.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.directory.path())
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.path("gitconfig"))
            .envs([("GIT_COMMITTER_NAME", "C"), ("GIT_COMMITTER_EMAIL", "c@example.com")])
            .env("GIT_COMMITTER_DATE", "1500000000 +0000")
            .current_dir(self.path("source"));
        command
    }

    /// What git prints.
    pub(super) fn git(&self, arguments: &[&str]) -> Vec<u8> {
        succeeded(self.command("git").args(arguments))
    }

    /// Runs the program. `Err` has what it says where it refuses; then dist-git is as before. source-git always is.
    pub(super) fn update(&self) -> Result<Updated, String> {
        let (source, dist_git) = (everything(&self.path("source")), self.dist_git());
        let mut command = self.command(env!("CARGO_BIN_EXE_source-git-bot"));
        let output = command
            .args(["--output=json", "update-dist-git"])
            .args([self.path("source"), self.path("dist")])
            .output()
            .unwrap();
        let said = output.stderr.to_str_lossy().into_owned();
        assert_eq!(everything(&self.path("source")), source, "source-git was touched");
        match output.status.code() {
            Some(0) => {
                let report = serde_json::from_slice(&output.stdout).expect("a report");
                Ok(Updated { report, dist_git: self.dist_git() })
            }
            Some(3) => {
                assert!(said.lines().any(|line| line.starts_with("hint: ")), "no hint: {said}");
                assert_eq!(self.dist_git(), dist_git, "dist-git was touched: {said}");
                Err(said)
            }
            status => panic!("exit status {status:?}: {said}"),
        }
    }

    /// dist-git's files. Work tree and index have to agree.
    fn dist_git(&self) -> Files {
        let repository = Repository::open(self.path("dist")).unwrap();
        let files = work_tree(&self.path("dist"));
        let index = repository.index().unwrap();
        let staged: Files = index
            .iter()
            .map(|entry| {
                let content = repository.find_blob(entry.id).unwrap().content().to_vec();
                (entry.path.clone(), Node { mode: entry.mode, content })
            })
            .collect();
        assert_eq!(staged, files, "index and work tree of dist-git differ");
        files
    }

    /// Commits what the program left in dist-git.
    pub(super) fn commit_dist_git(&self) {
        let repository = Repository::open(self.path("dist")).unwrap();
        let tree = repository.index().unwrap().write_tree().unwrap();
        let parent = repository.refname_to_id("refs/heads/main").unwrap();
        let text = format!("tree {tree}\nparent {parent}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nUpdate\n");
        let id = repository.odb().unwrap().write(ObjectType::Commit, text.as_bytes()).unwrap();
        repository.reference("refs/heads/main", id, true, "").unwrap();
    }

    /// Lets dist-git be what it is in `other`.
    pub(super) fn take_dist_git(&self, other: &Self) {
        fs::rename(self.path("dist"), self.path("dist before")).unwrap();
        fs::rename(other.path("dist"), self.path("dist")).unwrap();
    }

    /// The tree of `files`, written to source-git.
    pub(super) fn tree(&self, files: &Files) -> Oid {
        tree(&self.source(), files)
    }

    /// The tree that the series has to give.
    pub(super) fn expected(&self) -> Files {
        without_packaging(&self.head)
    }

    /// The patches of a report, in the order of the series.
    pub(super) fn patches(&self, updated: &Updated) -> Vec<Patch> {
        let findings = updated.report["findings"].as_array().unwrap();
        let reported = updated.report["patches"].as_array().unwrap().iter();
        reported
            .filter(|patch| patch["change"] != "dropped")
            .map(|patch| {
                let commits = patch["commits"].as_array().unwrap().iter();
                let commits: Vec<_> =
                    commits.map(|commit| Oid::from_str(commit["id"].as_str().unwrap()).unwrap()).collect();
                let first = commits[0].to_string();
                let of_this = |finding: &&Value| {
                    finding["level"] == "problem" && (finding["commit"] == first || finding["commit_file"][0] == first)
                };
                Patch {
                    file: patch["file"].as_str().unwrap().to_owned(),
                    ignored: patch["change"] == "ignored",
                    problem: findings.iter().any(|finding| of_this(&finding)),
                    // one patch of everything goes by no commit's trailers
                    no_prefix: updated.report["merges"]["handling"] != "one_patch"
                        && self.made(commits[0]).is_some_and(|made| made.change.metadata == Metadata::NoPrefix),
                    commits,
                }
            })
            .collect()
    }

    pub(super) fn made(&self, id: Oid) -> Option<&Made> {
        self.made.iter().find(|made| made.id == id)
    }
}

pub(super) fn succeeded(command: &mut Command) -> Vec<u8> {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}{}", stdout.as_bstr(), stderr.as_bstr());
    stdout
}

struct Builder<'a> {
    repository: &'a Repository,
    clock: Clock,
    made: Vec<Made>,
    /// The name that the last commit gave its patch.
    named: Option<usize>,
}

impl Builder<'_> {
    fn commit(&mut self, change: &Change, parent: Oid, mut files: Files) -> (Oid, Files) {
        change.edits.iter().for_each(|edit| edit.apply(&mut files));
        let number = self.made.len();
        self.named = match change.metadata {
            Metadata::Named => Some(number),
            Metadata::Joined => self.named,
            _ => None,
        };
        let message = &change.message;
        let mut text = message.text();
        let trailer = match (change.metadata, self.named) {
            (_, Some(named)) => format!("Patch-name: named-{named}.patch"),
            (Metadata::NoPrefix, _) => "No-prefix: true".to_owned(),
            (Metadata::Ignored, _) => "Ignore-patch: true".to_owned(),
            _ => String::new(),
        };
        if !trailer.is_empty() {
            text = format!("{text}\n{trailer}\n");
        }
        let author = &change.author;
        let header = match message.encoding {
            Encoding::Latin1 => "encoding ISO-8859-1\n",
            _ => "",
        };
        let name = match message.encoding {
            Encoding::Latin1 => latin1(author.name),
            _ => author.name.as_bytes().to_vec(),
        };
        let text = match message.encoding {
            Encoding::Utf8 => text.into_bytes(),
            _ => latin1(&text),
        };
        let author = [&name[..], format!(" <a@example.com> {} {}", author.time, author.zone).as_bytes()].concat();
        let id = self.write(&files, &[parent], &author, header, &text);
        self.made.push(Made { id, change: change.clone(), files: files.clone() });
        (id, files)
    }

    fn plain(&mut self, files: &Files, parents: &[Oid], message: &str) -> Oid {
        self.named = None;
        self.write(
            files,
            parents,
            b"Some One <some@example.com> 1234567890 +0000",
            "",
            format!("{message}\n").as_bytes(),
        )
    }

    fn write(&mut self, files: &Files, parents: &[Oid], author: &[u8], header: &str, message: &[u8]) -> Oid {
        let mut text = format!("tree {}\n", tree(self.repository, files)).into_bytes();
        for parent in parents {
            text.extend_from_slice(format!("parent {parent}\n").as_bytes());
        }
        text.extend_from_slice(&[b"author ", author, b"\n"].concat());
        let committer = format!("committer Co Mitter <c@example.com> {} +0000\n{header}\n", self.clock.start);
        text.extend_from_slice(&[committer.as_bytes(), message].concat());
        self.clock.start += self.clock.step;
        self.repository.odb().unwrap().write(ObjectType::Commit, &text).unwrap()
    }
}

fn latin1(text: &str) -> Vec<u8> {
    latin1_text(text).chars().map(|c| c as u8).collect()
}

fn init(path: &Path) -> Repository {
    let mut options = RepositoryInitOptions::new();
    options.external_template(false).initial_head("main");
    Repository::init_opts(path, &options).unwrap()
}

fn tree(repository: &Repository, files: &Files) -> Oid {
    let mut index = Index::new().unwrap();
    for (path, node) in files {
        let zero = IndexTime::new(0, 0);
        let entry = IndexEntry {
            ctime: zero,
            mtime: zero,
            dev: 0,
            ino: 0,
            mode: node.mode,
            uid: 0,
            gid: 0,
            file_size: 0,
            id: repository.blob(&node.content).unwrap(),
            flags: 0,
            flags_extended: 0,
            path: path.clone(),
        };
        index.add(&entry).unwrap();
    }
    index.write_tree_to(repository).unwrap()
}

/// Writes `files` below `directory`.
pub(super) fn check_out(directory: &Path, files: &Files) {
    for (path, node) in files {
        let place = directory.join(path.to_path().unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        if node.mode == SYMLINK {
            symlink(node.content.to_path().unwrap(), place).unwrap();
        } else {
            fs::write(&place, &node.content).unwrap();
            fs::set_permissions(place, fs::Permissions::from_mode(node.mode & 0o777)).unwrap();
        }
    }
}

/// Reads the files below `directory`, but for `.git`.
pub(super) fn work_tree(directory: &Path) -> Files {
    let mut files = Files::new();
    for (path, node) in everything(directory).into_iter().filter(|(path, _)| !path.starts_with(b".git/")) {
        files.insert(path, node);
    }
    files
}

fn everything(directory: &Path) -> BTreeMap<Vec<u8>, Node> {
    fn walk(directory: &Path, prefix: &[u8], found: &mut BTreeMap<Vec<u8>, Node>) {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let path = [prefix, entry.file_name().as_bytes()].concat();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                walk(&entry.path(), &[&path[..], b"/"].concat(), found);
            } else if kind.is_symlink() {
                let content = fs::read_link(entry.path()).unwrap().into_os_string().into_vec();
                found.insert(path, Node { mode: SYMLINK, content });
            } else {
                let executable = entry.metadata().unwrap().permissions().mode() & 0o100 != 0;
                let mode = if executable { EXECUTABLE } else { REGULAR };
                found.insert(path, Node { mode, content: fs::read(entry.path()).unwrap() });
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(directory, b"", &mut found);
    found
}
