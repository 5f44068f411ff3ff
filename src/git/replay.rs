//! Rebases a merge request on the tip of its target branch: what the target would contain with it.
//!
//! `git merge-tree --write-tree` (git-merge-tree(1)) does all merging, in the store. There is no work tree, and the
//! repository's attributes and configuration do not apply, so `merge=union`, `merge=binary` or a merge driver in a
//! `.gitattributes` changes nothing. git detects renamed files as it does by default.
//!
//! The store must have the content of the files involved, because nothing is fetched here. Callers decide what to do
//! with the outcome.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io;

use bstr::{BString, ByteSlice as _};

use crate::git::Store;
use crate::git::program::EMPTY_TREE;
use crate::types::error::{Context as _, Result, bail};
use crate::types::finding::quoted;
use crate::types::text::printable;
use crate::types::{CommitId, Refusal, RepoPath, TreeId};

/// The most commits that are replayed. Each costs a git process, and a merge request that took in thousands of
/// upstream's commits cannot be shown commit by commit anyway.
const REPLAY_LIMIT: usize = 1000;

/// How many commits the message of a squashed commit lists.
const LISTED_LIMIT: usize = 200;

/// The most bytes that `git log` may print for all commits together; subjects can be long.
const LOG_LIMIT: usize = 192 << 20;

/// The outcome of rebasing a merge request on its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebaseOutcome {
    /// The head contains the target's tip, so there is nothing to do.
    UpToDate,
    /// Each commit was replayed on the target.
    Replayed {
        /// The replayed commits, oldest first: a single line of commits from the target to `tip`.
        steps: Vec<ReplayedCommit>,
        /// The commits that became empty because the target has their change already.
        dropped: Vec<CommitId>,
        /// The last replayed commit, or the target's tip if there is none.
        tip: CommitId,
        /// The tree of `tip`, which is also the tree of the three-way merge of target and head.
        tree: TreeId,
    },
    /// The commits, replayed one by one, do not give what the merge gives. One commit on the target has all their
    /// changes.
    Squashed {
        /// The commits of the merge request, oldest first, without merges.
        commits: Vec<CommitId>,
        /// The single commit. If the merge request has only one, it has that one's author, dates and message. Otherwise
        /// it has those of the head, except that its message lists the commits if there are several.
        tip: CommitId,
        /// The tree of `tip`, which is also the tree of the three-way merge of target and head.
        tree: TreeId,
        /// Why the commits were not replayed: one sentence without a full stop.
        reason: String,
    },
    /// The three-way merge of target and head conflicts.
    Conflict {
        /// The paths that git names. There can be none (git-merge-tree(1), MISTAKES TO AVOID).
        paths: Vec<RepoPath>,
    },
}

/// A commit and its replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayedCommit {
    /// A commit of the merge request.
    pub original: CommitId,
    /// The same change on the target, with the author, the dates and the message of the original.
    pub replayed: CommitId,
}

/// Rebases the commits of `head` on `target`, the tip of its target branch.
///
/// The non-merge commits of `target..head` are replayed in topological order, oldest first. Each is replayed as
/// git-cherry-pick(1) does: by a three-way merge of the tip so far and the commit, with the commit's parent as the
/// base. As with git-rebase(1) by default, a commit that becomes empty is dropped, and one that was empty from the
/// start stays. The result must be what the merge of `target` and `head` gives. Otherwise one commit with the result of
/// the merge takes its place.
///
/// Histories that have nothing in common are refused, and so are histories that were cut too short to tell.
pub fn rebase_on_target(store: &Store, head: &CommitId, target: &CommitId) -> Result<RebaseOutcome> {
    let bases = merge_bases(store, target, head)?;
    if bases.contains(target) {
        return Ok(RebaseOutcome::UpToDate);
    }
    check_not_cut(store, head, target)?;
    if bases.is_empty() {
        let text = format!(
            "commit {} and the tip of the target branch (commit {}) have no history in common",
            head.short(),
            target.short()
        );
        bail!(Refusal::new(text, "rebase the merge request on its target branch"));
    }
    let tree = match merge(store, target, head)? {
        MergeOutcome::Clean(tree) => tree,
        MergeOutcome::Conflicting(names) => {
            return Ok(RebaseOutcome::Conflict { paths: conflicting_paths(&names, [target, head])? });
        }
    };
    let commits = commits_between(store, target, head)?;
    let reason = match replay(store, target, &commits)? {
        ReplayOutcome::Done { steps, dropped, tip, tree: replayed } if replayed == tree => {
            return Ok(RebaseOutcome::Replayed { steps, dropped, tip, tree });
        }
        ReplayOutcome::Done { .. } => "its commits, replayed one by one, give something else than its merge".to_owned(),
        ReplayOutcome::Conflicting(commit) => {
            format!("commit {} conflicts with the target by itself, though all of it together does not", commit.short())
        }
        ReplayOutcome::TooMany => {
            format!("it has {} commits, more than the {REPLAY_LIMIT} that are replayed", commits.len())
        }
    };
    let tip = squash(store, head, target, &commits, &tree)?;
    Ok(RebaseOutcome::Squashed { commits: commits.into_iter().map(|commit| commit.id).collect(), tip, tree, reason })
}

