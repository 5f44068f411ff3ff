//! A merge request on the tip of its target branch: what the target would hold with it.
//!
//! All merging is `git merge-tree --write-tree`'s (git-merge-tree(1)), in the store: no work tree, and no attribute
//! or configuration of the repository counts, so `merge=union`, `merge=binary` or a merge driver in a
//! `.gitattributes` changes nothing. Renamed files are found as git does by default. The store must have the content
//! of the files in question, for nothing is fetched here. What becomes of the outcome is not decided here.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;

use bstr::{BString, ByteSlice as _};

use crate::git::Store;
use crate::git::process::EMPTY_TREE;
use crate::types::error::{Context as _, Result, bail};
use crate::types::finding::quoted;
use crate::types::text::printable;
use crate::types::{CommitId, Refusal, RepoPath, TreeId};

/// How many commits are replayed: each costs a git process, and a merge request that took in thousands of upstream's
/// commits is not told commit by commit.
const REPLAY_LIMIT: usize = 1000;

/// How many commits the message of a squashed commit lists.
const LISTED_LIMIT: usize = 200;

/// How much `git log` may print for all commits together; subjects can be long.
const LOG_LIMIT: usize = 192 << 20;

/// A merge request's content on its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Based {
    /// The head contains the target's tip: there is nothing to do.
    Contains,
    /// Each commit was replayed on the target.
    Replayed {
        /// What was replayed, oldest first: one line of commits from the target to `tip`.
        steps: Vec<ReplayedCommit>,
        /// The commits that became empty, for the target has their change already.
        dropped: Vec<CommitId>,
        /// The last replayed commit; the target's tip where there is none.
        tip: CommitId,
        /// The tree of `tip`, which is that of the three-way merge of target and head.
        tree: TreeId,
    },
    /// The commits one by one do not give what the merge gives: all of them are one commit on the target.
    Squashed {
        /// The commits of the merge request, oldest first, without merges.
        commits: Vec<CommitId>,
        /// The one commit. It is as the only commit of the merge request, otherwise as the head but with a message
        /// that lists the commits.
        tip: CommitId,
        /// The tree of `tip`: that of the three-way merge of target and head.
        tree: TreeId,
        /// Why they were not replayed: one sentence without a full stop.
        reason: String,
    },
    /// The three-way merge of target and head conflicts.
    Conflict {
        /// Where, as git says; it can be nowhere in particular (git-merge-tree(1), MISTAKES TO AVOID).
        paths: Vec<RepoPath>,
    },
}

/// A commit and the one that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayedCommit {
    /// The commit of the merge request.
    pub original: CommitId,
    /// The same change on the target, with the author, the dates and the message of the original.
    pub replayed: CommitId,
}

/// Puts what `head` has beyond `target`, the tip of its target branch, on top of `target`.
///
/// The non-merge commits of `target..head` are replayed in topological order, oldest first, each by the three-way merge
/// of its parent's tree, the tip so far and its own tree, as git-cherry-pick(1) does. A commit that becomes empty is
/// dropped, one that was made empty stays, as git-rebase(1) has it by default. What comes out must be what the merge
/// of `target` and `head` gives, else the merge stands, as one commit.
///
/// Refuses histories that have nothing in common, and ones that were cut too short to tell.
pub fn base_on_target(store: &Store, head: &CommitId, target: &CommitId) -> Result<Based> {
    let bases = merge_bases(store, target, head)?;
    if bases.contains(target) {
        return Ok(Based::Contains);
    }
    refuse_cut(store, head, target)?;
    if bases.is_empty() {
        let text = format!(
            "commit {} and the tip of the target branch (commit {}) have no history in common",
            head.short(),
            target.short()
        );
        bail!(Refusal::new(text, "rebase the merge request on its target branch"));
    }
    let tree = match merge(store, target, head)? {
        Merged::Clean(tree) => tree,
        Merged::Conflicting(names) => return Ok(Based::Conflict { paths: conflicting_paths(&names, [target, head])? }),
    };
    let commits = commits_between(store, target, head)?;
    let reason = match replay(store, target, &commits)? {
        Replay::Done { steps, dropped, tip, tree: replayed } if replayed == tree => {
            return Ok(Based::Replayed { steps, dropped, tip, tree });
        }
        Replay::Done { .. } => "its commits, replayed one by one, give something else than its merge".to_owned(),
        Replay::Conflicting(commit) => {
            format!("commit {} conflicts with the target by itself, though all of it together does not", commit.short())
        }
        Replay::TooMany => {
            format!("it has {} commits, more than the {REPLAY_LIMIT} that are replayed", commits.len())
        }
    };
    let tip = squashed(store, head, target, &commits, &tree)?;
    Ok(Based::Squashed { commits: commits.into_iter().map(|commit| commit.id).collect(), tip, tree, reason })
}

