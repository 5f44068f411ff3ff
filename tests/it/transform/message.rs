//! Messages, patch mails and kept patches, with git and patch as oracles.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bstr::{BString, ByteSlice as _};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use source_git_bot::transform::message::{self, CommentStyle, MetadataSource};
use source_git_bot::transform::{keep, mail};
use source_git_bot::types::{CommitId, FileMode, RepoPath};
use tempfile::TempDir;

/// A git repository in a directory of its own, and an environment in which nothing else has a say.
struct Git {
    directory: TempDir,
}

impl Git {
    fn new() -> Self {
        let git = Self { directory: TempDir::new().unwrap() };
        fs::write(git.path("empty"), "").unwrap();
        fs::create_dir(git.path("work")).unwrap();
        git.run(&["init", "-q", "-b", "main"], b"");
        git.run(&["config", "core.autocrlf", "false"], b"");
        git
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path("work"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.directory.path())
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.path("empty"))
            .envs([
                ("GIT_AUTHOR_NAME", "Au Thor"),
                ("GIT_AUTHOR_EMAIL", "au@thor"),
                ("GIT_AUTHOR_DATE", "1100000000 +0100"),
            ])
            .envs([
                ("GIT_COMMITTER_NAME", "Co"),
                ("GIT_COMMITTER_EMAIL", "co@x"),
                ("GIT_COMMITTER_DATE", "1200000000 +0000"),
            ]);
        command
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let output = with_input(self.command("git").args(arguments), input);
        assert!(output.status.success(), "git {arguments:?}: {}", output.stderr.as_bstr());
        output.stdout
    }

    fn line(&self, arguments: &[&str], input: &[u8]) -> String {
        String::from_utf8(self.run(arguments, input)).unwrap().trim().to_owned()
    }

    /// Writes a commit with exactly this message; `git commit` would clean it up.
    fn commit(&self, tree: &str, parent: Option<&str>, message: &[u8]) -> String {
        let parent = parent.map(|id| format!("parent {id}\n")).unwrap_or_default();
        let head = format!(
            "tree {tree}\n{parent}author Au Thor <au@thor> 1100000000 +0100\ncommitter Co <co@x> 1200000000 +0000\n\n"
        );
        self.line(
            &["hash-object", "-t", "commit", "-w", "--stdin", "--literally"],
            &[head.as_bytes(), message].concat(),
        )
    }

    fn tree(&self) -> String {
        self.run(&["add", "-A", "-f"], b"");
        self.line(&["write-tree"], b"")
    }

    fn format_patch(&self, range: &str, options: &[&str]) -> Vec<u8> {
        let fixed = ["format-patch", "--stdout", "--no-signature", "--full-index", "--binary"];
        self.run(&[&fixed[..], options, &[range]].concat(), b"")
    }

    fn message(&self, commit: &str) -> Vec<u8> {
        self.run(&["log", "-1", "--format=%B", commit], b"")
    }
}