/// Returns the best common ancestors. Unrelated histories have none.
fn merge_bases(store: &Store, target: &CommitId, head: &CommitId) -> Result<Vec<CommitId>> {
    let arguments = ["merge-base", "--all", &target.to_string(), &head.to_string()];
    let output = store.command().args(arguments).run()?;
    // git-merge-base(1) has exit status 1 if there is none.
    if !matches!(output.status.code(), Some(0 | 1)) {
        bail!("looking for what target and head have in common failed: {}", output.stderr);
    }
    output.stdout.lines().map(CommitId::parse).collect::<Result<_, _>>().context("reading the common ancestors")
}

/// Refuses a history that was cut (`shallow` of gitrepository-layout(5)) above the common ancestors of target and head.
///
/// The commits behind the cut could belong to the target, and what git takes for the common ancestor need not be the
/// best.
fn check_not_cut(store: &Store, head: &CommitId, target: &CommitId) -> Result<()> {
    let shallow = match fs::read(store.git_dir().join("shallow")) {
        Ok(lines) => lines.lines().map(CommitId::parse).collect::<Result<HashSet<_>, _>>().context("reading `shallow`"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error).context("reading where the history was cut"),
    }?;
    let too_long = Refusal::new(
        "there are more commits between the merge request and its target branch than are read",
        "rebase the merge request on its target branch",
    );
    let apart = store.command().args(["rev-list", &format!("{target}...{head}"), "--"]).output_or_refusal(&too_long)?;
    if apart.lines().filter_map(|line| CommitId::parse(line).ok()).any(|commit| shallow.contains(&commit)) {
        bail!(Refusal::new(
            "cannot tell what the head and its target branch have in common: the history is cut too short",
            "fetch more of the history, for example with `git fetch --unshallow`",
        ));
    }
    Ok(())
}

/// A non-merge commit of the merge request.
struct OriginalCommit {
    id: CommitId,
    /// `None` for the root of a history of its own.
    parent: Option<CommitId>,
    subject: BString,
}

/// Lists the non-merge commits of `target..head` in topological order, oldest first.
fn commits_between(store: &Store, target: &CommitId, head: &CommitId) -> Result<Vec<OriginalCommit>> {
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
        commits.push(OriginalCommit { id, parent, subject: subject.into() });
    }
    Ok(commits)
}

/// The outcome of replaying the commits one by one.
enum ReplayOutcome {
    Done {
        steps: Vec<ReplayedCommit>,
        dropped: Vec<CommitId>,
        tip: CommitId,
        tree: TreeId,
    },
    /// This commit conflicts with the tip so far.
    Conflicting(CommitId),
    /// There are more than [`REPLAY_LIMIT`].
    TooMany,
}

