//! The items of `files_to_sync` after all checks that need no files.

use std::collections::BTreeSet;

use bstr::{BStr, BString, ByteSlice as _};

use crate::transform::files::filter::FilterRules;
use crate::transform::files::glob;
use crate::transform::files::item::{CopyItem, Delete, MakePath};
use crate::types::finding::quoted;
use crate::types::path::PathError;
use crate::types::{Refusal, RepoPath};

/// The most `src` paths of all items together. Each can need a pass over the whole tree.
const MAX_SOURCES: usize = 250;

/// The most filter rules of all items together. Each is tried on every file.
const MAX_FILTERS: usize = 500;

/// The items of `files_to_sync`, with checked paths and parsed filter rules.
#[derive(Clone, Debug)]
pub struct CopyPlan {
    pub(super) items: Vec<PlannedItem>,
}

#[derive(Clone, Debug)]
pub(super) struct PlannedItem {
    /// Counted from 1, for people.
    pub(super) number: usize,
    pub(super) sources: Vec<GivenPath>,
    pub(super) dest: GivenPath,
    pub(super) mkpath: MakePath,
    pub(super) delete: Delete,
    pub(super) rules: FilterRules,
}

/// The part of source-git that a transfer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourcesNeeded {
    Everything,
    /// These top-level files and directories, with all files below them. Some of them may not exist.
    TopLevel(BTreeSet<RepoPath>),
}

impl CopyPlan {
    /// Checks and parses `items`.
    ///
    /// Refused are absolute paths, paths that leave the repository by `..` or enter `.git`, NUL bytes, and filter rules
    /// that read files, have modifiers or clear the list of rules.
    pub fn parse(items: &[CopyItem]) -> Result<Self, Refusal> {
        let total = |count: fn(&CopyItem) -> usize| items.iter().map(count).fold(0, usize::saturating_add);
        if total(|item| item.src.len()) > MAX_SOURCES {
            return Err(Refusal::new(
                format!("files_to_sync has more than {MAX_SOURCES} source paths"),
                "name directories instead of single files",
            ));
        }
        if total(|item| item.filters.len()) > MAX_FILTERS {
            return Err(Refusal::new(
                format!("files_to_sync has more than {MAX_FILTERS} filters"),
                "use wildcards instead of single names",
            ));
        }
        let items = items.iter().zip(1..).map(|(item, number)| PlannedItem::parse(item, number));
        Ok(Self { items: items.collect::<Result<_, _>>()? })
    }

    /// Returns the part of source-git that [`crate::transform::files::sync()`] needs. More files do no harm.
    pub fn sources_needed(&self) -> SourcesNeeded {
        let mut needed = BTreeSet::new();
        for source in self.sources() {
            let top =
                source.path.as_ref().and_then(|path| path.components().next()).filter(|top| !glob::has_wildcard(top));
            let Some(top) = top.and_then(|top| RepoPath::parse(top).ok()) else { return SourcesNeeded::Everything };
            needed.insert(top);
        }
        SourcesNeeded::TopLevel(needed)
    }

    /// Returns git pathspecs that keep the files of each `src` out of patches, with all files below it.
    ///
    /// They are `:(exclude…)…`, relative to the top. packit gives each `src` to git as a plain pathspec, in which `*`
    /// matches slashes too, and so loses changes that no item copies. These pathspecs match what the globs of `src`
    /// match, and also names with a leading dot: git's `*` matches them and Python's does not.
    pub fn excluded_pathspecs(&self) -> Vec<BString> {
        let mut pathspecs = BTreeSet::new();
        for source in self.sources() {
            let Some(path) = &source.path else {
                pathspecs.insert(BString::from(":(exclude,literal)."));
                continue;
            };
            let path = path.as_bytes();
            pathspecs.insert(BString::from([b":(exclude,literal)", path].concat()));
            if glob::has_wildcard(path) {
                // To Python, a backslash is an ordinary byte, and `**` means the same as `*`.
                let mut pattern = path.replace(b"\\", b"\\\\");
                while pattern.find(b"**").is_some() {
                    pattern = pattern.replace(b"**", b"*");
                }
                pathspecs.insert(BString::from([b":(exclude,glob)", pattern.as_slice(), b"/**"].concat()));
                pathspecs.insert(BString::from([b":(exclude,glob)", pattern.as_slice()].concat()));
            }
        }
        pathspecs.into_iter().collect()
    }

    fn sources(&self) -> impl Iterator<Item = &GivenPath> {
        self.items.iter().flat_map(|item| &item.sources)
    }
}

impl PlannedItem {
    fn parse(item: &CopyItem, number: usize) -> Result<Self, Refusal> {
        let path =
            |key, text: &BString| GivenPath::parse(text.as_bstr()).map_err(|why| bad_path(number, key, text, &why));
        if let Some(src) = item.src.iter().find(|src| src.is_empty()) {
            return Err(bad_path(number, "src", src, &PathError::Empty));
        }
        Ok(Self {
            number,
            sources: item.src.iter().map(|src| path("src", src)).collect::<Result<_, _>>()?,
            dest: path("dest", &item.dest)?,
            mkpath: item.mkpath,
            delete: item.delete,
            rules: FilterRules::parse(&item.filters)?,
        })
    }
}

fn bad_path(number: usize, key: &str, text: &BString, why: &PathError) -> Refusal {
    let repository = if key == "src" { "source-git" } else { "dist-git" };
    let remedy = match why {
        PathError::TooLong | PathError::TooDeep => "give a shorter path".to_owned(),
        _ => format!("give a path relative to the top of {repository}, inside it"),
    };
    let problem = match why {
        PathError::Dots => "leads out of its repository".into(),
        why => why.to_string().replacen("the path ", "", 1),
    };
    Refusal::new(format!("the `{key}` {} of files_to_sync item {number} {problem}", quoted(text)), remedy)
}

/// What the end of a written path says about the file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathForm {
    /// `a/b`
    Plain,
    /// `a/b/`; rsync treats `a/b/.` and `a/b/..` in the same way. packit removes the `.` before rsync sees it.
    Directory,
}

/// A path of the configuration without `.`, `..` and doubled slashes.
///
/// Removing `..` needs no look at symbolic links, because links are never followed.
#[derive(Clone, Debug)]
pub(super) struct GivenPath {
    /// `None` means the top of the repository.
    pub(super) path: Option<RepoPath>,
    pub(super) form: PathForm,
}

impl GivenPath {
    fn parse(text: &BStr) -> Result<Self, PathError> {
        if text.starts_with(b"/") {
            return Err(PathError::Absolute);
        }
        let mut components = Vec::new();
        let mut form = PathForm::Plain;
        for component in text.split_str(b"/") {
            form = PathForm::Directory;
            match component {
                b"" | b"." => {}
                b".." => {
                    components.pop().ok_or(PathError::Dots)?;
                }
                _ => {
                    components.push(component);
                    form = PathForm::Plain;
                }
            }
        }
        let path = match components.as_slice() {
            [] => None,
            components => Some(RepoPath::parse(bstr::join("/", components))?),
        };
        Ok(Self { path, form })
    }
}