fn with_input(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starting the oracle");
    let mut stdin = child.stdin.take().unwrap();
    // the oracle may have read enough before the end
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// The default number of cases is for laws without processes; here each case runs several.
fn cases(number: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let raised = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig { cases: if raised { config.cases } else { number }, failure_persistence: None, ..config }
}

const TRAILER_LINES: [&str; 27] = [
    "",
    "",
    " ",
    "Text of a message",
    "Text: with a colon",
    "Patch-name: a.patch",
    "Patch-name : b.patch",
    "Patch-name:c.patch",
    "Patch-id: 0100",
    "Patch-id: \"5\"",
    "Patch-status: plain text",
    "Patch-status: see: this",
    "Patch-status: |",
    "    # indented",
    "\tindented: too",
    "No-prefix: true",
    "Ignore-patch: false",
    "Patch-present-in-specfile: yes",
    "patch-name: a.patch",
    "Signed-off-by: A <a@b>",
    "(cherry picked from commit 0123456789)",
    "# a comment",
    "---",
    "--- a divider",
    "---no divider",
    "Conflicts:",
    "two words: no token\r",
];

const NASTY_LINES: [&str; 40] = [
    "",
    "Text",
    "  indented  ",
    "---",
    "--- ",
    "--- a/victim",
    "+++ b/victim",
    "@@ -1 +1 @@",
    "-keep",
    "+gone",
    " --- a/victim",
    " +++ b/victim",
    " @@ -1 +1 @@",
    " -keep",
    " +gone",
    "diff --git a/victim b/victim",
    "diff -u victim victim",
    " diff --git a/victim b/victim",
    " rename from victim",
    " rename to elsewhere",
    "new mode 100755",
    "Index: victim",
    "Prereq: 1",
    "*** victim",
    "***************",
    "*** 1 ****",
    "1d",
    ".",
    "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001",
    "From a@b Mon Sep 17 00:00:00 2001",
    "From: Other <o@x>",
    "Subject: other",
    "Date: Thu, 1 Jan 2015 00:00:00 +0000",
    "[PATCH] x",
    ">From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001",
    "-- >8 --",
    "-- ",
    "caf\u{e9}",
    " victim | 2 +-",
    "GIT binary patch",
];

fn lines_of(list: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(list), 0..most)
}

const TOKENS: [&str; 6] =
    ["Patch-name", "Patch-id", "Patch-status", "Patch-present-in-specfile", "Ignore-patch", "No-prefix"];

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn trailers_are_those_that_git_finds(lines in lines_of(&TRAILER_LINES, 9)) {
        let message = format!("Subject\n\n{}\n", lines.join("\n"));
        let found = trailers_of_git(&message);
        let read = message::read(&CommitId::from_bytes([1; 20]), message.as_bytes());
        match read {
            Ok((metadata, _)) => {
                prop_assert_eq!(metadata.source == MetadataSource::Trailers, !found.is_empty(), "{:?}: {:?}", message, found);
                let has = |token: &str| found.contains_key(token);
                let name = metadata.file_name.as_ref().map(ToString::to_string);
                prop_assert_eq!(&name, &found.get("Patch-name").map(|value| value.split(' ').next().unwrap().to_owned()));
                prop_assert_eq!(metadata.number.is_some(), has("Patch-id"));
                prop_assert_eq!(metadata.no_prefix, has("No-prefix"));
                prop_assert_eq!(metadata.present_in_spec, has("Patch-present-in-specfile"));
                let value = found.get("Patch-status").filter(|value| !value.contains(" #"));
                if let (Some(status), Some(value)) = (&metadata.status, value) {
                    let words = |text: &[u8]| text.split_str(" ").map(<[u8]>::trim).collect::<Vec<_>>().concat();
                    let value = value.strip_prefix("| ").unwrap_or(value);
                    prop_assert_eq!(words(&status.replace("\n", " ")), words(value.as_bytes()));
                }
            }
            // the only way to spoil a value here is a continuation line
            Err(refusal) => prop_assert!(lines.iter().any(|l| l.starts_with([' ', '\t'])), "{refusal}: {message:?}"),
        }
    }
}

/// Returns the last value of each of our tokens, unfolded.
fn trailers_of_git(message: &str) -> BTreeMap<String, String> {
    let directory = TempDir::new().unwrap();
    let mut command = Command::new("git");
    command.args(["interpret-trailers", "--only-trailers", "--only-input", "--unfold"]).current_dir(directory.path());
    let empty = directory.path().join("empty");
    fs::write(&empty, "").unwrap();
    let output =
        with_input(command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", empty), message.as_bytes());
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    let pairs = lines.lines().filter_map(|line| line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, ""))));
    pairs.filter(|(token, _)| TOKENS.contains(token)).map(|(t, v)| (t.to_owned(), v.to_owned())).collect()
}

/// A repository with a commit, and the trees that commits on top of it may have.
struct Repository {
    git: Git,
    parent: String,
    /// One file edited.
    edited: String,
    /// The same file renamed.
    renamed: String,
    /// After either of them, another file edited.
    edited_again: String,
    renamed_and_edited: String,
}

