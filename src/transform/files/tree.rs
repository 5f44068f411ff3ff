//! The directories of a [`FileTree`], which exist only through the files below them.

use std::ops::Bound;

use bstr::{BStr, ByteSlice as _};

use crate::types::{File, FileTree, RepoPath};

/// What a tree has at a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum PathKind<'a> {
    File(&'a File),
    Directory,
    Nothing,
}

/// Returns what is at `path`. `None` means the top, which is always a directory.
pub(super) fn kind<'a>(tree: &'a FileTree, path: Option<&RepoPath>) -> PathKind<'a> {
    let Some(path) = path else { return PathKind::Directory };
    match tree.get(path) {
        Some(file) => PathKind::File(file),
        None if below(tree, Some(path)).next().is_some() => PathKind::Directory,
        None => PathKind::Nothing,
    }
}

/// Returns the file in `tree` through which `path` leads.
pub(super) fn file_on_the_way<'a>(tree: &'a FileTree, path: &RepoPath) -> Option<(RepoPath, &'a File)> {
    path.as_bytes().find_iter(b"/").find_map(|slash| {
        let parent = RepoPath::parse(path.as_bytes().get(..slash)?).ok()?;
        let file = tree.get(&parent)?;
        Some((parent, file))
    })
}

/// Returns the files below `directory` in order, each with its path and its name below `directory`.
pub(super) fn below<'a>(
    tree: &'a FileTree,
    directory: Option<&RepoPath>,
) -> impl Iterator<Item = (&'a RepoPath, &'a BStr, &'a File)> + use<'a> {
    let prefix = directory.map_or_else(Vec::new, |directory| [directory.as_bytes(), b"/"].concat());
    tree.range((first_below(directory), Bound::Unbounded))
        .map_while(move |(path, file)| Some((path, path.as_bytes().strip_prefix(prefix.as_slice())?.as_bstr(), file)))
}

/// Returns the names of the files and directories in `directory`, each once.
///
/// The cost depends on the number of these names, not on the number of files below them.
pub(super) fn children<'a>(
    tree: &'a FileTree,
    directory: Option<&'a RepoPath>,
) -> impl Iterator<Item = &'a BStr> + use<'a> {
    let prefix = directory.map_or_else(Vec::new, |directory| [directory.as_bytes(), b"/"].concat());
    let mut from = first_below(directory);
    std::iter::from_fn(move || {
        let (path, _) = tree.range((from.as_ref(), Bound::Unbounded)).next()?;
        let rest = path.as_bytes().strip_prefix(prefix.as_slice())?;
        let name = match rest.split_once_str(b"/") {
            Some((name, _)) => {
                // `0` is the byte after `/`, so all paths below the name come before this one.
                let past = [prefix.as_slice(), name, b"0"].concat();
                from = Bound::Included(RepoPath::parse(past).ok()?);
                name
            }
            None => {
                from = Bound::Excluded(path.clone());
                rest
            }
        };
        Some(name.as_bstr())
    })
}

/// Returns the bound at which the paths below `directory` begin. 1 is the lowest byte that a name can have.
fn first_below(directory: Option<&RepoPath>) -> Bound<RepoPath> {
    match directory.and_then(|directory| directory.join([1]).ok()) {
        Some(first) => Bound::Included(first),
        None => Bound::Unbounded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{BlobId, FileMode};

    fn path(text: &str) -> RepoPath {
        RepoPath::parse(text).unwrap()
    }

    fn tree(paths: &[&str]) -> FileTree {
        let file = File { mode: FileMode::Regular, blob: BlobId::from_bytes([0; 20]) };
        paths.iter().map(|text| (path(text), file)).collect()
    }

    #[test]
    fn a_directory_differs_from_names_that_begin_like_it() {
        let tree = tree(&["a-b", "a/\u{1}", "a/x/y", "a0", "ab/c"]);
        let a = path("a");
        assert_eq!(below(&tree, Some(&a)).map(|(_, name, _)| name).collect::<Vec<_>>(), ["\u{1}", "x/y"]);
        assert_eq!(children(&tree, Some(&a)).collect::<Vec<_>>(), ["\u{1}", "x"]);
        assert_eq!(children(&tree, None).collect::<Vec<_>>(), ["a-b", "a", "a0", "ab"]);
        assert!(matches!(kind(&tree, Some(&a)), PathKind::Directory));
        assert!(matches!(kind(&tree, Some(&path("ab/c"))), PathKind::File(_)));
        assert!(matches!(kind(&tree, Some(&path("a-"))), PathKind::Nothing));
    }

    #[test]
    fn a_file_on_the_way_is_found() {
        let tree = tree(&["a/b"]);
        assert_eq!(file_on_the_way(&tree, &path("a/b/c/d")).unwrap().0, path("a/b"));
        assert!(file_on_the_way(&tree, &path("a/b")).is_none());
    }
}
