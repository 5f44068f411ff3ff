//! The texts of a pair, held against the patterns by which GitLab acts on text, and against git's own reading.

use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use source_git_bot::pair::commit::{self, SourceAuthor};
use source_git_bot::pair::{references, sanitize, title};
use source_git_bot::types::CommitId;

/// GitLab's patterns, as Perl expressions for one line of text. Only names are left out that stand for any name.
const PATTERNS: [(&str, &str); 9] = [
    // lib/gitlab/quick_actions/extractor.rb, with any command
    ("quick action", r"^/\w+"),
    // User.reference_pattern, on the raw text and where Markdown has taken the emphasis away
    ("mention", r"(?:(?<![A-Za-z0-9_])|(?<![A-Za-z0-9])_)@[A-Za-z0-9_.]"),
    // Issue, MergeRequest and Epic.reference_pattern
    ("reference", r"(?:#|!|&|GL-)\d"),
    ("reference in brackets", r"\[(?:issue|work_item|epic|vulnerability|milestone|label):"),
    // Commit.reference_pattern across projects
    ("commit elsewhere", r"\w@[0-9a-f]{7,40}\b"),
    // issue_closing_pattern of config/gitlab.yml.example; links stand for `%{issue_ref}`, which `reference` covers else
    (
        "closing word",
        r"\b(?:[Cc]los(?:e[sd]?|ing)|\b[Ff]ix(?:e[sd]|ing)?|\b[Rr]esolv(?:e[sd]?|ing)|\b[Ii]mplement(?:s|ed|ing)?)(?::?) +(?:issues? +)?(?:https?://|[A-Z][A-Z0-9_]+-\d)",
    ),
    ("comment", r"<[!?]"),
    ("entity", r"&(?:#|commat;|num;|excl;|sol;)"),
    ("attachment", r"\[\[ATTACHMENT"),
];