/// Returns the best common ancestors; none for unrelated histories.
fn merge_bases(store: &Store, target: &CommitId, head: &CommitId) -> Result<Vec<CommitId>> {
    let arguments = ["merge-base", "--all", &target.to_string(), &head.to_string()];
    let finished = store.command().args(arguments).run()?;
    // git-merge-base(1) ends with 1 where there is none.
    if !matches!(finished.status.code(), Some(0 | 1)) {
        bail!("looking for what target and head have in common failed: {}", finished.stderr);
    }
    finished.stdout.lines().map(CommitId::parse).collect::<Result<_, _>>().context("reading the common ancestors")
}

/// Refuses where history was cut (`shallow` of gitrepository-layout(5)) above what target and head have in common:
/// what lies behind the cut could be the target's, and what git takes for the common ancestor need not be the best.
fn refuse_cut(store: &Store, head: &CommitId, target: &CommitId) -> Result<()> {
    let shallow = match fs::read(store.git_dir().join("shallow")) {
        Ok(lines) => lines.lines().map(CommitId::parse).collect::<Result<HashSet<_>, _>>().context("reading `shallow`"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error).context("reading where the history was cut"),
    }?;
    let too_long = Refusal::new(
        "there are more commits between the merge request and its target branch than are read",
        "rebase the merge request on its target branch",
    );
    let apart = store.command().args(["rev-list", &format!("{target}...{head}"), "--"]).listing(&too_long)?;
    if apart.lines().filter_map(|line| CommitId::parse(line).ok()).any(|commit| shallow.contains(&commit)) {
        bail!(Refusal::new(
            "cannot tell what the head and its target branch have in common: the history is cut too short",
            "fetch more of the history, for example with `git fetch --unshallow`",
        ));
    }
    Ok(())
}

/// A commit of the merge request that is no merge.
struct Original {
    id: CommitId,
    /// `None` for one that starts a history of its own.
    parent: Option<CommitId>,
    subject: BString,
}

/// Lists the non-merge commits of `target..head` in topological order, oldest first.
fn commits_between(store: &Store, target: &CommitId, head: &CommitId) -> Result<Vec<Original>> {
    let log = store
        .command()
        .args(["log", "--topo-order", "--reverse", "--no-merges", "-z", "--no-show-signature", "--encoding=UTF-8"])
        .args(["--format=tformat:%H%x00%P%x00%s", &format!("{target}..{head}"), "--"])
        .output_limit(LOG_LIMIT)
        .run()?;
    if log.truncated {
        let text = format!("the subjects of its commits are longer than {} MiB together", LOG_LIMIT >> 20);
        bail!(Refusal::new(text, "shorten the commit messages"));
    }
    if !log.status.success() {
        bail!("listing the commits of target..head failed: {}", log.stderr);
    }
    let mut fields = log.stdout.split(|b| *b == 0);
    let mut commits = Vec::new();
    while let (Some(id), Some(parent), Some(subject)) = (fields.next(), fields.next(), fields.next()) {
        let id = CommitId::parse(id).context("reading the list of commits")?;
        let parent = if parent.is_empty() { None } else { Some(CommitId::parse(parent)) };
        let parent = parent.transpose().with_context(|| format!("reading the parent of commit {id}"))?;
        commits.push(Original { id, parent, subject: subject.into() });
    }
    Ok(commits)
}

/// How replaying one by one ended.
enum Replay {
    Done { steps: Vec<ReplayedCommit>, dropped: Vec<CommitId>, tip: CommitId, tree: TreeId },
    Conflicting(CommitId),
    TooMany,
}

fn replay(store: &Store, target: &CommitId, commits: &[Original]) -> Result<Replay> {
    if commits.len() > REPLAY_LIMIT {
        return Ok(Replay::TooMany);
    }
    let (mut tip, mut tree) = (*target, store.tree_of(target)?);
    let (mut steps, mut dropped) = (Vec::new(), Vec::new());
    for commit in commits {
        let changes = Change::of(store, commit, target)?;
        let Merged::Clean(next) = changes.applied_to(store, &tree)? else {
            return Ok(Replay::Conflicting(commit.id));
        };
        if next == tree && !changes.is_empty(store)? {
            dropped.push(commit.id);
            continue;
        }
        tip = store.commit_like(&commit.id, &next, &tip, None)?;
        tree = next;
        steps.push(ReplayedCommit { original: commit.id, replayed: tip });
    }
    Ok(Replay::Done { steps, dropped, tip, tree })
}

/// A commit's change: two commits, the one the parent of the other.
///
/// `merge-tree` takes a merge base of its own choice only from git 2.40 on. So the tree that is to be changed becomes
/// that of a commit on the same parent, which makes this the one best common ancestor.
struct Change {
    before: CommitId,
    after: CommitId,
}

