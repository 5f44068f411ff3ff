//! `update-dist-git` on generated histories, with git and GNU patch as oracles.
//!
//! What each law says is in the names of the tests; what goes for every run, whatever its outcome, is checked where the
//! program is run: the exit status is 0 or 3, never that of a failure or a panic, source-git is never touched, and where
//! the program refuses, it says what to do and leaves dist-git as it was.

mod clones;
mod given;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use bstr::ByteSlice as _;
use git2::{Oid, Repository, RepositoryInitOptions};
use proptest::prelude::*;

use clones::{Clock, Clones, Patch, Updated, check_out, succeeded, work_tree};
use given::{
    Author, Change, Edit, Encoding, History, Message, Metadata, Resolution, Shape, Step, history, without_packaging,
};

const CLOCK: Clock = Clock { start: 1_400_000_000, step: 60 };

/// The default number of cases is for laws without processes; here each case runs dozens.
fn cases(number: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let raised = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig { cases: if raised { config.cases } else { number }, failure_persistence: None, ..config }
}

/// Runs the program; only a history that may be refused is.
fn update(clones: &Clones, history: &History) -> Option<Updated> {
    match clones.update() {
        Ok(updated) => Some(updated),
        Err(said) => {
            assert!(may_be_refused(history), "refused: {said}");
            None
        }
    }
}

/// A patch may build on one that is ignored; commits that share a file may be apart, and where the later one deletes or
/// renames what the earlier one changes, `git apply` does something else with that file.
fn may_be_refused(history: &History) -> bool {
    history.clone().changes_mut().any(|change| [Metadata::Ignored, Metadata::Joined].contains(&change.metadata))
}

/// The names of the Patch tags, in their order.
fn patch_tags(spec: &[u8]) -> Vec<String> {
    let tags = spec.lines().filter(|line| line.starts_with(b"Patch"));
    tags.map(|line| line.split_once_str(":").unwrap().1.trim().to_str().unwrap().to_owned()).collect()
}

/// The mails of a patch file, with the commits that they name.
fn mails(file: &[u8]) -> Vec<(Oid, Vec<u8>)> {
    let mut mails: Vec<(Oid, Vec<u8>)> = Vec::new();
    for line in file.lines_with_terminator() {
        let id = line.strip_prefix(b"From ").and_then(|rest| rest.strip_suffix(b" Mon Sep 17 00:00:00 2001\n"));
        if let Some(id) = id.and_then(|id| Oid::from_str(id.to_str().ok()?).ok()) {
            mails.push((id, Vec::new()));
        }
        mails.last_mut().expect("a patch file begins with a mail").1.extend_from_slice(line);
    }
    mails
}

/// The patch of a commit, as git writes it; nothing for a commit that changes nothing outside `.distro`.
fn format_patch(clones: &Clones, commit: Oid, no_prefix: bool) -> Vec<u8> {
    // `-1` would go on to an older commit where this one changes nothing outside `.distro`
    let range = format!("{commit}^..{commit}");
    let mut arguments = vec!["format-patch", "--stdout", "--no-numbered", "--no-signature", "--full-index", "--binary"];
    arguments.extend(no_prefix.then_some("--no-prefix"));
    arguments.extend([&range[..], "--", ".", ":(exclude).distro"]);
    clones.git(&arguments)
}

/// How many lines of its message the report says are indented, by commit.
fn indented_lines(updated: &Updated) -> HashMap<Oid, usize> {
    let findings = updated.report["findings"].as_array().unwrap().iter();
    findings
        .filter_map(|finding| {
            let text = finding["text"].as_str()?;
            let (number, _) = text.split_once(" of its message would be taken for part of a patch or mail")?;
            let number = if number == "one line" { 1 } else { number.strip_suffix(" lines")?.parse().ok()? };
            Some((Oid::from_str(finding["commit"].as_str()?).ok()?, number))
        })
        .collect()
}