fn replay(store: &Store, target: &CommitId, commits: &[OriginalCommit]) -> Result<ReplayOutcome> {
    if commits.len() > REPLAY_LIMIT {
        return Ok(ReplayOutcome::TooMany);
    }
    let (mut tip, mut tree) = (*target, store.tree_of(target)?);
    let (mut steps, mut dropped) = (Vec::new(), Vec::new());
    for commit in commits {
        let change = CommitChange::of(store, commit, target)?;
        let MergeOutcome::Clean(next) = change.apply_to(store, &tree)? else {
            return Ok(ReplayOutcome::Conflicting(commit.id));
        };
        if next == tree && !change.is_empty(store)? {
            dropped.push(commit.id);
            continue;
        }
        tip = store.commit_like(&commit.id, &next, &tip, None)?;
        tree = next;
        steps.push(ReplayedCommit { original: commit.id, replayed: tip });
    }
    Ok(ReplayOutcome::Done { steps, dropped, tip, tree })
}

/// The change of a commit, as two commits: `before` is the parent of `after`.
///
/// Only since git 2.40 can the caller of `merge-tree` choose the merge base. So the tree to be changed is put into
/// another child of `before`, which makes `before` the only best common ancestor.
struct CommitChange {
    before: CommitId,
    after: CommitId,
}

impl CommitChange {
    fn of(store: &Store, commit: &OriginalCommit, target: &CommitId) -> Result<Self> {
        if let Some(before) = commit.parent {
            return Ok(Self { before, after: commit.id });
        }
        // A commit without a parent adds its whole tree to an empty one. The parent of that empty commit does not
        // matter.
        let nothing = TreeId::parse(EMPTY_TREE.as_bytes()).context("naming the empty tree")?;
        let before = store.commit_like(&commit.id, &nothing, target, Some(b""))?;
        let after = store.commit_like(&commit.id, &store.tree_of(&commit.id)?, &before, Some(b""))?;
        Ok(Self { before, after })
    }

    fn is_empty(&self, store: &Store) -> Result<bool> {
        Ok(store.tree_of(&self.before)? == store.tree_of(&self.after)?)
    }

    fn apply_to(&self, store: &Store, tree: &TreeId) -> Result<MergeOutcome> {
        let ours = store.commit_like(&self.after, tree, &self.before, Some(b""))?;
        merge(store, &ours, &self.after)
    }
}

/// Writes the single commit that has all changes of the merge request.
fn squash(
    store: &Store,
    head: &CommitId,
    target: &CommitId,
    commits: &[OriginalCommit],
    tree: &TreeId,
) -> Result<CommitId> {
    match commits {
        // All changes came with merges, and the head is the last of them.
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

/// The outcome of a three-way merge.
enum MergeOutcome {
    Clean(TreeId),
    /// The names that git gives to the conflicting files.
    Conflicting(Vec<BString>),
}

/// Merges two commits by a three-way merge.
fn merge(store: &Store, ours: &CommitId, theirs: &CommitId) -> Result<MergeOutcome> {
    let output = store
        .command()
        // If one side renames a directory and the other adds a file to it, git by default reports a conflict for a
        // person to resolve (git-config(1)). There is no person here and no content in doubt, so the file stays where
        // its commit puts it.
        .args(["-c", "merge.directoryRenames=false"])
        .args(["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages"])
        .args([ours.to_string(), theirs.to_string()])
        .run()?;
    let code = output.status.code();
    if output.truncated {
        let text = "the merge request conflicts with its target branch in more files than can be read";
        bail!(Refusal::new(text, "rebase the merge request on its target branch"));
    }
    if !matches!(code, Some(0 | 1)) {
        bail!("`git merge-tree` failed ({}): {}", output.status, output.stderr);
    }
    let mut fields = output.stdout.split(|b| *b == 0);
    // git prints the tree with either outcome. If it is missing, something else failed.
    let tree = TreeId::parse(fields.next().unwrap_or_default().trim_end());
    let tree = tree.with_context(|| format!("reading what `git merge-tree` gives: {}", output.stderr))?;
    Ok(match code {
        Some(0) => MergeOutcome::Clean(tree),
        _ => MergeOutcome::Conflicting(fields.filter(|name| !name.is_empty()).map(BString::from).collect()),
    })
}

/// Returns the paths behind the names that git gives to conflicting files. If a file and a directory want the same
/// name, git names the file `<path>~<commit>`.
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
