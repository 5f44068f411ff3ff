//! `files_to_sync` of a package configuration: which files of source-git go where in dist-git.
//!
//! The meaning is that of `rsync --archive [--delete] [--mkpath] --filter … --ignore-missing-args src… dest`, one run
//! after the other, which is what packit starts for each item, but on values: files are compared by content, no
//! symbolic link is ever followed, and a directory is there only by the files below it, as in git. Where rsync ends
//! with an error the item is refused; nothing is done by halves.
//!
//! What is sent, placed and deleted is in `sync`, filter rules in `filter`, rsync's wildcards in `pattern`, the
//! globs of `src` in `glob`.

mod filter;
mod glob;
mod pattern;
mod sync;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeSet;

use bstr::{BStr, BString, ByteSlice as _};

use crate::transform::files::filter::FilterRules;
pub use crate::transform::files::sync::{CopiedFiles, ReceiverFiles, sync};
use crate::types::finding::quoted;
use crate::types::path::PathError;
use crate::types::{Refusal, RepoPath};

/// The most `src` paths that all items together may have: each can mean a pass over the whole tree.
const MOST_SOURCES: usize = 250;

/// The most filter rules that all items together may have: each is tried on every file.
const MOST_FILTERS: usize = 500;

/// What to do where more than the last component of `dest` is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MakePath {
    /// Refuse, as rsync does without `--mkpath`.
    #[default]
    LastComponent,
    /// Create all of it.
    All,
}

/// What to do with files in a transferred directory that the source does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delete {
    /// Leave them.
    #[default]
    Nothing,
    /// Delete those that no filter rule protects, as rsync does with `--delete`.
    Extraneous,
}

/// One item of `files_to_sync`, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyItem {
    /// Paths or globs in source-git. A trailing slash means the contents of a directory, not itself.
    ///
    /// A path whose last component does not exist is ignored; as with rsync, the directory that it is in, and one
    /// whose contents are meant, must exist.
    pub src: Vec<BString>,
    /// A path in dist-git. A trailing slash says that it is a directory.
    pub dest: BString,
    /// `mkpath`
    pub mkpath: MakePath,
    /// `delete`
    pub delete: Delete,
    /// rsync filter rules, the first that matches deciding.
    pub filters: Vec<BString>,
}

/// The items of `files_to_sync`, with their paths known to stay inside and their filter rules understood.
#[derive(Clone, Debug)]
pub struct CopyPlan {
    items: Vec<PlannedItem>,
}

#[derive(Clone, Debug)]
struct PlannedItem {
    /// Counted from 1, as a person counts.
    number: usize,
    sources: Vec<GivenPath>,
    dest: GivenPath,
    mkpath: MakePath,
    delete: Delete,
    rules: FilterRules,
}

/// The part of source-git that a transfer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourcesNeeded {
    /// All of it.
    Everything,
    /// These top-level files and directories, with all below them; not all of them need exist.
    TopLevel(BTreeSet<RepoPath>),
}

impl CopyPlan {
    /// Checks `items`.
    ///
    /// Refused are absolute paths, paths that leave their repository by `..` or enter `.git`, NUL bytes, and filter
    /// rules that read files, have modifiers or clear the list.
    pub fn parse(items: &[CopyItem]) -> Result<Self, Refusal> {
        let total = |count: fn(&CopyItem) -> usize| items.iter().map(count).fold(0, usize::saturating_add);
        if total(|item| item.src.len()) > MOST_SOURCES {
            return Err(Refusal::new(
                format!("files_to_sync has more than {MOST_SOURCES} source paths"),
                "name directories instead of single files",
            ));
        }
        if total(|item| item.filters.len()) > MOST_FILTERS {
            return Err(Refusal::new(
                format!("files_to_sync has more than {MOST_FILTERS} filters"),
                "use wildcards instead of single names",
            ));
        }
        let items = items.iter().zip(1..).map(|(item, number)| PlannedItem::parse(item, number));
        Ok(Self { items: items.collect::<Result<_, _>>()? })
    }

    /// Returns what [`fn@sync`] has to be given of source-git; more does no harm.
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

    /// Returns the git pathspecs, `:(exclude…)…` and relative to the top, that leave out of patches what the items
    /// carry: every `src`, with all below it.
    ///
    /// Packit has git read each `src` as a plain pathspec, whose `*` crosses slashes, and so drops changes that no item
    /// carries; these pathspecs stay within what the globs of `src` match, but for names with a leading dot, which
    /// git's `*` takes and Python's does not.
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
                // A backslash is an ordinary byte for Python, and `**` no more than `*`.
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
    let said = match why {
        PathError::Dots => "leads out of its repository".into(),
        why => why.to_string().replacen("the path ", "", 1),
    };
    Refusal::new(format!("the `{key}` {} of files_to_sync item {number} {said}", quoted(text)), remedy)
}

/// What the end of a path as written says about the thing it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `a/b`
    Plain,
    /// `a/b/`, and for rsync `a/b/.` and `a/b/..` too; packit would take the `.` off before rsync sees it.
    Directory,
}

/// A path of the configuration with `.`, `..` and doubled slashes taken out; no link is looked at, as there is none
/// that would be followed.
#[derive(Clone, Debug)]
struct GivenPath {
    /// `None` for the top of the repository.
    path: Option<RepoPath>,
    form: Form,
}

impl GivenPath {
    fn parse(text: &BStr) -> Result<Self, PathError> {
        if text.starts_with(b"/") {
            return Err(PathError::Absolute);
        }
        let mut components = Vec::new();
        let mut form = Form::Plain;
        for component in text.split_str(b"/") {
            form = Form::Directory;
            match component {
                b"" | b"." => {}
                b".." => {
                    components.pop().ok_or(PathError::Dots)?;
                }
                _ => {
                    components.push(component);
                    form = Form::Plain;
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
