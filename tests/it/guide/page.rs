//! A page of the guide, as a reader has it: its command lines in their order, headings, links and names.
//!
//! Hidden comments tell the tests what a reader does not need: `<!-- scene: staging -->` where the lines that follow are
//! run, `<!-- then: … -->` what people or GitLab do in between.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// One thing after the other, down the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The scene in which the lines that follow are run.
    Scene(String),
    /// What happens before the next line.
    Then(String),
    /// A command line.
    Line(Line),
}

/// A command line, its continuations put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What is typed.
    pub(super) text: String,
    /// The exit status that the page promises.
    pub(super) status: i32,
    /// Where it stands, from 1.
    pub(super) number: usize,
}

/// A page, without what stands in blocks of code.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) path: PathBuf,
    pub(super) pieces: Vec<Piece>,
    /// The text besides blocks and comments.
    pub(super) prose: String,
}

/// What command lines begin with, wherever they stand.
const TYPED: [&str; 7] = ["source-git-bot ", "git ", "cargo ", "export ", "curl ", "podman ", "tests/"];

/// The repository.
pub(super) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md, CONTRIBUTING.md and everything in docs/, by their paths from the top.
pub(super) fn paths() -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("README.md"), PathBuf::from("CONTRIBUTING.md")];
    let mut directories = vec![PathBuf::from("docs")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(top().join(&directory)).unwrap().map(Result::unwrap) {
            let path = directory.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// README.md, CONTRIBUTING.md and the pages of docs/ that people wrote: the reference is made from the program, and the live
/// check is for a GitLab that is none of ours.
pub(super) fn guide() -> Vec<PathBuf> {
    let is_made = |path: &Path| path == Path::new("docs/reference.md") || path.starts_with("docs/live-check");
    paths().into_iter().filter(|path| !is_made(path)).collect()
}

impl Page {
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(top().join(path)).unwrap();
        let told = Regex::new(r"^<!-- (scene|then): (.+) -->$").unwrap();
        let mut page = Self { path: path.to_owned(), pieces: Vec::new(), prose: String::new() };
        let mut lines = text.lines().enumerate();
        while let Some((_, line)) = lines.next() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                let block: Vec<_> = lines.by_ref().take_while(|(_, line)| line.trim() != "```").collect();
                let commands = commands(&block);
                let is_typed = |line: &Line| TYPED.iter().any(|word| line.text.starts_with(word));
                if language == "sh" {
                    page.pieces.extend(commands.into_iter().map(Piece::Line));
                } else if let Some(line) = commands.iter().find(|line| is_typed(line)) {
                    panic!("{}:{}: a command line outside of ```sh", path.display(), line.number);
                }
            } else if let Some(told) = told.captures(line) {
                let said = told[2].to_owned();
                page.pieces.push(if &told[1] == "scene" { Piece::Scene(said) } else { Piece::Then(said) });
            } else {
                page.prose.push_str(line);
                page.prose.push('\n');
            }
        }
        page
    }

    /// The names by which the headings can be linked to, as GitLab makes them ("Heading IDs and links" in its
    /// documentation): lower case, punctuation left out, a hyphen for spaces, a number where one is there already.
    pub(super) fn anchors(&self) -> BTreeSet<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let headings = self.prose.lines().filter_map(|line| line.strip_prefix('#'));
        let anchors = headings.map(|heading| {
            let words = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            let mut anchor: String = words.chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect();
            while anchor.contains("--") {
                anchor = anchor.replace("--", "-");
            }
            let times = seen.entry(anchor.clone()).or_default();
            *times += 1;
            if *times == 1 { anchor } else { format!("{anchor}-{}", *times - 1) }
        });
        anchors.collect()
    }

    /// Where its links lead.
    pub(super) fn links(&self) -> Vec<String> {
        let link = Regex::new(r"\]\(([^()\s]+)\)").unwrap();
        let code = Regex::new("``.+?``|`[^`\n]*`").unwrap();
        let prose = code.replace_all(&self.prose, "x");
        link.captures_iter(&prose).map(|link| link[1].to_owned()).collect()
    }

    /// What stands in single backticks: names, and not what is quoted with backticks of its own.
    pub(super) fn names(&self) -> Vec<String> {
        let code = Regex::new("``.+?``|`([^`]+)`").unwrap();
        let of_line = |line| code.captures_iter(line).filter_map(|code| Some(code.get(1)?.as_str().to_owned()));
        self.prose.lines().flat_map(of_line).collect()
    }
}

/// The command lines of a block; a comment at the end of one may promise another exit status than 0.
fn commands(block: &[(usize, &str)]) -> Vec<Line> {
    let promise = Regex::new(r"\s+# exit status ([0-9])$").unwrap();
    let mut found: Vec<Line> = Vec::new();
    let mut continues = false;
    for (number, line) in block {
        let (text, goes_on) = match line.strip_suffix('\\') {
            Some(text) => (text, true),
            None => (*line, false),
        };
        if continues {
            let last = found.last_mut().unwrap();
            last.text.push_str(text.trim_start());
        } else if !text.trim().is_empty() && !text.starts_with('#') {
            found.push(Line { text: text.to_owned(), status: 0, number: number + 1 });
        }
        continues = goes_on;
    }
    for line in &mut found {
        if let Some(promised) = promise.captures(&line.text.clone()) {
            line.status = promised[1].parse().unwrap();
            line.text.truncate(line.text.len() - promised[0].len());
        }
    }
    found
}

#[test]
fn a_page_is_read_down_its_lines() {
    let block = [(0, "# first"), (1, "one \\"), (2, "  two"), (3, ""), (4, "three   # exit status 3")];
    let lines = commands(&block);
    assert_eq!(
        lines,
        [
            Line { text: "one two".to_owned(), status: 0, number: 2 },
            Line { text: "three".to_owned(), status: 3, number: 5 },
        ]
    );
}
