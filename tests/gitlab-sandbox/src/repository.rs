//! A project's bare repository: everything the model asks git for. It knows nothing of users, projects or HTTP.
//!
//! The model reads and writes objects and refs through libgit2, because a test may set up a thousand merge requests and
//! a process for each question would take minutes. What clients see comes from git itself.

mod hooks;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, RepositoryInitOptions, Signature, Sort, Time, TreeWalkMode, TreeWalkResult};

use crate::clock::Moment;

/// The object id that git writes for "no such ref".
pub const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// A bare repository on disk.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    path: PathBuf,
}

/// A commit as the API shows it.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) id: String,
    pub(crate) parents: Vec<String>,
    pub(crate) author: (String, String, String),
    pub(crate) committer: (String, String, String),
    pub(crate) message: String,
}

/// A commit to be made: all but its files.
#[derive(Debug)]
pub(crate) struct NewCommit<'a> {
    pub(crate) parent: Option<&'a str>,
    pub(crate) message: &'a str,
    pub(crate) author: (String, String),
    pub(crate) committer: (String, String),
    pub(crate) seconds: u64,
}

/// An entry of a tree listing.
#[derive(Debug)]
pub(crate) struct TreeEntry {
    pub(crate) mode: String,
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) path: String,
}

/// Starts git with nothing of the user's in its environment.
#[expect(clippy::disallowed_methods, reason = "the sandbox is a program of its own; this is its one place for git")]
pub(crate) fn git_command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command.env_clear().current_dir(directory);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.envs([
        ("HOME", "/nonexistent"),
        ("LC_ALL", "C"),
        ("TZ", "UTC"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_AUTHOR_NAME", "Sandbox"),
        ("GIT_AUTHOR_EMAIL", "sandbox@example.com"),
        ("GIT_COMMITTER_NAME", "Sandbox"),
        ("GIT_COMMITTER_EMAIL", "sandbox@example.com"),
    ]);
    command
}

