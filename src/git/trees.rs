//! The trees of a store: lists the files in them, and builds changed ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;

use anyhow::anyhow;
use bstr::ByteSlice as _;
use git2::{ObjectType, Oid, Repository, Tree};

use crate::git::Store;
use crate::git::program::EMPTY_TREE;
use crate::git::store::{oid, raw};
use crate::types::error::{Context as _, Error, Result, bail};
use crate::types::finding::quoted;
use crate::types::path::PathError;
use crate::types::{BlobId, File, FileMode, FileTree, Refusal, RepoPath, TreeId};

/// The most entries (files and directories) below one directory of a package. The largest such directories have a
/// thousand.
const DIRECTORY_LIMIT: usize = 50_000;

/// The most entries of a whole tree: five times as many as the kernel has.
const TREE_LIMIT: usize = 500_000;

/// The most bytes that all paths of a listing may have together.
const PATHS_LIMIT: usize = 64 << 20;

/// An entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeEntry {
    /// A file, symbolic link or submodule.
    File(File),
    Directory(TreeId),
}

impl Store {
    fn tree(&self, id: &TreeId) -> Result<Tree<'_>> {
        self.memory.find_tree(oid(id.as_bytes())).with_context(|| format!("reading tree {id}"))
    }

    /// Returns the entry at `path`; `None` if `tree` has none there.
    pub fn entry(&self, tree: &TreeId, path: &RepoPath) -> Result<Option<TreeEntry>> {
        let mut current = self.tree(tree)?;
        let mut components = path.components().peekable();
        while let Some(name) = components.next() {
            let found = current.get_name_bytes(name);
            let found = found.map(|entry| (entry.id(), entry.filemode_raw(), entry.kind() == Some(ObjectType::Tree)));
            let Some((id, mode, is_tree)) = found else { return Ok(None) };
            match (components.peek(), is_tree) {
                (None, true) => return Ok(Some(TreeEntry::Directory(TreeId::from_bytes(raw(id))))),
                (None, false) => return file_of(mode, id).map(TreeEntry::File).map(Some),
                (Some(_), true) => current = self.memory.find_tree(id).context("reading a tree")?,
                (Some(_), false) => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Returns all files of `tree`, or only those below `directory`, by their full paths.
    pub fn files(&self, tree: &TreeId, directory: Option<&RepoPath>) -> Result<FileTree> {
        match directory {
            Some(directory) => self.list(tree, &BTreeSet::from([directory.clone()]), DIRECTORY_LIMIT),
            None => {
                let mut listing = TreeListing::new(TREE_LIMIT, "the tree");
                self.collect(tree, b"", RepoPath::MOST_COMPONENTS, &mut listing)?;
                Ok(listing.files)
            }
        }
    }

    /// Returns the files of `tree` at or below any of `paths`, by their full paths.
    pub fn files_below(&self, tree: &TreeId, paths: &BTreeSet<RepoPath>) -> Result<FileTree> {
        self.list(tree, paths, TREE_LIMIT)
    }

    fn list(&self, tree: &TreeId, paths: &BTreeSet<RepoPath>, limit: usize) -> Result<FileTree> {
        let mut listing = TreeListing::new(limit, "");
        for path in paths {
            match self.entry(tree, path)? {
                Some(TreeEntry::Directory(id)) => {
                    listing.subject = quoted(path.as_bytes());
                    let prefix = [path.as_bytes(), b"/"].concat();
                    self.collect(&id, &prefix, RepoPath::MOST_COMPONENTS, &mut listing)?;
                }
                Some(TreeEntry::File(file)) => drop(listing.files.insert(path.clone(), file)),
                None => {}
            }
        }
        Ok(listing.files)
    }

    fn collect(&self, tree: &TreeId, prefix: &[u8], depth: usize, listing: &mut TreeListing) -> Result<()> {
        if depth == 0 {
            bail!(refused_path(prefix, &PathError::TooDeep));
        }
        for entry in self.tree(tree)?.iter() {
            let path = [prefix, entry.name_bytes()].concat();
            listing.count(&path)?;
            if entry.kind() == Some(ObjectType::Tree) {
                let id = TreeId::from_bytes(raw(entry.id()));
                self.collect(&id, &[&path[..], b"/"].concat(), depth - 1, listing)?;
            } else {
                let path = RepoPath::parse(&path).map_err(|error| refused_path(&path, &error))?;
                listing.files.insert(path, file_of(entry.filemode_raw(), entry.id())?);
            }
        }
        Ok(())
    }

    /// Returns the files that `tree` has at `paths`. Reads each directory only once, however many of its files are
    /// requested.
    pub fn files_at<'a>(&self, tree: &TreeId, paths: impl IntoIterator<Item = &'a RepoPath>) -> Result<FileTree> {
        let mut directories: HashMap<Option<RepoPath>, Option<Tree<'_>>> = HashMap::new();
        let mut files = FileTree::new();
        for path in paths {
            let parent = path.parent();
            if !directories.contains_key(&parent) {
                let found = match &parent {
                    None => Some(self.tree(tree)?),
                    Some(parent) => match self.entry(tree, parent)? {
                        Some(TreeEntry::Directory(id)) => Some(self.tree(&id)?),
                        _ => None,
                    },
                };
                directories.insert(parent.clone(), found);
            }
            let directory = directories.get(&parent).and_then(Option::as_ref);
            if let Some(entry) = directory.and_then(|directory| directory.get_name_bytes(path.file_name()))
                && entry.kind() != Some(ObjectType::Tree)
            {
                files.insert(path.clone(), file_of(entry.filemode_raw(), entry.id())?);
            }
        }
        Ok(files)
    }

    /// Applies `changes` to `tree` and returns the new tree, which git processes do not see.
    ///
    /// `None` removes a file. A new file replaces a directory of its name, and a new directory replaces a file. Only
    /// the directories on the way to the changed paths are read and written.
    pub fn tree_with(&self, tree: &TreeId, changes: &BTreeMap<RepoPath, Option<File>>) -> Result<TreeId> {
        tree_in(&self.memory, tree, changes)
    }

    /// Like [`Store::tree_with`], but git processes see the new tree and the new files in it.
    pub fn write_tree_with(&self, tree: &TreeId, changes: &BTreeMap<RepoPath, Option<File>>) -> Result<TreeId> {
        let odb = self.repository.odb().context("opening the object store")?;
        for file in changes.values().flatten().filter(|file| !odb.exists(oid(file.blob.as_bytes()))) {
            self.repository.blob(&self.read(&file.blob)?).context("writing a blob")?;
        }
        tree_in(&self.repository, tree, changes)
    }
}

fn tree_in(repository: &Repository, tree: &TreeId, changes: &BTreeMap<RepoPath, Option<File>>) -> Result<TreeId> {
    let changes: Vec<_> = changes.iter().map(|(path, file)| (path.as_bytes(), file.as_ref())).collect();
    let base = match tree.to_string() == EMPTY_TREE {
        true => None,
        false => Some(repository.find_tree(oid(tree.as_bytes())).with_context(|| format!("reading tree {tree}"))?),
    };
    let id = match rebuild(repository, base.as_ref(), &changes)? {
        Some(id) => id,
        None => repository.treebuilder(None).and_then(|b| b.write()).context("writing the empty tree")?,
    };
    Ok(TreeId::from_bytes(raw(id)))
}

/// Writes `base` with `changes` applied; returns `None` if nothing is left in it.
///
/// The recursion is no deeper than the components of a [`RepoPath`].
fn rebuild(repository: &Repository, base: Option<&Tree<'_>>, changes: &[ChangeBelow<'_>]) -> Result<Option<Oid>> {
    let mut builder = repository.treebuilder(base).context("starting a tree")?;
    let mut below: BTreeMap<&[u8], Vec<ChangeBelow<'_>>> = BTreeMap::new();
    let mut here = Vec::new();
    for (path, file) in changes {
        match path.split_once_str(b"/") {
            Some((name, rest)) => below.entry(name).or_default().push((rest, *file)),
            None => here.push((*path, *file)),
        }
    }
    // Removals come first, so that a directory can replace a file of its name.
    for (name, file) in &here {
        if file.is_none() && base.is_some_and(|base| base.get_name_bytes(name).is_some()) {
            builder.remove(os_name(name)?).context("removing from a tree")?;
        }
    }
    for (name, changes) in below {
        let old = base.and_then(|base| base.get_name_bytes(name)).map(|entry| (entry.kind(), entry.id()));
        let subtree = match old {
            Some((Some(ObjectType::Tree), id)) => Some(repository.find_tree(id).context("reading a tree")?),
            _ => None,
        };
        match rebuild(repository, subtree.as_ref(), &changes)? {
            Some(id) => drop(builder.insert(os_name(name)?, id, 0o040_000).context("adding to a tree")?),
            None if subtree.is_some() => builder.remove(os_name(name)?).context("removing from a tree")?,
            None => {}
        }
    }
    for (name, file) in here {
        if let Some(file) = file {
            let mode = i32::try_from(file.mode.to_git()).unwrap_or(0o100_644);
            builder.insert(os_name(name)?, oid(file.blob.as_bytes()), mode).context("adding to a tree")?;
        }
    }
    if builder.is_empty() { Ok(None) } else { Ok(Some(builder.write().context("writing a tree")?)) }
}