/// Counts the lines of `ours` that are those of `theirs` behind a space; any other difference is a failure.
fn count_indented(ours: &[u8], theirs: &[u8]) -> usize {
    let (our_lines, their_lines): (Vec<_>, Vec<_>) =
        (ours.lines_with_terminator().collect(), theirs.lines_with_terminator().collect());
    assert_eq!(our_lines.len(), their_lines.len(), "\n{}\n=== git:\n{}", ours.as_bstr(), theirs.as_bstr());
    let differ = our_lines.iter().zip(their_lines).filter(|(our, their)| *our != their);
    let indented = differ.inspect(|(our, their)| {
        assert_eq!(our.strip_prefix(b" "), Some(*their), "\n{}\n=== git:\n{}", ours.as_bstr(), theirs.as_bstr());
    });
    indented.count()
}

/// An index file in which patches are applied one after the other, without a work tree.
struct Applied<'a> {
    clones: &'a Clones,
}

impl<'a> Applied<'a> {
    fn to_upstream(clones: &'a Clones) -> Self {
        let applied = Self { clones };
        let tree = clones.tree(&clones.upstream).to_string();
        succeeded(&mut applied.git(&["read-tree", &tree]));
        applied
    }

    fn git(&self, arguments: &[&str]) -> Command {
        let mut command = self.clones.command("git");
        command.env("GIT_INDEX_FILE", self.clones.path("index")).args(arguments);
        command
    }

    fn apply(&self, patch: &[u8], no_prefix: bool) {
        if patch.is_empty() {
            return;
        }
        let file = self.clones.path("patch");
        fs::write(&file, patch).unwrap();
        let strip = if no_prefix { "-p0" } else { "-p1" };
        succeeded(self.git(&["apply", "--cached", "--whitespace=nowarn", strip]).arg(file));
    }

    fn tree(&self) -> String {
        succeeded(&mut self.git(&["write-tree"])).trim().to_str().unwrap().to_owned()
    }
}

/// What an ignored commit changes; it has no patch file.
fn ignored_change(clones: &Clones, patch: &Patch) -> Vec<u8> {
    let difference = |id: &Oid| {
        let (parent, id) = (format!("{id}^1"), id.to_string());
        clones.git(&["diff-tree", "-p", "--binary", "--full-index", &parent, &id, "--", ".", ":(exclude).distro"])
    };
    patch.commits.iter().flat_map(difference).collect()
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn git_am_rebuilds_a_linear_history(history in history(Shape::Linear)) {
        let history = history.without(&[Metadata::NoPrefix, Metadata::Ignored]);
        let clones = Clones::build(&history, CLOCK);
        let Some(updated) = update(&clones, &history) else { return Ok(()) };
        am_rebuilds(&clones, &updated);
    }

    #[test]
    fn git_apply_gives_the_source_tree(history in history(Shape::Merged)) {
        let clones = Clones::build(&history, CLOCK);
        let Some(updated) = update(&clones, &history) else { return Ok(()) };
        apply_gives_the_source_tree(&clones, &updated);
    }

    #[test]
    fn gnu_patch_gives_the_source_tree_or_the_report_says_that_it_cannot(
        history in prop_oneof![history(Shape::Linear), history(Shape::Merged)],
    ) {
        let history = history.without(&[Metadata::Ignored]);
        let clones = Clones::build(&history, CLOCK);
        let Some(updated) = update(&clones, &history) else { return Ok(()) };
        gnu_patch_gives_the_source_tree(&clones, &updated);
    }

    #[test]
    fn each_mail_is_what_format_patch_writes(
        history in prop_oneof![history(Shape::Linear), history(Shape::Merged)],
    ) {
        let clones = Clones::build(&history, CLOCK);
        let Some(updated) = update(&clones, &history) else { return Ok(()) };
        mails_are_gits(&clones, &updated);
    }

    #[test]
    fn a_second_run_changes_nothing_and_a_further_commit_no_other_patch(
        history in prop_oneof![history(Shape::Linear), history(Shape::Merged)],
    ) {
        let mut clones = Clones::build(&history, CLOCK);
        let Some(first) = update(&clones, &history) else { return Ok(()) };
        clones.commit_dist_git();
        let second = clones.update().expect("what was done once can be done again");
        assert_unchanged(&first, &second);
        clones.commit(&one_more());
        let third = clones.update().expect("one more commit changes nothing about the others");
        if [&first, &third].iter().all(|updated| has_every_commit(updated)) {
            let before = first.dist_git.iter().filter(|(path, _)| path.ends_with(b".patch"));
            for (path, node) in before {
                prop_assert_eq!(third.dist_git.get(path), Some(node), "{}", path.as_bstr());
            }
        }
    }

    #[test]
    fn the_same_commits_with_other_dates_of_committing_change_nothing(
        history in prop_oneof![history(Shape::Linear), history(Shape::Merged)],
    ) {
        let before = Clones::build(&history, CLOCK);
        let Some(first) = update(&before, &history) else { return Ok(()) };
        before.commit_dist_git();
        let after = Clones::build(&history, Clock { start: 1_500_000_000, step: 7 });
        after.take_dist_git(&before);
        let second = after.update().expect("what could be done before can be done again");
        assert_unchanged(&first, &second);
    }
}