impl Change {
    fn of(store: &Store, commit: &Original, target: &CommitId) -> Result<Self> {
        if let Some(before) = commit.parent {
            return Ok(Self { before, after: commit.id });
        }
        // A commit without a parent adds all it has to nothing. Whose child the empty commit is does not matter.
        let nothing = TreeId::parse(EMPTY_TREE.as_bytes()).context("naming the empty tree")?;
        let before = store.commit_like(&commit.id, &nothing, target, Some(b""))?;
        let after = store.commit_like(&commit.id, &store.tree_of(&commit.id)?, &before, Some(b""))?;
        Ok(Self { before, after })
    }

    fn is_empty(&self, store: &Store) -> Result<bool> {
        Ok(store.tree_of(&self.before)? == store.tree_of(&self.after)?)
    }

    fn applied_to(&self, store: &Store, tree: &TreeId) -> Result<Merged> {
        let ours = store.commit_like(&self.after, tree, &self.before, Some(b""))?;
        merge(store, &ours, &self.after)
    }
}

/// Stores the commit that stands for all of the merge request.
fn squashed(
    store: &Store,
    head: &CommitId,
    target: &CommitId,
    commits: &[Original],
    tree: &TreeId,
) -> Result<CommitId> {
    match commits {
        // All there is came with merges, and the head is the last of them.
        [] => store.commit_like(head, tree, target, None),
        [only] => store.commit_like(&only.id, tree, target, None),
        several => {
            let mut message = String::from("All changes of the merge request\n\n");
            for commit in several.iter().take(LISTED_LIMIT) {
                message.push_str(&format!("{} {}\n", commit.id.short(), printable(&commit.subject)));
            }
            if let Some(more) = several.len().checked_sub(LISTED_LIMIT).filter(|more| *more > 0) {
                message.push_str(&format!("and {more} more\n"));
            }
            store.commit_like(head, tree, target, Some(message.as_bytes()))
        }
    }
}

/// What a three-way merge gives.
enum Merged {
    Clean(TreeId),
    /// The names that git gives to what conflicts.
    Conflicting(Vec<BString>),
}

/// Merges two commits.
fn merge(store: &Store, ours: &CommitId, theirs: &CommitId) -> Result<Merged> {
    let finished = store
        .command()
        // Where one side renames a directory and the other adds a file to it, git would call that a conflict for a
        // person to decide (git-config(1)). Nobody is asked here, and no content is in doubt: the file stays where its
        // commit puts it.
        .args(["-c", "merge.directoryRenames=false"])
        .args(["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages"])
        .args([ours.to_string(), theirs.to_string()])
        .run()?;
    let code = finished.status.code();
    if finished.truncated {
        let text = "the merge request conflicts with its target branch in more files than can be read";
        bail!(Refusal::new(text, "rebase the merge request on its target branch"));
    }
    if !matches!(code, Some(0 | 1)) {
        bail!("`git merge-tree` failed ({}): {}", finished.status, finished.stderr);
    }
    let mut fields = finished.stdout.split(|b| *b == 0);
    // Written with either outcome: its absence is how a failure of another kind would show.
    let tree = TreeId::parse(fields.next().unwrap_or_default().trim_end());
    let tree = tree.with_context(|| format!("reading what `git merge-tree` gives: {}", finished.stderr))?;
    Ok(match code {
        Some(0) => Merged::Clean(tree),
        _ => Merged::Conflicting(fields.filter(|name| !name.is_empty()).map(BString::from).collect()),
    })
}

/// Returns the paths behind the names that git gives to what conflicts: where a file and a directory want the same
/// name, git keeps the file as `<path>~<commit>`.
fn conflicting_paths(names: &[BString], sides: [&CommitId; 2]) -> Result<Vec<RepoPath>> {
    let suffixes = sides.map(|side| format!("~{side}"));
    let path_of = |name: &BString| {
        let path = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix.as_bytes())).unwrap_or(name);
        RepoPath::parse(path).map_err(|error| {
            let text = format!("the merge with the target branch conflicts at {}: {error}", quoted(path));
            Refusal::new(text, "remove that file from the history")
        })
    };
    let paths: BTreeSet<_> = names.iter().map(path_of).collect::<Result<_, _>>()?;
    Ok(paths.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_named_by_its_path() {
        let (ours, theirs) = (CommitId::from_bytes([1; 20]), CommitId::from_bytes([2; 20]));
        let names = [format!("d~{ours}").into(), "d".into(), format!("a/b~{theirs}").into(), "z~1".into()];
        let paths = conflicting_paths(&names, [&ours, &theirs]).unwrap();
        assert_eq!(paths.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a/b", "d", "z~1"]);
        let error = conflicting_paths(&["a/.git/config".into()], [&ours, &theirs]).unwrap_err();
        let said = "the merge with the target branch conflicts at `a/.git/config`: the path leads into `.git`";
        assert_eq!(error.to_string(), said);
    }
}
