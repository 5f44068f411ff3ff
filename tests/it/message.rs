//! Messages, patch mails and kept patches, with git and patch as oracles.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bstr::{BString, ByteSlice as _};
use proptest::prelude::*;
use source_git_bot::transform::message::{self, MetadataSource};
use source_git_bot::transform::{CommitId, keep, mail};
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
            .envs([("GIT_AUTHOR_NAME", "Au Thor"), ("GIT_AUTHOR_EMAIL", "au@thor"), ("GIT_AUTHOR_DATE", "1 +0100")])
            .envs([("GIT_COMMITTER_NAME", "Co"), ("GIT_COMMITTER_EMAIL", "co@x"), ("GIT_COMMITTER_DATE", "2 +0000")]);
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
        let head = format!("tree {tree}\n{parent}author Au Thor <au@thor> 1 +0100\ncommitter Co <co@x> 2 +0000\n\n");
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
    #![proptest_config(cases(150))]

    #[test]
    fn trailers_are_those_that_git_finds(lines in lines_of(&TRAILER_LINES, 9)) {
        let message = format!("Subject\n\n{}\n", lines.join("\n"));
        let found = trailers_of_git(&message);
        let read = message::read(&CommitId::from_bytes([1; 20]), message.as_bytes());
        match read {
            Ok((metadata, _)) => {
                prop_assert_eq!(metadata.source == MetadataSource::Trailers, !found.is_empty(), "{:?}: {:?}", message, found);
                let has = |token: &str| found.contains_key(token);
                prop_assert_eq!(metadata.file_name.as_ref().map(|n| n.as_str()), found.get("Patch-name").map(String::as_str));
                prop_assert_eq!(metadata.number.is_some(), has("Patch-id"));
                prop_assert_eq!(metadata.no_prefix, has("No-prefix"));
                prop_assert_eq!(metadata.present_in_spec, has("Patch-present-in-specfile"));
                if let (Some(status), Some(value)) = (&metadata.status, found.get("Patch-status")) {
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
    let pairs = lines.lines().filter_map(|line| line.split_once(": ").or(Some((line.strip_suffix(':')?, ""))));
    pairs.filter(|(token, _)| TOKENS.contains(token)).map(|(t, v)| (t.to_owned(), v.to_owned())).collect()
}

/// A repository with a parent commit, and a child that edits one file and has `message`.
fn repository(message: &[u8], no_hunk: bool) -> (Git, String, String) {
    let git = Git::new();
    let work = git.path("work");
    fs::write(work.join("victim"), "keep\n").unwrap();
    fs::write(work.join("file"), "one\n-- two\n---\n").unwrap();
    let parent = git.commit(&git.tree(), None, b"base\n");
    if no_hunk {
        fs::rename(work.join("file"), work.join("moved")).unwrap();
    } else {
        fs::write(work.join("file"), "uno\n---\n+++ x\n").unwrap();
    }
    let child = git.commit(&git.tree(), Some(&parent), message);
    (git, parent, child)
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

/// Takes the indentation of defused lines off again.
fn restored(message: &[u8], indented: &[BString]) -> Vec<BString> {
    let mut left = indented.iter().peekable();
    let lines = message.lines().map(|line| match left.peek() {
        Some(next) if line.strip_prefix(b" ") == Some(next.as_slice()) => left.next().unwrap().clone(),
        _ => line.into(),
    });
    lines.collect()
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn a_defused_mail_is_its_commit_for_git_and_patch(lines in lines_of(&NASTY_LINES, 10), no_hunk: bool) {
        let message = format!("A subject\n\n{}\n", lines.join("\n"));
        let (git, parent, child) = repository(message.as_bytes(), no_hunk);
        let defused = defused(&git, &format!("{parent}..{child}"), &child);
        let tree = git.line(&["rev-parse", &format!("{child}^{{tree}}")], b"");

        check_out(&git, &parent);
        git.run(&["am", "-q", "--keep-cr"], &defused.mail);
        prop_assert_eq!(git.line(&["rev-parse", "HEAD^{tree}"], b""), tree.clone());
        prop_assert_eq!(git.line(&["log", "-1", "--format=%an %ae %at %s"], b""), "Au Thor au@thor 1 A subject");
        let trimmed: Vec<BString> = git.message(&child).lines().map(|l| l.trim_end().into()).collect();
        let rebuilt = restored(&git.message("HEAD"), &defused.indented);
        let without_end = |lines: &[BString]| lines.iter().rev().skip_while(|l| l.is_empty()).cloned().collect::<Vec<_>>();
        let squeezed = |lines: Vec<BString>| { let mut lines = lines; lines.dedup_by(|a, b| a.is_empty() && b.is_empty()); lines };
        prop_assert_eq!(squeezed(without_end(&rebuilt)), squeezed(without_end(&trimmed)));

        check_out(&git, &parent);
        git.run(&["apply", "--index"], &defused.mail);
        prop_assert_eq!(git.line(&["write-tree"], b""), tree.clone());

        check_out(&git, &parent);
        let options = ["-p1", "-s", "--fuzz=0", "--no-backup-if-mismatch"];
        let output = with_input(git.command("setsid").arg("-w").arg("patch").args(options), &defused.mail);
        let right = output.status.success() && git.tree() == tree;
        if mail::message_line_read_by_patch(&defused.mail).is_none() {
            prop_assert!(right, "{}", output.stdout.as_bstr());
        }
    }

    #[test]
    fn squashed_mails_come_apart_again(first in lines_of(&NASTY_LINES, 8), second in lines_of(&NASTY_LINES, 8), no_hunk: bool) {
        let (git, parent, child) = repository(format!("One\n\n{}\n", first.join("\n")).as_bytes(), no_hunk);
        fs::write(git.path("work").join("binary"), [0, 1, 2, 255]).unwrap();
        fs::write(git.path("work").join("w\u{e4}rm"), "x\n").unwrap();
        let last = git.commit(&git.tree(), Some(&child), format!("Two\n\n{}\n", second.join("\n")).as_bytes());
        let one = defused(&git, &format!("{parent}..{child}"), &child).mail.into_owned();
        let two = defused(&git, &format!("{child}..{last}"), &last).mail.into_owned();
        let both = [one.clone(), two.clone()].concat();
        prop_assert_eq!(mail::split(&both), [&one[..], &two[..]]);
        prop_assert_eq!(&mail::commit_of(&two).unwrap().to_string(), &last);
        let names: Vec<_> = mail::diff_of(&two).unwrap().iter().map(|f| (f.path().unwrap().to_string(), f.binary)).collect();
        prop_assert_eq!(names, [("binary".to_owned(), true), ("w\u{e4}rm".to_owned(), false)]);
        prop_assert_eq!(mail::diff_of(&one).unwrap()[0].renamed, no_hunk);
        check_out(&git, &parent);
        git.run(&["am", "-q"], &both);
        prop_assert_eq!(git.line(&["rev-parse", "HEAD^{tree}"], b""), git.line(&["rev-parse", &format!("{last}^{{tree}}")], b""));
    }

    #[test]
    fn a_patch_made_again_is_kept(words in prop::collection::vec("[a-zA-Z\u{e9}]{1,14}", 1..18), no_hunk: bool) {
        let (git, parent, child) = repository(format!("{}\n\nText\n", words.join(" ")).as_bytes(), no_hunk);
        let range = format!("{parent}..{child}");
        let new = git.format_patch(&range, &["--no-numbered"]);
        let numbered = git.format_patch(&range, &["--start-number=1234", "--numbered"]);
        let packit = git.run(&["format-patch", "--stdout", "--abbrev=7", "--numbered", "--signature=2.39.5", &range], b"");
        prop_assert!(keep::same_but_volatile(&numbered, &new), "{}\n{}", numbered.as_bstr(), new.as_bstr());
        prop_assert!(keep::same_but_volatile(&packit, &new), "{}\n{}", packit.as_bstr(), new.as_bstr());
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
    for message in messages {
        let (git, parent, child) = repository(message, false);
        let range = format!("{parent}..{child}");
        let mail = git.format_patch(&range, &["--no-numbered"]);
        let found = mail::defuse(&mail, &git.message(&child));
        assert!(found.is_ok(), "{}: {}", message.as_bstr(), mail.as_bstr());
    }
}

#[test]
fn a_message_in_another_encoding_is_found_in_its_mail() {
    let (git, parent, _) = repository(b"x\n", false);
    let tree = git.tree();
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
    let (git, parent, child) = repository(b"S\n\nbefore\n -- >8 --\nafter\n", false);
    let mail = git.format_patch(&format!("{parent}..{child}"), &["--no-numbered"]);
    check_out(&git, &parent);
    git.run(&["am", "-q", "--scissors"], &mail);
    assert!(!git.message("HEAD").contains_str("before"));
}

/// Why a message with a whole diff is told apart: patch finds it behind the indentation.
#[test]
fn patch_reads_an_indented_diff() {
    let message = b"S\n\ndiff --git a/victim b/victim\n--- a/victim\n+++ b/victim\n@@ -1 +1 @@\n-keep\n+gone\n";
    let (git, parent, child) = repository(message, false);
    let defused = defused(&git, &format!("{parent}..{child}"), &child);
    assert_eq!(mail::message_line_read_by_patch(&defused.mail), Some(&b" @@ -1 +1 @@"[..]));
    check_out(&git, &parent);
    with_input(git.command("patch").args(["-p1", "-s", "-f"]), &defused.mail);
    assert_eq!(read(&git.path("work/victim")), "gone\n");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