impl Repository {
    fn new() -> Self {
        let git = Git::new();
        let work = git.path("work");
        let put = |name: &str, content: &str| fs::write(work.join(name), content).unwrap();
        put("victim", "keep\n");
        put("file", "one\n-- two\n---\n");
        let parent = git.commit(&git.tree(), None, b"base\n");
        put("file", "uno\n---\n+++ x\n");
        let edited = git.tree();
        put("victim", "kept\n");
        let edited_again = git.tree();
        put("file", "one\n-- two\n---\n");
        fs::rename(work.join("file"), work.join("moved")).unwrap();
        let renamed_and_edited = git.tree();
        put("victim", "keep\n");
        let renamed = git.tree();
        Self { git, parent, edited, renamed, edited_again, renamed_and_edited }
    }

    fn child(&self, message: &[u8], no_hunk: bool) -> String {
        self.git.commit(if no_hunk { &self.renamed } else { &self.edited }, Some(&self.parent), message)
    }

    fn grandchild(&self, child: &str, message: &[u8], no_hunk: bool) -> String {
        let tree = if no_hunk { &self.renamed_and_edited } else { &self.edited_again };
        self.git.commit(tree, Some(child), message)
    }

    /// Says whether GNU patch makes `tree` of the parent. In a session of its own, so that it asks nobody.
    fn patch_makes(&self, tree: &str, patch: &[u8]) -> bool {
        check_out(&self.git, &self.parent);
        let options = ["-w", "patch", "-p1", "-s", "--fuzz=0", "--no-backup-if-mismatch"];
        with_input(self.git.command("setsid").args(options), patch).status.success() && self.git.tree() == tree
    }
}

/// Runs a law on `number` cases, each of which runs processes; the usual variable raises the number.
fn check<S: Strategy>(number: u32, strategy: &S, law: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    TestRunner::new(cases(number)).run(strategy, law).unwrap_or_else(|error| panic!("{error}"));
}

fn check_out(git: &Git, commit: &str) {
    git.run(&["reset", "-q", "--hard", commit], b"");
    git.run(&["clean", "-q", "-f", "-d", "-x"], b"");
}

fn defused(git: &Git, range: &str, child: &str) -> mail::Defused<'static> {
    let mail = git.format_patch(range, &["--no-numbered"]);
    let defused = mail::defuse(&mail, &git.message(child)).unwrap();
    mail::Defused { mail: defused.mail.into_owned().into(), ..defused }
}

/// Returns the message that `git am` must write: without white space at the ends of lines, blank lines squeezed, and the
/// defused lines indented.
fn expected(message: &[u8], indented: &[BString]) -> Vec<BString> {
    let mut left = indented.iter().peekable();
    let mut lines = Vec::new();
    for line in message.lines().map(<[u8]>::trim_end) {
        match left.next_if(|next| next.trim_end() == line) {
            Some(line) => lines.push([b" ", line.trim_end()].concat().into()),
            None => lines.push(line.into()),
        }
    }
    squeezed(lines)
}

