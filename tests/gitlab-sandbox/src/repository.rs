//! A project's bare repository: everything the model asks git for. It knows nothing of users, projects or HTTP.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
pub(crate) fn run(mut command: Command, input: &[u8]) -> Result<Vec<u8>, String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // The child may end without reading all of its input: that shows in its exit status, not here.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    });
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

impl Repository {
    /// Makes an empty bare repository with the server's settings and its hook.
    pub(crate) fn create(path: PathBuf) -> Self {
        let repository = Self { path };
        std::fs::create_dir_all(&repository.path).expect("the sandbox's temporary directory is writable");
        repository.must(&["init", "--quiet", "--bare", "--initial-branch=main", "."]);
        let config = concat!(
            "[http]\n\treceivepack = true\n\tuploadpack = true\n",
            "[gc]\n\tauto = 0\n[receive]\n\tautogc = false\n\thideRefs = refs/merge-requests\n\thideRefs = refs/keep-around\n",
            "[uploadpack]\n\thideRefs = refs/keep-around\n\tallowReachableSHA1InWant = true\n",
            "\tallowAnySHA1InWant = true\n\tallowFilter = true\n",
        );
        let file = repository.path.join("config");
        let old = std::fs::read_to_string(&file).expect("git has just written the configuration");
        std::fs::write(&file, old + config).expect("the repository is writable");
        write_hook(&repository.path.join("hooks/pre-receive"));
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

    /// Every ref under a prefix, without it, with the commit or tag object it names.
    pub(crate) fn refs(&self, prefix: &str) -> BTreeMap<String, String> {
        let listing = self.must(&["for-each-ref", "--format=%(objectname) %(refname)", prefix]);
        let pairs = listing.lines().filter_map(|line| line.split_once(' '));
        pairs.map(|(id, name)| (name.strip_prefix(prefix).unwrap_or(name).to_owned(), id.to_owned())).collect()
    }

    /// Every branch and tag by full name, with the commit or tag object it names.
    pub(crate) fn all_refs(&self) -> BTreeMap<String, String> {
        let listing = self.must(&["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/", "refs/tags/"]);
        listing
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(id, name)| (name.to_owned(), id.to_owned()))
            .collect()
    }

    /// The commit that a branch, tag or id names.
    pub(crate) fn commit_id(&self, revision: &str) -> Option<String> {
        let output = self.try_git(&["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")]).ok()?;
        Some(String::from_utf8_lossy(&output).trim().to_owned()).filter(|id| !id.is_empty())
    }

    pub(crate) fn merge_base(&self, one: &str, other: &str) -> Option<String> {
        let output = self.try_git(&["merge-base", one, other]).ok()?;
        Some(String::from_utf8_lossy(&output).trim().to_owned())
    }

    pub(crate) fn is_ancestor(&self, ancestor: &str, descendant: &str) -> bool {
        self.try_git(&["merge-base", "--is-ancestor", ancestor, descendant]).is_ok()
    }

    /// Commits as `git log` finds them with these arguments, newest first.
    pub(crate) fn log(&self, arguments: &[&str]) -> Vec<Commit> {
        let format = "--format=%H%x1f%P%x1f%an%x1f%ae%x1f%aI%x1f%cn%x1f%ce%x1f%cI%x1f%B";
        let Ok(output) = self.try_git(&[&["log", "-z", format], arguments].concat()) else { return Vec::new() };
        let text = String::from_utf8_lossy(&output).into_owned();
        text.split('\0').filter_map(parse_commit).collect()
    }

    pub(crate) fn commit(&self, revision: &str) -> Option<Commit> {
        let id = self.commit_id(revision)?;
        self.log(&["-1", &id]).into_iter().next()
    }

    pub(crate) fn blob(&self, revision: &str, path: &str) -> Option<Vec<u8>> {
        self.try_git(&["cat-file", "blob", &format!("{revision}:{path}")]).ok()
    }

    pub(crate) fn tree(&self, revision: &str, path: &str, recursive: bool) -> Option<Vec<TreeEntry>> {
        let tree = format!("{revision}:{path}");
        let mut arguments = vec!["ls-tree", "-z", "--full-tree"];
        if recursive {
            arguments.extend(["-r", "-t"]);
        }
        let output = self.try_git(&[arguments.as_slice(), &[&tree]].concat()).ok()?;
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let text = String::from_utf8_lossy(&output).into_owned();
        let entries = text.split('\0').filter_map(|line| {
            let (facts, name) = line.split_once('\t')?;
            let mut facts = facts.split(' ').map(str::to_owned);
            let (mode, kind, id) = (facts.next()?, facts.next()?, facts.next()?);
            Some(TreeEntry { mode, kind, id, path: format!("{prefix}{name}") })
        });
        Some(entries.collect())
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
        let lines: String = refs.iter().map(|(name, id)| format!("update {name} {id}\n")).collect();
        let mut command = git_command(&self.path);
        command.args(["update-ref", "--stdin"]);
        run(command, lines.as_bytes()).unwrap_or_else(|error| panic!("setting {refs:?}: {error}"));
    }

    /// Makes a branch the one that clones check out.
    pub(crate) fn set_head(&self, branch: &str) {
        std::fs::write(self.path.join("HEAD"), format!("ref: refs/heads/{branch}\n"))
            .expect("the repository is writable");
    }

    pub(crate) fn delete_ref(&self, name: &str) {
        self.must(&["update-ref", "-d", name]);
    }

    /// Merges two commits without a work tree: the tree, or nothing where they conflict.
    pub(crate) fn merged_tree(&self, ours: &str, theirs: &str) -> Option<String> {
        let output = self.try_git(&["merge-tree", "--write-tree", ours, theirs]).ok()?;
        Some(String::from_utf8_lossy(&output).lines().next()?.to_owned())
    }

    /// Makes a commit of a tree; the date decides the id, so that the same history always has the same ids.
    pub(crate) fn commit_tree(&self, tree: &str, parents: &[&str], message: &str, seconds: u64) -> String {
        let mut command = git_command(&self.path);
        let date = format!("{seconds} +0000");
        command.args(["commit-tree", tree]).env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date);
        for parent in parents {
            command.args(["-p", parent]);
        }
        let output = run(command, message.as_bytes());
        String::from_utf8_lossy(&output.expect("the tree and the parents exist")).trim().to_owned()
    }

    /// Commits on a branch, on top of what is there, with some files written (`Some`) or removed (`None`). The date
    /// decides the id, so that the same history always has the same ids.
    pub(crate) fn commit_files(&self, branch: &str, message: &str, seconds: u64, changes: &[(&str, Option<&str>)]) {
        let reference = format!("refs/heads/{branch}");
        let mut stream = format!("commit {reference}\ncommitter Sandbox <sandbox@example.com> {seconds} +0000\n");
        let data = |text: &str| format!("data {}\n{text}\n", text.len());
        stream += &data(message);
        if let Some(parent) = self.commit_id(&reference) {
            stream += &format!("from {parent}\n");
        }
        for (path, content) in changes {
            let path = path.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            match content {
                Some(content) => stream += &format!("M 100644 inline \"{path}\"\n{}", data(content)),
                None => stream += &format!("D \"{path}\"\n"),
            }
        }
        let mut command = git_command(&self.path);
        command.args(["fast-import", "--quiet", "--force"]);
        run(command, stream.as_bytes()).unwrap_or_else(|error| panic!("committing {message:?}: {error}"));
    }
}