#[test]
fn patches_are_numbered_in_their_order_whatever_their_dates_and_what_packaging_has_in_between() {
    let edit = |line| Edit::ReplaceLine { file: 0, line, text: b"x" };
    let packaging = || Edit::Packaging { text: b"x" };
    let edits = [vec![edit(1)], vec![packaging()], vec![edit(5), packaging()], vec![], vec![edit(9)]];
    let subjects = ["One", "Packaging", "Two", "Empty", "Three"];
    let steps =
        subjects.into_iter().zip(edits).map(|(subject, edits)| commit(subject, Metadata::None, edits)).collect();
    let clones = Clones::build(&History { release: Vec::new(), steps }, Clock { step: -60, ..CLOCK });
    let updated = clones.update().unwrap();
    let files: Vec<_> = clones.patches(&updated).into_iter().map(|patch| patch.file).collect();
    assert_eq!(files, ["0001-One.patch", "0002-Two.patch", "0003-Three.patch"]);
}

fn commit(subject: &'static str, metadata: Metadata, edits: Vec<Edit>) -> Step {
    let message = Message { subject, body: Vec::new(), encoding: Encoding::Utf8 };
    Step::Commit(Change { edits, message, metadata, ..one_more() })
}

/// patch takes a file away after it changed it in the same patch file, and cannot rename it then; `git apply` can do
/// neither.
#[test]
fn commits_in_one_file_that_change_and_move_are_proven_mail_by_mail() {
    let change = Edit::Write { path: b"one more", content: b"x\n" };
    let rename = Edit::Rename { file: 4, path: b"elsewhere" };
    for (second, verified) in [(Edit::Delete { file: 4 }, true), (rename, false)] {
        let first = Edit::ReplaceLine { file: 4, line: 0, text: b"x" };
        let steps = vec![
            commit("One", Metadata::Named, vec![first]),
            commit("Two", Metadata::Joined, vec![second, change.clone()]),
        ];
        let updated = Clones::build(&History { release: Vec::new(), steps }, CLOCK).update().unwrap();
        assert_eq!(updated.report["proof"]["verified"], verified, "{}", updated.report);
    }
}