/// The files listed so far, and how many more may follow.
///
/// The limits are needed because a few trees that contain each other many times have more paths than fit into memory.
/// Directories count as well, as there may be nothing else.
struct TreeListing {
    files: FileTree,
    /// What is being listed, for messages.
    subject: String,
    limit: usize,
    entries_left: usize,
    bytes_left: usize,
}

impl TreeListing {
    fn new(limit: usize, subject: &str) -> Self {
        let subject = subject.to_owned();
        Self { files: FileTree::new(), subject, limit, entries_left: limit, bytes_left: PATHS_LIMIT }
    }

    /// Counts one entry. It is refused if it is one too many.
    fn count(&mut self, path: &[u8]) -> Result<(), Refusal> {
        let left = (self.entries_left.checked_sub(1), self.bytes_left.checked_sub(path.len()));
        let (Some(entries), Some(bytes)) = left else {
            let Self { subject, limit, .. } = self;
            let text =
                format!("{subject} holds more than {limit} files and directories, or paths that are as long together");
            return Err(Refusal::new(
                text,
                "remove what the package does not need, or bring it by an archive in `sources`",
            ));
        };
        (self.entries_left, self.bytes_left) = (entries, bytes);
        Ok(())
    }
}

/// Returns the refusal for a path that somebody committed and that no [`RepoPath`] can be.
pub(super) fn refused_path(path: &[u8], error: &PathError) -> Refusal {
    Refusal::new(format!("a commit holds {}: {error}", quoted(path)), "remove that file from the branch")
}