fn parse_commit(record: &str) -> Option<Commit> {
    let mut fields = record.splitn(9, '\u{1f}').map(str::to_owned);
    let (id, parents) = (fields.next().filter(|id| !id.is_empty())?, fields.next()?);
    let author = (fields.next()?, fields.next()?, fields.next()?);
    let committer = (fields.next()?, fields.next()?, fields.next()?);
    let message = fields.next()?;
    Some(Commit { id, parents: parents.split_whitespace().map(str::to_owned).collect(), author, committer, message })
}

/// The rules of a push, as a real hook: GitLab's wording, from `lib/gitlab/checks/branch_check.rb`.
///
/// `git_http` hands over what the hook cannot know: whether the user may push to protected branches
/// (`SANDBOX_PROTECTED`, a line `pattern push force` each) and the default branch. Without them (a push by the test
/// itself) everything is allowed.
fn write_hook(path: &Path) {
    let hook = r#"#!/bin/sh
[ -n "$SANDBOX_PUSHER" ] || exit 0
zeros=0000000000000000000000000000000000000000
refuse() { echo "GitLab: $1" >&2; exit 1; }
while read -r old new ref; do
    case $ref in refs/heads/*) name=${ref#refs/heads/} ;; *) continue ;; esac
    if [ "$new" = "$zeros" ] && [ "$name" = "$SANDBOX_DEFAULT_BRANCH" ]; then
        refuse "The default branch of a project cannot be deleted."
    fi
    if [ "$old" = "$zeros" ] && echo "$name" | grep -Eq '^[0-9a-f]{40}([-/].*)?$'; then
        refuse "You cannot create a branch with a 40-character hexadecimal branch name."
    fi
    while read -r pattern push force; do
        [ -n "$pattern" ] || continue
        case $name in $pattern) ;; *) continue ;; esac
        if [ "$new" = "$zeros" ]; then
            refuse "You are not allowed to delete protected branches from this project. Only a project maintainer or owner can delete a protected branch."
        fi
        if [ "$push" = no ]; then
            [ "$old" = "$zeros" ] && refuse "You are not allowed to create protected branches on this project."
            refuse "You are not allowed to push code to protected branches on this project."
        fi
        if [ "$force" = no ] && [ "$old" != "$zeros" ] && ! git merge-base --is-ancestor "$old" "$new"; then
            refuse "You are not allowed to force push code to a protected branch on this project."
        fi
    done <<EOF
$SANDBOX_PROTECTED
EOF
done
exit 0
"#;
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).expect("the repository is writable");
    }
    std::fs::write(path, hook).expect("the repository is writable");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, mode).expect("the hook is ours");
}