#[test]
fn what_gnu_patch_cannot_do_is_a_problem() {
    let upstream = vec![Edit::Write { path: b"with space", content: b"x\n" }];
    // the upstream's files in their order
    let files: [&[u8]; 7] = [b"blob.bin", b"dir/plain.c", b"empty", b"link", b"plain.txt", b"run", b"with space"];
    let file = |name: &[u8]| files.iter().position(|file| *file == name).unwrap();
    let beyond = [
        Edit::FlipByte { file: file(b"blob.bin"), at: 0 },
        Edit::Rename { file: file(b"link"), path: b"other" },
        Edit::Rename { file: file(b"plain.txt"), path: b"other name" },
        Edit::ChangeMode { file: file(b"with space") },
        Edit::Write { path: b" space around ", content: b"x\n" },
        Edit::Write { path: b"dir", content: b"x\n" },
        Edit::Write { path: b"run/below", content: b"x\n" },
        Edit::Write { path: b"link/below", content: b"x\n" },
    ];
    for edit in beyond {
        let steps = vec![commit("One", Metadata::None, vec![edit.clone()])];
        let clones = Clones::build(&History { release: upstream.clone(), steps }, CLOCK);
        let updated = clones.update().unwrap();
        assert!(clones.patches(&updated)[0].problem, "{edit:?}");
        fs::create_dir(clones.path("tree")).unwrap();
        check_out(&clones.path("tree"), &clones.upstream);
        let mut patch = gnu_patch(&clones, &clones.path("dist/0001-One.patch"));
        let applied = patch.current_dir(clones.path("tree")).output().unwrap().status.success();
        assert!(!applied || work_tree(&clones.path("tree")) != clones.expected(), "{edit:?} is no problem");
    }
}

#[test]
fn links_that_come_and_go_do_not_stop_the_proof() {
    let steps = vec![
        commit("One", Metadata::None, vec![Edit::Link { path: b"plain", target: b"plain.txt" }]),
        commit("Two", Metadata::None, vec![Edit::Write { path: b"plain/below", content: b"x\n" }]),
    ];
    let clones = Clones::build(&History { release: Vec::new(), steps }, CLOCK);
    apply_gives_the_source_tree(&clones, &clones.update().unwrap());
}

#[test]
fn one_patch_of_everything_goes_by_no_commits_trailers() {
    let conflict = |text| Edit::ReplaceLine { file: 0, line: 0, text };
    let topic = Step::Topic {
        back: 2,
        changes: vec![Change { edits: vec![conflict(b"x")], ..one_more() }],
        resolution: Resolution::Theirs,
        evil: None,
    };
    let release = Step::Release { edits: vec![conflict(b"y")], resolution: Resolution::Ours };
    for metadata in [Metadata::Named, Metadata::NoPrefix, Metadata::Ignored] {
        let last = commit("Last", metadata, vec![Edit::Write { path: b"one more", content: b"x\n" }]);
        let steps = vec![topic.clone(), release.clone(), last];
        let clones = Clones::build(&History { release: Vec::new(), steps }, CLOCK);
        let updated = clones.update().unwrap();
        assert_eq!(updated.report["merges"]["handling"], "one_patch", "{:#}", updated.report);
        assert_eq!(clones.patches(&updated)[0].file, "0001-All-downstream-changes.patch");
        apply_gives_the_source_tree(&clones, &updated);
    }
}

fn has_every_commit(updated: &Updated) -> bool {
    ["none", "every_commit"].contains(&updated.report["merges"]["handling"].as_str().unwrap())
}

fn assert_unchanged(first: &Updated, second: &Updated) {
    assert_eq!(second.dist_git, first.dist_git, "{:#}", second.report);
    assert_eq!(second.report["files"].as_array().map(Vec::len), Some(0), "{:#}", second.report);
    for patch in second.report["patches"].as_array().unwrap() {
        assert!(patch["change"] == "kept" || patch["change"] == "ignored", "{patch:#}");
    }
}

fn one_more() -> Change {
    Change {
        edits: vec![Edit::Write { path: b"one more", content: b"x\n" }],
        message: Message { subject: "One more", body: vec!["Text"], encoding: Encoding::Utf8 },
        author: Author { name: "A", name_after_am: "A", time: 1_300_000_000, zone: "+0000" },
        metadata: Metadata::None,
    }
}