fn squeezed(mut lines: Vec<BString>) -> Vec<BString> {
    lines.dedup_by(|a, b| a.is_empty() && b.is_empty());
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

#[test]
fn a_defused_mail_is_its_commit_for_git_and_patch() {
    let repository = Repository::new();
    let Repository { git, parent, .. } = &repository;
    check(12, &(lines_of(&NASTY_LINES, 10), any::<bool>()), |(lines, no_hunk)| {
        let child = repository.child(format!("A subject\n\n{}\n", lines.join("\n")).as_bytes(), no_hunk);
        let defused = defused(git, &format!("{parent}..{child}"), &child);
        let tree = git.line(&["rev-parse", &format!("{child}^{{tree}}")], b"");

        check_out(git, parent);
        git.run(&["am", "-q", "--keep-cr"], &defused.mail);
        let rebuilt = git.line(&["log", "-1", "--format=%T %an %ae %at %s"], b"");
        prop_assert_eq!(rebuilt, format!("{tree} Au Thor au@thor 1100000000 A subject"));
        let rebuilt = squeezed(git.message("HEAD").lines().map(BString::from).collect());
        prop_assert_eq!(rebuilt, expected(&git.message(&child), &defused.indented));

        check_out(git, parent);
        git.run(&["apply", "--index"], &defused.mail);
        prop_assert_eq!(git.line(&["write-tree"], b""), tree.as_str());

        let seen = mail::message_line_read_by_patch(&defused.mail);
        prop_assert!(seen.is_some() || repository.patch_makes(&tree, &defused.mail));
        Ok(())
    });
}

#[test]
fn squashed_mails_come_apart_again() {
    let repository = Repository::new();
    let Repository { git, parent, .. } = &repository;
    let strategy = (lines_of(&NASTY_LINES, 8), lines_of(&NASTY_LINES, 8), any::<bool>());
    check(12, &strategy, |(first, second, no_hunk)| {
        let child = repository.child(format!("One\n\n{}\n", first.join("\n")).as_bytes(), no_hunk);
        let last = repository.grandchild(&child, format!("Two\n\n{}\n", second.join("\n")).as_bytes(), no_hunk);
        let one = defused(git, &format!("{parent}..{child}"), &child).mail.into_owned();
        let two = defused(git, &format!("{child}..{last}"), &last).mail.into_owned();
        let both = [one.clone(), two.clone()].concat();
        prop_assert_eq!(mail::split(&both), [&one[..], &two[..]]);
        prop_assert_eq!(mail::commit_of(&two).unwrap().to_string(), last.as_str());

        let tree = git.line(&["rev-parse", &format!("{last}^{{tree}}")], b"");
        check_out(git, parent);
        git.run(&["am", "-q"], &both);
        prop_assert_eq!(git.line(&["rev-parse", "HEAD^{tree}"], b""), tree.as_str());
        let seen = mail::message_line_read_by_patch(&both);
        prop_assert!(seen.is_some() || repository.patch_makes(&tree, &both), "{}", both.as_bstr());
        Ok(())
    });
}

#[test]
fn a_patch_made_again_is_kept() {
    let repository = Repository::new();
    let Repository { git, parent, .. } = &repository;
    let strategy = (prop::collection::vec("[a-zA-Z\u{e9}]{1,14}", 1..18), any::<bool>());
    check(25, &strategy, |(words, no_hunk)| {
        let child = repository.child(format!("{}\n\nText\n", words.join(" ")).as_bytes(), no_hunk);
        let range = format!("{parent}..{child}");
        let new = git.format_patch(&range, &["--no-numbered"]);
        let numbered = git.format_patch(&range, &["--start-number=1234", "--numbered"]);
        let packits =
            git.run(&["format-patch", "--stdout", "--abbrev=7", "--numbered", "--signature=2.39.5", &range], b"");
        for old in [numbered, packits] {
            prop_assert!(keep::same_but_volatile(&old, &new), "{}\n{}", old.as_bstr(), new.as_bstr());
        }
        Ok(())
    });
}

#[test]
fn the_files_of_a_diff_are_those_that_git_names() {
    let git = Git::new();
    let work = git.path("work");
    let long = "a line of text that is long enough for git to know the file again\n".repeat(3);
    let names = ["a b", "a b b/a b", "w\u{e4}rm", "tab\there", "quote\"d", "a/x", "dir/b/y"];
    for directory in ["a", "dir/b", "a b b"] {
        fs::create_dir_all(work.join(directory)).unwrap();
    }
    fs::write(work.join("changed"), "1\n").unwrap();
    fs::write(work.join("script"), "1\n").unwrap();
    fs::write(work.join("old name"), &long).unwrap();
    fs::write(work.join("gone"), "1\n").unwrap();
    fs::write(work.join("bin"), [0, 1]).unwrap();
    fs::write(work.join("large"), "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n").unwrap();
    let parent = git.commit(&git.tree(), None, b"base\n");
    for name in names {
        if name != "a b" {
            fs::write(work.join(name), "").unwrap();
        }
    }
    fs::write(work.join("changed"), "2\n").unwrap();
    fs::set_permissions(work.join("script"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(work.join("old name"), work.join("new \u{e9}")).unwrap();
    fs::remove_file(work.join("gone")).unwrap();
    fs::write(work.join("bin"), [0, 2]).unwrap();
    fs::write(work.join("large"), "version https://git-lfs.github.com/spec/v1\noid sha256:2\nsize 1\n").unwrap();
    symlink("changed", work.join("link")).unwrap();
    git.tree();
    git.run(&["update-index", "--add", "--cacheinfo", &format!("160000,{parent},module")], b"");
    let child = git.commit(&git.line(&["write-tree"], b""), Some(&parent), b"x\n");

    let raw = git.run(&["diff-tree", "-r", "-z", "-M", "--raw", "--no-abbrev", &parent, &child], b"");
    for options in [&["--no-numbered"][..], &["--no-numbered", "--no-prefix"]] {
        let files = mail::diff_of(&git.format_patch(&format!("{parent}..{child}"), options)).unwrap();
        assert_eq!(files.iter().map(as_raw).collect::<Vec<_>>(), raw_entries(&raw));
        let such = |wanted: fn(&mail::PatchedFile) -> bool| {
            files.iter().filter(|f| wanted(f)).map(|f| f.path().unwrap().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(such(|f| f.binary), ["bin"]);
        assert_eq!(such(|f| f.lfs_pointer), ["large"]);
        assert_eq!(such(mail::PatchedFile::is_gitlink), ["module"]);
        assert_eq!(such(mail::PatchedFile::changes_mode), ["script"]);
        assert_eq!(such(|f| f.has_hunks), ["changed", "gone", "large", "link", "module"]);
    }
}

/// A changed file as `git diff-tree --raw -z` describes it: modes, and one path, or two where it was renamed.
type Raw = (String, String, Vec<BString>);

fn raw_entries(raw: &[u8]) -> Vec<Raw> {
    let mut fields = raw.strip_suffix(b"\0").unwrap().split(|b| *b == 0);
    let mut entries = Vec::new();
    while let Some(about) = fields.next() {
        let words: Vec<_> = about.to_str().unwrap().trim_start_matches(':').split(' ').collect();
        let paths = fields.by_ref().take(if words[4].starts_with('R') { 2 } else { 1 }).map(BString::from).collect();
        entries.push((words[0].to_owned(), words[1].to_owned(), paths));
    }
    entries
}

fn as_raw(file: &mail::PatchedFile) -> Raw {
    let mode = |mode: Option<FileMode>| format!("{:06o}", mode.map_or(0, FileMode::to_git));
    let path = |path: &Option<RepoPath>| BString::from(path.as_ref().unwrap().as_bytes());
    let paths = if file.renamed {
        vec![path(&file.old), path(&file.new)]
    } else {
        vec![BString::from(file.path().unwrap().as_bytes())]
    };
    // a pure rename does not say the mode, which stays
    let modes = if file.renamed && file.old_mode.is_none() {
        ("100644".to_owned(), "100644".to_owned())
    } else {
        (mode(file.old_mode), mode(file.new_mode))
    };
    (modes.0, modes.1, paths)
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd(
        lines in prop::collection::vec(
            prop_oneof![
                prop::sample::select(&NASTY_LINES[..]).prop_map(|line| line.as_bytes().to_vec()),
                prop::sample::select(&TRAILER_LINES[..]).prop_map(|line| line.as_bytes().to_vec()),
                "(diff --git|index|@@ -|new file mode|rename from|patch_name:) .{0,9}".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..20),
            ],
            0..20,
        )
    ) {
        let bytes = bstr::join("\n", lines);
        if let Ok((metadata, _)) = message::read(&CommitId::from_bytes([1; 20]), &bytes) {
            let lines = message::comment(&bytes, &metadata, CommentStyle::Message);
            prop_assert!(lines.iter().all(|line| !line.iter().any(|b| b.is_ascii_control() && *b != b'\t')));
            prop_assert!(lines.first().is_none_or(|line| !line.is_empty()) && lines.last().is_none_or(|l| !l.is_empty()));
        }
        let _ = mail::diff_of(&bytes);
        let _ = mail::message_line_read_by_patch(&bytes);
        prop_assert_eq!(mail::split(&bytes).concat(), bytes.as_slice());
        prop_assert!(keep::same_but_volatile(&bytes, &bytes));
        let mail = [&b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"[..], &bytes].concat();
        let _ = mail::defuse(&mail, &bytes);
    }
}

/// What each shape of message and mail that git knows looks like to us.
#[test]
fn unusual_messages_are_found_in_their_mails() {
    let messages: [&[u8]; 12] = [
        b"",
        b"\n",
        b"Subject",
        b"Subject\nover two lines\n",
        b"\n\n  \nLate subject\n two\n \t\n\n  body  \r\n\n\n x\n \n",
        b"Subject\n\n\n\nbody\n\n\n",
        b"Subject\r\n\r\nbody\r\n",
        b"Subject\n\n\tTab\x0c\x0b\n",
        b"S\n\n---\n f | 2 +-\n\ndiff --git a/f b/f\n",
        "Ünïcode ".repeat(40).leak().as_bytes(),
        "S\n\nÜnïcode\n".as_bytes(),
        b"S\n\ncaf\xe9\n",
    ];
    let repository = Repository::new();
    let Repository { git, parent, .. } = &repository;
    for message in messages {
        let child = repository.child(message, false);
        let range = format!("{parent}..{child}");
        let mail = git.format_patch(&range, &["--no-numbered"]);
        let found = mail::defuse(&mail, &git.message(&child));
        assert!(found.is_ok(), "{}: {}", message.as_bstr(), mail.as_bstr());
    }
}

#[test]
fn a_message_in_another_encoding_is_found_in_its_mail() {
    let Repository { git, parent, edited: tree, .. } = Repository::new();
    let head = format!(
        "tree {tree}\nparent {parent}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\nencoding ISO-8859-1\n\n"
    );
    let commit = [head.as_bytes(), b"Caf\xe9\n\nCaf\xe9 body\n"].concat();
    let commit = git.line(&["hash-object", "-t", "commit", "-w", "--stdin"], &commit);
    let mail = git.format_patch(&format!("{parent}..{commit}"), &["--no-numbered"]);
    assert!(mail::defuse(&mail, &git.message(&commit)).is_ok());
    assert!(mail.contains_str("Caf\u{e9} body"));
}

/// A scissors line works behind any indentation, so indenting it would change a message for nothing.
#[test]
fn scissors_work_behind_indentation() {
    let repository = Repository::new();
    let Repository { git, parent, .. } = &repository;
    let child = repository.child(b"S\n\nbefore\n -- >8 --\nafter\n", false);
    let mail = git.format_patch(&format!("{parent}..{child}"), &["--no-numbered"]);
    check_out(git, parent);
    git.run(&["am", "-q", "--scissors"], &mail);
    assert!(!git.message("HEAD").contains_str("before"));
}

/// Why a message with a whole diff is told apart: patch finds it behind the indentation.
#[test]
fn patch_reads_an_indented_diff() {
    let message = b"S\n\ndiff --git a/victim b/victim\n--- a/victim\n+++ b/victim\n@@ -1 +1 @@\n-keep\n+gone\n";
    let repository = Repository::new();
    let Repository { git, parent, .. } = &repository;
    let child = repository.child(message, false);
    let defused = defused(git, &format!("{parent}..{child}"), &child);
    assert_eq!(mail::message_line_read_by_patch(&defused.mail), Some(&b" @@ -1 +1 @@"[..]));
    check_out(git, parent);
    with_input(git.command("patch").args(["-p1", "-s", "-f"]), &defused.mail);
    assert_eq!(read(&git.path("work/victim")), "gone\n");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