/// A changed path, relative to some directory, and what becomes of it.
type ChangeBelow<'a> = (&'a [u8], Option<&'a File>);

fn os_name(name: &[u8]) -> Result<&OsStr> {
    name.to_os_str().map_err(|_| Error::msg(format!("{} cannot be a file name here", name.as_bstr())))
}

fn file_of(mode: i32, id: Oid) -> Result<File> {
    let mode = u32::try_from(mode).ok().and_then(FileMode::from_git);
    let mode = mode.ok_or_else(|| anyhow!("object {id} has a file mode that git does not use"))?;
    Ok(File { mode, blob: BlobId::from_bytes(raw(id)) })
}

#[cfg(test)]
mod tests {
    use crate::git::Git;

    use super::*;

    #[test]
    fn a_few_trees_with_paths_without_number_are_not_listed() {
        let store = Store::create(&Git::find(OsStr::new("/usr/local/bin:/usr/bin:/bin")).unwrap()).unwrap();
        let path = |path: &str| RepoPath::parse(path).unwrap();
        let file = File { mode: FileMode::Regular, blob: store.add_blob(b"x").unwrap() };
        let empty = TreeId::parse(EMPTY_TREE.as_bytes()).unwrap();
        let mut tree = store.tree_with(&empty, &BTreeMap::from([(path("f"), Some(file))])).unwrap();
        for _ in 0..6 {
            let mut builder = store.memory.treebuilder(None).unwrap();
            for name in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"] {
                builder.insert(name, oid(tree.as_bytes()), 0o040_000).unwrap();
            }
            tree = TreeId::from_bytes(raw(builder.write().unwrap()));
        }
        let refused = |listed: Result<FileTree>| listed.unwrap_err().into_refusal().unwrap().text;
        assert!(refused(store.files(&tree, None)).starts_with("the tree holds more than 500000 files"));
        assert!(refused(store.files(&tree, Some(&path("3")))).starts_with("`3` holds more than 50000 files"));
        let several = ["0", "1", "2", "3", "4", "5"].map(path);
        assert!(refused(store.files_below(&tree, &several.into())).starts_with("`2` holds more than 500000 files"));
        assert_eq!(store.files(&tree, Some(&path("1/2"))).unwrap().len(), 10_000);
    }
}
