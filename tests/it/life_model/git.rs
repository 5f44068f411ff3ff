//! What git says of the sandbox's repositories: the independent source of what dist-git has to hold.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A repository to ask.
pub(crate) struct Git(PathBuf);

impl Git {
    pub(crate) const fn new(repository: PathBuf) -> Self {
        Self(repository)
    }

    fn run(&self, arguments: &[&str], index: Option<&Path>, input: &[u8]) -> Output {
        let mut command = Command::new("git");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).current_dir(&self.0).args(arguments);
        command.envs([("HOME", "/nonexistent"), ("GIT_CONFIG_NOSYSTEM", "1")]);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Someone").env(format!("GIT_{who}_EMAIL"), "someone@example.com");
        }
        if let Some(index) = index {
            command.env("GIT_INDEX_FILE", index);
        }
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap()
    }

    /// What git prints; nothing where it fails.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Option<String> {
        let output = self.run(arguments, None, b"");
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
    }

    #[track_caller]
    pub(crate) fn say(&self, arguments: &[&str]) -> String {
        self.ask(arguments).unwrap_or_else(|| panic!("git {arguments:?}"))
    }

    /// The tree of the merge of two commits; nothing where they conflict.
    pub(crate) fn merged(&self, ours: &str, theirs: &str) -> Option<String> {
        Some(self.ask(&["merge-tree", "--write-tree", ours, theirs])?.lines().next()?.to_owned())
    }

    pub(crate) fn is_ancestor(&self, ancestor: &str, descendant: &str) -> bool {
        self.run(&["merge-base", "--is-ancestor", ancestor, descendant], None, b"").status.success()
    }

    /// The files of a tree, with what each is.
    pub(crate) fn files(&self, tree: &str) -> BTreeMap<String, String> {
        let listed = self.say(&["ls-tree", "-r", tree]);
        let entry = |line: &str| line.split_once('\t').map(|(what, name)| (name.to_owned(), what.to_owned()));
        listed.lines().filter_map(entry).collect()
    }

    pub(crate) fn file(&self, revision: &str, path: &str) -> Option<Vec<u8>> {
        let output = self.run(&["cat-file", "blob", &format!("{revision}:{path}")], None, b"");
        output.status.success().then_some(output.stdout)
    }

    /// The tree that patches make of a tree, one after the other; nothing where one does not apply. What the patches
    /// give is written into this repository, where nothing refers to it.
    pub(crate) fn patched(&self, tree: &str, patches: &[Vec<u8>]) -> Option<String> {
        let directory = tempfile::TempDir::new().unwrap();
        let index = directory.path().join("index");
        let run = |arguments: &[&str], input: &[u8]| {
            let output = self.run(arguments, Some(&index), input);
            output.status.success().then_some(output.stdout)
        };
        run(&["read-tree", tree], b"")?;
        for patch in patches {
            run(&["apply", "--cached", "--allow-empty", "-"], patch)?;
        }
        Some(String::from_utf8(run(&["write-tree"], b"")?).unwrap().trim().to_owned())
    }
}
