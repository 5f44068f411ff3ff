//! The sender's side of the transfer: which files of source-git an item sends, and under which names.

use std::collections::{BTreeMap, BTreeSet};

use bstr::{BStr, BString, ByteSlice as _};

use crate::transform::files::filter::{EntryKind, FilterRules};
use crate::transform::files::glob;
use crate::transform::files::obstacle::{TransferEnd, not_a_directory, refuse_file_on_the_way};
use crate::transform::files::open_directories::OpenDirectories;
use crate::transform::files::plan::{GivenPath, PathForm, PlannedItem};
use crate::transform::files::tree::{self, PathKind};
use crate::types::{File, FileMode, FileTree, Finding, Refusal, RepoPath, Subject};

/// A file of source-git that is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct SentFile<'a> {
    pub(super) path: &'a RepoPath,
    pub(super) file: &'a File,
    /// Whether a `src` names exactly this file, without a glob.
    pub(super) named: bool,
}

/// All that one item sends, keyed by the name below `dest`.
#[derive(Debug, Default)]
pub(super) struct SentEntries<'a> {
    pub(super) files: BTreeMap<BString, SentFile<'a>>,
    pub(super) directories: BTreeSet<BString>,
    /// Whether `dest` itself is a transferred directory, because a `src` means the contents of a directory.
    pub(super) includes_dest: bool,
    /// The number of files and directories, with each of those that share a name. The meaning of `dest` depends on it.
    pub(super) count: usize,
}

impl<'a> SentEntries<'a> {
    /// Collects what `item` sends of `source`. The findings are about links that a glob passes by.
    pub(super) fn collect(
        item: &PlannedItem,
        source: &'a FileTree,
        findings: &mut Vec<Finding>,
    ) -> Result<Self, Refusal> {
        let mut sent = Self::default();
        for given in &item.sources {
            let Some(path) = given.path.as_ref().filter(|path| glob::has_wildcard(path.as_bytes())) else {
                sent.add(item, given, source, true)?;
                continue;
            };
            let expansion = glob::expand(path, source, given.form == PathForm::Directory);
            findings.extend(expansion.links.iter().map(|link| {
                Finding::warning(format!("files_to_sync item {} does not follow this symbolic link", item.number))
                    .about(Subject::File(link.clone()))
                    .remedy("name the link's target in `src`")
            }));
            if expansion.paths.is_empty() {
                sent.add(item, given, source, true)?;
            }
            for path in expansion.paths {
                sent.add(item, &GivenPath { path: Some(path), form: given.form }, source, false)?;
            }
        }
        // If names are equal, rsync sends the first entry, but a directory before all files.
        sent.files.retain(|name, _| !sent.directories.contains(name));
        Ok(sent)
    }

    fn add(&mut self, item: &PlannedItem, given: &GivenPath, source: &'a FileTree, named: bool) -> Result<(), Refusal> {
        if let Some(path) = &given.path {
            refuse_file_on_the_way(source, path, TransferEnd::SourceGit)?;
        }
        let path = given.path.as_ref();
        match (tree::kind(source, path), path, given.form) {
            (PathKind::Directory, None, _) | (PathKind::Directory, Some(_), PathForm::Directory) => {
                self.includes_dest = true;
                self.count = self.count.saturating_add(1);
                self.walk(&item.rules, 0, tree::below(source, path))
            }
            (PathKind::Directory, Some(path), PathForm::Plain) => {
                let above = path.as_bytes().len().saturating_sub(path.file_name().len());
                let below = tree::below(source, Some(path));
                self.walk(&item.rules, above, below.map(|(path, _, file)| (path, path.as_bstr(), file)))
            }
            (PathKind::File(_), Some(path), PathForm::Plain) => match source.get_key_value(path) {
                Some((path, file)) => self.add_file(&item.rules, path, path.file_name(), file, named),
                None => Ok(()),
            },
            (PathKind::File(file), Some(path), PathForm::Directory) => {
                Err(not_a_directory(path, file, TransferEnd::SourceGit))
            }
            (PathKind::Nothing, Some(path), form) => {
                // rsync's --ignore-missing-args applies to the last component only.
                let directory = if form == PathForm::Directory { Some(path.clone()) } else { path.parent() };
                match directory {
                    Some(directory) if matches!(tree::kind(source, Some(&directory)), PathKind::Nothing) => {
                        Err(Refusal::new(
                            format!(
                                "files_to_sync item {} reads a directory that source-git does not have",
                                item.number
                            ),
                            "correct its `src`, or take it out of files_to_sync",
                        )
                        .about_file(&directory))
                    }
                    _ => Ok(()),
                }
            }
            (PathKind::File(_) | PathKind::Nothing, None, _) => Ok(()),
        }
    }

    /// Adds those of `files` that the rules show. They come in path order, and their names begin after `skip` bytes.
    fn walk(
        &mut self,
        rules: &FilterRules,
        skip: usize,
        files: impl Iterator<Item = (&'a RepoPath, &'a BStr, &'a File)>,
    ) -> Result<(), Refusal> {
        let mut open = OpenDirectories::new(SenderView::Shown);
        for (path, name, file) in files {
            let name = name.get(skip..).unwrap_or_default().as_bstr();
            let view = open.enter(name, |parent, directory| {
                if parent == SenderView::Hidden || rules.hides(directory, EntryKind::Directory) {
                    return SenderView::Hidden;
                }
                self.count = self.count.saturating_add(1);
                self.directories.insert(directory.to_owned());
                SenderView::Shown
            });
            if view == SenderView::Shown {
                self.add_file(rules, path, name, file, false)?;
            }
        }
        Ok(())
    }

    fn add_file(
        &mut self,
        rules: &FilterRules,
        path: &'a RepoPath,
        name: &BStr,
        file: &'a File,
        named: bool,
    ) -> Result<(), Refusal> {
        if rules.hides(name, EntryKind::File) {
            return Ok(());
        }
        if file.mode == FileMode::Gitlink {
            return Err(Refusal::new(
                "files_to_sync would carry a submodule, whose content is not in source-git",
                "put the files themselves there, or exclude the submodule by a filter",
            )
            .about_file(path));
        }
        self.count = self.count.saturating_add(1);
        self.files.entry(name.to_owned()).or_insert(SentFile { path, file, named });
        Ok(())
    }
}

/// Whether the filter rules let the sender see a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SenderView {
    Shown,
    Hidden,
}