fn am_rebuilds(clones: &Clones, updated: &Updated) {
    let directory = clones.path("am");
    let mut options = RepositoryInitOptions::new();
    options.external_template(false).initial_head("main");
    drop(Repository::init_opts(&directory, &options).unwrap());
    let objects = clones.path("source/.git/objects");
    fs::write(directory.join(".git/objects/info/alternates"), format!("{}\n", objects.display())).unwrap();
    let repository = Repository::open(&directory).unwrap();
    repository.reference("refs/heads/main", clones.upstream_id, true, "").unwrap();
    repository.checkout_head(Some(git2::build::CheckoutBuilder::new().force())).unwrap();

    let tags = patch_tags(&updated.dist_git[&b"pkg.spec"[..]].content);
    if !tags.is_empty() {
        let options = ["-q", "--keep-cr", "--keep-non-patch", "--no-scissors", "--whitespace=nowarn"];
        let files = tags.iter().map(|name| clones.path("dist").join(name));
        succeeded(clones.command("git").current_dir(&directory).arg("am").args(options).args(files));
    }
    let mut walk = repository.revwalk().unwrap();
    walk.push_range(&format!("{}..main", clones.upstream_id)).unwrap();
    let mut rebuilt: Vec<_> = walk.map(|id| repository.find_commit(id.unwrap()).unwrap()).collect();
    rebuilt.reverse();

    let indented = indented_lines(updated);
    let mut before = clones.upstream.clone();
    let mut rebuilt = rebuilt.into_iter();
    for made in &clones.made {
        let files = without_packaging(&made.files);
        if files == before {
            continue;
        }
        let commit = rebuilt.next().expect("git am makes a commit of each mail");
        assert_eq!(commit.tree_id(), clones.tree(&files), "{made:?}");
        before = files;
        let author = &made.change.author;
        let name = match made.change.message.encoding {
            Encoding::Latin1 => given::latin1_text(author.name_after_am),
            _ => author.name_after_am.to_owned(),
        };
        let header = commit.raw_header_bytes().lines().find(|line| line.starts_with(b"author ")).unwrap().to_vec();
        // git writes both zones of no offset alike
        let zone = if author.zone == "-0000" { "+0000" } else { author.zone };
        let expected = format!("author {name} <a@example.com> {} {zone}", author.time);
        assert_eq!(header.as_bstr(), expected.as_bytes().as_bstr());
        let message = clones.git(&["log", "-1", "--encoding=UTF-8", "--format=%B", &made.id.to_string()]);
        // what is no UTF-8 and says nothing of its encoding is ISO-8859-1 to git am
        let message = String::from_utf8(message)
            .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect());
        let expected = as_am_keeps(message.as_bytes());
        let count = count_indented(commit.message_raw_bytes(), &expected);
        assert_eq!(count, indented.get(&made.id).copied().unwrap_or_default(), "{made:?}");
    }
    assert!(rebuilt.next().is_none());
}

/// What `git am --keep-non-patch` makes of a message, its own mails included: the first paragraph becomes one line in
/// which white space is a single space; white space at the ends of lines goes, and of blank lines all but one.
fn as_am_keeps(message: &[u8]) -> Vec<u8> {
    let space = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
    let lines = message.split(|b| *b == b'\n').map(|line| line.trim_end_with(|c| c.is_ascii() && space(&(c as u8))));
    let mut lines = lines.skip_while(|line| line.is_empty()).peekable();
    let mut subject = Vec::new();
    while let Some(line) = lines.next_if(|line| !line.is_empty()) {
        subject.extend(line.split(space).filter(|word| !word.is_empty()));
    }
    let mut kept = bstr::join(" ", subject);
    let mut blank = true;
    for line in lines {
        if line.is_empty() {
            blank = true;
        } else {
            kept.extend_from_slice(if blank { b"\n\n" } else { b"\n" });
            kept.extend_from_slice(line);
            blank = false;
        }
    }
    if !kept.is_empty() {
        kept.push(b'\n');
    }
    kept
}

