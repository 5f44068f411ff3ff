//! Merge requests on their targets, against what git does in a clone: `git rebase` commit by commit, `git merge` for
//! all of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use source_git_bot::git::replay::{RebaseOutcome, rebase_on_target};
use source_git_bot::git::{Git, Store};
use source_git_bot::types::CommitId;
use tempfile::TempDir;

/// What a tree holds at a path: git's mode, and content, link target or submodule commit.
type Files = BTreeMap<String, (&'static str, Vec<u8>)>;

const LINES: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n";

fn files(list: &[(&str, &str)]) -> Files {
    list.iter().map(|(path, content)| ((*path).to_owned(), ("100644", content.as_bytes().to_vec()))).collect()
}

/// `LINES` with one line replaced.
fn edited(old: &str, new: &str) -> String {
    LINES.replace(old, new)
}

/// A repository in a directory that goes with the value; its history is written with `git fast-import`.
struct Repository {
    home: TempDir,
    script: Vec<u8>,
    commits: usize,
}

impl Repository {
    fn new() -> Self {
        let repository = Self { home: TempDir::new().unwrap(), script: Vec::new(), commits: 0 };
        let configuration = "[user]\nname = A Packager\nemail = packager@example.com\n[merge]\ndirectoryRenames = false\n\
                             [core]\nfsync = none\n[gc]\nauto = 0\n";
        fs::write(repository.home.path().join("gitconfig"), configuration).unwrap();
        repository.git(&["init", "-q", "-b", "nothing", "."]);
        repository
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command
            .current_dir(self.home.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home.path())
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.home.path().join("gitconfig"))
            .env("GIT_EDITOR", "true");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Adds a commit with these parents and files, and returns its number.
    fn commit(&mut self, parents: &[usize], files: &Files) -> usize {
        self.commits += 1;
        let number = self.commits;
        // Clocks differ: a commit can be older than its parent.
        let (author, committer) = (1_500_000_000 + number * 7, 1_600_000_000 + number * 37 % 11 * 60);
        let message = format!("Change {number}\n\nWhy  it is made.\n\nPatch-id: {number}\n");
        let script = &mut self.script;
        let mut write = |bytes: &[u8]| script.extend_from_slice(bytes);
        write(format!("reset refs/heads/work\n\ncommit refs/heads/work\nmark :{number}\n").as_bytes());
        write(format!("author Áuthor {number} <a{number}@example.com> {author} +0530\n").as_bytes());
        write(format!("committer C <c@example.com> {committer} -0100\ndata {}\n{message}", message.len()).as_bytes());
        for (index, parent) in parents.iter().enumerate() {
            write(format!("{} :{parent}\n", if index == 0 { "from" } else { "merge" }).as_bytes());
        }
        write(b"deleteall\n");
        for (path, (mode, content)) in files {
            if *mode == "160000" {
                write(format!("M {mode} {} {path}\n", String::from_utf8_lossy(content)).as_bytes());
                continue;
            }
            write(format!("M {mode} inline {path}\ndata {}\n", content.len()).as_bytes());
            write(content);
            write(b"\n");
        }
        number
    }

    /// Writes all commits; the branches `head` and `target` are those of these numbers.
    fn import(&self, head: usize, target: usize) -> Vec<CommitId> {
        let mut child = self
            .command()
            .args(["fast-import", "--quiet", "--force", "--export-marks=marks"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&self.script).unwrap();
        assert!(child.wait().unwrap().success());
        let marks = fs::read_to_string(self.home.path().join("marks")).unwrap();
        let mut ids = vec![CommitId::from_bytes([0; 20]); self.commits + 1];
        for line in marks.lines() {
            let (mark, id) = line.split_once(' ').unwrap();
            ids[mark[1..].parse::<usize>().unwrap()] = id.parse().unwrap();
        }
        self.git(&["branch", "-f", "head", &ids[head].to_string()]);
        self.git(&["branch", "-f", "target", &ids[target].to_string()]);
        ids
    }

    fn store(&self, shallow: &[CommitId]) -> Store {
        let git = Git::find(&std::env::var_os("PATH").unwrap()).unwrap();
        let mut store = Store::create(&git).unwrap();
        store.borrow(&[self.objects()], shallow).unwrap();
        store
    }

    fn objects(&self) -> PathBuf {
        self.home.path().join(".git/objects")
    }

    /// Checks out a branch where nothing is left of another, such as a link in the way of a directory.
    fn check_out(&self, branch: &str) {
        self.git(&["read-tree", "--empty"]);
        self.git(&["clean", "-q", "-f", "-d", "-x", "-e", "gitconfig", "-e", "marks"]);
        self.git(&["update-ref", "--no-deref", "HEAD", branch]);
        self.git(&["reset", "-q", "--hard", "--no-recurse-submodules"]);
    }

    /// Whether `git merge` can merge `head` into `target`, and the tree it makes.
    fn merged(&self) -> Option<String> {
        self.check_out("target");
        if !self.run(&["merge", "-q", "--no-edit", "head"]).status.success() {
            return None;
        }
        Some(self.git(&["rev-parse", "HEAD^{tree}"]))
    }

    /// What `git rebase` makes of `head` on `target`: tree, author, and message of each commit; nothing where it stops.
    fn rebased(&self) -> Option<Vec<String>> {
        self.check_out("head");
        let options = ["--no-fork-point", "--reapply-cherry-picks", "--empty=drop", "--keep-empty"];
        let command = [&["rebase", "-q", "--merge"], &options[..], &["target"]].concat();
        if !self.run(&command).status.success() {
            self.git(&["rebase", "--abort"]);
            return None;
        }
        Some(self.line("HEAD"))
    }

    fn line(&self, tip: &str) -> Vec<String> {
        let range = format!("target..{tip}");
        let log = self.git(&["log", "--reverse", "-z", "--format=%T %an <%ae> %ad%n%B", "--date=raw", &range]);
        log.split_terminator('\0').map(str::to_owned).collect()
    }
}

/// Runs git on the objects of `store`, as whoever uses the replayed commits would.
fn in_store(store: &Store, arguments: &[&str]) -> String {
    String::from_utf8_lossy(&store.command().args(arguments).output().unwrap()).trim_end().to_owned()
}

fn line_in_store(store: &Store, target: &CommitId, tip: &CommitId) -> Vec<String> {
    let range = format!("{target}..{tip}");
    let log = in_store(store, &["log", "--reverse", "-z", "--format=%T %an <%ae> %ad%n%B", "--date=raw", &range]);
    log.split_terminator('\0').map(str::to_owned).collect()
}

/// A history that begins with `base`, goes on to `target` on one side and by `head` on the other.
fn forked(base: &Files, target: &Files, head: &[&Files]) -> (Repository, Vec<CommitId>, Store, RebaseOutcome) {
    let mut repository = Repository::new();
    let root = repository.commit(&[], base);
    let target = repository.commit(&[root], target);
    let mut tip = root;
    for files in head {
        tip = repository.commit(&[tip], files);
    }
    let ids = repository.import(tip, target);
    let store = repository.store(&[]);
    let based = rebase_on_target(&store, &ids[tip], &ids[target]).unwrap();
    (repository, ids, store, based)
}

#[track_caller]
fn conflicts_at(based: &RebaseOutcome, expected: &[&str]) {
    let RebaseOutcome::Conflict { paths } = based else { panic!("{based:?}") };
    assert_eq!(paths.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn a_head_that_contains_the_target_is_left_alone() {
    let mut repository = Repository::new();
    let target = repository.commit(&[], &files(&[("a", "1")]));
    let head = repository.commit(&[target], &files(&[("a", "2")]));
    let ids = repository.import(head, target);
    let store = repository.store(&[]);
    assert_eq!(rebase_on_target(&store, &ids[head], &ids[target]).unwrap(), RebaseOutcome::UpToDate);
    assert_eq!(rebase_on_target(&store, &ids[head], &ids[head]).unwrap(), RebaseOutcome::UpToDate);
    // Merged already: nothing is left to replay.
    let tree = store.tree_of(&ids[head]).unwrap();
    let merged = RebaseOutcome::Replayed { steps: vec![], dropped: vec![], tip: ids[head], tree };
    assert_eq!(rebase_on_target(&store, &ids[target], &ids[head]).unwrap(), merged);
}

#[test]
fn patches_of_replayed_commits_are_the_originals_but_for_the_id() {
    let base = files(&[("a", LINES), ("b", LINES)]);
    let target = files(&[("a", LINES), ("b", &edited("one", "ONE"))]);
    let first = files(&[("a", &edited("two", "2")), ("b", LINES)]);
    let mut second = files(&[("c", &edited("two", "2")), ("b", LINES)]);
    second.insert("bin".to_owned(), ("100755", b"\0\x01\xff".to_vec()));
    second.insert("link".to_owned(), ("120000", b"../elsewhere".to_vec()));
    let (repository, ids, store, based) = forked(&base, &target, &[&first, &second]);
    let RebaseOutcome::Replayed { steps, dropped, tip, tree } = based else { panic!("{based:?}") };
    assert_eq!(steps.iter().map(|step| step.original).collect::<Vec<_>>(), ids[3..=4]);
    assert_eq!((dropped, tip), (vec![], steps[1].replayed));
    assert_eq!(Some(tree.to_string()), repository.merged());
    for step in steps {
        let mail = |id: CommitId| {
            in_store(&store, &["format-patch", "--stdout", "--full-index", "--binary", "-1", &id.to_string()])
        };
        let (original, replayed) = (mail(step.original), mail(step.replayed));
        assert_eq!(replayed.replacen(&step.replayed.to_string(), &step.original.to_string(), 1), original);
    }
}

#[test]
fn a_commit_that_the_target_has_already_is_dropped_and_one_made_empty_stays() {
    let base = files(&[("a", LINES)]);
    let picked = files(&[("a", &edited("two", "2"))]);
    let both = files(&[("a", &edited("two", "2").replace("nine", "9"))]);
    let (repository, ids, store, based) = forked(&base, &picked, &[&picked, &picked, &both]);
    let RebaseOutcome::Replayed { steps, dropped, tip, .. } = based else { panic!("{based:?}") };
    assert_eq!(dropped, [ids[3]]);
    assert_eq!(steps.iter().map(|step| step.original).collect::<Vec<_>>(), ids[4..=5]);
    assert_eq!(line_in_store(&store, &ids[2], &tip), repository.rebased().unwrap());
}

#[test]
fn a_commit_that_conflicts_by_itself_makes_one_of_all() {
    // The first commit changes the line that the target changed, the second takes that back.
    let base = files(&[("a", LINES)]);
    let target = files(&[("a", &edited("two", "2"))]);
    let back = files(&[("a", &edited("nine", "9"))]);
    let (repository, ids, store, based) = forked(&base, &target, &[&files(&[("a", &edited("two", "zwei"))]), &back]);
    let RebaseOutcome::Squashed { commits, tip, tree, reason } = based else { panic!("{based:?}") };
    assert_eq!(commits, ids[3..=4]);
    assert_eq!(repository.rebased(), None);
    assert_eq!(Some(tree.to_string()), repository.merged());
    let short = ids[3].short();
    assert_eq!(
        reason,
        format!("commit {short} conflicts with the target by itself, though all of it together does not")
    );
    let said = in_store(&store, &["log", "-1", "--format=%P %T%n%an%n%B", &tip.to_string()]);
    let list = format!("{short} Change 3\n{} Change 4", ids[4].short());
    assert_eq!(said, format!("{} {tree}\nÁuthor 4\nAll changes of the merge request\n\n{list}", ids[2]));
}

#[test]
fn more_commits_than_can_be_told_make_one_of_all() {
    let versions: Vec<_> = (0..1001).map(|number| files(&[("a", &number.to_string())])).collect();
    let mut target = files(&[("a", "")]);
    target.extend(files(&[("b", "")]));
    let (repository, ids, store, based) = forked(&files(&[("a", "")]), &target, &versions.iter().collect::<Vec<_>>());
    let RebaseOutcome::Squashed { commits, tip, tree, reason } = based else { panic!("{based:?}") };
    assert_eq!(commits, ids[3..]);
    assert_eq!(reason, "it has 1001 commits, more than the 1000 that are replayed");
    assert_eq!(Some(tree.to_string()), repository.merged());
    let message = in_store(&store, &["log", "-1", "--format=%B", &tip.to_string()]);
    assert_eq!((message.lines().count(), message.lines().last()), (203, Some("and 801 more")));
}

#[test]
fn a_merge_that_changes_content_makes_one_of_all() {
    let mut repository = Repository::new();
    let root = repository.commit(&[], &files(&[("a", LINES), ("b", "1\n")]));
    let older = repository.commit(&[root], &files(&[("a", &edited("one", "ONE")), ("b", "1\n")]));
    let target = repository.commit(&[older], &files(&[("a", &edited("one", "ONE")), ("b", "2\n")]));
    let change = repository.commit(&[root], &files(&[("a", &edited("one", "eins")), ("b", "1\n")]));
    // A conflict, solved by a person in the merge.
    let merge = repository.commit(&[change, older], &files(&[("a", &edited("one", "ONE, eins")), ("b", "1\n")]));
    let last = repository.commit(&[merge], &files(&[("a", &edited("one", "ONE, eins")), ("b", "1\n"), ("c", "")]));
    let ids = repository.import(last, target);
    let store = repository.store(&[]);
    let based = rebase_on_target(&store, &ids[last], &ids[target]).unwrap();
    let RebaseOutcome::Squashed { commits, tree, .. } = based else { panic!("{based:?}") };
    assert_eq!(commits, [ids[change], ids[last]]);
    assert_eq!(Some(tree.to_string()), repository.merged());
    // Content that is in nothing but a merge: the merge's own message stands.
    let based = rebase_on_target(&store, &ids[merge], &ids[change]).unwrap();
    assert_eq!(based, RebaseOutcome::UpToDate);
    let evil = repository.commit(&[older, root], &files(&[("a", &edited("one", "ONE")), ("b", "1\n"), ("evil", "")]));
    let ids = repository.import(evil, target);
    let store = repository.store(&[]);
    let based = rebase_on_target(&store, &ids[evil], &ids[target]).unwrap();
    let RebaseOutcome::Squashed { commits, tip, reason, .. } = based else { panic!("{based:?}") };
    assert_eq!((commits, &*reason), (vec![], "its commits, replayed one by one, give something else than its merge"));
    assert!(in_store(&store, &["log", "-1", "--format=%B", &tip.to_string()]).starts_with("Change 7\n"));
}

#[test]
fn merges_in_the_merge_request_and_criss_cross_ones_are_left_out_of_the_line() {
    let mut repository = Repository::new();
    let with = |a: &str, b: &str, c: &str| {
        files(&[("a", &edited("one", a)), ("b", &edited("one", b)), ("c", &edited("one", c))])
    };
    let root = repository.commit(&[], &with("1", "1", "1"));
    let ours = repository.commit(&[root], &with("2", "1", "1"));
    let theirs = repository.commit(&[root], &with("1", "2", "1"));
    let target = repository.commit(&[ours, theirs], &with("2", "2", "1"));
    let crossed = repository.commit(&[theirs, ours], &with("2", "2", "1"));
    let target = repository.commit(&[target], &with("3", "2", "1"));
    let head = repository.commit(&[crossed], &with("2", "2", "2"));
    let side = repository.commit(&[crossed], &with("2", "3", "1"));
    let head = repository.commit(&[head, side], &with("2", "3", "2"));
    let ids = repository.import(head, target);
    let store = repository.store(&[]);
    let based = rebase_on_target(&store, &ids[head], &ids[target]).unwrap();
    let RebaseOutcome::Replayed { steps, dropped, tree, tip } = based else { panic!("{based:?}") };
    assert_eq!((steps.len(), dropped), (2, vec![]));
    assert_eq!(Some(tree.to_string()), repository.merged());
    assert_eq!(line_in_store(&store, &ids[target], &tip), repository.rebased().unwrap());
}

#[test]
fn a_history_of_its_own_that_was_merged_in_is_replayed_onto_nothing() {
    let mut repository = Repository::new();
    let root = repository.commit(&[], &files(&[("a", "1")]));
    let target = repository.commit(&[root], &files(&[("a", "2")]));
    let other = repository.commit(&[], &files(&[("other/b", "1")]));
    let head = repository.commit(&[root, other], &files(&[("a", "1"), ("other/b", "1")]));
    let ids = repository.import(head, target);
    let store = repository.store(&[]);
    let based = rebase_on_target(&store, &ids[head], &ids[target]).unwrap();
    let RebaseOutcome::Replayed { steps, tree, .. } = based else { panic!("{based:?}") };
    assert_eq!(steps.iter().map(|step| step.original).collect::<Vec<_>>(), [ids[other]]);
    assert_eq!(in_store(&store, &["ls-tree", "-r", "--name-only", &tree.to_string()]), "a\nother/b");
}

#[test]
fn unrelated_and_cut_histories_are_refused() {
    let mut repository = Repository::new();
    let root = repository.commit(&[], &files(&[("a", "1")]));
    let target = repository.commit(&[root], &files(&[("a", "2")]));
    let target = repository.commit(&[target], &files(&[("a", "3")]));
    let head = repository.commit(&[root], &files(&[("a", "1"), ("b", "1")]));
    let other = repository.commit(&[], &files(&[("b", "1")]));
    let ids = repository.import(head, target);
    let refusal = |shallow: &[CommitId], head: usize| {
        let based = rebase_on_target(&repository.store(shallow), &ids[head], &ids[target]);
        based.map_err(|error| error.into_refusal().unwrap().to_string())
    };
    let unrelated = refusal(&[], other).unwrap_err();
    assert!(unrelated.ends_with("have no history in common"), "{unrelated}");
    // git replaces a parent that was not fetched by none: each history then begins where it was cut.
    for cut in [target, head] {
        let told = refusal(&[ids[cut]], head).unwrap_err();
        assert!(told.starts_with("cannot tell"), "{told}");
    }
    assert!(matches!(refusal(&[ids[root]], head), Ok(RebaseOutcome::Replayed { .. })));
}

#[test]
fn conflicts_are_told_by_path() {
    let base = files(&[("a", LINES), ("b", LINES), ("d/x", "1\n")]);
    let mut ours = files(&[("a", &edited("one", "1")), ("b", LINES), ("d/x", "1\n"), ("new", "x\n")]);
    ours.insert("sp ace\"odd\u{e9}".to_owned(), ("100644", b"1".to_vec()));
    let mut theirs = files(&[("b", &edited("nine", "9")), ("d/x", "1\n"), ("new", "y\n")]);
    theirs.insert("sp ace\"odd\u{e9}".to_owned(), ("120000", b"1".to_vec()));
    let (repository, .., based) = forked(&base, &ours, &[&theirs]);
    conflicts_at(&based, &["a", "new", "sp ace\"odd\u{e9}"]);
    assert_eq!(repository.merged(), None);
}

#[test]
fn a_file_where_the_target_has_a_directory_conflicts() {
    let base = files(&[("a", "1\n")]);
    let (.., based) = forked(&base, &files(&[("a", "1\n"), ("d/x", "1\n")]), &[&files(&[("a", "1\n"), ("d", "2\n")])]);
    conflicts_at(&based, &["d"]);
}

#[test]
fn submodules_conflict_where_both_sides_moved_them() {
    let with = |id: &str| Files::from([("lib".to_owned(), ("160000", id.repeat(40).into_bytes()))]);
    let (.., based) = forked(&with("1"), &with("2"), &[&with("3")]);
    conflicts_at(&based, &["lib"]);
    let mut more = with("1");
    more.extend(files(&[("a", "1")]));
    let (_repository, _, store, based) = forked(&with("1"), &with("2"), &[&more]);
    let RebaseOutcome::Replayed { tree, .. } = based else { panic!("{based:?}") };
    let listed = in_store(&store, &["ls-tree", &tree.to_string(), "lib"]);
    assert_eq!(listed, format!("160000 commit {}\tlib", "2".repeat(40)));
}

#[test]
fn no_attribute_of_the_repository_counts() {
    let with = |attributes: &str, a: &str| files(&[(".gitattributes", attributes), ("a", a)]);
    // As a union this would not conflict.
    let union = |a: &str| with("* merge=union\n", a);
    let (ours, theirs) = (union(&edited("one", "1")), union(&edited("one", "eins")));
    let (repository, .., based) = forked(&union(LINES), &ours, &[&theirs]);
    conflicts_at(&based, &["a"]);
    assert!(repository.merged().is_some(), "a clone counts it");
    // As binaries these would conflict.
    for attributes in ["* merge=binary\n", "* -merge\n", "* binary\n"] {
        let ours = with(attributes, &edited("one", "1"));
        let (repository, .., based) =
            forked(&with(attributes, LINES), &ours, &[&with(attributes, &edited("nine", "9"))]);
        assert!(matches!(based, RebaseOutcome::Replayed { .. }), "{attributes}: {based:?}");
        assert_eq!(repository.merged(), None, "a clone counts it");
    }
}

#[test]
fn a_new_file_stays_where_it_was_put_when_the_target_renamed_its_directory() {
    let base = files(&[("d/1", LINES), ("d/2", "2\n"), ("d/3", "3\n")]);
    let target = files(&[("e/1", LINES), ("e/2", "2\n"), ("e/3", "3\n")]);
    let head = files(&[("d/1", &edited("two", "zwei")), ("d/2", "2\n"), ("d/3", "3\n"), ("d/new", "n\n")]);
    let (_repository, _, store, based) = forked(&base, &target, &[&head]);
    let RebaseOutcome::Replayed { tree, .. } = based else { panic!("{based:?}") };
    assert_eq!(in_store(&store, &["ls-tree", "-r", "--name-only", &tree.to_string()]), "d/new\ne/1\ne/2\ne/3");
    // A renamed file takes its change along, as git does by default.
    assert_eq!(in_store(&store, &["cat-file", "-p", &format!("{tree}:e/1")]), edited("two", "zwei").trim_end());
}

/// Something that a commit does to a tree.
#[derive(Clone, Debug)]
enum Edit {
    Line(&'static str, usize, &'static str),
    Rename(&'static str, &'static str),
    RenameDirectory,
    Delete(&'static str),
    Put(&'static str, &'static str, &'static [u8]),
    Mode(&'static str),
}

const PATHS: [&str; 5] = ["a", "b", "d/x", "d/y", "d"];

/// Modes and contents that a file gets.
const CONTENTS: [(&str, &[u8]); 6] = [
    ("100644", b"\0binary\n"),
    ("100644", b"\0other\n"),
    ("120000", b"a"),
    ("120000", b"b"),
    ("100644", b""),
    ("100755", b"one\ntwo\nthree\n"),
];

/// Puts a file in place; what is in the way of it goes.
fn put(files: &mut Files, path: &str, file: (&'static str, Vec<u8>)) {
    files.retain(|other, _| !other.starts_with(&format!("{path}/")) && !path.starts_with(&format!("{other}/")));
    files.insert(path.to_owned(), file);
}

impl Edit {
    fn make(&self, files: &mut Files) {
        match self {
            Self::Line(path, number, text) => {
                // The rebase that this is held against cannot check out a link without a target: symlink(2) refuses it.
                let is_link = |mode: &str| mode == "120000" && text.is_empty();
                if let Some((_, content)) = files.get_mut(*path).filter(|(mode, _)| !is_link(mode)) {
                    let mut lines: Vec<_> = content.split(|b| *b == b'\n').collect();
                    let number = number % lines.len();
                    lines[number] = text.as_bytes();
                    *content = lines.join(&b'\n');
                }
            }
            Self::Rename(from, to) => {
                if let Some(file) = files.remove(*from) {
                    put(files, to, file);
                }
            }
            Self::RenameDirectory => {
                for path in ["x", "y"] {
                    if let Some(file) = files.remove(&format!("d/{path}")) {
                        put(files, &format!("e/{path}"), file);
                    }
                }
            }
            Self::Delete(path) => drop(files.remove(*path)),
            Self::Put(path, mode, content) => put(files, path, (mode, content.to_vec())),
            Self::Mode(path) => {
                if let Some((mode @ ("100644" | "100755"), _)) = files.get_mut(*path) {
                    *mode = if *mode == "100644" { "100755" } else { "100644" };
                }
            }
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    let path = || select(&PATHS[..]);
    prop_oneof![
        8 => (path(), 0..12_usize, select(&["red", "green", "two", ""][..])).prop_map(|(p, n, t)| Edit::Line(p, n, t)),
        1 => (path(), path()).prop_map(|(from, to)| Edit::Rename(from, to)),
        1 => Just(Edit::RenameDirectory),
        1 => path().prop_map(Edit::Delete),
        2 => (path(), select(&CONTENTS[..])).prop_map(|(path, (mode, content))| Edit::Put(path, mode, content)),
        1 => path().prop_map(Edit::Mode),
    ]
}

fn cases(number: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let raised = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig { cases: if raised { config.cases } else { number }, failure_persistence: None, ..config }
}

proptest! {
    #![proptest_config(cases(20))]

    #[test]
    fn a_line_of_commits_is_what_rebase_makes_of_it(
        target in vec(edit(), 1..4),
        head in vec(vec(edit(), 1..3), 1..4),
    ) {
        let long: String = (1..40).map(|number| format!("line {number}\n")).collect();
        let base = files(&[("a", LINES), ("b", &long), ("d/x", &LINES.replace('e', "E")), ("d/y", &long.to_uppercase())]);
        let mut ours = base.clone();
        target.iter().for_each(|edit| edit.make(&mut ours));
        let mut theirs = vec![base.clone()];
        for edits in &head {
            let mut files = theirs[theirs.len() - 1].clone();
            edits.iter().for_each(|edit| edit.make(&mut files));
            theirs.push(files);
        }
        let theirs: Vec<_> = theirs.iter().skip(1).collect();
        let (repository, ids, store, based) = forked(&base, &ours, &theirs);
        let (merged, rebased) = (repository.merged(), repository.rebased());
        match based {
            RebaseOutcome::UpToDate => prop_assert!(false, "the target has a commit of its own"),
            RebaseOutcome::Conflict { .. } => prop_assert_eq!(merged, None),
            RebaseOutcome::Replayed { steps, dropped, tip, tree } => {
                prop_assert_eq!(Some(tree.to_string()), merged);
                prop_assert_eq!(Some(line_in_store(&store, &ids[2], &tip)), rebased);
                prop_assert_eq!(steps.len() + dropped.len(), theirs.len());
                prop_assert_eq!(store.tree_of(&tip).unwrap(), tree);
            }
            RebaseOutcome::Squashed { tip, tree, .. } => {
                prop_assert_eq!(store.tree_of(&tip).unwrap(), tree);
                prop_assert_eq!(Some(tree.to_string()), merged.clone());
                let last = rebased.and_then(|line| line.last().map(|commit| commit[..40].to_owned()));
                prop_assert_ne!(last, merged);
            }
        }
    }
}