/// Runs a prepared command with this input and gives its output, or what it said on stderr.
pub(crate) fn run(command: Command, input: &[u8]) -> Result<Vec<u8>, String> {
    let output = output(command, input)?;
    if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Runs a prepared command with this input, however it ends.
pub(crate) fn output(mut command: Command, input: &[u8]) -> Result<Output, String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let stdin = child.stdin.take();
    std::thread::scope(|scope| {
        // The child may end without reading all of its input: that shows in its exit status, not here.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    })
    .map_err(|error| error.to_string())
}

fn copy_directory(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &copy)?;
        } else {
            std::fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}

impl Repository {
    /// Makes an empty bare repository with the server's settings and its hook.
    pub(crate) fn create(path: PathBuf) -> Self {
        let repository = Self { path };
        let mut options = RepositoryInitOptions::new();
        options.bare(true).mkpath(true).initial_head("main").external_template(false);
        let made = git2::Repository::init_opts(&repository.path, &options);
        made.expect("the sandbox's temporary directory is writable");
        let config = concat!(
            "[http]\n\treceivepack = true\n\tuploadpack = true\n",
            "[gc]\n\tauto = 0\n[receive]\n\tautogc = false\n\thideRefs = refs/merge-requests\n\thideRefs = refs/keep-around\n",
            "[uploadpack]\n\thideRefs = refs/keep-around\n\tallowReachableSHA1InWant = true\n",
            "\tallowAnySHA1InWant = true\n\tallowFilter = true\n",
        );
        let file = repository.path.join("config");
        let old = std::fs::read_to_string(&file).expect("git has just written the configuration");
        std::fs::write(&file, old + config).expect("the repository is writable");
        hooks::write(&repository.path.join("hooks"));
        repository
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Switches partial clone and fetching by object id on or off.
    pub(crate) fn allow_partial_clone(&self, allowed: bool) {
        for key in ["allowFilter", "allowReachableSHA1InWant", "allowAnySHA1InWant"] {
            self.must(&["config", &format!("uploadpack.{key}"), if allowed { "true" } else { "false" }]);
        }
    }

    pub(crate) fn try_git(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let mut command = git_command(&self.path);
        command.args(arguments);
        run(command, b"")
    }

    /// Runs git and gives its output without the last line end; stops the test where git fails.
    pub(crate) fn must(&self, arguments: &[&str]) -> String {
        match self.try_git(arguments) {
            Ok(output) => String::from_utf8_lossy(&output).trim_end_matches('\n').to_owned(),
            Err(error) => panic!("git {arguments:?} in {}: {error}", self.path.display()),
        }
    }

    fn open(&self) -> git2::Repository {
        git2::Repository::open_bare(&self.path).expect("the sandbox's repositories stay where they are")
    }

    /// Every ref under a prefix, without it, with the commit or tag object it names.
    pub(crate) fn refs(&self, prefix: &str) -> BTreeMap<String, String> {
        let repository = self.open();
        let found = repository.references_glob(&format!("{prefix}*")).expect("the prefix is a valid glob");
        let pairs = found.flatten().filter_map(|reference| {
            let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
            Some((name.strip_prefix(prefix)?.to_owned(), reference.target()?.to_string()))
        });
        pairs.collect()
    }

    /// The refs under a prefix, without it, whose commit has this one in its history or is it.
    pub(crate) fn refs_with(&self, prefix: &str, commit: &str) -> Vec<String> {
        let has =
            |name: &str| self.commit_id(&format!("{prefix}{name}")).is_some_and(|tip| self.is_ancestor(commit, &tip));
        self.refs(prefix).into_keys().filter(|name| has(name)).collect()
    }

    /// Every branch and tag by full name, with the commit or tag object it names.
    pub(crate) fn all_refs(&self) -> BTreeMap<String, String> {
        let full =
            |prefix: &'static str| self.refs(prefix).into_iter().map(move |(name, id)| (format!("{prefix}{name}"), id));
        full("refs/heads/").chain(full("refs/tags/")).collect()
    }

    /// The commit that a branch, tag or id names.
    pub(crate) fn commit_id(&self, revision: &str) -> Option<String> {
        let repository = self.open();
        let object = repository.revparse_single(revision).ok()?;
        Some(object.peel_to_commit().ok()?.id().to_string())
    }

    pub(crate) fn merge_base(&self, one: &str, other: &str) -> Option<String> {
        let base = self.open().merge_base(Oid::from_str(one).ok()?, Oid::from_str(other).ok()?).ok()?;
        Some(base.to_string())
    }

    pub(crate) fn is_ancestor(&self, ancestor: &str, descendant: &str) -> bool {
        let (Ok(old), Ok(new)) = (Oid::from_str(ancestor), Oid::from_str(descendant)) else { return false };
        old == new || self.open().graph_descendant_of(new, old).unwrap_or(false)
    }

    /// The first branch, by name, that contains a commit.
    pub(crate) fn branch_containing(&self, commit: &str) -> Option<String> {
        self.refs("refs/heads/").into_iter().find(|(_, tip)| self.is_ancestor(commit, tip)).map(|(name, _)| name)
    }

    /// The commits that `head` reaches and `base` does not, newest first, at most `limit`.
    pub(crate) fn commits(&self, base: &str, head: &str, limit: usize) -> Vec<Commit> {
        let repository = self.open();
        let (Ok(mut walk), Ok(head)) = (repository.revwalk(), Oid::from_str(head)) else { return Vec::new() };
        let begun = walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME).and_then(|()| walk.push(head));
        let hidden = Oid::from_str(base).ok().filter(|_| !base.is_empty()).map_or(Ok(()), |base| walk.hide(base));
        if begun.and(hidden).is_err() {
            return Vec::new();
        }
        walk.flatten()
            .take(limit)
            .filter_map(|id| repository.find_commit(id).ok())
            .map(|commit| describe(&commit))
            .collect()
    }

    pub(crate) fn commit(&self, revision: &str) -> Option<Commit> {
        let repository = self.open();
        let commit = repository.revparse_single(revision).ok()?.peel_to_commit().ok()?;
        Some(describe(&commit))
    }

    pub(crate) fn blob(&self, revision: &str, path: &str) -> Option<Vec<u8>> {
        let repository = self.open();
        let tree = repository.revparse_single(revision).ok()?.peel_to_tree().ok()?;
        let object = tree.get_path(Path::new(path)).ok()?.to_object(&repository).ok()?;
        Some(object.as_blob()?.content().to_vec())
    }

    pub(crate) fn tree(&self, revision: &str, path: &str, recursive: bool) -> Option<Vec<TreeEntry>> {
        let repository = self.open();
        let mut tree = repository.revparse_single(revision).ok()?.peel_to_tree().ok()?;
        if !path.is_empty() {
            tree = tree.get_path(Path::new(path)).ok()?.to_object(&repository).ok()?.peel_to_tree().ok()?;
        }
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut entries = Vec::new();
        let walked = tree.walk(TreeWalkMode::PreOrder, |directory, entry| {
            let kind = match entry.kind() {
                Some(ObjectType::Tree) => "tree",
                Some(ObjectType::Commit) => "commit",
                _ => "blob",
            };
            entries.push(TreeEntry {
                mode: format!("{:06o}", entry.filemode()),
                kind: kind.to_owned(),
                id: entry.id().to_string(),
                path: format!("{prefix}{directory}{}", String::from_utf8_lossy(entry.name_bytes())),
            });
            if recursive { TreeWalkResult::Ok } else { TreeWalkResult::Skip }
        });
        walked.ok().map(|()| entries)
    }

    /// Copies the repository as it is, with what it borrows from others.
    pub(crate) fn copied_to(&self, path: PathBuf) -> Self {
        copy_directory(&self.path, &path).expect("the sandbox's temporary directory is writable");
        Self { path }
    }

    /// Shares the objects of another repository, as GitLab's object pools do.
    pub(crate) fn borrow_objects(&self, from: &Self) {
        let line = format!("{}\n", from.path.join("objects").display());
        let file = self.path.join("objects/info/alternates");
        let known = std::fs::read_to_string(&file).unwrap_or_default();
        if !known.contains(&line) {
            std::fs::write(file, known + &line).expect("the repository is writable");
        }
    }

    /// Sets refs to objects that are there.
    pub(crate) fn set_refs(&self, refs: &[(&str, &str)]) {
        let repository = self.open();
        for (name, id) in refs {
            let set = Oid::from_str(id).and_then(|id| repository.reference(name, id, true, ""));
            set.unwrap_or_else(|error| panic!("setting {name} to {id}: {error}"));
        }
    }

    /// Makes a branch the one that clones check out.
    pub(crate) fn set_head(&self, branch: &str) {
        std::fs::write(self.path.join("HEAD"), format!("ref: refs/heads/{branch}\n"))
            .expect("the repository is writable");
    }

    pub(crate) fn delete_ref(&self, name: &str) {
        let repository = self.open();
        let deleted = repository.find_reference(name).and_then(|mut reference| reference.delete());
        deleted.unwrap_or_else(|error| panic!("deleting {name}: {error}"));
    }

    /// Merges two commits without a work tree: the tree, or nothing where they conflict.
    pub(crate) fn merged_tree(&self, ours: &str, theirs: &str) -> Option<String> {
        let output = self.try_git(&["merge-tree", "--write-tree", ours, theirs]).ok()?;
        Some(String::from_utf8_lossy(&output).lines().next()?.to_owned())
    }

    /// Makes a commit of a tree; the date decides the id, so that the same history always has the same ids.
    pub(crate) fn commit_tree(&self, tree: &str, parents: &[&str], message: &str, seconds: u64) -> String {
        let repository = self.open();
        let id = |text: &str| Oid::from_str(text).expect("ids come from git");
        let tree = repository.find_tree(id(tree)).expect("the tree has just been made");
        let parents: Vec<_> = parents.iter().map(|parent| repository.find_commit(id(parent))).collect();
        let parents: Vec<_> = parents.into_iter().map(|parent| parent.expect("the parent exists")).collect();
        let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
        let time = Time::new(i64::try_from(seconds).unwrap_or(i64::MAX), 0);
        let someone = Signature::new("Sandbox", "sandbox@example.com", &time).expect("the name is not empty");
        let commit = repository.commit(None, &someone, &someone, message, &tree, &parents);
        commit.expect("the repository is writable").to_string()
    }

    /// Makes a commit with these files in place of its parent's, and gives its id; no branch moves.
    pub(crate) fn commit_bytes(&self, new: &NewCommit<'_>, files: &[(&str, &[u8])]) -> String {
        let repository = self.open();
        let make = || {
            let parent = new.parent.map(|parent| repository.find_commit(Oid::from_str(parent)?)).transpose()?;
            let base = match &parent {
                Some(parent) => parent.tree()?,
                None => repository.find_tree(repository.treebuilder(None)?.write()?)?,
            };
            let mut update = TreeUpdateBuilder::new();
            for (path, content) in files {
                update.upsert(*path, repository.blob(content)?, FileMode::Blob);
            }
            let tree = repository.find_tree(update.create_updated(&repository, &base)?)?;
            let time = Time::new(i64::try_from(new.seconds).unwrap_or(i64::MAX), 0);
            let author = Signature::new(&new.author.0, &new.author.1, &time)?;
            let committer = Signature::new(&new.committer.0, &new.committer.1, &time)?;
            let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
            repository.commit(None, &author, &committer, new.message, &tree, &parents)
        };
        let commit = make().unwrap_or_else(|error: git2::Error| panic!("committing {:?}: {error}", new.message));
        commit.to_string()
    }

    /// Commits on a branch, on top of what is there, with some files written (`Some`) or removed (`None`).
    pub(crate) fn commit_files(&self, branch: &str, message: &str, seconds: u64, changes: &[(&str, Option<&str>)]) {
        let repository = self.open();
        let reference = format!("refs/heads/{branch}");
        let parent = self.commit_id(&reference);
        let tree = || {
            let base = match &parent {
                Some(parent) => repository.find_commit(Oid::from_str(parent)?)?.tree()?,
                None => repository.find_tree(repository.treebuilder(None)?.write()?)?,
            };
            let mut update = TreeUpdateBuilder::new();
            for (path, content) in changes {
                match content {
                    Some(content) => update.upsert(*path, repository.blob(content.as_bytes())?, FileMode::Blob),
                    None => update.remove(*path),
                };
            }
            update.create_updated(&repository, &base)
        };
        let tree = tree().unwrap_or_else(|error: git2::Error| panic!("committing {message:?}: {error}"));
        let parents: Vec<&str> = parent.as_deref().into_iter().collect();
        let commit = self.commit_tree(&tree.to_string(), &parents, message, seconds);
        self.set_refs(&[(&reference, &commit)]);
    }
}

fn describe(commit: &git2::Commit<'_>) -> Commit {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let person = |who: &Signature<'_>| (text(who.name_bytes()), text(who.email_bytes()), iso_with_offset(who.when()));
    Commit {
        id: commit.id().to_string(),
        parents: commit.parent_ids().map(|id| id.to_string()).collect(),
        author: person(&commit.author()),
        committer: person(&commit.committer()),
        message: text(commit.message_bytes()),
    }
}

/// A date as GitLab shows those of commits: in the committer's own time zone, `2019-09-10T16:05:10.000+02:00`.
fn iso_with_offset(time: Time) -> String {
    let offset = time.offset_minutes();
    let local = u64::try_from(time.seconds().saturating_add(i64::from(offset) * 60)).unwrap_or_default();
    let local = Moment(local.saturating_mul(1000)).iso();
    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
    format!("{}{sign}{:02}:{:02}", local.trim_end_matches('Z'), minutes / 60, minutes % 60)
}