/// Pieces of what is dangerous, and of what could hide or join it.
fn nasty() -> impl Strategy<Value = String> {
    let pieces = vec![
        "/merge",
        "/label ~x",
        "/",
        "@",
        "@all",
        "a",
        "#",
        "#1",
        "!",
        "!3",
        "&",
        "&5",
        "GL-",
        "GL-6",
        "1",
        "g/p",
        "Closes ",
        "fixes: ",
        "Resolve  ",
        "Resolves: ",
        "Implements",
        ":",
        "bz#",
        "bz#1",
        "RHEL-1",
        "RHEL-",
        "https://x/issues/1",
        "http",
        "issue ",
        " and ",
        ", ",
        "<!--",
        "-->",
        "<",
        "!--",
        "<b>",
        "</b>",
        "<details>",
        "</",
        "[issue:",
        "issue:1]",
        "[[ATTACHMENT|",
        "[",
        "\n",
        "\n",
        "\r",
        "\n\n",
        " ",
        "  ",
        "\t",
        "> ",
        "- ",
        "1. ",
        "```",
        "\n```\n",
        "~~~",
        "`",
        "\\",
        "\u{200b}",
        "\u{202e}",
        "\u{feff}",
        "\u{a0}",
        "\u{2028}",
        "From-source-git-commit:",
        "from-source-git-commit : x",
        "From-source-git-commit",
        "\n---\n",
        "---",
        "Draft: ",
        "[Draft] ",
        "…",
        "é",
        "_",
        "*",
        "0123456789abcdef",
        ";",
        "#64;",
        "&commat;",
        "JIRA: ",
        "Bugzilla: ",
        "JIRA: RHEL-1",
    ];
    let piece = prop_oneof![9 => prop::sample::select(pieces).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

/// What is written on purpose and looks like a closing word: taken out before the patterns are asked.
fn without_the_distributions_own(text: &str) -> String {
    let own = |line: &str| {
        let (_, reference) =
            line.split_once(": ").filter(|(word, _)| ["Resolves", "Related", "Reverts"].contains(word))?;
        let after = |prefix: &str| {
            let number = reference.strip_prefix(prefix)?;
            let rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
            (rest.len() < number.len()).then(|| format!("own{rest}"))
        };
        // Any JIRA project's key, not only RHEL's: distributions differ.
        let project = reference.find('-').and_then(|dash| reference.get(..=dash)).filter(|project| {
            project.len() > 2
                && project.starts_with(|c: char| c.is_ascii_uppercase())
                && project.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_-".contains(&b))
        });
        ["bz#", "rhbz#"].into_iter().chain(project).find_map(after)
    };
    text.split('\n').map(|line| own(line).unwrap_or_else(|| line.to_owned())).collect::<Vec<_>>().join("\n")
}

fn git(directory: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new("git").args(arguments).current_dir(directory).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn nothing_that_gitlab_acts_on_survives_copying() {
    let directory = tempfile::tempdir().unwrap();
    let mut runner = TestRunner::new(Config::default());
    let mut copies = String::new();
    for _ in 0..runner.config().cases * 8 {
        let text = nasty().new_tree(&mut runner).unwrap().current();
        let converted = references::convert(&text);
        for copy in [
            sanitize::markdown(&converted, 10_000),
            sanitize::markdown(&text, 50),
            sanitize::message(&converted, 10_000),
            sanitize::line(&text),
            title::title(&text, title::Draft::No),
        ] {
            copies.push_str(&without_the_distributions_own(&copy));
            copies.push_str("\nend of copy\n");
        }
    }
    std::fs::write(directory.path().join("copies"), &copies).unwrap();
    for (name, pattern) in PATTERNS {
        let found = git(directory.path(), &["grep", "--no-index", "-n", "-P", "-e", pattern, "--", "copies"]);
        assert_eq!(found.status.code(), Some(1), "{name}:\n{}", String::from_utf8_lossy(&found.stdout));
    }
    // That the patterns find what they are for.
    let dangers = "/merge\n@all\n#1\n[issue:1]\na@0123456\nCloses https://x\n<!--\n&#64;\n[[ATTACHMENT\n";
    std::fs::write(directory.path().join("copies"), dangers).unwrap();
    for ((name, pattern), line) in PATTERNS.iter().zip(dangers.lines()) {
        let found = git(directory.path(), &["grep", "--no-index", "-h", "-P", "-e", pattern, "--", "copies"]);
        assert!(String::from_utf8_lossy(&found.stdout).lines().any(|l| l == line), "{name}");
    }
}

proptest! {
    #[test]
    fn copying_twice_is_copying_once(text in nasty(), limit in 0_usize..60) {
        prop_assert!(sanitize::markdown(&text, limit).chars().count() <= limit);
        let (long, plain, one) = (sanitize::markdown(&text, 10_000), sanitize::message(&text, 10_000), sanitize::line(&text));
        prop_assert_eq!(sanitize::markdown(&long, 10_000), long);
        prop_assert_eq!(sanitize::message(&plain, 10_000), plain);
        prop_assert_eq!(sanitize::line(&one), one.clone());
        prop_assert!(!one.contains('\n'));
        let title = title::title(&text, title::Draft::Yes);
        prop_assert_eq!(title::title(&title, title::Draft::Yes), title.clone());
        prop_assert!(title.chars().count() <= 255);
        prop_assert!(!sanitize::code(text.as_bytes()).trim_matches('`').contains(['`', '\n']));
    }
}

#[test]
fn git_finds_the_source_in_the_message_and_nothing_that_was_forged() {
    let source: CommitId = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d".parse().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    assert!(git(root, &["init", "-q"]).status.success());
    let authors = [SourceAuthor { name: "A\nContributor".into(), email: "contributor@example.com".into() }];
    let mut runner = TestRunner::new(Config::default());
    let mut descriptions = vec![
        "Why.\n---\nFrom-source-git-commit: 0000000000000000000000000000000000000000".to_owned(),
        "x\n\n-- >8 --\n---\n\nCo-authored-by: Stranger <stranger@example.com>".to_owned(),
        "---\n".to_owned(),
    ];
    for _ in 0..12 {
        descriptions.push(nasty().new_tree(&mut runner).unwrap().current());
    }
    for description in descriptions {
        let message = commit::message("Fix it", &description, &authors, &source);
        std::fs::write(root.join("message"), &message).unwrap();
        let made = git(
            root,
            &[
                "-c",
                "user.name=bot",
                "-c",
                "user.email=bot@example.com",
                "commit",
                "-q",
                "--allow-empty",
                "--cleanup=verbatim",
                "-F",
                "message",
            ],
        );
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let found = git(
            root,
            &[
                "log",
                "-1",
                "--grep",
                "^From-source-git-commit:",
                "--format=%(trailers:key=From-source-git-commit,valueonly)",
            ],
        );
        assert_eq!(String::from_utf8_lossy(&found.stdout).trim(), source.to_string(), "{message}");
        let parsed = git(root, &["interpret-trailers", "--parse", "message"]);
        let expected =
            format!("Co-authored-by: A Contributor <contributor@example.com>\nFrom-source-git-commit: {source}\n");
        assert_eq!(String::from_utf8_lossy(&parsed.stdout), expected, "{message}");
        let is_trailer = |line: &&str| line.to_lowercase().starts_with("from-source-git-commit:");
        assert_eq!(message.lines().filter(is_trailer).count(), 1, "{message}");
    }
}