fn apply_gives_the_source_tree(clones: &Clones, updated: &Updated) {
    let patches = clones.patches(updated);
    let tags = patch_tags(&updated.dist_git[&b"pkg.spec"[..]].content);
    let files: Vec<_> = patches.iter().filter(|patch| !patch.ignored).map(|patch| patch.file.clone()).collect();
    assert_eq!(tags, files, "the spec's patches are the report's, in the same order");
    let content = |patch: &Patch| updated.dist_git[patch.file.as_bytes()].content.clone();

    let applied = Applied::to_upstream(clones);
    for patch in &patches {
        match patch.ignored {
            true => applied.apply(&ignored_change(clones, patch), false),
            false => applied.apply(&content(patch), patch.no_prefix),
        }
    }
    assert_eq!(applied.tree(), clones.tree(&clones.expected()).to_string(), "{:#}", updated.report);
    assert_eq!(applied.tree(), updated.report["proof"]["tree"].as_str().unwrap());

    let emitted = Applied::to_upstream(clones);
    for patch in patches.iter().filter(|patch| !patch.ignored) {
        emitted.apply(&content(patch), patch.no_prefix);
    }
}

fn gnu_patch_gives_the_source_tree(clones: &Clones, updated: &Updated) {
    let directory = clones.path("gnu patch");
    fs::create_dir(&directory).unwrap();
    check_out(&directory, &clones.upstream);
    let patches = clones.patches(updated);
    for patch in &patches {
        let file = clones.path("dist").join(&patch.file);
        let mut command = if patch.problem {
            let mut command = clones.command("git");
            command.args(["apply", "--whitespace=nowarn", if patch.no_prefix { "-p0" } else { "-p1" }]).arg(file);
            command
        } else {
            gnu_patch(clones, &file)
        };
        succeeded(command.current_dir(&directory));
    }
    assert_eq!(work_tree(&directory), clones.expected(), "{:#}", updated.report);
    let verified = updated.report["proof"]["verified"].as_bool().unwrap();
    assert_eq!(verified, patches.iter().all(|patch| !patch.problem), "{:#}", updated.report);
}

/// patch, as rpm's `%autosetup -p1` calls it.
fn gnu_patch(clones: &Clones, file: &Path) -> Command {
    let mut command = clones.command("patch");
    command.args(["-p1", "-s", "--fuzz=0", "--no-backup-if-mismatch", "-f"]);
    command.stdin(Stdio::from(fs::File::open(file).unwrap()));
    command
}

fn mails_are_gits(clones: &Clones, updated: &Updated) {
    let indented = indented_lines(updated);
    let mut listed = Vec::new();
    for patch in clones.patches(updated) {
        listed.extend(patch.commits.iter().copied());
        if patch.ignored {
            continue;
        }
        let found = mails(&updated.dist_git[patch.file.as_bytes()].content);
        let of_merge = patch.commits.iter().any(|commit| clones.made(*commit).is_none());
        if of_merge || updated.report["merges"]["handling"] == "one_patch" {
            // it stands for what git has no patch of
            assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), patch.commits);
            continue;
        }
        let mut found = found.into_iter();
        for commit in &patch.commits {
            let theirs = format_patch(clones, *commit, patch.no_prefix);
            if theirs.is_empty() {
                continue;
            }
            let (id, ours) = found.next().expect("a mail for each commit that changes something");
            assert_eq!(id, *commit);
            let count = count_indented(&ours, &theirs);
            assert_eq!(count, indented.get(commit).copied().unwrap_or_default(), "{}", ours.as_bstr());
        }
        assert!(found.next().is_none());
    }
    if has_every_commit(updated) {
        let range = format!("{}..main", clones.upstream_id);
        let commits = clones.git(&["rev-list", "--topo-order", "--reverse", "--no-merges", &range]);
        let commits = commits.lines().map(|id| Oid::from_str(id.to_str().unwrap()).unwrap());
        let commits: Vec<_> = commits.filter(|id| !format_patch(clones, *id, false).is_empty()).collect();
        listed.retain(|id| commits.contains(id));
        assert_eq!(listed, commits);
    }
}
